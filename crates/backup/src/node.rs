mod export;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, TryLockError};
use std::time::{Duration, Instant};

use graphdb_archive::ManifestError;
use graphdb_destination::{LocationRequest, Locations};
use graphdb_storage::{Leased, Store, StoreOptions};
use graphdb_types::{Ts, with_causes};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task;

use crate::backup::{BackupContext, take_backup};
use crate::catalogue::{BackupListing, list_backups};
use crate::error::{Error, Result};
use crate::guard::KeyGuard;
use crate::jobs::{JobKind, JobRecord, JobStatus, Jobs};
use crate::plan::BackupRequest;
use crate::progress::Progress;
use crate::restore::{Above, Target, build};
use crate::series_memory::SeriesMemory;
use crate::source::{SeriesRequest, SeriesSource};
use crate::swap;

pub use export::{ExportDone, ExportRequest};

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
    draining: AtomicBool,
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

/// How long a swap waits for requests that are still reading the old store.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(60);

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
            draining: AtomicBool::new(false),
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
        self.inner.draining.load(Ordering::Acquire)
    }

    /// Keeps clients out, or lets them in again.
    pub fn set_draining(&self, draining: bool) {
        self.inner.draining.store(draining, Ordering::Release);
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
            let taken =
                take_backup(&store, &destination, context, memory, request.terms, &running.progress).await?;
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

    /// Proves the series, then starts restoring it and returns the restore's number. The node goes on serving until the restored store is
    /// whole; then clients are kept out while the stores are exchanged.
    pub async fn restore(&self, request: SeriesRequest) -> Result<u64> {
        self.check_open()?;
        let alone = Arc::clone(&self.inner.restore).try_lock_owned().map_err(|_| Error::RestoreRunning)?;
        let plan = self.prove(&request).await?;
        let id = self.inner.jobs.next_restore();
        let record = JobRecord::new(id, JobKind::Restore, &self.shown(&request.location));
        self.inner.jobs.put(record.clone())?;
        let node = self.clone();
        // Noted before the answer: who then asks what is going on must find it.
        let running = self.note_running(JobKind::Restore, id);
        tokio::spawn(async move { node.run_restore(plan, record, running, alone).await });
        Ok(id)
    }

    /// Proves the series with the key of the request, or, if it needs one and the request has none, with the node's own.
    async fn prove(&self, request: &SeriesRequest) -> Result<SeriesSource> {
        match (SeriesSource::prove(self.locations(), request).await, &self.inner.options.backup.key) {
            (Err(Error::Manifest(err)), Some(key))
                if request.key.is_none() && matches!(*err, ManifestError::KeyMissing { .. }) =>
            {
                let request = SeriesRequest { key: Some(Arc::clone(key)), ..request.clone() };
                SeriesSource::prove(self.locations(), &request).await
            }
            (proved, _) => proved,
        }
    }

    async fn run_restore(
        &self,
        plan: SeriesSource,
        mut record: JobRecord,
        running: Running,
        _alone: OwnedMutexGuard<()>,
    ) {
        match self.restore_and_swap(&plan, &mut record, &running.progress).await {
            Ok(()) => {
                tracing::info!(restore = record.id, backup_id = %plan.newest().backup_id, read_ts = plan.newest().read_ts.0, "restore done");
                record.status = JobStatus::Success;
                record.percent = 100.0;
            }
            Err(err) => {
                tracing::error!(
                    restore = record.id,
                    err = with_causes(&err),
                    "restore failed; the database is as it was before"
                );
                record.status = JobStatus::Failed;
                record.errors.push(with_causes(&err));
                self.remove_staging(&record);
            }
        }
        record.phase = running.progress.phase().to_owned();
        if let Err(err) = self.inner.jobs.put(record) {
            tracing::error!(%err, "the outcome of a restore could not be recorded");
        }
    }

    /// Removes what a failed restore built, unless it took the store's place after all: then that directory holds the old store.
    fn remove_staging(&self, record: &JobRecord) {
        let swapped = self.any_store().is_ok_and(|store| Some(store.identity().epoch) == record.epoch);
        let staging = swap::staging_dir(&self.inner.postings, record.id);
        if swapped {
            tracing::error!(dir = %staging.display(), "the restored store is in place; the old one is kept");
        } else if let Err(err) = swap::remove(&staging) {
            tracing::warn!(%err, "what the failed restore built could not be removed");
        }
    }

    async fn restore_and_swap(&self, plan: &SeriesSource, record: &mut JobRecord, progress: &Progress) -> Result<()> {
        progress.enter("merge");
        let staging = swap::staging_dir(&self.inner.postings, record.id);
        swap::remove(&staging)?;
        let (group, above) = self.any_store().map(|store| (store.group(), handed_out(&store)))?;
        let identity = plan.identity(above.epoch);
        record.epoch = Some(identity.epoch);
        // Leases of the old store as they are now are not enough: it goes on serving. They are raised again after the swap.
        let target = Target { dir: staging.clone(), group, identity, above };
        let built = build(plan, &plan.groups(), target, progress).await?;
        record.note = built.stale.summary();
        progress.enter("swap");
        record.phase = "swap".into();
        self.inner.jobs.put(record.clone())?;
        let replaced = swap::replaced_dir(&self.inner.postings, record.id);
        self.exchange(&staging, &replaced).await?;
        record.replaced = Some(replaced);
        progress.enter("done");
        Ok(())
    }

    /// Puts the store of the last successful restore's predecessor back.
    pub async fn rollback_restore(&self, id: u64) -> Result<()> {
        let _alone = Arc::clone(&self.inner.restore).try_lock_owned().map_err(|_| Error::RestoreRunning)?;
        let unknown = || Error::NoRollback { id, why: "there is no such restore".into() };
        let mut record = self.inner.jobs.get(JobKind::Restore, id).ok_or_else(unknown)?;
        let source = swap::rollback_source(&record)?;
        let aside = swap::rolled_back_dir(&self.inner.postings, id);
        self.exchange(&source, &aside).await?;
        swap::remove(&aside)?;
        record.replaced = None;
        record.phase = "rolled back".into();
        self.inner.jobs.put(record)
    }

    /// Keeps clients out, closes the store, exchanges it for the one in `new` and opens that. If anything fails, the old one is opened.
    async fn exchange(&self, new: &Path, aside: &Path) -> Result<()> {
        let was_draining = self.inner.draining.swap(true, Ordering::AcqRel);
        let outcome = async {
            // A running backup or export ends first: it reads the store that would be closed.
            let _no_backup = self.inner.backup.lock().await;
            let _no_export = self.inner.export.lock().await;
            let (node, new, aside) = (self.clone(), new.to_owned(), aside.to_owned());
            task::spawn_blocking(move || node.exchange_blocking(&new, &aside)).await?
        }
        .await;
        self.inner.draining.store(was_draining, Ordering::Release);
        outcome
    }

    fn exchange_blocking(&self, new: &Path, aside: &Path) -> Result<()> {
        // The place is empty meanwhile, and not locked: who asks is told at once.
        let place = || self.inner.store.write().unwrap_or_else(PoisonError::into_inner);
        let store = place().take().ok_or(Error::Swapping)?;
        let open = || Store::open(&self.inner.postings, self.inner.options.store.clone()).map_err(Error::from);
        let handed_out = match close(store) {
            Ok(handed_out) => handed_out,
            Err((store, err)) => {
                *place() = Some(store.map_or_else(open, Ok)?);
                return Err(err);
            }
        };
        if let Err(err) = swap::exchange(new, &self.inner.postings, aside) {
            *place() = Some(open()?);
            return Err(err);
        }
        match open().and_then(|store| handed_out.raise(&store).map(|()| store)) {
            Ok(store) => {
                *place() = Some(store);
                Ok(())
            }
            Err(err) => {
                tracing::error!(%err, "the new store cannot be opened; the old one is put back");
                swap::exchange(aside, &self.inner.postings, new)?;
                *place() = Some(open()?);
                Err(err)
            }
        }
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

/// Waits until nobody uses the store, closes it, and tells what it had handed out by then. Gives it back if somebody does not let go.
fn close(mut store: Arc<Store>) -> Result<Above, (Option<Arc<Store>>, Error)> {
    let deadline = Instant::now() + DRAIN_TIMEOUT;
    let store = loop {
        match Arc::try_unwrap(store) {
            Ok(store) => break store,
            Err(shared) if Instant::now() > deadline => {
                return Err((Some(shared), Error::Cancelled("requests that began before did not end within a minute")));
            }
            Err(shared) => store = shared,
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let handed_out = handed_out(&store);
    store.close();
    while !store.is_idle() {
        if Instant::now() > deadline {
            return Err((None, Error::Cancelled("readers that began before did not end within a minute")));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(store);
    Ok(handed_out)
}

/// What a store that takes this one's place must not hand out again.
fn handed_out(store: &Store) -> Above {
    let below = |kind| store.next_id(kind) - 1;
    Above {
        epoch: store.identity().epoch,
        ts: Ts(below(Leased::Ts)),
        uid: below(Leased::Uid),
        namespace: below(Leased::Namespace),
    }
}

impl Above {
    /// What the old store handed out until it was closed is not handed out again.
    fn raise(&self, store: &Store) -> Result<()> {
        store.raise_lease(Leased::Uid, self.uid)?;
        store.raise_lease(Leased::Namespace, self.namespace)?;
        store.raise_lease(Leased::Ts, self.ts.0)?;
        Ok(())
    }
}
