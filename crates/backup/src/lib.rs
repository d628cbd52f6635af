//! The backup engine: the only place where the store, the archive format and destinations meet.
//!
//! A backup reads downwards: [`plan`](crate::BackupPlan) decides (full or incremental, since when, under which names), `backup` streams
//! the groups' archives to the destination, `commit` writes the manifest, and only then the backup exists. A restore: `catalogue` reads
//! what is there, [`SeriesSource`] proves the series and reads its archives as one state (`merge` those of ours, which are in order, `gather`
//! Dgraph's, which are not), `restore` makes a new store of it beside the target.
//!
//! Async begins where the network begins: `upload` and `download` are the only files that know both worlds.
//!
//! [`Node`] is a running node around a store: it runs backups, restores and exports as jobs with an id and swaps the store after a restore.
//!
//! [`export_series`] and [`export_store`] write what a series or a store holds as text.

mod error;
mod progress;

mod catalogue;
mod lock;
mod plan;
mod series_memory;
mod sight;

mod backup;
mod commit;
mod scan;
mod upload;

mod definitions;
mod download;
mod gather;
mod merge;
mod restore;
mod selection;
mod shown;
mod sort;
mod source;
mod verify;

mod export;

mod inspect;

mod guard;
mod jobs;
mod node;
mod swap;

pub use backup::{BackupContext, TakenBackup, backup, backup_to, take_backup};
pub use catalogue::{BackupListing, Catalogue, list_backups, read_catalogue};
pub use error::{Error, Result};
pub use export::{ExportPlace, ExportReport, ExportWish, ExportedFile, ExportedGroup, export_series, export_store};
pub use gather::{StaleKeys, StaleReport};
pub use graphdb_archive::{Compat, EncryptionKey};
pub use graphdb_destination::{Credentials, LocationRequest, Locations};
pub use graphdb_export::{Format, UnknownFormat};
pub use guard::KeyGuard;
pub use inspect::{
    ArchiveFacts, Asked, BackupFacts, GraphqlSchema, KeyValueCounts, Lists, PredicateFacts, StateFacts, StoredLists,
    Survey, TriplesRead, read_schema, read_triples, survey,
};
pub use jobs::{JobKind, JobRecord, JobStatus};
pub use lock::LocationLock;
pub use node::{BackupDone, ExportDone, ExportRequest, Node, NodeOptions, RestoreRequest};
pub use plan::{BackupPlan, BackupRequest, BackupTerms};
pub use progress::Progress;
pub use restore::{RestoreReport, RestoredGroup, restore_groups, restore_merged, restore_offline};
pub use selection::{Selection, Tenant};
pub use series_memory::SeriesMemory;
pub use source::{SeriesRequest, SeriesSource, StateSummary, StateVisitor};
pub use verify::{
    Finding, Kind, Level, MergedState, Offset, Outcome, Severity, VerifiedBackup, VerifiedObject, VerifiedSeries,
    VerifyReport, VerifyRequest, WhichSeries, verify, verify_at,
};

/// What this build calls itself in manifests.
pub const TOOL: &str = concat!("graphdb ", env!("CARGO_PKG_VERSION"));
