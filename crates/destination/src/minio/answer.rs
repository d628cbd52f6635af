//! What stores answer, made sense of.

use std::error::Error as StdError;
use std::ops::Range;
use std::str::FromStr;
use std::time::SystemTime;

use futures::{StreamExt, TryStreamExt};
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, DATE, ETAG, LAST_MODIFIED, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

use super::http::AddressRefused;
use super::xml::Element;
use crate::bucket::{
    Answer, Class, Fetched, Head, ListPage, Listed, PendingUpload, Refusal, Told, UploadMarker, UploadPage,
};

/// Bytes that a document may have: a page has 1000 keys of up to 1 KiB, each of which XML may write six times as long, and as much again.
const MAX_DOCUMENT_BYTES: usize = 16 << 20;

/// No answer, or one that was cut off. The error's URL is left out: it says nothing new, and a log is no place for queries.
pub(super) fn lost(err: reqwest::Error) -> Refusal {
    let err = err.without_url();
    match refused_address(&err) {
        Some(refused) => Refusal::plain(Class::Denied, refused.to_string()),
        None => Refusal::of_connection(err.into()),
    }
}

fn refused_address(err: &reqwest::Error) -> Option<&AddressRefused> {
    let mut cause = err.source();
    while let Some(err) = cause {
        if let Some(refused) = err.downcast_ref() {
            return Some(refused);
        }
        cause = err.source();
    }
    None
}

/// Why a request was refused, from an answer that is no success. Without a document that can be read, the status has to do.
pub(super) async fn refusal(response: Response) -> Refusal {
    let mut told = told(&response);
    let document = body(response).await.ok().and_then(|text| Element::parse(&text));
    if let Some(error) = document.filter(|document| document.name == "Error") {
        explain(&mut told, &error);
    }
    Refusal::of_answer(told)
}

/// The document of an answer that says yes. An error in it is a refusal nevertheless.
pub(super) async fn document(response: Response, name: &str) -> Answer<Element> {
    let mut told = told(&response);
    let text = body(response).await?;
    match Element::parse(&text) {
        Some(document) if document.name == name => Ok(document),
        Some(error) if error.name == "Error" => {
            explain(&mut told, &error);
            Err(Refusal::of_answer(told))
        }
        Some(other) => Err(Refusal::nonsense(format!("the store answered with {} instead of {name}", other.name))),
        None => Err(Refusal::nonsense(format!("the store's {name} is not a whole document"))),
    }
}

fn told(response: &Response) -> Told {
    let header = |name: &str| header(response, name).map(str::to_owned);
    Told {
        status: response.status().as_u16(),
        code: None,
        message: None,
        request_id: request_id(response).map(str::to_owned),
        region: header("x-amz-bucket-region"),
        retry_after: header(RETRY_AFTER.as_str()),
        date: header(DATE.as_str()),
    }
}

/// By which the store's operator finds the request.
pub(super) fn request_id(response: &Response) -> Option<&str> {
    header(response, "x-amz-request-id")
}

fn explain(told: &mut Told, error: &Element) {
    let text = |name: &str| error.text(name).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    told.code = text("Code");
    told.message = text("Message");
    told.request_id = told.request_id.take().or_else(|| text("RequestId"));
    told.region = told.region.take().or_else(|| text("Region"));
}

async fn body(mut response: Response) -> Answer<String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        if bytes.len() + chunk.len() > MAX_DOCUMENT_BYTES {
            return Err(Refusal::nonsense(format!("the store's answer has more than {MAX_DOCUMENT_BYTES} bytes")));
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| Refusal::nonsense("the store's answer is not UTF-8"))
}

pub(super) fn etag(response: &Response) -> Option<String> {
    header(response, ETAG.as_str()).and_then(unquoted)
}

/// An ETag without its quotes. Ceph gives an empty one for an upload that was completed, which says nothing.
pub(super) fn unquoted(etag: &str) -> Option<String> {
    let etag = etag.trim().trim_start_matches("W/").trim_matches('"');
    (!etag.is_empty()).then(|| etag.to_owned())
}

/// The part of an object that was asked for, about to be read.
pub(super) fn fetched(response: Response, range: &Range<u64>) -> Answer<Fetched> {
    let length = number(header(&response, CONTENT_LENGTH.as_str()));
    let (object_bytes, announced_bytes) = match (response.status(), header(&response, CONTENT_RANGE.as_str())) {
        (StatusCode::PARTIAL_CONTENT, Some(text)) => {
            let given = ContentRange::from_str(text).ok().filter(|given| given.first == range.start);
            let given = given
                .ok_or_else(|| Refusal::nonsense(format!("the store answered {range:?} with the range {text:?}")))?;
            (given.object_bytes, length.unwrap_or(given.last - given.first + 1))
        }
        // A store without ranges gives the whole object, which may be what is wanted.
        (_, None) if range.start == 0 && length.is_some_and(|length| length <= range.end) => {
            (length.unwrap_or_default(), length.unwrap_or_default())
        }
        _ => return Err(Refusal::nonsense(format!("the store did not give the bytes {range:?}"))),
    };
    let (etag, etag_is_opaque) = (etag(&response), etag_is_opaque(&response));
    let body = response.bytes_stream().map_err(lost).boxed();
    Ok(Fetched { object_bytes, announced_bytes, etag, etag_is_opaque, body })
}

fn etag_is_opaque(response: &Response) -> bool {
    let by_key_service = header(response, "x-amz-server-side-encryption").is_some_and(|how| how.starts_with("aws:kms"));
    by_key_service || header(response, "x-amz-server-side-encryption-customer-algorithm").is_some()
}

/// `bytes first-last/object_bytes` (RFC 9110 §14.4).
struct ContentRange {
    first: u64,
    last: u64,
    object_bytes: u64,
}

impl FromStr for ContentRange {
    type Err = ();

    fn from_str(text: &str) -> Result<ContentRange, ()> {
        let (range, object_bytes) =
            text.trim().strip_prefix("bytes ").and_then(|rest| rest.split_once('/')).ok_or(())?;
        let (first, last) = range.split_once('-').ok_or(())?;
        let parsed = |text: &str| text.trim().parse().map_err(drop);
        let range = ContentRange { first: parsed(first)?, last: parsed(last)?, object_bytes: parsed(object_bytes)? };
        if range.first <= range.last && range.last < range.object_bytes { Ok(range) } else { Err(()) }
    }
}

/// What `HEAD` tells of an object.
pub(super) fn head(response: &Response) -> Answer<Head> {
    let missing = |name| move || Refusal::nonsense(format!("the store told no {name} of the object"));
    // The form of dates in HTTP (RFC 9110 §5.6.7) is one of mail's.
    let modified_at =
        header(response, LAST_MODIFIED.as_str()).and_then(|text| OffsetDateTime::parse(text, &Rfc2822).ok());
    Ok(Head {
        size_bytes: number(header(response, CONTENT_LENGTH.as_str())).ok_or_else(missing("Content-Length"))?,
        modified_at: modified_at.ok_or_else(missing("Last-Modified"))?.into(),
        etag: etag(response),
    })
}

/// A page of objects, and how to get the next one.
pub(super) fn list_page(document: &Element) -> Answer<ListPage> {
    let objects = document.children("Contents").map(listed).collect::<Answer<_>>()?;
    let next = is_truncated(document)?.then(|| document.required("NextContinuationToken")).transpose()?;
    Ok(ListPage { objects, next: next.map(str::to_owned) })
}

fn listed(object: &Element) -> Answer<Listed> {
    let key = object.required("Key")?.to_owned();
    let no_size = || Refusal::nonsense(format!("the store lists {key:?} without a size"));
    let size_bytes = number(object.text("Size")).ok_or_else(no_size)?;
    Ok(Listed { size_bytes, modified_at: required_instant(object, "LastModified")?, key })
}

/// A page of uploads in progress, and how to get the next one.
pub(super) fn upload_page(document: &Element) -> Answer<UploadPage> {
    let uploads = document.children("Upload").map(pending).collect::<Answer<_>>()?;
    let marker = || -> Answer<UploadMarker> {
        // Some stores go on by the key alone.
        let upload_id = document.text("NextUploadIdMarker").unwrap_or_default().to_owned();
        Ok(UploadMarker { key: document.required("NextKeyMarker")?.to_owned(), upload_id })
    };
    Ok(UploadPage { uploads, next: is_truncated(document)?.then(marker).transpose()? })
}

fn pending(upload: &Element) -> Answer<PendingUpload> {
    Ok(PendingUpload {
        key: upload.required("Key")?.to_owned(),
        upload_id: upload.required("UploadId")?.to_owned(),
        begun_at: required_instant(upload, "Initiated")?,
    })
}

/// Whether there are more pages. A listing that does not say could be short of objects.
fn is_truncated(document: &Element) -> Answer<bool> {
    match document.required("IsTruncated")?.trim() {
        "true" => Ok(true),
        "false" => Ok(false),
        other => Err(Refusal::nonsense(format!("the store's {} is truncated: {other:?}", document.name))),
    }
}

fn required_instant(element: &Element, name: &str) -> Answer<SystemTime> {
    let text = element.required(name)?;
    let no_time = |_| Refusal::nonsense(format!("{name} is {text:?}, which is no time"));
    OffsetDateTime::parse(text.trim(), &Rfc3339).map(SystemTime::from).map_err(no_time)
}

fn number(text: Option<&str>) -> Option<u64> {
    text?.trim().parse().ok()
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}
