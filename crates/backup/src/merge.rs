//! Merging archives that are in order, as ours are: the newest backup wins for each key, a drop hides what is older.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use graphdb_archive::{ArchiveReader, StoredObject, user_meta};
use graphdb_storage::StoredEntry;
use graphdb_types::{BackupKey, Key, Malformed, ObjectName, StoredKeyParts, Ts, max_object, with_differences};

use crate::definitions::{Author, Definitions};
use crate::download::ObjectReader;
use crate::error::{Error, Result};
use crate::progress::{Progress, Seen};
use crate::selection::{ArchiveRules, Selection};

/// One archive of the series, with what decides which of its entries count.
pub(crate) struct Source {
    reader: ArchiveReader<ObjectReader>,
    object: ObjectName,
    stored: StoredObject,
    author: Author,
    rules: ArchiveRules,
    selection: Selection,
    /// The stored key it stands on, and the one before.
    key: Vec<u8>,
    previous: Vec<u8>,
    /// The prefix of that key's predicate, and whether its lists count.
    prefix: Vec<u8>,
    counts: bool,
    max_uid: u64,
    seen: Seen,
}

/// What a merge gives beside the lists.
#[derive(Debug, Default)]
pub(crate) struct Merged {
    pub(crate) definitions: Definitions,
    /// The greatest uid met, as subject or object.
    pub(crate) max_uid: u64,
    pub(crate) lists: u64,
}

impl Source {
    pub(crate) fn new(
        reader: ArchiveReader<ObjectReader>,
        object: ObjectName,
        stored: StoredObject,
        author: Author,
        rules: ArchiveRules,
        selection: Selection,
    ) -> Source {
        let (key, previous, prefix) = (Vec::new(), Vec::new(), Vec::new());
        let seen = Seen::default();
        Source {
            reader,
            object,
            stored,
            author,
            rules,
            selection,
            key,
            previous,
            prefix,
            counts: false,
            max_uid: 0,
            seen,
        }
    }

    /// Moves to the next list that counts; definitions on the way go into `definitions`, if this is the newest backup. False at the end.
    fn advance(&mut self, definitions: &mut Definitions, progress: &Progress) -> Result<bool> {
        loop {
            if !self.reader.advance().map_err(|err| Error::archive(&self.object)(err))? {
                return Ok(false);
            }
            let object = &self.object;
            let malformed = |err| Error::entry(object)(err);
            let entry = self.reader.current().expect("the reader advanced");
            self.seen.count(entry.key.len() + entry.value.len(), progress)?;
            std::mem::swap(&mut self.key, &mut self.previous);
            self.key.clear();
            let stored = BackupKey::put_stored_of_wire(entry.key, &mut self.key).map_err(malformed)?;
            let Some(StoredKeyParts { prefix_len, subject, .. }) = stored else {
                std::mem::swap(&mut self.key, &mut self.previous);
                if self.rules.age == 0 {
                    let entry = entry.entry().map_err(malformed)?;
                    definitions.add(&entry, &self.rules, &self.selection, self.author).map_err(malformed)?;
                }
                continue;
            };
            if self.key <= self.previous {
                return Err(malformed(Malformed { what: "order of keys" }));
            }
            if self.key[..prefix_len] != self.prefix {
                self.prefix.clear();
                self.prefix.extend_from_slice(&self.key[..prefix_len]);
                self.counts = self.rules.counts(&Key::from_stored(&self.key).map_err(malformed)?.predicate);
            }
            if !self.counts {
                continue;
            }
            if let Some(subject) = subject {
                let object = if entry.user_meta == user_meta::COMPLETE {
                    max_object(entry.value).map_err(malformed)?
                } else {
                    0
                };
                self.max_uid = self.max_uid.max(subject.0).max(object);
            }
            return Ok(true);
        }
    }

    /// Checks what was read against what the manifest says, to the last byte.
    fn finish(self) -> Result<()> {
        self.reader.finish_verify(&self.stored).map_err(Error::archive(&self.object))
    }
}

/// The heap's order: smallest key first, of equal keys the newest backup first.
struct Head {
    key: Vec<u8>,
    source: usize,
    age: usize,
}

impl Ord for Head {
    fn cmp(&self, other: &Head) -> Ordering {
        (&other.key, other.age).cmp(&(&self.key, self.age))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Head) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Head) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head {}

/// Reads every source to its end, handing each list of the merged state to `visit` in the order of stored keys. Every archive is proved
/// against its digest before this returns; what `visit` was given before must not be used if it does not.
pub(crate) fn merge(
    mut sources: Vec<Source>,
    selection: &Selection,
    progress: &Progress,
    mut visit: impl FnMut(StoredEntry<'_>) -> Result<()>,
) -> Result<Merged> {
    let mut merged = Merged::default();
    let mut heads = BinaryHeap::with_capacity(sources.len());
    for (number, source) in sources.iter_mut().enumerate() {
        if source.advance(&mut merged.definitions, progress)? {
            heads.push(Head { key: source.key.clone(), source: number, age: source.rules.age });
        }
    }
    let mut last: Vec<u8> = Vec::new();
    while let Some(mut head) = heads.pop() {
        let source = &mut sources[head.source];
        if head.key != last {
            last.clear();
            last.extend_from_slice(&head.key);
            let entry = source.reader.current().expect("a source in the heap stands on an entry");
            if entry.user_meta == user_meta::COMPLETE && !entry.value.is_empty() {
                merged.lists += 1;
                selection.rename_stored(&mut head.key);
                let list = with_differences(entry.value).map_err(|err| Error::entry(&source.object)(err))?;
                visit(StoredEntry { key: &head.key, version: Ts(entry.version.max(1)), list: &list })?;
            }
        }
        if source.advance(&mut merged.definitions, progress)? {
            head.key.clear();
            head.key.extend_from_slice(&source.key);
            heads.push(head);
        }
    }
    for mut source in sources {
        source.seen.report(progress);
        merged.max_uid = merged.max_uid.max(source.max_uid);
        source.finish()?;
    }
    Ok(merged)
}
