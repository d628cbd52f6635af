//! `graphdb lsbackup`: lists what is at a location.

use clap::{Args, ValueEnum};
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use graphdb_backup::BackupListing;
use graphdb_types::DropOp;
use serde::Serialize as _;
use serde_json::{Map, Value, json};

use anyhow::Context as _;

use crate::places::PlaceFlags;
use crate::progress::{bytes, grouped};

/// Lists the backups at a location, oldest first. Nothing is read but their manifests, and no key is needed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  graphdb lsbackup --location /srv/backups
  graphdb lsbackup -l s3:///my-backups/graph --output json --verbose
  graphdb lsbackup --backup-bucket s3://my-backups/graph --backup-region eu-central-1")]
pub(crate) struct LsbackupArgs {
    /// Where the backups are: a path, file://, s3:// or minio:// [default: --backup-bucket]
    #[arg(short, long, value_name = "URI", env = "GRAPHDB_LOCATION")]
    location: Option<String>,

    /// Show predicates and drops too
    #[arg(long, env = "GRAPHDB_VERBOSE")]
    verbose: bool,

    /// How to print
    #[arg(short, long, value_enum, value_name = "FORM", env = "GRAPHDB_LSBACKUP_OUTPUT", default_value = "table")]
    output: Output,

    #[command(flatten)]
    place: PlaceFlags,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    /// For people
    Table,
    /// The array that Dgraph's lsbackup prints
    Json,
    /// A line of tab-separated values each: number, type, read_ts, stored bytes, raw bytes, path
    Tsv,
}

/// Runs `graphdb lsbackup`.
pub(crate) fn run(args: LsbackupArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("start")?;
    let place = args.place.place(args.location.as_deref(), "--location").context("list backups")?;
    let backups =
        runtime.block_on(graphdb_backup::list_backups(&place.locations, &place.request)).context("list backups")?;
    match args.output {
        Output::Json => print!("{}", to_json(&backups, args.verbose)?),
        Output::Tsv => backups.iter().for_each(|backup| println!("{}", to_tsv(backup))),
        Output::Table if backups.is_empty() => println!("no backups at {}", place.shown),
        Output::Table => println!("{}", to_table(&backups, args.verbose)),
    }
    Ok(())
}

/// What Dgraph's manifests do not say is a dash.
fn or_dash(number: Option<u64>, shown: impl Fn(u64) -> String) -> String {
    number.map_or_else(|| "-".into(), shown)
}

fn to_tsv(b: &BackupListing) -> String {
    format!(
        "{}\t{}\t{}\t{}\t{}\t{}",
        b.backup_num,
        b.kind,
        b.read_ts,
        b.size_bytes,
        or_dash(b.raw_bytes, |n| n.to_string()),
        b.path
    )
}

fn to_table(backups: &[BackupListing], verbose: bool) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    let mut header = vec![
        "SERIES",
        "NUM",
        "TYPE",
        "READ_TS",
        "STORED",
        "RAW",
        "ENTRIES",
        "ENCRYPTED",
        "CREATED",
        "WRITTEN BY",
        "PATH",
    ];
    if verbose {
        header.extend(["PREDICATES", "DROPS"]);
    }
    table.set_header(header);
    for backup in backups {
        table.add_row(row(backup, verbose));
    }
    for numeric in [1, 3, 4, 5, 6] {
        if let Some(column) = table.column_mut(numeric) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn row(backup: &BackupListing, verbose: bool) -> Vec<String> {
    let mut row = vec![
        backup.backup_id.clone(),
        backup.backup_num.to_string(),
        backup.kind.to_owned(),
        backup.read_ts.to_string(),
        bytes(backup.size_bytes),
        or_dash(backup.raw_bytes, bytes),
        or_dash(backup.entries, grouped),
        if backup.encrypted { "yes" } else { "no" }.to_owned(),
        backup.created_at.clone().unwrap_or_else(|| "-".into()),
        backup.written_by.clone(),
        backup.path.clone(),
    ];
    if verbose {
        row.push(backup.groups.values().flatten().cloned().collect::<Vec<_>>().join(" "));
        row.push(backup.drop_operations.iter().map(drop_text).collect::<Vec<_>>().join(", "));
    }
    row
}

fn drop_text(operation: &DropOp) -> String {
    match operation {
        DropOp::All => "all".into(),
        DropOp::Data => "data".into(),
        DropOp::NamespaceData(namespace) => format!("data of namespace {:#x}", namespace.0),
        DropOp::Predicate(predicate) => format!("predicate {predicate}"),
        DropOp::Namespace(namespace) => format!("namespace {:#x}", namespace.0),
    }
}

/// The array of Dgraph's lsbackup since v21.03: indented with tabs, `null` if there is none.
fn to_json(backups: &[BackupListing], verbose: bool) -> anyhow::Result<String> {
    let list: Vec<Value> = backups.iter().map(|backup| to_object(backup, verbose)).collect();
    let value = if list.is_empty() { Value::Null } else { Value::Array(list) };
    let mut text = Vec::new();
    let tabs = serde_json::ser::PrettyFormatter::with_indent(b"\t");
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut text, tabs)).context("write JSON")?;
    text.push(b'\n');
    String::from_utf8(text).context("write JSON")
}

fn to_object(b: &BackupListing, verbose: bool) -> Value {
    let mut object = json!({
        "path": b.path, "since": b.since, "read_ts": b.read_ts, "backup_id": b.backup_id, "backup_num": b.backup_num,
        "encrypted": b.encrypted, "type": b.kind,
    });
    if verbose {
        object["groups"] = json!(b.groups);
        if !b.drop_operations.is_empty() {
            object["drop_operations"] = b.drop_operations.iter().map(drop_json).collect();
        }
    }
    object
}

/// As in a manifest: what is zero or empty is left out, so dropping all is `{}`.
fn drop_json(operation: &DropOp) -> Value {
    let (number, value) = match operation {
        DropOp::All => (0, None),
        DropOp::Data => (1, None),
        DropOp::NamespaceData(namespace) => (1, Some(format!("{:#x}", namespace.0))),
        DropOp::Predicate(predicate) => (2, Some(predicate.to_string())),
        DropOp::Namespace(namespace) => (3, Some(format!("{:#x}", namespace.0))),
    };
    let mut object = Map::new();
    if number > 0 {
        object.insert("drop_op".into(), number.into());
    }
    if let Some(value) = value {
        object.insert("drop_value".into(), value.into());
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use graphdb_types::Predicate;

    use super::*;

    fn listing() -> BackupListing {
        BackupListing {
            backup_id: "calm_owl".into(),
            backup_num: 2,
            encrypted: true,
            groups: [(1, vec!["name".to_owned()])].into(),
            path: "dgraph.20260104.224757.709".into(),
            since: 7,
            read_ts: 9,
            kind: "incremental",
            size_bytes: 1500,
            raw_bytes: Some(4000),
            entries: Some(12),
            drop_operations: vec![DropOp::All, DropOp::Predicate(Predicate::root("age"))],
            created_at: Some("2026-01-04T22:47:57Z".into()),
            written_by: "graphdb 0.1.0".into(),
        }
    }

    #[test]
    fn the_json_is_that_of_dgraph_byte_for_byte() {
        assert_eq!(to_json(&[], false).unwrap(), "null\n");
        let text = "[\n\t{\n\t\t\"path\": \"dgraph.20260104.224757.709\",\n\t\t\"since\": 7,\n\t\t\"read_ts\": 9,\n\t\t\"backup_id\": \"calm_owl\",\n\t\t\"backup_num\": 2,\n\t\t\"encrypted\": true,\n\t\t\"type\": \"incremental\"\n\t}\n]\n";
        assert_eq!(to_json(&[listing()], false).unwrap(), text);
    }

    #[test]
    fn verbose_json_has_groups_and_drops_without_zeros() {
        let object = to_object(&listing(), true);
        assert_eq!(object["groups"], json!({"1": ["name"]}));
        assert_eq!(object["drop_operations"], json!([{}, {"drop_op": 2, "drop_value": "age"}]));
    }

    #[test]
    fn the_table_has_a_row_for_each_backup() {
        let text = to_table(&[listing(), listing()], false).to_string();
        assert_eq!(text.lines().count(), 3);
        assert!(text.contains("calm_owl") && text.contains("1.5 kB") && !text.contains("age"), "{text}");
        assert!(to_table(&[listing()], true).to_string().contains("predicate age"));
    }
}
