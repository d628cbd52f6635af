use std::path::PathBuf;

use graphdb_types::Secret;

use super::process::Process;
use super::s3_server::read_secret;
use super::skip;

/// RustyVault, which speaks a part of HashiCorp Vault's API: AppRole and KV version 1. It does not enforce policies.
#[derive(Debug)]
pub struct RustyVault {
    process: Process,
}

impl RustyVault {
    /// Starts one, initialised and unsealed.
    pub fn start() -> Option<RustyVault> {
        let process = Process::start("rustyvault", &[]).map_err(|why| skip(&why)).ok()?;
        Some(RustyVault { process })
    }

    /// Where it is, `http://127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        self.process.get("address")
    }

    /// The token that may do everything.
    pub fn root_token(&self) -> Secret {
        read_secret(&self.root_token_file().to_string_lossy())
    }

    /// The file that holds [`RustyVault::root_token`].
    pub fn root_token_file(&self) -> PathBuf {
        self.process.get("root_token_file").into()
    }

    /// The one key that unseals it.
    pub fn unseal_key(&self) -> Secret {
        read_secret(&self.process.get("unseal_key_file"))
    }

    /// Ends the server at once, as a crash would.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Starts the server again after [`RustyVault::kill`], at the same address with the same data, and unseals it.
    ///
    /// # Panics
    /// When it does not answer again.
    pub fn restart(&self) {
        self.process.restart();
    }

    /// The process of the server.
    pub fn pid(&self) -> u32 {
        self.process.pids()["rustyvault"]
    }
}
