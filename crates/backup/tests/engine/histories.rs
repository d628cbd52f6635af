//! Random histories against a model: whatever happened to a database, each backup of it restores to what it was.
//!
//! `PROPTEST_CASES` sets how many histories, `SEED` (a number) which ones; a failure prints both the seed and the shortest history.

use std::collections::BTreeMap;
use std::sync::Arc;

use graphdb_backup::EncryptionKey;
use graphdb_destination::{Destination, MemoryDestination};
use graphdb_storage::{Alter, Edge, EdgeObject, EdgeOp, Error, Leased, SchemaChange, Store, StoreOptions, View};
use graphdb_types::value::Geo;
use graphdb_types::{
    DropOp, Facet, FacetType, Predicate, PredicateSchema, Tokenizer, Ts, TypeDef, Uid, ValType, Value,
};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::model::Model;
use crate::support::{
    assert_leases, assert_lists, assert_store, back_up, newest, open_store, restore, scratch, seen, store_options,
};

const DEFAULT_CASES: u32 = 40;
const DEFAULT_SEED: u64 = 20_260_104;

/// One thing that happens to a database.
#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Edge>),
    /// Both begin, then the first commits, then the second, which may conflict.
    Race(Vec<Edge>, Vec<Edge>),
    Abort(Vec<Edge>),
    /// Many edges of one node, so that its list is stored in pieces.
    Hub {
        subject: u64,
        from: u64,
        count: u64,
    },
    Define(Vec<(&'static str, PredicateSchema)>),
    DefineType(&'static str, Option<Vec<&'static str>>),
    Drop(DropOp),
    Sweep {
        flush: bool,
    },
    Reopen,
    /// A reader begins, and stays until the next reopening.
    Pin,
    Backup {
        place: usize,
        force_full: bool,
    },
}

/// The predicates of the histories: name, type, whether a list, which indexes it may have.
const PREDICATES: [(&str, ValType, bool, &[Tokenizer]); 9] = [
    (
        "name",
        ValType::String,
        false,
        &[Tokenizer::Exact, Tokenizer::Hash, Tokenizer::Term, Tokenizer::Trigram, Tokenizer::FullText],
    ),
    ("alias", ValType::String, true, &[Tokenizer::Exact, Tokenizer::Term]),
    ("age", ValType::Int, false, &[Tokenizer::Int]),
    ("score", ValType::Float, false, &[Tokenizer::Float]),
    ("alive", ValType::Bool, false, &[Tokenizer::Bool]),
    ("born", ValType::DateTime, false, &[Tokenizer::Year, Tokenizer::Hour]),
    ("place", ValType::Geo, false, &[Tokenizer::Geo]),
    ("boss", ValType::Uid, false, &[]),
    ("friend", ValType::Uid, true, &[]),
];

const TEXTS: [&str; 8] =
    ["", "a", "Ann", "The quick brown foxes", "the Quick fox", "Über straße 東京", "nul\0byte", "a\u{1}b"];
const LANGUAGES: [&str; 3] = ["en", "de", "ja"];

fn schema(row: usize) -> impl Strategy<Value = (&'static str, PredicateSchema)> {
    let (name, value_type, list, tokenizers) = PREDICATES[row];
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (subsequence(tokenizers.to_vec(), 0..=tokenizers.len()), flags).prop_map(
        move |(tokenizers, (count, reverse, lang, upsert))| {
            let schema = PredicateSchema {
                value_type,
                list,
                upsert: upsert && !tokenizers.is_empty(),
                tokenizers,
                reverse: reverse && value_type == ValType::Uid,
                count,
                lang: lang && name == "name",
                no_conflict: false,
                unique: false,
                vector_indexes: Vec::new(),
            };
            (name, schema)
        },
    )
}

fn uid() -> impl Strategy<Value = u64> {
    prop_oneof![20 => 1..=40u64, 1 => select(vec![0x7fff_ffff_ffffu64, u64::MAX - 1])]
}

fn value(value_type: ValType) -> BoxedStrategy<Value> {
    match value_type {
        ValType::Int => select(vec![i64::MIN, -3, 0, 7, i64::MAX]).prop_map(Value::Int).boxed(),
        ValType::Float => select(vec![-1.5, 0.0, 0.25, 1e300]).prop_map(Value::Float).boxed(),
        ValType::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        ValType::DateTime => select(vec!["2006-01-02T15:04:05Z", "1999-12-31T23:00:00-05:00", "2026-02-03"])
            .prop_map(|text| Value::parse(ValType::DateTime, text).unwrap())
            .boxed(),
        ValType::Geo => {
            select(vec![[13.4, 52.5], [-122.08, 37.38], [0.0, 0.0]]).prop_map(|at| Value::Geo(Geo::Point(at))).boxed()
        }
        _ => prop_oneof![select(TEXTS.to_vec()).prop_map(str::to_owned), Just("long ".repeat(80))]
            .prop_map(Value::String)
            .boxed(),
    }
}

fn facets() -> impl Strategy<Value = Vec<Facet>> {
    let since = |n: i64| Facet {
        key: "since".into(),
        value: Value::Int(n).to_bytes(),
        val_type: FacetType::Int,
        tokens: vec![],
    };
    let close = Facet { key: "close".into(), value: vec![1], val_type: FacetType::Bool, tokens: vec![] };
    prop_oneof![
        3 => Just(vec![]),
        1 => (0..3i64).prop_map(move |n| vec![since(n)]),
        1 => Just(vec![close, since(9)]),
    ]
}

/// A set of anything, or a deletion: of all, of one value or edge, of one language.
fn edge_of(row: usize) -> BoxedStrategy<Edge> {
    let (name, value_type, list, _) = PREDICATES[row];
    let object = if value_type == ValType::Uid {
        uid().prop_map(|uid| EdgeObject::Uid(Uid(uid))).boxed()
    } else {
        let lang = if name == "name" {
            prop_oneof![2 => Just(""), 1 => select(LANGUAGES.to_vec())].boxed()
        } else {
            Just("").boxed()
        };
        (value(value_type), lang).prop_map(|(value, lang)| EdgeObject::Value { value, lang: lang.into() }).boxed()
    };
    let predicate = Predicate::root(name);
    (uid(), object, facets(), 0..12u8)
        .prop_map(move |(subject, object, facets, what)| {
            let one_language = name == "name" && !list && what == 0;
            let (op, object) = match what {
                0 if one_language => (EdgeOp::Delete, EdgeObject::Star { lang: Some("de".into()) }),
                0 | 1 => (EdgeOp::Delete, EdgeObject::Star { lang: None }),
                2..=4 => (EdgeOp::Delete, object),
                _ => (EdgeOp::Set, object),
            };
            let facets = if op == EdgeOp::Set { facets } else { vec![] };
            Edge { op, subject: Uid(subject), predicate: predicate.clone(), object, facets }
        })
        .boxed()
}

fn edge() -> impl Strategy<Value = Edge> {
    let typed = (uid(), select(vec!["Person", "Film"]), any::<bool>()).prop_map(|(subject, name, set)| Edge {
        op: if set { EdgeOp::Set } else { EdgeOp::Delete },
        subject: Uid(subject),
        predicate: Predicate::root("dgraph.type"),
        object: EdgeObject::Value { value: Value::String(name.into()), lang: String::new() },
        facets: vec![],
    });
    // Names and edges have the most rules.
    let rows = vec![0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 7, 8, 8, 8];
    prop_oneof![9 => select(rows).prop_flat_map(edge_of), 1 => typed]
}

fn edges() -> impl Strategy<Value = Vec<Edge>> {
    prop_oneof![
        2 => prop::collection::vec(edge(), 1..12),
        // Several changes of one node and predicate within a transaction.
        1 => (prop::collection::vec(edge(), 1..4), prop::collection::vec(edge_of(0), 2..5), 1..=3u64).prop_map(
            |(mut edges, mut same, subject)| {
                same.iter_mut().for_each(|edge| edge.subject = Uid(subject));
                edges.append(&mut same);
                edges
            }
        ),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let define = prop::collection::vec((0..PREDICATES.len()).prop_flat_map(schema), 1..4).prop_map(|mut predicates| {
        predicates.sort_by_key(|(name, _)| *name);
        predicates.dedup_by_key(|(name, _)| *name);
        Step::Define(predicates)
    });
    let fields = prop::option::of(subsequence(vec!["name", "friend", "~friend"], 0..3));
    let define_type =
        (select(vec!["Person", "Film"]), fields).prop_map(|(name, fields)| Step::DefineType(name, fields));
    let dropped = prop_oneof![
        6 => select(PREDICATES.map(|row| row.0).to_vec()).prop_map(|name| DropOp::Predicate(Predicate::root(name))),
        1 => Just(DropOp::Data),
        1 => Just(DropOp::All),
    ];
    prop_oneof![
        30 => edges().prop_map(Step::Commit),
        3 => (edges(), edges()).prop_map(|(a, b)| Step::Race(a, b)),
        2 => edges().prop_map(Step::Abort),
        2 => (1..4u64, 1000..1060u64, 60..90u64).prop_map(|(subject, from, count)| Step::Hub { subject, from, count }),
        6 => define,
        1 => define_type,
        2 => dropped.prop_map(Step::Drop),
        2 => any::<bool>().prop_map(|flush| Step::Sweep { flush }),
        1 => Just(Step::Reopen),
        1 => Just(Step::Pin),
        8 => (0..2usize, 0..6u8).prop_map(|(place, n)| Step::Backup { place, force_full: n == 0 }),
    ]
}

#[derive(Clone, Debug)]
struct History {
    /// Whether sweeps cut the commit log off, so that increments have to look at every list.
    short_log: bool,
    /// Bytes of the key of each place; 0 for none.
    keys: [usize; 2],
    schema: Vec<(&'static str, PredicateSchema)>,
    steps: Vec<Step>,
}

fn history() -> impl Strategy<Value = History> {
    let keys = || select(vec![0, 0, 16, 24, 32]);
    let schema: Vec<_> = (0..PREDICATES.len()).map(schema).collect();
    (any::<bool>(), [keys(), keys()], schema, prop::collection::vec(step(), 10..45))
        .prop_map(|(short_log, keys, schema, steps)| History { short_log, keys, schema, steps })
}

/// One backup, and what the database was when it was taken.
struct Taken {
    place: usize,
    backup_id: String,
    backup_num: u64,
    read_ts: Ts,
    model: Model,
}

/// A history that is being told.
struct Teller<'a> {
    runtime: &'a Runtime,
    dir: TempDir,
    options: StoreOptions,
    /// `None` only while it is reopened.
    store: Option<Arc<Store>>,
    model: Model,
    /// The model after each commit that can still be read.
    past: BTreeMap<Ts, Model>,
    pinned: Vec<(View, Model)>,
    places: [Arc<dyn Destination>; 2],
    keys: [Option<Arc<EncryptionKey>>; 2],
    /// Whether a place has a series that this database continues.
    begun: [bool; 2],
    taken: Vec<Taken>,
}

impl Teller<'_> {
    fn store(&self) -> &Arc<Store> {
        self.store.as_ref().expect("the store is open between steps")
    }

    fn tell(&mut self, step: Step) {
        match step {
            Step::Commit(edges) => {
                self.raise_lease(&edges);
                let start_ts = self.store().begin().unwrap();
                let outcome = self.store().commit_now(start_ts, edges.clone());
                self.committed(&edges, outcome.map(|outcome| outcome.commit_ts));
            }
            Step::Hub { subject, from, count } => {
                let predicate = Predicate::root("friend");
                let edge = |object| Edge {
                    op: EdgeOp::Set,
                    subject: Uid(subject),
                    predicate: predicate.clone(),
                    object: EdgeObject::Uid(Uid(object)),
                    facets: vec![],
                };
                self.tell(Step::Commit((from..from + count).map(edge).collect()));
            }
            Step::Race(first, second) => self.race(&first, &second),
            Step::Abort(edges) => {
                let start_ts = self.store().begin().unwrap();
                if self.store().mutate(start_ts, edges).is_ok() {
                    assert!(self.store().abort(start_ts));
                    assert!(matches!(self.store().commit(start_ts, &[]), Err(Error::Conflict { .. })));
                }
            }
            Step::Define(predicates) => self.define(predicates),
            Step::DefineType(name, fields) => {
                let definition = fields.map(|f| TypeDef { fields: f.iter().map(|f| (*f).to_owned()).collect() });
                let name = Predicate::root(name);
                let types = vec![(name.clone(), definition.clone())];
                let ts = self.store().alter(Alter::Schema(SchemaChange { predicates: vec![], types })).unwrap();
                match definition {
                    Some(definition) => _ = self.model.schema.types.insert(name, definition),
                    None => _ = self.model.schema.types.remove(&name),
                }
                self.past.insert(ts, self.model.clone());
            }
            Step::Drop(op) => {
                let ts = self.store().alter(Alter::Drop(op.clone())).unwrap();
                self.model.drop(&op);
                for (view, _) in self.pinned.drain(..) {
                    assert!(matches!(seen(&view), Err(Error::TooOld { .. })), "a drop takes data from older readers");
                }
                self.past = BTreeMap::from([(ts, self.model.clone())]);
            }
            Step::Sweep { flush } => {
                if flush {
                    self.store().flush().unwrap();
                }
                self.store().sweep().unwrap();
            }
            Step::Reopen => {
                self.pinned.clear();
                drop(self.store.take());
                self.store = Some(Store::open(&self.dir.path().join("p"), self.options.clone()).unwrap());
                self.past.clear();
            }
            Step::Pin => {
                let view = self.store().view(self.store().read_ts()).unwrap();
                self.pinned.push((view, self.model.clone()));
            }
            Step::Backup { place, force_full } => self.back_up(place, force_full),
        }
    }

    /// As mutations do with uids that clients choose.
    fn raise_lease(&self, edges: &[Edge]) {
        let object = |edge: &Edge| if let EdgeObject::Uid(uid) = edge.object { uid.0 } else { 0 };
        let greatest = edges.iter().map(|edge| edge.subject.0.max(object(edge))).max();
        self.store().raise_lease(Leased::Uid, greatest.unwrap_or(0)).unwrap();
    }

    /// The model follows a commit, or knows why there was none.
    fn committed(&mut self, edges: &[Edge], outcome: Result<Ts, Error>) {
        let lacks_schema = edges.iter().any(|edge| !self.model.knows(&edge.predicate));
        match outcome {
            Ok(ts) => {
                assert!(!lacks_schema, "data without a schema would be lost to backups");
                self.model.commit(edges);
                self.past.insert(ts, self.model.clone());
            }
            Err(Error::Refused { .. }) => assert!(lacks_schema),
            Err(err) => panic!("{err}"),
        }
    }

    fn race(&mut self, first: &[Edge], second: &[Edge]) {
        self.raise_lease(first);
        self.raise_lease(second);
        let store = Arc::clone(self.store());
        let (a, b) = (store.begin().unwrap(), store.begin().unwrap());
        let held = store.mutate(b, second.to_vec());
        let outcome = store.commit_now(a, first.to_vec()).map(|outcome| outcome.commit_ts);
        let committed = outcome.is_ok();
        self.committed(first, outcome);
        if held.is_err() {
            return;
        }
        let same = first.iter().any(|a| second.iter().any(|b| (a.subject, &a.predicate) == (b.subject, &b.predicate)));
        match store.commit(b, &[]) {
            Ok(outcome) => {
                let scalar = |edge: &Edge| self.model.schema.predicate(&edge.predicate).is_some_and(|s| !s.list);
                let clash = first
                    .iter()
                    .filter(|a| scalar(a))
                    .any(|a| second.iter().any(|b| (a.subject, &a.predicate) == (b.subject, &b.predicate)));
                assert!(!(committed && clash), "two writers of one value");
                self.committed(second, Ok(outcome.commit_ts));
            }
            Err(Error::Conflict { .. }) => {
                let upsert = second.iter().any(|e| self.model.schema.predicate(&e.predicate).is_some_and(|s| s.upsert));
                assert!(committed && (same || upsert), "a conflict about nothing");
            }
            Err(err) => panic!("{err}"),
        }
    }

    fn define(&mut self, predicates: Vec<(&'static str, PredicateSchema)>) {
        let predicates: Vec<_> =
            predicates.into_iter().map(|(name, schema)| (Predicate::root(name), Some(schema))).collect();
        let change = SchemaChange { predicates: predicates.clone(), types: vec![] };
        let ts = self.store().alter(Alter::Schema(change)).unwrap();
        for (name, schema) in predicates {
            self.model.schema.predicates.insert(name, schema.unwrap());
        }
        self.past.insert(ts, self.model.clone());
    }

    fn back_up(&mut self, place: usize, force_full: bool) {
        let key = self.keys[place].clone();
        let sealed = self.runtime.block_on(back_up(self.store(), &self.places[place], key, force_full)).unwrap();
        let manifest = sealed.manifest();
        assert_eq!(manifest.is_full(), force_full || !self.begun[place]);
        assert!(manifest.max_uid.0 >= self.model.max_uid);
        self.begun[place] = true;
        self.taken.push(Taken {
            place,
            backup_id: manifest.backup_id.clone(),
            backup_num: manifest.backup_num,
            read_ts: manifest.read_ts,
            model: self.model.clone(),
        });
    }

    /// Every timestamp that can still be read shows what was there then; older ones are refused.
    fn check_past(&mut self) {
        let floor = self.store().history_floor();
        for (view, model) in &self.pinned {
            assert_lists(&seen(view).unwrap(), &model.lists(), &format!("pinned at {}", view.read_ts()));
        }
        for (ts, model) in &self.past {
            match self.store().view(*ts) {
                Ok(view) => {
                    assert_lists(&seen(&view).unwrap(), &model.lists(), &format!("view at {ts}"));
                    assert_eq!(**view.schema(), model.schema, "schema at {ts}");
                }
                Err(Error::TooOld { .. }) => assert!(*ts < floor),
                Err(err) => panic!("{err}"),
            }
        }
    }

    fn check_restores(&self) {
        for taken in &self.taken {
            let Taken { place, backup_id, backup_num, read_ts, model } = taken;
            let what = format!("place {place}, series {backup_id}, backup {backup_num}");
            let dir = scratch();
            let mut request = newest(self.keys[*place].clone());
            (request.backup_id, request.backup_num) = (Some(backup_id.clone()), Some(*backup_num));
            let report = self.runtime.block_on(restore(&self.places[*place], &request, dir.path())).unwrap();
            assert_eq!((report.read_ts, report.backup_num), (*read_ts, *backup_num), "{what}");
            let store = open_store(&dir.path().join("p1"));
            assert_store(&store, model, &what);
            assert_leases(&store, model, *read_ts, &what);
            assert!(store.identity().database_id == self.store().identity().database_id, "{what}");
            assert!(store.identity().epoch > self.store().identity().epoch, "{what}");
        }
    }
}

fn check(runtime: &Runtime, history: History) {
    let dir = scratch();
    let mut options = store_options();
    if history.short_log {
        options.log_bytes = 0;
    }
    let store = Store::open(&dir.path().join("p"), options.clone()).unwrap();
    let mut teller = Teller {
        runtime,
        dir,
        options,
        store: Some(store),
        model: Model::new(),
        past: BTreeMap::new(),
        pinned: Vec::new(),
        places: [Arc::new(MemoryDestination::new()), Arc::new(MemoryDestination::new())],
        keys: history.keys.map(|bytes| (bytes > 0).then(|| crate::support::key(bytes))),
        begun: [false; 2],
        taken: Vec::new(),
    };
    teller.tell(Step::Define(history.schema));
    for step in history.steps {
        teller.tell(step);
    }
    teller.back_up(0, false);
    teller.check_past();
    assert_store(teller.store(), &teller.model, "the live store");
    teller.check_restores();
}

#[test]
fn every_backup_of_every_history_restores_to_what_the_database_was() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed: u64 = number("SEED").unwrap_or(DEFAULT_SEED);
    let cases = number("PROPTEST_CASES").map_or(DEFAULT_CASES, |cases| cases as u32);
    println!("SEED={seed} PROPTEST_CASES={cases}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 150, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let runtime = Runtime::new().unwrap();
    let outcome = runner.run(&history(), |history| {
        check(&runtime, history);
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Abort(why)) => panic!("SEED={seed}: {why}"),
        Err(TestError::Fail(why, history)) => {
            println!("short log: {}, keys of {:?} bytes, schema {:?}", history.short_log, history.keys, history.schema);
            history.steps.iter().for_each(|step| println!("{step:?}"));
            panic!("SEED={seed}: {why}");
        }
    }
}
