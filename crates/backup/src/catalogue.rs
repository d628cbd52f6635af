//! What is at a location: the listing is the truth, there is no index that could be wrong.

use std::collections::{BTreeMap, BTreeSet};

use graphdb_archive::{
    BackupFolder, EncryptionKey, MANIFEST_FILE, MAX_MANIFEST_BYTES, ManifestError, SealedManifest, Series, choose,
    latest,
};
use graphdb_destination::{Destination, LocationRequest, Locations, ObjectMeta};
use graphdb_types::{DropOp, ObjectName};

use crate::error::{Error, Result};

/// What every folder's name begins with.
const FOLDER_PREFIX: &str = "dgraph.";

/// The backups at a location.
#[derive(Debug)]
pub struct Catalogue {
    location: String,
    backups: Vec<SealedManifest>,
    /// Manifests that are there and cannot be used.
    unreadable: Vec<ManifestError>,
    folders: Folders,
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
    pub groups: BTreeMap<u32, Vec<String>>,
    /// The folder at the location.
    pub path: String,
    /// The exclusive start: the `read_ts` of the backup before; 0 for a full one.
    pub since: u64,
    /// The instant the backup shows.
    pub read_ts: u64,
    /// `full` or `incremental`.
    pub kind: &'static str,
    /// Bytes stored.
    pub size_bytes: u64,
    /// Bytes of the key-values before compression.
    pub raw_bytes: u64,
    /// Key-values.
    pub entries: u64,
    /// Drops since the backup before.
    pub drop_operations: Vec<DropOp>,
    /// RFC 3339, when it began.
    pub created_at: String,
}

impl From<&SealedManifest> for BackupListing {
    fn from(sealed: &SealedManifest) -> BackupListing {
        let manifest = sealed.manifest();
        let names = |group: &graphdb_archive::GroupBackup| group.predicates.iter().map(ToString::to_string).collect();
        BackupListing {
            backup_id: manifest.backup_id.clone(),
            backup_num: manifest.backup_num,
            encrypted: manifest.is_encrypted(),
            groups: manifest.groups.iter().map(|(id, group)| (id.0, names(group))).collect(),
            path: sealed.folder().to_string(),
            since: manifest.since.0,
            read_ts: manifest.read_ts.0,
            kind: if manifest.is_full() { "full" } else { "incremental" },
            size_bytes: manifest.size_bytes(),
            raw_bytes: manifest.groups.values().map(|group| group.archive.raw_bytes).sum(),
            entries: manifest.groups.values().map(|group| group.archive.entries).sum(),
            drop_operations: manifest.drop_operations.clone(),
            created_at: manifest
                .created_at
                .format(&time::format_description::well_known::Rfc3339)
                .expect("a time that was read is a time that can be written"),
        }
    }
}

/// Lists the backups at a location, oldest first.
///
/// # Errors
/// A location that is not there, and a manifest that cannot be read: a list with a hole would be taken for the whole.
pub async fn list_backups(locations: &Locations, at: &LocationRequest) -> Result<Vec<BackupListing>> {
    let destination = locations.open_existing(at).await?;
    let catalogue = read_catalogue(&*destination).await?;
    Ok(catalogue.readable()?.iter().map(BackupListing::from).collect())
}

/// Reads every manifest at a destination. Folders without one are unfinished backups and do not count.
pub async fn read_catalogue(destination: &dyn Destination) -> Result<Catalogue> {
    let mut catalogue = Catalogue {
        location: destination.describe(),
        backups: Vec::new(),
        unreadable: Vec::new(),
        folders: Folders::default(),
    };
    for object in destination.list("").await? {
        if object.name.as_str() == MANIFEST_FILE {
            return Err(Error::ForeignLocation { location: catalogue.location });
        }
        if let Some(folder) = catalogue.folders.note(&object.name) {
            catalogue.read_manifest(destination, folder, &object).await?;
        }
    }
    catalogue.backups.sort_by(|a, b| a.folder().cmp(b.folder()));
    Ok(catalogue)
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
        folder: BackupFolder,
        object: &ObjectMeta,
    ) -> Result<()> {
        if object.size_bytes > MAX_MANIFEST_BYTES as u64 {
            self.unreadable.push(ManifestError::TooLong { folder });
            return Ok(());
        }
        let bytes = destination.get(&object.name, MAX_MANIFEST_BYTES as u64).await?;
        match SealedManifest::parse(folder, bytes.to_vec()) {
            Ok(backup) => self.backups.push(backup),
            Err(err) => self.unreadable.push(err),
        }
        Ok(())
    }

    pub(crate) fn folders(&self) -> &Folders {
        &self.folders
    }

    /// The names of the series, as far as their manifests can be read.
    pub(crate) fn backup_ids(&self) -> BTreeSet<String> {
        self.backups.iter().map(|backup| backup.manifest().backup_id.clone()).collect()
    }

    /// All backups, oldest first.
    ///
    /// # Errors
    /// The first manifest that cannot be read.
    pub fn readable(mut self) -> Result<Vec<SealedManifest>> {
        if self.unreadable.is_empty() { Ok(self.backups) } else { Err(self.unreadable.remove(0).into()) }
    }

    /// Counts manifests that were changed by somebody without the key among those that cannot be read. Manifests of another key, or of
    /// none, stay: which of them are needed is not known yet.
    fn set_aside_unsealed(&mut self, key: Option<&EncryptionKey>) {
        for backup in std::mem::take(&mut self.backups) {
            match backup.unlock(key) {
                Err(err @ ManifestError::Unsealed { .. }) => self.unreadable.push(err),
                _ => self.backups.push(backup),
            }
        }
    }

    /// The series that the next backup, encrypted with `key`, would continue.
    pub fn latest(mut self, key: Option<&EncryptionKey>) -> Result<Option<Series>> {
        self.set_aside_unsealed(key);
        let location = self.location.clone();
        let advice = "; take a full backup with forceFull to begin a new series";
        latest(self.readable()?).map_err(|source| Error::Series { location, source, advice })
    }

    /// The series to restore, proved to be whole and readable with `key`.
    pub fn choose(
        mut self,
        backup_id: Option<&str>,
        backup_num: Option<u64>,
        key: Option<&EncryptionKey>,
    ) -> Result<Series> {
        self.set_aside_unsealed(key);
        let location = self.location.clone();
        let chosen = choose(self.backups, backup_id, backup_num);
        // A manifest that cannot be read may be the one that is missing, or the newest: only a series that was asked for by name, up to a
        // number that is there, does without it.
        let named = backup_id.is_some() && backup_num.is_some();
        if !self.unreadable.is_empty() && (chosen.is_err() || !named) {
            return Err(self.unreadable.remove(0).into());
        }
        let series = chosen.map_err(|source| Error::Series { location, source, advice: "" })?;
        for backup in series.backups() {
            backup.unlock(key)?;
        }
        Ok(series)
    }
}
