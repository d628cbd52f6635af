//! One backup as whoever reads its archives needs it, whoever wrote it.

use std::collections::BTreeMap;
use std::fmt;

use graphdb_types::{DropOp, GroupId, ObjectName, Predicate, Ts};
use time::OffsetDateTime;

use crate::{BackupFolder, DgraphManifest, EncryptionKey, ManifestError, SealedManifest, StoredObject};

/// A backup of ours or of Dgraph's: what its manifest says, in one form.
#[derive(Clone, Debug)]
pub struct Backup {
    /// Its folder, relative to the location.
    pub folder: ObjectName,
    /// The series' name, not empty.
    pub backup_id: String,
    /// 1 for the full backup, then one more for each incremental.
    pub backup_num: u64,
    /// Whether it stands for itself.
    pub is_full: bool,
    /// The instant it shows.
    pub read_ts: Ts,
    /// What each group served and where it is, at least one group.
    pub groups: BTreeMap<GroupId, GroupArchive>,
    /// Drops since the backup before: they hide what older backups of the series hold.
    pub drop_operations: Vec<DropOp>,
    /// Whether it would say so if there were any. Where it would not, a predicate that was dropped is one that is named and not defined.
    pub records_drops: bool,
    /// Whether the archives are encrypted.
    pub is_encrypted: bool,
    /// What wrote it.
    pub origin: Origin,
}

/// One group's part of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupArchive {
    /// The predicates the group served. May be empty.
    pub predicates: Vec<Predicate>,
    /// The archive, relative to the location.
    pub object: ObjectName,
    /// What the archive is to be checked against; Dgraph's manifests do not say.
    pub stored: Option<StoredObject>,
}

/// What wrote a backup.
#[derive(Clone, Debug)]
pub enum Origin {
    /// This program.
    Graphdb(Box<SealedManifest>),
    /// Dgraph, with the `version` of its manifest: 0, 2103 or 2105.
    Dgraph {
        /// See [`DgraphManifest::version`].
        version: u32,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Graphdb(sealed) => f.write_str(&sealed.manifest().tool),
            Origin::Dgraph { version: 0 } => f.write_str("Dgraph v1.1 to v20.11"),
            Origin::Dgraph { version: 2103 } => f.write_str("Dgraph v21.03 or v22.0"),
            Origin::Dgraph { .. } => f.write_str("Dgraph v21.12 or newer"),
        }
    }
}

impl From<SealedManifest> for Backup {
    fn from(sealed: SealedManifest) -> Backup {
        let manifest = sealed.manifest();
        let part = |(id, group): (&GroupId, &crate::GroupBackup)| {
            let object = sealed.folder().archive(manifest.read_ts, *id);
            (*id, GroupArchive { predicates: group.predicates.clone(), object, stored: Some(group.archive) })
        };
        Backup {
            folder: sealed.folder().name().clone(),
            backup_id: manifest.backup_id.clone(),
            backup_num: manifest.backup_num,
            is_full: manifest.is_full(),
            read_ts: manifest.read_ts,
            groups: manifest.groups.iter().map(part).collect(),
            drop_operations: manifest.drop_operations.clone(),
            records_drops: true,
            is_encrypted: manifest.is_encrypted(),
            origin: Origin::Graphdb(Box::new(sealed)),
        }
    }
}

impl From<DgraphManifest> for Backup {
    fn from(manifest: DgraphManifest) -> Backup {
        let objects: Vec<_> = manifest.groups.keys().map(|id| manifest.archive(*id)).collect();
        let parts = manifest.groups.into_iter().zip(objects);
        Backup {
            folder: manifest.folder,
            backup_id: manifest.backup_id,
            backup_num: manifest.backup_num,
            is_full: manifest.is_full,
            read_ts: manifest.read_ts,
            groups: parts
                .map(|((id, predicates), object)| (id, GroupArchive { predicates, object, stored: None }))
                .collect(),
            drop_operations: manifest.drop_operations,
            records_drops: manifest.records_drops,
            is_encrypted: manifest.is_encrypted,
            origin: Origin::Dgraph { version: manifest.version },
        }
    }
}

impl Backup {
    /// The manifest, if graphdb wrote it.
    pub fn sealed(&self) -> Option<&SealedManifest> {
        match &self.origin {
            Origin::Graphdb(sealed) => Some(sealed),
            Origin::Dgraph { .. } => None,
        }
    }

    /// When it began, as far as its folder's name tells.
    pub fn started_at(&self) -> Option<OffsetDateTime> {
        let name = self.folder.segments().last()?;
        BackupFolder::parse(name).ok().map(|folder| folder.started_at())
    }

    /// Proves that `key` may be used for it. Of ours see [`SealedManifest::unlock`]; Dgraph's has nothing to prove a key by, and a key that
    /// a plain one does not need is no error, since some series of Dgraph were encrypted half-way.
    ///
    /// # Errors
    /// [`ManifestError::KeyMissing`] and, of ours, those of [`SealedManifest::unlock`].
    pub fn unlock(&self, key: Option<&EncryptionKey>) -> Result<(), ManifestError> {
        match self.sealed() {
            Some(sealed) => sealed.unlock(key),
            None if self.is_encrypted && key.is_none() => {
                Err(ManifestError::KeyMissing { folder: self.folder.clone() })
            }
            None => Ok(()),
        }
    }
}
