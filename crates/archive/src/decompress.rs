//! Whatever a backup was compressed with, told by the first bytes: manifests say `snappy` of S2 too.

use std::fmt;
use std::io::{self, Chain, Cursor, Read};

use crate::gzip::read_full;
use crate::snappy::{self, SnappyReader};
use crate::{Error, GzipReader};

/// A stream of which the first bytes were looked at.
type Replayed<R> = Chain<Cursor<Vec<u8>>, R>;

/// What an archive is compressed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Gzip: ours, and Dgraph's to v20.11.
    Gzip,
    /// Snappy's framing: Dgraph v21.03 to v24.
    Snappy,
    /// S2's framing: Dgraph from v25.
    S2,
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Compression::Gzip => "gzip",
            Compression::Snappy => "snappy",
            Compression::S2 => "s2",
        })
    }
}

/// Decompresses gzip (also of many members), Snappy's framing and S2.
#[derive(Debug)]
pub(crate) enum Decompressor<R: Read> {
    Gzip(GzipReader<Replayed<R>>),
    Snappy(SnappyReader<Replayed<R>>),
}

impl<R: Read> Decompressor<R> {
    /// Looks at the first bytes; `workers` threads decompress gzip of ours.
    ///
    /// # Errors
    /// [`Error::Unknown`] for anything else, [`Error::Truncated`] for next to nothing.
    pub(crate) fn new(mut input: R, workers: usize) -> Result<Decompressor<R>, Error> {
        let mut head = vec![0; snappy::MAGIC.len()];
        let got = read_full(&mut input, &mut head)?;
        head.truncate(got);
        let is_snappy = head == snappy::MAGIC;
        let input = Cursor::new(head).chain(input);
        match is_snappy {
            true => Ok(Decompressor::Snappy(SnappyReader::new(input)?)),
            false => Ok(Decompressor::Gzip(GzipReader::new(input, workers)?)),
        }
    }

    /// What was found.
    pub(crate) fn compression(&self) -> Compression {
        match self {
            Decompressor::Gzip(_) => Compression::Gzip,
            Decompressor::Snappy(reader) if reader.is_s2() => Compression::S2,
            Decompressor::Snappy(_) => Compression::Snappy,
        }
    }

    /// Gives the stream back. After an end was reported, it stands there too.
    pub(crate) fn into_inner(self) -> R {
        let (_, input) = match self {
            Decompressor::Gzip(reader) => reader.into_inner().into_inner(),
            Decompressor::Snappy(reader) => reader.into_inner().into_inner(),
        };
        input
    }
}

impl<R: Read> Read for Decompressor<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Decompressor::Gzip(reader) => reader.read(buf),
            Decompressor::Snappy(reader) => reader.read(buf),
        }
    }
}
