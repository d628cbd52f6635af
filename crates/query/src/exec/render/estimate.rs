use crate::exec::Result;
use crate::exec::level::{Column, Level};
use crate::exec::limits::{self, MAX_RENDERED_NODES};

/// Fails if writing `nodes` would go through more nodes than an answer may. Counted from the bottom up, once for each node and edge that was
/// read, so an answer without end is refused at once.
pub(super) fn check(nodes: &[u64], level: &Level) -> Result<()> {
    let visits = visits(&level.uids, &level.columns);
    let total = nodes.iter().filter_map(|uid| level.place(*uid)).fold(0u64, |sum, at| sum.saturating_add(visits[at]));
    limits::check("leads to nodes in its answer,", total, MAX_RENDERED_NODES)
}

/// How many nodes are written for each node of a level, itself included.
fn visits(uids: &[u64], columns: &[Column]) -> Vec<u64> {
    let mut visits = vec![1u64; uids.len()];
    for column in columns {
        match column {
            Column::Edges(edges) => {
                let below = self::visits(&edges.below.uids, &edges.below.columns);
                for (visits, row) in visits.iter_mut().zip(&edges.rows) {
                    let ends = row.iter().filter_map(|uid| edges.below.place(*uid));
                    *visits = ends.fold(*visits, |sum, at| sum.saturating_add(below[at]));
                }
            }
            Column::Expanded(_, columns) => {
                let inner = self::visits(uids, columns);
                visits.iter_mut().zip(inner).for_each(|(visits, inner)| *visits = visits.saturating_add(inner - 1));
            }
            _ => {}
        }
    }
    visits
}
