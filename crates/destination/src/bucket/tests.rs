//! The contract of a destination on a fake store that misbehaves.

mod classes;
mod conforming;
mod creating;
mod downloading;
mod listing;
mod retrying;
mod uploading;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use graphdb_types::ObjectName;

use super::fake::{Etags, FakeStore, Fault, Quirks, Verb};
use super::{BucketDestination, BucketOptions};
use crate::{CreateOnly, Destination, Error, Location, Put, Result};

/// Parts of ten bytes, ranges of seven, and little patience.
fn options() -> BucketOptions {
    BucketOptions {
        part_bytes: 10,
        parts_in_flight: 3,
        range_bytes: 7,
        ranges_in_flight: 3,
        attempts: 4,
        first_wait: Duration::from_millis(1),
        longest_wait: Duration::from_millis(4),
        longest_retry_after: Duration::from_millis(50),
        answer_timeout: Duration::from_millis(300),
        complete_timeout: Duration::from_millis(300),
        stall_timeout: Duration::from_millis(200),
        stall_bytes: 3,
        claim_wait: Duration::from_millis(4),
        claim_patience: Duration::from_secs(20),
        ..BucketOptions::default()
    }
}

fn place_with(store: &FakeStore, options: BucketOptions) -> BucketDestination {
    let Ok(Location::Bucket(at)) = Location::parse("s3://store.example/bucket/folder") else {
        panic!("this is a bucket")
    };
    BucketDestination::new(Arc::new(store.clone()), &at, options)
}

/// A fresh destination, as another process would have it.
fn place(store: &FakeStore) -> BucketDestination {
    place_with(store, options())
}

fn store() -> FakeStore {
    FakeStore::new(Quirks::default())
}

fn name(text: &str) -> ObjectName {
    text.parse().expect("the tests use valid names")
}

/// A large object's name and bytes: 43 bytes are five parts or seven ranges.
fn archive() -> (ObjectName, Bytes) {
    (name("dgraph.20260104.224757.709/r9-g1.backup"), (0..43).collect::<Vec<u8>>().into())
}

const ARCHIVE_KEY: &str = "folder/dgraph.20260104.224757.709/r9-g1.backup";

async fn upload(place: &BucketDestination, object: &ObjectName, body: &Bytes) -> Result<()> {
    let mut upload = place.create(object).await?;
    for chunk in body.chunks(4) {
        upload.write(Bytes::copy_from_slice(chunk)).await?;
    }
    upload.complete().await
}

async fn create(place: &BucketDestination, object: &str, body: &'static str) -> Result<()> {
    place.put(&name(object), body.into(), Put::Create).await
}

async fn read(place: &BucketDestination, object: &str) -> Result<Bytes> {
    place.get(&name(object), u64::MAX).await
}

/// An error with all its causes, as an operator sees it.
fn words(err: &Error) -> String {
    let mut text = err.to_string();
    let mut source = std::error::Error::source(err);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Until a task beside the test has done its work.
async fn eventually(done: impl Fn() -> bool) -> bool {
    for _ in 0..500 {
        if done() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}
