//! What a series is as one state: what a restore would give.

use std::collections::BTreeMap;
use std::path::Path;

use graphdb_storage::StoredEntry;
use graphdb_types::{
    GroupId, Key, KeyKind, Malformed, PostingList, Predicate, PredicateSchema, Schema, Ts, TypeDef, Uid,
};

use super::archive::entries_of;
use crate::error::{Error, Result};
use crate::gather::StaleReport;
use crate::progress::Progress;
use crate::source::{SeriesSource, StateVisitor};

/// The predicate that GraphQL schemas are values of.
const GRAPHQL: &str = "dgraph.graphql.schema";

/// GraphQL schemas that are kept: more than any database has, and a bound for what a damaged backup may say.
const MAX_GRAPHQL_BYTES: usize = 16 << 20;

/// The merged state of a series.
#[derive(Clone, Debug)]
pub struct StateFacts {
    /// The instant it shows.
    pub read_ts: Ts,
    /// Every predicate that is defined or has data.
    pub predicates: BTreeMap<Predicate, PredicateFacts>,
    /// The types.
    pub types: BTreeMap<Predicate, TypeDef>,
    /// The GraphQL schemas, at most 16 MiB of them.
    pub graphql: Vec<GraphqlSchema>,
    /// Every uid in use is at most this.
    pub max_uid: u64,
    /// Every namespace in use is at most this.
    pub max_namespace: u64,
    /// What was wrong with stored index, reverse and count keys of Dgraph's; what is counted here was made anew from data.
    pub stale: StaleReport,
}

/// A predicate in the merged state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PredicateFacts {
    /// Its definition; told from the data if no backup has one.
    pub schema: PredicateSchema,
    /// The group that served it.
    pub group: Option<GroupId>,
    /// Subjects with their values or edges.
    pub data: Lists,
    /// Index tokens with their subjects.
    pub index: Lists,
    /// Objects with the subjects that point at them.
    pub reverse: Lists,
    /// Numbers of values or edges, with the subjects that have so many.
    pub count: Lists,
    /// Numbers of edges, with the objects that so many point at.
    pub count_reverse: Lists,
}

/// Posting lists of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lists {
    /// How many.
    pub keys: u64,
    /// Values, edges or uids in them.
    pub entries: u64,
    /// Bytes of keys and lists, uncompressed.
    pub bytes: u64,
}

/// A list of the predicate of GraphQL schemas.
#[derive(Clone, Debug)]
pub struct GraphqlSchema {
    /// With its namespace.
    pub predicate: Predicate,
    /// The node that has it.
    pub subject: Uid,
    /// The value.
    pub list: PostingList,
}

impl Lists {
    pub(super) fn add(&mut self, bytes: usize, entries: u64) {
        self.keys += 1;
        self.entries += entries;
        self.bytes += bytes as u64;
    }
}

impl PredicateFacts {
    /// Bytes of all its lists, uncompressed.
    pub fn bytes(&self) -> u64 {
        [self.data, self.index, self.reverse, self.count, self.count_reverse].iter().map(|lists| lists.bytes).sum()
    }

    fn of_kind(&mut self, kind: &KeyKind) -> &mut Lists {
        match kind {
            KeyKind::Data(_) => &mut self.data,
            KeyKind::Index(_) => &mut self.index,
            KeyKind::Reverse(_) => &mut self.reverse,
            KeyKind::Count(_) => &mut self.count,
            KeyKind::CountReverse(_) => &mut self.count_reverse,
        }
    }
}

impl StateFacts {
    /// Lists of every predicate.
    pub fn bytes(&self) -> u64 {
        self.predicates.values().map(PredicateFacts::bytes).sum()
    }
}

/// Counts what is wanted of a series.
pub(super) async fn read(source: &SeriesSource, scratch: &Path, progress: &Progress) -> Result<StateFacts> {
    let (counter, summary) = source.read(&source.groups(), scratch, progress, Counter::default()).await?;
    let mut predicates = counter.predicates;
    for (predicate, schema) in summary.schema.predicates {
        predicates.entry(predicate).or_default().schema = schema;
    }
    let newest = source.newest();
    for (group, archive) in &newest.groups {
        for predicate in &archive.predicates {
            if let Some(facts) = predicates.get_mut(&source.selection().rename(predicate)) {
                facts.group = Some(*group);
            }
        }
    }
    Ok(StateFacts {
        read_ts: newest.read_ts,
        predicates,
        types: summary.schema.types,
        graphql: counter.graphql,
        max_uid: summary.max_uid,
        max_namespace: summary.max_namespace,
        stale: summary.stale,
    })
}

/// Counts lists as they come.
#[derive(Default)]
struct Counter {
    predicates: BTreeMap<Predicate, PredicateFacts>,
    graphql: Vec<GraphqlSchema>,
    graphql_bytes: usize,
}

impl StateVisitor for Counter {
    const SCHEMA_FIRST: bool = false;

    fn begin(&mut self, _: &Schema) -> Result<()> {
        Ok(())
    }

    fn list(&mut self, entry: StoredEntry<'_>) -> Result<()> {
        let damaged = |source| Error::DamagedList { key: entry.key.escape_ascii().to_string(), source };
        self.count(&entry).map_err(damaged)
    }
}

impl Counter {
    fn count(&mut self, entry: &StoredEntry<'_>) -> Result<(), Malformed> {
        let Key { predicate, kind } = Key::from_stored(entry.key)?;
        self.keep_graphql(&predicate, &kind, entry.list)?;
        let facts = self.predicates.entry(predicate).or_default();
        facts.of_kind(&kind).add(entry.key.len() + entry.list.len(), entries_of(entry.list)?);
        Ok(())
    }

    fn keep_graphql(&mut self, predicate: &Predicate, kind: &KeyKind, list: &[u8]) -> Result<(), Malformed> {
        let KeyKind::Data(subject) = *kind else { return Ok(()) };
        if predicate.name.as_ref() == GRAPHQL && self.graphql_bytes + list.len() <= MAX_GRAPHQL_BYTES {
            self.graphql_bytes += list.len();
            let (predicate, list) = (predicate.clone(), PostingList::from_wire(list)?);
            self.graphql.push(GraphqlSchema { predicate, subject, list });
        }
        Ok(())
    }
}
