//! Files that hold secrets. What is read stays in buffers that are overwritten when they are dropped and that never grow: growing would
//! leave copies behind.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use graphdb_archive::EncryptionKey;
use graphdb_types::Secret;
use zeroize::Zeroizing;

/// More bytes than any key, id or token has, so that a wrong file is not read whole.
const MAX_SECRET_BYTES: usize = 4096;

/// Longer than the ids that Vault makes (36 bytes); people may choose their own.
const MAX_ID_BYTES: usize = 512;

/// Reads an encryption key: 16, 24 or 32 raw bytes.
///
/// # Errors
/// A file that cannot be read, or is no key; the message names it and never shows its content.
pub(crate) fn read_key_file(path: &Path) -> Result<Arc<EncryptionKey>, KeyFileError> {
    let unreadable = |why: anyhow::Error| format!("read encryption key {}: {why:#}", path.display());
    let bytes = match open_secret(path) {
        Ok(bytes) => bytes,
        Err(why) if is_not_found(&why) => return Err(KeyFileError::NoKey(unreadable(why))),
        Err(why) => return Err(KeyFileError::Unreadable(unreadable(why))),
    };
    let key = EncryptionKey::new(&bytes).map_err(|why| {
        KeyFileError::NoKey(format!("{}: {why}; make one with: head -c 32 /dev/urandom > FILE", path.display()))
    })?;
    Ok(Arc::new(key))
}

/// Why a file gives no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyFileError {
    /// It was looked at, and there is none.
    #[error("{0}")]
    NoKey(String),
    /// It could not be looked at.
    #[error("{0}")]
    Unreadable(String),
}

/// Reads a token: the text of a file without the newline at its end.
///
/// # Errors
/// A file that cannot be read, is empty, or holds what no HTTP header can carry.
pub(crate) fn read_token(path: &Path) -> anyhow::Result<String> {
    let line = read_line(path).with_context(|| format!("read token {}", path.display()))?;
    check_token(line.expose()).with_context(|| format!("token {}", path.display()))?;
    Ok(line.expose().to_owned())
}

/// Reads an id that logs in at Vault: one line of printable characters. A request may name the file, so what looks like another kind of file
/// is not sent anywhere.
///
/// # Errors
/// A file that cannot be read, or holds something else.
pub(crate) fn read_id(what: &str, path: &Path) -> anyhow::Result<Secret> {
    let line = read_line(path).with_context(|| format!("read the {what} {}", path.display()))?;
    let text = line.expose();
    if text.is_empty() {
        bail!("the {what} {} is empty", path.display());
    }
    if text.len() > MAX_ID_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        bail!("{} holds no {what}: that is one line without spaces, of at most {MAX_ID_BYTES} bytes", path.display());
    }
    Ok(line)
}

/// Whether a token can be sent in a header.
pub(crate) fn check_token(token: &str) -> anyhow::Result<()> {
    if token.is_empty() {
        bail!("it is empty; put a secret into it, as with: openssl rand -hex 24");
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') || token.trim() != token {
        bail!("it holds characters that no HTTP header can carry; use letters and digits on one line");
    }
    Ok(())
}

/// Whether users other than the owner and the group can read a file.
pub(crate) fn is_readable_by_all(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o004 != 0)
}

/// The text of a file without the one newline at its end.
fn read_line(path: &Path) -> anyhow::Result<Secret> {
    let bytes = open_secret(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| anyhow!("it is not text"))?;
    let line = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    Ok(Secret::new(line.to_owned()))
}

fn open_secret(path: &Path) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; MAX_SECRET_BYTES + 1]);
    let mut file = File::open(path)?;
    let mut read = 0;
    while read < bytes.len() {
        match file.read(&mut bytes[read..])? {
            0 => break,
            more => read += more,
        }
    }
    if read > MAX_SECRET_BYTES {
        bail!("it has more than {MAX_SECRET_BYTES} bytes, so it is another file than was meant");
    }
    bytes.truncate(read);
    Ok(bytes)
}

fn is_not_found(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn file(content: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        fs::write(&path, content).unwrap();
        (dir, path)
    }

    #[test]
    fn keys_of_the_three_lengths_are_read() {
        for length in [16, 24, 32] {
            let (_dir, path) = file(&vec![7; length]);
            assert!(read_key_file(&path).is_ok(), "{length}");
        }
    }

    #[test]
    fn a_key_of_another_length_is_refused_and_named_but_not_shown() {
        for (content, part) in [(&b"secretsecretsec"[..], "15"), (b"secretsecretsecr\n", "newline"), (b"", "has 0")] {
            let (_dir, path) = file(content);
            let error = read_key_file(&path).unwrap_err();
            let text = error.to_string();
            assert!(matches!(error, KeyFileError::NoKey(_)), "{text}");
            assert!(text.contains(part) && text.contains("/secret") && !text.contains("secretsec"), "{text}");
        }
    }

    #[test]
    fn a_key_that_is_missing_a_directory_or_huge_is_named() {
        let (dir, path) = file(&vec![7; 5000]);
        for path in [dir.path().join("missing"), dir.path().to_owned(), path] {
            let error = read_key_file(&path).unwrap_err().to_string();
            assert!(error.contains(&path.display().to_string()), "{error}");
        }
    }

    #[test]
    fn a_token_loses_one_newline_and_nothing_else() {
        for (content, token) in [("t0p\n", "t0p"), ("t0p", "t0p"), ("t0p\r\n", "t0p"), ("a b", "a b")] {
            let (_dir, path) = file(content.as_bytes());
            assert_eq!(read_token(&path).unwrap(), token);
        }
        for content in ["", "\n", "a\n\n", "two\nlines", " t", "grün"] {
            let (_dir, path) = file(content.as_bytes());
            assert!(read_token(&path).is_err(), "{content:?}");
        }
    }

    #[test]
    fn an_id_is_one_line_without_spaces() {
        let (_dir, path) = file(b"db02de05-fa39-4855-059b-67221c5c2f63\n");
        assert_eq!(read_id("role id", &path).unwrap().expose(), "db02de05-fa39-4855-059b-67221c5c2f63");
        for content in ["", "\n", "root:x:0:0\nbin:x:1:1\n", "a b", &"a".repeat(513), "-----BEGIN PRIVATE KEY-----"] {
            let (_dir, path) = file(content.as_bytes());
            let error = format!("{:#}", read_id("role id", &path).unwrap_err());
            assert!(error.contains("/secret") && error.contains("role id") && !error.contains("root:"), "{error}");
        }
    }
}
