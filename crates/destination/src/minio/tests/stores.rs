//! The client against real stores.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::TryStreamExt;
use graphdb_types::Secret;

use super::super::connect;
use super::location;
use crate::bucket::{BucketClient, Class, Condition, Fetched};
use crate::credentials::{AccessKeys, Credentials};
use crate::location::BucketLocation;
use crate::locations::LocationOptions;
use crate::testing::servers::{Account, Garage, Rgw, S3s};

/// Names that a careless encoding breaks.
const ODD_KEYS: [&str; 13] = [
    "plain",
    "a+b c",
    " both ends ",
    "100%",
    "%2B%20%25",
    "&<>\"'`;",
    "a=b?c#d",
    "(x)[y]{z}|^~!$,@*",
    "ünï/コード/🦀",
    "e\u{301}",
    "%F0%9F",
    "%2e%2e",
    "a//b/c/",
];

/// The least that S3 takes for a part that is not the last.
const PART_BYTES: usize = 5 << 20;

fn client(account: &Account, bucket: &str) -> Arc<dyn BucketClient> {
    client_as(account, bucket, &credentials(account))
}

fn client_as(account: &Account, bucket: &str, who: &Credentials) -> Arc<dyn BucketClient> {
    let options = LocationOptions { region: Some(account.region.clone()), ..LocationOptions::default() };
    connect(&at(account, bucket), Some(who), &options).unwrap()
}

fn at(account: &Account, bucket: &str) -> BucketLocation {
    let (protocol, host) = account.endpoint.split_once("://").unwrap();
    location(&format!("minio://{host}/{bucket}?secure={}", protocol == "https"))
}

fn credentials(account: &Account) -> Credentials {
    Credentials::Keys(AccessKeys {
        access_key: account.access_key.clone(),
        secret_key: account.secret_key.clone(),
        session_token: account.session_token.clone(),
    })
}

async fn bytes_of(fetched: Fetched) -> Vec<u8> {
    fetched.body.try_collect::<Vec<_>>().await.unwrap().concat()
}

async fn keys_below(client: &dyn BucketClient, prefix: &str) -> Vec<String> {
    let (mut keys, mut after) = (Vec::new(), None);
    for _ in 0..100 {
        let page = client.list(prefix, after.as_deref()).await.unwrap();
        keys.extend(page.objects.into_iter().map(|object| object.key));
        after = page.next;
        if after.is_none() {
            return keys;
        }
    }
    panic!("the listing of {prefix:?} does not end");
}

async fn objects_are_written_read_listed_and_removed(client: &dyn BucketClient) {
    let stored = client.put("o/object", Bytes::from_static(b"0123456789"), Condition::None).await.unwrap();
    let head = client.head("o/object").await.unwrap();
    assert_eq!((head.size_bytes, &head.etag), (10, &stored.etag));
    let age = SystemTime::now().duration_since(head.modified_at).unwrap_or_default();
    assert!(age < Duration::from_secs(3600), "{age:?}");

    let part = client.get("o/object", 3..7, stored.etag.as_deref()).await.unwrap();
    assert_eq!((part.object_bytes, part.announced_bytes, &part.etag), (10, 4, &stored.etag));
    assert_eq!(bytes_of(part).await, b"3456");
    let past_end = client.get("o/object", 8..1000, None).await.unwrap();
    assert_eq!((past_end.announced_bytes, bytes_of(past_end).await), (2, b"89".to_vec()));

    client.put("o/empty", Bytes::new(), Condition::None).await.unwrap();
    assert_eq!(client.head("o/empty").await.unwrap().size_bytes, 0);
    let page = client.list("o/", None).await.unwrap();
    let listed: Vec<_> = page.objects.iter().map(|object| (&*object.key, object.size_bytes)).collect();
    assert_eq!((listed, page.next), (vec![("o/empty", 0), ("o/object", 10)], None));

    client.delete("o/object").await.unwrap();
    assert_eq!(client.head("o/object").await.unwrap_err().class, Class::Absent);
    assert_eq!(client.get("o/object", 0..1, None).await.unwrap_err().class, Class::Absent);
}

async fn odd_keys_come_back_as_they_went(client: &dyn BucketClient, keys: &[&str]) {
    for key in keys {
        let (key, body) = (format!("odd & 100%+/{key}"), Bytes::from(key.to_string()));
        client.put(&key, body.clone(), Condition::None).await.unwrap_or_else(|err| panic!("put {key:?}: {err}"));
        let fetched = client.get(&key, 0..1000, None).await.unwrap_or_else(|err| panic!("get {key:?}: {err}"));
        assert_eq!(bytes_of(fetched).await, body, "{key:?}");
        assert_eq!(keys_below(client, &key).await, std::slice::from_ref(&key), "as a prefix");
    }
    let expected: BTreeSet<_> = keys.iter().map(|key| format!("odd & 100%+/{key}")).collect();
    let listed: BTreeSet<_> = keys_below(client, "odd & 100%+/").await.into_iter().collect();
    assert_eq!(listed, expected);
    for key in &expected {
        client.delete(key).await.unwrap_or_else(|err| panic!("delete {key:?}: {err}"));
    }
    assert!(keys_below(client, "odd").await.is_empty());
}

async fn an_upload_is_made_of_parts(client: &dyn BucketClient) {
    let key = "m/a b+c";
    let upload_id = client.create_multipart(key).await.unwrap();
    let (first, last) = (Bytes::from(vec![1; PART_BYTES]), Bytes::from_static(b"end"));
    let parts = [
        client.upload_part(key, &upload_id, 1, first).await.unwrap(),
        client.upload_part(key, &upload_id, 2, last).await.unwrap(),
    ];
    assert_eq!(client.head(key).await.unwrap_err().class, Class::Absent);
    let stored = client.complete_multipart(key, &upload_id, &parts, Condition::None).await.unwrap();
    let (head, size_bytes) = (client.head(key).await.unwrap(), PART_BYTES as u64 + 3);
    assert_eq!(head.size_bytes, size_bytes);
    assert!(stored.etag.is_none() || stored.etag == head.etag, "{stored:?}, {head:?}");
    let end = client.get(key, size_bytes - 4..size_bytes, head.etag.as_deref()).await.unwrap();
    assert_eq!(bytes_of(end).await, b"\x01end");
}

async fn uploads_in_progress_are_listed_and_aborted(client: &dyn BucketClient) {
    let mut begun = BTreeSet::new();
    for key in ["u/1 +%", "u/1 +%", "u/2"] {
        begun.insert((key.to_owned(), client.create_multipart(key).await.unwrap()));
    }
    let page = client.list_multipart("u/", None).await.unwrap();
    assert!(page.uploads.iter().all(|upload| upload.begun_at > SystemTime::UNIX_EPOCH));
    let listed: BTreeSet<_> = page.uploads.into_iter().map(|upload| (upload.key, upload.upload_id)).collect();
    assert_eq!((&listed, page.next), (&begun, None));
    for (key, upload_id) in &begun {
        client.abort_multipart(key, upload_id).await.unwrap();
    }
    assert!(client.list_multipart("u/", None).await.unwrap().uploads.is_empty());
    let (key, upload_id) = begun.first().unwrap();
    let gone = client.upload_part(key, upload_id, 1, Bytes::from_static(b"late")).await.unwrap_err();
    assert_eq!(gone.class, Class::NoUpload, "{gone}");
}

#[tokio::test]
async fn ceph_is_understood() {
    let Some(rgw) = Rgw::shared() else { return };
    let client = client(rgw.account(), &rgw.account().fresh_bucket().await);
    objects_are_written_read_listed_and_removed(&*client).await;
    odd_keys_come_back_as_they_went(&*client, &ODD_KEYS).await;
    an_upload_is_made_of_parts(&*client).await;
    uploads_in_progress_are_listed_and_aborted(&*client).await;

    client.put("once", Bytes::from_static(b"1"), Condition::Absent).await.unwrap();
    let taken = client.put("once", Bytes::from_static(b"2"), Condition::Absent).await.unwrap_err();
    assert_eq!((taken.class, taken.status), (Class::Exists, Some(412)));
    let changed = client.get("once", 0..1, Some("00000000000000000000000000000000")).await.unwrap_err();
    assert_eq!(changed.class, Class::Exists);
    assert_eq!(bytes_of(client.get("once", 0..1, None).await.unwrap()).await, b"1");
}

#[tokio::test]
async fn ceph_lists_in_pages() {
    let Some(rgw) = Rgw::shared() else { return };
    let client = client(rgw.account(), &rgw.account().fresh_bucket().await);
    let keys: Vec<_> = (0..1003).map(|n| format!("page/{n:04} +&")).collect();
    for key in &keys {
        client.put(key, Bytes::new(), Condition::None).await.unwrap();
    }
    let first = client.list("page/", None).await.unwrap();
    assert!(first.objects.len() == 1000 && first.next.is_some());
    assert_eq!(keys_below(&*client, "page/").await, keys);
}

#[tokio::test]
async fn ceph_tells_who_may_not_and_why() {
    let Some(rgw) = Rgw::shared() else { return };
    let (account, bucket) = (rgw.account(), rgw.account().fresh_bucket().await);
    let wrong = Account { secret_key: Secret::new("canary-wrong".into()), ..account.clone() };
    let denied = client(&wrong, &bucket).list("", None).await.unwrap_err();
    assert_eq!((&denied.class, denied.status), (&Class::Denied, Some(403)), "{denied}");
    let unknown = Account { access_key: "nobody".into(), ..account.clone() };
    let denied = client(&unknown, &bucket).list("", None).await.unwrap_err();
    assert!(denied.class == Class::Denied && denied.request_id.is_some(), "{denied}");
    let absent = client(account, "no-such-bucket").list("", None).await.unwrap_err();
    assert_eq!(absent.class, Class::NoBucket);
    let put = client(account, "no-such-bucket").put("k", Bytes::new(), Condition::None).await.unwrap_err();
    assert_eq!(put.class, Class::NoBucket);
}

#[tokio::test]
async fn ceph_serves_everybody_what_the_policy_allows() {
    let Some(rgw) = Rgw::shared() else { return };
    let (account, bucket) = (rgw.account(), rgw.account().fresh_bucket().await);
    client(account, &bucket).put("k", Bytes::from_static(b"open"), Condition::None).await.unwrap();
    let anybody = client_as(account, &bucket, &Credentials::Anonymous);
    assert_eq!(anybody.get("k", 0..4, None).await.unwrap_err().class, Class::Denied);
    account.allow(&bucket, "*", &["s3:GetObject"]).await;
    assert_eq!(bytes_of(anybody.get("k", 0..4, None).await.unwrap()).await, b"open");
    assert_eq!(anybody.put("k", Bytes::new(), Condition::None).await.unwrap_err().class, Class::Denied);
    assert_eq!(anybody.credentials_source().await, "none (anonymous)");
}

#[tokio::test]
async fn ceph_takes_a_session_token() {
    let Some(rgw) = Rgw::shared() else { return };
    let bucket = rgw.account().fresh_bucket().await;
    let session = rgw.session("minio-client", Duration::from_secs(900)).await;
    let client = client(&session, &bucket);
    objects_are_written_read_listed_and_removed(&*client).await;
    an_upload_is_made_of_parts(&*client).await;
    let without = Account { session_token: None, ..session };
    assert_eq!(self::client(&without, &bucket).list("", None).await.unwrap_err().class, Class::Denied);
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let Some(rgw) = Rgw::shared() else { return };
    let refusal = client(&rgw.https_account(), "bucket").list("", None).await.unwrap_err();
    assert_eq!(refusal.class, Class::Unavailable);
    assert!(refusal.to_string().contains("certificate"), "{refusal}");
}

#[tokio::test]
async fn garage_is_understood_and_names_its_region() {
    let Some(garage) = Garage::start() else { return };
    let (account, bucket) = (garage.account(), garage.account().fresh_bucket().await);
    let client = client(account, &bucket);
    objects_are_written_read_listed_and_removed(&*client).await;
    odd_keys_come_back_as_they_went(&*client, &ODD_KEYS).await;
    an_upload_is_made_of_parts(&*client).await;
    uploads_in_progress_are_listed_and_aborted(&*client).await;
    let elsewhere = Account { region: "us-east-1".into(), ..account.clone() };
    let refusal = self::client(&elsewhere, &bucket).list("", None).await.unwrap_err();
    assert_eq!(refusal.class, Class::WrongRegion(Some("garage".into())), "{refusal}");

    let unstated = connect(&at(account, &bucket), Some(&credentials(account)), &LocationOptions::default()).unwrap();
    unstated.put("k", Bytes::from_static(b"1"), Condition::None).await.unwrap();
    assert_eq!(unstated.region().as_deref(), Some("garage"));
    assert_eq!(unstated.head("k").await.unwrap().size_bytes, 1);
}

#[tokio::test]
async fn s3s_is_understood() {
    let Some(s3s) = S3s::start() else { return };
    let client = client(s3s.account(), &s3s.account().fresh_bucket().await);
    objects_are_written_read_listed_and_removed(&*client).await;
    // Its objects are files, and none is without a name.
    odd_keys_come_back_as_they_went(&*client, &ODD_KEYS[..12]).await;
    an_upload_is_made_of_parts(&*client).await;
}

const TLS_TEST: &str = "minio::tests::stores::a_bucket_is_listed_by_tls";

/// The authorities that are trusted are read from a variable of the process: the test runs in another one.
#[tokio::test]
async fn ssl_cert_file_names_an_authority_of_ones_own() {
    let Some(rgw) = Rgw::shared() else { return };
    let (account, bucket) = (rgw.https_account(), rgw.account().fresh_bucket().await);
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture", TLS_TEST])
        .env("SSL_CERT_FILE", account.ca_file.as_ref().unwrap())
        .env("TLS_TEST", [&*account.endpoint, &bucket, &account.access_key, account.secret_key.expose()].join(" "))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
#[ignore = "run by ssl_cert_file_names_an_authority_of_ones_own"]
async fn a_bucket_is_listed_by_tls() {
    let told = std::env::var("TLS_TEST").unwrap();
    let [endpoint, bucket, access_key, secret_key] = told.split(' ').collect::<Vec<_>>()[..] else { panic!("four") };
    let keys = AccessKeys::from_fields(Some(access_key.into()), Some(secret_key.into()), None).unwrap().unwrap();
    let at = location(&format!("{}/{bucket}", endpoint.replace("https", "minio")));
    let client = connect(&at, Some(&Credentials::Keys(keys)), &LocationOptions::default()).unwrap();
    client.put("k", Bytes::from_static(b"1"), Condition::None).await.unwrap();
    assert_eq!(client.list("", None).await.unwrap().objects.len(), 1);
}
