//! Credentials that can do nothing but write: enough for backups, and no more.

use super::credentials::place_of;
use super::lab::Lab;
use super::series::{Series, TWO_PARTS};
use crate::harness::assert_says;

#[test]
fn who_can_only_write_takes_backups_that_a_reader_restores_equal() {
    for scheme in ["s3", "minio"] {
        let Some((lab, rgw)) = Lab::shared() else { return };
        let (writer, reader) = (lab.user(rgw, "writer"), lab.user(rgw, "reader"));
        let (may_write, may_read) = (lab.bucket.user("writer"), lab.bucket.user("reader"));
        // In Ceph, what somebody else writes is closed to the owner of the bucket too, who looks for secrets in it here.
        let policies = [(&*may_write, "write-only.json"), (&may_read, "restore.json"), ("main", "restore.json")];
        lab.bucket.apply_policies(&policies);
        let place = lab.bucket.place(scheme);
        let shown = place_of(&place);

        let node = lab.node("p", &[]);
        let mut messages = Vec::new();
        let series = Series::tell(&node, TWO_PARTS, |_| messages.push(lab.back_up(&node, &place, &writer)));
        for (message, what) in messages.iter().zip(["a full one", "continues backup 1", "continues backup 2"]) {
            assert_says(message, &["Backup completed.", &shown, "may not be", "remembers", what]);
        }
        assert_says(&lab.ask_for_list(&node, &place, &writer).error(), &[&shown, "s3:ListBucket"]);
        assert_says(&lab.cli(&writer, &place, &["lsbackup"]).failed(1), &[&shown, "s3:ListBucket"]);

        let kinds: Vec<_> = lab.list(&node, &place, &reader).iter().map(|backup| backup["type"].clone()).collect();
        assert_eq!(kinds, ["full", "incremental", "incremental"]);
        for number in 1..=3 {
            let to = format!("restored-{number}");
            let restored = lab.restored(&reader, &place, &to, &["--backup-num", &number.to_string()]);
            series.assert_is_at(&restored, number, "by a reader");
        }
        assert!(lab.bucket.open_uploads().is_empty());

        // The series goes on after the node was started anew.
        drop(node);
        let node = lab.node("p", &[]);
        node.mutate(r#"{ set { _:later <name> "later" . } }"#);
        assert_says(&lab.back_up(&node, &place, &writer), &["continues backup 3"]);
        lab.assert_node_is_discreet(&node);
        lab.assert_nothing_is_written();
    }
}
