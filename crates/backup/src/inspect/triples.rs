//! Triples and definitions, read out of the merged state as they come.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use graphdb_storage::StoredEntry;
use graphdb_types::{Key, KeyKind, Malformed, PostingList, Predicate, Schema, Uid, max_object};

use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::source::{SeriesSource, StateVisitor};

/// Whose triples are wanted. Which predicates and namespaces, the source's selection says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Everything.
    All,
    /// A node's own, and those that point at it.
    Node(Uid),
}

/// How far reading came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TriplesRead {
    /// All were seen. Every object of ours was proved against its digest.
    All,
    /// The taker had enough.
    Stopped,
}

/// Hands the data lists of the merged state to `take`: predicates in the order of their stored keys, subjects ascending. Of lists that only
/// point at a node that was asked for, what points at it.
///
/// # Errors
/// Whatever was found while reading; of our backups a wrong digest is found only after the last list was handed on.
pub async fn read_triples<F>(
    source: &SeriesSource,
    asked: Asked,
    scratch: &Path,
    progress: &Progress,
    take: F,
) -> Result<TriplesRead>
where
    F: FnMut(&Predicate, Uid, &PostingList) -> ControlFlow<()> + Send + 'static,
{
    let stop = Stop::default();
    let reader = Triples { asked, take, stop: stop.clone() };
    match source.read(&source.groups(), scratch, progress, reader).await {
        Ok(_) => Ok(TriplesRead::All),
        Err(_) if stop.was_asked() => Ok(TriplesRead::Stopped),
        Err(err) => Err(err),
    }
}

/// What the merged state defines: of Dgraph's backups, where nothing is defined, what the data tells. Lists are not read, or not handed on.
pub async fn read_schema(source: &SeriesSource, scratch: &Path, progress: &Progress) -> Result<Schema> {
    let (stop, found) = (Stop::default(), Arc::new(Mutex::new(None)));
    let reader = Definitions { found: Arc::clone(&found), stop: stop.clone() };
    let read = source.read(&source.groups(), scratch, progress, reader).await;
    let schema = found.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (schema, read) {
        (Some(schema), _) if stop.was_asked() => Ok(schema),
        (_, Ok((_, summary))) => Ok(summary.schema),
        (_, Err(err)) => Err(err),
    }
}

/// Ends a reading that has seen enough: whoever visits can only do it with an error.
#[derive(Clone, Debug, Default)]
struct Stop(Arc<Mutex<bool>>);

impl Stop {
    fn now(&self) -> Result<()> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        Err(Error::Cancelled("enough was read"))
    }

    fn was_asked(&self) -> bool {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Triples<F> {
    asked: Asked,
    take: F,
    stop: Stop,
}

impl<F> StateVisitor for Triples<F>
where
    F: FnMut(&Predicate, Uid, &PostingList) -> ControlFlow<()> + Send + 'static,
{
    const SCHEMA_FIRST: bool = false;

    fn begin(&mut self, _: &Schema) -> Result<()> {
        Ok(())
    }

    fn list(&mut self, entry: StoredEntry<'_>) -> Result<()> {
        let damaged = |source| Error::DamagedList { key: entry.key.escape_ascii().to_string(), source };
        let key = Key::from_stored(entry.key).map_err(damaged)?;
        let KeyKind::Data(subject) = key.kind else { return Ok(()) };
        let Some(list) = self.asked.pick(subject, entry.list).map_err(damaged)? else { return Ok(()) };
        match (self.take)(&key.predicate, subject, &list) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => self.stop.now(),
        }
    }
}

impl Asked {
    /// What of a list was asked for.
    fn pick(self, subject: Uid, wire: &[u8]) -> Result<Option<PostingList>, Malformed> {
        match self {
            Asked::Node(node) if node != subject => edges_to(node, wire),
            _ => PostingList::from_wire(wire).map(Some),
        }
    }
}

/// The edge of a list that points at a node.
fn edges_to(node: Uid, wire: &[u8]) -> Result<Option<PostingList>, Malformed> {
    if max_object(wire)? < node.0 {
        return Ok(None);
    }
    let list = PostingList::from_wire(wire)?;
    let edge = || PostingList { ids: vec![node.0], postings: list.posting(node.0).cloned().into_iter().collect() };
    Ok(list.contains(node.0).then(edge))
}

struct Definitions {
    found: Arc<Mutex<Option<Schema>>>,
    stop: Stop,
}

impl StateVisitor for Definitions {
    const SCHEMA_FIRST: bool = true;

    fn begin(&mut self, schema: &Schema) -> Result<()> {
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(schema.clone());
        self.stop.now()
    }

    fn list(&mut self, _: StoredEntry<'_>) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use graphdb_types::{Facet, Posting, VALUE_UID};

    use super::*;

    #[test]
    fn of_a_list_that_points_at_a_node_the_one_edge_is_picked() {
        let facets = vec![Facet { key: "since".into(), ..Facet::default() }];
        let edge = Posting { id: 7, is_edge: true, facets, ..Posting::default() };
        let list = PostingList { ids: vec![3, 7, 9], postings: vec![edge.clone()] }.to_wire();
        let pick = |node| Asked::Node(Uid(node)).pick(Uid(1), &list);
        assert_eq!(pick(3), Ok(Some(PostingList::of_ids(vec![3]))));
        assert_eq!(pick(7), Ok(Some(PostingList::of_postings(vec![edge]))));
        assert_eq!([pick(4), pick(10)], [Ok(None), Ok(None)]);
        assert_eq!(pick(1).map(|list| list.map(|list| list.len())), Ok(Some(3)), "its own list is whole");
    }

    #[test]
    fn no_value_points_at_a_node() {
        let value = Posting { id: VALUE_UID, value: b"x".to_vec(), ..Posting::default() };
        let list = PostingList::of_postings(vec![value]).to_wire();
        assert_eq!(Asked::Node(Uid(VALUE_UID)).pick(Uid(1), &list), Ok(None));
    }
}
