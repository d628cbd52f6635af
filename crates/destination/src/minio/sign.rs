//! Requests as rust-s3 writes and signs them.

use std::sync::OnceLock;

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use s3::command::{Command, HttpMethod, Multipart};
use s3::error::S3Error;
use s3::request::Request;
use s3::request::tokio_backend::ReqwestRequest;
use s3::{Bucket, Region, signing};
use tokio::runtime::Handle;
use tokio::task;

use super::credentials::Identity;
use super::{OCTETS, http};
use crate::bucket::{Answer, Class, Refusal};
use crate::location::BucketLocation;
use crate::locations::LocationOptions;

/// The region of stores that have none, which is also AWS's first.
const DEFAULT_REGION: &str = "us-east-1";

/// Google's S3 interface, and what it wants to be signed for.
const GOOGLE: (&str, &str) = ("storage.googleapis.com", "auto");

/// A header by its name in lower case.
pub(super) type Header = (&'static str, String);

/// A request that is ready to be sent.
pub(super) struct Signed {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Writes and signs requests for a bucket.
pub(super) struct Signer {
    /// For the region that is stated, or guessed. The client within is never used.
    bucket: Bucket,
    is_stated: bool,
    /// For the region that the store named, if it was guessed wrong.
    moved: OnceLock<Bucket>,
}

impl Signer {
    /// Signs as `identity`.
    ///
    /// # Errors
    /// Why not, as a part of a sentence.
    pub(super) fn new(
        at: &BucketLocation,
        endpoint: &Url,
        identity: &Identity,
        options: &LocationOptions,
    ) -> Result<Signer, String> {
        let stated = at.region.as_ref().or(options.region.as_ref()).or(options.environment.region.as_ref());
        let region = stated.map_or_else(|| guessed_region(endpoint).to_owned(), Clone::clone);
        // It builds a client of its own, which needs the process to have a crypto provider.
        http::ensure_crypto_provider();
        let region = Region::Custom { region, endpoint: http::origin(endpoint) };
        let bucket = Bucket::new(&at.bucket, region, identity.for_signing()?).map_err(|err| err.to_string())?;
        Ok(Signer { bucket: *bucket.with_path_style(), is_stated: stated.is_some(), moved: OnceLock::new() })
    }

    /// The region that requests are signed for.
    pub(super) fn region(&self) -> String {
        self.bucket().region.to_string()
    }

    /// Where the bucket is.
    pub(super) fn url(&self) -> String {
        self.bucket.url()
    }

    /// Whether requests are signed for another region from here on, because the store named it and nobody had stated one.
    pub(super) fn moves(&self, refusal: &Refusal) -> bool {
        let Class::WrongRegion(Some(named)) = &refusal.class else { return false };
        if self.is_stated || *named == self.bucket.region.to_string() {
            return false;
        }
        let moved = self.moved.get_or_init(|| {
            let region = Region::Custom { region: named.clone(), endpoint: self.bucket.region.endpoint() };
            let mut bucket = self.bucket.clone();
            bucket.region = region;
            bucket
        });
        moved.region.to_string() == *named
    }

    /// Signs a request; without a key it is for the bucket itself. The headers of `extra` are signed too.
    pub(super) async fn sign(&self, key: &str, command: Command<'_>, extra: &[Header]) -> Answer<Signed> {
        sign(self.bucket(), key, command, extra).await
    }

    /// Signs the upload of an object or, with number and upload, of a part, away from the threads that serve requests: its MD5 and twice
    /// its SHA-256 take tens of milliseconds for a part.
    pub(super) async fn sign_body(
        &self,
        key: &str,
        part: Option<(u32, &str)>,
        body: Bytes,
        extra: Vec<Header>,
    ) -> Answer<Signed> {
        let (bucket, key) = (self.bucket().clone(), key.to_owned());
        let part = part.map(|(number, upload_id)| (number, encode(upload_id)));
        let hashed = task::spawn_blocking(move || {
            // The command of this name for parts does not sign what they hold.
            let multipart = part.as_ref().map(|(number, upload_id)| Multipart::new(*number, upload_id));
            let command = Command::PutObject { content: &body, content_type: OCTETS, custom_headers: None, multipart };
            let signed = Handle::current().block_on(sign(&bucket, &key, command, &extra))?;
            Ok(Signed { body, ..signed })
        });
        hashed.await.unwrap_or_else(|err| Err(Refusal::of_connection(err.into())))
    }

    fn bucket(&self) -> &Bucket {
        self.moved.get().unwrap_or(&self.bucket)
    }
}

fn guessed_region(endpoint: &Url) -> &'static str {
    let (google, auto) = GOOGLE;
    if endpoint.host_str() == Some(google) { auto } else { DEFAULT_REGION }
}

async fn sign(bucket: &Bucket, key: &str, command: Command<'_>, extra: &[Header]) -> Answer<Signed> {
    let bucket = bucket.with_extra_headers(header_map(extra)?).map_err(unsigned)?;
    // rust-s3 takes one slash away, which may be the key's own.
    let path = format!("/{key}");
    let request = ReqwestRequest::new(&bucket, &path, command).await.map_err(unsigned)?;
    let url = request.url().map_err(unsigned)?;
    check_path(&bucket, key, &url)?;
    let headers = request.headers().await.map_err(unsigned)?;
    let (method, body) = match &request.command {
        // The caller has the bytes: no copy of a whole part.
        Command::PutObject { .. } => (Method::PUT, Bytes::new()),
        command => (method(command), request.request_body().map_err(unsigned)?.into()),
    };
    Ok(Signed { method, url, headers, body })
}

/// As a part of a query, into which rust-s3 writes the ids of uploads as they are.
pub(super) fn encode(upload_id: &str) -> String {
    signing::uri_encode(upload_id, true)
}

/// A URL does away with `.` and `..`, and the request would be for another object.
fn check_path(bucket: &Bucket, key: &str, url: &Url) -> Answer<()> {
    if url.path().ends_with(&format!("/{}/{}", bucket.name, signing::uri_encode(key, false))) {
        Ok(())
    } else {
        Err(Refusal::plain(Class::Invalid, format!("the key {key:?} cannot be written in a URL")))
    }
}

fn header_map(extra: &[Header]) -> Answer<HeaderMap> {
    let header = |(name, value): &Header| match HeaderValue::from_str(value) {
        Ok(value) => Ok((HeaderName::from_static(name), value)),
        Err(_) => Err(Refusal::plain(Class::Invalid, format!("{value:?} cannot be the header {name}"))),
    };
    extra.iter().map(header).collect()
}

fn method(command: &Command<'_>) -> Method {
    match command.http_verb() {
        HttpMethod::Delete => Method::DELETE,
        HttpMethod::Get => Method::GET,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Post => Method::POST,
        HttpMethod::Head => Method::HEAD,
    }
}

fn unsigned(err: S3Error) -> Refusal {
    Refusal::plain(Class::Invalid, format!("the request could not be signed: {err}"))
}
