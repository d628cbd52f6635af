//! The schema of a namespace as `/alter` takes it.

use std::collections::BTreeSet;

use graphdb_export::{ExportError, schema};
use graphdb_types::{Namespace, Predicate, PredicateSchema, Schema};
use serde_json::{Value, json};

/// Schema text, and what is to be said of it.
#[derive(Debug, Default)]
pub(super) struct SchemaText {
    pub(super) text: String,
    pub(super) notes: Vec<String>,
}

/// The predicates and types of a namespace, but not those of the database itself: nobody may alter them, and every database has them.
pub(super) fn of_namespace(schema: &Schema, namespace: Namespace) -> SchemaText {
    let mut out = SchemaText::default();
    let mut own = 0;
    for (predicate, definition) in schema.predicates.iter().filter(|(name, _)| name.namespace == namespace) {
        match line(predicate, definition) {
            _ if predicate.is_reserved() => own += 1,
            Ok(line) => out.text.push_str(&line),
            Err(error) => out.notes.push(format!("left out: {error}")),
        }
    }
    for (name, definition) in schema.types.iter().filter(|(name, _)| name.namespace == namespace) {
        let mut text = Vec::new();
        match schema::write_type(&mut text, name, definition) {
            _ if name.is_reserved() => own += 1,
            Ok(()) => out.text.push_str(without_namespace(&String::from_utf8_lossy(&text))),
            Err(error) => out.notes.push(format!("left out: {error}")),
        }
    }
    if own > 0 {
        out.notes.push(format!("Left out: {own} predicates and types of the database itself (dgraph.…)."));
    }
    let others: Vec<String> = others(schema, namespace).iter().map(ToString::to_string).collect();
    if !others.is_empty() {
        out.notes.push(format!("This is namespace {namespace}; --namespace shows {}.", others.join(", ")));
    }
    out
}

impl SchemaText {
    pub(super) fn to_json(&self, namespace: Namespace) -> Value {
        json!({ "namespace": namespace.to_string(), "schema": self.text })
    }
}

fn others(schema: &Schema, namespace: Namespace) -> BTreeSet<Namespace> {
    schema.predicates.keys().map(|name| name.namespace).filter(|other| *other != namespace).collect()
}

/// `<name>: string @index(term) .` with a line end; empty for what belongs to a vector index.
fn line(predicate: &Predicate, definition: &PredicateSchema) -> Result<String, ExportError> {
    let mut text = Vec::new();
    schema::write_predicate(&mut text, predicate, definition)?;
    let text = String::from_utf8_lossy(&text);
    let line = without_namespace(text.trim_end());
    Ok(if line.is_empty() { String::new() } else { format!("{line}\n").replacen(">:", ">: ", 1) })
}

/// What is defined of a predicate, without its name: `string @index(term)`.
pub(super) fn definition(predicate: &Predicate, definition: &PredicateSchema) -> String {
    // Only the name can be one that has no text.
    let stand_in = Predicate { namespace: predicate.namespace, name: "p".into() };
    let text = line(&stand_in, definition).unwrap_or_default();
    text.trim_start_matches("<p>: ").trim_end_matches(" .\n").to_owned()
}

fn without_namespace(text: &str) -> &str {
    text.split_once("] ").map_or(text, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use graphdb_query::schema_text::parse_schema;
    use graphdb_types::{Tokenizer, TypeDef, ValType};

    use super::*;

    fn sample() -> Schema {
        let name = PredicateSchema {
            value_type: ValType::String,
            tokenizers: vec![Tokenizer::Exact, Tokenizer::Term],
            lang: true,
            ..PredicateSchema::default()
        };
        let friend = PredicateSchema {
            value_type: ValType::Uid,
            list: true,
            reverse: true,
            count: true,
            ..PredicateSchema::default()
        };
        let elsewhere = Predicate { namespace: Namespace(5), name: "x".into() };
        let mut schema = Schema::default();
        for (predicate, definition) in [
            (Predicate::root("name"), name),
            (Predicate::root("odd]name"), PredicateSchema::default()),
            (Predicate::root("friend"), friend),
            (Predicate::root("dgraph.type"), PredicateSchema::default()),
            (elsewhere, PredicateSchema::default()),
        ] {
            schema.predicates.insert(predicate, definition);
        }
        let person = TypeDef { fields: vec!["name".into(), "~friend".into()] };
        schema.types.insert(Predicate::root("Person"), person);
        schema
    }

    #[test]
    fn alter_takes_the_text_and_gets_the_same_schema() {
        let (schema, text) = (sample(), of_namespace(&sample(), Namespace::ROOT));
        let parsed = parse_schema(&text.text).unwrap();
        assert_eq!(parsed.predicates.len(), 3, "{}", text.text);
        for (predicate, definition) in &parsed.predicates {
            assert_eq!(Some(definition), schema.predicate(predicate), "{}", text.text);
        }
        assert_eq!(parsed.types, [(Predicate::root("Person"), schema.types[&Predicate::root("Person")].clone())]);
        assert_eq!(text.notes.len(), 2, "{:?}", text.notes);
        assert!(text.notes[1].contains("0x5"), "{:?}", text.notes);
    }

    #[test]
    fn a_definition_stands_without_its_name() {
        let schema = sample();
        let shown = |name: &str| {
            let predicate = Predicate::root(name);
            definition(&predicate, &schema.predicates[&predicate])
        };
        assert_eq!(shown("friend"), "[uid] @reverse @count");
        assert_eq!(shown("name"), "string @index(exact,term) @lang");
        assert_eq!(shown("odd]name"), "default");
    }
}
