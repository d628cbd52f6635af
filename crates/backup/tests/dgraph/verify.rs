//! Verifying real backups, as they are and damaged: what is found, where, and what it comes to.

mod damaged;
mod made;

use std::path::Path;

use graphdb_backup::{
    Finding, Kind, Level, Locations, Outcome, Progress, Severity, VerifyReport, VerifyRequest, WhichSeries, verify,
};
use graphdb_types::GroupId;

use crate::data::{SERIES, data, request};

const MOVIES: &str = "v20.07-movies-aes256";

fn to_verify(data: &Path, folder: &str, level: Level, scratch: &Path) -> VerifyRequest {
    let series = request(data, folder);
    let (location, key, scratch) = (series.location, series.key, scratch.to_owned());
    VerifyRequest { location, key, level, scratch, ..VerifyRequest::default() }
}

async fn verified(request: &VerifyRequest) -> VerifyReport {
    verify(&Locations::default(), request, &Progress::default()).await.unwrap()
}

fn errors(report: &VerifyReport) -> impl Iterator<Item = &Finding> {
    report.findings.iter().filter(|finding| finding.severity == Severity::Error)
}

/// What is more than a note, shortly: severity, kind, and the predicate if it is about one.
fn told(report: &VerifyReport) -> Vec<String> {
    let weighty = report.findings.iter().filter(|finding| finding.severity > Severity::Note);
    let shortly = |finding: &Finding| {
        let predicate = finding.what.strip_prefix("predicate ").and_then(|what| what.split([':', ' ']).next());
        format!("{} {} {}", finding.severity, finding.kind.name(), predicate.unwrap_or_default()).trim_end().to_owned()
    };
    let mut told: Vec<String> = weighty.map(shortly).collect();
    told.sort();
    told
}

/// What verifying the newest series tells, beside notes, at the default level and more at the deep one.
fn expected(folder: &str) -> (&'static [&'static str], &'static [&'static str]) {
    match folder {
        // The list of backups does not name the folder of the older one.
        "v21.03-acl" => (&["warning no-manifest"], &[]),
        // Dgraph's defects: keys of values with languages, and keys that a schema change took away.
        "v1.2-kinds" => (&[], &["warning stale-index dgraph.type", "warning stale-index name"]),
        "v25.4-stale-index" => (&[], &["warning stale-index knows", "warning stale-index name"]),
        _ => (&[], &[]),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_real_series_verifies_with_exactly_the_expected_warnings() {
    let Some(data) = data() else { return };
    for (folder, backups) in SERIES {
        let (always, deep) = expected(folder);
        for level in [Level::Quick, Level::Default, Level::Deep] {
            let scratch = tempfile::tempdir().unwrap();
            let report = verified(&to_verify(&data, folder, level, scratch.path())).await;
            let mut told_of = told(&report);
            // The cells that cover a polygon are not a matter of this test.
            told_of.retain(|told| told != "warning stale-index loc");
            let mut expected = always.to_vec();
            expected.extend(if level == Level::Deep { deep } else { &[] });
            expected.sort_unstable();
            assert_eq!(told_of, expected, "{folder}, {level:?}: {:#?}", report.findings);
            assert_eq!(report.series[0].backups.len() as u64, backups, "{folder}");
            let read = report.objects().all(|object| object.entries.is_some());
            assert!(read != (level == Level::Quick), "{folder}, {level:?}");
            assert_eq!(report.series[0].merged.is_some(), level == Level::Deep, "{folder}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_number_of_a_series_can_be_verified_deeply() {
    let Some(data) = data() else { return };
    let scratch = tempfile::tempdir().unwrap();
    for backup_num in 1..=9 {
        let which = WhichSeries::One { backup_id: None, backup_num: Some(backup_num), incremental_from: 0 };
        let report =
            verified(&VerifyRequest { which, ..to_verify(&data, "v25.4-kinds", Level::Deep, scratch.path()) }).await;
        assert!(matches!(report.outcome(), Outcome::Good | Outcome::Warnings), "{:#?}", report.findings);
        assert_eq!(report.series[0].backups.len() as u64, backup_num);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_with_version_0_are_a_note_that_says_where() {
    let Some(data) = data() else { return };
    let report = verified(&to_verify(&data, "v25.4-lost-delete", Level::Default, Path::new(""))).await;
    let [note] = &report.findings[..] else { panic!("{:#?}", report.findings) };
    assert_eq!((note.severity, note.kind, note.count), (Severity::Note, Kind::Version, 4));
    assert_eq!((note.backup_num, note.key.as_deref()), (Some(3), Some("DATA name 0x2")));
    assert_eq!(report.outcome(), Outcome::Good);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_backup_and_a_lost_object_are_named_and_the_rest_is_read() {
    let Some(data) = data() else { return };
    let scratch = tempfile::tempdir().unwrap();
    for level in [Level::Quick, Level::Default, Level::Deep] {
        let report = verified(&to_verify(&data, MOVIES, level, scratch.path())).await;
        assert_eq!(report.outcome(), Outcome::Damaged);
        let [chain, object] = &errors(&report).collect::<Vec<_>>()[..] else { panic!("{:#?}", report.findings) };
        assert_eq!(
            (chain.kind, chain.backup_num, chain.backup_id.as_deref()),
            (Kind::Chain, Some(1), Some("cranky_bartik8"))
        );
        assert_eq!((object.kind, object.group), (Kind::ObjectMissing, Some(GroupId(2))));
        assert!(object.object.as_ref().unwrap().as_str().ends_with("/r2106-g2.backup"), "{object}");
        let entries: Vec<_> = report.objects().map(|object| object.entries).collect();
        let read = [Some(316_676), None, Some(102_107)];
        assert_eq!(entries, if level == Level::Quick { [None; 3] } else { read });
        assert!(report.series[0].merged.is_none());
        let says = report.not_checked.iter().any(|what| what.contains("cranky_bartik8"));
        assert_eq!(says, level == Level::Deep, "{:?}", report.not_checked);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_a_series_is_verified_on_purpose() {
    let Some(data) = data() else { return };
    let scratch = tempfile::tempdir().unwrap();
    let report = verified(&VerifyRequest {
        which: WhichSeries::One { backup_id: None, backup_num: None, incremental_from: 2 },
        groups: Some([GroupId(1), GroupId(3)].into()),
        ..to_verify(&data, MOVIES, Level::Deep, scratch.path())
    })
    .await;
    assert_eq!(told(&report), ["warning stale-index genre"], "{:#?}", report.findings);
    let stale = report.findings.iter().find(|finding| finding.kind == Kind::StaleIndex).unwrap();
    assert!(stale.count > 500 && stale.key.as_ref().unwrap().starts_with("COUNT_REV genre "), "{stale}");
    assert!(report.series[0].merged.unwrap().lists > 400_000);
    let says = |what: &str| report.not_checked.iter().any(|said| said.contains(what));
    assert!(says("--groups") && says("--incremental-from") && says("authentication"), "{:?}", report.not_checked);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_ends_the_run_with_its_name() {
    let Some(data) = data() else { return };
    let base = to_verify(&data, "v25.4-kinds", Level::Quick, Path::new(""));
    let one = |backup_id: Option<&str>, backup_num| WhichSeries::One {
        backup_id: backup_id.map(str::to_owned),
        backup_num,
        incremental_from: 0,
    };
    let refused = |request: VerifyRequest| async move {
        verify(&Locations::default(), &request, &Progress::default()).await.unwrap_err().to_string()
    };
    let unknown = refused(VerifyRequest { which: one(Some("nobody"), None), ..base.clone() }).await;
    assert!(unknown.contains("nobody") && unknown.contains("boring_solomon1"), "{unknown}");
    let short = refused(VerifyRequest { which: one(None, Some(12)), ..base.clone() }).await;
    assert!(short.contains("12") && short.contains('9'), "{short}");
    let group = refused(VerifyRequest { groups: Some([GroupId(7)].into()), ..base.clone() }).await;
    assert!(group.contains("group 7"), "{group}");
    let empty = tempfile::tempdir().unwrap();
    let none = refused(VerifyRequest { location: empty.path().to_str().unwrap().into(), ..base }).await;
    assert!(none.contains("no backups"), "{none}");
}
