//! The client against Ceph's object gateway.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;

use super::fake::Fake;
use super::identities::{PAUSE, run_child, session};
use super::{at, in_region};
use crate::bucket::{Answer, BucketClient, Class, Condition};
use crate::credentials::{AccessKeys, Credentials};
use crate::s3::S3Client;
use crate::testing::servers::{Account, Rgw};

/// The least that S3 takes for a part that is not the last.
const PART_BYTES: usize = 5 << 20;

fn credentials(account: &Account) -> Credentials {
    Credentials::Keys(AccessKeys {
        access_key: account.access_key.clone(),
        secret_key: account.secret_key.clone(),
        session_token: account.session_token.clone(),
    })
}

async fn client(endpoint: &str, bucket: &str, credentials: &Credentials) -> S3Client {
    let address = endpoint.strip_prefix("http://").unwrap();
    let at = at(&format!("s3://{address}/{bucket}?secure=false"));
    S3Client::connect(&at, Some(credentials), &in_region("us-east-1")).await.unwrap()
}

async fn fresh(rgw: &Rgw) -> (S3Client, String) {
    let account = rgw.account();
    let bucket = account.fresh_bucket().await;
    (client(&account.endpoint, &bucket, &credentials(account)).await, bucket)
}

async fn read(client: &S3Client, key: &str, range: Range<u64>) -> Answer<(u64, Vec<u8>)> {
    let fetched = client.get(key, range, None).await?;
    let bytes = fetched.body.try_collect::<Vec<_>>().await?.concat();
    assert_eq!(bytes.len() as u64, fetched.announced_bytes);
    Ok((fetched.object_bytes, bytes))
}

#[tokio::test]
async fn objects_are_written_read_listed_and_removed() {
    let Some(rgw) = Rgw::shared() else { return };
    let (client, _) = fresh(rgw).await;
    assert_eq!(client.credentials_source().await, "the request");
    let stored = client.put("folder/object", Bytes::from_static(b"0123456789"), Condition::None).await.unwrap();
    let head = client.head("folder/object").await.unwrap();
    assert_eq!((head.size_bytes, &head.etag), (10, &stored.etag));
    assert_eq!(read(&client, "folder/object", 3..6).await.unwrap(), (10, b"345".to_vec()));
    assert_eq!(read(&client, "folder/object", 8..99).await.unwrap(), (10, b"89".to_vec()));
    let listed = client.list("folder/", None).await.unwrap();
    assert_eq!(listed.objects.len(), 1);
    assert_eq!((listed.objects[0].key.as_str(), listed.objects[0].size_bytes), ("folder/object", 10));
    client.delete("folder/object").await.unwrap();
    client.delete("folder/object").await.unwrap();
    assert_eq!(client.head("folder/object").await.unwrap_err().class, Class::Absent);
    assert_eq!(read(&client, "folder/object", 0..1).await.unwrap_err().class, Class::Absent);
    assert!(client.list("", None).await.unwrap().objects.is_empty());
}

#[tokio::test]
async fn a_name_that_is_taken_is_not_written_again() {
    let Some(rgw) = Rgw::shared() else { return };
    let (client, _) = fresh(rgw).await;
    client.put("object", Bytes::from_static(b"first"), Condition::Absent).await.unwrap();
    let refusal = client.put("object", Bytes::from_static(b"second"), Condition::Absent).await.unwrap_err();
    assert_eq!(refusal.class, Class::Exists, "{refusal}");
    assert_eq!(read(&client, "object", 0..9).await.unwrap().1, b"first");
}

#[tokio::test]
async fn an_object_that_changed_is_not_read_on() {
    let Some(rgw) = Rgw::shared() else { return };
    let (client, _) = fresh(rgw).await;
    let first = client.put("object", Bytes::from_static(b"first"), Condition::None).await.unwrap().etag.unwrap();
    client.get("object", 0..5, Some(&first)).await.unwrap();
    client.put("object", Bytes::from_static(b"other"), Condition::None).await.unwrap();
    assert_eq!(client.get("object", 0..5, Some(&first)).await.unwrap_err().class, Class::Exists);
}

#[tokio::test]
async fn an_upload_is_an_object_only_when_it_is_complete() {
    let Some(rgw) = Rgw::shared() else { return };
    let (client, _) = fresh(rgw).await;
    let (key, id) = ("folder/a b+c", client.create_multipart("folder/a b+c").await.unwrap());
    let first = client.upload_part(key, &id, 1, Bytes::from(vec![b'x'; PART_BYTES])).await.unwrap();
    let last = client.upload_part(key, &id, 2, Bytes::from_static(b"end")).await.unwrap();
    assert_eq!(client.head(key).await.unwrap_err().class, Class::Absent);
    let pending = client.list_multipart("folder/", None).await.unwrap().uploads;
    assert_eq!(pending.len(), 1);
    assert_eq!((pending[0].key.as_str(), &pending[0].upload_id), (key, &id));
    client.complete_multipart(key, &id, &[first, last], Condition::None).await.unwrap();
    let size = (PART_BYTES + 3) as u64;
    assert_eq!(read(&client, key, size - 4..size).await.unwrap(), (size, b"xend".to_vec()));
    assert!(client.list_multipart("", None).await.unwrap().uploads.is_empty());

    let id = client.create_multipart("other").await.unwrap();
    client.abort_multipart("other", &id).await.unwrap();
    assert!(client.list_multipart("", None).await.unwrap().uploads.is_empty());
    let refusal = client.upload_part("other", &id, 1, Bytes::from_static(b"late")).await.unwrap_err();
    assert_eq!(refusal.class, Class::NoUpload, "{refusal}");
}

#[tokio::test]
async fn odd_names_come_back_as_they_went() {
    let Some(rgw) = Rgw::shared() else { return };
    let (client, _) = fresh(rgw).await;
    let mut names = [
        "a b",
        "a+b",
        "a%20b",
        "a%2Bb",
        "a&b<c>\"d'",
        "\u{fc}\u{4e2d}\u{1f980}",
        "a=b?c#d",
        "x/y/z",
        "t~!$()*,;@[]^`{|}",
    ];
    for name in names {
        client.put(name, Bytes::from(name.to_owned()), Condition::None).await.unwrap();
    }
    for name in names {
        assert_eq!(read(&client, name, 0..99).await.unwrap().1, name.as_bytes(), "{name}");
    }
    let mut listed =
        client.list("", None).await.unwrap().objects.into_iter().map(|object| object.key).collect::<Vec<_>>();
    names.sort_unstable();
    listed.sort_unstable();
    assert_eq!(listed, names);
}

#[tokio::test]
async fn a_long_listing_comes_in_pages_and_whole() {
    let Some(rgw) = Rgw::shared() else { return };
    let (client, _) = fresh(rgw).await;
    // A page has 1000 at most.
    let names = (0..1001).map(|number| format!("n {number:04}")).collect::<Vec<_>>();
    let puts = names.iter().map(|name| client.put(name, Bytes::new(), Condition::None));
    futures::future::try_join_all(puts).await.unwrap();
    let first = client.list("n", None).await.unwrap();
    let second = client.list("n", Some(first.next.as_deref().unwrap())).await.unwrap();
    assert_eq!(second.next, None);
    let listed = first.objects.into_iter().chain(second.objects).map(|object| object.key).collect::<Vec<_>>();
    assert_eq!(listed, names);
}

#[tokio::test]
async fn refusals_of_the_store_are_told_apart() {
    let Some(rgw) = Rgw::shared() else { return };
    let account = rgw.account();
    let bucket = account.fresh_bucket().await;
    let wrong = AccessKeys { secret_key: graphdb_types::Secret::new("canary".into()), ..access_keys(account) };
    let unknown = AccessKeys { access_key: "NOBODY".into(), ..access_keys(account) };
    for keys in [wrong, unknown] {
        let client = client(&account.endpoint, &bucket, &Credentials::Keys(keys)).await;
        for refusal in [
            client.put("object", Bytes::new(), Condition::None).await.unwrap_err(),
            client.head("object").await.unwrap_err(),
            client.list("", None).await.unwrap_err(),
        ] {
            assert_eq!(refusal.class, Class::Denied, "{refusal}");
            assert!(!format!("{refusal} {refusal:?}").contains("canary"));
        }
    }
    let nowhere = client(&account.endpoint, "no-such-bucket-here", &credentials(account)).await;
    let refusal = nowhere.put("object", Bytes::new(), Condition::None).await.unwrap_err();
    assert_eq!(refusal.class, Class::NoBucket, "{refusal}");
    assert_eq!(nowhere.list("", None).await.unwrap_err().class, Class::NoBucket);
}

fn access_keys(account: &Account) -> AccessKeys {
    match credentials(account) {
        Credentials::Keys(keys) => keys,
        Credentials::Anonymous => panic!("an account has keys"),
    }
}

#[tokio::test]
async fn a_public_bucket_is_read_by_nobody_and_a_private_one_is_not() {
    let Some(rgw) = Rgw::shared() else { return };
    let (owner, bucket) = fresh(rgw).await;
    owner.put("object", Bytes::from_static(b"public"), Condition::None).await.unwrap();
    let anonymous = client(&rgw.account().endpoint, &bucket, &Credentials::Anonymous).await;
    assert_eq!(read(&anonymous, "object", 0..9).await.unwrap_err().class, Class::Denied);
    rgw.account().allow(&bucket, "*", &["s3:GetObject", "s3:ListBucket"]).await;
    assert_eq!(read(&anonymous, "object", 0..9).await.unwrap().1, b"public");
    assert_eq!(anonymous.list("", None).await.unwrap().objects.len(), 1);
    assert_eq!(anonymous.put("other", Bytes::new(), Condition::None).await.unwrap_err().class, Class::Denied);
}

#[tokio::test]
async fn a_session_works_until_it_ends() {
    let Some(rgw) = Rgw::shared() else { return };
    let (_, bucket) = fresh(rgw).await;
    let session = rgw.session("s3-client-ends", Duration::from_secs(3)).await;
    let client = client(&session.endpoint, &bucket, &credentials(&session)).await;
    client.put("object", Bytes::from_static(b"in time"), Condition::None).await.unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let refusal = client.put("object", Bytes::from_static(b"late"), Condition::None).await.unwrap_err();
    // Ceph does not say that the session ended.
    assert!(matches!(refusal.class, Class::Expired | Class::Denied), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_outlives_its_sessions() {
    let Some(rgw) = Rgw::shared() else { return };
    let (owner, bucket) = fresh(rgw).await;
    // A fake of a container's metadata that hands out real sessions, each too short for the upload.
    static ISSUED: AtomicU32 = AtomicU32::new(0);
    let metadata = Fake::start_slow(move |_| {
        Box::pin(async move {
            let role = format!("s3-client-renews-{}", ISSUED.fetch_add(1, Ordering::SeqCst));
            let valid = PAUSE + Duration::from_secs(1);
            let account = rgw.session(&role, valid).await;
            let token = account.session_token.unwrap();
            session(&account.access_key, account.secret_key.expose(), token.expose(), valid.as_secs())
        })
    })
    .await;
    let variables = BTreeMap::from([
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ENDPOINT_URL_S3", rgw.account().endpoint.clone()),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("http://{}/credentials", metadata.address)),
    ]);
    let said = run_child("upload", &bucket, &variables).await;
    assert_eq!((said.source.as_str(), said.done.as_str()), ("container metadata", "well"), "{}", said.all);
    assert_eq!(owner.head("slow").await.unwrap().size_bytes, 4 * PART_BYTES as u64);
    assert!(ISSUED.load(Ordering::SeqCst) > 2);
}

#[tokio::test]
async fn a_private_authority_is_trusted_when_it_is_named() {
    let Some(rgw) = Rgw::shared() else { return };
    let account = rgw.https_account();
    let bucket = account.fresh_bucket().await;
    let mut variables = BTreeMap::from([
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ENDPOINT_URL_S3", account.endpoint.clone()),
        ("AWS_ACCESS_KEY_ID", account.access_key.clone()),
        ("AWS_SECRET_ACCESS_KEY", account.secret_key.expose().to_owned()),
    ]);
    let said = run_child("delete", &bucket, &variables).await;
    assert!(said.done.starts_with("Unavailable") && said.done.contains("certificate"), "{}", said.all);
    variables.insert("SSL_CERT_FILE", account.ca_file.unwrap().to_str().unwrap().to_owned());
    let said = run_child("upload", &bucket, &variables).await;
    assert_eq!(said.done, "well", "{}", said.all);
}
