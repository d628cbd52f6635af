//! From sorted key-values to one list for each key: the newest backup's, joined from its parts.

use graphdb_archive::{KeyValue, user_meta};
use graphdb_types::{Malformed, PostingList, Ts, list_splits};

use super::SUFFIX_BYTES;
use crate::error::{Error, Result};
use crate::sort::Sorted;

/// What a key-value says of its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The list is there.
    Whole,
    /// It became empty.
    Empty,
    /// v21.12 threw its content away.
    Forbidden,
}

/// The state that a key-value of a list has, as the byte that goes into the sorter.
///
/// # Errors
/// A `user_meta` that Dgraph refuses too.
pub(super) fn state_of(kv: &KeyValue<'_>) -> Result<u8, Malformed> {
    match kv.user_meta {
        user_meta::COMPLETE | user_meta::DELTA if kv.value.is_empty() => Ok(user_meta::EMPTY),
        user_meta::COMPLETE | user_meta::DELTA => Ok(user_meta::COMPLETE),
        user_meta::EMPTY | user_meta::FORBIDDEN => Ok(kv.user_meta),
        _ => Err(Malformed { what: "user_meta of a key-value" }),
    }
}

/// A key-value of the sorter.
#[derive(Debug, Default)]
struct Record {
    key: Vec<u8>,
    value: Vec<u8>,
    there: bool,
}

impl Record {
    fn stored(&self) -> &[u8] {
        &self.key[..self.key.len() - SUFFIX_BYTES]
    }

    fn age(&self) -> &[u8] {
        &self.key[self.key.len() - SUFFIX_BYTES..][..4]
    }

    fn start_uid(&self) -> u64 {
        u64::from_be_bytes(*self.key.last_chunk().expect("every key has its suffix"))
    }

    fn version(&self) -> u64 {
        u64::from_le_bytes(*self.value[1..].first_chunk().expect("every value has its version"))
    }

    fn list(&self) -> &[u8] {
        &self.value[9..]
    }
}

/// A cursor over the lists of a series.
pub(super) struct Lists {
    sorted: Sorted,
    /// The next key-value.
    next: Record,
    /// The key-value of the list the cursor stands on, and the parts it was joined from.
    current: Record,
    parts: Vec<(u64, Vec<u8>)>,
    joined: Option<Vec<u8>>,
    begun: bool,
    newest: Ts,
}

impl Lists {
    /// No list is newer than `newest`.
    pub(super) fn new(sorted: Sorted, newest: Ts) -> Lists {
        Lists {
            sorted,
            newest,
            next: Record::default(),
            current: Record::default(),
            parts: Vec::new(),
            joined: None,
            begun: false,
        }
    }

    fn read(&mut self) -> Result<()> {
        self.next.there = false;
        if let Some((key, value)) = self.sorted.next()? {
            self.next.key.clear();
            self.next.key.extend_from_slice(key);
            self.next.value.clear();
            self.next.value.extend_from_slice(value);
            self.next.there = true;
        }
        Ok(())
    }

    /// Moves to the next list; `false` at the end. Parts whose list is not in the same backup belong to a list that is whole again, and
    /// count for nothing.
    pub(super) fn advance(&mut self) -> Result<bool> {
        if !std::mem::replace(&mut self.begun, true) {
            self.read()?;
        }
        while self.next.there {
            if self.next.start_uid() > 0 {
                self.read()?;
                continue;
            }
            std::mem::swap(&mut self.current, &mut self.next);
            self.parts.clear();
            self.read()?;
            while self.next.there && self.next.stored() == self.current.stored() {
                if self.next.age() == self.current.age() && self.next.start_uid() > 0 {
                    self.parts.push((self.next.start_uid(), self.next.list().to_vec()));
                }
                self.read()?;
            }
            self.joined = self.join()?;
            return Ok(true);
        }
        Ok(false)
    }

    /// The list as one, if it was split. Its main key names the parts.
    fn join(&self) -> Result<Option<Vec<u8>>> {
        let damaged = |source| Error::DamagedList { key: self.current.stored().escape_ascii().to_string(), source };
        let splits = list_splits(self.current.list()).map_err(damaged)?;
        if splits.is_empty() {
            return Ok(None);
        }
        let mut whole = PostingList::from_wire(self.current.list()).map_err(damaged)?;
        for start in splits {
            let part = self.parts.iter().find(|(uid, _)| *uid == start);
            let (_, part) = part.ok_or(damaged(Malformed { what: "list in parts: one is missing" }))?;
            whole.merge(PostingList::from_wire(part).map_err(damaged)?);
        }
        Ok(Some(whole.to_wire()))
    }

    /// The stored key.
    pub(super) fn key(&self) -> &[u8] {
        self.current.stored()
    }

    pub(super) fn state(&self) -> State {
        match self.current.value[0] {
            user_meta::EMPTY => State::Empty,
            user_meta::FORBIDDEN => State::Forbidden,
            _ => State::Whole,
        }
    }

    /// When the list was changed last. Some versions of Dgraph say 0, and some one more than the timestamp of the backup.
    pub(super) fn version(&self) -> Ts {
        Ts(self.current.version().max(1)).min(self.newest)
    }

    /// The list, a `BackupPostingList` message.
    pub(super) fn list(&self) -> &[u8] {
        self.joined.as_deref().unwrap_or(self.current.list())
    }
}
