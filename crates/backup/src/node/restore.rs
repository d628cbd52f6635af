//! Restores into a running node: a store is built beside, and exchanged for the one that clients use.

use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use graphdb_archive::ManifestError;
use graphdb_storage::{Leased, Restored, Store};
use graphdb_types::{Ts, with_causes};
use tokio::sync::OwnedMutexGuard;
use tokio::task;

use super::gate::Shut;
use super::{Node, Running};
use crate::error::{Error, Result};
use crate::jobs::{JobKind, JobRecord, JobStatus, ROLLED_BACK};
use crate::progress::Progress;
use crate::restore::{Above, Built, Target, build};
use crate::source::{SeriesRequest, SeriesSource};
use crate::swap;

/// How long a swap waits for requests that are still reading the old store.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(60);

/// What the caller of a restore decides.
#[derive(Clone, Debug, Default)]
pub struct RestoreRequest {
    /// The series, and what of it. Its `incremental_from` n above 1 applies the backups from n on upon the database as it is, which must be
    /// what restoring the same series up to n - 1 gave.
    pub series: SeriesRequest,
    /// Keeps clients out afterwards, also through restarts: until a restore that is not partial, or until somebody lets them in.
    pub is_partial: bool,
}

impl From<SeriesRequest> for RestoreRequest {
    fn from(series: SeriesRequest) -> RestoreRequest {
        RestoreRequest { series, is_partial: false }
    }
}

/// A restore that was found to be possible.
struct Plan {
    source: SeriesSource,
    /// Of backups that are applied upon the store: its newest commit, which must stay its newest.
    upon: Option<Ts>,
    is_partial: bool,
    /// Clients are kept out from the beginning.
    shut: Option<Shut>,
    alone: OwnedMutexGuard<()>,
}

impl Node {
    /// Proves the series, then starts restoring it and returns the restore's number. The node goes on serving until the restored store is
    /// whole; then clients are kept out while the stores are exchanged. They are kept out from the beginning if the restore is partial, or
    /// applies backups upon the database: what they would write would be lost.
    ///
    /// # Errors
    /// [`Error::NotUpon`] if the backups do not follow on what the database is, and whatever keeps the series from being read.
    pub async fn restore(&self, request: impl Into<RestoreRequest>) -> Result<u64> {
        let request = request.into();
        self.check_open()?;
        let alone = Arc::clone(&self.inner.restore).try_lock_owned().map_err(|_| Error::RestoreRunning)?;
        let is_upon = request.series.incremental_from > 1;
        let shut = (is_upon || request.is_partial).then(|| self.inner.gate.hold());
        let source = self.prove(&request.series).await?;
        let upon = is_upon.then(|| self.check_follows(&source)).transpose()?;
        let id = self.inner.jobs.next_restore();
        let record = JobRecord {
            is_partial: request.is_partial,
            ..JobRecord::new(id, JobKind::Restore, &self.shown(&request.series.location))
        };
        self.inner.jobs.put(record.clone())?;
        let (node, plan) = (self.clone(), Plan { source, upon, is_partial: request.is_partial, shut, alone });
        // Noted before the answer: who then asks what is going on must find it.
        let running = self.note_running(JobKind::Restore, id);
        tokio::spawn(async move { node.run_restore(plan, record, running).await });
        Ok(id)
    }

    /// The series is to be applied upon the store: that must be what the backups before give, and nothing else. Gives its newest commit.
    fn check_follows(&self, source: &SeriesSource) -> Result<Ts> {
        let store = self.any_store()?;
        let (backup_id, first) = (source.series().backup_id(), source.first());
        let tenant = source.selection().tenant.map(|tenant| (tenant.from.0, tenant.to.0));
        let why = match store.identity().restored_from() {
            None => "it did not begin as a restore of a whole series".into(),
            Some(Restored { backup_id: other, .. }) if other != backup_id => {
                format!("it was restored from series {other}")
            }
            Some(Restored { backup_num, .. }) if backup_num + 1 != first => {
                format!("it stands at backup {backup_num} of the series")
            }
            Some(restored) if restored.tenant != tenant => "it was restored with other namespaces of the series".into(),
            Some(restored) if store.read_ts().0 != restored.read_ts => "it was changed since it was restored".into(),
            Some(restored) => return Ok(Ts(restored.read_ts)),
        };
        Err(Error::NotUpon { backup_id: backup_id.to_owned(), first, why })
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

    async fn run_restore(&self, plan: Plan, mut record: JobRecord, running: Running) {
        match self.restore_and_swap(&plan, &mut record, &running.progress).await {
            Ok(()) => {
                let (newest, note) = (plan.source.newest(), record.note.as_deref().unwrap_or_default());
                tracing::info!(restore = record.id, backup_id = %newest.backup_id, backup_num = newest.backup_num, read_ts = newest.read_ts.0, note, "restore done");
                record.status = JobStatus::Success;
                record.percent = 100.0;
                // Before those are let in who wait for the restore to end.
                self.inner.gate.set_partial(plan.is_partial);
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
        // Who learns that the restore has ended must be let in, and may restore again.
        drop((plan.shut, plan.alone));
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

    async fn restore_and_swap(&self, plan: &Plan, record: &mut JobRecord, progress: &Progress) -> Result<()> {
        progress.enter("merge");
        let staging = swap::staging_dir(&self.inner.postings, record.id);
        swap::remove(&staging)?;
        let target = self.target(plan, &staging)?;
        record.epoch = Some(target.identity.epoch);
        let built = build(&plan.source, &plan.source.groups(), target, progress).await?;
        record.note = note(plan, &built);
        progress.enter("swap");
        record.phase = "swap".into();
        self.inner.jobs.put(record.clone())?;
        let replaced = swap::replaced_dir(&self.inner.postings, record.id);
        self.exchange(&staging, &replaced, plan.upon).await.map_err(|err| match err {
            Error::Changed => plan.changed(),
            err => err,
        })?;
        record.replaced = Some(replaced);
        progress.enter("done");
        Ok(())
    }

    /// The store to build. Leases of the old store as they are now are not enough: it may go on serving. They are raised again after the
    /// swap.
    fn target(&self, plan: &Plan, dir: &Path) -> Result<Target> {
        let store = self.any_store()?;
        let (group, above) = (store.group(), handed_out(&store));
        let identity = plan.source.identity(above.epoch);
        Ok(Target { dir: dir.to_owned(), group, identity, above, upon: plan.upon.map(|_| store) })
    }

    /// Puts the store of the last successful restore's predecessor back.
    pub async fn rollback_restore(&self, id: u64) -> Result<()> {
        let _alone = Arc::clone(&self.inner.restore).try_lock_owned().map_err(|_| Error::RestoreRunning)?;
        let unknown = || Error::NoRollback { id, why: "there is no such restore".into() };
        let mut record = self.inner.jobs.get(JobKind::Restore, id).ok_or_else(unknown)?;
        let source = swap::rollback_source(&record)?;
        let aside = swap::rolled_back_dir(&self.inner.postings, id);
        self.exchange(&source, &aside, None).await?;
        swap::remove(&aside)?;
        record.replaced = None;
        record.phase = ROLLED_BACK.into();
        self.inner.jobs.put(record)?;
        self.inner.gate.set_partial(self.inner.jobs.is_partial());
        Ok(())
    }

    /// Keeps clients out, closes the store, exchanges it for the one in `new` and opens that. If anything fails, the old one is opened; also
    /// with [`Error::Changed`] if its newest commit is another than `unchanged_since`.
    async fn exchange(&self, new: &Path, aside: &Path, unchanged_since: Option<Ts>) -> Result<()> {
        let _shut = self.inner.gate.hold();
        // A running backup or export ends first: it reads the store that would be closed.
        let _no_backup = self.inner.backup.lock().await;
        let _no_export = self.inner.export.lock().await;
        let (node, new, aside) = (self.clone(), new.to_owned(), aside.to_owned());
        task::spawn_blocking(move || node.exchange_blocking(&new, &aside, unchanged_since)).await?
    }

    fn exchange_blocking(&self, new: &Path, aside: &Path, unchanged_since: Option<Ts>) -> Result<()> {
        // The place is empty meanwhile, and not locked: who asks is told at once.
        let place = || self.inner.store.write().unwrap_or_else(PoisonError::into_inner);
        let store = place().take().ok_or(Error::Swapping)?;
        let open = || Store::open(&self.inner.postings, self.inner.options.store.clone()).map_err(Error::from);
        let closed = match close(store) {
            Ok(closed) => closed,
            Err((store, err)) => {
                *place() = Some(store.map_or_else(open, Ok)?);
                return Err(err);
            }
        };
        if unchanged_since.is_some_and(|expected| expected != closed.newest_commit) {
            *place() = Some(open()?);
            return Err(Error::Changed);
        }
        if let Err(err) = swap::exchange(new, &self.inner.postings, aside) {
            *place() = Some(open()?);
            return Err(err);
        }
        match open().and_then(|store| closed.handed_out.raise(&store).map(|()| store)) {
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
}

impl Plan {
    /// Somebody wrote who had begun before clients were kept out.
    fn changed(&self) -> Error {
        let (backup_id, first) = (self.source.series().backup_id().to_owned(), self.source.first());
        Error::NotUpon { backup_id, first, why: "it was changed while the restore ran".into() }
    }
}

/// What whoever asked should know of a restore that went well.
fn note(Plan { source, upon, .. }: &Plan, built: &Built) -> Option<String> {
    let (first, last) = (source.first(), source.newest().backup_num);
    let upon = upon.map(|_| format!("Backups {first} to {last} were applied upon what was there."));
    let part = source.part().map(|what| format!("Restored: {what}."));
    let said = [upon, part, source.unproved().map(str::to_owned), built.stale.summary()];
    let said: Vec<String> = said.into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join(" "))
}

/// What is known of a store when it is closed.
struct Closed {
    handed_out: Above,
    newest_commit: Ts,
}

/// Waits until nobody uses the store, closes it, and tells what it had handed out by then. Gives it back if somebody does not let go.
fn close(mut store: Arc<Store>) -> Result<Closed, (Option<Arc<Store>>, Error)> {
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
    let closed = Closed { handed_out: handed_out(&store), newest_commit: store.read_ts() };
    store.close();
    while !store.is_idle() {
        if Instant::now() > deadline {
            return Err((None, Error::Cancelled("readers that began before did not end within a minute")));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(store);
    Ok(closed)
}

/// What a store that takes this one's place must not hand out again.
pub(super) fn handed_out(store: &Store) -> Above {
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
    pub(super) fn raise(&self, store: &Store) -> Result<()> {
        store.raise_lease(Leased::Uid, self.uid)?;
        store.raise_lease(Leased::Namespace, self.namespace)?;
        store.raise_lease(Leased::Ts, self.ts.0)?;
        Ok(())
    }
}
