//! The layers of a stored archive: gzip in one member or many, Snappy, S2, and AES in counter mode; and reading it whole.
#![allow(dead_code, reason = "shared by test binaries, of which none needs all")]

use std::io::Write as _;

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256, Block};
use flate2::{Compression, GzBuilder};
use graphdb_archive::{ArchiveReader, EncryptionKey, Error};

use crate::frames::Kv;
use crate::snappy;

/// How frames are compressed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Codec {
    /// One member for every `member_len` bytes.
    Gzip {
        member_len: usize,
        level: u32,
    },
    Snappy {
        chunk_len: usize,
        mixed: bool,
    },
    S2 {
        chunk_len: usize,
        mixed: bool,
    },
}

pub(crate) fn compress(frames: &[u8], codec: Codec) -> Vec<u8> {
    match codec {
        Codec::Gzip { member_len, level } => gzip(frames, member_len, level),
        Codec::Snappy { chunk_len, mixed } => snappy::stream(snappy::SNAPPY, frames, chunk_len, mixed),
        Codec::S2 { chunk_len, mixed } => snappy::stream(snappy::S2, frames, chunk_len, mixed),
    }
}

/// Members with and without a name and a time in their headers; nothing at all is one empty member.
fn gzip(data: &[u8], member_len: usize, level: u32) -> Vec<u8> {
    let nothing: &[u8] = &[];
    let pieces = data.chunks(member_len).chain(data.is_empty().then_some(nothing));
    let members = pieces.enumerate().map(|(at, piece)| {
        let header = if at % 2 == 1 { GzBuilder::new().filename("r7-g1").mtime(7) } else { GzBuilder::new() };
        let mut encoder = header.write(Vec::new(), Compression::new(level));
        encoder.write_all(piece).and_then(|()| encoder.finish()).expect("memory takes every byte")
    });
    members.collect::<Vec<_>>().concat()
}

/// The IV in clear, then the bytes under AES-CTR: the whole block is the counter, big-endian, and wraps.
pub(crate) fn encrypt(plain: &[u8], key: &[u8], iv: [u8; 16]) -> Vec<u8> {
    let mut stored = iv.to_vec();
    let mut counter = u128::from_be_bytes(iv);
    for piece in plain.chunks(iv.len()) {
        let pad = encrypt_block(key, counter);
        stored.extend(piece.iter().zip(pad).map(|(byte, pad)| byte ^ pad));
        counter = counter.wrapping_add(1);
    }
    stored
}

fn encrypt_block(key: &[u8], counter: u128) -> Block {
    let mut block = Block::from(counter.to_be_bytes());
    let fits = "the length was looked at";
    match key.len() {
        16 => Aes128::new_from_slice(key).expect(fits).encrypt_block(&mut block),
        24 => Aes192::new_from_slice(key).expect(fits).encrypt_block(&mut block),
        _ => Aes256::new_from_slice(key).expect(fits).encrypt_block(&mut block),
    }
    block
}

/// Every key-value of an archive, up to its end.
pub(crate) fn read(stored: &[u8], key: Option<&[u8]>) -> Result<Vec<Kv>, Error> {
    let key = key.map(|key| EncryptionKey::new(key).expect("a key of AES"));
    let mut reader = ArchiveReader::open(stored, key.as_ref(), 0)?;
    let mut kvs = Vec::new();
    while let Some(kv) = reader.next()? {
        let (key, value) = (kv.key.to_vec(), kv.value.to_vec());
        kvs.push(Kv { key, value, user_meta: kv.user_meta, version: kv.version });
    }
    Ok(kvs)
}
