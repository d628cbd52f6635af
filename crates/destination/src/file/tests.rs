#![expect(clippy::unwrap_used)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::SystemTime;

use tempfile::TempDir;

use super::*;
use crate::testing::conformance;
use crate::testing::servers::skip;
use crate::{Error, Locations, MemoryDestination};

const HOUR: Duration = Duration::from_secs(3600);

fn name(text: &str) -> ObjectName {
    text.parse().unwrap()
}

/// A destination in a fresh directory, which goes with the returned guard.
fn fresh() -> (TempDir, FileDestination) {
    let dir = tempfile::tempdir().unwrap();
    let destination = FileDestination::new(dir.path());
    (dir, destination)
}

async fn upload(destination: &FileDestination, object: &str, body: &str) -> Result<()> {
    let mut upload = destination.create(&name(object)).await?;
    upload.write(Bytes::copy_from_slice(body.as_bytes())).await?;
    upload.complete().await
}

/// Everything below `root`, folders too.
fn tree(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            if path.symlink_metadata().unwrap().is_dir() {
                folders.push(path);
            }
        }
    }
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_directory_conforms() {
    let dirs = Mutex::new(Vec::new());
    conformance(|| {
        let (dir, destination) = fresh();
        dirs.lock().unwrap().push(dir);
        Arc::new(destination)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_directory_that_does_not_exist_yet_conforms() {
    let dirs = Mutex::new(Vec::new());
    conformance(|| {
        let (dir, _) = fresh();
        let destination = FileDestination::new(dir.path().join("new"));
        dirs.lock().unwrap().push(dir);
        Arc::new(destination)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_conforms() {
    conformance(|| Arc::new(MemoryDestination::new())).await;
}

#[tokio::test]
async fn the_first_write_creates_a_missing_root_and_reading_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("backups");
    let location = root.to_str().unwrap();

    let missing = Locations::default().open_existing(&location.into()).await;
    assert!(matches!(&missing, Err(Error::NoLocation { .. })), "{missing:?}");
    let destination = Locations::default().open(&location.into()).await.unwrap();
    assert_eq!(destination.describe(), location);
    assert_eq!(destination.list("").await.unwrap(), []);
    assert!(!root.exists(), "looking creates nothing");
    destination.put(&name("a/b"), Bytes::new(), Put::Create).await.unwrap();
    assert_eq!(tree(&root), ["a", "a/b"]);
    assert_eq!(Locations::default().open_existing(&location.into()).await.unwrap().list("").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_missing_parent_is_a_missing_location() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("not/there");
    let opened = Locations::default().open(&root.to_str().unwrap().into()).await;
    assert!(matches!(&opened, Err(Error::NoLocation { .. })), "{opened:?}");

    let destination = FileDestination::new(&root);
    for failure in [
        destination.list("").await.map(drop),
        destination.stat(&name("x")).await.map(drop),
        destination.put(&name("x"), Bytes::new(), Put::Create).await,
        upload(&destination, "x", "x").await,
    ] {
        assert!(matches!(&failure, Err(Error::NoLocation { .. })), "{failure:?}");
    }
    assert_eq!(tree(dir.path()), [""; 0]);
}

#[tokio::test]
async fn a_location_that_vanishes_does_not_look_empty() {
    let dir = tempfile::tempdir().unwrap();
    let destination = FileDestination::open(dir.path()).await.unwrap();
    dir.close().unwrap();
    assert!(matches!(destination.list("").await, Err(Error::NoLocation { .. })));
    assert!(matches!(destination.get(&name("manifest.json"), 9).await, Err(Error::NoLocation { .. })));
}

#[tokio::test]
async fn a_file_is_not_a_location() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "kept").unwrap();
    for root in [file.clone(), file.join("below")] {
        let opened = Locations::default().open(&root.to_str().unwrap().into()).await;
        assert!(matches!(&opened, Err(Error::NotADirectory { .. })), "{opened:?}");
        assert!(matches!(FileDestination::new(&root).list("").await, Err(Error::NotADirectory { .. })));
        assert!(matches!(upload(&FileDestination::new(&root), "x", "x").await, Err(Error::NotADirectory { .. })));
    }
    assert_eq!(fs::read_to_string(file).unwrap(), "kept");
}

/// `/sys` refuses new files to everybody, root too.
#[tokio::test]
async fn an_unwritable_directory_is_denied_and_named() {
    let destination = FileDestination::open_or_create("/sys").await.unwrap();
    for object in ["x", "folder/x"] {
        let put = destination.put(&name(object), Bytes::new(), Put::Create).await;
        for failure in [upload(&destination, object, "x").await, put] {
            assert!(matches!(&failure, Err(Error::Denied { .. })), "{failure:?}");
            let message = failure.unwrap_err().to_string();
            assert!(message.contains(&format!("object {object}")) && message.contains("/sys"), "{message}");
        }
    }
}

/// `/proc` is a directory like any other, and answers "no such file" when one is created.
#[tokio::test]
async fn a_file_system_that_takes_no_files_is_not_mistaken_for_an_absent_object() {
    let destination = FileDestination::open_or_create("/proc").await.unwrap();
    let failure = upload(&destination, "x", "x").await;
    assert!(matches!(&failure, Err(Error::Unavailable { .. } | Error::Denied { .. })), "{failure:?}");
}

/// A small file system of its own, or `None` with a line that says why not.
struct Mounted(TempDir);

impl Mounted {
    fn tmpfs(options: &str) -> Option<Mounted> {
        let dir = tempfile::tempdir().unwrap();
        if mount(["-t", "tmpfs", "-o", options, "none"].map(OsStr::new).into_iter().chain([dir.path().as_os_str()])) {
            return Some(Mounted(dir));
        }
        skip("mounting a tmpfs needs root and a mount namespace of one's own");
        None
    }

    fn make_read_only(&self) {
        assert!(mount([OsStr::new("-o"), OsStr::new("remount,ro"), self.0.path().as_os_str()]));
    }
}

fn mount<'a>(args: impl IntoIterator<Item = &'a OsStr>) -> bool {
    Command::new("mount").args(args).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _left_to_the_system = Command::new("umount").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_leaves_what_was_there() {
    let Some(disk) = Mounted::tmpfs("size=256k") else { return };
    let destination = FileDestination::new(disk.0.path());
    upload(&destination, "series/first", "kept").await.unwrap();

    let mut large = destination.create(&name("series/second")).await.unwrap();
    let failure = large.write(vec![7; 1 << 20].into()).await;
    assert!(matches!(&failure, Err(Error::Full { .. })), "{failure:?}");
    let message = failure.unwrap_err().to_string();
    assert!(message.contains("series/second") && message.contains(&destination.describe()), "{message}");
    large.write(Bytes::new()).await.unwrap_err();
    large.complete().await.unwrap_err();

    let put = destination.put(&name("third"), vec![7; 1 << 20].into(), Put::Create).await;
    assert!(matches!(&put, Err(Error::Full { .. })), "{put:?}");
    assert_eq!(tree(disk.0.path()), ["series", "series/first"]);
    assert_eq!(destination.get(&name("series/first"), 9).await.unwrap(), "kept");
}

#[tokio::test]
async fn a_read_only_file_system_is_denied_and_still_read() {
    let Some(disk) = Mounted::tmpfs("size=256k") else { return };
    let destination = FileDestination::new(disk.0.path());
    upload(&destination, "series/first", "kept").await.unwrap();
    disk.make_read_only();
    for failure in [
        upload(&destination, "series/second", "x").await,
        upload(&destination, "new/second", "x").await,
        destination.put(&name("third"), Bytes::new(), Put::Create).await,
        destination.delete(&name("series/first")).await,
    ] {
        assert!(matches!(&failure, Err(Error::Denied { .. })), "{failure:?}");
    }
    assert_eq!(destination.get(&name("series/first"), 9).await.unwrap(), "kept");
}

#[tokio::test]
async fn symbolic_links_do_not_lead_out() {
    let (outside, _) = fresh();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    let (dir, destination) = fresh();
    symlink(outside.path(), dir.path().join("folder")).unwrap();
    symlink(outside.path().join("secret"), dir.path().join("file")).unwrap();

    for object in ["folder/secret", "file"] {
        let object = name(object);
        for failure in [
            destination.open(&object).await.map(drop),
            destination.get(&object, 99).await.map(drop),
            destination.stat(&object).await.map(drop),
            destination.delete(&object).await,
        ] {
            assert!(matches!(&failure, Err(Error::InvalidName { .. })), "{object}: {failure:?}");
        }
    }
    for object in ["folder/new", "folder/deep/new"] {
        assert!(matches!(upload(&destination, object, "x").await, Err(Error::InvalidName { .. })));
        let put = destination.put(&name(object), Bytes::new(), Put::Replace).await;
        assert!(matches!(&put, Err(Error::InvalidName { .. })), "{put:?}");
    }
    assert!(upload(&destination, "file", "x").await.unwrap_err().is_conflict());
    destination.put(&name("file"), "mine".into(), Put::Replace).await.unwrap();

    assert_eq!(destination.list("").await.unwrap().len(), 1, "links are not listed, what replaced one is");
    assert_eq!(tree(outside.path()), ["secret"]);
    assert_eq!(fs::read_to_string(outside.path().join("secret")).unwrap(), "secret");
}

#[tokio::test]
async fn a_link_to_the_root_itself_is_followed() {
    let (dir, _) = fresh();
    fs::create_dir(dir.path().join("disk7")).unwrap();
    symlink(dir.path().join("disk7"), dir.path().join("backups")).unwrap();
    let destination = FileDestination::open(dir.path().join("backups")).await.unwrap();
    upload(&destination, "object", "x").await.unwrap();
    assert!(dir.path().join("disk7/object").exists());
}

#[tokio::test]
async fn a_file_in_the_place_of_a_folder_is_told() {
    let (_dir, destination) = fresh();
    upload(&destination, "a", "x").await.unwrap();
    for failure in [upload(&destination, "a/b", "x").await, destination.open(&name("a/b")).await.map(drop)] {
        assert!(matches!(&failure, Err(Error::InvalidName { .. })), "{failure:?}");
    }
}

#[tokio::test]
async fn a_folder_in_the_place_of_an_object_is_not_replaced() {
    let (_dir, destination) = fresh();
    upload(&destination, "a/b", "kept").await.unwrap();
    assert!(upload(&destination, "a", "x").await.unwrap_err().is_conflict());
    let put = destination.put(&name("a"), Bytes::new(), Put::Replace).await;
    assert!(matches!(&put, Err(Error::InvalidName { .. })), "{put:?}");
    assert_eq!(destination.get(&name("a/b"), 9).await.unwrap(), "kept");
}

#[tokio::test]
async fn too_long_a_segment_is_refused_for_what_it_is() {
    let (dir, destination) = fresh();
    for object in ["s".repeat(256), format!("{}/x", "s".repeat(256))] {
        for failure in
            [upload(&destination, &object, "x").await, destination.put(&name(&object), Bytes::new(), Put::Create).await]
        {
            assert!(matches!(&failure, Err(Error::InvalidName { .. })), "{failure:?}");
        }
    }
    assert_eq!(tree(dir.path()), [""; 0]);
}

#[tokio::test]
async fn files_of_others_are_neither_listed_nor_swept() {
    let (dir, destination) = fresh();
    let others = ["a:b", "line\nbreak", ".nfs000001", ".x.tmp-1", ".x.tmp-0123456789ABCDEF"];
    for other in others {
        fs::write(dir.path().join(other), "").unwrap();
    }
    for folder in [".snapshot", "lost+found", "folder:x"] {
        fs::create_dir(dir.path().join(folder)).unwrap();
        fs::write(dir.path().join(folder).join("manifest.json"), "old").unwrap();
    }
    fs::create_dir(dir.path().join(".folder.tmp-0123456789abcdef")).unwrap();
    let before = tree(dir.path());
    let listed: Vec<String> = destination.list("").await.unwrap().iter().map(|meta| meta.name.to_string()).collect();
    assert_eq!(listed, [".x.tmp-0123456789ABCDEF", ".x.tmp-1"]);
    assert_eq!(destination.sweep(Duration::ZERO).await.unwrap(), [""; 0]);
    assert_eq!(tree(dir.path()), before);
}

#[tokio::test]
async fn only_old_leftovers_are_swept() {
    let (dir, destination) = fresh();
    upload(&destination, "kept/object", "x").await.unwrap();
    let leave = |path: &str, age: Duration| {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = File::create(path).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    };
    leave(".manifest.json.tmp-0123456789abcdef", 3 * HOUR);
    leave("dgraph.1/deep/.r9-g1.backup.tmp-00000000000000aa", 2 * HOUR);
    leave("kept/.object.tmp-00000000000000bb", HOUR / 2);
    leave("old/object", 100 * HOUR);

    assert_eq!(destination.list("").await.unwrap().len(), 2, "leftovers are not listed");
    assert_eq!(
        destination.sweep(HOUR).await.unwrap(),
        [".manifest.json.tmp-0123456789abcdef", "dgraph.1/deep/.r9-g1.backup.tmp-00000000000000aa"]
    );
    assert_eq!(tree(dir.path()), ["kept", "kept/.object.tmp-00000000000000bb", "kept/object", "old", "old/object"]);
}

#[tokio::test]
async fn an_upload_in_progress_is_one_marked_file_that_an_abort_or_a_drop_removes() {
    let (dir, destination) = fresh();
    for abort in [true, false] {
        let mut upload = destination.create(&name("new/folder/object")).await.unwrap();
        upload.write("half".into()).await.unwrap();
        let files = tree(dir.path());
        assert_eq!(files.len(), 3, "{files:?}");
        assert!(files[2].starts_with("new/folder/.object.tmp-"), "{files:?}");
        if abort {
            upload.abort().await;
        } else {
            drop(upload);
        }
        assert_eq!(tree(dir.path()), [""; 0]);
    }
}

#[test]
fn an_interrupted_write_cannot_be_completed() {
    let (_dir, destination) = fresh();
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let mut upload = destination.create(&name("object")).await.unwrap();
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let _occupied = task::spawn_blocking(move || wait.recv());
        assert!(
            futures::poll!(upload.write("x".into())).is_pending(),
            "the write waits for its thread, then is dropped"
        );
        drop(release);
        assert!(upload.complete().await.unwrap_err().is_retryable());
        assert_eq!(destination.list("").await.unwrap(), []);
    });
}

#[tokio::test]
async fn an_upload_whose_file_was_swept_does_not_pretend_to_be_complete() {
    let (dir, destination) = fresh();
    let mut upload = destination.create(&name("object")).await.unwrap();
    upload.write("x".into()).await.unwrap();
    assert_eq!(destination.sweep(Duration::ZERO).await.unwrap().len(), 1);
    assert!(upload.complete().await.unwrap_err().is_retryable());
    assert_eq!(tree(dir.path()), [""; 0]);
}

#[tokio::test]
async fn an_object_that_shrinks_while_it_is_read_is_an_error() {
    let (dir, destination) = fresh();
    upload(&destination, "object", &"x".repeat(3 << 20)).await.unwrap();
    let mut stream = destination.open(&name("object")).await.unwrap();
    assert_eq!(stream.next_chunk().await.unwrap().unwrap().len(), CHUNK_BYTES);
    File::options().write(true).open(dir.path().join("object")).unwrap().set_len(1_500_000).unwrap();
    assert_eq!(stream.next_chunk().await.unwrap().unwrap().len(), 1_500_000 - CHUNK_BYTES);
    let failure = stream.next_chunk().await.unwrap_err();
    assert!(failure.is_retryable(), "{failure:?}");
    assert_eq!(stream.next_chunk().await.unwrap(), None);
}

#[tokio::test]
async fn others_may_read_what_was_written() {
    let (dir, destination) = fresh();
    upload(&destination, "folder/object", "x").await.unwrap();
    let mode = |path: &str| dir.path().join(path).metadata().unwrap().permissions().mode() & 0o777;
    // The umask of whoever runs the tests may take bits away, and adds none.
    assert_eq!((mode("folder") | 0o055, mode("folder/object") | 0o044), (0o755, 0o644));
}

const RACE_ROOT: &str = "GRAPHDB_TEST_RACE_ROOT";
const RACING_PROCESSES: usize = 16;

#[test]
#[ignore = "runs as a child process of the race below"]
fn a_racing_process() {
    let Some(root) = std::env::var_os(RACE_ROOT) else { return };
    let body = Bytes::from(format!("{:010}", std::process::id()).repeat(10_000));
    let destination = FileDestination::new(Path::new(&root).join("backups"));
    while !Path::new(&root).join("start").exists() {
        std::thread::yield_now();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    match runtime.block_on(destination.put(&name("series/manifest.json"), body, Put::Create)) {
        Ok(()) => println!("race: won"),
        Err(Error::Conflict { .. }) => println!("race: lost"),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn of_racing_processes_exactly_one_creates_the_manifest() {
    let dir = tempfile::tempdir().unwrap();
    let racers: Vec<_> = (0..RACING_PROCESSES)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--ignored", "--exact", "--nocapture", "file::tests::a_racing_process"])
                .env(RACE_ROOT, dir.path())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    fs::write(dir.path().join("start"), "").unwrap();

    let (mut winners, mut losers) = (Vec::new(), 0);
    for racer in racers {
        let pid = racer.id();
        let output = racer.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if text.contains("race: won") {
            winners.push(pid);
        }
        losers += usize::from(text.contains("race: lost"));
    }
    assert_eq!((winners.len(), losers), (1, RACING_PROCESSES - 1));
    let manifest = fs::read_to_string(dir.path().join("backups/series/manifest.json")).unwrap();
    assert_eq!(manifest, format!("{:010}", winners[0]).repeat(10_000));
    assert_eq!(tree(&dir.path().join("backups")), ["series", "series/manifest.json"]);
}
