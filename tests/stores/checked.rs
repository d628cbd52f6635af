//! What `graphdb check` says of places, and that it leaves nothing where it may delete.

use graphdb_destination::testing::servers::{Garage, Rgw};
use serde_json::{Value, json};

use super::credentials::place_of;
use super::lab::Lab;
use super::who::Who;
use crate::harness::{Output, assert_says, cli, cli_with, temp_dir, tree};

/// A report in JSON, and how the command ended.
struct Checked {
    code: Option<i32>,
    report: Value,
    stderr: String,
}

impl Checked {
    #[track_caller]
    fn of(output: Output) -> Checked {
        let report = serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
        Checked { code: output.code, report, stderr: output.stderr }
    }

    /// The abilities with this result, in the order in which they are tried.
    fn with(&self, result: &str) -> Vec<&str> {
        let abilities = self.report["abilities"].as_object().unwrap();
        abilities.iter().filter(|(_, found)| found["result"] == result).map(|(name, _)| name.as_str()).collect()
    }

    /// Whether backups and restores work there.
    fn verdict(&self) -> (&Value, &Value) {
        (&self.report["backups"], &self.report["restores"])
    }
}

const YES: Value = Value::Bool(true);
const NO: Value = Value::Bool(false);

/// Both schemes, each with a lab: a check in JSON, and the table for people.
fn each_scheme(story: impl Fn(&Lab, &'static Rgw, &str, &dyn Fn(&Who, &str) -> (Checked, String))) {
    for scheme in ["s3", "minio"] {
        let Some((lab, rgw)) = Lab::shared() else { return };
        let check = |who: &Who, place: &str| {
            let checked = Checked::of(lab.cli(who, place, &["check", "--output", "json"]));
            let table = lab.cli(who, place, &["check"]);
            assert_eq!(table.code, checked.code);
            assert_says(
                &table.stdout,
                &["Location:", &place_of(place), "Credentials:", "TRIED", "WHY NOT", "Backups:"],
            );
            (checked, table.stdout)
        };
        story(&lab, rgw, &lab.bucket.place(scheme), &check);
    }
}

#[test]
fn with_all_rights_a_check_finds_all_that_ceph_has_and_leaves_nothing() {
    each_scheme(|lab, _, place, check| {
        let (checked, table) = check(&lab.owner(), place);
        assert_eq!((checked.code, checked.stderr.as_str(), checked.verdict()), (Some(0), "", (&YES, &YES)));
        // Ceph does not honour the condition when an upload is completed.
        assert_eq!((checked.with("no"), checked.with("yes").len()), (vec!["complete_once"], 10), "{}", checked.report);
        assert_eq!((&checked.report["not_allowed"], &checked.report["left_behind"]), (&json!([]), &json!([])));
        assert_says(&table, &["kept apart", "Restores:    yes"]);
        assert!(lab.bucket.keys().is_empty() && lab.bucket.open_uploads().is_empty(), "{:?}", lab.bucket.keys());
    });
}

#[test]
fn who_can_only_write_is_told_so_and_what_was_left() {
    each_scheme(|lab, rgw, place, check| {
        let writer = lab.user(rgw, "writer");
        lab.bucket.apply_policies(&[(&lab.bucket.user("writer"), "write-only.json")]);
        let (checked, table) = check(&writer, place);
        assert_eq!((checked.code, checked.verdict()), (Some(0), (&YES, &NO)));
        // Ceph lets everybody read the objects that are their own.
        assert_eq!(checked.with("denied"), ["list", "abort_an_upload", "list_uploads", "delete"]);
        let missing = ["s3:ListBucket", "s3:AbortMultipartUpload", "s3:ListBucketMultipartUploads", "s3:DeleteObject"];
        assert_eq!(checked.report["not_allowed"], json!(missing));
        assert_says(
            &table,
            &["without reading", "needs s3:ListBucket", "Not allowed:", "Left behind:", "may be deleted"],
        );
        assert!(lab.bucket.open_uploads().is_empty(), "an upload that cannot be aborted is completed");
        let left = checked.report["left_behind"].as_array().unwrap();
        let keys = lab.bucket.keys();
        assert!(left.iter().all(|key| keys.iter().any(|there| there == key)), "{left:?} {keys:?}");
        assert_eq!(keys.len(), 2 * left.len(), "what both checks left is told");
        assert!(keys.iter().all(|key| key.starts_with("graph/graphdb.probe.")), "{keys:?}");
    });
}

#[test]
fn who_can_only_read_is_told_that_restores_work() {
    each_scheme(|lab, rgw, place, check| {
        let reader = lab.user(rgw, "reader");
        lab.bucket.apply_policies(&[(&lab.bucket.user("reader"), "restore.json")]);
        let (checked, table) = check(&reader, place);
        assert_eq!((checked.code, checked.verdict()), (Some(1), (&NO, &Value::Null)), "nothing is there to be read");
        assert_says(&table, &["Restores:    not known"]);

        let node = lab.node("p", &[]);
        node.mutate(r#"{ set { _:one <name> "one" . } }"#);
        lab.back_up(&node, place, &lab.owner());
        let before = lab.bucket.keys();
        let (checked, table) = check(&reader, place);
        assert_eq!((checked.code, checked.verdict()), (Some(1), (&NO, &YES)));
        assert_says(&checked.stderr, &["no backups can be taken at", &place_of(place), "403"]);
        assert_eq!(checked.with("yes"), ["list", "read", "read_a_range"]);
        assert_says(&table, &["needs s3:PutObject", "Restores:    yes"]);
        assert!(!table.contains("Two nodes"), "{table}");
        assert_eq!(lab.bucket.keys(), before);
    });
}

#[test]
fn nobody_and_a_stranger_are_denied_by_name() {
    each_scheme(|lab, rgw, place, check| {
        for (who, source) in [(Who::Anybody, "anonymous"), (lab.user(rgw, "stranger"), "environment")] {
            let (checked, table) = check(&who, place);
            assert_eq!((checked.code, checked.verdict()), (Some(1), (&NO, &NO)));
            assert_says(checked.report["credentials"].as_str().unwrap(), &[source]);
            assert_says(&table, &["needs s3:ListBucket", "needs s3:PutObject", "not with these credentials"]);
            assert_says(&checked.stderr, &["no backups can be taken at", &place_of(place)]);
        }
        assert!(lab.bucket.keys().is_empty());
    });
}

#[test]
fn a_bucket_that_is_not_there_is_called_missing_by_a_check() {
    each_scheme(|lab, _, place, check| {
        let (checked, table) = check(&lab.owner(), &place.replace(&lab.bucket.name, "no-such-bucket"));
        assert_eq!((checked.code, checked.verdict()), (Some(1), (&NO, &NO)));
        assert_says(&checked.stderr, &["no-such-bucket", "the bucket does not exist; create it"]);
        assert_says(&table, &["the bucket does not exist", "Restores:    no\n"]);
    });
}

#[test]
fn a_directory_is_checked_as_a_bucket_is() {
    let dir = temp_dir();
    let here = dir.dir("here");
    let checked = Checked::of(cli(&["check", "-l", &here, "-o", "json"]));
    assert_eq!((checked.code, checked.verdict()), (Some(0), (&YES, &YES)));
    assert_eq!(checked.with("yes").len(), checked.report["abilities"].as_object().unwrap().len());
    assert_says(&cli(&["check", "-l", &here]).ok(), &[&here, "kept apart", "Restores:    yes"]);
    assert!(tree(dir.path()).is_empty(), "{:?}", tree(dir.path()));
    let nowhere = dir.at("not-mounted/backups");
    assert_says(&cli(&["check", "-l", &nowhere]).failed(1), &[&nowhere, "does not exist"]);
    let place = ("GRAPHDB_BACKUP_BUCKET", here.as_str());
    assert_says(&cli_with(&[place], &["check"]).ok(), &[&here]);
    assert_says(&cli(&["check"]).failed(2), &["--location", "--backup-bucket"]);
}

#[test]
#[ignore = "needs a second store"]
fn a_store_that_ignores_conditions_is_recognised_by_a_check() {
    for scheme in ["s3", "minio"] {
        let Some(garage) = Garage::start() else { return };
        let lab = Lab::of(garage.account());
        let region = [("GRAPHDB_BACKUP_REGION", garage.account().region.as_str())];
        let place = lab.bucket.place(scheme);
        let checked = Checked::of(lab.cli_with(&lab.owner(), &place, &["check", "-o", "json"], &region));
        assert_eq!((checked.code, checked.verdict()), (Some(0), (&YES, &YES)), "{}", checked.stderr);
        assert!(checked.with("no").contains(&"create_once"), "{}", checked.report);
        let table = lab.cli_with(&lab.owner(), &place, &["check"], &region).ok();
        assert_says(&table, &["If-None-Match is ignored", "kept apart by claims"]);
        assert!(lab.bucket.keys().is_empty());
    }
}
