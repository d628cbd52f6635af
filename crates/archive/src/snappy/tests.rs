#![expect(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn stream(identifier: &[u8; 6], chunks: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = [&MAGIC[..], identifier].concat();
    for (kind, body) in chunks {
        bytes.push(*kind);
        bytes.extend_from_slice(&(body.len() as u32).to_le_bytes()[..3]);
        bytes.extend_from_slice(body);
    }
    bytes
}

/// A chunk of `data`, whose block is `block`.
fn packed(data: &[u8], block: &[u8]) -> (u8, Vec<u8>) {
    (0x00, [&masked(crc32c::crc32c(data)).to_le_bytes()[..], block].concat())
}

fn plain(data: &[u8]) -> (u8, Vec<u8>) {
    (0x01, [&masked(crc32c::crc32c(data)).to_le_bytes()[..], data].concat())
}

fn read(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let mut data = Vec::new();
    SnappyReader::new(bytes)?.read_to_end(&mut data)?;
    Ok(data)
}

fn unpacked(block: &[u8], is_s2: bool) -> Result<Vec<u8>, &'static str> {
    let mut out = Vec::new();
    block::decompress(block, &mut out, MAX_S2_BYTES, is_s2).map(|()| out)
}

#[test]
fn literals_and_copies_of_every_kind_are_read() {
    // Length 5, "ab" as a literal, then three bytes from two back: the copy reads what it writes.
    assert_eq!(unpacked(&[5, 0x04, b'a', b'b', 0b0000_1010, 2, 0], false).unwrap(), b"ababa");
    assert_eq!(unpacked(&[6, 0x04, b'a', b'b', 0b0000_0001, 2], false).unwrap(), b"ababab");
    assert_eq!(unpacked(&[4, 0x04, b'a', b'b', 0b0000_0111, 2, 0, 0, 0], false).unwrap(), b"abab");
    // Literals of 100 and of 300 bytes have their length in one and in two bytes behind the tag.
    assert_eq!(unpacked(&[&[100, 60 << 2, 99][..], &[7; 100]].concat(), false).unwrap(), [7; 100]);
    assert_eq!(unpacked(&[&[0xac, 0x02, 61 << 2, 43, 1][..], &[8; 300]].concat(), false).unwrap(), [8; 300]);
}

#[test]
fn s2_repeats_the_last_offset_with_four_forms_of_length() {
    let repeat = |length: &[u8], tag: u8, rest: &[u8]| {
        let block = [length, &[0x04, b'a', b'b', 0b0000_0001, 2], &[tag << 2 | 1, 0], rest].concat();
        unpacked(&block, true)
    };
    for (total, length, tag, rest) in [
        (6 + 4, vec![10], 0, vec![]),
        (6 + 8 + 1, vec![15], 5, vec![1]),
        (6 + 260 + 0x0102, vec![0x8c, 0x04], 6, vec![2, 1]),
        (6 + 65_540 + 1, vec![0x8b, 0x80, 0x04], 7, vec![1, 0, 0]),
    ] {
        let data = repeat(&length, tag, &rest).unwrap();
        assert_eq!(data.len(), total);
        assert!(data.chunks(2).all(|pair| b"ab".starts_with(pair)), "{total}");
    }
    assert!(unpacked(&[6, 0x04, b'a', b'b', 1, 0], false).is_err(), "Snappy has no repeats");
    assert!(unpacked(&[6, 0x04, b'a', b'b', 1, 0], true).is_err(), "there is nothing to repeat yet");
}

#[test]
fn blocks_that_lie_are_refused() {
    for block in [
        &[][..],
        &[0x80],
        &[0xff, 0xff, 0xff, 0xff, 0x7f, 0],
        &[2, 0x00, b'a'],
        &[1, 0x04, b'a', b'b'],
        &[2, 0x04, b'a'],
        &[5, 0x00, b'a', 0x0e, 2, 0],
        &[3, 0x00, b'a', 0x0e, 1, 0],
        &[2, 0xfc, 0xff, 0xff, 0xff, 0xff],
    ] {
        assert!(unpacked(block, false).is_err(), "{block:?}");
    }
}

#[test]
fn a_stream_is_chunks_of_which_some_are_skipped() {
    let data =
        [plain(b"hello "), (0xfe, vec![0; 9]), (0x99, vec![1]), plain(b""), packed(b"aaaa", &[4, 0, b'a', 0x0a, 1, 0])];
    let again = (0xff, SNAPPY.to_vec());
    let chunks: Vec<_> = data.into_iter().chain([again, plain(b"!")]).collect();
    assert_eq!(read(&stream(SNAPPY, &chunks)).unwrap(), b"hello aaaa!");
}

#[test]
fn a_stream_without_any_data_was_cut_off() {
    for chunks in [vec![], vec![plain(b"")], vec![(0x80, plain(b"data").1)]] {
        let bytes = stream(SNAPPY, &chunks);
        assert!(matches!(read(&bytes), Err(Error::Truncated { offset }) if offset == bytes.len() as u64), "{chunks:?}");
    }
}

#[test]
fn a_chunk_of_s2_may_be_longer_than_one_of_snappy() {
    let long = vec![3; MAX_SNAPPY_BYTES + 1];
    assert_eq!(read(&stream(S2, &[plain(&long)])).unwrap(), long);
    assert!(matches!(read(&stream(SNAPPY, &[plain(&long)])), Err(Error::Snappy { offset: 10, .. })));
}

#[test]
fn damage_is_named_with_the_offset_of_its_chunk() {
    let good = plain(b"good");
    let second = 10 + 4 + good.1.len() as u64;
    let bad_crc = (0x01, vec![0, 0, 0, 0, b'x']);
    for (bad, what) in [
        (bad_crc, "checksum"),
        ((0x02, vec![]), "must not be skipped"),
        ((0x01, vec![1, 2, 3]), "without its checksum"),
        ((0xff, b"s3cret".to_vec()), "another identifier"),
    ] {
        match read(&stream(SNAPPY, &[good.clone(), bad])) {
            Err(Error::Snappy { offset, what: found }) => assert!(offset == second && found.contains(what), "{found}"),
            other => panic!("{what}: {other:?}"),
        }
    }
    let whole = stream(SNAPPY, &[good]);
    for end in 11..whole.len() {
        assert!(matches!(read(&whole[..end]), Err(Error::Truncated { .. })), "cut at {end}");
    }
    assert!(matches!(read(b"neither one"), Err(Error::Unknown)));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(identifier in prop_oneof![Just(SNAPPY), Just(S2)], bytes: Vec<u8>, block: Vec<u8>) {
        _ = read(&[&MAGIC[..], identifier, &bytes].concat());
        _ = read(&stream(identifier, &[(0x00, [&[0; 4][..], &block].concat())]));
        _ = unpacked(&block, true);
    }
}
