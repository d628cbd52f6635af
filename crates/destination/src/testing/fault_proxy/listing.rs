//! Documents that are wrong, listings above all, made of right ones. They are taken as text: the entries are all that
//! matters.

use bytes::Bytes;

/// How an entry begins and ends: objects, and multipart uploads.
const ENTRIES: [(&str, &str); 2] = [("<Contents>", "</Contents>"), ("<Upload>", "</Upload>")];

/// A page without its entries.
pub(super) fn without_entries(page: &Bytes) -> Bytes {
    with_entries(page, |_| Vec::new())
}

/// A page with every entry twice.
pub(super) fn doubled(page: &Bytes) -> Bytes {
    with_entries(page, |entries| entries.into_iter().flat_map(|entry| [entry.clone(), entry]).collect())
}

/// A page with its entries in reverse order.
pub(super) fn reversed(page: &Bytes) -> Bytes {
    with_entries(page, |entries| entries.into_iter().rev().collect())
}

/// A page that says that more follows, and not how to ask for it.
pub(super) fn without_marker(page: &Bytes) -> Bytes {
    let mut text = String::from_utf8_lossy(page).into_owned();
    for name in ["NextContinuationToken", "NextMarker", "NextKeyMarker", "NextUploadIdMarker"] {
        text = cut(&text, &format!("<{name}>"), &format!("</{name}>")).0;
    }
    text.replace("<IsTruncated>false<", "<IsTruncated>true<").into()
}

/// A listing of nothing, at its end.
pub(super) fn empty(page: &Bytes) -> Bytes {
    let unmarked = without_marker(&without_entries(page));
    String::from_utf8_lossy(&unmarked).replace("<IsTruncated>true<", "<IsTruncated>false<").into()
}

/// A document that tells another `ETag`.
pub(super) fn with_etag(document: &Bytes, etag: &str) -> Bytes {
    let text = String::from_utf8_lossy(document);
    let Some(at) = text.find("<ETag>") else { return document.clone() };
    let (rest, _) = cut(&text, "<ETag>", "</ETag>");
    format!("{}<ETag>{etag}</ETag>{}", &rest[..at], &rest[at..]).into()
}

fn with_entries(page: &Bytes, change: impl Fn(Vec<String>) -> Vec<String>) -> Bytes {
    let text = String::from_utf8_lossy(page);
    let mut changed = text.clone().into_owned();
    for (begin, end) in ENTRIES {
        let Some(at) = text.find(begin) else { continue };
        let (rest, entries) = cut(&text, begin, end);
        changed = format!("{}{}{}", &rest[..at], change(entries).concat(), &rest[at..]);
    }
    changed.into()
}

/// Takes every piece from `begin` to `end` out, and returns what is left and the pieces.
fn cut(text: &str, begin: &str, end: &str) -> (String, Vec<String>) {
    let (mut rest, mut pieces) = (text.to_owned(), Vec::new());
    while let Some(from) = rest.find(begin) {
        let Some(to) = rest[from..].find(end) else { break };
        pieces.push(rest.drain(from..from + to + end.len()).collect());
    }
    (rest, pieces)
}
