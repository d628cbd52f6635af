//! Keys from Vault: a node and the command take them from RustyVault, a real process, and from a fake that has what it lacks.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use graphdb_destination::testing::servers::{RustyVault, skip};
use serde_json::{Value, json};

use crate::harness::{
    Client, Folder, Node, Output, Running, assert_says, bin_dir, clean, cli, cli_with, graphdb, temp_dir, tree,
    wait_for,
};
use fake_vault::{FakeVault, ROLE_ID, SECRET_ID, TOKEN_PREFIX};

#[allow(dead_code, reason = "its other user, the tests of the client of Vault, needs more of it")]
#[path = "harness/fake_vault.rs"]
mod fake_vault;

pub(crate) const KEY: &[u8; 32] = b"canary-key-canary-key-canary-key";
const RESTORE: &str = "mutation($input: RestoreInput!) { restore(input: $input) { code message restoreId } }";

/// A role at RustyVault and what it may log in with.
pub(crate) struct Role {
    pub(crate) vault: RustyVault,
    admin: Client,
    pub(crate) dir: Folder,
    pub(crate) role_id: String,
    pub(crate) secret_id: String,
}

impl Role {
    /// A role whose tokens live so long, and a key at `secret/dgraph`, in base64, and in the field `raw` as it is.
    pub(crate) fn new(token_ttl: &str) -> Option<Role> {
        let vault = RustyVault::start()?;
        let dir = temp_dir();
        let admin = Client::new(&vault.address());
        let mut role = Role { vault, admin, dir, role_id: String::new(), secret_id: String::new() };
        role.write("sys/auth/approle", json!({"type": "approle"}));
        role.write("auth/approle/role/graphdb", json!({"token_ttl": token_ttl, "token_policies": "default"}));
        let id = role.send("auth/approle/role/graphdb/role-id", None);
        role.role_id = id["data"]["role_id"].as_str().unwrap().to_owned();
        let id = role.write("auth/approle/role/graphdb/secret-id", json!({}));
        role.secret_id = id["data"]["secret_id"].as_str().unwrap().to_owned();
        role.dir.file("role-id", role.role_id.clone() + "\n");
        role.dir.file("secret-id", &role.secret_id);
        role.put(
            json!({"enc_key": STANDARD.encode(KEY), "raw": std::str::from_utf8(KEY).unwrap(), "short": "c2hvcnQ="}),
        );
        Some(role)
    }

    #[track_caller]
    fn send(&self, path: &str, body: Option<&str>) -> Value {
        let token = self.vault.root_token();
        let answer = self.admin.send(&format!("/v1/{path}"), &[("x-vault-token", token.expose())], body);
        assert!(answer.status < 300, "{path}: {answer:?}");
        if answer.text.is_empty() { Value::Null } else { answer.json() }
    }

    fn put(&self, fields: Value) {
        self.write("secret/dgraph", fields);
    }

    #[track_caller]
    fn write(&self, path: &str, body: Value) -> Value {
        self.send(path, Some(&body.to_string()))
    }

    /// Flags that lead to the key.
    pub(crate) fn flags(&self) -> Vec<String> {
        let words = ["--vault-addr", &self.vault.address(), "--vault-path", "secret/dgraph"].map(str::to_owned);
        let files =
            ["--vault-roleid-file", &self.dir.at("role-id"), "--vault-secretid-file", &self.dir.at("secret-id")];
        words.into_iter().chain(files.map(str::to_owned)).collect()
    }

    /// What `restore` says that cannot get a key, with one of the flags changed or added.
    #[track_caller]
    fn refusal(&self, flag: &str, value: &str) -> String {
        let mut flags = self.flags();
        match flags.iter().position(|name| name == flag) {
            Some(at) => flags[at + 1] = value.to_owned(),
            None => flags.extend([flag.to_owned(), value.to_owned()]),
        }
        let message = restore_offline(&self.dir.dir("empty"), &self.dir.at("nowhere"), &strings(&flags)).failed(1);
        for secret in [&self.role_id, &self.secret_id, "canary-key", &STANDARD.encode(KEY)] {
            assert!(!message.contains(secret), "{message}");
        }
        message
    }
}

pub(crate) fn strings(flags: &[String]) -> Vec<&str> {
    flags.iter().map(String::as_str).collect()
}

#[track_caller]
fn restore_offline(location: &str, to: &str, key: &[&str]) -> Output {
    cli(&[&["restore", "-l", location, "-p", to, "--force-zero=false"], key].concat())
}

#[track_caller]
fn assert_names(node: &Node, names: &[&str]) {
    let found = node.query("{ q(func: has(name), orderasc: name) { name } }");
    let expected: Vec<_> = names.iter().map(|name| json!({"name": name})).collect();
    assert_eq!(found["q"], json!(expected));
}

fn write_name(node: &Node, name: &str) {
    node.mutate(&format!("{{ set {{ _:n <name> {name:?} . }} }}"));
}

#[test]
fn a_series_is_encrypted_and_restored_with_a_key_from_rusty_vault() {
    let Some(role) = Role::new("1h") else { return };
    let (flags, backups) = (role.flags(), role.dir.dir("backups"));
    let node = Node::start(&role.dir.path().join("p"), &strings(&flags));
    node.alter("name: string @index(exact) .");
    write_name(&node, "one");
    node.backup(&backups);
    write_name(&node, "two");
    node.backup(&backups);

    // By the command, with the key from Vault and with the same key from a file.
    let key_file = role.dir.file("key", KEY);
    for (to, key) in [("offline", strings(&flags)), ("by-file", vec!["--encryption-key-file", &key_file])] {
        restore_offline(&backups, &role.dir.at(to), &key).ok();
        assert_names(&Node::start(&role.dir.path().join(to).join("p1"), &[]), &["one", "two"]);
    }
    assert_says(&restore_offline(&backups, &role.dir.at("no-key"), &[]).failed(1), &["encrypted"]);

    // By a request to a node that has no key of its own.
    let other = Node::start(&role.dir.path().join("other"), &[]);
    let mut input = json!({
        "location": backups, "backupNum": 1, "vaultAddr": role.vault.address(), "vaultPath": "secret/dgraph",
        "vaultRoleIDFile": role.dir.at("role-id"), "vaultSecretIDFile": role.dir.at("secret-id"),
        "vaultField": "raw", "vaultFormat": "raw",
    });
    let data = other.admin(RESTORE, json!({"input": input})).data();
    let status = other.wait_restored(data["restore"]["restoreId"].as_i64().unwrap());
    assert_eq!(status["status"], "OK", "{status}");
    assert_names(&other, &["one"]);
    // With a key that is not that of the series, or none, the database stays.
    input["vaultField"] = json!("short");
    assert_says(&other.admin(RESTORE, json!({"input": input})).error(), &["16, 24 or 32 bytes, this one has 8"]);
    role.put(json!({"enc_key": STANDARD.encode([9; 32])}));
    (input["vaultField"], input["vaultFormat"]) = (Value::Null, Value::Null);
    assert_says(
        &other.admin(RESTORE, json!({"input": input})).error(),
        &["is not the one this backup was written with"],
    );
    input["encryptionKeyFile"] = json!(key_file);
    assert_says(&other.admin(RESTORE, json!({"input": input})).error(), &["give one"]);
    assert_names(&other, &["one"]);
}

#[test]
fn each_refusal_of_rusty_vault_is_named() {
    let Some(role) = Role::new("1h") else { return };
    let address = role.vault.address();
    assert_says(
        &role.refusal("--vault-path", "secret/nothing"),
        &[&address, "nothing at secret/nothing", "secret/data/nothing"],
    );
    assert_says(&role.refusal("--vault-path", "missing/dgraph"), &["nothing at missing/dgraph"]);
    assert_says(&role.refusal("--vault-field", "key"), &["no field key", "enc_key, raw, short"]);
    assert_says(&role.refusal("--vault-field", "short"), &["16, 24 or 32 bytes, this one has 5"]);
    assert_says(&role.refusal("--vault-format", "raw"), &["this one has 44", "base64"]);
    assert_says(&role.refusal("--vault-field", "raw"), &["not base64"]);
    for (name, flag) in [("wrong-secret", "--vault-secretid-file"), ("wrong-role", "--vault-roleid-file")] {
        let file = role.dir.file(name, "11111111-2222-3333-4444-555555555555");
        assert_says(&role.refusal(flag, &file), &["refused the login", &file]);
    }
    assert_says(&role.refusal("--vault-secretid-file", "/nowhere"), &["secret id", "/nowhere"]);
    role.write("sys/seal", json!({}));
    assert_says(&role.refusal("--vault-field", "raw"), &[&address, "is sealed; unseal it"]);
    role.vault.kill();
    assert_says(&role.refusal("--vault-field", "raw"), &["cannot ask Vault", &address]);
}

#[test]
fn a_token_that_expired_while_the_node_ran_is_replaced() {
    let Some(role) = Role::new("1s") else { return };
    let (flags, backups) = (role.flags(), role.dir.dir("backups"));
    let node = Node::start(&role.dir.path().join("p"), &strings(&flags));
    write_name(&node, "one");
    std::thread::sleep(Duration::from_millis(2500));
    role.put(json!({"enc_key": STANDARD.encode([9; 32])}));
    // That the new key is seen proves that the node is let in after the life of its first token.
    assert_says(&node.ask_for_backup(&backups, false).error(), &["changed", "forceFull"]);
    assert_eq!(tree(&backups).len(), 0);
}

/// A node with a key from the fake, and what leads there.
struct Faked {
    fake: FakeVault,
    dir: Folder,
    flags: Vec<String>,
}

impl Faked {
    fn new() -> Faked {
        let (fake, dir) = (FakeVault::start(&STANDARD.encode(KEY)), temp_dir());
        let (role, secret) = (dir.file("role-id", ROLE_ID), dir.file("secret-id", SECRET_ID));
        let words = ["--vault-addr", fake.address(), "--vault-roleid-file", &role, "--vault-secretid-file", &secret];
        let flags = words.map(str::to_owned).to_vec();
        Faked { fake, dir, flags }
    }
}

#[test]
fn a_backup_is_refused_when_the_key_in_vault_changed_and_taken_when_vault_is_away() {
    let faked = Faked::new();
    let backups = faked.dir.dir("backups");
    let node = Node::start(&faked.dir.path().join("p"), &strings(&faked.flags));
    write_name(&node, "one");
    faked.fake.set_key(&STANDARD.encode([9; 32]));
    let message = node.ask_for_backup(&backups, false).error();
    assert_says(&message, &["the encryption key changed", "secret/data/dgraph", "forceFull", "keep it"]);
    assert_eq!(tree(&backups).len(), 0);

    faked.fake.set_key(&STANDARD.encode(KEY));
    faked.fake.state().sealed = true;
    node.backup(&backups);
    let log = wait_for("the warning", || Some(node.log()).filter(|log| log.contains("not compared")));
    assert_says(&log, &["WARN", "is sealed"]);

    faked.fake.state().sealed = false;
    drop(node);
    faked.fake.set_key(&STANDARD.encode([9; 32]));
    // With the new key, the old series is not continued, and a new one begins when that is wanted.
    let node = Node::start(&faked.dir.path().join("p"), &strings(&faked.flags));
    write_name(&node, "two");
    assert_says(&node.ask_for_backup(&backups, false).error(), &["forceFull"]);
    node.ask_for_backup(&backups, true).data();
    restore_offline(&backups, &faked.dir.at("restored"), &strings(&faked.flags)).ok();
    assert_names(&Node::start(&faked.dir.path().join("restored/p1"), &[]), &["one", "two"]);
}

#[test]
fn flags_of_dgraph_lead_to_vault_in_both_forms() {
    let faked = Faked::new();
    let backups = faked.dir.dir("backups");
    let at = |name| faked.dir.at(name);
    let (address, role, secret) = (faked.fake.address(), at("role-id"), at("secret-id"));
    let superflag = format!(
        "addr={address}; role-id-file={role}; secret_id_file={secret}; acl-field=; acl-format=base64; enc-field=enc_key; enc-format=base64"
    );
    let node = Node::start(&faked.dir.path().join("p"), &["--vault", &superflag]);
    write_name(&node, "one");
    node.backup(&backups);
    assert_eq!(
        node.admin(
            "{ listBackups(input: {location: \"BACKUPS\"}) { encrypted } }".replace("BACKUPS", &backups).as_str(),
            json!({})
        )
        .data(),
        json!({"listBackups": [{"encrypted": true}]})
    );
    let old = [
        "--vault_addr",
        address,
        "--vault_roleid_file",
        &role,
        "--vault_secretid_file",
        &secret,
        "--vault_field",
        "enc_key",
    ];
    restore_offline(&backups, &at("old"), &old).ok();
    restore_offline(&backups, &at("new"), &["--vault", &superflag]).ok();
    // The form of version 1, found by the same fake below another mount.
    restore_offline(&backups, &at("v1"), &[&old[..], &["--vault_path", "kv/dgraph"]].concat()).ok();
}

#[test]
fn two_sources_of_a_key_are_misuse() {
    let faked = Faked::new();
    let key = faked.dir.file("key", KEY);
    let flags = [&["--encryption-key-file", key.as_str()], &strings(&faked.flags)[..]].concat();
    let both = ["--encryption-key-file", "--vault-addr", "both"];
    assert_says(&Node::refused(&[&["-p", "/nowhere/p"], &flags[..]].concat()).stderr, &both);
    assert_eq!(Node::refused(&[&["-p", "/nowhere/p"], &flags[..]].concat()).code, Some(2));
    assert_says(&restore_offline("/nowhere", "/nowhere/p", &flags).failed(2), &both);
    // Also when they come from different places.
    let variable = ("GRAPHDB_VAULT_ROLEID_FILE", faked.dir.at("role-id"));
    let args = ["serve", "-p", "/nowhere/p", "--encryption-key-file", &key];
    assert_says(
        &cli_with(&[(variable.0, &variable.1)], &args).failed(2),
        &["(command line)", "--vault-roleid-file (environment)", "both"],
    );
    let addr = ["-p", "/nowhere/p", "--vault-addr", faked.fake.address()];
    assert_says(&Node::refused(&addr).stderr, &["--vault-roleid-file"]);
    assert!(faked.fake.state().log.is_empty(), "nobody is asked before the flags are understood");
}

#[test]
fn no_secret_appears_in_any_output_log_or_object() {
    let faked = Faked::new();
    let backups = faked.dir.dir("backups");
    let mut command = graphdb();
    let postings = faked.dir.path().join("p");
    command.args(["serve", "--http", "127.0.0.1:0", "-p", postings.to_str().unwrap()]).args(&faked.flags);
    let node = Node::try_start(&postings, command.env("RUST_LOG", "trace")).unwrap();
    write_name(&node, "one");
    node.backup(&backups);
    let mut input = json!({
        "location": backups, "vaultAddr": faked.fake.address(), "vaultRoleIDFile": faked.dir.at("role-id"),
        "vaultSecretIDFile": faked.dir.at("secret-id"),
    });
    let restored = node.admin(RESTORE, json!({"input": input}));
    node.wait_restored(restored.data()["restore"]["restoreId"].as_i64().unwrap());
    input["vaultField"] = json!("other");
    let mut seen = vec![restored.text, node.admin(RESTORE, json!({"input": input})).text];
    faked.fake.state().script.push_back((400, format!(r#"{{"errors": ["{SECRET_ID} {ROLE_ID}"]}}"#)));
    input["vaultField"] = Value::Null;
    seen.push(node.admin(RESTORE, json!({"input": input})).text);
    seen.push(node.get("/metrics").text);
    seen.push(node.admin("{ config { cacheMb } }", json!({})).text);
    let (_, log) = node.terminate();
    assert_says(&log, &["DEBUG", "Vault answered", "backup begins"]);
    seen.push(log);
    let mut command = graphdb();
    let command = command.args(["restore", "--force-zero=false", "-l", &backups, "-p", &faked.dir.at("offline")]);
    let output = Running::start(command.args(&faked.flags).env("RUST_LOG", "trace")).wait();
    assert!(output.code == Some(0) && output.stderr.contains("DEBUG"), "{output:?}");
    seen.extend([output.stdout, output.stderr]);

    for text in &seen {
        assert_clean("an output or a log", text.as_bytes());
    }
    let files: Vec<_> =
        ["backups", "p", "p.jobs", "offline"].into_iter().map(|name| faked.dir.path().join(name)).collect();
    let mut looked_at = 0;
    for dir in &files {
        for name in tree(dir) {
            assert_clean(&name, &fs::read(dir.join(&name)).unwrap());
            looked_at += 1;
        }
    }
    assert!(looked_at > 5, "{looked_at} files");
}

/// That no secret of these stories is in `bytes`, in any form in which secrets are written.
#[track_caller]
fn assert_clean(place: &str, bytes: &[u8]) {
    let hex: String = KEY.iter().map(|byte| format!("{byte:02x}")).collect();
    let key = [String::from_utf8_lossy(KEY).into_owned(), hex.to_uppercase(), hex, STANDARD.encode(KEY)];
    for secret in key.iter().map(String::as_str).chain([ROLE_ID, SECRET_ID, TOKEN_PREFIX, "canary-other-field"]) {
        let found = bytes.windows(secret.len()).position(|window| window == secret.as_bytes());
        if let Some(at) = found {
            let from = at.saturating_sub(200);
            panic!("{secret} is in {place}: {}", String::from_utf8_lossy(&bytes[from..at + secret.len()]));
        }
    }
}

#[test]
fn a_crash_leaves_no_core_dump_unless_it_is_asked_for() {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    if pattern.contains(['|', '/']) {
        return skip(&format!("core dumps of this machine go elsewhere: {}", pattern.trim()));
    }
    let dir = temp_dir();
    let key = dir.file("key", KEY);
    let dumps = |name: &str, more: &[&str]| {
        let here = dir.dir(name);
        let mut command = Command::new("sh");
        clean(&mut command);
        command.args(["-c", "ulimit -c unlimited && exec \"$0\" \"$@\""]).arg(bin_dir().join("graphdb"));
        command.args(["serve", "--http", "127.0.0.1:0", "-p", "p", "--encryption-key-file", &key]).args(more);
        let node = Node::try_start(Path::new("p"), command.current_dir(&here)).unwrap();
        assert!(Command::new("kill").args(["-ABRT", &node.pid().to_string()]).status().unwrap().success());
        assert_eq!(node.wait().0, None, "a signal ended it");
        fs::read_dir(&here).unwrap().flatten().any(|file| file.file_name().to_string_lossy().starts_with("core"))
    };
    if !dumps("asked", &["--core-dumps", "on"]) {
        return skip("this machine writes no core dumps at all");
    }
    assert!(!dumps("default", &[]));
}
