//! Whole archives: written and read, golden, damaged, encrypted, and Dgraph's own.

#![expect(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;

use graphdb_archive::{
    ArchiveOptions, ArchiveReader, ArchiveWriter, EncryptionKey, EntryValue, Error, GzipLevel, Iv, KeyValue,
    StoredObject, check_stored, user_meta,
};
use graphdb_types::{BackupKey, Key, Predicate, PredicateSchema, Schema, TypeDef, Uid, ValType};
use proptest::prelude::*;

fn key() -> EncryptionKey {
    EncryptionKey::new(&[7; 32]).unwrap()
}

fn schema() -> Schema {
    let mut schema = Schema::default();
    let string = PredicateSchema { value_type: ValType::String, ..PredicateSchema::default() };
    schema.predicates.insert(Predicate::root("name"), string);
    schema.types.insert(Predicate::root("Person"), TypeDef { fields: vec!["name".into()] });
    schema
}

/// Two lists, one of them emptied, and a schema.
fn write(encryption: Option<(&EncryptionKey, Iv)>, workers: usize) -> (Vec<u8>, StoredObject) {
    let options = ArchiveOptions { level: GzipLevel::default(), workers };
    let mut writer = ArchiveWriter::start(Vec::new(), encryption, options).unwrap();
    let name = Predicate::root("name");
    writer.push_list(&BackupKey::Posting(Key::data(&name, Uid(1))), b"a list", 5).unwrap();
    writer.push_list(&BackupKey::Posting(Key::data(&name, Uid(2))), b"", 6).unwrap();
    writer.finish(&schema()).unwrap()
}

fn read(stored: &[u8], key: Option<&EncryptionKey>, expected: &StoredObject) -> Result<Vec<String>, Error> {
    let mut reader = ArchiveReader::open(stored, key, 1)?;
    let mut entries = Vec::new();
    while let Some(entry) = reader.next_entry()? {
        entries.push(format!("{:?} {:?} {}", entry.key, entry.value, entry.version));
    }
    reader.finish_verify(expected).map(|()| entries)
}

#[test]
fn what_was_pushed_is_read_plain_and_encrypted_and_the_schema_comes_last() {
    let secret = key();
    for encryption in [None, Some((&secret, Iv([1; 16])))] {
        for workers in [0, 2] {
            let (stored, object) = write(encryption, workers);
            let entries = read(&stored, encryption.map(|(key, _)| key), &object).unwrap();
            assert_eq!(entries.len(), 4);
            assert!(
                entries[0].contains("Uid(1)") && entries[0].contains("List") && entries[0].ends_with(" 5"),
                "{entries:?}"
            );
            assert!(
                entries[1].contains("Uid(2)") && entries[1].contains("Empty") && entries[1].ends_with(" 6"),
                "{entries:?}"
            );
            assert!(entries[2].starts_with("Schema(<name>)") && entries[2].ends_with(" 1"), "{entries:?}");
            assert!(entries[3].starts_with("Type(<Person>)") && entries[3].ends_with(" 1"), "{entries:?}");
            assert_eq!((object.size_bytes, object.entries), (stored.len() as u64, 4));
            assert_eq!(object.hmac.is_some(), encryption.is_some());
            check_stored(&stored[..], encryption.map(|(key, _)| key), &object).unwrap();
        }
    }
}

#[test]
fn the_frames_of_an_archive_are_these_bytes() {
    let (stored, object) = write(None, 0);
    let mut raw = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(&stored[..]), &mut raw).unwrap();
    let list = [
        &[0x0a, 25, 0x0a, 10, 8, 1, 0x12, 4, b'n', b'a', b'm', b'e', 0x18, 1, 0x12, 6][..],
        b"a list",
        &[
            0x1a, 1, 8, 0x20, 5, 0x0a, 17, 0x0a, 10, 8, 1, 0x12, 4, b'n', b'a', b'm', b'e', 0x18, 2, 0x1a, 1, 0x10,
            0x20, 6,
        ],
    ]
    .concat();
    let schema = [
        &[0x0a, 25, 0x0a, 8, 8, 6, 0x12, 4, b'n', b'a', b'm', b'e', 0x12, 8, 0x0a, 4][..],
        &[b'n', b'a', b'm', b'e', 0x10, 9, 0x1a, 1, 1, 0x20, 1],
    ]
    .concat();
    let types = [
        &[0x0a, 35, 0x0a, 10, 8, 7, 0x12, 6, b'P', b'e', b'r', b's', b'o', b'n', 0x12, 16][..],
        &[0x0a, 6, b'P', b'e', b'r', b's', b'o', b'n', 0x12, 6, 0x0a, 4, b'n', b'a', b'm', b'e', 0x1a, 1, 1, 0x20, 1],
    ]
    .concat();
    let mut rest = &raw[..];
    let mut frames = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk() {
        let (frame, after) = after.split_at(usize::try_from(u64::from_le_bytes(*length)).unwrap());
        frames.push(frame);
        rest = after;
    }
    assert_eq!(frames.len(), 3);
    assert_eq!(frames[0], list);
    assert_eq!(frames[1], schema);
    assert_eq!(frames[2], types);
    assert_eq!(object.raw_bytes, raw.len() as u64);
}

#[test]
fn an_archive_without_schema_ends_with_two_empty_frames() {
    let writer = ArchiveWriter::start(Vec::new(), None, ArchiveOptions::default()).unwrap();
    let (stored, object) = writer.finish(&Schema::default()).unwrap();
    assert_eq!((object.raw_bytes, object.entries), (16, 0));
    assert_eq!(read(&stored, None, &object).unwrap(), Vec::<String>::new());
}

#[test]
fn every_flipped_byte_and_every_cut_of_an_archive_is_an_error() {
    let secret = key();
    for encryption in [None, Some((&secret, Iv([1; 16])))] {
        let (stored, object) = write(encryption, 0);
        let key = encryption.map(|(key, _)| key);
        let verdicts = |damaged: &[u8]| (read(damaged, key, &object), check_stored(damaged, key, &object));
        for at in 0..stored.len() {
            for bit in [0x01, 0x80] {
                let mut damaged = stored.clone();
                damaged[at] ^= bit;
                let (read, checked) = verdicts(&damaged);
                assert!(read.is_err() && matches!(checked, Err(Error::Digest { .. })), "byte {at}");
            }
            let (read, checked) = verdicts(&stored[..at]);
            assert!(read.is_err() && matches!(checked, Err(Error::Size { .. })), "cut at {at}");
        }
        let longer = [&stored[..], &[0]].concat();
        let (read, checked) = verdicts(&longer);
        assert!(read.is_err() && matches!(checked, Err(Error::Size { .. })), "a byte too many");
    }
}

#[test]
fn an_archive_that_was_not_finished_is_cut_off() {
    let mut stored = Vec::new();
    {
        let mut writer = ArchiveWriter::start(&mut stored, None, ArchiveOptions::default()).unwrap();
        let value = vec![3; 1000];
        for n in 0..20_000u64 {
            writer
                .push(KeyValue { key: &n.to_be_bytes(), value: &value, user_meta: user_meta::COMPLETE, version: 1 })
                .unwrap();
        }
    }
    assert!(!stored.is_empty());
    let mut reader = ArchiveReader::open(&stored[..], None, 2).unwrap();
    let err = loop {
        match reader.advance() {
            Ok(true) => {}
            Ok(false) => panic!("an unfinished archive was read to its end"),
            Err(err) => break err,
        }
    };
    assert!(matches!(err, Error::Truncated { .. }), "{err}");
    assert!(matches!(reader.finish(), Err(Error::Broken)));
}

#[test]
fn a_wrong_key_a_forgotten_key_and_a_needless_key_are_named() {
    let (stored, object) = write(Some((&key(), Iv([1; 16]))), 0);
    let other = EncryptionKey::new(&[8; 32]).unwrap();
    for wrong in [Some(&other), None] {
        let err = read(&stored, wrong, &object).unwrap_err();
        assert!(err.to_string().contains("the encryption key is not its key"), "{err}");
    }
    assert!(matches!(check_stored(&stored[..], Some(&other), &object), Err(Error::Mac { .. })));
    assert!(matches!(check_stored(&stored[..], None, &object), Err(Error::Mac { found: None, .. })));
    let (plain, object) = write(None, 0);
    assert!(matches!(read(&plain, Some(&other), &object), Err(Error::Unknown)));
}

#[test]
fn a_manifest_that_counts_otherwise_is_noticed() {
    let (stored, object) = write(None, 0);
    let err = read(&stored, None, &StoredObject { entries: 5, ..object }).unwrap_err();
    assert_eq!(err.to_string(), "the archive holds 4 entries, its manifest says 5");
    assert!(read(&stored, None, &StoredObject { raw_bytes: 1, ..object }).is_err());
}

#[test]
fn a_failing_output_fails_the_archive() {
    struct Full(usize);
    impl std::io::Write for Full {
        fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(buf.len()).ok_or(std::io::ErrorKind::StorageFull)?;
            Ok(buf.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let write = |room: usize| {
        let mut writer = ArchiveWriter::start(Full(room), None, ArchiveOptions::default())?;
        writer.push_list(&BackupKey::Posting(Key::data(&Predicate::root("name"), Uid(1))), b"a list", 5)?;
        writer.finish(&schema()).map(|(_, object)| object.size_bytes)
    };
    let needed = usize::try_from(write(1 << 20).unwrap()).unwrap();
    assert!(write(needed).is_ok());
    for room in 0..needed {
        assert!(matches!(write(room), Err(Error::Io(_))), "{room} bytes of {needed}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_entries_come_back(
        entries in prop::collection::vec((any::<u64>(), prop::collection::vec(any::<u8>(), 0..400_000), 1..u64::MAX), 0..12),
        encrypted: bool,
        workers in 0usize..3,
    ) {
        let secret = key();
        let encryption = encrypted.then_some((&secret, Iv([9; 16])));
        let options = ArchiveOptions { level: GzipLevel::default(), workers };
        let mut writer = ArchiveWriter::start(Vec::new(), encryption, options).unwrap();
        let name = Predicate::root("name");
        for (uid, list, version) in &entries {
            writer.push_list(&BackupKey::Posting(Key::data(&name, Uid(*uid))), list, *version).unwrap();
        }
        let (stored, object) = writer.finish(&Schema::default()).unwrap();
        let mut reader = ArchiveReader::open(&stored[..], encryption.map(|(key, _)| key), workers).unwrap();
        for (uid, list, version) in &entries {
            let entry = reader.next_entry().unwrap().unwrap();
            prop_assert_eq!(entry.key, BackupKey::Posting(Key::data(&name, Uid(*uid))));
            prop_assert_eq!(entry.value, if list.is_empty() { EntryValue::Empty } else { EntryValue::List(list) });
            prop_assert_eq!(entry.version.0, *version);
        }
        prop_assert!(reader.next_entry().unwrap().is_none());
        reader.finish_verify(&object).unwrap();
    }
}

/// The folder with Dgraph's own backups, or a line that says why the test proves nothing.
fn shared(path: &str) -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared");
    let root = std::env::var_os("GRAPHDB_SHARED").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let path = root.join("data").join(path);
    if !path.exists() {
        let said = format!("\nSKIPPED {}: it is not there; set GRAPHDB_SHARED\n", path.display());
        _ = std::io::Write::write_all(&mut std::io::stderr(), said.as_bytes());
    }
    path.exists().then_some(path)
}

fn count(file: PathBuf, key: Option<&EncryptionKey>) -> (u64, u64) {
    let mut reader = ArchiveReader::open(fs::File::open(file).unwrap(), key, 2).unwrap();
    let mut empty = 0;
    while let Some(entry) = reader.next_entry().unwrap() {
        empty += u64::from(entry.value == EntryValue::Empty);
    }
    (reader.entries(), empty)
}

#[test]
fn a_plain_archive_of_dgraph_is_read() {
    let Some(folder) = shared("dgraph-backups/v20.11-single/dgraph.20201125.173944.587") else { return };
    let mut names = 0;
    let mut reader = ArchiveReader::open(fs::File::open(folder.join("r68-g1.backup")).unwrap(), None, 2).unwrap();
    while let Some(entry) = reader.next_entry().unwrap() {
        let is_name = |key: &Key| !key.is_derived() && &*key.predicate.name == "Author.name";
        names += u32::from(matches!(&entry.key, BackupKey::Posting(key) if is_name(key)));
    }
    assert_eq!(names, 1);
    let found = reader.finish().unwrap();
    assert_eq!(found.size_bytes, fs::metadata(folder.join("r68-g1.backup")).unwrap().len());
}

#[test]
fn encrypted_archives_of_dgraph_are_read_whole() {
    let (Some(backups), Some(keys)) = (shared("dgraph-backups"), shared("keys")) else { return };
    let movies = backups.join("v20.07-movies-aes256/dgraph.20200605.233956.732");
    let aes256 = EncryptionKey::new(&fs::read(keys.join("aes256.key")).unwrap()).unwrap();
    let (one, three) =
        (count(movies.join("r2106-g1.backup"), Some(&aes256)), count(movies.join("r2106-g3.backup"), Some(&aes256)));
    assert_eq!((one.0, three.0), (316_676, 102_107));
    assert_eq!(one.1 + three.1, 2_961);
    let aes128 = EncryptionKey::new(&fs::read(keys.join("aes128.key")).unwrap()).unwrap();
    let small = backups.join("v20.11-aes128/dgraph.20200817.113408.067");
    let counts: Vec<_> =
        (1..=3).map(|group| count(small.join(format!("r24-g{group}.backup")), Some(&aes128)).0).collect();
    assert_eq!(counts, [19, 2, 2]);
    let err = ArchiveReader::open(fs::File::open(small.join("r24-g1.backup")).unwrap(), Some(&aes256), 0).unwrap_err();
    assert!(matches!(err, Error::Unknown), "{err}");
}
