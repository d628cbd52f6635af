//! A bucket as a destination: what the contract asks for, made of single requests that may fail.

mod client;
mod refusal;

use std::sync::Arc;

pub(crate) use client::{
    BucketClient, Condition, Fetched, Head, ListPage, Listed, Part, PendingUpload, Stored, UploadMarker, UploadPage,
};
pub(crate) use refusal::{Answer, Class, Refusal, Told};

use crate::location::BucketLocation;

/// Sizes, numbers and times of requests to object stores.
#[derive(Clone, Debug, Default)]
pub struct BucketOptions {}

/// A bucket, or a folder in it.
#[derive(Debug)]
pub struct BucketDestination {
    client: Arc<dyn BucketClient>,
}

impl BucketDestination {
    pub(crate) fn new(
        client: Arc<dyn BucketClient>,
        _at: &BucketLocation,
        _options: BucketOptions,
    ) -> BucketDestination {
        BucketDestination { client }
    }
}

#[async_trait::async_trait]
impl crate::Destination for BucketDestination {
    fn describe(&self) -> String {
        String::new()
    }
    async fn create(&self, _: &graphdb_types::ObjectName) -> crate::Result<Box<dyn crate::Upload>> {
        unimplemented()
    }
    async fn put(&self, _: &graphdb_types::ObjectName, _: bytes::Bytes, _: crate::Put) -> crate::Result<()> {
        unimplemented()
    }
    async fn open(&self, _: &graphdb_types::ObjectName) -> crate::Result<crate::ByteStream> {
        unimplemented()
    }
    async fn stat(&self, _: &graphdb_types::ObjectName) -> crate::Result<crate::ObjectMeta> {
        unimplemented()
    }
    async fn list(&self, _: &str) -> crate::Result<Vec<crate::ObjectMeta>> {
        unimplemented()
    }
    async fn delete(&self, _: &graphdb_types::ObjectName) -> crate::Result<()> {
        unimplemented()
    }
    async fn sweep(&self, _: std::time::Duration) -> crate::Result<Vec<String>> {
        unimplemented()
    }
}

fn unimplemented<T>() -> crate::Result<T> {
    Err(crate::Error::InvalidLocation { location: "bucket".into(), reason: "not supported yet".into() })
}
