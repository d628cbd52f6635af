//! The contract of a destination, kept on real object stores.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use graphdb_destination::testing::servers::{Account, Garage, Rgw, S3s};
use graphdb_destination::testing::{Traits, conformance_with};
use graphdb_destination::{
    AccessKeys, BucketOptions, CreateOnly, Credentials, Destination, Error, LocationOptions, LocationRequest,
    Locations, ObjectName, Put,
};
use tokio::task::JoinSet;

/// What a store of any seriousness does.
const WHOLE: Traits = Traits { is_rigorous: true, leaves_litter: true };

/// Stores take no smaller parts (but for the last), and a megabyte makes several ranges of the suite's objects.
fn options() -> BucketOptions {
    BucketOptions { part_bytes: 5 << 20, range_bytes: 1 << 20, ..BucketOptions::default() }
}

fn locations(account: &Account) -> Locations {
    Locations::new(LocationOptions {
        region: Some(account.region.clone()),
        bucket: options(),
        ..LocationOptions::default()
    })
}

fn request(scheme: &str, account: &Account, bucket: &str, folder: &str) -> LocationRequest {
    let host = account.endpoint.split_once("://").expect("an endpoint is a URL").1;
    let keys = AccessKeys {
        access_key: account.access_key.clone(),
        secret_key: account.secret_key.clone(),
        session_token: account.session_token.clone(),
    };
    LocationRequest {
        location: Some(format!("{scheme}://{host}/{bucket}{folder}?secure=false")),
        credentials: Some(Credentials::Keys(keys)),
    }
}

async fn open(scheme: &str, account: &Account, bucket: &str, folder: &str) -> Arc<dyn Destination> {
    let opened = locations(account).open(&request(scheme, account, bucket, folder)).await;
    opened.unwrap_or_else(|err| panic!("{scheme}: {err}"))
}

/// Runs the suite by both schemes, each time in a fresh folder.
async fn conforms(account: &Account, traits: Traits) {
    for scheme in ["s3", "minio"] {
        let bucket = account.fresh_bucket().await;
        let folders = AtomicUsize::new(0);
        conformance_with(traits, async || {
            let folder = format!("/a folder/{}", folders.fetch_add(1, Ordering::Relaxed));
            open(scheme, account, &bucket, &folder).await
        })
        .await;
        assert!(folders.into_inner() > 15, "the suite ran");
    }
}

async fn creates(account: &Account) -> CreateOnly {
    let bucket = account.fresh_bucket().await;
    let place = open("s3", account, &bucket, "").await;
    assert_eq!(place.create_only(), CreateOnly::Unknown);
    let name = "manifest.json".parse().expect("a name");
    place.put(&name, "{}".into(), Put::Create).await.expect("put");
    let listed = account.client().list_objects_v2().bucket(&bucket).send().await.expect("list");
    assert_eq!(listed.contents().len(), 1, "neither probes nor claims are left: {listed:?}");
    place.create_only()
}

#[tokio::test(flavor = "multi_thread")]
async fn rgw_conforms() {
    let Some(rgw) = Rgw::shared() else { return };
    assert_eq!(creates(rgw.account()).await, CreateOnly::Conditional);
    conforms(rgw.account(), WHOLE).await;
}

/// It ignores `If-None-Match`, so this is about claims.
#[tokio::test(flavor = "multi_thread")]
async fn garage_conforms() {
    let Some(garage) = Garage::start() else { return };
    assert_eq!(creates(garage.account()).await, CreateOnly::Claimed);
    conforms(garage.account(), WHOLE).await;
}

/// Each racer is a process of its own as far as the store can tell, and none of them knows yet that conditions are ignored.
#[tokio::test(flavor = "multi_thread")]
async fn of_sixteen_strangers_one_creates_a_name_on_garage() {
    let Some(garage) = Garage::start() else { return };
    let bucket = garage.account().fresh_bucket().await;
    for scheme in ["s3", "minio"] {
        let name: ObjectName = format!("{scheme}/manifest.json").parse().expect("a name");
        let mut racers = JoinSet::new();
        for racer in 0..16u8 {
            let (place, name) = (open(scheme, garage.account(), &bucket, "").await, name.clone());
            racers.spawn(async move { (racer, place.put(&name, vec![racer; 100].into(), Put::Create).await) });
        }
        let (won, lost): (Vec<_>, Vec<_>) = racers.join_all().await.into_iter().partition(|(_, raced)| raced.is_ok());
        assert!(lost.iter().all(|(_, raced)| raced.as_ref().is_err_and(Error::is_conflict)), "{lost:?}");
        assert_eq!(won.len(), 1, "{won:?}");
        let place = open(scheme, garage.account(), &bucket, "").await;
        assert_eq!(place.get(&name, 100).await.expect("read"), vec![won[0].0; 100]);
    }
}

/// A policy under which a user of Ceph may write and nothing else; without the second part it could read what it wrote.
fn write_only(user: &str, bucket: &str) -> String {
    let statement = |effect: &str, actions: &str| {
        format!(
            r#"{{"Effect":"{effect}","Principal":{{"AWS":["arn:aws:iam:::user/{user}"]}},"Action":[{actions}],"Resource":["arn:aws:s3:::{bucket}","arn:aws:s3:::{bucket}/*"]}}"#
        )
    };
    let allow = statement("Allow", r#""s3:PutObject""#);
    let deny = statement("Deny", r#""s3:GetObject","s3:ListBucket","s3:AbortMultipartUpload","s3:DeleteObject""#);
    format!(r#"{{"Version":"2012-10-17","Statement":[{allow},{deny}]}}"#)
}

/// `s3:PutObject` and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn writing_alone_is_enough_on_rgw() {
    let Some(rgw) = Rgw::shared() else { return };
    let writer = rgw.make_user("only-writer");
    for scheme in ["s3", "minio"] {
        let bucket = rgw.account().fresh_bucket().await;
        rgw.account().set_policy(&bucket, &write_only("only-writer", &bucket)).await;
        let place = open(scheme, &writer, &bucket, "/folder").await;
        let large: ObjectName = "dgraph.20260104.224757.709/r9-g1.backup".parse().expect("a name");
        let manifest: ObjectName = "dgraph.20260104.224757.709/manifest.json".parse().expect("a name");
        let mut upload = place.create(&large).await.expect("create without looking");
        upload.write(vec![1; 12 << 20].into()).await.expect("write");
        upload.complete().await.expect("complete without looking");
        place.put(&manifest, "{}".into(), Put::Create).await.expect("put");
        assert_eq!(place.create_only(), CreateOnly::Conditional, "{scheme}");
        assert!(place.put(&manifest, "[]".into(), Put::Create).await.expect_err("taken").is_conflict());
        let listed = place.list("").await;
        assert!(matches!(listed, Err(Error::Denied { .. })), "a denied listing is not an empty one: {listed:?}");
        let read = place.get(&manifest, 9).await;
        assert!(matches!(read, Err(Error::Denied { .. })), "{read:?}");

        let owner = open(scheme, rgw.account(), &bucket, "/folder").await;
        let listed = owner.list("").await.expect("list");
        let sizes: Vec<_> = listed.iter().map(|meta| (meta.name.clone(), meta.size_bytes)).collect();
        assert_eq!(sizes, [(manifest, 2), (large, 12 << 20)], "no probe is left");
    }
}

/// It honours `If-None-Match` but for writers at the same moment, replaces an object and its ETag one after the other, has no answer to the
/// name of a folder, and does not list uploads.
#[tokio::test(flavor = "multi_thread")]
async fn s3s_conforms_but_for_races() {
    let Some(s3s) = S3s::start() else { return };
    assert_eq!(creates(s3s.account()).await, CreateOnly::Conditional);
    conforms(s3s.account(), Traits { is_rigorous: false, leaves_litter: false }).await;
}
