use std::fmt;

use async_trait::async_trait;
use graphdb_archive::EncryptionKey;

/// Says whether backups may go on being encrypted with the key that a node holds.
#[async_trait]
pub trait KeyGuard: fmt::Debug + Send + Sync {
    /// Asked before each backup, which it holds up for as long as it takes.
    ///
    /// # Errors
    /// Why the backup must not be taken and what to do, in a sentence that never shows the key.
    async fn check(&self, key: &EncryptionKey) -> std::result::Result<(), String>;
}
