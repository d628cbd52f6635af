//! Nodes that are asked to stop: they end by themselves, successfully, and leave nothing half done.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::crash::{SLOW, slow_node, source_and_target, values, write_until_gone};
use crate::harness::{Node, copy_tree, folders, has_lock, manifests, temp_dir, tree, wait_for};
use crate::questions::{SAMPLE, assert_answers};

#[test]
fn sigterm_during_a_backup_ends_the_node_with_a_whole_backup_or_none_and_no_leftovers() {
    let dir = temp_dir();
    let (node, backups, _) = slow_node(&dir, SLOW);
    let before = tree(&backups);
    let (client, to) = (node.client(), backups.clone());
    let asked = thread::spawn(move || client.ask_for_backup(&to, true));
    wait_for("the folder of the backup", || (folders(&backups).len() > 1).then_some(()));
    let (code, log) = node.terminate();
    assert_eq!(code, Some(0), "{log}");
    let answer = asked.join().unwrap();
    if answer.json()["errors"].is_null() {
        assert_eq!(manifests(&backups).len(), 2, "a backup that was acknowledged is there: {answer:?}");
    } else {
        assert_eq!(tree(&backups), before, "{}", answer.error());
        assert_eq!(folders(&backups).len(), 1, "not even an empty folder stays");
    }
    let node = Node::start(&dir.path().join("p"), &[]);
    assert_eq!(node.count("noise"), 2_000);
    node.backup(&backups);
    assert!(!has_lock(&backups));
}

#[test]
fn sigterm_during_an_online_restore_leaves_the_old_or_the_new_data_and_nothing_beside() {
    let dir = temp_dir();
    let (backups, expected) = source_and_target(&dir);
    for (run, wait) in [false, true].into_iter().enumerate() {
        let home = dir.path().join(format!("run-{run}"));
        copy_tree(dir.path().join("target"), home.join("p"));
        let node = Node::start(&home.join("p"), &[]);
        let id = node.ask_for_restore(&backups, None, None).data()["restore"]["restoreId"].as_i64().unwrap();
        if wait {
            wait_for("the restore to build", || (folders(home.to_str().unwrap()).len() > 1).then_some(()));
        }
        let (code, log) = node.terminate();
        assert_eq!(code, Some(0), "{log}");
        let node = Node::start(&home.join("p"), &[]);
        match node.restore_status(id)["status"].as_str() {
            Some("OK") => assert_answers(&node, SAMPLE, &expected, "restored and stopped"),
            Some("ERR") => {
                assert_eq!(node.query(r#"{ q(func: eq(name, "mine")) { name } }"#)["q"][0]["name"], "mine");
                let beside = folders(home.to_str().unwrap());
                assert!(!beside.iter().any(|dir| dir.ends_with(format!("p.restore-{id}"))), "{beside:?}");
            }
            other => panic!("a job is settled when the node starts, not {other:?}"),
        }
    }
}

#[test]
fn a_node_that_is_asked_to_stop_while_it_serves_loses_nothing() {
    let dir = temp_dir();
    let node = Node::start(&dir.path().join("p"), &[]);
    let acknowledged = AtomicUsize::new(0);
    let client = node.client();
    let expected = thread::scope(|scope| {
        let writer = scope.spawn(|| write_until_gone(&client, 0, 0, &acknowledged));
        wait_for("some commits", || (acknowledged.load(Ordering::Relaxed) > 20).then_some(()));
        let (code, log) = node.terminate();
        assert_eq!(code, Some(0), "{log}");
        writer.join().unwrap()
    });
    let node = Node::start(&dir.path().join("p"), &[]);
    assert!(values(&node, "mark").is_superset(&expected));
}
