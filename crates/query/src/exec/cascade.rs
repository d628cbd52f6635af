use super::graph::{Graph, preferred};
use super::level::{Column, Level};
use crate::plan::{FieldKind, FieldPlan, ValuePlan};

/// The nodes of a level that have something for every field, or for every field in `names`; ascending.
pub(super) fn kept(level: &Level, fields: &[FieldPlan], names: &[String], graph: &Graph<'_>) -> Vec<u64> {
    let has_all = |at: usize| has_every(fields, &level.columns, names, at, level.uids[at], graph);
    (0..level.uids.len()).filter(|at| has_all(*at)).map(|at| level.uids[at]).collect()
}

fn has_every(
    fields: &[FieldPlan],
    columns: &[Column],
    names: &[String],
    at: usize,
    uid: u64,
    graph: &Graph<'_>,
) -> bool {
    fields.iter().zip(columns).all(|(field, column)| match column {
        Column::Expanded(fields, columns) => has_every(fields, columns, names, at, uid, graph),
        _ => !is_asked(field, names) || has(field, column, at, uid, graph),
    })
}

fn is_asked(field: &FieldPlan, names: &[String]) -> bool {
    names.is_empty() || names.iter().any(|name| *name == name_of(field))
}

/// The name a cascade knows a field by: that of its predicate, whatever its alias.
fn name_of(field: &FieldPlan) -> String {
    match &field.kind {
        FieldKind::Edge(edge) => format!("{}{}", if edge.reverse { "~" } else { "" }, edge.predicate.name),
        FieldKind::Value(value) if value.all_languages => format!("{}@*", value.predicate.name),
        FieldKind::Value(value) => {
            let tags: Vec<&str> = value.langs.iter().map(|lang| lang.tag()).filter(|tag| !tag.is_empty()).collect();
            let at = if tags.is_empty() { "" } else { "@" };
            format!("{}{at}{}", value.predicate.name, tags.join(":"))
        }
        _ => field.key.clone(),
    }
}

fn has(field: &FieldPlan, column: &Column, at: usize, uid: u64, graph: &Graph<'_>) -> bool {
    match (column, &field.kind) {
        (Column::Values(lists), FieldKind::Value(value)) => has_value(value, &lists[at]),
        (Column::Edges(edges), _) => !edges.rows[at].is_empty(),
        (Column::Passwords(right), _) => right[at].is_some(),
        (_, FieldKind::Val(name)) => graph.values(name).is_some_and(|values| values.contains_key(&uid)),
        _ => true,
    }
}

fn has_value(plan: &ValuePlan, list: &graphdb_types::PostingList) -> bool {
    if plan.list || plan.all_languages { !list.is_empty() } else { preferred(list, &plan.langs).is_some() }
}
