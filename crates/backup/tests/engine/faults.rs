//! Whichever call to the destination fails: a backup is whole or it is not there, a restore is whole or has touched nothing, and once the
//! destination is well again the next one succeeds.

use std::sync::Arc;

use graphdb_backup::{EncryptionKey, read_catalogue};
use graphdb_destination::testing::{Fault, FaultyDestination};
use graphdb_destination::{Destination, MemoryDestination};
use graphdb_storage::Store;
use tempfile::TempDir;

use crate::model::Lists;
use crate::support::{
    assert_lists, back_up, commit, define, delete_all, dump, entries, indexed_string, key, link, links, newest,
    objects, open_store, replace, restore, restored_lists, scratch, set,
};

const FAULTS: [Fault; 5] = [Fault::NotFound, Fault::Conflict, Fault::Denied, Fault::Full, Fault::Unavailable];

type Place = FaultyDestination<MemoryDestination>;

/// A store whose backups differ from each other.
struct Source {
    store: Arc<Store>,
    key: Option<Arc<EncryptionKey>>,
    _dir: TempDir,
}

impl Source {
    fn new(key: Option<Arc<EncryptionKey>>) -> Source {
        let dir = scratch();
        let store = open_store(&dir.path().join("p"));
        define(&store, &[("name", indexed_string()), ("friend", links())]);
        let source = Source { store, key, _dir: dir };
        source.change(0);
        source
    }

    fn change(&self, round: u64) {
        let mut edges: Vec<_> = (1..20).map(|i| set(i, "name", &format!("name {i} of {round}"))).collect();
        edges.extend((1..9).map(|i| link(i, "friend", i + round + 1)));
        commit(&self.store, edges);
        commit(&self.store, vec![delete_all(round + 1, "name"), delete_all(round + 2, "friend")]);
    }

    async fn back_up(&self, place: &Place) -> Result<(), graphdb_backup::Error> {
        let place: Arc<dyn Destination> = Arc::new(place.clone());
        back_up(&self.store, &place, self.key.clone(), false).await.map(drop)
    }

    async fn restored(&self, place: &Place) -> Result<Lists, graphdb_backup::Error> {
        let place: Arc<dyn Destination> = Arc::new(place.inner().clone());
        restored_lists(&place, &newest(self.key.clone())).await
    }
}

async fn count(place: &Place) -> usize {
    read_catalogue(place.inner()).await.unwrap().readable().unwrap().len()
}

/// A destination of its own with the same objects.
async fn copy(place: &MemoryDestination) -> Place {
    let copy = MemoryDestination::new();
    for (name, body) in objects(place).await {
        replace(&copy, &name, body).await;
    }
    FaultyDestination::new(copy)
}

fn keys() -> [Option<Arc<EncryptionKey>>; 2] {
    [None, Some(key(32))]
}

/// What a fault does, beside which call it meets.
#[derive(Clone, Copy, Debug)]
enum When {
    Before(Fault),
    After(Fault),
    FromHereOn(Fault),
}

impl When {
    fn inject(self, place: &Place, n: usize) {
        match self {
            When::Before(fault) => place.fail_call(n, fault),
            When::After(fault) => place.fail_call_after_effect(n, fault),
            When::FromHereOn(fault) => place.fail_from(n, fault),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_whose_destination_fails_is_whole_or_is_not_there() {
    // A lost answer is the one failure after which the effect may be there.
    let some =
        [When::Before(Fault::Unavailable), When::After(Fault::Unavailable), When::FromHereOn(Fault::Unavailable)];
    let every = FAULTS.map(When::Before).into_iter().chain(some[1..].iter().copied()).collect();
    for (key, whens) in keys().into_iter().zip([every, some.to_vec()]) {
        let source = Source::new(key);
        let base = FaultyDestination::new(MemoryDestination::new());
        for position in 0..3 {
            let before = if position == 0 { Lists::new() } else { source.restored(&base).await.unwrap() };
            source.change(position);
            let now = dump(&source.store);
            let rehearsal = copy(base.inner()).await;
            source.back_up(&rehearsal).await.unwrap();
            for n in 1..=rehearsal.call_count() {
                for when in &whens {
                    let what = format!("backup {}, call {n} fails with {when:?}", position + 1);
                    let place = copy(base.inner()).await;
                    when.inject(&place, n);
                    let outcome = source.back_up(&place).await;
                    match outcome {
                        Ok(()) => {
                            assert_eq!(count(&place).await, position as usize + 1, "{what}");
                            assert_lists(&source.restored(&place).await.unwrap(), &now, &what);
                        }
                        // Only a destination that can be asked again can tell that the manifest arrived.
                        Err(_) => {
                            assert_eq!(count(&place).await, position as usize, "{what}");
                            if position > 0 && matches!(when, When::Before(Fault::Unavailable)) {
                                assert_lists(&source.restored(&place).await.unwrap(), &before, &what);
                            }
                        }
                    }
                    place.heal();
                    source.back_up(&place).await.unwrap_or_else(|err| panic!("{what}: not healed: {err}"));
                    if matches!(when, When::After(_) | When::FromHereOn(_)) {
                        assert_lists(&source.restored(&place).await.unwrap(), &now, &format!("{what}, healed"));
                    }
                }
            }
            source.back_up(&base).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_whose_destination_fails_touches_nothing() {
    for key in keys() {
        let source = Source::new(key);
        let base = FaultyDestination::new(MemoryDestination::new());
        for round in 0..3 {
            source.change(round);
            source.back_up(&base).await.unwrap();
        }
        let request = newest(source.key.clone());
        let stored = objects(base.inner()).await;
        let rehearsal = copy(base.inner()).await;
        let dir = scratch();
        let place: Arc<dyn Destination> = Arc::new(rehearsal.clone());
        restore(&place, &request, dir.path()).await.unwrap();
        for n in 1..=rehearsal.call_count() {
            for fault in FAULTS {
                let what = format!("call {n} fails with {fault:?}");
                let faulty = copy(base.inner()).await;
                faulty.fail_call(n, fault);
                let dir = scratch();
                let place: Arc<dyn Destination> = Arc::new(faulty.clone());
                let outcome = restore(&place, &request, dir.path()).await;
                assert!(outcome.is_err(), "{what}");
                assert_eq!(entries(dir.path()), [""; 0], "{what}: something is left");
                assert!(objects(faulty.inner()).await == stored, "{what}: a restore changes no backup");
            }
        }
    }
}
