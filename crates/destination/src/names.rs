//! Which names at a place are not objects: uploads in progress, and what file systems and filers keep for themselves.

use graphdb_types::ObjectName;

use crate::Result;
use crate::error::Attempt;

const MARK: &str = ".tmp-";
const RANDOM_DIGITS: usize = 16;

/// Bytes of the object's own name in a temporary one: with the marks it stays below the 255 bytes of most file systems.
const KEPT_BYTES: usize = 200;

/// A fresh name beside `file_name` for what is still being written: `.<name>.tmp-<16 hex digits>`.
pub(crate) fn temporary_for(file_name: &str) -> String {
    let kept = &file_name[..file_name.floor_char_boundary(KEPT_BYTES)];
    format!(".{kept}{MARK}{:016x}", rand::random::<u64>())
}

/// Whether `segment` has the form of [`temporary_for`]. Only such files are ever swept.
pub(crate) fn is_temporary(segment: &str) -> bool {
    let parts = segment.strip_prefix('.').and_then(|rest| rest.rsplit_once(MARK));
    parts.is_some_and(|(name, random)| {
        !name.is_empty()
            && random.len() == RANDOM_DIGITS
            && random.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Whether `segment` belongs to the place: our temporaries, ext4's `lost+found`, the snapshot folders of filers (they
/// repeat every object there ever was), and files that NFS keeps for those who still have them open.
pub(crate) fn is_reserved(segment: &str) -> bool {
    is_temporary(segment) || matches!(segment, "lost+found" | ".snapshot" | ".zfs") || segment.starts_with(".nfs")
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
    fn names_of_others_are_not_taken_for_temporaries() {
        for name in [
            "manifest.json",
            "a.tmp-0123456789abcdef",
            ".tmp-0123456789abcdef",
            ".a.tmp-0123456789abcde",
            ".a.tmp-0123456789ABCDEF",
            ".a.tmp-0123456789abcdef.json",
            ".a.tmp",
        ] {
            assert!(!is_temporary(name), "{name}");
        }
    }
}
