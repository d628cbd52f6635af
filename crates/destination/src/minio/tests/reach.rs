//! Whom the client calls, as whom, and what it lets out.

use std::net::TcpListener;
use std::sync::Arc;

use bytes::Bytes;
use graphdb_types::Secret;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::super::http::allowed;
use super::fake::{FakeStore, answer};
use super::{ACCESS_KEY, SECRET_KEY, connect, keys, location};
use crate::bucket::{Class, Condition};
use crate::credentials::Credentials;
use crate::locations::LocationOptions;
use crate::{Error, Policy};

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = FakeStore::answering([answer(200, &[], "")]).await;
    for status in [301, 302, 303, 307, 308] {
        let moved = answer(status, &[&format!("Location: {}/bucket/k", elsewhere.endpoint())], "");
        let store = FakeStore::answering([moved.clone(), moved]).await;
        let client = connect(&store.uri()).unwrap();
        let refusal = client.put("k", Bytes::from_static(b"secret data"), Condition::None).await.unwrap_err();
        assert_eq!(refusal.status, Some(status), "{refusal}");
        assert_eq!(client.head("k").await.unwrap_err().status, Some(status));
        assert_eq!(store.requests().len(), 2);
    }
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn a_failure_is_not_repeated() {
    let store = FakeStore::answering([answer(500, &[], ""), answer(503, &[], "")]).await;
    let client = connect(&store.uri()).unwrap();
    for count in 1..=3 {
        assert_eq!(client.list("", None).await.unwrap_err().class, Class::Unavailable);
        assert_eq!(store.requests().len(), count, "the third is cut off without an answer");
    }
}

#[test]
fn an_address_is_refused_however_it_is_written() {
    for host in ["169.254.169.254", "0xa9fea9fe", "2852039166", "169.254.43518", "[::ffff:a9fe:a9fe]", "0"] {
        let refused = connect(&format!("minio://{host}:80/bucket")).err();
        assert!(matches!(refused, Some(Error::NotAllowed { .. })), "{host}: {refused:?}");
        let options = LocationOptions {
            policy: Policy { hosts: vec![host.into()], ..Policy::default() },
            ..LocationOptions::default()
        };
        let at = location(&format!("minio://{host}:80/bucket"));
        assert!(super::super::connect(&at, Some(&Credentials::Anonymous), &options).is_ok(), "{host}");
    }
}

#[test]
fn a_name_reaches_only_the_addresses_that_are_allowed() {
    let found = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>().into_iter();
    let policy = Policy::default();
    let some = allowed(&policy, "h", found(&["169.254.169.254:0", "10.0.0.1:0", "[fe80::1]:0"])).unwrap();
    assert_eq!(some, ["10.0.0.1:0".parse().unwrap()]);
    let none = allowed(&policy, "h.example", found(&["169.254.169.254:0"])).unwrap_err();
    assert!(none.to_string().starts_with("h.example may not be called: 169.254.169.254 is"), "{none}");
    let named = Policy { hosts: vec!["*.example".into()], ..Policy::default() };
    assert!(allowed(&named, "h.example", found(&["169.254.169.254:0"])).is_ok());
}

struct Refusing;

impl Resolve for Refusing {
    fn resolve(&self, _: Name) -> Resolving {
        let found = ["[fe80::1]:0".parse().unwrap()].into_iter();
        Box::pin(async { Ok(Box::new(allowed(&Policy::default(), "h", found)?.into_iter()) as Addrs) })
    }
}

#[tokio::test]
async fn a_refused_address_is_not_tried_again() {
    let client = reqwest::Client::builder().dns_resolver(Arc::new(Refusing)).no_proxy().build().unwrap();
    let err = client.get("http://h.example/?X-Amz-Signature=canary").send().await.unwrap_err();
    let refusal = super::super::answer::lost(err);
    assert_eq!(refusal.class, Class::Denied);
    assert!(refusal.to_string().contains("fe80::1") && !refusal.to_string().contains("canary"), "{refusal}");
}

#[tokio::test]
async fn keys_sign_and_nobody_does_not() {
    let store = FakeStore::answering((0..3).map(|_| answer(204, &[], ""))).await;
    let at = location(&store.uri());
    let options = LocationOptions { region: Some("garage".into()), ..LocationOptions::default() };
    let session = Credentials::Keys(crate::AccessKeys { session_token: Some(Secret::new("token".into())), ..keys() });
    for who in [Credentials::Keys(keys()), session, Credentials::Anonymous] {
        super::super::connect(&at, Some(&who), &options).unwrap().delete("k").await.unwrap();
    }
    let [plain, session, nobody] = &store.requests()[..] else { panic!("three requests") };
    assert!(
        plain.contains(&format!("Credential={ACCESS_KEY}/")) && plain.contains("/garage/s3/aws4_request"),
        "{plain}"
    );
    assert!(
        !plain.contains("x-amz-security-token") && session.contains("x-amz-security-token: token\r\n"),
        "{session}"
    );
    assert!(!nobody.contains("authorization"), "{nobody}");
    for request in store.requests() {
        assert!(!request.contains(SECRET_KEY));
        let traced = request.lines().next().unwrap();
        assert!(!traced.contains("canary") && !traced.contains("token") && !traced.contains("Signature"), "{traced}");
    }
}

#[tokio::test]
async fn google_is_signed_for_its_own_region() {
    let region = |uri: &str| connect(uri).unwrap().region().unwrap();
    assert_eq!(region("minio://storage.googleapis.com/bucket"), "auto");
    assert_eq!(region("minio://localhost:9000/bucket"), "us-east-1");
}

#[tokio::test]
async fn no_message_has_a_part_of_the_credentials_or_of_the_query() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = connect(&format!("minio://{free}/bucket?secure=false")).unwrap();
    let refused = client.abort_multipart("k", "canary-upload").await.unwrap_err();
    let client_text = format!("{client:?} {}", client.credentials_source().await);
    let text = format!("{refused} {refused:?} {client_text}");
    assert!(refused.class == Class::Unavailable && !text.contains("canary"), "{text}");
    assert!(text.contains("refused"), "the cause is told: {text}");
    let unfound = connect("minio://no-such-host.invalid/bucket").unwrap().head("k").await.unwrap_err();
    assert!(unfound.class == Class::Unavailable && unfound.to_string().contains("dns error"), "{unfound}");
}

#[tokio::test]
async fn a_key_that_a_url_would_change_is_refused() {
    let store = FakeStore::answering([""; 0]).await;
    let client = connect(&store.uri()).unwrap();
    for key in ["a/../b", "./a", "..", "a/."] {
        assert_eq!(client.delete(key).await.unwrap_err().class, Class::Invalid, "{key}");
    }
    assert!(store.requests().is_empty());
}
