//! What the client makes of answers.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use futures::TryStreamExt;

use super::fake::{FakeStore, answer, error};
use super::{connect, location};
use crate::bucket::{Class, Condition, Part, Refusal};
use crate::credentials::Credentials;
use crate::locations::LocationOptions;

/// What a client says to an answer to a listing.
async fn refusal_of(answer: String) -> Refusal {
    let store = FakeStore::answering([answer]).await;
    let refusal = connect(&store.uri()).unwrap().list("", None).await.unwrap_err();
    assert_eq!(store.requests().len(), 1, "{refusal}");
    refusal
}

#[tokio::test]
async fn a_refusal_is_told_with_status_code_message_and_request_id() {
    let headers = ["x-amz-request-id: from-header", "Retry-After: 7"];
    let refusal = refusal_of(answer(503, &headers, &error("SlowDown"))).await;
    assert_eq!(refusal.to_string(), "Told & explained (503 SlowDown, request from-header)");
    assert_eq!((refusal.class, refusal.retry_after), (Class::Throttled, Some(Duration::from_secs(7))));
    let refusal = refusal_of(answer(403, &[], &error("SignatureDoesNotMatch"))).await;
    assert_eq!((refusal.class, refusal.request_id.as_deref()), (Class::Denied, Some("from-body")));
    for (status, code, class) in [
        (404, "NoSuchBucket", Class::NoBucket),
        (400, "ExpiredToken", Class::Expired),
        (403, "RequestTimeTooSkewed", Class::Clock),
        (500, "InternalError", Class::Unavailable),
    ] {
        assert_eq!(refusal_of(answer(status, &[], &error(code))).await.class, class, "{code}");
    }
}

#[tokio::test]
async fn without_an_error_document_the_status_speaks() {
    for (status, body, class) in [
        (404, "", Class::Absent),
        (502, "<html><body>Bad <b>Gateway</html>", Class::Unavailable),
        (429, "{\"error\": \"no\"}", Class::Throttled),
        (403, "<Error><Code>AccessDe", Class::Denied),
        (507, "", Class::Full),
    ] {
        let refusal = refusal_of(answer(status, &[], body)).await;
        assert_eq!((refusal.class, refusal.code), (class, None), "{status}");
    }
}

#[tokio::test]
async fn a_region_that_was_stated_and_is_wrong_is_refused_with_the_right_one() {
    let malformed = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>garage</Region></Error>";
    let moved = answer(301, &["x-amz-bucket-region: eu-west-3"], &error("PermanentRedirect"));
    for (answer, region) in [(answer(400, &[], malformed), "garage"), (moved, "eu-west-3")] {
        let store = FakeStore::answering([answer]).await;
        let options = LocationOptions { region: Some("x".into()), ..LocationOptions::default() };
        let client = super::super::connect(&location(&store.uri()), Some(&Credentials::Anonymous), &options).unwrap();
        let refusal = client.list("", None).await.unwrap_err();
        assert_eq!((refusal.class, store.requests().len()), (Class::WrongRegion(Some(region.into())), 1));
    }
}

#[tokio::test]
async fn a_region_that_was_guessed_is_corrected_once() {
    let malformed = |region: &str| {
        answer(400, &[], &format!("<Error><Code>AuthorizationHeaderMalformed</Code><Region>{region}</Region></Error>"))
    };
    let stored = answer(200, &["ETag: \"e\""], "");
    let answers = [malformed("garage"), stored, malformed("us-east-1"), malformed("garage"), malformed("other")];
    let store = FakeStore::answering(answers).await;
    let client = connect(&store.uri()).unwrap();
    client.put("k", Bytes::from_static(b"body"), Condition::None).await.unwrap();
    assert_eq!(client.region().as_deref(), Some("garage"));
    for (region, count) in [("us-east-1", 3), ("garage", 5)] {
        let refusal = client.list("", None).await.unwrap_err();
        assert!(matches!(refusal.class, Class::WrongRegion(Some(_))), "{region}: {refusal}");
        assert_eq!(store.requests().len(), count, "{region}");
    }
    assert!(store.requests()[1].contains("/garage/s3/aws4_request") && store.requests()[1].ends_with("\r\n\r\nbody"));
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_no_answer() {
    let whole = answer(200, &[], "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>");
    for cut in [0, 10, whole.len() - 1] {
        assert_eq!(refusal_of(whole[..cut].to_owned()).await.class, Class::Unavailable, "{cut}");
    }
}

#[tokio::test]
async fn an_upload_is_complete_only_if_the_document_says_so() {
    let parts = [Part { number: 1, etag: "e".into() }];
    for (body, class) in [
        (error("InternalError"), Class::Unavailable),
        (error("NoSuchUpload"), Class::NoUpload),
        (String::new(), Class::Corrupt),
        ("<CompleteMultipartUploadResult><ETag>".into(), Class::Corrupt),
        ("<ListBucketResult/>".into(), Class::Corrupt),
    ] {
        let store = FakeStore::answering([answer(200, &[], &body)]).await;
        let client = connect(&store.uri()).unwrap();
        let refusal = client.complete_multipart("k", "id", &parts, Condition::None).await.unwrap_err();
        assert_eq!(refusal.class, class, "{body}");
    }
    let done = "  \n <CompleteMultipartUploadResult><ETag>&quot;abc-1&quot;</ETag></CompleteMultipartUploadResult>";
    let store = FakeStore::answering([answer(200, &[], done)]).await;
    let client = connect(&store.uri()).unwrap();
    let stored = client.complete_multipart("k", "a+b/c", &parts, Condition::Absent).await.unwrap();
    assert_eq!(stored.etag.as_deref(), Some("abc-1"));
    let request = store.requests().remove(0);
    assert!(request.starts_with("POST /bucket/k?uploadId=a%2Bb%2Fc HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nif-none-match: *\r\n"), "{request}");
    assert!(request.ends_with("<Part><PartNumber>1</PartNumber><ETag>\"e\"</ETag></Part></CompleteMultipartUpload>"));
}

#[tokio::test]
async fn a_range_that_was_not_asked_for_is_not_taken() {
    for (status, headers, class) in [
        (206, vec!["Content-Range: bytes 3-6/10"], Class::Corrupt),
        (206, vec!["Content-Range: bytes 2-5/*"], Class::Corrupt),
        (206, vec!["Content-Range: bytes 2-5/4"], Class::Corrupt),
        (206, vec![], Class::Corrupt),
        (200, vec![], Class::Corrupt),
        (416, vec!["Content-Range: bytes */1"], Class::Invalid),
        (412, vec![], Class::Exists),
    ] {
        let store = FakeStore::answering([answer(status, &headers, "cdef")]).await;
        let refusal = connect(&store.uri()).unwrap().get("k", 2..6, Some("e")).await.unwrap_err();
        assert_eq!(refusal.class, class, "{status} {headers:?}: {refusal}");
    }
}

#[tokio::test]
async fn a_range_streams_with_the_size_of_the_object() {
    let headers = ["Content-Range: bytes 2-5/10", "ETag: \"e\"", "x-amz-server-side-encryption: aws:kms"];
    let store = FakeStore::answering([answer(206, &headers, "cdef")]).await;
    let fetched = connect(&store.uri()).unwrap().get("k", 2..6, Some("e")).await.unwrap();
    assert_eq!((fetched.object_bytes, fetched.announced_bytes, fetched.etag_is_opaque), (10, 4, true));
    assert_eq!(fetched.etag.as_deref(), Some("e"));
    assert_eq!(fetched.body.try_collect::<Vec<_>>().await.unwrap().concat(), b"cdef");
    let request = store.requests().remove(0);
    assert!(request.contains("\r\nrange: bytes=2-5\r\n") && request.contains("\r\nif-match: \"e\"\r\n"), "{request}");

    let short = answer(206, &["Content-Range: bytes 2-5/10"], "cdef").replace("cdef", "cd");
    let store = FakeStore::answering([short]).await;
    let fetched = connect(&store.uri()).unwrap().get("k", 2..6, None).await.unwrap();
    let refusal = fetched.body.try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(refusal.class, Class::Unavailable, "{refusal}");
}

#[tokio::test]
async fn head_tells_size_and_time() {
    let headers = ["ETag: W/\"e\"", "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT"];
    let store = FakeStore::answering([answer(200, &headers, ""), answer(200, &[], "")]).await;
    let client = connect(&store.uri()).unwrap();
    let head = client.head("k").await.unwrap();
    assert_eq!((head.size_bytes, head.etag.as_deref()), (0, Some("e")));
    assert_eq!(head.modified_at, UNIX_EPOCH + Duration::from_secs(784_111_777));
    assert_eq!(client.head("k").await.unwrap_err().class, Class::Corrupt);
}

#[tokio::test]
async fn a_listing_that_may_be_short_of_objects_is_refused() {
    let object = |inside: &str| format!("<Contents><Key>k</Key>{inside}</Contents><IsTruncated>false</IsTruncated>");
    for (inside, part) in [
        (String::new(), "has no IsTruncated"),
        ("<IsTruncated>maybe</IsTruncated>".into(), "is truncated: \"maybe\""),
        ("<IsTruncated>true</IsTruncated>".into(), "has no NextContinuationToken"),
        (object("<LastModified>2026-01-04T22:47:57.709Z</LastModified>"), "without a size"),
        (object("<Size>1</Size><LastModified>yesterday</LastModified>"), "is no time"),
    ] {
        let body = format!("<ListBucketResult>{inside}</ListBucketResult>");
        let refusal = refusal_of(answer(200, &[], &body)).await;
        assert!(refusal.class == Class::Corrupt && refusal.to_string().contains(part), "{refusal}");
    }
}

#[tokio::test]
async fn a_page_of_uploads_says_where_the_next_begins() {
    let page = "<ListMultipartUploadsResult><Upload><Key>a b</Key><UploadId>u+1</UploadId>\
        <Initiated>1970-01-01T00:00:09Z</Initiated></Upload><IsTruncated>true</IsTruncated>\
        <NextKeyMarker>a b</NextKeyMarker><NextUploadIdMarker>u+1</NextUploadIdMarker></ListMultipartUploadsResult>";
    let store = FakeStore::answering([answer(200, &[], page), answer(200, &[], page)]).await;
    let client = connect(&store.uri()).unwrap();
    let first = client.list_multipart("a", None).await.unwrap();
    assert_eq!((&*first.uploads[0].key, &*first.uploads[0].upload_id), ("a b", "u+1"));
    assert_eq!(first.uploads[0].begun_at, UNIX_EPOCH + Duration::from_secs(9));
    client.list_multipart("a", first.next.as_ref()).await.unwrap();
    let requests = store.requests();
    assert!(requests[0].starts_with("GET /bucket/?uploads&prefix=a&max-uploads=1000 "), "{}", requests[0]);
    assert!(requests[1].contains("key-marker=a+b&upload-id-marker=u%2B1&"), "{}", requests[1]);
}

#[tokio::test]
async fn a_body_goes_with_its_md5_and_its_sha256_signed() {
    let stored = || answer(200, &["ETag: \"e\""], "");
    let store = FakeStore::answering([stored(), stored(), answer(200, &[], "")]).await;
    let client = connect(&store.uri()).unwrap();
    client.put("a b+c", Bytes::from_static(b"hello"), Condition::Absent).await.unwrap();
    let part = client.upload_part("k", "id/1", 7, Bytes::from_static(b"hello")).await.unwrap();
    assert_eq!(part, Part { number: 7, etag: "e".into() });
    let refusal = client.upload_part("k", "id", 7, Bytes::from_static(b"hello")).await.unwrap_err();
    assert_eq!(refusal.class, Class::Corrupt, "{refusal}");
    let requests = store.requests();
    assert!(requests[0].starts_with("PUT /bucket/a%20b%2Bc HTTP/1.1\r\n"), "{}", requests[0]);
    assert!(requests[1].starts_with("PUT /bucket/k?partNumber=7&uploadId=id%2F1 HTTP/1.1\r\n"), "{}", requests[1]);
    assert!(requests[0].contains("SignedHeaders=content-length;content-md5;content-type;host;if-none-match;x-amz-"));
    for request in &requests[..2] {
        assert!(request.contains("\r\ncontent-md5: XUFAKrxLKna5cZ2REBfFkg==\r\n"), "{request}");
        assert!(
            request.contains("x-amz-content-sha256: 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
        );
        assert!(request.ends_with("\r\n\r\nhello"), "{request}");
    }
}
