//! `graphdb verify`, the real command: exit codes, the report for people and the one for programs.

use std::fs;

use serde_json::Value;

use crate::harness::{Folder, Node, assert_says, cli, copy_tree, folders, sample, shared, temp_dir, tree};

/// A location with a full backup and an incremental, encrypted with the key in the file `key`.
fn backups() -> (Folder, String, String) {
    let dir = temp_dir();
    let (location, key) = (dir.dir("backups"), dir.file("key", [7; 32]));
    let node = Node::start(&dir.path().join("p"), &["--encryption-key-file", &key]);
    sample(&node, 200);
    node.backup(&location);
    node.mutate(r#"{ set { _:own <alias> "second" . } }"#);
    node.backup(&location);
    (dir, location, key)
}

/// The report as JSON, of a run that ends with this exit code.
#[track_caller]
fn report(args: &[&str], code: i32) -> Value {
    let output = cli(&[&["verify", "--output", "json"], args].concat());
    assert_eq!(output.code, Some(code), "{output:?}");
    serde_json::from_str(&output.stdout).unwrap()
}

#[test]
fn what_a_node_backed_up_is_good_at_every_level_and_damage_has_its_exit_code() {
    let (dir, location, key) = backups();
    for level in [&["--quick"][..], &[], &["--deep"], &["--all"]] {
        let args = [&["-l", &location, "--encryption-key-file", &key], level].concat();
        let found = report(&args, 0);
        assert_eq!(
            (&found["outcome"], found["findings"].as_array().map(Vec::len)),
            (&"good".into(), Some(0)),
            "{found:#}"
        );
        assert_eq!((&found["totals"]["objects"], &found["totals"]["errors"]), (&2.into(), &0.into()), "{found:#}");
        let text = cli(&[&["verify"], &args[..]].concat()).ok();
        assert_says(&text, &["GOOD", "Not checked:", "incremental"]);
    }
    let copy = dir.at("damaged");
    copy_tree(&location, &copy);
    let folder = &folders(&copy)[1];
    let archive = folder.join(tree(folder).into_iter().find(|name| name.ends_with(".backup")).unwrap());
    let mut body = fs::read(&archive).unwrap();
    let middle = body.len() / 2;
    body[middle] ^= 4;
    fs::write(&archive, body).unwrap();
    let found = report(&["-l", &copy, "--encryption-key-file", &key], 3);
    assert_eq!(found["outcome"], "damaged");
    let first = &found["findings"][0];
    assert_eq!(
        (&first["severity"], &first["backup_num"], &first["group"]),
        (&"error".into(), &2.into(), &1.into()),
        "{found:#}"
    );
    assert!(archive.ends_with(first["object"].as_str().unwrap()) && first["backup_id"].is_string(), "{first:#}");
    assert!(found["series"][0]["backups"][0]["objects"][0]["entries"].as_u64() > Some(100), "{found:#}");
    let output = cli(&["verify", "-l", &copy, "-k", &key]);
    assert_says(&output.stdout, &["DAMAGED", "error:", archive.file_name().unwrap().to_str().unwrap()]);
    assert_says(&output.failed(3), &["damage was found"]);
}

#[test]
fn what_cannot_run_fails_and_what_cannot_be_meant_is_misuse() {
    let (dir, location, _) = backups();
    assert_says(&cli(&["verify", "-l", &dir.at("nowhere")]).failed(1), &["verify", "nowhere"]);
    assert_says(&cli(&["verify", "-l", &dir.dir("empty")]).failed(1), &["no backups"]);
    assert_says(&cli(&["verify", "-l", &location, "--backup-id", "nobody"]).failed(1), &["nobody"]);
    let other = dir.file("other", [8; 32]);
    let output = cli(&["verify", "-l", &location, "--encryption-key-file", &other]);
    assert_says(&output.stdout, &["INCOMPLETE", "key-needed"]);
    assert_says(&output.failed(1), &["not everything could be read"]);
    let found = report(&["-l", &location], 1);
    assert_eq!(found["outcome"], "incomplete", "without a key: {found:#}");
    for misuse in [&["-l", "/b", "--quick", "--deep"][..], &["-l", "/b", "--all", "--backup-id", "x"], &[]] {
        cli(&[&["verify"], misuse].concat()).failed(2);
    }
}

#[test]
fn backups_of_dgraph_are_verified_and_warnings_have_an_exit_code_of_their_own() {
    let Some(stale) = shared("data/dgraph-backups/v25.4-stale-index") else { return };
    let stale = stale.to_str().unwrap();
    let good = report(&["-l", stale], 0);
    assert!(good["not_checked"].as_array().unwrap().iter().any(|what| what.as_str().unwrap().contains("digests")));
    let dir = temp_dir();
    let sorting = dir.dir("sorting");
    let warned = report(&["-l", stale, "--deep", "--tmp-dir", &sorting], 4);
    assert_eq!((&warned["outcome"], &warned["totals"]["warnings"]), (&"warnings".into(), &2.into()), "{warned:#}");
    assert!(warned["findings"].as_array().unwrap().iter().all(|finding| finding["kind"] == "stale-index"));
    assert!(tree(std::path::Path::new(&sorting)).is_empty(), "nothing is left of the sorting");
}
