//! The report for people.

use std::fmt::Write as _;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use graphdb_backup::{Level, Outcome, Severity, VerifiedBackup, VerifiedObject, VerifiedSeries, VerifyReport};

use crate::progress::{bytes, grouped};

/// What was looked at, what was found, what was not looked at, and what it comes to.
pub(super) fn to_text(report: &VerifyReport) -> String {
    let mut text = String::new();
    for series in &report.series {
        _ = writeln!(text, "Series {}\n{}", series.backup_id, table(series));
        if let Some(merged) = &series.merged {
            let (lists, predicates) = (grouped(merged.lists), grouped(merged.predicates));
            _ = writeln!(
                text,
                "  all together: {lists} lists of {predicates} predicates, uids up to {:#x}",
                merged.max_uid
            );
        }
        text.push('\n');
    }
    for severity in [Severity::Error, Severity::Warning, Severity::Note] {
        for finding in report.findings.iter().filter(|finding| finding.severity == severity) {
            _ = writeln!(text, "{severity}: [{}] {finding}", finding.kind.name());
        }
    }
    if !report.findings.is_empty() {
        text.push('\n');
    }
    if !report.not_checked.is_empty() {
        text.push_str("Not checked:\n");
        report.not_checked.iter().for_each(|what| _ = writeln!(text, "  - {what}"));
        text.push('\n');
    }
    _ = writeln!(text, "{}", conclusion(report));
    text
}

fn table(series: &VerifiedSeries) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["NUM", "TYPE", "READ_TS", "GROUP", "STORED", "KEY-VALUES", "OBJECT"]);
    for backup in &series.backups {
        for object in &backup.objects {
            table.add_row(row(backup, object));
        }
    }
    for numeric in [0, 2, 3, 4, 5] {
        if let Some(column) = table.column_mut(numeric) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn row(backup: &VerifiedBackup, object: &VerifiedObject) -> Vec<String> {
    vec![
        backup.backup_num.to_string(),
        if backup.is_full { "full" } else { "incremental" }.to_owned(),
        backup.read_ts.to_string(),
        object.group.to_string(),
        object.size_bytes.map_or_else(|| "missing".into(), bytes),
        object.entries.map_or_else(|| "-".into(), grouped),
        object.object.to_string(),
    ]
}

fn conclusion(report: &VerifyReport) -> String {
    let looked_at = match report.level {
        Level::Quick => "manifests and the presence of their objects",
        Level::Default => "manifests and objects",
        Level::Deep => "manifests, objects and the state they give",
    };
    let (read, all) =
        (report.objects().filter(|object| object.entries.is_some()).count() as u64, report.objects().count() as u64);
    let objects = match report.level {
        Level::Quick => number(all, "object"),
        _ => format!("{} of {} read to the end", grouped(read), number(all, "object")),
    };
    let result = match report.outcome() {
        Outcome::Good => "GOOD: nothing is wrong with",
        Outcome::Warnings => "GOOD WITH WARNINGS: no damage in",
        Outcome::Incomplete => "INCOMPLETE: not everything could be read of",
        Outcome::Damaged => "DAMAGED: a restore would be refused or wrong; looked at were",
    };
    let counts =
        [Severity::Error, Severity::Warning, Severity::Note].map(|of| number(report.count(of), &of.to_string()));
    format!("{result} {looked_at} ({objects}). {}.", counts.join(", "))
}

/// `1 error`, `2 errors`.
pub(super) fn number(count: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(count), if count == 1 { "" } else { "s" })
}
