use std::collections::HashMap;
use std::ops::{ControlFlow, RangeInclusive};
use std::sync::Arc;

use graphdb_types::{Key, KeyKind, PostingList, Predicate, Schema, Ts, Uid};
use rocksdb::{DBRawIterator, ReadOptions};

use crate::error::{Error, Result};
use crate::layout::{Delta, prefix_end};
use crate::store::Core;
use crate::versions::{point_iterator, postings_family, read_list, scan_lists};

/// The graph at one timestamp. While a view is open, the versions it can see are kept.
///
/// A view opened for a transaction also shows that transaction's pending writes, to readers of single lists; scans over an index or a
/// predicate do not show them (as in Dgraph).
#[derive(Debug)]
pub struct View {
    core: Arc<Core>,
    read_ts: Ts,
    schema: Arc<Schema>,
    pending: HashMap<Vec<u8>, Delta>,
}

/// Lists that needed more deltas than this are rolled up in the background after a read.
const MANY_DELTAS: usize = 32;

impl View {
    pub(crate) fn open(core: Arc<Core>, read_ts: Ts, pending: HashMap<Vec<u8>, Delta>) -> Result<View> {
        core.oracle.pin(read_ts)?;
        let schema = core.schema.at(read_ts);
        Ok(View { core, read_ts, schema, pending })
    }

    /// The timestamp whose graph this is: every commit up to it is visible, and nothing else.
    pub fn read_ts(&self) -> Ts {
        self.read_ts
    }

    /// The schema at [`View::read_ts`].
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The list of a key; empty if there is none.
    pub fn list(&self, key: &Key) -> Result<PostingList> {
        let mut reader = self.reader();
        reader.list(key)
    }

    /// A reader that is cheaper than [`View::list`] for many keys.
    pub fn reader(&self) -> ListReader<'_> {
        ListReader { view: self, iter: point_iterator(&self.core.db), buffer: Vec::new() }
    }

    /// Visits the non-empty index lists of `predicate` whose term lies within `first` and `last` (both included; terms begin with the
    /// tokenizer's byte), in the order of terms or backwards, until `visit` breaks.
    pub fn scan_index(
        &self,
        predicate: &Predicate,
        first: &[u8],
        last: &[u8],
        descending: bool,
        visit: &mut dyn FnMut(&[u8], &PostingList) -> ControlFlow<()>,
    ) -> Result<()> {
        let from = Key::index(predicate, first).to_stored();
        let to = prefix_end(&Key::index(predicate, last).to_stored());
        self.scan(from, to, descending, |key, list| match &key.kind {
            KeyKind::Index(term) => visit(term, list),
            _ => ControlFlow::Continue(()),
        })
    }

    /// Visits the non-empty data lists of `predicate` with a subject above `after`, ascending, until `visit` breaks.
    pub fn scan_data(
        &self,
        predicate: &Predicate,
        after: Uid,
        visit: &mut dyn FnMut(Uid, &PostingList) -> ControlFlow<()>,
    ) -> Result<()> {
        let from = prefix_end(&Key::data(predicate, after).to_stored());
        let to = prefix_end(&Key::stored_data_prefix(predicate));
        self.scan(from, to, false, |key, list| match key.kind {
            KeyKind::Data(uid) => visit(uid, list),
            _ => ControlFlow::Continue(()),
        })
    }

    /// Visits the non-empty reverse lists of `predicate` with an object above `after`, ascending, until `visit` breaks.
    pub fn scan_reverse(
        &self,
        predicate: &Predicate,
        after: Uid,
        visit: &mut dyn FnMut(Uid, &PostingList) -> ControlFlow<()>,
    ) -> Result<()> {
        let from = prefix_end(&Key::reverse(predicate, after).to_stored());
        let to = prefix_end(&Key::stored_reverse_prefix(predicate));
        self.scan(from, to, false, |key, list| match key.kind {
            KeyKind::Reverse(uid) => visit(uid, list),
            _ => ControlFlow::Continue(()),
        })
    }

    /// Visits the non-empty count lists of `predicate` for the counts in a range, ascending, until `visit` breaks.
    pub fn scan_counts(
        &self,
        predicate: &Predicate,
        of_reverse: bool,
        counts: RangeInclusive<u32>,
        visit: &mut dyn FnMut(u32, &PostingList) -> ControlFlow<()>,
    ) -> Result<()> {
        let key = |count: u32| {
            let kind = if of_reverse { KeyKind::CountReverse(count) } else { KeyKind::Count(count) };
            Key { predicate: predicate.clone(), kind }.to_stored()
        };
        let to = prefix_end(&key(*counts.end()));
        self.scan(key(*counts.start()), to, false, |key, list| match key.kind {
            KeyKind::Count(count) | KeyKind::CountReverse(count) => visit(count, list),
            _ => ControlFlow::Continue(()),
        })
    }

    fn scan(
        &self,
        from: Vec<u8>,
        to: Vec<u8>,
        descending: bool,
        mut visit: impl FnMut(&Key, &PostingList) -> ControlFlow<()>,
    ) -> Result<()> {
        self.check_floor()?;
        if descending {
            return self.scan_descending(&from, to, visit);
        }
        let mut options = ReadOptions::default();
        options.set_total_order_seek(true);
        options.set_iterate_upper_bound(to);
        let mut iter = self.core.db.raw_iterator_cf_opt(postings_family(&self.core.db), options);
        iter.seek(&from);
        scan_lists(&mut iter, self.read_ts, |stored, at| {
            Ok(at.list.is_empty() || visit(&Key::from_stored(stored)?, &at.list).is_continue())
        })
    }

    /// Backwards, from key to key: each key's versions are then read forwards.
    fn scan_descending(
        &self,
        from: &[u8],
        to: Vec<u8>,
        mut visit: impl FnMut(&Key, &PostingList) -> ControlFlow<()>,
    ) -> Result<()> {
        let mut options = ReadOptions::default();
        options.set_total_order_seek(true);
        options.set_iterate_lower_bound(from);
        let mut iter = self.core.db.raw_iterator_cf_opt(postings_family(&self.core.db), options);
        let mut lists = point_iterator(&self.core.db);
        let (mut buffer, mut bound) = (Vec::new(), to);
        loop {
            iter.seek_for_prev(&bound);
            // The bound itself is outside of the range, and a stored key without a version is never a key of the store.
            let Some(key) = iter.key() else { break };
            let stored = key[..key.len() - crate::layout::VERSION_BYTES].to_vec();
            let at = read_list(&mut lists, &stored, self.read_ts, &mut buffer)?;
            if !at.list.is_empty() && visit(&Key::from_stored(&stored)?, &at.list).is_break() {
                break;
            }
            bound = stored;
        }
        iter.status().map_err(Error::rocks("scan posting lists"))
    }

    fn check_floor(&self) -> Result<()> {
        let floor = self.core.drop_floor();
        if self.read_ts < floor { Err(Error::TooOld { read_ts: self.read_ts, floor }) } else { Ok(()) }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.core.oracle.unpin(self.read_ts);
    }
}

/// Reads lists of a [`View`] one after the other.
pub struct ListReader<'a> {
    view: &'a View,
    iter: DBRawIterator<'a>,
    buffer: Vec<u8>,
}

impl ListReader<'_> {
    /// The list of a key; empty if there is none.
    pub fn list(&mut self, key: &Key) -> Result<PostingList> {
        self.view.check_floor()?;
        let stored = key.to_stored();
        let at = read_list(&mut self.iter, &stored, self.view.read_ts, &mut self.buffer)?;
        if at.deltas > MANY_DELTAS {
            self.view.core.ask_roll_up(&stored);
        }
        let mut list = at.list;
        if let Some(delta) = self.view.pending.get(&stored) {
            delta.clone().apply_to(&mut list);
        }
        Ok(list)
    }
}
