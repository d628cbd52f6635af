//! The film-like graph, loaded the way a user loads it: a node, and `graphdb live` over HTTP.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use graphdb_archive::EncryptionKey;
use graphdb_backup::BackupContext;
use graphdb_storage::{Store, StoreOptions};
use graphdb_types::Ts;

use crate::table::Table;

/// Nodes of the sample: about nine N-Quads each. 400,000 make the 3.6 million that the original was measured with.
const NODES: u64 = 400_000;

/// A loaded store, closed.
pub(crate) struct Graph {
    pub(crate) dir: tempfile::TempDir,
}

impl Graph {
    pub(crate) fn postings(&self) -> PathBuf {
        self.dir.path().join("p")
    }

    pub(crate) fn open(&self) -> Arc<Store> {
        Store::open(&self.postings(), StoreOptions::default()).unwrap()
    }
}

/// Backups of the benchmarks are encrypted, at the default level.
pub(crate) fn context() -> BackupContext {
    BackupContext { key: Some(Arc::new(EncryptionKey::new(&[7; 32]).unwrap())), ..BackupContext::default() }
}

/// Key-values of a store and the bytes of their frames.
pub(crate) fn count(store: &Store) -> (u64, u64) {
    let snapshot = store.snapshot().unwrap();
    assert!(snapshot.read_ts() > Ts::ZERO);
    let (mut entries, mut bytes) = (0, 0);
    snapshot
        .scan_full(|entry| {
            entries += 1;
            bytes += entry.key.len() as u64;
            if let graphdb_storage::ScanValue::List(list) = entry.value {
                bytes += list.len() as u64;
            }
            Ok::<_, graphdb_storage::Error>(())
        })
        .unwrap();
    (entries, bytes)
}

pub(crate) fn load(table: &mut Table) -> Graph {
    let nodes = std::env::var("GRAPHDB_BENCH_NODES").ok().and_then(|n| n.parse().ok()).unwrap_or(NODES);
    let graph = Graph { dir: tempfile::tempdir().unwrap() };
    println!("loading a sample of {nodes} nodes through a node");
    run(graph.dir.path(), &["sample", "--scale", &nodes.to_string(), "--output", "."]);
    let (mut node, url) = start_node(&graph);
    let begun = Instant::now();
    let out = run(graph.dir.path(), &["live", "-f", "sample.rdf.gz", "-s", "sample.schema", "--alpha", &url]);
    let seconds = begun.elapsed().as_secs_f64();
    let nquads = loaded(&out);
    let rate = nquads as f64 / seconds;
    table.add(
        "live loading",
        format!("{:.0} N-Quads/s ({nquads} in {seconds:.1} s)", rate),
        format!("{:.1}x Dgraph's 29,000/s", rate / 29_000.0),
        "100,000 N-Quads/s",
    );
    stop(&mut node);
    let store = graph.open();
    store.sweep().unwrap();
    store.flush().unwrap();
    // Else RocksDB would tidy up after the load while something else is measured.
    store.compact();
    drop(store);
    graph
}

/// The number before "N-Quads" in the last line of `graphdb live`.
fn loaded(out: &str) -> u64 {
    let line = out.lines().rev().find(|line| line.contains("N-Quads")).expect("live says what it loaded");
    let digits = line.split(" N-Quads").next().and_then(|before| before.split_whitespace().last()).unwrap_or_default();
    let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
    digits.parse().expect("live says how many N-Quads it loaded")
}

fn graphdb() -> Command {
    Command::new(env!("CARGO_BIN_EXE_graphdb"))
}

fn run(dir: &Path, args: &[&str]) -> String {
    let out = graphdb().current_dir(dir).args(args).output().unwrap();
    // What was done is said last, on stdout.
    let text = String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "graphdb {args:?} failed: {text}");
    text
}

fn start_node(graph: &Graph) -> (Child, String) {
    let mut node = graphdb()
        .args(["serve", "--http", "127.0.0.1:0", "-p"])
        .arg(graph.postings())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(node.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line
        .split_whitespace()
        .find(|word| word.starts_with("http://"))
        .expect("the node says where it serves")
        .to_owned();
    (node, url)
}

fn stop(node: &mut Child) {
    let pid = node.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    node.wait().unwrap();
}
