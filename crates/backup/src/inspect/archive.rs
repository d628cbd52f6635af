//! What each backup of a series holds by itself, as it is stored.

use std::collections::BTreeMap;

use graphdb_archive::{ArchiveReader, Backup, Compression, Entry, EntryValue, GroupArchive};
use graphdb_types::{BackupKey, Field, GroupId, Key, KeyKind, Malformed, Predicate, WireReader};
use tokio::runtime::Handle;
use tokio::task;

use super::state::Lists;
use crate::download::ObjectReader;
use crate::error::{Error, Result};
use crate::progress::{Progress, Seen};
use crate::source::SeriesSource;

/// A backup, with what its archives hold.
#[derive(Clone, Debug)]
pub struct BackupFacts {
    /// What its manifest says.
    pub backup: Backup,
    /// What was found, of the groups that are wanted.
    pub archives: BTreeMap<GroupId, ArchiveFacts>,
}

/// What one archive holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveFacts {
    /// How it is compressed, told by its first bytes.
    pub compression: Compression,
    /// Bytes stored.
    pub stored_bytes: u64,
    /// Bytes of the key-values before compression.
    pub raw_bytes: u64,
    /// Its key-values by kind.
    pub key_values: KeyValueCounts,
    /// Its lists by predicate.
    pub predicates: BTreeMap<Predicate, StoredLists>,
}

/// Key-values by kind; each counts once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyValueCounts {
    /// Values or edges of a subject.
    pub data: u64,
    /// Subjects under an index token.
    pub index: u64,
    /// Subjects that point at an object.
    pub reverse: u64,
    /// Subjects by their number of values or edges, and objects by the number of edges that point at them.
    pub count: u64,
    /// Lists of any kind that became empty since the backup before.
    pub emptied: u64,
    /// Definitions of predicates.
    pub schema: u64,
    /// Definitions of types.
    pub types: u64,
}

/// Lists of a predicate as one archive holds them. Parts of one list count each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredLists {
    /// Values or edges of subjects.
    pub data: Lists,
    /// Subjects under index tokens.
    pub index: Lists,
    /// Subjects that point at objects.
    pub reverse: Lists,
    /// Subjects by their number of values or edges.
    pub count: Lists,
    /// Objects by the number of edges that point at them.
    pub count_reverse: Lists,
    /// Data lists that became empty.
    pub emptied_data: u64,
    /// Index, reverse and count lists that became empty.
    pub emptied_derived: u64,
}

impl KeyValueCounts {
    /// All of them.
    pub fn total(&self) -> u64 {
        let KeyValueCounts { data, index, reverse, count, emptied, schema, types } = self;
        data + index + reverse + count + emptied + schema + types
    }

    /// Adds those of another archive.
    pub fn add(&mut self, other: &KeyValueCounts) {
        self.data += other.data;
        self.index += other.index;
        self.reverse += other.reverse;
        self.count += other.count;
        self.emptied += other.emptied;
        self.schema += other.schema;
        self.types += other.types;
    }
}

/// Counts every archive of the groups that are wanted, oldest backup first.
pub(super) async fn count(source: &SeriesSource, progress: &Progress) -> Result<Vec<BackupFacts>> {
    let (source, progress, runtime) = (source.clone(), progress.clone(), Handle::current());
    let count_all = move || {
        let counts = |backup: &Backup| {
            let wanted = |group: &GroupId| source.selection().groups.as_ref().is_none_or(|only| only.contains(group));
            let archives = backup.groups.iter().filter(|(group, _)| wanted(group)).map(|(group, archive)| {
                let reader = source.open_archive(&runtime, backup, archive, 1)?;
                Ok((*group, count_archive(reader, archive, &progress)?))
            });
            Ok(BackupFacts { backup: backup.clone(), archives: archives.collect::<Result<_>>()? })
        };
        source.series().backups().iter().map(counts).collect()
    };
    task::spawn_blocking(count_all).await?
}

fn count_archive(
    mut reader: ArchiveReader<ObjectReader>,
    archive: &GroupArchive,
    progress: &Progress,
) -> Result<ArchiveFacts> {
    let damaged = Error::entry(&archive.object);
    let (mut key_values, mut predicates) = (KeyValueCounts::default(), BTreeMap::new());
    let mut seen = Seen::default();
    while let Some(kv) = reader.next().map_err(Error::archive(&archive.object))? {
        seen.count(kv.key.len() + kv.value.len(), progress)?;
        let entry = kv.entry().map_err(&damaged)?;
        count_entry(&entry, kv.key.len(), &mut key_values, &mut predicates).map_err(&damaged)?;
    }
    seen.report(progress);
    let compression = reader.compression();
    let found = match archive.stored {
        Some(stored) => reader.finish_verify(&stored).map(|()| stored),
        None => reader.finish(),
    };
    let found = found.map_err(Error::archive(&archive.object))?;
    let (stored_bytes, raw_bytes) = (found.size_bytes, found.raw_bytes);
    Ok(ArchiveFacts { compression, stored_bytes, raw_bytes, key_values, predicates })
}

fn count_entry(
    entry: &Entry<'_>,
    key_bytes: usize,
    counts: &mut KeyValueCounts,
    predicates: &mut BTreeMap<Predicate, StoredLists>,
) -> Result<(), Malformed> {
    let key = match &entry.key {
        BackupKey::Posting(key) => key,
        BackupKey::Schema(_) => {
            counts.schema += 1;
            return Ok(());
        }
        BackupKey::Type(_) => {
            counts.types += 1;
            return Ok(());
        }
    };
    if !predicates.contains_key(&key.predicate) {
        predicates.insert(key.predicate.clone(), StoredLists::default());
    }
    let stored = predicates.get_mut(&key.predicate).expect("it was just made");
    let EntryValue::List(list) = entry.value else {
        counts.emptied += 1;
        *(if key.is_derived() { &mut stored.emptied_derived } else { &mut stored.emptied_data }) += 1;
        return Ok(());
    };
    let (count, lists) = stored.of_kind(key, counts);
    *count += 1;
    lists.add(key_bytes + list.len(), entries_of(list)?);
    Ok(())
}

impl StoredLists {
    /// Where lists with such a key are counted.
    fn of_kind<'a>(&'a mut self, key: &Key, counts: &'a mut KeyValueCounts) -> (&'a mut u64, &'a mut Lists) {
        match key.kind {
            KeyKind::Data(_) => (&mut counts.data, &mut self.data),
            KeyKind::Index(_) => (&mut counts.index, &mut self.index),
            KeyKind::Reverse(_) => (&mut counts.reverse, &mut self.reverse),
            KeyKind::Count(_) => (&mut counts.count, &mut self.count),
            KeyKind::CountReverse(_) => (&mut counts.count, &mut self.count_reverse),
        }
    }
}

/// How many ids a `BackupPostingList` holds, without building it: `uids`, or else `uid_bytes`.
pub(super) fn entries_of(wire: &[u8]) -> Result<u64, Malformed> {
    const WHAT: &str = "posting list";
    // The last byte of a LEB128 number is the one without the high bit.
    let numbers = |packed: &[u8]| packed.iter().filter(|byte| **byte < 0x80).count() as u64;
    let (mut plain, mut packed) = (0, 0);
    let mut reader = WireReader::new(wire, WHAT);
    while let Some((number, field)) = reader.next()? {
        match (number, field) {
            (1, Field::Varint(_)) => plain += 1,
            (1, Field::Bytes(uids)) => plain += numbers(uids),
            (5, field) => packed = numbers(field.bytes(WHAT)?),
            _ => {}
        }
    }
    Ok(if plain > 0 { plain } else { packed })
}

#[cfg(test)]
mod tests {
    use graphdb_types::{PostingList, put_uvarint};

    use super::*;

    #[test]
    fn ids_are_counted_in_every_form() {
        let ids = [1, 127, 128, 1 << 40, u64::MAX];
        assert_eq!(entries_of(&PostingList::of_ids(ids.to_vec()).to_wire()), Ok(5));
        assert_eq!(entries_of(&PostingList::default().to_wire()), Ok(0));
        let mut packed = Vec::new();
        ids.iter().for_each(|id| put_uvarint(&mut packed, *id));
        let mut wire = vec![0x0a, packed.len() as u8];
        wire.extend_from_slice(&packed);
        assert_eq!(entries_of(&wire), Ok(5), "packed uids");
        assert_eq!(entries_of(&[0x08, 1, 0x08, 5, 0x2a, 1, 7]), Ok(2), "uids hide uid_bytes");
        assert!(entries_of(&[0x2a, 9]).is_err());
    }
}
