#![expect(clippy::unwrap_used)]

use graphdb_types::{BackupKey, Key, Predicate, Uid};
use proptest::prelude::*;

use super::*;
use crate::Error;

/// Key, value, user_meta, version.
type Owned = (Vec<u8>, Vec<u8>, u8, u64);

fn framed(entries: &[Owned]) -> Vec<u8> {
    let mut writer = FrameWriter::new(Vec::new());
    for (key, value, user_meta, version) in entries {
        writer.push(KeyValue { key, value, user_meta: *user_meta, version: *version }).unwrap();
    }
    writer.finish().unwrap()
}

fn read(bytes: &[u8]) -> Result<Vec<Owned>, Error> {
    let mut reader = FrameReader::new(bytes);
    let mut entries = Vec::new();
    while reader.advance()? {
        let kv = reader.current().unwrap();
        let at = usize::try_from(reader.offset()).unwrap();
        if let Some(begin) = kv.key.get(..kv.key.len().clamp(1, 4)) {
            assert!(bytes[at..].windows(begin.len()).take(24).any(|found| found == begin), "no key behind {at}");
        }
        entries.push((kv.key.to_vec(), kv.value.to_vec(), kv.user_meta, kv.version));
    }
    assert_eq!((reader.entries(), reader.raw_bytes()), (entries.len() as u64, bytes.len() as u64));
    Ok(entries)
}

#[test]
fn the_bytes_of_a_frame_are_these() {
    let mut writer = FrameWriter::new(Vec::new());
    writer.push(KeyValue { key: b"k1", value: b"value", user_meta: user_meta::COMPLETE, version: 300 }).unwrap();
    writer.push(KeyValue { key: b"k2", value: b"", user_meta: user_meta::EMPTY, version: 1 }).unwrap();
    writer.end_frame().unwrap();
    writer.end_frame().unwrap(); // a schema frame without any schema
    assert_eq!((writer.entries(), writer.raw_bytes()), (2, 46));
    let expected = [
        &30u64.to_le_bytes()[..],
        &[0x0a, 17, 0x0a, 2, b'k', b'1', 0x12, 5, b'v', b'a', b'l', b'u', b'e', 0x1a, 1, 0x08, 0x20, 0xac, 0x02],
        &[0x0a, 9, 0x0a, 2, b'k', b'2', 0x1a, 1, 0x10, 0x20, 1],
        &[0; 8],
    ];
    assert_eq!(writer.finish().unwrap(), expected.concat());
}

#[test]
fn a_frame_closes_at_its_size_and_a_long_value_has_its_own() {
    let small = (b"k".to_vec(), vec![7; 1000], 8, 5);
    let long = (b"long".to_vec(), vec![9; 3 * FRAME_BYTES], 8, 5);
    let mut entries = vec![small.clone(); 3000];
    entries.insert(1500, long.clone());
    let bytes = framed(&entries);
    assert_eq!(read(&bytes).unwrap(), entries);
    let mut lengths = Vec::new();
    let mut rest = &bytes[..];
    while let Some((length, after)) = rest.split_first_chunk() {
        lengths.push(usize::try_from(u64::from_le_bytes(*length)).unwrap());
        rest = &after[*lengths.last().unwrap()..];
    }
    assert!(lengths.iter().all(|len| *len < FRAME_BYTES + 2000 || *len > 3 * FRAME_BYTES), "{lengths:?}");
    assert_eq!(lengths.len(), 5);
}

#[test]
fn unknown_fields_allocation_marks_and_stream_ids_are_skipped() {
    let list = [
        &[0x50, 0x07][..],                                                       // alloc_ref
        &[0x0a, 13, 0x0a, 1, b'k', 0x12, 1, b'v', 0x1a, 1, 8, 0x50, 9, 0x58, 1], // stream_id, stream_done
        &[0x50, 0x08, 0x7a, 2, 1, 2],                                            // a field from the future
        &[0x0a, 6, 0x0a, 1, b'l', 0x1a, 1, 16],
    ]
    .concat();
    let bytes = [&(list.len() as u64).to_le_bytes()[..], &list, &[0; 16]].concat();
    let expected = [(b"k".to_vec(), b"v".to_vec(), 8, 0), (b"l".to_vec(), vec![], 16, 0)];
    assert_eq!(read(&bytes).unwrap(), expected);
}

#[test]
fn a_length_that_lies_is_refused_and_allocates_nothing() {
    for length in [1u64 << 63, u64::MAX, MAX_FRAME_BYTES + 1] {
        let err = read(&[&length.to_le_bytes()[..], b"abc"].concat()).unwrap_err();
        assert!(err.to_string().contains(&format!("a length of {length} bytes")), "{err}");
    }
    let mut reader = FrameReader::new(&[0, 0, 0, 0x40, 0, 0, 0, 0, 1, 2, 3][..]);
    let err = reader.advance().unwrap_err();
    assert!(err.to_string().contains("ends after 3 of 1073741824 bytes"), "{err}");
    assert!(matches!(reader.advance(), Err(Error::Broken)));
}

#[test]
fn a_stream_may_only_end_where_a_frame_does() {
    let bytes = framed(&[(b"key".to_vec(), b"value".to_vec(), 8, 9)]);
    for cut in 1..bytes.len() {
        assert!(read(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    assert!(read(&[]).unwrap().is_empty());
}

#[test]
fn user_meta_is_exactly_one_byte() {
    for kv in [&[0x0a, 1, b'k'][..], &[0x0a, 1, b'k', 0x1a, 2, 8, 8], &[0x0a, 1, b'k', 0x1a, 0]] {
        let list = [&[0x0a, kv.len() as u8], kv].concat();
        let err = read(&[&(list.len() as u64).to_le_bytes()[..], &list].concat()).unwrap_err();
        assert!(err.to_string().contains("user_meta"), "{err}");
    }
}

#[test]
fn entries_say_what_a_value_is() {
    let name = Predicate::root("name");
    let wire = |key: &BackupKey| {
        let mut wire = Vec::new();
        key.put_wire(&mut wire);
        wire
    };
    let posting = BackupKey::Posting(Key::data(&name, Uid(1)));
    let (schema, kind) = (BackupKey::Schema(name.clone()), BackupKey::Type(name));
    let cases = [
        (&posting, 0x08, &b"v"[..], Some(EntryValue::List(b"v"))),
        (&posting, 0x04, b"v", Some(EntryValue::List(b"v"))),
        (&posting, 0x08, b"", Some(EntryValue::Empty)),
        (&posting, 0x10, b"", Some(EntryValue::Empty)),
        (&posting, 0x30, b"", Some(EntryValue::Forbidden)),
        (&posting, 0x01, b"v", None),
        (&posting, 0x02, b"v", None),
        (&schema, 0x01, b"v", Some(EntryValue::Schema(b"v"))),
        (&schema, 0x08, b"v", None),
        (&kind, 0x01, b"", Some(EntryValue::Type(b""))),
        (&kind, 0x10, b"", None),
    ];
    for (key, user_meta, value, expected) in cases {
        let wire = wire(key);
        let found = KeyValue { key: &wire, value, user_meta, version: 3 }.entry();
        assert_eq!(found.ok().map(|entry| entry.value), expected, "{key:?} {user_meta:#x}");
    }
}

proptest! {
    #[test]
    fn what_was_pushed_is_read(entries in prop::collection::vec(
        (prop::collection::vec(any::<u8>(), 0..40), prop::collection::vec(any::<u8>(), 0..300), any::<u8>(), any::<u64>()), 0..50)
    ) {
        prop_assert_eq!(read(&framed(&entries)).unwrap(), entries);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let framed = [&(bytes.len() as u64).to_le_bytes()[..], &bytes].concat();
        let _ = read(&framed);
        let _ = read(&bytes);
    }
}
