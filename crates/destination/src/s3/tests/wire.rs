//! What is sent.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::fake::{Asked, Fake, refusal, reply};
use super::{SECRET, TOKEN, at, client_of, in_region, keys};
use crate::bucket::{BucketClient, Class, Condition, Part};
use crate::credentials::Credentials;
use crate::locations::LocationOptions;
use crate::s3::S3Client;

/// Says yes to every write.
async fn agreeing() -> Fake {
    Fake::start(|asked| {
        let complete = "<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>";
        let body = if asked.method == "POST" { complete } else { "" };
        reply(200, "ETag: \"e1\"\r\n", body)
    })
    .await
}

fn only(mut asked: Vec<Asked>) -> Asked {
    assert_eq!(asked.len(), 1, "{asked:?}");
    asked.remove(0)
}

/// No checksums that a store may not know, and the two that all know.
fn assert_plain(asked: &Asked, body: &[u8], md5: &str) {
    assert_eq!(asked.body, body, "the body is sent as it is, not in chunks");
    assert_eq!(asked.header("content-md5"), Some(md5));
    assert_eq!(asked.header("x-amz-content-sha256").map(str::len), Some(64), "a hash and no word such as STREAMING");
    for (name, value) in &asked.headers {
        assert!(
            !name.contains("checksum") && !name.contains("trailer") && name != "transfer-encoding",
            "{name}: {value}"
        );
        assert!(!value.contains("aws-chunked"), "{name}: {value}");
    }
}

#[tokio::test]
async fn bodies_go_out_whole_with_an_md5() {
    let fake = agreeing().await;
    let client = client_of(&fake.address, &in_region("here")).await;
    let stored = client.put("folder/a b+c%", Bytes::from_static(b"hello"), Condition::Absent).await.unwrap();
    assert_eq!(stored.etag.as_deref(), Some("e1"));
    let put = only(fake.take());
    assert_eq!(put.target.split('?').next(), Some("/bucket/folder/a%20b%2Bc%25"));
    assert_eq!(put.header("if-none-match"), Some("*"));
    assert_plain(&put, b"hello", "XUFAKrxLKna5cZ2REBfFkg==");

    client.put("k", Bytes::new(), Condition::None).await.unwrap();
    let put = only(fake.take());
    assert_eq!(put.header("if-none-match"), None);
    assert_plain(&put, b"", "1B2M2Y8AsgTpgAmY7PhCfg==");

    let large = Bytes::from(vec![b'x'; 1 << 20]);
    let part = client.upload_part("k", "u+1", 7, large.clone()).await.unwrap();
    assert_eq!((part.number, part.etag.as_str()), (7, "e1"));
    let sent = only(fake.take());
    assert!(sent.target.contains("partNumber=7") && sent.target.contains("uploadId=u%2B1"), "{}", sent.target);
    assert_plain(&sent, &large, "tWH4cgLQSVnjdYjuBc9bEA==");

    client.complete_multipart("k", "u", &[Part { number: 7, etag: "e1".into() }], Condition::Absent).await.unwrap();
    let sent = only(fake.take());
    assert_eq!(sent.header("if-none-match"), Some("*"));
    let body = String::from_utf8(sent.body).unwrap().replace("&quot;", "\"");
    assert!(body.contains("<ETag>\"e1\"</ETag>") && body.contains("<PartNumber>7</PartNumber>"), "{body}");
}

#[tokio::test]
async fn a_get_asks_for_its_range_of_the_object_it_knows() {
    let fake = Fake::always(reply(206, "Content-Range: bytes 2-5/10\r\n", "cdef")).await;
    let client = client_of(&fake.address, &in_region("here")).await;
    client.get("k", 2..6, Some("e1")).await.unwrap();
    let asked = only(fake.take());
    assert_eq!((asked.header("range"), asked.header("if-match")), (Some("bytes=2-5"), Some("\"e1\"")));
    assert_eq!(asked.header("x-amz-checksum-mode"), None);
}

#[tokio::test]
async fn a_key_keeps_its_slashes_and_dots() {
    let fake = agreeing().await;
    let client = client_of(&fake.address, &in_region("here")).await;
    client.delete("a//b/./c/../d").await.unwrap();
    assert_eq!(only(fake.take()).target.split('?').next(), Some("/bucket/a//b/./c/../d"));
}

#[tokio::test]
async fn who_is_anonymous_signs_nothing() {
    let fake = agreeing().await;
    let at = at(&format!("s3://{}/bucket?secure=false", fake.address));
    let mut options = in_region("here");
    options.environment.aws = match keys("ENVIRONMENT") {
        Credentials::Keys(keys) => Some(keys),
        Credentials::Anonymous => None,
    };
    let client = S3Client::connect(&at, Some(&Credentials::Anonymous), &options).await.unwrap();
    assert_eq!(client.credentials_source().await, "anonymous");
    client.put("k", Bytes::from_static(b"hello"), Condition::None).await.unwrap();
    let put = only(fake.take());
    assert_eq!((put.header("authorization"), put.header("x-amz-security-token")), (None, None));
    assert_eq!(put.header("content-md5"), Some("XUFAKrxLKna5cZ2REBfFkg=="));
}

#[tokio::test]
async fn a_guessed_region_gives_way_to_the_one_that_the_store_names() {
    let fake = Fake::start(|asked| match asked.region() {
        Some("eu-west-1") => reply(200, "", ""),
        _ => refusal(400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"),
    })
    .await;
    let guessing = LocationOptions { profile: Some("nobody has this profile".into()), ..LocationOptions::default() };
    let client = client_of(&fake.address, &guessing).await;
    for _ in 0..2 {
        client.put("k", Bytes::from_static(b"hello"), Condition::None).await.unwrap();
    }
    let regions = fake.take().iter().map(|asked| asked.region().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(regions, ["us-east-1", "eu-west-1", "eu-west-1"], "one detour, and none after it");

    let client = client_of(&fake.address, &in_region("ap-south-1")).await;
    let refusal = client.delete("k").await.unwrap_err();
    assert_eq!(refusal.class, Class::WrongRegion(Some("eu-west-1".into())), "a stated region is not corrected");
    assert_eq!(fake.take().len(), 1);
}

#[tokio::test]
async fn a_store_that_names_one_region_after_another_is_asked_twice() {
    for told in ["elsewhere", "us-east-1", "evil.example"] {
        let more = format!("<Region>{told}</Region>");
        let fake = Fake::always(refusal(400, "AuthorizationHeaderMalformed", &more)).await;
        let guessing =
            LocationOptions { profile: Some("nobody has this profile".into()), ..LocationOptions::default() };
        let client = client_of(&fake.address, &guessing).await;
        for _ in 0..2 {
            let refusal = client.delete("k").await.unwrap_err();
            assert_eq!(refusal.class, Class::WrongRegion(Some(told.into())));
        }
        assert!(fake.take().len() <= 4, "{told}");
    }
}

#[tokio::test]
async fn the_clock_of_a_store_is_not_taken_over() {
    let fake = Fake::always({
        let answer = String::from_utf8(refusal(403, "RequestTimeTooSkewed", "")).unwrap();
        answer.replacen("\r\n", "\r\nDate: Tue, 01 Jan 2019 00:00:00 GMT\r\n", 1).into_bytes()
    })
    .await;
    let client = client_of(&fake.address, &in_region("here")).await;
    for _ in 0..2 {
        let refusal = client.delete("k").await.unwrap_err();
        assert_eq!(refusal.class, Class::Clock, "{refusal}");
    }
    for asked in fake.take() {
        let signed_at = asked.header("x-amz-date").unwrap();
        assert!(!signed_at.starts_with("2019"), "signed at {signed_at}, by the store's clock");
    }
}

#[tokio::test]
async fn traced_requests_are_logged_without_secrets() {
    let fake = agreeing().await;
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    for (query, expected) in [("", 0), ("&trace=true", 2)] {
        let at = at(&format!("s3://{}/bucket?secure=false{query}", fake.address));
        let client = S3Client::connect(&at, Some(&keys("canary-key")), &in_region("here")).await.unwrap();
        client.put("some/key", Bytes::from_static(b"canary-body"), Condition::None).await.unwrap();
        client.delete("some/key").await.unwrap();
        let lines = std::mem::take(&mut *lines.0.lock().unwrap());
        assert_eq!(lines.len(), expected, "{lines:?}");
        for line in &lines {
            assert!(line.contains("/bucket/some/key") && line.contains("status=200"), "{line}");
            assert!(!line.contains("canary"), "{line}");
        }
    }
    assert!(!format!("{:?}", keys("canary-key")).contains("canary"));
    let put = &fake.take()[2];
    assert_eq!(put.header("x-amz-security-token"), Some(TOKEN), "there was a secret to be logged");
    assert!(!put.header("authorization").unwrap().contains(SECRET));
}

/// Collects what this crate logs.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("graphdb_destination")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{field}={value:?} ").unwrap();
    }
}
