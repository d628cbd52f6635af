//! Real files of Dgraph, cut off at every byte and with every byte changed: no decoder panics, hangs, or takes memory for
//! what bytes only claim; and what is read of a damaged archive is an error, or what was written.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/frames.rs"]
mod frames;
#[path = "support/heap.rs"]
mod heap;
#[path = "support/real.rs"]
mod real;
#[path = "support/sweep.rs"]
mod sweep;
#[path = "support/wire.rs"]
mod wire;

use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::iter::repeat;
use std::path::{Path, PathBuf};

use graphdb_archive::{
    ArchiveReader, BackupFolder, DgraphManifest, EncryptionKey, EntryValue, Error, FrameReader, KeyValue,
    SealedManifest,
};
use graphdb_types::{BackupKey, Key, PostingList, PredicateSchema, TypeDef, Value, list_splits, max_object};

use crate::frames::{FramesForm, Kv, KvForm, encode_frames};
use crate::sweep::{Damage, Depth, FULL, Sweep, USUAL};

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

/// Files up to here are damaged as a whole; of longer ones so much from the start.
const WHOLE_BYTES: usize = 64 << 10;

/// An archive with what it holds.
struct Archive {
    name: String,
    stored: Vec<u8>,
    key: Option<EncryptionKey>,
    kvs: Vec<Kv>,
}

impl Archive {
    fn open(data: &Path, file: &Path) -> Archive {
        let (stored, key) = (fs::read(file).unwrap(), real::key(data, file));
        let mut reader = ArchiveReader::open(&stored[..], key.as_ref(), 0).unwrap();
        let mut kvs = Vec::new();
        while let Some(kv) = reader.next().unwrap_or_else(|err| panic!("{}: {err}", file.display())) {
            let (key, value) = (kv.key.to_vec(), kv.value.to_vec());
            kvs.push(Kv { key, value, user_meta: kv.user_meta, version: kv.version });
        }
        assert!(!kvs.is_empty(), "{}", file.display());
        Archive { name: file.display().to_string(), stored, key, kvs }
    }

    /// What it holds as frames, as v21.03 and newer write them.
    fn frames(&self) -> Vec<u8> {
        let kv = KvForm { stream_id: 1, ..KvForm::default() };
        encode_frames(&self.kvs, FramesForm { kv, per_frame: 40, alloc_ref: None, empty_frames: false })
    }
}

/// What is read of some bytes: a digest of each key-value, and how it ended.
#[derive(Default)]
struct Found {
    digests: Vec<u64>,
    error: Option<Error>,
}

impl Found {
    fn in_archive(stored: &[u8], key: Option<&EncryptionKey>) -> Found {
        let mut found = Found::default();
        match ArchiveReader::open(stored, key, 0) {
            Err(err) => found.error = Some(err),
            Ok(mut reader) => {
                while let Some(kv) = reader.next().unwrap_or_else(|err| found.fail(err)) {
                    found.meet(&kv);
                }
            }
        }
        found
    }

    fn in_frames(frames: &[u8]) -> Found {
        let mut found = Found::default();
        let mut reader = FrameReader::new(frames);
        while let Some(kv) = reader.next().unwrap_or_else(|err| found.fail(err)) {
            found.meet(&kv);
        }
        found
    }

    fn meet(&mut self, kv: &KeyValue<'_>) {
        self.digests.push(digest(kv));
        understand(kv);
    }

    fn fail<'a>(&mut self, err: Error) -> Option<KeyValue<'a>> {
        self.error = Some(err);
        None
    }
}

fn digest(kv: &KeyValue<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (kv.key, kv.value, kv.user_meta, kv.version).hash(&mut hasher);
    hasher.finish()
}

/// Lets every decoder look at a key-value. What it says of damaged bytes does not matter here.
fn understand(kv: &KeyValue<'_>) {
    understand_key(kv.key);
    match kv.entry().map(|entry| entry.value) {
        Ok(EntryValue::List(wire)) => understand_list(wire),
        Ok(EntryValue::Schema(wire)) => _ = PredicateSchema::from_wire(wire),
        Ok(EntryValue::Type(wire)) => _ = TypeDef::from_wire(wire),
        Ok(EntryValue::Empty | EntryValue::Forbidden) | Err(_) => {}
    }
}

/// What can be read as a key can be written as one, and reads equal.
fn understand_key(wire: &[u8]) {
    let mut stored = Vec::new();
    let parts = BackupKey::put_stored_of_wire(wire, &mut stored);
    let Ok(key) = BackupKey::from_wire(wire) else {
        assert!(parts.is_err(), "two readers of one key disagree");
        return;
    };
    let mut again = Vec::new();
    key.put_wire(&mut again);
    assert_eq!(BackupKey::from_wire(&again).as_ref(), Ok(&key));
    if let (Ok(Some(_)), BackupKey::Posting(key)) = (parts, key) {
        assert_eq!(Key::from_stored(&stored), Ok(key));
    }
}

/// What can be read as a list can be written as one, and reads equal.
fn understand_list(wire: &[u8]) {
    _ = (max_object(wire), list_splits(wire));
    let Ok(list) = PostingList::from_wire(wire) else { return };
    let greatest = list.ids.last().filter(|_| list.postings.iter().all(|posting| posting.is_edge));
    assert_eq!(max_object(wire), Ok(greatest.copied().unwrap_or(0)));
    assert_eq!(PostingList::from_wire(&list.to_wire()).as_ref(), Ok(&list));
    for posting in &list.postings {
        _ = Value::from_bytes(posting.val_type, &posting.value);
        for facet in &posting.facets {
            _ = Value::from_bytes(facet.val_type.val_type(), &facet.value);
        }
    }
}

fn archives(data: &Path) -> Vec<PathBuf> {
    let found = real::files(&data.join("dgraph-backups"), ".backup");
    assert!(found.len() > 70, "only {} archives in {}", found.len(), data.display());
    found
}

fn is_large(file: &Path) -> bool {
    fs::metadata(file).unwrap().len() > WHOLE_BYTES as u64
}

fn small_archives(data: &Path) -> Vec<PathBuf> {
    archives(data).into_iter().filter(|file| !is_large(file)).collect()
}

/// Checksums of both compressions find every changed byte; only bytes of gzip's header mean nothing.
fn stored_archives(data: PathBuf, depth: Depth) {
    Sweep::run(depth, move |sweep| {
        for file in small_archives(&data) {
            let archive = Archive::open(&data, &file);
            let whole: Vec<_> = archive.kvs.iter().map(|kv| digest(&borrowed(kv))).collect();
            let cost_bytes = archive.stored.len() + archive.frames().len();
            sweep.damage(&archive.name, &archive.stored, cost_bytes, |damaged, damage| {
                let found = Found::in_archive(damaged, archive.key.as_ref());
                match damage {
                    Damage::Cut { .. } => assert!(found.error.is_some() && whole.starts_with(&found.digests)),
                    Damage::Set { .. } => assert!(found.error.is_some() || found.digests == whole),
                }
            });
        }
    });
}

/// Behind the checksums: a cut leaves what was before it, and a change is an error or other data.
fn frame_streams(data: PathBuf, depth: Depth) {
    Sweep::run(depth, move |sweep| {
        for file in small_archives(&data) {
            let archive = Archive::open(&data, &file);
            let frames = archive.frames();
            let whole = Found::in_frames(&frames);
            assert!(whole.error.is_none() && whole.digests.len() == archive.kvs.len());
            sweep.damage(&archive.name, &frames, frames.len(), |damaged, damage| {
                let found = Found::in_frames(damaged);
                if let Damage::Cut { .. } = damage {
                    let is_shorter = found.digests.len() < whole.digests.len();
                    assert!(is_shorter && whole.digests.starts_with(&found.digests));
                }
            });
        }
    });
}

/// Key by key and value by value, which is cheap enough for every byte of all.
fn entries(data: PathBuf, depth: Depth) {
    Sweep::run(depth, move |sweep| {
        let (mut keys, mut values) = (BTreeSet::new(), BTreeSet::new());
        for file in small_archives(&data) {
            for kv in Archive::open(&data, &file).kvs {
                keys.insert(kv.key.clone());
                values.insert((
                    kv.user_meta,
                    kv.value.clone(),
                    matches!(BackupKey::from_wire(&kv.key), Ok(BackupKey::Type(_))),
                ));
            }
        }
        for key in keys {
            sweep.damage(&format!("key {key:02x?}"), &key, key.len(), |damaged, _| understand_key(damaged));
        }
        for (user_meta, value, is_type) in values {
            let name = format!("value of user_meta {user_meta}: {value:02x?}");
            sweep.damage(&name, &value, value.len(), |damaged, _| match (user_meta, is_type) {
                (1, true) => _ = TypeDef::from_wire(damaged),
                (1, false) => _ = PredicateSchema::from_wire(damaged),
                _ => understand_list(damaged),
            });
        }
    });
}

fn borrowed(kv: &Kv) -> KeyValue<'_> {
    KeyValue { key: &kv.key, value: &kv.value, user_meta: kv.user_meta, version: kv.version }
}

/// The beginnings of the megabytes of v20.07: never whole, so always an error.
fn large_archives(data: PathBuf, depth: Depth, len: usize) {
    Sweep::run(depth, move |sweep| {
        let large: Vec<_> = archives(&data).into_iter().filter(|file| is_large(file)).collect();
        assert_eq!(large.len(), 2);
        for file in large {
            let key = real::key(&data, &file);
            let mut stored = fs::read(&file).unwrap();
            stored.truncate(len);
            sweep.damage(&file.display().to_string(), &stored, 8 * len, |damaged, _| {
                assert!(Found::in_archive(damaged, key.as_ref()).error.is_some());
            });
        }
    });
}

/// A reader of one form of manifest: says of each backup where its archives are.
type Parse = fn(&[u8]) -> Option<Vec<DgraphManifest>>;

const PARSERS: [Parse; 2] = [
    |json| DgraphManifest::parse_master(json).ok(),
    |json| DgraphManifest::parse(&"a/folder".parse().ok()?, json).ok().map(|manifest| vec![manifest]),
];

/// Cut off, a manifest is none; changed, it neither loses a backup nor leads out of its location.
fn manifests(data: PathBuf, depth: Depth) {
    Sweep::run(depth, move |sweep| {
        // The summaries of v25 are like lists, but they are not read: their entries have no groups.
        let found = ["/manifest.json", "/manifest_summary.json"]
            .into_iter()
            .flat_map(|ending| real::files(&data.join("dgraph-backups"), ending).into_iter().zip(repeat(ending)));
        for (file, ending) in found {
            let json = fs::read(&file).unwrap();
            let is_read = PARSERS.iter().any(|parse| parse(&json).is_some());
            assert_eq!(is_read, ending == "/manifest.json", "{}", file.display());
            let end = json.trim_ascii_end().len();
            sweep.damage(&file.display().to_string(), &json, 4 * json.len(), |damaged, damage| {
                let folder = BackupFolder::parse("dgraph.20240102.030405.006").unwrap();
                assert!(SealedManifest::parse(folder, damaged.to_vec()).is_err(), "it is not ours");
                for parse in PARSERS {
                    let Some(read) = parse(damaged) else { continue };
                    assert!(!matches!(damage, Damage::Cut { at } if at < end));
                    assert_eq!(Some(read.len()), parse(&json).map(|whole| whole.len()), "a backup vanished");
                    read.iter().for_each(stays_inside);
                }
            });
        }
    });
}

fn stays_inside(manifest: &DgraphManifest) {
    assert!(manifest.read_ts.0 > 0 && manifest.backup_num > 0 && !manifest.groups.is_empty());
    for group in manifest.groups.keys() {
        let archive = manifest.archive(*group);
        assert!(archive.segments().all(|segment| !matches!(segment, "" | "." | "..")), "{archive}");
        assert!(archive.as_str().starts_with(&format!("{}/r", manifest.folder)), "{archive}");
    }
}

#[test]
fn a_damaged_archive_is_an_error_or_what_was_written() {
    real::data().into_iter().for_each(|data| stored_archives(data, Depth { budget_bytes: 128 << 20, ..USUAL }));
}

#[test]
fn damaged_frames_are_read_up_to_the_damage() {
    real::data().into_iter().for_each(|data| frame_streams(data, USUAL));
}

#[test]
fn damaged_keys_and_values_are_errors_or_plain_data() {
    real::data().into_iter().for_each(|data| entries(data, USUAL));
}

#[test]
fn the_damaged_beginning_of_a_large_archive_is_an_error() {
    real::data()
        .into_iter()
        .for_each(|data| large_archives(data, Depth { budget_bytes: 256 << 20, ..USUAL }, WHOLE_BYTES));
}

#[test]
fn a_damaged_manifest_is_an_error_or_keeps_its_backups_inside_its_location() {
    real::data().into_iter().for_each(|data| manifests(data, USUAL));
}

#[test]
#[ignore = "damages every byte of 75 archives, which takes minutes"]
fn every_byte_of_every_manifest_and_small_archive_may_be_damaged() {
    let Some(data) = real::data() else { return };
    entries(data.clone(), FULL);
    manifests(data.clone(), FULL);
    frame_streams(data.clone(), Depth { budget_bytes: 256 << 20, ..FULL });
    // The largest needs 24 GiB for each of its prefixes and one change of each byte.
    stored_archives(data.clone(), Depth { budget_bytes: 25 << 30, ..FULL });
    large_archives(data, FULL, 2 << 20);
}
