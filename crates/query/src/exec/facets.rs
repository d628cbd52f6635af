use std::cmp::Ordering;

use graphdb_types::{Facet, PostingList, Tokenizer, Value, token};

use super::check::compares;
use super::order::compare;
use super::{QueryError, Result};
use crate::plan::{FacetFilter, FacetsPlan};

/// The value of a facet.
pub(super) fn value(facet: &Facet) -> Result<Value> {
    Value::from_bytes(facet.val_type.val_type(), &facet.value)
        .map_err(|source| QueryError::Damaged { predicate: format!("|{}", facet.key), source })
}

/// Whether an edge with these facets stays. A facet that is missing passes nothing but a `NOT`.
pub(super) fn passes(filter: &FacetFilter, facets: &[Facet]) -> Result<bool> {
    let find = |key: &String| facets.iter().find(|facet| facet.key == *key).map(value).transpose();
    match filter {
        FacetFilter::And(parts) => parts.iter().try_fold(true, |all, part| Ok(all && passes(part, facets)?)),
        FacetFilter::Or(parts) => parts.iter().try_fold(false, |any, part| Ok(any || passes(part, facets)?)),
        FacetFilter::Not(part) => Ok(!passes(part, facets)?),
        FacetFilter::Compare { key, op, operands } => match find(key)? {
            Some(value) => compares(&value, *op, operands),
            None => Ok(false),
        },
        FacetFilter::Terms { key, terms, all } => {
            let Some(Value::String(text)) = find(key)? else { return Ok(false) };
            let found = token::query_tokens(Tokenizer::Term, &text, "");
            let mut wanted = terms.iter();
            let has_all = !terms.is_empty() && wanted.clone().all(|term| found.contains(term));
            Ok(if *all { has_all } else { wanted.any(|term| found.contains(term)) })
        }
    }
}

/// Orders the ends of edges by facets; those without come last, ties are broken by uid.
pub(super) fn sort(row: &mut Vec<u64>, list: &PostingList, order: &[(String, bool)]) -> Result<()> {
    let mut keyed = Vec::with_capacity(row.len());
    for uid in row.iter() {
        let facets = of(list, *uid);
        let keys = order.iter().map(|(key, _)| facets.iter().find(|facet| facet.key == *key).map(value).transpose());
        keyed.push((keys.collect::<Result<Vec<_>>>()?, *uid));
    }
    keyed.sort_by(|(a, a_uid), (b, b_uid)| {
        let by_keys =
            order.iter().enumerate().map(|(at, (_, descending))| compare(a[at].as_ref(), b[at].as_ref(), *descending));
        by_keys.fold(Ordering::Equal, Ordering::then).then(a_uid.cmp(b_uid))
    });
    *row = keyed.into_iter().map(|(_, uid)| uid).collect();
    Ok(())
}

/// The facets of the edge to `uid`.
pub(super) fn of(list: &PostingList, uid: u64) -> &[Facet] {
    list.posting(uid).map_or(&[], |posting| posting.facets.as_slice())
}

/// The facets that a plan shows, each with its key in the answer; `name` is the key of the field.
pub(super) fn shown<'f>(plan: &FacetsPlan, name: &str, facets: &'f [Facet]) -> Vec<(String, &'f Facet)> {
    let usual = |facet: &Facet| format!("{name}|{}", facet.key);
    match plan {
        FacetsPlan::All => facets.iter().map(|facet| (usual(facet), facet)).collect(),
        FacetsPlan::Named(named) => named
            .iter()
            .filter_map(|(key, alias)| {
                let facet = facets.iter().find(|facet| facet.key == *key)?;
                Some((alias.clone().unwrap_or_else(|| usual(facet)), facet))
            })
            .collect(),
    }
}
