//! Lists as N-Quads: `<0x1> <name> "Alicia"@es <0x0> (since=2006) .`, the fourth term being the namespace.

use graphdb_types::{Facet, FacetType, Posting, PostingList, Predicate, Uid, ValType};

use crate::ExportError;
use crate::selection::is_graphql_node;
use crate::text::{Owner, check_name, put_quoted};

#[cfg(test)]
mod tests;

/// Appends a line for every value or edge of a data list, and returns how many. Zero for an empty list, and for the types of the node that
/// holds the GraphQL schema.
///
/// # Errors
/// What cannot be written so that it is read back as it is; `out` is then as before.
pub fn write_list(
    out: &mut Vec<u8>,
    predicate: &Predicate,
    subject: Uid,
    list: &PostingList,
) -> Result<u64, ExportError> {
    if is_graphql_node(predicate, list) {
        return Ok(0);
    }
    check_name(predicate)?;
    let owner = Owner { predicate, subject };
    let (head, namespace) = (format!("<{subject}> <{}> ", predicate.name), predicate.namespace);
    let mut lines = String::new();
    for id in &list.ids {
        lines.push_str(&head);
        let posting = list.posting(*id);
        match posting.filter(|posting| !posting.is_edge) {
            Some(posting) => put_value(owner, posting, &mut lines)?,
            None => lines.push_str(&format!("<{}>", Uid(*id))),
        }
        lines.push_str(&format!(" <{namespace}>"));
        put_facets(owner, posting.map_or(&[], |posting| &posting.facets), &mut lines)?;
        lines.push_str(" .\n");
    }
    out.extend_from_slice(lines.as_bytes());
    Ok(list.ids.len() as u64)
}

/// `"text"`, with a language or a type. Empty text has a type only if it is a string: as other types readers refuse it.
fn put_value(owner: Owner<'_>, posting: &Posting, out: &mut String) -> Result<(), ExportError> {
    let text = owner.value(posting)?;
    put_quoted(&text, out);
    let lang = owner.lang(posting)?;
    match type_name(posting.val_type) {
        _ if !lang.is_empty() => out.push_str(&format!("@{lang}")),
        Some(name) if posting.val_type == ValType::String || !text.is_empty() => out.push_str(&format!("^^<{name}>")),
        _ => {}
    }
    Ok(())
}

/// ` (key=value,key=value)`; texts are quoted.
fn put_facets(owner: Owner<'_>, facets: &[Facet], out: &mut String) -> Result<(), ExportError> {
    for (place, facet) in facets.iter().enumerate() {
        out.push_str(if place == 0 { " (" } else { "," });
        out.push_str(owner.facet_key(facet)?);
        out.push('=');
        let text = owner.facet(facet)?;
        match facet.val_type {
            FacetType::String => put_quoted(&text, out),
            _ => out.push_str(&String::from_utf8_lossy(&text)), // ASCII
        }
    }
    out.push_str(if facets.is_empty() { "" } else { ")" });
    Ok(())
}

/// The name in RDF of a type; `None` where the text alone says it, or there is none.
pub fn type_name(of: ValType) -> Option<&'static str> {
    Some(match of {
        ValType::String => "xs:string",
        ValType::Int => "xs:int",
        ValType::Float => "xs:float",
        ValType::Bool => "xs:boolean",
        ValType::DateTime => "xs:dateTime",
        ValType::Password => "xs:password",
        ValType::Binary => "xs:base64Binary",
        ValType::Geo => "geo:geojson",
        ValType::BigFloat => "xs:decimal",
        ValType::VFloat => "xs:[]float32",
        ValType::Default | ValType::Uid | ValType::Object => return None,
    })
}
