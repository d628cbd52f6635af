//! How the client endpoints answer: errors have HTTP status 200 and one of two shapes.

use std::error::Error as StdError;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use graphdb_types::with_causes;
use serde_json::{Value, json};

/// The media type of every JSON answer, without a parameter: clients compare it.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// `extensions.code` of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Error,
    InvalidRequest,
    InvalidMethod,
    Unauthorized,
}

impl Code {
    fn name(self) -> &'static str {
        match self {
            Code::Error => "Error",
            Code::InvalidRequest => "ErrorInvalidRequest",
            Code::InvalidMethod => "ErrorInvalidMethod",
            Code::Unauthorized => "ErrorUnauthorized",
        }
    }
}

/// A request that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    code: Code,
    message: String,
    /// Whether the request was understood and failed when it was executed: such an answer has `"data":null`.
    executed: bool,
}

impl Failure {
    /// A request that could not be understood, or is not allowed.
    pub(crate) fn refused(code: Code, message: impl Into<String>) -> Failure {
        Failure { status: StatusCode::OK, code, message: message.into(), executed: false }
    }

    /// A request that could not be understood.
    pub(crate) fn request(message: impl Into<String>) -> Failure {
        Failure::refused(Code::InvalidRequest, message)
    }

    /// A request that was understood and could not be executed.
    pub(crate) fn execution(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Failure {
        Failure {
            status: StatusCode::OK,
            code: Code::InvalidRequest,
            message: with_causes(error.into().as_ref()),
            executed: true,
        }
    }

    pub(crate) fn with_status(self, status: StatusCode) -> Failure {
        Failure { status, ..self }
    }

    /// The same failure, in the shape of a request that could not be understood.
    pub(crate) fn into_refused(self, code: Code) -> Failure {
        Failure { code, executed: false, ..self }
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        tracing::debug!(code = self.code.name(), message = self.message, "request failed");
        let mut body = json!({"errors": [{"message": self.message, "extensions": {"code": self.code.name()}}]});
        if self.executed {
            body["data"] = Value::Null;
        }
        let mut response = json_text(body.to_string());
        *response.status_mut() = self.status;
        response
    }
}

/// An answer of JSON that is written already.
pub(crate) fn json_text(text: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, JSON)], text.into()).into_response()
}

/// An answer of plain text.
pub(crate) fn text(status: StatusCode, text: impl Into<Body>) -> Response {
    (status, [(header::CONTENT_TYPE, TEXT)], text.into()).into_response()
}

/// `{"data":{"code":"Success","message":"Done"}}`
pub(crate) fn done() -> Response {
    json_text(r#"{"data":{"code":"Success","message":"Done"}}"#)
}

/// `{"code":"Success","message":…}`
pub(crate) fn success(message: &str) -> Response {
    json_text(json!({"code": "Success", "message": message}).to_string())
}

/// What an unknown path answers.
pub(crate) async fn not_found() -> Response {
    text(StatusCode::NOT_FOUND, "404 page not found\n")
}
