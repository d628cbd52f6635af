use std::collections::BTreeMap;
use std::fs;

use graphdb_types::Secret;

use super::process::{Answer, Process};
use super::{Account, skip};

/// An S3 server that runs until this is dropped or this process ends.
#[derive(Debug)]
pub struct S3Server {
    process: Process,
    account: Account,
}

impl S3Server {
    pub(super) fn start(script: &str, settings: &[(&str, &str)]) -> Option<S3Server> {
        S3Server::try_start(script, settings).map_err(|why| skip(&why)).ok()
    }

    /// Like [`S3Server::start`], with the reason why the server is not there instead of a message.
    pub(super) fn try_start(script: &str, settings: &[(&str, &str)]) -> Result<S3Server, String> {
        let process = Process::start(script, settings)?;
        let secret_file = process.get("secret_key_file");
        let account = Account {
            endpoint: process.get("endpoint"),
            region: process.get("region"),
            access_key: process.get("access_key"),
            secret_key: read_secret(&secret_file),
            session_token: None,
            ca_file: None,
        };
        Ok(S3Server { process, account })
    }

    /// Who may make buckets here.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Where the server is, `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> &str {
        &self.account.endpoint
    }

    /// Makes a bucket of [`S3Server::account`].
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn make_bucket(&self, name: &str) {
        self.account.make_bucket(name).await;
    }

    /// Ends the server at once, as a crash would.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Starts the server again after [`S3Server::kill`], at the same address, with what it had acknowledged.
    ///
    /// # Panics
    /// When it does not answer again.
    pub fn restart(&self) {
        self.process.restart();
    }

    /// The processes of the server, by name, as they are since the last start.
    pub fn pids(&self) -> BTreeMap<String, u32> {
        self.process.pids()
    }

    pub(super) fn get(&self, key: &str) -> String {
        self.process.get(key)
    }

    pub(super) fn ask(&self, command: &str) -> Answer {
        self.process.ask(command)
    }
}

pub(super) fn read_secret(file: &str) -> Secret {
    let text = fs::read_to_string(file).unwrap_or_else(|err| panic!("could not read {file}: {err}"));
    Secret::new(text.trim_end().to_owned())
}
