//! Where an export goes, and how its files become visible together.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use graphdb_destination::{Destination, Location, LocationRequest, Locations};
use graphdb_types::ObjectName;
use tokio::task;

use super::ExportedFile;
use super::directory::Staging;
use super::file::{Sink, TextFile};
use super::objects::Uploads;
use crate::error::Result;

/// A place for exports.
#[derive(Clone, Debug)]
pub enum ExportPlace {
    /// A directory of this machine; made if it is not there.
    Directory(PathBuf),
    /// An object store, where a folder is a part of the names.
    Objects(Arc<dyn Destination>),
}

impl ExportPlace {
    /// The place that a request means, if its policy allows it.
    pub async fn open(locations: &Locations, request: &LocationRequest) -> Result<ExportPlace> {
        let destination = locations.open(request).await?;
        Ok(match locations.resolve(request)? {
            Location::File(directory) => ExportPlace::Directory(directory),
            _ => ExportPlace::Objects(destination),
        })
    }

    /// The place in words.
    pub fn describe(&self) -> String {
        match self {
            ExportPlace::Directory(directory) => directory.display().to_string(),
            ExportPlace::Objects(destination) => destination.describe(),
        }
    }
}

/// The folder of an export while it is written. Until [`ExportFolder::conclude`] nothing of it is visible.
pub(super) struct ExportFolder {
    location: String,
    name: String,
    files: Vec<(String, Arc<AtomicU64>)>,
    to: To,
}

enum To {
    Directory(Staging),
    Objects(Uploads),
}

impl ExportFolder {
    /// # Errors
    /// A folder of that name that exists, as far as that can be seen yet.
    pub(super) async fn begin(place: &ExportPlace, name: &str) -> Result<ExportFolder> {
        let to = match place {
            ExportPlace::Directory(parent) => {
                let (parent, name) = (parent.clone(), name.to_owned());
                To::Directory(task::spawn_blocking(move || Staging::create(&parent, &name)).await??)
            }
            ExportPlace::Objects(destination) => {
                let folder = ObjectName::try_from(name).map_err(graphdb_destination::Error::from)?;
                To::Objects(Uploads::new(Arc::clone(destination), folder))
            }
        };
        Ok(ExportFolder { location: place.describe(), name: name.to_owned(), files: Vec::new(), to })
    }

    /// Begins a file. `workers` threads compress it, or with 0 whoever writes.
    pub(super) async fn create(&mut self, name: String, workers: usize) -> Result<TextFile> {
        let sink: Sink = match &mut self.to {
            To::Directory(staging) => staging.file(&name)?,
            To::Objects(uploads) => uploads.file(&name).await?,
        };
        let (name, size_bytes) = (format!("{}/{name}", self.name), Arc::new(AtomicU64::new(0)));
        self.files.push((name.clone(), Arc::clone(&size_bytes)));
        Ok(TextFile::new(format!("{}/{name}", self.location), sink, size_bytes, workers))
    }

    /// Shows the folder if all was `written`, else leaves nothing of it. All files must be finished or dropped.
    ///
    /// # Errors
    /// What kept it from being written, or from being shown.
    pub(super) async fn conclude<T>(self, written: Result<T>) -> Result<(T, Vec<ExportedFile>)> {
        let written = match (written, self.to) {
            (Ok(written), To::Directory(staging)) => {
                task::spawn_blocking(move || staging.publish()).await??;
                written
            }
            (Ok(written), To::Objects(uploads)) => {
                uploads.publish().await?;
                written
            }
            (Err(err), To::Directory(staging)) => {
                task::spawn_blocking(move || drop(staging)).await?;
                return Err(err);
            }
            // When an upload failed, that is the cause, and what the writer met is the consequence.
            (Err(err), To::Objects(uploads)) => return Err(uploads.abandon().await.unwrap_or(err)),
        };
        let size = |(name, size): (String, Arc<AtomicU64>)| {
            let size_bytes = size.load(Ordering::Relaxed);
            ExportedFile { name, size_bytes }
        };
        let mut files: Vec<ExportedFile> = self.files.into_iter().map(size).collect();
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok((written, files))
    }
}
