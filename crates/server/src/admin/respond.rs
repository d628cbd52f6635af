//! The answer to a GraphQL request as JSON: `errors` when there are any, then `data` when execution began.

use async_graphql::{PathSegment, Pos, Response, ServerError};
use axum::response::Response as HttpResponse;
use serde_json::{Map, Value, json};

use super::access::{Call, NotExecuted};
use super::document::Measure;
use crate::reply::json_text;

/// An answer to a request that was not executed.
pub(crate) fn refused(error: &ServerError) -> HttpResponse {
    tracing::debug!(message = error.message, "admin request refused");
    json_text(json!({"errors": [error_json(error)]}).to_string())
}

/// An answer to a request that could not be read.
pub(crate) fn unread(message: impl Into<String>) -> HttpResponse {
    refused(&ServerError::new(message, None))
}

/// The answer to a request that was handed to the schema.
pub(crate) fn answer(response: Response, call: &Call, measure: &Measure) -> HttpResponse {
    let mut body = Map::new();
    if !response.errors.is_empty() {
        body.insert("errors".into(), response.errors.iter().map(error_json).collect());
    }
    if call.has_started() {
        body.insert("data".into(), data_json(&response, measure));
    }
    json_text(Value::Object(body).to_string())
}

/// The root's fields in the order they were asked for: fields run side by side end in any order, and one that failed is null. A mutation
/// that was not executed is absent.
fn data_json(response: &Response, measure: &Measure) -> Value {
    let mut found = match serde_json::to_value(&response.data) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    };
    let failed = |key: &str| {
        let at_key = |error: &&ServerError| matches!(error.path.as_slice(), [PathSegment::Field(name)] if name == key);
        response.errors.iter().filter(at_key).any(|error| error.source::<NotExecuted>().is_none())
    };
    let mut data = Map::new();
    for key in &measure.root_keys {
        match found.remove(key.as_str()) {
            Some(value) => _ = data.insert(key.to_string(), value),
            None if failed(key) => _ = data.insert(key.to_string(), Value::Null),
            None => {}
        }
    }
    Value::Object(data)
}

/// Failures of fields have no path, as clients know them; only what was not executed says where.
fn error_json(error: &ServerError) -> Value {
    let mut json = Map::new();
    json.insert("message".into(), json!(error.message));
    if error.source::<NotExecuted>().is_some() {
        json.insert("path".into(), json!(error.path));
    } else if !error.locations.is_empty() {
        let locations: Vec<Value> =
            error.locations.iter().map(|Pos { line, column }| json!({"line": line, "column": column})).collect();
        json.insert("locations".into(), Value::Array(locations));
    }
    Value::Object(json)
}
