//! The servers that other tests rely on start, serve, survive a crash and leave nothing behind.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::ByteStream;
use graphdb_destination::testing::servers::{Account, Garage, Rgw, RustyVault, S3Server, S3s, Storage, beside_nfs};

const BODY: &[u8] = b"some bytes";

async fn put(account: &Account, bucket: &str, name: &str, body: &'static [u8]) -> Result<(), u16> {
    let sent = account.client().put_object().bucket(bucket).key(name).body(ByteStream::from_static(body)).send().await;
    sent.map(|_| ()).map_err(|err| status(&err))
}

async fn get(account: &Account, bucket: &str, name: &str) -> Result<Vec<u8>, u16> {
    let answer = account.client().get_object().bucket(bucket).key(name).send().await.map_err(|err| status(&err))?;
    Ok(answer.body.collect().await.expect("a whole body").to_vec())
}

/// The HTTP status of a refusal, 0 when there was no answer.
fn status<E>(err: &SdkError<E>) -> u16 {
    err.raw_response().map_or(0, |response| response.status().as_u16())
}

async fn holds_objects(account: &Account) {
    let bucket = account.fresh_bucket().await;
    assert_eq!(get(account, &bucket, "a/b").await, Err(404));
    put(account, &bucket, "a/b", BODY).await.expect("put");
    assert_eq!(get(account, &bucket, "a/b").await.as_deref(), Ok(BODY));
    let mut stranger = account.clone();
    stranger.secret_key = graphdb_types::Secret::new("wrong".into());
    assert_eq!(get(&stranger, &bucket, "a/b").await, Err(403));
}

async fn keeps_objects_over_a_crash(server: &S3Server) {
    let bucket = server.account().fresh_bucket().await;
    put(server.account(), &bucket, "kept", BODY).await.expect("put");
    let before = server.pids();
    server.kill();
    assert_eq!(get(server.account(), &bucket, "kept").await, Err(0), "nobody answers");
    server.restart();
    assert_ne!(server.pids(), before);
    assert_eq!(get(server.account(), &bucket, "kept").await.as_deref(), Ok(BODY));
}

fn http() -> reqwest::Client {
    _ = rustls::crypto::aws_lc_rs::default_provider().install_default(); // fails when another test has done it
    reqwest::Client::builder().no_proxy().build().expect("a client")
}

/// Dropping a server ends each of its processes.
fn leaves_nothing<T>(server: T, pids: &BTreeMap<String, u32>) {
    assert!(!pids.is_empty());
    for (name, pid) in pids {
        assert!(runs(*pid), "{name} ran until now");
    }
    drop(server);
    for (name, pid) in pids {
        assert!(!runs(*pid), "{name}, process {pid}, is left");
    }
}

fn runs(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test]
async fn rgw_holds_objects_by_http_and_https() {
    let Some(rgw) = Rgw::shared() else { return };
    holds_objects(rgw.account()).await;
    holds_objects(&rgw.https_account()).await;
    let name = format!("named-{}", std::process::id());
    rgw.make_bucket(&name).await;
    put(&rgw.https_account(), &name, "x", BODY).await.expect("put by https");
    assert_eq!(get(rgw.account(), &name, "x").await.as_deref(), Ok(BODY));
}

#[tokio::test]
async fn rgw_allows_users_what_a_policy_says() {
    let Some(rgw) = Rgw::shared() else { return };
    let (owner, writer) = (rgw.account(), rgw.make_user("writer"));
    let bucket = owner.fresh_bucket().await;
    put(owner, &bucket, "a", BODY).await.expect("put by the owner");
    assert_eq!(put(&writer, &bucket, "b", BODY).await, Err(403));
    owner.allow(&bucket, "writer", &["s3:PutObject"]).await;
    assert_eq!(put(&writer, &bucket, "b", BODY).await, Ok(()));
    assert_eq!(get(&writer, &bucket, "a").await, Err(403));
    owner.allow(&bucket, "writer", &["s3:GetObject", "s3:ListBucket"]).await;
    assert_eq!(get(&writer, &bucket, "a").await.as_deref(), Ok(BODY));
    assert_eq!(put(&writer, &bucket, "c", BODY).await, Err(403));
    owner.allow(&bucket, "writer", &[]).await;
    assert_eq!(get(&writer, &bucket, "a").await, Err(403));
}

#[tokio::test]
async fn rgw_lets_anybody_read_what_is_public() {
    let Some(rgw) = Rgw::shared() else { return };
    let bucket = rgw.account().fresh_bucket().await;
    put(rgw.account(), &bucket, "a", BODY).await.expect("put");
    let url = format!("{}/{bucket}/a", rgw.endpoint());
    let anonymous = http();
    assert_eq!(anonymous.get(&url).send().await.expect("an answer").status(), 403);
    rgw.account().allow(&bucket, "*", &["s3:GetObject"]).await;
    let answer = anonymous.get(&url).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.bytes().await.expect("a body"), BODY);
}

#[tokio::test]
async fn rgw_refuses_what_a_quota_does_not_bear() {
    let Some(rgw) = Rgw::shared() else { return };
    let user = rgw.make_user("small");
    let bucket = user.fresh_bucket().await;
    rgw.set_quota("small", 20_000);
    put(&user, &bucket, "fits", &[0; 10_000]).await.expect("put what fits");
    assert_eq!(put(&user, &bucket, "does-not", &[0; 30_000]).await, Err(403));
    put(rgw.account(), &rgw.account().fresh_bucket().await, "other", &[0; 30_000]).await.expect("others may");
}

#[tokio::test]
async fn rgw_sessions_last_as_long_as_they_say() {
    let Some(rgw) = Rgw::shared() else { return };
    let bucket = rgw.account().fresh_bucket().await;
    let session = rgw.session("brief", Duration::from_secs(3)).await;
    assert_eq!(put(&session, &bucket, "a", BODY).await, Ok(()));
    let mut without_token = session.clone();
    without_token.session_token = None;
    assert_eq!(put(&without_token, &bucket, "a", BODY).await, Err(403));
    let begin = Instant::now();
    while put(&session, &bucket, "a", BODY).await == Ok(()) {
        assert!(begin.elapsed() < Duration::from_secs(60), "the session outlives its time");
        thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(put(rgw.account(), &bucket, "a", BODY).await, Ok(()), "only the session has ended");
}

#[tokio::test]
async fn rgw_in_memory_outlives_its_gateway_and_leaves_nothing() {
    let Some(rgw) = Rgw::start(Storage::Memory) else { return };
    keeps_objects_over_a_crash(&rgw).await;
    let pids = rgw.pids();
    assert_eq!(pids.keys().collect::<Vec<_>>(), ["mon", "osd", "rgw"]);
    leaves_nothing(rgw, &pids);
}

#[tokio::test]
async fn rgw_on_disk_keeps_what_it_acknowledged_and_leaves_nothing() {
    let Some(rgw) = Rgw::start(Storage::Disk) else { return };
    keeps_objects_over_a_crash(&rgw).await;
    let pids = rgw.pids();
    leaves_nothing(rgw, &pids);
}

#[tokio::test]
async fn garage_keeps_objects_and_leaves_nothing() {
    let Some(garage) = Garage::start() else { return };
    holds_objects(garage.account()).await;
    keeps_objects_over_a_crash(&garage).await;
    let pids = garage.pids();
    leaves_nothing(garage, &pids);
}

#[tokio::test]
async fn s3s_keeps_objects_as_files_and_leaves_nothing() {
    let Some(s3s) = S3s::start() else { return };
    holds_objects(s3s.account()).await;
    keeps_objects_over_a_crash(&s3s).await;
    s3s.make_bucket("seen").await;
    put(s3s.account(), "seen", "a/b", BODY).await.expect("put");
    assert_eq!(std::fs::read(s3s.folder().join("seen/a/b")).expect("a plain file"), BODY);
    let pids = s3s.pids();
    leaves_nothing(s3s, &pids);
}

#[tokio::test]
async fn rusty_vault_keeps_secrets_and_leaves_nothing() {
    let Some(vault) = RustyVault::start() else { return };
    let client = http();
    let url = format!("{}/v1/secret/canary", vault.address());
    let token = vault.root_token();
    let written = client.post(&url).header("X-Vault-Token", token.expose()).body(r#"{"enc_key":"c29uZw=="}"#);
    assert!(written.send().await.expect("an answer").status().is_success());
    vault.kill();
    assert!(client.get(&url).send().await.is_err());
    vault.restart();
    let read = || client.get(&url);
    let answer = read().header("X-Vault-Token", token.expose()).send().await.expect("an answer");
    assert!(answer.text().await.expect("a body").contains("c29uZw=="));
    let refused = read().send().await.expect("an answer").status();
    assert!(refused.is_client_error(), "without a token: {refused}");
    let pids = BTreeMap::from([("rustyvault".to_owned(), vault.pid())]);
    leaves_nothing(vault, &pids);
}

#[test]
#[ignore = "starts a guest kernel, which takes long"]
fn nfs_writes_through_and_fails_when_told() {
    let faults = r#"
        set -e
        echo through >$NFS/file
        cat $BACK/file
        server_stops; ! cat $NFS/other; server_starts
        until cat $NFS/file; do sleep 1; done
        storage_breaks
        ! dd if=/dev/zero of=$NFS/file bs=1M count=1 conv=fsync,notrunc status=none
        exit 7"#;
    let Some(output) = beside_nfs(faults, &[]) else { return };
    let said = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<_> = said.lines().collect();
    assert_eq!((output.status.code(), lines.len()), (Some(7), 4), "{said}");
    assert_eq!((lines[0], lines[2]), ("through", "through"));
    assert!(lines[1].ends_with("Input/output error") && lines[3].contains("Input/output error"), "{said}");
}

#[test]
#[ignore = "starts a guest kernel, which takes long"]
fn nfs_tells_of_a_full_disk_when_syncing() {
    let fill = "dd if=/dev/zero of=$NFS/file bs=1M count=20 conv=fsync status=none";
    let Some(output) = beside_nfs(fill, &[("DISK", "8M")]) else { return };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.code() == Some(1) && said.contains("fsync") && said.contains("No space left"), "{said}");
}
