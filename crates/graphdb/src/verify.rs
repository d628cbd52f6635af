//! `graphdb verify`: says whether what is at a location can be restored, without restoring it.

mod json;
mod text;

use std::collections::BTreeSet;
use std::io::{self, Write as _};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use graphdb_backup::{Level, Outcome, Progress, Severity, VerifyReport, VerifyRequest, WhichSeries, verify};
use graphdb_types::GroupId;

use crate::failure::with_code;
use crate::keys::{KeyFlags, keep_out_of_core_dumps, read_key};
use crate::parts::SeriesFlags;
use crate::places::{Place, PlaceFlags};
use crate::progress::{Reporter, Stand, grouped};
use crate::scratch::{ScratchFlags, stoppable};

/// Verifies backups, graphdb's or Dgraph's, without restoring them: what is damaged, what is missing, what is odd, and what cannot be told.
///
/// With --quick it reads manifests and asks whether their objects are there. Without, it reads every object too and looks at each key-value.
/// With --deep it also reads the series as a restore would, makes index, reverse and count lists anew from the data, and compares. Nothing
/// is changed at the location, and damage does not end the run: everything else is still looked at.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes:
  0  nothing is wrong
  1  it could not run, or could not read everything: location, credentials, key
  2  misused
  3  damage: a restore would be refused, or would not give what was backed up
  4  warnings only: a restore gives what was backed up, but something is not as it should be

Examples:
  graphdb verify --location /srv/backups
  graphdb verify -l s3:///my-backups/graph --all --quick
  graphdb verify -l /srv/backups --deep --encryption-key-file backup.key
  graphdb verify -l /srv/backups --backup-id calm_owl --backup-num 3 --output json")]
pub(crate) struct VerifyArgs {
    /// Where the backups are: a path, file://, s3:// or minio:// [default: --backup-bucket]
    #[arg(short, long, value_name = "URI", env = "GRAPHDB_LOCATION")]
    location: Option<String>,

    /// Verify every series at the location, and not only one
    #[arg(long, env = "GRAPHDB_VERIFY_ALL", conflicts_with_all = ["backup_id", "backup_num", "incremental_from"])]
    all: bool,

    #[command(flatten)]
    series: SeriesFlags,

    /// Verify the archives of these groups alone
    #[arg(long, value_name = "N,…", env = "GRAPHDB_GROUPS", value_delimiter = ',')]
    groups: Vec<u32>,

    /// Read manifests alone, and ask whether their objects are there
    #[arg(long, env = "GRAPHDB_VERIFY_QUICK", conflicts_with = "deep")]
    quick: bool,

    /// Compare the state that a restore gives as well
    #[arg(long, env = "GRAPHDB_VERIFY_DEEP")]
    deep: bool,

    /// How to print
    #[arg(short, long, value_enum, value_name = "FORM", env = "GRAPHDB_VERIFY_OUTPUT", default_value = "text")]
    output: OutputForm,

    #[command(flatten)]
    scratch: ScratchFlags,

    #[command(flatten)]
    key: KeyFlags,

    #[command(flatten)]
    place: PlaceFlags,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OutputForm {
    /// For people
    Text,
    /// For programs; docs/verify.md says what means what
    Json,
}

/// The exit code of damage.
const DAMAGED: u8 = 3;

/// The exit code of warnings alone.
const WARNED: u8 = 4;

/// Runs `graphdb verify`.
pub(crate) fn run(args: VerifyArgs) -> anyhow::Result<()> {
    keep_out_of_core_dumps();
    let place = args.place.place(args.location.as_deref(), "--location").context("verify")?;
    let key = args.key.source()?;
    let runtime = tokio::runtime::Runtime::new().context("start")?;
    let mut request = request(&args, &place);
    request.key = key.map(|source| runtime.block_on(read_key(source))).transpose()?;
    let scratch = if args.deep { Some(args.scratch.create()?) } else { None };
    if let Some(scratch) = &scratch {
        request.scratch = scratch.path().to_owned();
    }
    let progress = Progress::default();
    let report = {
        let _reporter = show(progress.clone());
        let work = async { Ok(verify(&place.locations, &request, &progress).await?) };
        runtime.block_on(stoppable(&progress, work)).context("verify")?
    };
    drop(scratch);
    let shown = match args.output {
        OutputForm::Text => text::to_text(&report),
        OutputForm::Json => format!("{:#}\n", json::to_json(&report)),
    };
    print(&shown)?;
    conclude(&report)
}

fn request(args: &VerifyArgs, place: &Place) -> VerifyRequest {
    let which = if args.all {
        WhichSeries::All
    } else {
        WhichSeries::One {
            backup_id: args.series.backup_id(),
            backup_num: args.series.backup_num(),
            incremental_from: args.series.incremental_from,
        }
    };
    let groups: BTreeSet<GroupId> = args.groups.iter().copied().map(GroupId).collect();
    let level = match (args.quick, args.deep) {
        (true, _) => Level::Quick,
        (_, true) => Level::Deep,
        _ => Level::Default,
    };
    let groups = (!groups.is_empty()).then_some(groups);
    VerifyRequest { location: place.request.clone(), which, groups, level, ..VerifyRequest::default() }
}

fn show(progress: Progress) -> Reporter {
    Reporter::start(move || Stand {
        part: None,
        text: format!("{}: {} key-values", progress.phase(), grouped(progress.entries())),
    })
}

/// Whoever reads the report may stop before its end.
fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("write to standard output"),
        _ => Ok(()),
    }
}

/// The exit code.
fn conclude(report: &VerifyReport) -> anyhow::Result<()> {
    let said = |code, what: String| Err(with_code(code, format!("verify: {what}")));
    let (errors, warnings) = (report.count(Severity::Error), report.count(Severity::Warning));
    match report.outcome() {
        Outcome::Good => Ok(()),
        Outcome::Warnings => said(WARNED, format!("no damage, but {}", text::number(warnings, "warning"))),
        Outcome::Incomplete => said(1, format!("not everything could be read: {}", text::number(errors, "error"))),
        Outcome::Damaged => said(DAMAGED, format!("damage was found: {}", text::number(errors, "error"))),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        verify: VerifyArgs,
    }

    fn parse(text: &str) -> Option<VerifyRequest> {
        let words = ["verify", "-l", "/b"].into_iter().chain(text.split_whitespace());
        let args = Alone::try_parse_from(words).ok()?.verify;
        let place = args.place.place(args.location.as_deref(), "--location").unwrap();
        Some(request(&args, &place))
    }

    #[test]
    fn the_newest_series_is_verified_unless_all_are() {
        let one = parse("--backup-num 2 --groups 1,3 --deep").unwrap();
        assert!(matches!(one.which, WhichSeries::One { backup_id: None, backup_num: Some(2), incremental_from: 0 }));
        assert_eq!((one.groups.unwrap().len(), one.level), (2, Level::Deep));
        let all = parse("--all --quick").unwrap();
        assert!(matches!(all.which, WhichSeries::All) && all.level == Level::Quick && all.groups.is_none());
        for wrong in ["--all --backup-id x", "--quick --deep", "--groups a"] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }
}
