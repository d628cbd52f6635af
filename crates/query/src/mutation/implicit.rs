//! The schema of predicates that are used before they are defined.

use std::collections::{BTreeMap, HashMap, HashSet};

use graphdb_types::{MAX_PREDICATE_BYTES, Namespace, Predicate, PredicateSchema, Schema, ValType};

use super::{MutationError, Statements, UnknownPredicates, check_reserved};
use crate::nquad::{NQuad, NodeRef, Object, STAR, Shape};

/// What the statements say of one unknown predicate.
struct Seen<'a> {
    value_type: ValType,
    many: bool,
    subjects: HashSet<&'a NodeRef<'a>>,
}

/// A schema for every predicate that is set and has none: the type of its first value; a list if a JSON array, an edge in RDF, or a
/// second value of the same subject says so.
pub(super) fn schema_of_unknown(
    schema: &Schema,
    statements: &[Statements<'_>],
    unknown: UnknownPredicates,
) -> Result<BTreeMap<Predicate, PredicateSchema>, MutationError> {
    let mut known: HashSet<(Namespace, &str)> = HashSet::new();
    let mut seen: HashMap<(Namespace, &str), Seen<'_>> = HashMap::new();
    for nquad in statements.iter().flat_map(|s| &s.set) {
        let name = (nquad.namespace, nquad.predicate.as_ref());
        if known.contains(&name) || name.1 == STAR || nquad.object == Object::Star {
            continue;
        }
        if let Some(seen) = seen.get_mut(&name) {
            seen.many |= !seen.subjects.insert(&nquad.subject) || says_many(nquad);
        } else if schema.predicate(&predicate(name)).is_some() {
            known.insert(name);
        } else {
            let value_type = check(nquad, unknown)?;
            seen.insert(name, Seen { value_type, many: says_many(nquad), subjects: HashSet::from([&nquad.subject]) });
        }
    }
    Ok(seen.into_iter().map(|(name, seen)| (predicate(name), seen.into_schema())).collect())
}

fn predicate((namespace, name): (Namespace, &str)) -> Predicate {
    Predicate { namespace, name: name.into() }
}

/// The type for a predicate that is met for the first time.
fn check(nquad: &NQuad<'_>, unknown: UnknownPredicates) -> Result<ValType, MutationError> {
    let name = nquad.predicate.as_ref();
    check_reserved(name)?;
    if unknown == UnknownPredicates::Refuse {
        return Err(MutationError::Unknown { predicate: name.to_owned() });
    }
    if name.len() > MAX_PREDICATE_BYTES {
        return Err(MutationError::NameTooLong { start: name.chars().take(40).collect() });
    }
    match &nquad.object {
        Object::Node(_) => Ok(ValType::Uid),
        Object::Literal { declared, .. } => Ok(declared.unwrap_or_default()),
        Object::Value(value) => Ok(value.val_type()),
        Object::ValVar(name) => Err(MutationError::Variable { name: name.to_string() }),
        Object::Star => Err(MutationError::StarInSet),
    }
}

fn says_many(nquad: &NQuad<'_>) -> bool {
    match nquad.shape {
        Shape::Item => true,
        Shape::One => false,
        Shape::Unsaid => matches!(nquad.object, Object::Node(_)),
    }
}

impl Seen<'_> {
    fn into_schema(self) -> PredicateSchema {
        let list = self.many && !matches!(self.value_type, ValType::Bool | ValType::Password | ValType::VFloat);
        PredicateSchema { value_type: self.value_type, list, ..PredicateSchema::default() }
    }
}
