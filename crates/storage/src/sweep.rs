//! Keeps reads short and the store small: long delta chains are rolled up, versions that nobody can read any more are collected, the log
//! is trimmed. The sweep follows the commit log, so its cost follows the change, not the size of the data.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use graphdb_types::{Key, Ts};
use rocksdb::{DBRawIterator, IteratorMode, ReadOptions, WriteBatch};

use crate::error::{Error, Result};
use crate::layout::{DELTA, LOG, VERSION_BYTES, complete_value, prefix_end, put_version, split_version, versioned};
use crate::log::{LogRecord, log_key, read_log_key};
use crate::meta::{self, FLOOR_KEY, LOG_FLOOR_KEY, SWEPT_KEY};
use crate::store::Core;
use crate::versions::{Collector, point_iterator, postings_family, read_list};

/// Keys that are looked at while commits wait.
const KEYS_A_TURN: usize = 64;

/// Keys taken from the log before they are swept: a key that changes often is swept once.
const KEYS_COLLECTED: usize = 100_000;

/// How often the thread looks whether it should end.
const TICK: Duration = Duration::from_millis(100);

/// Starts the background thread; it ends when the sender is dropped.
pub(crate) fn start(core: &Arc<Core>, to_roll_up: Receiver<Vec<u8>>) -> Result<(Sender<()>, JoinHandle<()>)> {
    let (stop, stopped) = channel();
    let core = Arc::clone(core);
    let dir = core.dir.clone();
    let run = move || {
        let mut last_sweep = Instant::now();
        while stopped.try_recv() == Err(TryRecvError::Empty) {
            let outcome = match to_roll_up.recv_timeout(TICK) {
                Ok(key) => roll_up(&core, &key),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => Ok(()),
            };
            let outcome = outcome.and_then(|()| {
                if last_sweep.elapsed() < core.options.sweep_every {
                    return Ok(());
                }
                last_sweep = Instant::now();
                sweep(&core)
            });
            if let Err(err) = outcome {
                // Nothing is lost: reads are slower and old versions stay until a later turn succeeds.
                tracing::warn!(%err, "sweeping the store failed");
            }
        }
    };
    let thread =
        thread::Builder::new().name("graphdb-sweep".into()).spawn(run).map_err(Error::io("start a thread for", dir))?;
    Ok((stop, thread))
}

/// Rolls up and collects everything that changed since the last sweep and that only the newest readers see.
pub(crate) fn sweep(core: &Core) -> Result<()> {
    let swept = Ts(meta::get_number(&core.db, SWEPT_KEY)?.unwrap_or(0));
    let watermark = core.oracle.raise_floor(core.published.get(), core.oldest_txn());
    if watermark > swept {
        sweep_log(core, swept, watermark)?;
        meta::put_number(&core.db, FLOOR_KEY, watermark.0)?;
        meta::put_number(&core.db, SWEPT_KEY, watermark.0)?;
        core.schema.forget_below(watermark);
    }
    trim_log(core, watermark)
}

fn sweep_log(core: &Core, swept: Ts, watermark: Ts) -> Result<()> {
    let log = core.db.cf_handle(LOG).expect("every column family is opened with the store");
    let mut options = ReadOptions::default();
    options.set_iterate_upper_bound(log_key(Ts(watermark.0.saturating_add(1))));
    options.fill_cache(false);
    let from = log_key(Ts(swept.0 + 1));
    let mut keys = BTreeSet::new();
    for item in core.db.iterator_cf_opt(log, options, IteratorMode::From(&from, rocksdb::Direction::Forward)) {
        let (_, record) = item.map_err(Error::rocks("read the commit log"))?;
        let (touched, predicates) = LogRecord::touched(&record)?;
        keys.extend(touched);
        for predicate in predicates {
            collect_prefix(core, &Key::stored_prefix(&predicate), watermark)?;
        }
        if keys.len() > KEYS_COLLECTED {
            collect_keys(core, &std::mem::take(&mut keys), watermark)?;
        }
    }
    collect_keys(core, &keys, watermark)
}

fn collect_prefix(core: &Core, prefix: &[u8], watermark: Ts) -> Result<()> {
    let mut options = ReadOptions::default();
    options.set_total_order_seek(true);
    options.set_iterate_upper_bound(prefix_end(prefix));
    options.fill_cache(false);
    let mut iter = core.db.raw_iterator_cf_opt(postings_family(&core.db), options);
    iter.seek(prefix);
    let mut keys = BTreeSet::new();
    while let Some(key) = iter.key() {
        keys.insert(split_version(key)?.0.to_vec());
        if keys.len() > KEYS_COLLECTED {
            collect_keys(core, &std::mem::take(&mut keys), watermark)?;
        }
        iter.next();
    }
    iter.status().map_err(Error::rocks("sweep an index"))?;
    collect_keys(core, &keys, watermark)
}

fn collect_keys(core: &Core, keys: &BTreeSet<Vec<u8>>, watermark: Ts) -> Result<()> {
    let keys: Vec<&Vec<u8>> = keys.iter().collect();
    for turn in keys.chunks(KEYS_A_TURN) {
        // Under the gate no drop can come between reading a list and writing it back.
        let _gate = core.apply_gate.lock().unwrap_or_else(PoisonError::into_inner);
        let mut batch = WriteBatch::default();
        let mut lists = point_iterator(&core.db);
        for key in turn {
            collect_key(core, &mut lists, &mut batch, key, watermark)?;
        }
        if !batch.is_empty() {
            core.db.write(batch).map_err(Error::rocks("collect old versions"))?;
        }
    }
    Ok(())
}

/// Leaves one version at or below the watermark, whole.
fn collect_key(
    core: &Core,
    iter: &mut DBRawIterator<'_>,
    batch: &mut WriteBatch,
    stored_key: &[u8],
    watermark: Ts,
) -> Result<()> {
    iter.seek(versioned(stored_key, watermark));
    let mut collector = Collector::default();
    let (mut newest, mut complete) = (None, false);
    while let Some((key, value)) = iter.item() {
        let Some(rest) = key.strip_prefix(stored_key).filter(|rest| rest.len() == VERSION_BYTES) else { break };
        let version = Ts(!u64::from_be_bytes(rest.try_into().expect("the length was checked")));
        if newest.is_none() {
            newest = Some((version, value.first() == Some(&DELTA)));
        } else {
            batch.delete_cf(postings_family(&core.db), key);
        }
        if !complete {
            complete = collector.push(version, value)?;
        }
        iter.next();
    }
    iter.status().map_err(Error::rocks("read a posting list"))?;
    if let Some((version, true)) = newest {
        batch.put_cf(
            postings_family(&core.db),
            versioned(stored_key, version),
            complete_value(&collector.finish().list),
        );
    }
    Ok(())
}

/// Replaces the newest delta of a list by the whole list; older versions stay for older readers.
fn roll_up(core: &Core, stored_key: &[u8]) -> Result<()> {
    let _gate = core.apply_gate.lock().unwrap_or_else(PoisonError::into_inner);
    let mut iter = point_iterator(&core.db);
    let mut buffer = Vec::new();
    let at = read_list(&mut iter, stored_key, core.published.get(), &mut buffer)?;
    let Some(version) = at.version.filter(|_| at.deltas > 0) else { return Ok(()) };
    let mut key = stored_key.to_vec();
    put_version(&mut key, version);
    core.db
        .put_cf(postings_family(&core.db), key, complete_value(&at.list))
        .map_err(Error::rocks("roll up a posting list"))
}

/// Drops the oldest records when the log outgrows its allowance; the newest and those that no sweep has seen stay.
fn trim_log(core: &Core, swept: Ts) -> Result<()> {
    let log = core.db.cf_handle(LOG).expect("every column family is opened with the store");
    let bytes = core.db.property_int_value_cf(log, "rocksdb.estimate-live-data-size").ok().flatten().unwrap_or(0);
    let mut excess = bytes.saturating_sub(core.options.log_bytes);
    if excess == 0 {
        return Ok(());
    }
    let mut trimmed = None;
    for item in core.db.iterator_cf(log, IteratorMode::Start) {
        let (key, record) = item.map_err(Error::rocks("read the commit log"))?;
        let commit_ts = read_log_key(&key)?;
        if excess == 0 || commit_ts >= swept {
            break;
        }
        excess = excess.saturating_sub(record.len() as u64);
        trimmed = Some(commit_ts);
    }
    let Some(trimmed) = trimmed else { return Ok(()) };
    // First the floor: a log that claims less than it holds is safe.
    meta::put_number(&core.db, LOG_FLOOR_KEY, trimmed.0)?;
    core.db
        .delete_range_cf(log, log_key(Ts::ZERO), log_key(Ts(trimmed.0 + 1)))
        .map_err(Error::rocks("trim the commit log"))
}
