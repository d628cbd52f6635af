//! The framing format of Snappy, and S2, which extends it: what Dgraph writes since v21.03, and since v25.0.
//!
//! A stream is a row of chunks: a type byte, a length of three bytes (little-endian), and so many bytes. Reading alone is
//! done here; graphdb writes gzip.

mod block;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Read};

use crate::Error;
use crate::gzip::read_full;

/// How every stream begins: an identifier chunk of six bytes, here up to where Snappy and S2 differ.
pub(crate) const MAGIC: [u8; 4] = [0xff, 6, 0, 0];

const SNAPPY: &[u8; 6] = b"sNaPpY";
const S2: &[u8; 6] = b"S2sTwO";

/// The most that a chunk of Snappy decompresses to.
const MAX_SNAPPY_BYTES: usize = 64 << 10;

/// The most that a chunk of S2 decompresses to. Dgraph's are 1 MiB.
const MAX_S2_BYTES: usize = 4 << 20;

/// Room for what compression can add to a block that does not compress.
const SLACK_BYTES: usize = 64 << 10;

/// Bytes of the masked CRC-32C in front of a chunk's data.
const CRC_BYTES: usize = 4;

/// Decompresses a stream of Snappy or S2, whichever its identifier says. One chunk is in memory at a time, at most twice
/// 4 MiB. Errors are [`Error`]s inside [`io::Error`] and name the offset of the chunk.
pub(crate) struct SnappyReader<R: Read> {
    input: R,
    dialect: Dialect,
    /// Where the next chunk begins.
    offset: u64,
    chunk: Vec<u8>,
    block: Vec<u8>,
    taken: usize,
    /// No data was met yet.
    is_empty: bool,
}

/// Which of the two formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Snappy,
    S2,
}

impl<R: Read> SnappyReader<R> {
    /// Reads the identifier.
    ///
    /// # Errors
    /// [`Error::Unknown`] for anything else, [`Error::Truncated`] for less.
    pub(crate) fn new(mut input: R) -> Result<SnappyReader<R>, Error> {
        let mut head = [0; MAGIC.len() + SNAPPY.len()];
        let got = read_full(&mut input, &mut head)?;
        if got < head.len() && head[..got].iter().zip(MAGIC).all(|(a, b)| *a == b) {
            return Err(Error::Truncated { offset: got as u64 });
        }
        let dialect = Dialect::read(&head[MAGIC.len()..]).filter(|_| head.starts_with(&MAGIC)).ok_or(Error::Unknown)?;
        let (chunk, block) = (Vec::new(), Vec::new());
        Ok(SnappyReader { input, dialect, offset: head.len() as u64, chunk, block, taken: 0, is_empty: true })
    }

    /// Whether the identifier said S2.
    pub(crate) fn is_s2(&self) -> bool {
        self.dialect == Dialect::S2
    }

    /// Gives the stream back.
    pub(crate) fn into_inner(self) -> R {
        self.input
    }

    /// Reads chunks until one holds data; `false` at the end of the stream.
    fn next_block(&mut self) -> io::Result<bool> {
        loop {
            let offset = self.offset;
            let Some(kind) = self.next_chunk()? else { return self.end() };
            let damage = |what: &str| Err(Error::Snappy { offset, what: what.into() }.into());
            match kind {
                0x00 | 0x01 => match self.unpack(kind == 0x00) {
                    Ok(()) if self.block.is_empty() => {}
                    Ok(()) => {
                        self.is_empty = false;
                        return Ok(true);
                    }
                    Err(what) => return damage(what),
                },
                0xff => match Dialect::read(&self.chunk) {
                    Some(dialect) => self.dialect = dialect,
                    None => return damage("another identifier than those of Snappy and S2"),
                },
                0x02..=0x7f => return damage("a chunk of a kind that must not be skipped"),
                0x80..=0xfe => {}
            }
        }
    }

    /// The format has no end mark. But whoever writes it ends every archive with two frames, so that a stream without any
    /// data was cut off, or the type of its only chunk became one that is skipped.
    fn end(&self) -> io::Result<bool> {
        if self.is_empty { Err(Error::Truncated { offset: self.offset }.into()) } else { Ok(false) }
    }

    /// The kind of the next chunk, whose bytes are then in `chunk`.
    fn next_chunk(&mut self) -> io::Result<Option<u8>> {
        let mut head = [0; 4];
        match read_full(&mut self.input, &mut head)? {
            0 => return Ok(None),
            4 => {}
            got => return Err(Error::Truncated { offset: self.offset + got as u64 }.into()),
        }
        let [kind, length @ ..] = head;
        let len = usize::from(length[0]) | usize::from(length[1]) << 8 | usize::from(length[2]) << 16;
        if kind < 0x80 && len > self.dialect.max_bytes() + SLACK_BYTES {
            return Err(Error::Snappy { offset: self.offset, what: format!("a chunk of {len} bytes") }.into());
        }
        self.chunk.clear();
        let got = (&mut self.input).take(len as u64).read_to_end(&mut self.chunk)?;
        self.offset += (head.len() + got) as u64;
        if got < len {
            return Err(Error::Truncated { offset: self.offset }.into());
        }
        Ok(Some(kind))
    }

    /// Makes the block of the chunk and checks it.
    fn unpack(&mut self, is_compressed: bool) -> Result<(), &'static str> {
        let (crc, data) = self.chunk.split_at_checked(CRC_BYTES).ok_or("a chunk without its checksum")?;
        self.taken = 0;
        self.block.clear();
        let max = self.dialect.max_bytes();
        match is_compressed {
            true => block::decompress(data, &mut self.block, max, self.dialect == Dialect::S2)?,
            false if data.len() <= max => self.block.extend_from_slice(data),
            false => return Err("a chunk that is longer than its format allows"),
        }
        let expected = u32::from_le_bytes(crc.try_into().expect("four bytes were split off"));
        if masked(crc32c::crc32c(&self.block)) == expected { Ok(()) } else { Err("the checksum of a chunk is another") }
    }
}

/// How the format stores checksums: rotated and shifted, so that the checksum of data with checksums in it stays useful.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

impl Dialect {
    fn read(identifier: &[u8]) -> Option<Dialect> {
        [(SNAPPY, Dialect::Snappy), (S2, Dialect::S2)].into_iter().find(|(id, _)| *id == identifier).map(|(_, d)| d)
    }

    fn max_bytes(self) -> usize {
        match self {
            Dialect::Snappy => MAX_SNAPPY_BYTES,
            Dialect::S2 => MAX_S2_BYTES,
        }
    }
}

impl<R: Read> Read for SnappyReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.block.len() && !self.next_block()? {
            return Ok(0);
        }
        let rest = &self.block[self.taken..];
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        self.taken += len;
        Ok(len)
    }
}

impl<R: Read> fmt::Debug for SnappyReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SnappyReader").field(&self.dialect).finish()
    }
}
