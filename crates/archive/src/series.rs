//! Which backups belong together, and whether all of them are there. Pure rules over manifests that were read before.

use std::collections::BTreeSet;

use graphdb_types::{ObjectName, Ts};

use crate::{Backup, SealedManifest};

#[cfg(test)]
mod tests;

/// A full backup and the incrementals on it, oldest first, proved to follow one another without a gap.
#[derive(Clone, Debug)]
pub struct Series {
    backups: Vec<Backup>, // never empty
}

/// Why backups are not a series that could be restored or continued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeriesError {
    /// The location holds no backup.
    #[error("no backups found")]
    Empty,
    /// No backup has the id that was asked for.
    #[error("no backups with backup_id {asked} found, there are: {}", list(existing))]
    UnknownBackupId {
        /// What was asked for.
        asked: String,
        /// The ids that exist, sorted.
        existing: Vec<String>,
    },
    /// The series is shorter than what was asked for.
    #[error("backup_num {asked} was asked for, series {backup_id} has {last}")]
    TooShort {
        /// The series.
        backup_id: String,
        /// What was asked for.
        asked: u64,
        /// The greatest `backup_num` that exists.
        last: u64,
    },
    /// A backup of another series among them.
    #[error("backup {folder} belongs to series {found}, not {expected}")]
    Stranger {
        /// The series.
        expected: String,
        /// The stranger's.
        found: String,
        /// Where it is.
        folder: ObjectName,
    },
    /// A backup is gone, and those after it are worth nothing without it.
    #[error("backup {backup_num} of series {backup_id} is missing")]
    Missing {
        /// The series.
        backup_id: String,
        /// The first number that is missing.
        backup_num: u64,
    },
    /// Two backups claim one place.
    #[error("backup {backup_num} of series {backup_id} stands twice, in {first} and {second}")]
    Duplicate {
        /// The series.
        backup_id: String,
        /// The number.
        backup_num: u64,
        /// One of them.
        first: ObjectName,
        /// The other.
        second: ObjectName,
    },
    /// Written by Dgraph: such a series is read and never continued.
    #[error("the newest series, {backup_id}, was written by Dgraph, and graphdb does not continue it")]
    Foreign {
        /// The series.
        backup_id: String,
    },
    /// A backup does not follow the one before it.
    #[error("backup {backup_num} of series {backup_id} in {folder} does not continue the one before it: {what}")]
    Broken {
        /// The series.
        backup_id: String,
        /// The number of the later one.
        backup_num: u64,
        /// Where the later one is.
        folder: ObjectName,
        /// What does not fit.
        what: &'static str,
    },
}

/// Ids that an error shows.
const SHOWN_IDS: usize = 20;

fn list(ids: &[String]) -> String {
    let shown = ids[..ids.len().min(SHOWN_IDS)].join(", ");
    if ids.len() > SHOWN_IDS { format!("{shown} and {} more", ids.len() - SHOWN_IDS) } else { shown }
}

impl Series {
    /// The series' name.
    pub fn backup_id(&self) -> &str {
        &self.backups[0].backup_id
    }

    /// The backups, oldest first.
    pub fn backups(&self) -> &[Backup] {
        &self.backups
    }

    /// The newest backup: what a restore ends with and the next incremental continues.
    pub fn newest(&self) -> &Backup {
        self.backups.last().expect("a series has at least its full backup")
    }

    /// The instant that restoring the series gives.
    pub fn read_ts(&self) -> Ts {
        self.newest().read_ts
    }
}

/// Orders the backups of one series and proves that none is missing. Ours must each name the one before as its parent and be of one
/// database, one epoch and one key; Dgraph's say nothing by which that could be told, and their `read_ts` may go down.
pub fn link(backups: Vec<Backup>) -> Result<Series, SeriesError> {
    link_from(backups, 1)
}

fn link_from(mut backups: Vec<Backup>, first: u64) -> Result<Series, SeriesError> {
    backups.sort_by_key(|backup| backup.backup_num);
    let backup_id = backups.first().ok_or(SeriesError::Empty)?.backup_id.clone();
    for (i, backup) in backups.iter().enumerate() {
        if backup.backup_id != backup_id {
            let (found, folder) = (backup.backup_id.clone(), backup.folder.clone());
            return Err(SeriesError::Stranger { expected: backup_id, found, folder });
        }
        let parent = i.checked_sub(1).map(|before| &backups[before]);
        check_place(parent, backup, first + i as u64)?;
        if let Some(what) = parent.and_then(|parent| mismatch(parent, backup)) {
            let (backup_num, folder) = (backup.backup_num, backup.folder.clone());
            return Err(SeriesError::Broken { backup_id, backup_num, folder, what });
        }
    }
    Ok(Series { backups })
}

fn check_place(parent: Option<&Backup>, backup: &Backup, expected: u64) -> Result<(), SeriesError> {
    let (backup_id, backup_num) = (backup.backup_id.clone(), backup.backup_num);
    match parent {
        Some(twin) if twin.backup_num == backup_num => {
            let (first, second) = (twin.folder.clone(), backup.folder.clone());
            Err(SeriesError::Duplicate { backup_id, backup_num, first, second })
        }
        _ if backup_num != expected => Err(SeriesError::Missing { backup_id, backup_num: expected }),
        _ => Ok(()),
    }
}

fn mismatch(parent: &Backup, child: &Backup) -> Option<&'static str> {
    match (parent.sealed(), child.sealed()) {
        (Some(parent), Some(child)) => sealed_mismatch(parent, child),
        (None, None) => None,
        _ => Some("one was written by Dgraph and the other by graphdb"),
    }
}

fn sealed_mismatch(parent: &SealedManifest, child: &SealedManifest) -> Option<&'static str> {
    let (before, child) = (parent.manifest(), child.manifest());
    let rules = [
        (child.database_id == before.database_id, "it is of another database"),
        (child.epoch == before.epoch, "the database was restored in between, its epoch is another"),
        (child.is_encrypted() == before.is_encrypted(), "one is encrypted and the other is not"),
        (child.key_check == before.key_check, "they are encrypted with different keys"),
        (child.since == before.read_ts, "it does not start where that one ended"),
        (child.parent == Some(parent.digest()), "its parent is another manifest, or that one was changed"),
    ];
    rules.into_iter().find_map(|(holds, what)| (!holds).then_some(what))
}

/// The series to restore: the one with `backup_id`, or the newest, up to `backup_num` or to its end. "Newest" is the
/// series of the backup whose folder sorts last, as in Dgraph. Backups after `backup_num` need not be whole.
pub fn choose(backups: Vec<Backup>, backup_id: Option<&str>, backup_num: Option<u64>) -> Result<Series, SeriesError> {
    choose_from(backups, backup_id, backup_num, 1)
}

/// As [`choose`], without the backups before number `first`: what restores a part on purpose, on top of what is there or of nothing.
pub fn choose_from(
    backups: Vec<Backup>,
    backup_id: Option<&str>,
    backup_num: Option<u64>,
    first: u64,
) -> Result<Series, SeriesError> {
    let newest = backups.iter().max_by_key(|backup| &backup.folder).ok_or(SeriesError::Empty)?;
    let backup_id = backup_id.unwrap_or(&newest.backup_id).to_owned();
    let (mut chosen, others): (Vec<_>, Vec<_>) = backups.into_iter().partition(|b| b.backup_id == backup_id);
    let Some(last) = chosen.iter().map(|backup| backup.backup_num).max() else {
        return Err(SeriesError::UnknownBackupId { asked: backup_id, existing: ids(&others) });
    };
    if let Some(asked) = backup_num {
        if asked > last || asked == 0 {
            return Err(SeriesError::TooShort { backup_id, asked, last });
        }
        chosen.retain(|backup| backup.backup_num <= asked);
    }
    let last = backup_num.unwrap_or(last);
    if first > last {
        return Err(SeriesError::TooShort { backup_id, asked: first, last });
    }
    chosen.retain(|backup| backup.backup_num >= first);
    link_up_to(chosen, first.max(1), last)
}

/// Links, and knows that the last number must be there too.
fn link_up_to(backups: Vec<Backup>, first: u64, last: u64) -> Result<Series, SeriesError> {
    let series = link_from(backups, first)?;
    let found = series.newest().backup_num;
    if found < last {
        return Err(SeriesError::Missing { backup_id: series.backup_id().to_owned(), backup_num: found + 1 });
    }
    Ok(series)
}

/// The series that the next backup would continue: the newest, or `None` at an empty location. An error means that the
/// newest series cannot be continued; a full backup can always be taken.
pub fn latest(backups: Vec<Backup>) -> Result<Option<Series>, SeriesError> {
    if backups.is_empty() {
        return Ok(None);
    }
    let series = choose(backups, None, None)?;
    match series.newest().sealed() {
        Some(_) => Ok(Some(series)),
        None => Err(SeriesError::Foreign { backup_id: series.backup_id().to_owned() }),
    }
}

fn ids(backups: &[Backup]) -> Vec<String> {
    let ids: BTreeSet<_> = backups.iter().map(|backup| backup.backup_id.as_str()).collect();
    ids.into_iter().map(String::from).collect()
}
