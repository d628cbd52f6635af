use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::response::Response;
use graphdb_query::exec::{self, QueryRequest};
use graphdb_query::mutation::{self, MutationRequest, ResolvedMutation, Statements, UnknownPredicates, Variables};
use graphdb_storage::{Alter, Error, SchemaChange, Store, View};
use graphdb_types::Ts;
use serde_json::{Map, Value, json};

use super::{Stopwatch, posted, read_text};
use crate::app::{App, blocking, params_of};
use crate::body;
use crate::limits::MAX_MUTATION_BODY_BYTES;
use crate::metrics::Metrics;
use crate::reply::{Failure, json_text};

/// `/mutate`: writes N-Quads or JSON in a transaction, and commits it if asked to.
pub(crate) async fn mutate(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, body) = posted(request)?;
    let params = params_of(&parts);
    let (start_ts, commit_now) = (Ts(params.number("startTs")?), params.flag("commitNow")?);
    let media_type = body::media_type(&parts.headers)?;
    let is_json = match media_type.as_str() {
        "application/json" => true,
        "application/rdf" => false,
        _ => {
            return Err(Failure::request(
                "Unsupported Content-Type. Supported content types are application/json, application/rdf",
            ));
        }
    };
    let text = read_text(&parts, body, MAX_MUTATION_BODY_BYTES).await?;
    let _turn = app.turn().await;
    let store = app.client_store()?;
    app.metrics.mutations.add(1);
    let _active = app.metrics.active_mutations.enter();
    let (written, latency) = {
        let app = app.clone();
        blocking(move || run(&store, &text, is_json, start_ts, commit_now, &app.metrics)).await?
    };
    Ok(respond(written, latency))
}

/// What a mutation did, for its answer.
#[derive(Default)]
struct Written {
    /// JSON text of what the query of the request found.
    queries: Option<String>,
    uids: Value,
    txn: Map<String, Value>,
}

fn run(
    store: &Arc<Store>,
    text: &str,
    is_json: bool,
    start_ts: Ts,
    commit_now: bool,
    metrics: &Metrics,
) -> Result<(Written, Value), Failure> {
    let mut stopwatch = Stopwatch::start();
    let begin = Instant::now();
    let request = if is_json { MutationRequest::from_json(text) } else { MutationRequest::from_rdf(text) };
    let request = request.map_err(|error| Failure::request(error.to_string()))?;
    stopwatch.note("parsing_ns", begin);
    if request.is_empty() {
        return Err(Failure::execution("empty request"));
    }
    let begin = Instant::now();
    let start_ts = if start_ts == Ts(0) { store.begin().map_err(Failure::execution)? } else { start_ts };
    stopwatch.note("assign_timestamp_ns", begin);
    let begin = Instant::now();
    let written = match &request.query {
        Some(query) if request.mutations.is_empty() => look(store, query, start_ts)?,
        _ => write(store, &request, start_ts, commit_now, metrics)?,
    };
    stopwatch.note("processing_ns", begin);
    Ok((written, stopwatch.latency()))
}

/// A request that only queries.
fn look(store: &Arc<Store>, query: &str, start_ts: Ts) -> Result<Written, Failure> {
    let view = store.view_for(start_ts).map_err(Failure::execution)?;
    let answer = exec::run(&view, &QueryRequest { text: query, variables: &BTreeMap::new(), debug: false })
        .map_err(Failure::execution)?;
    let txn = Map::from_iter([("start_ts".to_owned(), json!(start_ts.0))]);
    Ok(Written { queries: Some(answer.data), uids: Value::Null, txn })
}

/// Writes the statements. If a request that also commits fails, its transaction is over.
fn write(
    store: &Arc<Store>,
    request: &MutationRequest<'_>,
    start_ts: Ts,
    commit_now: bool,
    metrics: &Metrics,
) -> Result<Written, Failure> {
    let written = resolve(store, request, start_ts).and_then(|(resolved, queries)| {
        metrics.edges.add(resolved.edges.len() as u64);
        Ok(Written { queries, ..put(store, resolved, start_ts, commit_now)? })
    });
    if commit_now {
        if written.is_err() {
            store.abort(start_ts);
        }
        metrics.finished(written.is_ok());
    }
    written
}

/// The statements made ready, and what the query of an upsert found.
fn resolve(
    store: &Arc<Store>,
    request: &MutationRequest<'_>,
    start_ts: Ts,
) -> Result<(ResolvedMutation, Option<String>), Failure> {
    let statements = request.statements().map_err(Failure::execution)?;
    let view = store.view_for(start_ts).map_err(Failure::execution)?;
    let (statements, queries) = match &request.query {
        None => (statements, None),
        Some(query) => upsert(&view, query, &statements)?,
    };
    let resolved = mutation::resolve(store, &view, &statements, UnknownPredicates::Create);
    Ok((resolved.map_err(Failure::execution)?, queries))
}

/// The statements whose condition holds, with what the query found in the place of variables; and what it found.
fn upsert<'a>(
    view: &View,
    query: &str,
    statements: &[Statements<'a>],
) -> Result<(Vec<Statements<'a>>, Option<String>), Failure> {
    let request = QueryRequest { text: query, variables: &BTreeMap::new(), debug: false };
    let answer = exec::run_for_upsert(view, &request).map_err(Failure::execution)?;
    let variables = Variables { uids: &answer.uid_variables, values: &answer.value_variables };
    let mut chosen = Vec::with_capacity(statements.len());
    for mutation in statements {
        let holds = mutation.cond.as_ref().filter(|cond| !cond.trim().is_empty());
        let holds = holds.map_or(Ok(true), |cond| exec::condition_holds(cond, &answer)).map_err(Failure::execution)?;
        if holds {
            chosen.push(mutation.substitute(variables).map_err(Failure::execution)?);
        }
    }
    Ok((chosen, Some(answer.data)))
}

fn put(store: &Arc<Store>, resolved: ResolvedMutation, start_ts: Ts, commit_now: bool) -> Result<Written, Failure> {
    if !resolved.new_schema.is_empty() {
        let predicates = resolved.new_schema.into_iter().map(|(predicate, schema)| (predicate, Some(schema))).collect();
        store.alter(Alter::Schema(SchemaChange { predicates, types: Vec::new() })).map_err(Failure::execution)?;
    }
    let uids: Map<String, Value> =
        resolved.uids.into_iter().map(|(name, uid)| (name, json!(format!("{:#x}", uid.0)))).collect();
    let txn = if commit_now { commit(store, start_ts, resolved.edges) } else { add(store, start_ts, resolved.edges) };
    Ok(Written { queries: None, uids: Value::Object(uids), txn: txn.map_err(Failure::execution)? })
}

fn commit(store: &Arc<Store>, start_ts: Ts, edges: Vec<graphdb_storage::Edge>) -> Result<Map<String, Value>, Error> {
    let outcome = store.commit_now(start_ts, edges)?;
    let mut txn = Map::from_iter([
        ("start_ts".to_owned(), json!(start_ts.0)),
        ("commit_ts".to_owned(), json!(outcome.commit_ts.0)),
    ]);
    put_list(&mut txn, "preds", wire_predicates(&outcome.preds));
    Ok(txn)
}

fn add(store: &Arc<Store>, start_ts: Ts, edges: Vec<graphdb_storage::Edge>) -> Result<Map<String, Value>, Error> {
    let info = store.mutate(start_ts, edges)?;
    let mut txn = Map::from_iter([("start_ts".to_owned(), json!(start_ts.0))]);
    put_list(&mut txn, "keys", info.keys);
    put_list(&mut txn, "preds", wire_predicates(&info.preds));
    Ok(txn)
}

fn put_list(txn: &mut Map<String, Value>, name: &str, list: Vec<String>) {
    if !list.is_empty() {
        txn.insert(name.to_owned(), json!(list));
    }
}

/// Predicates as clients carry them: group, namespace, name. There is one group.
fn wire_predicates(names: &[String]) -> Vec<String> {
    names.iter().map(|name| format!("1-0-{name}")).collect()
}

fn respond(written: Written, latency: Value) -> Response {
    let queries = written.queries.as_deref().unwrap_or("null");
    let (uids, extensions) = (written.uids, json!({"server_latency": latency, "txn": written.txn}));
    json_text(format!(
        r#"{{"data":{{"code":"Success","message":"Done","queries":{queries},"uids":{uids}}},"extensions":{extensions}}}"#
    ))
}
