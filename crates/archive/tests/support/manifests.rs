//! Manifests as each line of Dgraph writes them.
#![allow(dead_code, reason = "shared by test binaries, of which none needs all")]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use graphdb_archive::DgraphManifest;
use graphdb_types::{DropOp, Namespace, Predicate};

/// What one backup says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Backup {
    pub(crate) is_full: bool,
    pub(crate) read_ts: u64,
    pub(crate) backup_id: String,
    pub(crate) backup_num: u64,
    pub(crate) groups: BTreeMap<u32, Vec<Predicate>>,
    pub(crate) drops: Vec<DropOp>,
    pub(crate) is_encrypted: bool,
    pub(crate) folder: String,
}

/// Who wrote a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    /// v1.1 to v20.03: no namespaces, no drops, `since` is the timestamp.
    V1,
    /// v20.11: the same with drops.
    V20_11,
    /// v21.03 and v22.0: `version` 2103.
    V21_03,
    /// v21.12, v23.0 and newer: `version` 2105.
    V21_12,
    /// v25.3.4 and newer: 2105 with the keys in another order.
    V25_3,
}

impl Era {
    pub(crate) const ALL: [Era; 5] = [Era::V1, Era::V20_11, Era::V21_03, Era::V21_12, Era::V25_3];

    fn version(self) -> u32 {
        match self {
            Era::V1 | Era::V20_11 => 0,
            Era::V21_03 => 2103,
            Era::V21_12 | Era::V25_3 => 2105,
        }
    }

    /// A predicate's name, before it is escaped.
    pub(crate) fn name(self, predicate: &Predicate) -> String {
        let Predicate { namespace: Namespace(namespace), name } = predicate;
        match self.version() {
            0 => name.to_string(),
            2103 => namespace.to_be_bytes().map(char::from).into_iter().chain(name.chars()).collect(),
            _ => format!("{namespace:x}-{name}"),
        }
    }

    /// The namespace nearest to `namespace` that its manifests can name: with 2103 each byte has to be ASCII.
    fn namespace(self, namespace: Namespace) -> Namespace {
        match self.version() {
            0 => Namespace::ROOT,
            2103 => Namespace(namespace.0 & 0x7f7f_7f7f_7f7f_7f7f),
            _ => namespace,
        }
    }
}

impl Backup {
    /// A backup without anything special.
    pub(crate) fn plain() -> Backup {
        Backup {
            is_full: true,
            read_ts: 21,
            backup_id: "brave_noether4".into(),
            backup_num: 1,
            groups: BTreeMap::from([(1, vec![Predicate::root("name")])]),
            drops: Vec::new(),
            is_encrypted: false,
            folder: "dgraph.20240102.030405.006".into(),
        }
    }

    /// As much of it as a manifest of `era` can say.
    pub(crate) fn in_era(&self, era: Era) -> Backup {
        let predicate = |p: &Predicate| Predicate { namespace: era.namespace(p.namespace), name: p.name.clone() };
        let mut said = self.clone();
        said.groups.values_mut().flatten().for_each(|name| *name = predicate(name));
        said.drops.retain(|_| era != Era::V1);
        for drop in &mut said.drops {
            if let DropOp::Predicate(dropped) = drop {
                *dropped = predicate(dropped);
            }
        }
        said
    }

    /// The JSON object, compact, as Go writes it. `extra` is put in front and behind: keys of a newer version.
    pub(crate) fn to_json(&self, era: Era, extra: bool) -> String {
        let mut keys = self.keys(era);
        if extra {
            keys.insert(0, ("a_new_key", r#"{"groups":{"9":["x"]},"read_ts":[null,1e300]}"#.into()));
            keys.push(("another", "null".into()));
        }
        let keys: Vec<_> = keys.into_iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        format!("{{{}}}", keys.join(","))
    }

    fn keys(&self, era: Era) -> Vec<(&'static str, String)> {
        let kind = ("type", go_string(if self.is_full { "full" } else { "incremental" }));
        let is_old = era.version() == 0;
        let since = ("since", if is_old { self.read_ts } else { 0 }.to_string());
        let read_ts = ("read_ts", self.read_ts.to_string());
        let id = ("backup_id", go_string(&self.backup_id));
        let number = ("backup_num", self.backup_num.to_string());
        let version = ("version", era.version().to_string());
        let path = ("path", go_string(&self.folder));
        let encrypted = ("encrypted", self.is_encrypted.to_string());
        let (groups, drops) = (("groups", self.groups_json(era)), ("drop_operations", self.drops_json(era)));
        let compression = ("compression", go_string("snappy"));
        match era {
            Era::V1 if self.is_encrypted => vec![kind, since, groups, id, number, encrypted],
            Era::V1 => vec![kind, since, groups, id, number],
            Era::V20_11 => vec![kind, since, groups, id, number, encrypted, drops],
            Era::V21_03 | Era::V21_12 => {
                vec![kind, since, read_ts, groups, id, number, version, path, encrypted, drops, compression]
            }
            Era::V25_3 => vec![kind, since, read_ts, id, number, version, path, encrypted, compression, groups, drops],
        }
    }

    /// An empty group is `[]` or `null`, as Go has it for a slice that is empty or absent.
    fn groups_json(&self, era: Era) -> String {
        let groups = self.groups.iter().map(|(id, predicates)| {
            let names: Vec<_> = predicates.iter().map(|name| go_string(&era.name(name))).collect();
            let absent = names.is_empty() && id % 2 == 0;
            format!("\"{id}\":{}", if absent { "null".into() } else { format!("[{}]", names.join(",")) })
        });
        format!("{{{}}}", groups.collect::<Vec<_>>().join(","))
    }

    fn drops_json(&self, era: Era) -> String {
        let drops: Vec<_> = self.drops.iter().map(|drop| drop_json(drop, era)).collect();
        if drops.is_empty() { "null".into() } else { format!("[{}]", drops.join(",")) }
    }

    /// Fails unless `manifest` says the same.
    pub(crate) fn assert_is(&self, manifest: &DgraphManifest, era: Era) {
        let groups: BTreeMap<u32, _> = manifest.groups.iter().map(|(id, names)| (id.0, names.clone())).collect();
        assert_eq!(groups, self.groups, "{era:?}");
        assert_eq!(manifest.drop_operations, self.drops, "{era:?}");
        assert_eq!(manifest.records_drops, era != Era::V1, "{era:?}");
        assert_eq!(manifest.folder.as_str(), self.folder, "{era:?}");
        assert_eq!((manifest.is_full, manifest.read_ts.0), (self.is_full, self.read_ts), "{era:?}");
        assert_eq!((&manifest.backup_id, manifest.backup_num), (&self.backup_id, self.backup_num), "{era:?}");
        assert_eq!((manifest.is_encrypted, manifest.version), (self.is_encrypted, era.version()), "{era:?}");
    }
}

/// Zero values are left out, so that "drop all" is `{}`.
fn drop_json(drop: &DropOp, era: Era) -> String {
    match drop {
        DropOp::All => "{}".into(),
        DropOp::Data => r#"{"drop_op":1}"#.into(),
        DropOp::NamespaceData(namespace) => format!(r#"{{"drop_op":1,"drop_value":"{:#x}"}}"#, namespace.0),
        DropOp::Predicate(name) => format!(r#"{{"drop_op":2,"drop_value":{}}}"#, go_string(&era.name(name))),
        DropOp::Namespace(namespace) => format!(r#"{{"drop_op":3,"drop_value":"{:#x}"}}"#, namespace.0),
    }
}

/// The list of a location.
pub(crate) fn master(entries: &[String]) -> String {
    format!("{{\"Manifests\":[{}]}}\n", entries.join(","))
}

/// A text as Go's `encoding/json` writes it: safe within HTML, control characters by number.
pub(crate) fn go_string(text: &str) -> String {
    let mut json = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '\0'..' ' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                write!(json, "\\u{:04x}", u32::from(c)).expect("a string takes every character");
            }
            _ => json.push(c),
        }
    }
    json + "\""
}
