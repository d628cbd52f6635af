//! Backups of Dgraph and of a node are looked into without restoring them.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use graphdb_query::schema_text::parse_schema;
use serde_json::{Value, json};

use crate::harness::{Folder, Node, Output, Running, assert_says, cli, graphdb, shared, temp_dir, tree};

/// Every folder of real backups that is whole, the file of its key, and how many backups its newest series has.
const SERIES: [(&str, Option<&str>, u64); 13] = [
    ("v1.2-kinds", None, 9),
    ("v20.11-aes128", Some("aes128.key"), 1),
    ("v20.11-drops", None, 3),
    ("v20.11-single", None, 1),
    ("v21.03-acl", None, 1),
    ("v21.03-drops", None, 3),
    ("v21.12-random", None, 8),
    ("v24.1-kinds-aes256", Some("aes256-v24.key"), 9),
    ("v25-s2-framing", None, 1),
    ("v25.4-kinds", None, 9),
    ("v25.4-lost-delete", None, 3),
    ("v25.4-namespaces", None, 8),
    ("v25.4-stale-index", None, 2),
];

/// Looks into a location, with temporary files in a directory of its own, which must be empty afterwards.
fn inspect(location: &str, key: Option<&str>, args: &[&str]) -> Output {
    let dir = temp_dir();
    let mut all = vec!["inspect", "-l", location, "--tmp-dir"];
    let scratch = dir.dir("scratch");
    all.push(&scratch);
    all.extend(key.iter().flat_map(|key| ["--encryption-key-file", key]));
    all.extend(args);
    let output = cli(&all);
    assert!(tree(&scratch).is_empty(), "{args:?} left {:?}", tree(&scratch));
    output
}

fn real(folder: &str, key: Option<&str>, args: &[&str]) -> Option<Output> {
    let data = shared("data")?;
    let at = |path: String| data.join(path).to_str().unwrap().to_owned();
    let key = key.map(|key| at(format!("keys/{key}")));
    Some(inspect(&at(format!("dgraph-backups/{folder}")), key.as_deref(), args))
}

fn read(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

fn find<'a>(list: &'a Value, name: &str) -> &'a Value {
    let found = list.as_array().unwrap().iter().find(|found| found["predicate"] == name);
    found.unwrap_or_else(|| panic!("{name} is not in {list}"))
}

#[test]
fn every_real_series_is_shown_up_to_every_number_and_one_by_one() {
    for (folder, key, backups) in SERIES {
        for number in 1..=backups {
            let number = number.to_string();
            for flag in ["--backup-num", "--only"] {
                let Some(output) = real(folder, key, &[flag, &number, "-o", "json"]) else { return };
                let shown = read(&output.ok());
                assert_eq!(shown["last_backup"].to_string(), number, "{folder} {flag}");
                assert_well_counted(&shown);
            }
        }
        let table = real(folder, key, &[]).unwrap().ok();
        assert_says(&table, &["Series  ", "Backups: ", "Predicates: ", "Dgraph's manifests hold no digests"]);
        assert!(!table.contains("panicked") && table.lines().all(|line| line == line.trim_end()), "{table}");
    }
}

/// That kinds sum up, and that every predicate of the state is one.
#[track_caller]
fn assert_well_counted(shown: &Value) {
    for backup in shown["backups"].as_array().unwrap() {
        let kinds = backup["key_values"].as_object().unwrap();
        let sum: u64 = kinds.iter().filter(|(kind, _)| *kind != "total").map(|(_, n)| n.as_u64().unwrap()).sum();
        assert_eq!(kinds["total"], sum, "{backup}");
        assert!(backup["archives"].as_array().is_some_and(|archives| !archives.is_empty()), "{backup}");
    }
    for predicate in shown["state"]["predicates"].as_array().unwrap() {
        assert!(predicate["schema"].as_str().is_some_and(|schema| !schema.is_empty()), "{predicate}");
        let (keys, entries) = (&predicate["data"]["keys"], &predicate["data"]["entries"]);
        assert!(keys.as_u64() <= entries.as_u64(), "{predicate}");
    }
}

#[test]
fn schemas_of_every_real_series_are_text_that_alter_takes() {
    for (folder, key, _) in SERIES {
        let Some(output) = real(folder, key, &["--schema"]) else { return };
        let text = output.ok();
        let parsed = parse_schema(&text).unwrap_or_else(|error| panic!("{folder}: {error}: {text}"));
        let shown = read(&real(folder, key, &["-o", "json"]).unwrap().ok());
        let own = |name: &Value| !name.as_str().unwrap().starts_with("dgraph.");
        let predicates = shown["state"]["predicates"].as_array().unwrap();
        let expected = predicates.iter().filter(|p| p["namespace"] == "0x0" && own(&p["predicate"])).count();
        assert_eq!(parsed.predicates.len(), expected, "{folder}: {text}");
    }
}

#[test]
fn what_is_left_of_a_series_is_shown_with_what_is_stale_in_it() {
    let folder = "v20.07-movies-aes256";
    let look = |args: &[&str]| real(folder, Some("aes256.key"), args);
    let Some(whole) = look(&[]) else { return };
    assert_says(&whole.failed(1), &["backup 1", "missing", "--incremental-from 2"]);
    assert_says(&look(&["--only", "2"]).unwrap().failed(1), &["r2106-g2.backup", "group 2", "missing", "--groups"]);

    let args = ["--incremental-from", "2", "--groups", "1,3"];
    let shown = read(&look(&[&args[..], &["-o", "json"]].concat()).unwrap().ok());
    let archives = &shown["backups"][0]["archives"];
    assert_eq!(
        (&archives[0]["key_values"]["total"], &archives[1]["key_values"]["total"]),
        (&json!(316_676), &json!(102_107))
    );
    assert_eq!((&shown["groups"], &shown["groups_left_out"]), (&json!([1, 3]), &json!([2])));
    for (name, subjects, entries) in [
        ("dgraph.type", 197_408, 197_408),
        ("performance.actor", 119_258, 119_258),
        ("genre", 6_356, 23_679),
        ("starring", 6_356, 119_258),
        ("actor.film", 70_783, 119_258),
        ("director.film", 1_623, 7_391),
        ("initial_release_date", 6_356, 6_356),
    ] {
        let data = &find(&shown["state"]["predicates"], name)["data"];
        assert_eq!((&data["keys"], &data["entries"]), (&json!(subjects), &json!(entries)), "{name}");
    }
    let (genre, stored) = (find(&shown["state"]["predicates"], "genre"), find(&archives[1]["predicates"], "genre"));
    assert_eq!((&genre["reverse"]["keys"], &stored["reverse"]["keys"]), (&json!(283), &json!(283)));
    assert_eq!((&genre["count_reverse"]["keys"], &genre["count_reverse"]["entries"]), (&json!(96), &json!(283)));
    assert_eq!(stored["count_reverse"]["entries"], 852);
    assert_eq!(find(&shown["state"]["stale"], "genre")["example"], "reverse count 6");

    let table = look(&args).unwrap().ok();
    assert_says(&table, &["852 under 637 keys, the data gives 283 under 96", "group 2 was not read", "gzip, AES"]);
}

#[test]
fn keys_are_asked_for_and_wrong_ones_told() {
    let Some(missing) = real("v24.1-kinds-aes256", None, &[]) else { return };
    assert_says(&missing.failed(1), &["encrypted", "--encryption-key-file"]);
    let wrong = real("v24.1-kinds-aes256", Some("aes256.key"), &[]).unwrap();
    assert_says(&wrong.failed(1), &["g1.backup", "the encryption key is not its key"]);
}

#[test]
fn triples_are_those_of_exports_and_can_be_limited() {
    let Some(all) = real("v25.4-kinds", None, &["--predicate", "name", "--backup-num", "1"]) else { return };
    let all = all.ok();
    assert!(all.lines().count() > 5 && all.lines().all(|line| line.contains("> <name> \"")), "{all}");
    let two = real("v25.4-kinds", None, &["--predicate", "name", "--backup-num", "1", "--limit", "2"]).unwrap();
    assert_says(&two.stderr, &["2 printed", "--limit"]);
    assert_eq!(two.ok(), all.lines().take(2).map(|line| format!("{line}\n")).collect::<String>());
    let records = real("v25.4-kinds", None, &["--predicate", "name", "--backup-num", "1", "-o", "json"]).unwrap();
    assert_eq!(read(&records.ok()).as_array().map(Vec::len), Some(all.lines().count()));

    let unknown = real("v25.4-kinds", None, &["--predicate", "nam"]).unwrap().failed(1);
    assert_says(&unknown, &["no predicate nam", "age"]);
    let elsewhere = real("v25.4-namespaces", None, &["--predicate", "only303"]).unwrap().failed(1);
    assert_says(&elsewhere, &["0x12f", "--namespace"]);
    for args in [["--predicate", "0x12f-only303", "-o", "table"], ["--predicate", "only303", "--namespace", "0x12f"]] {
        let there = real("v25.4-namespaces", None, &args).unwrap().ok();
        assert!(there.lines().count() == 1 && there.ends_with("<0x12f> .\n"), "{there}");
    }
}

/// A node's backups: a full one and an incremental.
struct Own {
    dir: Folder,
    location: String,
    key: Option<String>,
}

fn own(key: Option<&[u8]>) -> Own {
    let dir = temp_dir();
    let location = dir.dir("backups");
    let key = key.map(|key| dir.file("key", key));
    let options: Vec<&str> = key.iter().flat_map(|key| ["--encryption-key-file", key]).collect();
    let node = Node::start(&dir.path().join("p"), &options);
    node.alter("name: string @index(exact) .\nfriend: [uid] .\nage: int .\ntype Person {\n  name\n  friend\n}");
    node.mutate(
        "{ set { <0x1> <name> \"Anna\" .\n<0x1> <friend> <0x2> (close=true) .\n<0x2> <name> \"Bert\" .\n<0x2> <friend> <0x1> .\n<0x3> <age> \"7\" . } }",
    );
    node.backup(&location);
    node.mutate("{ delete { <0x2> <friend> <0x1> . }\nset { <0x3> <friend> <0x1> . } }");
    node.backup(&location);
    drop(node);
    Own { dir, location, key }
}

impl Own {
    fn look(&self, args: &[&str]) -> Output {
        inspect(&self.location, self.key.as_deref(), args)
    }
}

#[test]
fn backups_of_a_node_are_shown_and_proved() {
    for key in [None, Some(&[7; 32][..])] {
        let own = own(key);
        let table = own.look(&[]).ok();
        assert_says(&table, &["backups 1 to 2", "Every object was proved", "string @index(exact)", "Person"]);
        assert!(!table.contains("Stale"), "{table}");
        let shown = read(&own.look(&["-o", "json"]).ok());
        assert_well_counted(&shown);
        assert_eq!(shown["backups"][1]["key_values"]["emptied"], 1, "{shown}");
        assert_eq!(find(&shown["state"]["predicates"], "friend")["data"]["entries"], 2);
        assert_eq!(shown["backups"][0]["encrypted"], key.is_some());
        let lone = read(&own.look(&["--only", "2", "-o", "json"]).ok());
        assert_eq!(find(&lone["state"]["predicates"], "friend")["data"]["keys"], 1);
        assert!(lone["notes"].to_string().contains("before number 2"), "{lone}");
    }
}

#[test]
fn a_node_is_shown_with_what_points_at_it() {
    let own = own(None);
    let node = own.look(&["--get", "0x1"]);
    assert_says(&node.stderr, &["2 of its own, 1 that point at it"]);
    let node = node.ok();
    let lines: Vec<&str> = node.lines().collect();
    let name = "<0x1> <name> \"Anna\"^^<xs:string> <0x0> .";
    assert_eq!(lines, [name, "<0x1> <friend> <0x2> <0x0> (close=true) .", "<0x3> <friend> <0x1> <0x0> ."]);
    let before = own.look(&["--get", "1", "--backup-num", "1"]).ok();
    assert!(before.contains("<0x2> <friend> <0x1> <0x0> .") && !before.contains("<0x3>"), "{before}");
    let records = read(&own.look(&["--get", "0x1", "-o", "json"]).ok());
    assert_eq!(records[0], json!({"uid": "0x1", "namespace": "0x0", "name": "Anna"}));
    assert_says(&own.look(&["--get", "0x99"]).failed(1), &["0x99", "no triples", "backup 2"]);
}

#[test]
fn a_damaged_object_is_named() {
    let own = own(None);
    let object = tree(&own.location).into_iter().find(|name| name.ends_with(".backup")).unwrap();
    let path = Path::new(&own.location).join(&object);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&path, bytes).unwrap();
    for args in [&[][..], &["--get", "0x1"], &["--predicate", "name"]] {
        assert_says(&own.look(args).failed(1), &[object.rsplit('/').next().unwrap()]);
    }
}

#[test]
fn who_leaves_early_gets_no_error() {
    let Some(data) = shared("data/dgraph-backups/v21.12-random") else { return };
    let mut child = graphdb()
        .args(["inspect", "-l", data.to_str().unwrap(), "--output", "json", "--backup-num", "1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 1]).unwrap();
    drop(out);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    assert_eq!(said, "");
}

#[test]
fn files_for_sorting_are_the_users_alone_and_what_was_left_is_swept() {
    let own = own(None);
    let scratch = own.dir.dir("scratch");
    let unreadable = Path::new(&scratch).join("no");
    fs::create_dir(&unreadable).unwrap();
    fs::set_permissions(&unreadable, fs::Permissions::from_mode(0o755)).unwrap();
    let missing = cli(&["inspect", "-l", &own.location, "--tmp-dir", &own.dir.at("none")]);
    assert_says(&missing.failed(2), &["none", "--tmp-dir"]);
    let mut command = graphdb();
    command.args(["inspect", "-l", &own.location]).env("TMPDIR", &scratch);
    Running::start(&mut command).wait().ok();
    assert_eq!(fs::read_dir(&scratch).unwrap().count(), 1, "what is not ours stays");
}

#[test]
fn dgraphs_backups_are_listed_as_dgraph_does() {
    let Some(data) = shared("data/dgraph-backups") else { return };
    let list = |folder: &str, args: &[&str]| {
        cli(&[&["lsbackup", "-l", data.join(folder).to_str().unwrap()], args].concat()).ok()
    };
    let new = read(&list("v25.4-namespaces", &["-o", "json", "--verbose"]));
    let master = read(&fs::read_to_string(data.join("v25.4-namespaces/manifest.json")).unwrap());
    for (shown, manifest) in new.as_array().unwrap().iter().zip(master["Manifests"].as_array().unwrap()) {
        for name in ["path", "since", "read_ts", "backup_id", "backup_num", "encrypted", "type", "groups"] {
            assert_eq!(shown[name], manifest[name], "{name}");
        }
        let drops = manifest["drop_operations"].as_array();
        assert_eq!(shown["drop_operations"].as_array(), drops.filter(|drops| !drops.is_empty()));
    }
    let old = read(&list("v20.11-drops", &["-o", "json", "--verbose"]));
    assert_eq!((&old[1]["since"], &old[1]["read_ts"]), (&json!(54), &json!(0)));
    assert_eq!(old[1]["drop_operations"], json!([{"drop_op": 1, "drop_value": "0x0"}]));
    assert_eq!(old[1]["groups"]["3"], json!([]));

    let table = list("v20.07-movies-aes256", &[]);
    assert_says(&table, &["cranky_bartik8", "1 of 3 objects missing", " - ", "Dgraph v1.1 to v20.11"]);
    let acl = |args: &[&str]| list("v21.03-acl", &[&["-o", "tsv"], args].concat()).lines().count();
    assert_eq!((acl(&[]), acl(&["--backup-id", "vibrant_euclid5"])), (1, 1));
}
