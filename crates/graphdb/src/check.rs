//! `graphdb check`: tries what a place can do, before the night on which a backup needs it.

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use graphdb_destination::{Ability, Finding, Outcome, ProbeReport};
use serde_json::{Value, json};

use crate::places::PlaceFlags;

/// Tries what a place can do: lists, writes, reads, creates a name twice, uploads in parts, deletes. It writes some tiny objects named
/// graphdb.probe.… and removes them.
///
/// Exits with 0 if backups can be taken there, also if nothing else can be done, and with 1 if none can.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  graphdb check --location s3:///my-bucket/graph
  graphdb check -l minio://store.example.org:9000/backups
  graphdb check -l /mnt/nas/backups --output json")]
pub(crate) struct CheckArgs {
    /// What to try, a path or URI [default: the place of --backup-bucket]
    #[arg(short, long, value_name = "URI", env = "GRAPHDB_LOCATION")]
    location: Option<String>,

    #[command(flatten)]
    place: PlaceFlags,

    /// How to print
    #[arg(short, long, value_enum, value_name = "FORM", env = "GRAPHDB_CHECK_OUTPUT", default_value = "table")]
    output: Output,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    /// For people
    Table,
    /// For programs
    Json,
}

/// Runs `graphdb check`.
pub(crate) fn run(args: CheckArgs) -> anyhow::Result<()> {
    let place = args.place.place(args.location.as_deref(), "--location")?;
    let runtime = tokio::runtime::Runtime::new().context("start")?;
    let report = runtime.block_on(place.locations.probe(&place.request)).context("check")?;
    match args.output {
        Output::Table => print!("{}", to_text(&report)),
        Output::Json => println!("{:#}", to_json(&report)),
    }
    if !report.can_back_up() {
        bail!("no backups can be taken at {}: {}", report.location, first_obstacle(&report));
    }
    Ok(())
}

fn first_obstacle(report: &ProbeReport) -> String {
    let obstacle = |ability| {
        report.findings.iter().find(|finding| finding.ability == ability).and_then(|finding| detail(&finding.outcome))
    };
    obstacle(Ability::Write)
        .or_else(|| obstacle(Ability::Multipart))
        .unwrap_or_else(|| "nothing can be written there".into())
}

fn to_text(report: &ProbeReport) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["TRIED", "WORKS", "WHY NOT"]);
    let is_bucket = is_bucket(report);
    for finding in &report.findings {
        table.add_row([finding.ability.to_string(), word(&finding.outcome).into(), why_not(finding, is_bucket)]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let table: String = table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    let mut text = format!("Location:    {}\nCredentials: {}\n\n{table}\n", report.location, report.credentials);
    for (what, answer) in verdicts(report) {
        text.push_str(&format!("{:<13}{answer}\n", format!("{what}:")));
    }
    text
}

/// What it all means, a line each.
fn verdicts(report: &ProbeReport) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let backups = match (report.can_back_up(), report.can_restore()) {
        (true, Some(true)) => "yes, full and incremental",
        (true, _) => "yes, full and incremental, without reading: the node remembers its series",
        (false, _) => "no",
    };
    lines.push(("Backups", backups.into()));
    lines.push(("Restores", restores(report).into()));
    if report.can_back_up() {
        lines.push(("Two nodes", two_nodes(report).into()));
    }
    let missing = report.missing_actions();
    if !missing.is_empty() && is_bucket(report) {
        lines.push((
            "Not allowed",
            format!("{}; a policy of the bucket or the user could allow it", missing.join(", ")),
        ));
    }
    if !report.left_behind.is_empty() {
        lines.push(("Left behind", format!("{}; may be deleted", report.left_behind.join(", "))));
    }
    lines
}

fn restores(report: &ProbeReport) -> &'static str {
    let lacks_rights = report.findings.iter().any(|finding| {
        matches!(finding.ability, Ability::List | Ability::Read | Ability::ReadRange)
            && matches!(finding.outcome, Outcome::Denied(_))
    });
    match report.can_restore() {
        Some(true) => "yes",
        Some(false) if lacks_rights => "no, not with these credentials",
        Some(false) => "no",
        None => "not known: there is nothing to read, and nothing could be written",
    }
}

/// A directory's location is a path.
fn is_bucket(report: &ProbeReport) -> bool {
    report.location.contains("://")
}

/// Whether two nodes that back up to the place at once are kept apart.
fn two_nodes(report: &ProbeReport) -> &'static str {
    if report.can(Ability::CreateOnceInARace) {
        "kept apart: of several writers of a name one wins"
    } else if report.can(Ability::CreateOnce) {
        "not kept apart in a race; only one is recorded, and reading is needed to see that"
    } else if report.can(Ability::List) && report.can(Ability::Read) {
        "kept apart by claims, since conditional writes are not honoured"
    } else {
        "not kept apart: let one node alone back up here"
    }
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Works => "yes",
        Outcome::Denied(_) => "denied",
        Outcome::NotOffered(_) => "no",
        Outcome::Failed(_) => "failed",
        _ => "-",
    }
}

fn why_not(finding: &Finding, is_bucket: bool) -> String {
    let detail = detail(&finding.outcome).unwrap_or_default();
    match finding.outcome {
        Outcome::Denied(_) if is_bucket => format!("needs {}: {detail}", finding.ability.s3_action()),
        _ => detail,
    }
}

fn detail(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Denied(why) | Outcome::NotOffered(why) | Outcome::Failed(why) => Some(why.clone()),
        _ => None,
    }
}

fn to_json(report: &ProbeReport) -> Value {
    let findings: serde_json::Map<String, Value> = report
        .findings
        .iter()
        .map(|finding| {
            let name = finding.ability.to_string().replace(", ", "_").replace(' ', "_");
            (name, json!({"result": word(&finding.outcome), "why_not": detail(&finding.outcome)}))
        })
        .collect();
    json!({
        "location": report.location,
        "credentials": report.credentials,
        "abilities": findings,
        "backups": report.can_back_up(),
        "restores": report.can_restore(),
        "not_allowed": report.missing_actions(),
        "left_behind": report.left_behind,
    })
}
