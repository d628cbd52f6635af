//! Open transactions: the edges they hold and the keys they may conflict on.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use graphdb_types::Ts;

use crate::edge::Edge;
use crate::error::{Error, Result};

/// What a client learns of its transaction after a mutation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TxnInfo {
    /// The transaction.
    pub start_ts: Ts,
    /// Base-36 text of the conflict keys so far, ascending, without repeats.
    pub keys: Vec<String>,
    /// The predicates it writes, ascending.
    pub preds: Vec<String>,
}

/// What a commit gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitOutcome {
    /// The transaction.
    pub start_ts: Ts,
    /// When its writes became visible.
    pub commit_ts: Ts,
    /// The predicates it wrote, ascending.
    pub preds: Vec<String>,
}

/// How many finished transactions are remembered, so that a repeated commit gets the same answer.
const FINISHED_KEPT: usize = 10_000;

/// The transactions of clients that have written and not finished.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: BTreeMap<Ts, OpenTxn>,
    finished: HashMap<Ts, Finished>,
    finish_order: VecDeque<Ts>,
    /// That transactions up to this one were aborted may be forgotten.
    forgotten: Ts,
}

/// A transaction that has not finished.
#[derive(Debug, Clone)]
pub(crate) struct OpenTxn {
    pub(crate) edges: Vec<Edge>,
    pub(crate) conflict_keys: BTreeSet<u64>,
    pub(crate) preds: BTreeSet<String>,
    used_at: Instant,
}

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finished {
    Committed(Ts),
    Aborted,
}

impl Transactions {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no code panics while it holds the transactions")
    }

    /// Adds writes to a transaction; it is open from then on.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it has ended: what it wrote before would be missing from what it commits.
    pub(crate) fn add(
        &self,
        start_ts: Ts,
        edges: Vec<Edge>,
        conflict_keys: &BTreeSet<u64>,
        preds: BTreeSet<String>,
    ) -> Result<TxnInfo> {
        let mut state = self.lock();
        if !state.may_write(start_ts) {
            return Err(Error::Conflict { start_ts });
        }
        let txn = state.open.entry(start_ts).or_insert_with(OpenTxn::new);
        txn.edges.extend(edges);
        txn.conflict_keys.extend(conflict_keys);
        txn.preds.extend(preds);
        txn.used_at = Instant::now();
        Ok(txn.info(start_ts))
    }

    /// The writes of an open transaction, for its own reads.
    pub(crate) fn edges(&self, start_ts: Ts) -> Vec<Edge> {
        let mut state = self.lock();
        let Some(txn) = state.open.get_mut(&start_ts) else { return Vec::new() };
        txn.used_at = Instant::now();
        txn.edges.clone()
    }

    /// Takes a transaction out, to commit or abort it.
    pub(crate) fn take(&self, start_ts: Ts) -> Option<OpenTxn> {
        self.lock().open.remove(&start_ts)
    }

    /// Takes a transaction out, to commit it with more writes; a new one if it has written nothing yet.
    ///
    /// # Errors
    /// As [`Transactions::add`].
    pub(crate) fn take_or_begin(&self, start_ts: Ts) -> Result<OpenTxn> {
        let mut state = self.lock();
        if !state.may_write(start_ts) {
            return Err(Error::Conflict { start_ts });
        }
        Ok(state.open.remove(&start_ts).unwrap_or_else(OpenTxn::new))
    }

    /// Whether the transaction is so old that nobody remembers whether it wrote and was aborted.
    pub(crate) fn is_forgotten(&self, start_ts: Ts) -> bool {
        start_ts <= self.lock().forgotten
    }

    /// How a transaction ended, if it has.
    pub(crate) fn finished(&self, start_ts: Ts) -> Option<Finished> {
        self.lock().finished.get(&start_ts).copied()
    }

    /// Remembers how a transaction ended.
    pub(crate) fn finish(&self, start_ts: Ts, how: Finished) {
        let mut state = self.lock();
        if state.finished.insert(start_ts, how).is_none() {
            state.finish_order.push_back(start_ts);
        }
        while state.finish_order.len() > FINISHED_KEPT {
            let oldest = state.finish_order.pop_front().expect("more than a few are in the queue");
            if state.finished.remove(&oldest) == Some(Finished::Aborted) {
                state.forgotten = state.forgotten.max(oldest);
            }
        }
    }

    /// Aborts transactions that nobody has used for `idle`; gives the oldest that stays open.
    pub(crate) fn expire(&self, idle: Duration) -> Option<Ts> {
        let expired: Vec<Ts> = {
            let state = self.lock();
            state.open.iter().filter(|(_, txn)| txn.used_at.elapsed() > idle).map(|(ts, _)| *ts).collect()
        };
        for start_ts in expired {
            self.take(start_ts);
            self.finish(start_ts, Finished::Aborted);
        }
        self.lock().open.keys().next().copied()
    }

    /// How many are open.
    pub(crate) fn len(&self) -> usize {
        self.lock().open.len()
    }
}

impl State {
    fn may_write(&self, start_ts: Ts) -> bool {
        self.open.contains_key(&start_ts) || (start_ts > self.forgotten && !self.finished.contains_key(&start_ts))
    }
}

impl OpenTxn {
    pub(crate) fn new() -> OpenTxn {
        OpenTxn { edges: Vec::new(), conflict_keys: BTreeSet::new(), preds: BTreeSet::new(), used_at: Instant::now() }
    }

    fn info(&self, start_ts: Ts) -> TxnInfo {
        let mut keys: Vec<String> = self.conflict_keys.iter().map(|key| base36(*key)).collect();
        keys.sort_unstable();
        TxnInfo { start_ts, keys, preds: self.preds.iter().cloned().collect() }
    }
}

/// The text form of a conflict key, as clients carry it.
fn base36(mut number: u64) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut text = Vec::new();
    loop {
        text.push(DIGITS[(number % 36) as usize]);
        number /= 36;
        if number == 0 {
            break;
        }
    }
    text.reverse();
    String::from_utf8(text).expect("digits are ASCII")
}

/// Reads the text form of a conflict key.
pub(crate) fn from_base36(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 36).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conflict_keys_come_back() {
        for key in [0, 35, 36, u64::MAX] {
            assert_eq!(from_base36(&base36(key)), Some(key));
        }
        assert_eq!(from_base36("not a key!"), None);
    }
}
