//! One backup at a time per location, over all processes: a lock object, created conditionally, with an owner and an end.
//!
//! Locks are numbered (`graphdb.lock.1`, `graphdb.lock.2`, …). The one with the greatest number counts; one that was given back, has
//! expired, or whose process is gone from this host, is passed by creating the next number, which only one of many can do.
//!
//! Stores on which several can do it, because they check the condition too early or not at all, are survived by asking again: the object
//! holds what was written last, so of several who believe that they created it, all but one find another owner in it.
//!
//! Where the location cannot be listed, the number comes from the node's memory, and a number that is taken is somebody else's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use graphdb_destination::{self as destination, Destination, ObjectMeta, Put};
use graphdb_types::ObjectName;
use tokio::task::JoinHandle;

use crate::error::{Error, Result, denied};
use crate::series_memory::{LockNumber, Recollection};
use record::{LIFETIME, LockRecord, Ours, expiry, now};

mod record;

const PREFIX: &str = "graphdb.lock.";

/// How often its holder renews it: two renewals may fail.
const RENEWAL: Duration = Duration::from_secs(15);

/// A lock is a small JSON object.
const MAX_LOCK_BYTES: u64 = 64 << 10;

/// Locks that are looked at beside the newest: the ones that were written last. One that is held is renewed, so it is among them, also when
/// somebody who could not list took a number below one that was left behind.
const RECENT: usize = 3;

/// The right to write backups to a location. Dropped without [`LocationLock::release`], it expires.
#[derive(Debug)]
pub struct LocationLock {
    destination: Arc<dyn Destination>,
    name: ObjectName,
    record: LockRecord,
    /// Unix seconds; moved by each renewal.
    expires_at: Arc<AtomicI64>,
    renewal: JoinHandle<()>,
    _ours: Ours,
}

/// In whose hands a lock is found.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Ours,
    Lost,
    /// Reading is not allowed.
    Hidden,
}

impl LocationLock {
    /// Takes the lock.
    ///
    /// # Errors
    /// [`Error::Busy`] if somebody holds it.
    pub async fn acquire(destination: Arc<dyn Destination>) -> Result<LocationLock> {
        LocationLock::acquire_with(destination, None, false).await
    }

    /// As [`LocationLock::acquire`]; where the location cannot be listed, the row of locks goes on as far as `memory` knows it, and if
    /// that number is taken, beyond all of them when `insist` says so.
    ///
    /// # Errors
    /// [`Error::Busy`] if somebody holds it, [`Error::Contested`] if that cannot be seen.
    pub(crate) async fn acquire_with(
        destination: Arc<dyn Destination>,
        mut memory: Option<&mut Recollection>,
        insist: bool,
    ) -> Result<LocationLock> {
        let record = LockRecord::new();
        let ours = Ours::note(&record.owner);
        let (name, passed) = match (list(&*destination).await, &mut memory) {
            (Ok(locks), memory) => (take_next(&*destination, &locks, memory.as_deref_mut(), &record).await?, locks),
            (Err(err), Some(memory)) if denied(&err) => {
                (take_unseen(&*destination, memory, insist, &record).await?, BTreeMap::new())
            }
            (Err(err), _) => return Err(err.into()),
        };
        let lock = LocationLock::hold(destination, name, record, ours);
        if let Err(err) = lock.confirm().await {
            lock.release().await;
            return Err(err);
        }
        lock.remove_passed(passed).await;
        Ok(lock)
    }

    fn hold(destination: Arc<dyn Destination>, name: ObjectName, record: LockRecord, ours: Ours) -> LocationLock {
        let expires_at = Arc::new(AtomicI64::new(record.expires_at_unix));
        let renewal = Renewal {
            destination: Arc::clone(&destination),
            name: name.clone(),
            record: record.clone(),
            expires_at: Arc::clone(&expires_at),
            hidden: false,
        };
        let renewal = tokio::spawn(renewal.run());
        LocationLock { destination, name, record, expires_at, renewal, _ours: ours }
    }

    /// Asks again whether we created it: on a store that lets several do so, the last one did.
    async fn confirm(&self) -> Result<()> {
        match self.found().await? {
            Found::Ours | Found::Hidden => Ok(()),
            Found::Lost => Err(taken_a_moment_ago(&*self.destination)),
        }
    }

    async fn found(&self) -> Result<Found, destination::Error> {
        find(&*self.destination, &self.name, &self.record.owner).await
    }

    /// Removes the locks before ours. One that cannot be deleted does no harm: ours has the greater number.
    async fn remove_passed(&self, passed: BTreeMap<u64, ObjectMeta>) {
        for lock in passed.into_values() {
            if self.destination.delete(&lock.name).await.is_err_and(|err| denied(&err)) {
                return;
            }
        }
    }

    /// Proves that nobody else took the lock meanwhile; to be asked right before a commit. It is not enough that ours is there: who passed
    /// us may have failed to remove it, or a renewal may have put it back. What may not be read is not asked.
    pub async fn check(&self) -> Result<()> {
        let lost = || Err(Error::LockLost { location: self.destination.describe() });
        match list(&*self.destination).await {
            Ok(locks) if newest(&locks).is_some_and(|lock| lock.name == self.name) => {}
            Ok(_) => return lost(),
            Err(err) if denied(&err) => {}
            Err(err) => return Err(err.into()),
        }
        let expired = now().unix_timestamp() > self.expires_at.load(Ordering::Acquire);
        if expired || self.found().await? == Found::Lost { lost() } else { Ok(()) }
    }

    /// Gives the lock back: deletes it or, where that is not allowed, empties it.
    pub async fn release(self) {
        self.renewal.abort();
        if matches!(self.found().await, Ok(Found::Lost)) {
            return;
        }
        match self.destination.delete(&self.name).await {
            Ok(()) => return,
            Err(err) if err.is_not_found() => return,
            Err(err) => tracing::debug!(%err, lock = %self.name, "the lock is not removed but emptied"),
        }
        if let Err(err) = self.destination.put(&self.name, Bytes::new(), Put::Replace).await {
            tracing::warn!(%err, lock = %self.name, "the lock could not be given back; it expires within a minute");
        }
    }
}

impl Drop for LocationLock {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

/// Passes what is free and takes the next number.
async fn take_next(
    destination: &dyn Destination,
    locks: &BTreeMap<u64, ObjectMeta>,
    memory: Option<&mut Recollection>,
    record: &LockRecord,
) -> Result<ObjectName> {
    for lock in in_question(locks) {
        refuse_if_held(destination, lock).await?;
    }
    // Whatever is remembered: who lists the same must try the same number.
    let last = locks.last_key_value().map_or(0, |(number, _)| *number);
    match take(destination, memory, last.saturating_add(1), record).await {
        Ok(name) => Ok(name),
        Err(Error::Destination(err)) if err.is_conflict() => Err(taken_a_moment_ago(destination)),
        Err(err) => Err(err),
    }
}

/// Takes the number after the one that is remembered, without having seen the others.
///
/// If the remembered one is unsure it is tried again. When it is taken, then by us, whose answer was lost, or by another copy of this node:
/// then the row goes on, but the series does not.
async fn take_unseen(
    destination: &dyn Destination,
    memory: &mut Recollection,
    insist: bool,
    record: &LockRecord,
) -> Result<ObjectName> {
    let LockNumber { number, unsure } = memory.lock();
    let next = number.saturating_add(1);
    // Unix seconds are beyond all numbers that were counted up to.
    let beyond = insist.then(|| now().unix_timestamp().unsigned_abs().max(next));
    for number in unsure.then_some(number).into_iter().chain([next]).chain(beyond) {
        match take(destination, Some(&mut *memory), number, record).await {
            Err(Error::Destination(err)) if err.is_conflict() => {}
            taken => return taken,
        }
        if memory.lock().unsure {
            memory.learn(None)?;
            memory.set_lock(LockNumber { number, unsure: false })?;
        }
    }
    Err(Error::Contested { location: destination.describe(), lock: name_of(next) })
}

/// Creates the lock of this number. It is noted before, so that a number which may be taken is not taken for free after a crash.
async fn take(
    destination: &dyn Destination,
    mut memory: Option<&mut Recollection>,
    number: u64,
    record: &LockRecord,
) -> Result<ObjectName> {
    let name = name_of(number);
    let before = memory.as_ref().map(|memory| memory.lock());
    if let Some(memory) = &mut memory {
        memory.set_lock(LockNumber { number, unsure: true })?;
    }
    let created = destination.put(&name, record.to_bytes(), Put::Create).await;
    if let (Some(memory), Some(before)) = (memory, before) {
        match &created {
            Ok(()) => memory.set_lock(LockNumber { number, unsure: false })?,
            Err(err) if err.is_conflict() => memory.set_lock(before)?,
            Err(_) => {}
        }
    }
    created.map(|()| name).map_err(Error::from)
}

fn name_of(number: u64) -> ObjectName {
    format!("{PREFIX}{number}").parse().expect("a number makes an object name")
}

fn taken_a_moment_ago(destination: &dyn Destination) -> Error {
    let (holder, expires) = ("taken a moment ago".into(), "within a minute".into());
    Error::Busy { location: destination.describe(), holder, expires }
}

/// The locks at a destination, by number.
async fn list(destination: &dyn Destination) -> Result<BTreeMap<u64, ObjectMeta>, destination::Error> {
    let numbered = |object: ObjectMeta| {
        let number = object.name.as_str().strip_prefix(PREFIX)?.parse().ok()?;
        Some((number, object))
    };
    Ok(destination.list(PREFIX).await?.into_iter().filter_map(numbered).collect())
}

/// The lock that counts.
fn newest(locks: &BTreeMap<u64, ObjectMeta>) -> Option<&ObjectMeta> {
    locks.last_key_value().map(|(_, lock)| lock)
}

/// The locks that may be held: the newest, and those that were written last.
fn in_question(locks: &BTreeMap<u64, ObjectMeta>) -> Vec<&ObjectMeta> {
    let mut by_number = locks.values().rev();
    let newest = by_number.next();
    let mut recent: Vec<_> = by_number.collect();
    recent.sort_by_key(|lock| std::cmp::Reverse(lock.modified_at));
    newest.into_iter().chain(recent.into_iter().take(RECENT)).collect()
}

async fn refuse_if_held(destination: &dyn Destination, lock: &ObjectMeta) -> Result<()> {
    if lock.size_bytes == 0 {
        return Ok(());
    }
    let record = match destination.get(&lock.name, MAX_LOCK_BYTES).await {
        Ok(bytes) => serde_json::from_slice::<LockRecord>(&bytes).ok(),
        Err(err) if err.is_not_found() => return Ok(()),
        Err(err) if denied(&err) => None,
        Err(err) => return Err(err.into()),
    };
    let held = match record {
        Some(record) => record.is_held().then(|| (record.holder(), record.expires())),
        // A lock we cannot read is somebody's all the same; its age decides.
        None => {
            let age = lock.modified_at.elapsed().unwrap_or_default();
            (age < LIFETIME).then(|| ("an unreadable lock".to_owned(), "within a minute".to_owned()))
        }
    };
    match held {
        Some((holder, expires)) => Err(Error::Busy { location: destination.describe(), holder, expires }),
        None => Ok(()),
    }
}

/// Looks whose a lock is.
async fn find(destination: &dyn Destination, name: &ObjectName, owner: &str) -> Result<Found, destination::Error> {
    match destination.get(name, MAX_LOCK_BYTES).await {
        Ok(bytes) => {
            let ours = serde_json::from_slice(&bytes).is_ok_and(|found: LockRecord| found.owner == owner);
            Ok(if ours { Found::Ours } else { Found::Lost })
        }
        Err(err) if err.is_not_found() => Ok(Found::Lost),
        Err(err) if denied(&err) => Ok(Found::Hidden),
        Err(err) => Err(err),
    }
}

/// What keeps a lock from expiring.
struct Renewal {
    destination: Arc<dyn Destination>,
    name: ObjectName,
    /// As it was written last.
    record: LockRecord,
    expires_at: Arc<AtomicI64>,
    /// Whether reading the lock is known not to be allowed.
    hidden: bool,
}

impl Renewal {
    /// Renews the lock until it is lost or has expired.
    async fn run(mut self) {
        loop {
            tokio::time::sleep(RENEWAL).await;
            if now().unix_timestamp() > self.record.expires_at_unix {
                // Somebody may have passed us while we slept.
                return;
            }
            match self.renew().await {
                Ok(Found::Lost) => {
                    self.expires_at.store(0, Ordering::Release);
                    return;
                }
                Ok(_) => {}
                Err(err) => tracing::warn!(%err, lock = %self.name, "the lock could not be renewed"),
            }
        }
    }

    /// Looks before it writes, as far as that is allowed: a lock that another took is not taken back.
    async fn renew(&mut self) -> Result<Found, destination::Error> {
        let found = match self.hidden {
            true => Found::Hidden,
            false => find(&*self.destination, &self.name, &self.record.owner).await?,
        };
        if found == Found::Lost {
            return Ok(found);
        }
        self.hidden = found == Found::Hidden;
        let renewed = LockRecord { expires_at_unix: expiry(), ..self.record.clone() };
        self.destination.put(&self.name, renewed.to_bytes(), Put::Replace).await?;
        self.expires_at.store(renewed.expires_at_unix, Ordering::Release);
        self.record = renewed;
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
