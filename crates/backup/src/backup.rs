//! Taking a backup.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use graphdb_archive::{
    ArchiveOptions, BackupFolder, Compat, Dialect, EncryptionKey, GroupBackup, Manifest, SealedManifest, backup_id,
};
use graphdb_destination::{CreateOnly, Destination, Locations};
use graphdb_storage::Store;
use graphdb_types::{DropOp, GroupId, ObjectName};
use time::OffsetDateTime;

use crate::commit::{NotCommitted, Standing, check_unchanged, commit, standing, withdraw};
use crate::error::{Error, Result, denied};
use crate::lock::LocationLock;
use crate::plan::{BackupPlan, BackupRequest, BackupTerms, Circumstances, SeriesEnd};
use crate::progress::Progress;
use crate::scan::{EncodeJob, Encoded, GroupScan, Instant};
use crate::series_memory::{Recollection, SeriesMemory};
use crate::sight::{Looker, Sight};
use crate::upload::stream_object;

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

/// A backup that is committed.
#[derive(Clone, Debug)]
pub struct TakenBackup {
    /// What was written.
    pub sealed: SealedManifest,
    /// What whoever asked for it should know although all went well: that the location could not be read.
    pub note: Option<String>,
}

/// How old an upload must be to count as left behind by a process that died. S3 lets none be longer under way without a request, and no
/// backup takes a day for one object; somebody else's that does is not worth the risk.
const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 3600);

/// Backs the store up and commits the manifest. Until that commit nothing has happened; if it fails, the objects are removed.
pub async fn backup(
    store: &Arc<Store>,
    context: &BackupContext,
    request: &BackupRequest,
    progress: &Progress,
) -> Result<SealedManifest> {
    progress.enter("plan");
    let destination = context.locations.open(&request.destination).await?;
    take_backup(store, &destination, context, None, request.terms, progress).await.map(|taken| taken.sealed)
}

/// As [`backup`], to a destination that is open already.
pub async fn backup_to(
    store: &Arc<Store>,
    destination: &Arc<dyn Destination>,
    context: &BackupContext,
    force_full: bool,
    progress: &Progress,
) -> Result<SealedManifest> {
    let terms = BackupTerms { force_full, compat: None };
    take_backup(store, destination, context, None, terms, progress).await.map(|taken| taken.sealed)
}

/// As [`backup_to`]. With a memory it also works where the destination may be written but not read: the series goes on as far as the node
/// remembers it, and the outcome says so.
///
/// # Errors
/// [`Error::Unconfirmed`] when the manifest may have been written or not, beside all that keeps a backup from being taken.
pub async fn take_backup(
    store: &Arc<Store>,
    destination: &Arc<dyn Destination>,
    context: &BackupContext,
    memory: Option<&SeriesMemory>,
    terms: BackupTerms,
    progress: &Progress,
) -> Result<TakenBackup> {
    progress.enter("plan");
    let mut memory = memory.map(|memory| memory.of(&destination.describe())).transpose()?;
    let lock = LocationLock::acquire_with(Arc::clone(destination), memory.as_mut(), terms.force_full).await?;
    sweep(&**destination).await;
    let run = Run { store, destination: &**destination, context, terms, progress, lock: &lock, memory };
    let outcome = run.take().await;
    lock.release().await;
    outcome
}

/// Removes what uploads left that died long ago. Never fails a backup.
async fn sweep(destination: &dyn Destination) {
    match destination.sweep(ABANDONED_AFTER).await {
        Ok(swept) if swept.is_empty() => {}
        Ok(swept) => tracing::info!(?swept, location = %destination.describe(), "abandoned uploads were removed"),
        Err(err) if denied(&err) => tracing::debug!(%err, "abandoned uploads may not be looked for"),
        Err(err) => tracing::warn!(%err, "abandoned uploads could not be removed"),
    }
}

/// One backup while it is taken, with the location locked.
struct Run<'a> {
    store: &'a Arc<Store>,
    destination: &'a dyn Destination,
    context: &'a BackupContext,
    terms: BackupTerms,
    progress: &'a Progress,
    lock: &'a LocationLock,
    memory: Option<Recollection>,
}

impl Run<'_> {
    async fn take(mut self) -> Result<TakenBackup> {
        let key = self.context.key.as_deref();
        let looker = Looker { identity: self.store.identity(), key, terms: self.terms };
        let sight = looker.look(self.destination, self.memory.as_mut()).await?;
        let plan = self.plan(&sight)?;
        tracing::info!(%plan, location = %self.destination.describe(), "backup begins");

        self.progress.enter("stream");
        let scan = GroupScan::start(Arc::clone(self.store), plan.since).await?;
        let instant = scan.instant.clone();
        if instant.read_ts <= plan.since {
            return Err(Error::NotAdvancing { read_ts: instant.read_ts, since: plan.since });
        }
        let name = plan.folder.archive(instant.read_ts, self.store.group());
        check_namespaces(plan.compat, &instant)?;
        let encoded = self.upload(&name, scan, &plan).await?;

        self.progress.enter("commit");
        let sealed = match self.seal(&plan, &instant, &encoded, &sight).await {
            Ok(sealed) => sealed,
            Err(err) => {
                self.remember(Recollection::give_up);
                discard(self.destination, &name).await;
                return Err(err);
            }
        };
        self.commit(&sealed, &name, sight.committed.as_ref()).await?;
        let left_out = left_out(plan.compat, &encoded.dialect);
        let notes: Vec<String> = sight.note.into_iter().chain(unprotected(self.destination)).chain(left_out).collect();
        Ok(TakenBackup { sealed, note: (!notes.is_empty()).then(|| notes.join(" ")) })
    }

    fn plan(&self, sight: &Sight) -> Result<BackupPlan> {
        BackupPlan::new(
            sight.latest.as_ref(),
            &Circumstances {
                location: &self.destination.describe(),
                identity: self.store.identity(),
                key_check: self.context.key.as_ref().map(|key| key.check()),
                compat: self.terms.compat,
                newest_folder: sight.newest_folder.as_ref(),
                now: OffsetDateTime::now_utc(),
                fresh_id: fresh_id(&sight.backup_ids),
            },
        )
    }

    /// Streams the group's archive to the destination.
    async fn upload(&self, name: &ObjectName, scan: GroupScan, plan: &BackupPlan) -> Result<Encoded> {
        let (job_name, context, progress) = (name.clone(), self.context.clone(), self.progress.clone());
        let (compat, tagged) = (plan.compat, plan.tagged.clone());
        stream_object(self.destination, name, move |sink| {
            scan.encode(EncodeJob { sink, name: job_name, context, progress, compat, tagged })
        })
        .await
    }

    /// Makes the manifest, and proves that it may be committed. What is about to be written is remembered first: after a crash nobody could
    /// tell otherwise whether it was.
    async fn seal(
        &mut self,
        plan: &BackupPlan,
        instant: &Instant,
        encoded: &Encoded,
        sight: &Sight,
    ) -> Result<SealedManifest> {
        self.progress.check_cancelled()?;
        let manifest = manifest(plan, instant, self.store.group(), encoded, self.context);
        let sealed = SealedManifest::seal(plan.folder.clone(), manifest, self.context.key.as_deref())?;
        if let Some(memory) = &mut self.memory {
            memory.intend(&SeriesEnd::from(&sealed))?;
        }
        check_unchanged(self.destination, sight.committed.as_ref()).await?;
        self.lock.check().await?;
        Ok(sealed)
    }

    /// Commits. What becomes of the archive in `name` depends on whether the manifest exists.
    async fn commit(
        &mut self,
        sealed: &SealedManifest,
        name: &ObjectName,
        planned: Option<&BTreeSet<BackupFolder>>,
    ) -> Result<()> {
        if let Err(NotCommitted { err, certain }) = commit(self.destination, sealed).await {
            if certain {
                self.remember(Recollection::give_up);
                discard(self.destination, name).await;
            }
            return Err(err);
        }
        match standing(self.destination, sealed, planned).await {
            Standing::Alone => {
                self.remember(|memory| memory.learn(Some(&SeriesEnd::from(sealed))));
                Ok(())
            }
            Standing::Overwritten => {
                self.remember(|memory| memory.learn(None));
                Err(Error::LockLost { location: self.destination.describe() })
            }
            Standing::Doubled => {
                self.remember(|memory| memory.learn(None));
                let err = withdraw(self.destination, sealed).await;
                if matches!(err, Error::LockLost { .. }) {
                    discard(self.destination, name).await;
                }
                Err(err)
            }
        }
    }

    /// Notes how the commit ended. If that fails, what is remembered is that nobody knows, which costs a full backup at most.
    fn remember(&mut self, note: impl FnOnce(&mut Recollection) -> Result<()>) {
        if let Some(Err(err)) = self.memory.as_mut().map(note) {
            tracing::warn!(%err, "how the backup ended could not be remembered");
        }
    }
}

/// What is to be said of a place where the last writer of a name wins.
fn unprotected(destination: &dyn Destination) -> Option<String> {
    let says_so = || {
        let location = destination.describe();
        format!("{location} does not keep apart two nodes that write at the same time: let one alone write there.")
    };
    (destination.create_only() == CreateOnly::Unprotected).then(says_so)
}

/// What Dgraph v1.1 cannot have.
fn check_namespaces(compat: Compat, instant: &Instant) -> Result<()> {
    match instant.named_namespace() {
        Some(namespace) if compat == Compat::V1_1 => Err(Error::NoNamespaces { compat, namespace }),
        _ => Ok(()),
    }
}

/// What is to be said of what Dgraph does not get from the backup.
fn left_out(compat: Compat, dialect: &Dialect) -> Option<String> {
    let says_so = || {
        let statements = dialect.alter.join(" ");
        format!(
            "Dgraph v{compat} and newer could not take over these definitions as they are, so they were left out of what Dgraph sees, in \
             whole or in part; alter them after a restore there: {statements}"
        )
    };
    (!dialect.alter.is_empty()).then(says_so)
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

fn manifest(
    plan: &BackupPlan,
    instant: &Instant,
    group: GroupId,
    encoded: &Encoded,
    context: &BackupContext,
) -> Manifest {
    let predicates = instant.schema.predicates.keys().cloned().collect();
    let archive = encoded.archive;
    Manifest {
        backup_id: plan.backup_id.clone(),
        backup_num: plan.backup_num,
        since: plan.since,
        read_ts: instant.read_ts,
        groups: BTreeMap::from([(group, GroupBackup { predicates, archive })]),
        drop_operations: in_order_of_reach(&instant.drops),
        key_check: context.key.as_ref().map(|key| key.check()),
        database_id: instant.database_id.clone(),
        epoch: instant.epoch,
        parent: plan.parent,
        gzip_level: context.archive.level,
        dialect: encoded.dialect.clone(),
        max_uid: instant.max_uid,
        max_namespace: instant.max_namespace,
        tool: crate::TOOL.to_owned(),
        created_at: plan.folder.started_at(),
        name: None,
        labels: BTreeMap::new(),
    }
}

/// The drops with those in front that hide most, each once. Their order says nothing to a reader, except that Dgraph v20.11 to v22.0 heed the
/// first alone.
fn in_order_of_reach(drops: &[DropOp]) -> Vec<DropOp> {
    let reach = |op: &DropOp| match op {
        DropOp::All => 0,
        DropOp::Data => 1,
        DropOp::Namespace(_) => 2,
        DropOp::NamespaceData(_) => 3,
        DropOp::Predicate(_) => 4,
    };
    let mut ordered: Vec<DropOp> = Vec::with_capacity(drops.len());
    ordered.extend(drops.iter().filter(|op| matches!(op, DropOp::All)).take(1).cloned());
    if ordered.is_empty() {
        ordered.extend_from_slice(drops);
        ordered.sort_by_key(reach);
        let mut seen = HashSet::new();
        ordered.retain(|op| seen.insert(op.clone()));
    }
    ordered
}
