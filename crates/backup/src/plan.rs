use std::collections::BTreeMap;
use std::fmt;

use graphdb_archive::{BackupFolder, Compat, KeyCheck, SealedManifest, Sha256Digest, Tagged};
use graphdb_destination::LocationRequest;
use graphdb_storage::Identity;
use graphdb_types::{Predicate, Ts};
use time::{Duration, OffsetDateTime};

use crate::error::{Error, Result};

/// What the caller of a backup decides.
#[derive(Clone, Debug)]
pub struct BackupRequest {
    /// Where to.
    pub destination: LocationRequest,
    /// Which kind of backup.
    pub terms: BackupTerms,
}

/// What the caller of a backup decides beside the place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackupTerms {
    /// Begins a new series instead of continuing the newest.
    pub force_full: bool,
    /// For which Dgraph it is written. A series stays what it is: without this it goes on so, and a new one is for v20.11 and newer.
    pub compat: Option<Compat>,
}

/// Which backup will be taken. Made without reading or writing anything; printing it is a dry run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupPlan {
    /// The series: a new one, or the newest at the location.
    pub backup_id: String,
    /// The place in the series, from 1.
    pub backup_num: u64,
    /// The exclusive start; zero for a full backup.
    pub since: Ts,
    /// The manifest this one continues.
    pub parent: Option<Sha256Digest>,
    /// Where the objects go.
    pub folder: BackupFolder,
    /// For which Dgraph it is written.
    pub compat: Compat,
    /// Which values carried languages when the backup before was taken; nothing in a full one. `None` if nobody noted it.
    pub(crate) tagged: Option<BTreeMap<Predicate, Tagged>>,
}

/// The newest backup of a series: what the next one must know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeriesEnd {
    pub(crate) backup_id: String,
    pub(crate) backup_num: u64,
    pub(crate) read_ts: Ts,
    /// Of its manifest: the next backup names it as its parent.
    pub(crate) digest: Sha256Digest,
    pub(crate) folder: BackupFolder,
    pub(crate) database_id: String,
    pub(crate) epoch: u64,
    pub(crate) key_check: Option<KeyCheck>,
    pub(crate) compat: Compat,
    pub(crate) tagged: Option<BTreeMap<Predicate, Tagged>>,
}

impl From<&SealedManifest> for SeriesEnd {
    fn from(sealed: &SealedManifest) -> SeriesEnd {
        let manifest = sealed.manifest();
        SeriesEnd {
            backup_id: manifest.backup_id.clone(),
            backup_num: manifest.backup_num,
            read_ts: manifest.read_ts,
            digest: sealed.digest(),
            folder: sealed.folder().clone(),
            database_id: manifest.database_id.clone(),
            epoch: manifest.epoch,
            key_check: manifest.key_check,
            compat: manifest.dialect.compat,
            tagged: manifest.dialect.tagged.clone(),
        }
    }
}

/// What a plan is made from, beside the series: all of it comes from outside, so that the plan is a pure function.
#[derive(Clone, Debug)]
pub(crate) struct Circumstances<'a> {
    pub(crate) location: &'a str,
    pub(crate) identity: &'a Identity,
    pub(crate) key_check: Option<KeyCheck>,
    /// What was asked for.
    pub(crate) compat: Option<Compat>,
    pub(crate) newest_folder: Option<&'a BackupFolder>,
    pub(crate) now: OffsetDateTime,
    /// A name for a new series that the location has not.
    pub(crate) fresh_id: String,
}

impl BackupPlan {
    /// Continues `latest`, or begins a new series if there is none.
    ///
    /// # Errors
    /// [`Error::NotContinued`] if the series is of another database or life, for another Dgraph, or encrypted otherwise.
    pub(crate) fn new(latest: Option<&SeriesEnd>, at: &Circumstances<'_>) -> Result<BackupPlan> {
        let folder = folder_after(at.newest_folder, at.now);
        let Some(latest) = latest else {
            return Ok(BackupPlan {
                backup_id: at.fresh_id.clone(),
                backup_num: 1,
                since: Ts::ZERO,
                parent: None,
                folder,
                compat: at.compat.unwrap_or_default(),
                tagged: Some(BTreeMap::new()),
            });
        };
        if let Some(why) = latest.mismatch(at.identity, at.key_check, at.compat) {
            let (location, backup_id) = (at.location.to_owned(), latest.backup_id.clone());
            return Err(Error::NotContinued { location, backup_id, why });
        }
        Ok(BackupPlan {
            backup_id: latest.backup_id.clone(),
            backup_num: latest.backup_num + 1,
            since: latest.read_ts,
            parent: Some(latest.digest),
            folder,
            compat: latest.compat,
            tagged: latest.tagged.clone(),
        })
    }

    /// Whether it begins a series.
    pub fn is_full(&self) -> bool {
        self.backup_num == 1
    }
}

impl SeriesEnd {
    /// Why a backup of this database, made with this key and for this Dgraph, cannot continue the series.
    pub(crate) fn mismatch(
        &self,
        identity: &Identity,
        key_check: Option<KeyCheck>,
        compat: Option<Compat>,
    ) -> Option<String> {
        if self.database_id != identity.database_id {
            return Some("it is of another database".into());
        }
        if self.epoch != identity.epoch {
            return Some("this database was restored since, or the series was continued by another copy of it".into());
        }
        if let Some(compat) = compat.filter(|compat| *compat != self.compat) {
            return Some(format!("it is written for Dgraph v{} and newer, not for v{compat}", self.compat));
        }
        match (self.key_check, key_check) {
            (Some(_), None) => Some("it is encrypted, and this node has no encryption key".into()),
            (None, Some(_)) => Some("it is not encrypted, and this node has an encryption key".into()),
            (theirs, ours) if theirs != ours => Some("it is encrypted with another key".into()),
            _ => None,
        }
    }
}

/// Named after the time, but never before what is there: the order of names is the order of backups, whatever the clock does.
fn folder_after(newest: Option<&BackupFolder>, now: OffsetDateTime) -> BackupFolder {
    let folder = BackupFolder::new(now);
    match newest {
        Some(newest) if folder <= *newest => BackupFolder::new(newest.started_at() + Duration::milliseconds(1)),
        _ => folder,
    }
}

impl fmt::Display for BackupPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BackupPlan { backup_id, backup_num, since, folder, compat, .. } = self;
        if self.is_full() {
            write!(f, "full backup, series {backup_id}, for Dgraph v{compat} and newer, in {folder}")
        } else {
            write!(f, "incremental backup {backup_num} of series {backup_id} since {since}, in {folder}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_clock_that_went_back_does_not_change_the_order_of_folders() {
        let now = datetime!(2026-01-04 22:47:57.709 UTC);
        let newest = BackupFolder::new(datetime!(2030-01-01 00:00 UTC));
        assert!(folder_after(Some(&newest), now) > newest);
        assert_eq!(folder_after(None, now), BackupFolder::new(now));
    }
}
