//! Measures what the README claims, each against what one would use instead, in one run on one machine:
//!
//! ```text
//! cargo bench                        everything, on a graph of about 3.6 million N-Quads
//! cargo bench -- live full           only some: live, full, incremental, restore, verify, writers, stores, dgraph
//! GRAPHDB_BENCH_NODES=40000 cargo bench
//! ```
//! Ratios are what to look at; absolute numbers depend on the machine and on what else it does. Nothing here fails on a number.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has nothing to report")]

mod dgraph;
mod full;
mod graph;
mod incremental;
mod memory;
mod restore;
mod stores;
mod table;
mod verify;
mod writers;

use table::Table;

/// The one of the `graphdb` process.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.iter().any(|arg| arg == "--help" || arg == "--list") {
        return println!(
            "live, full, incremental, restore, verify, writers, stores, dgraph: names of what to measure; none for all"
        );
    }
    let wanted: Vec<String> = args.into_iter().filter(|arg| !arg.starts_with("--")).collect();
    let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|arg| arg == name);
    let mut table = Table::default();
    if ["live", "full", "restore", "writers"].into_iter().any(wants) {
        let graph = graph::load(&mut table);
        if wants("full") {
            full::measure(&graph, &mut table);
        }
        if wants("restore") {
            restore::measure(&graph, &mut table);
        }
        if wants("writers") {
            writers::measure(&graph, &mut table);
        }
    }
    if wants("incremental") {
        incremental::measure(&mut table);
    }
    if wants("verify") {
        verify::measure(&mut table);
    }
    if wants("stores") {
        stores::measure(&mut table);
    }
    // The last: it keeps the process on one core.
    if wants("dgraph") {
        dgraph::measure(&mut table);
    }
    table.print();
}
