//! The client that sends requests: to the store and nowhere else.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Url, redirect};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use url::Host;

use crate::location::BucketLocation;
use crate::policy::Policy;
use crate::{Error, Result};

/// How long a host may take to accept a connection. Ten seconds outlast three lost packets of a handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may rest before it is not used again: less than the minute after which stores and balancers close theirs.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// A client that follows no redirect, asks no proxy, and connects only to addresses that `policy` allows.
///
/// - *No redirect*: a store that moved says so as a refusal; credentials and data go where the operator sent them.
/// - *No proxy*, whatever the environment says: the proxy would look the host up, and no address could be refused.
/// - *HTTP/1.1*: each request has a connection of its own, so one that stalls or is cut takes no other with it.
///
/// # Errors
/// Why not, as a part of a sentence.
pub(super) fn client(policy: &Policy) -> std::result::Result<Client, String> {
    ensure_crypto_provider();
    Client::builder()
        .redirect(redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .http1_only()
        // Bytes as they are stored, whatever features other crates switch on.
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd()
        .user_agent("graphdb")
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .dns_resolver(Arc::new(CheckedResolver { policy: policy.clone() }))
        .build()
        .map_err(|err| format!("no client could be made: {err}"))
}

/// rustls needs to know whose cryptography to use, and rust-s3 asks for the process's. A process that chose keeps its choice.
pub(super) fn ensure_crypto_provider() {
    if CryptoProvider::get_default().is_none() {
        // Only fails when another thread was faster, which is as good.
        let _ = aws_lc_rs::default_provider().install_default();
    }
}

/// The store's address. An odd way to write an IP address (`0x7f.1`) is a plain one from here on.
///
/// # Errors
/// Why not, as a part of a sentence.
pub(super) fn endpoint(at: &BucketLocation) -> std::result::Result<Url, String> {
    let endpoint = at.endpoint.as_ref().ok_or("it names no host; write minio://host:9000/bucket/folder")?;
    let protocol = if at.secure { "https" } else { "http" };
    Url::parse(&format!("{protocol}://{endpoint}")).map_err(|err| format!("{endpoint} is not a host: {err}"))
}

/// `https://host` or `https://host:port`, without the port that is understood.
pub(super) fn origin(endpoint: &Url) -> String {
    endpoint.origin().ascii_serialization()
}

/// Whether a host that is an address may be called: it will not be looked up.
///
/// # Errors
/// [`Error::NotAllowed`].
pub(super) fn check_literal(at: &BucketLocation, endpoint: &Url, policy: &Policy) -> Result<()> {
    let address: IpAddr = match endpoint.host() {
        Some(Host::Ipv4(v4)) => v4.into(),
        Some(Host::Ipv6(v6)) => v6.into(),
        Some(Host::Domain(_)) | None => return Ok(()),
    };
    let written = at.endpoint.as_ref().map_or("", |endpoint| &endpoint.host);
    policy.check_address(written, address).map_err(|why| Error::NotAllowed { location: at.to_string(), why })
}

/// Looks hosts up and keeps the addresses that the policy allows, so that a name cannot lead to where its address could not.
struct CheckedResolver {
    policy: Policy,
}

/// A host whose addresses are all refused.
#[derive(Debug, thiserror::Error)]
#[error("{host} may not be called: {why}")]
pub(super) struct AddressRefused {
    host: String,
    why: String,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.policy.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed = allowed(&policy, name.as_str(), found)?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

pub(super) fn allowed(
    policy: &Policy,
    host: &str,
    found: impl Iterator<Item = SocketAddr>,
) -> std::result::Result<Vec<SocketAddr>, AddressRefused> {
    let mut refused = None;
    let mut allowed = Vec::new();
    for address in found {
        match policy.check_address(host, address.ip()) {
            Ok(()) => allowed.push(address),
            Err(why) => refused = Some(AddressRefused { host: host.to_owned(), why }),
        }
    }
    match refused {
        Some(refused) if allowed.is_empty() => Err(refused),
        _ => Ok(allowed),
    }
}
