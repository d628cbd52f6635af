//! Restoring: prove the series, merge its archives into a new store beside the target, and only then let it take the target's place.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use graphdb_archive::{ArchiveReader, EncryptionKey, Manifest, Series, default_workers};
use graphdb_destination::{Destination, LocationRequest, Locations};
use graphdb_storage::{BuildOptions, BuiltStore, Identity, StoreBuilder};
use graphdb_types::{GroupId, Ts};
use tokio::task;

use crate::catalogue::read_catalogue;
use crate::download::ObjectReader;
use crate::error::{Error, Result};
use crate::merge::{Merged, Source, merge};
use crate::progress::Progress;

/// Which backup to restore, and what is needed to read it.
#[derive(Clone, Debug)]
pub struct RestoreRequest {
    /// Where the backups are.
    pub location: LocationRequest,
    /// The series; the newest if not given.
    pub backup_id: Option<String>,
    /// Up to which backup of the series; to its end if not given.
    pub backup_num: Option<u64>,
    /// The key of an encrypted series.
    pub key: Option<Arc<EncryptionKey>>,
}

/// A series that was proved to be whole: every manifest is there, sealed and linked to the one before, every object is there with its size,
/// and the key is the right one. Digests are checked while the objects are read, before anything takes the target's place.
#[derive(Clone, Debug)]
pub struct RestorePlan {
    destination: Arc<dyn Destination>,
    series: Series,
    key: Option<Arc<EncryptionKey>>,
}

/// A group that was restored.
#[derive(Clone, Debug)]
pub struct RestoredGroup {
    /// Which.
    pub group: GroupId,
    /// Where.
    pub dir: PathBuf,
    /// Posting lists in it.
    pub lists: u64,
}

/// What an offline restore gives.
#[derive(Clone, Debug)]
pub struct RestoreReport {
    /// The series.
    pub backup_id: String,
    /// The newest backup that was restored.
    pub backup_num: u64,
    /// The instant the restored stores show.
    pub read_ts: Ts,
    /// Every uid in use is at most this.
    pub max_uid: u64,
    /// Every namespace in use is at most this.
    pub max_namespace: u64,
    /// The stores.
    pub groups: Vec<RestoredGroup>,
}

/// Where a new life begins, beside what the backup says.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Above {
    /// An epoch that must be passed.
    pub(crate) epoch: u64,
    /// Timestamps, uids and namespaces that were handed out by the store that is replaced.
    pub(crate) ts: Ts,
    pub(crate) uid: u64,
    pub(crate) namespace: u64,
}

impl RestorePlan {
    /// Proves the series. Nothing is written.
    pub async fn prove(locations: &Locations, request: &RestoreRequest) -> Result<RestorePlan> {
        RestorePlan::prove_at(locations.open_existing(&request.location).await?, request).await
    }

    /// As [`RestorePlan::prove`], at a destination that is open already.
    pub async fn prove_at(destination: Arc<dyn Destination>, request: &RestoreRequest) -> Result<RestorePlan> {
        let catalogue = read_catalogue(&*destination).await?;
        let series = catalogue.choose(request.backup_id.as_deref(), request.backup_num, request.key.as_deref())?;
        let plan = RestorePlan { destination, series, key: request.key.clone() };
        plan.check_objects().await?;
        Ok(plan)
    }

    async fn check_objects(&self) -> Result<()> {
        for backup in self.series.backups() {
            for (group, part) in &backup.manifest().groups {
                let object = backup.folder().archive(backup.manifest().read_ts, *group);
                let location = self.destination.describe();
                let what = match self.destination.stat(&object).await {
                    Ok(found) if found.size_bytes == part.archive.size_bytes => continue,
                    Ok(found) => {
                        format!("has {} bytes, its manifest says {}", found.size_bytes, part.archive.size_bytes)
                    }
                    Err(err) if err.is_not_found() => "is missing".to_owned(),
                    Err(err) => return Err(err.into()),
                };
                return Err(Error::DamagedObject { location, object, what });
            }
        }
        Ok(())
    }

    /// The newest backup that will be restored.
    pub fn newest(&self) -> &Manifest {
        self.series.newest().manifest()
    }

    /// The groups that the newest backup holds.
    pub fn groups(&self) -> Vec<GroupId> {
        self.newest().groups.keys().copied().collect()
    }

    /// Restores every group below `parent`; see [`restore_offline`].
    pub async fn restore_offline(&self, parent: &Path, progress: &Progress) -> Result<RestoreReport> {
        restore_groups(self, parent, progress).await
    }

    /// Builds the store of one group in `dir`, which must not exist, and proves every object while reading it.
    pub(crate) async fn build(
        &self,
        group: GroupId,
        dir: &Path,
        identity: Identity,
        above: Above,
        progress: &Progress,
    ) -> Result<Built> {
        let sources = self.open_sources(group, progress).await?;
        let newest = self.newest().clone();
        let (dir, progress) = (dir.to_owned(), progress.clone());
        task::spawn_blocking(move || build_store(sources, &newest, group, &dir, identity, above, &progress)).await?
    }

    async fn open_sources(&self, group: GroupId, progress: &Progress) -> Result<Vec<Source>> {
        let newest_first: Vec<_> = self.series.backups().iter().rev().collect();
        let manifests: Vec<&Manifest> = newest_first.iter().map(|backup| backup.manifest()).collect();
        let mut sources = Vec::with_capacity(newest_first.len());
        let mut entries = 0;
        // Threads that decompress; the largest archive, the full backup, gets them.
        for (age, backup) in newest_first.iter().enumerate() {
            let manifest = backup.manifest();
            let Some(part) = manifest.groups.get(&group) else { continue };
            let object = backup.folder().archive(manifest.read_ts, group);
            let reader = ObjectReader::open(Arc::clone(&self.destination), &object, newest_first.len()).await?;
            let (key, workers) = (self.key.clone(), if manifest.is_full() { default_workers() } else { 0 });
            let at_object = Error::archive(&object);
            let reader = task::spawn_blocking(move || ArchiveReader::open(reader, key.as_deref(), workers))
                .await?
                .map_err(at_object)?;
            entries += part.archive.entries;
            sources.push(Source::new(reader, object, part.archive, &manifests, age));
        }
        progress.expect(entries);
        Ok(sources)
    }
}

/// What [`RestorePlan::build`] gives.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) lists: u64,
    pub(crate) max_uid: u64,
}

fn build_store(
    sources: Vec<Source>,
    newest: &Manifest,
    group: GroupId,
    dir: &Path,
    identity: Identity,
    above: Above,
    progress: &Progress,
) -> Result<Built> {
    let mut builder = StoreBuilder::create(dir, &BuildOptions { threads: default_workers(), group })?;
    let merged = merge(sources, progress, |entry| Ok(builder.push(entry)?))?;
    let Merged { predicates, types, max_uid, lists } = merged;
    let max_uid = max_uid.max(newest.max_uid.0);
    builder.finish(&BuiltStore {
        identity,
        read_ts: newest.read_ts,
        max_uid: max_uid.max(above.uid),
        max_namespace: newest.max_namespace.0.max(above.namespace),
        max_ts: newest.read_ts.max(above.ts),
        predicates: predicates.into_iter().collect(),
        types: types.into_iter().collect(),
    })?;
    Ok(Built { lists, max_uid })
}

/// Restores every group into `p<group>` below `parent`. Each must be absent or empty; all are built beside before the first is put in place.
pub async fn restore_offline(
    locations: &Locations,
    request: &RestoreRequest,
    parent: &Path,
    progress: &Progress,
) -> Result<RestoreReport> {
    progress.enter("prove");
    RestorePlan::prove(locations, request).await?.restore_offline(parent, progress).await
}

async fn restore_groups(plan: &RestorePlan, parent: &Path, progress: &Progress) -> Result<RestoreReport> {
    let targets: Vec<(GroupId, PathBuf)> =
        plan.groups().into_iter().map(|group| (group, parent.join(format!("p{group}")))).collect();
    for (_, target) in &targets {
        check_target(target)?;
    }
    fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    let staging = Staging::create(parent)?;
    let newest = plan.newest();
    let identity = Identity::restored(&newest.database_id, newest.epoch, newest.read_ts, 0);
    progress.enter("merge");
    let mut report = RestoreReport {
        backup_id: newest.backup_id.clone(),
        backup_num: newest.backup_num,
        read_ts: newest.read_ts,
        max_uid: newest.max_uid.0,
        max_namespace: newest.max_namespace.0,
        groups: Vec::new(),
    };
    for (group, target) in &targets {
        let built = plan
            .build(*group, &staging.dir.join(format!("p{group}")), identity.clone(), Above::default(), progress)
            .await?;
        report.max_uid = report.max_uid.max(built.max_uid);
        report.groups.push(RestoredGroup { group: *group, dir: target.clone(), lists: built.lists });
    }
    progress.enter("put in place");
    for (group, target) in &targets {
        put_in_place(&staging.dir.join(format!("p{group}")), target)?;
    }
    sync_dir(parent)?;
    Ok(report)
}

/// Absent or empty, and if it exists, a directory.
fn check_target(target: &Path) -> Result<()> {
    match fs::read_dir(target) {
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(err) => Err(Error::io("look into", target)(err)),
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(Error::TargetNotEmpty { path: target.to_owned() }),
        },
    }
}

fn put_in_place(built: &Path, target: &Path) -> Result<()> {
    match fs::remove_dir(target) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => return Err(Error::io("replace", target)(err)),
        _ => {}
    }
    fs::rename(built, target).map_err(Error::io("put the restored store at", target))
}

pub(crate) fn sync_dir(dir: &Path) -> Result<()> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(Error::io("sync", dir))
}

/// A directory beside the target that is removed unless its content was moved away.
struct Staging {
    dir: PathBuf,
}

const STAGING_PREFIX: &str = ".graphdb-restore-";

impl Staging {
    fn create(parent: &Path) -> Result<Staging> {
        sweep_staging(parent)?;
        let dir = parent.join(format!("{STAGING_PREFIX}{}-{:08x}", std::process::id(), rand::random::<u32>()));
        fs::create_dir(&dir).map_err(Error::io("create", &dir))?;
        Ok(Staging { dir })
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Err(err) = fs::remove_dir_all(&self.dir) {
            tracing::warn!(%err, dir = %self.dir.display(), "a staging directory could not be removed");
        }
    }
}

/// Removes what restores left that were killed: directories with our name whose process is gone.
fn sweep_staging(parent: &Path) -> Result<()> {
    let mut leftovers = BTreeSet::new();
    for entry in fs::read_dir(parent).map_err(Error::io("list", parent))? {
        let entry = entry.map_err(Error::io("list", parent))?;
        let name = entry.file_name();
        let pid =
            name.to_str().and_then(|name| name.strip_prefix(STAGING_PREFIX)?.split_once('-')?.0.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            leftovers.insert(entry.path());
        }
    }
    for dir in leftovers {
        tracing::info!(dir = %dir.display(), "removing what an interrupted restore left");
        fs::remove_dir_all(&dir).map_err(Error::io("remove", &dir))?;
    }
    Ok(())
}
