//! Which series is looked at, and whether its backups follow one another. Unlike a restore, this goes on where a chain is broken.

use std::collections::{BTreeMap, BTreeSet};

use graphdb_archive::{Backup, EncryptionKey, ManifestError, SeriesError, choose_from};
use graphdb_types::DropOp;

use super::VerifyRequest;
use super::report::{Finding, Kind, Level, Scope};
use crate::error::{Error, Result};

/// Which series of a location are looked at.
#[derive(Clone, Debug)]
pub enum WhichSeries {
    /// Every one.
    All,
    /// One, or a part of it.
    One {
        /// The series; the newest if not given.
        backup_id: Option<String>,
        /// Up to which backup; to its end if not given.
        backup_num: Option<u64>,
        /// From which backup on, on purpose without those before it. 0 and 1 are the beginning.
        incremental_from: u64,
    },
}

impl Default for WhichSeries {
    fn default() -> WhichSeries {
        WhichSeries::One { backup_id: None, backup_num: None, incremental_from: 0 }
    }
}

/// A series whose chain may have gaps.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    pub(super) backup_id: String,
    /// In the order of their numbers; not empty.
    pub(super) backups: Vec<Backup>,
    /// The number it should begin with.
    pub(super) first: u64,
}

/// The series that are wanted, oldest first.
///
/// # Errors
/// What is asked for by name and not there, unless a manifest that cannot be read may be the one.
pub(super) fn choose(
    location: &str,
    backups: Vec<Backup>,
    which: &WhichSeries,
    may_be_unreadable: bool,
) -> Result<Vec<Chain>> {
    let newest = backups.iter().max_by_key(|backup| &backup.folder).map(|backup| backup.backup_id.clone());
    let mut series: BTreeMap<String, Vec<Backup>> = BTreeMap::new();
    for backup in backups {
        series.entry(backup.backup_id.clone()).or_default().push(backup);
    }
    let refused = |source| Error::Series { location: location.to_owned(), source, advice: "" };
    let Some(newest) = newest else {
        return if may_be_unreadable { Ok(Vec::new()) } else { Err(refused(SeriesError::Empty)) };
    };
    let WhichSeries::One { backup_id, backup_num, incremental_from } = which else {
        let mut chains: Vec<Chain> = series.into_iter().map(|(id, backups)| Chain::new(id, backups, 1)).collect();
        chains.sort_by(|a, b| a.backups[0].folder.cmp(&b.backups[0].folder));
        return Ok(chains);
    };
    let asked = backup_id.clone().unwrap_or(newest);
    let first = (*incremental_from).max(1);
    let Some(mut chosen) = series.remove(&asked) else {
        let existing = series.into_keys().collect();
        return Err(refused(SeriesError::UnknownBackupId { asked, existing }));
    };
    let last = chosen.iter().map(|backup| backup.backup_num).max().unwrap_or(0);
    let up_to = backup_num.unwrap_or(last);
    if !may_be_unreadable && (up_to > last || up_to == 0 || first > up_to) {
        let number = if first > up_to { first } else { up_to };
        return Err(refused(SeriesError::TooShort { backup_id: asked, asked: number, last }));
    }
    chosen.retain(|backup| (first..=up_to).contains(&backup.backup_num));
    if chosen.is_empty() { Ok(Vec::new()) } else { Ok(vec![Chain::new(asked, chosen, first)]) }
}

impl Chain {
    fn new(backup_id: String, mut backups: Vec<Backup>, first: u64) -> Chain {
        backups.sort_by(|a, b| (a.backup_num, &a.folder).cmp(&(b.backup_num, &b.folder)));
        Chain { backup_id, backups, first }
    }

    pub(super) fn newest(&self) -> &Backup {
        self.backups.last().expect("a chain is not empty")
    }

    pub(super) fn scope(&self) -> Scope {
        Scope { backup_id: Some(self.backup_id.clone()), ..Scope::default() }
    }

    /// The drops that took predicates away, in backups up to this one; what drops data alone leaves them defined.
    pub(super) fn dropped_up_to(&self, backup: &Backup) -> Vec<DropOp> {
        let older = self.backups.iter().filter(|other| other.backup_num <= backup.backup_num);
        let drops = older.flat_map(|other| &other.drop_operations);
        drops.filter(|drop| !matches!(drop, DropOp::Data | DropOp::NamespaceData(_))).cloned().collect()
    }

    /// Where the chain is broken.
    pub(super) fn breaks(&self) -> Vec<Finding> {
        let mut breaks = Vec::new();
        let mut expected = self.first;
        for (at, backup) in self.backups.iter().enumerate() {
            for missing in expected..backup.backup_num {
                let scope = Scope { backup_num: Some(missing), ..self.scope() };
                let what = "it is missing, and what follows it is worth nothing without it";
                breaks.push(scope.error(Kind::Chain, what));
            }
            expected = backup.backup_num + 1;
            let parent = at.checked_sub(1).map(|before| &self.backups[before]);
            breaks.extend(parent.and_then(|parent| self.mismatch(parent, backup)));
        }
        breaks
    }

    /// Why a backup is not the one that follows `parent`, if both are there.
    fn mismatch(&self, parent: &Backup, child: &Backup) -> Option<Finding> {
        if child.backup_num > parent.backup_num + 1 {
            return None;
        }
        let pair = vec![parent.clone(), child.clone()];
        let linked = choose_from(pair, Some(&self.backup_id), Some(child.backup_num), parent.backup_num);
        let err = linked.err()?;
        Some(scope_of(child).error(Kind::Chain, err.to_string()))
    }

    /// That every group that is wanted is in some backup.
    ///
    /// # Errors
    /// The first that is not.
    pub(super) fn check_groups(&self, request: &VerifyRequest) -> Result<()> {
        let known: BTreeSet<_> = self.backups.iter().flat_map(|backup| backup.groups.keys()).collect();
        match request.groups.iter().flatten().find(|group| !known.contains(group)) {
            Some(group) => {
                Err(Error::NotInBackup { what: format!("group {group}"), backup_id: self.backup_id.clone() })
            }
            None => Ok(()),
        }
    }
}

/// The place of a backup.
pub(super) fn scope_of(backup: &Backup) -> Scope {
    Scope {
        backup_id: Some(backup.backup_id.clone()),
        backup_num: Some(backup.backup_num),
        group: None,
        object: Some(backup.folder.clone()),
    }
}

/// Whether the archives of a backup can be read with `key`, and its manifest is one that the key's owner wrote.
pub(super) fn unlock(backup: &Backup, key: Option<&EncryptionKey>, level: Level) -> Option<Finding> {
    let key = key.filter(|_| backup.is_encrypted);
    let err = backup.unlock(key).err()?;
    let kind = match err {
        ManifestError::KeyMissing { .. } if level == Level::Quick => return None,
        ManifestError::KeyMissing { .. } | ManifestError::WrongKey { .. } => Kind::KeyNeeded,
        _ => Kind::Manifest,
    };
    Some(scope_of(backup).error(kind, err.to_string()))
}
