//! The schema at every timestamp that can still be read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use graphdb_types::{Namespace, Predicate, PredicateSchema, Schema, Tokenizer, Ts, TypeDef, ValType};
use rocksdb::{ColumnFamily, DB, IteratorMode, WriteBatch};

use crate::alter::SchemaChange;
use crate::error::{Error, Result};
use crate::layout::{SCHEMA, put_version, split_version};

const PREDICATE: u8 = 0;
const TYPE: u8 = 1;
const REMOVED: u8 = 0;
const DEFINED: u8 = 1;

/// Schemas by the commit that made them, newest last. Never empty.
#[derive(Debug)]
pub(crate) struct SchemaHistory {
    versions: Mutex<Vec<(Ts, Arc<Schema>)>>,
}

impl SchemaHistory {
    /// Reads the newest schema. Older ones are not kept over a restart, since no reader is.
    pub(crate) fn open(db: &DB) -> Result<SchemaHistory> {
        let mut newest: BTreeMap<Vec<u8>, (Ts, Vec<u8>)> = BTreeMap::new();
        for item in db.iterator_cf(schema_family(db), IteratorMode::Start) {
            let (key, value) = item.map_err(Error::rocks("read the schema"))?;
            let (name, ts) = split_version(&key)?;
            newest.entry(name.to_vec()).or_insert_with(|| (ts, value.into_vec()));
        }
        let mut schema = Schema::default();
        let mut last = Ts::ZERO;
        for (key, (ts, value)) in newest {
            last = last.max(ts);
            read_definition(&mut schema, &key, &value)?;
        }
        Ok(SchemaHistory { versions: Mutex::new(vec![(last, Arc::new(schema))]) })
    }

    /// The newest schema and the commit that made it.
    pub(crate) fn newest(&self) -> (Ts, Arc<Schema>) {
        self.lock().last().expect("a history is never empty").clone()
    }

    /// The schema that a reader at `read_ts` sees.
    pub(crate) fn at(&self, read_ts: Ts) -> Arc<Schema> {
        let versions = self.lock();
        let at = versions.iter().rposition(|(ts, _)| *ts <= read_ts).unwrap_or(0);
        Arc::clone(&versions[at].1)
    }

    /// Adds the schema made by a commit.
    pub(crate) fn push(&self, commit_ts: Ts, schema: Schema) {
        self.lock().push((commit_ts, Arc::new(schema)));
    }

    /// Forgets schemas that nobody at or above `floor` can see.
    pub(crate) fn forget_below(&self, floor: Ts) {
        let mut versions = self.lock();
        let keep_from = versions.iter().rposition(|(ts, _)| *ts <= floor).unwrap_or(0);
        versions.drain(..keep_from);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Ts, Arc<Schema>)>> {
        self.versions.lock().expect("no code panics while it holds the schema")
    }
}

pub(crate) fn schema_family(db: &DB) -> &ColumnFamily {
    db.cf_handle(SCHEMA).expect("every column family is opened with the store")
}

/// Adds a schema change to a write.
pub(crate) fn put_schema_change(db: &DB, batch: &mut WriteBatch, change: &SchemaChange, commit_ts: Ts) {
    for (predicate, schema) in &change.predicates {
        let value = definition(schema.as_ref(), |schema, out| schema.put_wire(&predicate.name, out));
        batch.put_cf(schema_family(db), definition_key(PREDICATE, predicate, commit_ts), value);
    }
    for (name, type_def) in &change.types {
        let value = definition(type_def.as_ref(), |type_def, out| type_def.put_wire(&name.name, out));
        batch.put_cf(schema_family(db), definition_key(TYPE, name, commit_ts), value);
    }
}

/// The schema after a change.
pub(crate) fn changed(schema: &Schema, change: &SchemaChange) -> Schema {
    let mut schema = schema.clone();
    for (predicate, definition) in &change.predicates {
        match definition {
            Some(definition) => schema.predicates.insert(predicate.clone(), definition.clone()),
            None => schema.predicates.remove(predicate),
        };
    }
    for (name, definition) in &change.types {
        match definition {
            Some(definition) => schema.types.insert(name.clone(), definition.clone()),
            None => schema.types.remove(name),
        };
    }
    schema
}

fn definition_key(kind: u8, name: &Predicate, commit_ts: Ts) -> Vec<u8> {
    let mut key = vec![kind];
    key.extend_from_slice(&name.namespace.0.to_be_bytes());
    key.extend_from_slice(name.name.as_bytes());
    put_version(&mut key, commit_ts);
    key
}

fn definition<T>(definition: Option<&T>, put: impl FnOnce(&T, &mut Vec<u8>)) -> Vec<u8> {
    let Some(definition) = definition else { return vec![REMOVED] };
    let mut value = vec![DEFINED];
    put(definition, &mut value);
    value
}

fn read_definition(schema: &mut Schema, key: &[u8], value: &[u8]) -> Result<()> {
    let bad = || Error::damaged(format!("schema record {}", key.escape_ascii()));
    let (kind, rest) = key.split_first().ok_or_else(bad)?;
    let (namespace, name) = rest.split_first_chunk::<8>().ok_or_else(bad)?;
    let name = std::str::from_utf8(name).map_err(|_| bad())?;
    let name = Predicate { namespace: Namespace(u64::from_be_bytes(*namespace)), name: name.into() };
    match (*kind, value.split_first().ok_or_else(bad)?) {
        (_, (&REMOVED, [])) => {}
        (PREDICATE, (&DEFINED, wire)) => _ = schema.predicates.insert(name, PredicateSchema::from_wire(wire)?),
        (TYPE, (&DEFINED, wire)) => _ = schema.types.insert(name, TypeDef::from_wire(wire)?),
        _ => return Err(bad()),
    }
    Ok(())
}

/// The predicates and types that every database has; those of Dgraph v25 without access control.
pub fn initial_schema() -> Schema {
    let string = |tokenizers: &[Tokenizer]| PredicateSchema {
        value_type: ValType::String,
        tokenizers: tokenizers.to_vec(),
        ..PredicateSchema::default()
    };
    let unique = |schema: PredicateSchema| PredicateSchema { upsert: true, ..schema };
    let int =
        PredicateSchema { value_type: ValType::Int, tokenizers: vec![Tokenizer::Int], ..PredicateSchema::default() };
    let predicates = [
        ("dgraph.type", PredicateSchema { list: true, ..string(&[Tokenizer::Exact]) }),
        ("dgraph.drop.op", string(&[])),
        ("dgraph.graphql.schema", string(&[])),
        ("dgraph.graphql.xid", unique(string(&[Tokenizer::Exact]))),
        ("dgraph.graphql.p_query", string(&[Tokenizer::Sha256])),
        ("dgraph.namespace.name", unique(string(&[Tokenizer::Exact]))),
        ("dgraph.namespace.id", unique(int)),
    ];
    let types: [(&str, &[&str]); 3] = [
        ("dgraph.graphql", &["dgraph.graphql.schema", "dgraph.graphql.xid"]),
        ("dgraph.graphql.persisted_query", &["dgraph.graphql.p_query"]),
        ("dgraph.namespace", &["dgraph.namespace.name", "dgraph.namespace.id"]),
    ];
    let type_def = |fields: &[&str]| TypeDef { fields: fields.iter().map(|f| (*f).to_owned()).collect() };
    Schema {
        predicates: predicates.into_iter().map(|(name, schema)| (Predicate::root(name), schema)).collect(),
        types: types.into_iter().map(|(name, fields)| (Predicate::root(name), type_def(fields))).collect(),
    }
}
