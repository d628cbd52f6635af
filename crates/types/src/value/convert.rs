use super::number::{parse_float, write_float};
use super::{DateTime, Geo, Value, json};
use crate::ValType;

/// Why a value cannot become one of another type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConversionError {
    /// The text or number does not stand for a value of the type.
    #[error("could not read {value:?} as {}: give {accepted}", .to.name())]
    Unreadable {
        /// The value, shortened.
        value: String,
        /// The type it should have become.
        to: ValType,
        /// What would have been accepted.
        accepted: &'static str,
    },
    /// No value of the one type becomes one of the other.
    #[error("a value of type {} cannot become {}: give it as text or change the schema", .from.name(), .to.name())]
    Incompatible {
        /// The type of the value.
        from: ValType,
        /// The type it should have become.
        to: ValType,
    },
}

/// How much of a value an error shows: enough to find it, not enough to flood a log.
const SHOWN_CHARS: usize = 60;

impl ConversionError {
    fn unreadable(value: &str, to: ValType) -> ConversionError {
        let mut shown: String = value.chars().take(SHOWN_CHARS).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        ConversionError::Unreadable { value: shown, to, accepted: accepted(to) }
    }
}

fn accepted(to: ValType) -> &'static str {
    match to {
        ValType::Int => "a decimal integer of 64 bits, without blanks, fraction or exponent",
        ValType::Float => "a number such as -1.5, 2e10, 0x1p-2 or Inf within the range of a double",
        ValType::Bool => "true or false, also as 1, t, T, True, TRUE and 0, f, F, False, FALSE",
        ValType::DateTime => {
            "2006, 2006-01, 2006-01-02, 2006-01-02T15:04:05 or RFC 3339, with years of four digits and days that exist"
        }
        ValType::Geo => "GeoJSON with type and coordinates of two numbers, in single or double quotes",
        ValType::BigFloat => "a decimal number",
        ValType::VFloat => "a list of numbers such as [1, 2.5]",
        ValType::Default | ValType::String => "UTF-8 text",
        ValType::Binary | ValType::Password | ValType::Uid | ValType::Object => {
            "another type: text does not become this one"
        }
    }
}

impl Value {
    /// Reads text, as it stands in N-Quads, JSON strings and queries, as a value of type `to`. Text for a password is
    /// hashed ([`Value::hash_password`]). Blanks around numbers are refused.
    ///
    /// # Errors
    /// When the text does not stand for such a value; edges and objects have no text.
    pub fn parse(to: ValType, text: &str) -> Result<Value, ConversionError> {
        let value = match to {
            ValType::Default => Some(Value::Default(text.into())),
            ValType::String => Some(Value::String(text.into())),
            ValType::Binary => Some(Value::Binary(text.into())),
            ValType::Int => text.parse().ok().map(Value::Int),
            ValType::Float => parse_float(text).map(Value::Float),
            ValType::Bool => parse_bool(text).map(Value::Bool),
            ValType::DateTime => DateTime::parse(text).map(Value::DateTime),
            ValType::Geo => Geo::parse(text).map(Value::Geo),
            ValType::Password => return Value::hash_password(text),
            ValType::BigFloat => parse_big(text).map(Value::BigFloat),
            ValType::VFloat => parse_vector(text).map(Value::VFloat),
            ValType::Uid | ValType::Object => None,
        };
        value.ok_or_else(|| ConversionError::unreadable(text, to))
    }

    /// The value as one of type `to`: text and bytes as [`Value::parse`] reads them, floats to ints without their fraction,
    /// bools as 1 and 0, numbers as bools by being other than zero, datetimes as Unix seconds and back, and every value but
    /// passwords as text.
    ///
    /// # Errors
    /// When no value of this type becomes one of the other, or this one does not.
    pub fn convert(&self, to: ValType) -> Result<Value, ConversionError> {
        if self.val_type() == to {
            return Ok(self.clone());
        }
        let incompatible = ConversionError::Incompatible { from: self.val_type(), to };
        match self {
            Value::Default(text) | Value::String(text) => return Value::parse(to, text),
            Value::Binary(bytes) => {
                let text = std::str::from_utf8(bytes);
                let unreadable = |_| ConversionError::unreadable(&String::from_utf8_lossy(bytes), to);
                return Value::parse(to, text.map_err(unreadable)?);
            }
            Value::Password(_) => return Err(incompatible),
            _ => {}
        }
        match to {
            ValType::Default => self.to_text().map(Value::Default).ok_or(incompatible),
            ValType::String => self.to_text().map(Value::String).ok_or(incompatible),
            ValType::Binary => self.to_text().map(|text| Value::Binary(text.into())).ok_or(incompatible),
            _ => self.to_number(to).ok_or_else(|| match (self, to) {
                (Value::Int(_) | Value::Float(_), ValType::DateTime) | (Value::Float(_), ValType::Int) => {
                    ConversionError::unreadable(&self.to_text().unwrap_or_default(), to)
                }
                _ => incompatible,
            }),
        }
    }

    /// The text of the value: shortest numbers (`1.5`, `1E+21`), `true`, RFC 3339, GeoJSON. `None` for passwords, bytes that
    /// are not UTF-8 and shapes with coordinates that are not finite.
    pub fn to_text(&self) -> Option<String> {
        let mut out = String::new();
        match self {
            Value::Default(text) | Value::String(text) | Value::BigFloat(text) => out.push_str(text),
            Value::Binary(bytes) => out.push_str(std::str::from_utf8(bytes).ok()?),
            Value::Int(n) => out = n.to_string(),
            Value::Float(n) => write_float(*n, 'E', &mut out),
            Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Value::DateTime(at) => out = at.to_string(),
            Value::Geo(geo) => return geo.write_geojson(&mut out).then_some(out),
            Value::VFloat(numbers) => json::write_vector(numbers, &mut out),
            Value::Password(_) => return None,
        }
        Some(out)
    }

    /// From numbers, bools and datetimes to each other.
    fn to_number(&self, to: ValType) -> Option<Value> {
        Some(match (self, to) {
            (Value::Int(n), ValType::Float) => Value::Float(*n as f64),
            (Value::Int(n), ValType::Bool) => Value::Bool(*n != 0),
            (Value::Int(n), ValType::DateTime) => Value::DateTime(DateTime::from_unix(*n, 0)?),
            (Value::Int(n), ValType::BigFloat) => Value::BigFloat(n.to_string()),
            (Value::Float(n), ValType::Int) => Value::Int(whole(*n)?),
            (Value::Float(n), ValType::Bool) => Value::Bool(*n != 0.0),
            (Value::Float(n), ValType::DateTime) => Value::DateTime(instant(*n)?),
            (Value::Float(n), ValType::BigFloat) if n.is_finite() => Value::BigFloat(self.to_text()?.replace('E', "e")),
            (Value::Bool(b), ValType::Int) => Value::Int(i64::from(*b)),
            (Value::Bool(b), ValType::Float) => Value::Float(f64::from(u8::from(*b))),
            (Value::DateTime(at), ValType::Int) => Value::Int(at.unix_seconds()),
            (Value::DateTime(at), ValType::Float) => {
                Value::Float(at.unix_seconds() as f64 + f64::from(at.nanos()) / 1e9)
            }
            (Value::BigFloat(text), ValType::Float) => Value::Float(parse_float(text)?),
            (Value::BigFloat(text), ValType::Int) => Value::Int(whole(parse_float(text)?)?),
            _ => return None,
        })
    }
}

/// A float without its fraction, if that is an int64.
fn whole(n: f64) -> Option<i64> {
    const END: f64 = 9_223_372_036_854_775_808.0; // 2^63
    (-END..END).contains(&n).then_some(n as i64)
}

fn instant(unix: f64) -> Option<DateTime> {
    let seconds = whole(unix.floor())?;
    let nanos = ((unix - unix.floor()) * 1e9) as u32;
    DateTime::from_unix(seconds, nanos.min(999_999_999))
}

fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// Kept as written: we compute nothing with the digits that a double has no room for.
fn parse_big(text: &str) -> Option<String> {
    let decimal = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'));
    (decimal && text.parse::<f64>().is_ok()).then(|| text.to_owned())
}

fn parse_vector(text: &str) -> Option<Vec<f32>> {
    let inner = text.trim().strip_prefix('[')?.strip_suffix(']')?.trim();
    if inner.is_empty() {
        return Some(Vec::new());
    }
    let numbers = inner.split(',').map(|n| n.trim().parse::<f32>().ok().filter(|n| n.is_finite()));
    numbers.collect()
}
