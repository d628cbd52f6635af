//! Exports of a running node.

use std::sync::{Arc, PoisonError};

use graphdb_destination::LocationRequest;
use graphdb_types::with_causes;

use super::{Node, Running};
use crate::error::{Error, Result};
use crate::export::{ExportPlace, ExportReport, ExportWish, export_store};
use crate::jobs::{JobKind, JobRecord, JobStatus};

/// What the caller of an export decides.
#[derive(Clone, Debug, Default)]
pub struct ExportRequest {
    /// Where to; without a location, the node's directory of exports.
    pub destination: LocationRequest,
    /// What, and how.
    pub wish: ExportWish,
}

/// An export that is whole.
#[derive(Clone, Debug)]
pub struct ExportDone {
    /// The task it ran as.
    pub task_id: u64,
    /// What was written.
    pub report: ExportReport,
}

impl Node {
    /// Exports the database as it is now, and returns when the export is whole. It goes on when the caller hangs up.
    ///
    /// # Errors
    /// [`Error::ExportRunning`], [`Error::Draining`], and whatever kept the export from being written; nothing of it is there then.
    pub async fn export(&self, request: ExportRequest) -> Result<ExportDone> {
        let node = self.clone();
        tokio::spawn(async move { node.run_export(request).await }).await?
    }

    async fn run_export(&self, request: ExportRequest) -> Result<ExportDone> {
        let alone = Arc::clone(&self.inner.export).try_lock_owned().map_err(|_| self.export_running())?;
        let task_id = u64::from(rand::random::<u32>()) | 1 << 32;
        let mut record = JobRecord::new(task_id, JobKind::Export, &self.shown_export(&request.destination));
        self.inner.jobs.put(record.clone())?;
        let running = self.note_running(JobKind::Export, task_id);
        let outcome = self.export_now(&request, &running).await;
        record.phase = running.progress.phase().to_owned();
        match &outcome {
            Ok(_) => {
                record.status = JobStatus::Success;
                record.percent = 100.0;
            }
            Err(err) => {
                tracing::error!(err = with_causes(err), destination = record.location, "export failed");
                record.status = JobStatus::Failed;
                record.errors.push(with_causes(err));
            }
        }
        drop(running);
        self.inner.jobs.put(record)?;
        drop(alone);
        outcome.map(|report| ExportDone { task_id, report })
    }

    async fn export_now(&self, request: &ExportRequest, running: &Running) -> Result<ExportReport> {
        self.check_open()?;
        // As in Dgraph: a node that keeps clients out keeps exports out too.
        let store = self.store()?;
        let place = match names_a_place(&request.destination) {
            true => ExportPlace::open(self.locations(), &request.destination).await?,
            false => ExportPlace::Directory(self.inner.options.export_dir.clone()),
        };
        let report = export_store(&store, &place, request.wish, &running.progress).await?;
        let (location, folder) = (&report.location, &report.folder);
        tracing::info!(%location, %folder, statements = report.statements(), "export done");
        Ok(report)
    }

    /// Where an export goes, in words that may be kept.
    fn shown_export(&self, at: &LocationRequest) -> String {
        if names_a_place(at) { self.shown(at) } else { self.inner.options.export_dir.display().to_string() }
    }

    fn export_running(&self) -> Error {
        let running = self.inner.running.lock().unwrap_or_else(PoisonError::into_inner);
        let other = running.iter().find(|(kind, _, _)| *kind == JobKind::Export);
        let record = other.and_then(|(kind, id, _)| self.inner.jobs.get(*kind, *id));
        Error::ExportRunning {
            location: record.map_or_else(|| "a place that is not noted yet".into(), |record| record.location),
        }
    }
}

fn names_a_place(at: &LocationRequest) -> bool {
    at.location.as_ref().is_some_and(|text| !text.trim().is_empty())
}
