use std::io::{self, Read};

use crate::decompress::{Compression, Decompressor};
use crate::digest::DigestReader;
use crate::{CipherReader, EncryptionKey, Entry, Error, FrameReader, KeyValue, StoredObject};

/// Bytes read at once where nothing but the digest is wanted.
const CHECK_BUFFER_BYTES: usize = 256 << 10;

/// Reads one archive, ours or Dgraph's: digests → AES-CTR → gzip, Snappy or S2 → frames.
///
/// It is a cursor, so that a merge can look at many at once. What it shows is proved only by
/// [`ArchiveReader::finish_verify`]: whatever was made of the entries has to be thrown away if that fails.
#[derive(Debug)]
pub struct ArchiveReader<R: Read> {
    frames: FrameReader<Decompressor<CipherReader<DigestReader<R>>>>,
    key: Option<EncryptionKey>,
    compression: Compression,
}

impl<R: Read> ArchiveReader<R> {
    /// Opens an archive, an encrypted one if a key is given. `workers` threads decompress; 0 reads on the caller's thread,
    /// which is right when many archives are merged.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a foreign file or a wrong key, [`Error::Truncated`] for next to nothing.
    pub fn open(input: R, key: Option<&EncryptionKey>, workers: usize) -> Result<ArchiveReader<R>, Error> {
        let cipher = CipherReader::new(DigestReader::new(input), key)?;
        let decompressor = Decompressor::new(cipher, workers)?;
        let compression = decompressor.compression();
        Ok(ArchiveReader { frames: FrameReader::new(decompressor), key: key.cloned(), compression })
    }

    /// Moves to the next key-value; `false` at the end. After an error the archive cannot be read further.
    #[inline]
    pub fn advance(&mut self) -> Result<bool, Error> {
        self.frames.advance()
    }

    /// The key-value that [`ArchiveReader::advance`] moved to, as it stands in the archive.
    #[inline]
    pub fn current(&self) -> Option<KeyValue<'_>> {
        self.frames.current()
    }

    /// Moves on and shows the raw key-value.
    #[expect(clippy::should_implement_trait, reason = "lends from the frame, which an iterator cannot")]
    pub fn next(&mut self) -> Result<Option<KeyValue<'_>>, Error> {
        self.frames.next()
    }

    /// Moves on and reads the key: slower than [`ArchiveReader::next`], and ready to use.
    pub fn next_entry(&mut self) -> Result<Option<Entry<'_>>, Error> {
        self.frames.next()?.map(|kv| kv.entry().map_err(Error::from)).transpose()
    }

    /// What the archive is compressed with, told by its first bytes.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// Where the current key-value begins, in bytes from the start of the decompressed archive.
    #[inline]
    pub fn offset(&self) -> u64 {
        self.frames.offset()
    }

    /// Key-values met so far.
    pub fn entries(&self) -> u64 {
        self.frames.entries()
    }

    /// Bytes of frames read so far, for progress.
    pub fn raw_bytes(&self) -> u64 {
        self.frames.raw_bytes()
    }

    /// Reads what is left and returns what was found, unproved: for archives whose manifest knows no digests.
    pub fn finish(mut self) -> Result<StoredObject, Error> {
        while self.advance()? {}
        let (entries, raw_bytes) = (self.frames.entries(), self.frames.raw_bytes());
        let mut cipher = self.frames.into_inner().into_inner();
        io::copy(&mut cipher, &mut io::sink())?;
        let (_, stored) = cipher.into_inner().finish();
        Ok(StoredObject::new(stored, self.key.as_ref(), raw_bytes, entries))
    }

    /// Reads what is left and proves that the archive is the one that `expected` describes, byte for byte.
    pub fn finish_verify(self, expected: &StoredObject) -> Result<(), Error> {
        let found = self.finish()?;
        compare_stored(expected, &found)?;
        content("entries", expected.entries, found.entries)?;
        content("bytes of frames", expected.raw_bytes, found.raw_bytes)
    }
}

/// Proves the stored bytes of an object without decompressing them: size, SHA-256, and HMAC if there is a key. A key is
/// given if and only if the object is encrypted. Reads no more than one buffer beyond the expected size.
pub fn check_stored(input: impl Read, key: Option<&EncryptionKey>, expected: &StoredObject) -> Result<(), Error> {
    let mut input = DigestReader::new(input.take(expected.size_bytes.saturating_add(1)));
    let mut buffer = vec![0; CHECK_BUFFER_BYTES];
    while crate::gzip::read_full(&mut input, &mut buffer)? > 0 {}
    let found = StoredObject::new(input.finish().1, key, expected.raw_bytes, expected.entries);
    compare_stored(expected, &found)
}

fn compare_stored(expected: &StoredObject, found: &StoredObject) -> Result<(), Error> {
    if found.size_bytes != expected.size_bytes {
        return Err(Error::Size { expected: expected.size_bytes, found: found.size_bytes });
    }
    if found.sha256 != expected.sha256 {
        return Err(Error::Digest { expected: expected.sha256, found: found.sha256 });
    }
    if found.hmac != expected.hmac {
        return Err(Error::Mac { expected: expected.hmac, found: found.hmac });
    }
    Ok(())
}

fn content(what: &'static str, expected: u64, found: u64) -> Result<(), Error> {
    if found == expected { Ok(()) } else { Err(Error::Content { what, expected, found }) }
}
