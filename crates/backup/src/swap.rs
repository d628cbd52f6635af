//! Putting a restored store in the place of the running one, in one step that a crash cannot split.
//!
//! Beside the postings directory `p` there are `p.restore-<id>` (being built), `p.replaced-<id>` (the store a restore replaced) and
//! `p.jobs` (records). The swap exchanges `p` and `p.restore-<id>`; whoever opens the node afterwards tells by the epoch in `p` whether
//! it happened.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::error::{Error, Result};
use crate::jobs::{JobKind, JobRecord, JobStatus, Jobs, unix_now};
use crate::restore::sync_dir;

/// `p` with something behind its name.
pub(crate) fn beside(postings: &Path, suffix: &str) -> PathBuf {
    let mut name = postings.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    postings.with_file_name(name)
}

pub(crate) fn jobs_dir(postings: &Path) -> PathBuf {
    beside(postings, ".jobs")
}

pub(crate) fn staging_dir(postings: &Path, id: u64) -> PathBuf {
    beside(postings, &format!(".restore-{id}"))
}

pub(crate) fn replaced_dir(postings: &Path, id: u64) -> PathBuf {
    beside(postings, &format!(".replaced-{id}"))
}

pub(crate) fn rolled_back_dir(postings: &Path, id: u64) -> PathBuf {
    beside(postings, &format!(".rolled-back-{id}"))
}

/// Exchanges two directories; what stood in `place` is then at `aside`. On failure both are where they were. On file systems that cannot
/// exchange, the one in `place` steps aside first; [`settle`] finishes that after a crash.
pub(crate) fn exchange(new: &Path, place: &Path, aside: &Path) -> Result<()> {
    if exists(aside)? {
        return Err(Error::TargetNotEmpty { path: aside.to_owned() });
    }
    match renameat_with(CWD, new, CWD, place, RenameFlags::EXCHANGE) {
        Ok(()) => fs::rename(new, aside).or_else(|err| {
            renameat_with(CWD, new, CWD, place, RenameFlags::EXCHANGE)?;
            Err(err)
        }),
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::OPNOTSUPP) => {
            fs::rename(place, aside).and_then(|()| {
                fs::rename(new, place).or_else(|err| {
                    fs::rename(aside, place)?;
                    Err(err)
                })
            })
        }
        Err(errno) => Err(errno.into()),
    }
    .map_err(Error::io("exchange the store at", place))?;
    sync_dir(parent(place))
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Locks the node that lives in `postings` against other processes, until the file is closed. The store's own lock does not do: the
/// store is closed, and another directory, while it is exchanged.
pub(crate) fn lock(postings: &Path) -> Result<File> {
    let dir = jobs_dir(postings);
    fs::create_dir_all(&dir).map_err(Error::io("create", &dir))?;
    Ok(graphdb_storage::lock_file(&dir.join("lock"), postings)?)
}

/// Finishes or undoes restores that the end of the process interrupted. To be called before the store is opened, with a way to learn the
/// epoch of a closed store. Gives the stores that were replaced: what they handed out must not be handed out again.
pub(crate) fn settle(postings: &Path, jobs: &Jobs, epoch_of: impl Fn(&Path) -> Result<u64>) -> Result<Vec<PathBuf>> {
    let mut stores = Vec::new();
    for record in jobs.all() {
        // What a rollback put aside and could not remove any more.
        if record.kind == JobKind::Restore {
            remove(&rolled_back_dir(postings, record.id))?;
        }
    }
    for mut record in jobs.all() {
        if record.kind != JobKind::Restore || record.status != JobStatus::Running {
            continue;
        }
        let (staging, replaced) = (staging_dir(postings, record.id), replaced_dir(postings, record.id));
        if !exists(postings)? && exists(&replaced)? {
            // Between the two renames of a file system that cannot exchange.
            let back = if exists(&staging)? { &staging } else { &replaced };
            fs::rename(back, postings).map_err(Error::io("put the store at", postings))?;
            sync_dir(parent(postings))?;
        }
        // A store that cannot be opened now may be the restored one, and then the old one must not be removed.
        let swapped = record.epoch.is_some() && exists(postings)? && Some(epoch_of(postings)?) == record.epoch;
        if swapped {
            if exists(&staging)? {
                fs::rename(&staging, &replaced).map_err(Error::io("keep the replaced store as", &replaced))?;
            }
            record.status = JobStatus::Success;
            record.percent = 100.0;
            record.replaced = exists(&replaced)?.then_some(replaced);
            stores.extend(record.replaced.clone());
        } else {
            remove(&staging)?;
            record.status = JobStatus::Failed;
            record.errors.push("the node ended while the restore ran; the database is as it was before".into());
        }
        jobs.put(record)?;
    }
    Ok(stores)
}

/// Removes replaced stores that are older than `keep_seconds`.
pub(crate) fn prune_replaced(jobs: &Jobs, keep_seconds: i64) -> Result<()> {
    for mut record in jobs.all() {
        let due = record.status != JobStatus::Running && unix_now() - record.updated_at >= keep_seconds;
        if let Some(dir) = record.replaced.take().filter(|_| due) {
            tracing::info!(dir = %dir.display(), restore = record.id, "removing the store that a restore replaced");
            remove(&dir)?;
            jobs.put(record)?;
        }
    }
    jobs.forget_old();
    Ok(())
}

/// The store a restore replaced, if it can still be put back.
pub(crate) fn rollback_source(record: &JobRecord) -> Result<PathBuf> {
    let refuse = |why: &str| Error::NoRollback { id: record.id, why: why.into() };
    if record.status != JobStatus::Success {
        return Err(refuse("it did not succeed"));
    }
    let dir = record.replaced.clone().ok_or_else(|| refuse("the store it replaced is not kept any more"))?;
    if exists(&dir)? { Ok(dir) } else { Err(refuse("the store it replaced was removed")) }
}

fn exists(path: &Path) -> Result<bool> {
    path.try_exists().map_err(Error::io("look for", path))
}

pub(crate) fn remove(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(err) if err.kind() != ErrorKind::NotFound => Err(Error::io("remove", dir)(err)),
        _ => Ok(()),
    }
}
