//! Taking a backup.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread;

use graphdb_archive::{
    ArchiveOptions, ArchiveWriter, EncryptionKey, GroupBackup, Iv, KeyValue, Manifest, SealedManifest, StoredObject,
    backup_id, user_meta,
};
use graphdb_destination::{Destination, Locations};
use graphdb_storage::{Changes, ScanEntry, ScanValue, Store, StoreSnapshot};
use graphdb_types::{BackupKey, DropOp, GroupId, Namespace, ObjectName, Schema, Ts, Uid};
use time::OffsetDateTime;
use tokio::sync::oneshot;

use crate::catalogue::read_catalogue;
use crate::commit::{NotCommitted, commit};
use crate::error::{Error, Result};
use crate::lock::LocationLock;
use crate::plan::{BackupPlan, BackupRequest, Circumstances};
use crate::progress::{Progress, Seen};
use crate::upload::{ChunkSink, stream_object};

/// What every backup of a node has in common.
#[derive(Clone, Debug, Default)]
pub struct BackupContext {
    /// Encrypts every archive; without it they are plain.
    pub key: Option<Arc<EncryptionKey>>,
    /// How archives are compressed.
    pub archive: ArchiveOptions,
    /// How places are reached.
    pub locations: Locations,
}

/// Backs the store up and commits the manifest. Until that commit nothing has happened; if it fails, the objects are removed.
pub async fn backup(
    store: &Arc<Store>,
    context: &BackupContext,
    request: &BackupRequest,
    progress: &Progress,
) -> Result<SealedManifest> {
    progress.enter("plan");
    let destination = context.locations.open(&request.destination).await?;
    backup_to(store, &destination, context, request.force_full, progress).await
}

/// As [`backup`], to a destination that is open already.
pub async fn backup_to(
    store: &Arc<Store>,
    destination: &Arc<dyn Destination>,
    context: &BackupContext,
    force_full: bool,
    progress: &Progress,
) -> Result<SealedManifest> {
    progress.enter("plan");
    let lock = LocationLock::acquire(Arc::clone(destination)).await?;
    let outcome = backup_locked(store, &**destination, context, force_full, progress, &lock).await;
    lock.release().await;
    outcome
}

async fn backup_locked(
    store: &Arc<Store>,
    destination: &dyn Destination,
    context: &BackupContext,
    force_full: bool,
    progress: &Progress,
    lock: &LocationLock,
) -> Result<SealedManifest> {
    let plan = plan(store, destination, context, force_full).await?;
    tracing::info!(%plan, location = %destination.describe(), "backup begins");

    progress.enter("stream");
    let scan = GroupScan::start(Arc::clone(store), plan.since).await?;
    let instant = scan.instant.clone();
    if instant.read_ts <= plan.since {
        return Err(Error::NotAdvancing { read_ts: instant.read_ts, since: plan.since });
    }
    let name = plan.folder.archive(instant.read_ts, store.group());
    let job = (name.clone(), context.clone(), progress.clone());
    let archive = stream_object(destination, &name, move |sink| {
        let (name, context, progress) = job;
        scan.encode(EncodeJob { sink, name, context, progress })
    })
    .await?;

    progress.enter("commit");
    let committed = async {
        progress.check_cancelled()?;
        let manifest = manifest(&plan, &instant, store.group(), archive, context);
        let sealed = SealedManifest::seal(plan.folder.clone(), manifest, context.key.as_deref())?;
        lock.check().await?;
        Ok(sealed)
    }
    .await;
    let sealed = match committed {
        Ok(sealed) => sealed,
        Err(err) => {
            discard(destination, &name).await;
            return Err(err);
        }
    };
    match commit(destination, &sealed).await {
        Ok(()) => Ok(sealed),
        Err(NotCommitted { err, certain }) => {
            if certain {
                discard(destination, &name).await;
            }
            Err(err)
        }
    }
}

async fn plan(
    store: &Arc<Store>,
    destination: &dyn Destination,
    context: &BackupContext,
    force_full: bool,
) -> Result<BackupPlan> {
    let catalogue = read_catalogue(destination).await?;
    let (newest_folder, backup_ids) = (catalogue.newest_folder().cloned(), catalogue.backup_ids());
    let latest = if force_full { None } else { catalogue.latest(context.key.as_deref())? };
    BackupPlan::new(
        latest.as_ref(),
        force_full,
        &Circumstances {
            location: &destination.describe(),
            identity: store.identity(),
            key_check: context.key.as_ref().map(|key| key.check()),
            newest_folder: newest_folder.as_ref(),
            now: OffsetDateTime::now_utc(),
            fresh_id: fresh_id(&backup_ids),
        },
    )
}

/// A name for a new series that no series at the location has.
fn fresh_id(existing: &BTreeSet<String>) -> String {
    loop {
        let id = backup_id(rand::random());
        if !existing.contains(&id) {
            return id;
        }
    }
}

/// Removes an archive that no manifest names. If it cannot be removed it is litter, and ignored for ever.
async fn discard(destination: &dyn Destination, archive: &ObjectName) {
    if let Err(err) = destination.delete(archive).await {
        tracing::warn!(%err, object = %archive, "the archive of a backup that failed could not be removed; nothing names it");
    }
}

/// What a manifest says of the instant that is backed up.
#[derive(Clone, Debug)]
struct Instant {
    read_ts: Ts,
    schema: Arc<Schema>,
    drops: Vec<DropOp>,
    database_id: String,
    epoch: u64,
    max_uid: Uid,
    max_namespace: Namespace,
}

fn manifest(
    plan: &BackupPlan,
    instant: &Instant,
    group: GroupId,
    archive: StoredObject,
    context: &BackupContext,
) -> Manifest {
    let predicates = instant.schema.predicates.keys().cloned().collect();
    Manifest {
        backup_id: plan.backup_id.clone(),
        backup_num: plan.backup_num,
        since: plan.since,
        read_ts: instant.read_ts,
        groups: BTreeMap::from([(group, GroupBackup { predicates, archive })]),
        drop_operations: instant.drops.clone(),
        key_check: context.key.as_ref().map(|key| key.check()),
        database_id: instant.database_id.clone(),
        epoch: instant.epoch,
        parent: plan.parent,
        gzip_level: context.archive.level,
        max_uid: instant.max_uid,
        max_namespace: instant.max_namespace,
        tool: crate::TOOL.to_owned(),
        created_at: plan.folder.started_at(),
        name: None,
        labels: BTreeMap::new(),
    }
}

/// A thread that holds the snapshot from before the object's name is known (the name holds the timestamp) until the last byte.
struct GroupScan {
    instant: Instant,
    job: oneshot::Sender<EncodeJob>,
    outcome: oneshot::Receiver<Result<StoredObject>>,
}

/// What the thread needs once the plan is whole.
struct EncodeJob {
    sink: ChunkSink,
    name: ObjectName,
    context: BackupContext,
    progress: Progress,
}

impl GroupScan {
    /// Takes the snapshot; the scan itself begins with [`GroupScan::encode`].
    async fn start(store: Arc<Store>, since: Ts) -> Result<GroupScan> {
        let (instant_out, instant) = oneshot::channel();
        let (job, next_job) = oneshot::channel::<EncodeJob>();
        let (outcome_out, outcome) = oneshot::channel();
        let run = move || {
            yield_to_writers();
            let outcome = look_and_encode(&store, since, instant_out, next_job);
            // Who has the outcome may close the store.
            drop(store);
            if let Some(outcome) = outcome {
                _ = outcome_out.send(outcome);
            }
        };
        thread::Builder::new()
            .name("graphdb-backup".into())
            .spawn(run)
            .map_err(|err| Error::Thread(err.to_string()))?;
        let instant = instant.await.map_err(|_| Error::Thread("the scan of the store".into()))??;
        Ok(GroupScan { instant, job, outcome })
    }

    /// Has the thread write the archive into the job's sink. Blocks.
    fn encode(self, job: EncodeJob) -> Result<StoredObject> {
        let ended = || Error::Thread("the scan of the store".into());
        self.job.send(job).map_err(|_| ended())?;
        self.outcome.blocking_recv().map_err(|_| ended())?
    }
}

/// Takes the snapshot, tells the instant, waits for the job and does it. `None` if the backup failed before it began.
fn look_and_encode(
    store: &Store,
    since: Ts,
    instant_out: oneshot::Sender<Result<Instant>>,
    next_job: oneshot::Receiver<EncodeJob>,
) -> Option<Result<StoredObject>> {
    let taken = store.snapshot().map_err(Error::from).and_then(|snapshot| Ok((look(&snapshot, since)?, snapshot)));
    let (instant, snapshot) = match taken {
        Ok(taken) => taken,
        Err(err) => {
            _ = instant_out.send(Err(err));
            return None;
        }
    };
    let schema = Arc::clone(&instant.schema);
    _ = instant_out.send(Ok(instant));
    let job = next_job.blocking_recv().ok()?;
    Some(encode(&snapshot, since, &schema, job))
}

/// How nice the threads of a backup are: they take what writers and readers leave, which on an idle machine is everything.
const NICENESS: i32 = 15;

/// Lowers the calling thread's priority, and that of the compression threads it will start: on Linux each thread has its own and hands it
/// on. Raising it again would need a privilege, so this thread is not one of a pool.
fn yield_to_writers() {
    if let Err(err) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%err, "the backup runs at the node's own priority");
    }
}

fn look(snapshot: &StoreSnapshot<'_>, since: Ts) -> Result<Instant> {
    Ok(Instant {
        read_ts: snapshot.read_ts(),
        schema: Arc::new(backed_up_schema(snapshot)),
        drops: snapshot.drops(since)?,
        database_id: snapshot.identity().database_id.clone(),
        epoch: snapshot.identity().epoch,
        max_uid: Uid(snapshot.max_uid()),
        max_namespace: Namespace(snapshot.max_namespace()),
    })
}

/// The database's own predicates and types are left out unless they hold data: every database makes them anew.
fn backed_up_schema(snapshot: &StoreSnapshot<'_>) -> Schema {
    let mut schema = Schema::clone(snapshot.schema());
    schema.predicates.retain(|predicate, _| !predicate.is_reserved() || snapshot.has_lists(predicate));
    schema.types.retain(|name, _| !name.is_reserved());
    schema
}

/// Scans, frames, compresses, encrypts and digests everything that belongs into the archive.
fn encode(snapshot: &StoreSnapshot<'_>, since: Ts, schema: &Schema, job: EncodeJob) -> Result<StoredObject> {
    let EncodeJob { sink, name, context, progress } = job;
    let at_object = Error::archive(&name);
    let encryption = context.key.as_deref().map(|key| (key, Iv(rand::random())));
    let mut archive = ArchiveWriter::start(sink, encryption, context.archive).map_err(&at_object)?;
    let mut key = Vec::new();
    let mut seen = Seen::default();
    scan(snapshot, since, |entry| {
        key.clear();
        BackupKey::put_wire_of_stored(entry.key, &mut key).map_err(graphdb_storage::Error::from)?;
        let (value, user_meta): (&[u8], u8) = match entry.value {
            ScanValue::List(list) => (list, user_meta::COMPLETE),
            ScanValue::Empty => (&[], user_meta::EMPTY),
        };
        archive.push(KeyValue { key: &key, value, user_meta, version: entry.version.0 }).map_err(&at_object)?;
        seen.count(key.len() + value.len(), &progress)
    })?;
    let (_, stored) = archive.finish(schema).map_err(&at_object)?;
    seen.report(&progress);
    Ok(stored)
}

fn scan(snapshot: &StoreSnapshot<'_>, since: Ts, visit: impl FnMut(ScanEntry<'_>) -> Result<()>) -> Result<()> {
    if since == Ts::ZERO {
        return snapshot.scan_full(visit);
    }
    match snapshot.changes(since)? {
        Changes::Keys(keys) => snapshot.scan_changed(since, &keys, visit),
        Changes::Unknown { why } => {
            tracing::warn!(%why, "the incremental looks at every list");
            snapshot.scan_newer(since, visit)
        }
    }
}
