//! Processes that end in the middle: what was acknowledged is there, what was not finished has left nothing that counts.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{
    Client, Folder, Node, cli, copy_tree, folders, has_lock, manifests, noise, sample, spawn_cli, temp_dir, tree,
    wait_for, wait_up_to,
};
use crate::questions::{SAMPLE, answers, assert_answers};

/// How often a moment is tried to be met: on a busy machine the process may be through before it is killed.
const ATTEMPTS: usize = 5;

/// Everything below a directory, in bytes.
fn size_of(dir: &Path) -> u64 {
    tree(dir).iter().filter_map(|name| fs::metadata(dir.join(name)).ok()).map(|meta| meta.len()).sum()
}

/// Commits one value after another until the node is gone; gives those that were acknowledged.
pub(crate) fn write_until_gone(
    client: &Client,
    round: usize,
    writer: usize,
    acknowledged: &AtomicUsize,
) -> BTreeSet<String> {
    let mut done = BTreeSet::new();
    for number in 0.. {
        let value = format!("{round}-{writer}-{number}");
        let rdf = format!("{{ set {{ _:n <mark> \"{value}\" .\n_:n <mark.twin> \"{value}\" . }} }}");
        match client.try_send("/mutate?commitNow=true", &[("content-type", "application/rdf")], Some(&rdf)) {
            Ok(answer) if answer.json()["errors"].is_null() => done.insert(value),
            _ => break,
        };
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
    done
}

pub(crate) fn values(node: &Node, predicate: &str) -> BTreeSet<String> {
    let rows = node.query(&format!("{{ q(func: has({predicate})) {{ v: {predicate} }} }}"))["q"].take();
    rows.as_array().unwrap().iter().map(|row| row["v"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_acknowledged_mutation_survives_a_kill_during_commits() {
    const WRITERS: usize = 4;
    let dir = temp_dir();
    let mut expected = BTreeSet::new();
    for round in 0..3 {
        let node = Node::start(&dir.path().join("p"), &[]);
        node.alter("mark: string @index(exact) .");
        let acknowledged = AtomicUsize::new(0);
        thread::scope(|scope| {
            let (client, acknowledged) = (node.client(), &acknowledged);
            let writers: Vec<_> = (0..WRITERS)
                .map(|writer| {
                    let client = client.clone();
                    scope.spawn(move || write_until_gone(&client, round, writer, acknowledged))
                })
                .collect();
            wait_for("a hundred commits", || (acknowledged.load(Ordering::Relaxed) > 100 + 37 * round).then_some(()));
            node.kill();
            for writer in writers {
                expected.extend(writer.join().unwrap());
            }
        });
        let node = Node::start(&dir.path().join("p"), &[]);
        let found = values(&node, "mark");
        let lost: Vec<_> = expected.difference(&found).collect();
        assert!(lost.is_empty(), "lost {lost:?}");
        assert!(found.len() <= expected.len() + WRITERS, "{} found, {} acknowledged", found.len(), expected.len());
        assert_eq!(found, values(&node, "mark.twin"), "a transaction is there whole or not at all");
        let one = found.last().unwrap();
        let by_index = node.query(&format!(r#"{{ q(func: eq(mark, "{one}")) {{ mark }} }}"#));
        assert_eq!(by_index["q"][0]["mark"], **one);
        expected = found;
        node.kill();
    }
}

/// A node whose backups take a while, with a first backup, and what it answered then.
pub(crate) fn slow_node(dir: &Folder, options: &[&str]) -> (Node, String, Vec<Value>) {
    let backups = dir.dir("backups");
    let node = Node::start(&dir.path().join("p"), options);
    sample(&node, 300);
    node.backup(&backups);
    let first = answers(&node, SAMPLE);
    noise(&node, 2_000);
    (node, backups, first)
}

pub(crate) const SLOW: &[&str] = &["--gzip-level", "12"];

#[test]
fn a_kill_during_a_backup_leaves_no_backup_and_nothing_in_the_way_of_the_next() {
    let dir = temp_dir();
    let (mut node, backups, first) = slow_node(&dir, SLOW);
    type Moment = (&'static str, fn(&str) -> bool);
    let moments: [Moment; 3] = [
        ("the lock is there", has_lock),
        ("the folder is there", |backups| folders(backups).len() > manifests(backups).len()),
        ("some of the object is there", |backups| {
            folders(backups).last().is_some_and(|folder| size_of(folder) > 1 << 20)
        }),
    ];
    for (name, moment) in moments {
        let interrupted = (0..ATTEMPTS).any(|_| {
            for folder in folders(&backups).iter().filter(|folder| !folder.join("manifest.json").exists()) {
                fs::remove_dir_all(folder).unwrap();
            }
            let before = manifests(&backups).len();
            let client = node.client();
            let to = backups.clone();
            let asked = thread::spawn(move || {
                let body = format!(r#"mutation {{ backup(input: {{destination: "{to}", forceFull: true}}) {{ response {{ code }} }} }}"#);
                _ = client.try_send("/admin", &[("content-type", "application/graphql")], Some(&body));
            });
            wait_for(name, || (moment(&backups) || asked.is_finished()).then_some(()));
            let process = std::mem::replace(&mut node, Node::start(&dir.path().join("unused"), &[]));
            process.kill();
            asked.join().unwrap();
            node = Node::start(&dir.path().join("p"), SLOW);
            manifests(&backups).len() == before
        });
        assert!(interrupted, "no backup could be interrupted when {name}");
        assert!(has_lock(&backups), "the lock of the dead process is still there when {name}");
        let listed = cli(&["lsbackup", "-l", &backups, "-o", "json"]).ok();
        assert_eq!(
            serde_json::from_str::<Value>(&listed).unwrap().as_array().unwrap().len(),
            manifests(&backups).len()
        );
    }
    node.backup(&backups);
    let expected = answers(&node, SAMPLE);
    let id = serde_json::from_slice::<Value>(&fs::read(&manifests(&backups)[0]).unwrap()).unwrap()["backup_id"].clone();
    let (old, new) = (dir.at("old"), dir.at("new"));
    let id = id.as_str().unwrap();
    cli(&["restore", "-p", &old, "-l", &backups, "--backup-id", id, "--backup-num", "1", "--force-zero=false"]).ok();
    cli(&["restore", "-p", &new, "-l", &backups, "--force-zero=false"]).ok();
    let old = Node::start(&dir.path().join("old/p1"), &[]);
    assert_answers(&old, SAMPLE, &first, "the backup before the kills");
    assert_eq!(old.count("noise"), 0);
    let new = Node::start(&dir.path().join("new/p1"), &[]);
    assert_answers(&new, SAMPLE, &expected, "the backup after the kills");
    assert_eq!(new.count("noise"), 2_000);
}

/// A location with a backup of a sample and much noise, and the directory of a closed node with other data.
pub(crate) fn source_and_target(dir: &Folder) -> (String, Vec<Value>) {
    let backups = dir.dir("backups");
    let source = Node::start(&dir.path().join("source"), &[]);
    sample(&source, 300);
    noise(&source, 1_500);
    source.backup(&backups);
    let expected = answers(&source, SAMPLE);
    let target = Node::start(&dir.path().join("target"), &[]);
    target.alter("name: string @index(exact) .");
    target.mutate(r#"{ set { _:own <name> "mine" . } }"#);
    assert_eq!(target.terminate().0, Some(0));
    (backups, expected)
}

/// When a node that restores is killed.
#[derive(Clone, Copy, Debug)]
enum Kill {
    /// After so many milliseconds.
    After(u64),
    /// When the new store is being built.
    Building,
    /// When the stores were exchanged.
    Exchanged,
    /// When the restore says that it is done.
    Done,
}

impl Kill {
    /// Whether to kill now; `home` is the directory around the postings.
    fn is_due(self, home: &Path, node: &Client, id: i64) -> bool {
        let (built, replaced) = (home.join(format!("p.restore-{id}")), home.join(format!("p.replaced-{id}")));
        match self {
            Kill::After(millis) => {
                thread::sleep(Duration::from_millis(millis));
                true
            }
            Kill::Building => built.exists() || replaced.exists(),
            Kill::Exchanged => replaced.exists(),
            Kill::Done => node.restore_status(id)["status"] == "OK",
        }
    }
}

/// Asks for a restore and kills the node; gives the state after it was started again.
fn killed_in_restore(dir: &Folder, backups: &str, run: usize, kill: Kill) -> (Node, String) {
    let home = dir.path().join(format!("run-{run}"));
    let postings = home.join("p");
    copy_tree(dir.path().join("target"), &postings);
    let node = Node::start(&postings, &[]);
    let id = node.ask_for_restore(backups, None, None).data()["restore"]["restoreId"].as_i64().unwrap();
    wait_for("the moment to kill", || kill.is_due(&home, &node, id).then_some(()));
    node.kill();
    let node = Node::start(&postings, &[]);
    let status = node.restore_status(id);
    (node, status["status"].as_str().unwrap().to_owned())
}

#[test]
fn a_kill_during_an_online_restore_leaves_the_old_or_the_new_data() {
    let dir = temp_dir();
    let (backups, expected) = source_and_target(&dir);
    let kills = [0, 20, 60, 150, 400].map(Kill::After).into_iter().chain([Kill::Building, Kill::Exchanged, Kill::Done]);
    let mut outcomes = BTreeSet::new();
    for (run, kill) in kills.enumerate() {
        let (node, status) = killed_in_restore(&dir, &backups, run, kill);
        let mine = r#"{ q(func: eq(name, "mine")) { name } }"#;
        match status.as_str() {
            "OK" => {
                assert_answers(&node, SAMPLE, &expected, "restored and killed");
                assert_eq!(node.count("noise"), 1_500);
            }
            "ERR" => {
                assert_eq!(node.query(mine)["q"][0]["name"], "mine", "{kill:?}");
                assert_eq!(node.count("noise"), 0, "{kill:?}");
                assert!(
                    !dir.path().join(format!("run-{run}/p.restore-1")).exists(),
                    "what was built is swept, {kill:?}"
                );
            }
            other => panic!("{kill:?}: a job is settled when the node starts, not {other}"),
        }
        node.mutate(r#"{ set { _:later <later> "yes" . } }"#);
        node.restore(&backups, None, None);
        assert_answers(&node, SAMPLE, &expected, "restored after the kill");
        assert_eq!(node.count("later"), 0);
        outcomes.insert(status);
        node.kill();
        fs::remove_dir_all(dir.path().join(format!("run-{run}"))).unwrap();
    }
    assert_eq!(outcomes.len(), 2, "kills were to hit restores before and after the exchange: {outcomes:?}");
}

#[test]
fn a_kill_during_an_offline_restore_leaves_no_target_and_the_next_one_works() {
    let dir = temp_dir();
    let (backups, expected) = source_and_target(&dir);
    let target = dir.at("restored");
    let args = ["restore", "-p", &target, "-l", &backups, "--force-zero=false"];
    for least in [0, 1 << 20] {
        let interrupted = (0..ATTEMPTS).any(|_| {
            _ = fs::remove_dir_all(&target);
            let mut command = spawn_cli(&args);
            let staging = || folders(&target).into_iter().find(|dir| !dir.ends_with("p1"));
            wait_up_to(Duration::from_secs(60), || {
                (command.has_ended() || staging().is_some_and(|dir| size_of(&dir) >= least)).then_some(())
            });
            command.kill();
            !Path::new(&target).join("p1").exists()
        });
        assert!(interrupted, "no restore could be killed with {least} bytes");
        assert!(!folders(&target).is_empty(), "what was begun lies beside");
    }
    cli(&args).ok();
    assert_eq!(folders(&target), [Path::new(&target).join("p1")], "what the killed ones left is swept");
    let node = Node::start(&dir.path().join("restored/p1"), &[]);
    assert_answers(&node, SAMPLE, &expected, "restored after the kill");
    assert_eq!(node.count("noise"), 1_500);
}
