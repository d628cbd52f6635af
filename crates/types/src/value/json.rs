use std::fmt::Write;

use super::Value;
use super::number::{parse_float, write_element, write_float};

impl Value {
    /// Appends the value as query results show it. False, with `out` untouched, if it must be left out: passwords, and
    /// numbers that JSON cannot hold (infinities, NaN).
    pub fn write_json(&self, out: &mut String) -> bool {
        match self {
            Value::Default(text) | Value::String(text) => write_json_string(text, out),
            Value::Binary(bytes) => write_json_string(&String::from_utf8_lossy(bytes), out),
            Value::Int(n) => write!(out, "{n}").expect("strings do not refuse text"),
            Value::Float(n) if n.is_finite() => write_float(*n, 'e', out),
            Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Value::DateTime(at) => write!(out, "\"{at}\"").expect("strings do not refuse text"),
            Value::Geo(geo) => return geo.write_geojson(out),
            Value::BigFloat(text) if is_json_number(text) => out.push_str(text),
            Value::VFloat(numbers) if numbers.iter().all(|n| n.is_finite()) => write_vector(numbers, out),
            Value::Float(_) | Value::Password(_) | Value::BigFloat(_) | Value::VFloat(_) => return false,
        }
        true
    }
}

/// Stored decimals are written by Dgraph or checked by us; anything else in a backup must not break an answer.
fn is_json_number(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E');
    text.bytes().all(plain) && serde_json::from_str::<serde_json::Number>(text).is_ok() && parse_float(text).is_some()
}

pub(super) fn write_vector(numbers: &[f32], out: &mut String) {
    out.push('[');
    for (at, n) in numbers.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write_element(*n, out);
    }
    out.push(']');
}

/// Appends `text` as a JSON string. As in Dgraph's answers, which browsers may put into pages, `<`, `>`, `&`, U+2028 and
/// U+2029 are escaped besides quotes, backslashes and control characters.
pub fn write_json_string(text: &str, out: &mut String) {
    out.reserve(text.len() + 2);
    out.push('"');
    let bytes = text.as_bytes();
    let mut copied = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let len = match byte {
            b'"' | b'\\' | b'<' | b'>' | b'&' | ..0x20 => 1,
            0xe2 if matches!(bytes.get(at + 1..at + 3), Some([0x80, 0xa8 | 0xa9])) => 3,
            _ => continue,
        };
        out.push_str(&text[copied..at]);
        put_escape(*byte, bytes.get(at + 2), out);
        copied = at + len;
    }
    out.push_str(&text[copied..]);
    out.push('"');
}

fn put_escape(byte: u8, third: Option<&u8>, out: &mut String) {
    match byte {
        b'"' => out.push_str("\\\""),
        b'\\' => out.push_str("\\\\"),
        b'\n' => out.push_str("\\n"),
        b'\r' => out.push_str("\\r"),
        b'\t' => out.push_str("\\t"),
        0x08 => out.push_str("\\b"),
        0x0c => out.push_str("\\f"),
        0xe2 => out.push_str(if third == Some(&0xa8) { "\\u2028" } else { "\\u2029" }),
        _ => write!(out, "\\u{byte:04x}").expect("strings do not refuse text"),
    }
}
