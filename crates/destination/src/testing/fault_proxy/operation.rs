//! What a request asks of an object store.

use std::fmt;

use hyper::header::{IF_NONE_MATCH, RANGE};
use hyper::{HeaderMap, Method};

/// The operations of S3 that backups are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// Writes an object whatever is there.
    Put,
    /// Writes an object if the name is free (`If-None-Match: *`).
    PutIfAbsent,
    /// Begins a multipart upload.
    CreateMultipart,
    /// Uploads a part.
    UploadPart,
    /// Makes the object of its parts.
    CompleteMultipart,
    /// Gives a multipart upload up.
    AbortMultipart,
    /// Lists multipart uploads in progress.
    ListMultipart,
    /// Reads an object, whole or from its first byte on.
    Get,
    /// Reads a later range of an object.
    RangedGet,
    /// Asks for size and time of an object.
    Head,
    /// Lists objects.
    List,
    /// Removes an object.
    Delete,
    /// Anything else; no fault is meant for it.
    Other,
}

impl Operation {
    /// All but [`Operation::Other`].
    pub const ALL: [Operation; 12] = [
        Operation::Put,
        Operation::PutIfAbsent,
        Operation::CreateMultipart,
        Operation::UploadPart,
        Operation::CompleteMultipart,
        Operation::AbortMultipart,
        Operation::ListMultipart,
        Operation::Get,
        Operation::RangedGet,
        Operation::Head,
        Operation::List,
        Operation::Delete,
    ];

    /// Sorts a request with a path-style target, `/bucket/key?query`.
    pub(super) fn of(method: &Method, target: &str, headers: &HeaderMap) -> Operation {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let asks = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
        let on_object = path.trim_start_matches('/').split_once('/').is_some_and(|(_, key)| !key.is_empty());
        match (method.as_str(), on_object) {
            ("PUT", true) if asks("uploadId") => Operation::UploadPart,
            ("PUT", true) if headers.contains_key(IF_NONE_MATCH) => Operation::PutIfAbsent,
            ("PUT", true) => Operation::Put,
            ("POST", true) if asks("uploads") => Operation::CreateMultipart,
            ("POST", true) if asks("uploadId") => Operation::CompleteMultipart,
            ("DELETE", true) if asks("uploadId") => Operation::AbortMultipart,
            ("DELETE", true) => Operation::Delete,
            ("GET", true) if asks("uploadId") => Operation::Other,
            ("GET", true) if is_later_range(headers) => Operation::RangedGet,
            ("GET", true) => Operation::Get,
            ("HEAD", true) => Operation::Head,
            ("GET", false) if asks("uploads") => Operation::ListMultipart,
            ("GET", false) if asks("list-type") || asks("prefix") => Operation::List,
            _ => Operation::Other,
        }
    }
}

fn is_later_range(headers: &HeaderMap) -> bool {
    let range = headers.get(RANGE).and_then(|range| range.to_str().ok());
    range.is_some_and(|range| !range.trim().starts_with("bytes=0-"))
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operation::Put => "put",
            Operation::PutIfAbsent => "conditional put",
            Operation::CreateMultipart => "create multipart",
            Operation::UploadPart => "upload part",
            Operation::CompleteMultipart => "complete multipart",
            Operation::AbortMultipart => "abort multipart",
            Operation::ListMultipart => "list multipart",
            Operation::Get => "get",
            Operation::RangedGet => "ranged get",
            Operation::Head => "head",
            Operation::List => "list",
            Operation::Delete => "delete",
            Operation::Other => "other",
        })
    }
}
