//! The traps of Dgraph's format, as the format's description numbers them: a test named after each that lies in bytes or
//! manifests.
//!
//! The others are about what a restore, an export or Dgraph itself makes of what was read, and are tested where that is
//! done, in `crates/backup`: 9 deletions with version 0 (that such an entry is read at all is shown here), 10 stale index
//! data, 20 derived keys that a schema change took away, 21 drops that v1.x did not record, 22 the GraphQL schema of v21.12
//! as JSON, 23 the helpers of vector indexes, 24 tokenizers that the target does not know, 25 a restore that drops first.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/frames.rs"]
mod frames;
#[path = "support/lists.rs"]
mod lists;
#[path = "support/manifests.rs"]
mod manifests;
#[path = "support/snappy.rs"]
mod snappy;
#[path = "support/stored.rs"]
mod stored;
#[path = "support/wire.rs"]
mod wire;

use std::collections::BTreeMap;
use std::slice::from_ref;

use graphdb_archive::{
    ArchiveReader, Backup as AnyBackup, DgraphManifest, EncryptionKey, EntryValue, Error, FrameReader, ManifestError,
    choose, user_meta,
};
use graphdb_types::{
    BackupKey, DropOp, GroupId, Key, KeyKind, Namespace, Posting, PostingList, Predicate, Tokenizer, TypeDef, Uid,
    VALUE_UID, ValType, Value, max_object, token,
};

use crate::frames::{AllocRef, FramesForm, Kv, KvForm, encode_frames, encode_key, frame};
use crate::lists::{Ids, ListForm, encode};
use crate::manifests::{Backup, Era, master};
use crate::snappy::{Block, Element, S2, SNAPPY};
use crate::stored::{Codec, compress, encrypt, read};
use crate::wire::Message;

const PLAIN: FramesForm = FramesForm {
    kv: KvForm { stream_id: 0, unused_fields: false, unknown: false },
    per_frame: 2,
    alloc_ref: None,
    empty_frames: false,
};

fn data_key(uid: u64) -> BackupKey {
    BackupKey::Posting(Key::data(&Predicate::root("name"), Uid(uid)))
}

fn list_of(ids: &[u64]) -> PostingList {
    PostingList::of_ids(ids.to_vec())
}

/// Three lists of edges that compress well.
fn kvs() -> Vec<Kv> {
    let form = ListForm { ids: Ids::Differences, op: 1, timestamps: true, old_fields: false, unknown: false };
    let kv = |uid| {
        let value = encode(&list_of(&(1..2000).map(|n| n * 3).collect::<Vec<_>>()), form);
        Kv { key: encode_key(&data_key(uid)), value, user_meta: user_meta::COMPLETE, version: 9 }
    };
    (1..4).map(kv).collect()
}

fn one(json: &str) -> Result<DgraphManifest, String> {
    DgraphManifest::parse(&"dgraph.20240102.030405.006".parse().unwrap(), json.as_bytes())
        .map_err(|err| err.to_string())
}

fn all(json: &str) -> Result<Vec<DgraphManifest>, String> {
    DgraphManifest::parse_master(json.as_bytes()).map_err(|err| err.to_string())
}

/// A series whose backups are `backups`, with numbers and folders of their own.
fn series(backups: &[(Backup, Era)]) -> Vec<DgraphManifest> {
    let entries = backups.iter().enumerate().map(|(at, (backup, era))| {
        let folder = format!("dgraph.20240102.030405.00{at}");
        let backup = Backup { is_full: at == 0, backup_num: at as u64 + 1, folder, ..backup.clone() };
        let json = backup.to_json(*era, false);
        match era {
            Era::V1 | Era::V20_11 => json.replace(r#""groups""#, &format!(r#""path":"{}","groups""#, backup.folder)),
            _ => json,
        }
    });
    all(&master(&entries.collect::<Vec<_>>())).unwrap()
}

#[test]
fn trap_01_compression_snappy_may_be_s2_and_the_stream_says_which() {
    let json = Backup::plain().to_json(Era::V25_3, false);
    assert!(json.contains(r#""compression":"snappy""#) && one(&json).is_ok());
    let frames = encode_frames(&kvs(), PLAIN);
    let block = snappy::compress(&frames, true);
    assert!(block.packed().len() < frames.len() / 4);
    let s2 = [snappy::identifier(S2), snappy::compressed(&block)].concat();
    let (chunk_len, mixed) = (snappy::SNAPPY_CHUNK, false);
    for stored in [s2.clone(), compress(&frames, Codec::Snappy { chunk_len, mixed })] {
        assert_eq!(read(&stored, None).unwrap(), kvs());
    }
    let repeat = Block::of(&[
        Element::Literal { bytes: vec![0; 8], extra: 0 },
        Element::Copy { offset: 1, len: 4, kind: 2 },
        Element::Repeat { len: 4, class: 0 },
    ]);
    let named = |name| read(&[snappy::identifier(name), snappy::compressed(&repeat)].concat(), None);
    assert_eq!(named(S2).unwrap(), [], "two empty frames");
    assert!(matches!(named(SNAPPY), Err(Error::Snappy { offset: 10, .. })), "Snappy has no repeats");
}

#[test]
fn trap_02_an_empty_drop_operation_drops_all() {
    let json = Backup { drops: vec![DropOp::All, DropOp::Data], ..Backup::plain() }.to_json(Era::V21_12, false);
    assert!(json.contains(r#""drop_operations":[{},{"drop_op":1}]"#), "{json}");
    assert_eq!(one(&json).unwrap().drop_operations, [DropOp::All, DropOp::Data]);
    let none = json.replace(r#"[{},{"drop_op":1}]"#, "[]");
    assert_eq!(one(&none).unwrap().drop_operations, []);
}

#[test]
fn trap_03_since_is_the_read_ts_up_to_v20_11_and_0_later() {
    let backup = Backup { read_ts: 68, ..Backup::plain() };
    for (era, said) in [(Era::V20_11, r#""since":68,"#), (Era::V21_03, r#""since":0,"read_ts":68,"#)] {
        let json = backup.to_json(era, false);
        assert!(json.contains(said), "{json}");
        let manifest = one(&json).unwrap();
        assert_eq!(manifest.read_ts.0, 68);
        assert_eq!(manifest.archive(GroupId(1)).file_name(), "r68-g1.backup");
    }
    let both = backup.to_json(Era::V21_03, false).replace(r#""since":0"#, r#""since":38"#);
    assert_eq!(one(&both).unwrap().read_ts.0, 68, "the newer key wins");
}

#[test]
fn trap_04_manifests_has_a_capital_m() {
    let list = master(&[Backup::plain().to_json(Era::V21_12, false)]);
    assert!(list.starts_with(r#"{"Manifests":["#));
    assert_eq!(all(&list).unwrap().len(), 1);
    for another in [list.replace("Manifests", "manifests"), Backup::plain().to_json(Era::V20_11, false), "{}".into()] {
        let err = all(&another).unwrap_err();
        assert!(err.contains("missing field `Manifests`"), "another object is no empty list: {err}");
    }
}

#[test]
fn trap_05_zero_length_frames_are_normal() {
    let with_empty = encode_frames(&kvs(), FramesForm { empty_frames: true, ..PLAIN });
    assert_eq!(with_empty.len(), encode_frames(&kvs(), PLAIN).len() + 3 * 8);
    let only_empty = [0; 24].to_vec();
    for (frames, expected) in [(with_empty, kvs()), (only_empty, vec![])] {
        let mut reader = FrameReader::new(&frames[..]);
        let mut met = 0;
        while reader.advance().unwrap() {
            met += 1;
        }
        assert_eq!((met, reader.raw_bytes()), (expected.len(), frames.len() as u64));
        let stored = compress(&frames, Codec::Gzip { member_len: 1 << 20, level: 6 });
        assert_eq!(read(&stored, None).unwrap(), expected);
    }
}

#[test]
fn trap_06_the_term_is_binary_though_it_was_a_string() {
    let year_2024 = vec![0x04, 0x07, 0xe8];
    let hash = (0..33u8).map(|n| n.wrapping_mul(0x1f) ^ 0xff).collect::<Vec<u8>>();
    for term in [year_2024, hash, vec![0x06, 1, 0, 0, 0, 0, 0, 0, 0, 0x80], vec![0xff; 3], vec![0]] {
        let key = BackupKey::Posting(Key::index(&Predicate::root("name"), term.clone()));
        let wire = encode_key(&key);
        assert!(wire.ends_with(&term));
        assert_eq!(BackupKey::from_wire(&wire), Ok(key.clone()));
        let (mut stored, BackupKey::Posting(key)) = (Vec::new(), key) else { panic!("it was made as a list's") };
        BackupKey::put_stored_of_wire(&wire, &mut stored).unwrap();
        assert_eq!(Key::from_stored(&stored), Ok(key));
    }
    let name = Message::default().number(1, 1).bytes(2, [0xff, 0xfe]).number(3, 1).finish();
    assert!(BackupKey::from_wire(&name).is_err(), "a name is text");
}

#[test]
fn trap_07_the_uid_of_a_posting_is_fixed64_and_others_are_varints() {
    // The worked example of the description: 20, of subject 4, with the timestamps 11 and 12.
    let posting =
        [&[0x09][..], &[0xff; 8], &[0x12, 8, 0x14, 0, 0, 0, 0, 0, 0, 0, 0x18, 2, 0x20, 1, 0x60, 1, 0x68, 11, 0x70, 12]]
            .concat();
    let list =
        Message::default().bytes(2, &posting).bytes(5, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
    let read = PostingList::from_wire(&list.finish()).unwrap();
    let (value, commit_ts) = (20i64.to_le_bytes().to_vec(), 12);
    let expected = Posting { id: VALUE_UID, value, val_type: ValType::Int, commit_ts, ..Posting::default() };
    assert_eq!(read, PostingList::of_postings(vec![expected]));
    let subject = [0x08, 1, 0x12, 1, b'a', 0x18, 0x80, 0x80, 0x40];
    let key = Key::data(&Predicate::root("a"), Uid(0x10_0000));
    assert_eq!(BackupKey::from_wire(&subject), Ok(BackupKey::Posting(key)));
}

#[test]
fn trap_08_uid_bytes_are_differences() {
    let differences = |bytes: &[u8]| PostingList::from_wire(&Message::default().bytes(5, bytes).finish());
    assert_eq!(differences(&[1, 5]).unwrap().ids, [1, 6]);
    assert_eq!(differences(&[0xac, 0x02, 1, 0x80, 1]).unwrap().ids, [300, 301, 429]);
    assert_eq!(max_object(&Message::default().bytes(5, [1, 5]).finish()), Ok(6));
    assert!(differences(&[1, 0]).is_err(), "a list ascends");
    let beyond = [&[0xff; 9][..], &[1, 1]].concat();
    assert!(differences(&beyond).is_err(), "nothing comes after the last uid");
}

#[test]
fn trap_09_a_deletion_with_version_0_is_read_as_a_deletion() {
    for (user_meta, value) in [(user_meta::EMPTY, EntryValue::Empty), (user_meta::FORBIDDEN, EntryValue::Forbidden)] {
        let kv = Kv { key: encode_key(&data_key(2)), value: Vec::new(), user_meta, version: 0 };
        let frames = encode_frames(from_ref(&kv), PLAIN);
        let mut reader = FrameReader::new(&frames[..]);
        let entry = reader.next().unwrap().unwrap().entry().unwrap();
        assert_eq!((entry.value, entry.version.0), (value, 0));
    }
}

#[test]
fn trap_11_a_series_may_change_compression_names_and_encryption_on_its_way() {
    let tenant = |name: &str| Predicate { namespace: Namespace(0x12f), name: name.into() };
    let groups = |names: Vec<Predicate>| BTreeMap::from([(1, names)]);
    let plain = Backup { groups: groups(vec![Predicate::root("a-b")]), ..Backup::plain() };
    let names = Backup { groups: groups(vec![Predicate::root("a-b"), tenant("c")]), ..Backup::plain() };
    let secret = Backup { is_encrypted: true, drops: vec![DropOp::Predicate(tenant("c"))], ..names.clone() };
    let manifests = series(&[(plain, Era::V1), (names.clone(), Era::V21_03), (secret, Era::V25_3)]);
    assert_eq!(manifests.iter().map(|m| m.version).collect::<Vec<_>>(), [0, 2103, 2105]);
    assert_eq!(manifests.iter().map(|m| m.is_encrypted).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!(manifests[0].groups[&GroupId(1)], [Predicate::root("a-b")]);
    for later in &manifests[1..] {
        assert_eq!(later.groups[&GroupId(1)], names.groups[&1]);
    }
    assert_eq!(manifests[2].drop_operations, [DropOp::Predicate(tenant("c"))]);
    let series = choose(manifests.into_iter().map(AnyBackup::from).collect(), None, None).unwrap();
    assert_eq!(series.backups().len(), 3);

    let frames = encode_frames(&kvs(), PLAIN);
    let (chunk_len, mixed, key) = (1 << 20, false, [7; 32]);
    let gzip = compress(&frames, Codec::Gzip { member_len: 1 << 20, level: 6 });
    let snappy = compress(&frames, Codec::Snappy { chunk_len: snappy::SNAPPY_CHUNK, mixed });
    let s2 = encrypt(&compress(&frames, Codec::S2 { chunk_len, mixed }), &key, [9; 16]);
    for (stored, key) in [(gzip, None), (snappy, None), (s2, Some(&key[..]))] {
        assert_eq!(read(&stored, key).unwrap(), kvs());
    }
}

#[test]
fn trap_12_read_ts_may_go_down_inside_a_series() {
    let backups = [30, 30, 28, 2117].map(|read_ts| (Backup { read_ts, ..Backup::plain() }, Era::V20_11));
    let series = choose(series(&backups).into_iter().map(AnyBackup::from).collect(), None, None).unwrap();
    assert_eq!(series.backups().iter().map(|backup| backup.read_ts.0).collect::<Vec<_>>(), [30, 30, 28, 2117]);
}

#[test]
fn trap_13_alloc_ref_is_passed_over() {
    for alloc_ref in [AllocRef::Before, AllocRef::Behind] {
        let frames = encode_frames(&kvs(), FramesForm { alloc_ref: Some(alloc_ref), ..PLAIN });
        assert!(frames.len() > encode_frames(&kvs(), PLAIN).len(), "{alloc_ref:?}");
        let stored = compress(&frames, Codec::Gzip { member_len: 1 << 20, level: 6 });
        assert_eq!(read(&stored, None).unwrap(), kvs(), "{alloc_ref:?}");
    }
    let alone = frame(&Message::default().number(10, 77).finish());
    assert!(!FrameReader::new(&alone[..]).advance().unwrap());
}

#[test]
fn trap_14_the_empty_string_is_a_posting_without_a_value() {
    let posting = Message::default().fixed64(1, VALUE_UID).number(3, 9).number(4, 1).number(12, 1).finish();
    let wire = Message::default().bytes(1, lists::packed(&[VALUE_UID])).bytes(2, &posting).finish();
    let list = PostingList::from_wire(&wire).unwrap();
    let empty = list.posting(VALUE_UID).unwrap();
    assert!(!empty.is_edge && !list.is_empty(), "it is there, and a value");
    assert_eq!(Value::from_bytes(empty.val_type, &empty.value), Ok(Value::String(String::new())));
    assert_eq!(PostingList::from_wire(&list.to_wire()), Ok(list.clone()));
    assert!(list.to_wire().windows(posting.len()).any(|bytes| bytes == posting), "and is written like that");
}

#[test]
fn trap_15_ints_are_little_endian_and_times_tokens_and_stored_keys_big_endian() {
    assert_eq!(Value::from_bytes(ValType::Int, &[0x14, 0, 0, 0, 0, 0, 0, 0]), Ok(Value::Int(20)));
    assert_eq!(Value::from_bytes(ValType::Float, &[0, 0, 0, 0, 0, 0, 0xf8, 0x3f]), Ok(Value::Float(1.5)));
    // 2011-04-03T00:00:00Z, from a real file.
    let wire = [1, 0, 0, 0, 0x0e, 0xc5, 0x29, 0xaf, 0x80, 0, 0, 0, 0, 0xff, 0xff];
    let Ok(Value::DateTime(at)) = Value::from_bytes(ValType::DateTime, &wire) else { panic!("it is an instant") };
    assert_eq!(at.unix_seconds(), 1_301_788_800);
    let tokens = |tokenizer, value| token::tokens(tokenizer, &value, "").unwrap();
    assert_eq!(tokens(Tokenizer::Int, Value::Int(0x0102)), [[6, 1, 0, 0, 0, 0, 0, 0, 1, 2]]);
    assert_eq!(tokens(Tokenizer::Year, Value::DateTime(at)), [[4, 0x07, 0xdb]]);
    let name = Predicate { namespace: Namespace(0x12f), name: "n".into() };
    let stored = Key::data(&name, Uid(0x0102)).to_stored();
    assert!(stored.starts_with(&[0, 0, 0, 0, 0, 0, 1, 0x2f, 0, 1, b'n']) && stored.ends_with(&[0, 0, 1, 2]));
    let count = Key { predicate: name, kind: KeyKind::Count(0x0304) }.to_stored();
    assert!(count.ends_with(&[0, 0, 3, 4]));
}

#[test]
fn trap_16_every_group_holds_all_types_and_repeating_them_is_no_conflict() {
    let key = BackupKey::Type(Predicate::root("Person"));
    let field = Message::default().bytes(1, "name").finish();
    let value = Message::default().bytes(1, "Person").bytes(2, field).finish();
    let person = Kv { key: encode_key(&key), value, user_meta: user_meta::SCHEMA, version: 1 };
    let group_1 = encode_frames(&[kvs(), vec![person.clone(), person.clone()]].concat(), PLAIN);
    let group_2 = encode_frames(from_ref(&person), PLAIN);
    for (frames, times) in [(group_1, 2), (group_2, 1)] {
        let stored = compress(&frames, Codec::Gzip { member_len: 1 << 20, level: 6 });
        let mut reader = ArchiveReader::open(&stored[..], None, 0).unwrap();
        let mut types = Vec::new();
        while let Some(entry) = reader.next_entry().unwrap() {
            if let EntryValue::Type(wire) = entry.value {
                types.push((entry.key, TypeDef::from_wire(wire).unwrap()));
            }
        }
        assert_eq!(types, vec![(key.clone(), TypeDef { fields: vec!["name".into()] }); times]);
    }
}

#[test]
fn trap_17_encrypted_is_consulted_before_a_key_is_used() {
    let manifest = |is_encrypted| {
        let json = Backup { is_encrypted, ..Backup::plain() }.to_json(Era::V21_12, false);
        AnyBackup::from(one(&json).unwrap())
    };
    let key = EncryptionKey::new(&[7; 16]).unwrap();
    assert!(matches!(manifest(true).unlock(None), Err(ManifestError::KeyMissing { .. })));
    assert!(manifest(true).unlock(Some(&key)).is_ok());
    assert!(manifest(false).unlock(None).is_ok() && !manifest(false).is_encrypted);
    assert!(manifest(false).unlock(Some(&key)).is_ok(), "a key that only other backups of the series need");
    let plain = compress(&encode_frames(&kvs(), PLAIN), Codec::Gzip { member_len: 1 << 20, level: 6 });
    let encrypted = encrypt(&plain, &[7; 16], [1; 16]);
    for (stored, key) in [(&plain, Some(&[7; 16][..])), (&encrypted, None), (&encrypted, Some(&[8; 16]))] {
        assert!(matches!(read(stored, key), Err(Error::Unknown)));
    }
    assert_eq!(read(&encrypted, Some(&[7; 16])).unwrap(), kvs());
}

#[test]
fn trap_18_a_path_that_leads_out_of_the_location_is_refused() {
    let list = |folder: &str| {
        let backup = Backup { folder: folder.into(), ..Backup::plain() };
        all(&master(&[Backup::plain().to_json(Era::V21_12, false), backup.to_json(Era::V21_12, false)]))
    };
    assert_eq!(list("dgraph.20240102.030405.007").unwrap().len(), 2);
    for hostile in [
        "..",
        "../x",
        "/x",
        "x/../../y",
        "x/..",
        "x//y",
        "x/",
        ".",
        "./x",
        "",
        "C:\\x",
        "..\\x",
        "x\u{0}",
        "x\n",
        &"x".repeat(1025),
    ] {
        let err = list(hostile).unwrap_err();
        assert!(err.contains("manifest.json, backup"), "{hostile:?}: {err}");
    }
}

#[test]
fn trap_19_v20_11_mixes_uids_and_uid_bytes() {
    let form = ListForm { ids: Ids::ByLength, op: 1, timestamps: true, old_fields: true, unknown: false };
    let lists: Vec<_> = [3, 1024, 1025, 5000].map(|len| list_of(&(1..=len).map(|n| n * n).collect::<Vec<_>>())).into();
    let kv = |(list, uid): (&PostingList, u64)| {
        let value = encode(list, form);
        Kv { key: encode_key(&data_key(uid)), value, user_meta: user_meta::COMPLETE, version: 5 }
    };
    let kvs: Vec<_> = lists.iter().zip(1..).map(kv).collect();
    let first_bytes: Vec<_> = kvs.iter().map(|kv| kv.value[0] >> 3).collect();
    assert_eq!(first_bytes, [1, 1, 3, 3], "field 1 is `uids`; without it `commit_ts` comes first");
    let both = Message::default().bytes(1, [5]).bytes(5, [7, 1]).finish();
    assert_eq!(PostingList::from_wire(&both).unwrap().ids, [5], "where both stand, `uids` counts");
    let stored = compress(
        &encode_frames(&kvs, FramesForm { alloc_ref: Some(AllocRef::Behind), ..PLAIN }),
        Codec::Gzip { member_len: 1 << 20, level: 6 },
    );
    let mut reader = ArchiveReader::open(&stored[..], None, 0).unwrap();
    for expected in lists {
        let entry = reader.next_entry().unwrap().unwrap();
        let EntryValue::List(wire) = entry.value else { panic!("{:?}", entry.value) };
        assert_eq!(PostingList::from_wire(wire), Ok(expected));
    }
}

#[test]
fn trap_26_the_same_read_ts_may_stand_twice() {
    let backup = (Backup { read_ts: 21, ..Backup::plain() }, Era::V21_12);
    let manifests = series(&[backup.clone(), backup.clone(), backup]);
    let archives: Vec<_> = manifests.iter().map(|manifest| manifest.archive(GroupId(1)).to_string()).collect();
    let folder = "dgraph.20240102.030405.00";
    assert_eq!(archives, [0, 1, 2].map(|n| format!("{folder}{n}/r21-g1.backup")), "told apart by their folders");
    let series = choose(manifests.into_iter().map(AnyBackup::from).collect(), None, Some(2)).unwrap();
    assert_eq!((series.backups().len(), series.read_ts().0), (2, 21));
}
