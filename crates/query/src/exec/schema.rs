use std::collections::BTreeSet;

use graphdb_types::value::write_json_string;
use graphdb_types::{Namespace, PredicateSchema, Schema, TypeDef, VectorIndex};

use super::sink::{ObjectText, Sink as _};
use crate::dql::ast::SchemaQuery;

/// The answer to a question about the schema: predicates and types, each ascending by name; a list that would be empty is left out.
pub(super) fn answer(question: &SchemaQuery, schema: &Schema) -> String {
    let mut out = String::new();
    let mut object = ObjectText::open(&mut out);
    object.member("schema", |out| {
        list(out, predicates(question, schema), |(name, known), out| predicate(question, name, known, out))
    });
    object.member("types", |out| {
        list(out, types(question, schema), |(name, definition), out| type_definition(name, definition, out))
    });
    object.close_always();
    out
}

fn list<T>(out: &mut String, items: Vec<T>, write: impl Fn(&T, &mut String)) -> bool {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push(']');
    !items.is_empty()
}

fn predicates<'s>(question: &SchemaQuery, schema: &'s Schema) -> Vec<(&'s str, &'s PredicateSchema)> {
    let only: BTreeSet<&str> = question.predicates.iter().map(String::as_str).collect();
    let asked = |name: &str| if only.is_empty() { question.types.is_empty() } else { only.contains(name) };
    let known = schema.predicates.iter().filter(|(predicate, _)| predicate.namespace == Namespace::ROOT);
    known.map(|(predicate, known)| (&*predicate.name, known)).filter(|(name, _)| asked(name)).collect()
}

fn types<'s>(question: &SchemaQuery, schema: &'s Schema) -> Vec<(&'s str, &'s TypeDef)> {
    let only: BTreeSet<&str> = question.types.iter().map(String::as_str).collect();
    let asked = |name: &str| if only.is_empty() { question.predicates.is_empty() } else { only.contains(name) };
    let known = schema.types.iter().filter(|(name, _)| name.namespace == Namespace::ROOT);
    known.map(|(name, definition)| (&*name.name, definition)).filter(|(name, _)| asked(name)).collect()
}

fn predicate(question: &SchemaQuery, name: &str, known: &PredicateSchema, out: &mut String) {
    let asked = |member: &str| question.members.is_empty() || question.members.iter().any(|asked| asked == member);
    let mut object = ObjectText::open(out);
    object.member("predicate", |out| text(name, out));
    object.member("type", |out| asked("type") && text(known.value_type.name(), out));
    object.member("index", |out| flag(asked("index") && !known.tokenizers.is_empty(), out));
    object
        .member("tokenizer", |out| asked("tokenizer") && list(out, tokenizers(known), |name, out| _ = text(name, out)));
    object.member("reverse", |out| flag(asked("reverse") && known.reverse, out));
    object.member("count", |out| flag(asked("count") && known.count, out));
    object.member("list", |out| flag(asked("list") && known.list, out));
    object.member("upsert", |out| flag(asked("upsert") && known.upsert, out));
    object.member("lang", |out| flag(asked("lang") && known.lang, out));
    // The member is asked for by another name than it is answered under, as in Dgraph.
    object.member("no_conflict", |out| flag(asked("noconflict") && known.no_conflict, out));
    object.member("unique", |out| flag(asked("unique") && known.unique, out));
    object.member("index_specs", |out| asked("vector_specs") && list(out, known.vector_indexes.clone(), vector_index));
    object.close();
}

/// Names of tokenizers; a vector index is named with its options, as in Dgraph.
fn tokenizers(known: &PredicateSchema) -> Vec<String> {
    let vector = |index: &VectorIndex| {
        let options: Vec<_> = index.options.iter().map(|(key, value)| format!("{key:?}:{value:?}")).collect();
        format!("{}({})", index.name, options.join(","))
    };
    let names = known.tokenizers.iter().map(|tokenizer| tokenizer.name().to_owned());
    names.chain(known.vector_indexes.iter().map(vector)).collect()
}

fn vector_index(index: &VectorIndex, out: &mut String) {
    let mut object = ObjectText::open(out);
    object.member("name", |out| text(&index.name, out));
    object.member("options", |out| {
        list(out, index.options.clone(), |(key, value), out| {
            let mut option = ObjectText::open(out);
            option.member("key", |out| text(key, out));
            option.member("value", |out| text(value, out));
            option.close();
        })
    });
    object.close();
}

fn type_definition(name: &str, definition: &TypeDef, out: &mut String) {
    let mut object = ObjectText::open(out);
    object.member("fields", |out| {
        list(out, definition.fields.clone(), |field, out| {
            let mut object = ObjectText::open(out);
            object.member("name", |out| text(field, out));
            object.close();
        })
    });
    object.member("name", |out| text(name, out));
    object.close();
}

fn text(text: &str, out: &mut String) -> bool {
    write_json_string(text, out);
    true
}

fn flag(set: bool, out: &mut String) -> bool {
    if set {
        out.push_str("true");
    }
    set
}
