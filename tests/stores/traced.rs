//! With every message logged, no secret is.

use std::time::Duration;

use graphdb_types::Secret;
use serde_json::json;

use super::lab::Lab;
use super::roundtrip::Keyed;
use super::who::Who;
use crate::harness::assert_says;

const EVERYTHING: (&str, &str) = ("RUST_LOG", "trace");

#[test]
fn no_secret_is_logged_when_everything_is() {
    let Some((lab, rgw)) = Lab::shared() else { return };
    let Some(keyed) = Keyed::new(lab) else { return };
    let lab = &keyed.lab;
    let session = lab.bucket.runtime.block_on(rgw.session(&lab.bucket.user("traced"), Duration::from_secs(900)));
    lab.secrets.keep_account(&session);
    let mut wrong = session.clone();
    wrong.secret_key = Secret::new("canary-secret-that-is-wrong".to_owned());
    lab.secrets.keep_account(&wrong);

    let node = lab.node_with("p", &keyed.flags(), &[EVERYTHING]);
    let other = lab.node_with("other", &[], &[EVERYTHING]);
    for scheme in ["s3", "minio"] {
        let place = lab.bucket.place(scheme).replace("/graph?", &format!("/{scheme}?")) + "&trace=true";
        for (number, who) in [lab.owner(), Who::Keys(session.clone())].into_iter().enumerate() {
            node.mutate(r#"{ set { _:one <name> "one" . } }"#);
            lab.back_up(&node, &place, &who);
            assert!(!lab.list(&node, &place, &who).is_empty());
            lab.restore(&other, &place, &who, &keyed.fields());
            let listed = lab.cli_with(&who, &place, &["lsbackup"], &[EVERYTHING]);
            assert_says(&listed.stderr, &["TRACE"]);
            let checked = lab.cli_with(&who, &place, &["check"], &[EVERYTHING]);
            assert_eq!(checked.code, Some(0), "{}", checked.stdout);
            let target = lab.dir.at(&format!("{scheme}-{}", number));
            let restore = [&["restore", "-p", &target, "--force-zero=false"], &keyed.flags()[..]].concat();
            lab.cli_with(&who, &place, &restore, &[EVERYTHING]).ok();
        }
        let wrong = Who::Keys(wrong.clone());
        lab.ask_for_backup(&node, &place, &wrong).error();
        lab.cli_with(&wrong, &place, &["lsbackup"], &[EVERYTHING]).failed(1);
        let half = json!({"query": "mutation($input: BackupInput!) { backup(input: $input) { response { code } } }",
            "variables": {"input": {"destination": place, "secretKey": wrong.fields()["secretKey"]}}});
        let answer = node.post("/admin", "application/json", &half.to_string());
        lab.secrets.assert_absent("an answer", answer.text.as_bytes());
        assert_says(&answer.error(), &["the access key is missing"]);
    }
    keyed.keep_tokens();
    let log = node.log();
    assert_says(&log, &["TRACE", "backup begins", "s3 request", "minio request"]);
    lab.assert_node_is_discreet(&node);
    lab.assert_node_is_discreet(&other);
    lab.assert_nothing_is_written();
}
