//! The endpoints of Dgraph's HTTP clients.

mod alter;
mod assign;
mod commit;
mod health;
mod keywords;
mod login;
mod mutate;
mod query;

use std::time::Instant;

use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Map, Value, json};

pub(crate) use alter::alter;
pub(crate) use assign::{assign, hand_out};
pub(crate) use commit::commit;
pub(crate) use health::{health, healthz, probe, state};
pub(crate) use keywords::keywords;
pub(crate) use login::login;
pub(crate) use mutate::mutate;
pub(crate) use query::query;

use crate::body;
use crate::reply::{Code, Failure};

/// The head and the body of a request that must be POST or PUT.
fn posted(request: Request) -> Result<(Parts, Body), Failure> {
    let (parts, body) = request.into_parts();
    if matches!(parts.method, Method::POST | Method::PUT) {
        return Ok((parts, body));
    }
    let refused = Failure::refused(Code::InvalidMethod, "Invalid method: this endpoint takes POST and PUT");
    Err(refused.with_status(StatusCode::BAD_REQUEST))
}

async fn read_text(parts: &Parts, body: Body, limit: usize) -> Result<String, Failure> {
    let bytes = body::read(&parts.headers, body, limit).await?;
    text_of(bytes)
}

fn text_of(bytes: Bytes) -> Result<String, Failure> {
    String::from_utf8(bytes.into()).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::request(format!("the body is not UTF-8 text (byte {at})"))
    })
}

/// Where the time of a request went, for `extensions.server_latency`.
struct Stopwatch {
    started_at: Instant,
    parts: Map<String, Value>,
}

impl Stopwatch {
    fn start() -> Stopwatch {
        Stopwatch { started_at: Instant::now(), parts: Map::new() }
    }

    /// Notes how long the part that began at `since` took.
    fn note(&mut self, part: &str, since: Instant) {
        self.parts.insert(part.to_owned(), nanos(since));
    }

    fn latency(mut self) -> Value {
        self.parts.insert("total_ns".into(), nanos(self.started_at));
        Value::Object(self.parts)
    }
}

fn nanos(since: Instant) -> Value {
    json!(u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX))
}

/// Says how many nodes a request looked at.
fn with_touched(mut response: Response, touched: u64) -> Response {
    response.headers_mut().insert("dgraph-toucheduids", HeaderValue::from(touched));
    response
}
