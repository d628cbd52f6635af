//! Reading the body of a request: bounded in size and time, unpacked, and its media type understood.

use std::io::Read as _;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use futures::StreamExt as _;
use tokio::time::timeout;

use crate::limits::{BODY_TIMEOUT, DISCARDED_BYTES};
use crate::reply::{Code, Failure};

/// The media type of a body, without parameters, in lower case.
///
/// # Errors
/// No or a malformed `Content-Type`, or a charset other than UTF-8.
pub(crate) fn media_type(headers: &HeaderMap) -> Result<String, Failure> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = value.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty() && !name.contains(char::is_whitespace));
    let name = name.ok_or_else(|| Failure::request("Invalid Content-Type: say in this header what the body is"))?;
    for parameter in parts.filter(|parameter| !parameter.is_empty()) {
        let (key, value) = parameter.split_once('=').ok_or_else(|| Failure::request("Invalid Content-Type"))?;
        let value = value.trim().trim_matches('"');
        if key.trim().eq_ignore_ascii_case("charset") && !value.eq_ignore_ascii_case("utf-8") {
            return Err(Failure::request("Unsupported charset. Supported charset is UTF-8"));
        }
    }
    Ok(name.to_ascii_lowercase())
}

/// Reads a whole body of at most `limit` bytes, unpacking it when it is gzip.
///
/// # Errors
/// A body that is too large (HTTP 413), too slow (408), in another encoding, or not the gzip it claims to be.
pub(crate) async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Failure> {
    let packed = is_gzip(headers)?;
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|announced| announced > limit as u64) {
        // A client that asks first gets its answer instead of a request to go on.
        if !headers.contains_key(header::EXPECT) {
            discard(body).await;
        }
        return Err(too_large(limit));
    }
    let bytes = collect(body, limit).await?;
    if !packed {
        return Ok(bytes);
    }
    tokio::task::spawn_blocking(move || unpack(&bytes, limit))
        .await
        .map_err(|_| Failure::refused(Code::Error, "the body could not be unpacked"))?
}

fn is_gzip(headers: &HeaderMap) -> Result<bool, Failure> {
    let encoding =
        headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?").trim().to_ascii_lowercase());
    match encoding.as_deref() {
        None | Some("" | "identity") => Ok(false),
        Some("gzip") => Ok(true),
        Some(_) => Err(Failure::request("Unsupported content encoding: send gzip or nothing")),
    }
}

async fn collect(body: Body, limit: usize) -> Result<Bytes, Failure> {
    let mut stream = body.into_data_stream();
    let mut whole = Vec::new();
    loop {
        let Ok(next) = timeout(BODY_TIMEOUT, stream.next()).await else {
            let message = format!("no part of the body came for {} s", BODY_TIMEOUT.as_secs());
            return Err(Failure::request(message).with_status(StatusCode::REQUEST_TIMEOUT));
        };
        match next {
            None => return Ok(whole.into()),
            Some(Err(error)) => {
                return Err(Failure::refused(Code::Error, format!("the body could not be read: {error}")));
            }
            Some(Ok(part)) if whole.len() + part.len() > limit => {
                drop(whole);
                discard(Body::from_stream(stream)).await;
                return Err(too_large(limit));
            }
            Some(Ok(part)) => whole.extend_from_slice(&part),
        }
    }
}

/// Reads on for a while, so that the client gets to see why it was refused.
async fn discard(body: Body) {
    let mut stream = body.into_data_stream();
    let mut left = DISCARDED_BYTES;
    let drain = async {
        while let Some(Ok(part)) = stream.next().await {
            left = left.saturating_sub(part.len());
            if left == 0 {
                break;
            }
        }
    };
    _ = timeout(std::time::Duration::from_secs(2), drain).await;
}

fn unpack(bytes: &[u8], limit: usize) -> Result<Bytes, Failure> {
    let mut whole = Vec::new();
    let read = MultiGzDecoder::new(bytes).take(limit as u64 + 1).read_to_end(&mut whole);
    read.map_err(|error| Failure::refused(Code::Error, format!("the body is not the gzip it claims to be: {error}")))?;
    if whole.len() > limit { Err(too_large(limit)) } else { Ok(whole.into()) }
}

fn too_large(limit: usize) -> Failure {
    let message = format!("the body is larger than the {} KiB that this endpoint takes", limit >> 10);
    Failure::request(message).with_status(StatusCode::PAYLOAD_TOO_LARGE)
}
