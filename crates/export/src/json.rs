//! Lists as JSON: a record `  {"uid":"0x1","namespace":"0x0","name":"Alice"}` for every value or edge.

use graphdb_types::value::write_json_string;
use graphdb_types::{Facet, FacetType, Posting, PostingList, Predicate, Uid, ValType};

use crate::ExportError;
use crate::selection::is_graphql_node;
use crate::text::{Owner, check_name};

#[cfg(test)]
mod tests;

/// Appends the records of a data list, parted by `,\n`, and returns how many. Zero for an empty list, and for the types of the node that
/// holds the GraphQL schema. [`Array`] puts the lists together.
///
/// # Errors
/// What cannot be written so that it is read back as it is, which N-Quads may be able to hold; `out` is then as before.
pub fn write_list(
    out: &mut Vec<u8>,
    predicate: &Predicate,
    subject: Uid,
    list: &PostingList,
) -> Result<u64, ExportError> {
    if is_graphql_node(predicate, list) {
        return Ok(0);
    }
    check(predicate)?;
    let owner = Owner { predicate, subject };
    let head = format!("  {{\"uid\":\"{subject}\",\"namespace\":\"{}\",", predicate.namespace);
    let mut records = String::new();
    for (place, id) in list.ids.iter().enumerate() {
        records.push_str(if place == 0 { "" } else { ",\n" });
        records.push_str(&head);
        let posting = list.posting(*id);
        match posting.filter(|posting| !posting.is_edge) {
            Some(posting) => put_value(owner, posting, &mut records)?,
            None => put_edge(owner, Uid(*id), posting.map_or(&[], |posting| &posting.facets), &mut records)?,
        }
        records.push('}');
    }
    out.extend_from_slice(records.as_bytes());
    Ok(list.ids.len() as u64)
}

/// Names that stand for something else in a record.
fn check(predicate: &Predicate) -> Result<(), ExportError> {
    check_name(predicate)?;
    let why = match predicate.name.as_ref() {
        "namespace" => "in JSON records `namespace` is the tenant; export as rdf",
        name if name.contains('|') => "in JSON records | begins a facet; export as rdf",
        _ => return Ok(()),
    };
    Err(ExportError::Name { predicate: predicate.clone(), why })
}

/// `"name@es":"Alicia","name@es|key":1`
fn put_value(owner: Owner<'_>, posting: &Posting, out: &mut String) -> Result<(), ExportError> {
    let lang = owner.lang(posting)?;
    let name = match lang {
        "" => owner.predicate.name.to_string(),
        lang => format!("{}@{lang}", owner.predicate.name),
    };
    write_json_string(&name, out);
    out.push(':');
    let text = owner.value(posting)?;
    let is_number = matches!(posting.val_type, ValType::Int | ValType::Float) && is_json_number(&text);
    put_scalar(owner, &text, is_number, out)?;
    put_facets(owner, &name, &posting.facets, out)
}

/// `"friend":[{"uid":"0x2","friend|close":true}]`
fn put_edge(owner: Owner<'_>, object: Uid, facets: &[Facet], out: &mut String) -> Result<(), ExportError> {
    write_json_string(&owner.predicate.name, out);
    out.push_str(&format!(":[{{\"uid\":\"{object}\""));
    put_facets(owner, &owner.predicate.name, facets, out)?;
    out.push_str("}]");
    Ok(())
}

fn put_facets(owner: Owner<'_>, name: &str, facets: &[Facet], out: &mut String) -> Result<(), ExportError> {
    for facet in facets {
        out.push(',');
        write_json_string(&format!("{name}|{}", owner.facet_key(facet)?), out);
        out.push(':');
        let text = owner.facet(facet)?;
        if facet.val_type == FacetType::Float && !is_json_number(&text) {
            return Err(owner.no_text("a facet is infinite or no number, which JSON cannot say; export as rdf"));
        }
        let is_bare = !matches!(facet.val_type, FacetType::String | FacetType::DateTime);
        put_scalar(owner, &text, is_bare, out)?;
    }
    Ok(())
}

fn put_scalar(owner: Owner<'_>, text: &[u8], is_bare: bool, out: &mut String) -> Result<(), ExportError> {
    let text = std::str::from_utf8(text)
        .map_err(|_| owner.no_text("it holds bytes that are not UTF-8, which JSON cannot say; export as rdf"))?;
    if is_bare {
        out.push_str(text);
    } else {
        write_json_string(text, out);
    }
    Ok(())
}

/// Infinities and NaN are none.
fn is_json_number(text: &[u8]) -> bool {
    text.last().is_some_and(u8::is_ascii_digit)
}

/// Records in their array: `[\n`, then `,\n` between them, then `\n]\n`.
#[derive(Debug)]
pub struct Array {
    is_empty: bool,
}

impl Array {
    /// Begins the array.
    pub fn start(out: &mut Vec<u8>) -> Array {
        out.extend_from_slice(b"[\n");
        Array { is_empty: true }
    }

    /// Appends what one or many calls of [`write_list`] or [`crate::gql::write`] wrote; nothing if that is nothing.
    pub fn push(&mut self, out: &mut Vec<u8>, records: &[u8]) {
        if records.is_empty() {
            return;
        }
        if !std::mem::take(&mut self.is_empty) {
            out.extend_from_slice(b",\n");
        }
        out.extend_from_slice(records);
    }

    /// Appends the records of a list; see [`write_list`].
    ///
    /// # Errors
    /// As [`write_list`].
    pub fn push_list(
        &mut self,
        out: &mut Vec<u8>,
        predicate: &Predicate,
        subject: Uid,
        list: &PostingList,
    ) -> Result<u64, ExportError> {
        let mut records = Vec::new();
        let count = write_list(&mut records, predicate, subject, list)?;
        self.push(out, &records);
        Ok(count)
    }

    /// Ends the array.
    pub fn finish(self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\n]\n");
    }
}
