//! A series that is read: proved first, then given list by list in the order of stored keys, ours and Dgraph's alike. Restores, exports and
//! whoever looks into a backup read it here.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use graphdb_archive::{ArchiveReader, Backup, EncryptionKey, GroupArchive, Series, default_workers};
use graphdb_destination::{Destination, LocationRequest, Locations};
use graphdb_storage::{Identity, Restored, Store, StoredEntry};
use graphdb_types::{GroupId, Schema, Ts};
use tokio::runtime::Handle;
use tokio::task;

use crate::catalogue::read_catalogue;
use crate::definitions::{Author, Definitions};
use crate::download::ObjectReader;
use crate::error::{Error, Result};
use crate::gather::{Gather, StaleReport};
use crate::merge::{Merged, Source, merge};
use crate::progress::Progress;
use crate::selection::{ArchiveRules, Selection, Wanted};

/// Which series to read, how far, what of it, and what is needed to read it.
#[derive(Clone, Debug, Default)]
pub struct SeriesRequest {
    /// Where the backups are.
    pub location: LocationRequest,
    /// The series; the newest if not given.
    pub backup_id: Option<String>,
    /// Up to which backup of the series; to its end if not given.
    pub backup_num: Option<u64>,
    /// From which backup of the series on, on purpose without those before it. 0 and 1 are the beginning.
    pub incremental_from: u64,
    /// What of it.
    pub selection: Selection,
    /// The key of an encrypted series.
    pub key: Option<Arc<EncryptionKey>>,
}

/// A series that was proved to be whole: every manifest is there, ours sealed and linked to the one before, every object that is wanted is
/// there (ours with its size), and the key is the right one as far as that can be told. Digests are checked while the objects are read.
#[derive(Clone, Debug)]
pub struct SeriesSource {
    destination: Arc<dyn Destination>,
    series: Series,
    selection: Selection,
    key: Option<Arc<EncryptionKey>>,
}

/// What is done with the lists of a series.
pub trait StateVisitor: Send + 'static {
    /// Whether the schema must be known before the first list. Our archives hold it at their end, so knowing it costs reading the newest
    /// one twice.
    const SCHEMA_FIRST: bool;

    /// Told before the first list, if it was asked for.
    fn begin(&mut self, schema: &Schema) -> Result<()>;

    /// Takes a list. Keys ascend: of each predicate the data lists come first, then index, reverse and count lists.
    fn list(&mut self, entry: StoredEntry<'_>) -> Result<()>;
}

/// What reading a series tells beside its lists.
#[derive(Clone, Debug)]
pub struct StateSummary {
    /// What the newest backup defines.
    pub schema: Schema,
    /// Every uid in use is at most this.
    pub max_uid: u64,
    /// Every namespace in use is at most this.
    pub max_namespace: u64,
    /// Nothing was changed after this.
    pub max_version: Ts,
    /// Posting lists.
    pub lists: u64,
    /// What was wrong with stored index, reverse and count keys; of Dgraph's backups only.
    pub stale: StaleReport,
}

impl SeriesSource {
    /// Proves the series. Nothing is written.
    pub async fn prove(locations: &Locations, request: &SeriesRequest) -> Result<SeriesSource> {
        SeriesSource::prove_at(locations.open_existing(&request.location).await?, request).await
    }

    /// As [`SeriesSource::prove`], at a destination that is open already.
    pub async fn prove_at(destination: Arc<dyn Destination>, request: &SeriesRequest) -> Result<SeriesSource> {
        let catalogue = read_catalogue(&*destination).await?;
        let (id, num, first) = (request.backup_id.as_deref(), request.backup_num, request.incremental_from.max(1));
        let series = catalogue.choose_from(id, num, first, request.key.as_deref())?;
        let (selection, key) = (request.selection.clone(), request.key.clone());
        let source = SeriesSource { destination, series, selection, key };
        source.check_selection()?;
        source.check_objects().await?;
        Ok(source)
    }

    /// What is asked for by name has to be there.
    fn check_selection(&self) -> Result<()> {
        let newest = self.series.newest();
        let missing = |what: String| Err(Error::NotInBackup { what, backup_id: newest.backup_id.clone() });
        if let Some(group) = self.selection.groups.iter().flatten().find(|group| !newest.groups.contains_key(group)) {
            return missing(format!("group {group}"));
        }
        let mut named = newest.groups.values().flat_map(|group| group.predicates.iter());
        if let Some(wanted) = &self.selection.predicates {
            let named: BTreeSet<_> = named.collect();
            return match wanted.iter().find(|predicate| !named.contains(predicate)) {
                Some(predicate) => missing(format!("predicate {predicate}")),
                None => Ok(()),
            };
        }
        match self.selection.tenant {
            Some(tenant) if !named.any(|predicate| predicate.namespace == tenant.from) => {
                missing(format!("namespace {:#x}", tenant.from.0))
            }
            _ => Ok(()),
        }
    }

    async fn check_objects(&self) -> Result<()> {
        for (backup, group, archive, _) in self.wanted(&self.groups()).archives(&self.series) {
            let (location, object) = (self.destination.describe(), archive.object.clone());
            let what = match (self.destination.stat(&object).await, &archive.stored) {
                (Ok(_), None) => continue,
                (Ok(found), Some(stored)) if found.size_bytes == stored.size_bytes => continue,
                (Ok(found), Some(stored)) => {
                    format!("has {} bytes, its manifest says {}", found.size_bytes, stored.size_bytes)
                }
                (Err(err), _) if err.is_not_found() => {
                    format!("is missing: group {group} of backup {} of series {}", backup.backup_num, backup.backup_id)
                }
                (Err(err), _) => return Err(err.into()),
            };
            return Err(Error::DamagedObject { location, object, what });
        }
        Ok(())
    }

    /// The series.
    pub fn series(&self) -> &Series {
        &self.series
    }

    /// The newest backup that is read.
    pub fn newest(&self) -> &Backup {
        self.series.newest()
    }

    /// What of it is wanted.
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// The groups that the newest backup holds, as far as they are wanted.
    pub fn groups(&self) -> BTreeSet<GroupId> {
        let all = self.newest().groups.keys().copied();
        all.filter(|group| self.selection.groups.as_ref().is_none_or(|wanted| wanted.contains(group))).collect()
    }

    /// The life that begins with what is read: of Dgraph's, a new database. `also_above` is an epoch that must be passed.
    pub(crate) fn identity(&self, also_above: u64) -> Identity {
        let newest = self.newest();
        match newest.sealed().map(graphdb_archive::SealedManifest::manifest) {
            Some(ours) => Identity::restored(&ours.database_id, ours.epoch, ours.read_ts, also_above),
            None => Identity::restored(&Identity::fresh().database_id, 0, newest.read_ts, also_above),
        }
    }

    /// What a store of `groups` began as, if that is a whole state: of the series, or of the series applied `upon` a store. `read_ts` is its
    /// newest commit.
    pub(crate) fn restored(&self, groups: &BTreeSet<GroupId>, upon: bool, read_ts: Ts) -> Option<Restored> {
        let newest = self.newest();
        let has_all = newest.groups.keys().all(|group| groups.contains(group)) && self.selection.predicates.is_none();
        let from_start = upon || self.first() == 1;
        let tenant = self.selection.tenant.map(|tenant| (tenant.from.0, tenant.to.0));
        (has_all && from_start).then(|| Restored {
            backup_id: newest.backup_id.clone(),
            backup_num: newest.backup_num,
            tenant,
            read_ts: read_ts.0,
        })
    }

    /// The number of the oldest backup that is read.
    pub fn first(&self) -> u64 {
        self.series.backups()[0].backup_num
    }

    /// What is left out of the series, if anything is: what is read is not what was backed up.
    pub fn partial(&self) -> Option<String> {
        let earlier = (self.first() > 1).then(|| format!("nothing of the backups before number {}", self.first()));
        let left_out: Vec<String> = earlier.into_iter().chain(self.part()).collect();
        (!left_out.is_empty()).then(|| left_out.join("; "))
    }

    /// What part of the backups is wanted, if not all.
    pub(crate) fn part(&self) -> Option<String> {
        let mut left_out = Vec::new();
        let (newest, groups) = (self.newest(), self.groups());
        if groups.len() < newest.groups.len() {
            let word = if groups.len() == 1 { "group" } else { "groups" };
            left_out.push(format!("only {word} {} of {}", list(&groups), list(newest.groups.keys())));
        }
        if let Some(predicates) = &self.selection.predicates {
            left_out.push(format!("only {}", list(predicates)));
        }
        if let Some(tenant) = self.selection.tenant {
            left_out.push(format!("only namespace {}, as {}", tenant.from, tenant.to));
        }
        (!left_out.is_empty()).then(|| left_out.join("; "))
    }

    /// What of the series cannot be proved, if anything cannot.
    pub fn unproved(&self) -> Option<&'static str> {
        let foreign = self.series.backups().iter().any(|backup| backup.sealed().is_none());
        foreign
            .then_some("Dgraph's manifests hold no digests: nothing proves that the bytes are those that were written.")
    }

    /// Opens an archive on a blocking thread of `runtime`, with threads that decompress if it is worth it; `readers` are open at once.
    pub(crate) fn open_archive(
        &self,
        runtime: &Handle,
        backup: &Backup,
        archive: &GroupArchive,
        readers: usize,
    ) -> Result<ArchiveReader<ObjectReader>> {
        let destination = Arc::clone(&self.destination);
        let reader = runtime.block_on(ObjectReader::open(destination, &archive.object, readers))?;
        // Some series of Dgraph have plain and encrypted backups.
        let key = self.key.as_deref().filter(|_| backup.is_encrypted);
        let workers = if backup.is_full { default_workers() } else { 0 };
        let object = &archive.object;
        ArchiveReader::open(reader, key, workers).map_err(|source| match source {
            graphdb_archive::Error::Unknown if key.is_some() => Error::WrongKey { object: object.clone(), source },
            source => Error::archive(object)(source),
        })
    }

    fn wanted(&self, groups: &BTreeSet<GroupId>) -> Wanted {
        Wanted::new(&self.series, groups, &self.selection)
    }

    /// Gives the lists of `groups`, as they stand at the newest backup, to `visitor`. Dgraph's archives are sorted in files in `scratch`,
    /// which hold key-values in plain text: the directory should be its user's alone. Memory does not depend on the size of the series.
    ///
    /// # Errors
    /// Whatever was found while reading; what the visitor was given before must not be used then.
    pub async fn read<V: StateVisitor>(
        &self,
        groups: &BTreeSet<GroupId>,
        scratch: &Path,
        progress: &Progress,
        visitor: V,
    ) -> Result<(V, StateSummary)> {
        let in_order = self.series.backups().iter().all(|backup| backup.sealed().is_some());
        self.read_as(in_order, groups, scratch, progress, visitor).await
    }

    /// As [`SeriesSource::read`], with what `store` holds as the oldest of all: the series is applied upon it.
    pub(crate) async fn read_upon<V: StateVisitor>(
        &self,
        store: Arc<Store>,
        groups: &BTreeSet<GroupId>,
        scratch: &Path,
        progress: &Progress,
        visitor: V,
    ) -> Result<(V, StateSummary)> {
        let (reading, scratch) = (self.reading(groups, progress), scratch.to_owned());
        task::spawn_blocking(move || reading.gather(Some(store), &scratch, visitor)).await?
    }

    /// As [`SeriesSource::read`], with index, reverse and count lists made anew from the data of our backups too, and compared with those that
    /// were stored.
    pub async fn read_rebuilt<V: StateVisitor>(
        &self,
        groups: &BTreeSet<GroupId>,
        scratch: &Path,
        progress: &Progress,
        visitor: V,
    ) -> Result<(V, StateSummary)> {
        self.read_as(false, groups, scratch, progress, visitor).await
    }

    async fn read_as<V: StateVisitor>(
        &self,
        in_order: bool,
        groups: &BTreeSet<GroupId>,
        scratch: &Path,
        progress: &Progress,
        visitor: V,
    ) -> Result<(V, StateSummary)> {
        let (reading, scratch) = (self.reading(groups, progress), scratch.to_owned());
        let run = move || if in_order { reading.merge(visitor) } else { reading.gather(None, &scratch, visitor) };
        task::spawn_blocking(run).await?
    }

    fn reading(&self, groups: &BTreeSet<GroupId>, progress: &Progress) -> Reading {
        Reading {
            source: self.clone(),
            wanted: self.wanted(groups),
            runtime: Handle::current(),
            progress: progress.clone(),
        }
    }
}

fn list<T: std::fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

/// A series while it is read, on a blocking thread.
struct Reading {
    source: SeriesSource,
    wanted: Wanted,
    runtime: Handle,
    progress: Progress,
}

impl Reading {
    fn open(&self, backup: &Backup, archive: &GroupArchive, readers: usize) -> Result<ArchiveReader<ObjectReader>> {
        self.source.open_archive(&self.runtime, backup, archive, readers)
    }

    /// Our archives are in order: they are merged as they come.
    fn merge<V: StateVisitor>(self, mut visitor: V) -> Result<(V, StateSummary)> {
        if V::SCHEMA_FIRST {
            visitor.begin(&self.read_schema()?.schema)?;
        }
        let archives = self.wanted.archives(&self.source.series);
        let (readers, mut sources, mut entries) = (archives.len(), Vec::with_capacity(archives.len()), 0);
        for (backup, _, archive, rules) in archives {
            let reader = self.open(backup, archive, readers)?;
            let stored = archive.stored.expect("our manifests describe their archives");
            entries += stored.entries;
            let (object, author) = (archive.object.clone(), Author::of(backup));
            sources.push(Source::new(reader, object, stored, author, rules, self.wanted.selection.clone()));
        }
        self.progress.expect(entries);
        let merged = merge(sources, &self.wanted.selection, &self.progress, |entry| visitor.list(entry))?;
        let Merged { definitions, max_uid, lists } = merged;
        let newest = self.source.newest().sealed().expect("the series is ours").manifest();
        let summary = StateSummary {
            schema: definitions.schema,
            max_uid: max_uid.max(newest.max_uid.0),
            max_namespace: newest.max_namespace.0,
            max_version: newest.read_ts,
            lists,
            stale: StaleReport { unindexed: definitions.unindexed, ..StaleReport::default() },
        };
        Ok((visitor, summary))
    }

    /// What the newest backup defines, read ahead of the lists.
    fn read_schema(&self) -> Result<Definitions> {
        let mut definitions = Definitions::default();
        let archives = self.wanted.archives(&self.source.series);
        for (backup, _, archive, rules) in archives.into_iter().filter(|(_, _, _, rules)| rules.age == 0) {
            let mut reader = self.open(backup, archive, 1)?;
            self.read_definitions(&mut reader, &mut definitions, &rules, (Author::of(backup), archive))?;
        }
        Ok(definitions)
    }

    fn read_definitions(
        &self,
        reader: &mut ArchiveReader<ObjectReader>,
        definitions: &mut Definitions,
        rules: &ArchiveRules,
        (author, archive): (Author, &GroupArchive),
    ) -> Result<()> {
        while let Some(kv) = reader.next().map_err(Error::archive(&archive.object))? {
            if kv.user_meta == graphdb_archive::user_meta::SCHEMA {
                let at = Error::entry(&archive.object);
                let entry = kv.entry().map_err(&at)?;
                definitions.add(&entry, rules, &self.wanted.selection, author).map_err(&at)?;
            }
        }
        Ok(())
    }

    /// Dgraph's archives are in no order: they are collected, newest first, and sorted. What they are applied upon comes last.
    fn gather<V: StateVisitor>(
        self,
        upon: Option<Arc<Store>>,
        scratch: &Path,
        mut visitor: V,
    ) -> Result<(V, StateSummary)> {
        // It may go down from one backup of Dgraph's to the next.
        let read_ts = self.source.series.backups().iter().map(|backup| backup.read_ts);
        let newest = read_ts.chain(upon.iter().map(|store| store.read_ts())).max().unwrap_or(Ts::ZERO);
        let mut gather = Gather::new(self.wanted.clone(), newest, scratch);
        for (backup, _, archive, rules) in self.wanted.archives(&self.source.series) {
            let reader = self.open(backup, archive, 1)?;
            gather.collect(reader, backup, archive, &rules, &self.progress)?;
        }
        if let Some(store) = upon {
            let rules = self.wanted.store_rules(&self.source.series);
            gather.collect_store(&store.snapshot()?, &rules, &self.progress)?;
        }
        visitor.begin(&gather.define().schema)?;
        let walked = gather.walk(scratch, &self.progress, |entry| visitor.list(entry))?;
        let said = self.source.newest().sealed().map(graphdb_archive::SealedManifest::manifest);
        let named = walked.definitions.schema.predicates.keys();
        let summary = StateSummary {
            max_uid: walked.max_uid.max(said.map_or(0, |ours| ours.max_uid.0)),
            max_namespace: named
                .map(|name| name.namespace.0)
                .chain(said.map(|ours| ours.max_namespace.0))
                .max()
                .unwrap_or(0),
            max_version: newest,
            lists: walked.lists,
            stale: walked.report,
            schema: walked.definitions.schema,
        };
        Ok((visitor, summary))
    }
}
