//! Definitions of predicates and types as schema text, each with its namespace in front.

use graphdb_types::value::write_json_string;
use graphdb_types::{Predicate, PredicateSchema, TypeDef, VectorIndex};

use crate::ExportError;
use crate::selection::is_vector_helper;
use crate::text::{check_name, name_fault};

#[cfg(test)]
mod tests;

/// Appends `[0x0] <name>:string @index(exact,term) @lang . `, and returns whether it did: helpers of vector indexes have no line.
///
/// # Errors
/// A name that cannot be written.
pub fn write_predicate(
    out: &mut Vec<u8>,
    predicate: &Predicate,
    schema: &PredicateSchema,
) -> Result<bool, ExportError> {
    if is_vector_helper(predicate) {
        return Ok(false);
    }
    check_name(predicate)?;
    let line = format!("[{}] <{}>:{} . \n", predicate.namespace, predicate.name, describe(schema));
    out.extend_from_slice(line.as_bytes());
    Ok(true)
}

/// Type and directives, in the order of Dgraph's.
fn describe(schema: &PredicateSchema) -> String {
    let name = schema.value_type.name();
    let mut text = if schema.list { format!("[{name}]") } else { name.to_owned() };
    if schema.reverse {
        text.push_str(" @reverse");
    }
    let names = schema.tokenizers.iter().map(|tokenizer| tokenizer.name().to_owned());
    let indexes: Vec<String> = names.chain(schema.vector_indexes.iter().map(vector_index)).collect();
    if !indexes.is_empty() {
        text.push_str(&format!(" @index({})", indexes.join(",")));
    }
    let flags = [
        (schema.count, " @count"),
        (schema.lang, " @lang"),
        (schema.upsert, " @upsert"),
        (schema.unique, " @unique"),
        (schema.no_conflict, " @noconflict"),
    ];
    flags.into_iter().filter(|(set, _)| *set).for_each(|(_, directive)| text.push_str(directive));
    text
}

/// `hnsw(metric:"euclidean")`, or the name alone.
fn vector_index(index: &VectorIndex) -> String {
    let option = |(key, value): &(String, String)| {
        let mut text = format!("{key}:");
        write_json_string(value, &mut text);
        text
    };
    let options: Vec<String> = index.options.iter().map(option).collect();
    if options.is_empty() { index.name.clone() } else { format!("{}({})", index.name, options.join(",")) }
}

/// Appends a type, a field on each line.
///
/// # Errors
/// A name that cannot be written.
pub fn write_type(out: &mut Vec<u8>, name: &Predicate, def: &TypeDef) -> Result<(), ExportError> {
    check_name(name)?;
    let mut text = format!("[{}] type <{}> {{\n", name.namespace, name.name);
    for field in &def.fields {
        if let Some(why) = name_fault(field.strip_prefix('~').unwrap_or(field)) {
            let field = Predicate { namespace: name.namespace, name: field.as_str().into() };
            return Err(ExportError::Name { predicate: field, why });
        }
        text.push_str(&if is_plain(field) { format!("\t{field}\n") } else { format!("\t<{field}>\n") });
    }
    text.push_str("}\n");
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// Whether a field can stand without angle brackets.
fn is_plain(field: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.');
    field.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && field.bytes().all(plain)
}
