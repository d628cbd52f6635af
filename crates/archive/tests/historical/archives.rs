//! Whole archives: frames in every form, under every compression, under every length of key.

use graphdb_archive::{ArchiveReader, EncryptionKey, EntryValue, Error, user_meta};
use graphdb_types::{BackupKey, PostingList};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::frames::{AllocRef, FramesForm, Kv, KvForm, encode_frames, encode_key};
use crate::lists::{self, ListForm};
use crate::random;
use crate::snappy::SNAPPY_CHUNK;
use crate::stored::{Codec, compress, encrypt, read};

/// One entry, and what it has to be read as.
#[derive(Clone, Debug)]
struct Entry {
    kv: Kv,
    key: BackupKey,
    list: PostingList,
}

fn entry() -> impl Strategy<Value = Entry> {
    (random::key(), random::posting_list(), any::<u64>()).prop_flat_map(|(key, list, version)| {
        let metas: &[u8] = match key {
            BackupKey::Posting(_) => &[user_meta::DELTA, user_meta::COMPLETE, user_meta::EMPTY, user_meta::FORBIDDEN],
            _ => &[user_meta::SCHEMA],
        };
        (Just((key, list, version)), random::list_form(), select(metas))
            .prop_map(|((key, list, version), form, user_meta)| make(key, list, version, form, user_meta))
    })
}

fn make(key: BackupKey, list: PostingList, version: u64, form: ListForm, user_meta: u8) -> Entry {
    let value = match user_meta {
        user_meta::EMPTY | user_meta::FORBIDDEN => Vec::new(),
        user_meta::SCHEMA => b"\x10\x09".to_vec(),
        _ => lists::encode(&list, form),
    };
    Entry { kv: Kv { key: encode_key(&key), value, user_meta, version }, key, list: lists::as_read(&list, form) }
}

fn frames_form() -> impl Strategy<Value = FramesForm> {
    let kv = (select(&[0, 7, u32::MAX as u64]), any::<[bool; 2]>())
        .prop_map(|(stream_id, [unused_fields, unknown])| KvForm { stream_id, unused_fields, unknown });
    let alloc_ref = option::of(select(&[AllocRef::Before, AllocRef::Behind]));
    (kv, 1..6usize, alloc_ref, any::<bool>()).prop_map(|(kv, per_frame, alloc_ref, empty_frames)| FramesForm {
        kv,
        per_frame,
        alloc_ref,
        empty_frames,
    })
}

fn codec() -> impl Strategy<Value = Codec> {
    let lengths = select(&[7, 100, 5000, SNAPPY_CHUNK]);
    prop_oneof![
        (select(&[1usize, 50, 1 << 20]), 0..10u32).prop_map(|(member_len, level)| Codec::Gzip { member_len, level }),
        (lengths.clone(), any::<bool>()).prop_map(|(chunk_len, mixed)| Codec::Snappy { chunk_len, mixed }),
        (prop_oneof![lengths, Just(1 << 20), Just(4 << 20)], any::<bool>())
            .prop_map(|(chunk_len, mixed)| Codec::S2 { chunk_len, mixed }),
    ]
}

fn aes_key() -> impl Strategy<Value = (Vec<u8>, [u8; 16])> {
    let iv = prop_oneof![any::<[u8; 16]>(), Just([0xff; 16])]; // the second makes the counter wrap
    (select(&[16, 24, 32]).prop_flat_map(|len: usize| vec(any::<u8>(), len)), iv)
}

/// Reads with keys and values understood, and compares.
fn assert_read(stored: &[u8], key: Option<&[u8]>, expected: &[Entry]) {
    let key = key.map(|key| EncryptionKey::new(key).unwrap());
    let mut reader = ArchiveReader::open(stored, key.as_ref(), 0).unwrap();
    for (at, wanted) in expected.iter().enumerate() {
        let found = reader.next_entry().unwrap().unwrap_or_else(|| panic!("entry {at} is missing"));
        assert_eq!((&found.key, found.version.0), (&wanted.key, wanted.kv.version));
        match (wanted.kv.user_meta, found.value) {
            (user_meta::SCHEMA, EntryValue::Schema(value) | EntryValue::Type(value)) => {
                assert_eq!(value, wanted.kv.value);
            }
            (user_meta::EMPTY, EntryValue::Empty) | (user_meta::FORBIDDEN, EntryValue::Forbidden) => {}
            (user_meta::DELTA | user_meta::COMPLETE, EntryValue::List(list)) => {
                assert_eq!(PostingList::from_wire(list).as_ref(), Ok(&wanted.list));
            }
            (user_meta::DELTA | user_meta::COMPLETE, EntryValue::Empty) => assert!(wanted.kv.value.is_empty()),
            (user_meta, other) => panic!("entry {at}, of user_meta {user_meta}, was read as {other:?}"),
        }
    }
    assert!(reader.next_entry().unwrap().is_none());
    assert_eq!(reader.finish().unwrap().entries, expected.len() as u64);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn entries_read_equal_in_every_form(
        entries in vec(entry(), 0..20),
        form in frames_form(),
        codec in codec(),
        aes in option::of(aes_key()),
    ) {
        let kvs: Vec<_> = entries.iter().map(|entry| entry.kv.clone()).collect();
        // Two frames always end an archive since Snappy is written, so it never holds nothing.
        let frames = [encode_frames(&kvs, form), vec![0; 16]].concat();
        let plain = compress(&frames, codec);
        match aes {
            Some((key, iv)) => assert_read(&encrypt(&plain, &key, iv), Some(&key), &entries),
            None => assert_read(&plain, None, &entries),
        }
    }

    #[test]
    fn a_cut_of_any_form_is_an_error_or_holds_what_was_before_it(
        entries in vec(entry(), 1..6),
        form in frames_form(),
        codec in codec(),
        cut in any::<prop::sample::Index>(),
    ) {
        let kvs: Vec<_> = entries.into_iter().map(|entry| entry.kv).collect();
        let stored = compress(&encode_frames(&kvs, form), codec);
        if let Ok(read) = read(&stored[..cut.index(stored.len())], None) {
            prop_assert!(kvs.starts_with(&read), "{:?}", codec);
        }
    }
}

#[test]
fn an_archive_of_one_type_alone_is_read_under_each_compression() {
    let person = BackupKey::Type(graphdb_types::Predicate::root("Person"));
    let kv =
        Kv { key: encode_key(&person), value: b"\x0a\x06Person".to_vec(), user_meta: user_meta::SCHEMA, version: 1 };
    let frames = crate::frames::frame(&crate::wire::Message::default().bytes(1, kv.encode(KvForm::default())).finish());
    let (chunk_len, mixed) = (SNAPPY_CHUNK, false);
    for codec in [
        Codec::Gzip { member_len: 1 << 20, level: 6 },
        Codec::Snappy { chunk_len, mixed },
        Codec::S2 { chunk_len, mixed },
    ] {
        assert_eq!(read(&compress(&frames, codec), None).unwrap(), std::slice::from_ref(&kv), "{codec:?}");
    }
}

#[test]
fn gzip_may_hold_nothing_since_old_groups_could_have_nothing_to_say() {
    for member_len in [1, 1 << 20] {
        assert_eq!(read(&compress(&[], Codec::Gzip { member_len, level: 6 }), None).unwrap(), []);
    }
}

#[test]
fn snappy_without_any_data_was_cut_off() {
    for name in [crate::snappy::SNAPPY, crate::snappy::S2] {
        let padded = [crate::snappy::identifier(name), crate::snappy::chunk(0xfe, &[0; 9])].concat();
        for stored in [crate::snappy::identifier(name), padded] {
            let err = read(&stored, None).unwrap_err();
            assert!(matches!(err, Error::Truncated { offset } if offset == stored.len() as u64), "{err}");
        }
    }
}
