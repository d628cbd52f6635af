#![expect(clippy::unwrap_used)]

use std::io::Write;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::member::END_MEMBER;
use super::*;
use crate::Error;

/// Bytes that compress somewhat and differ everywhere.
fn sample(len: usize) -> Vec<u8> {
    let mut state = 7u32;
    let next = |i: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if i.is_multiple_of(3) { (state >> 24) as u8 } else { (i / 64) as u8 }
    };
    (0..len).map(next).collect()
}

fn gzip(raw: &[u8], level: u8, workers: usize) -> Vec<u8> {
    let mut writer = GzipWriter::new(Vec::new(), GzipLevel::new(level).unwrap(), workers);
    writer.write_all(raw).unwrap();
    writer.finish().unwrap()
}

fn gunzip(stored: &[u8], workers: usize) -> Result<Vec<u8>, Error> {
    let mut raw = Vec::new();
    GzipReader::new(stored, workers)?.read_to_end(&mut raw)?;
    Ok(raw)
}

#[test]
fn what_was_written_is_read_by_us_and_by_any_gzip_reader() {
    for len in [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 9 * BLOCK_BYTES + 17] {
        let raw = sample(len);
        for (level, workers) in [(1, 0), (2, 1), (6, 3)] {
            let stored = gzip(&raw, level, workers);
            let mut foreign = Vec::new();
            MultiGzDecoder::new(&stored[..]).read_to_end(&mut foreign).unwrap();
            assert!(foreign == raw, "{len} bytes by flate2");
            for workers in [0, 1, 4] {
                assert!(gunzip(&stored, workers).unwrap() == raw, "{len} bytes by {workers} workers");
            }
        }
    }
}

#[test]
fn the_threads_do_not_change_the_bytes() {
    let raw = sample(5 * BLOCK_BYTES + 3);
    assert!(gzip(&raw, 2, 0) == gzip(&raw, 2, 4));
}

#[test]
fn bytes_that_do_not_compress_fit_a_member() {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    let raw: Vec<u8> = (0..BLOCK_BYTES).map(|_| next()).collect();
    for level in 1..=12 {
        assert!(gunzip(&gzip(&raw, level, 0), 0).unwrap() == raw, "level {level}");
    }
}

#[test]
fn levels_are_1_to_12() {
    assert_eq!((GzipLevel::new(0), GzipLevel::new(13)), (None, None));
    assert_eq!(GzipLevel::new(12).unwrap().get(), 12);
}

#[test]
fn foreign_gzip_is_read_with_one_member_and_with_many() {
    let raw = sample(300_000);
    let member = |part: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
        encoder.write_all(part).unwrap();
        encoder.finish().unwrap()
    };
    assert!(gunzip(&member(&raw), 2).unwrap() == raw);
    let (head, tail) = raw.split_at(1000);
    assert!(gunzip(&[member(head), member(&[]), member(tail)].concat(), 2).unwrap() == raw);
}

#[test]
fn damage_is_named_with_its_offset() {
    let raw = sample(2 * BLOCK_BYTES);
    let stored = gzip(&raw, 2, 0);
    let second = u32::from_le_bytes(stored[16..20].try_into().unwrap()) as usize;
    let damaged = |at: usize| {
        let mut copy = stored.clone();
        copy[at] ^= 0x40;
        gunzip(&copy, 2).unwrap_err().to_string()
    };
    let near = format!("damaged gzip data near byte {second}: ");
    for at in [second, second + 2, second + 12, second + 19, second + 5000, stored.len() - END_MEMBER.len() - 6] {
        assert!(damaged(at).starts_with(&near), "{at}: {}", damaged(at));
    }
    let err = gunzip(&[&stored[..], b"more"].concat(), 2).unwrap_err().to_string();
    assert_eq!(err, format!("damaged gzip data near byte {}: bytes after the end of the archive", stored.len()));
    let cut = stored.len() - END_MEMBER.len();
    let err = gunzip(&stored[..cut], 2).unwrap_err().to_string();
    assert_eq!(err, format!("the archive is cut off at byte {cut}"));
}

#[test]
fn every_cut_and_every_flipped_byte_of_small_gzip_is_an_error() {
    let ours = gzip(b"some bytes that are worth keeping", 2, 0);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(b"some bytes that are worth keeping").unwrap();
    let theirs = encoder.finish().unwrap();
    for stored in [&ours, &theirs] {
        for cut in 0..stored.len() {
            assert!(gunzip(&stored[..cut], 1).is_err(), "cut at {cut}");
        }
        assert!(gunzip(&[&stored[..], &[0]].concat(), 1).is_err(), "a byte too many");
    }
    for at in 0..ours.len() {
        let mut copy = ours.clone();
        copy[at] ^= 1;
        // A header's time or system may change without changing the data; nothing else may.
        assert!(gunzip(&copy, 1).map_or(true, |raw| raw == b"some bytes that are worth keeping"), "byte {at}");
    }
}

#[test]
fn foreign_damage_is_named_with_how_far_it_was_read() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(&sample(100_000)).unwrap();
    let mut stored = encoder.finish().unwrap();
    let crc = stored.len() - 6;
    stored[crc] ^= 1;
    assert!(
        matches!(gunzip(&stored, 0), Err(Error::Gzip { offset, .. }) if offset >= crc as u64),
        "{:?}",
        gunzip(&stored, 0)
    );
}

#[test]
fn what_is_not_gzip_is_refused() {
    assert!(matches!(gunzip(b"sNaPpY and more", 0), Err(Error::Unknown)));
    assert!(matches!(gunzip(b"", 0), Err(Error::Truncated { offset: 0 })));
}

#[test]
fn a_bomb_under_our_own_subfield_allocates_one_block_at_most() {
    let zeros = vec![0; 64 << 20];
    let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::best());
    let mut deflated = vec![0; compressor.deflate_compress_bound(zeros.len())];
    let len = compressor.deflate_compress(&zeros, &mut deflated).unwrap();
    for claimed in [zeros.len() as u32, BLOCK_BYTES as u32, 10] {
        let mut member = END_MEMBER[..16].to_vec();
        member.extend_from_slice(&u32::try_from(28 + len).unwrap().to_le_bytes());
        member.extend_from_slice(&deflated[..len]);
        member.extend_from_slice(&libdeflater::crc32(&zeros).to_le_bytes());
        member.extend_from_slice(&claimed.to_le_bytes());
        let mut block = Vec::new();
        assert!(super::member::decompress(&mut libdeflater::Decompressor::new(), &member, &mut block).is_err());
        assert!(block.capacity() <= BLOCK_BYTES);
        assert!(gunzip(&[&member[..], &END_MEMBER].concat(), 2).is_err());
    }
    for size in [0u32, 29, u32::MAX] {
        let mut member = END_MEMBER.to_vec();
        member[16..20].copy_from_slice(&size.to_le_bytes());
        let err = gunzip(&member, 0).unwrap_err().to_string();
        assert!(err.contains("impossible length"), "{err}");
    }
}

#[test]
fn a_foreign_bomb_of_a_gibibyte_streams_through_a_small_buffer() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(9));
    let zeros = vec![0; 1 << 20];
    for _ in 0..1024 {
        encoder.write_all(&zeros).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    let mut reader = GzipReader::new(&bomb[..], 2).unwrap();
    assert_eq!(io::copy(&mut reader, &mut io::sink()).unwrap(), 1 << 30);
}
