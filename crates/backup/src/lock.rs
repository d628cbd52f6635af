//! One backup at a time per location, over all processes: a lock object, created conditionally, with an owner and an end.
//!
//! Locks are numbered (`graphdb.lock.1`, `graphdb.lock.2`, …). The one with the greatest number counts; one that has expired, or whose
//! process is gone from this host, is passed by creating the next number, which only one of many can do.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use graphdb_destination::{Destination, ObjectMeta, Put};
use graphdb_types::ObjectName;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::task::JoinHandle;

use crate::error::{Error, Result};

const PREFIX: &str = "graphdb.lock.";

/// How long a lock holds without renewal.
const LIFETIME: Duration = Duration::from_secs(60);

/// How often its holder renews it: two renewals may fail.
const RENEWAL: Duration = Duration::from_secs(15);

/// A lock is a small JSON object.
const MAX_LOCK_BYTES: u64 = 64 << 10;

/// Who holds a location, and until when.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct LockRecord {
    owner: String,
    host: String,
    pid: u32,
    /// When the process was started, in clock ticks since boot: a pid alone can be used again.
    started: Option<u64>,
    taken_at: String,
    expires_at_unix: i64,
}

/// The right to write backups to a location. Dropped without [`LocationLock::release`], it expires.
#[derive(Debug)]
pub struct LocationLock {
    destination: Arc<dyn Destination>,
    name: ObjectName,
    lost: Arc<AtomicBool>,
    renewal: JoinHandle<()>,
    _ours: Ours,
}

impl LocationLock {
    /// Takes the lock.
    ///
    /// # Errors
    /// [`Error::Busy`] if somebody holds it.
    pub async fn acquire(destination: Arc<dyn Destination>) -> Result<LocationLock> {
        let location = destination.describe();
        let passed = list(&*destination).await?;
        if let Some(newest) = newest(&passed) {
            refuse_if_held(&*destination, newest, &location).await?;
        }
        let number = passed.last_key_value().map_or(0, |(number, _)| *number);
        let name: ObjectName =
            format!("{PREFIX}{}", number.saturating_add(1)).parse().expect("a number makes an object name");
        let record = LockRecord::new();
        let ours = Ours::note(&record.owner);
        match destination.put(&name, record.to_bytes(), Put::Create).await {
            Ok(()) => {}
            Err(err) if err.is_conflict() => {
                let (holder, expires) = ("taken a moment ago".into(), "within a minute".into());
                return Err(Error::Busy { location, holder, expires });
            }
            Err(err) => return Err(err.into()),
        }
        for name in passed.into_values() {
            // A leftover that cannot be deleted does no harm: ours has the greater number.
            _ = destination.delete(&name).await;
        }
        let lost = Arc::new(AtomicBool::new(false));
        let renewal = tokio::spawn(renew(Arc::clone(&destination), name.clone(), record, Arc::clone(&lost)));
        Ok(LocationLock { destination, name, lost, renewal, _ours: ours })
    }

    /// Proves that nobody else took the lock meanwhile; to be asked right before a commit. It is not enough that ours is there: who passed
    /// us may have failed to remove it, or a renewal may have put it back.
    pub async fn check(&self) -> Result<()> {
        let newest = newest(&list(&*self.destination).await?).cloned();
        if newest.as_ref() == Some(&self.name) && !self.lost.load(Ordering::Acquire) {
            Ok(())
        } else {
            Err(Error::LockLost { location: self.destination.describe() })
        }
    }

    /// Gives the lock back.
    pub async fn release(self) {
        self.renewal.abort();
        if let Err(err) = self.destination.delete(&self.name).await {
            tracing::warn!(%err, lock = %self.name, "the lock could not be removed; it expires within a minute");
        }
    }
}

impl Drop for LocationLock {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

/// The locks at a destination, by number.
async fn list(destination: &dyn Destination) -> Result<BTreeMap<u64, ObjectName>> {
    let numbered = |object: ObjectMeta| {
        let number = object.name.as_str().strip_prefix(PREFIX)?.parse().ok()?;
        Some((number, object.name))
    };
    Ok(destination.list(PREFIX).await?.into_iter().filter_map(numbered).collect())
}

/// The lock that counts.
fn newest(locks: &BTreeMap<u64, ObjectName>) -> Option<&ObjectName> {
    locks.last_key_value().map(|(_, name)| name)
}

/// The locks that this process holds. One that names this process and is not among them was left behind, by a backup that could not
/// remove it or did not learn that it had it.
static HELD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// An owner among [`HELD`], until dropped.
#[derive(Debug)]
struct Ours(String);

impl Ours {
    fn note(owner: &str) -> Ours {
        HELD.lock().unwrap_or_else(PoisonError::into_inner).insert(owner.to_owned());
        Ours(owner.to_owned())
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        HELD.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

async fn refuse_if_held(destination: &dyn Destination, name: &ObjectName, location: &str) -> Result<()> {
    let bytes = match destination.get(name, MAX_LOCK_BYTES).await {
        Ok(bytes) => bytes,
        Err(err) if err.is_not_found() => return Ok(()),
        Err(err) => return Err(err.into()),
    };
    // A lock we cannot read is somebody's all the same; its age decides.
    let held = match serde_json::from_slice::<LockRecord>(&bytes) {
        Ok(record) => record.is_held().then(|| (record.holder(), record.expires())),
        Err(_) => {
            let age = destination.stat(name).await?.modified_at.elapsed().unwrap_or_default();
            (age < LIFETIME).then(|| ("an unreadable lock".to_owned(), "within a minute".to_owned()))
        }
    };
    match held {
        Some((holder, expires)) => Err(Error::Busy { location: location.to_owned(), holder, expires }),
        None => Ok(()),
    }
}

async fn renew(destination: Arc<dyn Destination>, name: ObjectName, mut record: LockRecord, lost: Arc<AtomicBool>) {
    loop {
        tokio::time::sleep(RENEWAL).await;
        if now().unix_timestamp() > record.expires_at_unix {
            // Somebody may have passed us while we slept.
            lost.store(true, Ordering::Release);
            return;
        }
        let renewed = LockRecord { expires_at_unix: expiry(), ..record.clone() };
        match destination.put(&name, renewed.to_bytes(), Put::Replace).await {
            Ok(()) => record = renewed,
            Err(err) => tracing::warn!(%err, lock = %name, "the lock could not be renewed"),
        }
    }
}

impl LockRecord {
    fn new() -> LockRecord {
        let pid = std::process::id();
        LockRecord {
            owner: format!("{:016x}", rand::random::<u64>()),
            host: host_name(),
            pid,
            started: process_start(pid),
            taken_at: now().format(&Rfc3339).unwrap_or_default(),
            expires_at_unix: expiry(),
        }
    }

    fn to_bytes(&self) -> Bytes {
        serde_json::to_vec(self).expect("a lock is plain data").into()
    }

    fn is_held(&self) -> bool {
        let here = self.host == host_name() && !self.host.is_empty() && self.started.is_some();
        let gone = here && process_start(self.pid) != self.started;
        let let_go = here
            && self.pid == std::process::id()
            && !HELD.lock().unwrap_or_else(PoisonError::into_inner).contains(&self.owner);
        !gone && !let_go && now().unix_timestamp() <= self.expires_at_unix
    }

    fn holder(&self) -> String {
        format!("process {} on {}, since {}", self.pid, self.host, self.taken_at)
    }

    fn expires(&self) -> String {
        format!("in {} s", (self.expires_at_unix - now().unix_timestamp()).max(0))
    }
}

fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

fn expiry() -> i64 {
    now().unix_timestamp() + LIFETIME.as_secs() as i64
}

fn host_name() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned()).unwrap_or_default()
}

/// Field 22 of `/proc/<pid>/stat`; the name in field 2 may hold spaces and parentheses.
fn process_start(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used)]

    use graphdb_destination::MemoryDestination;

    use super::*;

    fn memory() -> Arc<dyn Destination> {
        Arc::new(MemoryDestination::new())
    }

    #[tokio::test]
    async fn a_second_holder_is_refused_until_the_first_lets_go() {
        let place = memory();
        let first = LocationLock::acquire(Arc::clone(&place)).await.unwrap();
        let err = LocationLock::acquire(Arc::clone(&place)).await.unwrap_err();
        assert!(
            matches!(&err, Error::Busy { holder, .. } if holder.contains(&std::process::id().to_string())),
            "{err}"
        );
        first.check().await.unwrap();
        first.release().await;
        LocationLock::acquire(place).await.unwrap().release().await;
    }

    #[tokio::test]
    async fn a_lock_of_a_dead_process_or_past_its_time_is_passed() {
        for stale in [
            LockRecord { started: Some(1), ..LockRecord::new() },
            LockRecord { host: "elsewhere".into(), expires_at_unix: expiry() - 120, ..LockRecord::new() },
        ] {
            let place = memory();
            place.put(&"graphdb.lock.7".parse().unwrap(), stale.to_bytes(), Put::Create).await.unwrap();
            let lock = LocationLock::acquire(Arc::clone(&place)).await.unwrap();
            assert_eq!(lock.name.as_str(), "graphdb.lock.8");
            assert_eq!(place.list("").await.unwrap().len(), 1, "the stale lock is swept");
        }
        let place = memory();
        let far = LockRecord { host: "elsewhere".into(), ..LockRecord::new() };
        place.put(&"graphdb.lock.7".parse().unwrap(), far.to_bytes(), Put::Create).await.unwrap();
        assert!(matches!(LocationLock::acquire(place).await, Err(Error::Busy { .. })));
    }

    #[tokio::test]
    async fn a_holder_whose_lock_was_passed_cannot_commit() {
        let place = memory();
        let first = LocationLock::acquire(Arc::clone(&place)).await.unwrap();
        place.delete(&first.name).await.unwrap();
        assert!(matches!(first.check().await, Err(Error::LockLost { .. })));
        let second = LocationLock::acquire(Arc::clone(&place)).await.unwrap();
        // The first holder's renewal comes too late and puts its lock back.
        place.put(&"graphdb.lock.0".parse().unwrap(), Bytes::new(), Put::Create).await.unwrap();
        second.check().await.unwrap();
        place.put(&"graphdb.lock.2".parse().unwrap(), Bytes::new(), Put::Create).await.unwrap();
        assert!(matches!(second.check().await, Err(Error::LockLost { .. })));
    }

    #[tokio::test]
    async fn a_lock_that_its_holder_could_not_remove_is_passed() {
        let place = memory();
        let first = LocationLock::acquire(Arc::clone(&place)).await.unwrap();
        let left_behind = place.get(&first.name, MAX_LOCK_BYTES).await.unwrap();
        let name = first.name.clone();
        first.release().await;
        place.put(&name, left_behind, Put::Create).await.unwrap();
        LocationLock::acquire(place).await.unwrap();
    }
}
