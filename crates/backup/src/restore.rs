//! Restoring: read the series into a new store beside the target, and only then let it take the target's place.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use graphdb_archive::default_workers;
use graphdb_destination::Locations;
use graphdb_storage::{BuildOptions, BuiltStore, Identity, Store, StoreBuilder, StoredEntry, initial_schema};
use graphdb_types::{GroupId, Schema, Ts};
use tokio::task;

use crate::error::{Error, Result};
use crate::gather::StaleReport;
use crate::progress::Progress;
use crate::source::{SeriesRequest, SeriesSource, StateSummary, StateVisitor};

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
    /// What was wrong with stored index, reverse and count keys of Dgraph's, and was made anew.
    pub stale: StaleReport,
    /// What of the series was left out on purpose; `None` if nothing was.
    pub partial: Option<String>,
    /// What nothing proves.
    pub unproved: Option<&'static str>,
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

/// What building a store gives.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) lists: u64,
    pub(crate) max_uid: u64,
    pub(crate) max_namespace: u64,
    pub(crate) read_ts: Ts,
    pub(crate) stale: StaleReport,
}

/// Where a store is built, and what it begins with.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Must not exist.
    pub(crate) dir: PathBuf,
    /// The group the store is of.
    pub(crate) group: GroupId,
    pub(crate) identity: Identity,
    pub(crate) above: Above,
    /// The store that the series is applied upon.
    pub(crate) upon: Option<Arc<Store>>,
}

/// Hands lists to the store that is being built.
struct IntoStore(StoreBuilder);

impl StateVisitor for IntoStore {
    const SCHEMA_FIRST: bool = false;

    fn begin(&mut self, _: &Schema) -> Result<()> {
        Ok(())
    }

    fn list(&mut self, entry: StoredEntry<'_>) -> Result<()> {
        Ok(self.0.push(entry)?)
    }
}

/// Builds one store of what `groups` hold, and proves every object while reading it.
pub(crate) async fn build(
    source: &SeriesSource,
    groups: &BTreeSet<GroupId>,
    target: Target,
    progress: &Progress,
) -> Result<Built> {
    let Target { dir, group, mut identity, above, upon } = target;
    let is_upon = upon.is_some();
    let builder = StoreBuilder::create(&dir, &BuildOptions { threads: default_workers(), group })?;
    let scratch = Scratch::create(&dir)?;
    let (IntoStore(builder), summary) = match upon {
        Some(store) => source.read_upon(store, groups, &scratch.dir, progress, IntoStore(builder)).await?,
        None => source.read(groups, &scratch.dir, progress, IntoStore(builder)).await?,
    };
    drop(scratch);
    let StateSummary { schema, max_uid, max_namespace, max_version, lists, stale } = summary;
    let schema = with_initial(schema);
    let read_ts = source.newest().read_ts.max(max_version);
    if let Some(parent) = &mut identity.parent {
        parent.restored = source.restored(groups, is_upon, read_ts);
    }
    let store = BuiltStore {
        identity,
        read_ts,
        max_uid: max_uid.max(above.uid),
        max_namespace: max_namespace.max(above.namespace),
        max_ts: read_ts.max(above.ts),
        predicates: schema.predicates.into_iter().collect(),
        types: schema.types.into_iter().collect(),
    };
    task::spawn_blocking(move || builder.finish(&store)).await??;
    Ok(Built { lists, max_uid, max_namespace, read_ts, stale })
}

/// With the database's own predicates and types, which a store defines when it is opened: that would be a commit after the restore.
fn with_initial(mut schema: Schema) -> Schema {
    let initial = initial_schema();
    for (predicate, definition) in initial.predicates {
        schema.predicates.entry(predicate).or_insert(definition);
    }
    for (name, definition) in initial.types {
        schema.types.entry(name).or_insert(definition);
    }
    schema
}

/// Proves a series and restores every group of it into `p<group>` below `parent`. Each must be absent or empty; all are built beside before
/// the first is put in place.
pub async fn restore_offline(
    locations: &Locations,
    request: &SeriesRequest,
    parent: &Path,
    progress: &Progress,
) -> Result<RestoreReport> {
    progress.enter("prove");
    restore_groups(&SeriesSource::prove(locations, request).await?, parent, progress).await
}

/// As [`restore_offline`], of a series that was proved.
pub async fn restore_groups(source: &SeriesSource, parent: &Path, progress: &Progress) -> Result<RestoreReport> {
    let each = source.groups().into_iter().map(|group| (group, BTreeSet::from([group])));
    restore_parts(source, each.collect(), parent, progress).await
}

/// As [`restore_offline`], with all groups in one store, `p1`: what one node serves.
pub async fn restore_merged(
    locations: &Locations,
    request: &SeriesRequest,
    parent: &Path,
    progress: &Progress,
) -> Result<RestoreReport> {
    progress.enter("prove");
    let source = SeriesSource::prove(locations, request).await?;
    restore_parts(&source, vec![(GroupId(1), source.groups())], parent, progress).await
}

/// Restores into one directory for each part: the group that it will be, and those whose data it gets.
async fn restore_parts(
    source: &SeriesSource,
    parts: Vec<(GroupId, BTreeSet<GroupId>)>,
    parent: &Path,
    progress: &Progress,
) -> Result<RestoreReport> {
    let target_of = |group: &GroupId| parent.join(format!("p{group}"));
    for (group, _) in &parts {
        check_target(&target_of(group))?;
    }
    fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    let staging = Staging::create(parent)?;
    let newest = source.newest();
    let identity = source.identity(0);
    progress.enter("merge");
    let mut report = RestoreReport {
        backup_id: newest.backup_id.clone(),
        backup_num: newest.backup_num,
        read_ts: newest.read_ts,
        max_uid: 0,
        max_namespace: 0,
        groups: Vec::new(),
        stale: StaleReport::default(),
        partial: source.partial(),
        unproved: source.unproved(),
    };
    for (group, of) in &parts {
        let (dir, above) = (staging.dir.join(format!("p{group}")), Above::default());
        let into = Target { dir, group: *group, identity: identity.clone(), above, upon: None };
        let built = build(source, of, into, progress).await?;
        report.max_uid = report.max_uid.max(built.max_uid);
        report.max_namespace = report.max_namespace.max(built.max_namespace);
        report.read_ts = report.read_ts.max(built.read_ts);
        report.stale.merge(built.stale);
        report.groups.push(RestoredGroup { group: *group, dir: target_of(group), lists: built.lists });
    }
    progress.enter("put in place");
    for (group, _) in &parts {
        put_in_place(&staging.dir.join(format!("p{group}")), &target_of(group))?;
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

/// A directory for files that are sorted: its user's alone, since they may hold what was encrypted. Removed with everything in it.
pub(crate) struct Scratch {
    pub(crate) dir: PathBuf,
}

impl Scratch {
    /// Made within `parent`, which must exist.
    pub(crate) fn create(parent: &Path) -> Result<Scratch> {
        let dir = parent.join("sorting");
        fs::DirBuilder::new().mode(0o700).create(&dir).map_err(Error::io("create", &dir))?;
        Ok(Scratch { dir })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(err) = fs::remove_dir_all(&self.dir) {
            tracing::warn!(%err, dir = %self.dir.display(), "a directory of sorted files could not be removed");
        }
    }
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
