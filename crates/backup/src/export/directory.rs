//! An export in a directory of this machine: written beside its place, and renamed when it is whole.

use std::fs::{self, DirBuilder, File};
use std::io::{self, BufWriter};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use super::file::Sink;
use crate::error::{Error, Result};
use crate::restore::sync_dir;

/// What the names of folders begin with while they are written.
const STAGING_PREFIX: &str = ".graphdb-export-";

/// A folder younger than this may belong to an export that has not locked it yet.
const UNLOCKED_FOR: Duration = Duration::from_secs(60);

/// A folder under a temporary name: its user's alone, since what was encrypted may be in it. Removed unless it was given its name.
pub(super) struct Staging {
    dir: PathBuf,
    target: PathBuf,
    /// Says to others that somebody is at work, where the file system has locks.
    _lock: File,
    is_published: bool,
}

impl Staging {
    /// Begins the folder `name` in `parent`, which is made if it is not there. Blocks.
    ///
    /// # Errors
    /// A folder of that name that exists, beside what the file system says.
    pub(super) fn create(parent: &Path, name: &str) -> Result<Staging> {
        let target = parent.join(name);
        check_free(&target)?;
        make_parent(parent)?;
        sweep(parent);
        let dir = parent.join(format!("{STAGING_PREFIX}{}-{:016x}", std::process::id(), rand::random::<u64>()));
        DirBuilder::new().mode(0o700).create(&dir).map_err(Error::io("create", &dir))?;
        let lock = File::open(&dir).map_err(Error::io("open", &dir))?;
        if let Err(err) = flock(&lock, FlockOperation::LockShared) {
            tracing::debug!(%err, dir = %dir.display(), "the file system has no locks for directories");
        }
        Ok(Staging { dir, target, _lock: lock, is_published: false })
    }

    /// Begins a file in the folder. Blocks.
    pub(super) fn file(&self, name: &str) -> Result<Sink> {
        let path = self.dir.join(name);
        let file = File::create_new(&path).map_err(Error::io("create", &path))?;
        Ok(Sink::Disk(BufWriter::new(file)))
    }

    /// Gives the folder its name, durably. Its files must be durable. Blocks.
    pub(super) fn publish(mut self) -> Result<()> {
        sync_dir(&self.dir)?;
        check_free(&self.target)?;
        // Another folder with something in it would make this fail: nothing is ever replaced.
        fs::rename(&self.dir, &self.target).map_err(Error::io("put the export at", &self.target))?;
        self.is_published = true;
        sync_dir(parent_of(&self.target))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.is_published {
            return;
        }
        if let Err(err) = fs::remove_dir_all(&self.dir) {
            tracing::warn!(%err, dir = %self.dir.display(), "what an export wrote could not be removed; remove it by hand");
        }
    }
}

fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn check_free(target: &Path) -> Result<()> {
    match fs::symlink_metadata(target) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(err) => Err(Error::io("look for", target)(err)),
        Ok(_) => Err(Error::ExportExists { location: target.display().to_string() }),
    }
}

fn make_parent(parent: &Path) -> Result<()> {
    if parent.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    sync_dir(parent_of(parent))
}

/// Removes what exports left that were killed: their folders are not locked any more. Never fails an export.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(STAGING_PREFIX));
        if is_ours && is_left(&entry.path()) {
            tracing::info!(dir = %entry.path().display(), "removing what an interrupted export left");
            _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_left(dir: &Path) -> bool {
    let Ok(metadata) = fs::symlink_metadata(dir) else { return false };
    let age = metadata.modified().ok().and_then(|at| at.elapsed().ok());
    let is_mine = metadata.is_dir() && metadata.uid() == rustix::process::geteuid().as_raw();
    is_mine
        && age.is_some_and(|age| age > UNLOCKED_FOR)
        && File::open(dir).is_ok_and(|dir| flock(&dir, FlockOperation::NonBlockingLockExclusive).is_ok())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::time::SystemTime;

    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_folder_has_its_name_when_it_is_published_and_not_before() {
        let parent = tempfile::tempdir().unwrap();
        let place = parent.path().join("new").join("deep");
        let staging = Staging::create(&place, "dgraph.r1").unwrap();
        drop(staging.file("g01.rdf.gz").unwrap());
        assert!(!place.join("dgraph.r1").exists());
        assert_eq!(fs::metadata(&staging.dir).unwrap().mode() & 0o777, 0o700);
        staging.publish().unwrap();
        assert_eq!(names(&place), ["dgraph.r1"]);
        assert_eq!(names(&place.join("dgraph.r1")), ["g01.rdf.gz"]);
    }

    #[test]
    fn a_folder_that_is_given_up_leaves_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let staging = Staging::create(parent.path(), "dgraph.r1").unwrap();
        drop(staging.file("g01.rdf.gz").unwrap());
        drop(staging);
        assert!(names(parent.path()).is_empty());
    }

    #[test]
    fn what_has_the_name_already_stays() {
        let parent = tempfile::tempdir().unwrap();
        let late = Staging::create(parent.path(), "dgraph.r1").unwrap();
        fs::write(parent.path().join("dgraph.r1"), "else").unwrap();
        let refused = Staging::create(parent.path(), "dgraph.r1").map(drop);
        assert!(matches!(refused, Err(Error::ExportExists { .. })), "{refused:?}");
        assert!(matches!(late.publish(), Err(Error::ExportExists { .. })));
        assert_eq!(names(parent.path()), ["dgraph.r1"]);
        assert_eq!(fs::read(parent.path().join("dgraph.r1")).unwrap(), b"else");
    }

    #[test]
    fn what_a_killed_export_left_is_removed_and_what_is_at_work_stays() {
        let parent = tempfile::tempdir().unwrap();
        let at_work = Staging::create(parent.path(), "dgraph.r1").unwrap();
        let (left, young) = (format!("{STAGING_PREFIX}1-0"), format!("{STAGING_PREFIX}1-1"));
        for name in [&left, &young] {
            fs::create_dir(parent.path().join(name)).unwrap();
        }
        let old = SystemTime::now() - 2 * UNLOCKED_FOR;
        for dir in [parent.path().join(&left), at_work.dir.clone()] {
            File::open(dir).unwrap().set_modified(old).unwrap();
        }
        let next = Staging::create(parent.path(), "dgraph.r2").unwrap();
        assert!(!parent.path().join(&left).exists());
        assert!(parent.path().join(&young).exists() && at_work.dir.exists() && next.dir.exists());
    }
}
