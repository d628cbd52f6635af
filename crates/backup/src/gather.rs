//! Reading a series of Dgraph's: its archives are in no order, its increments may not say what a schema change took away, and its stored
//! index, reverse and count keys cannot be trusted (format spec, sections 12, 14.3 and 16).
//!
//! [`Gather::collect`] takes every key-value that counts, of all archives, into a sorter. [`Gather::walk`] then goes through them in order:
//! the newest backup wins for each key, whatever version its key-value has; lists in parts are joined; index, reverse and count lists are
//! rebuilt from the data, and compared with those that were stored.

mod lists;
mod rebuild;
mod stale;

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use graphdb_archive::{ArchiveReader, Backup, GroupArchive, user_meta};
use graphdb_storage::{ScanValue, StoreSnapshot, StoredEntry};
use graphdb_types::{
    BackupKey, Key, KeyKind, Malformed, Posting, PostingList, Predicate, PredicateSchema, Ts, VALUE_UID, ValType,
};

use crate::definitions::{Author, Definitions};
use crate::download::ObjectReader;
use crate::error::{Error, Result};
use crate::progress::{Progress, Seen};
use crate::selection::{ArchiveRules, Wanted};
use crate::sort::Sorter;

use lists::Lists;
use rebuild::Rebuilder;

pub use stale::{StaleKeys, StaleReport};

/// Memory for key-values before they are written to files.
const GATHER_BYTES: usize = 64 << 20;

/// What follows a stored key in the sorter: age u32, start_uid u64, both big-endian.
const SUFFIX_BYTES: usize = 12;

/// What the names of the helper predicates of a vector index end with (format spec, section 13). They are parts of an index, and not data.
const VECTOR_HELPERS: [&str; 3] = ["__vector_entry", "__vector_", "__vector_dead"];

/// Collects the key-values of a series.
pub(crate) struct Gather {
    wanted: Wanted,
    /// No list is newer.
    newest: Ts,
    sorter: Sorter,
    definitions: Definitions,
    /// The backup whose archives are being collected.
    entry: EntrySeen,
    /// Predicates that a backup newer than that one names and does not define: dropped without a record.
    dropped: BTreeSet<Predicate>,
    /// By the prefix of their stored keys: predicates whose data was met.
    met: HashMap<Vec<u8>, Met>,
    report: StaleReport,
}

/// A backup while its archives are collected.
#[derive(Default)]
struct EntrySeen {
    age: usize,
    records_drops: bool,
    named: BTreeSet<Predicate>,
    defined: BTreeSet<Predicate>,
}

impl EntrySeen {
    /// What it names, defines no more, and says nothing of.
    fn dropped(self) -> BTreeSet<Predicate> {
        if self.records_drops || self.defined.is_empty() {
            return BTreeSet::new();
        }
        self.named.difference(&self.defined).cloned().collect()
    }
}

/// What is known of a predicate from its data.
struct Met {
    predicate: Predicate,
    /// What its first value tells, should no backup define it.
    inferred: PredicateSchema,
}

/// What a walk gives beside the lists.
#[derive(Debug)]
pub(crate) struct Walked {
    pub(crate) definitions: Definitions,
    /// The greatest uid met, as subject or object.
    pub(crate) max_uid: u64,
    pub(crate) lists: u64,
    pub(crate) report: StaleReport,
}

/// The predicate of the archive's key-values, which come mostly in runs of one.
#[derive(Default)]
struct Current {
    prefix: Vec<u8>,
    counts: bool,
}

impl Gather {
    /// Files go into `dir`. No list is newer than `newest`.
    pub(crate) fn new(wanted: Wanted, newest: Ts, dir: &Path) -> Gather {
        Gather {
            wanted,
            newest,
            sorter: Sorter::new(dir, "gather", GATHER_BYTES),
            definitions: Definitions::default(),
            entry: EntrySeen::default(),
            dropped: BTreeSet::new(),
            met: HashMap::new(),
            report: StaleReport::default(),
        }
    }

    /// Takes what counts of one archive of `backup`. To be called for the newest backup first.
    pub(crate) fn collect(
        &mut self,
        mut reader: ArchiveReader<ObjectReader>,
        backup: &Backup,
        archive: &GroupArchive,
        rules: &ArchiveRules,
        progress: &Progress,
    ) -> Result<()> {
        self.enter(backup, rules.age);
        let object = &archive.object;
        let author = Author::of(backup);
        let looks_at_definitions = self.definitions.looks_at(rules);
        let malformed = Error::entry(object);
        let (mut key, mut value, mut current, mut seen) = (Vec::new(), Vec::new(), Current::default(), Seen::default());
        while let Some(kv) = reader.next().map_err(Error::archive(object))? {
            seen.count(kv.key.len() + kv.value.len(), progress)?;
            key.clear();
            let Some(parts) = BackupKey::put_stored_of_wire(kv.key, &mut key).map_err(&malformed)? else {
                let entry = kv.entry().map_err(&malformed)?;
                if let BackupKey::Schema(predicate) = &entry.key {
                    self.entry.defined.insert(predicate.clone());
                }
                if looks_at_definitions {
                    self.definitions.add(&entry, rules, &self.wanted.selection, author).map_err(&malformed)?;
                }
                continue;
            };
            current
                .enter(&key[..parts.prefix_len], || {
                    let predicate = Key::from_stored(&key)?.predicate;
                    Ok(rules.counts(&predicate) && !self.dropped.contains(&predicate))
                })
                .map_err(&malformed)?;
            if !current.counts {
                continue;
            }
            self.wanted.selection.rename_stored(&mut key);
            let is_data = parts.subject.is_some() && matches!(kv.user_meta, user_meta::COMPLETE | user_meta::DELTA);
            if is_data {
                self.meet(&key, parts.prefix_len, kv.value).map_err(&malformed)?;
            }
            value.clear();
            value.push(lists::state_of(&kv).map_err(&malformed)?);
            value.extend_from_slice(&kv.version.to_le_bytes());
            value.extend_from_slice(kv.value);
            self.sorter.push(&[&key, &as_record(rules.age), &parts.start_uid.to_be_bytes()], &value)?;
        }
        seen.report(progress);
        match &archive.stored {
            Some(stored) => reader.finish_verify(stored),
            None => reader.finish().map(drop),
        }
        .map_err(Error::archive(object))
    }

    /// Takes what counts of a store that the series is applied upon: it is older than every backup. To be called last.
    pub(crate) fn collect_store(
        &mut self,
        snapshot: &StoreSnapshot<'_>,
        rules: &ArchiveRules,
        progress: &Progress,
    ) -> Result<()> {
        self.go_back_to(rules.age);
        self.collect_definitions(snapshot, rules);
        let (mut value, mut current, mut seen) = (Vec::new(), Current::default(), Seen::default());
        let age = as_record(rules.age);
        snapshot.scan_full(|entry| {
            let ScanValue::List(list) = entry.value else { return Ok(()) };
            seen.count(entry.key.len() + list.len(), progress)?;
            if current.prefix.is_empty() || !entry.key.starts_with(&current.prefix) {
                self.enter_of_store(&mut current, entry.key, list, rules).map_err(Error::list(entry.key))?;
            }
            if !current.counts {
                return Ok(());
            }
            value.clear();
            value.push(user_meta::COMPLETE);
            value.extend_from_slice(&entry.version.0.to_le_bytes());
            value.extend_from_slice(list);
            self.sorter.push(&[entry.key, &age, &0u64.to_be_bytes()], &value)
        })?;
        seen.report(progress);
        Ok(())
    }

    fn collect_definitions(&mut self, snapshot: &StoreSnapshot<'_>, rules: &ArchiveRules) {
        if !self.definitions.looks_at(rules) {
            return;
        }
        let selection = &self.wanted.selection;
        let counts = |name: &Predicate| selection.original(name).is_some_and(|name| rules.counts(&name));
        let counts_type =
            |name: &Predicate| selection.original(name).is_some_and(|name| rules.counts_type(&name, selection));
        self.definitions.add_store(snapshot.schema(), counts, counts_type);
    }

    /// Moves to the predicate of a key of the store. Its data comes first, so this list tells what its data looks like.
    fn enter_of_store(
        &mut self,
        current: &mut Current,
        key: &[u8],
        list: &[u8],
        rules: &ArchiveRules,
    ) -> Result<(), Malformed> {
        let Key { predicate, kind } = Key::from_stored(key)?;
        let original = self.wanted.selection.original(&predicate);
        current.counts = original.is_some_and(|name| rules.counts(&name) && !self.dropped.contains(&name));
        current.prefix = Key::stored_prefix(&predicate);
        if current.counts && matches!(kind, KeyKind::Data(_)) {
            self.meet(key, current.prefix.len(), list)?;
        }
        Ok(())
    }

    /// From one backup to the next older.
    fn enter(&mut self, backup: &Backup, age: usize) {
        self.go_back_to(age);
        self.entry.records_drops = backup.records_drops;
        self.entry.named.extend(backup.groups.values().flat_map(|group| group.predicates.iter().cloned()));
    }

    fn go_back_to(&mut self, age: usize) {
        if self.entry.age != age {
            self.dropped.extend(std::mem::take(&mut self.entry).dropped());
        }
        self.entry.age = age;
    }

    /// Remembers what the first data of a predicate looks like.
    fn meet(&mut self, key: &[u8], prefix_len: usize, value: &[u8]) -> Result<(), Malformed> {
        if self.met.contains_key(&key[..prefix_len]) {
            return Ok(());
        }
        let list = PostingList::from_wire(value)?;
        if !list.is_empty() {
            let (predicate, inferred) = (Key::from_stored(key)?.predicate, infer(&list));
            self.met.insert(key[..prefix_len].to_vec(), Met { predicate, inferred });
        }
        Ok(())
    }

    /// What the series defines; of data that nothing defines, what the data tells. Complete once everything was collected.
    pub(crate) fn define(&mut self) -> &Definitions {
        for Met { predicate, inferred } in std::mem::take(&mut self.met).into_values() {
            if !self.definitions.schema.predicates.contains_key(&predicate) && !is_vector_helper(&predicate) {
                self.report.undefined.push(predicate.clone());
                self.definitions.schema.predicates.insert(predicate, inferred);
            }
        }
        self.report.undefined.sort();
        self.report.dropped = self.dropped.iter().cloned().collect();
        self.report.unindexed = self.definitions.unindexed.clone();
        self.definitions.schema.predicates.retain(|predicate, _| !is_vector_helper(predicate));
        &self.definitions
    }

    /// Gives every list of the series to `visit`, in the order of stored keys. Files go into `dir`.
    pub(crate) fn walk(
        mut self,
        dir: &Path,
        progress: &Progress,
        mut visit: impl FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<Walked> {
        self.define();
        let mut lists = Lists::new(self.sorter.finish()?, self.newest);
        let mut rebuilder = Rebuilder::new(&self.definitions.schema, dir, &mut self.report, &mut visit);
        while lists.advance()? {
            progress.check_cancelled()?;
            rebuilder.take(&lists)?;
        }
        let (max_uid, count) = rebuilder.finish()?;
        let Gather { definitions, report, .. } = self;
        Ok(Walked { definitions, max_uid, lists: count, report })
    }
}

/// An age as it stands in the sorter.
fn as_record(age: usize) -> [u8; 4] {
    u32::try_from(age).expect("a series has less than four thousand million backups").to_be_bytes()
}

impl Current {
    /// Moves to the predicate with this prefix, asking `counts` if it is another than before.
    fn enter(&mut self, prefix: &[u8], counts: impl FnOnce() -> Result<bool, Malformed>) -> Result<(), Malformed> {
        if self.prefix != prefix {
            self.counts = counts()?;
            self.prefix.clear();
            self.prefix.extend_from_slice(prefix);
        }
        Ok(())
    }
}

/// What a list tells of its predicate.
fn infer(list: &PostingList) -> PredicateSchema {
    let value = |posting: &&Posting| !posting.is_edge;
    match list.postings.iter().find(value) {
        None => PredicateSchema { value_type: ValType::Uid, list: true, ..PredicateSchema::default() },
        Some(posting) => PredicateSchema {
            value_type: posting.val_type,
            list: posting.lang.is_empty() && posting.id != VALUE_UID,
            lang: list.postings.iter().any(|posting| !posting.lang.is_empty()),
            ..PredicateSchema::default()
        },
    }
}

/// Whether a predicate is part of a vector index. Only such have these names; they have no schema.
pub(crate) fn is_vector_helper(predicate: &Predicate) -> bool {
    VECTOR_HELPERS.iter().any(|suffix| predicate.name.ends_with(suffix))
}
