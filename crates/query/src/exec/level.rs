use std::collections::BTreeSet;

use graphdb_types::{PostingList, Predicate, Uid, Value};

use super::graph::{Graph, in_language, value_of};
use super::group::GroupColumn;
use super::source::{Window, root};
use super::{QueryError, Result, cascade, check, facets, order, sets};
use crate::plan::{
    self, BlockPlan, Check, EdgePlan, ExpandPlan, FieldKind, FieldPlan, FilterPlan, GroupPlan, Lang, Paging,
};

/// What one block found.
#[derive(Debug, Default)]
pub(super) struct BlockResult {
    /// The nodes in the order of the answer; only nodes named in the query may come more than once.
    pub(super) nodes: Vec<u64>,
    /// What was read of them.
    pub(super) level: Level,
    /// What they are grouped by.
    pub(super) groups: Option<GroupColumn>,
}

/// Nodes at one depth and what was read of them.
#[derive(Debug, Default)]
pub(super) struct Level {
    /// Ascending, each once.
    pub(super) uids: Vec<u64>,
    /// One for every field of the plan.
    pub(super) columns: Vec<Column>,
}

/// What one field reads, in the order of [`Level::uids`].
#[derive(Debug)]
pub(super) enum Column {
    /// Nothing has to be read.
    Plain,
    /// Values.
    Values(Vec<PostingList>),
    /// Edges.
    Edges(Edges),
    /// Numbers of values or edges.
    Counts(Vec<u64>),
    /// Whether a password is right; `None` where there is none.
    Passwords(Vec<Option<bool>>),
    /// The fields that an `expand` stands for.
    Expanded(Vec<FieldPlan>, Vec<Column>),
}

/// The edges of one field.
#[derive(Debug, Default)]
pub(super) struct Edges {
    /// The ends of each node's edges, in the order of the answer.
    pub(super) rows: Vec<Vec<u64>>,
    /// The lists they come from, if facets are shown.
    pub(super) lists: Vec<PostingList>,
    /// What was read of the ends.
    pub(super) below: Level,
    /// What the ends are grouped by.
    pub(super) groups: Option<GroupColumn>,
}

impl Level {
    /// The place of a node in the columns.
    pub(super) fn place(&self, uid: u64) -> Option<usize> {
        self.uids.binary_search(&uid).ok()
    }
}

/// Runs a block.
pub(super) fn block(graph: &mut Graph<'_>, plan: &BlockPlan) -> Result<BlockResult> {
    let Some(test) = &plan.root else {
        return Ok(BlockResult::default());
    };
    let mut nodes = root(graph, test, window(plan))?;
    if let Some(filter) = &plan.filter {
        let passing = check::filter(graph, filter, &distinct(&nodes))?;
        nodes.retain(|uid| passing.binary_search(uid).is_ok());
    }
    if !plan.order.is_empty() {
        order::sort(graph, &plan.order, &mut nodes)?;
    }
    if plan.cascade.is_none() {
        order::page(&mut nodes, root_paging(plan));
    }
    let level = read(graph, &plan.fields, distinct(&nodes), plan.cascade.as_deref())?;
    if let Some(names) = &plan.cascade {
        let kept = cascade::kept(&level, &plan.fields, names, graph);
        nodes.retain(|uid| kept.binary_search(uid).is_ok());
        order::page(&mut nodes, plan.paging);
    }
    let groups = groups(graph, plan.group.as_ref(), &nodes)?;
    Ok(BlockResult { nodes, level, groups })
}

/// How much of a root's nodes is needed: a page of them can end a scan early, if nothing is filtered or ordered afterwards.
fn window(plan: &BlockPlan) -> Window {
    let after = plan.paging.after.0;
    let whole = plan.filter.is_some() || !plan.order.is_empty() || plan.cascade.is_some();
    let first = usize::try_from(root_paging(plan).first).unwrap_or(0);
    let limit = if whole || first == 0 { usize::MAX } else { first.saturating_add(plan.paging.offset) };
    Window { after, limit }
}

/// Dgraph, asked for the last nodes of a `has` at root, stops at the first it meets and answers that one. Answers are compared with it, and
/// nobody can rely on them, so we answer the same.
fn root_paging(plan: &BlockPlan) -> Paging {
    let is_has = matches!(plan.root.as_ref().map(|test| &test.check), Some(Check::Has { .. }));
    match is_has && plan.paging.first < 0 && plan.filter.is_none() {
        true => Paging { first: 1, offset: 0, ..plan.paging },
        false => plan.paging,
    }
}

fn distinct(nodes: &[u64]) -> Vec<u64> {
    let mut uids = nodes.to_vec();
    uids.sort_unstable();
    uids.dedup();
    uids
}

/// Reads every field for all nodes of a level.
pub(super) fn read(
    graph: &mut Graph<'_>,
    fields: &[FieldPlan],
    uids: Vec<u64>,
    cascade: Option<&[String]>,
) -> Result<Level> {
    let columns = fields.iter().map(|field| column(graph, field, &uids, cascade)).collect::<Result<_>>()?;
    Ok(Level { uids, columns })
}

fn column(graph: &mut Graph<'_>, field: &FieldPlan, uids: &[u64], cascade: Option<&[String]>) -> Result<Column> {
    Ok(match &field.kind {
        FieldKind::Uid => {
            graph.touch("uid", uids.len());
            Column::Plain
        }
        FieldKind::CountUid | FieldKind::Val(_) | FieldKind::Aggregate(..) | FieldKind::Math(_) => Column::Plain,
        FieldKind::Value(value) => Column::Values(lists(graph, &value.predicate, false, uids)?),
        FieldKind::Edge(edge) => Column::Edges(edges(graph, edge, uids, cascade)?),
        FieldKind::Count { predicate, reverse, filter } => {
            Column::Counts(counts(graph, predicate, *reverse, filter.as_ref(), uids)?)
        }
        FieldKind::CheckPassword(predicate, password) => {
            let lists = lists(graph, predicate, false, uids)?;
            Column::Passwords(
                lists.iter().map(|list| password_is(graph, predicate, list, password)).collect::<Result<_>>()?,
            )
        }
        FieldKind::Expand(expand) => expanded(graph, expand, uids, cascade)?,
    })
}

fn lists(graph: &mut Graph<'_>, predicate: &Predicate, reverse: bool, uids: &[u64]) -> Result<Vec<PostingList>> {
    let tilde = if reverse { "~" } else { "" };
    graph.touch(&format!("{tilde}{}", predicate.name), uids.len());
    uids.iter().map(|uid| graph.list(predicate, reverse, *uid)).collect()
}

fn counts(
    graph: &mut Graph<'_>,
    predicate: &Predicate,
    reverse: bool,
    filter: Option<&FilterPlan>,
    uids: &[u64],
) -> Result<Vec<u64>> {
    let lists = lists(graph, predicate, reverse, uids)?;
    let Some(filter) = filter else {
        return Ok(lists.iter().map(|list| check::count(graph.schema(), predicate, reverse, list)).collect());
    };
    let rows: Vec<Vec<u64>> = lists.into_iter().map(|list| list.ids).collect();
    let passing = check::filter(graph, filter, &sets::union_of_rows(&rows))?;
    Ok(rows.iter().map(|row| sets::intersect(row, &passing).len() as u64).collect())
}

/// A node without a password has none that is right; a predicate that nothing is known of says nothing.
fn password_is(
    graph: &mut Graph<'_>,
    predicate: &Predicate,
    list: &PostingList,
    password: &str,
) -> Result<Option<bool>> {
    let known = graph.schema().predicate(predicate).is_some();
    match list.postings.first() {
        Some(posting) => {
            graph.count_password()?;
            Ok(Some(value_of(graph.schema(), predicate, posting)?.check_password(password)))
        }
        None => Ok(known.then_some(false)),
    }
}

fn edges(graph: &mut Graph<'_>, edge: &EdgePlan, uids: &[u64], cascade: Option<&[String]>) -> Result<Edges> {
    let lists = lists(graph, &edge.predicate, edge.reverse, uids)?;
    let mut rows = lists.iter().map(|list| ends(edge, list)).collect::<Result<Vec<_>>>()?;
    if let Some(filter) = &edge.filter {
        let passing = check::filter(graph, filter, &sets::union_of_rows(&rows))?;
        rows = rows.iter().map(|row| sets::intersect(row, &passing)).collect();
    }
    if !edge.order.is_empty() {
        order::sort_rows(graph, &edge.order, &sets::union_of_rows(&rows), &mut rows)?;
    } else if !edge.facet_order.is_empty() {
        rows.iter_mut().zip(&lists).try_for_each(|(row, list)| facets::sort(row, list, &edge.facet_order))?;
    }
    // A node's own names replace those it inherits; its page is cut from what the cascade leaves.
    let cascade = edge.cascade.as_deref().or(cascade);
    if cascade.is_none() {
        rows.iter_mut().for_each(|row| order::page(row, edge.paging));
    }
    let below = read(graph, &edge.fields, sets::union_of_rows(&rows), cascade)?;
    if let Some(names) = cascade {
        let kept = cascade::kept(&below, &edge.fields, names, graph);
        for row in &mut rows {
            row.retain(|uid| kept.binary_search(uid).is_ok());
            order::page(row, edge.paging);
        }
    }
    let lists = if edge.facets.is_some() { lists } else { Vec::new() };
    let groups = groups(graph, edge.group.as_ref(), &below.uids)?;
    Ok(Edges { rows, lists, below, groups })
}

fn groups(graph: &mut Graph<'_>, plan: Option<&GroupPlan>, uids: &[u64]) -> Result<Option<GroupColumn>> {
    plan.map(|plan| GroupColumn::read(graph, plan, uids)).transpose()
}

/// The ends of a node's edges that its facets and `after` let pass, ascending.
fn ends(edge: &EdgePlan, list: &PostingList) -> Result<Vec<u64>> {
    let mut row = list.ids.clone();
    if edge.paging.after > Uid(0) {
        row.retain(|uid| *uid > edge.paging.after.0);
    }
    if let Some(filter) = &edge.facet_filter {
        let mut passing = Vec::with_capacity(row.len());
        for uid in row {
            if facets::passes(filter, facets::of(list, uid))? {
                passing.push(uid);
            }
        }
        row = passing;
    }
    Ok(row)
}

fn expanded(graph: &mut Graph<'_>, expand: &ExpandPlan, uids: &[u64], cascade: Option<&[String]>) -> Result<Column> {
    let types = match &expand.types {
        Some(types) => types.clone(),
        None => types_of(graph, uids)?,
    };
    let fields = plan::expanded_fields(expand, &types, graph.schema()).map_err(QueryError::Invalid)?;
    let level = read(graph, &fields, uids.to_vec(), cascade)?;
    Ok(Column::Expanded(fields, level.columns))
}

/// The names of the types that nodes have, ascending.
fn types_of(graph: &mut Graph<'_>, uids: &[u64]) -> Result<Vec<String>> {
    let predicate = Predicate::root("dgraph.type");
    let mut names = BTreeSet::new();
    for uid in uids {
        let list = graph.list(&predicate, false, *uid)?;
        for posting in in_language(&list, &Lang::Any) {
            if let Value::String(name) | Value::Default(name) = value_of(graph.schema(), &predicate, posting)? {
                names.insert(name);
            }
        }
    }
    Ok(names.into_iter().collect())
}
