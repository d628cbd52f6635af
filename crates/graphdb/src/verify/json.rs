//! The report for programs. The names are described in `docs/verify.md`, and stay.

use graphdb_backup::{Finding, Offset, Severity, VerifiedBackup, VerifiedObject, VerifiedSeries, VerifyReport};
use serde_json::{Value, json};

/// The whole report.
pub(super) fn to_json(report: &VerifyReport) -> Value {
    let sum = |of: fn(&VerifiedObject) -> Option<u64>| report.objects().filter_map(of).sum::<u64>();
    json!({
        "location": report.location,
        "level": report.level.name(),
        "outcome": report.outcome().name(),
        "totals": {
            "errors": report.count(Severity::Error),
            "warnings": report.count(Severity::Warning),
            "notes": report.count(Severity::Note),
            "objects": report.objects().count(),
            "objects_read": report.objects().filter(|object| object.entries.is_some()).count(),
            "size_bytes": sum(|object| object.size_bytes),
            "raw_bytes": sum(|object| object.raw_bytes),
            "entries": sum(|object| object.entries),
        },
        "series": report.series.iter().map(series).collect::<Vec<_>>(),
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
        "not_checked": report.not_checked,
    })
}

fn series(series: &VerifiedSeries) -> Value {
    let merged = series.merged.map(|merged| {
        json!({"lists": merged.lists, "predicates": merged.predicates, "max_uid": format!("{:#x}", merged.max_uid)})
    });
    json!({
        "backup_id": series.backup_id,
        "backups": series.backups.iter().map(backup).collect::<Vec<_>>(),
        "merged": merged,
    })
}

fn backup(backup: &VerifiedBackup) -> Value {
    json!({
        "backup_num": backup.backup_num,
        "path": backup.path.to_string(),
        "type": if backup.is_full { "full" } else { "incremental" },
        "read_ts": backup.read_ts,
        "encrypted": backup.is_encrypted,
        "written_by": backup.written_by,
        "objects": backup.objects.iter().map(object).collect::<Vec<_>>(),
    })
}

fn object(object: &VerifiedObject) -> Value {
    json!({
        "group": object.group.0,
        "object": object.object.to_string(),
        "size_bytes": object.size_bytes,
        "raw_bytes": object.raw_bytes,
        "entries": object.entries,
    })
}

fn finding(finding: &Finding) -> Value {
    let (offset, of) = match finding.offset {
        Some(Offset::Stored(at)) => (Some(at), Some("object")),
        Some(Offset::Frames(at)) => (Some(at), Some("frames")),
        None => (None, None),
    };
    json!({
        "severity": finding.severity.to_string(),
        "kind": finding.kind.name(),
        "backup_id": finding.backup_id,
        "backup_num": finding.backup_num,
        "group": finding.group.map(|group| group.0),
        "object": finding.object.as_ref().map(ToString::to_string),
        "offset": offset,
        "offset_in": of,
        "key": finding.key,
        "count": finding.count,
        "what": finding.what,
    })
}
