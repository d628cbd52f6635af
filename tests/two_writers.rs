//! Two backups at a time: one location takes one, whoever asks.

use std::thread;

use serde_json::json;

use crate::harness::{Folder, Node, assert_says, cli, folders, manifests, noise, temp_dir, wait_for};

/// A node whose backups take seconds.
fn slow_node(dir: &Folder) -> Node {
    let node = Node::start(&dir.path().join("p"), &["--gzip-level", "12"]);
    noise(&node, 3_000);
    node
}

#[test]
fn a_second_backup_to_a_location_is_refused_from_the_same_and_from_another_process() {
    let dir = temp_dir();
    let backups = dir.dir("backups");
    let node = slow_node(&dir);
    let other = Node::start(&dir.path().join("other"), &[]);
    other.mutate(r#"{ set { _:own <name> "mine" . } }"#);

    let (client, to) = (node.client(), backups.clone());
    let first = thread::spawn(move || client.ask_for_backup(&to, false));
    wait_for("the backup to begin", || (!folders(&backups).is_empty()).then_some(()));
    let same = node.ask_for_backup(&backups, false).error();
    let foreign = other.ask_for_backup(&backups, false).error();
    let through_command = cli(&["backup", "--alpha", other.url(), "--destination", &backups]).failed(1);
    let health = node.admin("{ health { ongoing } }", json!({})).data();
    assert!(!first.is_finished(), "the first backup was to run while others were asked for");

    for message in [&same, &foreign, &through_command] {
        assert_says(message, &["backup", &backups, "already running", &node.pid().to_string()]);
    }
    assert_says(&health.to_string(), &["opBackup"]);
    first.join().unwrap().data();
    assert_eq!((manifests(&backups).len(), folders(&backups).len()), (1, 1));
    node.mutate(r#"{ set { _:new <name> "new" . } }"#);
    node.backup(&backups);
    assert_eq!(manifests(&backups).len(), 2, "the location is free again");
}

#[test]
fn a_node_takes_one_backup_at_a_time_also_to_different_locations() {
    let dir = temp_dir();
    let (one, two) = (dir.dir("one"), dir.dir("two"));
    let node = slow_node(&dir);
    let (client, to) = (node.client(), one.clone());
    let first = thread::spawn(move || client.ask_for_backup(&to, false));
    wait_for("the backup to begin", || (!folders(&one).is_empty()).then_some(()));
    let refused = node.ask_for_backup(&two, false).error();
    assert!(!first.is_finished(), "the first backup was to run while another was asked for");
    assert_says(&refused, &["backup", "already running", &one]);
    assert!(folders(&two).is_empty());
    first.join().unwrap().data();
    node.backup(&two);
    assert_eq!((manifests(&one).len(), manifests(&two).len()), (1, 1));
}
