use async_trait::async_trait;
use bytes::Bytes;
use futures::stream;
use graphdb_types::ObjectName;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::task;

use crate::error::Attempt;
use crate::{ByteStream, Destination, ObjectMeta, Put, Result, Upload};

mod folder;
mod place;
mod upload;

use place::Place;
use upload::{FileUpload, Temporary};

#[cfg(test)]
mod tests;

/// Bytes read at a time: one hop to a blocking thread is small against it.
const CHUNK_BYTES: usize = 1 << 20;

/// A directory, local or over NFS. Names are paths below it; folders come and go with the objects in them.
///
/// An object is written beside its place as `.<name>.tmp-<16 hex digits>`, synced, and then renamed without replacing
/// (over NFS: hard-linked), and its folder is synced. Folders are created with mode 0755 and objects with 0644, less
/// the umask, so that another user may restore: keep others out by the mode of the directory itself. The root is
/// looked up anew for every call, so a remounted file system is found again.
#[derive(Clone, Debug)]
pub struct FileDestination {
    place: Arc<Place>,
}

impl FileDestination {
    /// The directory `root`, which nobody looks at before the first call. A missing root with an existing parent is an
    /// empty destination, created by the first write.
    pub fn new(root: impl AsRef<Path>) -> FileDestination {
        let root = root.as_ref();
        let absolute = std::path::absolute(root).unwrap_or_else(|_| root.into());
        FileDestination { place: Arc::new(Place::new(&absolute, true)) }
    }

    /// Opens the directory `root` to write. It, or at least its parent, must exist.
    ///
    /// # Errors
    /// [`NoLocation`](crate::Error::NoLocation), [`NotADirectory`](crate::Error::NotADirectory),
    /// [`Denied`](crate::Error::Denied), [`Unavailable`](crate::Error::Unavailable).
    pub async fn open_or_create(root: impl Into<PathBuf>) -> Result<FileDestination> {
        FileDestination::checked(Place::new(&root.into(), true)).await
    }

    /// Opens the directory `root`, which must exist.
    ///
    /// # Errors
    /// [`NoLocation`](crate::Error::NoLocation), [`NotADirectory`](crate::Error::NotADirectory),
    /// [`Denied`](crate::Error::Denied), [`Unavailable`](crate::Error::Unavailable).
    pub async fn open(root: impl Into<PathBuf>) -> Result<FileDestination> {
        FileDestination::checked(Place::new(&root.into(), false)).await
    }

    async fn checked(place: Place) -> Result<FileDestination> {
        let attempt = Attempt::on_all("look for", place.location());
        let destination = FileDestination { place: Arc::new(place) };
        destination.run(&attempt, |place, attempt| place.root(attempt).map(drop)).await?;
        Ok(destination)
    }

    async fn run<T, F>(&self, attempt: &Attempt, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(Arc<Place>, &Attempt) -> Result<T> + Send + 'static,
    {
        let (place, own) = (self.place.clone(), attempt.clone());
        run_blocking(attempt, move || work(place, &own)).await
    }

    fn attempt(&self, action: &'static str, name: &ObjectName) -> Attempt {
        Attempt::on(action, name, self.place.location())
    }
}

/// Runs `work` on a thread that may block. A panic in it goes on in the caller.
pub(crate) async fn run_blocking<T: Send + 'static>(
    attempt: &Attempt,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    task::spawn_blocking(work).await.unwrap_or_else(|err| match err.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(cancelled) => Err(attempt.unavailable(cancelled)),
    })
}

/// The rest of an open file, a chunk at a time.
async fn read_chunk(file: File, attempt: Attempt) -> Result<Option<(Bytes, (File, Attempt))>> {
    let own = attempt.clone();
    let (chunk, file) = run_blocking(&attempt, move || {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        (&file).take(CHUNK_BYTES as u64).read_to_end(&mut chunk).map_err(|err| own.fail_with(err))?;
        Ok((chunk, file))
    })
    .await?;
    Ok((!chunk.is_empty()).then(|| (chunk.into(), (file, attempt))))
}

#[async_trait]
impl Destination for FileDestination {
    fn describe(&self) -> String {
        self.place.location().into()
    }

    async fn create(&self, name: &ObjectName) -> Result<Box<dyn Upload>> {
        let (attempt, name) = (self.attempt("create", name), name.clone());
        let create = move |place, attempt: &Attempt| Temporary::create(place, &name, attempt)?.check_free(attempt);
        let temporary = self.run(&attempt, create).await?;
        Ok(Box::new(FileUpload::new(temporary, Attempt { action: "write", ..attempt })))
    }

    async fn put(&self, name: &ObjectName, body: Bytes, mode: Put) -> Result<()> {
        let (attempt, name) = (self.attempt("write", name), name.clone());
        let put = move |place, attempt: &Attempt| {
            let mut temporary = Temporary::create(place, &name, attempt)?;
            temporary.append(&body, attempt)?;
            temporary.publish(mode, attempt)
        };
        self.run(&attempt, put).await
    }

    async fn open(&self, name: &ObjectName) -> Result<ByteStream> {
        let (attempt, name) = (self.attempt("read", name), name.clone());
        let (file, size_bytes) = self.run(&attempt, move |place, attempt| place.open(&name, attempt)).await?;
        let chunks = stream::try_unfold((file, attempt.clone()), |(file, attempt)| read_chunk(file, attempt));
        Ok(ByteStream::new(attempt, size_bytes, chunks))
    }

    async fn stat(&self, name: &ObjectName) -> Result<ObjectMeta> {
        let (attempt, name) = (self.attempt("look at", name), name.clone());
        self.run(&attempt, move |place, attempt| place.stat(&name, attempt)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        let (attempt, prefix) = (Attempt::on_all("list", self.place.location()), prefix.to_owned());
        self.run(&attempt, move |place, attempt| place.list(&prefix, attempt)).await
    }

    async fn delete(&self, name: &ObjectName) -> Result<()> {
        let (attempt, name) = (self.attempt("delete", name), name.clone());
        self.run(&attempt, move |place, attempt| place.delete(&name, attempt)).await
    }

    async fn sweep(&self, older_than: Duration) -> Result<Vec<String>> {
        let attempt = Attempt::on_all("sweep", self.place.location());
        self.run(&attempt, move |place, attempt| place.sweep(older_than, attempt)).await
    }
}
