use std::io;
use std::path::PathBuf;

use graphdb_archive::{BackupFolder, Compat, DgraphManifestError, ManifestError, SeriesError};
use graphdb_destination as destination;
use graphdb_storage as storage;
use graphdb_types::{Malformed, Namespace, ObjectName, Ts};

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a backup or restore did not happen. Whatever it is, nothing that was there before is harmed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The destination refused or failed.
    #[error(transparent)]
    Destination(#[from] destination::Error),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// An archive cannot be written or read.
    #[error("object {object}: {source}")]
    Archive {
        /// Which object.
        object: ObjectName,
        /// What is wrong with it.
        source: graphdb_archive::Error,
    },
    /// A manifest cannot be used.
    #[error(transparent)]
    Manifest(#[from] Box<ManifestError>),
    /// A manifest of Dgraph's cannot be used.
    #[error(transparent)]
    DgraphManifest(#[from] DgraphManifestError),
    /// The backups at the location are not a series that can be restored or continued.
    #[error("{location}: {source}{advice}")]
    Series {
        /// Where.
        location: String,
        /// What is wrong.
        source: SeriesError,
        /// What to do, beginning with "; ", or empty.
        advice: &'static str,
    },
    /// An incremental would not continue the series at the location.
    #[error(
        "cannot continue series {backup_id} at {location}: {why}; take a full backup with forceFull to begin a new series"
    )]
    NotContinued {
        /// The location.
        location: String,
        /// The newest series there.
        backup_id: String,
        /// Why it cannot be continued.
        why: String,
    },
    /// Something is in a namespace, and the series is for a Dgraph that has none.
    #[error(
        "a backup for Dgraph v{compat} cannot hold namespace {namespace}: there are no namespaces before v21.03; take a backup with compat \
         21.12, or without one, and with forceFull if a series was begun"
    )]
    NoNamespaces {
        /// For which Dgraph.
        compat: Compat,
        /// One that has something in it.
        namespace: Namespace,
    },
    /// Somebody else is writing to the location.
    #[error("a backup to {location} is already running ({holder}); wait for it, or for its lock to expire {expires}")]
    Busy {
        /// The location.
        location: String,
        /// Who holds the lock.
        holder: String,
        /// When the lock ends if its holder is gone.
        expires: String,
    },
    /// The node's key guard found that backups must not be encrypted with its key any more.
    #[error("{0}")]
    KeyRefused(String),
    /// A lock that is not ours, at a location that cannot be listed.
    #[error(
        "somebody else writes, or wrote, backups to {location}: {lock} exists, and without permission to list the location it cannot be seen whose it is; permit listing and reading, choose another location, or take a full backup with forceFull to begin a new series there all the same"
    )]
    Contested {
        /// The location.
        location: String,
        /// The lock that could not be created.
        lock: ObjectName,
    },
    /// The manifest was sent and nobody knows whether it arrived.
    #[error("whether the backup in {folder} at {location} exists is unknown: no answer told; {next}")]
    Unconfirmed {
        /// The location.
        location: String,
        /// The folder of the backup.
        folder: BackupFolder,
        /// What the next backup will do about it.
        next: &'static str,
        /// How writing the manifest failed.
        source: Box<destination::Error>,
    },
    /// Two backups took one place of a series, because the lock did not hold, and the later one could not be withdrawn.
    #[error(
        "backup {backup_num} of series {backup_id} at {location} was taken twice at the same time, and the one in {folder} could not be removed; take a full backup with forceFull to begin a new series"
    )]
    Doubled {
        /// The location.
        location: String,
        /// The series.
        backup_id: String,
        /// The place in it.
        backup_num: u64,
        /// The folder of the one that should go.
        folder: BackupFolder,
        /// Why it could not be removed.
        source: Box<destination::Error>,
    },
    /// The lock was taken by somebody else while the backup ran.
    #[error("the lock on {location} was lost while the backup ran; no backup was recorded")]
    LockLost {
        /// The location.
        location: String,
    },
    /// A backup was to be written beside Dgraph's master manifest.
    #[error(
        "{location} holds Dgraph's list of its backups (manifest.json), and Dgraph would not see ours beside it: choose another location to write to"
    )]
    ForeignLocation {
        /// The location.
        location: String,
    },
    /// A part that was asked for by name is not in the backup.
    #[error("{what} is not in the newest backup of series {backup_id} that is read; `graphdb inspect` shows what is")]
    NotInBackup {
        /// Which part.
        what: String,
        /// The series.
        backup_id: String,
    },
    /// The location is beside the one that was meant.
    #[error("{location}: {advice}")]
    Misplaced {
        /// The location.
        location: String,
        /// What it is, and which to name.
        advice: String,
    },
    /// An encrypted archive does not become one with this key.
    #[error(
        "object {object} does not become a backup with this encryption key: the key is probably not the one it was written with"
    )]
    WrongKey {
        /// Which object.
        object: ObjectName,
        /// How it was found.
        source: graphdb_archive::Error,
    },
    /// Backups were to be applied upon a store that is not what the backups before them give.
    #[error(
        "backups from number {first} of series {backup_id} on cannot be applied upon this database: {why}; restore the whole series, or up to backup {} and then go on",
        first - 1
    )]
    NotUpon {
        /// The series.
        backup_id: String,
        /// The first backup that was to be applied.
        first: u64,
        /// What the store is instead.
        why: String,
    },
    /// An object that a manifest names is not there, or is not what was stored.
    #[error("object {object} at {location} {what}; the series cannot be restored")]
    DamagedObject {
        /// The location.
        location: String,
        /// Which object.
        object: ObjectName,
        /// What is wrong.
        what: String,
    },
    /// A key-value of an archive makes no sense.
    #[error("object {object}: {source}")]
    DamagedEntry {
        /// Which object.
        object: ObjectName,
        /// What is wrong.
        source: Malformed,
    },
    /// A list or a definition has no text.
    #[error(transparent)]
    Export(#[from] graphdb_export::ExportError),
    /// An export would take the name of something that is there.
    #[error(
        "{location} exists already, and an export never replaces anything: wait a minute for another name, or choose another place"
    )]
    ExportExists {
        /// The folder.
        location: String,
    },
    /// A node exports once at a time.
    #[error("another export is already running, to {location}; wait until it is done")]
    ExportRunning {
        /// Where that one goes.
        location: String,
    },
    /// The target of an offline restore is in use.
    #[error("{} exists and is not empty; restore into another directory or move it away", path.display())]
    TargetNotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// A list of a series is not one.
    #[error("the list under the stored key {key} is damaged: {source}")]
    DamagedList {
        /// The stored key, escaped.
        key: String,
        /// What is wrong with it.
        source: Malformed,
    },
    /// A file cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The timestamp of the new backup is not above the last one.
    #[error(
        "backup read_ts {read_ts} is not greater than {since}, the read_ts of the backup before: the database went back in time; take a full backup with forceFull"
    )]
    NotAdvancing {
        /// The new backup's.
        read_ts: Ts,
        /// The last backup's.
        since: Ts,
    },
    /// A number that cannot be meant.
    #[error("backupNum value should be equal or greater than zero, not {0}")]
    NegativeBackupNum(i64),
    /// Something else is running.
    #[error("another restore operation is already running. Please retry later.")]
    RestoreRunning,
    /// Clients are kept out for the moment.
    #[error(
        "the server is in draining mode and client requests will only be allowed after exiting the mode by sending draining(enable: false) to /admin"
    )]
    Draining,
    /// The store is being exchanged for a restored one.
    #[error(
        "the server is in draining mode and client requests will only be allowed after exiting the mode: a restored store is being put in place"
    )]
    Swapping,
    /// The store was written to although it was to stay as it was.
    #[error("the database was changed while the restore ran")]
    Changed,
    /// Nothing to go back to.
    #[error("restore {id} cannot be rolled back: {why}")]
    NoRollback {
        /// The restore.
        id: u64,
        /// Why.
        why: String,
    },
    /// The node is going down, or the caller gave up.
    #[error("cancelled: {0}")]
    Cancelled(&'static str),
    /// A thread of ours panicked.
    #[error("a background thread ended unexpectedly: {0}")]
    Thread(String),
}

impl From<ManifestError> for Error {
    fn from(err: ManifestError) -> Error {
        Error::Manifest(Box::new(err))
    }
}

impl From<tokio::task::JoinError> for Error {
    fn from(err: tokio::task::JoinError) -> Error {
        Error::Thread(err.to_string())
    }
}

impl Error {
    pub(crate) fn archive(object: &ObjectName) -> impl Fn(graphdb_archive::Error) -> Error {
        let object = object.clone();
        move |source| Error::Archive { object: object.clone(), source }
    }

    pub(crate) fn entry(object: &ObjectName) -> impl Fn(Malformed) -> Error {
        let object = object.clone();
        move |source| Error::DamagedEntry { object: object.clone(), source }
    }

    pub(crate) fn list(stored_key: &[u8]) -> impl FnOnce(Malformed) -> Error {
        move |source| Error::DamagedList { key: stored_key.escape_ascii().to_string(), source }
    }

    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { action, path, source }
    }
}

/// Whether the place said that this may not be done: the one failure after which a backup may go on without having looked.
pub(crate) fn denied(err: &destination::Error) -> bool {
    matches!(err, destination::Error::Denied { .. })
}
