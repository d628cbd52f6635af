//! The backup engine: the only place where the store, the archive format and destinations meet.
//!
//! A backup reads downwards: [`plan`](crate::BackupPlan) decides (full or incremental, since when, under which names), `backup` streams
//! the groups' archives to the destination, `commit` writes the manifest, and only then the backup exists. A restore: `catalogue` reads
//! what is there, [`RestorePlan`] proves the series, `restore` merges its archives into a new store beside the target.
//!
//! Async begins where the network begins: `upload` and `download` are the only files that know both worlds.
//!
//! [`Node`] is a running node around a store: it runs backups and restores as jobs with an id and swaps the store after a restore.

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

mod download;
mod merge;
mod restore;

mod guard;
mod jobs;
mod node;
mod swap;

pub use backup::{BackupContext, TakenBackup, backup, backup_to, take_backup};
pub use catalogue::{BackupListing, Catalogue, list_backups, read_catalogue};
pub use error::{Error, Result};
pub use graphdb_archive::EncryptionKey;
pub use graphdb_destination::{Credentials, LocationRequest, Locations};
pub use guard::KeyGuard;
pub use jobs::{JobKind, JobRecord, JobStatus};
pub use lock::LocationLock;
pub use node::{BackupDone, Node, NodeOptions};
pub use plan::{BackupPlan, BackupRequest};
pub use progress::Progress;
pub use restore::{RestorePlan, RestoreReport, RestoreRequest, RestoredGroup, restore_offline};
pub use series_memory::SeriesMemory;

/// What this build calls itself in manifests.
pub const TOOL: &str = concat!("graphdb ", env!("CARGO_PKG_VERSION"));
