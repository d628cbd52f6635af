//! Verifying: whether what is at a location can be restored, without restoring it.
//!
//! Three levels. *Quick* reads manifests and asks whether their objects are there. *Default* reads every object as well and looks at each
//! key-value by itself, and at each predicate within its archive. *Deep* also reads the series as a restore would, and holds what is derived
//! against the data. Damage never ends a run: it becomes a [`Finding`] that says where it is, and the rest is still looked at.

mod chain;
mod entries;
mod list;
mod merged;
mod object;
mod observed;
mod report;
mod shown;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use graphdb_archive::{Backup, EncryptionKey, GroupArchive};
use graphdb_destination::{Destination, LocationRequest, Locations};
use graphdb_types::{GroupId, ObjectName};

use crate::catalogue::read_catalogue;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::selection::Selection;
use crate::source::SeriesRequest;

use chain::{Chain, scope_of, unlock};
use entries::Facts;
use object::{Job, ReadObject};
use report::{Findings, Scope};

pub use chain::WhichSeries;
pub use report::{
    Finding, Kind, Level, MergedState, Offset, Outcome, Severity, VerifiedBackup, VerifiedObject, VerifiedSeries,
    VerifyReport,
};

/// What to verify, and how much of it.
#[derive(Clone, Debug, Default)]
pub struct VerifyRequest {
    /// Where the backups are.
    pub location: LocationRequest,
    /// Which of the series there.
    pub which: WhichSeries,
    /// Only the archives of these groups.
    pub groups: Option<BTreeSet<GroupId>>,
    /// The key of encrypted backups.
    pub key: Option<Arc<EncryptionKey>>,
    /// How much is looked at.
    pub level: Level,
    /// A directory for files in which key-values are sorted, its user's alone; only [`Level::Deep`] uses it.
    pub scratch: PathBuf,
}

/// Verifies what is at a location. Nothing there is changed. Memory does not depend on the size of what is read: it is a few times the
/// greatest key-value, and at [`Level::Deep`] the buffers of sorting.
///
/// # Errors
/// What keeps the run from beginning or going on: a location that cannot be listed, a series that is not there, the directory for sorting.
/// Damage is no error, but a finding.
pub async fn verify(locations: &Locations, request: &VerifyRequest, progress: &Progress) -> Result<VerifyReport> {
    verify_at(locations.open_existing(&request.location).await?, request, progress).await
}

/// As [`verify`], at a destination that is open already.
pub async fn verify_at(
    destination: Arc<dyn Destination>,
    request: &VerifyRequest,
    progress: &Progress,
) -> Result<VerifyReport> {
    progress.enter("list");
    let (backups, unreadable, objects) = read_catalogue(&*destination).await?.into_parts();
    let mut run = Run {
        destination,
        request,
        progress,
        findings: Findings::default(),
        series: Vec::new(),
        not_merged: Vec::new(),
    };
    run.findings.extend(unreadable.iter().map(|err| Scope::default().error(Kind::Manifest, err.to_string())));
    run.findings.extend(without_manifest(&backups, &unreadable, &objects));
    let location = run.destination.describe();
    let chains = chain::choose(&location, backups, &request.which, !unreadable.is_empty())?;
    for chain in &chains {
        run.verify_series(chain).await?;
    }
    let mut not_checked = not_checked(&chains, request);
    not_checked.append(&mut run.not_merged);
    let (series, findings) = (run.series, run.findings.into_listed());
    Ok(VerifyReport { location, level: request.level, series, findings, not_checked })
}

/// Folders that have archives and no manifest: backups that were not finished, or whose manifest is lost.
fn without_manifest(backups: &[Backup], unreadable: &[Error], objects: &BTreeMap<ObjectName, u64>) -> Vec<Finding> {
    // Which folder a manifest is of that cannot be read is told in words only.
    if !unreadable.is_empty() {
        return Vec::new();
    }
    let known: BTreeSet<&str> = backups.iter().map(|backup| backup.folder.as_str()).collect();
    let archives = objects.keys().filter(|name| name.as_str().ends_with(".backup"));
    let folders = archives.filter_map(|name| name.as_str().rsplit_once('/').map(|(folder, _)| folder));
    let unknown: BTreeSet<&str> = folders.filter(|folder| !known.contains(folder)).collect();
    let finding = |folder: &str| {
        let scope = Scope { object: folder.parse().ok(), ..Scope::default() };
        let what =
            "it has archives, and no manifest names them: a backup that was not finished, or whose manifest is lost";
        scope.finding(Severity::Warning, Kind::NoManifest, what)
    };
    unknown.into_iter().map(finding).collect()
}

/// A run, with what it found so far.
struct Run<'a> {
    destination: Arc<dyn Destination>,
    request: &'a VerifyRequest,
    progress: &'a Progress,
    findings: Findings,
    series: Vec<VerifiedSeries>,
    /// Of which series the merged state was not looked at, a sentence each.
    not_merged: Vec<String>,
}

impl Run<'_> {
    async fn verify_series(&mut self, chain: &Chain) -> Result<()> {
        chain.check_groups(self.request)?;
        let before = self.findings.listed().len();
        self.findings.extend(chain.breaks());
        let mut backups = Vec::with_capacity(chain.backups.len());
        let mut foreign = Foreign::default();
        for backup in &chain.backups {
            backups.push(self.verify_backup(chain, backup, &mut foreign).await?);
        }
        self.findings.extend(foreign.into_findings());
        let is_sound = self.findings.listed()[before..].iter().all(|finding| finding.severity < Severity::Error);
        let merged = match self.request.level {
            Level::Deep if is_sound => self.verify_merged(chain).await?,
            Level::Deep => {
                let id = &chain.backup_id;
                self.not_merged
                    .push(format!("The state that the backups of series {id} give together: there are errors above."));
                None
            }
            _ => None,
        };
        self.series.push(VerifiedSeries { backup_id: chain.backup_id.clone(), backups, merged });
        Ok(())
    }

    async fn verify_backup(&mut self, chain: &Chain, backup: &Backup, foreign: &mut Foreign) -> Result<VerifiedBackup> {
        let locked = unlock(backup, self.request.key.as_deref(), self.request.level);
        let is_readable =
            self.request.level > Level::Quick && locked.as_ref().is_none_or(|finding| finding.kind != Kind::KeyNeeded);
        self.findings.extend(locked);
        let mut objects = Vec::new();
        for (group, archive) in &backup.groups {
            if self.request.groups.as_ref().is_none_or(|wanted| wanted.contains(group)) {
                objects.push(self.verify_object(chain, backup, (*group, archive), is_readable, foreign).await?);
            }
        }
        Ok(VerifiedBackup {
            backup_num: backup.backup_num,
            path: backup.folder.clone(),
            is_full: backup.is_full,
            read_ts: backup.read_ts.0,
            is_encrypted: backup.is_encrypted,
            written_by: backup.origin.to_string(),
            objects,
        })
    }

    async fn verify_object(
        &mut self,
        chain: &Chain,
        backup: &Backup,
        (group, archive): (GroupId, &GroupArchive),
        is_readable: bool,
        foreign: &mut Foreign,
    ) -> Result<VerifiedObject> {
        self.progress.check_cancelled()?;
        let object = archive.object.clone();
        let scope = Scope { group: Some(group), object: Some(object.clone()), ..scope_of(backup) };
        let size_bytes = self.find_object(&scope, archive).await;
        let mut verified = VerifiedObject { group, object, size_bytes, raw_bytes: None, entries: None };
        let Some(size_bytes) = size_bytes.filter(|_| is_readable) else { return Ok(verified) };
        self.progress.enter("read");
        let job = Job {
            destination: Arc::clone(&self.destination),
            scope: scope.clone(),
            object: archive.object.clone(),
            size_bytes,
            stored: archive.stored,
            key: self.request.key.clone().filter(|_| backup.is_encrypted),
            facts: Facts::new(backup, group, chain.dropped_up_to(backup)),
        };
        let ReadObject { findings, found, is_foreign } = object::read(job, self.progress).await?;
        let findings = findings.into_listed();
        match is_foreign && archive.stored.is_none() {
            true => foreign.findings.extend(findings),
            false => self.findings.extend(findings),
        }
        foreign.decrypted |= backup.is_encrypted && found.is_some();
        verified.raw_bytes = found.map(|found| found.raw_bytes);
        verified.entries = found.map(|found| found.entries);
        Ok(verified)
    }

    /// The size of an object, if it is there.
    async fn find_object(&mut self, scope: &Scope, archive: &GroupArchive) -> Option<u64> {
        match self.destination.stat(&archive.object).await {
            Ok(found) => {
                let size = found.size_bytes;
                let expected = archive.stored.map_or(size, |stored| stored.size_bytes);
                if size != expected {
                    let what = format!("it has {size} bytes, its manifest says {expected}");
                    self.findings.push(scope.error(Kind::ObjectSize, what));
                } else if size == 0 {
                    self.findings.push(scope.error(Kind::ObjectSize, "it is empty"));
                }
                Some(size)
            }
            Err(err) if err.is_not_found() => {
                self.findings.push(scope.error(Kind::ObjectMissing, "it is missing"));
                None
            }
            Err(err) => {
                self.findings.push(scope.error(Kind::Unread, err.to_string()));
                None
            }
        }
    }

    async fn verify_merged(&mut self, chain: &Chain) -> Result<Option<MergedState>> {
        self.progress.enter("compare");
        let newest = chain.newest();
        let request = SeriesRequest {
            location: self.request.location.clone(),
            backup_id: Some(chain.backup_id.clone()),
            backup_num: Some(newest.backup_num),
            incremental_from: chain.first,
            selection: Selection { groups: self.request.groups.clone(), ..Selection::default() },
            key: self.request.key.clone().filter(|_| chain.backups.iter().any(|backup| backup.is_encrypted)),
        };
        let (destination, scope) = (Arc::clone(&self.destination), chain.scope());
        let (found, merged) =
            merged::check(destination, &request, &self.request.scratch, self.progress, &scope).await?;
        self.findings.extend(found.into_listed());
        Ok(merged)
    }
}

/// Encrypted objects of Dgraph's that begin with nothing an archive begins with. If none of a series can be decrypted, the key is wrong; if
/// some can, these are damaged.
#[derive(Default)]
struct Foreign {
    findings: Vec<Finding>,
    decrypted: bool,
}

impl Foreign {
    fn into_findings(self) -> Vec<Finding> {
        let Foreign { mut findings, decrypted } = self;
        if !decrypted {
            for finding in findings.iter_mut().filter(|finding| finding.kind == Kind::Archive) {
                finding.kind = Kind::KeyNeeded;
                finding.what = "it does not decrypt with this key, and neither does any object of its series: the encryption key is probably not the one it was written with".into();
            }
        }
        findings
    }
}

/// What the run cannot tell.
fn not_checked(chains: &[Chain], request: &VerifyRequest) -> Vec<String> {
    let level = request.level;
    let any = |is: fn(&Backup) -> bool| chains.iter().flat_map(|chain| &chain.backups).any(is);
    let is_dgraphs = |backup: &Backup| backup.sealed().is_none();
    let said = [
        (level == Level::Quick, "What is in the objects: --quick reads manifests alone."),
        (
            level == Level::Quick
                && request.key.is_none()
                && any(|backup| backup.sealed().is_some() && backup.is_encrypted),
            "Whether an owner of the key wrote the manifests of encrypted backups: that takes the key.",
        ),
        (
            level == Level::Default,
            "Whether index, reverse and count lists follow from the data, whether lists in parts are complete, and the state that all backups give together: --deep does.",
        ),
        (
            level == Level::Deep,
            "The states of earlier backups: --deep compares the one at the last backup; --backup-num chooses another.",
        ),
        (
            level == Level::Deep && any(is_dgraphs),
            "Exact index tokens of values with languages, Dgraph's collation keys, and fulltext tokens of stop words in languages other than English: neither are reproduced.",
        ),
        (any(is_dgraphs), "What is in the helper predicates of vector indexes: restores leave them out."),
        (
            any(is_dgraphs),
            "Whether Dgraph's objects are those that were written: its manifests hold no sizes and digests, so damage shows by the checksums of the compression (CRC-32), by frames and by content.",
        ),
        (
            any(|backup| backup.sealed().is_none() && backup.is_encrypted),
            "Whether somebody without the key changed Dgraph's encrypted objects on purpose: they carry no authentication.",
        ),
        (request.groups.is_some(), "Groups other than those of --groups."),
        (
            chains.iter().any(|chain| chain.first > 1),
            "Backups before the one of --incremental-from: what is restored without them is a part.",
        ),
    ];
    said.into_iter().filter(|(holds, _)| *holds).map(|(_, said)| said.to_owned()).collect()
}
