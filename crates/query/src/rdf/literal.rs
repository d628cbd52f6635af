//! Quoted text with its escapes, language or type.

use std::borrow::Cow;

use graphdb_types::{ValType, Value};

use super::cursor::{Cursor, Fault};
use super::iri;
use crate::nquad::Object;

const XML_SCHEMA: &str = "http://www.w3.org/2001/XMLSchema#";

/// Reads `"text"`, `"text"@en` (which sets `lang`) or `"text"^^<type>`.
pub(super) fn read<'a>(line: &mut Cursor<'a>, lang: &mut Cow<'a, str>) -> Result<Object<'a>, Fault> {
    let open = line.at();
    let text = match unquoted(line)? {
        Quoted::Text(text) => text,
        Quoted::Bytes(bytes) => return binary(line, bytes).ok_or_else(|| Fault::new(open, NOT_UTF8)),
    };
    if line.take(b'@') {
        *lang = tag(line)?.into();
        return Ok(Object::Literal { text, declared: None });
    }
    if !line.take_str("^^") {
        return Ok(Object::Literal { text, declared: None });
    }
    if line.peek() != Some(b'<') {
        return Err(line.fault("expected a type in angle brackets behind ^^"));
    }
    let at = line.at();
    let name = iri(line)?;
    let declared = type_of(&name).ok_or_else(|| Fault::new(at, format!("Unrecognized rdf type {name}")))?;
    if text.is_empty() && declared != ValType::String {
        return Err(Fault::new(open, format!("an empty text is not a value of type {name}")));
    }
    Ok(Object::Literal { text, declared: Some(declared) })
}

/// Bytes that are not UTF-8, which only values of type binary hold.
fn binary<'a>(line: &mut Cursor<'a>, bytes: Vec<u8>) -> Option<Object<'a>> {
    let declared = if line.take_str("^^<") { line.take_while(|b| b != b'>') } else { "" };
    (type_of(declared) == Some(ValType::Binary) && line.take(b'>')).then_some(Object::Value(Value::Binary(bytes)))
}

fn tag<'a>(line: &mut Cursor<'a>) -> Result<&'a str, Fault> {
    let at = line.at();
    let tag = line.take_while(|b| b.is_ascii_alphanumeric() || b == b'-');
    if tag.starts_with(|c: char| c.is_ascii_alphabetic()) {
        Ok(tag)
    } else {
        Err(Fault::new(at, "a language begins with a letter"))
    }
}

/// The type with this name in RDF.
fn type_of(name: &str) -> Option<ValType> {
    Some(match name {
        "xs:string" => ValType::String,
        "xs:int" | "xs:integer" | "xs:positiveInteger" => ValType::Int,
        "xs:float" | "xs:double" => ValType::Float,
        "xs:boolean" => ValType::Bool,
        "xs:date" | "xs:dateTime" => ValType::DateTime,
        "xs:password" => ValType::Password,
        "xs:base64Binary" => ValType::Binary,
        "geo:geojson" => ValType::Geo,
        "xs:decimal" => ValType::BigFloat,
        "xs:[]float32" => ValType::VFloat,
        _ => match name.strip_prefix(XML_SCHEMA)? {
            "string" => ValType::String,
            "int" | "integer" | "positiveInteger" => ValType::Int,
            "float" | "double" => ValType::Float,
            "boolean" => ValType::Bool,
            "date" | "dateTime" | "gYear" | "gYearMonth" => ValType::DateTime,
            _ => return None,
        },
    })
}

const NOT_UTF8: &str =
    "the \\x escapes in the text do not make UTF-8, which only values of type xs:base64Binary may do without";

/// What stood in double quotes.
enum Quoted<'a> {
    Text(Cow<'a, str>),
    /// Not UTF-8.
    Bytes(Vec<u8>),
}

/// Reads text in double quotes.
pub(super) fn quoted<'a>(line: &mut Cursor<'a>) -> Result<Cow<'a, str>, Fault> {
    let open = line.at();
    match unquoted(line)? {
        Quoted::Text(text) => Ok(text),
        Quoted::Bytes(_) => Err(Fault::new(open, NOT_UTF8)),
    }
}

fn unquoted<'a>(line: &mut Cursor<'a>) -> Result<Quoted<'a>, Fault> {
    let open = line.at();
    line.skip(1);
    let plain = line.take_while(|b| b != b'"' && b != b'\\' && b != b'\n');
    if line.take(b'"') {
        return Ok(Quoted::Text(plain.into()));
    }
    let mut bytes = plain.as_bytes().to_vec();
    loop {
        match line.peek() {
            Some(b'"') => break line.skip(1),
            Some(b'\\') => escape(line, &mut bytes)?,
            _ => return Err(Fault::new(open, "the text does not end on this line; write a line break as \\n")),
        }
        bytes.extend_from_slice(line.take_while(|b| b != b'"' && b != b'\\' && b != b'\n').as_bytes());
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) => Quoted::Text(text.into()),
        Err(not_text) => Quoted::Bytes(not_text.into_bytes()),
    })
}

/// Goes on with an IRI in which an escape was met.
pub(super) fn escaped_iri<'a>(line: &mut Cursor<'a>, plain: &str) -> Result<Cow<'a, str>, Fault> {
    let mut text = plain.to_owned();
    loop {
        text.push_str(line.take_while(|b| b > b' ' && !matches!(b, b'>' | b'<' | b'"' | b'\\')));
        let at = line.at();
        if line.take(b'>') {
            return Ok(text.into());
        }
        let (digits, c) = match line.rest().as_bytes() {
            [b'\\', b'u', ..] => (4, code_point(line, 4)?),
            [b'\\', b'U', ..] => (8, code_point(line, 8)?),
            _ => return Err(line.fault(format!("{} cannot stand between < and >", line.found()))),
        };
        if c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"' | '\\') {
            return Err(Fault::new(at, "the escaped character cannot stand between < and >"));
        }
        line.skip(2 + digits);
        text.push(c);
    }
}

fn escape(line: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    let simple = match line.rest().as_bytes().get(1) {
        Some(b'n') => b'\n',
        Some(b't') => b'\t',
        Some(b'r') => b'\r',
        Some(b'b') => 0x08,
        Some(b'f') => 0x0c,
        Some(b'a') => 0x07,
        Some(b'v') => 0x0b,
        Some(c @ (b'"' | b'\'' | b'\\')) => *c,
        Some(b'x') => return byte_escape(line, out),
        Some(b'u') => return unicode_escape(line, 4, out),
        Some(b'U') => return unicode_escape(line, 8, out),
        _ => {
            return Err(
                line.fault("unknown escape: \\n \\t \\r \\b \\f \\a \\v \\\" \\' \\\\ \\x \\u and \\U are known")
            );
        }
    };
    line.skip(2);
    out.push(simple);
    Ok(())
}

/// `\xhh`, one byte of UTF-8.
fn byte_escape(line: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    let byte = hex_digits(line, 2)?;
    line.skip(4);
    out.push(byte as u8);
    Ok(())
}

fn unicode_escape(line: &mut Cursor<'_>, digits: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
    let c = code_point(line, digits)?;
    line.skip(2 + digits);
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    Ok(())
}

fn code_point(line: &Cursor<'_>, digits: usize) -> Result<char, Fault> {
    char::from_u32(hex_digits(line, digits)?).ok_or_else(|| line.fault("the escape names no character"))
}

/// The digits behind `\x`, `\u` or `\U`.
fn hex_digits(line: &Cursor<'_>, digits: usize) -> Result<u32, Fault> {
    let hex = line.rest().as_bytes().get(2..2 + digits).and_then(|hex| std::str::from_utf8(hex).ok());
    hex.filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
        .and_then(|hex| u32::from_str_radix(hex, 16).ok())
        .ok_or_else(|| line.fault(format!("the escape needs {digits} hexadecimal digits")))
}
