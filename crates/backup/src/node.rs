mod export;
mod gate;
mod restore;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, TryLockError};
use std::time::Duration;

use graphdb_destination::{LocationRequest, Locations};
use graphdb_storage::{Store, StoreOptions};
use graphdb_types::with_causes;
use tokio::sync::Mutex;
use tokio::task;

use crate::backup::{BackupContext, take_backup};
use crate::catalogue::{BackupListing, list_backups};
use crate::error::{Error, Result};
use crate::guard::KeyGuard;
use crate::jobs::{JobKind, JobRecord, JobStatus, Jobs};
use crate::plan::BackupRequest;
use crate::progress::Progress;
use crate::series_memory::SeriesMemory;
use crate::swap;

pub use export::{ExportDone, ExportRequest};
pub use restore::RestoreRequest;

use gate::Gate;
use restore::handed_out;

/// How a node is opened.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// How its store is opened.
    pub store: StoreOptions,
    /// How its backups are written.
    pub backup: BackupContext,
    /// How long the store that a restore replaced is kept.
    pub keep_replaced: Duration,
    /// Where exports go that name no destination.
    pub export_dir: PathBuf,
    /// Who is asked before each backup whether the key of `backup` may still be used.
    pub key_guard: Option<Arc<dyn KeyGuard>>,
}

impl Default for NodeOptions {
    fn default() -> NodeOptions {
        NodeOptions {
            store: StoreOptions::default(),
            backup: BackupContext::default(),
            keep_replaced: Duration::from_secs(24 * 3600),
            export_dir: "export".into(),
            key_guard: None,
        }
    }
}

/// A running node: a store that clients use, that is backed up, and that a restore exchanges for another. Clones are the same node.
#[derive(Clone, Debug)]
pub struct Node {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    postings: PathBuf,
    options: NodeOptions,
    /// `None` while it is exchanged.
    store: RwLock<Option<Arc<Store>>>,
    /// Keeps other processes out, also while the store is exchanged.
    lock: std::sync::Mutex<Option<File>>,
    /// Keeps clients out.
    gate: Gate,
    closing: AtomicBool,
    jobs: Jobs,
    /// Of the places it backed up to.
    memory: SeriesMemory,
    /// Held by a running backup, with its progress.
    backup: Arc<Mutex<()>>,
    /// Held by a running restore.
    restore: Arc<Mutex<()>>,
    /// Held by a running export.
    export: Arc<Mutex<()>>,
    running: std::sync::Mutex<Vec<(JobKind, u64, Progress)>>,
}

/// A backup that was taken.
#[derive(Clone, Debug)]
pub struct BackupDone {
    /// The task it ran as.
    pub task_id: u64,
    /// What was written.
    pub backup: BackupListing,
    /// What whoever asked for it should know although all went well.
    pub note: Option<String>,
}

impl Node {
    /// Opens the store in `postings` after finishing or undoing what an interrupted restore left. Blocks.
    pub fn open(postings: &Path, options: NodeOptions) -> Result<Node> {
        // Before anything is settled: what looks interrupted may be the work of another process.
        let lock = swap::lock(postings)?;
        let jobs = Jobs::open(&swap::jobs_dir(postings))?;
        let memory = SeriesMemory::open(&swap::jobs_dir(postings).join("series"))?;
        let open = |dir: &Path| Store::open(dir, options.store.clone()).map_err(Error::from);
        let replaced = swap::settle(postings, &jobs, |dir| Ok(open(dir)?.identity().epoch))?;
        let store = open(postings)?;
        for old in replaced {
            let old = open(&old)?;
            handed_out(&old).raise(&store)?;
        }
        swap::prune_replaced(&jobs, options.keep_replaced.as_secs() as i64)?;
        let inner = Inner {
            postings: postings.to_owned(),
            options,
            store: RwLock::new(Some(store)),
            lock: std::sync::Mutex::new(Some(lock)),
            gate: Gate::new(jobs.is_partial()),
            closing: AtomicBool::new(false),
            jobs,
            memory,
            backup: Arc::default(),
            restore: Arc::default(),
            export: Arc::default(),
            running: std::sync::Mutex::default(),
        };
        Ok(Node { inner: Arc::new(inner) })
    }

    /// The store, for as long as one request takes.
    ///
    /// # Errors
    /// [`Error::Draining`] while clients are kept out, [`Error::Swapping`] while a restored store is put in place.
    pub fn store(&self) -> Result<Arc<Store>> {
        if self.is_draining() { Err(Error::Draining) } else { self.any_store() }
    }

    /// The store, also while clients are kept out: for administration. Does not wait for an exchange, which may take a minute.
    pub fn any_store(&self) -> Result<Arc<Store>> {
        let place = match self.inner.store.try_read() {
            Ok(place) => place,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(Error::Swapping),
        };
        place.clone().ok_or(Error::Swapping)
    }

    /// The directory the store lives in.
    pub fn postings(&self) -> &Path {
        &self.inner.postings
    }

    /// Whether backups are encrypted.
    pub fn encrypts(&self) -> bool {
        self.inner.options.backup.key.is_some()
    }

    /// Whether clients are kept out.
    pub fn is_draining(&self) -> bool {
        self.inner.gate.is_shut()
    }

    /// Keeps clients out, or lets them in again: also after a partial restore, which keeps them out through restarts too; but not while a
    /// restore needs the database to stay as it is.
    pub fn set_draining(&self, draining: bool) {
        if !draining && let Err(err) = self.inner.jobs.end_partial() {
            tracing::warn!(%err, "clients are let in; after a restart they will be kept out again");
        }
        self.inner.gate.set(draining);
    }

    /// Whether the node does its work, or will when it is let: it has a store or is exchanging it, and it is not closing.
    pub fn is_alive(&self) -> bool {
        let is_exchanging = || self.inner.restore.try_lock().is_err();
        self.check_open().is_ok() && (self.any_store().is_ok() || is_exchanging())
    }

    /// What runs at the moment, in Dgraph's words: `opBackup`, `opRestore`; exports, for which it has none, are `opExport`.
    pub fn ongoing(&self) -> Vec<&'static str> {
        let running = self.inner.running.lock().unwrap_or_else(PoisonError::into_inner);
        let name = |kind| match kind {
            JobKind::Backup => "opBackup",
            JobKind::Restore => "opRestore",
            JobKind::Export => "opExport",
        };
        running.iter().map(|(kind, _, _)| name(*kind)).collect()
    }

    /// Takes a backup and returns when it is committed. It goes on when the caller hangs up.
    pub async fn backup(&self, request: BackupRequest) -> Result<BackupDone> {
        let node = self.clone();
        tokio::spawn(async move { node.run_backup(request).await }).await?
    }

    async fn run_backup(&self, request: BackupRequest) -> Result<BackupDone> {
        let task_id = u64::from(rand::random::<u32>()) | 1 << 32;
        let mut record = JobRecord::new(task_id, JobKind::Backup, &self.shown(&request.destination));
        self.inner.jobs.put(record.clone())?;
        let running = self.note_running(JobKind::Backup, task_id);
        let outcome = async {
            self.check_open()?;
            // Callers of one node wait for each other only as long as it takes to be told that the location is locked.
            let _one_at_a_time =
                Arc::clone(&self.inner.backup).try_lock_owned().map_err(|_| self.busy(task_id, &request))?;
            self.check_key().await?;
            let store = self.any_store()?;
            let destination = self.locations().open(&request.destination).await?;
            let (context, memory) = (&self.inner.options.backup, Some(&self.inner.memory));
            let taken = take_backup(&store, &destination, context, memory, request.terms, &running.progress).await?;
            Ok(BackupDone { task_id, backup: BackupListing::from(&taken.sealed), note: taken.note })
        }
        .await;
        record.status = if outcome.is_ok() { JobStatus::Success } else { JobStatus::Failed };
        record.percent = if outcome.is_ok() { 100.0 } else { 0.0 };
        record.phase = running.progress.phase().to_owned();
        if let Err(err) = &outcome {
            tracing::error!(err = with_causes(err), destination = record.location, "backup failed");
            record.errors.push(with_causes(err));
        }
        record.note = outcome.as_ref().ok().and_then(|done| done.note.clone());
        self.inner.jobs.put(record)?;
        outcome
    }

    /// Whether backups may go on being encrypted with the key that the node holds.
    async fn check_key(&self) -> Result<()> {
        match (&self.inner.options.key_guard, &self.inner.options.backup.key) {
            (Some(guard), Some(key)) => guard.check(key).await.map_err(Error::KeyRefused),
            _ => Ok(()),
        }
    }

    /// Names the backup that is in the way: a node takes one at a time, also to different locations.
    fn busy(&self, own_id: u64, request: &BackupRequest) -> Error {
        let running = self.inner.running.lock().unwrap_or_else(PoisonError::into_inner);
        let other = running.iter().find(|(kind, id, _)| *kind == JobKind::Backup && *id != own_id);
        let record = other.and_then(|(kind, id, _)| self.inner.jobs.get(*kind, *id));
        let location = record.map_or_else(|| self.shown(&request.destination), |record| record.location);
        let holder = format!("process {}, this node, which takes one backup at a time", std::process::id());
        Error::Busy { location, holder, expires: "when it is done".into() }
    }

    /// Lists the backups at a location.
    pub async fn list_backups(&self, at: &LocationRequest) -> Result<Vec<BackupListing>> {
        list_backups(self.locations(), at).await
    }

    fn locations(&self) -> &Locations {
        &self.inner.options.backup.locations
    }

    /// The place that a request means, in words that may be kept; what is no place is not repeated: it may hold a secret.
    pub fn shown(&self, at: &LocationRequest) -> String {
        self.locations().resolve(at).map_or_else(|_| "an invalid location".into(), |location| location.to_string())
    }

    /// The record of a task: a backup or an export.
    pub fn task(&self, id: u64) -> Option<JobRecord> {
        let kinds = [JobKind::Backup, JobKind::Export];
        kinds.into_iter().find_map(|kind| self.inner.jobs.get(kind, id)).map(|record| self.with_progress(record))
    }

    /// The record of a restore.
    pub fn restore_status(&self, id: u64) -> Option<JobRecord> {
        self.inner.jobs.get(JobKind::Restore, id).map(|record| self.with_progress(record))
    }

    /// Stops what runs and closes the store: backups and exports in progress are cancelled and leave nothing behind.
    pub async fn close(&self) {
        self.inner.closing.store(true, Ordering::Release);
        for (_, _, progress) in self.inner.running.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            progress.cancel();
        }
        drop(self.inner.backup.lock().await);
        drop(self.inner.restore.lock().await);
        drop(self.inner.export.lock().await);
        let store = self.inner.store.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(store) = store {
            _ = task::spawn_blocking(move || store.close()).await;
        }
        drop(self.inner.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Removes replaced stores whose time has come; to be called now and then. Does nothing while a restore or a rollback runs: it may be
    /// putting one of them back.
    pub fn prune(&self) -> Result<()> {
        let Ok(_alone) = self.inner.restore.try_lock() else { return Ok(()) };
        swap::prune_replaced(&self.inner.jobs, self.inner.options.keep_replaced.as_secs() as i64)
    }

    fn check_open(&self) -> Result<()> {
        if self.inner.closing.load(Ordering::Acquire) {
            Err(Error::Cancelled("the node is shutting down"))
        } else {
            Ok(())
        }
    }

    fn note_running(&self, kind: JobKind, id: u64) -> Running {
        let progress = Progress::default();
        self.inner.running.lock().unwrap_or_else(PoisonError::into_inner).push((kind, id, progress.clone()));
        Running { node: self.clone(), kind, id, progress }
    }

    fn with_progress(&self, mut record: JobRecord) -> JobRecord {
        let running = self.inner.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, _, progress)) = running.iter().find(|(kind, id, _)| (*kind, *id) == (record.kind, record.id)) {
            record.phase = progress.phase().to_owned();
            record.percent = progress.percent();
        }
        record
    }
}

/// A job that is at work; leaves the list of running jobs when dropped.
struct Running {
    node: Node,
    kind: JobKind,
    id: u64,
    progress: Progress,
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut running = self.node.inner.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|(kind, id, _)| (*kind, *id) != (self.kind, self.id));
    }
}
