//! Schema changes and drops, as the committer applies them: alone, at one commit_ts, readers at older timestamps see the old schema.
//!
//! An index is built at the commit_ts of its change, before that commit is visible. If the process dies meanwhile, what was written is
//! removed when the store is opened again ([`undo_unfinished_build`]).

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use graphdb_types::{
    DropOp, Key, KeyKind, PostingList, Predicate, PredicateSchema, Schema, Ts, TypeDef, VALUE_UID, ValType,
};
use rocksdb::{DB, Direction, IteratorMode, ReadOptions, WriteBatch};

use crate::derive::{derived_keys, reverse_count_key};
use crate::edge::value_id;
use crate::error::{Error, Result};
use crate::layout::{COMPLETE, DELTA, Delta, EMPTY, LOG, complete_value, prefix_end, split_version, versioned};
use crate::log::{LogEntry, LogRecord, drop_to_wire, log_key};
use crate::meta::{self, BUILDING_PREFIX, DROP_PREFIX, meta_family};
use crate::schema_history::{changed, initial_schema, put_schema_change};
use crate::versions::{ListAt, postings_family, scan_lists};

/// Something `/alter` asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Alter {
    /// Defines predicates and types; indexes are built or taken away.
    Schema(SchemaChange),
    /// Takes data away.
    Drop(DropOp),
}

/// Predicates and types that are defined (`Some`) or removed (`None`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SchemaChange {
    /// In the order they were written.
    pub predicates: Vec<(Predicate, Option<PredicateSchema>)>,
    /// In the order they were written.
    pub types: Vec<(Predicate, Option<TypeDef>)>,
}

/// Memory for the lists of an index that is being built, before they are merged into the store.
const BUILD_BUFFER_BYTES: usize = 64 << 20;

/// Checks a schema change against the rules that depend on data.
pub(crate) fn check(db: &DB, schema: &Schema, change: &SchemaChange) -> Result<()> {
    for (predicate, new) in &change.predicates {
        let Some(old) = schema.predicate(predicate) else { continue };
        let Some(new) = new else {
            if has_data(db, predicate)? {
                // Backups carry the data of predicates that have a schema.
                return Err(Error::refused(format!(
                    "the schema of {predicate} cannot be removed while it holds data; drop it instead"
                )));
            }
            continue;
        };
        if old.list && !new.list {
            let why =
                format!("Type can't be changed from list to scalar for attr: [{predicate}] without dropping it first");
            return Err(Error::refused(why));
        }
        let was_edge = old.value_type == ValType::Uid;
        if was_edge != (new.value_type == ValType::Uid) && has_data(db, predicate)? {
            let (from, to) = (old.value_type.name(), new.value_type.name());
            return Err(Error::refused(format!(
                "Schema change not allowed from {from} to {to} without deleting predicate {predicate} first: it holds data"
            )));
        }
    }
    Ok(())
}

pub(crate) fn has_data(db: &DB, predicate: &Predicate) -> Result<bool> {
    let mut found = false;
    scan_prefix(db, &Key::stored_data_prefix(predicate), |_, at| {
        found = !at.list.is_empty();
        Ok(!found)
    })?;
    Ok(found)
}

/// Applies a schema change at `commit_ts`: builds and empties derived lists, then writes the definitions and the log record in one step.
/// Gives the new schema.
pub(crate) fn apply_schema(db: &DB, schema: &Schema, change: &SchemaChange, commit_ts: Ts) -> Result<Schema> {
    let default = PredicateSchema::default();
    let mut touched_predicates = Vec::new();
    for (predicate, new) in &change.predicates {
        let old = schema.predicate(predicate).unwrap_or(&default);
        let new = new.as_ref().unwrap_or(&default);
        if !same_derived(old, new) && has_data(db, predicate)? {
            rebuild(db, predicate, new, commit_ts)?;
            touched_predicates.push(predicate.clone());
        }
    }
    let mut batch = WriteBatch::default();
    put_schema_change(db, &mut batch, change, commit_ts);
    let record = LogRecord { entry: LogEntry::Schema(change.clone()), touched_keys: Vec::new(), touched_predicates };
    put_log_record(db, &mut batch, &record, commit_ts);
    batch.delete_range_cf(meta_family(db), BUILDING_PREFIX.to_vec(), prefix_end(BUILDING_PREFIX));
    db.write(batch).map_err(Error::rocks("write a schema change"))?;
    Ok(changed(schema, change))
}

/// Applies a drop at `commit_ts`. Gives the new schema.
pub(crate) fn apply_drop(db: &DB, schema: &Schema, op: &DropOp, commit_ts: Ts) -> Result<Schema> {
    let mut batch = WriteBatch::default();
    let mut change = SchemaChange::default();
    let whole = |prefix: Vec<u8>| (prefix.clone(), prefix_end(&prefix));
    let (from, to) = match op {
        DropOp::All | DropOp::Data => (Vec::new(), vec![0xff; 64]),
        DropOp::NamespaceData(namespace) | DropOp::Namespace(namespace) => whole(namespace.0.to_be_bytes().to_vec()),
        DropOp::Predicate(predicate) => whole(Key::stored_prefix(predicate)),
    };
    batch.delete_range_cf(postings_family(db), from, to);
    match op {
        DropOp::All => change = replacement(schema, &initial_schema()),
        DropOp::Namespace(namespace) => {
            let gone = |p: &&Predicate| p.namespace == *namespace;
            change.predicates = schema.predicates.keys().filter(gone).map(|p| (p.clone(), None)).collect();
            change.types = schema.types.keys().filter(gone).map(|t| (t.clone(), None)).collect();
        }
        DropOp::Predicate(predicate) => change.predicates.push((predicate.clone(), None)),
        DropOp::Data | DropOp::NamespaceData(_) => {}
    }
    put_schema_change(db, &mut batch, &change, commit_ts);
    let mut drop_key = DROP_PREFIX.to_vec();
    drop_key.extend_from_slice(&commit_ts.0.to_be_bytes());
    batch.put_cf(meta_family(db), drop_key, drop_to_wire(op));
    let record =
        LogRecord { entry: LogEntry::Drop(op.clone()), touched_keys: Vec::new(), touched_predicates: Vec::new() };
    put_log_record(db, &mut batch, &record, commit_ts);
    db.write(batch).map_err(Error::rocks("write a drop"))?;
    Ok(changed(schema, &change))
}

/// The change that turns one schema into another.
fn replacement(old: &Schema, new: &Schema) -> SchemaChange {
    let gone = old.predicates.keys().filter(|p| !new.predicates.contains_key(*p)).map(|p| (p.clone(), None));
    let gone_types = old.types.keys().filter(|t| !new.types.contains_key(*t)).map(|t| (t.clone(), None));
    SchemaChange {
        predicates: gone.chain(new.predicates.iter().map(|(p, s)| (p.clone(), Some(s.clone())))).collect(),
        types: gone_types.chain(new.types.iter().map(|(t, d)| (t.clone(), Some(d.clone())))).collect(),
    }
}

fn same_derived(old: &PredicateSchema, new: &PredicateSchema) -> bool {
    let count = |s: &PredicateSchema| (s.count, s.count && s.lang);
    let types_matter = !new.tokenizers.is_empty() && old.value_type != new.value_type;
    let same_ids = old.list == new.list || new.value_type == ValType::Uid;
    old.tokenizers == new.tokenizers
        && old.reverse == new.reverse
        && count(old) == count(new)
        && !types_matter
        && same_ids
}

/// Empties every derived list of a predicate and builds those that `schema` asks for, all at `commit_ts`; values of a predicate that
/// became a list get the ids of list values. An emptied list keeps an empty
/// version: an incremental backup has to tell that it went away.
fn rebuild(db: &DB, predicate: &Predicate, schema: &PredicateSchema, commit_ts: Ts) -> Result<()> {
    let prefix = Key::stored_prefix(predicate);
    let building = [BUILDING_PREFIX, &prefix].concat();
    db.put_cf_opt(meta_family(db), building, commit_ts.0.to_be_bytes(), &meta::synced())
        .map_err(Error::rocks("begin an index"))?;

    let mut builder = IndexBuilder { db, commit_ts, lists: HashMap::new(), bytes: 0 };
    scan_prefix(db, &prefix, |stored, at| {
        let key = Key::from_stored(stored)?;
        if key.is_derived() && !at.list.is_empty() {
            db.put_cf(postings_family(db), versioned(stored, commit_ts), [EMPTY])
                .map_err(Error::rocks("empty an index list"))?;
        }
        Ok(true)
    })?;
    scan_prefix(db, &Key::stored_data_prefix(predicate), |stored, at| {
        if schema.list && at.list.contains(VALUE_UID) {
            let list = as_list(at.list.clone());
            db.put_cf(postings_family(db), versioned(stored, commit_ts), complete_value(&list))
                .map_err(Error::rocks("turn a value into a list"))?;
        }
        for (key, uid, posting) in derived_keys(&Key::from_stored(stored)?, &at.list, schema) {
            builder.add(key, uid, posting)?;
        }
        Ok(true)
    })?;
    builder.flush()?;
    if schema.reverse && schema.count {
        scan_prefix(db, &Key::stored_reverse_prefix(predicate), |stored, at| {
            if let KeyKind::Reverse(object) = Key::from_stored(stored)?.kind
                && !at.list.is_empty()
            {
                builder.add(reverse_count_key(predicate, at.list.len()), object.0, None)?;
            }
            Ok(true)
        })?;
        builder.flush()?;
    }
    Ok(())
}

/// The values of a scalar predicate as those of a list: each under its own fingerprint.
fn as_list(scalar: PostingList) -> PostingList {
    let mut postings = scalar.postings;
    for posting in postings.iter_mut().filter(|posting| posting.id == VALUE_UID) {
        posting.id = value_id(&posting.value, "", true);
    }
    postings.sort_by_key(|posting| posting.id);
    PostingList::of_postings(postings)
}

struct IndexBuilder<'a> {
    db: &'a DB,
    commit_ts: Ts,
    lists: HashMap<Vec<u8>, Vec<(u64, Option<graphdb_types::Posting>)>>,
    bytes: usize,
}

impl IndexBuilder<'_> {
    fn add(&mut self, key: Vec<u8>, uid: u64, posting: Option<graphdb_types::Posting>) -> Result<()> {
        self.bytes += 32;
        match self.lists.entry(key) {
            Entry::Occupied(mut list) => list.get_mut().push((uid, posting)),
            Entry::Vacant(list) => {
                self.bytes += list.key().len() + 64;
                list.insert(vec![(uid, posting)]);
            }
        }
        if self.bytes > BUILD_BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    /// Merges what was collected into the lists at `commit_ts`.
    fn flush(&mut self) -> Result<()> {
        self.bytes = 0;
        for (key, mut entries) in std::mem::take(&mut self.lists) {
            let key = versioned(&key, self.commit_ts);
            let standing =
                self.db.get_cf(postings_family(self.db), &key).map_err(Error::rocks("read an index list"))?;
            let mut list = match standing.as_deref().and_then(<[u8]>::split_first) {
                Some((&COMPLETE, wire)) => PostingList::from_wire(wire)?,
                _ => PostingList::default(),
            };
            entries.sort_by_key(|(uid, _)| *uid);
            entries.dedup_by_key(|(uid, _)| *uid);
            let ids = entries.iter().map(|(uid, _)| *uid).collect();
            let postings = entries.into_iter().filter_map(|(_, posting)| posting).collect();
            list.merge(PostingList { ids, postings });
            self.db
                .put_cf(postings_family(self.db), &key, complete_value(&list))
                .map_err(Error::rocks("write an index list"))?;
        }
        Ok(())
    }
}

/// Removes what index builds wrote before the process died, or before they failed. Their commit never happened.
pub(crate) fn undo_unfinished_build(db: &DB) -> Result<()> {
    let mut options = ReadOptions::default();
    options.set_iterate_upper_bound(prefix_end(BUILDING_PREFIX));
    let from = IteratorMode::From(BUILDING_PREFIX, Direction::Forward);
    for item in db.iterator_cf_opt(meta_family(db), options, from) {
        let (key, ts) = item.map_err(Error::rocks("read a meta record"))?;
        let prefix = key.strip_prefix(BUILDING_PREFIX);
        let ts = <[u8; 8]>::try_from(&*ts).ok();
        let (Some(prefix), Some(ts)) = (prefix, ts) else { return Err(Error::damaged("record of an index build")) };
        undo_build(db, prefix, Ts(u64::from_be_bytes(ts)))?;
        db.delete_cf(meta_family(db), &key).map_err(Error::rocks("undo an index build"))?;
    }
    Ok(())
}

fn undo_build(db: &DB, prefix: &[u8], commit_ts: Ts) -> Result<()> {
    let mut iter = db.raw_iterator_cf_opt(postings_family(db), range_options(prefix));
    iter.seek(prefix);
    while let Some((key, _)) = iter.item() {
        if split_version(key)?.1 == commit_ts {
            db.delete_cf(postings_family(db), key).map_err(Error::rocks("undo an index build"))?;
        }
        iter.next();
    }
    iter.status().map_err(Error::rocks("undo an index build"))
}

fn range_options(prefix: &[u8]) -> ReadOptions {
    let mut options = ReadOptions::default();
    options.set_total_order_seek(true);
    options.set_iterate_upper_bound(prefix_end(prefix));
    options
}

fn scan_prefix(db: &DB, prefix: &[u8], visit: impl FnMut(&[u8], ListAt) -> Result<bool>) -> Result<()> {
    let mut iter = db.raw_iterator_cf_opt(postings_family(db), range_options(prefix));
    iter.seek(prefix);
    scan_lists(&mut iter, Ts::MAX, visit)
}

/// Adds a log record to a write.
pub(crate) fn put_log_record(db: &DB, batch: &mut WriteBatch, record: &LogRecord, commit_ts: Ts) {
    let log = db.cf_handle(LOG).expect("every column family is opened with the store");
    batch.put_cf(log, log_key(commit_ts), record.to_wire());
}

/// Adds a list change to a write.
pub(crate) fn put_list(db: &DB, batch: &mut WriteBatch, stored_key: &[u8], delta: &Delta, commit_ts: Ts) {
    let value = delta.to_stored();
    debug_assert!(matches!(value[0], COMPLETE | EMPTY | DELTA));
    batch.put_cf(postings_family(db), versioned(stored_key, commit_ts), value);
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use std::path::Path;
    use std::sync::Arc;

    use graphdb_types::{Tokenizer, Uid, Value};

    use super::*;
    use crate::{Edge, EdgeObject, EdgeOp, ScanValue, Store, StoreOptions};

    fn indexed() -> PredicateSchema {
        let tokenizers = vec![Tokenizer::Exact];
        PredicateSchema { value_type: ValType::String, tokenizers, ..PredicateSchema::default() }
    }

    fn open(dir: &Path) -> Arc<Store> {
        Store::open(dir, StoreOptions::default()).unwrap()
    }

    fn keys(store: &Store) -> Vec<Vec<u8>> {
        let mut keys = Vec::new();
        let take = |entry: crate::ScanEntry<'_>| {
            assert!(matches!(entry.value, ScanValue::List(_)));
            keys.push(entry.key.to_vec());
            Ok::<_, Error>(())
        };
        store.snapshot().unwrap().scan_full(take).unwrap();
        keys
    }

    #[test]
    fn indexes_of_several_predicates_that_were_not_committed_leave_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let names = ["first", "second"].map(Predicate::root);
        let plain = PredicateSchema { tokenizers: Vec::new(), ..indexed() };
        let predicates = names.iter().map(|name| (name.clone(), Some(plain.clone()))).collect();
        store.alter(Alter::Schema(SchemaChange { predicates, types: Vec::new() })).unwrap();
        let value = || EdgeObject::Value { value: Value::String("v".into()), lang: String::new() };
        let set = |name: &Predicate| Edge {
            op: EdgeOp::Set,
            subject: Uid(1),
            predicate: name.clone(),
            object: value(),
            facets: vec![],
        };
        store.commit_now(store.begin().unwrap(), names.iter().map(set).collect()).unwrap();
        let before = keys(&store);
        let commit_ts = store.begin().unwrap();
        for name in &names {
            rebuild(&store.core().db, name, &indexed(), commit_ts).unwrap();
        }
        assert_eq!(keys(&store).len(), before.len() + 2, "without an undo the indexes would be seen");
        drop(store);
        assert_eq!(keys(&open(dir.path())), before);
    }
}
