//! A bucket as a destination: what the contract asks for, made of single requests that may fail.
//!
//! Every request has a timeout, and is repeated while that may help ([`requests`]). Every object is checked: sizes, and MD5s where the store
//! tells them.
//!
//! *Creating.* A name is given once. Stores honour `If-None-Match: *`, or do not know it, or, worst, ignore it; so the first create finds
//! out ([`probe`]), by writing an object twice. Where the condition is ignored, claims keep writers apart ([`claim`]); where the credentials
//! can do nothing but write, nothing does, which is logged as a warning and shown by [`crate::Destination::create_only`].
//!
//! *Lost answers.* A conditional write that is repeated after a lost answer may meet its own object. The object is then read and compared;
//! where reading is not allowed, the error says what is not known.
//!
//! *Permissions.* `s3:PutObject` is enough to write. Looking whether a name is taken, looking at what was written, and aborting are
//! done where they are allowed.

mod claim;
mod client;
mod create;
mod download;
mod etag;
mod listing;
mod options;
mod place;
mod probe;
mod refusal;
mod requests;
mod sweep;
mod task;
mod upload;
mod verdict;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use graphdb_types::ObjectName;

pub(crate) use client::{
    BucketClient, Condition, Fetched, Head, ListPage, Listed, Part, PendingUpload, Stored, UploadMarker, UploadPage,
};
pub use options::BucketOptions;
pub(crate) use refusal::{Answer, Class, Refusal, Told};

use crate::destination::read_whole;
use crate::location::BucketLocation;
use crate::{ByteStream, CreateOnly, Destination, ObjectMeta, Put, Result, Upload};
use place::Place;
use requests::Operation;

/// A bucket, or a folder in it.
#[derive(Clone, Debug)]
pub struct BucketDestination {
    place: Arc<Place>,
}

impl BucketDestination {
    pub(crate) fn new(client: Arc<dyn BucketClient>, at: &BucketLocation, options: BucketOptions) -> BucketDestination {
        BucketDestination { place: Arc::new(Place::new(client, at, options)) }
    }
}

#[async_trait]
impl Destination for BucketDestination {
    fn describe(&self) -> String {
        self.place.location.clone()
    }

    async fn create(&self, name: &ObjectName) -> Result<Box<dyn Upload>> {
        Ok(Box::new(upload::BucketUpload::begin(&self.place, name).await?))
    }

    async fn put(&self, name: &ObjectName, body: Bytes, mode: Put) -> Result<()> {
        match mode {
            Put::Create => create::create(&self.place, name, body).await,
            Put::Replace => create::replace(&self.place, name, body).await,
        }
    }

    async fn open(&self, name: &ObjectName) -> Result<ByteStream> {
        download::open(&self.place, name, u64::MAX).await
    }

    async fn get(&self, name: &ObjectName, limit_bytes: u64) -> Result<Bytes> {
        let stream = download::open(&self.place, name, limit_bytes).await?;
        read_whole(stream, name, &self.place.location, limit_bytes).await
    }

    async fn stat(&self, name: &ObjectName) -> Result<ObjectMeta> {
        let op = Operation::on(&self.place, "look at", name);
        let key = self.place.key(&op.attempt, name)?;
        let head = op.head_with_words(&key).await.map_err(|refusal| op.refused(refusal))?;
        Ok(ObjectMeta { name: name.clone(), size_bytes: head.size_bytes, modified_at: head.modified_at })
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        listing::list(&self.place, prefix).await
    }

    async fn delete(&self, name: &ObjectName) -> Result<()> {
        let op = Operation::on(&self.place, "delete", name);
        let key = self.place.key(&op.attempt, name)?;
        // The store says yes to the deletion of what is not there; only looking tells.
        match op.head(&key).await {
            Ok(_) => {}
            Err(refusal) if refusal.class == Class::Denied => {}
            Err(refusal) => return Err(op.refused(refusal)),
        }
        let deleted = op.delete(&key).await;
        match deleted.answer {
            Err(refusal) if refusal.class == Class::Absent && deleted.maybe_done => Ok(()),
            answer => answer.map_err(|refusal| op.refused(refusal)),
        }
    }

    async fn sweep(&self, older_than: Duration) -> Result<Vec<String>> {
        sweep::sweep(&self.place, older_than).await
    }

    fn create_only(&self) -> CreateOnly {
        // A probe that runs holds the lock: nothing is known yet.
        self.place.protocol.try_lock().map_or(CreateOnly::Unknown, |known| CreateOnly::from(*known))
    }
}
