//! Connections, to allowed addresses only.

use std::io;
use std::net::IpAddr;

use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};

use crate::Policy;

/// A client that connects where `policy` allows. It knows no proxy and follows no redirect.
pub(super) fn client(policy: &Policy) -> SharedHttpClient {
    Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .build_with_resolver(AllowedAddresses { policy: policy.clone() })
}

/// Looks hosts up and drops the addresses that the policy refuses. Hosts that are addresses never come here: they were checked when the
/// place was opened.
#[derive(Clone, Debug)]
struct AllowedAddresses {
    policy: Policy,
}

impl AllowedAddresses {
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip());
        allowed(&self.policy, host, found).map_err(|why| io::Error::new(io::ErrorKind::PermissionDenied, why))
    }
}

/// Those of `addresses` that may be called, or why none of them may.
fn allowed(policy: &Policy, host: &str, addresses: impl Iterator<Item = IpAddr>) -> Result<Vec<IpAddr>, String> {
    let mut refusal = None;
    let allowed = addresses
        .filter(|&address| match policy.check_address(host, address) {
            Ok(()) => true,
            Err(why) => {
                refusal = Some(why);
                false
            }
        })
        .collect::<Vec<_>>();
    match refusal {
        Some(why) if allowed.is_empty() => Err(format!("{host} is not called: {why}")),
        _ => Ok(allowed),
    }
}

impl ResolveDns for AllowedAddresses {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move { self.lookup(name).await.map_err(ResolveDnsError::new) })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_name_may_not_lead_to_a_refused_address() {
        let (good, bad) = ("10.0.0.7".parse().unwrap(), "169.254.169.254".parse().unwrap());
        let open = Policy::default();
        assert_eq!(allowed(&open, "store.example", [bad, good].into_iter()), Ok(vec![good]));
        let refusal = allowed(&open, "store.example", [bad].into_iter()).unwrap_err();
        assert!(refusal.contains("store.example") && refusal.contains("169.254.169.254"), "{refusal}");
        let named = Policy { hosts: vec!["store.example".into()], ..Policy::default() };
        assert_eq!(allowed(&named, "store.example", [bad].into_iter()), Ok(vec![bad]));
    }
}
