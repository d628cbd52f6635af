//! How posting lists stand in RocksDB.
//!
//! ```text
//! postings   stored key (types::Key) | !commit_ts, u64 BE      0x08 | BackupPostingList          the complete list
//!                                                              0x10                              the list became empty
//!                                                              0x04 | delta                      a change of what is older
//! log        commit_ts, u64 BE                                 LogRecord
//! schema     0 or 1 | namespace u64 BE | name | !commit_ts     0x01 | SchemaUpdate or TypeUpdate, or 0x00 for removed
//! meta       text                                              numbers u64 BE, JSON records
//! ```
//! Timestamps are inverted, so that the newest version of a key comes first.

use graphdb_types::{Malformed, PostingList, Ts, WireReader, put_uvarint};

pub(crate) const POSTINGS: &str = "postings";
pub(crate) const LOG: &str = "log";
pub(crate) const SCHEMA: &str = "schema";
pub(crate) const META: &str = "meta";

/// The version of this layout. A directory with a greater one is refused.
pub(crate) const FORMAT_VERSION: u64 = 1;

/// Length of the inverted timestamp behind a stored key.
pub(crate) const VERSION_BYTES: usize = 8;

/// Value tags; the first two are the `user_meta` of a backup's key-values.
pub(crate) const COMPLETE: u8 = 0x08;
pub(crate) const EMPTY: u8 = 0x10;
pub(crate) const DELTA: u8 = 0x04;

pub(crate) fn put_version(key: &mut Vec<u8>, ts: Ts) {
    key.extend_from_slice(&(!ts.0).to_be_bytes());
}

pub(crate) fn versioned(stored_key: &[u8], ts: Ts) -> Vec<u8> {
    let mut key = Vec::with_capacity(stored_key.len() + VERSION_BYTES);
    key.extend_from_slice(stored_key);
    put_version(&mut key, ts);
    key
}

/// Splits a key of the postings family into the stored key and the version.
pub(crate) fn split_version(key: &[u8]) -> Result<(&[u8], Ts), Malformed> {
    let (stored, version) =
        key.split_last_chunk::<VERSION_BYTES>().ok_or(Malformed { what: "key of a posting list" })?;
    Ok((stored, Ts(!u64::from_be_bytes(*version))))
}

/// The smallest key greater than every key that begins with `prefix`.
pub(crate) fn prefix_end(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            break;
        }
    }
    end
}

/// A change of a posting list: first everything older goes if `clear`, then `removed`, then `added` is merged in.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Delta {
    pub(crate) clear: bool,
    /// Ascending; none of them is in `added`.
    pub(crate) removed: Vec<u64>,
    pub(crate) added: PostingList,
}

impl Delta {
    /// The change that makes a list this one.
    pub(crate) fn whole(list: PostingList) -> Delta {
        Delta { clear: true, removed: Vec::new(), added: list }
    }

    pub(crate) fn apply_to(self, list: &mut PostingList) {
        if self.clear {
            *list = self.added;
        } else {
            list.remove_all(&self.removed);
            list.merge(self.added);
        }
    }

    /// The value to store: a complete list where nothing older shines through, else a delta.
    pub(crate) fn to_stored(&self) -> Vec<u8> {
        if self.clear {
            return complete_value(&self.added);
        }
        let mut added = Vec::new();
        self.added.put_wire(&mut added);
        let mut out = Vec::with_capacity(added.len() + 2 * self.removed.len() + 8);
        out.push(DELTA);
        put_uvarint(&mut out, added.len() as u64);
        out.extend_from_slice(&added);
        if !self.removed.is_empty() {
            PostingList::of_ids(self.removed.clone()).put_wire(&mut out);
        }
        out
    }

    /// Reads what follows the [`DELTA`] tag.
    pub(crate) fn from_stored(bytes: &[u8]) -> Result<Delta, Malformed> {
        const WHAT: &str = "delta of a posting list";
        let mut reader = WireReader::new(bytes, WHAT);
        let len = usize::try_from(reader.uvarint()?).map_err(|_| Malformed { what: WHAT })?;
        let (added, removed) = reader.rest().split_at_checked(len).ok_or(Malformed { what: WHAT })?;
        let removed = PostingList::from_wire(removed)?.ids;
        Ok(Delta { clear: false, removed, added: PostingList::from_wire(added)? })
    }
}

/// The stored form of a complete list.
pub(crate) fn complete_value(list: &PostingList) -> Vec<u8> {
    if list.is_empty() {
        return vec![EMPTY];
    }
    let mut out = Vec::with_capacity(16 + 2 * list.ids.len() + 48 * list.postings.len());
    out.push(COMPLETE);
    list.put_wire(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_versions_come_first() {
        assert!(versioned(b"k", Ts(9)) < versioned(b"k", Ts(8)));
        assert_eq!(split_version(&versioned(b"k", Ts(9))), Ok((&b"k"[..], Ts(9))));
        assert_eq!(prefix_end(&[1, 0xff]), [2]);
        assert_eq!(prefix_end(&[0xff]), [0u8; 0]);
    }

    #[test]
    fn deltas_come_back() {
        let delta = Delta { clear: false, removed: vec![3, 9], added: PostingList::of_ids(vec![1, 700]) };
        let stored = delta.to_stored();
        assert_eq!(stored[0], DELTA);
        assert_eq!(Delta::from_stored(&stored[1..]), Ok(delta));
        assert_eq!(Delta { clear: true, ..Delta::default() }.to_stored(), [EMPTY]);
    }
}
