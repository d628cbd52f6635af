//! AES in counter mode, and the secrets around it.
//!
//! Counter mode hides and does not authenticate: whoever can write the object can flip its bits. The HMACs of
//! `digest.rs`, under a key derived here, are what makes that visible.

use std::fmt;
use std::io::{self, Read, Write};

use aes::{Aes128, Aes192, Aes256};
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::digest::{from_hex, to_hex};
use crate::gzip::read_full;
use crate::{Error, Mac, Sha256Digest};

/// Bytes of an IV: one AES block.
pub const IV_BYTES: usize = 16;

/// Bytes encrypted at once: they stay in the first-level cache.
const CHUNK_BYTES: usize = 16 << 10;

/// The secret that a backup is encrypted with: 16, 24 or 32 bytes for AES-128, -192 or -256.
///
/// It cannot be printed or serialised, and wipes itself.
#[derive(Clone)]
pub struct EncryptionKey(Zeroizing<Vec<u8>>);

/// A key of a length that AES does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an encryption key has 16, 24 or 32 bytes, this one has {len}{}", newline_hint(*ends_with_newline))]
pub struct InvalidKey {
    /// Bytes that were found.
    pub len: usize,
    /// Without its last byte, a newline, it would be a key.
    pub ends_with_newline: bool,
}

fn newline_hint(ends_with_newline: bool) -> &'static str {
    if ends_with_newline {
        ": it ends with a newline; write the key without it, e.g. with printf %s or head -c"
    } else {
        ""
    }
}

impl EncryptionKey {
    /// Takes the content of a key file as it is.
    pub fn new(bytes: &[u8]) -> Result<EncryptionKey, InvalidKey> {
        match bytes.len() {
            16 | 24 | 32 => Ok(EncryptionKey(Zeroizing::new(bytes.to_vec()))),
            len => Err(InvalidKey { len, ends_with_newline: matches!(len, 17 | 25 | 33) && bytes.ends_with(b"\n") }),
        }
    }

    /// What a manifest keeps so that a wrong key is named before anything is touched. It does not reveal the key.
    pub fn check(&self) -> KeyCheck {
        let mut mac = self.mac(b"graphdb/1 key check");
        mac.update(b"graphdb key check value");
        let mut check = [0; KeyCheck::BYTES];
        check.copy_from_slice(&mac.finalize().into_bytes()[..KeyCheck::BYTES]);
        KeyCheck(check)
    }

    /// The HMAC of an object, over the digest of its stored bytes.
    pub(crate) fn object_mac(&self, digest: &Sha256Digest) -> Mac {
        Mac::of(self.mac(b"graphdb/1 object mac"), &digest.0)
    }

    /// The HMAC of a manifest, over its bytes before the HMAC.
    pub(crate) fn manifest_mac(&self, bytes: &[u8]) -> Mac {
        Mac::of(self.mac(b"graphdb/1 manifest mac"), bytes)
    }

    /// An HMAC-SHA-256 under a 32-byte key derived with HKDF-SHA-256 (no salt, `label` as info): each use has a key of
    /// its own, and none is the key that AES uses.
    fn mac(&self, label: &[u8]) -> Hmac<Sha256> {
        let mut derived = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, &self.0)
            .expand(label, derived.as_mut())
            .expect("HKDF-SHA-256 gives up to 8,160 bytes");
        Hmac::new_from_slice(derived.as_ref()).expect("HMAC takes keys of any length")
    }

    fn keystream(&self, iv: &Iv) -> Keystream {
        let valid = "the constructor checked the length";
        match self.0.len() {
            16 => Keystream::Aes128(Box::new(KeyIvInit::new_from_slices(&self.0, &iv.0).expect(valid))),
            24 => Keystream::Aes192(Box::new(KeyIvInit::new_from_slices(&self.0, &iv.0).expect(valid))),
            _ => Keystream::Aes256(Box::new(KeyIvInit::new_from_slices(&self.0, &iv.0).expect(valid))),
        }
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncryptionKey(redacted)")
    }
}

/// The first counter block: 16 random bytes, fresh for every object. A repeated (key, IV) reveals both plaintexts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Iv(pub [u8; IV_BYTES]);

/// Proves that two keys are the same without being either: the first half of an HMAC over a fixed text.
#[derive(Clone, Copy)]
pub struct KeyCheck([u8; KeyCheck::BYTES]);

impl KeyCheck {
    const BYTES: usize = 16;

    /// Reads 32 hex digits.
    pub fn from_hex(text: &str) -> Option<KeyCheck> {
        from_hex(text).map(KeyCheck)
    }
}

impl PartialEq for KeyCheck {
    fn eq(&self, other: &KeyCheck) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for KeyCheck {}

impl fmt::Display for KeyCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for KeyCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyCheck({self})")
    }
}

/// One keystream over a whole object; the 128-bit counter is big-endian and wraps.
enum Keystream {
    Aes128(Box<Ctr128BE<Aes128>>),
    Aes192(Box<Ctr128BE<Aes192>>),
    Aes256(Box<Ctr128BE<Aes256>>),
}

impl Keystream {
    fn apply(&mut self, bytes: &mut [u8]) {
        match self {
            Keystream::Aes128(cipher) => cipher.apply_keystream(bytes),
            Keystream::Aes192(cipher) => cipher.apply_keystream(bytes),
            Keystream::Aes256(cipher) => cipher.apply_keystream(bytes),
        }
    }
}

/// Encrypts what is written, or passes it on as it is.
pub struct CipherWriter<W: Write> {
    out: W,
    keystream: Option<Keystream>,
    chunk: Vec<u8>,
}

impl<W: Write> CipherWriter<W> {
    /// Writes `iv` in clear and encrypts all that follows; without a key everything passes through.
    pub fn new(mut out: W, encryption: Option<(&EncryptionKey, Iv)>) -> io::Result<CipherWriter<W>> {
        let keystream = match encryption {
            None => None,
            Some((key, iv)) => {
                out.write_all(&iv.0)?;
                Some(key.keystream(&iv))
            }
        };
        Ok(CipherWriter { out, keystream, chunk: Vec::new() })
    }

    /// Gives `out` back; counter mode has nothing to close.
    pub fn into_inner(self) -> W {
        self.out
    }
}

impl<W: Write> Write for CipherWriter<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let Some(keystream) = &mut self.keystream else {
            return self.out.write(buf);
        };
        let taken = buf.len().min(CHUNK_BYTES);
        self.chunk.clear();
        self.chunk.extend_from_slice(&buf[..taken]);
        keystream.apply(&mut self.chunk);
        self.out.write_all(&self.chunk)?;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<W: Write> fmt::Debug for CipherWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CipherWriter").field("encrypted", &self.keystream.is_some()).finish_non_exhaustive()
    }
}

/// Decrypts what is read, or passes it on as it is.
pub struct CipherReader<R: Read> {
    input: R,
    keystream: Option<Keystream>,
}

impl<R: Read> CipherReader<R> {
    /// Reads the IV and decrypts all that follows; without a key everything passes through.
    ///
    /// # Errors
    /// [`Error::Truncated`] if there is no whole IV.
    pub fn new(mut input: R, key: Option<&EncryptionKey>) -> Result<CipherReader<R>, Error> {
        let Some(key) = key else {
            return Ok(CipherReader { input, keystream: None });
        };
        let mut iv = Iv([0; IV_BYTES]);
        let got = read_full(&mut input, &mut iv.0)?;
        if got < IV_BYTES {
            return Err(Error::Truncated { offset: got as u64 });
        }
        Ok(CipherReader { keystream: Some(key.keystream(&iv)), input })
    }

    /// Gives `input` back.
    pub fn into_inner(self) -> R {
        self.input
    }
}

impl<R: Read> Read for CipherReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buf)?;
        if let Some(keystream) = &mut self.keystream {
            keystream.apply(&mut buf[..read]);
        }
        Ok(read)
    }
}

impl<R: Read> fmt::Debug for CipherReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CipherReader").field("encrypted", &self.keystream.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
