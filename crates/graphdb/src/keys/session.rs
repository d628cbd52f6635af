//! A login at Vault that is kept alive.

use std::sync::Arc;
use std::time::Duration;

use graphdb_archive::EncryptionKey;
use graphdb_types::Secret;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::answer::Auth;
use super::vault::{Vault, VaultError};

/// How long to wait after a renewal and a login failed, when the token's life does not ask for less.
const RETRY_EVERY: Duration = Duration::from_secs(30);

/// Tokens of very short life are not renewed more often than this.
const SHORTEST_WAIT: Duration = Duration::from_millis(500);

/// How often a token is looked at that lives for ever.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// A login at Vault.
#[derive(Debug)]
pub(super) struct Session {
    vault: Vault,
    /// `None` when there is none yet, or it is over.
    token: Mutex<Option<Token>>,
}

#[derive(Debug)]
struct Token {
    text: Secret,
    renewable: bool,
    /// What the login granted; `None` is for ever.
    life: Option<Duration>,
    ends_at: Option<Instant>,
}

impl Token {
    fn new(auth: Auth) -> Token {
        let life = Some(auth.lease_duration).filter(|seconds| *seconds > 0).map(Duration::from_secs);
        let ends_at = life.and_then(|life| Instant::now().checked_add(life));
        Token { text: auth.client_token, renewable: auth.renewable, life, ends_at }
    }

    fn is_over(&self) -> bool {
        self.ends_at.is_some_and(|end| end <= Instant::now())
    }

    /// Half of what is left of its life.
    fn next_renewal(&self) -> Duration {
        let left = self.ends_at.map(|end| end.saturating_duration_since(Instant::now()) / 2);
        left.unwrap_or(LONGEST_WAIT).clamp(SHORTEST_WAIT, LONGEST_WAIT)
    }

    /// Whether a renewed token is about to reach the longest life that its role allows.
    fn is_fading(&self, renewed: &Token) -> bool {
        matches!((self.life, renewed.life), (Some(before), Some(now)) if now < before / 2)
    }
}

impl Session {
    /// A session that logs in when it is needed.
    pub(super) fn new(vault: Vault) -> Session {
        Session { vault, token: Mutex::new(None) }
    }

    pub(super) fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Reads the key, with the token there is, or after logging in.
    pub(super) async fn read_key(&self) -> Result<Arc<EncryptionKey>, VaultError> {
        let mut held = self.token.lock().await;
        if let Some(token) = held.as_ref().filter(|token| !token.is_over()) {
            match self.vault.read(&token.text).await {
                // Vault may have forgotten the token: it was revoked, or the server began anew.
                Err(VaultError::Denied(_)) => {}
                outcome => return outcome,
            }
        }
        *held = None;
        let token = held.insert(Token::new(self.vault.log_in().await?));
        self.vault.read(&token.text).await
    }

    /// Renews the token at half its life and logs in anew when that fails, without end.
    pub(super) async fn keep_alive(&self) {
        let mut failing = false;
        loop {
            let next = self.token.lock().await.as_ref().map_or(RETRY_EVERY, Token::next_renewal);
            sleep(next).await;
            match self.renew().await {
                Ok(()) if failing => tracing::info!(vault = %self.vault.options(), "logged in at Vault again"),
                Err(why) if !failing => {
                    tracing::warn!(%why, "the token for Vault was not renewed, and a new login failed; this is tried again");
                }
                Ok(()) | Err(_) => {}
            }
            failing = self.token.lock().await.is_none();
        }
    }

    /// Gets a token that lives longer. If it cannot, the one there is stays for as long as it lives.
    async fn renew(&self) -> Result<(), VaultError> {
        let mut held = self.token.lock().await;
        if let Some(token) = held.as_mut().filter(|token| token.renewable && !token.is_over()) {
            match self.vault.renew(&token.text).await.map(Token::new) {
                Ok(renewed) if !token.is_fading(&renewed) => {
                    tracing::debug!(vault = %self.vault.options(), "renewed the token for Vault");
                    // The measure of fading stays what the login granted.
                    *token = Token { life: token.life, ..renewed };
                    return Ok(());
                }
                Ok(_) => {}
                Err(why) => tracing::debug!(%why, "the token for Vault cannot be renewed"),
            }
        }
        match self.vault.log_in().await {
            Ok(auth) => {
                tracing::debug!(vault = %self.vault.options(), "logged in at Vault anew");
                *held = Some(Token::new(auth));
                Ok(())
            }
            Err(why) => {
                if held.as_ref().is_some_and(Token::is_over) {
                    *held = None;
                }
                Err(why)
            }
        }
    }
}
