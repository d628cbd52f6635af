//! `graphdb export-backup`: what a series of backups holds, as text that can be loaded anywhere.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;
use clap::Args;
use graphdb_backup::{
    ExportPlace, ExportReport, Format, Progress, SeriesRequest, SeriesSource, Tenant, UnknownFormat, export_series,
};

use crate::failure::misuse;
use crate::keys::{KeyFlags, KeySource, keep_out_of_core_dumps, read_key};
use crate::parts::{self, PartFlags, SeriesFlags};
use crate::places::{Place, PlaceFlags};
use crate::progress::{self, Reporter, Stand, grouped};
use crate::scratch::{ScratchFlags, stoppable};

/// Exports what a series of backups holds, ours or Dgraph's, as text: N-Quads or JSON, schema and GraphQL schema.
///
/// The files go into a new folder dgraph.r<TIMESTAMP>.u<MMDD.HHMM>, which appears when it is complete: g01.rdf.gz or g01.json.gz,
/// g01.schema.gz and g01.gql_schema.gz of each group, in the form of Dgraph's exports. `graphdb live` loads such a folder.
///
/// The files are plain text in gzip, also when the backup is encrypted: whoever can read them can read all of it.
///
/// Left out are indexes, which are made anew when the export is loaded, and what a database keeps for itself, such as its records of drops.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  graphdb export-backup -l /srv/backups -d /srv/exports
  graphdb export-backup -l s3:///my-backups/graph -d /srv/exports --format json --backup-num 2
  graphdb export-backup -l /srv/backups -d s3:///my-exports --encryption-key-file backup.key
  graphdb export-backup -l /srv/backups -d /srv/exports --predicates name,friend --namespace 0
  graphdb live -f /srv/exports/dgraph.r17.u0104.2257")]
pub(crate) struct ExportArgs {
    /// Where the backups are: a path, file://, s3:// or minio:// [default: --backup-bucket]
    #[arg(short, long, value_name = "URI", env = "GRAPHDB_LOCATION")]
    location: Option<String>,

    /// Where the folder is made: a directory, which is made if it is missing, file://, s3:// or minio://
    #[arg(short, long, value_name = "DIR", env = "GRAPHDB_EXPORT_BACKUP_DESTINATION")]
    destination: String,

    /// How the data is written: rdf or json
    #[arg(short, long, value_name = "FORMAT", env = "GRAPHDB_EXPORT_BACKUP_FORMAT", default_value = "rdf")]
    format: String,

    #[command(flatten)]
    series: SeriesFlags,

    /// Only this namespace, as in 303 or 0x12f [default: all]
    #[arg(long, value_name = "N", env = "GRAPHDB_NAMESPACE")]
    namespace: Option<String>,

    #[command(flatten)]
    parts: PartFlags,

    #[command(flatten)]
    scratch: ScratchFlags,

    #[command(flatten)]
    key: KeyFlags,

    #[command(flatten)]
    place: PlaceFlags,
}

/// Runs `graphdb export-backup`.
pub(crate) fn run(args: ExportArgs) -> anyhow::Result<()> {
    keep_out_of_core_dumps();
    let format: Format = args
        .format
        .parse()
        .map_err(|UnknownFormat { .. }| misuse(format!("invalid format {}: rdf and json are known", args.format)))?;
    let from = args.place.place(args.location.as_deref(), "--location")?;
    let to = args.place.place(Some(&args.destination), "--destination")?;
    let mut request = request(&args, &from)?;
    let key = args.key.source()?;
    if let Some(address) = key.as_ref().and_then(KeySource::overheard) {
        tracing::warn!(%address, "the key comes from Vault over http: who is on the way can read it; use https");
    }
    let runtime = tokio::runtime::Runtime::new().context("start")?;
    request.key = key.map(|source| runtime.block_on(read_key(source))).transpose()?;
    let (begin, progress) = (Instant::now(), Progress::default());
    let report = {
        let _reporter = show(progress.clone());
        runtime.block_on(stoppable(&progress, export(&args, &from, &to, &request, format, &progress)))
    };
    let (series, report) = report.context("export")?;
    print!("{}", describe(&series, &report, begin.elapsed().as_secs_f64()));
    Ok(())
}

fn request(args: &ExportArgs, from: &Place) -> anyhow::Result<SeriesRequest> {
    let namespace = args.namespace.as_deref().filter(|text| !text.is_empty()).map(parts::namespace).transpose();
    let tenant = namespace.context("--namespace")?.map(|namespace| Tenant { from: namespace, to: namespace });
    Ok(SeriesRequest {
        location: from.request.clone(),
        backup_id: args.series.backup_id(),
        backup_num: args.series.backup_num(),
        incremental_from: args.series.incremental_from,
        selection: args.parts.selection(tenant)?,
        ..SeriesRequest::default()
    })
}

async fn export(
    args: &ExportArgs,
    from: &Place,
    to: &Place,
    request: &SeriesRequest,
    format: Format,
    progress: &Progress,
) -> anyhow::Result<(String, ExportReport)> {
    let source = SeriesSource::prove(&from.locations, request).await?;
    warn_of_risks(&source, request);
    let place = place_of(to).await?;
    let scratch = args.scratch.create()?;
    let newest = source.newest();
    let series = format!("series {} up to backup {}", newest.backup_id, newest.backup_num);
    Ok((series, export_series(&source, &place, format, scratch.path(), progress).await?))
}

/// Directories are made with all that is above them, as by Dgraph.
async fn place_of(to: &Place) -> anyhow::Result<ExportPlace> {
    use graphdb_destination::Location;
    Ok(match to.locations.resolve(&to.request)? {
        Location::File(directory) => ExportPlace::Directory(directory),
        _ => ExportPlace::open(&to.locations, &to.request).await?,
    })
}

fn warn_of_risks(source: &SeriesSource, request: &SeriesRequest) {
    if source.series().backups().iter().any(|backup| backup.is_encrypted) {
        tracing::warn!("the backup is encrypted, and its export is plain text: keep it where nobody else reads it");
    }
    if request.incremental_from > 1 {
        tracing::warn!(
            "what did not change since backup {} is missing in the export, as asked for with --incremental-from",
            request.incremental_from
        );
    }
}

fn show(progress: Progress) -> Reporter {
    Reporter::start(move || {
        let percent = progress.percent();
        let text = format!("{}: {} entries", progress.phase(), grouped(progress.entries()));
        Stand { part: (percent > 0.0).then_some(percent / 100.0), text }
    })
}

/// What was written of which series, and how it is loaded.
fn describe(series: &str, report: &ExportReport, seconds: f64) -> String {
    let folder = PathBuf::from(&report.location).join(&report.folder).display().to_string();
    let mut text = String::new();
    for group in &report.groups {
        let statements = count(group.statements, "value or edge", "values and edges");
        let predicates = count(group.predicates, "predicate", "predicates");
        let types = count(group.types, "type", "types");
        let graphql = count(group.graphql_schemas, "GraphQL schema", "GraphQL schemas");
        text.push_str(&format!("Group {}: {statements}, {predicates}, {types}, {graphql}\n", group.group));
    }
    for file in &report.files {
        text.push_str(&format!("  {} ({})\n", file.name, progress::bytes(file.size_bytes)));
    }
    if !report.undefined.is_empty() {
        let names: Vec<String> = report.undefined.iter().map(ToString::to_string).collect();
        text.push_str(&format!(
            "No backup defines {}: what the data looks like is written as the schema\n",
            names.join(", ")
        ));
    }
    text.push_str(&format!("Exported {series} (timestamp {}) into {folder} in {seconds:.1} s\n", report.read_ts));
    text + &how_to_load(report, &folder)
}

fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

fn how_to_load(report: &ExportReport, folder: &str) -> String {
    match report.location.contains("://") {
        true => format!("Load it with: graphdb live -f DIR, where DIR is a copy of {}\n", report.folder),
        false => format!("Load it with: graphdb live -f {}\n", quoted(folder)),
    }
}

/// As a shell reads it.
fn quoted(path: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if path.chars().all(is_plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use graphdb_backup::{ExportedFile, ExportedGroup};
    use graphdb_types::{GroupId, Predicate, Ts};

    use super::*;

    fn report(location: &str) -> ExportReport {
        let counts = ExportedGroup { group: GroupId(1), statements: 1234, predicates: 5, types: 2, graphql_schemas: 1 };
        ExportReport {
            location: location.into(),
            folder: "dgraph.r17.u0104.2257".into(),
            read_ts: Ts(17),
            files: vec![ExportedFile { name: "dgraph.r17.u0104.2257/g01.rdf.gz".into(), size_bytes: 1500 }],
            groups: vec![counts],
            undefined: vec![Predicate::root("age")],
        }
    }

    #[test]
    fn an_export_is_described_with_the_command_that_loads_it() {
        let text = describe("series calm_owl up to backup 3", &report("/srv/my exports"), 1.25);
        let expected = "\
Group 1: 1,234 values and edges, 5 predicates, 2 types, 1 GraphQL schema
  dgraph.r17.u0104.2257/g01.rdf.gz (1.5 kB)
No backup defines age: what the data looks like is written as the schema
Exported series calm_owl up to backup 3 (timestamp 17) into /srv/my exports/dgraph.r17.u0104.2257 in 1.2 s
Load it with: graphdb live -f '/srv/my exports/dgraph.r17.u0104.2257'
";
        assert_eq!(text, expected);
        let text = describe("", &report("s3:///exports"), 0.0);
        assert!(text.contains("into s3:///exports/dgraph.r17") && text.contains("-f DIR"), "{text}");
    }

    #[test]
    fn paths_are_quoted_for_a_shell() {
        assert_eq!(quoted("/srv/a-1.b"), "/srv/a-1.b");
        assert_eq!(quoted("/srv/it's"), r"'/srv/it'\''s'");
    }
}
