//! Answers that the server did not give.

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{HeaderMap, Method, StatusCode};

use super::Operation;
use super::wire::{Answer, RequestHead};

/// By which a test recognises that an error's cause is a fault of ours.
const MESSAGE: &str = "injected by a test";

/// S3's error document, with the code that belongs to the status.
pub(super) fn error(status: u16, operation: Operation, head: &RequestHead) -> Answer {
    let mut answer = plain(StatusCode::from_u16(status), head, "application/xml", error_document(status, operation));
    answer.headers.insert("x-amz-request-id", HeaderValue::from_static("tx-injected"));
    if status == 429 {
        answer.headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    answer
}

/// Status 200 with the error document of an internal error.
pub(super) fn error_in_200(operation: Operation, head: &RequestHead) -> Answer {
    Answer { status: StatusCode::OK, ..error(500, operation, head) }
}

/// What stands between client and server says so, in HTML.
pub(super) fn page_for_people(status: u16, head: &RequestHead) -> Answer {
    let page = format!("<html><head><title>{status}</title></head><body><h1>{MESSAGE}</h1><hr>proxy</body></html>");
    plain(StatusCode::from_u16(status), head, "text/html", page)
}

fn plain(
    status: Result<StatusCode, impl std::error::Error>,
    head: &RequestHead,
    content_type: &'static str,
    body: String,
) -> Answer {
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
    let headless = head.method == Method::HEAD;
    let body = if headless { Bytes::new() } else { body.into() };
    Answer { status: status.expect("a test injects statuses that HTTP knows"), headers, body, headless }
}

fn error_document(status: u16, operation: Operation) -> String {
    let code = error_code(status, operation);
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>{MESSAGE}</Message>\
         <RequestId>tx-injected</RequestId><HostId>injected</HostId></Error>"
    )
}

/// The codes of S3's API reference.
fn error_code(status: u16, operation: Operation) -> &'static str {
    match (status, operation) {
        (400, _) => "InvalidRequest",
        (403, _) => "AccessDenied",
        (404, Operation::UploadPart | Operation::CompleteMultipart | Operation::AbortMultipart) => "NoSuchUpload",
        (404, Operation::Get | Operation::RangedGet | Operation::Head) => "NoSuchKey",
        (404, _) => "NoSuchBucket",
        (409, Operation::PutIfAbsent | Operation::CompleteMultipart) => "ConditionalRequestConflict",
        (409, _) => "OperationAborted",
        (412, _) => "PreconditionFailed",
        (429, _) => "TooManyRequests",
        (502, _) => "BadGateway",
        (503, _) => "SlowDown",
        _ => "InternalError",
    }
}
