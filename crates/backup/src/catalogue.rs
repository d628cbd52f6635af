//! What is at a location: the listing is the truth, there is no index that could be wrong.

use std::collections::{BTreeMap, BTreeSet};

use graphdb_archive::{
    Backup, BackupFolder, DgraphManifest, EncryptionKey, GroupArchive, MANIFEST_FILE, MASTER_MANIFEST,
    MAX_MANIFEST_BYTES, ManifestError, Origin, SealedManifest, Series, choose_from, latest,
};
use graphdb_destination::{Destination, LocationRequest, Locations, ObjectMeta};
use graphdb_types::{DropOp, ObjectName, Predicate};

use crate::error::{Error, Result};

mod misplaced;

/// What every folder's name begins with.
const FOLDER_PREFIX: &str = "dgraph.";

/// The backups at a location, ours and Dgraph's.
#[derive(Debug)]
pub struct Catalogue {
    location: String,
    backups: Vec<Backup>,
    /// Manifests that are there and cannot be used.
    unreadable: Vec<Error>,
    folders: Folders,
    /// The location has Dgraph's list of backups.
    has_master: bool,
    /// A manifest that lies deeper than those of backups.
    deeper: Option<ObjectName>,
    /// Bytes of every object that may be an archive.
    sizes: BTreeMap<ObjectName, u64>,
}

/// The folders at a location.
#[derive(Clone, Debug, Default)]
pub(crate) struct Folders {
    /// The newest, also of an unfinished backup: the next one's name must sort after it.
    pub(crate) newest: Option<BackupFolder>,
    /// Those that have a manifest.
    pub(crate) committed: BTreeSet<BackupFolder>,
}

/// A backup as it is listed.
#[derive(Clone, Debug)]
pub struct BackupListing {
    /// The series.
    pub backup_id: String,
    /// The place in the series, from 1.
    pub backup_num: u64,
    /// Whether a key is needed to restore it.
    pub encrypted: bool,
    /// Predicates by group.
    pub groups: BTreeMap<u32, Vec<Predicate>>,
    /// The folder at the location.
    pub path: String,
    /// The exclusive start: the `read_ts` of the backup before; 0 for a full one, and for one of Dgraph whose predecessor is not there.
    pub since: u64,
    /// The instant the backup shows.
    pub read_ts: u64,
    /// `full` or `incremental`.
    pub kind: &'static str,
    /// Bytes stored; of Dgraph's, of the objects that are there.
    pub size_bytes: u64,
    /// Objects that its manifest names and that are not there.
    pub missing_objects: u64,
    /// Bytes of the key-values before compression; Dgraph's manifests do not say.
    pub raw_bytes: Option<u64>,
    /// Key-values; Dgraph's manifests do not say.
    pub entries: Option<u64>,
    /// Drops since the backup before.
    pub drop_operations: Vec<DropOp>,
    /// RFC 3339, when it began; `None` if the folder's name does not tell.
    pub created_at: Option<String>,
    /// The program that wrote it, as `graphdb 0.1.0` or `Dgraph v1.1 to v20.11`.
    pub written_by: String,
    /// The `version` of Dgraph's manifest, 0, 2103 or 2105; `None` of ours.
    pub dgraph_version: Option<u32>,
}

impl From<&SealedManifest> for BackupListing {
    fn from(sealed: &SealedManifest) -> BackupListing {
        let manifest = sealed.manifest();
        let listing = BackupListing::of(&Backup::from(sealed.clone()));
        BackupListing { created_at: rfc3339(manifest.created_at), ..listing }
    }
}

impl BackupListing {
    /// What a manifest alone tells.
    fn of(backup: &Backup) -> BackupListing {
        let ours = backup.sealed().map(SealedManifest::manifest);
        let sum = |of: fn(&graphdb_archive::StoredObject) -> u64| {
            let parts = backup.groups.values().map(|group| group.stored.as_ref().map(of));
            parts.sum::<Option<u64>>()
        };
        BackupListing {
            backup_id: backup.backup_id.clone(),
            backup_num: backup.backup_num,
            encrypted: backup.is_encrypted,
            groups: backup.groups.iter().map(|(id, group)| (id.0, group.predicates.clone())).collect(),
            path: backup.folder.to_string(),
            since: ours.map_or(0, |manifest| manifest.since.0),
            read_ts: backup.read_ts.0,
            kind: if backup.is_full { "full" } else { "incremental" },
            size_bytes: ours.map_or(0, graphdb_archive::Manifest::size_bytes),
            missing_objects: 0,
            raw_bytes: sum(|stored| stored.raw_bytes),
            entries: sum(|stored| stored.entries),
            drop_operations: backup.drop_operations.clone(),
            created_at: ours.map(|m| m.created_at).or_else(|| backup.started_at()).and_then(rfc3339),
            written_by: backup.origin.to_string(),
            dgraph_version: match backup.origin {
                Origin::Dgraph { version } => Some(version),
                Origin::Graphdb(_) => None,
            },
        }
    }
}

fn rfc3339(at: time::OffsetDateTime) -> Option<String> {
    at.format(&time::format_description::well_known::Rfc3339).ok()
}

/// Lists the backups at a location, oldest first.
///
/// # Errors
/// A location that is not there, and a manifest that cannot be read: a list with a hole would be taken for the whole.
pub async fn list_backups(locations: &Locations, at: &LocationRequest) -> Result<Vec<BackupListing>> {
    let destination = locations.open_existing(at).await?;
    read_catalogue(&*destination).await?.listings()
}

/// Reads every manifest at a destination: those of Dgraph's list, if there is one, and those of the folders that it does not name. Folders
/// without a manifest are unfinished backups and do not count.
pub async fn read_catalogue(destination: &dyn Destination) -> Result<Catalogue> {
    let mut catalogue = Catalogue {
        location: destination.describe(),
        backups: Vec::new(),
        unreadable: Vec::new(),
        folders: Folders::default(),
        has_master: false,
        deeper: None,
        sizes: BTreeMap::new(),
    };
    let objects = destination.list("").await?;
    if objects.iter().any(|object| object.name.as_str() == MASTER_MANIFEST) {
        catalogue.read_master(destination).await?;
    }
    let mut listed: BTreeSet<ObjectName> = catalogue.backups.iter().map(|backup| backup.folder.clone()).collect();
    for object in objects {
        catalogue.folders.note(&object.name);
        match folder_of_manifest(&object.name) {
            Some(folder) if listed.insert(folder.clone()) => {
                catalogue.read_manifest(destination, folder, &object).await?;
            }
            Some(_) => {}
            None if misplaced::is_deeper(&object.name) => catalogue.deeper = Some(object.name),
            None => _ = catalogue.sizes.insert(object.name, object.size_bytes),
        }
    }
    catalogue.backups.sort_by(|a, b| a.folder.cmp(&b.folder));
    Ok(catalogue)
}

/// The folder that an object is the manifest of. Backups lie at the top of a location.
fn folder_of_manifest(name: &ObjectName) -> Option<ObjectName> {
    let mut segments = name.segments();
    match (segments.next(), segments.next(), segments.next()) {
        (Some(folder), Some(MANIFEST_FILE), None) => folder.parse().ok(),
        _ => None,
    }
}

/// Lists the folders at a destination, without reading anything.
pub(crate) async fn list_folders(destination: &dyn Destination) -> Result<Folders> {
    let mut folders = Folders::default();
    for object in destination.list(FOLDER_PREFIX).await? {
        folders.note(&object.name);
    }
    Ok(folders)
}

impl Folders {
    /// Counts an object. Gives the folder that it is the manifest of.
    fn note(&mut self, name: &ObjectName) -> Option<BackupFolder> {
        let folder = backup_folder(name)?;
        if self.newest.as_ref().is_none_or(|newest| *newest < folder) {
            self.newest = Some(folder.clone());
        }
        let committed = *name == folder.manifest();
        committed.then(|| {
            self.committed.insert(folder.clone());
            folder
        })
    }
}

fn backup_folder(name: &ObjectName) -> Option<BackupFolder> {
    name.segments().next().and_then(|first| BackupFolder::parse(first).ok())
}

impl Catalogue {
    async fn read_manifest(
        &mut self,
        destination: &dyn Destination,
        folder: ObjectName,
        object: &ObjectMeta,
    ) -> Result<()> {
        if object.size_bytes > MAX_MANIFEST_BYTES as u64 {
            self.unreadable.push(ManifestError::TooLong { folder }.into());
            return Ok(());
        }
        let bytes = destination.get(&object.name, MAX_MANIFEST_BYTES as u64).await?;
        match parse_manifest(&folder, &bytes) {
            Ok(backup) => self.backups.push(backup),
            Err(err) => self.unreadable.push(misplaced::list(&self.location, &folder, &bytes).unwrap_or(err)),
        }
        Ok(())
    }

    async fn read_master(&mut self, destination: &dyn Destination) -> Result<()> {
        let name = MASTER_MANIFEST.parse().expect("a plain name");
        let bytes = destination.get(&name, MAX_MANIFEST_BYTES as u64).await?;
        self.has_master = true;
        match DgraphManifest::parse_master(&bytes) {
            Ok(backups) => self.backups.extend(backups.into_iter().map(Backup::from)),
            Err(err) => self.unreadable.push(misplaced::backup(&self.location, &bytes).unwrap_or(err.into())),
        }
        Ok(())
    }

    pub(crate) fn folders(&self) -> &Folders {
        &self.folders
    }

    /// The names of the series, as far as their manifests can be read.
    pub(crate) fn backup_ids(&self) -> BTreeSet<String> {
        self.backups.iter().map(|backup| backup.backup_id.clone()).collect()
    }

    /// What is there, good and bad: the backups, oldest first, the manifests that cannot be used, and the objects that are no manifests.
    pub(crate) fn into_parts(self) -> (Vec<Backup>, Vec<Error>, BTreeMap<ObjectName, u64>) {
        (self.backups, self.unreadable, self.sizes)
    }

    /// All backups, oldest first.
    ///
    /// # Errors
    /// The first manifest that cannot be read.
    pub fn readable(mut self) -> Result<Vec<Backup>> {
        if self.unreadable.is_empty() { Ok(self.backups) } else { Err(self.unreadable.remove(0)) }
    }

    /// All backups as they are listed, oldest first.
    ///
    /// # Errors
    /// The first manifest that cannot be read.
    pub fn listings(mut self) -> Result<Vec<BackupListing>> {
        let sizes = std::mem::take(&mut self.sizes);
        let backups = self.readable()?;
        let read_ts: BTreeMap<_, _> =
            backups.iter().map(|backup| ((backup.backup_id.as_str(), backup.backup_num), backup.read_ts.0)).collect();
        let of_dgraph = |backup: &Backup, listing: &mut BackupListing| {
            let before = (backup.backup_id.as_str(), backup.backup_num - 1);
            listing.since = read_ts.get(&before).copied().unwrap_or(0);
            listing.size_bytes = backup.groups.values().filter_map(|group| sizes.get(&group.object)).sum();
        };
        let listing = |backup: &Backup| {
            let mut listing = BackupListing::of(backup);
            let is_missing = |group: &&GroupArchive| !sizes.contains_key(&group.object);
            listing.missing_objects = backup.groups.values().filter(is_missing).count() as u64;
            if backup.sealed().is_none() {
                of_dgraph(backup, &mut listing);
            }
            listing
        };
        Ok(backups.iter().map(listing).collect())
    }

    /// Counts manifests that were changed by somebody without the key among those that cannot be read. Manifests of another key, or of
    /// none, stay: which of them are needed is not known yet.
    fn set_aside_unsealed(&mut self, key: Option<&EncryptionKey>) {
        for backup in std::mem::take(&mut self.backups) {
            match backup.unlock(key) {
                Err(err @ ManifestError::Unsealed { .. }) => self.unreadable.push(err.into()),
                _ => self.backups.push(backup),
            }
        }
    }

    /// Refuses a location whose list of backups is Dgraph's: Dgraph would not see ours beside it.
    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.has_master { Err(Error::ForeignLocation { location: self.location.clone() }) } else { Ok(()) }
    }

    /// The series that the next backup, encrypted with `key`, would continue.
    pub fn latest(mut self, key: Option<&EncryptionKey>) -> Result<Option<Series>> {
        self.set_aside_unsealed(key);
        let location = self.location.clone();
        let advice = "; take a full backup with forceFull to begin a new series";
        latest(self.readable()?).map_err(|source| Error::Series { location, source, advice })
    }

    /// The series to read, proved to be whole and readable with `key`.
    pub fn choose(
        self,
        backup_id: Option<&str>,
        backup_num: Option<u64>,
        key: Option<&EncryptionKey>,
    ) -> Result<Series> {
        self.choose_from(backup_id, backup_num, 1, key)
    }

    /// As [`Catalogue::choose`], without the backups before number `first`.
    pub fn choose_from(
        mut self,
        backup_id: Option<&str>,
        backup_num: Option<u64>,
        first: u64,
        key: Option<&EncryptionKey>,
    ) -> Result<Series> {
        self.set_aside_unsealed(key);
        let location = self.location.clone();
        if let (true, Some(manifest)) = (self.backups.is_empty() && self.unreadable.is_empty(), &self.deeper) {
            return Err(misplaced::deeper(&location, manifest));
        }
        let chosen = choose_from(self.backups, backup_id, backup_num, first);
        // A manifest that cannot be read may be the one that is missing, or the newest: only a series that was asked for by name, up to a
        // number that is there, does without it.
        let named = backup_id.is_some() && backup_num.is_some();
        if !self.unreadable.is_empty() && (chosen.is_err() || !named) {
            return Err(self.unreadable.remove(0));
        }
        let series = chosen.map_err(|source| Error::Series { location, source, advice: "" })?;
        for backup in series.backups() {
            backup.unlock(key)?;
        }
        Ok(series)
    }
}

/// Reads the manifest of a folder, ours or Dgraph's.
fn parse_manifest(folder: &ObjectName, bytes: &[u8]) -> Result<Backup> {
    if let Ok(ours) = BackupFolder::parse(folder.as_str()) {
        match SealedManifest::parse(ours, bytes.to_vec()) {
            Err(ManifestError::Foreign { .. }) => {}
            parsed => return Ok(parsed?.into()),
        }
    }
    DgraphManifest::parse(folder, bytes).map(Backup::from).map_err(Error::from)
}
