//! Stores that let several writers create one name, and writers that wake up late: the lock does not hold, and still no place of a series
//! is taken twice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use graphdb_archive::SeriesError;
use graphdb_backup::{BackupTerms, Error, Progress, read_catalogue, take_backup};
use graphdb_destination::testing::{CallKind, Fault, FaultyDestination};
use graphdb_destination::{Destination, MemoryDestination};
use graphdb_storage::Store;
use tempfile::TempDir;

use crate::places::{Conditions, Hooked};
use crate::support::{
    assert_lists, back_up, commit, context, define, dump, indexed_string, newest, open_store, restored_lists, scratch,
    set,
};

fn named_store() -> (TempDir, Arc<Store>) {
    let dir = scratch();
    let store = open_store(&dir.path().join("p"));
    define(&store, &[("name", indexed_string())]);
    commit(&store, vec![set(1, "name", "Ann")]);
    (dir, store)
}

/// How many backups there are, each in a place of its own.
async fn count_distinct(place: &dyn Destination, what: &str) -> usize {
    let backups = read_catalogue(place).await.unwrap().readable().unwrap();
    let places: BTreeSet<_> = backups.iter().map(|backup| (&backup.backup_id, backup.backup_num)).collect();
    assert_eq!(places.len(), backups.len(), "{what}: two backups in one place");
    backups.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn of_many_writers_on_a_store_with_weak_conditions_one_at_most_takes_a_place() {
    const RACERS: usize = 16;
    for conditions in [Conditions::Kept, Conditions::Early, Conditions::Ignored] {
        let (_dir, store) = named_store();
        let memory: Arc<dyn Destination> = Arc::new(MemoryDestination::new());
        let weak: Arc<dyn Destination> = Arc::new(Hooked::new(Arc::clone(&memory)).with(conditions));
        let mut taken = 0;
        for round in 0..12 {
            commit(&store, vec![set(2 + round, "name", "Bob")]);
            let racers: Vec<_> = (0..RACERS)
                .map(|_| {
                    let (store, weak) = (Arc::clone(&store), Arc::clone(&weak));
                    tokio::spawn(async move { back_up(&store, &weak, None, false).await })
                })
                .collect();
            for racer in racers {
                match racer.await.unwrap() {
                    Ok(_) => taken += 1,
                    Err(Error::Busy { .. } | Error::LockLost { .. }) => {}
                    // A manifest was listed, and withdrawn before it could be read, or read before it was withdrawn.
                    Err(Error::Destination(err)) if err.is_not_found() => {}
                    Err(Error::Series { source: SeriesError::Duplicate { .. }, .. }) => {}
                    Err(err) => panic!("{conditions:?}: {err}"),
                }
            }
            let what = format!("{conditions:?}, round {round}");
            assert_eq!(count_distinct(&*memory, &what).await, taken, "{what}: each that was told so has its backup");
            let locks = memory.list("graphdb.lock.").await.unwrap();
            assert!(locks.len() <= 1, "{what}: {locks:?}");
        }
        println!("{conditions:?}: {taken} of {} were taken", 12 * RACERS);
        assert!(taken > 0, "{conditions:?}");
        back_up(&store, &memory, None, false).await.unwrap();
        assert_lists(&restored_lists(&memory, &newest(None)).await.unwrap(), &dump(&store), "all of it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_keeps_nobody_apart_is_named() {
    let (_dir, store) = named_store();
    for (conditions, named) in [(Conditions::Kept, false), (Conditions::Early, false), (Conditions::Ignored, true)] {
        let place: Arc<dyn Destination> = Arc::new(Hooked::new(Arc::new(MemoryDestination::new())).with(conditions));
        let (context, progress) = (context(None), Progress::default());
        let taken = take_backup(&store, &place, &context, None, BackupTerms::default(), &progress).await.unwrap();
        assert_eq!(taken.note.is_some_and(|note| note.contains("let one alone write there")), named, "{conditions:?}");
    }
}

/// A backup that stops right before its manifest is written, while its lock is passed and another takes the same place.
async fn stopped_before_its_commit(store: &Arc<Store>, place: &Arc<dyn Destination>) -> Error {
    let woken = Arc::new(AtomicBool::new(false));
    let (other_store, other_place) = (Arc::clone(store), Arc::clone(place));
    let slow = Hooked::new(Arc::clone(place)).before(move |call| {
        let is_manifest = call.name.is_some_and(|name| name.file_name() == "manifest.json");
        if call.kind != CallKind::Put || !is_manifest || woken.swap(true, Ordering::Relaxed) {
            return Box::pin(std::future::ready(()));
        }
        let (store, place) = (Arc::clone(&other_store), Arc::clone(&other_place));
        Box::pin(async move {
            for lock in place.list("graphdb.lock.").await.unwrap() {
                place.put(&lock.name, bytes::Bytes::new(), graphdb_destination::Put::Replace).await.unwrap();
            }
            back_up(&store, &place, None, false).await.unwrap();
        })
    });
    let slow: Arc<dyn Destination> = Arc::new(slow);
    back_up(store, &slow, None, false).await.map(|sealed| sealed.manifest().backup_num).unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_wakes_up_after_another_took_its_place_withdraws() {
    let (_dir, store) = named_store();
    let place: Arc<dyn Destination> = Arc::new(MemoryDestination::new());
    back_up(&store, &place, None, false).await.unwrap();
    commit(&store, vec![set(2, "name", "Bob")]);
    let err = stopped_before_its_commit(&store, &place).await;
    assert!(matches!(err, Error::LockLost { .. }), "{err}");
    assert_eq!(count_distinct(&*place, "withdrawn").await, 2);
    let archives = place.list("dgraph.").await.unwrap().len();
    assert_eq!(archives, 4, "and its archive is gone");
    assert_lists(&restored_lists(&place, &newest(None)).await.unwrap(), &dump(&store), "the other's");
    back_up(&store, &place, None, false).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_cannot_withdraw_says_that_the_series_is_broken() {
    let (_dir, store) = named_store();
    let denying = FaultyDestination::new(MemoryDestination::new());
    denying.fail_when(|call| call.kind == CallKind::Delete, Fault::Denied);
    let place: Arc<dyn Destination> = Arc::new(denying);
    let first = back_up(&store, &place, None, false).await.unwrap();
    let err = stopped_before_its_commit(&store, &place).await;
    let Error::Doubled { backup_id, backup_num: 2, .. } = &err else { panic!("{err}") };
    assert_eq!(*backup_id, first.manifest().backup_id);
    assert!(err.to_string().contains("forceFull"), "{err}");
    back_up(&store, &place, None, false).await.map(|_| ()).unwrap_err();
    assert!(back_up(&store, &place, None, true).await.unwrap().manifest().is_full());
    assert_lists(&restored_lists(&place, &newest(None)).await.unwrap(), &dump(&store), "the new series");
}
