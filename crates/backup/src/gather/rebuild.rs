//! Index, reverse and count lists from data, predicate by predicate.
//!
//! In the order of stored keys the data lists of a predicate come first, then its index, reverse, count and reverse-count lists. So the data
//! is handed on as it comes, while what follows from it is sorted beside; when the data ends, the derived lists are handed on and compared
//! with the stored ones that come next.

use std::path::{Path, PathBuf};

use graphdb_storage::{StoredEntry, derived_keys, reverse_count_key};
use graphdb_types::{
    Key, KeyKind, Malformed, Posting, PostingList, Predicate, PredicateSchema, Schema, Tokenizer, Ts, max_object,
};

use super::is_vector_helper;
use super::lists::{Lists, State};
use super::stale::{StaleReport, Staleness};
use crate::error::{Error, Result};
use crate::sort::{Sorted, Sorter};

/// Memory for derived lists before they are written to files; reverse counts get a quarter.
const DERIVED_BYTES: usize = 32 << 20;

/// The first byte of `exact` tokens of tagged values. Dgraph's are collation keys, which are not reproduced, so they are not compared.
const COLLATED: u8 = 0x03;

/// Hands lists on, with the derived ones made anew.
pub(super) struct Rebuilder<'a, V> {
    schema: &'a Schema,
    dir: PathBuf,
    report: &'a mut StaleReport,
    visit: &'a mut V,
    predicate: Option<Current<'a>>,
    max_uid: u64,
    lists: u64,
}

/// The predicate whose lists are being handed on.
struct Current<'a> {
    prefix: Vec<u8>,
    predicate: Predicate,
    /// `None` for helpers of a vector index: none of their lists counts.
    schema: Option<&'a PredicateSchema>,
    /// The newest version of its data: that of the lists which follow from it.
    version: Ts,
    phase: Phase,
}

enum Phase {
    /// Data lists come; what follows from them is collected.
    Data(Sorter),
    /// Stored derived lists come, and are compared with these.
    Derived(Derived),
}

/// The rebuilt lists of a predicate, in order.
struct Derived {
    sorted: Sorted,
    /// The next record: key with the uid behind it, and the posting.
    next: Option<(Vec<u8>, Vec<u8>)>,
    /// Objects by the number of their reverse edges, collected while the reverse lists pass; they come last.
    reverse_counts: Option<Sorter>,
}

impl<'a, V: FnMut(StoredEntry<'_>) -> Result<()>> Rebuilder<'a, V> {
    pub(super) fn new(schema: &'a Schema, dir: &Path, report: &'a mut StaleReport, visit: &'a mut V) -> Self {
        let dir = dir.to_owned();
        Rebuilder { schema, dir, report, visit, predicate: None, max_uid: 0, lists: 0 }
    }

    /// Takes the list that the cursor stands on.
    pub(super) fn take(&mut self, lists: &Lists) -> Result<()> {
        let damaged = |source| Error::DamagedList { key: lists.key().escape_ascii().to_string(), source };
        let key = Key::from_stored(lists.key()).map_err(damaged)?;
        if !self.predicate.as_ref().is_some_and(|current| lists.key().starts_with(&current.prefix)) {
            self.enter(&key.predicate)?;
        }
        if self.predicate.as_ref().is_none_or(|current| current.schema.is_none()) {
            return Ok(());
        }
        match key.kind {
            KeyKind::Data(_) => self.take_data(&key, lists).map_err(|err| match err {
                Failure::Malformed(source) => damaged(source),
                Failure::Other(err) => err,
            }),
            _ => self.take_derived(&key, lists, &damaged),
        }
    }

    fn enter(&mut self, predicate: &Predicate) -> Result<()> {
        self.leave()?;
        let schema = (!is_vector_helper(predicate)).then(|| self.schema.predicate(predicate)).flatten();
        self.predicate = Some(Current {
            prefix: Key::stored_prefix(predicate),
            predicate: predicate.clone(),
            schema,
            version: Ts(1),
            phase: Phase::Data(Sorter::new(&self.dir, "derived", DERIVED_BYTES)),
        });
        Ok(())
    }

    fn take_data(&mut self, key: &Key, lists: &Lists) -> Result<(), Failure> {
        match lists.state() {
            State::Whole => {}
            State::Empty => return Ok(()),
            State::Forbidden => {
                self.report.forbidden += 1;
                return Ok(());
            }
        }
        let list = PostingList::from_wire(lists.list())?;
        if list.is_empty() {
            return Ok(());
        }
        let current = self.predicate.as_mut().expect("it was entered");
        let (Some(schema), Phase::Data(sorter)) = (current.schema, &mut current.phase) else {
            return Err(Malformed { what: "order of keys" }.into());
        };
        if let KeyKind::Data(subject) = key.kind {
            self.max_uid = self.max_uid.max(subject.0);
        }
        let wire = list.to_wire();
        self.max_uid = self.max_uid.max(max_object(&wire)?);
        current.version = current.version.max(lists.version());
        if schema.has_derived() {
            let mut posting_wire = Vec::new();
            for (derived, uid, posting) in derived_keys(key, &list, schema) {
                posting_wire.clear();
                if let Some(posting) = posting {
                    PostingList::of_postings(vec![posting]).put_wire(&mut posting_wire);
                }
                sorter.push(&[&derived, &uid.to_be_bytes()], &posting_wire)?;
            }
        }
        self.lists += 1;
        (self.visit)(StoredEntry { key: lists.key(), version: lists.version(), list: &wire })?;
        Ok(())
    }

    /// Hands on the rebuilt lists up to this key, and compares the one under it.
    fn take_derived(&mut self, key: &Key, lists: &Lists, damaged: &dyn Fn(Malformed) -> Error) -> Result<()> {
        let stored = match lists.state() {
            State::Whole => PostingList::from_wire(lists.list()).map_err(damaged)?,
            State::Empty | State::Forbidden => PostingList::default(),
        };
        let rebuilt = self.pass_up_to(lists.key())?;
        let stale = match rebuilt {
            None if stored.is_empty() => None,
            None => Some(Staleness::Extra),
            Some(_) if stored.is_empty() => Some(Staleness::Missing),
            Some(rebuilt) => (!same(&stored, &rebuilt)).then_some(Staleness::Different),
        };
        if let Some(stale) = stale {
            self.note(key, stale);
        }
        Ok(())
    }

    /// Hands on the rebuilt lists before `key`, which were not stored, and the one under it, which it gives.
    fn pass_up_to(&mut self, key: &[u8]) -> Result<Option<PostingList>> {
        self.end_data()?;
        while let Some(order) = self.next_derived_key().map(|next| next.cmp(key)) {
            if order.is_gt() {
                return Ok(None);
            }
            let (passed, list) = self.pass()?;
            if order.is_eq() {
                return Ok(Some(list));
            }
            self.note(&own_key(&passed)?, Staleness::Missing);
        }
        Ok(None)
    }

    fn note(&mut self, key: &Key, stale: Staleness) {
        if !self.is_not_compared(key, stale) {
            self.report.note(key, stale);
        }
    }

    /// Whether Dgraph's key may be another although it is not stale: in languages other than English it leaves out stop words that we keep.
    fn is_not_compared(&self, key: &Key, stale: Staleness) -> bool {
        let KeyKind::Index(term) = &key.kind else { return false };
        let schema = self.predicate.as_ref().and_then(|current| current.schema);
        let has_languages = schema.is_some_and(|schema| schema.lang);
        let of_words = [Tokenizer::FullText, Tokenizer::NGram].map(|tokenizer| Some(tokenizer.id()));
        let id = term.first().copied();
        id == Some(COLLATED) || (has_languages && stale == Staleness::Missing && of_words.contains(&id))
    }

    /// From data to derived lists.
    fn end_data(&mut self) -> Result<()> {
        let Some(current) = &mut self.predicate else { return Ok(()) };
        let Phase::Data(sorter) = &mut current.phase else { return Ok(()) };
        let empty = Sorter::new(&self.dir, "derived", DERIVED_BYTES);
        let sorted = std::mem::replace(sorter, empty).finish()?;
        let counted = current.schema.is_some_and(|schema| schema.reverse && schema.count);
        let reverse_counts = counted.then(|| Sorter::new(&self.dir, "reverse-count", DERIVED_BYTES / 4));
        current.phase = Phase::Derived(Derived::begin(sorted, reverse_counts)?);
        Ok(())
    }

    fn derived(&mut self) -> Option<&mut Derived> {
        match &mut self.predicate.as_mut()?.phase {
            Phase::Data(_) => None,
            Phase::Derived(derived) => Some(derived),
        }
    }

    fn next_derived_key(&mut self) -> Option<&[u8]> {
        self.derived()?.next.as_ref().map(|(key, _)| stored_of(key))
    }

    /// Hands on the next rebuilt list.
    fn pass(&mut self) -> Result<(Vec<u8>, PostingList)> {
        let Some(Current { phase: Phase::Derived(derived), version, predicate, .. }) = &mut self.predicate else {
            unreachable!("there is a next derived list");
        };
        let (key, list) = derived.read_list(predicate)?;
        self.lists += 1;
        (self.visit)(StoredEntry { key: &key, version: *version, list: &list.to_wire() })?;
        Ok((key, list))
    }

    /// Hands on what is left of the predicate.
    fn leave(&mut self) -> Result<()> {
        if self.predicate.is_none() {
            return Ok(());
        }
        self.end_data()?;
        while self.next_derived_key().is_some() {
            let (passed, _) = self.pass()?;
            self.note(&own_key(&passed)?, Staleness::Missing);
        }
        self.predicate = None;
        Ok(())
    }

    /// Hands on the rest. Gives the greatest uid and the number of lists.
    pub(super) fn finish(mut self) -> Result<(u64, u64)> {
        self.leave()?;
        Ok((self.max_uid, self.lists))
    }
}

/// A derived list that this module made.
fn own_key(stored: &[u8]) -> Result<Key> {
    Key::from_stored(stored).map_err(|source| Error::DamagedList { key: stored.escape_ascii().to_string(), source })
}

fn stored_of(record: &[u8]) -> &[u8] {
    &record[..record.len() - size_of::<u64>()]
}

impl Derived {
    fn begin(sorted: Sorted, reverse_counts: Option<Sorter>) -> Result<Derived> {
        let mut derived = Derived { sorted, next: None, reverse_counts };
        derived.read()?;
        derived.begin_reverse_counts_at_end()?;
        Ok(derived)
    }

    fn read(&mut self) -> Result<()> {
        self.next = self.sorted.next()?.map(|(key, value)| (key.to_vec(), value.to_vec()));
        Ok(())
    }

    /// After the last record the reverse counts follow: by then every reverse list has passed.
    fn begin_reverse_counts_at_end(&mut self) -> Result<()> {
        if self.next.is_none()
            && let Some(counts) = self.reverse_counts.take()
        {
            self.sorted = counts.finish()?;
            self.read()?;
        }
        Ok(())
    }

    /// The list of all records with the next key.
    fn read_list(&mut self, predicate: &Predicate) -> Result<(Vec<u8>, PostingList)> {
        let mut list = PostingList::default();
        let key = self.next.as_ref().map(|(key, _)| stored_of(key).to_vec()).unwrap_or_default();
        while let Some((record, posting)) = self.next.take_if(|(record, _)| stored_of(record) == key) {
            let uid = u64::from_be_bytes(*record.last_chunk().expect("a record ends with a uid"));
            if list.ids.last() != Some(&uid) {
                list.ids.push(uid);
                list.postings.extend(read_posting(&posting)?);
            }
            self.read()?;
        }
        if let Some(counts) = &mut self.reverse_counts
            && let KeyKind::Reverse(object) = own_key(&key)?.kind
        {
            counts.push(&[&reverse_count_key(predicate, list.len()), &object.0.to_be_bytes()], &[])?;
        }
        self.begin_reverse_counts_at_end()?;
        Ok((key, list))
    }
}

fn read_posting(wire: &[u8]) -> Result<Option<Posting>> {
    let list = PostingList::from_wire(wire)
        .map_err(|source| Error::DamagedList { key: "a reverse list that was sorted".into(), source })?;
    Ok(list.postings.into_iter().next())
}

/// Whether two derived lists say the same. When a posting was written does not matter.
fn same(stored: &PostingList, rebuilt: &PostingList) -> bool {
    let facets = |list: &PostingList| -> Vec<(u64, Vec<graphdb_types::Facet>)> {
        list.postings.iter().filter(|p| !p.facets.is_empty()).map(|p| (p.id, p.facets.clone())).collect()
    };
    stored.ids == rebuilt.ids && facets(stored) == facets(rebuilt)
}

/// Why a data list could not be taken: it is not one, or something else failed.
enum Failure {
    Malformed(Malformed),
    Other(Error),
}

impl From<Malformed> for Failure {
    fn from(err: Malformed) -> Failure {
        Failure::Malformed(err)
    }
}

impl From<Error> for Failure {
    fn from(err: Error) -> Failure {
        Failure::Other(err)
    }
}
