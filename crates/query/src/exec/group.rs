use std::cmp::Ordering;
use std::collections::HashMap;

use graphdb_types::Value;

use super::graph::{Graph, preferred, value_of};
use super::limits::{self, MAX_COMBINATIONS};
use super::{Result, sets};
use crate::plan::{GroupKey, GroupPlan, Lang};

/// The values that nodes are grouped by, read once for all rows of a level.
#[derive(Debug, Default)]
pub(super) struct GroupColumn {
    /// For each node, the values of each key of the plan.
    keys: HashMap<u64, Vec<Vec<GroupValue>>>,
}

/// What nodes of a group have in common.
#[derive(Clone, Debug)]
pub(super) enum GroupValue {
    Node(u64),
    Value(Value),
}

/// Nodes with the same keys.
#[derive(Debug)]
pub(super) struct Group {
    /// One for each key of the plan.
    pub(super) keys: Vec<GroupValue>,
    /// Ascending.
    pub(super) nodes: Vec<u64>,
}

impl GroupColumn {
    pub(super) fn read(graph: &mut Graph<'_>, plan: &GroupPlan, uids: &[u64]) -> Result<GroupColumn> {
        let mut keys = HashMap::with_capacity(uids.len());
        for uid in uids {
            let of_node = plan.keys.iter().map(|(_, key)| values(graph, key, *uid)).collect::<Result<Vec<_>>>()?;
            keys.insert(*uid, of_node);
        }
        Ok(GroupColumn { keys })
    }

    /// The groups of some nodes: the small before the large, then by their keys. Nodes that lack a key are in none.
    pub(super) fn groups(&self, nodes: &[u64]) -> Result<Vec<Group>> {
        let mut members: Vec<(Vec<GroupValue>, u64)> = Vec::new();
        for uid in nodes {
            let of_node = self.keys.get(uid).map(Vec::as_slice).unwrap_or_default();
            let combinations = of_node.iter().fold(1u64, |product, values| product.saturating_mul(values.len() as u64));
            limits::check(
                "groups nodes in combinations,",
                combinations.saturating_add(members.len() as u64),
                MAX_COMBINATIONS,
            )?;
            let mut combined = vec![Vec::new()];
            for values in of_node {
                combined = combined
                    .iter()
                    .flat_map(|keys: &Vec<GroupValue>| values.iter().map(move |value| with(keys, value)))
                    .collect();
            }
            members.extend(combined.into_iter().filter(|keys| !keys.is_empty()).map(|keys| (keys, *uid)));
        }
        members.sort_by(|(a, a_uid), (b, b_uid)| compare_all(a, b).then(a_uid.cmp(b_uid)));
        let mut groups: Vec<Group> = Vec::new();
        for (keys, uid) in members {
            match groups.last_mut() {
                Some(group) if compare_all(&group.keys, &keys).is_eq() => group.nodes.push(uid),
                _ => groups.push(Group { keys, nodes: vec![uid] }),
            }
        }
        groups.sort_by_key(|group| group.nodes.len());
        Ok(groups)
    }
}

fn with(keys: &[GroupValue], value: &GroupValue) -> Vec<GroupValue> {
    let mut longer = keys.to_vec();
    longer.push(value.clone());
    longer
}

fn values(graph: &mut Graph<'_>, key: &GroupKey, uid: u64) -> Result<Vec<GroupValue>> {
    match key {
        GroupKey::Edge { predicate, reverse } => {
            let ends = graph.list(predicate, *reverse, uid)?.ids;
            Ok(sets::union([ends]).into_iter().map(GroupValue::Node).collect())
        }
        GroupKey::Value(predicate, lang) => {
            let list = graph.list(predicate, false, uid)?;
            let posting = if *lang == Lang::Untagged {
                list.postings.iter().find(|posting| posting.lang.is_empty())
            } else {
                preferred(&list, std::slice::from_ref(lang))
            };
            let value = posting.map(|posting| value_of(graph.schema(), predicate, posting)).transpose()?;
            Ok(value.into_iter().map(GroupValue::Value).collect())
        }
    }
}

fn compare_all(a: &[GroupValue], b: &[GroupValue]) -> Ordering {
    a.iter().zip(b).map(|(a, b)| compare(a, b)).fold(Ordering::Equal, Ordering::then)
}

fn compare(a: &GroupValue, b: &GroupValue) -> Ordering {
    match (a, b) {
        (GroupValue::Node(a), GroupValue::Node(b)) => a.cmp(b),
        (GroupValue::Value(a), GroupValue::Value(b)) => a.compare(b).unwrap_or_else(|| a.to_bytes().cmp(&b.to_bytes())),
        (GroupValue::Node(_), GroupValue::Value(_)) => Ordering::Less,
        (GroupValue::Value(_), GroupValue::Node(_)) => Ordering::Greater,
    }
}
