//! Counters, and their text for Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::app::App;

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many are inside at the moment.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicI64);

/// One that is inside; leaves when dropped.
pub(crate) struct Inside<'a>(&'a Gauge);

impl Gauge {
    pub(crate) fn enter(&self) -> Inside<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Inside(self)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Upper bounds of the latency buckets, in milliseconds: what Dgraph's dashboards expect to find is a wide logarithmic scale.
const BUCKETS_MS: [f64; 16] =
    [0.1, 0.3, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 20_000.0, 100_000.0];

#[derive(Debug, Default)]
struct Histogram {
    buckets: [u64; BUCKETS_MS.len()],
    count: u64,
    sum_ms: f64,
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) queries: Counter,
    pub(crate) mutations: Counter,
    pub(crate) edges: Counter,
    pub(crate) commits: Counter,
    pub(crate) aborts: Counter,
    pub(crate) discards: Counter,
    pub(crate) backups: Counter,
    pub(crate) backups_succeeded: Counter,
    pub(crate) backups_failed: Counter,
    pub(crate) pending_queries: Gauge,
    pub(crate) active_mutations: Gauge,
    pub(crate) pending_backups: Gauge,
    latency: Mutex<BTreeMap<(&'static str, &'static str), Histogram>>,
}

impl Metrics {
    /// Counts a commit that succeeded or did not.
    pub(crate) fn finished(&self, committed: bool) {
        if committed { self.commits.add(1) } else { self.aborts.add(1) }
    }

    /// Counts a request of `method` that took `took`.
    pub(crate) fn observe(&self, method: &'static str, ok: bool, took: Duration) {
        let ms = took.as_secs_f64() * 1e3;
        let mut latency = self.latency.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let histogram = latency.entry((method, if ok { "ok" } else { "error" })).or_default();
        for (bucket, bound) in histogram.buckets.iter_mut().zip(BUCKETS_MS) {
            *bucket += u64::from(ms <= bound);
        }
        histogram.count += 1;
        histogram.sum_ms += ms;
    }

    fn write_latency(&self, out: &mut String) {
        let name = "dgraph_latency";
        head(out, name, "Latency of requests in milliseconds.", "histogram");
        let latency = self.latency.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for ((method, status), histogram) in latency.iter() {
            let labels = format!("method=\"{method}\",status=\"{status}\"");
            for (count, bound) in histogram.buckets.iter().zip(BUCKETS_MS) {
                _ = writeln!(out, "{name}_bucket{{{labels},le=\"{bound}\"}} {count}");
            }
            _ = writeln!(out, "{name}_bucket{{{labels},le=\"+Inf\"}} {}", histogram.count);
            _ = writeln!(
                out,
                "{name}_sum{{{labels}}} {}\n{name}_count{{{labels}}} {}",
                histogram.sum_ms, histogram.count
            );
        }
    }
}

/// The text of `/metrics`.
pub(crate) fn text(app: &App) -> String {
    let metrics = &app.metrics;
    let mut out = String::new();
    let counters = [
        ("num_queries_total", "Queries received.", &metrics.queries),
        ("num_mutations_total", "Mutations received.", &metrics.mutations),
        ("num_edges_total", "Edges written or deleted.", &metrics.edges),
        ("txn_commits_total", "Transactions committed.", &metrics.commits),
        ("txn_aborts_total", "Transactions that failed to commit.", &metrics.aborts),
        ("txn_discards_total", "Transactions given up by their client.", &metrics.discards),
        ("num_backups_total", "Backups asked for.", &metrics.backups),
        ("num_backups_success_total", "Backups that were completed.", &metrics.backups_succeeded),
        ("num_backups_failed_total", "Backups that failed.", &metrics.backups_failed),
    ];
    for (name, help, counter) in counters {
        one(&mut out, name, help, "counter", counter.get());
    }
    let gauges = [
        ("pending_queries_total", "Queries running now.", &metrics.pending_queries),
        ("active_mutations_total", "Mutations running now.", &metrics.active_mutations),
        ("pending_backups_total", "Backups running now.", &metrics.pending_backups),
    ];
    for (name, help, gauge) in gauges {
        one(&mut out, name, help, "gauge", gauge.0.load(Ordering::Relaxed));
    }
    write_node(app, &mut out);
    metrics.write_latency(&mut out);
    out
}

fn write_node(app: &App, out: &mut String) {
    one(out, "alpha_health_status", "1 while the node takes requests.", "gauge", u8::from(!app.node.is_draining()));
    if let Ok(store) = app.store() {
        let stats = store.stats();
        one(out, "max_assigned_ts", "The newest visible commit.", "gauge", stats.applied.0);
        one(out, "raft_applied_index", "The newest commit that is applied.", "gauge", stats.applied.0);
        one(
            out,
            "pending_proposals_total",
            "Transactions that have written and not finished.",
            "gauge",
            stats.open_transactions,
        );
        one(out, "disk_used_bytes", "Bytes of the store on disk.", "gauge", stats.disk_bytes);
    }
    if let Some(bytes) = resident_bytes() {
        one(out, "memory_proc_bytes", "Resident memory of the process.", "gauge", bytes);
        one(out, "memory_inuse_bytes", "Memory in use, as the process sees it.", "gauge", bytes);
    }
}

fn head(out: &mut String, name: &str, help: &str, kind: &str) {
    _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn one(out: &mut String, name: &str, help: &str, kind: &str, value: impl std::fmt::Display) {
    let name = format!("dgraph_{name}");
    head(out, &name, help, kind);
    _ = writeln!(out, "{name} {value}");
}

/// Resident memory, where the system says.
fn resident_bytes() -> Option<u64> {
    const FIELD: &str = "VmRSS:";
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(FIELD))?;
    let kib: u64 = line[FIELD.len()..].trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib << 10)
}
