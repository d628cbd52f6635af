//! What a node remembers of the locations it writes to, so that it can continue a series where it may write but not read.
//!
//! One small file for each location, beside the records of jobs. It holds no secrets. A file that is missing or damaged only costs what it
//! knew: the next backup that cannot look is a full one, and must be told so if the location has locks already.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use graphdb_archive::{BackupFolder, Compat, KeyCheck, Sha256Digest};
use graphdb_types::Ts;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::jobs::{unix_now, write_durably};
use crate::plan::SeriesEnd;

/// Locations that are remembered. A node has a few; a job that puts the date into the location makes one a day.
const MAX_LOCATIONS: usize = 256;

/// The memory of a node.
#[derive(Debug)]
pub struct SeriesMemory {
    dir: PathBuf,
}

impl SeriesMemory {
    /// Keeps the memory in `dir`, which is created.
    pub fn open(dir: &Path) -> Result<SeriesMemory> {
        fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
        Ok(SeriesMemory { dir: dir.to_owned() })
    }

    /// What is remembered of a location, named by its canonical text.
    pub(crate) fn of(&self, location: &str) -> Result<Recollection> {
        let digest = Sha256Digest::of(location.as_bytes()).to_string();
        let path = self.dir.join(&digest[..32]).with_extension("memory");
        let known = match fs::read(&path) {
            Ok(bytes) => Known::parse(&bytes, location).unwrap_or_else(|| {
                tracing::warn!(
                    path = %path.display(),
                    location,
                    "what this node remembered of a location is damaged and is not used"
                );
                Known::nothing_of(location)
            }),
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => Known::nothing_of(location),
            Err(err) => return Err(Error::io("read", &path)(err)),
        };
        Ok(Recollection { path, known })
    }
}

/// Forgets the locations that were not written to for longest, so that one more has room.
fn make_room(dir: &Path) -> Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(Error::io("list", dir))? {
        let path = entry.map_err(Error::io("list", dir))?.path();
        let written_at = fs::metadata(&path).and_then(|meta| meta.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        files.push((written_at, path));
    }
    files.sort_unstable();
    for (_, path) in files.iter().take((files.len() + 1).saturating_sub(MAX_LOCATIONS)) {
        tracing::info!(path = %path.display(), MAX_LOCATIONS, "too many locations: the oldest is forgotten");
        fs::remove_file(path).map_err(Error::io("remove", path))?;
    }
    Ok(())
}

/// What is remembered of one location. Every change is durable before the call returns.
#[derive(Debug)]
pub(crate) struct Recollection {
    path: PathBuf,
    known: Known,
}

/// As it is stored: the SHA-256 of the JSON in hex, a line feed, the JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    location: String,
    lock: LockNumber,
    /// The newest backup that is known to be committed.
    newest: Option<StoredEnd>,
    /// The backup whose manifest was about to be written.
    committing: Option<StoredEnd>,
    updated_at: i64,
}

/// How far this node has come in the row of locks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LockNumber {
    pub(crate) number: u64,
    /// Whether nobody knows if the lock of this number was created: no answer came.
    pub(crate) unsure: bool,
}

impl Known {
    fn nothing_of(location: &str) -> Known {
        let (location, updated_at) = (location.to_owned(), unix_now());
        Known { location, lock: LockNumber::default(), newest: None, committing: None, updated_at }
    }

    fn parse(bytes: &[u8], location: &str) -> Option<Known> {
        let (digest, json) = bytes.split_at_checked(64)?;
        let json = json.strip_prefix(b"\n")?;
        let whole = Sha256Digest::of(json).to_string().as_bytes() == digest;
        let known: Known = serde_json::from_slice(json).ok().filter(|_| whole)?;
        let readable = [&known.newest, &known.committing].into_iter().flatten().all(|end| end.read().is_some());
        (readable && known.location == location).then_some(known)
    }
}

impl Recollection {
    pub(crate) fn lock(&self) -> LockNumber {
        self.known.lock
    }

    /// The newest backup that is known to be committed.
    pub(crate) fn newest(&self) -> Option<SeriesEnd> {
        self.known.newest.as_ref().and_then(StoredEnd::read)
    }

    /// The backup whose manifest was about to be written when this node was last heard of.
    pub(crate) fn committing(&self) -> Option<SeriesEnd> {
        self.known.committing.as_ref().and_then(StoredEnd::read)
    }

    /// Notes a number in the row of locks.
    pub(crate) fn set_lock(&mut self, lock: LockNumber) -> Result<()> {
        self.update(|known| known.lock = lock)
    }

    /// Notes what was seen at the location, or what is now known of it. What was about to be committed is settled by it.
    pub(crate) fn learn(&mut self, newest: Option<&SeriesEnd>) -> Result<()> {
        self.update(|known| (known.newest, known.committing) = (newest.map(StoredEnd::of), None))
    }

    /// Notes that the manifest of `next` is about to be written.
    pub(crate) fn intend(&mut self, next: &SeriesEnd) -> Result<()> {
        self.update(|known| known.committing = Some(StoredEnd::of(next)))
    }

    /// Notes that the manifest that was about to be written is not there and will not be.
    pub(crate) fn give_up(&mut self) -> Result<()> {
        self.update(|known| known.committing = None)
    }

    fn update(&mut self, change: impl FnOnce(&mut Known)) -> Result<()> {
        let mut changed = self.known.clone();
        change(&mut changed);
        if changed == self.known {
            return Ok(());
        }
        changed.updated_at = unix_now();
        if !self.path.exists() {
            make_room(self.path.parent().unwrap_or(Path::new(".")))?;
        }
        let json = serde_json::to_vec(&changed).expect("a memory is plain data");
        let stored = [Sha256Digest::of(&json).to_string().as_bytes(), b"\n", &json].concat();
        write_durably(&self.path, &stored)?;
        self.known = changed;
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct StoredEnd {
    backup_id: String,
    backup_num: u64,
    read_ts: u64,
    digest: String,
    folder: String,
    database_id: String,
    epoch: u64,
    key_check: Option<String>,
    /// By name; absent for the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    compat: Option<String>,
}

impl StoredEnd {
    fn of(end: &SeriesEnd) -> StoredEnd {
        StoredEnd {
            backup_id: end.backup_id.clone(),
            backup_num: end.backup_num,
            read_ts: end.read_ts.0,
            digest: end.digest.to_string(),
            folder: end.folder.to_string(),
            database_id: end.database_id.clone(),
            epoch: end.epoch,
            key_check: end.key_check.map(|check| check.to_string()),
            compat: (end.compat != Compat::default()).then(|| end.compat.to_string()),
        }
    }

    fn read(&self) -> Option<SeriesEnd> {
        let key_check = match &self.key_check {
            Some(hex) => Some(KeyCheck::from_hex(hex)?),
            None => None,
        };
        Some(SeriesEnd {
            backup_id: self.backup_id.clone(),
            backup_num: self.backup_num,
            read_ts: Ts(self.read_ts),
            digest: Sha256Digest::from_hex(&self.digest)?,
            folder: BackupFolder::parse(&self.folder).ok()?,
            database_id: self.database_id.clone(),
            epoch: self.epoch,
            key_check,
            compat: self.compat.as_deref().map_or(Some(Compat::default()), Compat::from_name)?,
            // Too much to remember. What nobody knows is taken for the worst.
            tagged: None,
        })
    }
}

#[cfg(test)]
mod tests;
