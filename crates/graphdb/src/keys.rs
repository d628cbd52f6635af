//! Files that hold secrets: encryption keys and tokens.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use graphdb_archive::EncryptionKey;

/// More bytes than any key or token has, so that a wrong file is not read whole.
const MAX_SECRET_BYTES: u64 = 4096;

/// Reads an encryption key: 16, 24 or 32 raw bytes.
///
/// # Errors
/// A file that cannot be read, or is no key; the message names it and never shows its content.
pub(crate) fn read_encryption_key(path: &Path) -> anyhow::Result<Arc<EncryptionKey>> {
    let bytes = read_secret(path).with_context(|| format!("read encryption key {}", path.display()))?;
    let key = EncryptionKey::new(&bytes)
        .map_err(|why| anyhow!("{}: {why}; make one with: head -c 32 /dev/urandom > FILE", path.display()))?;
    Ok(Arc::new(key))
}

/// Reads a token: the text of a file without the newline at its end.
///
/// # Errors
/// A file that cannot be read, is empty, or holds what no HTTP header can carry.
pub(crate) fn read_token(path: &Path) -> anyhow::Result<String> {
    let bytes = read_secret(path).with_context(|| format!("read token {}", path.display()))?;
    let text = String::from_utf8(bytes).map_err(|_| anyhow!("token {} is not text", path.display()))?;
    let token = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    check_token(token).with_context(|| format!("token {}", path.display()))?;
    Ok(token.to_owned())
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

fn read_secret(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_SECRET_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_SECRET_BYTES {
        bail!("it has more than {MAX_SECRET_BYTES} bytes, so it is another file than was meant");
    }
    Ok(bytes)
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
            assert!(read_encryption_key(&path).is_ok(), "{length}");
        }
    }

    #[test]
    fn a_key_of_another_length_is_refused_and_named_but_not_shown() {
        for (content, part) in [(&b"secretsecretsec"[..], "15"), (b"secretsecretsecr\n", "newline"), (b"", "has 0")] {
            let (_dir, path) = file(content);
            let error = format!("{:#}", read_encryption_key(&path).unwrap_err());
            assert!(error.contains(part) && error.contains("/secret") && !error.contains("secretsec"), "{error}");
        }
    }

    #[test]
    fn a_key_that_is_missing_a_directory_or_huge_is_named() {
        let (dir, path) = file(&vec![7; 5000]);
        for path in [dir.path().join("missing"), dir.path().to_owned(), path] {
            let error = format!("{:#}", read_encryption_key(&path).unwrap_err());
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
}
