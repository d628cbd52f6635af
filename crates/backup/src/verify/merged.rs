//! The state that a restore gives: what is derived is made anew and compared, and the data is held against the schema that counts.

use std::path::Path;
use std::sync::Arc;

use graphdb_destination::Destination;
use graphdb_storage::StoredEntry;
use graphdb_types::{Key, Predicate, Schema};

use super::list::{Damage, look};
use super::observed::{Mismatch, Observed};
use super::report::{Finding, Findings, Kind, MergedState, Scope, Severity};
use super::shown::{listed, shown_key};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::source::{SeriesRequest, SeriesSource, StateSummary, StateVisitor};

/// Reads the merged state of a series whose objects were found good.
///
/// # Errors
/// That the work was cancelled, or that the directory for sorting cannot be used; damage is a finding.
pub(super) async fn check(
    destination: Arc<dyn Destination>,
    request: &SeriesRequest,
    scratch: &Path,
    progress: &Progress,
    scope: &Scope,
) -> Result<(Findings, Option<MergedState>)> {
    let mut findings = Findings::default();
    match read(destination, request, scratch, progress).await {
        Ok((source, visitor, summary)) => {
            findings.extend(visitor.findings.into_listed());
            findings.extend(of_summary(&source, &summary, scope));
            let StateSummary { lists, max_uid, schema, .. } = summary;
            let predicates = schema.predicates.len() as u64;
            Ok((findings, Some(MergedState { lists, predicates, max_uid })))
        }
        Err(err @ (Error::Cancelled(_) | Error::Io { .. } | Error::Thread(_))) => Err(err),
        Err(err @ Error::Destination(_)) => {
            findings.push(scope.error(Kind::Unread, err.to_string()));
            Ok((findings, None))
        }
        Err(err) => {
            findings.push(scope.error(Kind::MergedState, err.to_string()));
            Ok((findings, None))
        }
    }
}

async fn read(
    destination: Arc<dyn Destination>,
    request: &SeriesRequest,
    scratch: &Path,
    progress: &Progress,
) -> Result<(SeriesSource, StateCheck, StateSummary)> {
    let source = SeriesSource::prove_at(destination, request).await?;
    let scope = Scope { backup_id: Some(source.newest().backup_id.clone()), ..Scope::default() };
    let visitor = StateCheck { scope, ..StateCheck::default() };
    let (visitor, summary) = source.read_rebuilt(&source.groups(), scratch, progress, visitor).await?;
    Ok((source, visitor.end(), summary))
}

/// Looks at the data lists of the merged state, predicate by predicate.
#[derive(Debug, Default)]
struct StateCheck {
    scope: Scope,
    schema: Schema,
    current: Option<Current>,
    findings: Findings,
}

#[derive(Debug)]
struct Current {
    prefix: Vec<u8>,
    predicate: Predicate,
    observed: Observed,
}

impl StateVisitor for StateCheck {
    const SCHEMA_FIRST: bool = true;

    fn begin(&mut self, schema: &Schema) -> Result<()> {
        self.schema = schema.clone();
        Ok(())
    }

    fn list(&mut self, entry: StoredEntry<'_>) -> Result<()> {
        if !self.current.as_ref().is_some_and(|current| entry.key.starts_with(&current.prefix)) {
            self.enter(entry.key)?;
        }
        let Some(current) = &mut self.current else { return Ok(()) };
        let rest = &entry.key[current.prefix.len()..];
        if rest.first() == Some(&DATA) {
            match look(entry.list) {
                Ok(look) => current.observed.list(rest, &look, 0, entry.key),
                // A value that is none was found in its object.
                Err(Damage::Value(_)) => {}
                Err(Damage::List(what)) => {
                    let finding = self.scope.error(Kind::List, format!("malformed {what}"));
                    self.findings.push(finding.key(shown_key(entry.key)));
                }
            }
        }
        Ok(())
    }
}

/// What stands behind the predicate in the stored key of a data list.
const DATA: u8 = 0;

impl StateCheck {
    fn enter(&mut self, key: &[u8]) -> Result<()> {
        self.leave();
        let damaged = |source| Error::DamagedList { key: key.escape_ascii().to_string(), source };
        let predicate = Key::from_stored(key).map_err(damaged)?.predicate;
        let prefix = Key::stored_prefix(&predicate);
        self.current = Some(Current { prefix, predicate, observed: Observed::default() });
        Ok(())
    }

    /// Holds the predicate against its schema.
    fn leave(&mut self) {
        let Some(Current { predicate, observed, .. }) = self.current.take() else { return };
        let Some(schema) = self.schema.predicate(&predicate) else { return };
        for Mismatch { kind, seen, what } in observed.mismatches(&predicate, schema) {
            let finding = self.scope.finding(Severity::Warning, kind, format!("in the merged state, {what}"));
            self.findings.push(finding.key(shown_key(&seen.key)).times(seen.count));
        }
    }

    fn end(mut self) -> StateCheck {
        self.leave();
        self
    }
}

/// What reading told beside the lists.
fn of_summary(source: &SeriesSource, summary: &StateSummary, scope: &Scope) -> Vec<Finding> {
    let mut found = Vec::new();
    let ours = source.newest().sealed().map(graphdb_archive::SealedManifest::manifest);
    let (severity, advice) = match ours {
        Some(_) => (Severity::Error, "queries of a restored node would be answered from them"),
        None => (Severity::Warning, "a Dgraph restore would answer from them, graphdb restore rebuilds them"),
    };
    for (predicate, keys) in &summary.stale.predicates {
        let what = format!(
            "predicate {predicate}: index, reverse or count lists are not what its data gives ({keys}): {advice}"
        );
        let mut finding = scope.finding(severity, Kind::StaleIndex, what).times(keys.total());
        finding.key = keys.example.as_ref().map(|key| shown_key(&key.to_stored()));
        found.push(finding);
    }
    for predicate in &summary.stale.undefined {
        let what = format!("predicate {predicate} has data, and no backup defines it: its type is told from the data");
        found.push(scope.finding(Severity::Warning, Kind::UndefinedPredicate, what));
    }
    let dropped: Vec<_> = summary.stale.dropped.iter().collect();
    if !dropped.is_empty() {
        let what =
            format!("dropped without a record: {}; their data in older backups does not count", listed(&dropped));
        found.push(scope.finding(Severity::Note, Kind::UnrecordedDrop, what).times(dropped.len() as u64));
    }
    if let Some(manifest) = ours
        && manifest.max_uid.0 < summary.max_uid
    {
        let what = format!(
            "uid {:#x} is in use, and the manifest says that none is above {}; a restore leases those it meets all the same",
            summary.max_uid, manifest.max_uid
        );
        found.push(scope.finding(Severity::Warning, Kind::UidLease, what));
    }
    found
}
