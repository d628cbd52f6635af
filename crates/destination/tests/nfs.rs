//! The contract of a destination, kept on a real NFS mount, and what is told when its server, disk or network fail.
//!
//! Each test runs in a guest kernel of its own, which User-mode Linux starts and `scripts/test-servers.sh --full`
//! installs. The mount is soft, as operators are told to make it: a server that is gone is an error after some seconds.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use graphdb_destination::testing::conformance;
use graphdb_destination::testing::servers::Nfs;
use graphdb_destination::{Destination, Error, FileDestination, ObjectName, Put, Result, Upload};

/// Bytes written at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// Within this every call ends, on a machine as slow as can be: the client gives a request up after 6 s, and an upload
/// that fails has some requests to make.
const PATIENCE: Duration = Duration::from_secs(120);

fn name(text: &str) -> ObjectName {
    text.parse().expect("a valid name")
}

/// The folder of the mount that backups go to.
fn place(nfs: &Nfs) -> FileDestination {
    FileDestination::new(nfs.mounted().join("backups"))
}

async fn in_time<T>(call: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, call).await.expect("the call ends")
}

/// Uploads an object of so many chunks, each full of its number.
async fn upload(place: &FileDestination, object: &ObjectName, chunks: usize) -> Result<()> {
    let mut upload = place.create(object).await?;
    for number in 0..chunks {
        upload.write(chunk(number)).await?;
    }
    upload.complete().await
}

fn chunk(number: usize) -> Bytes {
    vec![number as u8; CHUNK_BYTES].into()
}

/// That an object is as [`upload`] wrote it.
async fn assert_whole(place: &FileDestination, object: &ObjectName, chunks: usize) {
    let body = in_time(place.get(object, u64::MAX)).await.expect("get");
    assert_eq!(body.len(), chunks * CHUNK_BYTES, "{object}");
    for (number, found) in body.chunks(CHUNK_BYTES).enumerate() {
        assert!(found == chunk(number), "chunk {number} of {object}");
    }
}

async fn names(place: &FileDestination) -> Vec<String> {
    let listed = in_time(place.list("")).await.expect("list");
    listed.into_iter().map(|meta| meta.name.to_string()).collect()
}

/// Every file that the server has for us, temporary ones too.
fn files(nfs: &Nfs) -> Vec<String> {
    let root = nfs.exported().join("backups");
    let (mut files, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push(relative(&path, &root)),
            }
        }
    }
    files.sort_unstable();
    files
}

fn relative(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).expect("below the root").to_str().expect("UTF-8").to_owned()
}

/// That the server has these files of ours and no other, once the client is done: it takes a moment to remove a file
/// that was open when it lost its name.
async fn assert_files(nfs: &Nfs, expected: &[&str]) {
    let started = Instant::now();
    while files(nfs) != expected {
        assert!(started.elapsed() < PATIENCE, "{:?} instead of {expected:?}", files(nfs));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn assert_names_object_and_place(failure: &Error, object: &ObjectName, place: &FileDestination) {
    let message = failure.to_string();
    assert!(message.contains(&format!("object {object}")) && message.contains(&place.describe()), "{message}");
}

/// Runs the suite, in folders of its own.
async fn assert_conforms(nfs: &Nfs) {
    let places = AtomicUsize::new(0);
    conformance(|| {
        let folder = format!("place-{}", places.fetch_add(1, Ordering::Relaxed));
        Arc::new(FileDestination::new(nfs.mounted().join(folder)))
    })
    .await;
    assert!(places.into_inner() > 15, "the suite ran");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "starts a guest kernel, which takes long"]
async fn a_real_nfs_mount_keeps_the_contract() {
    let test = "a_real_nfs_mount_keeps_the_contract";
    let Some(nfs) = Nfs::in_guest(test, &[("DISK", "256M")]) else { return };
    assert_conforms(&nfs).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "starts a guest kernel, which takes long"]
async fn a_slow_network_changes_nothing_but_the_time() {
    let Some(nfs) = Nfs::in_guest("a_slow_network_changes_nothing_but_the_time", &[("DISK", "256M")]) else { return };
    nfs.network_delays(5);
    assert_conforms(&nfs).await;
    nfs.network_delays(200);
    let (place, object) = (place(&nfs), name("series/object"));
    in_time(upload(&place, &object, 4)).await.expect("upload");
    assert_whole(&place, &object, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "starts a guest kernel, which takes long"]
async fn a_full_disk_is_told_and_leaves_the_name_and_the_space_free() {
    let test = "a_full_disk_is_told_and_leaves_the_name_and_the_space_free";
    let Some(nfs) = Nfs::in_guest(test, &[("DISK", "24M")]) else { return };
    let (place, kept, large, manifest) =
        (place(&nfs), name("series/kept"), name("series/large"), name("manifest.json"));
    in_time(upload(&place, &kept, 1)).await.expect("upload");

    let uploaded = in_time(upload(&place, &large, 64)).await;
    let put = in_time(place.put(&manifest, vec![7; 32 * CHUNK_BYTES].into(), Put::Create)).await;
    for (object, outcome) in [(&large, uploaded), (&manifest, put)] {
        let failure = outcome.expect_err("64 MiB do not fit");
        assert!(matches!(failure, Error::Full { .. }), "{failure:?}");
        assert_names_object_and_place(&failure, object, &place);
        assert!(in_time(place.stat(object)).await.expect_err("nothing is visible").is_not_found());
    }
    assert_eq!(names(&place).await, ["series/kept"]);
    assert_files(&nfs, &["series/kept"]).await; // what was written until then is removed

    in_time(upload(&place, &large, 12)).await.expect("half of the disk is free, and so is the name");
    assert_whole(&place, &large, 12).await;
    assert_whole(&place, &kept, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "starts a guest kernel, which takes long"]
async fn bytes_that_the_disk_did_not_take_are_never_acknowledged() {
    let Some(nfs) = Nfs::in_guest("bytes_that_the_disk_did_not_take_are_never_acknowledged", &[]) else { return };
    let place = place(&nfs);
    let (kept, object) = (name("series/kept"), name("series/object"));
    in_time(upload(&place, &kept, 1)).await.expect("upload");
    let mut begun = in_time(place.create(&object)).await.expect("create");
    in_time(begun.write(chunk(0))).await.expect("write");

    nfs.storage_breaks();
    let failure = in_time(finish(begun)).await.expect_err("the disk takes nothing");
    assert!(matches!(failure, Error::Unavailable { .. }), "{failure:?}");
    assert_names_object_and_place(&failure, &object, &place);
    assert_eq!(names(&place).await, ["series/kept"], "nothing is visible");
    in_time(place.put(&name("manifest.json"), "{}".into(), Put::Create))
        .await
        .expect_err("nor is a small object taken");
}

/// Writes what is left of an upload of two chunks.
async fn finish(mut begun: Box<dyn Upload>) -> Result<()> {
    begun.write(chunk(1)).await?;
    begun.complete().await
}

/// As above, where only the name is left to be written. The server shows it until it starts again.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "starts a guest kernel, which takes long"]
async fn a_name_that_the_disk_did_not_take_is_never_acknowledged() {
    let Some(nfs) = Nfs::in_guest("a_name_that_the_disk_did_not_take_is_never_acknowledged", &[]) else { return };
    let (place, object) = (place(&nfs), name("series/object"));
    let mut begun = in_time(place.create(&object)).await.expect("create");
    in_time(begun.write(chunk(0))).await.expect("write");
    nfs.storage_breaks();
    let failure = in_time(begun.complete()).await.expect_err("the disk takes nothing");
    assert!(matches!(failure, Error::Unavailable { .. }), "{failure:?}");
    assert_names_object_and_place(&failure, &object, &place);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "starts a guest kernel, which takes long"]
async fn a_server_that_is_gone_is_an_error_in_time_and_served_again_when_back() {
    let test = "a_server_that_is_gone_is_an_error_in_time_and_served_again_when_back";
    let Some(nfs) = Nfs::in_guest(test, &[]) else { return };
    let (place, kept, object, manifest) =
        (place(&nfs), name("series/kept"), name("series/object"), name("manifest.json"));
    in_time(upload(&place, &kept, 1)).await.expect("upload");
    let mut begun = in_time(place.create(&object)).await.expect("create");
    in_time(begun.write(chunk(0))).await.expect("write");

    nfs.server_stops();
    let during = in_time(begun.complete()).await;
    let put = in_time(place.put(&manifest, "{}".into(), Put::Create)).await;
    for (object, outcome) in [(&object, during), (&manifest, put)] {
        let failure = outcome.expect_err("nobody is there to write");
        assert!(failure.is_retryable(), "{failure:?}");
        assert_names_object_and_place(&failure, object, &place);
    }
    let absent = in_time(place.stat(&name("series/other"))).await.expect_err("nobody is there to ask");
    assert!(absent.is_retryable(), "a server that is gone is not an absent object: {absent:?}");

    nfs.server_starts();
    until_it_works(|| upload(&place, &object, 4)).await;
    in_time(place.put(&manifest, "{}".into(), Put::Create)).await.expect("put");
    assert_whole(&place, &object, 4).await;
    assert_whole(&place, &kept, 1).await;
    in_time(place.sweep(Duration::ZERO)).await.expect("sweep");
    assert_files(&nfs, &["manifest.json", "series/kept", "series/object"]).await; // what died in between is swept
}

/// Calls again until it succeeds, as long as that may help.
async fn until_it_works<F: Future<Output = Result<()>>>(call: impl Fn() -> F) {
    let started = Instant::now();
    while let Err(failure) = in_time(call()).await {
        assert!(failure.is_retryable() && started.elapsed() < PATIENCE, "{failure:?}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "starts a guest kernel, which takes long"]
async fn an_upload_goes_on_when_the_server_restarts() {
    let Some(nfs) = Nfs::in_guest("an_upload_goes_on_when_the_server_restarts", &[]) else { return };
    let (place, object) = (place(&nfs), name("series/object"));
    let mut begun = in_time(place.create(&object)).await.expect("create");
    in_time(begun.write(chunk(0))).await.expect("write");
    nfs.server_stops();
    nfs.server_starts();
    in_time(begun.write(chunk(1))).await.expect("write to the server that came back");
    in_time(begun.complete()).await.expect("complete");
    assert_whole(&place, &object, 2).await;
    assert_files(&nfs, &["series/object"]).await;
}
