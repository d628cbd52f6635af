//! The encryption keys that requests name.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use graphdb_backup::EncryptionKey;
use zeroize::Zeroizing;

use crate::reply::chain;

/// Where a request says that its key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyLocation {
    /// A file of the node: 16, 24 or 32 raw bytes.
    File(PathBuf),
    /// A server that speaks as Vault does.
    Vault(VaultLocation),
}

/// A field of a secret in Vault, and how to log in. What is missing is what Dgraph takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VaultLocation {
    /// `http://localhost:8200`
    pub addr: Option<String>,
    /// File of the node with the role id of AppRole.
    pub role_id_file: Option<PathBuf>,
    /// File of the node with the secret id.
    pub secret_id_file: Option<PathBuf>,
    /// `secret/data/dgraph`
    pub path: Option<String>,
    /// `enc_key`
    pub field: Option<String>,
    /// `base64` or `raw`
    pub format: Option<String>,
}

/// Reads keys for requests.
#[async_trait]
pub trait KeyReader: fmt::Debug + Send + Sync {
    /// The key that is there.
    ///
    /// # Errors
    /// Why there is none, in a sentence that names the place and never the key.
    async fn read(&self, at: &KeyLocation) -> Result<Arc<EncryptionKey>, String>;
}

/// Reads keys from files, and from nowhere else.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyFiles;

#[async_trait]
impl KeyReader for KeyFiles {
    async fn read(&self, at: &KeyLocation) -> Result<Arc<EncryptionKey>, String> {
        match at {
            KeyLocation::File(path) => read_key(path).map(Arc::new),
            KeyLocation::Vault(_) => {
                Err("keys in Vault are not read here; put the key into a file and name it in encryptionKeyFile".into())
            }
        }
    }
}

/// The longest key file that is read: keys have at most 32 bytes, so that a longer one is seen to be too long.
const MAX_KEY_FILE_BYTES: u64 = 64;

fn read_key(path: &Path) -> Result<EncryptionKey, String> {
    let mut bytes = Zeroizing::new(Vec::new());
    let read = File::open(path).and_then(|file| file.take(MAX_KEY_FILE_BYTES).read_to_end(&mut bytes));
    read.map_err(|error| format!("cannot read the encryption key file {}: {error}", path.display()))?;
    EncryptionKey::new(&bytes).map_err(|error| format!("encryption key file {}: {}", path.display(), chain(&error)))
}
