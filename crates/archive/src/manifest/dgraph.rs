//! Dgraph's own manifests: one in each backup's folder up to v20.11, one list for the whole location since v21.03. What each
//! version wrote decides how names are read, entry by entry: one list may hold backups of several versions.

use std::collections::BTreeMap;

use graphdb_types::{DropOp, GroupId, Namespace, ObjectName, Predicate, Ts};
use serde::{Deserialize, Deserializer};

use super::json::{JsonDrop, read_hex_name};
use super::{NAME_TOO_LONG, names_fit};
use crate::names::archive_file;

/// The list of all backups of a location, as v21.03 and newer keep it.
pub const MASTER_MANIFEST: &str = "manifest.json";

/// The `version` of v21.03 and v22.0, whose names begin with eight bytes of namespace.
const BYTES_VERSION: u32 = 2103;

/// The `version` of v21.12 and of v23.0 and newer: `1a-name`.
const HEX_VERSION: u32 = 2105;

/// What one backup of Dgraph says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DgraphManifest {
    /// Its folder, relative to the location.
    pub folder: ObjectName,
    /// Whether it stands for itself.
    pub is_full: bool,
    /// The instant it shows.
    pub read_ts: Ts,
    /// The series' name.
    pub backup_id: String,
    /// 1 for the full backup, then one more for each incremental.
    pub backup_num: u64,
    /// The predicates each group served. May be empty.
    pub groups: BTreeMap<GroupId, Vec<Predicate>>,
    /// Whether the archives are encrypted.
    pub is_encrypted: bool,
    /// Drops since the backup before.
    pub drop_operations: Vec<DropOp>,
    /// Whether it would say if there were any: v1.1, v1.2, and the first of v20.03 and v20.07 never do.
    pub records_drops: bool,
    /// The `version` it was written with; 0 before namespaces.
    pub version: u32,
}

/// A manifest of Dgraph that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{object}: {what}")]
pub struct DgraphManifestError {
    /// The object, and within a list the backup.
    pub object: String,
    /// What is wrong with it.
    pub what: String,
}

/// One object of JSON. Unknown keys are skipped; which are there depends on the version.
#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    since: u64,
    #[serde(default)]
    read_ts: Option<u64>,
    #[serde(deserialize_with = "Option::deserialize")] // null makes an entry that is none, absence a damaged one
    groups: Option<BTreeMap<u32, Option<Vec<String>>>>,
    backup_id: String,
    backup_num: u64,
    #[serde(default)]
    version: u32,
    #[serde(default)]
    path: String,
    #[serde(default)]
    encrypted: bool,
    /// The outer `None` if the key is absent.
    #[serde(default, deserialize_with = "present")]
    drop_operations: Option<Option<Vec<JsonDrop>>>,
}

fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(value: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(value).map(Some)
}

/// The list, with its capital letter. It may be null, but an object without the key is another one and no empty list.
#[derive(Deserialize)]
struct Master {
    #[serde(rename = "Manifests", deserialize_with = "Option::deserialize")]
    manifests: Option<Vec<Entry>>,
}

impl DgraphManifest {
    /// Reads the manifest that stands in `folder`.
    ///
    /// # Errors
    /// [`DgraphManifestError`], naming the object.
    pub fn parse(folder: &ObjectName, bytes: &[u8]) -> Result<DgraphManifest, DgraphManifestError> {
        let object = format!("{folder}/{MASTER_MANIFEST}");
        let entry: Entry = serde_json::from_slice(bytes).map_err(|err| error(&object, err))?;
        entry.read(folder.clone()).map_err(|what| error(&object, what))
    }

    /// Reads the list of a location, oldest first. Entries without a timestamp or without groups are none, as for Dgraph.
    ///
    /// # Errors
    /// [`DgraphManifestError`], naming the list and the backup in it.
    pub fn parse_master(bytes: &[u8]) -> Result<Vec<DgraphManifest>, DgraphManifestError> {
        let master: Master = serde_json::from_slice(bytes).map_err(|err| error(MASTER_MANIFEST, err))?;
        let entries = master.manifests.unwrap_or_default().into_iter();
        let real = entries.filter(|entry| !entry.is_none());
        real.map(|entry| {
            let object = format!("{MASTER_MANIFEST}, backup {:?}", entry.path);
            let folder = entry.path.parse::<ObjectName>().map_err(|err| error(&object, err))?;
            entry.read(folder).map_err(|what| error(&object, what))
        })
        .collect()
    }

    /// The archive of a group.
    pub fn archive(&self, group: GroupId) -> ObjectName {
        self.find_archive(group).expect("no manifest is made whose archives have longer names than objects may have")
    }
}

/// The name of a field within a type, without the namespace that Dgraph writes before it since v21.03. `version` is that of the manifest.
pub fn bare_field(version: u32, field: &str) -> String {
    let spaced = match version {
        BYTES_VERSION => field.split_at_checked(size_of::<u64>()).map(|(_, name)| name),
        HEX_VERSION => field.split_once('-').map(|(_, name)| name),
        _ => None,
    };
    spaced.unwrap_or(field).to_owned()
}

fn error(object: &str, what: impl ToString) -> DgraphManifestError {
    DgraphManifestError { object: object.to_owned(), what: what.to_string() }
}

impl Entry {
    fn effective_ts(&self) -> u64 {
        self.read_ts.filter(|ts| *ts > 0).unwrap_or(self.since)
    }

    /// Whether it says that it is no backup. One that only lacks its `read_ts`, which is written since v21.03, is damaged.
    fn is_none(&self) -> bool {
        let lacks_ts = self.read_ts.is_none() && self.version != 0;
        let has_groups = self.groups.as_ref().is_some_and(|groups| !groups.is_empty());
        !has_groups || self.effective_ts() == 0 && !lacks_ts
    }

    fn read(self, folder: ObjectName) -> Result<DgraphManifest, String> {
        let read_ts = Ts(self.effective_ts());
        let is_full = match self.kind.as_str() {
            "full" => true,
            "incremental" => false,
            other => return Err(format!("type is {other:?}, neither full nor incremental")),
        };
        let names = Names::of(self.version)?;
        let groups = self.groups.unwrap_or_default().into_iter().map(|(id, listed)| {
            let predicates: Result<_, String> = listed.iter().flatten().map(|name| names.read(name)).collect();
            Ok((GroupId(id), predicates?))
        });
        let groups: BTreeMap<_, _> = groups.collect::<Result<_, String>>()?;
        let records_drops = self.drop_operations.is_some();
        let drops = self.drop_operations.iter().flatten().flatten().map(|drop| names.drop(drop));
        let manifest = DgraphManifest {
            folder,
            is_full,
            read_ts,
            backup_id: self.backup_id,
            backup_num: self.backup_num,
            groups,
            is_encrypted: self.encrypted,
            drop_operations: drops.collect::<Result<_, String>>()?,
            records_drops,
            version: self.version,
        };
        manifest.inconsistency().map_or(Ok(manifest), |what| Err(what.to_owned()))
    }
}

impl DgraphManifest {
    fn find_archive(&self, group: GroupId) -> Option<ObjectName> {
        self.folder.child(&archive_file(self.read_ts, group)).ok()
    }

    fn inconsistency(&self) -> Option<&'static str> {
        let archives_fit = self.groups.keys().all(|group| self.find_archive(*group).is_some());
        let rules = [
            (archives_fit, "its path is too long"),
            (names_fit(self.groups.values().flatten(), &self.drop_operations), NAME_TOO_LONG),
            (self.read_ts > Ts::ZERO, "read_ts and since are 0"),
            (!self.groups.is_empty(), "it names no group"),
            (!self.backup_id.is_empty(), "backup_id is empty"),
            (self.backup_num > 0, "backup_num is 0"),
            (self.is_full == (self.backup_num == 1), "only the first backup of a series is full"),
        ];
        rules.into_iter().find_map(|(holds, what)| (!holds).then_some(what))
    }
}

/// How a version writes names.
#[derive(Clone, Copy)]
enum Names {
    Bare,
    Bytes,
    Hex,
}

impl Names {
    fn of(version: u32) -> Result<Names, String> {
        match version {
            0 => Ok(Names::Bare),
            BYTES_VERSION => Ok(Names::Bytes),
            HEX_VERSION => Ok(Names::Hex),
            _ => Err(format!("version {version} is not one that is known: 0, {BYTES_VERSION} or {HEX_VERSION}")),
        }
    }

    fn read(self, text: &str) -> Result<Predicate, String> {
        let predicate = match self {
            Names::Bare => Some(Predicate::root(text)),
            Names::Bytes => read_bytes_name(text)?,
            Names::Hex => read_hex_name(text),
        };
        predicate.ok_or_else(|| format!("predicate {text:?} has no namespace"))
    }

    fn drop(self, drop: &JsonDrop) -> Result<DropOp, String> {
        match drop.predicate() {
            Some(name) => self.read(name).map(DropOp::Predicate),
            None => drop.read_other().ok_or_else(|| "drop_operations holds one that is not known".into()),
        }
    }
}

/// Eight bytes of namespace, then the name. Bytes above 0x7f are not text, and were replaced when they were written.
fn read_bytes_name(text: &str) -> Result<Option<Predicate>, String> {
    let Some((namespace, name)) = text.split_at_checked(size_of::<u64>()) else { return Ok(None) };
    if text.chars().take(size_of::<u64>()).any(|c| c == char::REPLACEMENT_CHARACTER) {
        return Err(format!("the namespace of predicate {text:?} was lost when the manifest was written"));
    }
    let namespace = namespace.bytes().fold(0, |number, byte| number << 8 | u64::from(byte));
    Ok(Some(Predicate { namespace: Namespace(namespace), name: name.into() }))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used)]

    use graphdb_types::MAX_PREDICATE_BYTES;

    use super::*;

    fn folder() -> ObjectName {
        "dgraph.20210517.094442.220".parse().unwrap()
    }

    fn refusal(json: &str) -> String {
        DgraphManifest::parse(&folder(), json.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn since_is_the_read_ts_of_manifests_before_v21_03_and_zero_later() {
        let old = r#"{"type":"full","since":68,"groups":{"1":["name","a-b"],"2":[]},"backup_id":"x","backup_num":1,"encrypted":false,"drop_operations":null,"odd":1}"#;
        let manifest = DgraphManifest::parse(&folder(), old.as_bytes()).unwrap();
        assert_eq!((manifest.read_ts, manifest.is_full, manifest.version), (Ts(68), true, 0));
        assert_eq!(manifest.groups[&GroupId(1)], [Predicate::root("name"), Predicate::root("a-b")]);
        assert_eq!(manifest.groups[&GroupId(2)], []);
        assert_eq!(manifest.archive(GroupId(2)).as_str(), "dgraph.20210517.094442.220/r68-g2.backup");
    }

    #[test]
    fn each_entry_of_a_list_is_read_by_its_own_version() {
        let list = r#"{"Manifests":[
            {"type":"full","since":9,"groups":{"1":["name"]},"backup_id":"x","backup_num":1,"path":"dgraph.20210517.094442.220"},
            {"type":"full","since":0,"read_ts":21,"groups":{"1":["\u0000\u0000\u0000\u0000\u0000\u0000\u0001/name"]},"backup_id":"y","backup_num":1,"version":2103,"path":"a",
             "drop_operations":[{"drop_op":2,"drop_value":"\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000age"},{"drop_op":1}]},
            {"type":"incremental","read_ts":30,"groups":{"1":["12f-name-x"]},"backup_id":"y","backup_num":2,"version":2105,"path":"b","encrypted":true,
             "drop_operations":[{},{"drop_op":1,"drop_value":"0x1a"},{"drop_op":3,"drop_value":"0x2"},{"drop_op":2,"drop_value":"0-age"}]},
            {"type":"full","since":0,"read_ts":0,"groups":{"1":[]},"backup_id":"z","backup_num":1,"version":2105,"path":"c"},
            {"type":"full","since":0,"read_ts":9,"groups":{},"backup_id":"z","backup_num":1,"version":2105,"path":"d"}]}"#;
        let [old, bytes, hex] = <[_; 3]>::try_from(DgraphManifest::parse_master(list.as_bytes()).unwrap()).unwrap();
        let in_303 = |name: &str| Predicate { namespace: Namespace(303), name: name.into() };
        assert_eq!(old.groups[&GroupId(1)], [Predicate::root("name")]);
        assert_eq!(bytes.groups[&GroupId(1)], [in_303("name")]);
        assert_eq!(bytes.drop_operations, [DropOp::Predicate(Predicate::root("age")), DropOp::Data]);
        assert_eq!(hex.groups[&GroupId(1)], [in_303("name-x")]);
        let (data, namespace) = (DropOp::NamespaceData(Namespace(0x1a)), DropOp::Namespace(Namespace(2)));
        assert_eq!(hex.drop_operations, [DropOp::All, data, namespace, DropOp::Predicate(Predicate::root("age"))]);
        assert!(hex.is_encrypted && !hex.is_full);
    }

    #[test]
    fn a_path_that_leads_out_of_the_location_is_refused() {
        for path in ["../x", "/x", "a/../../b", ""] {
            let list = format!(
                r#"{{"Manifests":[{{"type":"full","read_ts":1,"groups":{{"1":[]}},"backup_id":"x","backup_num":1,"version":2105,"path":"{path}"}}]}}"#
            );
            assert!(DgraphManifest::parse_master(list.as_bytes()).is_err(), "{path}");
        }
    }

    #[test]
    fn names_that_are_too_long_for_what_is_made_of_them_are_refused() {
        let list = |path: &str, name: &str, dropped: &str| {
            let list = format!(
                r#"{{"Manifests":[{{"type":"full","read_ts":1,"groups":{{"1":["0-{name}"]}},"backup_id":"x","backup_num":1,"version":2105,"path":"{path}",
                   "drop_operations":[{{"drop_op":2,"drop_value":"0-{dropped}"}}]}}]}}"#
            );
            DgraphManifest::parse_master(list.as_bytes()).map_err(|err| err.what)
        };
        let archive = "/r1-g1.backup".len();
        let (path, name) = ("p".repeat(1024 - archive), "n".repeat(MAX_PREDICATE_BYTES));
        let longest = list(&path, &name, &name).unwrap();
        assert_eq!(longest[0].archive(GroupId(1)).as_str(), format!("{path}/r1-g1.backup"));
        assert_eq!(list(&format!("{path}p"), "a", "a").unwrap_err(), "its path is too long");
        for (name, dropped) in [(format!("{name}n"), "a".into()), ("a".into(), format!("{name}n"))] {
            assert_eq!(list("p", &name, &dropped).unwrap_err(), NAME_TOO_LONG);
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_the_reason() {
        let with =
            |rest: &str| format!(r#"{{"type":"full","backup_id":"x","backup_num":1,"groups":{{"1":["a"]}}{rest}}}"#);
        for (json, why) in [
            (with(r#","since":0"#), "read_ts and since are 0"),
            (with(r#","since":5,"version":2104"#), "version 2104"),
            (with(r#","since":5,"version":2105"#), "no namespace"),
            (with(r#","since":5,"version":2103"#), "no namespace"),
            (with(r#","since":5,"drop_operations":[{"drop_op":9}]"#), "not known"),
            (with(r#","since":5"#).replace("full", "both"), "neither full nor incremental"),
            (with(r#","since":5"#).replace(":1,", ":2,"), "only the first"),
            ("[]".into(), "invalid"),
            ("".into(), "EOF"),
        ] {
            assert!(refusal(&json).contains(why), "{json}: {}", refusal(&json));
        }
        let lost = with(r#","since":5,"version":2103"#).replace("\"a\"", "\"\u{fffd}1234567name\"");
        assert!(refusal(&lost).contains("was lost"), "{}", refusal(&lost));
    }
}
