//! Stores, destinations and comparisons that the tests share.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use graphdb_archive::SealedManifest;
use graphdb_backup::{
    BackupContext, EncryptionKey, Error, Progress, RestoreReport, SeriesRequest, SeriesSource, backup_to,
    restore_groups,
};
use graphdb_destination::{Destination, ObjectName, Put};
use graphdb_storage::{Alter, Edge, EdgeObject, EdgeOp, Leased, ScanValue, SchemaChange, Store, StoreOptions, View};
use graphdb_types::{Key, KeyKind, PostingList, Predicate, PredicateSchema, Tokenizer, Ts, Uid, ValType, Value};
use tempfile::TempDir;

use crate::model::{Lists, Model};

/// A directory in memory where there is one: nothing here is about the disk.
pub(crate) fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

/// No sweep comes unasked, so that a history is the same each time.
pub(crate) fn store_options() -> StoreOptions {
    StoreOptions {
        cache_bytes: 8 << 20,
        sync: false,
        sweep_every: Duration::from_secs(3600),
        ..StoreOptions::default()
    }
}

pub(crate) fn open_store(dir: &Path) -> Arc<Store> {
    Store::open(dir, store_options()).unwrap()
}

pub(crate) fn define(store: &Store, predicates: &[(&str, PredicateSchema)]) {
    let predicates = predicates.iter().map(|(name, schema)| (Predicate::root(name), Some(schema.clone()))).collect();
    store.alter(Alter::Schema(SchemaChange { predicates, types: vec![] })).unwrap();
}

pub(crate) fn indexed_string() -> PredicateSchema {
    let tokenizers = vec![Tokenizer::Exact, Tokenizer::Term];
    PredicateSchema { value_type: ValType::String, tokenizers, ..PredicateSchema::default() }
}

pub(crate) fn links() -> PredicateSchema {
    PredicateSchema { value_type: ValType::Uid, list: true, reverse: true, count: true, ..PredicateSchema::default() }
}

pub(crate) fn set(subject: u64, predicate: &str, text: &str) -> Edge {
    let object = EdgeObject::Value { value: Value::String(text.into()), lang: String::new() };
    Edge { op: EdgeOp::Set, subject: Uid(subject), predicate: Predicate::root(predicate), object, facets: vec![] }
}

pub(crate) fn link(subject: u64, predicate: &str, object: u64) -> Edge {
    let (predicate, object) = (Predicate::root(predicate), EdgeObject::Uid(Uid(object)));
    Edge { op: EdgeOp::Set, subject: Uid(subject), predicate, object, facets: vec![] }
}

pub(crate) fn delete_all(subject: u64, predicate: &str) -> Edge {
    let (predicate, object) = (Predicate::root(predicate), EdgeObject::Star { lang: None });
    Edge { op: EdgeOp::Delete, subject: Uid(subject), predicate, object, facets: vec![] }
}

pub(crate) fn commit(store: &Store, edges: Vec<Edge>) -> Ts {
    store.commit_now(store.begin().unwrap(), edges).unwrap().commit_ts
}

pub(crate) fn key(bytes: usize) -> Arc<EncryptionKey> {
    let secret: Vec<u8> = (0..bytes as u8).map(|i| i.wrapping_mul(37)).collect();
    Arc::new(EncryptionKey::new(&secret).unwrap())
}

pub(crate) fn context(key: Option<Arc<EncryptionKey>>) -> BackupContext {
    BackupContext { key, ..BackupContext::default() }
}

pub(crate) async fn back_up(
    store: &Arc<Store>,
    place: &Arc<dyn Destination>,
    key: Option<Arc<EncryptionKey>>,
    force_full: bool,
) -> Result<SealedManifest, Error> {
    backup_to(store, place, &context(key), force_full, &Progress::default()).await
}

pub(crate) fn newest(key: Option<Arc<EncryptionKey>>) -> SeriesRequest {
    SeriesRequest { location: "already open".into(), key, ..SeriesRequest::default() }
}

pub(crate) async fn restore(
    place: &Arc<dyn Destination>,
    request: &SeriesRequest,
    parent: &Path,
) -> Result<RestoreReport, Error> {
    let source = SeriesSource::prove_at(Arc::clone(place), request).await?;
    restore_groups(&source, parent, &Progress::default()).await
}

/// Restores into a scratch directory and dumps what came out.
pub(crate) async fn restored_lists(place: &Arc<dyn Destination>, request: &SeriesRequest) -> Result<Lists, Error> {
    let dir = scratch();
    restore(place, request, dir.path()).await?;
    Ok(dump(&open_store(&dir.path().join("p1"))))
}

/// Everything at a destination, by name.
pub(crate) async fn objects(place: &dyn Destination) -> Vec<(ObjectName, Bytes)> {
    let mut objects = Vec::new();
    for meta in place.list("").await.unwrap() {
        let body = place.get(&meta.name, u64::MAX).await.unwrap();
        objects.push((meta.name, body));
    }
    objects
}

pub(crate) async fn replace(place: &dyn Destination, name: &ObjectName, body: impl Into<Bytes>) {
    place.put(name, body.into(), Put::Replace).await.unwrap();
}

/// What a directory holds, sorted.
pub(crate) fn entries(dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// An error with its causes.
pub(crate) fn describe(err: &dyn std::error::Error) -> String {
    let mut text = err.to_string();
    let mut source = err.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn untimed(mut list: PostingList, read_ts: Ts) -> PostingList {
    for posting in &mut list.postings {
        assert!((1..=read_ts.0).contains(&posting.commit_ts), "a posting of {}", posting.commit_ts);
        posting.commit_ts = 0;
    }
    list
}

/// Every list of the store.
pub(crate) fn dump(store: &Store) -> Lists {
    let snapshot = store.snapshot().unwrap();
    let mut lists = Lists::new();
    let take = |entry: graphdb_storage::ScanEntry<'_>| {
        let ScanValue::List(wire) = entry.value else { panic!("a full scan shows no empty lists") };
        let list = untimed(PostingList::from_wire(wire).unwrap(), snapshot.read_ts());
        lists.insert(Key::from_stored(entry.key).unwrap(), list);
        Ok::<_, graphdb_storage::Error>(())
    };
    snapshot.scan_full(take).unwrap();
    lists
}

/// Every list that a view's scans show, over the predicates of its schema.
pub(crate) fn seen(view: &View) -> Result<Lists, graphdb_storage::Error> {
    let mut lists = Lists::new();
    let mut put = |predicate: &Predicate, kind, list: &PostingList| {
        lists.insert(Key { predicate: predicate.clone(), kind }, untimed(list.clone(), view.read_ts()));
        ControlFlow::Continue(())
    };
    let last_term = vec![0xff; 400];
    for predicate in view.schema().predicates.keys() {
        view.scan_data(predicate, Uid(0), &mut |uid, list| put(predicate, KeyKind::Data(uid), list))?;
        view.scan_reverse(predicate, Uid(0), &mut |uid, list| put(predicate, KeyKind::Reverse(uid), list))?;
        for descending in [false, true] {
            view.scan_index(predicate, &[], &last_term, descending, &mut |term, list| {
                put(predicate, KeyKind::Index(term.to_vec()), list)
            })?;
        }
        for (of_reverse, kind) in [(false, KeyKind::Count as fn(u32) -> KeyKind), (true, KeyKind::CountReverse)] {
            view.scan_counts(predicate, of_reverse, 0..=u32::MAX, &mut |n, list| put(predicate, kind(n), list))?;
        }
    }
    Ok(lists)
}

/// Compares both ways and names the first lists that differ.
pub(crate) fn assert_lists(found: &Lists, expected: &Lists, what: &str) {
    if found == expected {
        return;
    }
    let missing = expected.iter().filter(|(key, _)| !found.contains_key(key)).map(|(key, list)| ("missing", key, list));
    let extra = found.iter().filter(|(key, _)| !expected.contains_key(key)).map(|(key, list)| ("extra", key, list));
    let other = found.iter().filter(|(key, list)| expected.get(*key).is_some_and(|e| e != *list));
    let other = other.flat_map(|(key, list)| [("found", key, list), ("expected", key, &expected[key])]);
    let differences: Vec<_> = missing.chain(extra).chain(other).collect();
    panic!("{what}: {} differences, the first are {:#?}", differences.len(), &differences[..differences.len().min(6)]);
}

/// The store equals the model: lists both ways, schema, types, and no uid of it is handed out again.
pub(crate) fn assert_store(store: &Store, model: &Model, what: &str) {
    assert_lists(&dump(store), &model.lists(), what);
    assert_eq!(*store.schema(), model.schema, "{what}");
    assert!(store.group().0 == 1, "{what}");
}

pub(crate) fn assert_leases(store: &Store, model: &Model, read_ts: Ts, what: &str) {
    assert!(store.next_id(Leased::Uid) > model.max_uid, "{what}: uid {:#x} could be given out again", model.max_uid);
    assert!(store.begin().unwrap() > read_ts, "{what}: timestamps go on above");
}
