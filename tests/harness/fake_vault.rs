//! A fake of HashiCorp Vault: AppRole, renewal of tokens, and the key-value engine in both versions, in the words of the real one. It is a
//! fake, made after the documentation, because a real server cannot be had from a package registry; RustyVault, which can, has neither
//! version 2 of the engine nor renewal.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

pub(crate) const ROLE_ID: &str = "canary-role-6f1ed2b7";
pub(crate) const SECRET_ID: &str = "canary-secret-id-b80c7d15";

/// Begins every token.
pub(crate) const TOKEN_PREFIX: &str = "hvs.canary-token-";

/// What the fake has and how it behaves.
pub(crate) struct State {
    /// What is at a path, as in `secret/data/dgraph`; below a second part `data/`, answers have the form of version 2.
    pub(crate) secrets: BTreeMap<String, Value>,
    /// Seconds that a token lives, as far as it says so.
    pub(crate) lease: u64,
    pub(crate) renewable: bool,
    /// Seconds that a renewed token lives.
    pub(crate) renewed_lease: u64,
    /// Tokens that are good.
    pub(crate) tokens: BTreeSet<String>,
    pub(crate) sealed: bool,
    /// Answers to give before any other: status and body.
    pub(crate) script: VecDeque<(u16, String)>,
    /// Where to send everybody.
    pub(crate) redirect_to: Option<String>,
    /// Every request, as in `GET secret/data/dgraph`, with the namespace if there is one.
    pub(crate) log: Vec<String>,
    logins: usize,
}

impl State {
    /// How often this was asked for.
    pub(crate) fn count(&self, request: &str) -> usize {
        self.log.iter().filter(|line| *line == request).count()
    }
}

/// A running fake. It ends when it is dropped.
pub(crate) struct FakeVault {
    address: String,
    port: u16,
    state: Arc<Mutex<State>>,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl FakeVault {
    /// Starts one that has `enc_key` at `secret/data/dgraph` (version 2) and at `kv/dgraph` (version 1).
    pub(crate) fn start(enc_key: &str) -> FakeVault {
        FakeVault::start_with(enc_key, None)
    }

    /// As [`FakeVault::start`], with TLS under [`CA`].
    pub(crate) fn start_tls(enc_key: &str) -> FakeVault {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(PRIVATE_KEY.as_bytes()).unwrap();
        let config = builder.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
        FakeVault::start_with(enc_key, Some(Arc::new(config)))
    }

    fn start_with(enc_key: &str, tls: Option<Arc<ServerConfig>>) -> FakeVault {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let fields = json!({"enc_key": enc_key, "other": "canary-other-field", "number": 7});
        let state = State {
            secrets: [("secret/data/dgraph".into(), fields.clone()), ("kv/dgraph".into(), fields)].into(),
            lease: 3600,
            renewable: true,
            renewed_lease: 3600,
            tokens: BTreeSet::new(),
            sealed: false,
            script: VecDeque::new(),
            redirect_to: None,
            log: Vec::new(),
            logins: 0,
        };
        let (state, ending) = (Arc::new(Mutex::new(state)), Arc::new(AtomicBool::new(false)));
        let thread = {
            let (state, ending, tls) = (Arc::clone(&state), Arc::clone(&ending), tls.clone());
            thread::spawn(move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    if ending.load(Ordering::Acquire) {
                        break;
                    }
                    let (state, tls) = (Arc::clone(&state), tls.clone());
                    thread::spawn(move || serve(stream, tls, &state));
                }
            })
        };
        let address = format!("{}://localhost:{port}", if tls.is_some() { "https" } else { "http" });
        FakeVault { address, port, state, ending, thread: Some(thread) }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// What it has and how it behaves, to look at and to change.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Puts another text into the field `enc_key` everywhere.
    pub(crate) fn set_key(&self, enc_key: &str) {
        for fields in self.state().secrets.values_mut() {
            fields["enc_key"] = enc_key.into();
        }
    }
}

impl Drop for FakeVault {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Release);
        _ = TcpStream::connect(("127.0.0.1", self.port)); // wakes the thread
        _ = self.thread.take().map(JoinHandle::join);
    }
}

fn serve(stream: TcpStream, tls: Option<Arc<ServerConfig>>, state: &Mutex<State>) {
    _ = stream.set_read_timeout(Some(Duration::from_secs(30)));
    match tls {
        Some(config) => answer(StreamOwned::new(ServerConnection::new(config).unwrap(), stream), state),
        None => answer(stream, state),
    }
}

struct Request {
    method: String,
    path: String,
    token: String,
    namespace: String,
    body: Value,
}

fn answer(mut stream: impl Read + Write, state: &Mutex<State>) {
    let Some(request) = read(&mut stream) else { return };
    let (status, body) = {
        let mut state = state.lock().unwrap();
        let namespace = if request.namespace.is_empty() { String::new() } else { format!(" in {}", request.namespace) };
        state.log.push(format!("{} {}{namespace}", request.method, request.path));
        state.answer(&request)
    };
    let location = if (300..400).contains(&status) { format!("location: {body}\r\n") } else { String::new() };
    let head = format!("HTTP/1.1 {status} Fake\r\ncontent-type: application/json\r\nconnection: close\r\n{location}");
    _ = write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len());
    _ = stream.flush();
}

fn read(stream: &mut impl Read) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.trim_start_matches("/v1/").to_owned());
    let (mut length, mut token, mut namespace) = (0, String::new(), String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name.to_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "x-vault-token" => token = value.to_owned(),
            "x-vault-namespace" => namespace = value.to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, path, token, namespace, body: serde_json::from_slice(&body).unwrap_or_default() })
}

impl State {
    fn answer(&mut self, request: &Request) -> (u16, String) {
        if let Some(scripted) = self.script.pop_front() {
            return scripted;
        }
        if let Some(to) = &self.redirect_to {
            return (307, format!("{to}/v1/{}", request.path));
        }
        if self.sealed {
            return refusal(503, "Vault is sealed");
        }
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "auth/approle/login") => self.log_in(&request.body),
            _ if !self.tokens.contains(&request.token) => refusal(403, "permission denied"),
            ("POST", "auth/token/renew-self") if self.renewable => (200, self.auth(&request.token, self.renewed_lease)),
            ("POST", "auth/token/renew-self") => refusal(400, "lease is not renewable"),
            ("GET", path) => self.read(path),
            _ => refusal(405, "unsupported operation"),
        }
    }

    fn log_in(&mut self, body: &Value) -> (u16, String) {
        if body["role_id"] != ROLE_ID || body["secret_id"] != SECRET_ID {
            return refusal(400, "invalid role or secret ID");
        }
        self.logins += 1;
        let token = format!("{TOKEN_PREFIX}{}", self.logins);
        self.tokens.insert(token.clone());
        (200, self.auth(&token, self.lease))
    }

    fn auth(&self, token: &str, lease: u64) -> String {
        let auth = json!({
            "client_token": token, "accessor": "accessor", "policies": ["default"], "token_policies": ["default"],
            "metadata": {"role_name": "graphdb"}, "lease_duration": lease, "renewable": self.renewable, "entity_id": "entity",
            "token_type": "service", "orphan": true, "mfa_requirement": null, "num_uses": 0,
        });
        json!({"request_id": "r", "lease_id": "", "renewable": false, "lease_duration": 0, "data": null, "auth": auth})
            .to_string()
    }

    fn read(&self, path: &str) -> (u16, String) {
        let Some(fields) = self.secrets.get(path) else { return (404, json!({"errors": []}).to_string()) };
        let data = if path.split('/').nth(1) == Some("data") {
            json!({"data": fields, "metadata": {"version": 1, "destroyed": false, "custom_metadata": null}})
        } else {
            fields.clone()
        };
        (200, json!({"request_id": "r", "lease_id": "", "renewable": false, "lease_duration": 0, "data": data, "auth": null}).to_string())
    }
}

fn refusal(status: u16, why: &str) -> (u16, String) {
    (status, json!({"errors": [why]}).to_string())
}

/// The authority that signed the certificate of [`FakeVault::start_tls`]. Both were made for these tests and are trusted nowhere else.
pub(crate) const CA: &str = "\
-----BEGIN CERTIFICATE-----
MIIBizCCATGgAwIBAgIUbg69VZttWr7Do4u7JSJ6uVs3rrQwCgYIKoZIzj0EAwIw
GjEYMBYGA1UEAwwPZ3JhcGhkYiB0ZXN0IENBMCAXDTI2MTEyMTE0Mjc0M1oYDzIx
MjYxMDI4MTQyNzQzWjAaMRgwFgYDVQQDDA9ncmFwaGRiIHRlc3QgQ0EwWTATBgcq
hkjOPQIBBggqhkjOPQMBBwNCAAQh6LQjxF6oF5Vt8bTyAJeiFY+WnF5iaFWjsc7T
NdI5AdqBrwykGpmwvF5sZdV/G4th2Gpjxt/S53jT2+J3wk8co1MwUTAdBgNVHQ4E
FgQUjmrMA3jJdSylM/t6Mdtnk+rqCRkwHwYDVR0jBBgwFoAUjmrMA3jJdSylM/t6
Mdtnk+rqCRkwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiAyrPYt
U/VX1+eozfTQrvu1s3unoJ9o/EUQXh9irMbYoAIhAOyhrpKVmsDDVkILMUxfKK3g
o7YqaBzL6jrfqhDn8M+v
-----END CERTIFICATE-----
";

/// For localhost and 127.0.0.1, until 2126.
const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBsDCCAVagAwIBAgIUKRQnmiaaZBa9dAXgrzslvXnWKDEwCgYIKoZIzj0EAwIw
GjEYMBYGA1UEAwwPZ3JhcGhkYiB0ZXN0IENBMCAXDTI2MTEyMTE0Mjc0M1oYDzIx
MjYxMDI4MTQyNzQzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAAS8/FcVP0y/n+Ym7FyyydsTC9VYb+RS15eSgu68HbBiS+f5
bIvAbXwstKWoWydINUYJ8nu/Gt61O2OULUPKkfpuo34wfDAaBgNVHREEEzARggls
b2NhbGhvc3SHBH8AAAEwEwYDVR0lBAwwCgYIKwYBBQUHAwEwCQYDVR0TBAIwADAd
BgNVHQ4EFgQUnYC7RZpgQtEE0PBwvBRWU/dF3zgwHwYDVR0jBBgwFoAUjmrMA3jJ
dSylM/t6Mdtnk+rqCRkwCgYIKoZIzj0EAwIDSAAwRQIgPD+DMphGtXKw1X7uNoM+
RO1z8RjzX1Gg8FnAdDWXqJsCIQDyucnVNqoeea5ZEbFtD3EvAbYt6Nnce+TmJ98z
TqUGsA==
-----END CERTIFICATE-----
";

const PRIVATE_KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgM1tOFJdGsZftFxgV
atm69QObkfv1WU3236o1HAn3zt2hRANCAAS8/FcVP0y/n+Ym7FyyydsTC9VYb+RS
15eSgu68HbBiS+f5bIvAbXwstKWoWydINUYJ8nu/Gt61O2OULUPKkfpu
-----END PRIVATE KEY-----
";
