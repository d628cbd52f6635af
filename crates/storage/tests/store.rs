//! The store as its users meet it: commit, read back at a timestamp, alter, drop, reopen, scan, build.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use graphdb_storage::{
    Alter, BuildOptions, BuiltStore, Changes, Edge, EdgeObject, EdgeOp, Error, Identity, Leased, ScanValue,
    SchemaChange, Store, StoreBuilder, StoreOptions, StoredEntry, View,
};
use graphdb_types::{
    DropOp, GroupId, Key, KeyKind, PostingList, Predicate, PredicateSchema, Tokenizer, Ts, Uid, ValType, Value,
};

fn open(dir: &Path) -> Arc<Store> {
    Store::open(dir, StoreOptions::default()).unwrap()
}

fn string(tokenizers: &[Tokenizer]) -> PredicateSchema {
    PredicateSchema { value_type: ValType::String, tokenizers: tokenizers.to_vec(), ..PredicateSchema::default() }
}

fn edges() -> PredicateSchema {
    PredicateSchema { value_type: ValType::Uid, list: true, reverse: true, count: true, ..PredicateSchema::default() }
}

fn define(store: &Store, name: &str, schema: PredicateSchema) {
    let change = SchemaChange { predicates: vec![(Predicate::root(name), Some(schema))], types: vec![] };
    store.alter(Alter::Schema(change)).unwrap();
}

fn set(subject: u64, predicate: &str, text: &str) -> Edge {
    let object = EdgeObject::Value { value: Value::String(text.into()), lang: String::new() };
    Edge { op: EdgeOp::Set, subject: Uid(subject), predicate: Predicate::root(predicate), object, facets: vec![] }
}

fn link(op: EdgeOp, subject: u64, predicate: &str, object: u64) -> Edge {
    Edge {
        op,
        subject: Uid(subject),
        predicate: Predicate::root(predicate),
        object: EdgeObject::Uid(Uid(object)),
        facets: vec![],
    }
}

fn delete_all(subject: u64, predicate: &str) -> Edge {
    let object = EdgeObject::Star { lang: None };
    Edge { op: EdgeOp::Delete, subject: Uid(subject), predicate: Predicate::root(predicate), object, facets: vec![] }
}

fn commit(store: &Store, edges: Vec<Edge>) -> Ts {
    store.commit_now(store.begin().unwrap(), edges).unwrap().commit_ts
}

fn text(view: &View, subject: u64, predicate: &str) -> Option<String> {
    let list = view.list(&Key::data(&Predicate::root(predicate), Uid(subject))).unwrap();
    list.postings.first().map(|p| String::from_utf8(p.value.clone()).unwrap())
}

fn found(view: &View, predicate: &str, value: &str) -> Vec<u64> {
    let mut term = vec![Tokenizer::Exact.id()];
    term.extend_from_slice(value.as_bytes());
    view.list(&Key::index(&Predicate::root(predicate), term)).unwrap().ids
}

fn newest(store: &Store) -> View {
    store.view(store.read_ts()).unwrap()
}

/// Every list at a timestamp, emptied ones left out.
fn dump(store: &Store) -> BTreeMap<Vec<u8>, PostingList> {
    let snapshot = store.snapshot().unwrap();
    let mut lists = BTreeMap::new();
    snapshot
        .scan_full(|entry| {
            let ScanValue::List(wire) = entry.value else { panic!("a full scan shows no empty lists") };
            assert!(entry.version > Ts::ZERO && entry.version <= snapshot.read_ts());
            lists.insert(entry.key.to_vec(), PostingList::from_wire(wire).unwrap());
            Ok::<_, Error>(())
        })
        .unwrap();
    lists
}

#[test]
fn a_commit_is_visible_at_and_after_its_timestamp_and_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    define(&store, "name", string(&[Tokenizer::Exact]));
    let first = commit(&store, vec![set(1, "name", "Ann")]);
    let second = commit(&store, vec![set(1, "name", "Bea")]);
    assert_eq!(text(&store.view(first).unwrap(), 1, "name").as_deref(), Some("Ann"));
    assert_eq!(found(&store.view(first).unwrap(), "name", "Ann"), [1]);
    let view = store.view(second).unwrap();
    assert_eq!((found(&view, "name", "Ann"), found(&view, "name", "Bea")), (vec![], vec![1]));
    drop(view);
    drop(store);
    let store = open(dir.path());
    assert!(store.read_ts() >= second && store.begin().unwrap() > second);
    assert_eq!(text(&newest(&store), 1, "name").as_deref(), Some("Bea"));
    assert!(matches!(store.view(first), Err(Error::TooOld { .. })));
}

#[test]
fn the_first_of_two_writers_wins_and_the_other_is_told_to_retry() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    define(&store, "name", string(&[]));
    let (a, b) = (store.begin().unwrap(), store.begin().unwrap());
    store.mutate(a, vec![set(1, "name", "Ann")]).unwrap();
    store.mutate(b, vec![set(1, "name", "Bea")]).unwrap();
    assert_eq!(text(&store.view_for(b).unwrap(), 1, "name").as_deref(), Some("Bea"), "own writes are visible");
    assert_eq!(text(&newest(&store), 1, "name"), None);
    let committed = store.commit(a, &[]).unwrap().commit_ts;
    assert!(matches!(store.commit(b, &[]), Err(Error::Conflict { .. })));
    assert_eq!(store.commit(a, &[]).unwrap().commit_ts, committed, "a repeated commit gets the same answer");
    assert_eq!(text(&newest(&store), 1, "name").as_deref(), Some("Ann"));
    assert!(!store.abort(a), "a committed transaction cannot be aborted");
    assert!(store.abort(b));
}

#[test]
fn reverse_and_count_lists_follow_the_edges() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    define(&store, "friend", edges());
    let friend = Predicate::root("friend");
    commit(
        &store,
        vec![link(EdgeOp::Set, 1, "friend", 9), link(EdgeOp::Set, 1, "friend", 8), link(EdgeOp::Set, 2, "friend", 9)],
    );
    let list = |kind| newest(&store).list(&Key { predicate: friend.clone(), kind }).unwrap().ids;
    assert_eq!(list(KeyKind::Reverse(Uid(9))), [1, 2]);
    assert_eq!((list(KeyKind::Count(2)), list(KeyKind::Count(1))), (vec![1], vec![2]));
    assert_eq!((list(KeyKind::CountReverse(2)), list(KeyKind::CountReverse(1))), (vec![9], vec![8]));
    commit(&store, vec![delete_all(1, "friend")]);
    assert_eq!(list(KeyKind::Reverse(Uid(9))), [2]);
    assert_eq!((list(KeyKind::Count(2)), list(KeyKind::CountReverse(2))), (vec![], vec![]));
    assert_eq!(list(KeyKind::CountReverse(1)), [9]);
}

#[test]
fn an_index_added_later_equals_one_that_was_there_from_the_start() {
    let load = |store: &Store| {
        for i in 1..200 {
            commit(store, vec![set(i, "name", &format!("n{}", i % 7)), link(EdgeOp::Set, i, "friend", i % 5 + 1)]);
        }
        commit(store, vec![delete_all(14, "name"), set(15, "name", "other"), link(EdgeOp::Delete, 3, "friend", 4)]);
    };
    let indexes = |store: &Store| {
        define(store, "name", string(&[Tokenizer::Exact, Tokenizer::Trigram]));
        define(store, "friend", edges());
    };
    let (before, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (first, later) = (open(before.path()), open(after.path()));
    indexes(&first);
    load(&first);
    define(&later, "name", string(&[]));
    define(&later, "friend", PredicateSchema { reverse: false, count: false, ..edges() });
    load(&later);
    let plain = dump(&later);
    indexes(&later);
    let ids = |dump: BTreeMap<Vec<u8>, PostingList>| {
        dump.into_iter().map(|(key, list)| (key, list.ids)).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(ids(dump(&first)), ids(dump(&later)));
    define(&later, "name", string(&[]));
    define(&later, "friend", PredicateSchema { reverse: false, count: false, ..edges() });
    assert_eq!(dump(&later), plain, "an index that was dropped leaves nothing");
}

#[test]
fn a_drop_takes_data_away_and_aborts_who_began_before() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    define(&store, "name", string(&[Tokenizer::Exact]));
    define(&store, "nick", string(&[]));
    commit(&store, vec![set(1, "name", "Ann"), set(1, "nick", "A")]);
    let open_txn = store.begin().unwrap();
    store.mutate(open_txn, vec![set(2, "nick", "B")]).unwrap();
    store.alter(Alter::Drop(DropOp::Predicate(Predicate::root("name")))).unwrap();
    assert!(matches!(store.commit(open_txn, &[]), Err(Error::Conflict { .. })));
    assert_eq!(dump(&store).len(), 1, "only the nick is left");
    assert!(store.schema().predicate(&Predicate::root("name")).is_none());
    store.alter(Alter::Drop(DropOp::All)).unwrap();
    assert!(dump(&store).is_empty() && store.schema().predicate(&Predicate::root("dgraph.type")).is_some());
    assert_eq!(
        store.snapshot().unwrap().drops(Ts::ZERO).unwrap(),
        [DropOp::Predicate(Predicate::root("name")), DropOp::All]
    );
}

#[test]
fn sweeping_changes_nothing_that_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), StoreOptions { log_bytes: 0, ..StoreOptions::default() }).unwrap();
    define(&store, "friend", edges());
    define(&store, "name", string(&[Tokenizer::Exact]));
    for i in 1..300u64 {
        commit(
            &store,
            vec![link(EdgeOp::Set, i % 9 + 1, "friend", i + 1000), set(i % 5 + 1, "name", &format!("v{}", i % 3))],
        );
    }
    let pinned = newest(&store);
    let before = dump(&store);
    let old = text(&pinned, 3, "name");
    commit(&store, vec![set(3, "name", "newer")]);
    store.sweep().unwrap();
    assert_eq!(text(&pinned, 3, "name"), old, "a pinned reader keeps its versions");
    drop(pinned);
    let friend = Key::data(&Predicate::root("friend"), Uid(1)).to_stored();
    assert_eq!(dump(&store)[&friend], before[&friend]);
    store.sweep().unwrap();
    assert_eq!(text(&newest(&store), 3, "name").as_deref(), Some("newer"));
    assert_eq!(found(&newest(&store), "name", "newer"), [3]);
    let unchanged = |dump: BTreeMap<Vec<u8>, PostingList>| {
        dump.into_iter().filter(|(key, _)| key[10..].starts_with(b"friend")).collect::<Vec<_>>()
    };
    assert_eq!(unchanged(dump(&store)), unchanged(before));
}

#[test]
fn changes_from_the_log_equal_changes_from_a_scan() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    define(&store, "friend", edges());
    define(&store, "name", string(&[Tokenizer::Exact]));
    for i in 1..100u64 {
        commit(&store, vec![link(EdgeOp::Set, i % 9 + 1, "friend", i + 1000), set(i, "name", &format!("v{}", i % 3))]);
    }
    let since = store.snapshot().unwrap().read_ts();
    commit(&store, vec![set(3, "name", "newer"), delete_all(4, "name"), delete_all(5, "friend")]);
    define(&store, "name", string(&[Tokenizer::Hash]));
    define(&store, "nick", string(&[]));
    commit(&store, vec![set(7, "name", "last"), set(200, "nick", "x")]);
    let snapshot = store.snapshot().unwrap();
    let collect = |from_log: bool| {
        let mut entries = Vec::new();
        let mut visit = |entry: graphdb_storage::ScanEntry<'_>| {
            let list = match entry.value {
                ScanValue::Empty => None,
                ScanValue::List(wire) => Some(PostingList::from_wire(wire).unwrap()),
            };
            entries.push((entry.key.to_vec(), entry.version, list));
            Ok::<_, Error>(())
        };
        if from_log {
            let Changes::Keys(keys) = snapshot.changes(since).unwrap() else { panic!("the log is whole") };
            snapshot.scan_changed(since, &keys, &mut visit).unwrap();
        } else {
            snapshot.scan_newer(since, &mut visit).unwrap();
        }
        assert!(entries.is_sorted_by(|a, b| a.0 < b.0));
        entries
    };
    let from_scan = collect(false);
    assert_eq!(collect(true), from_scan);
    assert!(from_scan.iter().any(|(_, _, list)| list.is_none()), "emptied lists are told");
}

#[test]
fn leases_are_never_given_twice_even_over_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut last = 0;
    for _ in 0..3 {
        let store = open(dir.path());
        let lease = store.lease(Leased::Uid, 700).unwrap();
        assert!(lease.first > last && lease.last == lease.first + 699);
        store.raise_lease(Leased::Uid, lease.last + 50).unwrap();
        last = store.lease(Leased::Uid, 1).unwrap().last;
        assert_eq!(last, lease.last + 51);
        assert!(matches!(store.lease(Leased::Uid, 0), Err(Error::NothingToLease)));
    }
}

#[test]
fn a_second_opener_and_a_foreign_directory_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let err = Store::open(dir.path(), StoreOptions::default()).unwrap_err();
    assert!(matches!(err, Error::Locked { .. }) && err.to_string().contains(&std::process::id().to_string()), "{err}");
    drop(store);
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("letter.txt"), "dear").unwrap();
    assert!(matches!(Store::open(other.path(), StoreOptions::default()), Err(Error::NotAStore { .. })));
    assert_eq!(std::fs::read(other.path().join("letter.txt")).unwrap(), b"dear");
}

#[test]
fn a_store_built_from_a_scan_is_equal_and_goes_on_above() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("a"));
    define(&store, "friend", edges());
    define(&store, "name", string(&[Tokenizer::Exact]));
    for i in 1..500u64 {
        commit(&store, vec![link(EdgeOp::Set, i, "friend", i + 1000), set(i, "name", &format!("v{}", i % 3))]);
    }
    let snapshot = store.snapshot().unwrap();
    let target = dir.path().join("b");
    let mut builder = StoreBuilder::create(&target, &BuildOptions { threads: 2, group: GroupId(1) }).unwrap();
    snapshot
        .scan_full(|entry| match entry.value {
            ScanValue::List(list) => builder.push(StoredEntry { key: entry.key, version: entry.version, list }),
            ScanValue::Empty => Ok(()),
        })
        .unwrap();
    let identity = store.identity();
    let schema = store.schema();
    let built = BuiltStore {
        identity: Identity::restored(&identity.database_id, identity.epoch, snapshot.read_ts(), 0),
        read_ts: snapshot.read_ts(),
        max_uid: 1499,
        max_namespace: 0,
        max_ts: snapshot.read_ts(),
        predicates: schema.predicates.iter().map(|(p, s)| (p.clone(), s.clone())).collect(),
        types: schema.types.iter().map(|(t, d)| (t.clone(), d.clone())).collect(),
    };
    builder.finish(&built).unwrap();
    let restored = open(&target);
    assert_eq!(dump(&restored), dump(&store));
    assert_eq!(restored.schema(), store.schema());
    assert_eq!(restored.read_ts(), snapshot.read_ts());
    assert!(restored.begin().unwrap() > snapshot.read_ts() && restored.lease(Leased::Uid, 1).unwrap().first == 1500);
    assert!(restored.identity().epoch > identity.epoch);
    let mut seen = Vec::new();
    commit(&restored, vec![set(1, "name", "after")]);
    restored
        .read_log(snapshot.read_ts(), |ts, record| {
            seen.push((ts, record.touched_keys.len()));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!(found(&newest(&restored), "name", "after"), [1]);
}

#[test]
fn a_scalar_that_becomes_a_list_keeps_its_value_as_a_list_item() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    define(&store, "nick", string(&[Tokenizer::Exact]));
    commit(&store, vec![set(1, "nick", "Al"), set(2, "nick", "Bo")]);
    define(&store, "nick", PredicateSchema { list: true, ..string(&[Tokenizer::Exact]) });
    commit(&store, vec![set(1, "nick", "Al"), set(1, "nick", "Allie")]);
    let key = Key::data(&Predicate::root("nick"), Uid(1));
    assert_eq!(newest(&store).list(&key).unwrap().len(), 2, "the value that was there is the same item");
    let gone = Edge { op: EdgeOp::Delete, ..set(2, "nick", "Bo") };
    commit(&store, vec![gone]);
    assert_eq!((found(&newest(&store), "nick", "Bo"), found(&newest(&store), "nick", "Al")), (vec![], vec![1]));
    let change = SchemaChange { predicates: vec![(Predicate::root("nick"), None)], types: vec![] };
    assert!(
        matches!(store.alter(Alter::Schema(change)), Err(Error::Refused { .. })),
        "its data would be lost to backups"
    );
}
