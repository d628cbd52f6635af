//! One story's bucket, directory and secrets, and the requests and commands that it sends.

use std::fs;
use std::process::Command;

use graphdb_destination::testing::servers::{Account, Rgw};
use serde_json::{Value, json};

use super::bucket::Bucket;
use super::secrets::Secrets;
use super::who::Who;
use crate::harness::{Answer, Client, Folder, Node, Output, Running, graphdb, temp_dir, tree};

const BACKUP: &str = "mutation($input: BackupInput!) { backup(input: $input) { response { code message } } }";
const LIST: &str =
    "query($input: ListBackupsInput!) { listBackups(input: $input) { backupId backupNum type encrypted path since } }";
const RESTORE: &str = "mutation($input: RestoreInput!) { restore(input: $input) { code message restoreId } }";

pub(super) struct Lab {
    pub(super) bucket: Bucket,
    /// What nodes and commands write.
    pub(super) dir: Folder,
    /// What they are given: files that hold secrets.
    pub(super) given: Folder,
    pub(super) secrets: Secrets,
}

impl Lab {
    /// A lab at the gateway that all stories share; `None`, after a loud message, if it is not installed.
    pub(super) fn shared() -> Option<(Lab, &'static Rgw)> {
        let rgw = Rgw::shared()?;
        Some((Lab::of(rgw.account()), rgw))
    }

    /// A lab with a bucket of this account.
    pub(super) fn of(owner: &Account) -> Lab {
        let lab = Lab { bucket: Bucket::new(owner), dir: temp_dir(), given: temp_dir(), secrets: Secrets::default() };
        lab.secrets.keep_account(owner);
        lab
    }

    pub(super) fn owner(&self) -> Who {
        Who::Keys(self.bucket.owner.clone())
    }

    /// Someone who may do what policies allow.
    pub(super) fn user(&self, rgw: &Rgw, role: &str) -> Who {
        let account = rgw.make_user(&self.bucket.user(role));
        self.secrets.keep_account(&account);
        Who::Keys(account)
    }

    /// A node that has no credentials of its own.
    #[track_caller]
    pub(super) fn node(&self, name: &str, flags: &[&str]) -> Node {
        self.node_with(name, flags, &[])
    }

    /// As [`Lab::node`], with these variables in its environment.
    #[track_caller]
    pub(super) fn node_with(&self, name: &str, flags: &[&str], variables: &[(&str, &str)]) -> Node {
        let postings = self.dir.path().join(name);
        let mut command = graphdb();
        command.args(["serve", "-p", postings.to_str().unwrap(), "--http", "127.0.0.1:0"]).args(flags);
        command.env("AWS_EC2_METADATA_DISABLED", "true").envs(variables.iter().copied());
        Node::try_start(&postings, &mut command).unwrap_or_else(|end| panic!("no node in {name}: {end:?}"))
    }

    #[track_caller]
    fn ask(&self, client: &Client, operation: &str, who: &Who, fields: Value) -> Answer {
        let mut input = fields;
        for (name, value) in who.fields().as_object().unwrap() {
            input[name] = value.clone();
        }
        let answer = client.admin(operation, json!({"input": input}));
        self.secrets.assert_absent("an answer", answer.text.as_bytes());
        answer
    }

    #[track_caller]
    pub(super) fn ask_for_backup(&self, client: &Client, place: &str, who: &Who) -> Answer {
        self.ask(client, BACKUP, who, json!({"destination": place}))
    }

    /// A full backup by a node that may be killed meanwhile: then `None`.
    pub(super) fn try_full_backup(&self, client: &Client, place: &str, who: &Who) -> Option<Answer> {
        let mut input = who.fields();
        (input["destination"], input["forceFull"]) = (json!(place), json!(true));
        let body = json!({"query": BACKUP, "variables": {"input": input}}).to_string();
        client.try_send("/admin", &[("content-type", "application/json")], Some(&body)).ok()
    }

    /// A backup that succeeds, with what it says.
    #[track_caller]
    pub(super) fn back_up(&self, client: &Client, place: &str, who: &Who) -> String {
        let data = self.ask_for_backup(client, place, who).data();
        assert_eq!(data["backup"]["response"]["code"], "Success", "{data}");
        data["backup"]["response"]["message"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub(super) fn ask_for_list(&self, client: &Client, place: &str, who: &Who) -> Answer {
        self.ask(client, LIST, who, json!({"location": place}))
    }

    /// The backups at a place, as GraphQL lists them.
    #[track_caller]
    pub(super) fn list(&self, client: &Client, place: &str, who: &Who) -> Vec<Value> {
        self.ask_for_list(client, place, who).data()["listBackups"].as_array().unwrap().clone()
    }

    #[track_caller]
    pub(super) fn ask_for_restore(&self, client: &Client, place: &str, who: &Who, more: &Value) -> Answer {
        let mut fields = more.clone();
        fields["location"] = json!(place);
        self.ask(client, RESTORE, who, fields)
    }

    /// An online restore to its good end. `more` are fields beside the location.
    #[track_caller]
    pub(super) fn restore(&self, client: &Client, place: &str, who: &Who, more: &Value) {
        let data = self.ask_for_restore(client, place, who, more).data();
        let status = client.wait_restored(data["restore"]["restoreId"].as_i64().unwrap());
        assert_eq!((&status["status"], &status["errors"]), (&json!("OK"), &json!([])), "{status}");
    }

    /// A command, with a place as the value of its flag `--location`.
    #[track_caller]
    pub(super) fn cli(&self, who: &Who, place: &str, args: &[&str]) -> Output {
        self.cli_with(who, place, args, &[])
    }

    /// As [`Lab::cli`], with these variables in its environment.
    #[track_caller]
    pub(super) fn cli_with(&self, who: &Who, place: &str, args: &[&str], variables: &[(&str, &str)]) -> Output {
        let output = Running::start(self.command(who, place, args).envs(variables.iter().copied())).wait();
        self.secrets.assert_absent("an output", output.stdout.as_bytes());
        self.secrets.assert_absent("an output of errors", output.stderr.as_bytes());
        output
    }

    /// What [`Lab::cli`] runs.
    pub(super) fn command(&self, who: &Who, place: &str, args: &[&str]) -> Command {
        let mut command = graphdb();
        command.args(args).args(["--location", place]).envs(who.variables(place, &self.given));
        command
    }

    /// Restores offline and serves what came of it.
    #[track_caller]
    pub(super) fn restored(&self, who: &Who, place: &str, to: &str, more: &[&str]) -> Node {
        let target = self.dir.at(to);
        self.cli(who, place, &[&["restore", "-p", &target, "--force-zero=false"], more].concat()).ok();
        self.node(&format!("{to}/p1"), &[])
    }

    /// That no secret is in what a node shows of itself.
    #[track_caller]
    pub(super) fn assert_node_is_discreet(&self, node: &Node) {
        self.secrets.assert_absent("a log", node.log().as_bytes());
        self.secrets.assert_absent("the metrics", node.get("/metrics").text.as_bytes());
        self.secrets.assert_absent("the health", node.get("/health?all").text.as_bytes());
        let arguments = fs::read(format!("/proc/{}/cmdline", node.pid())).unwrap();
        self.secrets.assert_absent("the arguments of a process", &arguments);
    }

    /// That no secret is in a file that a node or a command wrote, or in an object of the bucket.
    #[track_caller]
    pub(super) fn assert_nothing_is_written(&self) {
        let names = tree(self.dir.path());
        for name in &names {
            // A store at work removes files.
            if let Ok(bytes) = fs::read(self.dir.path().join(name)) {
                self.secrets.assert_absent(&format!("the file {name}"), &bytes);
            }
        }
        assert!(
            names.iter().any(|name| name.contains("p.jobs/")),
            "the records of jobs were to be looked at: {names:?}"
        );
        for (key, bytes) in self.bucket.objects() {
            self.secrets.assert_absent(&format!("the object {key}"), &bytes);
        }
    }
}
