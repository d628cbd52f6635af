//! Commands and destinations that cannot work: what is wrong is named, and what was there before stays.

use std::fs;
use std::path::Path;
use std::process::Command;

use graphdb_destination::testing::servers::skip;
use serde_json::json;

use crate::harness::{Folder, Node, assert_says, cli, folders, has_lock, manifests, noise, temp_dir, tree};

/// A file system of its own, unmounted in the end.
struct Mount {
    path: String,
}

impl Mount {
    /// Needs root, and says so if that is missing.
    fn new(path: String, options: &str) -> Option<Mount> {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "graphdb-test", &path]).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Mount { path });
        }
        skip(&format!(
            "a file system cannot be mounted here ({options}); run as root to test full and read-only destinations"
        ));
        None
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        _ = Command::new("umount").args(["-l", &self.path]).status();
    }
}

/// A node with something in it, and a backup of that.
fn node_with_backup(dir: &Folder) -> (Node, String) {
    let node = Node::start(&dir.path().join("p"), &[]);
    let backups = dir.dir("backups");
    node.mutate(r#"{ set { _:own <name> "mine" . } }"#);
    node.backup(&backups);
    (node, backups)
}

#[track_caller]
fn assert_still_there(dir: &Folder, node: &Node, backups: &str) {
    assert_eq!(node.count("name"), 1);
    let target = dir.at("proof");
    cli(&["restore", "-l", backups, "-p", &target, "--force-zero=false"]).ok();
    fs::remove_dir_all(target).unwrap();
}

#[test]
fn a_destination_that_is_missing_or_no_directory_is_named() {
    let dir = temp_dir();
    let (node, backups) = node_with_backup(&dir);
    let file = dir.file("a-file", "x");
    let missing = dir.at("no/such/place");
    for (destination, says) in [
        (missing.as_str(), "does not exist"),
        (&file, "not a directory"),
        (&format!("file://{file}"), "not a directory"),
        ("s3://bucket/path", "write s3:///bucket/folder"),
        ("ftp://host/path", "unknown scheme"),
    ] {
        // A URI with a strange scheme is not repeated: it may hold a password.
        let named = if destination.starts_with("ftp") { "ftp" } else { destination.trim_start_matches("file://") };
        assert_says(&node.ask_for_backup(destination, false).error(), &[named, says]);
        assert_says(&cli(&["backup", "--alpha", node.url(), "-d", destination]).failed(1), &[named, says]);
        assert_says(&cli(&["lsbackup", "-l", destination]).failed(1), &[named, says]);
        assert_says(&node.ask_for_restore(destination, None, None).error(), &[named, says]);
    }
    assert_says(&node.ask_for_backup("", false).error(), &["destination"]);
    let listed =
        node.admin("query($at: String!) { listBackups(input: {location: $at}) { path } }", json!({"at": missing}));
    assert_says(&listed.error(), &[&missing]);
    assert!(!Path::new(&missing).exists());
    assert_still_there(&dir, &node, &backups);
}

#[test]
fn a_destination_that_is_read_only_is_named_and_keeps_its_backups() {
    let dir = temp_dir();
    let (node, backups) = node_with_backup(&dir);
    let place = dir.dir("read-only");
    let Some(mount) = Mount::new(place.clone(), "size=16m") else { return };
    node.backup(&place);
    let before = tree(&place);
    let status = Command::new("mount").args(["-o", "remount,ro", &place]).status().unwrap();
    assert!(status.success());
    assert_says(&node.ask_for_backup(&place, false).error(), &[&place, "read-only"]);
    assert_eq!(tree(&place), before);
    cli(&["restore", "-l", &place, "-p", &dir.at("from-read-only"), "--force-zero=false"]).ok();
    let target = format!("{place}/target");
    assert_says(&cli(&["restore", "-l", &backups, "-p", &target, "--force-zero=false"]).failed(1), &[&place]);
    assert_still_there(&dir, &node, &backups);
    drop(mount);
}

#[test]
fn a_destination_that_is_full_is_named_and_left_as_it_was() {
    let dir = temp_dir();
    let (node, backups) = node_with_backup(&dir);
    let place = dir.dir("full");
    let Some(_mount) = Mount::new(place.clone(), "size=2m") else { return };
    node.backup(&place);
    noise(&node, 400);
    let before = tree(&place);
    assert_says(&node.ask_for_backup(&place, false).error(), &[&place, "no space left"]);
    assert_eq!(tree(&place), before, "what could not be finished is removed");
    assert!(!has_lock(&place) && folders(&place).len() == 1);
    cli(&["restore", "-l", &place, "-p", &dir.at("from-full"), "--force-zero=false"]).ok();

    node.backup(&backups);
    let target = format!("{place}/restored");
    let refused = cli(&["restore", "-l", &backups, "-p", &target, "--force-zero=false"]).failed(1);
    assert_says(&refused, &["pace"]);
    assert!(!Path::new(&target).join("p1").exists());
    assert_still_there(&dir, &node, &backups);
}

#[test]
fn a_directory_and_a_port_that_are_in_use_are_named() {
    let dir = temp_dir();
    let (node, backups) = node_with_backup(&dir);
    let postings = node.postings().to_str().unwrap().to_owned();
    let refused = Node::refused(&["-p", &postings, "--http", "127.0.0.1:0"]).failed(1);
    assert_says(&refused, &[&postings, &format!("process {}", node.pid())]);
    let address = node.url().trim_start_matches("http://");
    let refused = Node::refused(&["-p", &dir.at("other"), "--http", address]).failed(1);
    assert_says(&refused, &[address, "--http"]);
    assert!(!Path::new(&dir.at("other")).exists(), "no store is made for a node that cannot listen");
    assert_still_there(&dir, &node, &backups);
}

#[test]
fn a_directory_that_is_no_store_is_named_and_left_alone() {
    let dir = temp_dir();
    let strange = dir.dir("strange");
    fs::write(format!("{strange}/photo.jpg"), "x").unwrap();
    let refused = Node::refused(&["-p", &strange, "--http", "127.0.0.1:0"]).failed(1);
    assert_says(&refused, &[&strange, "not a graphdb postings directory"]);
    assert_eq!(tree(&strange).into_iter().collect::<Vec<_>>(), ["photo.jpg"]);
    let file = dir.file("a-file", "x");
    assert_says(&Node::refused(&["-p", &file, "--http", "127.0.0.1:0"]).failed(1), &[&file]);
}

#[test]
fn misuse_is_told_with_exit_code_2_and_the_flag() {
    let dir = temp_dir();
    let (postings, rdf) = (dir.at("p"), dir.file("a.rdf", "<a> <p> \"x\" .\n"));
    for (args, says) in [
        (vec!["serve", "--no-such-flag"], vec!["--no-such-flag", "--help"]),
        (vec!["no-such-command"], vec!["no-such-command", "--help"]),
        (vec![], vec!["Usage"]),
        (vec!["restore", "-p", "x"], vec!["--location"]),
        (vec!["restore", "-p", "x", "-l", "y"], vec!["--zero", "--force-zero=false"]),
        (vec!["lsbackup", "-l", "x", "--output", "xml"], vec!["xml", "table", "json"]),
        (vec!["serve", "-p", &postings, "--http", "nonsense"], vec!["--http", "nonsense"]),
        (vec!["serve", "-p", &postings, "--whitelist", "10.0.0.0/99"], vec!["--whitelist", "10.0.0.0/99"]),
        (vec!["serve", "-p", &postings, "--cache-mb", "lots"], vec!["--cache-mb", "lots"]),
        (vec!["serve", "-p", &postings, "--gzip-level", "77"], vec!["--gzip-level", "77"]),
        (vec!["serve", "-p", &postings, "--keep-replaced", "soon"], vec!["--keep-replaced", "soon"]),
        (vec!["sample", "--scale", "1"], vec!["--scale", "1"]),
        (vec!["live", "-f", &rdf, "--alpha", "ftp://h"], vec!["ftp://h"]),
    ] {
        assert_says(&cli(&args).failed(2), &says);
    }
    assert!(!Path::new(&postings).exists());
}

#[test]
fn a_configuration_file_with_a_mistake_is_named_with_the_key() {
    let dir = temp_dir();
    for (content, says) in [
        ("no_such_key = 1\n", vec!["no_such_key"]),
        ("http = \n", vec!["line 1"]),
        ("http = \"nonsense\"\n", vec!["http", "nonsense"]),
        ("cache-mb = \"lots\"\n", vec!["cache-mb", "lots"]),
    ] {
        let file = dir.file("graphdb.toml", content);
        let message = Node::refused(&["-p", &dir.at("p"), "--config", &file]);
        assert!(matches!(message.code, Some(1 | 2)), "{message:?}");
        assert_says(&message.stderr, &[&file]);
        assert_says(&message.stderr, &says);
    }
    let missing = dir.at("none.toml");
    assert_says(&Node::refused(&["-p", &dir.at("p"), "--config", &missing]).stderr, &[&missing]);
    assert!(!Path::new(&dir.at("p")).exists());
}

#[test]
fn what_cannot_be_loaded_is_named_with_file_and_line() {
    let dir = temp_dir();
    let (node, backups) = node_with_backup(&dir);
    let live = |args: &[&str]| cli(&[&["live", "--alpha", node.url()], args].concat()).failed(1);
    let missing = dir.at("none.rdf");
    assert_says(&live(&["-f", &missing]), &[&missing]);
    let broken = dir.file("broken.rdf", "<a> <p> \"x\" .\n<b> <p> \"y .\n");
    assert_says(&live(&["-f", &broken]), &[&broken, "line 2"]);
    let broken = dir.file("broken.json", "[{\"p\": \"x\"},\n {\"p\": }]");
    assert_says(&live(&["-f", &broken]), &[&broken, "line 2"]);
    let cut = dir.file("cut.rdf.gz", [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
    assert_says(&live(&["-f", &cut]), &[&cut]);
    let fine = dir.file("fine.rdf", "<a> <p2> \"x\" .\n");
    let schema = dir.file("bad.schema", "a: string .\nb: strung .\n");
    assert_says(&live(&["-f", &fine, "-s", &schema]), &[&schema, "line 2", "strung"]);
    assert_says(&cli(&["live", "-f", &fine, "--alpha", "127.0.0.1:1"]).failed(1), &["127.0.0.1:1"]);
    assert_eq!(manifests(&backups).len(), 1);
    assert_still_there(&dir, &node, &backups);
}
