//! Statements back into text.

use std::fmt::Write;

use graphdb_export::rdf::type_name;
use graphdb_types::{Facet, Malformed, Namespace, Value};

use crate::nquad::{NQuad, NodeRef, Object, STAR};

/// Appends the statement and a newline. Reading it again gives the statement back, but for typed values, which become literals of their
/// type.
///
/// # Errors
/// A facet whose bytes are not of its type, or a value that has no text.
pub fn write_nquad(out: &mut String, nquad: &NQuad<'_>) -> Result<(), Malformed> {
    write_node(out, &nquad.subject);
    let tagged_value = matches!(nquad.object, Object::Literal { declared: None, .. });
    match (nquad.predicate.as_ref(), nquad.lang.as_ref()) {
        (STAR, _) => out.push_str(" * "),
        (name, lang) if lang.is_empty() || tagged_value => push(out, format_args!(" <{name}> ")),
        (name, lang) => push(out, format_args!(" <{name}@{lang}> ")),
    }
    write_object(out, nquad)?;
    if nquad.namespace != Namespace::ROOT {
        push(out, format_args!(" <{}>", nquad.namespace));
    }
    if !nquad.facets.is_empty() {
        write_facets(out, &nquad.facets)?;
    }
    out.push_str(" .\n");
    Ok(())
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a string does not fail");
}

fn write_node(out: &mut String, node: &NodeRef<'_>) {
    match node {
        NodeRef::Uid(uid) => push(out, format_args!("<{uid}>")),
        NodeRef::Blank(name) => push(out, format_args!("<_:{name}>")),
        NodeRef::Var(name) => push(out, format_args!("uid({name})")),
        NodeRef::Iri(name) => push(out, format_args!("<{name}>")),
    }
}

fn write_object(out: &mut String, nquad: &NQuad<'_>) -> Result<(), Malformed> {
    match &nquad.object {
        Object::Node(node) => write_node(out, node),
        Object::ValVar(name) => push(out, format_args!("val({name})")),
        Object::Star => out.push('*'),
        Object::Literal { text, declared } => {
            write_quoted(out, text);
            match declared.and_then(type_name) {
                Some(name) => push(out, format_args!("^^<{name}>")),
                None if !nquad.lang.is_empty() => push(out, format_args!("@{}", nquad.lang)),
                None => {}
            }
        }
        Object::Value(value) => {
            match value {
                Value::Binary(bytes) => write_bytes(out, bytes),
                _ => write_quoted(out, &value.to_text().ok_or(Malformed { what: "value of a statement" })?),
            }
            if let Some(name) = type_name(value.val_type()) {
                push(out, format_args!("^^<{name}>"));
            }
        }
    }
    Ok(())
}

fn write_quoted(out: &mut String, text: &str) {
    out.push('"');
    write_escaped(out, text);
    out.push('"');
}

fn write_escaped(out: &mut String, text: &str) {
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[plain..at]);
        plain = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ => push(out, format_args!("\\u{byte:04x}")),
        }
    }
    out.push_str(&text[plain..]);
}

/// A value of type binary; what is not UTF-8 as `\xhh`.
fn write_bytes(out: &mut String, bytes: &[u8]) {
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        write_escaped(out, chunk.valid());
        chunk.invalid().iter().for_each(|byte| push(out, format_args!("\\x{byte:02x}")));
    }
    out.push('"');
}

fn write_facets(out: &mut String, facets: &[Facet]) -> Result<(), Malformed> {
    for (place, facet) in facets.iter().enumerate() {
        push(out, format_args!("{}{}=", if place == 0 { " (" } else { ", " }, facet.key));
        match Value::from_bytes(facet.val_type.val_type(), &facet.value)? {
            Value::String(text) => write_quoted(out, &text),
            Value::Float(number) if number.is_infinite() => out.push_str(if number > 0.0 { "+Inf" } else { "-Inf" }),
            Value::Float(number) => push(out, format_args!("{number:?}")), // with a fraction or exponent, else it reads as an int
            value => out.push_str(&value.to_text().ok_or(Malformed { what: "value of a facet" })?),
        }
    }
    out.push(')');
    Ok(())
}
