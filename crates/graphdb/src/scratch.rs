//! A private directory for key-values that are sorted, and what makes sure that it goes: they may have been encrypted where they came from.

use std::fs::{self, DirBuilder, File};
use std::future::Future;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use graphdb_backup::Progress;
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::misuse;

/// What the names of the directories begin with.
const PREFIX: &str = "graphdb-sorting-";

/// A directory younger than this may belong to a process that has not locked it yet.
const UNLOCKED_FOR: Duration = Duration::from_secs(60);

/// The exit code of a process that a second signal ended.
const INTERRUPTED: i32 = 130;

/// Where commands that read whole backups put files.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ScratchFlags {
    /// Directory for files in which key-values are sorted; they take as much room as the backup uncompressed, and are
    /// removed at the end [default: TMPDIR or /tmp]
    #[arg(long, value_name = "DIR", env = "GRAPHDB_TMP_DIR")]
    tmp_dir: Option<PathBuf>,
}

impl ScratchFlags {
    /// Makes a directory of this process's alone.
    ///
    /// # Errors
    /// Misuse: a directory that is not there. And what the file system says.
    pub(crate) fn create(&self) -> anyhow::Result<Scratch> {
        let named = self.tmp_dir.clone().filter(|dir| !dir.as_os_str().is_empty());
        let parent = named.unwrap_or_else(std::env::temp_dir);
        if !parent.is_dir() {
            return Err(misuse(format!(
                "{} is no directory; name one for temporary files with --tmp-dir",
                parent.display()
            )));
        }
        Scratch::create(&parent)
    }
}

/// A directory for temporary files: 0700, locked as long as it is used, and removed with everything in it.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    _lock: File,
}

impl Scratch {
    fn create(parent: &Path) -> anyhow::Result<Scratch> {
        sweep(parent);
        let path = parent.join(format!("{PREFIX}{}-{:016x}", std::process::id(), rand::random::<u64>()));
        let context = || format!("make a directory for temporary files in {}", parent.display());
        DirBuilder::new().mode(0o700).create(&path).with_context(context)?;
        let lock = open(&path).and_then(|dir| Ok(flock(&dir, FlockOperation::LockShared).map(|()| dir)?));
        match lock {
            Ok(lock) => Ok(Scratch { path, _lock: lock }),
            Err(error) => {
                _ = fs::remove_dir(&path);
                Err(anyhow!(error)).with_context(context)
            }
        }
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(%error, dir = %self.path.display(), "temporary files could not be removed; remove them by hand");
        }
    }
}

fn open(dir: &Path) -> std::io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::open(dir, flags, Mode::empty())?.into())
}

/// Removes what processes of this user left that were killed: their directories are not locked any more.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX)) && is_left(&entry.path()) {
            tracing::info!(dir = %entry.path().display(), "removing what an interrupted command left");
            _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_left(dir: &Path) -> bool {
    let Ok(dir) = open(dir) else { return false };
    let Ok(metadata) = dir.metadata() else { return false };
    let age = metadata.modified().ok().and_then(|at| at.elapsed().ok());
    metadata.uid() == rustix::process::geteuid().as_raw()
        && age.is_some_and(|age| age > UNLOCKED_FOR)
        && flock(&dir, FlockOperation::NonBlockingLockExclusive).is_ok()
}

/// Runs `work` to its end. Ctrl-C, SIGTERM or SIGHUP asks `progress` to stop it, so that it ends with an error and what it wrote is removed;
/// a second signal ends the process at once.
///
/// # Errors
/// Those of `work`, and signals that cannot be watched.
pub(crate) async fn stoppable<T>(
    progress: &Progress,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let progress = progress.clone();
    let mut signals = Vec::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        signals.push(signal(kind).context("watch for signals")?);
    }
    let watcher = tokio::spawn(async move {
        let [interrupt, terminate, hangup] = signals.as_mut_slice() else { return };
        for seen in 0.. {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            progress.cancel();
            if seen > 0 {
                std::process::exit(INTERRUPTED);
            }
        }
    });
    let done = work.await;
    watcher.abort();
    done
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::time::SystemTime;

    use super::*;

    fn flags(dir: &Path) -> ScratchFlags {
        ScratchFlags { tmp_dir: Some(dir.to_owned()) }
    }

    #[test]
    fn a_directory_is_its_users_alone_and_goes_with_what_is_in_it() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = flags(parent.path()).create().unwrap();
        assert_eq!(fs::metadata(scratch.path()).unwrap().mode() & 0o777, 0o700);
        fs::write(scratch.path().join("run"), "secret").unwrap();
        drop(scratch);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_command_left_is_removed_and_what_is_used_stays() {
        let parent = tempfile::tempdir().unwrap();
        let old = SystemTime::now() - 2 * UNLOCKED_FOR;
        let used = flags(parent.path()).create().unwrap();
        let left = parent.path().join(format!("{PREFIX}1-0"));
        let young = parent.path().join(format!("{PREFIX}1-1"));
        let strange = parent.path().join("else");
        for dir in [&left, &young, &strange] {
            fs::create_dir(dir).unwrap();
        }
        for dir in [used.path(), &left, &strange] {
            open(dir).unwrap().set_modified(old).unwrap();
        }
        let next = flags(parent.path()).create().unwrap();
        assert!(!left.exists());
        for dir in [used.path(), &young, &strange, next.path()] {
            assert!(dir.is_dir(), "{}", dir.display());
        }
    }

    #[test]
    fn a_parent_that_is_not_there_is_misuse() {
        let error = flags(Path::new("/no/such/directory")).create().unwrap_err();
        assert!(error.is::<crate::failure::Misuse>() && error.to_string().contains("--tmp-dir"), "{error}");
    }
}
