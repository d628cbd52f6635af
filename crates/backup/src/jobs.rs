//! Records of backups, restores and exports: one small file each, beside the postings, so that they survive restarts and a swap of the store.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::error::{Error, Result};

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobKind {
    /// A backup.
    Backup,
    /// A restore into the running node.
    Restore,
    /// An export.
    Export,
}

/// How a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobStatus {
    /// At work.
    Running,
    /// Done.
    Success,
    /// Ended without success; what was there before is as it was.
    Failed,
}

/// One job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobRecord {
    /// Unique within the node: restores count from 1, backups and exports have random ids.
    pub id: u64,
    /// What it does.
    pub kind: JobKind,
    /// How it stands.
    pub status: JobStatus,
    /// What it was doing when the record was written.
    pub phase: String,
    /// 0 to 100.
    pub percent: f64,
    /// What went wrong.
    pub errors: Vec<String>,
    /// Destination or location.
    pub location: String,
    /// Unix seconds.
    pub started_at: i64,
    /// Unix seconds.
    pub updated_at: i64,
    /// Of a restore: the epoch of the store it builds, by which it is known whether the swap took place.
    pub epoch: Option<u64>,
    /// Of a restore: where the store that it replaced is kept.
    pub replaced: Option<PathBuf>,
    /// What whoever asked should know, although all went well.
    #[serde(default)]
    pub note: Option<String>,
    /// Of a restore: clients are kept out after it, until a restore that is not partial, or until somebody lets them in.
    #[serde(default)]
    pub is_partial: bool,
}

impl JobRecord {
    pub(crate) fn new(id: u64, kind: JobKind, location: &str) -> JobRecord {
        let now = unix_now();
        JobRecord {
            id,
            kind,
            status: JobStatus::Running,
            phase: "start".into(),
            percent: 0.0,
            errors: Vec::new(),
            location: location.to_owned(),
            started_at: now,
            updated_at: now,
            epoch: None,
            replaced: None,
            note: None,
            is_partial: false,
        }
    }
}

/// The phase of a restore that was taken back.
pub(crate) const ROLLED_BACK: &str = "rolled back";

/// How long records of finished jobs are kept. Dgraph forgets tasks after 7 days.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// The records of a node.
#[derive(Debug)]
pub(crate) struct Jobs {
    dir: PathBuf,
    records: Mutex<Vec<JobRecord>>,
}

impl Jobs {
    /// Reads the records below `dir`. Backups and exports that were running when the process ended have failed; restores are settled by `swap`.
    pub(crate) fn open(dir: &Path) -> Result<Jobs> {
        fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
        let mut records = Vec::new();
        for entry in fs::read_dir(dir).map_err(Error::io("list", dir))? {
            let path = entry.map_err(Error::io("list", dir))?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let text = fs::read(&path).map_err(Error::io("read", &path))?;
            match serde_json::from_slice::<JobRecord>(&text) {
                Ok(record) => records.push(record),
                Err(err) => {
                    tracing::warn!(%err, path = %path.display(), "a job record cannot be read and is left alone")
                }
            }
        }
        records.sort_by_key(|record| record.started_at);
        let jobs = Jobs { dir: dir.to_owned(), records: Mutex::new(records) };
        for mut record in jobs.all() {
            if record.status != JobStatus::Running {
                continue;
            }
            if let Some(why) = why_ended(record.kind) {
                record.status = JobStatus::Failed;
                record.errors.push(why.into());
                jobs.put(record)?;
            }
        }
        Ok(jobs)
    }

    pub(crate) fn all(&self) -> Vec<JobRecord> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn get(&self, kind: JobKind, id: u64) -> Option<JobRecord> {
        self.all().into_iter().find(|record| record.kind == kind && record.id == id)
    }

    /// Whether the newest restore that stands was partial.
    pub(crate) fn is_partial(&self) -> bool {
        let stands = |record: &JobRecord| {
            record.kind == JobKind::Restore && record.status == JobStatus::Success && record.phase != ROLLED_BACK
        };
        self.all().into_iter().filter(stands).max_by_key(|record| record.id).is_some_and(|record| record.is_partial)
    }

    /// Clients are let in, whatever was restored before.
    pub(crate) fn end_partial(&self) -> Result<()> {
        for record in self.all().into_iter().filter(|record| record.is_partial) {
            self.put(JobRecord { is_partial: false, ..record })?;
        }
        Ok(())
    }

    /// The number of the next restore.
    pub(crate) fn next_restore(&self) -> u64 {
        self.all().iter().filter(|r| r.kind == JobKind::Restore).map(|r| r.id).max().unwrap_or(0) + 1
    }

    /// Writes a record, durably and in one step.
    pub(crate) fn put(&self, mut record: JobRecord) -> Result<()> {
        record.updated_at = unix_now();
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path(&record);
        let json = serde_json::to_vec_pretty(&record).expect("a job record is plain data");
        write_durably(&path, &json)?;
        match records.iter_mut().find(|r| r.kind == record.kind && r.id == record.id) {
            Some(standing) => *standing = record,
            None => records.push(record),
        }
        Ok(())
    }

    /// Forgets finished jobs after [`KEPT`], but not restores that can still be rolled back, nor those that keep clients out.
    pub(crate) fn forget_old(&self) {
        let oldest = unix_now() - KEPT.as_secs() as i64;
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.retain(|record| {
            let ended = record.status != JobStatus::Running && record.replaced.is_none() && !record.is_partial;
            let old = ended && record.updated_at < oldest;
            !(old && fs::remove_file(self.path(record)).is_ok())
        });
    }

    fn path(&self, record: &JobRecord) -> PathBuf {
        let kind = match record.kind {
            JobKind::Backup => "backup",
            JobKind::Restore => "restore",
            JobKind::Export => "export",
        };
        self.dir.join(format!("{kind}-{:x}.json", record.id))
    }
}

/// What became of a job that was running when the process ended, if that is known without looking.
fn why_ended(kind: JobKind) -> Option<&'static str> {
    match kind {
        JobKind::Backup => Some("the node ended while the backup ran; no backup was recorded"),
        JobKind::Export => Some("the node ended while the export ran; it is not there"),
        JobKind::Restore => None,
    }
}

/// Replaces a small file in one step that survives a power cut.
pub(crate) fn write_durably(path: &Path, bytes: &[u8]) -> Result<()> {
    let beside = path.with_extension("tmp");
    let write = || {
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    write().map_err(Error::io("write", path))
}

pub(crate) fn unix_now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}
