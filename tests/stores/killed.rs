//! The node, and the store, killed in the middle of an upload.

use std::thread;

use graphdb_destination::testing::fault_proxy::{Fault, FaultProxy, Operation, Request};
use graphdb_destination::testing::servers::{Rgw, Storage};

use super::credentials::place_of;
use super::lab::Lab;
use super::series::{Series, TWO_PARTS};
use crate::harness::{Node, assert_says, noise, wait_for};

/// A request of a backup that gets no answer, so that the node can be killed while it waits.
struct Moment {
    name: &'static str,
    /// Whether an upload in parts is open then.
    has_upload: bool,
    is_it: fn(&Request) -> bool,
}

const MOMENTS: [Moment; 6] = [
    Moment {
        name: "its lock is written",
        has_upload: false,
        is_it: |request| request.operation == Operation::PutIfAbsent && request.key.contains("graphdb.lock."),
    },
    Moment {
        name: "its upload begins",
        has_upload: false,
        is_it: |request| request.operation == Operation::CreateMultipart,
    },
    Moment {
        name: "all parts are on their way",
        has_upload: true,
        is_it: |request| request.operation == Operation::UploadPart,
    },
    Moment {
        name: "every other part is on its way",
        has_upload: true,
        is_it: |request| request.operation == Operation::UploadPart && request.nth.is_multiple_of(2),
    },
    Moment {
        name: "its upload is completed",
        has_upload: true,
        is_it: |request| request.operation == Operation::CompleteMultipart,
    },
    Moment {
        name: "its manifest is written",
        has_upload: false,
        is_it: |request| request.operation == Operation::PutIfAbsent && request.key.ends_with("/manifest.json"),
    },
];

#[test]
fn a_node_killed_during_an_upload_to_s3_leaves_no_backup_and_the_next_one_works() {
    kill_nodes("s3");
}

#[test]
fn a_node_killed_during_an_upload_to_minio_leaves_no_backup_and_the_next_one_works() {
    kill_nodes("minio");
}

fn kill_nodes(scheme: &str) {
    let Some((lab, _)) = Lab::shared() else { return };
    let proxy = lab.bucket.runtime.block_on(FaultProxy::start(lab.bucket.server())).unwrap();
    let place = lab.bucket.place_through(scheme, proxy.address());
    let mut node = lab.node("p", &[]);
    noise(&node, TWO_PARTS);
    lab.back_up(&node, &place, &lab.owner());
    for (number, moment) in MOMENTS.iter().enumerate() {
        let before = lab.bucket.manifests();
        kill_at(moment, &lab, &proxy, node, &place);
        assert_eq!(lab.bucket.manifests(), before, "killed when {}", moment.name);
        assert_eq!(!lab.bucket.open_uploads().is_empty(), moment.has_upload, "killed when {}", moment.name);
        lab.bucket.assert_uploads_are_ours();

        node = lab.node("p", &[]);
        node.mutate(&format!("{{ set {{ _:after <after> \"{number}\" . }} }}"));
        lab.back_up(&node, &place, &lab.owner());
        assert_eq!(lab.bucket.manifests().len(), before.len() + 1, "after a kill when {}", moment.name);
        // A backup sweeps what is a day old; here it is swept at once.
        let swept = lab.bucket.sweep();
        assert_eq!(!swept.is_empty(), moment.has_upload, "{swept:?}");
        assert!(lab.bucket.open_uploads().is_empty());
    }
    let listed = lab.list(&node, &place, &lab.owner());
    assert_eq!(listed.len(), 1 + MOMENTS.len());
    assert!(listed.iter().all(|backup| backup["backupId"] == listed[0]["backupId"]), "one series: {listed:?}");
    let restored = lab.restored(&lab.owner(), &place, "restored", &[]);
    assert_eq!(restored.count("noise"), TWO_PARTS as u64);
    assert_eq!(restored.count("after"), MOMENTS.len() as u64);
    lab.assert_nothing_is_written();
}

/// Kills a node in the middle of a full backup.
#[track_caller]
fn kill_at(moment: &Moment, lab: &Lab, proxy: &FaultProxy, node: Node, place: &str) {
    let struck = proxy.struck().len();
    let is_it = moment.is_it;
    proxy.leave_to(move |request| is_it(request).then_some(Fault::Silence));
    let client = node.client();
    thread::scope(|scope| {
        let asked = scope.spawn(move || lab.try_full_backup(&client, place, &lab.owner()));
        wait_for(moment.name, || (proxy.struck().len() > struck || asked.is_finished()).then_some(()));
        let was_running = !asked.is_finished();
        node.kill();
        let answer = asked.join().unwrap();
        assert!(was_running, "the backup ended before {}: {answer:?}", moment.name);
    });
    proxy.heal();
}

#[test]
fn a_backup_to_s3_outlives_a_crash_of_the_store_or_says_that_it_did_not() {
    kill_store("s3");
}

#[test]
fn a_backup_to_minio_outlives_a_crash_of_the_store_or_says_that_it_did_not() {
    kill_store("minio");
}

fn kill_store(scheme: &str) {
    let Some(rgw) = Rgw::start(Storage::Disk) else { return };
    let lab = Lab::of(rgw.account());
    let proxy = lab.bucket.runtime.block_on(FaultProxy::start(lab.bucket.server())).unwrap();
    let place = lab.bucket.place_through(scheme, proxy.address());
    let node = lab.node("p", &[]);
    let series = Series::tell(&node, TWO_PARTS, |number| {
        if number == 1 {
            let outcome = back_up_through_a_crash(&lab, &rgw, &proxy, &node, &place);
            println!("a backup to {scheme} whose store was killed meanwhile: {outcome:?}");
            if outcome.is_ok() {
                return;
            }
        }
        lab.back_up(&node, &place, &lab.owner());
    });
    assert_eq!(lab.bucket.manifests().len(), 3);
    for number in 1..=3 {
        let (to, flags) = (format!("restored-{number}"), ["--backup-num", &number.to_string()]);
        series.assert_is_at(&lab.restored(&lab.owner(), &place, &to, &flags), number, "after a crash of the store");
    }
    lab.assert_node_is_discreet(&node);
    lab.assert_nothing_is_written();
}

/// Takes a backup whose store is killed when a part was uploaded, and comes back. Tells how it ended.
fn back_up_through_a_crash(lab: &Lab, rgw: &Rgw, proxy: &FaultProxy, node: &Node, place: &str) -> Result<(), String> {
    let client = node.client();
    let answer = thread::scope(|scope| {
        let asked = scope.spawn(move || lab.try_full_backup(&client, place, &lab.owner()));
        wait_for("a part to be uploaded", || {
            let is_there = |request: &Request| request.operation == Operation::UploadPart && request.status.is_some();
            (proxy.requests().iter().any(is_there) || asked.is_finished()).then_some(())
        });
        assert!(!asked.is_finished(), "the backup ended before the store could be killed");
        rgw.kill();
        rgw.restart();
        asked.join().unwrap().expect("the node answers")
    });
    let manifests = lab.bucket.manifests().len();
    if answer.json()["errors"].is_null() {
        assert_eq!(manifests, 1);
        return Ok(());
    }
    let message = answer.error();
    assert_says(&message, &[&place_of(place)]);
    assert_eq!(manifests, 0, "{message}");
    Err(message)
}
