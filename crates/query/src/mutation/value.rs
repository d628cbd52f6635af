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

/// Whether no given value equals a stored one: passwords are hashed with salt, so only a star deletes them.
pub(super) fn is_never_equal(schema: &PredicateSchema) -> bool {
    schema.value_type == ValType::Password
}
