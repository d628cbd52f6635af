#![expect(clippy::unwrap_used)]

use time::OffsetDateTime;

use super::*;

fn memory() -> (tempfile::TempDir, SeriesMemory) {
    let dir = tempfile::tempdir().unwrap();
    let memory = SeriesMemory::open(&dir.path().join("series")).unwrap();
    (dir, memory)
}

fn end(backup_num: u64, key_check: Option<&str>) -> SeriesEnd {
    SeriesEnd {
        backup_id: "brave_noether4".into(),
        backup_num,
        read_ts: Ts(backup_num * 10),
        digest: Sha256Digest::of(&[backup_num as u8]),
        folder: BackupFolder::new(OffsetDateTime::UNIX_EPOCH),
        database_id: "0123".into(),
        epoch: 7,
        key_check: key_check.map(|hex| KeyCheck::from_hex(hex).unwrap()),
        compat: Compat::V21_12,
        tagged: None,
    }
}

#[test]
fn what_was_noted_is_remembered_by_the_next_who_looks() {
    let (_dir, memory) = memory();
    let mut first = memory.of("s3:///b").unwrap();
    assert_eq!((first.lock(), first.newest(), first.committing()), (LockNumber::default(), None, None));
    let lock = LockNumber { number: 3, unsure: true };
    first.set_lock(lock).unwrap();
    let (old, new) = (end(1, None), end(2, Some("7c8de87c6ac512cd375af1d2beb0c646")));
    first.learn(Some(&old)).unwrap();
    first.intend(&new).unwrap();
    let second = memory.of("s3:///b").unwrap();
    assert_eq!((second.lock(), second.newest(), second.committing()), (lock, Some(old.clone()), Some(new.clone())));
    first.learn(Some(&new)).unwrap();
    assert_eq!(memory.of("s3:///b").unwrap().newest(), Some(new));
    assert_eq!(memory.of("s3:///b").unwrap().committing(), None);
    assert_eq!(memory.of("s3:///c").unwrap().newest(), None, "another location");
}

#[test]
fn a_damaged_memory_is_no_memory() {
    let (_dir, memory) = memory();
    let mut noted = memory.of("s3:///b").unwrap();
    noted.learn(Some(&end(1, None))).unwrap();
    let whole = fs::read(&noted.path).unwrap();
    assert!(whole.len() > 200);
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&noted.path, &damaged).unwrap();
        assert_eq!(memory.of("s3:///b").unwrap().newest(), None, "byte {at}");
        fs::write(&noted.path, &whole[..at]).unwrap();
        assert_eq!(memory.of("s3:///b").unwrap().newest(), None, "cut at {at}");
    }
    fs::write(&noted.path, &whole).unwrap();
    assert_eq!(memory.of("s3:///b").unwrap().newest(), Some(end(1, None)));
}

#[test]
fn the_memory_of_another_location_under_the_same_name_is_not_used() {
    let (_dir, memory) = memory();
    let mut noted = memory.of("s3:///b").unwrap();
    noted.learn(Some(&end(1, None))).unwrap();
    fs::copy(&noted.path, memory.of("s3:///c").unwrap().path).unwrap();
    assert_eq!(memory.of("s3:///c").unwrap().newest(), None);
}

#[test]
fn only_the_newest_locations_are_remembered() {
    let (_dir, memory) = memory();
    for n in 0..MAX_LOCATIONS + 20 {
        let mut noted = memory.of(&format!("s3:///{n}")).unwrap();
        noted.learn(Some(&end(1, None))).unwrap();
        let age = std::time::Duration::from_secs(100_000 - n as u64);
        let file = fs::File::options().append(true).open(&noted.path).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    }
    assert_eq!(fs::read_dir(&memory.dir).unwrap().count(), MAX_LOCATIONS);
    assert_eq!(memory.of("s3:///19").unwrap().newest(), None);
    assert!(memory.of("s3:///20").unwrap().newest().is_some());
}
