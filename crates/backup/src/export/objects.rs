//! An export in an object store: uploads that are completed together, when the last byte of the last one is there.

use std::sync::Arc;

use graphdb_destination::{Destination, Upload};
use graphdb_types::ObjectName;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::file::Sink;
use crate::error::{Error, Result};
use crate::upload::{CHUNKS_IN_FLIGHT, ChunkSink, pump};

/// Uploads of one folder. None is visible before [`Uploads::publish`].
pub(super) struct Uploads {
    destination: Arc<dyn Destination>,
    folder: ObjectName,
    open: Vec<Running>,
}

/// An upload that takes chunks until their sender is gone.
struct Running {
    name: ObjectName,
    sent: JoinHandle<(Box<dyn Upload>, Result<()>)>,
}

/// An upload that took all there was, or failed.
struct Sent {
    name: ObjectName,
    upload: Box<dyn Upload>,
    outcome: Result<()>,
}

impl Uploads {
    pub(super) fn new(destination: Arc<dyn Destination>, folder: ObjectName) -> Uploads {
        Uploads { destination, folder, open: Vec::new() }
    }

    /// Begins an object in the folder.
    pub(super) async fn file(&mut self, name: &str) -> Result<Sink> {
        let name = self.folder.child(name).map_err(graphdb_destination::Error::from)?;
        let mut upload = self.destination.create(&name).await.map_err(|err| self.explain(err))?;
        let (chunks, inbox) = mpsc::channel(CHUNKS_IN_FLIGHT);
        let sent = tokio::spawn(async move {
            let outcome = pump(inbox, &mut *upload).await;
            (upload, outcome)
        });
        self.open.push(Running { name, sent });
        Ok(Sink::Upload(ChunkSink::new(chunks)))
    }

    /// Completes every upload. If one fails, those that were completed are removed again.
    pub(super) async fn publish(self) -> Result<()> {
        let (destination, folder) = (Arc::clone(&self.destination), self.folder.clone());
        let mut done = Vec::new();
        let mut failed = None;
        for Sent { name, upload, outcome } in self.finish().await? {
            let outcome = match (&failed, outcome) {
                (None, Ok(())) => upload.complete().await.map_err(Error::from),
                (_, outcome) => {
                    upload.abort().await;
                    outcome
                }
            };
            match outcome {
                Ok(()) => done.push(name),
                // What became of it may be unknown, so it is removed too; not so if the name was another's.
                Err(err) => {
                    done.extend((!is_conflict(&err)).then_some(name));
                    failed.get_or_insert(err);
                }
            }
        }
        let Some(err) = failed else { return Ok(()) };
        remove(&*destination, &done).await;
        Err(explain(err, &*destination, &folder))
    }

    /// Ends every upload without a trace, and tells why the first of them failed, if one did.
    pub(super) async fn abandon(self) -> Option<Error> {
        let mut cause = None;
        for Sent { upload, outcome, .. } in self.finish().await.unwrap_or_default() {
            upload.abort().await;
            cause = cause.or(outcome.err());
        }
        cause
    }

    /// Waits until every upload took what was written. Who writes must be gone by now.
    async fn finish(self) -> Result<Vec<Sent>> {
        let mut all = Vec::new();
        for Running { name, sent } in self.open {
            let (upload, outcome) = sent.await?;
            all.push(Sent { name, upload, outcome });
        }
        Ok(all)
    }

    fn explain(&self, err: graphdb_destination::Error) -> Error {
        explain(err.into(), &*self.destination, &self.folder)
    }
}

fn is_conflict(err: &Error) -> bool {
    matches!(err, Error::Destination(err) if err.is_conflict())
}

/// A name that is taken is an export of the same minute, or somebody else's.
fn explain(err: Error, destination: &dyn Destination, folder: &ObjectName) -> Error {
    let exists = || Error::ExportExists { location: format!("{folder} in {}", destination.describe()) };
    if is_conflict(&err) { exists() } else { err }
}

async fn remove(destination: &dyn Destination, objects: &[ObjectName]) {
    for name in objects {
        match destination.delete(name).await {
            Err(err) if !err.is_not_found() => {
                tracing::warn!(%err, object = %name, "an object of an export that failed could not be removed; remove it by hand");
            }
            _ => {}
        }
    }
}
