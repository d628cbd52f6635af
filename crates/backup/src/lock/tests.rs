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
    assert!(matches!(&err, Error::Busy { holder, .. } if holder.contains(&std::process::id().to_string())), "{err}");
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

#[tokio::test]
async fn a_lock_that_was_emptied_is_free_at_once() {
    let place = memory();
    place.put(&"graphdb.lock.3".parse().unwrap(), Bytes::new(), Put::Create).await.unwrap();
    let lock = LocationLock::acquire(Arc::clone(&place)).await.unwrap();
    assert_eq!(lock.name.as_str(), "graphdb.lock.4");
    lock.release().await;
    assert_eq!(place.list("").await.unwrap(), []);
}

#[tokio::test]
async fn a_lock_that_is_held_below_one_that_was_left_behind_is_respected() {
    let place = memory();
    place.put(&"graphdb.lock.1000".parse().unwrap(), Bytes::new(), Put::Create).await.unwrap();
    let far = LockRecord { host: "elsewhere".into(), ..LockRecord::new() };
    place.put(&"graphdb.lock.7".parse().unwrap(), far.to_bytes(), Put::Create).await.unwrap();
    let err = LocationLock::acquire(place).await.unwrap_err();
    assert!(matches!(&err, Error::Busy { holder, .. } if holder.contains("elsewhere")), "{err}");
}

#[tokio::test]
async fn a_lock_with_another_owner_in_it_is_lost_and_left_alone() {
    let place = memory();
    let lock = LocationLock::acquire(Arc::clone(&place)).await.unwrap();
    let name = lock.name.clone();
    let other = LockRecord { host: "elsewhere".into(), ..LockRecord::new() };
    place.put(&name, other.to_bytes(), Put::Replace).await.unwrap();
    assert!(matches!(lock.check().await, Err(Error::LockLost { .. })));
    lock.release().await;
    assert_eq!(place.get(&name, MAX_LOCK_BYTES).await.unwrap(), other.to_bytes());
}

#[tokio::test]
async fn a_lock_is_renewed_while_it_is_ours_and_not_taken_back() {
    let destination = memory();
    let lock = LocationLock::acquire(Arc::clone(&destination)).await.unwrap();
    let (name, expires_at) = (lock.name.clone(), Arc::new(AtomicI64::new(1)));
    let record = LockRecord { expires_at_unix: 1, ..lock.record.clone() };
    let at = Arc::clone(&expires_at);
    let mut renewal = Renewal { destination: Arc::clone(&destination), name, record, expires_at: at, hidden: false };
    assert_eq!(renewal.renew().await.unwrap(), Found::Ours);
    assert!(expires_at.load(Ordering::Acquire) >= lock.record.expires_at_unix);
    lock.check().await.unwrap();
    let other = LockRecord { host: "elsewhere".into(), ..LockRecord::new() };
    destination.put(&lock.name, other.to_bytes(), Put::Replace).await.unwrap();
    assert_eq!(renewal.renew().await.unwrap(), Found::Lost);
    assert_eq!(destination.get(&lock.name, MAX_LOCK_BYTES).await.unwrap(), other.to_bytes(), "the other's stays");
}
