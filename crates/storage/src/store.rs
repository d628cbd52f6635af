use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::fs::{self, File};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use graphdb_types::{GroupId, Schema, Ts};
use rocksdb::{DB, IteratorMode};

use crate::alter::{Alter, SchemaChange, undo_unfinished_build};
use crate::committer::{self, EdgesRequest, Request};
use crate::derive::{derive, prepare};
use crate::directory::{
    GROUP_FILE, check_format, create_rocks, is_empty, is_fresh, lock_directory, newest_commit, read_group,
};
use crate::edge::Edge;
use crate::error::{Error, Result};
use crate::layout::{LOG, META, POSTINGS, SCHEMA};
use crate::log::{LogRecord, log_key, read_log_key};
use crate::meta::{self, Identity, Lease, Leased};
use crate::oracle::Oracle;
use crate::published::Published;
use crate::schema_history::{SchemaHistory, initial_schema};
use crate::sweep;
use crate::txn::{CommitOutcome, Finished, OpenTxn, Transactions, TxnInfo, from_base36};
use crate::versions::{point_iterator, read_list};
use crate::view::View;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Memory for cached blocks of RocksDB.
    pub cache_bytes: usize,
    /// Whether a commit waits for the disk. Without, a power failure can lose the last commits; a killed process cannot.
    pub sync: bool,
    /// A transaction that nobody has used for so long is aborted. Dgraph's `txn-abort-after` is 5 minutes.
    pub abort_after: Duration,
    /// How often long delta chains are rolled up and old versions collected.
    pub sweep_every: Duration,
    /// Log records that no sweep needs are kept up to this many bytes, for incremental backups.
    pub log_bytes: u64,
}

impl Default for StoreOptions {
    fn default() -> StoreOptions {
        StoreOptions {
            cache_bytes: 256 << 20,
            sync: true,
            abort_after: Duration::from_secs(300),
            sweep_every: Duration::from_secs(20),
            log_bytes: 8 << 30,
        }
    }
}

/// Numbers for `/metrics` and `/state`.
#[derive(Clone, Debug, Default)]
pub struct StoreStats {
    /// The newest visible commit.
    pub applied: Ts,
    /// Transactions that have written and not finished.
    pub open_transactions: usize,
    /// Bytes of the store on disk, as RocksDB counts them.
    pub disk_bytes: u64,
}

/// The graph of one group, open for reading and writing. One process at a time; see the crate's page for the way through.
pub struct Store {
    core: Arc<Core>,
    requests: Mutex<Option<SyncSender<Request>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    stop_sweep: Mutex<Option<Sender<()>>>,
}

/// What the store's threads share. Views hold it, so RocksDB stays open until the last of them is gone.
pub(crate) struct Core {
    pub(crate) dir: PathBuf,
    pub(crate) db: DB,
    pub(crate) options: StoreOptions,
    pub(crate) identity: Identity,
    group: GroupId,
    pub(crate) oracle: Oracle,
    pub(crate) schema: SchemaHistory,
    pub(crate) transactions: Transactions,
    pub(crate) published: Published,
    /// Held while a commit is written, so that a snapshot taken under it holds whole commits only.
    pub(crate) apply_gate: Mutex<()>,
    /// Keys whose lists a reader found to need rolling up.
    roll_up: SyncSender<Vec<u8>>,
    stopped: OnceLock<String>,
    drop_floor: AtomicU64,
    _lock: File,
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("dir", &self.core.dir).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store in `dir`, creating it if `dir` is absent or empty.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process has it open, [`Error::TooNew`] if a newer version wrote it, [`Error::NotAStore`] if `dir`
    /// holds something else.
    pub fn open(dir: &Path, options: StoreOptions) -> Result<Arc<Store>> {
        fs::create_dir_all(dir).map_err(Error::io("create the postings directory", dir))?;
        let lock = lock_directory(dir)?;
        let fresh = is_fresh(dir)?;
        let db = create_rocks(dir, &options)?;
        check_format(&db, dir, fresh)?;
        undo_unfinished_build(&db)?;
        let identity = match meta::get_identity(&db)? {
            Some(identity) => identity,
            None => {
                let identity = Identity::fresh();
                meta::put_identity(&db, &identity)?;
                identity
            }
        };
        // Also where the process died before it came to this.
        if fresh || (is_empty(&db)? && !dir.join(GROUP_FILE).exists()) {
            fs::write(dir.join(GROUP_FILE), "1\n").map_err(Error::io("write", dir.join(GROUP_FILE)))?;
        }
        let applied = newest_commit(&db)?;
        let floor = Ts(meta::get_number(&db, meta::FLOOR_KEY)?.unwrap_or(0)).max(applied);
        let (roll_up, to_roll_up) = sync_channel(1024);
        let core = Arc::new(Core {
            dir: dir.to_owned(),
            identity,
            group: read_group(dir)?,
            oracle: Oracle::open(&db, applied, floor)?,
            schema: SchemaHistory::open(&db)?,
            transactions: Transactions::default(),
            published: Published::new(applied),
            apply_gate: Mutex::new(()),
            roll_up,
            stopped: OnceLock::new(),
            drop_floor: AtomicU64::new(0),
            db,
            options,
            _lock: lock,
        });
        let (requests, threads) = committer::start(&core)?;
        let (stop_sweep, sweeper) = sweep::start(&core, to_roll_up)?;
        let mut threads = Vec::from(threads);
        threads.push(sweeper);
        let store = Store {
            core,
            requests: Mutex::new(Some(requests)),
            threads: Mutex::new(threads),
            stop_sweep: Mutex::new(Some(stop_sweep)),
        };
        store.ensure_initial_schema()?;
        Ok(Arc::new(store))
    }

    /// A database without its own predicates gets them as its first commit; so does one restored from a backup that left them out.
    fn ensure_initial_schema(&self) -> Result<()> {
        let (_, schema) = self.core.schema.newest();
        let initial = initial_schema();
        let missing = SchemaChange {
            predicates: initial
                .predicates
                .into_iter()
                .filter(|(p, _)| schema.predicate(p).is_none())
                .map(|(p, s)| (p, Some(s)))
                .collect(),
            types: initial
                .types
                .into_iter()
                .filter(|(t, _)| schema.type_def(t).is_none())
                .map(|(t, d)| (t, Some(d)))
                .collect(),
        };
        if !missing.predicates.is_empty() || !missing.types.is_empty() {
            self.alter(Alter::Schema(missing))?;
        }
        Ok(())
    }

    /// The directory the store lives in.
    pub fn dir(&self) -> &Path {
        &self.core.dir
    }

    /// The group whose predicates the store holds: the number in its `group_id` file.
    pub fn group(&self) -> GroupId {
        self.core.group
    }

    /// Which database this is, and which life of it.
    pub fn identity(&self) -> &Identity {
        &self.core.identity
    }

    /// The newest schema.
    pub fn schema(&self) -> Arc<Schema> {
        self.core.schema.newest().1
    }

    /// A timestamp for reading that is shared by all readers until the next commit. Waits for nothing.
    pub fn read_ts(&self) -> Ts {
        let read_ts = self.core.published.get();
        self.core.oracle.hand_out(read_ts);
        read_ts
    }

    /// Begins a transaction: a timestamp of its own, at which everything acknowledged before is visible.
    pub fn begin(&self) -> Result<Ts> {
        let (start_ts, last_commit) = self.core.oracle.begin(&self.core.db)?;
        self.core.published.wait_for(last_commit);
        self.core.oracle.hand_out(self.core.published.get().min(start_ts));
        Ok(start_ts)
    }

    /// Reads the graph at `read_ts`; a timestamp ahead of every commit reads the newest.
    ///
    /// # Errors
    /// [`Error::TooOld`] if versions of that time may have been collected.
    pub fn view(&self, read_ts: Ts) -> Result<View> {
        View::open(Arc::clone(&self.core), read_ts.min(self.core.published.get()), HashMap::new())
    }

    /// Reads the graph as transaction `start_ts` sees it: with its own pending writes.
    pub fn view_for(&self, start_ts: Ts) -> Result<View> {
        let edges = self.core.transactions.edges(start_ts);
        let view = self.view(start_ts)?;
        if edges.is_empty() {
            return Ok(view);
        }
        let prepared = prepare(&edges, view.schema())?;
        let (mut lists, mut buffer) = (point_iterator(&self.core.db), Vec::new());
        let effects =
            derive(prepared, view.schema(), start_ts.0, |key| read_list(&mut lists, key, view.read_ts(), &mut buffer))?;
        drop(lists);
        View::open(Arc::clone(&self.core), view.read_ts(), effects.lists)
    }

    /// Adds writes to transaction `start_ts`; nothing is visible to others before [`Store::commit`].
    ///
    /// # Errors
    /// [`Error::Conflict`] if the transaction has ended, by a commit, an abort or because nobody used it for long.
    pub fn mutate(&self, start_ts: Ts, edges: Vec<Edge>) -> Result<TxnInfo> {
        self.core.check_running()?;
        let (_, schema) = self.core.schema.newest();
        let prepared = prepare(&edges, &schema)?;
        let preds = predicate_names(&prepared.predicates());
        self.core.transactions.add(start_ts, edges, &prepared.conflict_keys, preds)
    }

    /// Commits transaction `start_ts`, checking its own conflict keys and those the client carries along (base-36 text). Returns when the
    /// commit is durable and visible. A repeated commit of a committed transaction without keys gives the same answer.
    ///
    /// # Errors
    /// [`Error::Conflict`] if another commit came first; the transaction is aborted then.
    pub fn commit(&self, start_ts: Ts, client_keys: &[String]) -> Result<CommitOutcome> {
        let client_keys: BTreeSet<u64> = client_keys.iter().filter_map(|key| from_base36(key)).collect();
        let txn = match (self.core.transactions.take(start_ts), self.core.transactions.finished(start_ts)) {
            (Some(txn), _) => txn,
            (None, Some(Finished::Committed(commit_ts))) if client_keys.is_empty() => {
                return Ok(CommitOutcome { start_ts, commit_ts, preds: Vec::new() });
            }
            (None, Some(_)) => return Err(Error::Conflict { start_ts }),
            (None, None) if self.core.transactions.is_forgotten(start_ts) => return Err(Error::Conflict { start_ts }),
            (None, None) => OpenTxn::new(),
        };
        let mut conflict_keys = txn.conflict_keys;
        conflict_keys.extend(client_keys);
        let preds = txn.preds.into_iter().collect();
        self.commit_edges(start_ts, txn.edges, conflict_keys, preds)
    }

    /// Writes and commits in one step, together with what transaction `start_ts` wrote before.
    ///
    /// # Errors
    /// As [`Store::mutate`] and [`Store::commit`].
    pub fn commit_now(&self, start_ts: Ts, edges: Vec<Edge>) -> Result<CommitOutcome> {
        let txn = self.core.transactions.take_or_begin(start_ts)?;
        let (mut all, conflict_keys, mut preds) = (txn.edges, txn.conflict_keys, txn.preds);
        all.extend(edges);
        preds.extend(all.iter().map(|edge| edge.predicate.to_string()));
        self.commit_edges(start_ts, all, conflict_keys, preds.into_iter().collect())
    }

    fn commit_edges(
        &self,
        start_ts: Ts,
        edges: Vec<Edge>,
        conflict_keys: BTreeSet<u64>,
        preds: Vec<String>,
    ) -> Result<CommitOutcome> {
        let (schema_ts, schema) = self.core.schema.newest();
        let prepared = prepare(&edges, &schema)?;
        let outcome = self
            .send(|reply| Request::Edges(EdgesRequest { start_ts, edges, prepared, schema_ts, conflict_keys, reply }));
        self.core
            .transactions
            .finish(start_ts, outcome.as_ref().map_or(Finished::Aborted, |ts| Finished::Committed(*ts)));
        outcome.map(|commit_ts| CommitOutcome { start_ts, commit_ts, preds })
    }

    /// Forgets a transaction's writes. False if it had committed already.
    pub fn abort(&self, start_ts: Ts) -> bool {
        let open = self.core.transactions.take(start_ts).is_some();
        let committed = matches!(self.core.transactions.finished(start_ts), Some(Finished::Committed(_)));
        if open || !committed {
            self.core.transactions.finish(start_ts, Finished::Aborted);
        }
        open || !committed
    }

    /// Changes the schema or drops data, as a commit of its own; indexes are complete when it returns.
    ///
    /// # Errors
    /// [`Error::Refused`] if the data or the rules do not allow it.
    pub fn alter(&self, alter: Alter) -> Result<Ts> {
        self.send(|reply| Request::Alter { alter, reply })
    }

    fn send(&self, request: impl FnOnce(committer::Reply) -> Request) -> Result<Ts> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(Error::Closing)?;
        let (reply, answer) = sync_channel(1);
        requests.send(request(reply)).map_err(|_| Error::Closing)?;
        drop(requests);
        answer.recv().map_err(|_| Error::Stopped { why: "the committer ended".into() })?
    }

    /// Hands out `count` ids that nobody else gets, also after a crash.
    pub fn lease(&self, kind: Leased, count: u64) -> Result<Lease> {
        self.core.oracle.lease(&self.core.db, kind, count)
    }

    /// Makes sure that `id` and everything below is never handed out.
    pub fn raise_lease(&self, kind: Leased, id: u64) -> Result<()> {
        self.core.oracle.raise(&self.core.db, kind, id)
    }

    /// The greatest id leased so far: what `/state` shows as `maxUID` and the like.
    pub fn max_leased(&self, kind: Leased) -> u64 {
        self.core.oracle.leased(kind).0
    }

    /// The id that will be handed out next.
    pub fn next_id(&self, kind: Leased) -> u64 {
        self.core.oracle.leased(kind).1
    }

    /// The oldest timestamp that can still be read.
    pub fn history_floor(&self) -> Ts {
        self.core.oracle.floor()
    }

    /// Visits the records of the commit log above `after`, in order, until `visit` breaks. Durable records only.
    pub fn read_log(&self, after: Ts, mut visit: impl FnMut(Ts, LogRecord) -> ControlFlow<()>) -> Result<()> {
        let log = self.core.db.cf_handle(LOG).expect("every column family is opened with the store");
        let published = self.core.published.get();
        let from = log_key(Ts(after.0.saturating_add(1)));
        for item in self.core.db.iterator_cf(log, IteratorMode::From(&from, rocksdb::Direction::Forward)) {
            let (key, record) = item.map_err(Error::rocks("read the commit log"))?;
            let commit_ts = read_log_key(&key)?;
            if commit_ts > published || visit(commit_ts, LogRecord::from_wire(&record)?).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Rolls up and collects now, instead of at the next turn of the background sweep.
    pub fn sweep(&self) -> Result<()> {
        sweep::sweep(&self.core)
    }

    /// Writes memory tables to disk, so that sizes on disk mean something.
    pub fn flush(&self) -> Result<()> {
        for family in [POSTINGS, LOG, SCHEMA, META] {
            let family = self.core.db.cf_handle(family).expect("every column family is opened with the store");
            self.core.db.flush_cf(family).map_err(Error::rocks("flush"))?;
        }
        Ok(())
    }

    /// Merges the store's files into as few as possible, as RocksDB does by itself in time: a scan then reads each block once.
    pub fn compact(&self) {
        let family = self.core.db.cf_handle(POSTINGS).expect("every column family is opened with the store");
        self.core.db.compact_range_cf(family, None::<&[u8]>, None::<&[u8]>);
    }

    /// Numbers for monitoring.
    pub fn stats(&self) -> StoreStats {
        let size = |family| {
            let family = self.core.db.cf_handle(family).expect("every column family is opened with the store");
            self.core.db.property_int_value_cf(family, "rocksdb.total-sst-files-size").ok().flatten().unwrap_or(0)
        };
        StoreStats {
            applied: self.core.published.get(),
            open_transactions: self.core.transactions.len(),
            disk_bytes: [POSTINGS, LOG, SCHEMA, META].into_iter().map(size).sum(),
        }
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Whether nobody reads any more: after [`Store::close`], dropping the store then frees the directory.
    pub fn is_idle(&self) -> bool {
        Arc::strong_count(&self.core) == 1
    }

    /// Finishes what was sent, stops the threads and syncs. Readers that are still open keep the directory locked.
    pub fn close(&self) {
        drop(self.stop_sweep.lock().unwrap_or_else(PoisonError::into_inner).take());
        drop(self.requests.lock().unwrap_or_else(PoisonError::into_inner).take());
        for thread in self.threads.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            _ = thread.join();
        }
        _ = self.core.sync();
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

impl Core {
    /// Syncs the write-ahead log.
    pub(crate) fn sync(&self) -> Result<()> {
        self.db.flush_wal(self.options.sync).map_err(Error::rocks("sync the write-ahead log"))
    }

    /// After a failed sync nobody knows what is on disk: nothing more is accepted.
    pub(crate) fn stop(&self, why: &str) {
        tracing::error!(why, dir = %self.dir.display(), "the store stops accepting writes");
        _ = self.stopped.set(why.to_owned());
    }

    pub(crate) fn check_running(&self) -> Result<()> {
        self.stopped.get().map_or(Ok(()), |why| Err(Error::Stopped { why: why.clone() }))
    }

    pub(crate) fn ask_roll_up(&self, stored_key: &[u8]) {
        // A full queue means that the sweep is busy; the next reader asks again.
        _ = self.roll_up.try_send(stored_key.to_vec());
    }

    pub(crate) fn oldest_txn(&self) -> Option<Ts> {
        self.transactions.expire(self.options.abort_after)
    }

    pub(crate) fn raise_drop_floor(&self, ts: Ts) {
        self.drop_floor.fetch_max(ts.0, Ordering::AcqRel);
        self.oracle.raise_floor_to(ts);
    }

    /// Readers below this timestamp would not see what a drop took away.
    pub(crate) fn drop_floor(&self) -> Ts {
        Ts(self.drop_floor.load(Ordering::Acquire))
    }
}

fn predicate_names(predicates: &BTreeSet<graphdb_types::Predicate>) -> BTreeSet<String> {
    predicates.iter().map(ToString::to_string).collect()
}
