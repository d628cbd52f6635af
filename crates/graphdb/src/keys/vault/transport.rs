//! Sending requests to Vault: without following redirects, within limits of time and length, and again when that may help.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use graphdb_destination::Policy;
use graphdb_types::{Secret, with_causes};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, Client, Request, Response, redirect};
use tokio::time::{Instant, sleep};
use zeroize::Zeroizing;

use crate::keys::answer::Answer;
use crate::keys::options::{Address, VaultSurroundings};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long one request may take, to the last byte of its answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// After this time a request is not repeated any more.
const RETRY_BUDGET: Duration = Duration::from_secs(20);

/// How often a request is sent at most.
const MAX_ATTEMPTS: u32 = 6;

/// The pause after the first attempt; each one is twice as long as the one before, by a random part shorter.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Logins and secrets are shorter by far; who sends more is no Vault.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// A way to a server.
pub(super) struct Transport {
    address: Address,
    http: Client,
}

/// What the server answered.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) answer: Answer,
    reason: Option<String>,
}

/// Why a request has no answer.
struct Failed {
    why: String,
    may_pass: bool,
}

impl Transport {
    /// Prepares for asking. An address that a request named is held against `policy`, and again when its name is looked up.
    ///
    /// # Errors
    /// A certificate file that cannot be used, an address that is not allowed.
    pub(super) fn new(
        address: Address,
        around: &VaultSurroundings,
        policy: Option<Policy>,
    ) -> Result<Transport, String> {
        let mut http = Client::builder()
            .tls_backend_rustls()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .redirect(redirect::Policy::none())
            .no_proxy();
        if address.is_plain() {
            http = http.tls_certs_only(Vec::new()); // without TLS, authorities that cannot be loaded do not matter
        } else if let Some(file) = &around.ca_file {
            http = http.tls_certs_only(authorities(file)?);
        }
        if let Some(policy) = policy {
            policy.check_host(address.host()).map_err(|why| format!("Vault at {address} may not be asked: {why}"))?;
            http = http.dns_resolver(Arc::new(Policed(Arc::new(policy))));
        }
        let http =
            http.build().map_err(|why| format!("cannot prepare to ask Vault at {address}: {}", with_causes(&why)))?;
        Ok(Transport { address, http })
    }

    /// Sends a request until it is answered with something that stays as it is, or the budget is used up. No answer that repeats one of
    /// `secrets` is quoted.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(super) async fn ask(
        &self,
        secrets: &[&Secret],
        request: impl Fn() -> Result<Request, String>,
    ) -> Result<Reply, String> {
        let end = Instant::now() + RETRY_BUDGET;
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            let outcome = self.send(request()?, secrets).await;
            let passing = match &outcome {
                Ok(reply) => matches!(reply.status, 429 | 500..) && !reply.is_sealed(),
                Err(failed) => failed.may_pass,
            };
            if !passing || attempt >= MAX_ATTEMPTS || Instant::now() + pause > end {
                return outcome.map_err(|failed| failed.why);
            }
            tracing::debug!(address = %self.address, attempt, "Vault is asked again");
            sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
            pause *= 2;
            attempt += 1;
        }
    }

    async fn send(&self, request: Request, secrets: &[&Secret]) -> Result<Reply, Failed> {
        let method = request.method().clone();
        let unanswered = |error: reqwest::Error| self.unanswered(error);
        let response = self.http.execute(request).await.map_err(unanswered)?;
        let status = response.status();
        if status.is_redirection() {
            return Err(Failed { why: redirected(&self.address, &response), may_pass: false });
        }
        let body = body(response).await.map_err(unanswered)?;
        let Some(body) = body else {
            let why =
                format!("Vault at {} answered with more than {MAX_ANSWER_BYTES} bytes; is it Vault?", self.address);
            return Err(Failed { why, may_pass: false });
        };
        tracing::debug!(address = %self.address, %method, status = status.as_u16(), "Vault answered");
        let answer = Answer::read(&body);
        let reason = answer.reason().filter(|reason| !secrets.iter().any(|secret| reason.contains(secret.expose())));
        Ok(Reply { status: status.as_u16(), answer, reason })
    }

    fn unanswered(&self, error: reqwest::Error) -> Failed {
        let why = with_causes(&error.without_url());
        let is_unknown = why.contains("UnknownIssuer");
        let advice =
            if is_unknown { "; name who signed its certificate with --vault-ca-file or VAULT_CACERT" } else { "" };
        Failed { why: format!("cannot ask Vault at {}: {why}{advice}", self.address), may_pass: !is_unknown }
    }
}

impl Reply {
    pub(super) fn is_sealed(&self) -> bool {
        self.status == 503 && self.reason.as_deref().is_some_and(|reason| reason.to_lowercase().contains("sealed"))
    }

    /// What the server said, in parentheses.
    pub(super) fn reason(&self) -> String {
        self.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default()
    }
}

/// The certificates in a file.
fn authorities(file: &Path) -> Result<Vec<Certificate>, String> {
    let unusable = |why: String| format!("cannot use the certificates for Vault in {}: {why}", file.display());
    let pem = std::fs::read(file).map_err(|why| unusable(why.to_string()))?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|why| unusable(with_causes(&why)))?;
    if certificates.is_empty() { Err(unusable("there is none in it (PEM)".into())) } else { Ok(certificates) }
}

/// The body of an answer in memory that is overwritten and never grows; `None` if it is too long.
async fn body(mut response: Response) -> Result<Option<Zeroizing<Vec<u8>>>, reqwest::Error> {
    let mut body = Zeroizing::new(Vec::with_capacity(MAX_ANSWER_BYTES));
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

fn redirected(address: &Address, response: &Response) -> String {
    let to =
        response.headers().get("location").and_then(|to| to.to_str().ok()).and_then(|to| to.parse::<url::Url>().ok());
    let to = to.map(|to| format!(" to {}", to.origin().ascii_serialization())).unwrap_or_default();
    format!(
        "Vault at {address} redirects{to}, which is not followed; give the address of the server that answers itself"
    )
}

/// Looks names up and refuses addresses that nobody's Vault has: a name may lead to where clouds hand out credentials.
pub(in crate::keys) struct Policed(pub(in crate::keys) Arc<Policy>);

impl Resolve for Policed {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = Arc::clone(&self.0);
        Box::pin(async move {
            let host = name.as_str();
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host, 0)).await?.collect();
            for address in &addresses {
                policy.check_address(host, address.ip())?;
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
