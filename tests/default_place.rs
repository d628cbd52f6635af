//! A node with a default place: nobody has to say where backups are, and other places can be named still. What a node may be sent to is
//! bound, and its health is asked without a word.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use graphdb_destination::testing::servers::{Account, Rgw};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::harness::{Answer, Folder, Node, assert_says, cli, cli_with, graphdb, manifests, temp_dir};

const BACKUP: &str = "mutation { backup(input: {}) { response { code message } } }";
const LIST: &str = "{ listBackups(input: {}) { backupNum type path } }";

#[track_caller]
fn assert_backed_up(answer: &Answer) {
    assert_eq!(answer.data()["backup"]["response"]["code"], "Success", "{answer:?}");
}

fn numbers(answer: &Answer) -> Vec<u64> {
    answer.data()["listBackups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|backup| backup["backupNum"].as_u64().unwrap())
        .collect()
}

/// A node with this directory as its default place, and something in it.
fn node_with_default(dir: &Folder, bucket: &str) -> Node {
    let node = Node::start(&dir.path().join("p"), &["--backup-bucket", bucket]);
    node.mutate(r#"{ set { _:one <name> "one" . } }"#);
    node
}

#[test]
fn with_a_default_place_nobody_says_where() {
    let dir = temp_dir();
    let place = dir.dir("default");
    let node = node_with_default(&dir, &format!("file://{place}"));
    assert_says(&node.log(), &["requests that name no place", &place]);
    assert_backed_up(&node.admin(BACKUP, json!({})));
    node.mutate(r#"{ set { _:two <name> "two" . } }"#);
    let form = node.post("/admin/backup", "application/x-www-form-urlencoded", "");
    assert_eq!(form.json()["code"], "Success", "{form:?}");
    let said = cli(&["backup", "--alpha", node.url(), "--force-full"]).ok();
    assert_says(&said, &["full backup 1 of series"]);
    assert_eq!(numbers(&node.admin(LIST, json!({}))), [1, 2, 1]);
    assert_eq!(manifests(&place).len(), 3);

    let table = cli(&["lsbackup", "--backup-bucket", &place]).ok();
    assert_eq!(table.lines().count(), 4, "{table}");
    let target = dir.at("restored");
    cli_with(&[("GRAPHDB_BACKUP_BUCKET", &place)], &["restore", "-p", &target, "--force-zero=false"]).ok();
    let restored = Node::start(&Path::new(&target).join("p1"), &[]);
    assert_eq!(restored.count("name"), 2);

    let restore = "mutation { restore(input: {}) { code restoreId } }";
    let started = node.admin(restore, json!({})).data();
    let status = node.wait_restored(started["restore"]["restoreId"].as_i64().unwrap());
    assert_eq!(status["status"], "OK", "{status}");
}

#[test]
fn a_place_that_is_named_goes_before_the_default_one() {
    let dir = temp_dir();
    let (place, older) = (dir.dir("default"), dir.dir("older"));
    let node = node_with_default(&dir, &place);
    node.backup(&older);
    node.backup(&older);
    assert!(manifests(&place).is_empty());
    assert_backed_up(&node.admin(BACKUP, json!({})));
    let list = "query($at: String) { listBackups(input: {location: $at}) { backupNum } }";
    assert_eq!(numbers(&node.admin(list, json!({"at": older}))), [1, 2]);
    assert_eq!(numbers(&node.admin(list, json!({"at": null}))), [1]);
    let flags = ["--backup-bucket", &place];
    assert_eq!(cli(&[&["lsbackup", "-o", "tsv", "-l", &older], &flags[..]].concat()).ok().lines().count(), 2);
    assert_eq!(cli(&[&["lsbackup", "-o", "tsv"], &flags[..]].concat()).ok().lines().count(), 1);
    node.restore(&older, Some(1), None);
    assert_eq!(node.count("name"), 1);
}

#[test]
fn each_source_of_settings_can_hold_the_default_place() {
    let dir = temp_dir();
    let place = dir.dir("default");
    let file = dir.file("graphdb.toml", format!("backup-bucket = {place:?}\n"));
    let variables: [&[(&str, &str)]; 3] =
        [&[("GRAPHDB_BACKUP_BUCKET", &place)], &[], &[("GRAPHDB_BACKUP_BUCKET", ""), ("GRAPHDB_CONFIG", &file)]];
    let flags: [&[&str]; 3] = [&[], &["--backup_bucket", &place], &["--backup-bucket", &place]];
    for (number, (variables, flags)) in variables.into_iter().zip(flags).enumerate() {
        let postings = dir.path().join(format!("p{number}"));
        let mut command = graphdb();
        command.args(["serve", "-p", postings.to_str().unwrap(), "--http", "127.0.0.1:0"]).args(flags);
        let node =
            Node::try_start(&postings, command.envs(variables.iter().copied())).unwrap_or_else(|end| panic!("{end:?}"));
        assert_backed_up(
            &node.admin("mutation { backup(input: {forceFull: true}) { response { code message } } }", json!({})),
        );
        assert_eq!(manifests(&place).len(), number + 1);
    }
    let node = Node::start(&dir.path().join("by-file"), &["--config", &file]);
    assert_eq!(numbers(&node.admin(LIST, json!({}))).len(), 3);
}

#[test]
fn without_a_default_place_everybody_is_told_what_is_missing() {
    let dir = temp_dir();
    let node = Node::start(&dir.path().join("p"), &[]);
    let why = "you must specify a 'destination' value";
    assert_says(&node.admin(BACKUP, json!({})).error(), &[why, "--backup-bucket"]);
    assert_says(&node.admin(LIST, json!({})).error(), &[why]);
    assert_says(&node.admin("mutation { restore(input: {}) { code } }", json!({})).error(), &[why]);
    assert_says(&cli(&["backup", "--alpha", node.url()]).failed(1), &[why, "--backup-bucket"]);
    for args in [&["lsbackup"][..], &["lsbackup", "-l", ""], &["restore", "-p", "x", "--force-zero=false"]] {
        assert_says(&cli(args).failed(2), &["--location", "--backup-bucket", "GRAPHDB_BACKUP_BUCKET"]);
    }
}

#[test]
fn flags_that_cannot_be_meant_keep_a_node_from_starting() {
    let dir = temp_dir();
    let (missing, postings) = (dir.at("no-credentials"), dir.at("p"));
    let start = ["-p", &postings, "--http", "127.0.0.1:0"];
    for (code, flags, says) in [
        (2, vec!["--backup-bucket", "backups"], vec!["--backup-bucket (command line)", "s3://BUCKET"]),
        (2, vec!["--backup-bucket", "s3://a:hunter2@b"], vec!["--backup-bucket", "carries credentials"]),
        (2, vec!["--backup-region", "eu west"], vec!["--backup-region", "eu west"]),
        (2, vec!["--backup-allow-schemes", "gs"], vec!["--backup-allow-schemes", "gs"]),
        (2, vec!["--backup-allow-schemes", "s3", "--backup-bucket", "/b"], vec!["--backup-bucket", "the scheme file"]),
        (1, vec!["--backup-credential", &missing], vec!["--backup-credential", &missing]),
    ] {
        let refused = Node::refused(&[&start[..], &flags[..]].concat()).failed(code);
        assert_says(&refused, &says);
        assert!(!refused.contains("hunter2"), "{refused}");
    }
    let half = graphdb().args(["serve"]).args(start).env("AWS_ACCESS_KEY_ID", "x").output().unwrap();
    assert_eq!(half.status.code(), Some(2));
    assert_says(&String::from_utf8_lossy(&half.stderr), &["environment", "the secret key is missing"]);
    assert!(!Path::new(&postings).exists());
    cli_with(&[("AWS_ACCESS_KEY_ID", "x")], &["lsbackup", "-l", &dir.at("")]).ok();
}

#[test]
fn a_credential_file_that_everybody_can_read_is_warned_of() {
    let dir = temp_dir();
    let file =
        dir.file("credentials", "[default]\naws_access_key_id = canary-id\naws_secret_access_key = canary-key\n");
    for (mode, warned) in [(0o644, true), (0o640, false)] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let node = Node::start(&dir.path().join(format!("p{mode}")), &["--backup-credential", &file]);
        let log = node.log();
        assert_eq!(log.contains("chmod o-r") && log.contains(&file), warned, "{mode:o}: {log}");
        assert!(!log.contains("canary"), "{log}");
    }
}

#[test]
fn requests_are_sent_only_where_the_node_may_go() {
    let dir = temp_dir();
    let (allowed, other) = (dir.dir("allowed"), dir.dir("other"));
    symlink(&other, format!("{allowed}/link")).unwrap();
    let flags = ["--backup-allow-schemes", "file,minio", "--backup-allow-paths", &allowed];
    let node = Node::start(&dir.path().join("p"), &flags);
    let link = format!("{allowed}/link");
    let up = format!("{allowed}/../other");
    for (place, why) in [
        (other.as_str(), "not below a directory"),
        (&format!("file://{other}"), "not below a directory"),
        (&up, "not below a directory"),
        (&link, "symbolic link"),
        (&format!("{link}/new"), "symbolic link"),
        ("s3:///bucket/a", "the scheme s3"),
        ("minio://169.254.169.254/bucket", "refused unless"),
        ("minio://[fd00:ec2::254]/bucket", "refused unless"),
        ("minio://metadata.google.internal/bucket", "refused unless"),
        ("minio://0.0.0.0:9000/bucket", "refused unless"),
    ] {
        assert_says(&node.ask_for_backup(place, false).error(), &["not allowed", why]);
        assert_says(&node.ask_for_restore(place, None, None).error(), &["not allowed", why]);
        let list =
            node.admin("query($at: String!) { listBackups(input: {location: $at}) { path } }", json!({"at": place}));
        assert_says(&list.error(), &["not allowed", why]);
    }
    assert!(fs::read_dir(&other).unwrap().next().is_none(), "nothing is written where it is not allowed");
    node.backup(&allowed);
    node.backup(&format!("{allowed}/deeper"));
    cli(&["lsbackup", "-l", &allowed]).ok();
}

#[test]
fn a_shared_instance_uses_the_credentials_of_requests_alone() {
    let dir = temp_dir();
    let flags = ["--limit", "shared-instance=true"];
    let node = Node::start(&dir.path().join("p"), &flags);
    assert_says(
        &node.ask_for_backup("s3://127.0.0.1:1/bucket?secure=false", false).error(),
        &["shared-instance", "accessKey"],
    );
    node.backup(&dir.dir("local"));
}

#[test]
fn health_is_told_to_containers_without_a_token_and_while_draining() {
    let dir = temp_dir();
    let token = dir.file("token", "opensesame\n");
    let node = Node::start(&dir.path().join("p"), &["--auth-token-file", &token]);
    let drain = |enable: bool| {
        let token = [("x-dgraph-authtoken", "opensesame")];
        let answer = node.send(&format!("/admin/draining?enable={enable}"), &token, Some(""));
        assert_eq!(answer.json()["code"], "Success", "{answer:?}");
    };
    for draining in [false, true] {
        drain(draining);
        let healthz = node.get("/healthz");
        assert_eq!((healthz.status, healthz.text.as_str()), (200, "ok\n"), "draining: {draining}");
        assert_says(&cli(&["health", "--url", node.url()]).ok(), &[node.url(), "healthy"]);
        let ready = cli(&["health", "--ready", "--url", node.url()]);
        assert_eq!(ready.code, Some(i32::from(draining)), "{ready:?}");
        assert_eq!(node.get("/health").status, if draining { 503 } else { 200 });
    }
    let url = node.url().to_owned();
    assert_eq!(node.terminate().0, Some(0));
    assert_says(&cli(&["health", "--url", &url]).failed(1), &[&url]);
}

/// A node whose default place is a bucket of a real server, as environment and flags of a container say.
fn node_with_bucket(dir: &Folder, account: &Account, bucket: &str) -> Node {
    let profile = format!(
        "[default]\naws_access_key_id = nobody\naws_secret_access_key = nothing\n\n[backups]\naws_access_key_id = {}\n\
         aws_secret_access_key = {}\n",
        account.access_key,
        account.secret_key.expose()
    );
    let credentials = dir.file("credentials", profile);
    fs::set_permissions(&credentials, fs::Permissions::from_mode(0o600)).unwrap();
    let postings = dir.path().join("p");
    let mut command = graphdb();
    command.args(["serve", "-p", postings.to_str().unwrap(), "--http", "127.0.0.1:0"]);
    command.args(["--backup-bucket", &format!("s3://{bucket}/graph"), "--backup-region", &account.region]);
    command.args(["--backup-credential", &credentials, "--backup-profile", "backups"]);
    command.env("AWS_ENDPOINT_URL_S3", &account.endpoint).env("AWS_EC2_METADATA_DISABLED", "true");
    Node::try_start(&postings, &mut command).unwrap_or_else(|end| panic!("{end:?}"))
}

#[test]
fn a_bucket_of_a_real_server_is_a_default_place() {
    let Some(server) = Rgw::shared() else { return };
    let account = server.account();
    let bucket = Runtime::new().unwrap().block_on(account.fresh_bucket());
    let dir = temp_dir();
    let node = node_with_bucket(&dir, account, &bucket);
    node.mutate(r#"{ set { _:one <name> "one" . } }"#);
    assert_backed_up(&node.admin(BACKUP, json!({})));
    node.mutate(r#"{ set { _:two <name> "two" . } }"#);
    assert_says(&cli(&["backup", "--alpha", node.url()]).ok(), &["incremental backup 2"]);
    assert_eq!(numbers(&node.admin(LIST, json!({}))), [1, 2]);

    let local = dir.dir("local");
    node.backup(&local);
    assert_eq!(cli(&["lsbackup", "-o", "tsv", "-l", &local]).ok().lines().count(), 1);

    let place = format!("s3://{bucket}/graph");
    let credentials = dir.at("credentials");
    let variables: [(&str, &str); 6] = [
        ("AWS_ENDPOINT_URL_S3", &account.endpoint),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("GRAPHDB_BACKUP_BUCKET", &place),
        ("GRAPHDB_BACKUP_REGION", &account.region),
        ("GRAPHDB_BACKUP_CREDENTIAL", &credentials),
        ("GRAPHDB_BACKUP_PROFILE", "backups"),
    ];
    let listed: Value = serde_json::from_str(&cli_with(&variables, &["lsbackup", "-o", "json"]).ok()).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
    let sized = cli_with(&variables, &["backup", "--alpha", node.url(), "--force-full"]).ok();
    assert_says(&sized, &["full backup 1", " of ", "B, "]);
    let target = dir.at("restored");
    cli_with(&variables, &["restore", "-p", &target, "--force-zero=false"]).ok();
    let restored = Node::start(&Path::new(&target).join("p1"), &[]);
    assert_eq!(restored.count("name"), 2);
    let started = node.admin("mutation { restore(input: {}) { code restoreId } }", json!({})).data();
    assert_eq!(node.wait_restored(started["restore"]["restoreId"].as_i64().unwrap())["status"], "OK");

    let secret = account.secret_key.expose();
    assert!(!node.log().contains(secret), "a secret is in the log");
    let wrong = [variables.as_slice(), &[("GRAPHDB_BACKUP_PROFILE", "default")]].concat();
    let denied = cli_with(&wrong, &["lsbackup"]).failed(1);
    assert!(denied.contains(&bucket) && !denied.contains("nothing"), "{denied}");
}

#[test]
fn credentials_of_a_request_go_before_those_of_the_node() {
    let Some(server) = Rgw::shared() else { return };
    let account = server.account();
    let bucket = Runtime::new().unwrap().block_on(account.fresh_bucket());
    let dir = temp_dir();
    let node = node_with_bucket(&dir, account, &bucket);
    let backup = "mutation($input: BackupInput!) { backup(input: $input) { response { code } } }";
    for input in [json!({"accessKey": "canary-id", "secretKey": "canary-key"}), json!({"anonymous": true})] {
        let answer = node.admin(backup, json!({"input": input}));
        assert_says(&answer.error(), &[&bucket]);
        assert!(!answer.text.contains("canary-key") && !node.log().contains("canary-key"), "{answer:?}");
    }
    let input = json!({"accessKey": account.access_key, "secretKey": account.secret_key.expose()});
    let done = node.admin(backup, json!({"input": input}));
    assert_eq!(done.data()["backup"]["response"]["code"], "Success", "{done:?}");
}

#[test]
fn a_public_bucket_is_read_without_credentials_when_that_is_said() {
    let Some(server) = Rgw::shared() else { return };
    let account = server.account();
    let runtime = Runtime::new().unwrap();
    let bucket = runtime.block_on(account.fresh_bucket());
    let dir = temp_dir();
    let node = node_with_bucket(&dir, account, &bucket);
    node.mutate(r#"{ set { _:one <name> "one" . } }"#);
    assert_backed_up(&node.admin(BACKUP, json!({})));
    runtime.block_on(account.allow(&bucket, "*", &["s3:GetObject", "s3:ListBucket"]));

    let place = format!("s3:///{bucket}/graph");
    let variables = [("AWS_ENDPOINT_URL_S3", account.endpoint.as_str()), ("AWS_EC2_METADATA_DISABLED", "true")];
    let list = ["lsbackup", "-o", "tsv", "-l", &place];
    assert_says(&cli_with(&variables, &list).failed(1), &[&bucket, "no credentials"]);
    let listed = cli_with(&variables, &[&list[..], &["--backup-anonymous"]].concat()).ok();
    assert_eq!(listed.lines().count(), 1, "{listed}");
    let input = json!({"input": {"location": place, "anonymous": true}});
    let list = "query($input: ListBackupsInput!) { listBackups(input: $input) { backupNum } }";
    assert_eq!(numbers(&node.admin(list, input)), [1]);
}

#[test]
fn a_backup_that_cannot_be_listed_is_a_success_and_says_so() {
    let Some(server) = Rgw::shared() else { return };
    let account = server.account();
    let runtime = Runtime::new().unwrap();
    let bucket = runtime.block_on(account.fresh_bucket());
    let writer = server.make_user(&format!("writer-{bucket}"));
    runtime.block_on(account.allow(&bucket, &format!("writer-{bucket}"), &["s3:PutObject"]));
    let dir = temp_dir();
    let node = node_with_bucket(&dir, &writer, &bucket);
    node.mutate(r#"{ set { _:one <name> "one" . } }"#);
    let said = cli(&["backup", "--alpha", node.url()]).ok();
    assert_says(&said, &["Backup completed", "cannot be listed", &bucket]);
    assert_says(&node.admin(LIST, json!({})).error(), &[&bucket, "s3:ListBucket"]);
}
