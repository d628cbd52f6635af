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
