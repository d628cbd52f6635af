//! A schema back into text.

use std::fmt::Write;

use graphdb_types::{Namespace, Predicate, PredicateSchema, Schema};

/// The schema of the root namespace as text that [`super::parse_schema`] reads, without what is the database's own (`dgraph.`).
pub fn write_schema(schema: &Schema) -> String {
    let mut out = String::new();
    let ours = |name: &Predicate| name.namespace == Namespace::ROOT && !name.is_reserved();
    for (name, predicate) in schema.predicates.iter().filter(|(name, _)| ours(name)) {
        let (name, what) = (&name.name, describe(predicate));
        writeln!(out, "<{name}>: {what} .").expect("writing to a string does not fail");
    }
    for (name, def) in schema.types.iter().filter(|(name, _)| ours(name)) {
        writeln!(out, "type <{}> {{", name.name).expect("writing to a string does not fail");
        def.fields.iter().for_each(|field| writeln!(out, "  <{field}>").expect("writing to a string does not fail"));
        out.push_str("}\n");
    }
    out
}

/// Type and directives.
fn describe(schema: &PredicateSchema) -> String {
    let name = schema.value_type.name();
    let mut text = if schema.list { format!("[{name}]") } else { name.to_owned() };
    if !schema.tokenizers.is_empty() {
        let names: Vec<_> = schema.tokenizers.iter().map(|t| t.name()).collect();
        text.push_str(&format!(" @index({})", names.join(", ")));
    }
    let flags = [
        (schema.reverse, " @reverse"),
        (schema.count, " @count"),
        (schema.lang, " @lang"),
        (schema.upsert, " @upsert"),
        (schema.no_conflict, " @noconflict"),
    ];
    flags.into_iter().filter(|(set, _)| *set).for_each(|(_, directive)| text.push_str(directive));
    text
}
