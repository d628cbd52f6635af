//! Every call to the backup engine, in the words of the endpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use graphdb_backup::{
    BackupDone, BackupListing, BackupRequest, ExportDone, ExportRequest, JobKind, JobRecord, JobStatus,
    LocationRequest, RestoreRequest, Selection, SeriesRequest, Tenant,
};
use graphdb_types::{Namespace, with_causes};

use crate::keys::{KeyLocation, KeyReader};

pub(crate) use graphdb_backup::Node;

/// Why the engine refused, with its causes, in one line.
pub(crate) type Why = String;

/// What a restore is asked for.
#[derive(Debug, Default)]
pub(crate) struct Restore {
    pub(crate) location: LocationRequest,
    pub(crate) backup_id: Option<String>,
    pub(crate) backup_num: Option<u64>,
    /// Above 1: upon what is there.
    pub(crate) incremental_from: u64,
    pub(crate) is_partial: bool,
    /// The one namespace that is wanted.
    pub(crate) tenant: Option<Tenant>,
    pub(crate) key: Option<KeyLocation>,
}

/// A backup as `listBackups` shows it.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) backup_id: String,
    pub(crate) backup_num: u64,
    pub(crate) encrypted: bool,
    pub(crate) groups: BTreeMap<u32, Vec<String>>,
    pub(crate) path: String,
    /// The instant the backup shows. Listings call it so although it is where the next one begins.
    pub(crate) since: u64,
    pub(crate) kind: &'static str,
    /// RFC 3339, when it began; `None` if its folder's name does not tell.
    pub(crate) created_at: Option<String>,
}

impl From<BackupListing> for Listed {
    fn from(listing: BackupListing) -> Listed {
        Listed {
            backup_id: listing.backup_id,
            backup_num: listing.backup_num,
            encrypted: listing.encrypted,
            groups: listing
                .groups
                .into_iter()
                .map(|(id, names)| (id, names.iter().map(ToString::to_string).collect()))
                .collect(),
            path: listing.path,
            since: listing.read_ts,
            kind: listing.kind,
            created_at: listing.created_at,
        }
    }
}

/// How far a restore is.
#[derive(Debug)]
pub(crate) struct Progress {
    /// In the words of `restoreStatus`.
    pub(crate) status: &'static str,
    pub(crate) errors: Vec<String>,
    pub(crate) phase: String,
    /// 0 to 100.
    pub(crate) percent: f64,
    pub(crate) note: Option<String>,
}

impl From<JobRecord> for Progress {
    fn from(record: JobRecord) -> Progress {
        let status = match record.status {
            JobStatus::Running => "IN_PROGRESS",
            JobStatus::Success => "OK",
            JobStatus::Failed => "ERR",
        };
        Progress { status, errors: record.errors, phase: record.phase, percent: record.percent, note: record.note }
    }
}

/// A task of the node.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) kind: TaskKind,
    pub(crate) status: TaskStatus,
    pub(crate) updated_at: SystemTime,
}

/// What a task does. Clients know more kinds than there are here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskKind {
    Backup,
    Export,
    Unknown,
}

/// How a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskStatus {
    Running,
    Failed,
    Success,
}

impl From<JobRecord> for Task {
    fn from(record: JobRecord) -> Task {
        let kind = match record.kind {
            JobKind::Backup => TaskKind::Backup,
            JobKind::Export => TaskKind::Export,
            JobKind::Restore => TaskKind::Unknown,
        };
        let status = match record.status {
            JobStatus::Running => TaskStatus::Running,
            JobStatus::Success => TaskStatus::Success,
            JobStatus::Failed => TaskStatus::Failed,
        };
        let since_epoch = Duration::from_secs(u64::try_from(record.updated_at).unwrap_or_default());
        Task { kind, status, updated_at: UNIX_EPOCH + since_epoch }
    }
}

/// Takes a backup; answers when it is complete.
pub(crate) async fn backup(node: &Node, request: BackupRequest) -> Result<BackupDone, Why> {
    node.backup(request).await.map_err(|error| with_causes(&error))
}

/// What is said of a backup that was taken.
pub(crate) fn completed(done: &BackupDone) -> String {
    match &done.note {
        Some(note) => format!("Backup completed. {note}"),
        None => "Backup completed.".into(),
    }
}

/// Exports the database; answers when the export is complete.
pub(crate) async fn export(node: &Node, request: ExportRequest) -> Result<ExportDone, Why> {
    node.export(request).await.map_err(|error| with_causes(&error))
}

/// How many namespaces beside the root's have predicates.
pub(crate) fn other_namespaces(node: &Node) -> Result<usize, Why> {
    let schema = node.any_store().map_err(|error| with_causes(&error))?.schema();
    let all: BTreeSet<Namespace> = schema.predicates.keys().map(|predicate| predicate.namespace).collect();
    Ok(all.into_iter().filter(|namespace| *namespace != Namespace::ROOT).count())
}

/// The backups at a location.
pub(crate) async fn list(node: &Node, at: &LocationRequest) -> Result<Vec<Listed>, Why> {
    let listings = node.list_backups(at).await.map_err(|error| with_causes(&error))?;
    Ok(listings.into_iter().map(Listed::from).collect())
}

/// Starts a restore that was verified; gives its id.
pub(crate) async fn restore(node: &Node, keys: &dyn KeyReader, restore: Restore) -> Result<u64, Why> {
    let key = match &restore.key {
        Some(at) => Some(keys.read(at).await?),
        None => None,
    };
    let series = SeriesRequest {
        location: restore.location,
        backup_id: restore.backup_id,
        backup_num: restore.backup_num,
        incremental_from: restore.incremental_from,
        selection: Selection { tenant: restore.tenant, ..Selection::default() },
        key,
    };
    node.restore(RestoreRequest { series, is_partial: restore.is_partial }).await.map_err(|error| with_causes(&error))
}

/// How far a restore is, if there was one of that id.
pub(crate) fn restore_status(node: &Node, id: u64) -> Option<Progress> {
    node.restore_status(id).map(Progress::from)
}

/// Takes a restore back. Goes on when the client hangs up: half-way nobody would be served.
pub(crate) async fn rollback(node: &Node, id: u64) -> Result<(), Why> {
    let node = node.clone();
    let task = tokio::spawn(async move { node.rollback_restore(id).await });
    task.await.map_err(|error| with_causes(&error))?.map_err(|error| with_causes(&error))
}

/// How far a task is, if there was one of that id.
pub(crate) fn task(node: &Node, id: u64) -> Option<Task> {
    node.task(id).map(Task::from)
}

/// What the node is busy with.
pub(crate) fn ongoing(node: &Node) -> Vec<String> {
    node.ongoing().into_iter().map(str::to_owned).collect()
}
