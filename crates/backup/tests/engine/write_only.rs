//! Backups by credentials that may write and do nothing else: the series goes on by what the node remembers, and what nobody can know is
//! never taken for granted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use graphdb_archive::SealedManifest;
use graphdb_backup::{
    BackupTerms, EncryptionKey, Error, Progress, SeriesMemory, SeriesRequest, TakenBackup, backup_to, read_catalogue,
    take_backup,
};
use graphdb_destination::testing::{Call, CallKind, Fault, FaultyDestination};
use graphdb_destination::{self as destination, Destination, MemoryDestination};
use graphdb_storage::Store;
use tempfile::TempDir;
use tokio::sync::Notify;

use crate::model::Lists;
use crate::places::Hooked;
use crate::support::{
    assert_lists, back_up, commit, context, define, describe, dump, entries, indexed_string, key, newest, objects,
    open_store, restore, restored_lists, scratch, set,
};

type Place = FaultyDestination<MemoryDestination>;

const READING: [CallKind; 6] =
    [CallKind::Open, CallKind::Read, CallKind::Stat, CallKind::List, CallKind::Delete, CallKind::Sweep];

fn deny(place: &Place, kinds: &[CallKind]) {
    let kinds = kinds.to_vec();
    place.fail_when(move |call| kinds.contains(&call.kind), Fault::Denied);
}

fn write_only() -> Place {
    let place = FaultyDestination::new(MemoryDestination::new());
    deny(&place, &READING);
    place
}

/// As who may read sees it.
fn reader(place: &Place) -> Arc<dyn Destination> {
    Arc::new(place.inner().clone())
}

async fn manifests(place: &Place) -> Vec<SealedManifest> {
    let backups = read_catalogue(place.inner()).await.unwrap().readable().unwrap();
    backups.iter().map(|backup| backup.sealed().unwrap().clone()).collect()
}

async fn numbers(place: &Place) -> Vec<u64> {
    manifests(place).await.iter().map(|sealed| sealed.manifest().backup_num).collect()
}

async fn restored(place: &Place, key: Option<Arc<EncryptionKey>>) -> Lists {
    restored_lists(&reader(place), &newest(key)).await.unwrap()
}

/// A database on a node with a memory.
struct Database {
    store: Arc<Store>,
    rounds: AtomicUsize,
    dir: TempDir,
}

impl Database {
    fn new() -> Database {
        let dir = scratch();
        let store = open_store(&dir.path().join("p"));
        define(&store, &[("name", indexed_string())]);
        let database = Database { store, rounds: AtomicUsize::new(0), dir };
        database.change();
        database
    }

    fn change(&self) {
        let round = self.rounds.fetch_add(1, Ordering::Relaxed) as u64;
        commit(&self.store, (1..6).map(|i| set(i * (round + 1), "name", &format!("name {i} of {round}"))).collect());
    }

    fn memory(&self) -> SeriesMemory {
        SeriesMemory::open(&self.dir.path().join("series")).unwrap()
    }

    /// The one file that the memory of one place is.
    fn memory_file(&self) -> std::path::PathBuf {
        let dir = self.dir.path().join("series");
        let [file] = &entries(&dir)[..] else { panic!("one place is remembered") };
        dir.join(file)
    }

    async fn take(&self, place: Arc<dyn Destination>, force_full: bool) -> Result<TakenBackup, Error> {
        self.take_with(place, None, force_full).await
    }

    async fn take_with(
        &self,
        place: Arc<dyn Destination>,
        key: Option<Arc<EncryptionKey>>,
        force_full: bool,
    ) -> Result<TakenBackup, Error> {
        // Folders are named by the millisecond, and who may not list does not see which names are taken.
        tokio::time::sleep(Duration::from_millis(2)).await;
        let memory = self.memory();
        let terms = BackupTerms { force_full, compat: None };
        take_backup(&self.store, &place, &context(key), Some(&memory), terms, &Progress::default()).await
    }

    /// Changes something, backs it up and gives the number in the series, the note, and what the database was.
    async fn next(&self, place: &Place) -> (u64, String, Lists) {
        self.change();
        let now = dump(&self.store);
        let taken = self.take(Arc::new(place.clone()), false).await.unwrap();
        (taken.sealed.manifest().backup_num, taken.note.unwrap_or_default(), now)
    }
}

fn number(taken: Result<TakenBackup, Error>) -> u64 {
    taken.unwrap().sealed.manifest().backup_num
}

#[tokio::test(flavor = "multi_thread")]
async fn write_permission_alone_takes_a_series_that_a_reader_restores() {
    for key in [None, Some(key(32))] {
        let (database, place) = (Database::new(), write_only());
        let mut notes = Vec::new();
        for n in 1..=3 {
            database.change();
            let taken = database.take_with(Arc::new(place.clone()), key.clone(), false).await.unwrap();
            let manifest = taken.sealed.manifest();
            assert_eq!((manifest.backup_num, manifest.is_full()), (n, n == 1));
            assert_lists(&restored(&place, key.clone()).await, &dump(&database.store), &format!("backup {n}"));
            notes.push(taken.note.unwrap());
        }
        let id = manifests(&place).await[0].manifest().backup_id.clone();
        assert!(notes[0].contains("memory may not be listed") && notes[0].contains("no backup to it"), "{}", notes[0]);
        assert!(notes[1].contains(&format!("it continues backup 1 of series {id}")), "{}", notes[1]);
        assert!(notes[2].contains(&format!("it continues backup 2 of series {id}")), "{}", notes[2]);
        assert_eq!(numbers(&place).await, [1, 2, 3]);
        let denied = place.calls().iter().filter(|call| READING.contains(&call.kind)).count();
        assert!(denied > 9, "it was tried: {denied}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_denied_beside_writing_the_series_goes_on() {
    let kinds = [CallKind::List, CallKind::Open, CallKind::Stat, CallKind::Delete, CallKind::Sweep];
    for bits in 0..1 << kinds.len() {
        let denied: Vec<_> = (0..kinds.len()).filter(|i| bits >> i & 1 == 1).map(|i| kinds[i]).collect();
        let (database, place) = (Database::new(), FaultyDestination::new(MemoryDestination::new()));
        deny(&place, &denied);
        for n in 1..=3 {
            let (number, note, now) = database.next(&place).await;
            assert_eq!(number, n, "{denied:?}");
            // At an empty place there is nothing to read.
            let unseen = denied.contains(&CallKind::List) || denied.contains(&CallKind::Open) && n > 1;
            assert_eq!(!note.is_empty(), unseen, "{denied:?}: {note}");
            assert_lists(&restored(&place, None).await, &now, &format!("{denied:?}, backup {n}"));
        }
        let locks = place.inner().list("graphdb.lock.").await.unwrap();
        assert!(locks.iter().all(|lock| lock.size_bytes == 0), "{denied:?}: every lock is given back");
        assert_eq!(locks.is_empty(), !denied.contains(&CallKind::Delete), "{denied:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_denied_is_made_up_for_by_memory() {
    for fault in [Fault::NotFound, Fault::Full, Fault::Unavailable] {
        for kind in [CallKind::List, CallKind::Open] {
            let (database, place) = (Database::new(), FaultyDestination::new(MemoryDestination::new()));
            assert_eq!(database.next(&place).await.0, 1);
            place.fail_when(move |call| call.kind == kind, fault);
            database.take(Arc::new(place.clone()), false).await.unwrap_err();
            assert_eq!(numbers(&place).await, [1], "{kind:?} {fault:?}");
        }
    }
    let (database, place) = (Database::new(), write_only());
    let unremembering: Arc<dyn Destination> = Arc::new(place.clone());
    let err = back_up(&database.store, &unremembering, None, false).await.unwrap_err();
    assert!(matches!(err, Error::Destination(destination::Error::Denied { .. })), "{err}");
    assert_eq!(objects(place.inner()).await, [], "without a memory nothing is written");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_read_wins_over_what_is_remembered() {
    let (database, place) = (Database::new(), write_only());
    assert_eq!(database.next(&place).await.0, 1);
    let elsewhere = back_up(&database.store, &reader(&place), None, false).await.unwrap();
    assert_eq!(elsewhere.manifest().backup_num, 2, "a backup that this memory knows nothing of");
    place.heal();
    let (number, note, _) = database.next(&place).await;
    assert_eq!((number, note.as_str()), (3, ""));
    deny(&place, &READING);
    let (number, _, now) = database.next(&place).await;
    assert_eq!(number, 4, "the memory was refreshed by what was seen");
    assert_lists(&restored(&place, None).await, &now, "the fourth");

    place.heal();
    for (name, _) in objects(place.inner()).await {
        place.inner().delete(&name).await.unwrap();
    }
    let (number, note, _) = database.next(&place).await;
    assert_eq!((number, note.as_str()), (1, ""), "an empty place is seen to be empty");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remembered_backup_that_is_seen_to_be_gone_or_passed_is_not_continued() {
    // Some may list and not read, some read and not list.
    for denied in [[CallKind::Open, CallKind::Delete], [CallKind::List, CallKind::Delete]] {
        let (database, place) = (Database::new(), FaultyDestination::new(MemoryDestination::new()));
        deny(&place, &denied);
        for _ in 0..2 {
            database.next(&place).await;
        }
        let second = manifests(&place).await.remove(1);
        place.inner().delete(&second.folder().manifest()).await.unwrap();
        let (number, note, _) = database.next(&place).await;
        assert!(number == 1 && note.contains("is not there any more"), "{denied:?}: {note}");
    }
    let (database, place) = (Database::new(), FaultyDestination::new(MemoryDestination::new()));
    deny(&place, &[CallKind::Open]);
    database.next(&place).await;
    back_up(&database.store, &reader(&place), None, false).await.unwrap();
    let (number, note, now) = database.next(&place).await;
    assert!(number == 1 && note.contains("there are backups after the one in"), "{note}");
    assert_lists(&restored(&place, None).await, &now, "the new series");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_node_that_may_only_write_is_refused() {
    let (first, second, place) = (Database::new(), Database::new(), write_only());
    assert_eq!(first.next(&place).await.0, 1);
    let before = objects(place.inner()).await;
    for _ in 0..3 {
        let err = second.take(Arc::new(place.clone()), false).await.unwrap_err();
        let Error::Contested { lock, .. } = &err else { panic!("{err}") };
        assert_eq!(lock.as_str(), "graphdb.lock.1");
        assert!(["permit listing", "another location", "forceFull"].iter().all(|way| err.to_string().contains(way)));
    }
    assert!(objects(place.inner()).await == before, "nothing is changed by who is refused");
    assert_eq!(first.next(&place).await.0, 2);

    assert_eq!(number(second.take(Arc::new(place.clone()), true).await), 1, "who insists begins a series of its own");
    let own = second.next(&place).await;
    let (number, _, now) = first.next(&place).await;
    assert_eq!((own.0, number), (2, 3), "both go on");
    let ids: Vec<_> = manifests(&place).await.iter().map(|sealed| sealed.manifest().backup_id.clone()).collect();
    for (id, lists) in [(&ids[0], &now), (&ids[2], &own.2)] {
        let request = SeriesRequest { backup_id: Some(id.clone()), ..newest(None) };
        assert_lists(&restored_lists(&reader(&place), &request).await.unwrap(), lists, id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_node_is_refused_once_its_original_went_on() {
    let (original, place) = (Database::new(), write_only());
    original.next(&place).await;
    let copied = scratch();
    let file = original.memory_file();
    std::fs::copy(&file, copied.path().join(file.file_name().unwrap())).unwrap();
    let memory = SeriesMemory::open(copied.path()).unwrap();
    assert_eq!(original.next(&place).await.0, 2);
    let everything = objects(place.inner()).await;
    for _ in 0..3 {
        let to: Arc<dyn Destination> = Arc::new(place.clone());
        let (context, progress) = (context(None), Progress::default());
        let err = take_backup(&original.store, &to, &context, Some(&memory), BackupTerms::default(), &progress)
            .await
            .unwrap_err();
        assert!(matches!(err, Error::Contested { .. }), "{err}");
    }
    assert!(objects(place.inner()).await == everything);
    assert_eq!(original.next(&place).await.0, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_of_another_database_life_or_key_begins_a_new_series() {
    let (mut database, place) = (Database::new(), write_only());
    database.next(&place).await;
    let restored_to = scratch();
    restore(&reader(&place), &newest(None), restored_to.path()).await.unwrap();
    database.store = open_store(&restored_to.path().join("p1"));
    let (number, note, _) = database.next(&place).await;
    assert!(number == 1 && note.contains("restored since"), "{note}");
    assert_eq!(database.next(&place).await.0, 2, "the new life's own");

    let encrypted = database.take_with(Arc::new(place.clone()), Some(key(32)), false).await.unwrap();
    let note = encrypted.note.unwrap();
    assert!(encrypted.sealed.manifest().is_full() && note.contains("this node has an encryption key"), "{note}");
    let (number, note, _) = database.next(&place).await;
    assert!(number == 1 && note.contains("has no encryption key"), "{note}");

    let stranger = Database::new();
    database.store = Arc::clone(&stranger.store);
    let (number, note, now) = database.next(&place).await;
    assert!(number == 1 && note.contains("another database"), "{note}");
    assert_lists(&restored(&place, None).await, &now, "the newest series");
    assert_eq!(numbers(&place).await, [1, 1, 2, 1, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_memory_never_continues_a_series() {
    let damage = |file: &Path| std::fs::write(file, "damaged").unwrap();
    let remove = |file: &Path| std::fs::remove_file(file).unwrap();
    for lose in [&damage as &(dyn Fn(&Path) + Sync), &remove] {
        let (database, place) = (Database::new(), write_only());
        database.next(&place).await;
        lose(&database.memory_file());
        let err = database.take(Arc::new(place.clone()), false).await.unwrap_err();
        assert!(matches!(err, Error::Contested { .. }), "it cannot be told from another node: {err}");
        assert_eq!(number(database.take(Arc::new(place.clone()), true).await), 1);
        assert_eq!(database.next(&place).await.0, 2, "and is remembered from then on");
    }
    // Who may delete leaves no lock behind that could be in the way.
    let (database, place) = (Database::new(), FaultyDestination::new(MemoryDestination::new()));
    deny(&place, &[CallKind::List, CallKind::Open]);
    database.next(&place).await;
    std::fs::write(database.memory_file(), "damaged").unwrap();
    assert_eq!(database.next(&place).await.0, 1);
}

fn is_manifest(call: &Call) -> bool {
    call.kind == CallKind::Put && call.name.as_ref().is_some_and(|name| name.file_name() == "manifest.json")
}

/// The number of the call that commits the `nth` backup.
async fn commit_call(nth: usize, denied: &[CallKind]) -> usize {
    let (database, place) = (Database::new(), FaultyDestination::new(MemoryDestination::new()));
    deny(&place, denied);
    for _ in 0..nth {
        database.next(&place).await;
    }
    place.calls().into_iter().filter(is_manifest).nth(nth - 1).unwrap().number
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_commit_without_an_answer_the_next_backup_is_full_unless_it_can_look() {
    for (arrives, may_read, expected) in [(true, false, 1), (false, false, 1), (true, true, 3), (false, true, 2)] {
        let what = format!("arrives: {arrives}, may be read: {may_read}");
        let denied: &[CallKind] = if may_read { &[CallKind::List, CallKind::Delete] } else { &READING };
        let at = commit_call(2, denied).await;
        let (database, place) = (Database::new(), FaultyDestination::new(MemoryDestination::new()));
        if arrives {
            place.fail_call_after_effect(at, Fault::Unavailable);
        } else {
            place.fail_call(at, Fault::Unavailable);
        }
        if may_read {
            place.fail_from(at + 1, Fault::Unavailable);
        }
        deny(&place, denied);
        database.next(&place).await;
        database.change();
        let err = database.take(Arc::new(place.clone()), false).await.unwrap_err();
        assert!(matches!(err, Error::Unconfirmed { .. }), "{what}: {err}");
        assert!(err.to_string().contains("is unknown") && err.to_string().contains("full"), "{what}: {err}");
        assert_eq!(numbers(&place).await.len(), 1 + usize::from(arrives), "{what}");
        place.heal();
        deny(&place, denied);
        let (number, note, now) = database.next(&place).await;
        assert_eq!(number, expected, "{what}: {note}");
        assert_eq!(note.contains("nobody knows whether"), !may_read, "{what}: {note}");
        assert_lists(&restored(&place, None).await, &now, &what);
        sound(&place, &[], &what).await;
    }
}

/// No place of a series is taken twice, and every series restores; to one of `states`, if there are any.
async fn sound(place: &Place, states: &[Lists], what: &str) {
    let mut ends = BTreeMap::new();
    let mut places = BTreeSet::new();
    for sealed in manifests(place).await {
        let (id, num) = (sealed.manifest().backup_id.clone(), sealed.manifest().backup_num);
        assert!(places.insert((id.clone(), num)), "{what}: backup {num} of {id} is there twice");
        ends.insert(id, num);
    }
    for (id, num) in ends {
        let request = SeriesRequest { backup_id: Some(id), backup_num: Some(num), ..newest(None) };
        let lists =
            restored_lists(&reader(place), &request).await.unwrap_or_else(|err| panic!("{what}: {}", describe(&err)));
        assert!(states.is_empty() || states.contains(&lists), "{what}: a state that never was");
    }
}

/// Runs a backup that is killed at call `at`, before it has an effect or after. `false` if it ended before.
async fn killed(database: &Database, place: &Place, at: usize, after: bool) -> bool {
    let reached = Arc::new(Notify::new());
    let stop = {
        let reached = Arc::clone(&reached);
        move |call: Call| -> futures::future::BoxFuture<'static, ()> {
            if call.number < at {
                return Box::pin(std::future::ready(()));
            }
            reached.notify_one();
            Box::pin(std::future::pending())
        }
    };
    let to = Hooked::new(Arc::new(place.clone()));
    let to = if after { to.after(stop) } else { to.before(stop) };
    tokio::select! {
        _ = database.take(Arc::new(to), false) => false,
        () = reached.notified() => true,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_killed_anywhere_leaves_series_that_restore_and_go_on() {
    let mut continued = BTreeMap::new();
    for taken_before in 0..3 {
        for at in 1.. {
            let mut was_killed = false;
            for after in [false, true] {
                let what = format!("backup {} killed at call {at}, after its effect: {after}", taken_before + 1);
                let (database, place, mut states) = (Database::new(), write_only(), Vec::new());
                for _ in 0..taken_before {
                    states.push(database.next(&place).await.2);
                }
                database.change();
                states.push(dump(&database.store));
                was_killed |= killed(&database, &place, at, after).await;
                sound(&place, &states, &what).await;
                let committed = numbers(&place).await.len() > taken_before;
                for later in 0..2 {
                    // An empty location can have been locked by a first backup that nobody remembers to have taken.
                    let (number, note, now) = database.next(&place).await;
                    states.push(now);
                    if later == 0 {
                        *continued.entry((committed, number > 1)).or_insert(0) += 1;
                        assert!(number > 1 || !note.is_empty(), "{what}");
                    } else {
                        assert!(number > 1, "{what}: the second one after it is an incremental");
                    }
                    assert_lists(&restored(&place, None).await, states.last().unwrap(), &what);
                }
                sound(&place, &states, &what).await;
            }
            if !was_killed {
                assert!(at > 12, "a backup makes more calls than {at}");
                break;
            }
        }
    }
    println!("(committed, continued): {continued:?}");
    assert!(continued[&(false, true)] > 10, "what was killed early costs no full backup: {continued:?}");
    assert!(continued[&(true, false)] > 0, "what may be committed is not continued: {continued:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_whose_answers_are_lost_anywhere_leaves_series_that_restore_and_go_on() {
    let calls = commit_call(2, &READING).await + 6;
    for at in 1..calls {
        for kind in ["its answer", "all from here"] {
            let what = format!("at call {at}, lost: {kind}");
            let (database, place, mut states) =
                (Database::new(), FaultyDestination::new(MemoryDestination::new()), Vec::new());
            if kind == "its answer" {
                place.fail_call_after_effect(at, Fault::Unavailable);
            } else {
                place.fail_from(at, Fault::Unavailable);
            }
            deny(&place, &READING);
            for _ in 0..2 {
                database.change();
                states.push(dump(&database.store));
                _ = database.take(Arc::new(place.clone()), false).await;
            }
            sound(&place, &states, &what).await;
            place.heal();
            deny(&place, &READING);
            for _ in 0..2 {
                let (_, _, now) = database.next(&place).await;
                states.push(now);
                assert_lists(&restored(&place, None).await, states.last().unwrap(), &what);
            }
            sound(&place, &states, &what).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_removes_what_died_long_ago_and_cannot_fail_a_backup() {
    let dir = scratch();
    let database = Database::new();
    let place: Arc<dyn Destination> = Arc::new(destination::FileDestination::new(dir.path()));
    let [old, new] = [".x.tmp-0123456789abcdef", ".y.tmp-0123456789abcdef"].map(|name| dir.path().join(name));
    for file in [&old, &new] {
        std::fs::write(file, "half").unwrap();
    }
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(25 * 3600);
    std::fs::File::options().append(true).open(&old).unwrap().set_modified(long_ago).unwrap();
    backup_to(&database.store, &place, &context(None), false, &Progress::default()).await.unwrap();
    assert_eq!((old.exists(), new.exists()), (false, true));

    for fault in [Fault::Denied, Fault::Unavailable, Fault::NotFound] {
        let place = FaultyDestination::new(MemoryDestination::new());
        place.fail_when(|call| call.kind == CallKind::Sweep, fault);
        database.next(&place).await;
        let calls: Vec<_> = place.calls().into_iter().map(|call| call.kind).collect();
        let [lock, sweep] = [CallKind::Put, CallKind::Sweep].map(|kind| calls.iter().position(|k| *k == kind).unwrap());
        assert!(lock < sweep, "{calls:?}");
    }
}
