//! What the documentation tells people to type works as it is written.

use std::fs;
use std::process::Command;

use graphdb_destination::testing::servers::skip;
use serde_json::Value;

use crate::harness::{Folder, Node, Output, Running, bin_dir, clean, temp_dir, workspace};

/// A shell in which the README's commands run: the tested command is on the path, `/tmp` and the ports are ours.
struct Shell {
    dir: Folder,
    /// What stands in the README, and what is used instead.
    instead: Vec<(String, String)>,
}

impl Shell {
    fn new() -> Shell {
        let dir = temp_dir();
        let instead = vec![
            ("/tmp/".to_owned(), dir.at("tmp/")),
            ("--output /tmp".to_owned(), format!("--output {}", dir.dir("tmp"))),
        ];
        Shell { dir, instead }
    }

    fn command(&self, line: &str) -> Command {
        let line = self.instead.iter().fold(line.to_owned(), |line, (from, to)| line.replace(from, to));
        let mut command = Command::new("sh");
        clean(&mut command);
        let path = std::env::var("PATH").unwrap_or_default();
        command.args(["-c", &line]).current_dir(self.dir.path()).env("PATH", format!("{}:{path}", bin_dir().display()));
        command
    }

    /// Runs a line that ends.
    fn run(&self, line: &str) -> Output {
        Running::start(&mut self.command(line)).wait()
    }

    /// Runs a line that serves.
    #[track_caller]
    fn serve(&self, line: &str) -> Node {
        let mut command = self.command(&format!("exec {}", line.replace(":8080", ":0").replace(":8081", ":0")));
        command.env("GRAPHDB_HTTP", "127.0.0.1:0"); // counts where the line names no address
        Node::try_start(self.dir.path(), &mut command).unwrap_or_else(|output| panic!("{line}: {output:?}"))
    }

    /// From now on the address that the README names is that of this node.
    fn address(&mut self, node: &Node) {
        self.instead.retain(|(from, _)| from != "127.0.0.1:8080");
        self.instead.push(("127.0.0.1:8080".into(), node.url().trim_start_matches("http://").into()));
    }
}

/// The commands of a section's `sh` blocks, in order; a command that goes on in the next line is one.
fn commands(readme: &str, section: &str) -> Vec<String> {
    let section =
        readme.split("\n## ").find(|text| text.starts_with(section)).unwrap_or_else(|| panic!("no {section}"));
    let blocks = section.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let text = blocks.collect::<String>().replace("\\\n", "");
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn has_curl() -> bool {
    let found = Command::new("curl").arg("--version").output().is_ok();
    if !found {
        skip("curl is not installed, so the README's curl lines were not run");
    }
    found
}

/// Runs a command of the README and asserts that it did what it is there for.
#[track_caller]
fn assert_works(shell: &Shell, line: &str) -> String {
    let output = shell.run(line);
    assert_eq!(output.code, Some(0), "{line}\n{output:?}");
    if line.starts_with("curl") {
        let json: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{line}\n{output:?}"));
        assert!(json["errors"].is_null() && json["data"].is_object(), "{line}\n{json}");
    }
    output.stdout
}

#[test]
fn the_readme_can_be_followed_word_by_word() {
    if !has_curl() {
        return;
    }
    let readme = fs::read_to_string(workspace().join("README.md")).unwrap();
    let commands = commands(&readme, "Use");
    let encrypted = commands.iter().position(|line| line.contains("/dev/urandom")).expect("it shows how to make a key");
    let mut shell = Shell::new();
    let mut nodes = Vec::new();
    for line in &commands[..encrypted] {
        if line.starts_with("cargo build") {
            continue;
        }
        if line.starts_with("graphdb serve") {
            let node = shell.serve(line);
            if nodes.is_empty() {
                shell.address(&node);
            }
            nodes.push(node);
            continue;
        }
        let printed = assert_works(&shell, line);
        if line.contains("func: type(Film)") {
            assert!(printed.contains("initial_release_date") && printed.contains("genre"), "{printed}");
        }
        if line.contains("restore(input") {
            assert_eq!(nodes[0].wait_restored(1)["status"], "OK");
        }
    }
    let [first, restored] = &nodes[..] else { panic!("the README starts two nodes") };
    assert_eq!(restored.query(NEW_FILM)["q"][0]["name@en"], "A new film", "the whole series was restored");
    assert_eq!(first.query(NEW_FILM)["q"], serde_json::json!([]), "backup 1 was restored");
    let inline =
        readme.split('`').find(|text| text.starts_with("mutation { rollbackRestore")).expect("it shows how to go back");
    first.post("/admin", "application/graphql", inline).data();
    assert_eq!(first.query(NEW_FILM)["q"][0]["name@en"], "A new film", "the restore was taken back");
    encrypted_part(&commands[encrypted..], &commands);
}

const NEW_FILM: &str = r#"{ q(func: eq(name@en, "A new film")) { name@en } }"#;

/// The same place, on a machine of its own, with a key.
fn encrypted_part(lines: &[String], all: &[String]) {
    let mut shell = Shell::new();
    let mut node = None;
    for line in lines {
        if line.starts_with("graphdb serve") {
            let started = shell.serve(line);
            shell.address(&started);
            started.mutate(r#"{ set { _:own <name> "mine" . } }"#);
            for line in
                all.iter().filter(|line| line.starts_with("mkdir") || line.contains("mutation { backup")).take(2)
            {
                assert_works(&shell, line);
            }
            node = Some(started);
        } else {
            assert_works(&shell, line);
        }
    }
    assert!(node.is_some(), "the README starts a node with a key");
    let restored = Node::start(&shell.dir.path().join("tmp/restored/p1"), &[]);
    assert_eq!(restored.count("name"), 1);
}

/// Insomnia's collection, with an environment filled in.
struct Collection {
    requests: Vec<Value>,
    environment: Vec<(String, String)>,
}

impl Collection {
    fn read() -> Collection {
        let text = fs::read(workspace().join("deploy/insomnia.json")).unwrap();
        let json: Value = serde_json::from_slice(&text).unwrap();
        let of = |kind: &str| {
            json["resources"].as_array().unwrap().iter().filter(|r| r["_type"] == kind).cloned().collect::<Vec<_>>()
        };
        let mut environment = Vec::new();
        for values in of("environment").iter().filter_map(|environment| environment["data"].as_object()) {
            for (name, value) in values {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                environment.retain(|(known, _)| known != name);
                environment.push((name.clone(), text));
            }
        }
        Collection { requests: of("request"), environment }
    }

    fn set(&mut self, name: &str, value: &str) {
        let place = self.environment.iter_mut().find(|(known, _)| known == name);
        place.unwrap_or_else(|| panic!("the environment has no {name}")).1 = value.to_owned();
    }

    fn fill(&self, text: &str) -> String {
        let mut text = self
            .environment
            .iter()
            .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{{ _.{name} }}}}"), value));
        if let Some((before, rest)) = text.clone().split_once("{% prompt 'start_ts'") {
            let start_ts =
                &self.environment.iter().find(|(name, _)| name == "start_ts").expect("a transaction was begun").1;
            text = format!("{before}{start_ts}{}", rest.split_once("%}").unwrap().1);
        }
        assert!(!text.contains("{{") && !text.contains("{%"), "unknown variable in {text}");
        text
    }

    /// Sends a request and gives the answer without errors.
    #[track_caller]
    fn send(&mut self, id: &str, node: &Node) -> Value {
        let position =
            self.requests.iter().position(|request| request["_id"] == id).unwrap_or_else(|| panic!("no request {id}"));
        let request = self.requests[position].clone();
        let pairs = |list: &str| -> Vec<(String, String)> {
            let all = request[list].as_array().unwrap().iter();
            all.map(|pair| (pair["name"].as_str().unwrap().to_owned(), self.fill(pair["value"].as_str().unwrap())))
                .collect()
        };
        let (headers, parameters) = (pairs("headers"), pairs("parameters"));
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let query: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let url = self.fill(request["url"].as_str().unwrap());
        let path = url.strip_prefix(node.url()).unwrap_or_else(|| panic!("{url} is not {}", node.url()));
        let path = if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) };
        let body = request["body"]["text"].as_str().map(|text| self.fill(text));
        assert_eq!(body.is_some(), request["method"] == "POST", "{id}");
        let answer = node.send(&path, &headers, body.as_deref());
        let json = answer.json();
        assert!(answer.status == 200 && json["errors"].is_null(), "{id}: {answer:?}");
        self.requests[position]["sent"] = true.into();
        json
    }
}

#[test]
fn every_request_of_the_insomnia_collection_is_answered() {
    let dir = temp_dir();
    let mut collection = Collection::read();
    let node = Node::start(&dir.path().join("p"), &[]);
    collection.set("base_url", node.url());
    collection.set("destination", &dir.dir("backups"));
    for id in ["req_alter", "req_mutate"] {
        assert_eq!(collection.send(id, &node)["data"]["code"], "Success", "{id}");
    }
    for end in ["req_commit", "req_abort"] {
        let begun = collection.send("req_mutate_json", &node);
        let start_ts = begun["extensions"]["txn"]["start_ts"].to_string();
        collection.environment.retain(|(name, _)| name != "start_ts");
        collection.environment.push(("start_ts".into(), start_ts));
        let answer = collection.send(end, &node);
        let code = if end == "req_commit" { &answer["data"]["code"] } else { &answer["code"] };
        assert_eq!(code, "Success", "{end}: {answer}");
    }
    let people = collection.send("req_query", &node)["data"]["people"].take();
    let names: Vec<_> = people.as_array().unwrap().iter().filter_map(|person| person["name@en"].as_str()).collect();
    assert_eq!(names, ["Ada", "Bob", "Eve"], "what was committed, once");

    let task = collection.send("req_backup", &node)["data"]["backup"]["taskId"].take();
    collection.set("task_id", task.as_str().unwrap());
    assert_eq!(collection.send("req_task", &node)["data"]["task"]["status"], "Success");
    collection.send("req_backup_full", &node);
    let listed = collection.send("req_list", &node)["data"]["listBackups"].take();
    assert_eq!(listed.as_array().map(Vec::len), Some(2), "{listed}");
    for id in ["req_restore", "req_restore_point"] {
        restore(&mut collection, id, &node);
        collection.set("backup_id", listed[0]["backupId"].as_str().unwrap());
    }
    for id in ["req_health", "req_state", "req_http_health", "req_http_state"] {
        collection.send(id, &node);
    }

    let key_file = dir.file("key", [7; 32]);
    let node = Node::start(&dir.path().join("encrypted"), &["--encryption-key-file", &key_file]);
    collection.set("base_url", node.url());
    collection.set("destination", &dir.dir("encrypted-backups"));
    collection.set("key_file", &key_file);
    collection.send("req_backup", &node);
    restore(&mut collection, "req_restore_encrypted", &node);
    let unsent: Vec<_> =
        collection.requests.iter().filter(|request| request["sent"] != true).map(|r| r["_id"].to_string()).collect();
    assert!(unsent.is_empty(), "this test has to learn of {unsent:?}");
}

fn restore(collection: &mut Collection, id: &str, node: &Node) {
    let started = collection.send(id, node)["data"]["restore"].take();
    let number = started["restoreId"].as_i64().unwrap_or_else(|| panic!("{id}: {started}"));
    collection.set("restore_id", &number.to_string());
    assert_eq!(node.wait_restored(number)["status"], "OK", "{id}");
    assert_eq!(collection.send("req_restore_status", node)["data"]["restoreStatus"]["status"], "OK");
}
