//! Looking into backups without restoring them: facts about a series, and its triples.
//!
//! [`survey`] reads each archive twice: once as it is stored, for what each backup holds by itself, and once as one state, for what
//! restoring the series would give. [`read_triples`] hands on what a node or predicate has in that state. [`read_schema`] gives its
//! definitions.

mod archive;
mod state;
mod triples;

use std::path::Path;

use crate::error::Result;
use crate::progress::Progress;
use crate::source::SeriesSource;

pub use archive::{ArchiveFacts, BackupFacts, KeyValueCounts, StoredLists};
pub use state::{GraphqlSchema, Lists, PredicateFacts, StateFacts};
pub use triples::{Asked, TriplesRead, read_schema, read_triples};

/// What is known of a series without restoring it.
#[derive(Clone, Debug)]
pub struct Survey {
    /// What each backup holds by itself, oldest first.
    pub backups: Vec<BackupFacts>,
    /// What they are together.
    pub state: StateFacts,
}

/// Reads a series and counts. Memory grows with the number of predicates and types alone; `scratch` is as in [`SeriesSource::read`].
///
/// # Errors
/// Whatever was found while reading: facts about a part would be taken for the whole.
pub async fn survey(source: &SeriesSource, scratch: &Path, progress: &Progress) -> Result<Survey> {
    progress.enter("count");
    let backups = archive::count(source, progress).await?;
    progress.enter("read");
    let state = state::read(source, scratch, progress).await?;
    progress.enter("done");
    Ok(Survey { backups, state })
}
