//! The canonical dump of a series (`tests/independent/README.md`), as our reader gives it.

use std::collections::BTreeMap;

use graphdb_backup::{Locations, Progress, Result, SeriesRequest, SeriesSource, StateSummary, StateVisitor};
use graphdb_storage::StoredEntry;
use graphdb_types::{FacetType, Key, KeyKind, Posting, PostingList, Predicate, PredicateSchema, Schema, TypeDef, Uid};
use serde_json::{Value as Json, json};

/// What is read of a series.
pub(super) struct Dump {
    /// In no order.
    pub(super) lines: Vec<String>,
    /// Every list, derived ones too, as stored.
    pub(super) lists: BTreeMap<Vec<u8>, Vec<u8>>,
    /// What was wrong with derived lists that were stored.
    pub(super) stale: String,
    pub(super) summary: StateSummary,
}

/// Reads a series; `rebuild` makes derived lists anew.
pub(super) async fn dump(request: &SeriesRequest, rebuild: bool) -> Dump {
    let source = SeriesSource::prove(&Locations::default(), request).await.unwrap();
    let (scratch, progress) = (tempfile::tempdir().unwrap(), Progress::default());
    let (groups, collector) = (source.groups(), Collector::default());
    let read = if rebuild {
        source.read_rebuilt(&groups, scratch.path(), &progress, collector).await
    } else {
        source.read(&groups, scratch.path(), &progress, collector).await
    };
    let (Collector { mut lines, lists }, summary) = read.unwrap();
    let defined = |predicate: &&Predicate| !summary.stale.undefined.contains(predicate);
    let Schema { predicates, types } = &summary.schema;
    lines.extend(predicates.keys().filter(defined).map(|name| predicate_line(name, &predicates[name])));
    lines.extend(types.iter().map(|(name, definition)| type_line(name, definition)));
    let stale = summary.stale.summary().unwrap_or_default();
    Dump { lines, lists, stale, summary }
}

#[derive(Default)]
struct Collector {
    lines: Vec<String>,
    lists: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl StateVisitor for Collector {
    const SCHEMA_FIRST: bool = false;

    fn begin(&mut self, _: &Schema) -> Result<()> {
        Ok(())
    }

    fn list(&mut self, entry: StoredEntry<'_>) -> Result<()> {
        self.lists.insert(entry.key.to_vec(), entry.list.to_vec());
        let Key { predicate, kind } = Key::from_stored(entry.key).unwrap();
        let KeyKind::Data(subject) = kind else { return Ok(()) };
        let list = PostingList::from_wire(entry.list).unwrap();
        self.lines.extend(list.ids.iter().map(|id| triple_line(&predicate, subject, *id, list.posting(*id))));
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn triple_line(predicate: &Predicate, subject: Uid, id: u64, posting: Option<&Posting>) -> String {
    let uid = || json!(["uid", format!("{id:#x}")]);
    let object = match posting {
        Some(value) if !value.is_edge => json!(["value", value.val_type.name(), value.lang, hex(&value.value)]),
        _ => uid(),
    };
    let facets = posting.map(|posting| &posting.facets[..]).unwrap_or_default();
    let facets: Vec<Json> =
        facets.iter().map(|facet| json!([facet.key, facet_type(facet.val_type), hex(&facet.value)])).collect();
    json!(["t", predicate.namespace.0, format!("{:#x}", subject.0), &*predicate.name, object, facets]).to_string()
}

fn facet_type(of: FacetType) -> &'static str {
    match of {
        FacetType::String => "string",
        FacetType::Int => "int",
        FacetType::Float => "float",
        FacetType::Bool => "bool",
        FacetType::DateTime => "datetime",
    }
}

fn predicate_line(name: &Predicate, schema: &PredicateSchema) -> String {
    let flags = [
        (schema.list, "list"),
        (schema.reverse, "reverse"),
        (schema.count, "count"),
        (schema.lang, "lang"),
        (schema.upsert, "upsert"),
        (schema.unique, "unique"),
        (schema.no_conflict, "noconflict"),
    ];
    let mut named: Vec<String> = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| (*flag).to_owned()).collect();
    named.extend(schema.tokenizers.iter().map(|tokenizer| format!("index:{}", tokenizer.name())));
    named.extend(schema.vector_indexes.iter().map(|index| format!("vector:{}", index.name)));
    named.sort();
    json!(["s", name.namespace.0, &*name.name, schema.value_type.name(), named]).to_string()
}

fn type_line(name: &Predicate, definition: &TypeDef) -> String {
    let mut fields = definition.fields.clone();
    fields.sort();
    json!(["y", name.namespace.0, &*name.name, fields]).to_string()
}
