use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use graphdb_types::ObjectName;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::{ByteStream, Error, Result};

/// A place for whole, immutable, named objects.
///
/// Any method fails with [`Error::Denied`], [`Error::Unavailable`] or [`Error::NoLocation`] when the place does not
/// let it happen; methods that write also with [`Error::Full`]. Names with a segment that belongs to the place itself
/// (an upload in progress, a filer's `.snapshot` folder) are refused with [`Error::InvalidName`]. One object whose name
/// is also the folder of another (`a` and `a/b`) is not portable between places.
#[async_trait]
pub trait Destination: fmt::Debug + Send + Sync {
    /// The place in words, for messages and as its identity: the canonical text of its [`crate::Location`].
    fn describe(&self) -> String;

    /// Opens an object for writing. Nothing is visible under `name` before [`Upload::complete`].
    ///
    /// # Errors
    /// [`Error::Conflict`] when the name is taken already, to save the caller the upload.
    async fn create(&self, name: &ObjectName) -> Result<Box<dyn Upload>>;

    /// Writes a small object in one atomic step: a reader meets the old object, or the new one, or none. This is how
    /// manifests and leases commit.
    ///
    /// # Errors
    /// [`Error::Conflict`] when `mode` is [`Put::Create`] and the name is taken.
    async fn put(&self, name: &ObjectName, body: Bytes, mode: Put) -> Result<()>;

    /// Opens an object for reading from its first byte.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such object.
    async fn open(&self, name: &ObjectName) -> Result<ByteStream>;

    /// Size and time of one object.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such object.
    async fn stat(&self, name: &ObjectName) -> Result<ObjectMeta>;

    /// Every object whose name starts with `prefix`, in all folders, sorted by the bytes of the name. The prefix is
    /// compared as text: `dgraph.2026` matches `dgraph.20260104/manifest.json`. Uploads in progress are not shown.
    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>>;

    /// Removes an object, and its folder when that is left empty. For sweeping and for leases only.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such object.
    async fn delete(&self, name: &ObjectName) -> Result<()>;

    /// Removes what uploads that died more than `older_than` ago left behind, and returns what was removed. Touches
    /// nothing that does not carry our own mark. Give it hours: an upload in progress looks the same.
    async fn sweep(&self, older_than: Duration) -> Result<Vec<String>>;

    /// How this place keeps apart two writers who create one name, as far as is known by now. Who must be certain, and meets another answer
    /// than [`CreateOnly::Atomic`], reads back a while later what it created.
    fn create_only(&self) -> CreateOnly {
        CreateOnly::Atomic
    }

    /// Reads a whole small object.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such object, [`Error::TooLarge`] when it has more than `limit_bytes`;
    /// never more than that is held in memory.
    async fn get(&self, name: &ObjectName, limit_bytes: u64) -> Result<Bytes> {
        read_whole(self.open(name).await?, name, &self.describe(), limit_bytes).await
    }
}

/// What [`Destination::get`] does with an object that is open.
pub(crate) async fn read_whole(
    mut stream: ByteStream,
    name: &ObjectName,
    location: &str,
    limit_bytes: u64,
) -> Result<Bytes> {
    let too_large =
        |size_bytes| Error::TooLarge { name: name.clone(), location: location.into(), size_bytes, limit_bytes };
    if let Some(size_bytes) = stream.size_bytes().filter(|size| *size > limit_bytes) {
        return Err(too_large(size_bytes));
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = stream.next_chunk().await? {
        let size_bytes = body.len() as u64 + chunk.len() as u64;
        if size_bytes > limit_bytes {
            return Err(too_large(size_bytes));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// An object being written. Dropping it unfinished leaves nothing visible and, as far as that is possible, nothing at all.
#[async_trait]
pub trait Upload: fmt::Debug + Send {
    /// Appends `chunk`. After an error, or when the future was dropped before it was ready, the upload cannot be
    /// completed any more.
    async fn write(&mut self, chunk: Bytes) -> Result<()>;

    /// Makes the object durable, then visible under its name.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the name was taken meanwhile: the object that exists stays as it is. After
    /// [`Error::Unavailable`] it is unknown whether the object exists.
    async fn complete(self: Box<Self>) -> Result<()>;

    /// Gives up and removes what was written. Cannot fail: what could not be removed is logged, stays invisible, and is
    /// found by [`Destination::sweep`].
    async fn abort(self: Box<Self>);
}

/// What [`Destination::put`] does with a name that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// Refuses it. Of several writers of one name exactly one wins.
    Create,
    /// Replaces it, or creates it when it does not exist. The last writer wins, so this is for objects with one owner,
    /// such as a lease that its holder renews. To take over a lease, create the next one in a row of names: a thief
    /// that replaced could not tell whether another was faster.
    Replace,
}

/// What stands behind [`Put::Create`] at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateOnly {
    /// The place itself creates in one atomic step.
    Atomic,
    /// The store honours `If-None-Match: *` for one writer after another. That it does so for writers at the same moment cannot be seen from
    /// outside; all large stores do, and some small ones do not.
    Conditional,
    /// The store ignores conditions. Writers announce themselves by claims, and only one that is alone writes.
    Claimed,
    /// The store ignores conditions, and credentials that can only write rule out claims: the last writer wins.
    Unprotected,
    /// Nothing was created yet, so nobody knows.
    Unknown,
}

/// What a destination knows of an object without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Its name.
    pub name: ObjectName,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// When it was last written, by the clock of the place.
    pub modified_at: SystemTime,
}

#[async_trait]
impl<D: Destination + ?Sized> Destination for Arc<D> {
    fn describe(&self) -> String {
        (**self).describe()
    }

    async fn create(&self, name: &ObjectName) -> Result<Box<dyn Upload>> {
        (**self).create(name).await
    }

    async fn put(&self, name: &ObjectName, body: Bytes, mode: Put) -> Result<()> {
        (**self).put(name, body, mode).await
    }

    async fn open(&self, name: &ObjectName) -> Result<ByteStream> {
        (**self).open(name).await
    }

    async fn stat(&self, name: &ObjectName) -> Result<ObjectMeta> {
        (**self).stat(name).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        (**self).list(prefix).await
    }

    async fn delete(&self, name: &ObjectName) -> Result<()> {
        (**self).delete(name).await
    }

    async fn sweep(&self, older_than: Duration) -> Result<Vec<String>> {
        (**self).sweep(older_than).await
    }

    fn create_only(&self) -> CreateOnly {
        (**self).create_only()
    }

    async fn get(&self, name: &ObjectName, limit_bytes: u64) -> Result<Bytes> {
        (**self).get(name, limit_bytes).await
    }
}
