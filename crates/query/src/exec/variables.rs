use std::collections::BTreeMap;

use graphdb_types::Value;

use super::graph::{Graph, Variable, preferred, value_of};
use super::level::{BlockResult, Column, Level};
use super::{Result, math, sets};
use crate::plan::{BlockPlan, FieldKind, FieldPlan};

/// Fills the variables of a block that has run.
pub(super) fn collect(graph: &mut Graph<'_>, plan: &BlockPlan, result: &BlockResult) -> Result<()> {
    let mut nodes = result.nodes.clone();
    nodes.sort_unstable();
    nodes.dedup();
    of_level(graph, &plan.fields, &result.level, &nodes)?;
    if let Some(name) = &plan.variable {
        graph.variables.insert(name.clone(), Variable::Uids(nodes));
    }
    Ok(())
}

/// `nodes` are those of the level that the answer shows, ascending.
fn of_level(graph: &mut Graph<'_>, fields: &[FieldPlan], level: &Level, nodes: &[u64]) -> Result<()> {
    for (field, column) in fields.iter().zip(&level.columns) {
        if let (Some(name), false) = (&field.variable, is_math(field)) {
            let variable = filled(graph, field, column, level, nodes)?;
            graph.variables.insert(name.clone(), variable);
        }
        if let (Column::Edges(edges), FieldKind::Edge(plan)) = (column, &field.kind) {
            let shown: Vec<Vec<u64>> =
                nodes.iter().filter_map(|uid| level.place(*uid)).map(|at| edges.rows[at].clone()).collect();
            of_level(graph, &plan.fields, &edges.below, &sets::union_of_rows(&shown))?;
        }
    }
    of_math(graph, fields, nodes)
}

fn is_math(field: &FieldPlan) -> bool {
    matches!(field.kind, FieldKind::Math(_))
}

/// Expressions come after the values of their level, and in the order of the text, as one may use another.
fn of_math(graph: &mut Graph<'_>, fields: &[FieldPlan], nodes: &[u64]) -> Result<()> {
    for field in fields {
        let (Some(name), FieldKind::Math(expression)) = (&field.variable, &field.kind) else { continue };
        let mut values = BTreeMap::new();
        for uid in nodes {
            if let Some(value) = math::value(graph, expression, *uid)? {
                values.insert(*uid, value);
            }
        }
        graph.variables.insert(name.clone(), Variable::Values(values));
    }
    Ok(())
}

fn filled(graph: &Graph<'_>, field: &FieldPlan, column: &Column, level: &Level, nodes: &[u64]) -> Result<Variable> {
    let places = || nodes.iter().filter_map(|uid| Some((*uid, level.place(*uid)?)));
    Ok(match (column, &field.kind) {
        (Column::Edges(edges), _) => {
            let rows: Vec<Vec<u64>> = places().map(|(_, at)| edges.rows[at].clone()).collect();
            Variable::Uids(sets::union_of_rows(&rows))
        }
        (Column::Counts(counts), _) => Variable::Values(
            places().map(|(uid, at)| (uid, Value::Int(i64::try_from(counts[at]).unwrap_or(i64::MAX)))).collect(),
        ),
        (Column::Values(lists), FieldKind::Value(plan)) => {
            let mut values = BTreeMap::new();
            for (uid, at) in places() {
                if let Some(posting) = preferred(&lists[at], &plan.langs) {
                    values.insert(uid, value_of(graph.schema(), &plan.predicate, posting)?);
                }
            }
            Variable::Values(values)
        }
        _ => Variable::Uids(nodes.to_vec()),
    })
}
