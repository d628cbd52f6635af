//! The whole road: load, back up, change, back up again, list, restore to each backup in each way, and find every answer as it was.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Folder, Node, assert_says, cli, manifests, sample, temp_dir};
use crate::questions::{SAMPLE, answers, assert_answers, full_answers};

/// Questions about what the changes add, beside those about the sample.
const CHANGED: &[&str] = &[
    r#"{ q(func: eq(film.code, "N1")) { uid expand(_all_) name@en genre @facets { name } } }"#,
    "{ q(func: has(nickname)) { uid nickname } }",
    r#"{ q(func: anyofterms(nickname, "Bo")) { uid nickname } }"#,
    "{ q(func: ge(height, 2.0), orderasc: height) { uid height } }",
    "{ q(func: has(film.budget)) { uid film.budget } }",
    "{ q(func: has(tagline@en)) { uid tagline@en } }",
    "{ q(func: has(~spouse)) { uid ~spouse { uid } } }",
];

/// Questions that need what the second backup has: an index and a predicate.
const FROM_SECOND: &[&str] = &["{ q(func: has(~spouse)) { uid ~spouse { uid } } }"];

/// A node with three backups, and what it answered when each was taken.
struct Story {
    node: Node,
    dir: Folder,
    backups: String,
    key_file: Option<String>,
    answers: Vec<Vec<Value>>,
    changed: Vec<Vec<String>>,
}

impl Story {
    fn tell(key: Option<&[u8]>) -> Story {
        let dir = temp_dir();
        let backups = dir.dir("backups");
        let key_file = key.map(|key| dir.file("key", key));
        let node = match &key_file {
            Some(key_file) => Node::start(&dir.path().join("p"), &["--encryption-key-file", key_file]),
            None => Node::start(&dir.path().join("p"), &[]),
        };
        let mut story = Story { node, dir, backups, key_file, answers: Vec::new(), changed: Vec::new() };
        sample(&story.node, 1_000);
        full_answers(&story.node, SAMPLE);
        story.back_up();
        change_much(&story.node);
        story.back_up();
        change_again(&story.node);
        story.back_up();
        story
    }

    fn back_up(&mut self) {
        self.answers.push(answers(&self.node, SAMPLE));
        self.changed.push(outcomes(&self.node));
        self.node.backup(&self.backups);
    }

    fn key(&self) -> Option<&str> {
        self.key_file.as_deref()
    }

    /// That a node shows what was there at the backup of this number, 1 to 3.
    #[track_caller]
    fn assert_is_at(&self, node: &Node, number: usize, how: &str) {
        let when = format!("restored {how} to backup {number}");
        assert_answers(node, SAMPLE, &self.answers[number - 1], &when);
        assert_eq!(outcomes(node), self.changed[number - 1], "{when}");
    }

    /// Restores offline and gives what was printed.
    fn restore_offline(&self, number: usize, to: &str) -> String {
        let number = number.to_string();
        let mut args = vec!["restore", "-p", to, "-l", &self.backups, "--force_zero=false", "--backup_num", &number];
        if let Some(key) = self.key() {
            args.extend(["--encryption_key_file", key]);
        }
        cli(&args).ok()
    }
}

/// Answers also where a question is refused because its index or predicate is not there at that time.
pub(crate) fn outcomes(node: &Node) -> Vec<String> {
    let ask = |question: &&str| {
        let json = node.ask(question).json();
        if json["errors"].is_null() { json["data"].to_string() } else { json["errors"][0]["message"].to_string() }
    };
    CHANGED.iter().chain(FROM_SECOND).map(ask).collect()
}

fn uid_of(node: &Node, code: &str) -> String {
    let found = node.query(&format!(r#"{{ q(func: eq(film.code, "{code}")) {{ uid }} }}"#));
    found["q"][0]["uid"].as_str().unwrap_or_else(|| panic!("no film {code}")).to_owned()
}

/// New nodes, changed and deleted values, edges and nodes, a dropped predicate, new schema.
pub(crate) fn change_much(node: &Node) {
    let [first, second, third, fourth] =
        ["F0000000", "F0000001", "F0000002", "F0000003"].map(|code| uid_of(node, code));
    let genre = node.query(r#"{ q(func: eq(name, "Drama")) { uid } }"#)["q"][0]["uid"].as_str().unwrap().to_owned();
    node.mutate(&format!(
        r#"{{ set {{
             _:new <dgraph.type> "Film" .
             _:new <film.code> "N1" .
             _:new <name> "A new film"@en .
             _:new <name> "新しい"@ja .
             _:new <genre> <{genre}> (weight=0.25) .
             _:new <film.runtime> "105" .
             <{first}> <name> "The Other River"@en .
             <{first}> <alias> "Another" .
             <{first}> <film.score> "9.75" (votes=7) .
           }} }}"#
    ));
    node.mutate(&format!(
        "{{ delete {{
           <{second}> * * .
           <{third}> <genre> * .
           <{third}> <name@de> * .
           <{fourth}> <film.in_color> * .
         }} }}"
    ));
    node.alter("height: float @index(float) .\nnickname: string @index(term) .");
    node.alter(r#"{"drop_attr": "film.budget"}"#);
    let set =
        json!({"set": [{"uid": first, "nickname": "Bo the first"}, {"nickname": "no type", "dgraph.type": "Stray"}]});
    node.post("/mutate?commitNow=true", "application/json", &set.to_string()).data();
}

/// What was dropped comes back otherwise, an index goes, a type goes, a predicate goes.
pub(crate) fn change_again(node: &Node) {
    let [first, last] = ["F0000000", "F0000004"].map(|code| uid_of(node, code));
    node.mutate(&format!("{{ set {{ <{first}> <film.budget> \"17\" .\n<{last}> <film.budget> \"18\" . }} }}"));
    node.mutate(&format!("{{ delete {{ <{first}> <nickname> * .\n<{last}> * * . }} }}"));
    node.alter("nickname: string .\nspouse: [uid] .");
    node.alter("spouse: [uid] @reverse .");
    node.alter(r#"{"drop_op": "TYPE", "drop_value": "Place"}"#);
    node.alter(r#"{"drop_attr": "performance.note"}"#);
    node.mutate(&format!("{{ set {{ <{last}> <film.code> \"F0000004\" .\n<{last}> <dgraph.type> \"Film\" . }} }}"));
}

fn every_backup_restores_offline(key: Option<&[u8]>) {
    let story = Story::tell(key);
    assert_ne!(story.answers[0], story.answers[1], "the changes must show");
    assert_ne!(story.answers[1], story.answers[2], "the changes must show");
    for number in 1..=3 {
        let target = story.dir.at(&format!("restored-{number}"));
        let printed = story.restore_offline(number, &target);
        assert_says(&printed, &["Restore version: ", "Restore max uid: ", &format!("up to backup {number}")]);
        let restored = Node::start(&story.dir.path().join(&target).join("p1"), &[]);
        story.assert_is_at(&restored, number, "offline");
        // The lease covers every uid in use.
        let max_uid: u64 =
            printed.lines().find_map(|line| line.strip_prefix("Restore max uid: ")).unwrap().parse().unwrap();
        let fresh = restored.get("/assign?what=uids&num=1").json();
        let start: u64 = fresh["startId"].as_str().unwrap().parse().unwrap();
        assert!(start > max_uid, "{fresh} after {max_uid}");
    }
}

#[test]
fn every_backup_restores_offline_to_what_was_there() {
    every_backup_restores_offline(None);
}

#[test]
fn every_encrypted_backup_restores_offline_to_what_was_there() {
    every_backup_restores_offline(Some(b"0123456789abcdef0123456789abcdef"));
}

#[test]
fn every_encrypted_backup_restores_into_a_running_node_and_can_be_rolled_back() {
    let story = Story::tell(Some(b"0123456789abcdef"));
    let other = Node::start(&story.dir.path().join("other"), &[]);
    other.mutate(r#"{ set { _:own <name> "mine" . } }"#);
    let first = other.restore(&story.backups, Some(1), story.key());
    story.assert_is_at(&other, 1, "online");
    for number in [3, 2] {
        other.restore(&story.backups, Some(number), story.key());
        story.assert_is_at(&other, number as usize, "online");
    }
    let last = other.restore(&story.backups, None, story.key());
    story.assert_is_at(&other, 3, "online");
    assert!(last > first, "restores have numbers that grow");

    other
        .admin("mutation($id: Int!) { rollbackRestore(restoreId: $id) { response { code } } }", json!({"id": last}))
        .data();
    story.assert_is_at(&other, 2, "online, and rolled back,");
    let (code, log) = other.terminate();
    assert_eq!(code, Some(0), "{log}");
    let again = Node::start(&story.dir.path().join("other"), &[]);
    story.assert_is_at(&again, 2, "online, rolled back and started again,");
    assert_eq!(again.restore_status(first)["status"], "OK", "a job's record survives");
}

#[test]
fn a_listing_shows_every_backup_in_each_form() {
    let story = Story::tell(None);
    let listed = story.node.admin(
        "query($at: String!) { listBackups(input: {location: $at}) { backupId backupNum type path since encrypted groups { groupId predicates } } }",
        json!({"at": story.backups}),
    );
    let listed = listed.data()["listBackups"].take();
    let of = |name: &str| listed.as_array().unwrap().iter().map(|backup| backup[name].clone()).collect::<Vec<_>>();
    assert_eq!(of("backupNum"), [1, 2, 3]);
    assert_eq!(of("type"), ["full", "incremental", "incremental"]);
    assert!(of("backupId").iter().all(|id| *id == listed[0]["backupId"] && id.is_string()), "{listed}");
    assert!(listed[0]["groups"][0]["predicates"].to_string().contains("film.code"), "{listed}");

    let folders: Vec<_> = manifests(&story.backups)
        .iter()
        .map(|manifest| manifest.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    let table = cli(&["lsbackup", "-l", &story.backups]).ok();
    for (folder, kind) in folders.iter().zip(["full", "incremental", "incremental"]) {
        let line =
            table.lines().find(|line| line.contains(folder.as_str())).unwrap_or_else(|| panic!("{folder}: {table}"));
        assert_says(line, &[kind, listed[0]["backupId"].as_str().unwrap()]);
    }
    let printed =
        cli(&["lsbackup", "--location", &format!("file://{}", story.backups), "--output", "json", "--verbose"]).ok();
    let printed: Value = serde_json::from_str(&printed).unwrap();
    let manifest = |path: &std::path::Path| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    for (number, path) in manifests(&story.backups).iter().enumerate() {
        assert_eq!(manifest(path)["backup_num"], number + 1);
        let text = printed[number].to_string();
        assert_says(&text, &[&folders[number], listed[0]["backupId"].as_str().unwrap()]);
    }
    assert_says(&printed[1].to_string(), &["film.budget"]);
}

#[test]
fn a_restored_node_begins_a_series_of_its_own_with_forcefull() {
    let story = Story::tell(None);
    let other = Node::start(&story.dir.path().join("other"), &[]);
    other.restore(&story.backups, Some(2), None);
    other.mutate(r#"{ set { _:later <name> "later" . } }"#);
    let refused = other.ask_for_backup(&story.backups, false).error();
    assert_says(&refused, &[&story.backups, "forceFull"]);
    assert_eq!(manifests(&story.backups).len(), 3);

    let forced = other.ask_for_backup(&story.backups, true).data();
    assert_eq!(forced["backup"]["response"]["code"], "Success");
    other.mutate(r#"{ set { _:last <name> "last" . } }"#);
    other.backup(&story.backups);
    let expected = answers(&other, SAMPLE);
    let listed: Value = serde_json::from_str(&cli(&["lsbackup", "-l", &story.backups, "-o", "json"]).ok()).unwrap();
    assert_eq!(listed.as_array().map(Vec::len), Some(5), "{listed}");

    // The newest series is what a restore takes when none is named.
    cli(&["restore", "-p", &story.dir.at("r"), "-l", &story.backups, "--force-zero=false"]).ok();
    let restored = Node::start(&story.dir.path().join("r/p1"), &[]);
    assert_answers(&restored, SAMPLE, &expected, "after a new series");
    assert!(
        restored.query(r#"{ q(func: eq(name, "last")) { uid } }"#)["q"].as_array().is_some_and(|rows| rows.len() == 1)
    );
}
