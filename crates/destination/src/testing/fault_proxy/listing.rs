//! Documents that are wrong, listings above all, made of right ones. They are taken as text: the entries are all that
//! matters.

use bytes::Bytes;
use percent_encoding::percent_decode_str;

/// How an entry begins and ends: objects, and multipart uploads.
const ENTRIES: [(&str, &str); 2] = [("<Contents>", "</Contents>"), ("<Upload>", "</Upload>")];

/// The first entries of a page, and how to go on after them. The page itself if it has no more.
pub(super) fn first_page(page: &Bytes, entries: usize) -> Bytes {
    let text = String::from_utf8_lossy(page);
    let all: Vec<String> = ENTRIES.iter().flat_map(|(begin, end)| cut(&text, begin, end).1).collect();
    if all.len() <= entries {
        return page.clone();
    }
    let last = &all[entries - 1];
    let (key, upload) = (inside(last, "Key"), inside(last, "UploadId"));
    let token = percent_decode_str(key).decode_utf8_lossy();
    let markers = format!(
        "<NextContinuationToken>{token}</NextContinuationToken><NextKeyMarker>{key}</NextKeyMarker>\
         <NextUploadIdMarker>{upload}</NextUploadIdMarker>"
    );
    let cut = without_marker(&with_entries(page, |kept| kept[..entries].to_vec()));
    let cut = String::from_utf8_lossy(&cut);
    let at = cut.find("</IsTruncated>").map_or(cut.len(), |at| at + "</IsTruncated>".len());
    format!("{}{markers}{}", &cut[..at], &cut[at..]).into()
}

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

/// What stands in the first element of that name; nothing if there is none.
fn inside<'a>(text: &'a str, name: &str) -> &'a str {
    let begin = format!("<{name}>");
    let content = text.find(&begin).map(|at| &text[at + begin.len()..]);
    content.and_then(|content| content.split('<').next()).unwrap_or_default()
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
