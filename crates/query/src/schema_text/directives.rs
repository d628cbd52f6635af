//! What stands behind the colon of a predicate: its type and directives, up to the dot.

use graphdb_types::{PredicateSchema, Tokenizer, ValType, VectorIndex};

use super::type_named;
use crate::rdf::cursor::{Cursor, Fault};

/// Reads `[type] @directive … .` and checks that its parts go together.
pub(super) fn read(line: &mut Cursor<'_>) -> Result<PredicateSchema, Fault> {
    let (value_type, list) = value_type(line)?;
    let mut schema = PredicateSchema { value_type, list, ..PredicateSchema::default() };
    let mut upsert_at = 0;
    loop {
        line.blanks();
        let at = line.at();
        match line.peek() {
            Some(b'.') => {
                line.skip(1);
                break;
            }
            Some(b'@') => directive(line, &mut schema)?,
            _ => return Err(line.fault(format!("Invalid ending: expected a directive or ., found {}", line.found()))),
        }
        if schema.upsert && upsert_at == 0 {
            upsert_at = at;
        }
    }
    if schema.upsert && schema.tokenizers.is_empty() {
        return Err(Fault::new(upsert_at, "@upsert needs an index: add @index(…)"));
    }
    Ok(schema)
}

fn value_type(line: &mut Cursor<'_>) -> Result<(ValType, bool), Fault> {
    line.blanks();
    let list = line.take(b'[');
    line.blanks();
    let at = line.at();
    let name = line.word();
    if name.is_empty() {
        return Err(line.fault(format!("expected a type, found {}", line.found())));
    }
    let value_type = type_named(name).map_err(|message| Fault::new(at, message))?;
    line.blanks();
    if list && !line.take(b']') {
        return Err(line.fault(format!("expected ] behind the type, found {}", line.found())));
    }
    if list && matches!(value_type, ValType::Password | ValType::Bool | ValType::VFloat) {
        return Err(Fault::new(at, format!("there are no lists of type {}", value_type.name())));
    }
    Ok((value_type, list))
}

fn directive(line: &mut Cursor<'_>, schema: &mut PredicateSchema) -> Result<(), Fault> {
    let at = line.at();
    line.skip(1);
    let refuse = |message: &str| Err(Fault::new(at, message));
    match line.word() {
        "index" => return index(line, schema, at),
        "reverse" if schema.value_type != ValType::Uid => return refuse("Cannot reverse for non-UID type"),
        "reverse" => schema.reverse = true,
        "count" => schema.count = true,
        "lang" if schema.value_type != ValType::String || schema.list => {
            return refuse("@lang is for predicates of type string that are not lists");
        }
        "lang" => schema.lang = true,
        "upsert" => schema.upsert = true,
        "noconflict" => schema.no_conflict = true,
        "unique" => schema.unique = true,
        other => {
            return refuse(&format!(
                "unknown directive @{other}: index, reverse, count, lang, upsert, unique and noconflict are known"
            ));
        }
    }
    Ok(())
}

/// `(term, exact)` of `@index(term, exact)`.
fn index(line: &mut Cursor<'_>, schema: &mut PredicateSchema, at: usize) -> Result<(), Fault> {
    if matches!(schema.value_type, ValType::Uid | ValType::Default | ValType::Password | ValType::Binary) {
        return Err(Fault::new(at, format!("a predicate of type {} cannot have an index", schema.value_type.name())));
    }
    if !schema.tokenizers.is_empty() || !schema.vector_indexes.is_empty() {
        return Err(Fault::new(at, "@index is given twice; name all tokenizers in one list"));
    }
    line.blanks();
    if !line.take(b'(') {
        return Err(line.fault(format!("expected ( and the tokenizers of the index, found {}", line.found())));
    }
    loop {
        line.blanks();
        let at = line.at();
        match line.word() {
            HNSW if schema.value_type == ValType::VFloat => schema.vector_indexes.push(vector_index(line)?),
            name => {
                let tokenizer = tokenizer(name, schema.value_type);
                schema.tokenizers.push(tokenizer.map_err(|message| Fault::new(at, message))?);
                check_tokenizers(&schema.tokenizers).map_err(|message| Fault::new(at, message))?;
            }
        }
        line.blanks();
        if line.take(b')') {
            return Ok(());
        }
        if !line.take(b',') {
            return Err(line.fault(format!("expected , or ) behind a tokenizer, found {}", line.found())));
        }
    }
}

/// The index over vectors, which is kept but not served.
const HNSW: &str = "hnsw";

/// `(metric: "euclidean", exponent: "4")` behind `hnsw`, or nothing.
fn vector_index(line: &mut Cursor<'_>) -> Result<VectorIndex, Fault> {
    let mut index = VectorIndex { name: HNSW.to_owned(), options: Vec::new() };
    line.blanks();
    if !line.take(b'(') {
        return Ok(index);
    }
    loop {
        line.blanks();
        index.options.push(vector_option(line)?);
        line.blanks();
        if line.take(b')') {
            return Ok(index);
        }
        if !line.take(b',') {
            return Err(line.fault(format!("expected , or ) behind an option, found {}", line.found())));
        }
    }
}

/// `metric: "euclidean"`
fn vector_option(line: &mut Cursor<'_>) -> Result<(String, String), Fault> {
    let at = line.at();
    let key = line.word();
    line.blanks();
    if key.is_empty() || !line.take(b':') {
        return Err(Fault::new(at, "an option of hnsw is a name, a colon and a text in double quotes"));
    }
    line.blanks();
    let at = line.at();
    if !line.take(b'"') {
        return Err(Fault::new(at, format!("the option {key} is a text in double quotes")));
    }
    let value = line.take_while(|b| b != b'"' && b != b'\n' && b != b'\\');
    if !line.take(b'"') {
        return Err(Fault::new(at, format!("the text of the option {key} ends with \" and holds no backslash")));
    }
    if key == "metric" && !matches!(value, "euclidean" | "cosine" | "dotproduct") {
        return Err(Fault::new(at, format!("the metric {value} is none of euclidean, cosine and dotproduct")));
    }
    Ok((key.to_owned(), value.to_owned()))
}

fn tokenizer(name: &str, value_type: ValType) -> Result<Tokenizer, String> {
    if name == HNSW {
        return Err(format!(
            "the index hnsw is for type float32vector, the predicate is of type {}",
            value_type.name()
        ));
    }
    let Some(tokenizer) = Tokenizer::from_name(&name.to_ascii_lowercase()) else {
        let known: Vec<&str> = Tokenizer::ALL.into_iter().map(Tokenizer::name).collect();
        return Err(format!("Invalid tokenizer {name}: {} are known", known.join(", ")));
    };
    if tokenizer.value_type() == value_type {
        Ok(tokenizer)
    } else {
        let (name, wants) = (tokenizer.name(), tokenizer.value_type().name());
        Err(format!("the tokenizer {name} is for type {wants}, the predicate is of type {}", value_type.name()))
    }
}

fn check_tokenizers(tokenizers: &[Tokenizer]) -> Result<(), String> {
    let Some((last, others)) = tokenizers.split_last() else { return Ok(()) };
    if others.contains(last) {
        return Err(format!("the tokenizer {} is named twice", last.name()));
    }
    match others.iter().find(|other| other.is_sortable() && last.is_sortable()) {
        Some(other) => Err(format!(
            "an index has at most one sortable tokenizer, and both {} and {} are",
            other.name(),
            last.name()
        )),
        None => Ok(()),
    }
}
