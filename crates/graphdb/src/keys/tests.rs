//! Keys from a fake of Vault: what a real server of version 2 would be asked, and how each of its refusals is told.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[allow(dead_code, reason = "its other user, the stories with the real process, needs more of it")]
#[path = "../../../../tests/harness/fake_vault.rs"]
mod fake_vault;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use graphdb_archive::EncryptionKey;
use graphdb_destination::Policy;
use graphdb_server::{KeyLocation, KeyReader as _, VaultLocation};
use serde_json::json;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::options::{KeySource, VaultOptions, VaultSurroundings};
use super::session::Session;
use super::source::{RequestKeys, hold_key, read_key};
use super::vault::Vault;
use fake_vault::{CA, FakeVault, ROLE_ID, SECRET_ID, TOKEN_PREFIX};

const KEY: &[u8; 32] = b"canary-key-canary-key-canary-key";
const LOGIN: &str = "POST auth/approle/login";
const READ: &str = "GET secret/data/dgraph";
const RENEW: &str = "POST auth/token/renew-self";

/// A fake, and files with the ids that it lets in.
struct Story {
    fake: FakeVault,
    dir: TempDir,
    said: VaultLocation,
    surroundings: VaultSurroundings,
}

impl Story {
    fn new() -> Story {
        Story::of(FakeVault::start(&STANDARD.encode(KEY)))
    }

    fn of(fake: FakeVault) -> Story {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::write(&path, format!("{text}\n")).unwrap();
            Some(path)
        };
        let said = VaultLocation {
            addr: Some(fake.address().to_owned()),
            role_id_file: file("role-id", ROLE_ID),
            secret_id_file: file("secret-id", SECRET_ID),
            ..VaultLocation::default()
        };
        Story { fake, dir, said, surroundings: VaultSurroundings::default() }
    }

    fn options(&self) -> VaultOptions {
        VaultOptions::new(&self.said, self.surroundings.clone()).unwrap()
    }

    fn session(&self) -> Arc<Session> {
        Arc::new(Session::new(Vault::new(self.options(), None).unwrap()))
    }

    fn count(&self, request: &str) -> usize {
        self.fake.state().count(request)
    }

    async fn read(&self) -> anyhow::Result<Arc<EncryptionKey>> {
        read_key(KeySource::Vault(Box::new(self.options()))).await
    }

    /// Why there is no key; it never shows a secret.
    async fn refusal(&self) -> String {
        let message = format!("{:#}", self.read().await.unwrap_err());
        for secret in [ROLE_ID, SECRET_ID, TOKEN_PREFIX, "canary-key", "canary-other", &STANDARD.encode(KEY)] {
            assert!(!message.contains(secret), "{message}");
        }
        message
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

fn assert_key(key: &EncryptionKey) {
    assert_eq!(key.check(), EncryptionKey::new(KEY).unwrap().check());
}

/// Waits until a count is reached.
async fn until(count: impl Fn() -> usize, least: usize) {
    let waiting = async {
        while count() < least {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(60), waiting).await.unwrap();
}

#[tokio::test]
async fn a_key_is_read_from_both_versions_of_the_engine_and_in_both_formats() {
    let mut story = Story::new();
    assert_key(&story.read().await.unwrap());
    story.said.path = Some("kv/dgraph".into());
    assert_key(&story.read().await.unwrap());
    story.fake.set_key(std::str::from_utf8(KEY).unwrap());
    story.said.format = Some("raw".into());
    assert_key(&story.read().await.unwrap());
    assert_eq!((story.count(LOGIN), story.count(READ)), (3, 1));
}

#[tokio::test]
async fn one_login_serves_many_reads_and_a_forgotten_token_is_replaced() {
    let story = Story::new();
    let session = story.session();
    for _ in 0..3 {
        assert_key(&session.read_key().await.unwrap());
    }
    assert_eq!(story.count(LOGIN), 1);
    story.fake.state().tokens.clear();
    assert_key(&session.read_key().await.unwrap());
    assert_eq!(story.count(LOGIN), 2);
}

#[tokio::test]
async fn a_token_that_expired_is_not_used_again() {
    let story = Story::new();
    story.fake.state().lease = 1;
    let session = story.session();
    session.read_key().await.unwrap();
    sleep(Duration::from_millis(1100)).await;
    session.read_key().await.unwrap();
    assert_eq!((story.count(LOGIN), story.count(READ)), (2, 2));
}

#[tokio::test]
async fn a_token_is_renewed_as_long_as_the_session_lives() {
    let story = Story::new();
    (story.fake.state().lease, story.fake.state().renewed_lease) = (1, 1);
    let session = story.session();
    session.read_key().await.unwrap();
    let keeper = tokio::spawn(async move { session.keep_alive().await });
    until(|| story.count(RENEW), 3).await;
    keeper.abort();
    assert_eq!(story.count(LOGIN), 1);
}

#[tokio::test]
async fn a_token_that_cannot_be_renewed_or_only_for_less_is_replaced_by_a_login() {
    for (renewable, renewed_lease) in [(false, 2), (true, 0), (true, 1)] {
        let story = Story::new();
        {
            let mut state = story.fake.state();
            (state.lease, state.renewed_lease, state.renewable) = (3, renewed_lease, renewable);
        }
        let session = story.session();
        session.read_key().await.unwrap();
        if renewed_lease == 0 {
            story.fake.state().tokens.clear(); // renewal is denied
        }
        let keeper = tokio::spawn({
            let session = Arc::clone(&session);
            async move { session.keep_alive().await }
        });
        until(|| story.count(LOGIN), 2).await;
        keeper.abort();
        assert_key(&session.read_key().await.unwrap());
        assert!(renewable == (story.count(RENEW) > 0), "{renewable}");
    }
}

#[tokio::test]
async fn what_passes_is_waited_for() {
    let story = Story::new();
    let passing = [(503, "{}"), (429, "{}"), (500, r#"{"errors": ["oops"]}"#)];
    story.fake.state().script = passing.into_iter().map(|(status, body)| (status, body.to_owned())).collect();
    assert_key(&story.read().await.unwrap());
    assert_eq!(story.count(LOGIN), 4);
}

#[tokio::test]
async fn what_does_not_pass_is_given_up_after_a_few_attempts() {
    let story = Story::new();
    story.fake.state().script = vec![(502, "<html>".to_owned()); 100].into();
    let message = story.refusal().await;
    assert!(message.contains("502") && message.contains(story.fake.address()), "{message}");
    assert_eq!(story.count(LOGIN), 6);
}

#[tokio::test]
async fn a_sealed_vault_is_named_at_once() {
    let story = Story::new();
    story.fake.state().sealed = true;
    let message = story.refusal().await;
    assert!(message.contains("is sealed; unseal it"), "{message}");
    assert_eq!(story.count(LOGIN), 1);
}

#[tokio::test]
async fn wrong_ids_are_told_with_the_files_they_are_in() {
    for name in ["role-id", "secret-id"] {
        let story = Story::new();
        fs::write(story.path(name), "canary-wrong").unwrap();
        let message = story.refusal().await;
        for part in ["refused the login", "invalid role or secret ID", "/role-id", "/secret-id"] {
            assert!(message.contains(part), "{part:?} is missing in: {message}");
        }
        assert!(!message.contains("canary-wrong"), "{message}");
        fs::remove_file(story.path(name)).unwrap();
        let message = story.refusal().await;
        assert!(message.contains(&format!("/{name}")) && message.contains("No such file"), "{message}");
        assert_eq!(story.count(LOGIN), 1);
    }
}

#[tokio::test]
async fn a_denied_path_a_missing_path_and_a_missing_field_are_told_apart() {
    let mut story = Story::new();
    story.said.field = Some("enc".into());
    let message = story.refusal().await;
    assert!(message.contains("no field enc; its fields are enc_key, number, other"), "{message}");
    story.said.field = Some("number".into());
    assert!(story.refusal().await.contains("something else than text"));
    story.said.path = Some("secret/dgraph".into());
    let message = story.refusal().await;
    assert!(message.contains("nothing at secret/dgraph") && message.contains("try secret/data/dgraph"), "{message}");
    // A login that is let in but not there.
    story.said.path = None;
    let login = json!({"auth": {"client_token": "hvs.other", "lease_duration": 60, "renewable": true}}).to_string();
    story.fake.state().script.push_back((200, login));
    let message = story.refusal().await;
    assert!(message.contains("does not let the role read secret/data/dgraph (permission denied)"), "{message}");
}

#[tokio::test]
async fn what_is_no_key_is_measured_and_not_shown() {
    let mut story = Story::new();
    story.fake.set_key(&STANDARD.encode(&KEY[..31]));
    let message = story.refusal().await;
    assert!(message.contains("31") && message.contains("enc_key"), "{message}");
    story.fake.set_key("canary-key?");
    assert!(story.refusal().await.contains("not base64"));
    story.fake.set_key(&(String::from_utf8_lossy(KEY) + "\n"));
    story.said.format = Some("raw".into());
    let message = story.refusal().await;
    assert!(message.contains("33") && message.contains("newline"), "{message}");
}

#[tokio::test]
async fn a_server_that_repeats_a_secret_is_not_quoted() {
    let story = Story::new();
    let body = json!({"errors": [format!("no secret id {SECRET_ID}")]}).to_string();
    story.fake.state().script.push_back((400, body));
    let message = story.refusal().await;
    assert!(message.contains("refused the login"), "{message}");
}

#[tokio::test]
async fn a_redirect_is_told_and_not_followed() {
    let (story, other) = (Story::new(), FakeVault::start(""));
    story.fake.state().redirect_to = Some(other.address().to_owned());
    let message = story.refusal().await;
    assert!(message.contains("redirects") && message.contains(other.address()), "{message}");
    assert!(other.state().log.is_empty());
}

#[tokio::test]
async fn an_answer_without_end_is_not_read() {
    let story = Story::new();
    story.fake.state().script.push_back((200, "x".repeat(1 << 20)));
    let message = story.refusal().await;
    assert!(message.contains("65536 bytes"), "{message}");
}

#[tokio::test]
async fn nobody_there_is_told() {
    let mut story = Story::new();
    let address = story.fake.address().to_owned();
    drop(std::mem::replace(&mut story.fake, FakeVault::start("")));
    let message = story.refusal().await;
    assert!(message.contains(&address) && message.to_lowercase().contains("refused"), "{message}");
}

#[tokio::test]
async fn the_namespace_goes_with_every_request() {
    let mut story = Story::new();
    story.surroundings.namespace = Some("team/graph".into());
    story.read().await.unwrap();
    assert_eq!(story.fake.state().log, [format!("{LOGIN} in team/graph"), format!("{READ} in team/graph")]);
}

#[tokio::test]
async fn https_trusts_the_given_authority_and_no_stranger() {
    let mut story = Story::of(FakeVault::start_tls(&STANDARD.encode(KEY)));
    let ca = story.path("ca.pem");
    fs::write(&ca, CA).unwrap();
    story.surroundings.ca_file = Some(ca.clone());
    assert_key(&story.read().await.unwrap());
    story.surroundings.ca_file = None;
    let message = story.refusal().await;
    assert!(message.contains("certificate") && message.contains("--vault-ca-file"), "{message}");
    for (content, part) in [("", "none in it"), ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----", "ca.pem")]
    {
        fs::write(&ca, content).unwrap();
        story.surroundings.ca_file = Some(ca.clone());
        let message = story.refusal().await;
        assert!(message.contains(part), "{message}");
    }
}

#[tokio::test]
async fn requests_may_not_name_every_server() {
    let story = Story::new();
    let keys = |hosts: &[&str]| RequestKeys {
        policy: Policy { hosts: hosts.iter().map(|host| host.to_string()).collect(), ..Policy::default() },
        surroundings: VaultSurroundings::default(),
    };
    let here = KeyLocation::Vault(story.said.clone());
    assert_key(&keys(&[]).read(&here).await.unwrap());
    assert_key(&keys(&["localhost"]).read(&here).await.unwrap());
    assert!(keys(&["vault.example.org"]).read(&here).await.unwrap_err().contains("not among those"));
    let asked = story.fake.state().log.len();
    for addr in ["http://169.254.169.254", "http://2852039166", "http://[fe80::1]:8200", "http://0.0.0.0:8200"] {
        let there = KeyLocation::Vault(VaultLocation { addr: Some(addr.into()), ..story.said.clone() });
        let message = keys(&[]).read(&there).await.unwrap_err();
        assert!(message.contains("may not be asked"), "{addr}: {message}");
    }
    assert_eq!(story.fake.state().log.len(), asked);
}

#[tokio::test]
async fn a_name_that_leads_to_a_refused_address_is_refused() {
    use reqwest::dns::Resolve as _;
    // The C library reads a number as an address, as if it were a name that was looked up.
    let resolve = |name: &str| super::vault::Policed(Arc::new(Policy::default())).resolve(name.parse().unwrap());
    let error = resolve("2852039166").await.err().unwrap().to_string();
    assert!(error.contains("169.254.169.254"), "{error}");
    assert!(resolve("localhost").await.is_ok());
}

#[tokio::test]
async fn the_key_is_proved_to_be_at_its_source_and_then_not_asked_for_a_minute() {
    let story = Story::new();
    let held = hold_key(KeySource::Vault(Box::new(story.options()))).await.unwrap();
    assert_key(&held.key);
    for _ in 0..3 {
        held.guard.check(&held.key).await.unwrap();
    }
    assert_eq!(story.count(READ), 2);
}

#[tokio::test]
async fn a_key_that_changed_or_vanished_in_vault_stops_backups() {
    let story = Story::new();
    let held = hold_key(KeySource::Vault(Box::new(story.options()))).await.unwrap();
    story.fake.set_key(&STANDARD.encode([7; 32]));
    let message = held.guard.check(&held.key).await.unwrap_err();
    assert!(
        message.contains("changed") && message.contains("forceFull") && message.contains("secret/data/dgraph"),
        "{message}"
    );
    story.fake.set_key("no key");
    assert!(held.guard.check(&held.key).await.unwrap_err().contains("no longer"));
    let secrets = std::mem::take(&mut story.fake.state().secrets);
    assert!(held.guard.check(&held.key).await.unwrap_err().contains("no longer"));
    // Put back, it may be used again.
    story.fake.state().secrets = secrets;
    story.fake.set_key(&STANDARD.encode(KEY));
    held.guard.check(&held.key).await.unwrap();
}

#[tokio::test]
async fn a_vault_that_cannot_be_asked_stops_no_backup() {
    let story = Story::new();
    let held = hold_key(KeySource::Vault(Box::new(story.options()))).await.unwrap();
    story.fake.state().sealed = true;
    held.guard.check(&held.key).await.unwrap();
    // That proved nothing: the next backup asks again.
    story.fake.state().sealed = false;
    story.fake.set_key(&STANDARD.encode([7; 32]));
    assert!(held.guard.check(&held.key).await.is_err());
}

#[tokio::test]
async fn a_key_file_that_was_exchanged_or_removed_stops_backups() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    fs::write(&path, KEY).unwrap();
    let held = hold_key(KeySource::File(path.clone())).await.unwrap();
    fs::write(&path, [7; 32]).unwrap();
    assert!(held.guard.check(&held.key).await.unwrap_err().contains("changed"));
    fs::remove_file(&path).unwrap();
    assert!(held.guard.check(&held.key).await.unwrap_err().contains("no longer"));
    // A directory in its place cannot be read: that says nothing about the key.
    fs::create_dir(&path).unwrap();
    held.guard.check(&held.key).await.unwrap();
    fs::remove_dir(&path).unwrap();
    fs::write(&path, KEY).unwrap();
    held.guard.check(&held.key).await.unwrap();
}
