//! What a manifest remembers of an object's stored bytes: their SHA-256 always, and when there is a key an HMAC over that.
//!
//! The HMAC covers the digest and not the bytes again: it proves as much, because nobody finds other bytes with the same
//! SHA-256, and a second pass over the bytes would cost a backup as much as a tenth of its compression.

use std::fmt;
use std::io::{self, Read, Write};

use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

/// A SHA-256: finds damage.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sha256Digest(pub [u8; 32]);

/// An HMAC-SHA-256 under a key derived from the encryption key: finds tampering. Compared in constant time.
#[derive(Clone, Copy)]
pub struct Mac([u8; 32]);

impl Sha256Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Sha256Digest {
        Sha256Digest(Sha256::digest(bytes).into())
    }

    /// Reads 64 hex digits.
    pub fn from_hex(text: &str) -> Option<Sha256Digest> {
        from_hex(text).map(Sha256Digest)
    }
}

impl Mac {
    /// Reads 64 hex digits.
    pub fn from_hex(text: &str) -> Option<Mac> {
        from_hex(text).map(Mac)
    }

    /// The HMAC of `bytes`, which `mac` was made for.
    pub(crate) fn of(mut mac: Hmac<Sha256>, bytes: &[u8]) -> Mac {
        mac.update(bytes);
        Mac(mac.finalize().into_bytes().into())
    }
}

impl PartialEq for Mac {
    fn eq(&self, other: &Mac) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Mac {}

impl fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256Digest({self})")
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mac({self})")
    }
}

/// Lower-case hex.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Exactly `N` bytes of hex, in either case.
pub(crate) fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let text = text.as_bytes();
    if text.len() != 2 * N {
        return None;
    }
    // One text for one digest: a seal whose letters changed case was changed.
    let digit = |byte: u8| char::from(byte).to_digit(16).filter(|_| !byte.is_ascii_uppercase());
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).expect("two hex digits are one byte");
    }
    Some(bytes)
}

/// What is known of stored bytes once all have passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredDigest {
    /// How many there were.
    pub size_bytes: u64,
    /// Their SHA-256.
    pub sha256: Sha256Digest,
}

/// Counts and digests bytes as they pass. `sha2` finds the processor's own instructions by itself.
struct Digesting {
    size_bytes: u64,
    sha256: Sha256,
}

impl Digesting {
    fn new() -> Digesting {
        Digesting { size_bytes: 0, sha256: Sha256::new() }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.size_bytes += bytes.len() as u64;
        self.sha256.update(bytes);
    }

    fn finish(self) -> StoredDigest {
        StoredDigest { size_bytes: self.size_bytes, sha256: Sha256Digest(self.sha256.finalize().into()) }
    }
}

/// Digesting what is written.
pub struct DigestWriter<W: Write> {
    out: W,
    digest: Digesting,
}

impl<W: Write> DigestWriter<W> {
    /// Starts empty.
    pub fn new(out: W) -> DigestWriter<W> {
        DigestWriter { out, digest: Digesting::new() }
    }

    /// Gives `out` back with the digest of what went through.
    pub fn finish(self) -> (W, StoredDigest) {
        (self.out, self.digest.finish())
    }
}

impl<W: Write> Write for DigestWriter<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = self.out.write(buf)?;
        self.digest.update(&buf[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<W: Write> fmt::Debug for DigestWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DigestWriter").field("size_bytes", &self.digest.size_bytes).finish_non_exhaustive()
    }
}

/// Digesting what is read.
pub struct DigestReader<R: Read> {
    input: R,
    digest: Digesting,
}

impl<R: Read> DigestReader<R> {
    /// Starts empty.
    pub fn new(input: R) -> DigestReader<R> {
        DigestReader { input, digest: Digesting::new() }
    }

    /// Gives `input` back with the digest of what went through.
    pub fn finish(self) -> (R, StoredDigest) {
        (self.input, self.digest.finish())
    }
}

impl<R: Read> Read for DigestReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buf)?;
        self.digest.update(&buf[..read]);
        Ok(read)
    }
}

impl<R: Read> fmt::Debug for DigestReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DigestReader").field("size_bytes", &self.digest.size_bytes).finish_non_exhaustive()
    }
}
