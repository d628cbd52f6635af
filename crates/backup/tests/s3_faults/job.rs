//! What a node does at a place from its first backup to a restore, every operation of S3 included; and what must hold afterwards.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use graphdb_archive::SealedManifest;
use graphdb_backup::{SeriesRequest, read_catalogue};
use graphdb_destination::{Destination, ObjectName, Put, Upload};

use crate::lab::{Lab, Place};
use crate::model::Lists;
use crate::source::Copy;
use crate::support::{assert_lists, back_up, describe, newest, restored_lists};

/// Uploads that are given up, and times that an object is replaced: enough to have a first, a middle and a last one.
const REPETITIONS: usize = 3;

/// Why a job did not come to its end.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) step: &'static str,
    /// The error with its causes.
    pub(crate) text: String,
    /// No error, but a listing in which something is missing.
    pub(crate) is_hole: bool,
}

/// One life of a store at one place.
pub(crate) struct Job<'a> {
    lab: &'a Lab,
    copy: Copy,
    is_changed: bool,
}

fn at<E: std::error::Error>(step: &'static str) -> impl FnOnce(E) -> Failure {
    move |err| Failure { step, text: describe(&err), is_hole: false }
}

fn hole(step: &'static str, text: &str) -> Failure {
    Failure { step, text: text.to_owned(), is_hole: true }
}

impl Job<'_> {
    pub(crate) fn new(lab: &Lab) -> Job<'_> {
        Job { lab, copy: lab.source.copy(), is_changed: false }
    }

    /// Backs up, changes the store, backs up again, does what else there is to do at a place, lists, and restores what was backed up.
    /// The first, the middle and the last part that are uploaded are of archives.
    ///
    /// # Panics
    /// When something succeeds and is wrong.
    pub(crate) async fn run(&mut self, place: &Arc<dyn Destination>) -> Result<(), Failure> {
        back_up(&self.copy.store, place, None, false).await.map_err(at("full backup"))?;
        // Here, because errors of the last parts of an upload that is given up go unnoticed.
        abandon(place, self.lab.sizes.part_bytes).await?;
        self.copy.change();
        self.is_changed = true;
        let last = back_up(&self.copy.store, place, None, false).await.map_err(at("incremental backup"))?;
        let lease = replace(place).await?;
        list(place, &last).await?;
        self.restore(place, &last, &self.lab.source.after).await?;
        place.delete(&lease).await.map_err(at("delete"))
    }

    async fn restore(
        &self,
        place: &Arc<dyn Destination>,
        backup: &SealedManifest,
        expected: &Lists,
    ) -> Result<(), Failure> {
        let manifest = backup.manifest();
        let request = SeriesRequest {
            backup_id: Some(manifest.backup_id.clone()),
            backup_num: Some(manifest.backup_num),
            ..newest(None)
        };
        let restored = restored_lists(place, &request).await.map_err(at("restore"))?;
        assert_lists(&restored, expected, "the restored store");
        Ok(())
    }

    /// What must hold at a place where `run` had an end, good or bad, and that is well again. The next backup is restored, and with it every
    /// one before.
    ///
    /// # Panics
    /// When it does not hold.
    pub(crate) async fn check(&self, place: &Place, has_succeeded: bool) {
        let backups = read_catalogue(&*place.direct).await.unwrap().readable().unwrap();
        match has_succeeded {
            true => assert_eq!(backups.len(), 2, "backups after a good end"),
            false => assert!(backups.len() <= 2, "{} backups after a bad end", backups.len()),
        }
        let next = back_up(&self.copy.store, &place.direct, None, false).await;
        let next = next.unwrap_or_else(|err| panic!("the next backup fails: {}", describe(&err)));
        let goes_on = backups.last().is_none_or(|last| next.manifest().parent == Some(last.sealed().unwrap().digest()));
        assert!(goes_on, "the next backup goes on where the last one ended");
        let expected = if self.is_changed { &self.lab.source.after } else { &self.lab.source.before };
        let restored = self.restore(&place.direct, &next, expected).await;
        restored.unwrap_or_else(|failure| panic!("what is there cannot be restored: {}", failure.text));
        assert_eq!(place.proxy.leaks(), [""; 0], "secrets on the wire");
    }

    /// Uploads that are still open a while after the job's end, when its last tasks have had time to abort them. They must be swept.
    ///
    /// # Panics
    /// When a sweep does not find them.
    pub(crate) async fn leftover_uploads(&self, place: &Place) -> usize {
        let mut open = self.lab.open_uploads(place).await;
        for _ in 0..20 {
            if open.is_empty() {
                return 0;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            open = self.lab.open_uploads(place).await;
        }
        place.direct.sweep(Duration::ZERO).await.unwrap();
        assert_eq!(self.lab.open_uploads(place).await, [""; 0], "uploads that a sweep did not find");
        open.len()
    }
}

/// An object that is replaced again and again, as a lease is.
async fn replace(place: &Arc<dyn Destination>) -> Result<ObjectName, Failure> {
    let name: ObjectName = "lease".parse().unwrap();
    let mut body = Bytes::new();
    for round in 0..REPETITIONS {
        body = format!("renewed {round} times").into();
        place.put(&name, body.clone(), Put::Replace).await.map_err(at("replace"))?;
    }
    let found = place.get(&name, 100).await.map_err(at("read"))?;
    assert_eq!(found, body, "the lease is what was written last");
    Ok(name)
}

/// Uploads that are begun, seen by a sweep that must leave them alone, and given up.
async fn abandon(place: &Arc<dyn Destination>, part_bytes: usize) -> Result<(), Failure> {
    let mut uploads: Vec<Box<dyn Upload>> = Vec::new();
    for number in 0..REPETITIONS {
        let name: ObjectName = format!("dgraph.20200102.030405.00{number}/r1-g1.backup").parse().unwrap();
        let mut upload = place.create(&name).await.map_err(at("begin an upload"))?;
        // One part is sent, and another one begun.
        upload.write(vec![7; part_bytes + 1].into()).await.map_err(at("upload"))?;
        uploads.push(upload);
    }
    let swept = place.sweep(Duration::from_secs(3600)).await.map_err(at("sweep"))?;
    assert_eq!(swept, [""; 0], "uploads in progress are not swept");
    for upload in uploads {
        upload.abort().await;
    }
    Ok(())
}

async fn list(place: &Arc<dyn Destination>, last: &SealedManifest) -> Result<(), Failure> {
    let catalogue = read_catalogue(&**place).await.map_err(at("list"))?;
    let backups = catalogue.readable().map_err(at("list"))?;
    match backups.iter().any(|backup| backup.folder == *last.folder().name()) && backups.len() == 2 {
        true => Ok(()),
        false => Err(hole("list", "a backup is missing in the list")),
    }
}
