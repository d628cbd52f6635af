//! `graphdb backup`: asks a running node for a backup, through GraphQL as everybody else does.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;
use clap::Args;
use graphdb_backup::{BackupListing, Locations};
use serde_json::{Value, json};

use crate::client::Client;
use crate::progress;

/// Asks a running node for a backup and waits until it is committed.
///
/// The first backup at a destination is full; each further one adds what changed since, until --force-full begins a new series.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  graphdb backup --destination /srv/backups
  graphdb backup --alpha http://10.1.2.3:8080 --destination /srv/backups --force-full --auth-token-file token")]
pub(crate) struct BackupArgs {
    /// Where to, a path or file:// URI as the node sees it
    #[arg(short, long, value_name = "DEST", env = "GRAPHDB_DESTINATION")]
    destination: String,

    /// Begin a new series with a full backup
    #[arg(long, env = "GRAPHDB_FORCE_FULL")]
    force_full: bool,

    /// The node
    #[arg(short, long, value_name = "URL", env = "GRAPHDB_ALPHA", default_value = "http://127.0.0.1:8080")]
    alpha: String,

    /// File with the node's token
    #[arg(long, value_name = "FILE", env = "GRAPHDB_AUTH_TOKEN_FILE")]
    auth_token_file: Option<PathBuf>,
}

const BACKUP: &str = "mutation Backup($to: String!, $full: Boolean) {
  backup(input: {destination: $to, forceFull: $full}) { response { code message } taskId } }";

const LIST: &str =
    "query List($at: String!) { listBackups(input: {location: $at}) { path type backupId backupNum encrypted } }";

/// Runs `graphdb backup`.
pub(crate) fn run(args: BackupArgs) -> anyhow::Result<()> {
    let client = Client::new(&args.alpha, args.auth_token_file.as_deref())?;
    let begin = Instant::now();
    client.admin(BACKUP, json!({"to": args.destination, "full": args.force_full})).context("backup")?;
    let seconds = begin.elapsed().as_secs_f64();
    let list = client.admin(LIST, json!({"at": args.destination})).context("the backup is committed; list it")?;
    let newest =
        list["listBackups"].as_array().and_then(|backups| backups.iter().max_by_key(|backup| backup["path"].as_str()));
    println!("{}", describe(newest.unwrap_or(&Value::Null), size_of(&args.destination, newest), seconds));
    Ok(())
}

/// The listing of the backup, if this machine sees the destination as the node does.
fn size_of(destination: &str, newest: Option<&Value>) -> Option<BackupListing> {
    let path = newest?["path"].as_str()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let backups = runtime.block_on(graphdb_backup::list_backups(&Locations::default(), &destination.into())).ok()?;
    backups.into_iter().find(|backup| backup.path == path)
}

fn describe(backup: &Value, listing: Option<BackupListing>, seconds: f64) -> String {
    let text = |key: &str| backup[key].as_str().unwrap_or("?");
    let encrypted = if backup["encrypted"] == true { ", encrypted" } else { "" };
    let size = listing
        .map(|listing| format!(", {} of {}", progress::bytes(listing.size_bytes), progress::bytes(listing.raw_bytes)));
    let (number, size) = (&backup["backupNum"], size.unwrap_or_default());
    format!(
        "{}: {} backup {number} of series {}{encrypted}{size}, {seconds:.1} s",
        text("path"),
        text("type"),
        text("backupId")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_is_described_on_one_line() {
        let backup =
            json!({"path": "dgraph.1", "type": "full", "backupId": "calm_owl", "backupNum": 1, "encrypted": true});
        assert_eq!(describe(&backup, None, 1.25), "dgraph.1: full backup 1 of series calm_owl, encrypted, 1.2 s");
    }
}
