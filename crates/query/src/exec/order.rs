use std::cmp::Ordering;
use std::collections::HashMap;

use graphdb_types::Value;

use super::Result;
use super::graph::{Graph, preferred, value_of};
use crate::plan::{OrderBy, OrderPlan, Paging};

/// Orders nodes by their values. Those without one come last in either direction; ties are broken by uid.
pub(super) fn sort(graph: &mut Graph<'_>, orders: &[OrderPlan], uids: &mut [u64]) -> Result<()> {
    let ranks = ranks(graph, orders, uids)?;
    uids.sort_by_key(|uid| ranks.get(uid).copied().unwrap_or(usize::MAX));
    Ok(())
}

/// Orders every row as [`sort`] does; the values of a node are read once, however many rows it is in.
pub(super) fn sort_rows(graph: &mut Graph<'_>, orders: &[OrderPlan], all: &[u64], rows: &mut [Vec<u64>]) -> Result<()> {
    let ranks = ranks(graph, orders, all)?;
    for row in rows {
        row.sort_by_key(|uid| ranks.get(uid).copied().unwrap_or(usize::MAX));
    }
    Ok(())
}

/// The place of each node in the order.
fn ranks(graph: &mut Graph<'_>, orders: &[OrderPlan], uids: &[u64]) -> Result<HashMap<u64, usize>> {
    let mut keyed = Vec::with_capacity(uids.len());
    for uid in uids {
        let keys = orders.iter().map(|order| key(graph, &order.by, *uid)).collect::<Result<Vec<_>>>()?;
        keyed.push((keys, *uid));
    }
    keyed.sort_by(|(a, a_uid), (b, b_uid)| {
        let by_keys =
            orders.iter().enumerate().map(|(at, order)| compare(a[at].as_ref(), b[at].as_ref(), order.descending));
        by_keys.fold(Ordering::Equal, Ordering::then).then(a_uid.cmp(b_uid))
    });
    Ok(keyed.into_iter().enumerate().map(|(rank, (_, uid))| (uid, rank)).collect())
}

fn key(graph: &mut Graph<'_>, by: &OrderBy, uid: u64) -> Result<Option<Value>> {
    match by {
        OrderBy::Variable(name) => Ok(graph.values(name).and_then(|values| values.get(&uid)).cloned()),
        OrderBy::Predicate(predicate, lang) => {
            let list = graph.list(predicate, false, uid)?;
            let posting = preferred(&list, std::slice::from_ref(lang));
            posting.map(|posting| value_of(graph.schema(), predicate, posting)).transpose()
        }
    }
}

/// Compares two keys, of which the missing is the last in either direction.
pub(super) fn compare(a: Option<&Value>, b: Option<&Value>, descending: bool) -> Ordering {
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => {
            let order = a.compare(b).unwrap_or(Ordering::Equal);
            if descending { order.reverse() } else { order }
        }
    }
}

/// Cuts out the page that `first` and `offset` name; `after` is applied before ordering.
pub(super) fn page(uids: &mut Vec<u64>, paging: Paging) {
    let first = usize::try_from(paging.first.unsigned_abs()).unwrap_or(usize::MAX);
    if paging.first < 0 {
        uids.drain(..uids.len().saturating_sub(first));
        return;
    }
    uids.drain(..paging.offset.min(uids.len()));
    if paging.first > 0 {
        uids.truncate(first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_cut_from_either_end() {
        for (first, offset, page_is) in [
            (0, 0, vec![1, 2, 3, 4]),
            (2, 0, vec![1, 2]),
            (2, 3, vec![4]),
            (0, 2, vec![3, 4]),
            (-1, 0, vec![4]),
            (-9, 0, vec![1, 2, 3, 4]),
            (1, 9, vec![]),
            (i64::MIN, 0, vec![1, 2, 3, 4]),
        ] {
            let mut uids = vec![1, 2, 3, 4];
            page(&mut uids, Paging { first, offset, ..Paging::default() });
            assert_eq!(uids, page_is, "first {first} offset {offset}");
        }
    }

    #[test]
    fn a_missing_value_is_last_in_both_directions() {
        for descending in [false, true] {
            assert_eq!(compare(None, Some(&Value::Int(1)), descending), Ordering::Greater);
            assert_eq!(compare(Some(&Value::Int(1)), None, descending), Ordering::Less);
        }
        assert_eq!(compare(Some(&Value::Int(1)), Some(&Value::Int(2)), true), Ordering::Greater);
    }
}
