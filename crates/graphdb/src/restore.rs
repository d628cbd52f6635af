//! `graphdb restore`: restores a series into directories that nodes then serve, and moves the leases of a running cluster past it.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, anyhow, bail};
use clap::{ArgAction, Args};
use graphdb_backup::{Progress, RestoreReport, SeriesRequest, Tenant, restore_merged, restore_offline};
use graphdb_types::Namespace;

use crate::client::Client;
use crate::failure::misuse;
use crate::keys::{KeyFlags, KeySource, keep_out_of_core_dumps, read_key};
use crate::parts::{self, PartFlags};
use crate::places::{Place, PlaceFlags};
use crate::progress::{Reporter, Stand, grouped};

/// Restores a backup into directories that a node can then serve. No node may be running on them.
///
/// Each group of the backup becomes a directory p1, p2, … below --postings; those must be absent or empty. The whole series is proved
/// before anything is written, and the directories take their names only when they are complete.
///
/// Backups of Dgraph, of every version from 1.1 on, are restored like those of graphdb. Their index, reverse and count keys are made anew from
/// the data, because those that they hold can be out of date; what differed is reported.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  graphdb restore --location /srv/backups --postings /srv/restored --force-zero=false
  graphdb serve --postings /srv/restored/p1

  graphdb restore -l /srv/backups -p /srv/restored -z 127.0.0.1:8080      # moves the leases of a running node or Zero past the backup
  graphdb restore -l s3:///my-backups/graph -p /srv/restored --force-zero=false
  graphdb restore -l /srv/backups -p /srv/restored --backup-num 2 --encryption-key-file backup.key --force-zero=false

A part, on purpose; the report says what was left out:
  graphdb restore -l /srv/dgraph -p /srv/restored --groups 1,3 --force-zero=false             # group 2 may be missing
  graphdb restore -l /srv/dgraph -p /srv/restored --predicates name,0x12f-email --force-zero=false
  graphdb restore -l /srv/dgraph -p /srv/restored --namespace 0x12f --force-zero=false        # becomes namespace 0
  graphdb restore -l /srv/dgraph -p /srv/restored --incremental-from 2 --force-zero=false     # backup 1 is lost

All groups of a cluster for one node:
  graphdb restore -l /srv/dgraph -p /srv/restored --merge-groups --force-zero=false")]
pub(crate) struct RestoreArgs {
    /// Where the backups are: a path, file://, s3:// or minio:// [default: --backup-bucket]
    #[arg(short, long, value_name = "URI", env = "GRAPHDB_LOCATION")]
    location: Option<String>,

    /// Directory in which p1, p2, … are made
    #[arg(short, long, value_name = "DIR", env = "GRAPHDB_RESTORE_POSTINGS")]
    postings: PathBuf,

    /// HTTP address of the node or Zero whose leases are moved past what the backup uses
    #[arg(short, long, value_name = "HOST:PORT", env = "GRAPHDB_ZERO")]
    zero: Option<String>,

    /// Refuse to restore without --zero; with =false the numbers to set are only printed
    #[arg(long, value_name = "BOOL", env = "GRAPHDB_FORCE_ZERO", action = ArgAction::Set, num_args = 0..=1,
          require_equals = true, default_value_t = true, default_missing_value = "true")]
    force_zero: bool,

    /// The series to restore [default: the newest]
    #[arg(long, value_name = "ID", env = "GRAPHDB_BACKUP_ID")]
    backup_id: Option<String>,

    /// The last backup of the series to restore; 0 is its end
    #[arg(long, value_name = "N", env = "GRAPHDB_BACKUP_NUM", default_value_t = 0, allow_negative_numbers = true)]
    backup_num: i64,

    /// The first backup of the series to restore, on purpose without what those before it hold
    #[arg(long, value_name = "N", env = "GRAPHDB_INCREMENTAL_FROM", default_value_t = 0)]
    incremental_from: u64,

    /// Only one namespace, under another number: 0x12f:5; without :TO it becomes namespace 0
    #[arg(long, value_name = "FROM[:TO]", env = "GRAPHDB_NAMESPACE")]
    namespace: Option<String>,

    /// Restore all groups into p1, for one node, instead of each into its own directory
    #[arg(long, env = "GRAPHDB_MERGE_GROUPS")]
    merge_groups: bool,

    #[command(flatten)]
    parts: PartFlags,

    /// File with the token of the node at --zero
    #[arg(long, value_name = "FILE", env = "GRAPHDB_AUTH_TOKEN_FILE")]
    auth_token_file: Option<PathBuf>,

    #[command(flatten)]
    key: KeyFlags,

    #[command(flatten)]
    place: PlaceFlags,
}

/// Runs `graphdb restore`.
pub(crate) fn run(args: RestoreArgs) -> anyhow::Result<()> {
    keep_out_of_core_dumps();
    let place = args.place.place(args.location.as_deref(), "--location").context("restore")?;
    let mut request = request(&args, &place)?;
    let key = args.key.source()?;
    let zero = zero(&args)?;
    if let Some(address) = key.as_ref().and_then(KeySource::overheard) {
        tracing::warn!(%address, "the key comes from Vault over http: who is on the way can read it; use https");
    }
    let runtime = tokio::runtime::Runtime::new().context("start")?;
    request.key = key.map(|source| runtime.block_on(read_key(source))).transpose()?;
    let begin = Instant::now();
    let progress = Progress::default();
    let report = {
        let _reporter = show(progress.clone());
        runtime.block_on(restore(&args, &place, &request, &progress)).context("restore")?
    };
    print_report(&report, &progress, begin.elapsed().as_secs_f64());
    match zero {
        Some(zero) => raise_leases(&zero, &report).with_context(|| by_hand(&report)),
        None => Ok(()),
    }
}

async fn restore(
    args: &RestoreArgs,
    place: &Place,
    request: &SeriesRequest,
    progress: &Progress,
) -> graphdb_backup::Result<RestoreReport> {
    if args.merge_groups {
        restore_merged(&place.locations, request, &args.postings, progress).await
    } else {
        restore_offline(&place.locations, request, &args.postings, progress).await
    }
}

fn request(args: &RestoreArgs, place: &Place) -> anyhow::Result<SeriesRequest> {
    let backup_num = u64::try_from(args.backup_num)
        .map_err(|_| misuse(format!("--backup-num must be 0 (the whole series) or more, not {}", args.backup_num)))?;
    Ok(SeriesRequest {
        location: place.request.clone(),
        backup_id: args.backup_id.clone().filter(|id| !id.is_empty()),
        backup_num: Some(backup_num).filter(|number| *number > 0),
        incremental_from: args.incremental_from,
        selection: args.parts.selection(args.namespace.as_deref().map(tenant).transpose()?)?,
        key: None,
    })
}

/// Reads `FROM` or `FROM:TO`.
fn tenant(text: &str) -> anyhow::Result<Tenant> {
    let (from, to) = text.split_once(':').map_or((text, None), |(from, to)| (from, Some(to)));
    let to = to.map_or(Ok(Namespace::ROOT), parts::namespace)?;
    Ok(Tenant { from: parts::namespace(from)?, to })
}

fn zero(args: &RestoreArgs) -> anyhow::Result<Option<Client>> {
    match args.zero.as_deref().filter(|zero| !zero.is_empty()) {
        Some(zero) => Client::new(zero, args.auth_token_file.as_deref()).map(Some),
        None if args.force_zero => Err(misuse(
            "restore needs the address of a node or Zero (--zero HOST:PORT) to move its leases past the backup; \
             a node that will serve the restored directory alone needs none: say --force-zero=false, and the numbers are only printed",
        )),
        None => Ok(None),
    }
}

fn show(progress: Progress) -> Reporter {
    Reporter::start(move || {
        let percent = progress.percent();
        let text = format!("{}: {} entries", progress.phase(), grouped(progress.entries()));
        Stand { part: (percent > 0.0).then_some(percent / 100.0), text }
    })
}

fn print_report(report: &RestoreReport, progress: &Progress, seconds: f64) {
    for group in &report.groups {
        let lists = grouped(group.lists);
        println!("Restored group {} into {}: {lists} posting lists", group.group, group.dir.display());
    }
    let entries = progress.entries();
    let rate = grouped((entries as f64 / seconds.max(1e-3)) as u64);
    println!(
        "Series {} up to backup {}: {} entries in {seconds:.1} s ({rate}/s)",
        report.backup_id,
        report.backup_num,
        grouped(entries)
    );
    println!("Restore version: {}", report.read_ts.0);
    println!("Restore max uid: {}", report.max_uid);
    println!("Restore max namespace: {}", report.max_namespace);
    if let Some(what) = &report.partial {
        println!("PARTIAL RESULT, as asked for: it holds {what}");
    }
    for note in [report.unproved.map(str::to_owned), report.stale.summary()].into_iter().flatten() {
        println!("Note: {note}");
    }
}

/// What somebody has to do whose leases could not be moved.
fn by_hand(report: &RestoreReport) -> String {
    let (uid, ts) = (report.max_uid, report.read_ts.0);
    format!(
        "the restored directories are complete and stay, but the leases were not moved: \
         before anything is written, call /assign?what=uids&num=… until its endId is {uid} or more, \
         and /assign?what=timestamps&num=… until it is {ts} or more"
    )
}

/// Takes ids until those that the backup uses will not be handed out any more.
fn raise_leases(zero: &Client, report: &RestoreReport) -> anyhow::Result<()> {
    for (what, least) in [("uids", report.max_uid), ("timestamps", report.read_ts.0), ("nsids", report.max_namespace)] {
        if least > 0 {
            let end = lease_past(least, |count| assign(zero, what, count))?;
            println!("Leases of {} at {}: up to {end}", what, zero.base());
        }
    }
    Ok(())
}

/// Asks for one id to learn where the counter stands, then for as many as are missing. What `/state` shows as leased may still be handed
/// out, so that would not tell.
fn lease_past(least: u64, mut assign: impl FnMut(u64) -> anyhow::Result<u64>) -> anyhow::Result<u64> {
    let mut end = assign(1)?;
    while end < least {
        let next = assign(least - end)?;
        if next <= end {
            bail!("ids were handed out that do not grow: {next} after {end}");
        }
        end = next;
    }
    Ok(end)
}

fn assign(zero: &Client, what: &str, count: u64) -> anyhow::Result<u64> {
    let answer = zero.get(&format!("/assign?what={what}&num={count}"))?;
    let end = &answer["endId"];
    let number = end.as_u64().or_else(|| end.as_str()?.parse().ok());
    number.ok_or_else(|| anyhow!("{}/assign answered without an endId: {answer}", zero.base()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        restore: RestoreArgs,
    }

    fn args(text: &str) -> RestoreArgs {
        Alone::try_parse_from(format!("restore -l /b -p /r {text}").split_whitespace()).unwrap().restore
    }

    fn parse(text: &str) -> anyhow::Result<SeriesRequest> {
        let args = args(text);
        request(&args, &args.place.place(args.location.as_deref(), "--location")?)
    }

    #[test]
    fn without_zero_a_restore_is_refused_unless_told_otherwise() {
        let error = zero(&args("")).err().unwrap().to_string();
        assert!(error.contains("--force-zero=false") && error.contains("--zero"), "{error}");
        assert!(zero(&args("--force-zero=false")).unwrap().is_none());
        assert!(zero(&args("-z localhost:6080")).unwrap().is_some());
        assert!(zero(&args("--force-zero")).is_err());
    }

    #[test]
    fn backup_number_0_is_the_whole_series_and_negative_ones_are_refused() {
        assert_eq!(parse("").unwrap().backup_num, None);
        assert_eq!(parse("--backup-num 0").unwrap().backup_num, None);
        assert_eq!(parse("--backup-num=2 --backup-id x").unwrap().backup_num, Some(2));
        let error = parse("--backup-num -1").unwrap_err();
        assert!(error.is::<crate::failure::Misuse>() && error.to_string().contains("-1"), "{error}");
    }

    #[test]
    fn a_part_is_asked_for_by_name() {
        let request = parse("--groups 1,3 --predicates name,0x12f-name --incremental-from 2").unwrap();
        assert_eq!((request.incremental_from, request.selection.groups.unwrap().len()), (2, 2));
        assert_eq!(request.selection.predicates.unwrap().len(), 2);
        for (text, to) in [("0x12f", 0), ("303:5", 5), ("0x12f:0x5", 5)] {
            let tenant = parse(&format!("--namespace {text}")).unwrap().selection.tenant.unwrap();
            assert_eq!((tenant.from, tenant.to), (Namespace(303), Namespace(to)), "{text}");
        }
        assert!(parse("--namespace 0x12f:x").unwrap_err().is::<crate::failure::Misuse>());
        assert!(parse("").unwrap().selection.is_all());
    }

    #[test]
    fn ids_are_taken_until_they_pass_the_backup_and_no_more() {
        for (next, least, taken) in [(1, 500, 500), (600, 500, 1), (500, 500, 1), (499, 500, 2)] {
            let (mut counter, mut sum) = (next, 0);
            let end = lease_past(least, |count| {
                (counter, sum) = (counter + count, sum + count);
                Ok(counter - 1)
            });
            assert!(end.unwrap() >= least);
            assert_eq!(sum, taken, "from {next} past {least}");
        }
        assert!(lease_past(9, |_| Ok(1)).is_err());
    }
}
