//! The manifest: one JSON object in a backup's folder, written last. It *is* the backup: what no manifest names does not
//! exist.
//!
//! The top-level keys are those of Dgraph's manifests from v1.1 to v20.11, which every Dgraph reads; ours are nested under
//! `graphdb`, which Dgraph skips. The last keys seal all bytes before them.

mod dgraph;
mod error;
mod json;
mod sealed;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use graphdb_types::{DropOp, GroupId, MAX_PREDICATE_BYTES, Namespace, Predicate, Ts, Uid};
use time::OffsetDateTime;

pub use dgraph::{DgraphManifest, DgraphManifestError, MASTER_MANIFEST, bare_field};
pub use error::ManifestError;
pub use sealed::SealedManifest;

use crate::{Dialect, GzipLevel, KeyCheck, Naming, Sha256Digest, StoredObject};

/// The name of a manifest in its folder.
pub const MANIFEST_FILE: &str = "manifest.json";

/// The newest version of what `FORMAT.md` describes. Grows when an older graphdb could misread what a newer one writes;
/// further JSON keys alone do not make it grow. A backup says the oldest version that describes it: 2 if definitions in its archives carry
/// namespaces, or say less than the truth.
pub const FORMAT_VERSION: u32 = 2;

/// The version of a backup that has neither.
const FIRST_FORMAT_VERSION: u32 = 1;

/// The longest manifest that is read: 64 MiB, room for a million predicates.
pub const MAX_MANIFEST_BYTES: usize = 64 << 20;

/// What one backup is: one entry of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The series' name, not empty.
    pub backup_id: String,
    /// 1 for the full backup, then one more for each incremental.
    pub backup_num: u64,
    /// The exclusive start: the `read_ts` of the backup before, [`Ts::ZERO`] for a full one.
    pub since: Ts,
    /// The instant this backup shows, above 0.
    pub read_ts: Ts,
    /// What each group served and where it is, at least one group.
    pub groups: BTreeMap<GroupId, GroupBackup>,
    /// Drops after `since`, up to `read_ts`: they hide what older backups of the series hold.
    pub drop_operations: Vec<DropOp>,
    /// Present if and only if the archives are encrypted.
    pub key_check: Option<KeyCheck>,
    /// Which database this is a backup of.
    pub database_id: String,
    /// Which life of that database: a restore begins a new one.
    pub epoch: u64,
    /// The digest of the manifest of the backup before; absent in a full backup.
    pub parent: Option<Sha256Digest>,
    /// The level the archives were compressed with.
    pub gzip_level: GzipLevel,
    /// For which Dgraph it was written, and what that one must be told besides.
    pub dialect: Dialect,
    /// The greatest uid ever handed out or used, as subject or object: a restore raises its lease above it.
    pub max_uid: Uid,
    /// The greatest namespace ever handed out.
    pub max_namespace: Namespace,
    /// What wrote the backup, as `graphdb 0.1.0`.
    pub tool: String,
    /// When the backup started.
    pub created_at: OffsetDateTime,
    /// What the user called it.
    pub name: Option<String>,
    /// What else the user noted.
    pub labels: BTreeMap<String, String>,
}

/// One group's part of a backup. Its archive is `r<read_ts>-g<group>.backup`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupBackup {
    /// The predicates the group served at `read_ts`, in order; each in one group only. May be empty.
    pub predicates: Vec<Predicate>,
    /// What the archive is to be checked against.
    pub archive: StoredObject,
}

impl Manifest {
    /// Whether the backup stands for itself.
    pub fn is_full(&self) -> bool {
        self.since == Ts::ZERO
    }

    /// Whether the archives are encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.key_check.is_some()
    }

    /// Bytes of all archives as stored. A manifest that lies cannot make it wrap.
    pub fn size_bytes(&self) -> u64 {
        self.groups.values().fold(0, |sum, group| sum.saturating_add(group.archive.size_bytes))
    }

    fn format_version(&self) -> u32 {
        let says_less = !self.dialect.alter.is_empty();
        if self.dialect.naming == Naming::Spaced || says_less { FORMAT_VERSION } else { FIRST_FORMAT_VERSION }
    }

    /// Whether every name in it is of the root namespace.
    fn is_rooted(&self) -> bool {
        let rooted = |predicate: &Predicate| predicate.namespace == Namespace::ROOT;
        let rooted_drop = |op: &DropOp| match op {
            DropOp::All | DropOp::Data => true,
            DropOp::NamespaceData(namespace) | DropOp::Namespace(namespace) => *namespace == Namespace::ROOT,
            DropOp::Predicate(predicate) => rooted(predicate),
        };
        self.groups.values().flat_map(|group| &group.predicates).all(rooted)
            && self.drop_operations.iter().all(rooted_drop)
    }

    /// What is wrong with the whole, if something is: the rules that no JSON type expresses.
    fn inconsistency(&self) -> Option<&'static str> {
        let predicates = self.groups.values().flat_map(|group| &group.predicates);
        let stored = |wanted: fn(&StoredObject) -> bool| self.groups.values().all(|group| wanted(&group.archive));
        let rules = [
            (!self.backup_id.is_empty(), "backup_id is empty"),
            (self.backup_num > 0, "backup_num is 0"),
            (self.read_ts > Ts::ZERO, "read_ts is 0"),
            (self.read_ts >= self.since, "read_ts is before since"),
            (!self.groups.is_empty(), "there is no group"),
            (self.is_full() == (self.backup_num == 1), "only the first backup of a series is full"),
            (self.is_full() == self.parent.is_none(), "an incremental backup, and no other, names its parent"),
            (
                self.is_rooted() || self.dialect.naming != Naming::Bare,
                "a name is of a namespace that it does not carry",
            ),
            (names_fit(predicates, &self.drop_operations), NAME_TOO_LONG),
            (stored(|a| a.hmac.is_some()) || !self.is_encrypted(), "an encrypted archive has no hmac"),
            (stored(|a| a.hmac.is_none()) || self.is_encrypted(), "a plain archive has an hmac"),
        ];
        rules.into_iter().find_map(|(holds, what)| (!holds).then_some(what))
    }
}

const NAME_TOO_LONG: &str = "the name of a predicate is longer than 65,534 bytes";

/// Whether every name fits a key. Others cannot be in a database, but they can be written into a manifest.
fn names_fit<'a>(mut predicates: impl Iterator<Item = &'a Predicate>, drops: &[DropOp]) -> bool {
    let fits = |predicate: &Predicate| predicate.name.len() <= MAX_PREDICATE_BYTES;
    predicates.all(fits) && drops.iter().all(|op| !matches!(op, DropOp::Predicate(predicate) if !fits(predicate)))
}
