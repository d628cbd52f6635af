//! Puts commits in order and makes them durable.
//!
//! Two threads: the *applier* takes requests one by one, checks conflicts, assigns the `commit_ts`, derives the changes and writes them
//! without waiting for the disk; the *syncer* syncs the write-ahead log once for all commits written meanwhile (group commit), publishes
//! them in order and answers. A commit is acknowledged, and visible, only after its sync.

use std::collections::{BTreeSet, HashMap};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};

use graphdb_types::{Schema, Ts};
use rocksdb::WriteBatch;

use crate::alter::{self, Alter, put_list, put_log_record};
use crate::derive::{Prepared, derive, prepare};
use crate::edge::Edge;
use crate::error::{Error, Result};
use crate::log::{LogEntry, LogRecord};
use crate::store::Core;
use crate::versions::{point_iterator, read_list};

/// Commits that may wait for the applier, and for the syncer; beyond that, callers wait.
const QUEUE: usize = 1024;

/// How many conflict keys are kept before those that no open transaction can hit are dropped.
const CONFLICTS_TRIMMED_ABOVE: usize = 1_000_000;

pub(crate) enum Request {
    Edges(EdgesRequest),
    Alter { alter: Alter, reply: Reply },
}

pub(crate) struct EdgesRequest {
    pub(crate) start_ts: Ts,
    pub(crate) edges: Vec<Edge>,
    /// Made with the schema of this commit; made again if that is not the newest any more.
    pub(crate) prepared: Prepared,
    pub(crate) schema_ts: Ts,
    pub(crate) conflict_keys: BTreeSet<u64>,
    pub(crate) reply: Reply,
}

pub(crate) type Reply = SyncSender<Result<Ts>>;

struct Written {
    commit_ts: Ts,
    /// `Err`: nothing was written at this timestamp.
    result: Result<()>,
    reply: Reply,
}

/// Starts both threads. They end when the sender is dropped and everything sent has been answered.
pub(crate) fn start(core: &Arc<Core>) -> Result<(SyncSender<Request>, [JoinHandle<()>; 2])> {
    let (requests, inbox) = sync_channel(QUEUE);
    let (written, unsynced) = sync_channel(QUEUE);
    let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
        thread::Builder::new().name(name.into()).spawn(run).map_err(Error::io("start a thread for", core.dir.clone()))
    };
    let applier =
        Applier { core: Arc::clone(core), conflicts: HashMap::new(), oldest_start: core.oracle.next_start(), written };
    let syncer_core = Arc::clone(core);
    let threads = [
        spawn("graphdb-apply", Box::new(move || applier.run(inbox)))?,
        spawn("graphdb-sync", Box::new(move || sync_loop(&syncer_core, unsynced)))?,
    ];
    Ok((requests, threads))
}

struct Applier {
    core: Arc<Core>,
    /// The newest commit of each conflict key.
    conflicts: HashMap<u64, Ts>,
    /// Transactions that began earlier are aborted: their conflicts are not known, or what they read was dropped.
    oldest_start: Ts,
    written: SyncSender<Written>,
}

impl Applier {
    fn run(mut self, inbox: Receiver<Request>) {
        for request in inbox {
            let (outcome, reply) = match request {
                Request::Edges(request) => self.apply_edges(request),
                Request::Alter { alter, reply } => (self.apply_alter(alter), reply),
            };
            // A caller that went away does not undo its commit; a syncer that went away has panicked, and the node with it.
            match outcome {
                Ok((commit_ts, result)) => _ = self.written.send(Written { commit_ts, result, reply }),
                Err(refused) => _ = reply.send(Err(refused)),
            }
        }
    }

    /// `Err` outside: refused before a timestamp was assigned.
    fn apply_edges(&mut self, request: EdgesRequest) -> (Result<(Ts, Result<()>)>, Reply) {
        let EdgesRequest { start_ts, edges, mut prepared, schema_ts, mut conflict_keys, reply } = request;
        let core = Arc::clone(&self.core);
        let attempt = || {
            core.check_running()?;
            let (newest_ts, schema) = core.schema.newest();
            if newest_ts != schema_ts {
                prepared = prepare(&edges, &schema)?;
            }
            conflict_keys.extend(&prepared.conflict_keys);
            self.check_conflicts(start_ts, &conflict_keys)?;
            let gate = core.apply_gate.lock().unwrap_or_else(PoisonError::into_inner);
            let commit_ts = core.oracle.assign_commit(&core.db)?;
            let result = write_edges(&core, edges, prepared, &schema, commit_ts);
            drop(gate);
            if result.is_ok() {
                self.conflicts.extend(conflict_keys.iter().map(|key| (*key, commit_ts)));
                self.trim_conflicts();
            }
            Ok((commit_ts, result))
        };
        (attempt(), reply)
    }

    fn apply_alter(&mut self, alter: Alter) -> Result<(Ts, Result<()>)> {
        let core = Arc::clone(&self.core);
        core.check_running()?;
        let (_, schema) = core.schema.newest();
        if let Alter::Schema(change) = &alter {
            alter::check(&core.db, &schema, change)?;
        }
        let gate = core.apply_gate.lock().unwrap_or_else(PoisonError::into_inner);
        let commit_ts = core.oracle.assign_commit(&core.db)?;
        let result = match &alter {
            Alter::Schema(change) => alter::apply_schema(&core.db, &schema, change, commit_ts),
            Alter::Drop(op) => alter::apply_drop(&core.db, &schema, op, commit_ts),
        };
        if result.is_err()
            && let Err(err) = alter::undo_unfinished_build(&core.db)
        {
            // Half an index would become visible with the next commit.
            core.stop(&err.to_string());
        }
        drop(gate);
        match result {
            Err(err) => Ok((commit_ts, Err(err))),
            Ok(schema) => {
                // Later commits in the queue must see it, though readers do not before it is published.
                core.schema.push(commit_ts, schema);
                if matches!(alter, Alter::Drop(_)) {
                    self.forget_before(commit_ts);
                }
                Ok((commit_ts, Ok(())))
            }
        }
    }

    /// What was dropped cannot be read any more, and transactions that may have read it cannot commit.
    fn forget_before(&mut self, commit_ts: Ts) {
        self.oldest_start = commit_ts;
        self.conflicts.clear();
        self.core.raise_drop_floor(commit_ts);
    }

    fn check_conflicts(&self, start_ts: Ts, keys: &BTreeSet<u64>) -> Result<()> {
        let newer = |key: &u64| self.conflicts.get(key).is_some_and(|commit_ts| *commit_ts > start_ts);
        if start_ts < self.oldest_start || keys.iter().any(newer) { Err(Error::Conflict { start_ts }) } else { Ok(()) }
    }

    fn trim_conflicts(&mut self) {
        if self.conflicts.len() > CONFLICTS_TRIMMED_ABOVE {
            let published = self.core.published.get();
            let oldest_open = self.core.oldest_txn().unwrap_or(published).min(published);
            self.conflicts.retain(|_, commit_ts| *commit_ts >= oldest_open);
            self.oldest_start = self.oldest_start.max(oldest_open);
        }
    }
}

fn write_edges(core: &Core, edges: Vec<Edge>, prepared: Prepared, schema: &Schema, commit_ts: Ts) -> Result<()> {
    let mut lists = point_iterator(&core.db);
    let mut buffer = Vec::new();
    let effects = derive(prepared, schema, commit_ts.0, |key| read_list(&mut lists, key, Ts::MAX, &mut buffer))?;
    let mut batch = WriteBatch::default();
    // In order: what is written next to each other is found next to each other in the memory table.
    let mut lists: Vec<_> = effects.lists.into_iter().collect();
    lists.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    for (key, delta) in &lists {
        put_list(&core.db, &mut batch, key, delta, commit_ts);
    }
    let touched_keys = lists.into_iter().map(|(key, _)| key).collect();
    let record = LogRecord { entry: LogEntry::Edges(edges), touched_keys, touched_predicates: Vec::new() };
    put_log_record(&core.db, &mut batch, &record, commit_ts);
    core.db.write(batch).map_err(Error::rocks("write a commit"))
}

fn sync_loop(core: &Core, unsynced: Receiver<Written>) {
    while let Ok(first) = unsynced.recv() {
        let mut group = vec![first];
        group.extend(unsynced.try_iter().take(QUEUE));
        if let Err(err) = core.sync() {
            core.stop(&err.to_string());
        }
        for Written { commit_ts, result, reply } in group {
            let answer = result.and_then(|()| core.check_running());
            core.published.raise(commit_ts);
            _ = reply.send(answer.map(|()| commit_ts));
        }
    }
}
