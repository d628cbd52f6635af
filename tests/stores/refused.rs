//! Places that take no backup, each for a reason that is told: full, read-only, missing, or closed to these keys.

use graphdb_types::Secret;

use super::credentials::place_of;
use super::lab::Lab;
use super::series::TWO_PARTS;
use super::who::Who;
use crate::harness::{assert_says, noise};

/// A quota that a lock fits in, and no archive.
const SMALL_QUOTA: u64 = 1 << 20;

/// A quota that nothing fits in: less than the step in which the gateway counts.
const NO_QUOTA: u64 = 1;

const LARGE_QUOTA: u64 = 1 << 40;

#[test]
fn a_full_bucket_is_called_full_and_takes_backups_again_when_there_is_space() {
    for scheme in ["s3", "minio"] {
        let Some((lab, rgw)) = Lab::shared() else { return };
        let tenant = lab.bucket.user("tenant");
        let account = rgw.make_user(&tenant);
        let lab = Lab::of(&account);
        let place = lab.bucket.place(scheme);
        let node = lab.node("p", &[]);
        noise(&node, TWO_PARTS);
        let full = [&place_of(&place), "no space left", "raise the quota"];

        for quota in [NO_QUOTA, SMALL_QUOTA] {
            rgw.set_quota(&tenant, quota);
            assert_says(&lab.ask_for_backup(&node, &place, &lab.owner()).error(), &full);
            assert!(lab.bucket.manifests().is_empty(), "{:?}", lab.bucket.keys());
            assert!(lab.bucket.open_uploads().is_empty(), "an upload that failed is aborted");
        }
        rgw.set_quota(&tenant, LARGE_QUOTA);
        lab.back_up(&node, &place, &lab.owner());
        assert_eq!(lab.bucket.manifests().len(), 1);

        // Full again before an incremental one, which is small.
        node.mutate(r#"{ set { _:later <later> "yes" . } }"#);
        rgw.set_quota(&tenant, NO_QUOTA);
        assert_says(&lab.ask_for_backup(&node, &place, &lab.owner()).error(), &full);
        assert_eq!(lab.list(&node, &place, &lab.owner()).len(), 1, "a full bucket can be read");
        rgw.set_quota(&tenant, LARGE_QUOTA);
        lab.back_up(&node, &place, &lab.owner());
        let restored = lab.restored(&lab.owner(), &place, "restored", &[]);
        assert_eq!((restored.count("noise"), restored.count("later")), (TWO_PARTS as u64, 1));
        lab.assert_node_is_discreet(&node);
        lab.assert_nothing_is_written();
    }
}

#[test]
fn a_bucket_that_may_only_be_read_names_what_is_not_allowed() {
    for scheme in ["s3", "minio"] {
        let Some((lab, rgw)) = Lab::shared() else { return };
        let reader = lab.user(rgw, "reader");
        lab.bucket.apply_policies(&[(&lab.bucket.user("reader"), "restore.json")]);
        let place = lab.bucket.place(scheme);
        let node = lab.node("p", &[]);
        node.mutate(r#"{ set { _:one <name> "one" . } }"#);
        let refused = [&place_of(&place), "not allowed to", "s3:PutObject"];
        assert_says(&lab.ask_for_backup(&node, &place, &reader).error(), &refused);
        assert!(lab.bucket.keys().is_empty());

        lab.back_up(&node, &place, &lab.owner());
        node.mutate(r#"{ set { _:two <name> "two" . } }"#);
        let before = lab.bucket.keys();
        assert_says(&lab.ask_for_backup(&node, &place, &reader).error(), &refused);
        assert_eq!(lab.bucket.keys(), before);
        assert_eq!(lab.restored(&reader, &place, "restored", &[]).count("name"), 1);
        lab.assert_node_is_discreet(&node);
        lab.assert_nothing_is_written();
    }
}

#[test]
fn a_missing_bucket_is_called_missing_and_wrong_keys_are_called_wrong() {
    for scheme in ["s3", "minio"] {
        let Some((lab, _)) = Lab::shared() else { return };
        let place = lab.bucket.place(scheme);
        let node = lab.node("p", &[]);
        node.mutate(r#"{ set { _:one <name> "one" . } }"#);
        lab.back_up(&node, &place, &lab.owner());

        let missing = place.replace(&lab.bucket.name, "no-such-bucket");
        let (owner, says_missing) = (lab.owner(), [&place_of(&missing), "does not exist; create the bucket"]);
        assert_all_say(&lab, &node, &missing, &owner, &says_missing);

        let mut wrong_secret = lab.bucket.owner.clone();
        wrong_secret.secret_key = Secret::new("canary-secret-that-is-wrong".to_owned());
        let mut unknown = wrong_secret.clone();
        unknown.access_key = "nobody-at-all".to_owned();
        lab.secrets.keep_account(&unknown);
        for account in [wrong_secret, unknown] {
            let denied = [&place_of(&place), "not allowed to", "check the credentials"];
            assert_all_say(&lab, &node, &place, &Who::Keys(account), &denied);
        }
        assert_eq!(lab.bucket.manifests().len(), 1);
        lab.assert_node_is_discreet(&node);
        lab.assert_nothing_is_written();
    }
}

/// That a backup, listings and restores fail, each with a message that says all of it.
#[track_caller]
fn assert_all_say(lab: &Lab, node: &crate::harness::Node, place: &str, who: &Who, parts: &[&str]) {
    assert_says(&lab.ask_for_backup(node, place, who).error(), parts);
    assert_says(&lab.ask_for_list(node, place, who).error(), parts);
    assert_says(&lab.ask_for_restore(node, place, who, &serde_json::json!({})).error(), parts);
    assert_says(&lab.cli(who, place, &["lsbackup"]).failed(1), parts);
    let restore = ["restore", "-p", &lab.dir.at("nothing"), "--force-zero=false"];
    assert_says(&lab.cli(who, place, &restore).failed(1), parts);
}
