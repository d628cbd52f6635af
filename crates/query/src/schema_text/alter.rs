//! The body of `/alter`: an operation as JSON, or else schema text.

use super::{ParsedSchema, SchemaError, parse_schema};
use crate::json::text::{Json, Kind};

/// What a body asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlterOp {
    /// Create or replace what the schema names.
    Schema(ParsedSchema),
    /// Drop data, schema and types.
    DropAll,
    /// Drop data; schema and types stay.
    DropData,
    /// Drop a predicate's data and schema.
    DropAttr(String),
    /// Drop a type; the nodes that have it stay.
    DropType(String),
    /// An operation without a field: to be refused.
    Nothing,
}

/// A whole request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterRequest {
    /// What is asked for.
    pub op: AlterOp,
    /// Whether the client does not want to wait for indexes.
    pub run_in_background: bool,
}

/// A body that is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlterError {
    /// The schema text in it.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The body was taken for schema text, since as JSON it is no operation.
    #[error("{schema} (nor is it an operation as JSON: {json})")]
    NeitherSchemaNorOperation {
        /// What is wrong with it as schema text.
        schema: SchemaError,
        /// What is wrong with it as JSON.
        json: String,
    },
    /// Bytes that are not text.
    #[error("the body is not UTF-8 text (byte {at})")]
    NotText {
        /// The first byte that is wrong, from 0.
        at: usize,
    },
    /// A drop without its name, or with a name it does not take.
    #[error("{0}")]
    DropValue(&'static str),
    /// A predicate or type of the database itself.
    #[error("{name} is pre-defined and is not allowed to be dropped")]
    Predefined {
        /// `predicate` or `type`, and its name.
        name: String,
    },
}

impl AlterRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// A body that is neither an operation nor schema text, and an operation whose parts do not go together.
    pub fn parse(body: &[u8]) -> Result<AlterRequest, AlterError> {
        let text = std::str::from_utf8(body).map_err(|e| AlterError::NotText { at: e.valid_up_to() })?;
        match Operation::from_json(text) {
            Ok(operation) => {
                Ok(AlterRequest { run_in_background: operation.run_in_background, op: operation.into_op()? })
            }
            Err(json) => Ok(AlterRequest { op: schema_op(text, &json)?, run_in_background: false }),
        }
    }
}

fn schema_op(text: &str, json: &str) -> Result<AlterOp, AlterError> {
    if text.is_empty() {
        return Ok(AlterOp::Nothing);
    }
    let looks_like_json = text.trim_start().starts_with('{');
    parse_schema(text).map(AlterOp::Schema).map_err(|schema| match looks_like_json {
        true => AlterError::NeitherSchemaNorOperation { schema, json: json.to_owned() },
        false => AlterError::Schema(schema),
    })
}

/// The message `Operation`, as it comes in JSON.
#[derive(Default)]
struct Operation {
    schema: String,
    drop_attr: String,
    drop_all: bool,
    drop_op: DropKind,
    drop_value: String,
    run_in_background: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum DropKind {
    #[default]
    None,
    All,
    Data,
    Attr,
    Type,
}

impl Operation {
    /// Reads the message by the rules of protobuf's JSON: names in either case, `null` for absent, no member twice.
    fn from_json(text: &str) -> Result<Operation, String> {
        let json = Json::parse(text).map_err(|fault| fault.message)?;
        let Kind::Object(members) = &json.kind else { return Err("not an object".into()) };
        let mut operation = Operation::default();
        for (key, value) in members {
            operation.set(key, value)?;
        }
        Ok(operation)
    }

    fn set(&mut self, key: &str, value: &Json<'_>) -> Result<(), String> {
        let wrong = || format!("{key} cannot be {}", value.raw);
        match (snake_case(key)?, &value.kind) {
            (_, Kind::Null) => {}
            ("schema", Kind::String(text)) => self.schema = text.to_string(),
            ("drop_attr", Kind::String(text)) => self.drop_attr = text.to_string(),
            ("drop_value", Kind::String(text)) => self.drop_value = text.to_string(),
            ("drop_all", Kind::Bool(flag)) => self.drop_all = *flag,
            ("run_in_background", Kind::Bool(flag)) => self.run_in_background = *flag,
            ("drop_op", Kind::String(name)) => self.drop_op = DropKind::named(name).ok_or_else(wrong)?,
            ("drop_op", Kind::Number) => self.drop_op = DropKind::numbered(value.raw).ok_or_else(wrong)?,
            _ => return Err(wrong()),
        }
        Ok(())
    }

    fn into_op(self) -> Result<AlterOp, AlterError> {
        let needs_value = matches!(self.drop_op, DropKind::Attr | DropKind::Type);
        let takes_none = matches!(self.drop_op, DropKind::All | DropKind::Data);
        if needs_value && self.drop_value.is_empty() {
            return Err(AlterError::DropValue("dropping a predicate or a type needs its name in drop_value"));
        }
        if takes_none && !self.drop_value.is_empty() {
            return Err(AlterError::DropValue("drop_op ALL and DATA take no drop_value; ATTR and TYPE do"));
        }
        if self.drop_all || self.drop_op == DropKind::All {
            Ok(AlterOp::DropAll)
        } else if self.drop_op == DropKind::Data {
            Ok(AlterOp::DropData)
        } else if !self.drop_attr.is_empty() {
            unless_predefined("predicate", self.drop_attr).map(AlterOp::DropAttr)
        } else if self.drop_op == DropKind::Attr {
            unless_predefined("predicate", self.drop_value).map(AlterOp::DropAttr)
        } else if self.drop_op == DropKind::Type {
            unless_predefined("type", self.drop_value).map(AlterOp::DropType)
        } else if self.schema.is_empty() {
            Ok(AlterOp::Nothing)
        } else {
            Ok(AlterOp::Schema(parse_schema(&self.schema)?))
        }
    }
}

/// The name of a member in snake case; both cases are taken.
fn snake_case(key: &str) -> Result<&'static str, String> {
    const MEMBERS: [(&str, &str); 6] = [
        ("schema", "schema"),
        ("drop_attr", "dropAttr"),
        ("drop_all", "dropAll"),
        ("drop_op", "dropOp"),
        ("drop_value", "dropValue"),
        ("run_in_background", "runInBackground"),
    ];
    let found = MEMBERS.iter().find(|(snake, camel)| key == *snake || key == *camel);
    found.map(|(snake, _)| *snake).ok_or_else(|| format!("there is no member {key}"))
}

fn unless_predefined(what: &str, name: String) -> Result<String, AlterError> {
    if graphdb_types::Predicate::root(&name).is_reserved() {
        Err(AlterError::Predefined { name: format!("{what} {name}") })
    } else {
        Ok(name)
    }
}

impl DropKind {
    fn named(name: &str) -> Option<DropKind> {
        Some(match name {
            "NONE" => DropKind::None,
            "ALL" => DropKind::All,
            "DATA" => DropKind::Data,
            "ATTR" => DropKind::Attr,
            "TYPE" => DropKind::Type,
            _ => return None,
        })
    }

    fn numbered(number: &str) -> Option<DropKind> {
        Some(match number {
            "0" => DropKind::None,
            "1" => DropKind::All,
            "2" => DropKind::Data,
            "3" => DropKind::Attr,
            "4" => DropKind::Type,
            _ => return None,
        })
    }
}
