#![expect(clippy::unwrap_used)]

use std::collections::BTreeMap;

use graphdb_types::{GroupId, Namespace, Ts, Uid};
use time::macros::datetime;

use super::*;
use crate::{BackupFolder, Dialect, EncryptionKey, GroupBackup, GzipLevel, Manifest, Sha256Digest, StoredObject};

/// A series of `len` backups that starts at minute `minute`.
fn series(id: &str, minute: u8, len: u64) -> Vec<Backup> {
    series_with(id, minute, len, |_| {})
}

fn series_with(id: &str, minute: u8, len: u64, change: impl Fn(&mut Manifest)) -> Vec<Backup> {
    let mut backups: Vec<SealedManifest> = Vec::new();
    for backup_num in 1..=len {
        let folder = BackupFolder::parse(&format!("dgraph.20260104.22{minute:02}{backup_num:02}.000")).unwrap();
        let archive =
            StoredObject { size_bytes: 1, raw_bytes: 16, entries: 0, sha256: Sha256Digest([0; 32]), hmac: None };
        let mut manifest = Manifest {
            backup_id: id.into(),
            backup_num,
            since: backups.last().map_or(Ts::ZERO, |parent| parent.manifest().read_ts),
            read_ts: Ts(backup_num * 10),
            groups: BTreeMap::from([(GroupId(1), GroupBackup { predicates: vec![], archive })]),
            drop_operations: vec![],
            key_check: None,
            database_id: "db".into(),
            epoch: 1,
            parent: backups.last().map(SealedManifest::digest),
            gzip_level: GzipLevel::default(),
            dialect: Dialect::default(),
            max_uid: Uid(1),
            max_namespace: Namespace::ROOT,
            tool: "graphdb 0.1.0".into(),
            created_at: datetime!(2026-01-04 22:00 UTC),
            name: None,
            labels: BTreeMap::new(),
        };
        change(&mut manifest);
        let key = manifest.key_check.map(|_| key());
        backups.push(SealedManifest::seal(folder, manifest, key.as_ref()).unwrap());
    }
    backups.into_iter().map(Backup::from).collect()
}

fn key() -> EncryptionKey {
    EncryptionKey::new(&[7; 32]).unwrap()
}

fn numbers(series: &Series) -> Vec<u64> {
    series.backups().iter().map(|backup| backup.backup_num).collect()
}

fn message(result: Result<Series, SeriesError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_whole_series_links_in_whatever_order_it_was_listed() {
    let mut backups = series("a", 1, 4);
    backups.reverse();
    let series = link(backups).unwrap();
    assert_eq!((numbers(&series), series.backup_id(), series.read_ts()), (vec![1, 2, 3, 4], "a", Ts(40)));
}

#[test]
fn a_missing_backup_is_named() {
    for missing in 1..=3 {
        let mut backups = series("a", 1, 4);
        backups.remove(missing - 1);
        assert_eq!(message(choose(backups, None, None)), format!("backup {missing} of series a is missing"));
    }
}

#[test]
fn two_backups_in_one_place_and_a_stranger_are_named() {
    let mut twice = series("a", 1, 2);
    twice.push(series_with("a", 2, 2, |_| {}).pop().unwrap());
    assert_eq!(
        message(link(twice)),
        "backup 2 of series a stands twice, in dgraph.20260104.220102.000 and dgraph.20260104.220202.000"
    );
    let mut mixed = series("a", 1, 1);
    mixed.push(series("b", 2, 2).pop().unwrap());
    assert_eq!(message(link(mixed)), "backup dgraph.20260104.220202.000 belongs to series b, not a");
}

#[test]
fn a_backup_that_does_not_continue_the_one_before_it_is_named() {
    type Change = fn(&mut Manifest);
    let changes: [(Change, &str); 5] = [
        (|m| m.database_id = "other".into(), "of another database"),
        (|m| m.epoch = 2, "its epoch is another"),
        (|m| m.since = Ts(9), "does not start where that one ended"),
        (|m| m.parent = Some(Sha256Digest([9; 32])), "its parent is another manifest"),
        (
            |m| {
                m.key_check = Some(key().check());
                let group = m.groups.get_mut(&GroupId(1)).unwrap();
                group.archive.hmac = Some(key().object_mac(&group.archive.sha256));
            },
            "one is encrypted and the other is not",
        ),
    ];
    for (change, what) in changes {
        let backups = series_with("a", 1, 3, |manifest| {
            if manifest.backup_num == 2 {
                change(manifest);
            }
        });
        let err = message(link(backups));
        assert!(err.starts_with("backup 2 of series a in dgraph.20260104.220102.000") && err.contains(what), "{err}");
    }
}

#[test]
fn the_newest_series_is_chosen_unless_another_is_asked_for() {
    let all = || [series("zeta", 1, 3), series("alpha", 2, 2)].concat();
    assert_eq!(choose(all(), None, None).unwrap().backup_id(), "alpha");
    assert_eq!(numbers(&choose(all(), Some("zeta"), None).unwrap()), [1, 2, 3]);
    assert_eq!(numbers(&choose(all(), Some("zeta"), Some(2)).unwrap()), [1, 2]);
    assert_eq!(latest(all()).unwrap().unwrap().backup_id(), "alpha");
    assert!(latest(vec![]).unwrap().is_none());
}

#[test]
fn what_was_asked_for_and_is_not_there_is_named() {
    assert_eq!(message(choose(vec![], None, None)), "no backups found");
    let all = || [series("zeta", 1, 3), series("alpha", 2, 2)].concat();
    assert_eq!(
        message(choose(all(), Some("beta"), None)),
        "no backups with backup_id beta found, there are: alpha, zeta"
    );
    assert_eq!(message(choose(all(), Some("zeta"), Some(5))), "backup_num 5 was asked for, series zeta has 3");
    let many: Vec<_> = (0..25).flat_map(|n| series(&format!("s{n:02}"), n, 1)).collect();
    assert!(message(choose(many, Some("x"), None)).ends_with("s19 and 5 more"));
}

#[test]
fn a_break_behind_the_number_that_was_asked_for_does_not_matter() {
    let mut backups = series("a", 1, 4);
    backups.remove(2);
    assert_eq!(numbers(&choose(backups.clone(), None, Some(2)).unwrap()), [1, 2]);
    assert_eq!(message(choose(backups, None, Some(3))), "backup 3 of series a is missing");
}

/// A series of Dgraph's with these `read_ts`, numbered from `first`.
fn dgraph_series(id: &str, first: u64, read_ts: &[u64]) -> Vec<Backup> {
    let backup = |(i, read_ts): (usize, &u64)| {
        let backup_num = first + i as u64;
        let kind = if backup_num == 1 { "full" } else { "incremental" };
        let json = format!(
            r#"{{"type":"{kind}","since":{read_ts},"groups":{{"1":["name"]}},"backup_id":"{id}","backup_num":{backup_num}}}"#
        );
        let folder = format!("dgraph.20270104.2200{backup_num:02}.000").parse().unwrap();
        crate::DgraphManifest::parse(&folder, json.as_bytes()).unwrap().into()
    };
    read_ts.iter().enumerate().map(backup).collect()
}

#[test]
fn the_read_ts_of_a_series_of_dgraph_may_go_down_and_stand_twice() {
    let series = link(dgraph_series("d", 1, &[30, 30, 28, 2117])).unwrap();
    assert_eq!((numbers(&series), series.read_ts()), (vec![1, 2, 3, 4], Ts(2117)));
    assert_eq!(message(link(dgraph_series("d", 2, &[30]))), "backup 1 of series d is missing");
    assert_eq!(numbers(&choose_from(dgraph_series("d", 2, &[30, 31]), None, None, 2).unwrap()), [2, 3]);
    let err = choose_from(dgraph_series("d", 1, &[30]), None, None, 2);
    assert_eq!(message(err), "backup_num 2 was asked for, series d has 1");
}

#[test]
fn a_series_of_dgraph_is_read_and_not_continued() {
    let mut all = series("ours", 1, 2);
    all.extend(dgraph_series("theirs", 1, &[9]));
    assert_eq!(choose(all.clone(), None, None).unwrap().backup_id(), "theirs");
    assert!(latest(all).unwrap_err().to_string().contains("theirs, was written by Dgraph"));
    let mut mixed = series("a", 1, 1);
    mixed.extend(dgraph_series("a", 2, &[30]));
    assert!(message(link(mixed)).contains("one was written by Dgraph and the other by graphdb"));
}
