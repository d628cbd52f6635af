use std::io;
use std::path::PathBuf;

use graphdb_types::{Malformed, Ts, Uid};

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong in the store. A variant exists where a caller acts differently.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has the directory open.
    #[error("{} is in use by {holder}; stop that process or choose another postings directory", dir.display())]
    Locked {
        /// The postings directory.
        dir: PathBuf,
        /// Who holds the lock, as far as is known.
        holder: String,
    },
    /// The directory was written by a newer version.
    #[error("{} has format version {found}, this graphdb knows up to {known}; use a newer graphdb", dir.display())]
    TooNew {
        /// The postings directory.
        dir: PathBuf,
        /// The version found.
        found: u64,
        /// The newest version this build reads.
        known: u64,
    },
    /// The directory holds something else.
    #[error("{} is not a graphdb postings directory: {why}", dir.display())]
    NotAStore {
        /// The directory.
        dir: PathBuf,
        /// What is missing or odd.
        why: String,
    },
    /// The directory cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// RocksDB failed.
    #[error("the store failed to {action}")]
    Rocks {
        /// What was being done.
        action: &'static str,
        /// RocksDB's own words.
        source: rocksdb::Error,
    },
    /// Bytes in the store that cannot be what was written.
    #[error("the store is damaged: {what}")]
    Damaged {
        /// Which key or record, and what is wrong with it.
        what: String,
    },
    /// The commit log or a sync failed earlier; nothing more is accepted, since it might not be durable.
    #[error("the store stopped accepting writes after a failure: {why}; restart the node once the cause is removed")]
    Stopped {
        /// The first failure.
        why: String,
    },
    /// Another transaction wrote the same data first.
    #[error("Transaction has been aborted. Please retry")]
    Conflict {
        /// The transaction that lost.
        start_ts: Ts,
    },
    /// The timestamp is below the history that is kept.
    #[error(
        "timestamp {read_ts} is older than the kept history, which begins at {floor}; start a new transaction and retry"
    )]
    TooOld {
        /// The timestamp asked for.
        read_ts: Ts,
        /// The oldest timestamp that can still be read.
        floor: Ts,
    },
    /// A uid that no node may have.
    #[error("uid {uid} cannot be used: valid uids are 0x1 to 0xfffffffffffffffe")]
    InvalidUid {
        /// The uid.
        uid: Uid,
    },
    /// No ids are left, or none were asked for.
    #[error("Nothing to be leased")]
    NothingToLease,
    /// A schema change that the data or the rules do not allow.
    #[error("{why}")]
    Refused {
        /// What is refused and what to do instead.
        why: String,
    },
    /// The store is being closed.
    #[error("the store is closing")]
    Closing,
}

impl Error {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { action, path, source }
    }

    pub(crate) fn rocks(action: &'static str) -> impl FnOnce(rocksdb::Error) -> Error {
        move |source| Error::Rocks { action, source }
    }

    pub(crate) fn damaged(what: impl Into<String>) -> Error {
        Error::Damaged { what: what.into() }
    }

    pub(crate) fn refused(why: impl Into<String>) -> Error {
        Error::Refused { why: why.into() }
    }
}

impl From<Malformed> for Error {
    fn from(malformed: Malformed) -> Error {
        Error::damaged(malformed.to_string())
    }
}
