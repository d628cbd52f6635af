//! From the versions of a key to the list somebody sees.

use std::collections::HashMap;

use graphdb_types::{Posting, PostingList, Ts};
use rocksdb::{ColumnFamily, DB, DBRawIterator, ReadOptions};

use crate::error::{Error, Result};
use crate::layout::{COMPLETE, DELTA, Delta, EMPTY, POSTINGS, VERSION_BYTES, put_version, split_version};

/// The list of one key as it stands at a timestamp.
#[derive(Debug, Default)]
pub(crate) struct ListAt {
    pub(crate) list: PostingList,
    /// The newest version at or below the timestamp; `None` if the key has none.
    pub(crate) version: Option<Ts>,
    /// How many deltas had to be applied.
    pub(crate) deltas: usize,
}

pub(crate) fn postings_family(db: &DB) -> &ColumnFamily {
    db.cf_handle(POSTINGS).expect("every column family is opened with the store")
}

/// An iterator for reading single keys: it uses the bloom filters over stored keys.
pub(crate) fn point_iterator(db: &DB) -> DBRawIterator<'_> {
    let mut options = ReadOptions::default();
    options.set_prefix_same_as_start(true);
    db.raw_iterator_cf_opt(postings_family(db), options)
}

/// Reads the list of `stored_key` at `read_ts`. `buffer` is scratch space.
pub(crate) fn read_list(
    iter: &mut DBRawIterator<'_>,
    stored_key: &[u8],
    read_ts: Ts,
    buffer: &mut Vec<u8>,
) -> Result<ListAt> {
    buffer.clear();
    buffer.extend_from_slice(stored_key);
    put_version(buffer, read_ts);
    iter.seek(&buffer);
    let mut collector = Collector::default();
    while let Some((key, value)) = iter.item() {
        let Some(version) = key.strip_prefix(stored_key).filter(|rest| rest.len() == VERSION_BYTES) else { break };
        let version = Ts(!u64::from_be_bytes(version.try_into().expect("the length was checked")));
        if collector.push(version, value)? {
            break;
        }
        iter.next();
    }
    iter.status().map_err(Error::rocks("read a posting list"))?;
    Ok(collector.finish())
}

/// Takes the versions of one key, newest first, until nothing older matters.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    version: Option<Ts>,
    base: PostingList,
    deltas: Vec<Delta>,
}

impl Collector {
    /// Takes the next older version; true when it is complete.
    pub(crate) fn push(&mut self, version: Ts, value: &[u8]) -> Result<bool> {
        self.version.get_or_insert(version);
        let (tag, wire) = value.split_first().ok_or_else(|| Error::damaged("a posting list without a tag"))?;
        match *tag {
            COMPLETE => self.base = PostingList::from_wire(wire)?,
            EMPTY => {}
            DELTA => {
                self.deltas.push(Delta::from_stored(wire)?);
                return Ok(false);
            }
            tag => return Err(Error::damaged(format!("a posting list with the unknown tag {tag:#04x}"))),
        }
        Ok(true)
    }

    /// Applies the deltas, oldest first.
    pub(crate) fn finish(self) -> ListAt {
        let deltas = self.deltas.len();
        let mut list = self.base;
        debug_assert!(self.deltas.iter().all(|delta| !delta.clear), "what clears is stored whole");
        merge_deltas(self.deltas, &mut list);
        ListAt { list, version: self.version, deltas }
    }
}

/// Applies deltas, newest first. Few are applied one by one; of many, what the newest says of each id is gathered first, since each
/// merge copies the list and a hot list can have thousands.
fn merge_deltas(newest_first: Vec<Delta>, list: &mut PostingList) {
    const FEW: usize = 4;
    if newest_first.len() <= FEW {
        return newest_first.into_iter().rev().for_each(|delta| delta.apply_to(list));
    }
    let mut changes: HashMap<u64, Option<Option<Posting>>> = HashMap::new();
    for Delta { removed, added, .. } in newest_first {
        let PostingList { ids, postings } = added;
        let mut postings = postings.into_iter().peekable();
        for id in ids {
            let posting = postings.next_if(|posting| posting.id == id);
            changes.entry(id).or_insert(Some(posting));
        }
        for id in removed {
            changes.entry(id).or_insert(None);
        }
    }
    let mut changes: Vec<_> = changes.into_iter().collect();
    changes.sort_unstable_by_key(|(id, _)| *id);
    let mut delta = Delta::default();
    for (id, change) in changes {
        match change {
            None => delta.removed.push(id),
            Some(posting) => {
                delta.added.ids.push(id);
                delta.added.postings.extend(posting);
            }
        }
    }
    delta.apply_to(list);
}

/// Walks over the keys of a range, handing each key's list at `read_ts` to `visit` with its newest version. Stops when `visit` is false.
pub(crate) fn scan_lists(
    iter: &mut DBRawIterator<'_>,
    read_ts: Ts,
    mut visit: impl FnMut(&[u8], ListAt) -> Result<bool>,
) -> Result<()> {
    let mut current: Vec<u8> = Vec::new();
    let mut collector: Option<Collector> = None;
    let mut complete = false;
    while let Some((key, value)) = iter.item() {
        let (stored, version) = split_version(key)?;
        if stored != current {
            if let Some(done) = collector.take()
                && !visit(&current, done.finish())?
            {
                return Ok(());
            }
            current.clear();
            current.extend_from_slice(stored);
            complete = false;
        }
        if version <= read_ts && !complete {
            complete = collector.get_or_insert_default().push(version, value)?;
        }
        iter.next();
    }
    iter.status().map_err(Error::rocks("scan posting lists"))?;
    if let Some(done) = collector {
        visit(&current, done.finish())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_deltas_give_what_one_after_the_other_gives() {
        let edge = |id: u64, commit_ts| Posting { id, is_edge: true, commit_ts, ..Posting::default() };
        let mut state = 7u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for _ in 0..200 {
            let deltas: Vec<Delta> = (0..40)
                .map(|ts| {
                    let (a, b) = (random(20), 20 + random(20));
                    let removed = vec![random(10) + 50];
                    let postings = if random(2) == 0 { vec![edge(b, ts)] } else { Vec::new() };
                    let added = PostingList { ids: vec![a, b], postings };
                    if random(3) == 0 {
                        Delta { clear: false, removed: vec![a, b], ..Delta::default() }
                    } else {
                        Delta { clear: false, removed, added }
                    }
                })
                .collect();
            let base = PostingList { ids: vec![3, 25, 51, 90], postings: vec![edge(25, 0), edge(90, 0)] };
            let mut one_by_one = base.clone();
            deltas.iter().rev().cloned().for_each(|delta| delta.apply_to(&mut one_by_one));
            let mut at_once = base;
            merge_deltas(deltas, &mut at_once);
            assert_eq!(at_once, one_by_one);
        }
    }
}
