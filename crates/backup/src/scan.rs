//! The scan of a group: a thread that holds the store's snapshot and writes the archive.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

use graphdb_archive::{
    ArchiveWriter, Compat, Dialect, Iv, KeyValue, Naming, StoredObject, Tagged, WrittenSchema, user_meta,
};
use graphdb_storage::{Changes, ScanEntry, ScanValue, Store, StoreSnapshot};
use graphdb_types::{BackupKey, DropOp, Namespace, ObjectName, Predicate, Schema, Ts, Uid, with_absolute_ids};
use tokio::sync::oneshot;

use crate::backup::BackupContext;
use crate::error::{Error, Result};
use crate::progress::{Progress, Seen};
use crate::shown::{Shown, TagWatch};
use crate::upload::ChunkSink;

/// What a manifest says of the instant that is backed up.
#[derive(Clone, Debug)]
pub(crate) struct Instant {
    pub(crate) read_ts: Ts,
    pub(crate) schema: Arc<Schema>,
    pub(crate) drops: Vec<DropOp>,
    pub(crate) database_id: String,
    pub(crate) epoch: u64,
    pub(crate) max_uid: Uid,
    pub(crate) max_namespace: Namespace,
}

/// A thread that holds the snapshot from before the object's name is known (the name holds the timestamp) until the last byte.
pub(crate) struct GroupScan {
    pub(crate) instant: Instant,
    job: oneshot::Sender<EncodeJob>,
    outcome: oneshot::Receiver<Result<Encoded>>,
}

/// What the thread needs once the plan is whole.
pub(crate) struct EncodeJob {
    pub(crate) sink: ChunkSink,
    pub(crate) name: ObjectName,
    pub(crate) context: BackupContext,
    pub(crate) progress: Progress,
    /// For which Dgraph.
    pub(crate) compat: Compat,
    /// Which values carried languages when the backup before was taken.
    pub(crate) tagged: Option<BTreeMap<Predicate, Tagged>>,
}

/// An archive that is written, and how.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) archive: StoredObject,
    pub(crate) dialect: Dialect,
}

impl Instant {
    /// The first namespace but the root that a name is of.
    pub(crate) fn named_namespace(&self) -> Option<Namespace> {
        let of_drop = |op: &DropOp| match op {
            DropOp::All | DropOp::Data => None,
            DropOp::NamespaceData(namespace) | DropOp::Namespace(namespace) => Some(*namespace),
            DropOp::Predicate(predicate) => Some(predicate.namespace),
        };
        let defined = self.schema.predicates.keys().chain(self.schema.types.keys()).map(|name| name.namespace);
        defined.chain(self.drops.iter().filter_map(of_drop)).find(|namespace| *namespace != Namespace::ROOT)
    }

    /// How names have to be written.
    fn naming(&self, compat: Compat) -> Naming {
        let needs_namespaces = compat == Compat::V21_12 || self.named_namespace().is_some();
        if needs_namespaces { Naming::Spaced } else { Naming::Bare }
    }
}

impl GroupScan {
    /// Takes the snapshot; the scan itself begins with [`GroupScan::encode`].
    pub(crate) async fn start(store: Arc<Store>, since: Ts) -> Result<GroupScan> {
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
    pub(crate) fn encode(self, job: EncodeJob) -> Result<Encoded> {
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
) -> Option<Result<Encoded>> {
    let taken = store.snapshot().map_err(Error::from).and_then(|snapshot| Ok((look(&snapshot, since)?, snapshot)));
    let (instant, snapshot) = match taken {
        Ok(taken) => taken,
        Err(err) => {
            _ = instant_out.send(Err(err));
            return None;
        }
    };
    _ = instant_out.send(Ok(instant.clone()));
    let job = next_job.blocking_recv().ok()?;
    Some(encode(&snapshot, since, &instant, job))
}

/// How nice the threads of a backup are: they take what writers and readers leave, which on an idle machine is everything.
const NICENESS: i32 = 15;

/// Lowers the calling thread's priority, and that of the compression threads it will start: on Linux each thread has its own and hands it
/// on. Raising it again would need a privilege, so this thread is not one of a pool.
pub(crate) fn yield_to_writers() {
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
fn encode(snapshot: &StoreSnapshot<'_>, since: Ts, instant: &Instant, job: EncodeJob) -> Result<Encoded> {
    let EncodeJob { sink, name, context, progress, compat, tagged } = job;
    let at_object = Error::archive(&name);
    let encryption = context.key.as_deref().map(|key| (key, Iv(rand::random())));
    let mut archive = ArchiveWriter::start(sink, encryption, context.archive).map_err(&at_object)?;
    let mut key = Vec::new();
    let mut seen = Seen::default();
    let mut watch = TagWatch::new(&instant.schema, tagged);
    scan(snapshot, since, |entry| {
        key.clear();
        BackupKey::put_wire_of_stored(entry.key, &mut key).map_err(graphdb_storage::Error::from)?;
        let (value, user_meta): (Cow<'_, [u8]>, u8) = match entry.value {
            ScanValue::List(list) => {
                watch.see(&entry, list).map_err(graphdb_storage::Error::from)?;
                (in_form(list, compat)?, user_meta::COMPLETE)
            }
            ScanValue::Empty => (Cow::Borrowed(&[]), user_meta::EMPTY),
        };
        archive.push(KeyValue { key: &key, value: &value, user_meta, version: entry.version.0 }).map_err(&at_object)?;
        seen.count(key.len() + value.len(), &progress)
    })?;
    let tagged = watch.finish();
    let Shown { schema: shown, alter } = Shown::of(&instant.schema, &tagged, compat);
    let naming = instant.naming(compat);
    let written = WrittenSchema { naming, schema: Schema::clone(&instant.schema), shown };
    let (_, stored) = archive.finish_with(&written).map_err(&at_object)?;
    seen.report(&progress);
    Ok(Encoded { archive: stored, dialect: Dialect { compat, naming, tagged: Some(tagged), alter } })
}

/// A list as that Dgraph reads it. Ours have differences, which is what v20.11 and newer read.
fn in_form(list: &[u8], compat: Compat) -> Result<Cow<'_, [u8]>> {
    match compat {
        Compat::V1_1 => Ok(with_absolute_ids(list).map_err(graphdb_storage::Error::from)?),
        Compat::V20_11 | Compat::V21_12 => Ok(list.into()),
    }
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
