//! Facets of JSON mutations: `"friend|since": 2006` within the child or beside the scalar, `"nick|kind": {"0": "x"}` beside a list.

use graphdb_types::{Facet, ValType, Value};

use super::text::{Json, Kind};
use super::{Members, number};
use crate::nquad::{facet, sort_facets};
use crate::rdf::cursor::Fault;

/// Parts the predicate from the facet's key.
pub(super) const DELIMITER: char = '|';

/// The facets that `members` give to `key`, which has one value.
pub(super) fn of_scalar(members: &Members<'_>, key: &str) -> Result<Vec<Facet>, Fault> {
    let mut facets = Vec::new();
    for (facet_key, json) in members_of(members, key) {
        facets.push(one(facet_key, json)?);
    }
    sort(&mut facets);
    Ok(facets)
}

/// The facets that `members` give to the items of the array `key`, by place.
pub(super) fn of_list(members: &Members<'_>, key: &str, items: usize) -> Result<Vec<Vec<Facet>>, Fault> {
    let mut by_place = vec![Vec::new(); items];
    for (facet_key, json) in members_of(members, key) {
        let Kind::Object(places) = &json.kind else {
            let message =
                format!("the facet {key}|{facet_key} of a list is an object of places and values, as {{\"0\": \"x\"}}");
            return Err(Fault::new(json.at, message));
        };
        for (place, value) in places {
            let index: usize = place
                .parse()
                .map_err(|_| Fault::new(value.at, format!("{place:?} is not a place in the list {key}")))?;
            if let Some(facets) = by_place.get_mut(index) {
                facets.push(one(facet_key, value)?);
            }
        }
    }
    by_place.iter_mut().for_each(|facets| sort(facets));
    Ok(by_place)
}

/// The members `key|facet`, by facet.
fn members_of<'m, 'a>(members: &'m Members<'a>, key: &'m str) -> impl Iterator<Item = (&'m str, &'m Json<'a>)> {
    members.iter().filter_map(move |(name, json)| {
        let facet_key = name.strip_prefix(key)?.strip_prefix(DELIMITER)?;
        Some((facet_key, json))
    })
}

fn one(key: &str, json: &Json<'_>) -> Result<Facet, Fault> {
    let value = match &json.kind {
        Kind::Bool(truth) => Value::Bool(*truth),
        Kind::Number => number(json)?,
        Kind::String(text) => {
            Value::parse(ValType::DateTime, text).unwrap_or_else(|_| Value::String(text.clone().into_owned()))
        }
        _ => return Err(Fault::new(json.at, format!("the facet {key} is text, a number, true or false"))),
    };
    facet(key, &value).map_err(|message| Fault::new(json.at, message))
}

/// The keys are unique, since members of an object are.
fn sort(facets: &mut [Facet]) {
    let unique = sort_facets(facets).is_ok();
    debug_assert!(unique);
}
