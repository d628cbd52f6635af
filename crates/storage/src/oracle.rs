//! Who may see what: timestamps in order, id leases that survive, and which versions somebody may still read.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use graphdb_types::Ts;
use rocksdb::DB;

use crate::error::{Error, Result};
use crate::meta::{self, Lease, Leased};

/// How many ids are leased at once; what is left over at a crash is lost. Dgraph's block size.
const LEASE_BLOCK: u64 = 10_000;

/// How long a timestamp that was handed to a reader stays readable without a sign of life.
const READ_TS_KEPT: Duration = Duration::from_secs(60);

/// Hands out timestamps and ids, and knows the readers.
#[derive(Debug)]
pub(crate) struct Oracle {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    ts: Counter,
    uid: Counter,
    namespace: Counter,
    /// The newest commit_ts given to the committer; it may not be durable yet.
    last_commit: Ts,
    /// Timestamps of open views, with their number.
    pins: BTreeMap<Ts, usize>,
    /// Timestamps handed to read-only clients, oldest first.
    handed_out: VecDeque<(Instant, Ts)>,
    /// Below this, versions may be gone.
    floor: Ts,
}

#[derive(Debug)]
struct Counter {
    kind: Leased,
    next: u64,
    /// Ids up to this one are leased durably.
    leased: u64,
}

impl Counter {
    fn open(db: &DB, kind: Leased) -> Result<Counter> {
        let leased = meta::get_number(db, kind.meta_key())?.unwrap_or(0);
        Ok(Counter { kind, next: leased + 1, leased })
    }

    fn take(&mut self, db: &DB, count: u64) -> Result<Lease> {
        let last = self.next.checked_add(count - 1).filter(|last| *last < u64::MAX).ok_or(Error::NothingToLease)?;
        self.raise(db, last)?;
        let first = std::mem::replace(&mut self.next, last + 1);
        Ok(Lease { first, last })
    }

    /// Makes sure that ids up to `id` are leased.
    fn raise(&mut self, db: &DB, id: u64) -> Result<()> {
        if id > self.leased {
            let leased = id.checked_next_multiple_of(LEASE_BLOCK).unwrap_or(u64::MAX - 1).min(u64::MAX - 1);
            meta::put_number(db, self.kind.meta_key(), leased)?;
            self.leased = leased;
        }
        Ok(())
    }
}

impl Oracle {
    /// Continues above everything that was leased before. `last_commit` is the newest commit in the store.
    pub(crate) fn open(db: &DB, last_commit: Ts, floor: Ts) -> Result<Oracle> {
        let mut ts = Counter::open(db, Leased::Ts)?;
        ts.next = ts.next.max(last_commit.0 + 1);
        let (uid, namespace) = (Counter::open(db, Leased::Uid)?, Counter::open(db, Leased::Namespace)?);
        let state =
            State { ts, uid, namespace, last_commit, pins: BTreeMap::new(), handed_out: VecDeque::new(), floor };
        Ok(Oracle { state: Mutex::new(state) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no code panics while it holds the oracle")
    }

    /// A new start_ts, and the commit that must be published before anybody reads at it.
    pub(crate) fn begin(&self, db: &DB) -> Result<(Ts, Ts)> {
        let mut state = self.lock();
        let start_ts = Ts(state.ts.take(db, 1)?.first);
        Ok((start_ts, state.last_commit))
    }

    /// The next commit_ts. Only the committer calls this, so commits are applied in this order.
    pub(crate) fn assign_commit(&self, db: &DB) -> Result<Ts> {
        let mut state = self.lock();
        state.last_commit = Ts(state.ts.take(db, 1)?.first);
        Ok(state.last_commit)
    }

    /// The next start_ts: transactions below it began in an earlier life of the process.
    pub(crate) fn next_start(&self) -> Ts {
        Ts(self.lock().ts.next)
    }

    /// Hands out `count` ids.
    pub(crate) fn lease(&self, db: &DB, kind: Leased, count: u64) -> Result<Lease> {
        if count == 0 {
            return Err(Error::NothingToLease);
        }
        self.lock().counter(kind).take(db, count)
    }

    /// Makes sure that `id` and everything below is never handed out (again).
    pub(crate) fn raise(&self, db: &DB, kind: Leased, id: u64) -> Result<()> {
        let mut state = self.lock();
        let counter = state.counter(kind);
        counter.raise(db, id)?;
        counter.next = counter.next.max(id.saturating_add(1));
        Ok(())
    }

    /// The greatest id that is leased, and the next that will be handed out.
    pub(crate) fn leased(&self, kind: Leased) -> (u64, u64) {
        let mut state = self.lock();
        let counter = state.counter(kind);
        (counter.leased, counter.next)
    }

    /// Notes that a client was given `read_ts` and may come back with it.
    pub(crate) fn hand_out(&self, read_ts: Ts) {
        let mut state = self.lock();
        match state.handed_out.back_mut() {
            Some((at, last)) if *last == read_ts => *at = Instant::now(),
            _ => state.handed_out.push_back((Instant::now(), read_ts)),
        }
    }

    /// Keeps the versions that are visible at `read_ts` until [`Oracle::unpin`].
    pub(crate) fn pin(&self, read_ts: Ts) -> Result<()> {
        let mut state = self.lock();
        if read_ts < state.floor {
            return Err(Error::TooOld { read_ts, floor: state.floor });
        }
        *state.pins.entry(read_ts).or_default() += 1;
        Ok(())
    }

    /// Gives a pin back.
    pub(crate) fn unpin(&self, read_ts: Ts) {
        let mut state = self.lock();
        if let Some(count) = state.pins.get_mut(&read_ts) {
            *count -= 1;
            if *count == 0 {
                state.pins.remove(&read_ts);
            }
        }
    }

    /// Decides below which timestamp versions may be collected from now on, and refuses readers below it.
    pub(crate) fn raise_floor(&self, published: Ts, oldest_txn: Option<Ts>) -> Ts {
        let mut state = self.lock();
        while state.handed_out.front().is_some_and(|(at, _)| at.elapsed() > READ_TS_KEPT) {
            state.handed_out.pop_front();
        }
        let oldest_pin = state.pins.keys().next().copied();
        let oldest_read = state.handed_out.front().map(|(_, ts)| *ts);
        let watermark =
            [Some(published), oldest_txn, oldest_pin, oldest_read].into_iter().flatten().min().unwrap_or(published);
        state.floor = state.floor.max(watermark);
        watermark
    }

    /// Refuses readers below a drop: what it took away cannot be shown any more.
    pub(crate) fn raise_floor_to(&self, ts: Ts) {
        let mut state = self.lock();
        state.floor = state.floor.max(ts);
    }

    /// The oldest timestamp that can be read.
    pub(crate) fn floor(&self) -> Ts {
        self.lock().floor
    }
}

impl State {
    fn counter(&mut self, kind: Leased) -> &mut Counter {
        match kind {
            Leased::Uid => &mut self.uid,
            Leased::Ts => &mut self.ts,
            Leased::Namespace => &mut self.namespace,
        }
    }
}
