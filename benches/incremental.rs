//! An incremental of 1 % changed keys in a store of five million, against a full backup of it.

use std::path::Path;
use std::sync::Arc;

use graphdb_backup::{BackupRequest, BackupTerms, Progress, backup};
use graphdb_storage::{
    Alter, BuildOptions, BuiltStore, Edge, EdgeObject, EdgeOp, Identity, SchemaChange, Store, StoreBuilder,
    StoreOptions, StoredEntry,
};
use graphdb_types::{
    GroupId, Key, Posting, PostingList, Predicate, PredicateSchema, Ts, Uid, VALUE_UID, ValType, Value,
};

use crate::full::best_of;
use crate::graph::context;
use crate::table::Table;

const KEYS: u64 = 5_000_000;
const CHANGED: u64 = KEYS / 100;

pub(crate) fn measure(table: &mut Table) {
    println!("incremental of 1 % of {KEYS} keys");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let store = five_million(&dir.path().join("p"));
    let request = |force_full| BackupRequest {
        destination: dir.path().join("backups").display().to_string().into(),
        terms: BackupTerms { force_full, compat: None },
    };
    let full = best_of(1, || {
        runtime.block_on(backup(&store, &context(), &request(true), &Progress::default())).unwrap();
    });
    let mut incremental = f64::INFINITY;
    for round in 0..3 {
        change(&store, round);
        let mut entries = 0;
        incremental = incremental.min(best_of(1, || {
            let sealed = runtime.block_on(backup(&store, &context(), &request(false), &Progress::default())).unwrap();
            entries = sealed.manifest().groups.values().map(|group| group.archive.entries).sum();
        }));
        assert!((CHANGED..CHANGED + 10).contains(&entries), "{entries} entries");
    }
    table.add(
        "incremental of 1 %",
        format!("{incremental:.3} s, the full {full:.2} s"),
        format!("{:.0}x faster than the full", full / incremental),
        "20x",
    );
}

fn predicate() -> Predicate {
    Predicate::root("note")
}

fn text(uid: u64, round: u64) -> String {
    format!("note {round} of node {uid}, {:x}", uid.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn five_million(dir: &Path) -> Arc<Store> {
    let mut builder = StoreBuilder::create(dir, &BuildOptions { threads: 2, group: GroupId(1) }).unwrap();
    for uid in 1..=KEYS {
        let posting = Posting {
            id: VALUE_UID,
            value: text(uid, 0).into_bytes(),
            val_type: ValType::String,
            commit_ts: 9,
            ..Posting::default()
        };
        let key = Key::data(&predicate(), Uid(uid)).to_stored();
        let list = PostingList::of_postings(vec![posting]).to_wire();
        builder.push(StoredEntry { key: &key, version: Ts(9), list: &list }).unwrap();
    }
    let schema = PredicateSchema { value_type: ValType::String, ..PredicateSchema::default() };
    builder
        .finish(&BuiltStore {
            identity: Identity::restored("benchmark", 0, Ts(9), 0),
            read_ts: Ts(9),
            max_uid: KEYS,
            max_namespace: 0,
            max_ts: Ts(9),
            predicates: vec![(predicate(), schema.clone())],
            types: vec![],
        })
        .unwrap();
    let store = Store::open(dir, StoreOptions::default()).unwrap();
    let change = SchemaChange { predicates: vec![(predicate(), Some(schema))], types: vec![] };
    store.alter(Alter::Schema(change)).unwrap();
    store
}

/// Changes one key in a hundred, all over the store.
fn change(store: &Store, round: u64) {
    let uids: Vec<u64> = (0..CHANGED).map(|i| i * (KEYS / CHANGED) + 1 + round).collect();
    for batch in uids.chunks(1000) {
        let edge = |uid: &u64| Edge {
            op: EdgeOp::Set,
            subject: Uid(*uid),
            predicate: predicate(),
            object: EdgeObject::Value { value: Value::String(text(*uid, round + 1)), lang: String::new() },
            facets: vec![],
        };
        store.commit_now(store.begin().unwrap(), batch.iter().map(edge).collect()).unwrap();
    }
}
