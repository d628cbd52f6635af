//! From the versions of a key to the list somebody sees.

use graphdb_types::{PostingList, Ts};
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
        merge_deltas(self.deltas, &mut list);
        ListAt { list, version: self.version, deltas }
    }
}

/// Applies many deltas at once: a hot index list can have thousands, and each merge copies the list.
fn merge_deltas(newest_first: Vec<Delta>, list: &mut PostingList) {
    const FEW: usize = 8;
    let plain = |d: &Delta| !d.clear && d.removed.is_empty() && d.added.postings.is_empty();
    if newest_first.len() > FEW && newest_first.iter().all(plain) && list.postings.is_empty() {
        list.ids.extend(newest_first.into_iter().flat_map(|d| d.added.ids));
        list.ids.sort_unstable();
        list.ids.dedup();
        return;
    }
    newest_first.into_iter().rev().for_each(|delta| delta.apply_to(list));
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
            if let Some(done) = collector.take() {
                if !visit(&current, done.finish())? {
                    return Ok(());
                }
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
