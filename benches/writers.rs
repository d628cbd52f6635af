//! What writers lose while a backup runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use graphdb_backup::{BackupRequest, BackupTerms, Progress, backup};
use graphdb_storage::{Alter, Edge, EdgeObject, EdgeOp, SchemaChange, Store};
use graphdb_types::{Predicate, PredicateSchema, Uid, ValType, Value};

use crate::graph::{Graph, context};
use crate::table::Table;

const WRITERS: u64 = 4;
const EDGES_A_COMMIT: u64 = 20;

pub(crate) fn measure(graph: &Graph, table: &mut Table) {
    println!("writers while a backup runs");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = graph.open();
    let schema = PredicateSchema { value_type: ValType::Int, ..PredicateSchema::default() };
    let change = SchemaChange { predicates: vec![(Predicate::root("bench.counter"), Some(schema))], types: vec![] };
    store.alter(Alter::Schema(change)).unwrap();
    let request = BackupRequest {
        destination: graph.dir.path().join("under-load").display().to_string().into(),
        terms: BackupTerms { force_full: true, compat: None },
    };

    let (commits, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (store, commits, stop) = (Arc::clone(&store), Arc::clone(&commits), Arc::clone(&stop));
            thread::spawn(move || write(&store, writer, &commits, &stop))
        })
        .collect();
    let rate_of = |work: &mut dyn FnMut()| {
        let (before, begun) = (commits.load(Ordering::Relaxed), Instant::now());
        work();
        (commits.load(Ordering::Relaxed) - before) as f64 / begun.elapsed().as_secs_f64()
    };
    thread::sleep(Duration::from_secs(1));
    let mut with = 0.0;
    let mut without = 0.0;
    // Turn by turn, so that what else the machine does meets both.
    for _ in 0..3 {
        without += rate_of(&mut || thread::sleep(Duration::from_secs(2))) / 3.0;
        with += rate_of(&mut || {
            runtime.block_on(backup(&store, &context(), &request, &Progress::default())).unwrap();
        }) / 3.0;
    }
    stop.store(true, Ordering::Relaxed);
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    table.add(
        "commits while a backup runs",
        format!("{with:.0}/s, else {without:.0}/s"),
        format!("{:.0} % lost", 100.0 * (1.0 - with / without)),
        "20 %",
    );
}

fn write(store: &Store, writer: u64, commits: &AtomicU64, stop: &AtomicBool) {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let edges = (0..EDGES_A_COMMIT)
            .map(|i| Edge {
                op: EdgeOp::Set,
                subject: Uid(1 + writer * 1_000_000 + (number * EDGES_A_COMMIT + i) % 100_000),
                predicate: Predicate::root("bench.counter"),
                object: EdgeObject::Value { value: Value::Int(number as i64), lang: String::new() },
                facets: vec![],
            })
            .collect();
        store.commit_now(store.begin().unwrap(), edges).unwrap();
        number += 1;
        commits.fetch_add(1, Ordering::Relaxed);
    }
}
