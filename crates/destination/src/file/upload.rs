//! An object being written: beside its place first, then in one step under its name.

use async_trait::async_trait;
use bytes::Bytes;
use graphdb_types::ObjectName;
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use super::folder::{Folder, NameFailure};
use super::place::Place;
use super::run_blocking;
use crate::error::Attempt;
use crate::names::temporary_for;
use crate::{Error, Put, Result, Upload};

/// How often a folder may be removed between our making it and our using it.
const FOLDER_ATTEMPTS: usize = 16;

/// A file under a temporary name. Removes itself unless it was given its name.
#[derive(Debug)]
pub(super) struct Temporary {
    place: Arc<Place>,
    name: ObjectName,
    folder: Folder,
    /// Open until the last moment: NFS keeps a file that is removed while it is open, under another name.
    file: Option<File>,
    temporary_name: String,
    written_bytes: u64,
    named: bool,
}

impl Temporary {
    /// Creates the file and the folders around it.
    pub(super) fn create(place: Arc<Place>, name: &ObjectName, attempt: &Attempt) -> Result<Temporary> {
        let (folder, temporary_name, file) = create_beside(&place, name, attempt)?;
        let (name, file) = (name.clone(), Some(file));
        Ok(Temporary { place, name, folder, file, temporary_name, written_bytes: 0, named: false })
    }

    fn file(&self) -> &File {
        self.file.as_ref().expect("the file is closed by the drop alone")
    }

    /// Refuses a name that exists, to save the work of writing.
    pub(super) fn check_free(self, attempt: &Attempt) -> Result<Temporary> {
        match self.folder.stat(self.name.file_name()) {
            Ok(_) => Err(attempt.conflict(&self.name)),
            Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(self),
            Err(err) => Err(attempt.fail(err)),
        }
    }

    pub(super) fn append(&mut self, chunk: &[u8], attempt: &Attempt) -> Result<()> {
        self.file().write_all(chunk).map_err(|err| attempt.fail_with(err))?;
        self.written_bytes += chunk.len() as u64;
        Ok(())
    }

    /// Makes the bytes durable, gives the file its name, and makes the name durable.
    ///
    /// NFS tells lost writes when a file is synced or closed; after a sync that succeeded nothing is left to be lost
    /// by the close.
    pub(super) fn publish(mut self, mode: Put, attempt: &Attempt) -> Result<()> {
        self.file().sync_all().map_err(|err| attempt.fail_with(err))?;
        self.check_size(attempt)?;
        match mode {
            Put::Create => self.take_new_name(attempt)?,
            Put::Replace => self.take_any_name(attempt)?,
        }
        self.named = true;
        self.folder.sync().map_err(|err| attempt.fail_with(err))
    }

    fn check_size(&self, attempt: &Attempt) -> Result<()> {
        let size_bytes = self.file().metadata().map_err(|err| attempt.fail_with(err))?.len();
        if size_bytes != self.written_bytes {
            let why = format!("the file has {size_bytes} bytes after {} were written", self.written_bytes);
            return Err(attempt.unavailable(why));
        }
        Ok(())
    }

    fn take_new_name(&self, attempt: &Attempt) -> Result<()> {
        self.folder.rename_new(&self.temporary_name, self.name.file_name()).map_err(|failure| match failure {
            NameFailure::Taken => attempt.conflict(&self.name),
            NameFailure::Io(err) if err.kind() == io::ErrorKind::InvalidFilename => attempt.fail(err),
            NameFailure::Io(err) => attempt.fail_with(err),
            NameFailure::Unsupported => Error::InvalidLocation {
                location: attempt.location.clone(),
                reason: "its file system can neither rename without replacing nor make hard links, so that a finished \
                         object cannot be put in place safely; use a local directory or NFS"
                    .into(),
            },
        })
    }

    fn take_any_name(&self, attempt: &Attempt) -> Result<()> {
        match self.folder.rename_over(&self.temporary_name, self.name.file_name()) {
            // Here "absent" is our own file, swept or lost with the connection: not the object.
            Err(err) if err.kind() == io::ErrorKind::NotFound => Err(attempt.fail_with(err)),
            renamed => renamed.map_err(|err| attempt.fail(err)),
        }
    }
}

/// Makes the folder and creates the file in it, again when somebody who tidied up removed the folder in between.
fn create_beside(place: &Place, name: &ObjectName, attempt: &Attempt) -> Result<(Folder, String, File)> {
    let mut attempts_left = FOLDER_ATTEMPTS;
    loop {
        attempts_left -= 1;
        let temporary_name = temporary_for(name.file_name());
        let created = place.make_folder_of(name, attempt).and_then(|folder| {
            let file = folder.create_file(&temporary_name).map_err(|err| attempt.fail(err))?;
            Ok((folder, file))
        });
        match created {
            Ok((folder, file)) => return Ok((folder, temporary_name, file)),
            Err(err) if (err.is_not_found() || err.is_conflict()) && attempts_left > 0 => {}
            Err(Error::NotFound { .. } | Error::Conflict { .. }) => {
                return Err(attempt.unavailable("its folder takes no files, or is removed as often as it is made"));
            }
            Err(err) => return Err(err),
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if self.named {
            return;
        }
        drop(self.file.take());
        if let Err(err) = self.folder.remove_file(&self.temporary_name) {
            let (file, location) = (&self.temporary_name, self.place.location());
            tracing::warn!(file, location, %err, "could not remove an unfinished upload; a sweep will");
        }
        self.place.prune(&self.name);
    }
}

/// The asynchronous face of a [`Temporary`].
#[derive(Debug)]
pub(super) struct FileUpload {
    /// `None` after a failed or interrupted write: what was written is then unknown.
    temporary: Option<Temporary>,
    attempt: Attempt,
}

impl FileUpload {
    pub(super) fn new(temporary: Temporary, attempt: Attempt) -> FileUpload {
        FileUpload { temporary: Some(temporary), attempt }
    }

    fn take(&mut self) -> Result<Temporary> {
        self.temporary
            .take()
            .ok_or_else(|| self.attempt.unavailable("an earlier write of it failed or was interrupted"))
    }
}

#[async_trait]
impl Upload for FileUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        let mut temporary = self.take()?;
        let attempt = self.attempt.clone();
        let written = run_blocking(&self.attempt, move || {
            temporary.append(&chunk, &attempt)?;
            Ok(temporary)
        });
        self.temporary = Some(written.await?);
        Ok(())
    }

    async fn complete(mut self: Box<Self>) -> Result<()> {
        let temporary = self.take()?;
        let attempt = Attempt { action: "complete", ..self.attempt.clone() };
        run_blocking(&self.attempt, move || temporary.publish(Put::Create, &attempt)).await
    }

    async fn abort(mut self: Box<Self>) {
        let temporary = self.temporary.take();
        // Dropping removes the file; a runtime that shuts down drops it all the same.
        let _dropped = run_blocking(&self.attempt, move || {
            drop(temporary);
            Ok(())
        })
        .await;
    }
}
