use std::cmp::Ordering;
use std::collections::BTreeSet;

use graphdb_types::{PostingList, Predicate, Schema, Value, token};

use super::graph::{Graph, in_language, value_of};
use super::sets::{difference, intersect, union};
use super::{QueryError, Result, source};
use crate::plan::{Check, CompareOp, FilterPlan, Lang, Source, Test, ValueTest};

/// Up to so many nodes are tested one by one; for more, the index is asked once and its answer intersected.
const TESTED_ONE_BY_ONE: usize = 512;

/// The nodes among `uids` (ascending) that pass.
pub(super) fn filter(graph: &mut Graph<'_>, plan: &FilterPlan, uids: &[u64]) -> Result<Vec<u64>> {
    match plan {
        FilterPlan::And(parts) => {
            let mut left = uids.to_vec();
            for part in parts {
                left = filter(graph, part, &left)?;
            }
            Ok(left)
        }
        FilterPlan::Or(parts) => {
            let found = parts.iter().map(|part| filter(graph, part, uids)).collect::<Result<Vec<_>>>()?;
            Ok(union(found))
        }
        FilterPlan::Not(part) => Ok(difference(uids, &filter(graph, part, uids)?)),
        FilterPlan::Test(test) => self::test(graph, test, uids),
    }
}

fn test(graph: &mut Graph<'_>, test: &Test, uids: &[u64]) -> Result<Vec<u64>> {
    match (&test.check, &test.source) {
        (Check::Never, _) => Ok(Vec::new()),
        (Check::Uids(set), _) => Ok(intersect(uids, &graph.uid_set(set))),
        (_, Some(by_index)) if uids.len() > TESTED_ONE_BY_ONE && !matches!(by_index, Source::Scan { .. }) => {
            let found = intersect(uids, &source::find(graph, by_index)?);
            if test.exact { Ok(found) } else { passing(graph, &test.check, &found) }
        }
        _ => passing(graph, &test.check, uids),
    }
}

/// The nodes among `uids` that pass one check, tested one by one.
pub(super) fn passing(graph: &mut Graph<'_>, check: &Check, uids: &[u64]) -> Result<Vec<u64>> {
    let (predicate, reverse) = match check {
        Check::Never => return Ok(Vec::new()),
        Check::Uids(set) => return Ok(intersect(uids, &graph.uid_set(set))),
        Check::Variable { name, op, operands } => return by_variable(graph, name, *op, operands, uids),
        Check::Value { predicate, .. } => (predicate, false),
        Check::Has { predicate, reverse, .. }
        | Check::Count { predicate, reverse, .. }
        | Check::EdgeTo { predicate, reverse, .. } => (predicate, *reverse),
    };
    let ends = if let Check::EdgeTo { uids, .. } = check { graph.uid_set(uids) } else { Vec::new() };
    graph.touch(&predicate.name, uids.len());
    let mut left = Vec::new();
    for uid in uids {
        let list = graph.list(predicate, reverse, *uid)?;
        if list_passes(graph.schema(), check, &ends, &list)? {
            left.push(*uid);
        }
    }
    Ok(left)
}

/// Whether the node whose list this is passes a check on its own predicate. `ends` are the uids of an edge check.
pub(super) fn list_passes(schema: &Schema, check: &Check, ends: &[u64], list: &PostingList) -> Result<bool> {
    Ok(match check {
        Check::Has { lang, .. } => has(list, lang),
        Check::Value { predicate, lang, test } => value_passes(schema, predicate, lang, test, list)?,
        Check::Count { predicate, reverse, from, to } => {
            (*from..=*to).contains(&count(schema, predicate, *reverse, list))
        }
        Check::EdgeTo { .. } => !intersect(&list.ids, ends).is_empty(),
        Check::Never | Check::Uids(_) | Check::Variable { .. } => false,
    })
}

/// Whether there is an edge, or a value in the language.
fn has(list: &PostingList, lang: &Lang) -> bool {
    match lang {
        Lang::Any => !list.is_empty(),
        Lang::Untagged => list.ids.len() > list.postings.len() || in_language(list, lang).next().is_some(),
        Lang::Tagged(_) => in_language(list, lang).next().is_some(),
    }
}

/// How many values or edges a list has; all languages of a value are one, as in the count index.
pub(super) fn count(schema: &Schema, predicate: &Predicate, reverse: bool, list: &PostingList) -> u64 {
    let one_value = !reverse && schema.predicate(predicate).is_some_and(|schema| schema.lang);
    if one_value { u64::from(!list.is_empty()) } else { list.len() as u64 }
}

fn value_passes(
    schema: &Schema,
    predicate: &Predicate,
    lang: &Lang,
    test: &ValueTest,
    list: &PostingList,
) -> Result<bool> {
    if let ValueTest::Tokens { tokenizer, tokens, all } = test {
        let mut found = BTreeSet::new();
        for posting in in_language(list, lang) {
            let value = value_of(schema, predicate, posting)?;
            let of_value = token::tokens(*tokenizer, &value, &posting.lang);
            found.extend(
                of_value
                    .map_err(|error| QueryError::Invalid(format!("a value of `{predicate}` has no terms: {error}")))?,
            );
        }
        let mut wanted = tokens.iter();
        return Ok(if *all {
            wanted.all(|token| found.contains(token))
        } else {
            wanted.any(|token| found.contains(token))
        });
    }
    for posting in in_language(list, lang) {
        if one_passes(&value_of(schema, predicate, posting)?, test) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn one_passes(value: &Value, test: &ValueTest) -> bool {
    match test {
        ValueTest::AnyOf(values) => values.iter().any(|other| value.compare(other) == Some(Ordering::Equal)),
        ValueTest::Range { low, high } => {
            let above = |(end, inclusive): &(Value, bool)| within(value.compare(end), Ordering::Greater, *inclusive);
            let below = |(end, inclusive): &(Value, bool)| within(value.compare(end), Ordering::Less, *inclusive);
            low.as_ref().is_none_or(above) && high.as_ref().is_none_or(below)
        }
        ValueTest::Matches(expression) => value.as_str().is_some_and(|text| expression.is_match(text)),
        ValueTest::Near { text, distance } => {
            value.as_str().is_some_and(|found| edit_distance(found, text, *distance).is_some())
        }
        ValueTest::Geo(test) => test.passes(value),
        ValueTest::Tokens { .. } => false,
    }
}

fn within(found: Option<Ordering>, wanted: Ordering, inclusive: bool) -> bool {
    found.is_some_and(|found| found == wanted || (inclusive && found == Ordering::Equal))
}

/// Whether a value compares with literals as `op` says. The literals are read as the type of the value.
pub(super) fn compares(value: &Value, op: CompareOp, operands: &[String]) -> Result<bool> {
    let mut ends = Vec::with_capacity(operands.len());
    for text in operands {
        let read = Value::parse(value.val_type(), text);
        ends.push(read.map_err(|error| {
            QueryError::Invalid(format!("{text:?} cannot be compared with a value of another type: {error}"))
        })?);
    }
    let order = |at: usize| ends.get(at).and_then(|end| value.compare(end));
    Ok(match op {
        CompareOp::Eq => ends.iter().any(|end| value.compare(end) == Some(Ordering::Equal)),
        CompareOp::Le => within(order(0), Ordering::Less, true),
        CompareOp::Lt => within(order(0), Ordering::Less, false),
        CompareOp::Ge => within(order(0), Ordering::Greater, true),
        CompareOp::Gt => within(order(0), Ordering::Greater, false),
        CompareOp::Between => within(order(0), Ordering::Greater, true) && within(order(1), Ordering::Less, true),
    })
}

fn by_variable(graph: &Graph<'_>, name: &str, op: CompareOp, operands: &[String], uids: &[u64]) -> Result<Vec<u64>> {
    let Some(values) = graph.values(name) else {
        return Err(QueryError::Invalid(format!(
            "the variable `{name}` holds nodes, not values that could be compared"
        )));
    };
    let mut left = Vec::new();
    for uid in uids {
        if let Some(value) = values.get(uid)
            && compares(value, op, operands)?
        {
            left.push(*uid);
        }
    }
    Ok(left)
}

/// How many characters have to be changed, added or removed to make `b` of `a`; `None` above `limit`.
fn edit_distance(a: &str, b: &str, limit: usize) -> Option<usize> {
    let b: Vec<char> = b.chars().collect();
    if a.chars().count().abs_diff(b.len()) > limit {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (above, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], above + 1);
        for (at, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(row[at] + 1).min(diagonal + 1);
        }
        if row.iter().all(|distance| *distance > limit) {
            return None;
        }
    }
    row.last().copied().filter(|distance| *distance <= limit)
}

#[cfg(test)]
mod tests {
    use super::edit_distance;

    #[test]
    fn the_distance_counts_changes_additions_and_removals() {
        for (a, b, distance) in [
            ("", "", 0),
            ("abc", "abc", 0),
            ("abc", "abd", 1),
            ("abc", "ab", 1),
            ("kitten", "sitting", 3),
            ("é", "e", 1),
            ("ab", "ba", 2),
        ] {
            assert_eq!(edit_distance(a, b, 3), Some(distance), "{a} {b}");
            assert_eq!(edit_distance(b, a, distance), Some(distance), "{b} {a}");
            assert!(distance == 0 || edit_distance(a, b, distance - 1).is_none(), "{a} {b}");
        }
    }
}
