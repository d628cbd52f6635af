//! The JSON text of a manifest: which keys, in which order, and what their values mean.

use std::collections::BTreeMap;

use graphdb_types::{DropOp, GroupId, Namespace, ObjectName, Predicate, Ts};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{FIRST_FORMAT_VERSION, GroupBackup, Manifest, ManifestError};
use crate::names::archive_file;
use crate::{BackupFolder, Compat, Dialect, GzipLevel, KeyCheck, Mac, Naming, Sha256Digest, StoredObject, Tagged};

/// The `version` of manifests whose names carry their namespace. Without it names are bare.
const NAMESPACE_VERSION: u32 = 2105;

/// Everything but the seals. `graphdb` stays the last key, and `labels` its last: the seals are appended to it.
#[derive(Serialize, Deserialize)]
pub(super) struct Json {
    #[serde(rename = "type")]
    kind: String,
    since: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    read_ts: Option<u64>,
    groups: BTreeMap<u32, Vec<String>>,
    backup_id: String,
    backup_num: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    encrypted: bool,
    drop_operations: Option<Vec<JsonDrop>>,
    graphdb: Ours,
}

#[derive(Serialize, Deserialize)]
pub(super) struct JsonDrop {
    #[serde(default, skip_serializing_if = "is_zero")]
    drop_op: u32,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    drop_value: String,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

#[derive(Serialize, Deserialize)]
struct Ours {
    format_version: u32,
    tool: String,
    created_at: String,
    database_id: String,
    epoch: u64,
    since: u64,
    read_ts: u64,
    parent: Option<String>,
    codec: JsonCodec,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    compat: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tagged: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    alter: Vec<String>,
    max_uid: String,
    max_namespace: String,
    objects: BTreeMap<u32, JsonObject>,
    key_check: Option<String>,
    name: Option<String>,
    labels: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct JsonCodec {
    compression: String,
    level: u8,
}

#[derive(Serialize, Deserialize)]
struct JsonObject {
    name: String,
    size_bytes: u64,
    raw_bytes: u64,
    entries: u64,
    sha256: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hmac: Option<String>,
}

const GZIP: &str = "gzip";

impl JsonCodec {
    fn read(&self) -> Option<GzipLevel> {
        GzipLevel::new(self.level).filter(|_| self.compression == GZIP)
    }
}

impl Json {
    pub(super) fn of(folder: &BackupFolder, manifest: &Manifest) -> Json {
        let names = Names::of(manifest.dialect.naming);
        let spaced = matches!(names, Names::Spaced);
        Json {
            kind: kind(manifest.is_full()).into(),
            since: if spaced { 0 } else { manifest.read_ts.0 },
            read_ts: spaced.then_some(manifest.read_ts.0),
            groups: (manifest.groups.iter())
                .map(|(id, group)| (id.0, group.predicates.iter().map(|p| names.write(p)).collect()))
                .collect(),
            backup_id: manifest.backup_id.clone(),
            backup_num: manifest.backup_num,
            version: spaced.then_some(NAMESPACE_VERSION),
            path: spaced.then(|| folder.to_string()),
            encrypted: manifest.is_encrypted(),
            drop_operations: Some(
                manifest.drop_operations.iter().map(|op| JsonDrop::of(op, names)).collect::<Vec<_>>(),
            )
            .filter(|operations| !operations.is_empty()),
            graphdb: Ours::of(manifest),
        }
    }

    pub(super) fn into_manifest(self, folder: &BackupFolder) -> Result<Manifest, ManifestError> {
        let invalid = |what: &str| ManifestError::Invalid { folder: folder.name().clone(), what: what.into() };
        let names = self.names().ok_or_else(|| invalid("version is not one that graphdb writes"))?;
        let groups = self.groups(folder, names)?;
        let drop_operations = self.drop_operations(names);
        let dialect = self.graphdb.dialect(names).ok_or_else(|| invalid("compat or tagged is not known"))?;
        let ours = self.graphdb;
        let manifest = Manifest {
            backup_id: self.backup_id,
            backup_num: self.backup_num,
            since: Ts(ours.since),
            read_ts: Ts(ours.read_ts),
            groups,
            drop_operations: drop_operations.ok_or_else(|| invalid("drop_operations holds one that does not exist"))?,
            key_check: read_optional(ours.key_check, KeyCheck::from_hex)
                .ok_or_else(|| invalid("key_check is not hex"))?,
            database_id: ours.database_id,
            epoch: ours.epoch,
            parent: read_optional(ours.parent, Sha256Digest::from_hex).ok_or_else(|| invalid("parent is not hex"))?,
            gzip_level: ours.codec.read().ok_or_else(|| invalid("codec is not gzip with a level of 1 to 12"))?,
            dialect,
            max_uid: ours.max_uid.parse().map_err(|_| invalid("max_uid is not a uid"))?,
            max_namespace: read_namespace(&ours.max_namespace).ok_or_else(|| invalid("max_namespace is not hex"))?,
            tool: ours.tool,
            created_at: read_time(&ours.created_at).ok_or_else(|| invalid("created_at is not an RFC 3339 time"))?,
            name: ours.name,
            labels: ours.labels,
        };
        let said = (self.kind.as_str(), self.read_ts.unwrap_or(self.since), self.encrypted);
        match disagreement(said, &manifest).or_else(|| manifest.inconsistency()) {
            Some(what) => Err(invalid(what)),
            None => Ok(manifest),
        }
    }

    fn names(&self) -> Option<Names> {
        match self.version {
            None | Some(0) => Some(Names::Bare),
            Some(NAMESPACE_VERSION) => Some(Names::Spaced),
            Some(_) => None,
        }
    }

    fn drop_operations(&self, names: Names) -> Option<Vec<DropOp>> {
        self.drop_operations.iter().flatten().map(|op| op.read(names)).collect()
    }

    fn groups(&self, folder: &BackupFolder, names: Names) -> Result<BTreeMap<GroupId, GroupBackup>, ManifestError> {
        let invalid = |what: String| ManifestError::Invalid { folder: folder.name().clone(), what };
        if !self.groups.keys().eq(self.graphdb.objects.keys()) {
            return Err(invalid("groups and graphdb.objects do not name the same groups".into()));
        }
        let read = |(id, listed): (&u32, &Vec<String>)| {
            let object = &self.graphdb.objects[id];
            check_name(folder, &object.name, Ts(self.graphdb.read_ts), GroupId(*id))?;
            let predicates = listed.iter().map(|name| names.read(name)).collect::<Option<Vec<_>>>();
            let predicates =
                predicates.ok_or_else(|| invalid(format!("group {id} has a predicate without a namespace")))?;
            let archive = object.read().ok_or_else(|| invalid(format!("the digests of group {id} are not hex")))?;
            Ok((GroupId(*id), GroupBackup { predicates, archive }))
        };
        self.groups.iter().map(read).collect()
    }
}

/// The only name an archive may have: readers of Dgraph's build it themselves, and no other can lead out of the folder.
fn check_name(folder: &BackupFolder, found: &str, read_ts: Ts, group: GroupId) -> Result<(), ManifestError> {
    folder
        .name()
        .child(found)
        .map_err(|source| ManifestError::HostileName { folder: folder.name().clone(), source })?;
    if found == archive_file(read_ts, group) {
        return Ok(());
    }
    let what = format!("the archive of group {group} is named {found:?}, not {:?}", archive_file(read_ts, group));
    Err(ManifestError::Invalid { folder: folder.name().clone(), what })
}

fn kind(is_full: bool) -> &'static str {
    if is_full { "full" } else { "incremental" }
}

/// What stands twice must agree: `type`, the read timestamp and `encrypted` of the outer keys, and ours.
fn disagreement((kind_said, read_ts, encrypted): (&str, u64, bool), manifest: &Manifest) -> Option<&'static str> {
    let rules = [
        (kind_said == kind(manifest.is_full()), "type and graphdb.since disagree"),
        (read_ts == manifest.read_ts.0, "since and graphdb.read_ts disagree"),
        (encrypted == manifest.is_encrypted(), "encrypted and graphdb.key_check disagree"),
    ];
    rules.into_iter().find_map(|(holds, what)| (!holds).then_some(what))
}

/// `Some(None)` for a text that is absent, `None` for one that cannot be read.
fn read_optional<T>(text: Option<String>, read: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    match text {
        None => Some(None),
        Some(text) => read(&text).map(Some),
    }
}

fn read_time(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
}

fn read_namespace(text: &str) -> Option<Namespace> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok().map(Namespace)
}

impl Ours {
    fn of(manifest: &Manifest) -> Ours {
        let objects = manifest.groups.iter().map(|(id, group)| {
            let file = archive_file(manifest.read_ts, *id);
            let name = ObjectName::try_from(file).expect("a short name of letters and digits");
            (id.0, JsonObject::of(&name, &group.archive))
        });
        let Dialect { compat, naming, tagged, alter } = &manifest.dialect;
        let (compat, names) = (*compat, Names::of(*naming));
        Ours {
            format_version: manifest.format_version(),
            tool: manifest.tool.clone(),
            created_at: manifest.created_at.format(&Rfc3339).expect("years of backups have four digits"),
            database_id: manifest.database_id.clone(),
            epoch: manifest.epoch,
            since: manifest.since.0,
            read_ts: manifest.read_ts.0,
            parent: manifest.parent.map(|digest| digest.to_string()),
            codec: JsonCodec { compression: GZIP.into(), level: manifest.gzip_level.get() },
            compat: (compat != Compat::default()).then(|| compat.name().into()),
            tagged: tagged.as_ref().map(|tagged| {
                tagged.iter().map(|(predicate, which)| (names.write(predicate), which.name().into())).collect()
            }),
            alter: alter.clone(),
            max_uid: manifest.max_uid.to_string(),
            max_namespace: manifest.max_namespace.to_string(),
            objects: objects.collect(),
            key_check: manifest.key_check.map(|check| check.to_string()),
            name: manifest.name.clone(),
            labels: manifest.labels.clone(),
        }
    }
}

impl Ours {
    /// `None` if it names what this program does not know.
    fn dialect(&self, names: Names) -> Option<Dialect> {
        let naming = match names {
            Names::Bare => Naming::Bare,
            Names::Spaced if self.format_version == FIRST_FORMAT_VERSION => Naming::SpacedOutside,
            Names::Spaced => Naming::Spaced,
        };
        let tagged = |(name, which): (&String, &String)| Some((names.read(name)?, Tagged::from_name(which)?));
        Some(Dialect {
            compat: self.compat.as_deref().map_or(Some(Compat::default()), Compat::from_name)?,
            naming,
            tagged: match &self.tagged {
                Some(all) => Some(all.iter().map(tagged).collect::<Option<_>>()?),
                None => None,
            },
            alter: self.alter.clone(),
        })
    }
}

impl JsonObject {
    fn of(name: &ObjectName, stored: &StoredObject) -> JsonObject {
        JsonObject {
            name: name.to_string(),
            size_bytes: stored.size_bytes,
            raw_bytes: stored.raw_bytes,
            entries: stored.entries,
            sha256: stored.sha256.to_string(),
            hmac: stored.hmac.map(|mac| mac.to_string()),
        }
    }

    fn read(&self) -> Option<StoredObject> {
        Some(StoredObject {
            size_bytes: self.size_bytes,
            raw_bytes: self.raw_bytes,
            entries: self.entries,
            sha256: Sha256Digest::from_hex(&self.sha256)?,
            hmac: read_optional(self.hmac.clone(), Mac::from_hex)?,
        })
    }
}

/// How predicates are named.
#[derive(Clone, Copy)]
enum Names {
    /// `name`, all in the root namespace: what every Dgraph reads.
    Bare,
    /// `1a-name`: needed as soon as one name is in another namespace.
    Spaced,
}

impl Names {
    fn of(naming: Naming) -> Names {
        if naming == Naming::Bare { Names::Bare } else { Names::Spaced }
    }

    fn write(self, predicate: &Predicate) -> String {
        match self {
            Names::Bare => predicate.name.to_string(),
            Names::Spaced => format!("{:x}-{}", predicate.namespace.0, predicate.name),
        }
    }

    fn read(self, text: &str) -> Option<Predicate> {
        match self {
            Names::Bare => Some(Predicate::root(text)),
            Names::Spaced => read_hex_name(text),
        }
    }
}

/// Reads `1a-name`, the first dash being the one that counts.
pub(super) fn read_hex_name(text: &str) -> Option<Predicate> {
    let (namespace, name) = text.split_once('-')?;
    let namespace = Namespace(u64::from_str_radix(namespace, 16).ok()?);
    Some(Predicate { namespace, name: name.into() })
}

/// Dgraph's numbers: zero values are left out, so that `{}` is "drop all".
impl JsonDrop {
    const ALL: u32 = 0;
    const DATA: u32 = 1;
    const PREDICATE: u32 = 2;
    const NAMESPACE: u32 = 3;

    fn of(op: &DropOp, names: Names) -> JsonDrop {
        let (drop_op, drop_value) = match op {
            DropOp::All => (JsonDrop::ALL, String::new()),
            DropOp::Data => (JsonDrop::DATA, String::new()),
            DropOp::NamespaceData(namespace) => (JsonDrop::DATA, namespace.to_string()),
            DropOp::Predicate(predicate) => (JsonDrop::PREDICATE, names.write(predicate)),
            DropOp::Namespace(namespace) => (JsonDrop::NAMESPACE, namespace.to_string()),
        };
        JsonDrop { drop_op, drop_value }
    }

    fn read(&self, names: Names) -> Option<DropOp> {
        match self.predicate() {
            Some(name) => names.read(name).map(DropOp::Predicate),
            None => self.read_other(),
        }
    }

    /// The name of the predicate that was dropped, as the manifest's version writes it.
    pub(super) fn predicate(&self) -> Option<&str> {
        (self.drop_op == JsonDrop::PREDICATE).then_some(&self.drop_value)
    }

    /// A drop of anything else than a predicate.
    pub(super) fn read_other(&self) -> Option<DropOp> {
        match (self.drop_op, self.drop_value.as_str()) {
            (JsonDrop::ALL, _) => Some(DropOp::All),
            (JsonDrop::DATA, "") => Some(DropOp::Data),
            (JsonDrop::DATA, namespace) => read_namespace(namespace).map(DropOp::NamespaceData),
            (JsonDrop::NAMESPACE, namespace) => read_namespace(namespace).map(DropOp::Namespace),
            _ => None,
        }
    }
}
