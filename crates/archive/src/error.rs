use std::io;

use graphdb_types::Malformed;

use crate::{Mac, Sha256Digest};

/// Why an archive could not be written or read. Whoever knows the object's name adds it.
///
/// Offsets are bytes from the start of the stream they name: the *stored* archive for gzip and snappy (decrypted, without its IV),
/// the *decompressed* archive for frames.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The reader or writer underneath failed.
    #[error("could not read or write the archive")]
    Io(#[source] io::Error),
    /// The first bytes are of no compression that backups have: a foreign file, or one that was decrypted with the wrong key.
    #[error(
        "the archive begins with neither gzip nor snappy data: either it is not a backup, or the encryption key is not its key"
    )]
    Unknown,
    /// The stored bytes end too early.
    #[error("the archive is cut off at byte {offset}")]
    Truncated {
        /// Where the bytes ended.
        offset: u64,
    },
    /// Gzip data that does not decompress to what it says.
    #[error("damaged gzip data near byte {offset}: {what}")]
    Gzip {
        /// The start of the member, or how far the stream was read.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// Snappy or S2 data that does not decompress to what it says.
    #[error("damaged snappy data at byte {offset}: {what}")]
    Snappy {
        /// Where the chunk begins.
        offset: u64,
        /// What is wrong with it.
        what: String,
    },
    /// A frame that is not a list of key-values.
    #[error("damaged frame near byte {offset} of the decompressed archive: {what}")]
    Frame {
        /// Where the frame begins.
        offset: u64,
        /// What is wrong with it.
        what: String,
    },
    /// A key-value that would make a frame longer than any reader accepts.
    #[error("a key-value of {len} bytes does not fit a frame, which has at most {max} bytes", max = crate::MAX_FRAME_BYTES)]
    EntryTooLong {
        /// Bytes of the encoded key-value.
        len: u64,
    },
    /// A key-value that could be framed but not understood.
    #[error("damaged key-value in the archive")]
    Entry(#[from] Malformed),
    /// An error was reported before; what follows cannot be trusted.
    #[error("the archive was found damaged before; it cannot be read further")]
    Broken,
    /// The stored object is not as long as its manifest says.
    #[error("the object has {found} bytes, its manifest says {expected}")]
    Size {
        /// Bytes according to the manifest.
        expected: u64,
        /// Bytes that were read.
        found: u64,
    },
    /// The stored bytes are not those that were written.
    #[error("the object's SHA-256 is {found}, its manifest says {expected}: it was damaged or replaced")]
    Digest {
        /// According to the manifest.
        expected: Sha256Digest,
        /// Of what was read.
        found: Sha256Digest,
    },
    /// The stored bytes were not written by an owner of the key.
    #[error("the object's HMAC is {}, its manifest says {}: it was tampered with", shown(found), shown(expected))]
    Mac {
        /// According to the manifest.
        expected: Option<Mac>,
        /// Of what was read.
        found: Option<Mac>,
    },
    /// The decompressed archive holds more or less than its manifest says.
    #[error("the archive holds {found} {what}, its manifest says {expected}")]
    Content {
        /// `entries` or `bytes of frames`.
        what: &'static str,
        /// According to the manifest.
        expected: u64,
        /// What was read.
        found: u64,
    },
}

fn shown(mac: &Option<Mac>) -> String {
    mac.as_ref().map_or_else(|| "absent".into(), Mac::to_string)
}

/// Layers meet in `Read` and `Write`, so our own errors pass through [`io::Error`] and are unpacked here.
impl From<io::Error> for Error {
    fn from(err: io::Error) -> Error {
        err.downcast::<Error>().unwrap_or_else(Error::Io)
    }
}

impl From<Error> for io::Error {
    fn from(err: Error) -> io::Error {
        match err {
            Error::Io(source) => source,
            other => io::Error::new(io::ErrorKind::InvalidData, other),
        }
    }
}
