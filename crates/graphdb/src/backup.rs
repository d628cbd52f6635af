//! `graphdb backup`: asks a running node for a backup, through GraphQL as everybody else does.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use graphdb_backup::BackupListing;
use serde_json::{Value, json};

use crate::client::Client;
use crate::places::PlaceFlags;
use crate::progress;

/// Asks a running node for a backup and waits until it is committed.
///
/// The first backup at a destination is full; each further one adds what changed since, until --force-full begins a new series.
/// Without a destination it goes to --backup-bucket, and without that to the default place of the node.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  graphdb backup --destination /srv/backups
  graphdb backup --destination s3:///my-backups/graph
  graphdb backup --destination /srv/for-old-dgraph --compat 1.1
  graphdb backup --alpha http://10.1.2.3:8080 --destination /srv/backups --force-full --auth-token-file token")]
pub(crate) struct BackupArgs {
    /// Where to, as the node sees it: a path, file://, s3:// or minio:// [default: --backup-bucket, or the node's own default]
    #[arg(short, long, value_name = "DEST", env = "GRAPHDB_DESTINATION")]
    destination: Option<String>,

    /// Begin a new series with a full backup
    #[arg(long, env = "GRAPHDB_FORCE_FULL")]
    force_full: bool,

    /// The oldest Dgraph that is to restore the series [default: as the series is, and 20.11 for a new one]
    #[arg(long, value_name = "VERSION", value_parser = ["1.1", "20.11", "21.12"], env = "GRAPHDB_COMPAT")]
    compat: Option<String>,

    /// The node
    #[arg(short, long, value_name = "URL", env = "GRAPHDB_ALPHA", default_value = "http://127.0.0.1:8080")]
    alpha: String,

    /// File with the node's token
    #[arg(long, value_name = "FILE", env = "GRAPHDB_AUTH_TOKEN_FILE")]
    auth_token_file: Option<PathBuf>,

    #[command(flatten)]
    place: PlaceFlags,
}

/// How long the size of the new backup is looked for. It is a nicety: this machine may reach the place slowly or not at all.
const SIZE_PATIENCE: Duration = Duration::from_secs(5);

/// Runs `graphdb backup`.
pub(crate) fn run(args: BackupArgs) -> anyhow::Result<()> {
    let client = Client::new(&args.alpha, args.auth_token_file.as_deref())?;
    let named = args.destination.clone().filter(|text| !text.trim().is_empty());
    let destination = named.map_or_else(|| args.place.default_place(), |text| Ok(Some(text)))?;
    let [backup, list] = operations(destination.is_some(), args.compat.is_some());
    let begin = Instant::now();
    let mut variables = json!({"place": destination, "full": args.force_full});
    if let Some(compat) = &args.compat {
        variables["compat"] = json!(compat);
    }
    let done = client.admin(&backup, variables).context("backup")?;
    let seconds = begin.elapsed().as_secs_f64();
    match client.admin(&list, json!({"place": destination})) {
        Ok(list) => {
            let backups = list["listBackups"].as_array();
            let newest = backups.and_then(|backups| backups.iter().max_by_key(|backup| backup["path"].as_str()));
            let listing = destination.as_deref().and_then(|place| size_of(&args.place, place, newest));
            println!("{}", describe(newest.unwrap_or(&Value::Null), listing, seconds));
        }
        // Credentials that may only write are enough for a backup.
        Err(error) => println!("Backup completed in {seconds:.1} s; it cannot be listed: {error}"),
    }
    if let Some(note) = note(&done) {
        println!("{note}");
    }
    Ok(())
}

/// The mutation and the query. A place that is named is declared as nodes want it that have no default one, and `compat` only when it is
/// given: others do not know it.
fn operations(is_named: bool, has_compat: bool) -> [String; 2] {
    let place = if is_named { "String!" } else { "String" };
    let [declared, passed] = if has_compat { [", $compat: String", ", compat: $compat"] } else { ["", ""] };
    [
        format!(
            "mutation Backup($place: {place}, $full: Boolean{declared}) {{
  backup(input: {{destination: $place, forceFull: $full{passed}}}) {{ response {{ code message }} taskId }} }}"
        ),
        format!(
            "query List($place: {place}) {{
  listBackups(input: {{location: $place}}) {{ path type backupId backupNum encrypted }} }}"
        ),
    ]
}

/// The listing of the backup, if this machine sees the destination as the node does.
fn size_of(flags: &PlaceFlags, destination: &str, newest: Option<&Value>) -> Option<BackupListing> {
    let path = newest?["path"].as_str()?;
    let place = flags.place(Some(destination), "--destination").ok()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let listing = graphdb_backup::list_backups(&place.locations, &place.request);
    let listed = runtime.block_on(async { tokio::time::timeout(SIZE_PATIENCE, listing).await });
    runtime.shutdown_background();
    listed.ok()?.ok()?.into_iter().find(|backup| backup.path == path)
}

/// What the node says besides that it is done.
fn note(done: &Value) -> Option<&str> {
    let message = done["backup"]["response"]["message"].as_str()?;
    message.strip_prefix("Backup completed.").map(str::trim).filter(|note| !note.is_empty())
}

fn describe(backup: &Value, listing: Option<BackupListing>, seconds: f64) -> String {
    let text = |key: &str| backup[key].as_str().unwrap_or("?");
    let encrypted = if backup["encrypted"] == true { ", encrypted" } else { "" };
    let size = listing.and_then(|listing| {
        let (stored, raw) = (progress::bytes(listing.size_bytes), progress::bytes(listing.raw_bytes?));
        Some(format!(", {stored} of {raw}"))
    });
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
    fn what_a_node_says_besides_is_told() {
        let done = |message: &str| json!({"backup": {"response": {"message": message}}});
        assert_eq!(note(&done("Backup completed. Nothing was read.")), Some("Nothing was read."));
        assert_eq!((note(&done("Backup completed.")), note(&json!({}))), (None, None));
    }

    #[test]
    fn only_a_place_that_is_named_is_required() {
        assert!(operations(true, false).iter().all(|operation| operation.contains("($place: String!")));
        assert!(operations(false, true).iter().all(|operation| !operation.contains("String!")));
    }

    #[test]
    fn a_node_is_asked_for_a_dgraph_only_when_one_is_named() {
        let mention = |has_compat| operations(true, has_compat).map(|operation| operation.matches("compat").count());
        assert_eq!((mention(false), mention(true)), ([0, 0], [3, 0]));
    }

    #[test]
    fn a_backup_is_described_on_one_line() {
        let backup =
            json!({"path": "dgraph.1", "type": "full", "backupId": "calm_owl", "backupNum": 1, "encrypted": true});
        assert_eq!(describe(&backup, None, 1.25), "dgraph.1: full backup 1 of series calm_owl, encrypted, 1.2 s");
    }
}
