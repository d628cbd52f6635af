//! Which names at a place are not objects: uploads in progress, and what file systems and filers keep for themselves.

use graphdb_types::ObjectName;

use crate::Result;
use crate::error::Attempt;

const TEMPORARY: &str = ".tmp-";
const CLAIM: &str = ".claim-";
const RANDOM_DIGITS: usize = 16;

/// Bytes of the object's own name in a temporary one: with the marks it stays below the 255 bytes of most file systems.
const KEPT_BYTES: usize = 200;

/// Bytes by which a claim's name is at most longer than that of its object.
pub(crate) const CLAIM_EXTRA_BYTES: usize = 1 + CLAIM.len() + RANDOM_DIGITS;

/// A fresh name beside `file_name` for what is still being written: `.<name>.tmp-<16 hex digits>`.
pub(crate) fn temporary_for(file_name: &str) -> String {
    fresh(&marked(file_name, TEMPORARY))
}

/// A fresh name beside `file_name` that says who wants to create it: `.<name>.claim-<16 hex digits>`.
pub(crate) fn claim_for(file_name: &str) -> String {
    fresh(&claims_on(file_name))
}

/// What all names of [`claim_for`] begin with.
pub(crate) fn claims_on(file_name: &str) -> String {
    marked(file_name, CLAIM)
}

fn marked(file_name: &str, mark: &str) -> String {
    format!(".{}{mark}", &file_name[..file_name.floor_char_boundary(KEPT_BYTES)])
}

fn fresh(marked: &str) -> String {
    format!("{marked}{:016x}", rand::random::<u64>())
}

/// Whether `segment` has the form of [`temporary_for`]. Only such files are ever swept.
pub(crate) fn is_temporary(segment: &str) -> bool {
    has_mark(segment, TEMPORARY)
}

/// Whether `segment` has the form of [`claim_for`]. Only such objects are ever swept.
pub(crate) fn is_claim(segment: &str) -> bool {
    has_mark(segment, CLAIM)
}

fn has_mark(segment: &str, mark: &str) -> bool {
    let parts = segment.strip_prefix('.').and_then(|rest| rest.rsplit_once(mark));
    parts.is_some_and(|(name, random)| {
        !name.is_empty()
            && random.len() == RANDOM_DIGITS
            && random.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Whether an upload to `name` that was never completed is ours to abort. A bucket gives uploads no name of their own, so the name of
/// the object must tell: what is large enough to be uploaded in parts lies in the folder of a backup, `dgraph.<date>.<time>.<ms>/`,
/// but for `manifest.json`.
pub(crate) fn is_name_of_backup(name: &ObjectName) -> bool {
    let mut segments = name.segments();
    let first = segments.next().unwrap_or_default();
    match segments.next() {
        None => first == "manifest.json",
        Some(_) => first.strip_prefix("dgraph.").is_some_and(is_instant),
    }
}

/// `20260104.224757.709`.
fn is_instant(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let is_number = |part: &&str| part.bytes().all(|b| b.is_ascii_digit());
    parts.iter().all(is_number) && parts.iter().map(|part| part.len()).eq([8, 6, 3])
}

/// Whether `segment` belongs to the place: our temporaries and claims, ext4's `lost+found`, the snapshot folders of filers (they
/// repeat every object there ever was), and files that NFS keeps for those who still have them open.
pub(crate) fn is_reserved(segment: &str) -> bool {
    is_temporary(segment)
        || is_claim(segment)
        || matches!(segment, "lost+found" | ".snapshot" | ".zfs")
        || segment.starts_with(".nfs")
}

/// Refuses names that a listing would not show.
pub(crate) fn refuse_reserved(attempt: &Attempt, name: &ObjectName) -> Result<()> {
    match name.segments().any(is_reserved) {
        false => Ok(()),
        true => Err(attempt.refuse(name, "a part of it is reserved for the file system or for uploads in progress")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_name_is_recognised_fits_a_file_system_and_is_fresh() {
        for name in ["manifest.json", &"ü".repeat(127), ".x.tmp-0123456789abcdef"] {
            let temporary = temporary_for(name);
            assert!(is_temporary(&temporary) && temporary.len() <= 255, "{temporary}");
            assert_ne!(temporary, temporary_for(name));
        }
    }

    #[test]
    fn names_of_others_are_not_taken_for_temporaries_or_claims() {
        for name in [
            "manifest.json",
            "a.tmp-0123456789abcdef",
            ".tmp-0123456789abcdef",
            ".a.tmp-0123456789abcde",
            ".a.tmp-0123456789ABCDEF",
            ".a.tmp-0123456789abcdef.json",
            ".a.tmp",
        ] {
            assert!(!is_temporary(name) && !is_claim(name) && !is_claim(&name.replace(".tmp-", ".claim-")), "{name}");
        }
    }

    #[test]
    fn a_claim_is_reserved_and_no_temporary() {
        let claim = claim_for("manifest.json");
        assert!(claim.starts_with(&claims_on("manifest.json")) && is_claim(&claim) && is_reserved(&claim), "{claim}");
        assert!(!is_temporary(&claim) && claim.len() <= "manifest.json".len() + CLAIM_EXTRA_BYTES);
        assert_ne!(claim, claim_for("manifest.json"));
    }

    #[test]
    fn only_uploads_into_the_folder_of_a_backup_are_ours_to_abort() {
        let ours = |text: &str| is_name_of_backup(&text.parse().expect("a name"));
        assert!(ours("dgraph.20260104.224757.709/r9-g1.backup") && ours("manifest.json"));
        for others in ["photo.raw", "x/manifest.json", "dgraph.2026/x", "dgraph.20260104.224757.709", "dgraph.a.b.c/x"]
        {
            assert!(!ours(others), "{others}");
        }
    }
}
