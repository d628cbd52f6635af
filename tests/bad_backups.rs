//! Backups that cannot be restored or continued: each is refused with a message that names it, and nothing is lost.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::{
    Folder, Node, assert_says, cli, copy_tree, folders, manifests, noise, sample, shared, temp_dir, tree,
};
use crate::questions::{SAMPLE, answers, assert_answers};

/// A location with a full backup and an incremental, and what the newer one shows.
struct Good {
    dir: Folder,
    location: String,
    answers: Vec<Value>,
    node: Node,
}

/// With the key `key` in the file `key`, if there is to be one.
fn good(key: Option<&[u8]>) -> Good {
    let dir = temp_dir();
    let location = dir.dir("good");
    let key_file = key.map(|key| dir.file("key", key));
    let options = key_file.as_ref().map(|file| vec!["--encryption-key-file", file.as_str()]);
    let node = Node::start(&dir.path().join("p"), &options.unwrap_or_default());
    sample(&node, 200);
    node.backup(&location);
    node.mutate(r#"{ set { _:own <alias> "second" . } }"#);
    node.backup(&location);
    let answers = answers(&node, SAMPLE);
    Good { dir, location, answers, node }
}

impl Good {
    /// The archive of a backup, 0 for the full one, at another location.
    fn archive(&self, location: &str, backup: usize) -> PathBuf {
        let folder = &folders(location)[backup];
        folder.join(tree(folder).into_iter().find(|name| name.ends_with(".backup")).unwrap())
    }

    /// A copy with damage done to it.
    fn damaged(&self, name: &str, damage: impl FnOnce(&str)) -> String {
        let copy = self.dir.at(name);
        copy_tree(&self.location, &copy);
        damage(&copy);
        copy
    }

    /// That neither a command nor a running node restores it, that both say why, and that the node still has what it had.
    #[track_caller]
    fn assert_refused(&self, location: &str, key_file: Option<&str>, says: &[&str]) {
        let target = self.dir.at("target");
        let mut args = vec!["restore", "-l", location, "-p", &target, "--force-zero=false"];
        args.extend(key_file.iter().flat_map(|file| ["--encryption-key-file", file]));
        assert_says(&cli(&args).failed(1), says);
        assert!(tree(&target).is_empty(), "nothing was restored: {:?}", tree(&target));

        let answer = self.node.ask_for_restore(location, None, key_file);
        let why = match answer.json()["data"]["restore"]["restoreId"].as_i64() {
            None => answer.error(),
            Some(id) => {
                let status = self.node.wait_restored(id);
                assert_eq!(status["status"], "ERR", "{status}");
                status["errors"].to_string()
            }
        };
        assert_says(&why, says);
        assert_answers(&self.node, SAMPLE, &self.answers, "after a restore was refused");
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn edit(path: &Path, change: impl FnOnce(String) -> String) {
    fs::write(path, change(fs::read_to_string(path).unwrap())).unwrap();
}

#[test]
fn every_manifest_that_cannot_be_trusted_is_named_and_refused() {
    let good = good(None);
    let folder = |number: usize| name_of(&folders(&good.location)[number]);
    type Damage = fn(String) -> String;
    let damages: [(&str, Damage, &str); 7] = [
        ("truncated", |text| text[..text.len() / 2].into(), "cut off"),
        ("garbage", |_| "this is no JSON".into(), "damaged at line 1"),
        ("empty", |_| String::new(), "manifest"),
        ("changed", |text| text.replace("\"backup_num\":2", "\"backup_num\":3"), "was changed after it was written"),
        ("future", |text| text.replace("\"format_version\":", "\"format_version\":99"), "format version 99"),
        ("traversal", |text| text.replace("\"name\":\"r", "\"name\":\"../../../etc/r"), "manifest"),
        ("huge", |_| format!("{{\"x\":\"{}\"}}", "y".repeat(80 << 20)), "manifest"),
    ];
    for (name, damage, says) in damages {
        let copy = good.damaged(name, |copy| edit(&manifests(copy)[1], damage));
        good.assert_refused(&copy, None, &[&folder(1), says]);
        let refused = good.node.ask_for_backup(&copy, false).error();
        assert_says(&refused, &[&folder(1)]);
        assert_eq!(manifests(&copy).len(), 2, "a series that cannot be read is not continued: {name}");
        assert_says(&cli(&["lsbackup", "-l", &copy]).failed(1), &[&folder(1)]);
    }
}

#[test]
fn a_backup_of_dgraph_is_read_and_nothing_is_written_beside_its_list() {
    let good = good(None);
    let dgraph = json!({"type": "full", "since": 68, "groups": {"1": ["name"]}, "backup_id": "loving_jones5", "backup_num": 1,
                        "encrypted": false, "drop_operations": null});
    let folder = format!("{}/dgraph.20201125.173944.587", good.dir.dir("dgraph"));
    fs::create_dir(&folder).unwrap();
    fs::write(format!("{folder}/manifest.json"), dgraph.to_string()).unwrap();
    let object = "dgraph.20201125.173944.587/r68-g1.backup";
    good.assert_refused(
        &good.dir.at("dgraph"),
        None,
        &[object, "is missing: group 1 of backup 1 of series loving_jones5"],
    );
    let master = good.dir.dir("master");
    fs::write(format!("{master}/manifest.json"), r#"{"Manifests": []}"#).unwrap();
    good.assert_refused(&master, None, &[&master, "no backups found"]);
    assert_says(&good.node.ask_for_backup(&master, false).error(), &[&master, "Dgraph"]);
    assert_says(&good.node.ask_for_backup(&master, true).error(), &[&master, "Dgraph"]);
    if let Some(backups) = shared("data/dgraph-backups/v25.4-lost-delete") {
        good.node.restore(backups.to_str().unwrap(), None, None);
        assert_eq!(good.node.count("name"), 1, "two of three names were deleted");
    }
}

#[test]
fn every_object_that_is_missing_or_damaged_is_named() {
    let good = good(None);
    for backup in [0, 1] {
        let object = name_of(&good.archive(&good.location, backup));
        let change = |copy: &str, change: fn(Vec<u8>) -> Vec<u8>| {
            let path = good.archive(copy, backup);
            fs::write(&path, change(fs::read(&path).unwrap())).unwrap();
        };
        let missing =
            good.damaged(&format!("missing-{backup}"), |copy| fs::remove_file(good.archive(copy, backup)).unwrap());
        good.assert_refused(&missing, None, &[&object, "is missing"]);
        let cut =
            good.damaged(&format!("cut-{backup}"), |copy| change(copy, |bytes| bytes[..bytes.len() - 5].to_vec()));
        good.assert_refused(&cut, None, &[&object, "bytes"]);
        let flipped = good.damaged(&format!("flipped-{backup}"), |copy| {
            change(copy, |mut bytes| {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 0x40;
                bytes
            });
        });
        good.assert_refused(&flipped, None, &[&object]);
    }
    let no_manifest = good.damaged("no-first", |copy| fs::remove_file(&manifests(copy)[0]).unwrap());
    good.assert_refused(&no_manifest, None, &["backup 1 of series", "is missing"]);
    good.assert_refused(&good.dir.dir("empty"), None, &["no backups found"]);
}

#[test]
fn half_written_backups_of_before_are_ignored_and_what_is_not_ours_is_left_alone() {
    let good = good(None);
    let half = format!("{}/dgraph.20990101.000000.000", good.location);
    fs::create_dir(&half).unwrap();
    fs::write(format!("{half}/r999-g1.backup"), "half").unwrap();
    fs::write(format!("{}/notes.txt", good.location), "keep").unwrap();
    good.node.mutate(r#"{ set { _:own <alias> "third" . } }"#);
    good.node.backup(&good.location);
    assert_eq!(manifests(&good.location).len(), 3);
    assert_eq!(fs::read(format!("{}/notes.txt", good.location)).unwrap(), b"keep");
    let expected = answers(&good.node, SAMPLE);
    cli(&["restore", "-l", &good.location, "-p", &good.dir.at("r"), "--force-zero=false"]).ok();
    let restored = Node::start(&good.dir.path().join("r/p1"), &[]);
    assert_answers(&restored, SAMPLE, &expected, "beside a half-written backup");
}

#[test]
fn a_series_and_a_number_that_do_not_exist_are_named() {
    let good = good(None);
    let base = ["restore", "-l", &good.location, "-p", &good.dir.at("r"), "--force-zero=false"];
    let run = |more: &[&str]| cli(&[&base[..], more].concat());
    assert_says(&run(&["--backup-id", "no_such1"]).failed(1), &["no_such1", "there are:"]);
    assert_says(&run(&["--backup-num", "99"]).failed(1), &["99", "has 2"]);
    assert_says(&run(&["--backup-num", "-1"]).failed(2), &["--backup-num", "-1"]);
    assert!(!Path::new(&good.dir.at("r")).exists());
    assert_says(&good.node.ask_for_restore(&good.location, Some(-1), None).error(), &["backupNum", "zero"]);
    assert_says(&good.node.ask_for_restore(&good.location, Some(99), None).error(), &["99", "has 2"]);
    let unknown = "mutation($at: String!) { restore(input: {location: $at, backupId: \"no_such1\"}) { code } }";
    assert_says(&good.node.admin(unknown, json!({"at": good.location})).error(), &["no_such1"]);
    let status = good.node.restore_status(77);
    assert_eq!(status["status"], "UNKNOWN", "{status}");
}

#[test]
fn a_restore_into_a_directory_that_is_not_empty_touches_nothing() {
    let good = good(None);
    let target = good.dir.dir("r/p1");
    fs::write(format!("{target}/precious"), "keep").unwrap();
    let parent = good.dir.at("r");
    let args = ["restore", "-l", &good.location, "-p", &parent, "--force-zero=false"];
    assert_says(&cli(&args).failed(1), &[&target, "not empty"]);
    assert_eq!(tree(&parent).into_iter().collect::<Vec<_>>(), ["p1/precious"]);
    let file = good.dir.file("a-file", "x");
    assert_says(&cli(&["restore", "-l", &good.location, "-p", &file, "--force-zero=false"]).failed(1), &[&file]);
    // Into the directory of a running node.
    fs::rename(&target, good.dir.at("r/other")).unwrap();
    let node = Node::start(Path::new(&target), &[]);
    assert_says(&cli(&args).failed(1), &[&target, "not empty"]);
    assert_eq!(node.count("name"), 0);
}

#[test]
fn a_wrong_a_missing_and_an_unwanted_key_are_told_apart() {
    let good = good(Some(&[7; 32]));
    let folder = name_of(&folders(&good.location)[0]);
    let needed = [folder.as_str(), "encrypted", "key is needed"];
    let args = ["restore", "-l", &good.location, "-p", &good.dir.at("target"), "--force-zero=false"];
    assert_says(&cli(&args).failed(1), &needed);
    let without_key = Node::start(&good.dir.path().join("without-key"), &[]);
    assert_says(&without_key.ask_for_restore(&good.location, None, None).error(), &needed);
    good.node.restore(&good.location, None, None); // the node tries its own
    assert_answers(&good.node, SAMPLE, &good.answers, "restored with the node's own key");
    let other = good.dir.file("other", [8; 32]);
    good.assert_refused(&good.location, Some(&other), &[&folder, "not the one"]);
    let shorter = good.dir.file("shorter", [7; 16]);
    good.assert_refused(&good.location, Some(&shorter), &[&folder, "not the one"]);
    for length in [0, 15, 17, 33] {
        let file = good.dir.file("bad", vec![7; length]);
        good.assert_refused(&good.location, Some(&file), &[&file, &length.to_string(), "16, 24 or 32"]);
        let refused =
            Node::refused(&["-p", &good.dir.at("q"), "--http", "127.0.0.1:0", "--encryption-key-file", &file]);
        assert_says(&refused.failed(1), &[&file, "16, 24 or 32"]);
    }
    let missing = good.dir.at("no-such-key");
    good.assert_refused(&good.location, Some(&missing), &[&missing]);

    let plain = self::good(None);
    let folder = name_of(&folders(&plain.location)[0]);
    plain.assert_refused(&plain.location, Some(&other), &[&folder, "not encrypted"]);
}

#[test]
fn a_series_is_continued_neither_with_a_key_it_lacks_nor_without_the_one_it_has() {
    for (before, after) in [(Some([7; 32]), None), (None, Some([7; 32])), (Some([7; 32]), Some([8; 32]))] {
        let good = good(before.as_ref().map(|key| &key[..]));
        let Good { dir, location, node, .. } = good;
        assert_eq!(node.terminate().0, Some(0));
        let file = after.map(|key| dir.file("new-key", key));
        let options = file.as_ref().map(|file| vec!["--encryption-key-file", file.as_str()]).unwrap_or_default();
        let node = Node::start(&dir.path().join("p"), &options);
        assert_says(&node.ask_for_backup(&location, false).error(), &[&location, "key", "forceFull"]);
        assert_eq!(manifests(&location).len(), 2);
        node.ask_for_backup(&location, true).data();
        assert_eq!(manifests(&location).len(), 3);
        // Both series can be restored, each with its key.
        let old = dir.file("old-key", before.unwrap_or([0; 32]));
        for (number, key) in [(0, before.map(|_| old.as_str())), (2, file.as_deref())] {
            let manifest: Value = serde_json::from_slice(&fs::read(&manifests(&location)[number]).unwrap()).unwrap();
            let (id, target) = (manifest["backup_id"].as_str().unwrap(), dir.at(&format!("restored-{number}")));
            let mut args = vec!["restore", "-l", &location, "-p", &target, "--force-zero=false", "--backup-id", id];
            args.extend(key.iter().flat_map(|key| ["--encryption-key-file", key]));
            cli(&args).ok();
        }
    }
}

#[test]
fn a_backup_of_another_group_is_restored_and_the_node_stays_in_its_own() {
    let good = good(None);
    let other = Node::start(&good.dir.path().join("other"), &[]);
    assert_eq!(other.terminate().0, Some(0));
    let group_file = good.dir.path().join("other/group_id");
    assert_eq!(fs::read_to_string(&group_file).unwrap().trim(), "1");
    fs::write(&group_file, "2\n").unwrap();
    let other = Node::start(&good.dir.path().join("other"), &[]);
    other.mutate(r#"{ set { _:own <name> "mine" . } }"#);
    let location = good.dir.dir("of-group-2");
    other.backup(&location);
    other.restore(&good.location, None, None);
    assert_answers(&other, SAMPLE, &good.answers, "the backup of group 1 in group 2");
    assert_eq!(fs::read_to_string(&group_file).unwrap().trim(), "2");
    good.node.restore(&location, None, None);
    assert_eq!(good.node.count("name"), 1);
    let printed = cli(&["restore", "-l", &location, "-p", &good.dir.at("r"), "--force-zero=false"]).ok();
    assert_says(&printed, &[&good.dir.at("r/p2")]);
    let restored = Node::start(&good.dir.path().join("r/p2"), &[]);
    assert_eq!(restored.count("name"), 1);
}

#[test]
fn a_second_restore_while_one_runs_is_refused() {
    let good = good(None);
    noise(&good.node, 1_500);
    good.node.backup(&good.location);
    let first = good.node.ask_for_restore(&good.location, None, None).data()["restore"]["restoreId"].as_i64().unwrap();
    let second = good.node.ask_for_restore(&good.location, None, None);
    if good.node.restore_status(first)["status"] == "IN_PROGRESS" {
        assert_says(&second.error(), &["another restore operation is already running"]);
    }
    assert_eq!(good.node.wait_restored(first)["status"], "OK");
    assert_eq!(good.node.count("noise"), 1_500);
}
