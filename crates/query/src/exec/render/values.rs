use std::fmt::Write as _;

use graphdb_types::{Posting, PostingList};

use crate::exec::graph::{Graph, preferred, value_of};
use crate::exec::level::Column;
use crate::exec::sink::{ObjectText, Sink};
use crate::exec::{Result, facets, math};
use crate::plan::{FacetsPlan, FieldKind, FieldPlan, ValuePlan};

/// Writes what a field that is no edge shows of a node.
pub(super) fn write(
    graph: &Graph<'_>,
    field: &FieldPlan,
    column: &Column,
    named: &[FieldPlan],
    uid: u64,
    at: usize,
    into: &mut impl Sink,
) -> Result<()> {
    match (&field.kind, column) {
        (FieldKind::Uid, _) => into.member(&field.key, |out| write_uid(uid, out)),
        (FieldKind::Count { .. }, Column::Counts(counts)) => {
            into.member(&field.key, |out| write!(out, "{}", counts[at]).is_ok())
        }
        (FieldKind::CheckPassword(..), Column::Passwords(right)) => {
            if let Some(right) = right[at] {
                into.member(&field.key, |out| write!(out, "{right}").is_ok());
            }
        }
        (FieldKind::Val(name), _) => {
            if let Some(value) = graph.values(name).and_then(|values| values.get(&uid)) {
                into.member(&field.key, |out| value.write_json(out));
            }
        }
        (FieldKind::Math(expression), _) if field.aliased => {
            if let Some(value) = math::value(graph, expression, uid)? {
                into.member(&field.key, |out| value.write_json(out));
            }
        }
        (FieldKind::Value(plan), Column::Values(lists)) => {
            Values { graph, field, plan, named }.write(&lists[at], into)?;
        }
        _ => {}
    }
    Ok(())
}

/// Writes a uid as clients read it.
pub(super) fn write_uid(uid: u64, out: &mut String) -> bool {
    write!(out, "\"{uid:#x}\"").is_ok()
}

struct Values<'a> {
    graph: &'a Graph<'a>,
    field: &'a FieldPlan,
    plan: &'a ValuePlan,
    named: &'a [FieldPlan],
}

impl Values<'_> {
    fn write(&self, list: &PostingList, into: &mut impl Sink) -> Result<()> {
        if self.plan.all_languages {
            return self.every_language(list, into);
        }
        if self.plan.list {
            return self.array(list, into);
        }
        match preferred(list, &self.plan.langs) {
            Some(posting) => self.one(&self.field.key, posting, into),
            None => Ok(()),
        }
    }

    /// One member for each language, and last the value without. A key that another field has is left to it.
    fn every_language(&self, list: &PostingList, into: &mut impl Sink) -> Result<()> {
        let stem = self.field.key.strip_suffix("@*").unwrap_or(&self.field.key);
        let (untagged, mut tagged): (Vec<&Posting>, Vec<&Posting>) =
            list.postings.iter().partition(|posting| posting.lang.is_empty());
        tagged.sort_by(|a, b| a.lang.cmp(&b.lang));
        for posting in tagged.into_iter().chain(untagged) {
            let key = if posting.lang.is_empty() { stem.to_owned() } else { format!("{stem}@{}", posting.lang) };
            if !self.named.iter().any(|field| field.key == key && !std::ptr::eq(field, self.field)) {
                self.one(&key, posting, into)?;
            }
        }
        Ok(())
    }

    /// A value behind its facets.
    fn one(&self, key: &str, posting: &Posting, into: &mut impl Sink) -> Result<()> {
        if let Some(plan) = &self.plan.facets {
            for (key, facet) in facets::shown(plan, key, &posting.facets) {
                let value = facets::value(facet)?;
                into.member(&key, |out| value.write_json(out));
            }
        }
        let value = value_of(self.graph.schema(), &self.plan.predicate, posting)?;
        into.member(key, |out| value.write_json(out));
        Ok(())
    }

    /// The values of a list in stored order, behind their facets, which are named by place.
    fn array(&self, list: &PostingList, into: &mut impl Sink) -> Result<()> {
        let mut text = String::from("[");
        let mut printed: Vec<&Posting> = Vec::new();
        for posting in &list.postings {
            let value = value_of(self.graph.schema(), &self.plan.predicate, posting)?;
            let before = text.len();
            if !printed.is_empty() {
                text.push(',');
            }
            match value.write_json(&mut text) {
                true => printed.push(posting),
                false => text.truncate(before),
            }
        }
        text.push(']');
        if let Some(plan) = &self.plan.facets {
            self.facets_by_place(plan, &printed, into)?;
        }
        into.member(&self.field.key, |out| {
            out.push_str(&text);
            !printed.is_empty()
        });
        Ok(())
    }

    fn facets_by_place(&self, plan: &FacetsPlan, printed: &[&Posting], into: &mut impl Sink) -> Result<()> {
        let mut by_key: Vec<(String, Vec<(usize, graphdb_types::Value)>)> = Vec::new();
        for (place, posting) in printed.iter().enumerate() {
            for (key, facet) in facets::shown(plan, &self.field.key, &posting.facets) {
                let entry = (place, facets::value(facet)?);
                match by_key.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, entries)) => entries.push(entry),
                    None => by_key.push((key, vec![entry])),
                }
            }
        }
        by_key.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (key, entries) in by_key {
            into.member(&key, |out| {
                let mut object = ObjectText::open(out);
                for (place, value) in entries {
                    object.member(&place.to_string(), |out| value.write_json(out));
                }
                object.close()
            });
        }
        Ok(())
    }
}
