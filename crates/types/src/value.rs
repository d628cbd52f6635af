//! Values: their types, their bytes, their text, their order.
//!
//! A value comes from text ([`Value::parse`]) or from stored bytes ([`Value::from_bytes`]), becomes another type by the
//! rules of mutations and queries ([`Value::convert`]), and leaves as bytes ([`Value::put_bytes`]) or as JSON
//! ([`Value::write_json`]). The bytes are those of Dgraph's postings (`archive/FORMAT.md`, binary value forms).

mod convert;
mod datetime;
mod geo;
mod geojson;
pub(crate) mod geometry;
mod json;
mod number;
mod password;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use crate::{Malformed, ValType};

pub use convert::ConversionError;
pub use datetime::DateTime;
pub use geo::{Coord, Geo};
pub use json::write_json_string;
pub use number::{parse_float, write_float};
pub use password::{MAX_PASSWORD_BYTES, MIN_PASSWORD_BYTES};

/// A value of the graph, or of a facet.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text of a predicate without a declared type.
    Default(String),
    /// Raw bytes.
    Binary(Vec<u8>),
    /// A 64-bit integer.
    Int(i64),
    /// A double; infinities are stored but never printed, NaN is refused where values enter.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// An instant with the zone it was given in.
    DateTime(DateTime),
    /// A shape on the globe.
    Geo(Geo),
    /// The bcrypt hash of a password, never the password.
    Password(String),
    /// Text.
    String(String),
    /// A decimal number of 200 bits as the text it is stored in; compared with the precision of a double.
    BigFloat(String),
    /// A vector of single-precision numbers.
    VFloat(Vec<f32>),
}

impl Value {
    /// The type of the value, as postings name it.
    pub fn val_type(&self) -> ValType {
        match self {
            Value::Default(_) => ValType::Default,
            Value::Binary(_) => ValType::Binary,
            Value::Int(_) => ValType::Int,
            Value::Float(_) => ValType::Float,
            Value::Bool(_) => ValType::Bool,
            Value::DateTime(_) => ValType::DateTime,
            Value::Geo(_) => ValType::Geo,
            Value::Password(_) => ValType::Password,
            Value::String(_) => ValType::String,
            Value::BigFloat(_) => ValType::BigFloat,
            Value::VFloat(_) => ValType::VFloat,
        }
    }

    /// The stored bytes of the value.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.put_bytes(&mut out);
        out
    }

    /// Appends the stored bytes of the value; the type stands in the posting, not in them.
    pub fn put_bytes(&self, out: &mut Vec<u8>) {
        match self {
            Value::Default(text) | Value::Password(text) | Value::String(text) | Value::BigFloat(text) => {
                out.extend_from_slice(text.as_bytes());
            }
            Value::Binary(bytes) => out.extend_from_slice(bytes),
            Value::Int(n) => out.extend_from_slice(&n.to_le_bytes()),
            Value::Float(n) => out.extend_from_slice(&n.to_le_bytes()),
            Value::Bool(b) => out.push(u8::from(*b)),
            Value::DateTime(at) => at.put_bytes(out),
            Value::Geo(geo) => geo.put_wkb(out),
            Value::VFloat(numbers) => numbers.iter().for_each(|n| out.extend_from_slice(&n.to_le_bytes())),
        }
    }

    /// Reads the stored bytes of a value.
    ///
    /// # Errors
    /// When the bytes are not of the form that `of` has. Edges (`uid`) and objects are no values and always fail.
    pub fn from_bytes(of: ValType, bytes: &[u8]) -> Result<Value, Malformed> {
        Ok(match of {
            ValType::Default => Value::Default(text(bytes, "text of a default value")?),
            ValType::String => Value::String(text(bytes, "text of a string value")?),
            ValType::Password => Value::Password(text(bytes, "text of a password value")?),
            ValType::BigFloat => Value::BigFloat(text(bytes, "text of a bigfloat value")?),
            ValType::Binary => Value::Binary(bytes.to_vec()),
            ValType::Int => Value::Int(i64::from_le_bytes(eight(bytes, "int value")?)),
            ValType::Float => Value::Float(f64::from_le_bytes(eight(bytes, "float value")?)),
            ValType::Bool => Value::Bool(truth(bytes)?),
            ValType::DateTime => Value::DateTime(DateTime::from_bytes(bytes)?),
            ValType::Geo => Value::Geo(Geo::from_wkb(bytes)?),
            ValType::VFloat => Value::VFloat(vector(bytes)?),
            ValType::Uid => return Err(Malformed { what: "value: its type is uid, which only edges have" }),
            ValType::Object => return Err(Malformed { what: "value: its type is object, which is never stored" }),
        })
    }

    /// The text of a `default`, `string` or `bigfloat` value.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Default(text) | Value::String(text) | Value::BigFloat(text) => Some(text),
            _ => None,
        }
    }

    /// Orders two values of one type: numbers by size, text by bytes, datetimes by instant, false before true. Default
    /// and string compare with each other, and so do ints and floats. `None` for types without an order (geo, binary,
    /// passwords, vectors), for two types that do not compare, and for NaN.
    pub fn compare(&self, other: &Value) -> Option<Ordering> {
        match (self, other) {
            (Value::Default(a) | Value::String(a), Value::Default(b) | Value::String(b)) => Some(a.cmp(b)),
            (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
            (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
            (Value::Int(a), Value::Float(b)) => number::compare_int_float(*a, *b),
            (Value::Float(a), Value::Int(b)) => number::compare_int_float(*b, *a).map(Ordering::reverse),
            (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
            (Value::DateTime(a), Value::DateTime(b)) => Some(a.instant().cmp(&b.instant())),
            (Value::BigFloat(a), Value::BigFloat(b)) => {
                parse_float(a).zip(parse_float(b)).and_then(|(a, b)| a.partial_cmp(&b))
            }
            _ => None,
        }
    }
}

fn text(bytes: &[u8], what: &'static str) -> Result<String, Malformed> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Malformed { what })
}

fn eight(bytes: &[u8], what: &'static str) -> Result<[u8; 8], Malformed> {
    bytes.try_into().map_err(|_| Malformed { what })
}

/// Dgraph's reader takes any byte but 0 for true; ours takes the two bytes that are written.
fn truth(bytes: &[u8]) -> Result<bool, Malformed> {
    match bytes {
        [0] => Ok(false),
        [1] => Ok(true),
        _ => Err(Malformed { what: "bool value" }),
    }
}

fn vector(bytes: &[u8]) -> Result<Vec<f32>, Malformed> {
    let (numbers, rest) = bytes.as_chunks::<4>();
    match rest {
        [] => Ok(numbers.iter().map(|n| f32::from_le_bytes(*n)).collect()),
        _ => Err(Malformed { what: "vector value" }),
    }
}
