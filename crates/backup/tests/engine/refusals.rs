//! What is asked for and cannot be done: refused with a message that says why, and nothing changes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use graphdb_backup::{
    BackupContext, BackupRequest, BackupTerms, EncryptionKey, Error, Locations, Progress, SeriesRequest, backup,
    list_backups, restore_offline,
};
use graphdb_destination::testing::servers::skip;
use graphdb_destination::{Destination, MemoryDestination};
use graphdb_storage::{Leased, Store};
use graphdb_types::Ts;
use tempfile::TempDir;

use crate::support::{
    back_up, commit, define, describe, entries, indexed_string, key, newest, objects, open_store, replace, restore,
    scratch, set,
};

fn memory() -> Arc<dyn Destination> {
    Arc::new(MemoryDestination::new())
}

fn small_store() -> (TempDir, Arc<Store>) {
    let dir = scratch();
    let store = open_store(&dir.path().join("p"));
    define(&store, &[("name", indexed_string())]);
    commit(&store, vec![set(1, "name", "Ann")]);
    (dir, store)
}

async fn back_up_to(store: &Arc<Store>, location: &Path) -> Result<(), Error> {
    let request = BackupRequest { destination: location.display().to_string().into(), terms: BackupTerms::default() };
    backup(store, &BackupContext::default(), &request, &Progress::default()).await.map(drop)
}

async fn refused_restore(place: &Arc<dyn Destination>, request: &SeriesRequest) -> String {
    let dir = scratch();
    let err = restore(place, request, dir.path()).await.map(|report| report.backup_num).unwrap_err();
    assert_eq!(entries(dir.path()), [""; 0], "{err}");
    describe(&err)
}

async fn refused_backup(store: &Arc<Store>, place: &Arc<dyn Destination>, key: Option<Arc<EncryptionKey>>) -> String {
    let before = objects(&**place).await;
    let err = back_up(store, place, key, false).await.map(|sealed| sealed.manifest().backup_num).unwrap_err();
    assert!(objects(&**place).await == before, "a refused backup changes nothing: {err}");
    describe(&err)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_wrong_missing_or_too_much_is_refused_before_anything_is_written() {
    let (_dir, store) = small_store();
    let (plain, encrypted) = (memory(), memory());
    back_up(&store, &plain, None, false).await.unwrap();
    back_up(&store, &encrypted, Some(key(32)), false).await.unwrap();
    assert!(refused_restore(&plain, &newest(Some(key(32)))).await.contains("is not encrypted"));
    assert!(refused_restore(&encrypted, &newest(None)).await.contains("encryption key is needed"));
    assert!(refused_restore(&encrypted, &newest(Some(key(16)))).await.contains("is not the one"));
    let err = refused_backup(&store, &encrypted, None).await;
    assert!(err.contains("it is encrypted") && err.contains("forceFull"), "{err}");
    let err = refused_backup(&store, &plain, Some(key(32))).await;
    assert!(err.contains("it is not encrypted") && err.contains("forceFull"), "{err}");
    let err = refused_backup(&store, &encrypted, Some(key(24))).await;
    assert!(err.contains("another key") && err.contains("forceFull"), "{err}");
    for len in [0, 15, 17, 33] {
        let err = EncryptionKey::new(&vec![7; len]).unwrap_err().to_string();
        assert!(err.contains(&format!("has {len}")), "{err}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn series_and_numbers_that_do_not_exist_are_refused() {
    let (_dir, store) = small_store();
    let place = memory();
    assert!(refused_restore(&place, &newest(None)).await.contains("no backups found"));
    let sealed = back_up(&store, &place, None, false).await.unwrap();
    let backup_id = sealed.manifest().backup_id.clone();
    let ask =
        |id: Option<&str>, backup_num| SeriesRequest { backup_id: id.map(String::from), backup_num, ..newest(None) };
    let err = refused_restore(&place, &ask(Some("no_such1"), None)).await;
    assert!(err.contains("no_such1") && err.contains(&backup_id), "{err}");
    for number in [0, 2, u64::MAX] {
        let err = refused_restore(&place, &ask(None, Some(number))).await;
        assert!(err.contains(&number.to_string()) && err.contains(&backup_id), "{err}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_into_a_directory_in_use_leaves_it_as_it_is() {
    let (_dir, store) = small_store();
    let place = memory();
    back_up(&store, &place, None, false).await.unwrap();
    let parent = scratch();
    let target = parent.path().join("p1");
    fs::create_dir(&target).unwrap();
    fs::write(target.join("letter.txt"), "dear").unwrap();
    let err = restore(&place, &newest(None), parent.path()).await.unwrap_err();
    assert!(matches!(err, Error::TargetNotEmpty { .. }), "{err}");
    assert_eq!((entries(parent.path()), entries(&target)), (vec!["p1".to_owned()], vec!["letter.txt".to_owned()]));
    fs::remove_file(target.join("letter.txt")).unwrap();
    restore(&place, &newest(None), parent.path()).await.unwrap();
    open_store(&target);
    fs::remove_dir_all(&target).unwrap();
    fs::write(&target, "a file").unwrap();
    assert!(restore(&place, &newest(None), parent.path()).await.is_err());
    assert_eq!(fs::read(&target).unwrap(), b"a file");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_written_backup_is_not_there() {
    let (_dir, store) = small_store();
    let place = memory();
    back_up(&store, &place, None, false).await.unwrap();
    let litter = ["dgraph.20990101.000000.000/r9-g1.backup", "dgraph.20200101.000000.000/r9-g1.backup", "notes.txt"];
    for name in litter {
        replace(&*place, &name.parse().unwrap(), "half").await;
    }
    let second = back_up(&store, &place, None, false).await.unwrap();
    assert_eq!(second.manifest().backup_num, 2);
    assert!(second.folder().to_string().as_str() > "dgraph.2099", "later than what is there, whatever the clock says");
    let dir = scratch();
    assert_eq!(restore(&place, &newest(None), dir.path()).await.unwrap().backup_num, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_twin_does_not_continue_the_series_of_its_original() {
    let (_dir, store) = small_store();
    let place = memory();
    back_up(&store, &place, None, false).await.unwrap();
    let dir = scratch();
    restore(&place, &newest(None), dir.path()).await.unwrap();
    let twin = open_store(&dir.path().join("p1"));
    commit(&twin, vec![set(2, "name", "Twin")]);
    let err = refused_backup(&twin, &place, None).await;
    assert!(err.contains("restored since") && err.contains("forceFull"), "{err}");
    commit(&store, vec![set(2, "name", "Original")]);
    assert_eq!(back_up(&store, &place, None, false).await.unwrap().manifest().backup_num, 2, "the original goes on");
    assert!(back_up(&twin, &place, None, true).await.unwrap().manifest().is_full());
    let (_dir, stranger) = small_store();
    let err = refused_backup(&stranger, &place, None).await;
    assert!(err.contains("another database") && err.contains("forceFull"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_went_back_in_time_is_refused() {
    // A copy of the directory taken before the last backup: what a snapshot of a virtual machine brings back.
    let (dir, store) = small_store();
    store.flush().unwrap();
    drop(store);
    let copy = scratch();
    let (original, older) = (dir.path().join("p"), copy.path().join("p"));
    fs::create_dir(&older).unwrap();
    for name in entries(&original) {
        fs::copy(original.join(&name), older.join(&name)).unwrap();
    }
    let place = memory();
    let store = open_store(&original);
    store.raise_lease(Leased::Ts, 50_000).unwrap();
    back_up(&store, &place, None, false).await.unwrap();
    drop(store);
    let err = refused_backup(&open_store(&older), &place, None).await;
    assert!(err.contains("not greater") && err.contains("forceFull"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_an_unchanged_database_advances_and_restores() {
    let (_dir, store) = small_store();
    let place = memory();
    let mut last = Ts::ZERO;
    for number in 1..=3 {
        let sealed = back_up(&store, &place, None, false).await.unwrap();
        assert!(sealed.manifest().read_ts > last && sealed.manifest().backup_num == number);
        last = sealed.manifest().read_ts;
    }
    let dir = scratch();
    assert_eq!(restore(&place, &newest(None), dir.path()).await.unwrap().read_ts, last);
}

#[tokio::test(flavor = "multi_thread")]
async fn locations_that_cannot_be_used_are_named() {
    let (_dir, store) = small_store();
    let dir = scratch();
    let file = dir.path().join("file");
    fs::write(&file, "a file").unwrap();
    let err = back_up_to(&store, &file).await.unwrap_err().to_string();
    assert!(err.contains("file") && err.contains("not a directory"), "{err}");
    let missing = dir.path().join("no/such/place");
    let err = back_up_to(&store, &missing).await.unwrap_err().to_string();
    assert!(err.contains("no/such"), "{err}");
    assert!(
        list_backups(&Locations::default(), &missing.display().to_string().into()).await.is_err(),
        "a misspelt location is not an empty one"
    );
    let request = SeriesRequest { location: missing.display().to_string().into(), ..newest(None) };
    assert!(
        restore_offline(&Locations::default(), &request, &dir.path().join("target"), &Progress::default())
            .await
            .is_err()
    );
    assert_eq!(entries(dir.path()), ["file"]);
    for odd in ["ftp://host/x", "s3://bucket/x", ""] {
        let request = BackupRequest { destination: odd.into(), terms: BackupTerms::default() };
        assert!(backup(&store, &BackupContext::default(), &request, &Progress::default()).await.is_err(), "{odd}");
    }
    if !rustix::process::geteuid().is_root() {
        let closed = dir.path().join("closed");
        fs::create_dir(&closed).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
        let err = back_up_to(&store, &closed).await.unwrap_err().to_string();
        assert!(err.contains("not allowed"), "{err}");
    } else {
        skip("root may write everywhere, so a location that may not be written to was not tried");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_leaves_the_earlier_backups_as_they_were() {
    let dir = scratch();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
        .arg(dir.path())
        .output()
        .is_ok_and(|output| output.status.success());
    if !mounted {
        skip("a small file system can only be mounted by root");
        return;
    }
    let (_dir, store) = small_store();
    back_up_to(&store, dir.path()).await.unwrap();
    let names: Vec<String> =
        (0..30_000u64).map(|i| format!("{:016x}", i.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    commit(&store, names.iter().enumerate().map(|(i, name)| set(i as u64 + 1, "name", name)).collect());
    let err = back_up_to(&store, dir.path()).await.unwrap_err();
    let (left, location) = (entries(dir.path()), dir.path().display().to_string());
    let listed = list_backups(&Locations::default(), &location.clone().into()).await;
    let target = scratch();
    let request = SeriesRequest { location: location.into(), ..newest(None) };
    let restored = restore_offline(&Locations::default(), &request, target.path(), &Progress::default()).await;
    std::process::Command::new("umount").arg(dir.path()).status().unwrap();
    assert!(err.to_string().contains("no space left"), "{err}");
    assert_eq!(left.len(), 1, "what did not fit is removed: {left:?}");
    assert_eq!((listed.unwrap().len(), restored.unwrap().backup_num), (1, 1));
}
