//! The operations that older scripts call without GraphQL.

use axum::extract::{Request, State};
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use graphdb_backup::{BackupRequest, BackupTerms, Credentials, LocationRequest};
use serde_json::json;

use super::mutations::run_backup;
use crate::app::{App, params_of};
use crate::body;
use crate::engine;
use crate::guard;
use crate::limits::MAX_ADMIN_BODY_BYTES;
use crate::params::Params;
use crate::reply::{Code, Failure, json_text, success};

/// `POST /admin/backup` with a form: `destination`, `force_full` and credentials.
pub(crate) async fn backup_form(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    guard::check(&app, &parts)?;
    if parts.method != Method::POST {
        return Err(Failure::refused(Code::InvalidMethod, "Invalid method: send the form with POST"));
    }
    let form = body::read(&parts.headers, body, MAX_ADMIN_BODY_BYTES).await?;
    let (form, url) = (Params::parse(&String::from_utf8_lossy(&form)), params_of(&parts));
    let field = |name| form.get(name).or(url.get(name)).map(str::to_owned);
    let anonymous = form.flag("anonymous")? || url.flag("anonymous")?;
    let destination = LocationRequest {
        location: field("destination"),
        credentials: Credentials::from_fields(
            field("access_key"),
            field("secret_key"),
            field("session_token"),
            Some(anonymous),
        )
        .map_err(|err| Failure::request(err.to_string()))?,
    };
    let terms = BackupTerms { force_full: form.flag("force_full")? || url.flag("force_full")?, compat: None };
    Ok(match run_backup(&app, BackupRequest { destination, terms }).await {
        Ok(done) => success(&engine::completed(&done)),
        // The message and the code change places here, and have done since these scripts were written.
        Err(why) => {
            json_text(json!({"errors": [{"message": "Backup failed.", "extensions": {"code": why}}]}).to_string())
        }
    })
}

/// `POST /admin/draining?enable=true`
pub(crate) async fn draining(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, _) = request.into_parts();
    guard::check(&app, &parts)?;
    if !matches!(parts.method, Method::POST | Method::PUT) {
        return Err(Failure::refused(Code::InvalidMethod, "Invalid method: this endpoint takes POST and PUT"));
    }
    let params = params_of(&parts);
    if params.get("enable").is_none_or(str::is_empty) {
        return Err(Failure::request("parameter enable must be true or false"));
    }
    let enable = params.flag("enable")?;
    app.node.set_draining(enable);
    Ok(success(&format!("draining mode has been set to {enable}")))
}

/// `/admin/shutdown`: lets requests under way finish, then ends the server.
pub(crate) async fn shutdown(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, _) = request.into_parts();
    guard::check(&app, &parts)?;
    if !matches!(parts.method, Method::GET | Method::POST | Method::PUT) {
        return Ok(
            Failure::refused(Code::InvalidMethod, "Invalid method: this endpoint takes GET and POST").into_response()
        );
    }
    app.stop.notify_one();
    Ok(success(SHUTTING_DOWN))
}

/// What everybody who stops the server is told.
pub(crate) const SHUTTING_DOWN: &str = "Server is shutting down";
