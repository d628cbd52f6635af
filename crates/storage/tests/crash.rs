//! Kills a process at random moments: what it was told is committed is there, whole, and nothing else; ids are not given twice.
//!
//! The process is this test binary, started again with `GRAPHDB_CRASH_DIR` set: it then plays [`child`] and prints what was acknowledged.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use graphdb_storage::{Alter, Edge, EdgeObject, EdgeOp, Leased, SchemaChange, Store, StoreOptions};
use graphdb_types::{Key, KeyKind, Predicate, PredicateSchema, Tokenizer, Uid, ValType, Value};

const DIR: &str = "GRAPHDB_CRASH_DIR";

/// What the process does beside committing.
const WORK: &str = "GRAPHDB_CRASH_WORK";

/// A node that changes in every commit, so that there is something to sweep.
const HOT: u64 = 1 << 60;

/// Edges of one commit: all are there, or none.
const EDGES: u64 = 7;

fn set(subject: u64, predicate: &str, text: String) -> Edge {
    let object = EdgeObject::Value { value: Value::String(text), lang: String::new() };
    Edge { op: EdgeOp::Set, subject: Uid(subject), predicate: Predicate::root(predicate), object, facets: vec![] }
}

fn schema(tokenizers: &[Tokenizer]) -> PredicateSchema {
    PredicateSchema { value_type: ValType::String, tokenizers: tokenizers.to_vec(), ..PredicateSchema::default() }
}

fn define(store: &Store, tokenizers: &[Tokenizer]) {
    let both = ["name", "other"].map(|name| (Predicate::root(name), Some(schema(tokenizers))));
    store.alter(Alter::Schema(SchemaChange { predicates: both.into(), types: vec![] })).unwrap();
}

fn open(dir: &Path) -> Arc<Store> {
    Store::open(dir, StoreOptions::default()).unwrap()
}

/// Commits until killed; one line for each acknowledged commit: the commit, its first uid and its timestamp.
fn child(dir: &Path, work: &str) {
    let store = open(dir);
    if store.schema().predicate(&Predicate::root("name")).is_none() {
        define(&store, &[]);
    }
    println!("open");
    let side = {
        let (store, work) = (Arc::clone(&store), work.to_owned());
        thread::spawn(move || {
            for turn in 0.. {
                match (work.as_str(), turn % 2) {
                    ("index", 0) => define(&store, &[Tokenizer::Exact, Tokenizer::Trigram]),
                    ("index", _) => define(&store, &[]),
                    ("sweep", _) => store.sweep().unwrap(),
                    _ => return,
                }
            }
        })
    };
    for _ in 0.. {
        let lease = store.lease(Leased::Uid, EDGES).unwrap();
        let mut edges = vec![set(HOT, "name", format!("at {}", lease.first))];
        edges.extend((lease.first..=lease.last).map(|uid| set(uid, "name", format!("of {}", lease.first))));
        edges.push(set(lease.first, "other", format!("of {}", lease.first)));
        let outcome = store.commit_now(store.begin().unwrap(), edges).unwrap();
        println!("{} {}", lease.first, outcome.commit_ts);
        std::io::stdout().flush().unwrap();
    }
    side.join().unwrap();
}

/// What the killed processes said.
#[derive(Default)]
struct Heard {
    acknowledged: Vec<(u64, u64)>,
}

impl Heard {
    /// Starts the process, lets it work for a while, kills it, and notes whole lines of what it said.
    fn run(&mut self, dir: &Path, work: &str, millis: u64) {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["the_process_that_is_killed", "--exact", "--nocapture", "--test-threads=1"])
            .env(DIR, dir)
            .env(WORK, work)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        while !lines.next().unwrap().unwrap().ends_with("open") {}
        thread::sleep(Duration::from_millis(millis));
        process.kill().unwrap();
        process.wait().unwrap();
        for line in lines.map_while(Result::ok) {
            if let Some((first, ts)) = line.split_once(' ') {
                self.acknowledged.push((first.parse().unwrap(), ts.parse().unwrap()));
            }
        }
    }

    /// Opens the store and compares.
    fn check(&self, dir: &Path) {
        let unique: BTreeSet<u64> = self.acknowledged.iter().map(|(first, _)| *first).collect();
        assert_eq!(unique.len(), self.acknowledged.len(), "a uid was given twice");
        assert!(self.acknowledged.is_sorted_by(|a, b| a.1 < b.1), "timestamps ascend over lives");
        let store = open(dir);
        let view = store.view(store.read_ts()).unwrap();
        let name = Predicate::root("name");
        let text = |predicate: &Predicate, uid| {
            let list = view.list(&Key::data(predicate, Uid(uid))).unwrap();
            list.postings.first().map(|posting| String::from_utf8(posting.value.clone()).unwrap())
        };
        for (first, ts) in &self.acknowledged {
            for uid in *first..first + EDGES {
                assert_eq!(text(&name, uid), Some(format!("of {first}")), "commit {ts} was acknowledged");
            }
            assert_eq!(text(&Predicate::root("other"), *first), Some(format!("of {first}")));
        }
        let mut of = std::collections::BTreeMap::<String, u64>::new();
        view.scan_data(&name, Uid(0), &mut |uid, list| {
            if uid.0 == HOT {
                return ControlFlow::Continue(());
            }
            *of.entry(String::from_utf8(list.postings[0].value.clone()).unwrap()).or_default() += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
        assert!(of.values().all(|count| *count == EDGES), "half a commit");
        if let Some((last, _)) = self.acknowledged.last() {
            let newest: u64 = text(&name, HOT).unwrap().trim_start_matches("at ").parse().unwrap();
            assert!(newest >= *last, "the newest commit that was acknowledged, or one that was about to be");
        }
        self.check_index(&store);
        let lease = store.lease(Leased::Uid, 1).unwrap();
        assert!(unique.last().is_none_or(|last| lease.first > last + EDGES - 1), "a uid would be given twice");
        assert!(self.acknowledged.last().is_none_or(|(_, ts)| store.begin().unwrap().0 > *ts));
    }

    /// The index is exactly what the schema says, whatever was being built: it equals one that is built from nothing.
    fn check_index(&self, store: &Store) {
        let before = index_keys(store);
        let tokenizers = store.schema().predicate(&Predicate::root("name")).unwrap().tokenizers.clone();
        assert!(!tokenizers.is_empty() || before.is_empty(), "an index without a schema: {} lists", before.len());
        define(store, &[]);
        assert!(index_keys(store).is_empty());
        define(store, &tokenizers);
        assert!(index_keys(store) == before, "the index is not that of the data");
    }
}

/// Keys and uids of every index list.
fn index_keys(store: &Store) -> BTreeSet<(Vec<u8>, Vec<u64>)> {
    let mut keys = BTreeSet::new();
    let view = store.view(store.read_ts()).unwrap();
    for name in ["name", "other"] {
        view.scan_index(&Predicate::root(name), &[], &[0xff; 64], false, &mut |term, list| {
            let key = Key { predicate: Predicate::root(name), kind: KeyKind::Index(term.to_vec()) };
            keys.insert((key.to_stored(), list.ids.clone()));
            ControlFlow::Continue(())
        })
        .unwrap();
    }
    keys
}

/// No test of its own: what the others start and kill.
#[test]
fn the_process_that_is_killed() {
    if let Ok(dir) = env::var(DIR) {
        child(Path::new(&dir), &env::var(WORK).unwrap());
    }
}

fn kill_again_and_again(work: &str) {
    let dir = tempfile::tempdir().unwrap();
    let mut heard = Heard::default();
    for round in 0..6u64 {
        // A different moment each time, with no clock and no dice.
        heard.run(dir.path(), work, 15 + round * 97 % 260);
        heard.check(dir.path());
    }
    assert!(!heard.acknowledged.is_empty(), "nothing was committed, so nothing was tested");
    println!("{work}: {} commits acknowledged over 6 lives", heard.acknowledged.len());
}

#[test]
fn a_killed_process_loses_nothing_that_it_acknowledged() {
    kill_again_and_again("commit");
}

#[test]
fn a_process_killed_while_it_builds_indexes_leaves_no_half_index() {
    kill_again_and_again("index");
}

#[test]
fn a_process_killed_while_it_sweeps_loses_nothing() {
    kill_again_and_again("sweep");
}

#[test]
fn a_process_killed_while_it_creates_its_store_leaves_something_that_opens() {
    for millis in [0, 2, 5, 9, 14, 20, 30] {
        let dir = tempfile::tempdir().unwrap();
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["the_process_that_is_killed", "--exact", "--nocapture", "--test-threads=1"])
            .env(DIR, dir.path())
            .env(WORK, "commit")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(millis));
        process.kill().unwrap();
        process.wait().unwrap();
        define(&open(dir.path()), &[]);
    }
}
