//! Values and names as text, before any format is put around them.

use std::borrow::Cow;

use graphdb_types::value::{DateTime, write_json_string};
use graphdb_types::{Facet, FacetType, Malformed, Posting, Predicate, Uid, ValType, Value};

use crate::ExportError;

/// Whose text is written, for errors.
#[derive(Clone, Copy)]
pub(crate) struct Owner<'a> {
    pub(crate) predicate: &'a Predicate,
    pub(crate) subject: Uid,
}

impl Owner<'_> {
    pub(crate) fn no_text(self, why: &'static str) -> ExportError {
        ExportError::NoText { predicate: self.predicate.clone(), subject: self.subject, why }
    }

    fn malformed(self, source: Malformed) -> ExportError {
        ExportError::Value { predicate: self.predicate.clone(), subject: self.subject, source }
    }

    /// The text of a value: UTF-8, unless its bytes are not.
    pub(crate) fn value(self, posting: &Posting) -> Result<Cow<'_, [u8]>, ExportError> {
        self.text(posting.val_type, &posting.value)
    }

    /// The text of a facet. A float has a fraction or an exponent: without them it would be read as an integer.
    pub(crate) fn facet(self, facet: &Facet) -> Result<Cow<'_, [u8]>, ExportError> {
        let mut text = self.text(facet.val_type.val_type(), &facet.value)?;
        let is_whole = |text: &[u8]| text.iter().all(|b| b.is_ascii_digit() || *b == b'-');
        if facet.val_type == FacetType::Float && is_whole(&text) {
            text.to_mut().extend_from_slice(b".0");
        }
        Ok(text)
    }

    fn text(self, val_type: ValType, bytes: &[u8]) -> Result<Cow<'_, [u8]>, ExportError> {
        if let ValType::Default | ValType::Binary | ValType::Password | ValType::String | ValType::BigFloat = val_type {
            return Ok(bytes.into());
        }
        let value = Value::from_bytes(val_type, bytes).map_err(|source| self.malformed(source))?;
        let text = match &value {
            Value::DateTime(at) => Some(instant(*at)),
            Value::Geo(_) => value.to_text().map(|geo_json| geo_json.replace('"', "'")),
            Value::VFloat(numbers) => Some(vector(numbers)),
            other => other.to_text(),
        };
        text.map(|text| text.into_bytes().into())
            .ok_or_else(|| self.no_text("a shape has coordinates that are not finite"))
    }

    /// The language of a value, which the formats put behind `@`.
    pub(crate) fn lang(self, posting: &Posting) -> Result<&str, ExportError> {
        let first = posting.lang.starts_with(|c: char| c.is_ascii_alphabetic());
        if posting.lang.is_empty() || (first && posting.lang.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')) {
            Ok(&posting.lang)
        } else {
            Err(self.no_text(
                "its language is none: it does not begin with a letter, or holds more than letters, digits and -",
            ))
        }
    }

    /// The key of a facet, which stands without quotes.
    pub(crate) fn facet_key(self, facet: &Facet) -> Result<&str, ExportError> {
        let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '=' | ',' | '(' | ')' | '"' | '|');
        if facet.key.is_empty() || facet.key.contains(odd) {
            Err(self.no_text("a facet has an empty key, or one with blanks or any of = , ( ) | \""))
        } else {
            Ok(&facet.key)
        }
    }
}

/// RFC 3339. The zone is left out where the instant could not be read back with it.
fn instant(at: DateTime) -> String {
    let text = at.to_string();
    let is_same = |read: DateTime| (read.unix_seconds(), read.nanos()) == (at.unix_seconds(), at.nanos());
    if DateTime::parse(&text).is_some_and(is_same) {
        return text;
    }
    DateTime::from_unix(at.unix_seconds(), at.nanos()).map_or(text, |utc| utc.to_string())
}

/// `[1,0.5]`, each number with the fewest digits that read back as itself.
fn vector(numbers: &[f32]) -> String {
    let numbers: Vec<String> = numbers.iter().map(|n| format!("{n:?}").trim_end_matches(".0").to_owned()).collect();
    format!("[{}]", numbers.join(","))
}

/// Why a name cannot stand between `<` and `>` and be the same name when it is read.
pub(crate) fn name_fault(name: &str) -> Option<&'static str> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"' | '\\' | '@' | '~');
    if name.is_empty() || name == "*" || name.contains(odd) {
        Some("it is empty or *, or holds blanks or any of < > \" \\ @ ~")
    } else {
        None
    }
}

/// Checks a name before anything of it is written.
pub(crate) fn check_name(predicate: &Predicate) -> Result<(), ExportError> {
    match name_fault(&predicate.name) {
        Some(why) => Err(ExportError::Name { predicate: predicate.clone(), why }),
        None => Ok(()),
    }
}

/// Appends text in double quotes, escaped as JSON is; bytes that are not UTF-8 as `\xhh`.
pub(crate) fn put_quoted(bytes: &[u8], out: &mut String) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return write_json_string(text, out);
    }
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        let mut quoted = String::new();
        write_json_string(chunk.valid(), &mut quoted);
        out.push_str(&quoted[1..quoted.len() - 1]);
        chunk.invalid().iter().for_each(|byte| out.push_str(&format!("\\x{byte:02x}")));
    }
    out.push('"');
}
