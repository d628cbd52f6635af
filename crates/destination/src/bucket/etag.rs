//! ETags, as far as they tell of the bytes: the MD5 of an object or part, or of the MD5s of all parts.

use std::fmt::Write;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use md5::{Digest, Md5};

use super::client::Part;

/// So many times in a row the ETag of something just written must differ from its MD5 before it is believed that this store's ETags are
/// none. The store checks what arrives by the MD5 in the request, so nothing hangs on this alone.
const DIFFERENCES: u32 = 3;

/// What a store's answers have shown of its ETags.
#[derive(Debug, Default)]
pub(super) struct EtagKind {
    /// [`u32::MAX`] once one was an MD5.
    differences: AtomicU32,
}

impl EtagKind {
    /// Whether `etag`, given for what was just written, fits its `md5`, as far as is known of this store.
    pub(super) fn fits(&self, etag: &str, md5: &str) -> bool {
        if !is_md5(etag) {
            return true;
        }
        if etag.eq_ignore_ascii_case(md5) {
            self.differences.store(u32::MAX, Ordering::Relaxed);
            return true;
        }
        let differ_once_more = |n: u32| if n == u32::MAX { None } else { Some(n.saturating_add(1).min(DIFFERENCES)) };
        let before = self.differences.fetch_update(Ordering::Relaxed, Ordering::Relaxed, differ_once_more);
        before.is_ok_and(|n| n + 1 >= DIFFERENCES)
    }
}

/// Whether `etag` has the form of an MD5 of a whole object.
pub(super) fn is_md5(etag: &str) -> bool {
    etag.len() == 32 && etag.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Whether `etag` has the form that S3 gives objects made of parts.
pub(super) fn is_of_parts(etag: &str) -> bool {
    etag.split_once('-').is_some_and(|(md5, parts)| is_md5(md5) && parts.parse::<u32>().is_ok())
}

/// The ETag that S3 gives an object made of `parts`, if theirs are MD5s: the MD5 of these, and their number.
pub(super) fn of_parts(parts: &[Part]) -> Option<String> {
    let mut digest = Md5::new();
    for part in parts {
        digest.update(from_hex(&part.etag)?);
    }
    Some(format!("{}-{}", hex(&digest.finalize()), parts.len()))
}

/// The MD5 of a body in hexadecimal. A part takes milliseconds, so not on a thread that serves others.
pub(super) async fn md5_of(body: &Bytes) -> String {
    let body = body.clone();
    let digest = tokio::task::spawn_blocking(move || hex(&Md5::digest(&body))).await;
    digest.expect("computing a digest does not panic")
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        _ = write!(text, "{byte:02x}");
        text
    })
}

fn from_hex(text: &str) -> Option<[u8; 16]> {
    is_md5(text).then(|| u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "0cc175b9c0f1b6a831c399e269772661";
    const B: &str = "92eb5ffee6ae2fec3ad71c777531578f";

    #[tokio::test]
    async fn the_etag_of_parts_is_the_md5_of_theirs_and_their_number() {
        assert_eq!(md5_of(&"a".into()).await, A);
        let part = |number, etag: &str| Part { number, etag: etag.into() };
        // printf 'a' | md5sum, printf 'b' | md5sum, both as bytes | md5sum
        assert_eq!(of_parts(&[part(1, A), part(2, B)]).as_deref(), Some("96e024ba2074fe77e8e965ba43a704be-2"));
        assert_eq!(of_parts(&[part(1, A), part(2, "opaque")]), None);
    }

    #[test]
    fn a_difference_counts_until_it_is_the_rule() {
        let kind = EtagKind::default();
        assert!(kind.fits("opaque-7", A));
        assert_eq!([kind.fits(B, A), kind.fits(B, A), kind.fits(B, A), kind.fits(B, A)], [false, false, true, true]);
        assert!(kind.fits(&A.to_uppercase(), A));
        assert!((0..9).all(|_| !kind.fits(B, A)), "a store whose ETags were MD5s once");
    }
}
