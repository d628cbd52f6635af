//! The encryption keys that requests name.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use graphdb_backup::EncryptionKey;

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

/// Reads no keys: for servers whose requests name none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoKeys;

#[async_trait]
impl KeyReader for NoKeys {
    async fn read(&self, _: &KeyLocation) -> Result<Arc<EncryptionKey>, String> {
        Err("this server reads no encryption keys for requests".into())
    }
}
