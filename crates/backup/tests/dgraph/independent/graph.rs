//! A small graph that lives through everything a backup has to carry.

use std::path::Path;
use std::sync::Arc;

use graphdb_archive::Compat;
use graphdb_storage::{Alter, Edge, EdgeObject, EdgeOp, SchemaChange, Store};
use graphdb_types::value::Geo;
use graphdb_types::{
    DropOp, Facet, FacetType, Namespace, Predicate, PredicateSchema, Tokenizer, TypeDef, Uid, ValType, Value,
    VectorIndex,
};

pub(super) struct Graph {
    pub(super) store: Arc<Store>,
    namespace: Namespace,
}

/// What the text for `/alter` is about, as the first part of a line of the canonical dump.
pub(super) fn head_of(statement: &str) -> String {
    let (namespace, text) = match statement.strip_prefix("[0x") {
        Some(rest) => {
            let (hex, text) = rest.split_once("] ").unwrap();
            (u64::from_str_radix(hex, 16).unwrap(), text)
        }
        None => (0, statement),
    };
    let kind = if text.starts_with("type ") { 'y' } else { 's' };
    let name = text.split(['<', '>']).nth(1).unwrap();
    format!("[\"{kind}\",{namespace},\"{name}\",")
}

impl Graph {
    /// What happens before each backup.
    pub(super) const STORY: [fn(&Graph); 5] =
        [Graph::begin, Graph::change, Graph::redefine, Graph::drop_data, Graph::drop_all];

    pub(super) fn open(dir: &Path, namespace: Namespace) -> Graph {
        Graph { store: Store::open(dir, graphdb_storage::StoreOptions::default()).unwrap(), namespace }
    }

    /// The definitions that Dgraph has to be told again after a restore of that backup.
    pub(super) fn told(&self, number: u64, compat: Compat) -> Vec<String> {
        let name = ["s", "name"];
        let vector = ["s", "vec"];
        let person = ["y", "Person"];
        let told = match (number, compat) {
            (1..=4, Compat::V1_1) => vec![name, vector, person],
            (1..=4, _) => vec![name, vector],
            _ => vec![],
        };
        let line = |[kind, name]: [&str; 2]| format!("[\"{kind}\",{},\"{name}\",", self.namespace.0);
        told.into_iter().map(line).collect()
    }

    fn predicate(&self, name: &str) -> Predicate {
        Predicate { namespace: self.namespace, name: name.into() }
    }

    fn define(&self, predicates: &[(&str, PredicateSchema)], types: &[(&str, &[&str])]) {
        let predicates = predicates.iter().map(|(name, schema)| (self.predicate(name), Some(schema.clone()))).collect();
        let definition = |fields: &[&str]| TypeDef { fields: fields.iter().map(|field| (*field).to_owned()).collect() };
        let types = types.iter().map(|(name, fields)| (self.predicate(name), Some(definition(fields)))).collect();
        self.store.alter(Alter::Schema(SchemaChange { predicates, types })).unwrap();
    }

    fn drop(&self, op: DropOp) {
        self.store.alter(Alter::Drop(op)).unwrap();
    }

    fn commit(&self, edges: Vec<Edge>) {
        self.store.commit_now(self.store.begin().unwrap(), edges).unwrap();
    }

    fn edge(&self, op: EdgeOp, subject: u64, predicate: &str, object: EdgeObject, facets: Vec<Facet>) -> Edge {
        Edge { op, subject: Uid(subject), predicate: self.predicate(predicate), object, facets }
    }

    fn value(&self, subject: u64, predicate: &str, value: Value, lang: &str) -> Edge {
        self.edge(EdgeOp::Set, subject, predicate, EdgeObject::Value { value, lang: lang.into() }, vec![])
    }

    fn text(&self, subject: u64, predicate: &str, text: &str, lang: &str) -> Edge {
        self.value(subject, predicate, Value::String(text.into()), lang)
    }

    fn link(&self, subject: u64, object: u64, facets: Vec<Facet>) -> Edge {
        self.edge(EdgeOp::Set, subject, "friend", EdgeObject::Uid(Uid(object)), facets)
    }

    fn star(&self, subject: u64, predicate: &str) -> Edge {
        self.edge(EdgeOp::Delete, subject, predicate, EdgeObject::Star { lang: None }, vec![])
    }

    /// Every kind of value, facets, languages, lists, edges.
    fn begin(&self) {
        self.define(&schema(), &[("Person", &["name", "nick", "friend", "~friend"]), ("Empty", &[])]);
        let square = vec![vec![[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0], [0.0, 0.0]]];
        let mut noted = self.text(1, "nick", "Al", "");
        noted.facets = facets();
        self.commit(vec![
            self.text(1, "name", "Alice \"Ann\"\u{1}\u{7f} é <&>", ""),
            self.text(1, "name", "Алиса ли", "ru"),
            self.text(1, "name", "アン・リー", "ja"),
            self.text(2, "name", "", ""),
            self.text(2, "name", "Bob", "en"),
            self.text(1, "nick", "Ally", ""),
            noted,
            self.text(1, "gone", "soon", ""),
            self.text(1, "dgraph.type", "Person", ""),
            self.value(1, "age", Value::Int(-7), ""),
            self.value(2, "age", Value::Int(40), ""),
            self.value(1, "height", Value::Float(-0.0), ""),
            self.value(1, "alive", Value::Bool(true), ""),
            self.value(
                1,
                "born",
                Value::String("2020-02-29T23:59:59.123456789+05:30".into()).convert(ValType::DateTime).unwrap(),
                "",
            ),
            self.value(1, "loc", Value::Geo(Geo::Point([-122.4, 37.7])), ""),
            self.value(2, "loc", Value::Geo(Geo::Polygon(square.clone())), ""),
            self.value(3, "loc", Value::Geo(Geo::MultiPolygon(vec![square])), ""),
            self.value(1, "secret", Value::Password(format!("$2a$10${}", "x".repeat(53))), ""),
            self.value(1, "amount", Value::BigFloat("-1.5".into()), ""),
            self.value(1, "vec", Value::VFloat(vec![1.0, -0.5]), ""),
            self.link(1, 2, facets()),
            self.link(1, 3, vec![]),
            self.link(2, u64::MAX - 1, vec![]),
        ]);
        // More uids than one byte of difference each tells.
        self.commit((10..2_000).map(|subject| self.link(subject, 1 << 40 | subject, vec![])).collect());
    }

    /// Values are replaced and taken away, in one language and in all; lists are emptied; a predicate is dropped.
    fn change(&self) {
        let ru = EdgeObject::Star { lang: Some("ru".into()) };
        self.commit(vec![
            self.text(1, "name", "Alice", ""),
            self.edge(EdgeOp::Delete, 1, "name", ru, vec![]),
            self.star(2, "name"),
            self.star(1, "nick"),
            self.edge(EdgeOp::Delete, 1, "friend", EdgeObject::Uid(Uid(2)), vec![]),
            self.value(2, "age", Value::Int(41), ""),
            self.star(2, "loc"),
        ]);
        self.drop(DropOp::Predicate(self.predicate("gone")));
    }

    /// Indexes go and come; a value becomes a list.
    fn redefine(&self) {
        let all = schema();
        let of = |name: &str| all.iter().find(|(found, _)| *found == name).unwrap().1.clone();
        let without = |name: &'static str| {
            (name, PredicateSchema { tokenizers: vec![], reverse: false, count: false, ..of(name) })
        };
        self.define(
            &[without("age"), without("friend"), ("height", PredicateSchema { list: true, ..of("height") })],
            &[],
        );
        self.commit(vec![self.value(2, "age", Value::Int(42), ""), self.link(1, 9, vec![])]);
        self.define(&[("age", of("age"))], &[("Person", &["name", "~friend"])]);
    }

    /// The data goes, and some comes.
    fn drop_data(&self) {
        self.drop(DropOp::NamespaceData(self.namespace));
        self.commit(vec![
            self.text(5, "name", "Eve", ""),
            self.text(5, "name", "Eva", "de"),
            self.link(5, 6, facets()),
            self.text(5, "dgraph.type", "Person", ""),
        ]);
    }

    /// Everything goes, and a little comes.
    fn drop_all(&self) {
        self.drop(DropOp::All);
        let plain = PredicateSchema { value_type: ValType::Default, ..PredicateSchema::default() };
        self.define(&[("note", plain), ("more", PredicateSchema::default())], &[("Note", &["note"])]);
        self.commit((1..5).map(|subject| self.value(subject, "note", Value::Default("new".into()), "")).collect());
    }
}

/// Facets of every type, in order of their keys.
fn facets() -> Vec<Facet> {
    let facet = |key: &str, val_type, value: Vec<u8>, tokens: &[&str]| Facet {
        key: key.into(),
        value,
        val_type,
        tokens: tokens.iter().map(|token| (*token).to_owned()).collect(),
    };
    vec![
        facet("close", FacetType::Bool, vec![1], &[]),
        facet("note", FacetType::String, b"old pal".to_vec(), &["\u{1}old", "\u{1}pal"]),
        facet("weight", FacetType::Float, 0.5f64.to_le_bytes().to_vec(), &[]),
        facet("years", FacetType::Int, 6i64.to_le_bytes().to_vec(), &[]),
    ]
}

fn schema() -> Vec<(&'static str, PredicateSchema)> {
    let of = |value_type, tokenizers: &[Tokenizer]| PredicateSchema {
        value_type,
        tokenizers: tokenizers.to_vec(),
        ..PredicateSchema::default()
    };
    let words = [Tokenizer::Exact, Tokenizer::FullText, Tokenizer::Trigram];
    let vector = VectorIndex { name: "hnsw".into(), options: vec![("metric".into(), "euclidean".into())] };
    vec![
        ("name", PredicateSchema { lang: true, count: true, ..of(ValType::String, &words) }),
        ("nick", PredicateSchema { list: true, count: true, ..of(ValType::String, &[Tokenizer::Term]) }),
        ("gone", of(ValType::String, &[Tokenizer::Hash])),
        ("age", PredicateSchema { upsert: true, ..of(ValType::Int, &[Tokenizer::Int]) }),
        ("height", of(ValType::Float, &[Tokenizer::Float])),
        ("alive", of(ValType::Bool, &[Tokenizer::Bool])),
        ("born", of(ValType::DateTime, &[Tokenizer::Hour])),
        ("loc", of(ValType::Geo, &[Tokenizer::Geo])),
        ("secret", of(ValType::Password, &[])),
        ("amount", of(ValType::BigFloat, &[])),
        ("vec", PredicateSchema { vector_indexes: vec![vector], ..of(ValType::VFloat, &[]) }),
        ("friend", PredicateSchema { list: true, reverse: true, count: true, ..of(ValType::Uid, &[]) }),
        ("dgraph.type", PredicateSchema { list: true, ..of(ValType::String, &[Tokenizer::Exact]) }),
    ]
}
