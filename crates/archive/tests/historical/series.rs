//! Manifests of every era, alone in their folders and in one list.

use graphdb_archive::DgraphManifest;
use graphdb_types::{DropOp, GroupId, Namespace};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

use crate::manifests::{Backup, Era, go_string, master};
use crate::random::predicate;

fn drop_op() -> impl Strategy<Value = DropOp> {
    let namespace = || prop_oneof![0u64..400, any::<u64>()].prop_map(Namespace);
    prop_oneof![
        Just(DropOp::All),
        Just(DropOp::Data),
        namespace().prop_map(DropOp::NamespaceData),
        predicate().prop_map(DropOp::Predicate),
        namespace().prop_map(DropOp::Namespace),
    ]
}

fn backup() -> impl Strategy<Value = Backup> {
    let groups = btree_map(prop_oneof![1u32..6, any::<u32>()], vec(predicate(), 0..6), 1..4);
    let numbers = (1u64..=u64::MAX, prop_oneof![1u64..9, 1u64..=u64::MAX]);
    let folder = "dgraph\\.20[0-9]{6}\\.[0-9]{6}\\.[0-9]{3}";
    ("[a-z]{1,6}_[a-z<>&é]{1,6}[0-9]", numbers, groups, vec(drop_op(), 0..4), any::<bool>(), folder).prop_map(
        |(backup_id, (read_ts, backup_num), groups, drops, is_encrypted, folder)| {
            let is_full = backup_num == 1;
            Backup { is_full, read_ts, backup_id, backup_num, groups, drops, is_encrypted, folder }
        },
    )
}

/// As an editor saves it: indented, and with fewer escapes.
fn indented(json: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    serde_json::to_string_pretty(&value).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_manifest_of_a_folder_reads_equal_in_every_era(backup in backup(), extra: bool) {
        for era in Era::ALL {
            let backup = backup.in_era(era);
            let json = backup.to_json(era, extra);
            for json in [format!("{json}\n"), indented(&json)] {
                let folder = backup.folder.parse().unwrap();
                let manifest = DgraphManifest::parse(&folder, json.as_bytes()).unwrap();
                backup.assert_is(&manifest, era);
            }
        }
    }

    #[test]
    fn a_list_reads_equal_with_entries_of_all_eras(
        backups in vec((backup(), select(&Era::ALL)), 0..6),
        extra: bool,
    ) {
        let backups: Vec<_> = backups.into_iter().map(|(backup, era)| (backup.in_era(era), era)).collect();
        let entries: Vec<_> = backups.iter().map(|(backup, era)| with_path(backup, *era, extra)).collect();
        let json = master(&entries);
        for json in [indented(&json), json] {
            let manifests = DgraphManifest::parse_master(json.as_bytes()).unwrap();
            prop_assert_eq!(manifests.len(), backups.len());
            for (manifest, (backup, era)) in manifests.iter().zip(&backups) {
                backup.assert_is(manifest, *era);
            }
        }
    }
}

/// Since v21.03 an old entry is carried on in the list, with `version` 0 and with its folder.
fn with_path(backup: &Backup, era: Era, extra: bool) -> String {
    let json = backup.to_json(era, extra);
    match era {
        Era::V1 | Era::V20_11 => {
            let open = json.strip_suffix('}').unwrap();
            format!("{open},\"version\":0,\"path\":{},\"read_ts\":0}}", go_string(&backup.folder))
        }
        _ => json,
    }
}

#[test]
fn keys_that_are_absent_or_null_mean_nothing() {
    let folder = "dgraph.20240102.030405.006".parse().unwrap();
    let json = r#"{"type":"full","since":7,"groups":{"1":null,"2":[]},"backup_id":"a","backup_num":1}"#;
    let bare = DgraphManifest::parse(&folder, json.as_bytes()).unwrap();
    assert_eq!(bare.groups.keys().collect::<Vec<_>>(), [&GroupId(1), &GroupId(2)]);
    assert!(bare.groups.values().all(Vec::is_empty) && bare.drop_operations.is_empty() && !bare.is_encrypted);
    let nulls = json.replace(r#","backup_id""#, r#","drop_operations":null,"backup_id""#);
    let without_drops = DgraphManifest::parse(&folder, nulls.as_bytes()).unwrap();
    assert!(without_drops.records_drops && !bare.records_drops, "null says that there was none, absence says nothing");
    assert_eq!(DgraphManifest { records_drops: false, ..without_drops }, bare);
}

#[test]
fn an_entry_that_says_it_is_none_is_none_and_one_that_does_not_say_is_damaged() {
    for nothing in [r#"{"Manifests":[]}"#, r#"{"Manifests":null}"#] {
        assert_eq!(DgraphManifest::parse_master(nothing.as_bytes()).unwrap(), [], "{nothing}");
    }
    let null_groups = r#"{"Manifests":[{"type":"full","read_ts":7,"groups":null,"backup_id":"a","backup_num":1}]}"#;
    assert_eq!(DgraphManifest::parse_master(null_groups.as_bytes()).unwrap(), [], "an entry without groups is none");
    let damaged = null_groups.replace("groups", "grovps");
    assert!(DgraphManifest::parse_master(damaged.as_bytes()).is_err(), "but every entry has the key");
    let newest = Backup::plain().to_json(Era::V21_12, false);
    for (read_ts, is_damaged) in [("\"read_ts\":0", false), ("\"reed_ts\":21", true)] {
        let list = master(&[newest.replace("\"read_ts\":21", read_ts)]);
        let read = DgraphManifest::parse_master(list.as_bytes());
        assert!(if is_damaged { read.is_err() } else { read == Ok(vec![]) }, "{list}");
    }
}

#[test]
fn a_name_that_its_era_would_not_write_is_refused() {
    let plain = Backup::plain();
    let folder = plain.folder.parse().unwrap();
    for (era, name, written) in [
        (Era::V21_12, "0-name", "name"),
        (Era::V21_12, "0-name", "-name"),
        (Era::V21_12, "0-name", "xyz-name"),
        (Era::V21_12, "0-name", "10000000000000000-name"),
        (Era::V21_03, r"\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000name", "name"),
        (
            Era::V21_03,
            r"\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000name",
            r"\u0000\u0000\u0000\ufffd\u0000\u0000\u0000\u0000name",
        ),
    ] {
        let json = plain.to_json(era, false);
        assert!(json.contains(name) && DgraphManifest::parse(&folder, json.as_bytes()).is_ok());
        let damaged = json.replace(name, written);
        assert!(DgraphManifest::parse(&folder, damaged.as_bytes()).is_err(), "{damaged}");
    }
}
