use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use std::fmt;
use std::ops::Range;
use std::time::SystemTime;

use super::refusal::Answer;

/// One bucket of an object store, one request a call: no retry, no policy, no prefix. What a store does with a request
/// is told as it is; [`super::BucketDestination`] makes the contract of a destination from it.
///
/// Keys are whole keys within the bucket. A call may be dropped at any time; the request is then cut off.
#[async_trait]
pub(crate) trait BucketClient: fmt::Debug + Send + Sync + 'static {
    /// Where the credentials come from, in words for people: `AWS_ACCESS_KEY_ID`, `profile "ops" of /etc/keys`, `none`.
    /// Never a part of a secret.
    async fn credentials_source(&self) -> String;

    /// The region that requests are signed for, if that is known, for the advice when the bucket is in another one.
    fn region(&self) -> Option<String> {
        None
    }

    /// Writes an object with one request, and has the store check the body by its MD5.
    async fn put(&self, key: &str, body: Bytes, condition: Condition) -> Answer<Stored>;

    /// Begins a multipart upload and gives its id.
    async fn create_multipart(&self, key: &str) -> Answer<String>;

    /// Uploads a part; `number` counts from 1 to 10,000. The store checks the body by its MD5.
    async fn upload_part(&self, key: &str, upload_id: &str, number: u32, body: Bytes) -> Answer<Part>;

    /// Makes the object of the parts, which are in order. A refusal that comes with status 200 is a refusal.
    async fn complete_multipart(
        &self,
        key: &str,
        upload_id: &str,
        parts: &[Part],
        condition: Condition,
    ) -> Answer<Stored>;

    /// Forgets an upload and its parts.
    async fn abort_multipart(&self, key: &str, upload_id: &str) -> Answer<()>;

    /// Uploads in progress below a prefix, a page of them.
    async fn list_multipart(&self, prefix: &str, after: Option<&UploadMarker>) -> Answer<UploadPage>;

    /// Opens a part of an object; the range is not empty. With `etag` only if the object still has it
    /// ([`super::refusal::Class::Exists`] otherwise).
    async fn get(&self, key: &str, range: Range<u64>, etag: Option<&str>) -> Answer<Fetched>;

    /// Size, time and ETag of an object.
    async fn head(&self, key: &str) -> Answer<Head>;

    /// Objects whose keys start with a prefix, a page of them, as the store orders them.
    async fn list(&self, prefix: &str, after: Option<&str>) -> Answer<ListPage>;

    /// Removes an object. Stores answer the same for one that is not there.
    async fn delete(&self, key: &str) -> Answer<()>;
}

/// What a write demands of the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Nothing: the last writer wins.
    None,
    /// That it is free (`If-None-Match: *`).
    Absent,
}

/// An object that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Without quotes. Often, not always, the MD5 of the object.
    pub(crate) etag: Option<String>,
}

/// A part that was uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) number: u32,
    /// Without quotes.
    pub(crate) etag: String,
}

/// The bytes of an object, or a part of them.
pub(crate) struct Fetched {
    /// Size of the whole object.
    pub(crate) object_bytes: u64,
    /// Bytes that the store announced for this answer.
    pub(crate) announced_bytes: u64,
    /// Without quotes.
    pub(crate) etag: Option<String>,
    /// Whether the store said that it encrypts the object with a key service's or the client's key
    /// (`x-amz-server-side-encryption: aws:kms…`, `…-customer-algorithm`). An ETag is no MD5 then, even if it looks like one.
    pub(crate) etag_is_opaque: bool,
    /// The bytes. A connection that ends early gives an error if it can be told, and otherwise simply ends.
    pub(crate) body: BoxStream<'static, Answer<Bytes>>,
}

/// What is known of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) size_bytes: u64,
    pub(crate) modified_at: SystemTime,
    /// Without quotes.
    pub(crate) etag: Option<String>,
}

/// A page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ListPage {
    pub(crate) objects: Vec<Listed>,
    /// How to ask for the next page; `None` after the last.
    pub(crate) next: Option<String>,
}

/// An object in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) key: String,
    pub(crate) size_bytes: u64,
    pub(crate) modified_at: SystemTime,
}

/// A page of the uploads in progress.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UploadPage {
    pub(crate) uploads: Vec<PendingUpload>,
    /// After which the next page begins; `None` after the last.
    pub(crate) next: Option<UploadMarker>,
}

/// An upload in progress, or one that was left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PendingUpload {
    pub(crate) key: String,
    pub(crate) upload_id: String,
    pub(crate) begun_at: SystemTime,
}

/// A place in the list of uploads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UploadMarker {
    pub(crate) key: String,
    pub(crate) upload_id: String,
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched")
            .field("object_bytes", &self.object_bytes)
            .field("announced_bytes", &self.announced_bytes)
            .field("etag", &self.etag)
            .finish_non_exhaustive()
    }
}
