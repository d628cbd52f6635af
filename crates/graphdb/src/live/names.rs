//! Which uid each name has.

use std::hash::BuildHasher as _;

use anyhow::{Context as _, anyhow, bail};
use graphdb_types::Uid;
use hashbrown::{DefaultHashBuilder, HashTable};

/// Names and their uids: the text of all names in one piece, and 24 bytes more for each.
#[derive(Default)]
pub(crate) struct NameTable {
    text: String,
    entries: Vec<Entry>,
    /// Places in `entries`, found by the hash of the name.
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

struct Entry {
    /// Where the name ends in the text; it begins where the one before ends.
    end: u64,
    uid: Uid,
}

impl NameTable {
    /// How many names there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The uid of a name.
    pub(crate) fn get(&self, name: &str) -> Option<Uid> {
        let place = self.table.find(self.hasher.hash_one(name), |place| self.name(*place) == name)?;
        Some(self.entries[*place as usize].uid)
    }

    /// Adds a name that is not there yet.
    ///
    /// # Errors
    /// More than four billion names.
    pub(crate) fn insert(&mut self, name: &str, uid: Uid) -> anyhow::Result<()> {
        let place = u32::try_from(self.entries.len())
            .map_err(|_| anyhow!("there are more than 4 billion names; load in parts"))?;
        self.text.push_str(name);
        self.entries.push(Entry { end: self.text.len() as u64, uid });
        let NameTable { text, entries, table, hasher } = self;
        table.insert_unique(hasher.hash_one(name), place, |place| hasher.hash_one(name_at(text, entries, *place)));
        Ok(())
    }

    fn name(&self, place: u32) -> &str {
        name_at(&self.text, &self.entries, place)
    }

    /// The names from a place on, with their uids, in the order they were added.
    pub(crate) fn since(&self, place: usize) -> impl Iterator<Item = (&str, Uid)> {
        (place..self.entries.len()).map(|place| (self.name(place as u32), self.entries[place].uid))
    }
}

fn name_at<'a>(text: &'a str, entries: &[Entry], place: u32) -> &'a str {
    let start = place.checked_sub(1).map_or(0, |before| entries[before as usize].end);
    &text[start as usize..entries[place as usize].end as usize]
}

/// Uids that this run may give away, taken from the node in blocks.
pub(crate) struct Uids<L> {
    /// Leases so many uids and returns the first and the last.
    lease: L,
    next: u64,
    last: u64,
    /// The blocks before the present one.
    spent: Vec<(u64, u64)>,
    first: u64,
    /// The greatest uid that stood in the input.
    greatest_literal: u64,
}

/// Uids taken at once: a second of loading. What is left at the end is lost, as with Dgraph.
const BLOCK: u64 = 10_000;

impl<L: FnMut(u64) -> anyhow::Result<(u64, u64)>> Uids<L> {
    pub(crate) fn new(lease: L) -> Uids<L> {
        Uids { lease, next: 1, last: 0, spent: Vec::new(), first: 1, greatest_literal: 0 }
    }

    /// A uid that no other node has, nor will be given.
    pub(crate) fn give(&mut self) -> anyhow::Result<Uid> {
        if self.next > self.last {
            self.take_block()?;
        }
        let uid = self.next;
        self.next += 1;
        Ok(Uid(uid))
    }

    /// A block that reaches beyond every uid in the input. The node may not know those yet: they are still on their way.
    fn take_block(&mut self) -> anyhow::Result<()> {
        let count = self.greatest_literal.saturating_sub(self.last).saturating_add(BLOCK);
        let (first, last) = (self.lease)(count).context("lease uids from the node")?;
        if self.first < self.next {
            self.spent.push((self.first, self.next - 1));
        }
        let above_literals = self.greatest_literal.saturating_add(1);
        (self.first, self.next, self.last) = (first, first.max(above_literals), last);
        self.first = self.next;
        if first == 0 || self.next > last {
            bail!("the node leased the uids {first} to {last}, and {count} were asked for");
        }
        Ok(())
    }

    /// Notes a uid that stands in the input, so that no name gets it.
    ///
    /// # Errors
    /// A name got it already: two nodes would become one.
    pub(crate) fn literal(&mut self, uid: Uid) -> anyhow::Result<()> {
        let given = |(first, last): &(u64, u64)| (*first..=*last).contains(&uid.0);
        if (self.first..self.next).contains(&uid.0) || self.spent.iter().any(given) {
            bail!(
                "node <{uid}> stands in the input as a uid, and a name got that uid before; load with --new-uids, or first what has uids"
            );
        }
        if (self.next..=self.last).contains(&uid.0) {
            self.first_gap(uid.0);
        }
        self.greatest_literal = self.greatest_literal.max(uid.0);
        Ok(())
    }

    /// Goes on behind a uid of the present block.
    fn first_gap(&mut self, uid: u64) {
        if self.first < self.next {
            self.spent.push((self.first, self.next - 1));
        }
        self.next = uid + 1;
        self.first = self.next;
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::collections::{BTreeSet, HashMap};

    use proptest::prelude::*;

    use super::*;

    /// A node whose counter stands at `next`.
    fn uids(mut next: u64) -> Uids<impl FnMut(u64) -> anyhow::Result<(u64, u64)>> {
        Uids::new(move |count| {
            let first = next;
            next += count;
            Ok((first, next - 1))
        })
    }

    #[test]
    fn uids_in_the_input_are_not_given_to_names() {
        let mut uids = uids(1);
        uids.literal(Uid(5)).unwrap();
        uids.literal(Uid(50_000)).unwrap();
        assert_eq!(uids.give().unwrap(), Uid(50_001));
        uids.literal(Uid(50_002)).unwrap();
        uids.literal(Uid(7)).unwrap();
        assert_eq!((uids.give().unwrap(), uids.give().unwrap()), (Uid(50_003), Uid(50_004)));
    }

    #[test]
    fn a_uid_that_a_name_has_is_refused() {
        let mut uids = uids(1);
        let given: Vec<Uid> = (0..20_001).map(|_| uids.give().unwrap()).collect();
        for uid in [given[0], given[9_999], given[10_000], given[20_000]] {
            assert!(uids.literal(uid).unwrap_err().to_string().contains("--new-uids"), "{uid}");
        }
        uids.literal(Uid(given[20_000].0 + 1)).unwrap();
    }

    proptest! {
        #[test]
        fn names_keep_their_uids(names in prop::collection::vec("[a-cé]{0,4}", 0..200)) {
            let (mut table, mut model) = (NameTable::default(), HashMap::new());
            for (place, name) in names.iter().enumerate() {
                let uid = Uid(place as u64 + 1);
                prop_assert_eq!(table.get(name), model.get(name).copied());
                if model.contains_key(name) {
                    continue;
                }
                table.insert(name, uid).unwrap();
                model.insert(name.clone(), uid);
            }
            prop_assert_eq!(table.len(), model.len());
            prop_assert!(table.since(0).all(|(name, uid)| model[name] == uid));
        }

        #[test]
        fn no_uid_is_used_twice(literals in prop::collection::vec(prop::option::of(1..30_000u64), 0..200), start in 1..20_000u64) {
            let mut uids = uids(start);
            let (mut given, mut read) = (BTreeSet::new(), BTreeSet::new());
            for literal in literals {
                match literal {
                    None => prop_assert!(given.insert(uids.give().unwrap().0)),
                    Some(uid) => match uids.literal(Uid(uid)) {
                        Ok(()) => { read.insert(uid); }
                        Err(_) => prop_assert!(given.contains(&uid)),
                    },
                }
            }
            prop_assert!(given.is_disjoint(&read));
        }
    }
}
