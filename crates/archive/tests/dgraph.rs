//! Archives that real Dgraph servers wrote: every one is read to its end, and what is known of them holds.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/real.rs"]
mod real;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use graphdb_archive::{ArchiveReader, EntryValue};
use graphdb_types::{BackupKey, KeyKind, PostingList, PredicateSchema, TypeDef};

/// Reads an archive to its end, every key and value of it; gives how many entries of each kind there are.
fn read(data: &Path, file: &Path) -> BTreeMap<&'static str, u64> {
    let key = real::key(data, file);
    let mut reader = ArchiveReader::open(File::open(file).unwrap(), key.as_ref(), 0).unwrap();
    let mut counts = BTreeMap::new();
    while let Some(entry) = reader.next_entry().unwrap_or_else(|err| panic!("{}: {err}", file.display())) {
        let kind = match (&entry.key, entry.value) {
            (BackupKey::Posting(key), EntryValue::List(list)) => {
                PostingList::from_wire(list).unwrap_or_else(|err| panic!("{}: {key:?}: {err}", file.display()));
                match key.kind {
                    KeyKind::Data(_) => "data",
                    KeyKind::Index(_) => "index",
                    KeyKind::Reverse(_) => "reverse",
                    KeyKind::Count(_) => "count",
                    KeyKind::CountReverse(_) => "reverse count",
                }
            }
            (_, EntryValue::Schema(wire)) => PredicateSchema::from_wire(wire).map(|_| "schema").unwrap(),
            (_, EntryValue::Type(wire)) => TypeDef::from_wire(wire).map(|_| "type").unwrap(),
            (_, EntryValue::Empty) => "emptied",
            (_, other) => panic!("{}: {other:?}", file.display()),
        };
        *counts.entry(kind).or_default() += 1;
    }
    counts
}

#[test]
fn every_archive_of_every_version_is_read_to_its_end() {
    let Some(data) = real::data() else { return };
    let found = real::files(&data.join("dgraph-backups"), ".backup");
    assert!(found.len() > 50, "only {} archives in {}", found.len(), data.display());
    for file in &found {
        let counts = read(&data, file);
        assert!(counts.contains_key("type") || counts.contains_key("schema"), "{}: {counts:?}", file.display());
    }
}

#[test]
fn the_large_archives_of_v20_07_hold_what_is_known_of_them() {
    let Some(data) = real::data() else { return };
    let folder = data.join("dgraph-backups/v20.07-movies-aes256/dgraph.20200605.233956.732");
    for (file, entries) in [("r2106-g1.backup", 316_676), ("r2106-g3.backup", 102_107)] {
        let counts = read(&data, &folder.join(file));
        assert_eq!(counts.values().sum::<u64>(), entries, "{file}: {counts:?}");
    }
}

#[test]
fn snappy_and_s2_of_the_same_backup_hold_the_same() {
    let Some(data) = real::data() else { return };
    let s2 = real::files(&data.join("dgraph-backups/v25-s2-framing"), ".backup");
    let snappy = real::files(&data.join("dgraph-backups/v21.03-acl"), ".backup");
    assert!(!s2.is_empty());
    for file in &s2 {
        let twin = snappy.iter().find(|twin| twin.file_name() == file.file_name()).unwrap();
        assert_eq!(read(&data, file), read(&data, twin), "{}", file.display());
    }
}
