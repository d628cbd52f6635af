use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::Value;

use super::query::parse_json;
use super::{posted, read_text};
use crate::app::App;
use crate::limits::MAX_BODY_BYTES;
use crate::reply::Failure;

/// `/login`: there are no users, so no password is right. What Dgraph answers while access control is off.
pub(crate) async fn login(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, body) = posted(request)?;
    let body = read_text(&parts, body, MAX_BODY_BYTES).await?;
    app.client_store()?;
    match parse_json(&body) {
        Ok(Value::Object(_)) => Err(Failure::execution("invalid username or password")),
        Ok(_) => Err(Failure::request("a login is an object with userid and password, or refresh_token")),
        Err(failure) => Err(failure),
    }
}
