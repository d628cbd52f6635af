//! The graph in RocksDB.
//!
//! One idea carries the rest: the **commit log** is the truth. Every change (edges, schema, drops) becomes one [`LogEntry`] with a
//! `commit_ts`, and the posting lists, indexes and schema are what applying the entries in order gives. One RocksDB write holds an entry
//! and its effects, so they never disagree.
//!
//! Reading downwards: a client's [`Edge`]s enter through [`Store::mutate`] and [`Store::commit`] (`txn`), are put in order and made
//! durable by `committer`, turned into posting-list changes by `derive`, and written in the layout of `layout`. A [`View`] reads the
//! graph at one timestamp; a [`StoreSnapshot`] scans it for a backup; [`StoreBuilder`] builds a whole store from sorted entries for a
//! restore. `sweep` rolls up long delta chains and collects versions nobody can read any more.
//!
//! Everything here blocks: callers in async code use a blocking thread.

mod edge;
mod error;
mod layout;
mod meta;

mod log;

mod oracle;
mod published;
mod schema_history;

mod directory;
mod store;

mod derive;
mod txn;

mod alter;
mod committer;

mod versions;
mod view;

mod scan;

mod build;

mod sweep;

pub use alter::{Alter, SchemaChange};
pub use build::{BuildOptions, BuiltStore, StoreBuilder, StoredEntry};
pub use derive::{derived_keys, reverse_count_key};
pub use directory::lock_file;
pub use edge::{Edge, EdgeObject, EdgeOp};
pub use error::{Error, Result};
pub use log::{LogEntry, LogRecord};
pub use meta::{Identity, Lease, Leased, Restored};
pub use scan::{Changes, ScanEntry, ScanValue, StoreSnapshot};
pub use schema_history::initial_schema;
pub use store::{Store, StoreOptions, StoreStats};
pub use txn::{CommitOutcome, TxnInfo};
pub use view::{ListReader, View};
