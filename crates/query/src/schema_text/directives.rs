//! What stands behind the colon of a predicate: its type and directives, up to the dot.

use graphdb_types::{PredicateSchema, Tokenizer, ValType};

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
    if list && matches!(value_type, ValType::Password | ValType::Bool) {
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
        "unique" => return refuse("@unique is not supported by this version"),
        other => {
            return refuse(&format!(
                "unknown directive @{other}: index, reverse, count, lang, upsert and noconflict are known"
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
    if !schema.tokenizers.is_empty() {
        return Err(Fault::new(at, "@index is given twice; name all tokenizers in one list"));
    }
    line.blanks();
    if !line.take(b'(') {
        return Err(line.fault(format!("expected ( and the tokenizers of the index, found {}", line.found())));
    }
    loop {
        line.blanks();
        let at = line.at();
        let tokenizer = tokenizer(line, schema.value_type)?;
        schema.tokenizers.push(tokenizer);
        check_tokenizers(&schema.tokenizers).map_err(|message| Fault::new(at, message))?;
        line.blanks();
        if line.take(b')') {
            return Ok(());
        }
        if !line.take(b',') {
            return Err(line.fault(format!("expected , or ) behind a tokenizer, found {}", line.found())));
        }
    }
}

fn tokenizer(line: &mut Cursor<'_>, value_type: ValType) -> Result<Tokenizer, Fault> {
    let at = line.at();
    let name = line.word();
    if name.is_empty() {
        return Err(line.fault(format!("expected a tokenizer, found {}", line.found())));
    }
    let tokenizer = match Tokenizer::from_name(&name.to_ascii_lowercase()) {
        Some(tokenizer) if !NOT_ASKED.contains(&tokenizer) => tokenizer,
        Some(_) => return Err(Fault::new(at, format!("the tokenizer {name} is not supported by this version"))),
        None if name == "hnsw" => {
            return Err(Fault::new(at, format!("the tokenizer {name} is not supported by this version")));
        }
        None => return Err(Fault::new(at, format!("Invalid tokenizer {name}: {} are known", known_tokenizers()))),
    };
    if tokenizer.value_type() == value_type {
        Ok(tokenizer)
    } else {
        let (name, wants) = (tokenizer.name(), tokenizer.value_type().name());
        Err(Fault::new(
            at,
            format!("the tokenizer {name} is for type {wants}, the predicate is of type {}", value_type.name()),
        ))
    }
}

/// Tokenizers of Dgraph that no query here asks for: an index would cost and serve nobody.
const NOT_ASKED: [Tokenizer; 2] = [Tokenizer::NGram, Tokenizer::BigFloat];

fn known_tokenizers() -> String {
    let known = Tokenizer::ALL.into_iter().filter(|tokenizer| !NOT_ASKED.contains(tokenizer));
    known.map(Tokenizer::name).collect::<Vec<_>>().join(", ")
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
