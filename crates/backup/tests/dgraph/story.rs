//! Small backups as Dgraph would have written them, for what no real file shows.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;

use graphdb_archive::{CipherWriter, EncryptionKey, GzipLevel, GzipWriter, Iv, user_meta};
use graphdb_backup::{Error, RestoreReport, SeriesRequest};
use graphdb_types::{
    BackupKey, GroupId, Key, KeyKind, Posting, PostingList, Predicate, PredicateSchema, Schema, TypeDef, Uid,
    VALUE_UID, ValType,
};
use tempfile::TempDir;

use crate::data::{Lists, lists_of, open_store, restore};
use crate::frames::{FramesForm, Kv, KvForm, encode_frames, encode_key, encode_part_key};
use crate::lists::{Ids, ListForm, encode, encode_splits};
use crate::manifests::{Backup, Era, master};

const FRAMES: FramesForm = FramesForm {
    kv: KvForm { stream_id: 1, unused_fields: false, unknown: false },
    per_frame: 2,
    alloc_ref: None,
    empty_frames: true,
};

const LIST: ListForm = ListForm { ids: Ids::Differences, op: 1, timestamps: true, old_fields: false, unknown: false };

/// A place with the backups of one series.
pub(crate) struct Story {
    pub(crate) dir: TempDir,
    entries: Vec<(Backup, Era)>,
}

/// What is restored.
pub(crate) struct Restored {
    pub(crate) lists: Lists,
    pub(crate) schema: Schema,
    pub(crate) report: RestoreReport,
}

impl Story {
    pub(crate) fn new() -> Story {
        Story { dir: tempfile::tempdir().unwrap(), entries: Vec::new() }
    }

    /// Adds a backup of one group, which names these predicates.
    pub(crate) fn add(&mut self, era: Era, predicates: &[&Predicate], kvs: Vec<Kv>) -> &mut Backup {
        self.add_groups(era, vec![(predicates, kvs)], None)
    }

    /// Adds a backup of groups 1, 2, …; what its manifest says may still be changed.
    pub(crate) fn add_groups(
        &mut self,
        era: Era,
        groups: Vec<(&[&Predicate], Vec<Kv>)>,
        key: Option<&EncryptionKey>,
    ) -> &mut Backup {
        let number = self.entries.len() as u64 + 1;
        let folder = format!("dgraph.20240102.030405.{number:03}");
        let read_ts = 10 * number;
        fs::create_dir(self.dir.path().join(&folder)).unwrap();
        let mut named = BTreeMap::new();
        for (group, (predicates, kvs)) in (1..).zip(groups) {
            named.insert(group, predicates.iter().map(|&name| name.clone()).collect());
            let path = self.dir.path().join(format!("{folder}/r{read_ts}-g{group}.backup"));
            fs::write(path, stored(&kvs, key, number as u8)).unwrap();
        }
        let backup = Backup {
            is_full: number == 1,
            backup_num: number,
            read_ts,
            groups: named,
            is_encrypted: key.is_some(),
            folder,
            ..Backup::plain()
        };
        self.entries.push((backup, era));
        &mut self.entries.last_mut().unwrap().0
    }

    /// Another timestamp for the newest backup, whose files bear it.
    pub(crate) fn set_read_ts(&mut self, read_ts: u64) {
        let (backup, _) = self.entries.last_mut().unwrap();
        let folder = self.dir.path().join(&backup.folder);
        for group in backup.groups.keys() {
            let file = |ts| folder.join(format!("r{ts}-g{group}.backup"));
            fs::rename(file(backup.read_ts), file(read_ts)).unwrap();
        }
        backup.read_ts = read_ts;
    }

    /// Writes the manifests: one for each folder, or, as soon as one is of an era that has it, the list of all.
    pub(crate) fn write_manifests(&self) {
        let json = |(backup, era): &(Backup, Era)| backup.to_json(*era, false);
        if self.entries.iter().all(|(_, era)| matches!(era, Era::V1 | Era::V20_11)) {
            for entry in &self.entries {
                fs::write(self.dir.path().join(&entry.0.folder).join("manifest.json"), json(entry)).unwrap();
            }
            return;
        }
        let with_path = |entry: &(Backup, Era)| match entry.1 {
            Era::V1 | Era::V20_11 => {
                json(entry).replace(r#""groups""#, &format!(r#""path":"{}","groups""#, entry.0.folder))
            }
            _ => json(entry),
        };
        let entries: Vec<_> = self.entries.iter().map(with_path).collect();
        fs::write(self.dir.path().join("manifest.json"), master(&entries)).unwrap();
    }

    pub(crate) fn request(&self) -> SeriesRequest {
        SeriesRequest { location: self.dir.path().to_str().unwrap().into(), ..SeriesRequest::default() }
    }

    /// Writes the manifests and restores; the groups are put together.
    pub(crate) async fn restored(&self) -> Restored {
        self.write_manifests();
        self.restore(&self.request()).await.unwrap()
    }

    pub(crate) async fn restore(&self, request: &SeriesRequest) -> Result<Restored, Error> {
        let target = tempfile::tempdir().unwrap();
        let report = restore(request, target.path()).await?;
        let (mut lists, mut schema) = (Lists::new(), Schema::default());
        for group in &report.groups {
            let store = open_store(&group.dir);
            lists.extend(lists_of(&store));
            schema.predicates.extend(store.schema().predicates.clone());
            schema.types.extend(store.schema().types.clone());
        }
        Ok(Restored { lists, schema, report })
    }
}

impl Restored {
    /// The ids under a key.
    pub(crate) fn ids(&self, predicate: &Predicate, kind: KeyKind) -> Vec<u64> {
        let key = Key { predicate: predicate.clone(), kind };
        self.lists.get(&key).map(|list| list.ids.clone()).unwrap_or_default()
    }

    /// The text under a data key.
    pub(crate) fn text(&self, predicate: &Predicate, subject: u64) -> Option<String> {
        let list = self.lists.get(&Key::data(predicate, Uid(subject)))?;
        Some(String::from_utf8(list.postings[0].value.to_vec()).unwrap())
    }
}

fn stored(kvs: &[Kv], key: Option<&EncryptionKey>, salt: u8) -> Vec<u8> {
    let cipher = CipherWriter::new(Vec::new(), key.map(|key| (key, Iv([salt; 16])))).unwrap();
    let mut gzip = GzipWriter::new(cipher, GzipLevel::default(), 0);
    gzip.write_all(&encode_frames(kvs, FRAMES)).unwrap();
    gzip.finish().unwrap().into_inner()
}

pub(crate) fn named(name: &str) -> Predicate {
    Predicate::root(name)
}

fn kv(key: Vec<u8>, value: Vec<u8>, user_meta: u8, version: u64) -> Kv {
    Kv { key, value, user_meta, version }
}

pub(crate) fn kv_of(predicate: &Predicate, kind: KeyKind, list: &PostingList, version: u64) -> Kv {
    let key = encode_key(&BackupKey::Posting(Key { predicate: predicate.clone(), kind }));
    kv(key, encode(list, LIST), user_meta::COMPLETE, version)
}

/// A subject's text.
pub(crate) fn text(predicate: &Predicate, subject: u64, text: &str, version: u64) -> Kv {
    let posting = Posting {
        id: VALUE_UID,
        val_type: ValType::String,
        value: text.as_bytes().to_vec(),
        commit_ts: version,
        ..Posting::default()
    };
    kv_of(predicate, KeyKind::Data(Uid(subject)), &PostingList::of_postings(vec![posting]), version)
}

/// A subject's edges.
pub(crate) fn edges(predicate: &Predicate, subject: u64, objects: &[u64], version: u64) -> Kv {
    kv_of(predicate, KeyKind::Data(Uid(subject)), &PostingList::of_ids(objects.to_vec()), version)
}

/// A list that became empty.
pub(crate) fn emptied(predicate: &Predicate, kind: KeyKind, version: u64) -> Kv {
    let key = encode_key(&BackupKey::Posting(Key { predicate: predicate.clone(), kind }));
    kv(key, Vec::new(), user_meta::EMPTY, version)
}

/// A list of edges as v1.1 split it: the main key, and a part from each start on.
pub(crate) fn in_parts(predicate: &Predicate, subject: u64, parts: &[(u64, &[u64])], version: u64) -> Vec<Kv> {
    let key = BackupKey::Posting(Key::data(predicate, Uid(subject)));
    let starts: Vec<u64> = parts.iter().map(|(start, _)| *start).collect();
    let main = kv(encode_key(&key), encode_splits(&starts, true), user_meta::COMPLETE, version);
    let part = |(start, ids): &(u64, &[u64])| {
        let list = encode(&PostingList::of_ids(ids.to_vec()), LIST);
        kv(encode_part_key(&key, *start), list, user_meta::COMPLETE, version)
    };
    parts.iter().map(part).chain([main]).collect()
}

pub(crate) fn schema(predicate: &Predicate, schema: &PredicateSchema) -> Kv {
    let mut wire = Vec::new();
    schema.put_wire(&predicate.name, &mut wire);
    schema_of_wire(predicate, wire)
}

pub(crate) fn schema_of_wire(predicate: &Predicate, wire: Vec<u8>) -> Kv {
    kv(encode_key(&BackupKey::Schema(predicate.clone())), wire, user_meta::SCHEMA, 1)
}

pub(crate) fn type_of(name: &Predicate, fields: &[&str]) -> Kv {
    let mut wire = Vec::new();
    TypeDef { fields: fields.iter().map(|&field| field.into()).collect() }.put_wire(&name.name, &mut wire);
    kv(encode_key(&BackupKey::Type(name.clone())), wire, user_meta::SCHEMA, 1)
}

pub(crate) fn string() -> PredicateSchema {
    PredicateSchema { value_type: ValType::String, ..PredicateSchema::default() }
}

pub(crate) fn links() -> PredicateSchema {
    PredicateSchema { value_type: ValType::Uid, list: true, ..PredicateSchema::default() }
}

pub(crate) fn groups(numbers: &[u32]) -> Option<std::collections::BTreeSet<GroupId>> {
    Some(numbers.iter().map(|number| GroupId(*number)).collect())
}
