//! What is made of answers.

use std::ops::Range;

use bytes::Bytes;
use futures::TryStreamExt;

use super::fake::{Asked, Fake, refusal, reply};
use super::{SECRET, TOKEN, client_of, in_region};
use crate::bucket::{Answer, BucketClient, Class, Condition, Part};
use crate::s3::S3Client;

const ALL: Range<u64> = 0..100;

/// A client of a server with one answer, in the region that was stated.
async fn facing(answer: Vec<u8>) -> (Fake, S3Client) {
    let fake = Fake::always(answer).await;
    let client = client_of(&fake.address, &in_region("here")).await;
    (fake, client)
}

async fn complete(client: &S3Client) -> Answer<()> {
    let parts = [Part { number: 1, etag: "e1".into() }];
    client.complete_multipart("key", "upload", &parts, Condition::Absent).await.map(drop)
}

/// Every kind of request: its name, its answer, and what the server was asked.
async fn every_request(fake: &Fake, client: &S3Client) -> Vec<(&'static str, Answer<()>, Vec<Asked>)> {
    let (mut all, body) = (Vec::new(), Bytes::from_static(b"body"));
    let mut note = |name, answer| all.push((name, answer, fake.take()));
    note("put", client.put("key", body.clone(), Condition::None).await.map(drop));
    note("put if absent", client.put("key", body.clone(), Condition::Absent).await.map(drop));
    note("create", client.create_multipart("key").await.map(drop));
    note("part", client.upload_part("key", "upload", 1, body).await.map(drop));
    note("complete", complete(client).await);
    note("abort", client.abort_multipart("key", "upload").await);
    note("uploads", client.list_multipart("", None).await.map(drop));
    note("get", client.get("key", ALL, Some("e")).await.map(drop));
    note("head", client.head("key").await.map(drop));
    note("list", client.list("", None).await.map(drop));
    note("delete", client.delete("key").await);
    all
}

#[tokio::test]
async fn every_request_tells_what_the_store_told() {
    for (answer, class) in [
        (refusal(404, "NoSuchKey", ""), Class::Absent),
        (refusal(404, "NoSuchBucket", ""), Class::NoBucket),
        (refusal(403, "AccessDenied", ""), Class::Denied),
        (
            refusal(403, "SignatureDoesNotMatch", "<StringToSign>canary-secret canary-token</StringToSign>"),
            Class::Denied,
        ),
        (refusal(400, "ExpiredToken", "<Token-0>canary-token</Token-0>"), Class::Expired),
        (refusal(403, "RequestTimeTooSkewed", "<ServerTime>2019-01-01T00:00:00Z</ServerTime>"), Class::Clock),
        (refusal(412, "PreconditionFailed", ""), Class::Exists),
        (refusal(409, "ConditionalRequestConflict", ""), Class::Racing),
        (refusal(501, "NotImplemented", ""), Class::Unsupported),
        (refusal(403, "QuotaExceeded", ""), Class::Full),
        (refusal(503, "SlowDown", ""), Class::Throttled),
        (refusal(500, "InternalError", ""), Class::Unavailable),
        (refusal(400, "BadDigest", ""), Class::Corrupt),
        (
            refusal(400, "AuthorizationHeaderMalformed", "<Region>there</Region>"),
            Class::WrongRegion(Some("there".into())),
        ),
    ] {
        let (fake, client) = facing(answer).await;
        for (name, answer, sent) in every_request(&fake, &client).await {
            let refusal = answer.expect_err(name);
            assert_eq!(sent.len(), 1, "{name}: one call is one request, also when it fails");
            // An answer to HEAD has no body.
            if sent[0].method == "HEAD" {
                continue;
            }
            assert_eq!(refusal.class, class, "{name}: {refusal}");
            assert!(refusal.message.starts_with("words of "), "{name}: {refusal}");
            assert_eq!(refusal.request_id.as_deref(), Some("REQ-7"), "{name}");
            let shown = format!("{refusal} {refusal:?} {client:?}");
            assert!(!shown.contains(SECRET) && !shown.contains(TOKEN), "{name}: {shown}");
        }
    }
}

#[tokio::test]
async fn a_refused_head_is_known_by_its_status() {
    for (status, headers, class) in [
        (404, "", Class::Absent),
        (403, "", Class::Denied),
        (412, "", Class::Exists),
        (429, "", Class::Throttled),
        (503, "", Class::Unavailable),
        (400, "", Class::Invalid),
        (301, "x-amz-bucket-region: there\r\n", Class::WrongRegion(Some("there".into()))),
        (400, "x-amz-bucket-region: there\r\n", Class::WrongRegion(Some("there".into()))),
    ] {
        let head =
            format!("HTTP/1.1 {status} Whatever\r\n{headers}x-amz-request-id: REQ-7\r\nConnection: close\r\n\r\n");
        let (_fake, client) = facing(head.into_bytes()).await;
        let refusal = client.head("key").await.unwrap_err();
        assert_eq!((refusal.class, refusal.status), (class, Some(status)));
        assert_eq!(refusal.request_id.as_deref(), Some("REQ-7"));
    }
}

#[tokio::test]
async fn answers_that_are_not_of_s3_are_known_by_their_status() {
    for (status, class) in [
        (400, Class::Invalid),
        (401, Class::Denied),
        (404, Class::Unavailable),
        (407, Class::Invalid),
        (429, Class::Throttled),
        (500, Class::Unavailable),
        (502, Class::Unavailable),
        (504, Class::Unavailable),
    ] {
        for body in ["<html><body>proxy</body></html>", "not even markup", "<Error><Cut", ""] {
            let (fake, client) = facing(reply(status, "Content-Type: text/html\r\n", body)).await;
            for (name, answer, sent) in every_request(&fake, &client).await {
                let refusal = answer.expect_err(name);
                // Nothing but a clean 404 says that an object is absent.
                let clean = status == 404 && (body.is_empty() || sent[0].method == "HEAD");
                let class = if clean { Class::Absent } else { class.clone() };
                assert_eq!(
                    (refusal.class.clone(), refusal.status),
                    (class.clone(), Some(status)),
                    "{name} {body:?}: {refusal}"
                );
            }
        }
    }
}

#[tokio::test]
async fn how_long_to_wait_is_read() {
    let (_fake, client) = facing(reply(503, "Retry-After: 7\r\n", "")).await;
    let refusal = client.head("key").await.unwrap_err();
    assert_eq!(refusal.retry_after, Some(std::time::Duration::from_secs(7)));
}

#[tokio::test]
async fn a_yes_with_a_refusal_in_it_completes_nothing() {
    let late = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\n   \n<Error><Code>InternalError</Code><Message>late</Message></Error>";
    for (body, class) in [
        (late, Class::Unavailable),
        ("<Error><Code>PreconditionFailed</Code><Message>taken</Message></Error>", Class::Exists),
        ("<Error><Code>NoSuchUpload</Code><Message>gone</Message></Error>", Class::NoUpload),
        ("<Error><Code>InternalError</Code><Message>cut", Class::Unavailable),
        ("<html><body>proxy</body></html>", Class::Corrupt),
        ("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n   ", Class::Corrupt),
        ("<CompleteMultipartUploadResult></CompleteMultipartUploadResult>", Class::Corrupt),
        ("", Class::Corrupt),
    ] {
        let (_fake, client) = facing(reply(200, "", body)).await;
        let refusal = complete(&client).await.expect_err(body);
        assert_eq!(refusal.class, class, "{body:?}: {refusal}");
    }
    // Ceph 16 leaves the ETag empty.
    for etag in ["<ETag>&quot;e-1&quot;</ETag>", "<ETag></ETag>"] {
        let done = format!("<CompleteMultipartUploadResult><Key>key</Key>{etag}</CompleteMultipartUploadResult>");
        let (_fake, client) = facing(reply(200, "", &done)).await;
        complete(&client).await.unwrap();
    }
}

#[tokio::test]
async fn a_listing_that_makes_no_sense_is_no_empty_listing() {
    for body in [
        "",
        "<html><body>proxy</body></html>",
        "<ListBucketResult><Contents><Key>a</Key>",
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key><Size>1</Size></Contents></ListBucketResult>",
    ] {
        let (_fake, client) = facing(reply(200, "", body)).await;
        let refusal = client.list("", None).await.expect_err(body);
        assert_eq!(refusal.class, Class::Corrupt, "{body:?}: {refusal}");
    }
    let (_fake, client) = facing(reply(200, "", "<html>proxy</html>")).await;
    assert_eq!(client.list_multipart("", None).await.unwrap_err().class, Class::Corrupt);
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_no_answer() {
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n<ListBucketResult>".to_vec();
    let (_fake, client) = facing(cut).await;
    assert_eq!(client.list("", None).await.unwrap_err().class, Class::Unavailable);
    let (_fake, client) = facing(Vec::new()).await;
    assert_eq!(client.head("key").await.unwrap_err().class, Class::Unavailable);
}

#[tokio::test]
async fn a_store_that_is_not_there_is_unavailable_and_the_cause_is_told() {
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let client = client_of(&address, &in_region("here")).await;
    let refusal = client.head("key").await.unwrap_err();
    assert_eq!((&refusal.class, refusal.status), (&Class::Unavailable, None));
    assert!(refusal.message.to_lowercase().contains("refused"), "{refusal}");
}

async fn got(answer: Vec<u8>, range: Range<u64>) -> (Answer<(u64, u64)>, Answer<Vec<Bytes>>) {
    let (_fake, client) = facing(answer).await;
    match client.get("key", range, None).await {
        Ok(fetched) => {
            (Ok((fetched.object_bytes, fetched.announced_bytes)), fetched.body.try_collect::<Vec<_>>().await)
        }
        Err(refusal) => (Err(refusal), Ok(Vec::new())),
    }
}

#[tokio::test]
async fn a_range_comes_with_the_size_of_the_object() {
    let (sizes, body) = got(reply(206, "Content-Range: bytes 2-5/10\r\n", "cdef"), 2..6).await;
    assert_eq!((sizes.unwrap(), body.unwrap().concat()), ((10, 4), b"cdef".to_vec()));
    let (sizes, _) = got(reply(206, "Content-Range: bytes 8-9/10\r\n", "ij"), 8..20).await;
    assert_eq!(sizes.unwrap(), (10, 2));
    let (sizes, body) = got(reply(200, "", "abc"), 0..10).await;
    assert_eq!(
        (sizes.unwrap(), body.unwrap().concat()),
        ((3, 3), b"abc".to_vec()),
        "the whole object is what was asked for"
    );
}

#[tokio::test]
async fn another_range_than_was_asked_for_is_refused() {
    for (answer, range) in [
        (reply(206, "Content-Range: bytes 0-3/10\r\n", "abcd"), 2..6),
        (reply(206, "Content-Range: pages 2-5/10\r\n", "cdef"), 2..6),
        (reply(200, "", "abcdefghij"), 2..6),
        (reply(200, "", "abcdefghij"), 0..6),
    ] {
        let (sizes, _) = got(answer, range).await;
        assert_eq!(sizes.unwrap_err().class, Class::Corrupt);
    }
}

#[tokio::test]
async fn a_body_that_is_cut_off_fails() {
    let cut =
        b"HTTP/1.1 206 OK\r\nContent-Length: 4\r\nContent-Range: bytes 2-5/10\r\nConnection: close\r\n\r\ncd".to_vec();
    let (sizes, body) = got(cut, 2..6).await;
    assert_eq!(sizes.unwrap(), (10, 4));
    assert_eq!(body.unwrap_err().class, Class::Unavailable);
}

#[tokio::test]
async fn keys_are_read_as_the_store_wrote_them() {
    let page = |encoding: &str, key: &str| {
        format!(
            "<ListBucketResult>{encoding}<Contents><Key>{key}</Key><Size>1</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Contents></ListBucketResult>"
        )
    };
    let encoded = "<EncodingType>url</EncodingType>";
    for (encoding, key, meant) in [
        (encoded, "a+b%2Bc%25d%C3%BC/%01", "a b+c%d\u{fc}/\u{1}"),
        (encoded, "a%20b", "a b"),
        ("", "a+b%2Bc&amp;d\u{fc}", "a+b%2Bc&d\u{fc}"),
    ] {
        let (_fake, client) = facing(reply(200, "", &page(encoding, key))).await;
        let listed = client.list("", None).await.unwrap();
        assert_eq!(listed.objects[0].key, meant);
        assert_eq!(listed.next, None);
    }
}

#[tokio::test]
async fn pages_lead_to_the_next() {
    let list = "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>a+b/=%</NextContinuationToken></ListBucketResult>";
    let (fake, client) = facing(reply(200, "", list)).await;
    let next = client.list("p/", None).await.unwrap().next.unwrap();
    client.list("p/", Some(&next)).await.unwrap();
    assert!(fake.take()[1].target.contains("continuation-token=a%2Bb%2F%3D%25"), "the token goes back as it came");

    let uploads = "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>a+b</NextKeyMarker><NextUploadIdMarker>u/1</NextUploadIdMarker><Upload><Key>a+b</Key><UploadId>u/1</UploadId><Initiated>2026-01-01T00:00:00Z</Initiated></Upload></ListMultipartUploadsResult>";
    let (fake, client) = facing(reply(200, "", uploads)).await;
    let page = client.list_multipart("", None).await.unwrap();
    assert_eq!((page.uploads[0].key.as_str(), page.uploads[0].upload_id.as_str()), ("a+b", "u/1"));
    client.list_multipart("", page.next.as_ref()).await.unwrap();
    let target = &fake.take()[1].target;
    assert!(target.contains("key-marker=a%2Bb") && target.contains("upload-id-marker=u%2F1"), "{target}");
}

#[tokio::test]
async fn a_redirect_to_another_host_is_not_followed() {
    let other = Fake::always(reply(200, "", "")).await;
    for status in [301, 302, 307, 308] {
        let location = format!("Location: http://{}/bucket/key\r\n", other.address);
        let (fake, client) = facing(reply(status, &location, "")).await;
        for (name, answer, sent) in every_request(&fake, &client).await {
            assert!(answer.is_err(), "{name}");
            assert_eq!(sent.len(), 1, "{name}");
        }
    }
    assert!(other.take().is_empty());
}
