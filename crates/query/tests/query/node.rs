use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use graphdb_query::exec::{self, QueryAnswer, QueryRequest};
use graphdb_query::mutation::{self, MutationRequest, UnknownPredicates};
use graphdb_query::schema_text::{AlterOp, AlterRequest};
use graphdb_storage::{Alter, Leased, SchemaChange, Store, StoreOptions};
use graphdb_types::{DropOp, Predicate};
use serde_json::Value as Json;

/// A store in a directory of its own, spoken to as clients do.
pub(crate) struct Node {
    pub(crate) store: Arc<Store>,
    _dir: tempfile::TempDir,
}

impl Node {
    pub(crate) fn new() -> Node {
        let dir = tempfile::tempdir().unwrap();
        let options = StoreOptions { cache_bytes: 8 << 20, sync: false, ..StoreOptions::default() };
        let store = Store::open(&dir.path().join("p"), options).unwrap();
        Node { store, _dir: dir }
    }

    pub(crate) fn with(schema: &str, nquads: &str) -> Node {
        let node = Node::new();
        node.alter(schema);
        node.set(nquads);
        node
    }

    pub(crate) fn raise_uids(&self, last: u64) {
        self.store.raise_lease(Leased::Uid, last).unwrap();
    }

    pub(crate) fn alter(&self, body: &str) {
        let alter = match AlterRequest::parse(body.as_bytes()).unwrap().op {
            AlterOp::Schema(parsed) => Alter::Schema(SchemaChange {
                predicates: parsed.predicates.into_iter().map(|(name, schema)| (name, Some(schema))).collect(),
                types: parsed.types.into_iter().map(|(name, definition)| (name, Some(definition))).collect(),
            }),
            AlterOp::DropAll => Alter::Drop(DropOp::All),
            AlterOp::DropData => Alter::Drop(DropOp::Data),
            AlterOp::DropAttr(name) => Alter::Drop(DropOp::Predicate(Predicate::root(&name))),
            AlterOp::DropType(name) => {
                Alter::Schema(SchemaChange { types: vec![(Predicate::root(&name), None)], ..SchemaChange::default() })
            }
            AlterOp::Nothing => panic!("{body} asks for nothing"),
        };
        self.store.alter(alter).unwrap();
    }

    pub(crate) fn set(&self, nquads: &str) {
        self.mutate(&MutationRequest::from_rdf(&format!("{{ set {{\n{nquads}\n}} }}")).unwrap()).unwrap();
    }

    pub(crate) fn mutate(&self, request: &MutationRequest<'_>) -> Result<(), String> {
        let start_ts = self.store.begin().unwrap();
        let view = self.store.view(start_ts).unwrap();
        let statements = request.statements().map_err(|error| error.to_string())?;
        let resolved = mutation::resolve(&self.store, &view, &statements, UnknownPredicates::Create)
            .map_err(|error| error.to_string())?;
        drop(view);
        if !resolved.new_schema.is_empty() {
            let predicates = resolved.new_schema.into_iter().map(|(name, schema)| (name, Some(schema))).collect();
            self.store.alter(Alter::Schema(SchemaChange { predicates, types: Vec::new() })).unwrap();
        }
        let start_ts = self.store.begin().unwrap();
        self.store.commit_now(start_ts, resolved.edges).map(|_| ()).map_err(|error| error.to_string())
    }

    pub(crate) fn run(
        &self,
        text: &str,
        variables: &BTreeMap<String, String>,
        debug: bool,
    ) -> Result<QueryAnswer, exec::QueryError> {
        let view = self.store.view(self.store.begin().unwrap()).unwrap();
        exec::run(&view, &QueryRequest { text, variables, debug })
    }

    pub(crate) fn run_for_upsert(&self, text: &str) -> QueryAnswer {
        let view = self.store.view(self.store.begin().unwrap()).unwrap();
        exec::run_for_upsert(&view, &QueryRequest { text, variables: &BTreeMap::new(), debug: false }).unwrap()
    }

    pub(crate) fn try_query(&self, text: &str) -> Result<Json, String> {
        let answer = self.run(text, &BTreeMap::new(), false).map_err(|error| error.to_string())?;
        Ok(serde_json::from_str(&answer.data).unwrap_or_else(|error| panic!("{error}: {}", answer.data)))
    }

    pub(crate) fn query(&self, text: &str) -> Json {
        self.try_query(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// The answer as text, for tests of the order of keys.
    pub(crate) fn text(&self, text: &str) -> String {
        self.run(text, &BTreeMap::new(), false).unwrap().data
    }
}

/// The folder of files that are shared between projects, if it is there.
pub(crate) fn shared() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared");
    let folder = std::env::var_os("GRAPHDB_SHARED").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    let said = format!("\nSKIPPED {}: it is not there; set GRAPHDB_SHARED\n", folder.display());
    _ = std::io::Write::write_all(&mut std::io::stderr(), said.as_bytes());
    None
}
