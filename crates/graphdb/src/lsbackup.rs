//! `graphdb lsbackup`: lists what is at a location.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use graphdb_backup::BackupListing;
use graphdb_types::{DropOp, Predicate};
use serde::Serialize as _;
use serde_json::{Map, Value, json};

use crate::places::PlaceFlags;
use crate::progress::{bytes, grouped};

/// Lists the backups at a location, oldest first, graphdb's and Dgraph's. Nothing is read but their manifests, and no key is needed.
///
/// What Dgraph's manifests do not say is a dash: `graphdb inspect` reads the archives and tells.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  graphdb lsbackup --location /srv/backups
  graphdb lsbackup -l s3:///my-backups/graph --output json --verbose
  graphdb lsbackup -l /srv/backups --backup-id calm_owl
  graphdb lsbackup --backup-bucket s3://my-backups/graph --backup-region eu-central-1")]
pub(crate) struct LsbackupArgs {
    /// Where the backups are: a path, file://, s3:// or minio:// [default: --backup-bucket]
    #[arg(short, long, value_name = "URI", env = "GRAPHDB_LOCATION")]
    location: Option<String>,

    /// List this series alone
    #[arg(long, value_name = "ID", env = "GRAPHDB_BACKUP_ID")]
    backup_id: Option<String>,

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
    let backups = of_series(backups, args.backup_id.as_deref()).context("list backups")?;
    match args.output {
        Output::Json => print!("{}", to_json(&backups, args.verbose)?),
        Output::Tsv => backups.iter().for_each(|backup| println!("{}", to_tsv(backup))),
        Output::Table if backups.is_empty() => println!("no backups at {}", place.shown),
        Output::Table => println!("{}", to_table(&backups, args.verbose)),
    }
    Ok(())
}

/// The backups of the series that was asked for.
fn of_series(mut backups: Vec<BackupListing>, asked: Option<&str>) -> anyhow::Result<Vec<BackupListing>> {
    let Some(asked) = asked.filter(|id| !id.is_empty()) else { return Ok(backups) };
    let existing: BTreeSet<String> = backups.iter().map(|backup| backup.backup_id.clone()).collect();
    backups.retain(|backup| backup.backup_id == asked);
    if backups.is_empty() {
        let existing = existing.into_iter().collect::<Vec<_>>().join(", ");
        bail!("no backups with backup_id {asked} found, there are: {existing}");
    }
    Ok(backups)
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
        stored(backup),
        or_dash(backup.raw_bytes, bytes),
        or_dash(backup.entries, grouped),
        if backup.encrypted { "yes" } else { "no" }.to_owned(),
        backup.created_at.clone().unwrap_or_else(|| "-".into()),
        backup.written_by.clone(),
        backup.path.clone(),
    ];
    if verbose {
        row.push(backup.groups.values().flatten().map(ToString::to_string).collect::<Vec<_>>().join(" "));
        row.push(backup.drop_operations.iter().map(drop_text).collect::<Vec<_>>().join(", "));
    }
    row
}

/// Bytes stored, and whether that is all.
fn stored(backup: &BackupListing) -> String {
    match backup.missing_objects {
        0 => bytes(backup.size_bytes),
        missing => format!("{}, {missing} of {} objects missing", bytes(backup.size_bytes), backup.groups.len()),
    }
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

/// The array of Dgraph's lsbackup since v21.03: indented with tabs, `null` if there is none, and what means something in HTML escaped.
fn to_json(backups: &[BackupListing], verbose: bool) -> anyhow::Result<String> {
    let list: Vec<Value> = backups.iter().map(|backup| to_object(backup, verbose)).collect();
    let value = if list.is_empty() { Value::Null } else { Value::Array(list) };
    let mut text = Vec::new();
    let tabs = serde_json::ser::PrettyFormatter::with_indent(b"\t");
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut text, tabs)).context("write JSON")?;
    text.push(b'\n');
    let text = String::from_utf8(text).context("write JSON")?;
    // Only strings hold these.
    let escapes = [('<', "003c"), ('>', "003e"), ('&', "0026"), ('\u{2028}', "2028"), ('\u{2029}', "2029")];
    Ok(escapes.into_iter().fold(text, |text, (char, code)| text.replace(char, &format!("\\u{code}"))))
}

fn to_object(b: &BackupListing, verbose: bool) -> Value {
    let (since, read_ts) = timestamps(b);
    let mut object = json!({
        "path": b.path, "since": since, "read_ts": read_ts, "backup_id": b.backup_id, "backup_num": b.backup_num,
        "encrypted": b.encrypted, "type": b.kind,
    });
    if verbose {
        if !b.groups.is_empty() {
            let names = |(group, predicates): (&u32, &Vec<Predicate>)| {
                (group.to_string(), predicates.iter().map(spaced).collect::<Value>())
            };
            object["groups"] = Value::Object(b.groups.iter().map(names).collect());
        }
        if !b.drop_operations.is_empty() {
            object["drop_operations"] =
                b.drop_operations.iter().map(|drop| drop_json(drop, b.dgraph_version)).collect();
        }
    }
    object
}

/// `since` and `read_ts` as Dgraph's lsbackup shows them: those of its own manifests as they stand there. To v20.11 `since` was the
/// instant of the backup; later it is always 0.
fn timestamps(b: &BackupListing) -> (u64, u64) {
    match b.dgraph_version {
        None => (b.since, b.read_ts),
        Some(0) => (b.read_ts, 0),
        Some(_) => (0, b.read_ts),
    }
}

/// A predicate as Dgraph shows those of every version: with its namespace in hex.
fn spaced(predicate: &Predicate) -> String {
    format!("{:x}-{}", predicate.namespace.0, predicate.name)
}

/// As in a manifest: what is zero or empty is left out, so dropping all is `{}`. Before namespaces all data was that of the root.
fn drop_json(operation: &DropOp, version: Option<u32>) -> Value {
    let (number, value) = match operation {
        DropOp::All => (0, None),
        DropOp::Data => (1, (version == Some(0)).then(|| "0x0".to_owned())),
        DropOp::NamespaceData(namespace) => (1, Some(namespace.to_string())),
        DropOp::Predicate(predicate) => (2, Some(spaced(predicate))),
        DropOp::Namespace(namespace) => (3, Some(namespace.to_string())),
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
    use super::*;

    fn listing() -> BackupListing {
        BackupListing {
            backup_id: "calm_owl".into(),
            backup_num: 2,
            encrypted: true,
            groups: [(1, vec![Predicate::root("name")])].into(),
            path: "dgraph.20260104.224757.709".into(),
            since: 7,
            read_ts: 9,
            kind: "incremental",
            size_bytes: 1500,
            missing_objects: 0,
            raw_bytes: Some(4000),
            entries: Some(12),
            drop_operations: vec![DropOp::All, DropOp::Predicate(Predicate::root("age"))],
            created_at: Some("2026-01-04T22:47:57Z".into()),
            written_by: "graphdb 0.1.0".into(),
            dgraph_version: None,
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
        assert_eq!(object["groups"], json!({"1": ["0-name"]}));
        assert_eq!(object["drop_operations"], json!([{}, {"drop_op": 2, "drop_value": "0-age"}]));
    }

    #[test]
    fn timestamps_of_dgraph_stand_as_in_its_manifests() {
        let shown = |version| timestamps(&BackupListing { dgraph_version: version, ..listing() });
        assert_eq!([None, Some(0), Some(2103), Some(2105)].map(shown), [(7, 9), (9, 0), (0, 9), (0, 9)]);
        assert_eq!(drop_json(&DropOp::Data, Some(0)), json!({"drop_op": 1, "drop_value": "0x0"}));
        assert_eq!(drop_json(&DropOp::Data, Some(2105)), json!({"drop_op": 1}));
    }

    #[test]
    fn what_means_something_in_html_is_escaped_as_go_does() {
        let groups = [(1, vec![Predicate::root("<a&b>")])].into();
        let text = to_json(&[BackupListing { groups, ..listing() }], true).unwrap();
        assert!(text.contains(r#""0-\u003ca\u0026b\u003e""#), "{text}");
    }

    #[test]
    fn one_series_is_listed_and_an_unknown_one_told() {
        let other = BackupListing { backup_id: "sad_owl".into(), ..listing() };
        let both = vec![listing(), other];
        assert_eq!(of_series(both.clone(), None).unwrap().len(), 2);
        assert_eq!(of_series(both.clone(), Some("")).unwrap().len(), 2);
        assert_eq!(of_series(both.clone(), Some("sad_owl")).unwrap()[0].backup_id, "sad_owl");
        let error = of_series(both, Some("owl")).unwrap_err().to_string();
        assert!(error.contains("there are: calm_owl, sad_owl"), "{error}");
    }

    #[test]
    fn objects_that_are_missing_are_told() {
        let text = to_table(&[BackupListing { missing_objects: 1, ..listing() }], false).to_string();
        assert!(text.contains("1.5 kB, 1 of 1 objects missing"), "{text}");
    }

    #[test]
    fn the_table_has_a_row_for_each_backup() {
        let text = to_table(&[listing(), listing()], false).to_string();
        assert_eq!(text.lines().count(), 3);
        assert!(text.contains("calm_owl") && text.contains("1.5 kB") && !text.contains("age"), "{text}");
        assert!(to_table(&[listing()], true).to_string().contains("predicate age"));
    }
}
