use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use graphdb_query::mutation::MutationError;
use graphdb_query::schema_text::{AlterOp, AlterRequest, ParsedSchema};
use graphdb_storage::{Alter, Leased, SchemaChange, Store};
use graphdb_types::{DropOp, Predicate};
use tracing::warn;

use super::posted;
use crate::app::{App, blocking, params_of};
use crate::body;
use crate::guard;
use crate::limits::MAX_BODY_BYTES;
use crate::reply::{Code, Failure, done};

/// `/alter`: changes the schema or drops data. The content type does not matter; who asks does. With `exported=true` the schema is taken
/// for one that was exported.
pub(crate) async fn alter(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, body) = posted(request)?;
    guard::check(&app, &parts)?;
    let params = params_of(&parts);
    params.flag("runInBackground")?;
    let exported = params.flag("exported")?;
    let body = body::read(&parts.headers, body, MAX_BODY_BYTES).await?;
    let store = app.client_store().map_err(|failure| failure.into_refused(Code::Error))?;
    blocking(move || apply(&store, &body, exported)).await.map_err(|failure| failure.into_refused(Code::Error))?;
    Ok(done())
}

fn apply(store: &Arc<Store>, body: &[u8], exported: bool) -> Result<(), Failure> {
    let request = AlterRequest::parse(body).map_err(Failure::execution)?;
    let alter = match request.op {
        AlterOp::Schema(parsed) if exported => schema_change(store, parsed.exported(&store.schema()))?,
        AlterOp::Schema(parsed) => schema_change(store, parsed)?,
        AlterOp::DropAll => Alter::Drop(DropOp::All),
        AlterOp::DropData => Alter::Drop(DropOp::Data),
        AlterOp::DropAttr(name) => return drop_predicate(store, Predicate::root(&name)),
        AlterOp::DropType(name) => {
            let types = vec![(Predicate::root(&name), None)];
            Alter::Schema(SchemaChange { predicates: Vec::new(), types })
        }
        AlterOp::Nothing => return Err(Failure::execution("Operation must have at least one field set")),
    };
    store.alter(alter).map_err(Failure::execution)?;
    Ok(())
}

/// Dropping what is not there succeeds and changes nothing.
fn drop_predicate(store: &Arc<Store>, predicate: Predicate) -> Result<(), Failure> {
    if store.schema().predicate(&predicate).is_some() {
        store.alter(Alter::Drop(DropOp::Predicate(predicate))).map_err(Failure::execution)?;
    }
    Ok(())
}

fn schema_change(store: &Arc<Store>, parsed: ParsedSchema) -> Result<Alter, Failure> {
    parsed.check(&store.schema()).map_err(Failure::execution)?;
    let namespace = parsed.greatest_namespace();
    if namespace.0 >= store.next_id(Leased::Namespace).max(1) {
        return Err(Failure::execution(MutationError::NoNamespace { namespace }));
    }
    for note in parsed.notes() {
        warn!("schema: {note}");
    }
    let predicates = parsed.predicates.into_iter().map(|(predicate, schema)| (predicate, Some(schema))).collect();
    let types = parsed.types.into_iter().map(|(name, def)| (name, Some(def))).collect();
    Ok(Alter::Schema(SchemaChange { predicates, types }))
}
