//! Reading a key from where it is, and proving that it is still there.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use async_trait::async_trait;
use graphdb_archive::EncryptionKey;
use graphdb_backup::KeyGuard;
use graphdb_destination::Policy;
use graphdb_server::{KeyLocation, KeyReader};
use tokio::sync::Mutex;
use tokio::task;
use tokio::time::timeout;

use super::file::{KeyFileError, read_key_file};
use super::options::{KeySource, VaultOptions, VaultSurroundings};
use super::session::Session;
use super::vault::{Vault, VaultError};

/// A proof that the key is still at its source holds so long.
const PROOF_HOLDS: Duration = Duration::from_secs(60);

/// A backup waits no longer for the proof, and neither does a node that is to stop.
const PROOF_TIMEOUT: Duration = Duration::from_secs(10);

/// A key, and who proves that it is still at its source.
#[derive(Debug)]
pub(crate) struct HeldKey {
    pub(crate) key: Arc<EncryptionKey>,
    pub(crate) guard: Arc<dyn KeyGuard>,
}

/// Reads the key of a node. A login that was needed is kept alive as long as the runtime that this is called in.
///
/// # Errors
/// Why there is no key, in a sentence that never shows it.
pub(crate) async fn hold_key(source: KeySource) -> anyhow::Result<HeldKey> {
    let source = OpenSource::open(source)?;
    let key = source.read().await?;
    if let OpenSource::Vault(session) = &source {
        let session = Arc::clone(session);
        tokio::spawn(async move { session.keep_alive().await });
    }
    Ok(HeldKey { key, guard: Arc::new(SourceGuard { source, proved_at: Mutex::default() }) })
}

/// Reads a key once.
///
/// # Errors
/// As [`hold_key`].
pub(crate) async fn read_key(source: KeySource) -> anyhow::Result<Arc<EncryptionKey>> {
    Ok(OpenSource::open(source)?.read().await?)
}

/// A source that can be read again and again.
#[derive(Debug)]
enum OpenSource {
    File(PathBuf),
    Vault(Arc<Session>),
}

/// Why a source gives no key.
#[derive(Debug, thiserror::Error)]
enum SourceError {
    /// It answered, and has no key.
    #[error("{0}")]
    NoKey(String),
    /// It could not be asked.
    #[error("{0}")]
    Unavailable(String),
}

impl OpenSource {
    fn open(source: KeySource) -> anyhow::Result<OpenSource> {
        match source {
            KeySource::File(path) => Ok(OpenSource::File(path)),
            KeySource::Vault(options) => OpenSource::vault(*options, None).map_err(|why| anyhow!(why)),
        }
    }

    fn vault(options: VaultOptions, policy: Option<Policy>) -> Result<OpenSource, String> {
        Ok(OpenSource::Vault(Arc::new(Session::new(Vault::new(options, policy)?))))
    }

    async fn read(&self) -> Result<Arc<EncryptionKey>, SourceError> {
        match self {
            OpenSource::File(path) => read_file(path).await,
            OpenSource::Vault(session) => session.read_key().await.map_err(|error| match error {
                VaultError::NoKey(why) => SourceError::NoKey(why),
                VaultError::Denied(why) | VaultError::Unavailable(why) => SourceError::Unavailable(why),
            }),
        }
    }

    fn describe(&self) -> String {
        match self {
            OpenSource::File(path) => path.display().to_string(),
            OpenSource::Vault(session) => session.vault().options().to_string(),
        }
    }
}

async fn read_file(path: &Path) -> Result<Arc<EncryptionKey>, SourceError> {
    let path = path.to_owned();
    let read = task::spawn_blocking(move || read_key_file(&path)).await;
    read.map_err(|why| SourceError::Unavailable(why.to_string()))?.map_err(|error| match error {
        KeyFileError::NoKey(why) => SourceError::NoKey(why),
        KeyFileError::Unreadable(why) => SourceError::Unavailable(why),
    })
}

/// Proves before a backup that its key can be had again from where the node got it. Who will restore the backup some day may have nothing
/// but what is there.
#[derive(Debug)]
struct SourceGuard {
    source: OpenSource,
    proved_at: Mutex<Option<Instant>>,
}

#[async_trait]
impl KeyGuard for SourceGuard {
    async fn check(&self, key: &EncryptionKey) -> Result<(), String> {
        let mut proved_at = self.proved_at.lock().await;
        if proved_at.is_some_and(|at| at.elapsed() < PROOF_HOLDS) {
            return Ok(());
        }
        let late = || SourceError::Unavailable(format!("no answer within {} s", PROOF_TIMEOUT.as_secs()));
        match timeout(PROOF_TIMEOUT, self.source.read()).await.unwrap_or_else(|_| Err(late())) {
            Ok(now) if now.check() == key.check() => *proved_at = Some(Instant::now()),
            Ok(_) => return Err(changed(&self.source.describe())),
            Err(SourceError::NoKey(why)) => return Err(gone(&self.source.describe(), &why)),
            Err(SourceError::Unavailable(why)) => {
                tracing::warn!(
                    why,
                    "the key was not compared with its source; the backup is encrypted with the key that the node holds"
                );
            }
        }
        Ok(())
    }
}

fn changed(place: &str) -> String {
    format!(
        "the encryption key changed since this node read it ({place}): a backup made now could not be restored with the key that is \
         there; put the old key back, or restart the node to take the new one and begin a new series with forceFull; the backups that \
         were made with the old key go on needing it, so keep it"
    )
}

fn gone(place: &str, why: &str) -> String {
    format!(
        "the encryption key that this node holds is no longer where it came from ({place}), so a backup made now could not be restored \
         with what is there; put the key back: {why}"
    )
}

/// Reads the keys that requests name.
#[derive(Debug)]
pub(crate) struct RequestKeys {
    /// Which servers requests may name.
    pub(crate) policy: Policy,
    pub(crate) surroundings: VaultSurroundings,
}

#[async_trait]
impl KeyReader for RequestKeys {
    async fn read(&self, at: &KeyLocation) -> Result<Arc<EncryptionKey>, String> {
        let source = match at {
            KeyLocation::File(path) => OpenSource::File(path.clone()),
            KeyLocation::Vault(said) => {
                let options = VaultOptions::new(said, self.surroundings.clone())?;
                OpenSource::vault(options, Some(self.policy.clone()))?
            }
        };
        source.read().await.map_err(|error| error.to_string())
    }
}
