//! Scalars that GraphQL does not have.

use std::time::SystemTime;

use async_graphql::{InputValueError, InputValueResult, Number, Scalar, ScalarType, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A whole number from 0 to 2^64-1. Answers hold it as a JSON number; arguments may be numbers or decimal text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UInt64(pub(crate) u64);

/// A whole number from 0 to 2^64-1. Answers hold it as a JSON number, also above 2^53; an argument may be a number or its decimal digits
/// as a string.
#[Scalar(name = "UInt64")]
impl ScalarType for UInt64 {
    fn parse(value: Value) -> InputValueResult<UInt64> {
        let number = match &value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        number
            .map(UInt64)
            .ok_or_else(|| InputValueError::custom(format!("{value} is not a whole number from 0 to 2^64-1")))
    }

    fn to_value(&self) -> Value {
        Value::Number(Number::from(self.0))
    }
}

/// A whole number from -2^63 to 2^63-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Int64(pub(crate) i64);

/// A whole number from -2^63 to 2^63-1. Answers hold it as a JSON number; an argument may be a number or its decimal digits as a string.
#[Scalar(name = "Int64")]
impl ScalarType for Int64 {
    fn parse(value: Value) -> InputValueResult<Int64> {
        let number = match &value {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        number
            .map(Int64)
            .ok_or_else(|| InputValueError::custom(format!("{value} is not a whole number from -2^63 to 2^63-1")))
    }

    fn to_value(&self) -> Value {
        Value::Number(Number::from(self.0))
    }
}

/// An instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DateTime(pub(crate) SystemTime);

/// An instant as RFC 3339 text, as in 2026-01-04T22:47:57Z.
#[Scalar(name = "DateTime")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<DateTime> {
        let Value::String(text) = &value else { return Err(InputValueError::expected_type(value)) };
        let instant = OffsetDateTime::parse(text, &Rfc3339).map_err(InputValueError::custom)?;
        Ok(DateTime(instant.into()))
    }

    fn to_value(&self) -> Value {
        let instant = OffsetDateTime::from(self.0).replace_nanosecond(0).expect("0 is a nanosecond");
        instant.format(&Rfc3339).map_or(Value::Null, Value::String)
    }
}
