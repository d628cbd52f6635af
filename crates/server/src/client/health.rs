use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::app::{App, params_of};
use crate::membership::{Membership, health_json, state_json};
use crate::reply::{Code, Failure, json_text, text};

/// `/health`: whether this node takes requests; `?live` whether it runs; `?all` the whole cluster, which is this node.
pub(crate) async fn health(State(app): State<App>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let params = params_of(&parts);
    let all = params.has("all");
    match app.client_store() {
        Err(failure) if !all && !params.has("live") => {
            text(StatusCode::SERVICE_UNAVAILABLE, failure.message().to_owned())
        }
        _ => json_text(health_json(&app, all).to_string()),
    }
}

/// `/healthz`: whether the process should be left running, for containers that are started anew when it is not. So a node that keeps
/// clients out, or that exchanges its store, is well: ending it then would help nobody. `/health` says whether it takes requests.
pub(crate) async fn healthz(State(app): State<App>) -> Response {
    if app.node.is_alive() {
        text(StatusCode::OK, "ok\n")
    } else {
        text(StatusCode::SERVICE_UNAVAILABLE, "the node is closing, or has no store\n")
    }
}

/// `/state`: groups, members, tablets and leases.
pub(crate) async fn state(State(app): State<App>) -> Result<Response, Failure> {
    let membership = Membership::of(&app).map_err(|failure| failure.into_refused(Code::Error))?;
    Ok(json_text(state_json(&membership).to_string()))
}

/// `/probe/graphql`: whether GraphQL is served, for clients that wait for it.
pub(crate) async fn probe() -> Response {
    json_text(r#"{"status":"up","schemaUpdateCounter":0}"#)
}
