use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use graphdb_query::exec::{self, QueryAnswer, QueryRequest};
use graphdb_storage::{Store, View};
use graphdb_types::Ts;
use serde_json::{Value, json};

use super::{Stopwatch, posted, read_text, with_touched};
use crate::app::{App, blocking, params_of};
use crate::body;
use crate::limits::MAX_QUERY_BODY_BYTES;
use crate::params::Params;
use crate::reply::{Failure, json_text};

/// `/query`: runs DQL.
pub(crate) async fn query(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, body) = posted(request)?;
    let question = Question::of(&parts, body).await?;
    let _turn = app.turn().await;
    let store = app.client_store()?;
    app.metrics.queries.add(1);
    let _pending = app.metrics.pending_queries.enter();
    let limit = question.options.timeout;
    let answer = blocking(move || answer(&store, &question));
    let over = || Err(Failure::execution("context deadline exceeded"));
    match limit {
        None => answer.await,
        Some(Duration::ZERO) => over(),
        // The thread goes on to its end; the client no longer waits for it.
        Some(limit) => tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| over()),
    }
}

struct Question {
    text: String,
    variables: BTreeMap<String, String>,
    options: Options,
}

struct Options {
    start_ts: Ts,
    read_only: bool,
    debug: bool,
    timeout: Option<Duration>,
}

impl Question {
    async fn of(parts: &Parts, body: axum::body::Body) -> Result<Question, Failure> {
        let options = Options::of(&params_of(parts))?;
        let media_type = body::media_type(&parts.headers)?;
        if !matches!(media_type.as_str(), "application/dql" | "application/graphql+-" | "application/json") {
            let message = "Unsupported Content-Type. Supported content types are application/json, application/graphql+-, application/dql";
            return Err(Failure::request(message));
        }
        let text = read_text(parts, body, MAX_QUERY_BODY_BYTES).await?;
        let (text, variables) =
            if media_type == "application/json" { read_json(&text)? } else { (text, BTreeMap::new()) };
        Ok(Question { text, variables, options })
    }
}

impl Options {
    fn of(params: &Params) -> Result<Options, Failure> {
        match params.get("respFormat") {
            None | Some("" | "json") => {}
            Some("rdf") => {
                return Err(Failure::request("respFormat rdf is not supported by this version; leave it out for JSON"));
            }
            Some(other) => return Err(Failure::request(format!("invalid value [{other}] for parameter respFormat"))),
        }
        let read_only = params.flag("ro")? | params.flag("be")?;
        let timeout = params.duration("timeout")?;
        Ok(Options { start_ts: Ts(params.number("startTs")?), read_only, debug: params.flag("debug")?, timeout })
    }
}

/// `{"query": …, "variables": {…}}`
fn read_json(text: &str) -> Result<(String, BTreeMap<String, String>), Failure> {
    let json = parse_json(text)?;
    let Value::Object(mut members) = json else {
        return Err(Failure::request("a query as JSON is an object with query and variables"));
    };
    let query = match members.remove("query") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(query)) => query,
        Some(_) => return Err(Failure::request("query is a string")),
    };
    let mut variables = BTreeMap::new();
    match members.remove("variables") {
        None | Some(Value::Null) => {}
        Some(Value::Object(members)) => {
            for (name, value) in members {
                let Value::String(value) = value else {
                    return Err(Failure::request(format!("variable {name} must be a string")));
                };
                variables.insert(name, value);
            }
        }
        Some(_) => return Err(Failure::request("variables is an object of strings")),
    }
    Ok((query, variables))
}

pub(super) fn parse_json(text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text).map_err(|error| {
        Failure::request(format!("Error parsing JSON at line {}, character {}: {error}", error.line(), error.column()))
    })
}

fn answer(store: &Arc<Store>, question: &Question) -> Result<Response, Failure> {
    let mut stopwatch = Stopwatch::start();
    if question.text.trim().is_empty() {
        return Err(Failure::execution("empty request"));
    }
    let begin = Instant::now();
    let (start_ts, view) = open_view(store, &question.options)?;
    stopwatch.note("assign_timestamp_ns", begin);
    let begin = Instant::now();
    let request = QueryRequest { text: &question.text, variables: &question.variables, debug: question.options.debug };
    let answer = exec::run(&view, &request).map_err(Failure::execution)?;
    stopwatch.note("processing_ns", begin);
    Ok(respond(&answer, start_ts, stopwatch))
}

fn open_view(store: &Arc<Store>, options: &Options) -> Result<(Ts, View), Failure> {
    let (start_ts, view) = match (options.start_ts, options.read_only) {
        (Ts(0), true) => {
            let read_ts = store.read_ts();
            (read_ts, store.view(read_ts))
        }
        (Ts(0), false) => {
            let start_ts = store.begin().map_err(Failure::execution)?;
            (start_ts, store.view(start_ts))
        }
        (start_ts, _) => (start_ts, store.view_for(start_ts)),
    };
    Ok((start_ts, view.map_err(Failure::execution)?))
}

fn respond(answer: &QueryAnswer, start_ts: Ts, stopwatch: Stopwatch) -> Response {
    let extensions = json!({
        "server_latency": stopwatch.latency(),
        "txn": {"start_ts": start_ts.0},
        "metrics": {"num_uids": answer.metrics},
    });
    let touched = answer.metrics.get("_total").copied().unwrap_or_default();
    with_touched(json_text(format!(r#"{{"data":{},"extensions":{extensions}}}"#, answer.data)), touched)
}
