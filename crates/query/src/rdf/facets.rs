//! `(key=value, key2=value)` behind an object.

use graphdb_types::{Facet, ValType, Value};

use super::cursor::{Cursor, Fault};
use super::literal::quoted;
use crate::nquad::{facet, sort_facets};

/// Reads facets with their parentheses; they come sorted by key.
pub(super) fn read(line: &mut Cursor<'_>) -> Result<Vec<Facet>, Fault> {
    let open = line.at();
    line.skip(1);
    let mut facets = Vec::new();
    loop {
        facets.push(one(line)?);
        line.blanks();
        if line.take(b')') {
            break;
        }
        if !line.take(b',') {
            return Err(line.fault(format!("expected , or ) behind a facet, found {}", line.found())));
        }
    }
    sort_facets(&mut facets).map_err(|key| Fault::new(open, format!("the facet {key} is given twice")))?;
    Ok(facets)
}

fn one(line: &mut Cursor<'_>) -> Result<Facet, Fault> {
    line.blanks();
    let key = line.take_while(|b| b > b' ' && !matches!(b, b'=' | b',' | b')' | b'(' | b'"'));
    if key.is_empty() {
        return Err(line.fault(format!("expected the key of a facet, found {}", line.found())));
    }
    line.blanks();
    if !line.take(b'=') {
        return Err(line.fault(format!("expected = behind the facet key {key}, found {}", line.found())));
    }
    line.blanks();
    let at = line.at();
    let value = if line.peek() == Some(b'"') {
        Value::String(quoted(line)?.into_owned())
    } else {
        let word = line.take_while(|b| b != b',' && b != b')' && b != b'"');
        bare(word.trim_end()).map_err(|message| Fault::new(at, message))?
    };
    facet(key, &value).map_err(|message| Fault::new(at, message))
}

/// A value without quotes.
fn bare(word: &str) -> Result<Value, String> {
    match word {
        "" => return Ok(Value::String(String::new())),
        "true" => return Ok(Value::Bool(true)),
        "false" => return Ok(Value::Bool(false)),
        "+Inf" => return Ok(Value::Float(f64::INFINITY)),
        "-Inf" => return Ok(Value::Float(f64::NEG_INFINITY)),
        _ => {}
    }
    let digits = word.strip_prefix(['-', '+']).unwrap_or(word);
    if digits.bytes().all(|b| b.is_ascii_digit()) && !digits.is_empty() {
        return word.parse().map(Value::Int).map_err(|_| format!("the facet {word} does not fit 64 bits"));
    }
    let numeric = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    if let Some(number) = word.parse().ok().filter(|n: &f64| numeric && n.is_finite()) {
        return Ok(Value::Float(number));
    }
    Value::parse(ValType::DateTime, word).map_err(|_| format!("put the facet text {word} in double quotes"))
}
