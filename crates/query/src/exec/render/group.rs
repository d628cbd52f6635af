use std::fmt::Write as _;

use graphdb_types::Value;

use super::{ArrayText, aggregate, values};
use crate::exec::Result;
use crate::exec::graph::Graph;
use crate::exec::group::{Group, GroupColumn, GroupValue};
use crate::exec::sink::{ObjectText, Sink as _};
use crate::plan::{GroupMember, GroupPlan};

/// Writes the groups of some nodes as one element, `{"@groupby":[...]}`; none if there are no groups.
pub(super) fn element(
    graph: &Graph<'_>,
    plan: &GroupPlan,
    column: &GroupColumn,
    nodes: &[u64],
    array: &mut ArrayText<'_>,
) -> Result<()> {
    let groups = column.groups(nodes)?;
    array.element(|out| {
        let mut object = ObjectText::open(out);
        object.try_member("@groupby", |out| {
            let mut array = ArrayText::open(out);
            groups.iter().try_for_each(|group| array.element(|out| write(graph, plan, group, out)))?;
            Ok::<_, crate::exec::QueryError>(array.close())
        })?;
        Ok(object.close())
    })
}

fn write(graph: &Graph<'_>, plan: &GroupPlan, group: &Group, out: &mut String) -> Result<bool> {
    let mut object = ObjectText::open(out);
    for ((key, _), value) in plan.keys.iter().zip(&group.keys) {
        object.member(key, |out| match value {
            GroupValue::Node(uid) => values::write_uid(*uid, out),
            GroupValue::Value(value) => value.write_json(out),
        });
    }
    for (key, member) in &plan.members {
        match member {
            GroupMember::Count => object.member(key, |out| write!(out, "{}", group.nodes.len()).is_ok()),
            GroupMember::Aggregate(kind, name) => {
                let of_nodes =
                    graph.values(name).map(|values| group.nodes.iter().filter_map(|uid| values.get(uid)).collect());
                let of_nodes: Vec<&Value> = of_nodes.unwrap_or_default();
                if let Some(value) = aggregate::of(*kind, &of_nodes)? {
                    object.member(key, |out| value.write_json(out));
                }
            }
        }
    }
    Ok(object.close())
}
