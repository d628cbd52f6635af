use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use crate::reply::text;

/// Words that editors of queries offer.
const KEYWORDS: [&str; 60] = [
    "@cascade",
    "@facets",
    "@filter",
    "@if",
    "@normalize",
    "after",
    "allofterms",
    "alloftext",
    "and",
    "anyofterms",
    "anyoftext",
    "as",
    "avg",
    "ceil",
    "cond",
    "contains",
    "count",
    "delete",
    "eq",
    "exact",
    "exp",
    "expand",
    "first",
    "floor",
    "fulltext",
    "func",
    "ge",
    "gt",
    "index",
    "intersects",
    "le",
    "len",
    "ln",
    "logbase",
    "lt",
    "math",
    "max",
    "min",
    "mutation",
    "near",
    "not",
    "offset",
    "or",
    "orderasc",
    "orderdesc",
    "pow",
    "recurse",
    "regexp",
    "reverse",
    "schema",
    "set",
    "since",
    "sqrt",
    "sum",
    "term",
    "tokenizer",
    "type",
    "uid",
    "upsert",
    "within",
];

/// `/ui/keywords`.
pub(crate) async fn keywords() -> Response {
    let keywords: Vec<_> = KEYWORDS.iter().map(|name| json!({"type": "", "name": name})).collect();
    text(StatusCode::OK, json!({"keywords": keywords}).to_string())
}
