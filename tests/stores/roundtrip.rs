//! There and back: a series encrypted with a key from Vault, listed and restored in each way, equal at every backup.

use serde_json::{Value, json};

use super::lab::Lab;
use super::listening::Listening;
use super::series::{Series, TWO_PARTS};
use crate::harness::{Client, assert_says};
use crate::vault::{KEY, Role, strings};

/// A lab and a role at Vault that can read a key, through somebody who listens.
pub(super) struct Keyed {
    pub(super) lab: Lab,
    role: Role,
    vault: Listening,
    flags: Vec<String>,
}

impl Keyed {
    pub(super) fn new(lab: Lab) -> Option<Keyed> {
        let role = Role::new("1h")?;
        let server = role.vault.address().strip_prefix("http://").unwrap().parse().unwrap();
        let vault = lab.bucket.runtime.block_on(Listening::to(server));
        let mut flags = role.flags();
        let address = flags.iter().position(|flag| flag == "--vault-addr").unwrap() + 1;
        flags[address] = format!("http://{}", vault.address);
        lab.secrets.keep("a role id", &role.role_id);
        lab.secrets.keep("a secret id", &role.secret_id);
        lab.secrets.keep("the token of Vault's administrator", role.vault.root_token().expose());
        lab.secrets.keep_key(KEY);
        Some(Keyed { lab, role, vault, flags })
    }

    pub(super) fn flags(&self) -> Vec<&str> {
        strings(&self.flags)
    }

    /// The same in a request to restore.
    pub(super) fn fields(&self) -> Value {
        json!({
            "vaultAddr": format!("http://{}", self.vault.address), "vaultPath": "secret/dgraph",
            "vaultRoleIDFile": self.role.dir.at("role-id"), "vaultSecretIDFile": self.role.dir.at("secret-id"),
        })
    }

    /// Keeps the tokens that Vault gave so far.
    pub(super) fn keep_tokens(&self) {
        let tokens = self.vault.values_of("client_token");
        assert!(!tokens.is_empty(), "Vault gave tokens");
        for token in tokens {
            self.lab.secrets.keep("a token of Vault", &token);
        }
    }
}

#[test]
fn a_series_with_a_key_from_vault_comes_back_equal_from_s3() {
    comes_back_equal("s3");
}

#[test]
fn a_series_with_a_key_from_vault_comes_back_equal_from_minio() {
    comes_back_equal("minio");
}

fn comes_back_equal(scheme: &str) {
    let Some((lab, _)) = Lab::shared() else { return };
    let Some(keyed) = Keyed::new(lab) else { return };
    let (lab, place) = (&keyed.lab, keyed.lab.bucket.place(scheme));
    let node = lab.node("p", &keyed.flags());
    keyed.keep_tokens();
    let series = Series::tell(&node, TWO_PARTS, |_| {
        let said = lab.back_up(&node, &place, &lab.owner());
        assert!(said.starts_with("Backup completed."), "{said}");
    });
    assert_is_listed(lab, &node, &place);

    let other = lab.node("other", &[]);
    for number in 1..=3 {
        let (to, number_text) = (format!("offline-{number}"), number.to_string());
        let flags = [&["--backup-num", &number_text], &keyed.flags()[..]].concat();
        series.assert_is_at(&lab.restored(&lab.owner(), &place, &to, &flags), number, "offline");
        let mut fields = keyed.fields();
        fields["backupNum"] = json!(number);
        lab.restore(&other, &place, &lab.owner(), &fields);
        series.assert_is_at(&other, number, "online");
    }
    let no_key = ["restore", "-p", &lab.dir.at("no-key"), "--force-zero=false"];
    assert_says(&lab.cli(&lab.owner(), &place, &no_key).failed(1), &["encrypted"]);

    keyed.keep_tokens();
    lab.assert_node_is_discreet(&node);
    lab.assert_node_is_discreet(&other);
    lab.assert_nothing_is_written();
}

/// That a place has a full backup and two incremental ones, for GraphQL and for the command.
#[track_caller]
fn assert_is_listed(lab: &Lab, client: &Client, place: &str) {
    let listed = lab.list(client, place, &lab.owner());
    let of = |field: &str| listed.iter().map(|backup| backup[field].clone()).collect::<Vec<_>>();
    assert_eq!(of("backupNum"), [1, 2, 3]);
    assert_eq!(of("type"), ["full", "incremental", "incremental"]);
    assert_eq!(of("encrypted"), [true, true, true]);
    let id = listed[0]["backupId"].as_str().unwrap();
    assert!(of("backupId").iter().all(|other| other == id), "{listed:?}");

    let table = lab.cli(&lab.owner(), place, &["lsbackup"]).ok();
    let folders = lab.bucket.manifests();
    assert_eq!(folders.len(), 3);
    for (manifest, kind) in folders.iter().zip(["full", "incremental", "incremental"]) {
        let folder = manifest.split('/').nth(1).unwrap();
        let line = table.lines().find(|line| line.contains(folder)).unwrap_or_else(|| panic!("{folder}: {table}"));
        assert_says(line, &[kind, id]);
    }
    let printed = lab.cli(&lab.owner(), place, &["lsbackup", "-o", "json"]).ok();
    assert_eq!(serde_json::from_str::<Vec<Value>>(&printed).unwrap().len(), 3, "{printed}");
}

#[test]
fn the_node_restores_its_own_series_with_the_key_that_it_has() {
    let Some((lab, _)) = Lab::shared() else { return };
    let Some(keyed) = Keyed::new(lab) else { return };
    let (lab, place) = (&keyed.lab, keyed.lab.bucket.place("s3"));
    let node = lab.node("p", &keyed.flags());
    keyed.keep_tokens();
    let series = Series::tell(&node, 0, |_| drop(lab.back_up(&node, &place, &lab.owner())));
    lab.restore(&node, &place, &lab.owner(), &json!({"backupNum": 1}));
    series.assert_is_at(&node, 1, "by the node itself");
    lab.restore(&node, &place, &lab.owner(), &json!({}));
    series.assert_is_at(&node, 3, "by the node itself");
    lab.assert_node_is_discreet(&node);
    lab.assert_nothing_is_written();
}
