//! Credentials that end, and none at all.

use std::time::{Duration, Instant};

use graphdb_destination::testing::fault_proxy::{Fault, FaultProxy, Operation};
use serde_json::json;

use super::lab::Lab;
use super::series::{Series, TWO_PARTS};
use super::who::Who;
use crate::harness::{assert_says, noise};

/// Longer than a story takes.
const LONG: Duration = Duration::from_secs(900);

/// Long enough to begin an upload with on a busy machine.
const BRIEF: Duration = Duration::from_secs(12);

const EXPIRED: &str = "the session that the keys belong to may have expired";

#[test]
fn keys_with_a_session_token_back_up_list_and_restore() {
    for scheme in ["s3", "minio"] {
        let Some((lab, rgw)) = Lab::shared() else { return };
        let session = lab.bucket.runtime.block_on(rgw.session(&lab.bucket.user("session"), LONG));
        lab.secrets.keep_account(&session);
        let mut half = session.clone();
        half.session_token = None;
        let (place, who, half) = (lab.bucket.place(scheme), Who::Keys(session), Who::Keys(half));

        let node = lab.node("p", &[]);
        let series = Series::tell(&node, 0, |_| drop(lab.back_up(&node, &place, &who)));
        assert_eq!(lab.list(&node, &place, &who).len(), 3);
        assert_eq!(lab.cli(&who, &place, &["lsbackup", "-o", "tsv"]).ok().lines().count(), 3);
        series.assert_is_at(&lab.restored(&who, &place, "restored", &["--backup-num", "2"]), 2, "offline");
        let other = lab.node("other", &[]);
        lab.restore(&other, &place, &who, &json!({}));
        series.assert_is_at(&other, 3, "online");

        // The same keys are nothing without their token.
        assert_says(&lab.ask_for_backup(&node, &place, &half).error(), &[&place_of(&place), "credentials"]);
        assert_says(&lab.cli(&half, &place, &["lsbackup"]).failed(1), &[&place_of(&place), "credentials"]);
        lab.assert_node_is_discreet(&node);
        lab.assert_nothing_is_written();
    }
}

/// A place as messages name it.
pub(super) fn place_of(place: &str) -> String {
    place.split('?').next().unwrap().to_owned()
}

#[test]
fn anybody_restores_from_a_public_bucket_and_nobody_backs_up_to_it() {
    for scheme in ["s3", "minio"] {
        let Some((lab, _)) = Lab::shared() else { return };
        let place = lab.bucket.place(scheme);
        let node = lab.node("p", &[]);
        let series = Series::tell(&node, 0, |_| drop(lab.back_up(&node, &place, &lab.owner())));
        let shown = place_of(&place);
        assert_says(&lab.ask_for_list(&node, &place, &Who::Anybody).error(), &[&shown, "s3:ListBucket"]);
        assert_says(&lab.cli(&Who::Anybody, &place, &["lsbackup"]).failed(1), &[&shown, "s3:ListBucket"]);

        lab.bucket.allow_everybody(&["s3:GetObject", "s3:ListBucket"]);
        assert_eq!(lab.list(&node, &place, &Who::Anybody).len(), 3);
        series.assert_is_at(&lab.restored(&Who::Anybody, &place, "restored", &["--backup-num", "1"]), 1, "offline");
        let other = lab.node("other", &[]);
        lab.restore(&other, &place, &Who::Anybody, &json!({"backupNum": 2}));
        series.assert_is_at(&other, 2, "online");

        let before = lab.bucket.keys();
        assert_says(
            &lab.ask_for_backup(&node, &place, &Who::Anybody).error(),
            &[&shown, "not allowed", "s3:PutObject"],
        );
        assert_eq!(lab.bucket.keys(), before);
        lab.assert_node_is_discreet(&node);
        lab.assert_nothing_is_written();
    }
}

#[test]
fn a_session_that_ends_during_an_upload_is_named_and_the_next_backup_works() {
    for scheme in ["s3", "minio"] {
        let Some((lab, rgw)) = Lab::shared() else { return };
        let runtime = &lab.bucket.runtime;
        let proxy = runtime.block_on(FaultProxy::start(lab.bucket.server())).unwrap();
        let place = lab.bucket.place_through(scheme, proxy.address());
        let node = lab.node("p", &[]);
        noise(&node, TWO_PARTS);

        let session = runtime.block_on(rgw.session(&lab.bucket.user("session"), BRIEF));
        lab.secrets.keep_account(&session);
        let end = Instant::now() + BRIEF + Duration::from_secs(2);
        proxy.leave_to(move |request| {
            let held = request.operation == Operation::UploadPart;
            held.then(|| Fault::Delay(end.saturating_duration_since(Instant::now())))
        });
        let message = lab.ask_for_backup(&node, &place, &Who::Keys(session.clone())).error();
        // Ceph denies, and does not tell why: what may be behind it is told all the same.
        assert_says(&message, &[&place_of(&place), "not allowed to upload", EXPIRED]);
        let begun = proxy
            .requests()
            .iter()
            .any(|request| request.operation == Operation::CreateMultipart && request.status == Some(200));
        assert!(begun, "the upload was to begin before the session ended: {message}");
        assert!(lab.bucket.manifests().is_empty());
        lab.bucket.assert_uploads_are_ours();
        assert_says(&lab.ask_for_backup(&node, &place, &Who::Keys(session)).error(), &[EXPIRED]);

        proxy.heal();
        lab.back_up(&node, &place, &lab.owner());
        assert_eq!(lab.bucket.manifests().len(), 1);
        lab.bucket.sweep();
        assert!(lab.bucket.open_uploads().is_empty());
        assert_eq!(lab.restored(&lab.owner(), &place, "restored", &[]).count("noise"), TWO_PARTS as u64);
        lab.assert_node_is_discreet(&node);
        lab.assert_nothing_is_written();
    }
}
