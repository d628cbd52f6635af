use std::ops::ControlFlow;

use graphdb_types::{Key, Predicate, Uid};

use super::check::{list_passes, passing};
use super::graph::Graph;
use super::sets::{intersect, union};
use super::{QueryError, Result, limits};
use crate::plan::{Check, Source, Test};

/// Which nodes a root needs, when not all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// Only nodes with a greater uid.
    pub(super) after: u64,
    /// Not more than the first so many of those.
    pub(super) limit: usize,
}

/// The nodes that pass a root's test, ascending. Only nodes named in the query may come more than once.
pub(super) fn root(graph: &mut Graph<'_>, test: &Test, window: Window) -> Result<Vec<u64>> {
    let mut uids = match &test.source {
        Some(Source::Uids(set)) => {
            let named = graph.named_uids(set);
            graph.touch("", named.len());
            named
        }
        Some(Source::Scan { predicate, reverse }) => scan(graph, predicate, *reverse, &test.check, window)?,
        Some(source) => {
            let found = find(graph, source)?;
            if test.exact { found } else { passing(graph, &test.check, &found)? }
        }
        None => Vec::new(),
    };
    if window.after > 0 {
        uids.retain(|uid| *uid > window.after);
    }
    graph.count_read(uids.len())?;
    Ok(uids)
}

/// Every node that a source finds, ascending, each once.
pub(super) fn find(graph: &mut Graph<'_>, source: &Source) -> Result<Vec<u64>> {
    match source {
        Source::Nothing => Ok(Vec::new()),
        Source::Uids(set) => Ok(graph.uid_set(set)),
        Source::Variable(name) => {
            Ok(graph.values(name).map(|values| values.keys().copied().collect()).unwrap_or_default())
        }
        Source::Terms { predicate, groups } => {
            let found = groups.iter().map(|group| all_terms(graph, predicate, group)).collect::<Result<Vec<_>>>()?;
            Ok(union(found))
        }
        Source::Range { predicate, prefix, first, last, open } => {
            let ends = Ends { prefix, first: first.as_deref(), last: last.as_deref(), open: *open };
            range(graph, predicate, &ends)
        }
        Source::Counts { predicate, reverse, from, to } => counts(graph, predicate, *reverse, *from, *to),
        Source::Scan { predicate, reverse } => {
            let has = Check::Has { predicate: predicate.clone(), reverse: *reverse, lang: crate::plan::Lang::Any };
            scan(graph, predicate, *reverse, &has, Window { after: 0, limit: usize::MAX })
        }
    }
}

fn all_terms(graph: &mut Graph<'_>, predicate: &Predicate, terms: &[Vec<u8>]) -> Result<Vec<u64>> {
    let mut found: Option<Vec<u64>> = None;
    for term in terms {
        let list = graph.list_of(&Key::index(predicate, term.as_slice()))?.ids;
        let both = match found {
            Some(before) => intersect(&before, &list),
            None => list,
        };
        if both.is_empty() {
            return Ok(both);
        }
        found = Some(both);
    }
    Ok(found.unwrap_or_default())
}

/// The terms of a range.
struct Ends<'a> {
    prefix: &'a [u8],
    first: Option<&'a [u8]>,
    last: Option<&'a [u8]>,
    open: bool,
}

impl Ends<'_> {
    fn holds(&self, term: &[u8]) -> bool {
        let is_end = self.first == Some(term) || self.last == Some(term);
        term.starts_with(self.prefix) && !(self.open && is_end)
    }

    /// A term behind every term that has the prefix.
    fn behind(&self) -> Vec<u8> {
        let mut behind = self.prefix.to_vec();
        // Prefixes end in a tokenizer's byte or a separator, all far below 0xff.
        if let Some(byte) = behind.last_mut() {
            *byte = byte.saturating_add(1);
        }
        behind
    }
}

fn range(graph: &mut Graph<'_>, predicate: &Predicate, ends: &Ends<'_>) -> Result<Vec<u64>> {
    let behind = ends.behind();
    let (first, last) = (ends.first.unwrap_or(ends.prefix), ends.last.unwrap_or(&behind));
    if first > last {
        return Ok(Vec::new());
    }
    let mut uids = Vec::new();
    graph.view.scan_index(predicate, first, last, false, &mut |term, list| {
        if ends.holds(term) {
            uids.extend_from_slice(&list.ids);
        }
        within_limit(&uids)
    })?;
    distinct(graph, uids)
}

/// The uids of several lists, ascending, each once; every one that was read counts.
fn distinct(graph: &mut Graph<'_>, mut uids: Vec<u64>) -> Result<Vec<u64>> {
    graph.count_read(uids.len())?;
    uids.sort_unstable();
    uids.dedup();
    Ok(uids)
}

fn counts(graph: &mut Graph<'_>, predicate: &Predicate, reverse: bool, from: u32, to: u32) -> Result<Vec<u64>> {
    let mut uids = Vec::new();
    if from <= to {
        graph.view.scan_counts(predicate, reverse, from..=to, &mut |_, list| {
            uids.extend_from_slice(&list.ids);
            within_limit(&uids)
        })?;
    }
    distinct(graph, uids)
}

/// Goes through all lists of a predicate; the check looks at the list in hand, so nothing is read twice.
fn scan(
    graph: &mut Graph<'_>,
    predicate: &Predicate,
    reverse: bool,
    check: &Check,
    window: Window,
) -> Result<Vec<u64>> {
    let mut uids = Vec::new();
    let mut failed: Option<QueryError> = None;
    let schema = graph.schema();
    let mut visit = |uid: Uid, list: &graphdb_types::PostingList| {
        match list_passes(schema, check, &[], list) {
            Ok(true) => uids.push(uid.0),
            Ok(false) => {}
            Err(error) => {
                failed = Some(error);
                return ControlFlow::Break(());
            }
        }
        if uids.len() >= window.limit { ControlFlow::Break(()) } else { within_limit(&uids) }
    };
    match reverse {
        true => graph.view.scan_reverse(predicate, Uid(window.after), &mut visit)?,
        false => graph.view.scan_data(predicate, Uid(window.after), &mut visit)?,
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(uids),
    }
}

/// Stops a scan that has found more than a query may read; the count that follows it fails.
fn within_limit(uids: &[u64]) -> ControlFlow<()> {
    if uids.len() as u64 > limits::MAX_UIDS_READ { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
