//! Values as the schema wants them (`api-surface`: conversion to the type in the schema).

use graphdb_types::token::tokens;
use graphdb_types::{Predicate, PredicateSchema, Tokenizer, ValType, Value};

use super::MutationError;
use crate::nquad::{Object, Op};

/// The value of a literal or typed object, converted to the predicate's type.
pub(super) fn convert(
    predicate: &Predicate,
    schema: &PredicateSchema,
    object: &Object<'_>,
    op: Op,
) -> Result<Value, MutationError> {
    let name = || predicate.name.to_string();
    let to = schema.value_type;
    if to == ValType::Uid {
        return Err(MutationError::ScalarForNode { predicate: name() });
    }
    let converted = match object {
        Object::Literal { declared: Some(ValType::Password), .. } if to != ValType::Password => {
            return Err(MutationError::PasswordElsewhere { predicate: name() });
        }
        Object::Literal { text, declared: Some(ValType::Password) } if is_password_hash(text) => {
            Ok(Value::Password(text.clone().into_owned()))
        }
        Object::Literal { text, declared: None | Some(ValType::String | ValType::Default) } => Value::parse(to, text),
        Object::Literal { text, declared: Some(declared) } if *declared == to => Value::parse(to, text),
        Object::Literal { text, declared: Some(declared) } => {
            Value::parse(*declared, text).and_then(|value| value.convert(to))
        }
        Object::Value(value) => value.convert(to),
        Object::Node(_) | Object::ValVar(_) | Object::Star => {
            return Err(MutationError::NodeForScalar { predicate: name() });
        }
    };
    let value = converted.map_err(|source| MutationError::Value { predicate: name(), source })?;
    if op == Op::Set && schema.tokenizers.contains(&Tokenizer::Geo) {
        tokens(Tokenizer::Geo, &value, "").map_err(|source| MutationError::Index { predicate: name(), source })?;
    }
    Ok(value)
}

/// Whether text is a password's hash, as exports have it, which must not be hashed again: `$2a$`, two digits of cost, `$`, and 53 letters
/// of bcrypt's alphabet.
pub fn is_password_hash(text: &str) -> bool {
    let mut parts = text.split('$');
    let version = |part: &str| matches!(part, "2a" | "2b" | "2x" | "2y");
    let cost = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    let letters = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'/'));
    parts.next() == Some("")
        && parts.next().is_some_and(version)
        && parts.next().is_some_and(cost)
        && parts.next().is_some_and(|part| part.len() == 53 && letters(part))
        && parts.next().is_none()
}

/// Whether no given value equals a stored one: passwords are hashed with salt, so only a star deletes them.
pub(super) fn is_never_equal(schema: &PredicateSchema) -> bool {
    schema.value_type == ValType::Password
}
