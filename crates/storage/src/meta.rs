//! What the store knows of itself: format version, identity, leases.

use graphdb_types::Ts;
use rocksdb::{ColumnFamily, DB, WriteOptions};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::layout::META;

/// Which database this is, and which life of it. A backup series belongs to one identity: after a restore the epoch differs, so two
/// copies of a database never continue the same series.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// 32 hex digits, given once when the database is made and kept through restores.
    pub database_id: String,
    /// Grows with each restore: the number of the life above, 32 random bits below, so that two restores of one backup differ.
    pub epoch: u64,
    /// Where this life began, if it began with a restore.
    pub parent: Option<Parent>,
}

/// The life that a restore continues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The epoch of the backup.
    pub epoch: u64,
    /// The timestamp that was restored.
    pub read_ts: u64,
    /// The backup whose whole state was restored; `None` of a part, and where an older version restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<Restored>,
}

/// The backup that a store began as: the series up to it, or one namespace of that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// The series.
    pub backup_id: String,
    /// The newest backup of it that was restored.
    pub backup_num: u64,
    /// The one namespace that was taken, and the number it got.
    pub tenant: Option<(u64, u64)>,
    /// The newest commit of the store as it was built: if there is a newer one, it was changed since.
    pub read_ts: u64,
}

impl Identity {
    /// A new database.
    pub fn fresh() -> Identity {
        Identity { database_id: format!("{:032x}", rand::random::<u128>()), epoch: next_epoch(0), parent: None }
    }

    /// The life that begins by restoring a backup of `database_id` at `read_ts`. `also_above` is an epoch that must be passed too: that
    /// of the store a restore replaces.
    pub fn restored(database_id: &str, epoch: u64, read_ts: Ts, also_above: u64) -> Identity {
        let parent = Some(Parent { epoch, read_ts: read_ts.0, restored: None });
        Identity { database_id: database_id.to_owned(), epoch: next_epoch(epoch.max(also_above)), parent }
    }
}

impl Identity {
    /// The backup that this life began as.
    pub fn restored_from(&self) -> Option<&Restored> {
        self.parent.as_ref()?.restored.as_ref()
    }
}

fn next_epoch(epoch: u64) -> u64 {
    (((epoch >> 32) + 1) << 32) | u64::from(rand::random::<u32>())
}

/// The ids that are handed out once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leased {
    /// Uids of nodes.
    Uid,
    /// Timestamps.
    Ts,
    /// Namespaces.
    Namespace,
}

/// A range of ids that nobody else gets. Both ends belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The first id.
    pub first: u64,
    /// The last id.
    pub last: u64,
}

impl Leased {
    pub(crate) fn meta_key(self) -> &'static str {
        match self {
            Leased::Uid => "lease/uid",
            Leased::Ts => "lease/ts",
            Leased::Namespace => "lease/namespace",
        }
    }
}

pub(crate) const FORMAT_VERSION_KEY: &str = "format_version";
pub(crate) const IDENTITY_KEY: &str = "identity";
/// The newest commit that was in the store when it was built by a restore.
pub(crate) const BASE_TS_KEY: &str = "base_ts";
/// Versions below this timestamp may have been collected.
pub(crate) const FLOOR_KEY: &str = "history_floor";
/// The log holds every record above this timestamp.
pub(crate) const LOG_FLOOR_KEY: &str = "log_floor";
/// How far the sweep has come.
pub(crate) const SWEPT_KEY: &str = "swept_ts";
/// Prefix of the drops, by commit_ts u64 BE.
pub(crate) const DROP_PREFIX: &[u8] = b"drop/";
/// Prefix of the index builds that have begun and are not committed, by a predicate's stored prefix: commit_ts u64 BE.
pub(crate) const BUILDING_PREFIX: &[u8] = b"building/";

pub(crate) fn meta_family(db: &DB) -> &ColumnFamily {
    db.cf_handle(META).expect("every column family is opened with the store")
}

pub(crate) fn get_number(db: &DB, key: &str) -> Result<Option<u64>> {
    let Some(bytes) = db.get_cf(meta_family(db), key).map_err(Error::rocks("read a meta record"))? else {
        return Ok(None);
    };
    let number = bytes
        .as_slice()
        .try_into()
        .map(u64::from_be_bytes)
        .map_err(|_| Error::damaged(format!("meta record {key}")))?;
    Ok(Some(number))
}

pub(crate) fn put_number(db: &DB, key: &str, number: u64) -> Result<()> {
    db.put_cf_opt(meta_family(db), key, number.to_be_bytes(), &synced()).map_err(Error::rocks("write a meta record"))
}

pub(crate) fn get_identity(db: &DB) -> Result<Option<Identity>> {
    let Some(bytes) = db.get_cf(meta_family(db), IDENTITY_KEY).map_err(Error::rocks("read the identity"))? else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|err| Error::damaged(format!("identity record: {err}")))
}

pub(crate) fn put_identity(db: &DB, identity: &Identity) -> Result<()> {
    db.put_cf_opt(meta_family(db), IDENTITY_KEY, identity_record(identity), &synced())
        .map_err(Error::rocks("write the identity"))
}

pub(crate) fn identity_record(identity: &Identity) -> Vec<u8> {
    serde_json::to_vec(identity).expect("an identity is plain data")
}

/// Write options of what must be durable before anything depends on it.
pub(crate) fn synced() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_sync(true);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_restores_of_one_backup_are_two_lives() {
        let first = Identity::fresh();
        let a = Identity::restored(&first.database_id, first.epoch, Ts(9), 0);
        let b = Identity::restored(&first.database_id, first.epoch, Ts(9), 0);
        assert!(a.epoch > first.epoch && b.epoch > first.epoch && a.epoch != b.epoch);
        let c = Identity::restored(&first.database_id, first.epoch, Ts(9), a.epoch);
        assert!(c.epoch > a.epoch, "a replaced store's epoch is passed");
    }
}
