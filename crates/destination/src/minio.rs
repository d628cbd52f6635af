//! `minio://`, on rust-s3: a host of one's own, always with path-style addresses.
//!
//! rust-s3 writes the requests and signs them; they are sent by a client of ours ([`http`]), because its own one follows redirects to
//! other hosts, looks names up unchecked and repeats what fails.
//!
//! The region is that of `--backup-region`, of `AWS_REGION` or `AWS_DEFAULT_REGION`. When none of them says, requests begin in
//! `us-east-1`, which most stores take (`auto` for Google), and a store that names another one is asked again there. A region that was
//! stated and is wrong is an error that names the right one.
//!
//! The credentials are the first of: the request's, a profile of `--backup-credential FILE`, `MINIO_ACCESS_KEY` with `MINIO_SECRET_KEY` or
//! `MINIO_ROOT_USER` with `MINIO_ROOT_PASSWORD`. Nothing is sent unsigned unless the request says `anonymous: true`.
//!
//! Bodies are sent whole, with `Content-MD5` and a signature over their SHA-256; there are neither trailing checksums nor `aws-chunked`
//! bodies, which some stores do not know.

mod answer;
mod credentials;
mod http;
mod sign;
mod xml;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::{Method, Response, Url};
use s3::command::Command;
use s3::serde_types::{CompleteMultipartUploadData, Part as NamedPart};

use crate::bucket::{
    Answer, BucketClient, Condition, Fetched, Head, ListPage, Part, Refusal, Stored, UploadMarker, UploadPage,
};
use crate::credentials::Credentials;
use crate::location::BucketLocation;
use crate::locations::LocationOptions;
use crate::{Error, Result};
use credentials::Identity;
use sign::{Header, Signed, Signer};

/// Keys in a page of a listing: the most that S3 gives.
const PAGE_KEYS: usize = 1000;

/// What our objects are to a store.
const OCTETS: &str = "application/octet-stream";

/// Connects to a bucket, without a request yet.
pub(crate) fn connect(
    at: &BucketLocation,
    credentials: Option<&Credentials>,
    options: &LocationOptions,
) -> Result<Arc<dyn BucketClient>> {
    let refuse = |reason: String| Error::InvalidLocation { location: at.to_string(), reason };
    let endpoint = http::endpoint(at).map_err(refuse)?;
    http::check_literal(at, &endpoint, &options.policy)?;
    let identity = Identity::find(credentials, options).map_err(refuse)?;
    let http = http::client(&options.policy).map_err(refuse)?;
    let signer = Signer::new(at, &endpoint, &identity, options).map_err(refuse)?;
    let is_session = identity.is_session();
    Ok(Arc::new(MinioClient { http, signer, source: identity.source, is_session, is_traced: at.trace }))
}

struct MinioClient {
    http: reqwest::Client,
    signer: Signer,
    source: String,
    is_session: bool,
    is_traced: bool,
}

impl MinioClient {
    /// Asks for something. A store that names the region nobody had stated is asked again there, which happens once.
    async fn call(&self, key: &str, command: Command<'_>, extra: &[Header]) -> Answer<Response> {
        match self.send(self.signer.sign(key, command.clone(), extra).await?).await {
            Err(refusal) if self.signer.moves(&refusal) => {
                self.send(self.signer.sign(key, command, extra).await?).await
            }
            answer => answer,
        }
    }

    /// Brings an object or a part, as [`MinioClient::call`].
    async fn upload(&self, key: &str, part: Option<(u32, &str)>, body: Bytes, extra: Vec<Header>) -> Answer<Response> {
        match self.send(self.signer.sign_body(key, part, body.clone(), extra.clone()).await?).await {
            Err(refusal) if self.signer.moves(&refusal) => {
                self.send(self.signer.sign_body(key, part, body, extra).await?).await
            }
            answer => answer,
        }
    }

    /// Sends a request. Every status but 2xx is a refusal.
    async fn send(&self, Signed { method, url, headers, body }: Signed) -> Answer<Response> {
        let request = self.http.request(method.clone(), url.clone()).headers(headers).body(body);
        let begun = Instant::now();
        let sent = request.send().await;
        if self.is_traced {
            trace(&method, &url, begun.elapsed(), sent.as_ref().ok());
        }
        let response = sent.map_err(answer::lost)?;
        if response.status().is_success() {
            return Ok(response);
        }
        let refusal = answer::refusal(response).await;
        Err(if self.is_session { refusal.of_session() } else { refusal })
    }
}

/// Logs a request: neither method nor URL hold a secret, as signatures and tokens are in headers.
fn trace(method: &Method, url: &Url, elapsed: Duration, response: Option<&Response>) {
    let ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    match response {
        Some(response) => {
            let (status, request_id) = (response.status().as_u16(), answer::request_id(response).unwrap_or_default());
            tracing::info!(%method, %url, status, request_id, ms, "minio request");
        }
        None => tracing::info!(%method, %url, ms, "minio request without an answer"),
    }
}

#[async_trait]
impl BucketClient for MinioClient {
    async fn credentials_source(&self) -> String {
        self.source.clone()
    }

    fn region(&self) -> Option<String> {
        Some(self.signer.region())
    }

    async fn put(&self, key: &str, body: Bytes, condition: Condition) -> Answer<Stored> {
        let response = self.upload(key, None, body, if_absent(condition)).await?;
        Ok(Stored { etag: answer::etag(&response) })
    }

    async fn create_multipart(&self, key: &str) -> Answer<String> {
        let response = self.call(key, Command::InitiateMultipartUpload { content_type: OCTETS }, &[]).await?;
        let document = answer::document(response, "InitiateMultipartUploadResult").await?;
        document.required("UploadId").map(str::to_owned)
    }

    async fn upload_part(&self, key: &str, upload_id: &str, number: u32, body: Bytes) -> Answer<Part> {
        let response = self.upload(key, Some((number, upload_id)), body, vec![]).await?;
        let etag = answer::etag(&response);
        let etag = etag.ok_or_else(|| Refusal::nonsense(format!("part {number} was stored without an ETag")))?;
        Ok(Part { number, etag })
    }

    async fn complete_multipart(
        &self,
        key: &str,
        upload_id: &str,
        parts: &[Part],
        condition: Condition,
    ) -> Answer<Stored> {
        let named = |part: &Part| NamedPart { part_number: part.number, etag: format!("\"{}\"", part.etag) };
        let data = CompleteMultipartUploadData { parts: parts.iter().map(named).collect() };
        let upload_id = &sign::encode(upload_id);
        let response =
            self.call(key, Command::CompleteMultipartUpload { upload_id, data }, &if_absent(condition)).await?;
        let document = answer::document(response, "CompleteMultipartUploadResult").await?;
        Ok(Stored { etag: document.text("ETag").and_then(answer::unquoted) })
    }

    async fn abort_multipart(&self, key: &str, upload_id: &str) -> Answer<()> {
        let upload_id = &sign::encode(upload_id);
        self.call(key, Command::AbortMultipartUpload { upload_id }, &[]).await.map(drop)
    }

    async fn list_multipart(&self, prefix: &str, after: Option<&UploadMarker>) -> Answer<UploadPage> {
        let command = Command::ListMultipartUploads {
            prefix: Some(prefix),
            delimiter: None,
            key_marker: after.map(|marker| marker.key.clone()),
            upload_id_marker: after.map(|marker| marker.upload_id.clone()).filter(|id| !id.is_empty()),
            max_uploads: Some(PAGE_KEYS),
        };
        let response = self.call("", command, &[]).await?;
        answer::upload_page(&answer::document(response, "ListMultipartUploadsResult").await?)
    }

    async fn get(&self, key: &str, range: Range<u64>, etag: Option<&str>) -> Answer<Fetched> {
        let command = Command::GetObjectRange { start: range.start, end: Some(range.end.saturating_sub(1)) };
        let unchanged = etag.map(|etag| ("if-match", format!("\"{etag}\"")));
        let response = self.call(key, command, unchanged.as_slice()).await?;
        answer::fetched(response, &range)
    }

    async fn head(&self, key: &str) -> Answer<Head> {
        answer::head(&self.call(key, Command::HeadObject, &[]).await?)
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Answer<ListPage> {
        let command = Command::ListObjectsV2 {
            prefix: prefix.to_owned(),
            delimiter: None,
            continuation_token: after.map(str::to_owned),
            start_after: None,
            max_keys: Some(PAGE_KEYS),
        };
        let response = self.call("", command, &[]).await?;
        answer::list_page(&answer::document(response, "ListBucketResult").await?)
    }

    async fn delete(&self, key: &str) -> Answer<()> {
        self.call(key, Command::DeleteObject, &[]).await.map(drop)
    }
}

fn if_absent(condition: Condition) -> Vec<Header> {
    match condition {
        Condition::None => vec![],
        Condition::Absent => vec![("if-none-match", "*".to_owned())],
    }
}

impl fmt::Debug for MinioClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MinioClient")
            .field("bucket", &self.signer.url())
            .field("credentials", &self.source)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
