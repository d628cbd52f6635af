//! GraphQL over HTTP.

use async_graphql::parser::parse_query;
use async_graphql::{Request as GraphQlRequest, ServerError, Variables};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use super::access::Call;
use super::document::{check_readonly, measure, operation, prepare};
use super::graphiql;
use super::respond::{answer, refused, unread};
use crate::app::{App, params_of, peer_of};
use crate::body;
use crate::guard;
use crate::limits::MAX_ADMIN_BODY_BYTES;
use crate::params::Params;
use crate::reply::{Code, Failure};

/// `/admin`: GraphQL by POST, queries and GraphiQL by GET.
pub(crate) async fn endpoint(State(app): State<App>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match parts.method {
        Method::GET | Method::HEAD if asks_for_page(&parts) => return graphiql::page(),
        Method::OPTIONS => {
            return ([(header::ALLOW, HeaderValue::from_static("GET, POST, OPTIONS"))], "").into_response();
        }
        Method::GET | Method::POST => {}
        _ => return Failure::refused(Code::InvalidMethod, "Invalid method: /admin takes GET and POST").into_response(),
    }
    if let Err(failure) =
        guard::check_site(&app, &parts.headers).and_then(|()| guard::check_token(&app, &parts.headers))
    {
        return failure.into_response();
    }
    let question =
        if parts.method == Method::GET { from_url(&params_of(&parts)) } else { from_body(&parts.headers, body).await };
    match question {
        Ok(question) => execute(app, &parts, question).await,
        Err(response) => *response,
    }
}

/// A browser that opens `/admin`.
fn asks_for_page(parts: &Parts) -> bool {
    let accepts = parts.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepts.contains("text/html") && !params_of(parts).has("query")
}

#[derive(Debug, Default)]
struct Question {
    query: String,
    operation_name: Option<String>,
    variables: Map<String, Value>,
}

type Unread = Box<Response>;

fn not_read(message: impl Into<String>) -> Unread {
    Box::new(unread(message))
}

fn from_url(params: &Params) -> Result<Question, Unread> {
    let variables = match params.get("variables").filter(|text| !text.is_empty()) {
        None => Map::new(),
        Some(text) => read_variables(
            serde_json::from_str(text).map_err(|error| not_read(format!("variables are not JSON: {error}")))?,
        )?,
    };
    let operation_name = params.get("operationName").map(str::to_owned);
    Ok(Question { query: params.get("query").unwrap_or_default().to_owned(), operation_name, variables })
}

async fn from_body(headers: &HeaderMap, body: Body) -> Result<Question, Unread> {
    let media_type = body::media_type(headers).unwrap_or_default();
    if !matches!(media_type.as_str(), "application/json" | "application/graphql") {
        return Err(not_read(
            "Unrecognised Content-Type. Please use application/json or application/graphql for GraphQL requests",
        ));
    }
    let bytes =
        body::read(headers, body, MAX_ADMIN_BODY_BYTES).await.map_err(|failure| Box::new(failure.into_response()))?;
    let text =
        std::str::from_utf8(&bytes).map_err(|error| not_read(format!("the request is not UTF-8 text: {error}")))?;
    if media_type == "application/graphql" {
        return Ok(Question { query: text.to_owned(), ..Question::default() });
    }
    read_json(
        serde_json::from_str(text).map_err(|error| not_read(format!("Not a valid GraphQL request body: {error}")))?,
    )
}

fn read_json(body: Value) -> Result<Question, Unread> {
    let Value::Object(mut members) = body else {
        return Err(not_read(
            "Not a valid GraphQL request body: it must be an object; several requests in one body are not accepted",
        ));
    };
    let mut text = |name: &str| match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(not_read(format!("Not a valid GraphQL request body: {name} must be a string"))),
    };
    let (query, operation_name) = (text("query")?, text("operationName")?);
    let variables = read_variables(members.remove("variables").unwrap_or_default())?;
    Ok(Question { query: query.unwrap_or_default(), operation_name, variables })
}

fn read_variables(variables: Value) -> Result<Map<String, Value>, Unread> {
    match variables {
        Value::Null => Ok(Map::new()),
        Value::Object(members) => Ok(members),
        _ => Err(not_read("variables must be an object")),
    }
}

async fn execute(app: App, parts: &Parts, question: Question) -> Response {
    if question.query.trim().is_empty() {
        return unread("no query string supplied in request");
    }
    match try_execute(app, parts, question).await {
        Ok(response) => response,
        Err(error) => refused(&error),
    }
}

async fn try_execute(app: App, parts: &Parts, question: Question) -> Result<Response, ServerError> {
    let text = prepare(&question.query)?;
    let document = parse_query(text.as_ref())?;
    let wanted = operation(&document, question.operation_name.as_deref())?;
    if parts.method == Method::GET {
        check_readonly(wanted)?;
    }
    let measure = measure(&document, wanted)?;
    let call = Call::new(app.clone(), peer_of(parts));
    let mut request = GraphQlRequest::new(text.into_owned())
        .variables(Variables::from_json(Value::Object(question.variables)))
        .data(call.clone());
    request.operation_name = question.operation_name.filter(|name| !name.is_empty());
    request.set_parsed_query(document);
    Ok(answer(app.schema.execute(request).await, &call, &measure))
}
