use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use graphdb_storage::Leased;
use serde_json::json;

use crate::app::{App, blocking, params_of};
use crate::guard;
use crate::reply::{Code, Failure, json_text};

/// `/assign?what=uids&num=100`: hands out ids, as Dgraph's Zero does.
pub(crate) async fn assign(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, _) = request.into_parts();
    guard::check(&app, &parts)?;
    if parts.method != Method::GET {
        let refused = Failure::refused(Code::InvalidMethod, "Invalid method: this endpoint takes GET");
        return Err(refused.with_status(StatusCode::BAD_REQUEST));
    }
    let params = params_of(&parts);
    let count = params.number("num").map_err(|failure| failure.with_status(StatusCode::BAD_REQUEST))?;
    let kind = match params.get("what").unwrap_or_default() {
        "uids" => Leased::Uid,
        "timestamps" => Leased::Ts,
        "nsids" => Leased::Namespace,
        other => {
            return Err(Failure::refused(
                Code::Error,
                format!("what=[{other}] is not one of uids, timestamps and nsids"),
            ));
        }
    };
    let ids = hand_out(&app, kind, count).await?;
    let read_only = ids.read_only.unwrap_or_default().to_string();
    let (start, end) = (ids.first.unwrap_or_default().to_string(), ids.last.unwrap_or_default().to_string());
    Ok(json_text(json!({"startId": start, "endId": end, "readOnly": read_only}).to_string()))
}

/// Ids that were handed out.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Assigned {
    pub(crate) first: Option<u64>,
    pub(crate) last: Option<u64>,
    /// A timestamp for reading, when none for writing was asked for.
    pub(crate) read_only: Option<u64>,
}

/// Hands out `count` ids; for timestamps, 0 asks for one to read at.
pub(crate) async fn hand_out(app: &App, kind: Leased, count: u64) -> Result<Assigned, Failure> {
    let store = app.store()?;
    let assigned = blocking(move || {
        if kind == Leased::Ts && count == 0 {
            return Ok(Assigned { read_only: Some(store.read_ts().0), ..Assigned::default() });
        }
        let lease = store.lease(kind, count).map_err(Failure::execution)?;
        Ok(Assigned { first: Some(lease.first), last: Some(lease.last), read_only: None })
    });
    assigned.await.map_err(|failure| failure.into_refused(Code::Error))
}
