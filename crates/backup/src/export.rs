//! Exports: what a series of backups holds, or a running node, as text files that `graphdb live` loads, and Dgraph's.
//!
//! An export is a folder `dgraph.r<read_ts>.u<MMDD.HHMM>` with three gzip files of each group: the data, the schema, and the GraphQL
//! schemas. `series` and `snapshot` are where lists come from, `group` writes them as text, `folder` has the files where they belong, and
//! shows them when all are whole.

mod directory;
mod file;
mod folder;
mod group;
mod objects;
mod series;
mod snapshot;

use graphdb_export::Format;
use graphdb_types::{GroupId, Namespace, Predicate, Ts};

pub use folder::ExportPlace;
pub use series::export_series;
pub use snapshot::export_store;

/// What is exported of a running node, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportWish {
    /// How the data is written.
    pub format: Format,
    /// Only this namespace; all of them if not given.
    pub namespace: Option<Namespace>,
}

/// An export that is whole.
#[derive(Clone, Debug)]
pub struct ExportReport {
    /// Where its folder is.
    pub location: String,
    /// The folder's name there.
    pub folder: String,
    /// The instant it shows.
    pub read_ts: Ts,
    /// The files, by name.
    pub files: Vec<ExportedFile>,
    /// What is in them.
    pub groups: Vec<ExportedGroup>,
    /// Predicates that no backup defines: their schema was told from their data.
    pub undefined: Vec<Predicate>,
}

/// A file of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedFile {
    /// With its folder, as in `dgraph.r17.u0104.2257/g01.rdf.gz`.
    pub name: String,
    /// How large it is.
    pub size_bytes: u64,
}

/// How much of a group was exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedGroup {
    /// Which.
    pub group: GroupId,
    /// Values and edges: lines of N-Quads, or JSON records.
    pub statements: u64,
    /// Predicates that are defined.
    pub predicates: u64,
    /// Types that are defined; those of every group are the same.
    pub types: u64,
    /// Namespaces that have a GraphQL schema.
    pub graphql_schemas: u64,
}

impl ExportedGroup {
    fn new(group: GroupId) -> ExportedGroup {
        ExportedGroup { group, statements: 0, predicates: 0, types: 0, graphql_schemas: 0 }
    }
}

impl ExportReport {
    /// Values and edges of all groups.
    pub fn statements(&self) -> u64 {
        self.groups.iter().map(|group| group.statements).sum()
    }

    /// Bytes of all files.
    pub fn size_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size_bytes).sum()
    }
}
