use axum::extract::{Request, State};
use axum::response::Response;
use graphdb_types::Ts;
use serde_json::{Value, json};

use super::query::parse_json;
use super::{posted, read_text};
use crate::app::{App, blocking, params_of};
use crate::limits::MAX_BODY_BYTES;
use crate::reply::{Code, Failure, json_text, success};

/// `/commit`: ends a transaction; with `abort=true` without its writes.
pub(crate) async fn commit(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, body) = posted(request)?;
    let params = params_of(&parts);
    let (start_ts, abort) = (Ts(params.number("startTs")?), params.flag("abort")?);
    if start_ts == Ts(0) {
        return Err(Failure::request("startTs parameter is mandatory while trying to commit"));
    }
    let store = app.client_store().map_err(|failure| failure.into_refused(Code::InvalidRequest))?;
    if abort {
        app.metrics.discards.add(1);
        let aborted = blocking(move || Ok(store.abort(start_ts))).await?;
        return if aborted { Ok(success("Done")) } else { Err(Failure::request("transaction could not be aborted")) };
    }
    let keys = read_keys(&read_text(&parts, body, MAX_BODY_BYTES).await?)?;
    let outcome = blocking(move || store.commit(start_ts, &keys).map_err(Failure::execution)).await;
    app.metrics.finished(outcome.is_ok());
    let outcome = outcome.map_err(|failure| failure.into_refused(Code::InvalidRequest))?;
    let txn = json!({"start_ts": outcome.start_ts.0, "commit_ts": outcome.commit_ts.0});
    Ok(json_text(format!(r#"{{"data":{{"code":"Success","message":"Done"}},"extensions":{{"txn":{txn}}}}}"#)))
}

/// The conflict keys a client carries along: a list, or the member `keys`. The store knows those of its own transactions too.
fn read_keys(body: &str) -> Result<Vec<String>, Failure> {
    let keys = match parse_json(body)? {
        Value::Object(mut members) => members.remove("keys").unwrap_or(Value::Null),
        other => other,
    };
    let wrong = || Failure::request("the body of a commit is a list of keys, or an object with keys and preds");
    match keys {
        Value::Null => Ok(Vec::new()),
        Value::Array(keys) => {
            keys.into_iter().map(|key| if let Value::String(key) = key { Ok(key) } else { Err(wrong()) }).collect()
        }
        _ => Err(wrong()),
    }
}
