//! Faults that tests or readers found once; each test failed before its fix.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use graphdb_storage::{Alter, Edge, EdgeObject, EdgeOp, Error, SchemaChange, Store, StoreOptions};
use graphdb_types::{Key, Predicate, PredicateSchema, Tokenizer, Uid, ValType, Value};

fn open(dir: &Path) -> Arc<Store> {
    Store::open(dir, StoreOptions::default()).unwrap()
}

fn define(store: &Store, name: &str, list: bool) {
    let schema = PredicateSchema {
        value_type: ValType::String,
        tokenizers: vec![Tokenizer::Exact],
        list,
        ..PredicateSchema::default()
    };
    let change = SchemaChange { predicates: vec![(Predicate::root(name), Some(schema))], types: vec![] };
    store.alter(Alter::Schema(change)).unwrap();
}

fn edge(op: EdgeOp, predicate: &str, text: &str) -> Edge {
    let object = EdgeObject::Value { value: Value::String(text.into()), lang: String::new() };
    Edge { op, subject: Uid(1), predicate: Predicate::root(predicate), object, facets: vec![] }
}

fn set(predicate: &str, text: &str) -> Edge {
    edge(EdgeOp::Set, predicate, text)
}

fn commit(store: &Store, edges: Vec<Edge>) {
    store.commit_now(store.begin().unwrap(), edges).unwrap();
}

fn found(store: &Store, predicate: &str, value: &str) -> bool {
    let term = [&[Tokenizer::Exact.id()], value.as_bytes()].concat();
    let view = store.view(store.read_ts()).unwrap();
    !view.list(&Key::index(&Predicate::root(predicate), term)).unwrap().is_empty()
}

fn values(store: &Store, predicate: &str) -> Vec<String> {
    let view = store.view(store.read_ts()).unwrap();
    let list = view.list(&Key::data(&Predicate::root(predicate), Uid(1))).unwrap();
    list.postings.into_iter().map(|posting| String::from_utf8(posting.value).unwrap()).collect()
}

#[test]
fn a_value_that_is_replaced_within_its_transaction_is_not_indexed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    define(&store, "name", false);
    commit(&store, vec![set("name", "first"), set("name", "second")]);
    assert!(found(&store, "name", "second") && !found(&store, "name", "first"));
    commit(&store, vec![set("name", "third"), set("name", "second")]);
    assert!(found(&store, "name", "second") && !found(&store, "name", "third"));
}

#[test]
fn a_list_value_that_is_deleted_within_its_transaction_is_not_indexed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    define(&store, "alias", true);
    commit(&store, vec![set("alias", "kept")]);
    commit(&store, vec![set("alias", "gone"), edge(EdgeOp::Delete, "alias", "gone")]);
    assert!(found(&store, "alias", "kept") && !found(&store, "alias", "gone"));
}

#[test]
fn a_transaction_that_was_aborted_takes_no_more_writes() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    define(&store, "name", false);
    define(&store, "alias", true);
    for end in [true, false] {
        let txn = store.begin().unwrap();
        store.mutate(txn, vec![set("alias", "half")]).unwrap();
        if end {
            store.abort(txn);
        } else {
            store.commit(txn, &[]).unwrap();
        }
        assert!(matches!(store.mutate(txn, vec![set("name", "other half")]), Err(Error::Conflict { .. })));
        assert!(matches!(store.commit_now(txn, vec![set("name", "other half")]), Err(Error::Conflict { .. })));
        assert_eq!(values(&store, "name"), [""; 0], "half of a transaction");
    }
}

#[test]
fn a_transaction_that_expired_long_ago_does_not_commit_as_if_it_had_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions { abort_after: Duration::ZERO, sync: false, ..StoreOptions::default() };
    let store = Store::open(dir.path(), options).unwrap();
    define(&store, "name", false);
    let txn = store.begin().unwrap();
    store.mutate(txn, vec![set("name", "lost")]).unwrap();
    std::thread::sleep(Duration::from_millis(2));
    store.sweep().unwrap();
    for _ in 0..10_001 {
        store.abort(store.begin().unwrap());
    }
    assert!(matches!(store.commit(txn, &[]), Err(Error::Conflict { .. })), "acknowledged, and nothing was written");
}

#[test]
fn a_store_whose_creation_was_interrupted_is_created_again() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["LOCK", "LOG", "IDENTITY", "MANIFEST-000001", "000001.dbtmp"] {
        fs::write(dir.path().join(name), "").unwrap();
    }
    let store = open(dir.path());
    define(&store, "name", false);
    drop(store);
    open(dir.path());
    fs::remove_file(dir.path().join("group_id")).unwrap();
    let refused = Store::open(dir.path(), StoreOptions::default());
    assert!(refused.is_err(), "a store with commits and without its group is damaged, not fresh");
}
