//! Single requests, each with a timeout, repeated while that may help, and logged.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use graphdb_types::ObjectName;
use tokio::time::Instant;

use super::client::{Condition, Fetched, Head, ListPage, Part, Stored, UploadMarker, UploadPage};
use super::etag;
use super::place::Place;
use super::refusal::{Answer, Class, Refusal};
use crate::Error;
use crate::error::Attempt;

/// What a caller asked for, and the requests that it takes.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) place: Arc<Place>,
    pub(super) attempt: Attempt,
    /// When the first of the requests began that have had no answer since; `None` while the store answers.
    failing_since: Mutex<Option<Instant>>,
}

/// The answer to a request that may have been repeated.
pub(super) struct Outcome<T> {
    pub(super) answer: Answer<T>,
    /// Whether an earlier attempt may have been carried out all the same.
    pub(super) maybe_done: bool,
}

/// A request, for the log and for its timeout.
#[derive(Clone, Copy)]
struct Request<'a> {
    verb: &'static str,
    key: &'a str,
    bytes: u64,
    timeout: Duration,
}

/// The attempts of one request so far.
pub(super) struct Attempts {
    made: u32,
    begun_at: Instant,
}

impl Operation {
    pub(super) fn on(place: &Arc<Place>, action: &'static str, name: &ObjectName) -> Operation {
        Operation::new(place, Attempt::on(action, name, &place.location))
    }

    pub(super) fn on_all(place: &Arc<Place>, action: &'static str) -> Operation {
        Operation::new(place, Attempt::on_all(action, &place.location))
    }

    fn new(place: &Arc<Place>, attempt: Attempt) -> Operation {
        Operation { place: Arc::clone(place), attempt, failing_since: Mutex::new(None) }
    }

    fn request<'a>(&self, verb: &'static str, key: &'a str, bytes: u64) -> Request<'a> {
        Request { verb, key, bytes, timeout: self.place.options.attempt_timeout(bytes) }
    }

    /// The error that the caller gets for a refusal.
    pub(super) fn refused(&self, refusal: Refusal) -> Error {
        refusal.into_error(&self.attempt, self.place.client.region().as_deref())
    }

    pub(super) async fn put(&self, key: &str, body: &Bytes, condition: Condition) -> Outcome<Stored> {
        let request = self.request("PutObject", key, body.len() as u64);
        self.repeat(request, || self.place.client.put(key, body.clone(), condition)).await
    }

    pub(super) async fn create_multipart(&self, key: &str) -> Answer<String> {
        let request = self.request("CreateMultipartUpload", key, 0);
        self.repeat(request, || self.place.client.create_multipart(key)).await.answer
    }

    /// Uploads a part. The answer's ETag must fit the bytes.
    pub(super) async fn upload_part(&self, key: &str, upload_id: &str, number: u32, body: &Bytes) -> Answer<Part> {
        let md5 = etag::md5_of(body).await;
        let request = self.request("UploadPart", key, body.len() as u64);
        let upload = || async {
            let part = self.place.client.upload_part(key, upload_id, number, body.clone()).await?;
            match self.place.etag_fits(&part.etag, &md5) {
                true => Ok(part),
                false => Err(Refusal::nonsense(format!("the ETag of part {number} is not the MD5 of its bytes"))),
            }
        };
        self.repeat(request, upload).await.answer
    }

    pub(super) async fn complete_multipart(
        &self,
        key: &str,
        upload_id: &str,
        parts: &[Part],
        condition: Condition,
    ) -> Outcome<Stored> {
        let timeout = self.place.options.complete_timeout;
        let request = Request { timeout, ..self.request("CompleteMultipartUpload", key, 0) };
        self.repeat(request, || self.place.client.complete_multipart(key, upload_id, parts, condition)).await
    }

    pub(super) async fn abort_multipart(&self, key: &str, upload_id: &str) -> Answer<()> {
        let request = self.request("AbortMultipartUpload", key, 0);
        match self.repeat(request, || self.place.client.abort_multipart(key, upload_id)).await.answer {
            Err(refusal) if refusal.class == Class::NoUpload => Ok(()),
            answer => answer,
        }
    }

    pub(super) async fn list_multipart(&self, prefix: &str, after: Option<&UploadMarker>) -> Answer<UploadPage> {
        let request = self.request("ListMultipartUploads", prefix, 0);
        self.repeat(request, || self.place.client.list_multipart(prefix, after)).await.answer
    }

    /// Opens a range once; reading its body is a part of the attempt, so the caller repeats both.
    pub(super) async fn get_once(&self, key: &str, range: Range<u64>, etag: Option<&str>) -> Answer<Fetched> {
        let bytes = range.end - range.start;
        let request = Request { bytes, ..self.request("GetObject", key, 0) };
        let answer = self.ask(request, self.place.client.get(key, range, etag)).await;
        match answer {
            // A proxy or a web server has a 404 of its own.
            Err(refusal) if refusal.class == Class::Absent && refusal.code.is_none() => Err(Refusal::nonsense(
                format!("{refusal}, without the code by which a store says that an object is absent"),
            )),
            answer => answer,
        }
    }

    /// Size, time and ETag. The answer to this request has no words; those of a refusal are asked for by another one.
    pub(super) async fn head_with_words(&self, key: &str) -> Answer<Head> {
        let refusal = match self.head(key).await {
            Err(refusal) if refusal.class != Class::Absent && refusal.code.is_none() => refusal,
            answer => return answer,
        };
        match self.get_once(key, 0..1, None).await {
            Err(words) if words.code.is_some() && words.class != Class::Absent => Err(words),
            _ => Err(refusal),
        }
    }

    pub(super) async fn head(&self, key: &str) -> Answer<Head> {
        let request = self.request("HeadObject", key, 0);
        self.repeat(request, || self.place.client.head(key)).await.answer
    }

    /// Looks until the object is as it must be, because some stores show old states for a moment.
    pub(super) async fn head_until(&self, key: &str, is_right: impl Fn(&Head) -> bool + Send + Sync) -> Answer<Head> {
        let request = self.request("HeadObject", key, 0);
        let is_right = &is_right;
        let look = || async move {
            match self.place.client.head(key).await {
                Ok(head) if is_right(&head) => Ok(head),
                Ok(head) => Err(Refusal::nonsense(format!(
                    "the object has {} bytes and the ETag {}: not what was written",
                    head.size_bytes,
                    head.etag.as_deref().unwrap_or("-")
                ))),
                Err(refusal) if refusal.class == Class::Absent => {
                    Err(Refusal::nonsense("the store took the object and does not show it"))
                }
                Err(refusal) => Err(refusal),
            }
        };
        self.repeat(request, look).await.answer
    }

    pub(super) async fn list(&self, prefix: &str, after: Option<&str>) -> Answer<ListPage> {
        let request = self.request("ListObjectsV2", prefix, 0);
        self.repeat(request, || self.place.client.list(prefix, after)).await.answer
    }

    pub(super) async fn delete(&self, key: &str) -> Outcome<()> {
        let request = self.request("DeleteObject", key, 0);
        self.repeat(request, || self.place.client.delete(key)).await
    }

    /// Asks until there is an answer that asking again would not change, or patience ends.
    async fn repeat<T, F>(&self, request: Request<'_>, ask: impl Fn() -> F + Send) -> Outcome<T>
    where
        F: Future<Output = Answer<T>> + Send,
    {
        let mut attempts = Attempts::begin();
        loop {
            let maybe_done = attempts.made > 0;
            match self.ask(request, ask()).await {
                Err(refusal) if self.may_repeat(&mut attempts, request.timeout, &refusal).await => {}
                answer => return Outcome { answer, maybe_done },
            }
        }
    }

    /// Counts a refused attempt and, if there may be another one, waits until it is time.
    pub(super) async fn may_repeat(
        &self,
        attempts: &mut Attempts,
        attempt_timeout: Duration,
        refusal: &Refusal,
    ) -> bool {
        attempts.made += 1;
        let options = &self.place.options;
        if !refusal.is_passing() || attempts.made >= options.attempts {
            return false;
        }
        let wait = options.wait_after(attempts.made, refusal.retry_after);
        let patient = attempts.begun_at.elapsed() + wait <= options.request_patience + attempt_timeout
            && self.failing_for() + wait <= options.operation_patience + attempt_timeout;
        if patient {
            tracing::debug!(action = self.attempt.action, object = %self.attempt.object(), %refusal, ?wait, "asking the store again");
            tokio::time::sleep(wait).await;
        }
        patient
    }

    /// One attempt, with a timeout, noted in the log.
    async fn ask<T>(&self, request: Request<'_>, work: impl Future<Output = Answer<T>> + Send) -> Answer<T> {
        let begun_at = Instant::now();
        let answer = tokio::time::timeout(request.timeout, work).await;
        let answer = answer.unwrap_or_else(|_| Err(Refusal::timeout(request.timeout)));
        let refusal = answer.as_ref().err();
        self.note(begun_at, refusal);
        tracing::trace!(
            request = request.verb,
            key = request.key,
            bytes = request.bytes,
            millis = begun_at.elapsed().as_millis() as u64,
            refusal = refusal.map(tracing::field::display),
            "object store asked"
        );
        answer
    }

    fn note(&self, begun_at: Instant, refusal: Option<&Refusal>) {
        let mut failing_since = self.failing_since.lock().unwrap_or_else(PoisonError::into_inner);
        *failing_since = match refusal {
            Some(refusal) if refusal.is_passing() => Some(failing_since.unwrap_or(begun_at)),
            _ => None,
        };
    }

    fn failing_for(&self) -> Duration {
        let failing_since = self.failing_since.lock().unwrap_or_else(PoisonError::into_inner);
        failing_since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

impl Attempts {
    pub(super) fn begin() -> Attempts {
        Attempts { made: 0, begun_at: Instant::now() }
    }
}
