//! What is exported is read back: lists of every type become text, are read, written to a store, and equal.
#![expect(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use graphdb_export::{json, rdf, schema};
use graphdb_query::json::{NewNames, parse_records};
use graphdb_query::mutation::{Statements, UnknownPredicates, resolve};
use graphdb_query::nquad::NQuad;
use graphdb_query::rdf::{Names, parse, write_nquad};
use graphdb_query::schema_text::parse_schema;
use graphdb_storage::{Alter, Leased, SchemaChange, Store, StoreOptions};
use graphdb_types::value::{Coord, DateTime, Geo};
use graphdb_types::{
    Facet, FacetType, Key, Namespace, Posting, PostingList, Predicate, PredicateSchema, Uid, VALUE_UID, ValType, Value,
    VectorIndex, fingerprint64,
};
use proptest::prelude::*;

const HASH: &str = "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";
const NAMESPACES: [u64; 2] = [0, 31];
/// Of values that may be in a list.
const LISTS: [ValType; 8] = [
    ValType::String,
    ValType::Default,
    ValType::Int,
    ValType::Float,
    ValType::DateTime,
    ValType::Geo,
    ValType::Binary,
    ValType::BigFloat,
];

struct Graph {
    store: Arc<Store>,
    _dir: tempfile::TempDir,
}

impl Graph {
    /// A store with a predicate of every type in both namespaces, its schema taken from exported text.
    fn new() -> Graph {
        let dir = tempfile::tempdir().unwrap();
        let options = StoreOptions { sync: false, ..StoreOptions::default() };
        let store = Store::open(&dir.path().join("p"), options).unwrap();
        store.raise_lease(Leased::Namespace, 31).unwrap();
        let mut text = Vec::new();
        let defined = every_predicate();
        for (name, schema) in &defined {
            assert_eq!(schema::write_predicate(&mut text, name, schema), Ok(true));
        }
        let parsed = parse_schema(std::str::from_utf8(&text).unwrap()).unwrap().exported(&store.schema());
        parsed.check(&store.schema()).unwrap();
        assert_eq!(parsed.predicates, defined);
        let predicates = parsed.predicates.into_iter().map(|(name, schema)| (name, Some(schema))).collect();
        store.alter(Alter::Schema(SchemaChange { predicates, types: Vec::new() })).unwrap();
        Graph { store, _dir: dir }
    }

    /// Writes statements as `graphdb live` sends them: as N-Quads once more.
    fn load(&self, nquads: &[NQuad<'_>]) {
        let mut body = String::new();
        nquads.iter().for_each(|nquad| write_nquad(&mut body, nquad).unwrap());
        let set = parse(&body, Names::Uids).unwrap_or_else(|e| panic!("{body}: {e}"));
        let view = self.store.view(self.store.read_ts()).unwrap();
        let statements = [Statements { set, ..Statements::default() }];
        let resolved = resolve(&self.store, &view, &statements, UnknownPredicates::Refuse);
        let edges = resolved.unwrap_or_else(|e| panic!("{body}: {e}")).edges;
        self.store.commit_now(self.store.begin().unwrap(), edges).unwrap();
    }

    /// What the store holds, as it was exported: without times and tokens.
    fn list(&self, predicate: &Predicate, subject: Uid) -> PostingList {
        let view = self.store.view(self.store.read_ts()).unwrap();
        let list = view.list(&Key::data(predicate, subject)).unwrap();
        let mut list = PostingList::clone(&list);
        for posting in &mut list.postings {
            posting.commit_ts = 0;
            posting.facets.iter_mut().for_each(|facet| facet.tokens.clear());
        }
        list
    }
}

fn every_predicate() -> Vec<(Predicate, PredicateSchema)> {
    let mut predicates = Vec::new();
    for namespace in NAMESPACES {
        for value_type in ValType::ALL.into_iter().filter(|t| *t != ValType::Object) {
            let single = PredicateSchema { value_type, ..PredicateSchema::default() };
            predicates.push((named(namespace, value_type, ""), single.clone()));
            if LISTS.contains(&value_type) || value_type == ValType::Uid {
                predicates
                    .push((named(namespace, value_type, ".list"), PredicateSchema { list: true, ..single.clone() }));
            }
        }
        let tagged = PredicateSchema { value_type: ValType::String, lang: true, ..PredicateSchema::default() };
        predicates.push((named(namespace, ValType::String, ".lang"), tagged));
        let hnsw = VectorIndex { name: "hnsw".into(), options: vec![("metric".into(), "cosine".into())] };
        let near =
            PredicateSchema { value_type: ValType::VFloat, vector_indexes: vec![hnsw], ..PredicateSchema::default() };
        predicates.push((named(namespace, ValType::VFloat, ".near"), near));
    }
    predicates
}

fn named(namespace: u64, of: ValType, kind: &str) -> Predicate {
    Predicate { namespace: Namespace(namespace), name: format!("http://x/{}{kind}", of.name()).into() }
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[\\\\\"<>&\u{0}\u{1}\u{7f}\n\r\t\u{2028}\u{2029}{}'é😀]{0,6}",
        Just("uid(v)".to_owned()),
        Just("val(v)".to_owned()),
        Just("2006-01-02".to_owned()),
        Just(HASH.to_owned()),
        Just("nul\0\0".to_owned()),
    ]
}

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("a number", |n| !n.is_nan()),
        Just(-0.0),
        (-1000i32..1000).prop_map(f64::from),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
    ]
}

fn any_datetime() -> impl Strategy<Value = Value> {
    let zone = prop_oneof![Just("Z".to_owned()), "[+-](0[0-9]|1[0-9]):[0-5][0-9]"];
    (-62_000_000_000i64..253_000_000_000, 0..1_000_000_000u32, zone).prop_map(|(seconds, nanos, zone)| {
        let utc = DateTime::from_unix(seconds, nanos).unwrap().to_string();
        let zoned = utc.replace('Z', &zone);
        Value::parse(ValType::DateTime, &zoned).or_else(|_| Value::parse(ValType::DateTime, &utc)).unwrap()
    })
}

fn any_geo() -> impl Strategy<Value = Geo> {
    let number = || any::<f64>().prop_filter("finite", |n| n.is_finite());
    let coord = move || (number(), number()).prop_map(|(x, y)| -> Coord { [x, y] });
    let line = move || prop::collection::vec(coord(), 0..4);
    prop_oneof![
        coord().prop_map(Geo::Point),
        line().prop_map(Geo::LineString),
        prop::collection::vec(line(), 0..3).prop_map(Geo::Polygon),
        prop::collection::vec(prop::collection::vec(line(), 0..2), 0..2).prop_map(Geo::MultiPolygon),
    ]
}

fn any_value(of: ValType) -> BoxedStrategy<Value> {
    let vector = any::<f32>().prop_filter("finite", |n| n.is_finite());
    match of {
        ValType::Default => any_text().prop_map(Value::Default).boxed(),
        ValType::String => any_text().prop_map(Value::String).boxed(),
        ValType::Binary => {
            prop_oneof![any_text().prop_map(String::into_bytes), any::<Vec<u8>>()].prop_map(Value::Binary).boxed()
        }
        ValType::Int => any::<i64>().prop_map(Value::Int).boxed(),
        ValType::Float => any_number().prop_map(Value::Float).boxed(),
        ValType::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        ValType::DateTime => any_datetime().boxed(),
        ValType::Geo => any_geo().prop_map(Value::Geo).boxed(),
        ValType::Password => "\\$2[aby]\\$1[0-4]\\$[./A-Za-z0-9]{53}".prop_map(Value::Password).boxed(),
        ValType::BigFloat => "-?[1-9](\\.[0-9]{1,40})?(e[+-][1-9][0-9]{0,3})?".prop_map(Value::BigFloat).boxed(),
        ValType::VFloat => prop::collection::vec(vector, 0..4).prop_map(Value::VFloat).boxed(),
        ValType::Uid | ValType::Object => unreachable!("edges and objects are no values"),
    }
}

fn any_facets() -> impl Strategy<Value = Vec<Facet>> {
    let facet = |val_type: FacetType| move |value: Value| (val_type, value.to_bytes());
    let value = prop_oneof![
        any_text().prop_map(Value::String).prop_map(facet(FacetType::String)),
        any::<i64>().prop_map(Value::Int).prop_map(facet(FacetType::Int)),
        any_number().prop_map(Value::Float).prop_map(facet(FacetType::Float)),
        any::<bool>().prop_map(Value::Bool).prop_map(facet(FacetType::Bool)),
        any_datetime().prop_map(facet(FacetType::DateTime)),
    ];
    let keys = prop::collection::btree_map("[a-zé][a-z.-]{0,3}", value, 0..4);
    prop_oneof![Just(BTreeMap::new()), keys].prop_map(|facets| {
        let facet = |(key, (val_type, value))| Facet { key, value, val_type, tokens: Vec::new() };
        facets.into_iter().map(facet).collect()
    })
}

fn list_of(postings: Vec<Posting>) -> PostingList {
    let by_id: BTreeMap<u64, Posting> = postings.into_iter().map(|posting| (posting.id, posting)).collect();
    PostingList::of_postings(by_id.into_values().collect())
}

fn any_values(of: ValType, kind: &'static str) -> BoxedStrategy<PostingList> {
    let posting = (any_value(of), any_facets(), "[a-zA-Z][a-zA-Z0-9-]{0,4}|").prop_map(move |(value, facets, lang)| {
        let bytes = value.to_bytes();
        let lang = if kind == ".lang" { lang } else { String::new() };
        let id = match (kind, lang.as_str()) {
            (".list", _) => fingerprint64(&bytes),
            (_, "") => VALUE_UID,
            (_, lang) => fingerprint64(lang.as_bytes()),
        };
        Posting { id, value: bytes, val_type: of, lang, facets, ..Posting::default() }
    });
    let most = if kind.is_empty() || kind == ".near" { 1 } else { 4 };
    prop::collection::vec(posting, 1..=most).prop_map(list_of).boxed()
}

fn any_edges(kind: &'static str) -> BoxedStrategy<PostingList> {
    let most = if kind.is_empty() { 1 } else { 5 };
    // Above 2^63 a uid that was not leased is refused.
    let edges = prop::collection::btree_map(1..i64::MAX as u64, any_facets(), 1..=most);
    edges
        .prop_map(|edges| {
            let mut list = PostingList::of_ids(edges.keys().copied().collect());
            for (id, facets) in edges.into_iter().filter(|(_, facets)| !facets.is_empty()) {
                list.postings.push(Posting { id, is_edge: true, val_type: ValType::Uid, facets, ..Posting::default() });
            }
            list
        })
        .boxed()
}

/// A list of a type, and the rest of its predicate's name.
fn any_list() -> impl Strategy<Value = (Predicate, PostingList)> {
    let values = ValType::ALL.into_iter().filter(|t| !matches!(t, ValType::Uid | ValType::Object));
    let mut kinds: Vec<(ValType, &'static str)> = values.map(|of| (of, "")).collect();
    kinds.extend(LISTS.map(|of| (of, ".list")));
    kinds.extend([(ValType::String, ".lang"), (ValType::VFloat, ".near"), (ValType::Uid, ""), (ValType::Uid, ".list")]);
    (prop::sample::select(NAMESPACES.to_vec()), prop::sample::select(kinds)).prop_flat_map(|(namespace, (of, kind))| {
        let list = if of == ValType::Uid { any_edges(kind) } else { any_values(of, kind) };
        list.prop_map(move |list| (named(namespace, of, kind), list))
    })
}

/// Whether JSON says it all: bytes are text, facets are finite, and no text of a facet looks like a date. Passwords need the loader,
/// which knows the schema.
fn fits_json(list: &PostingList) -> bool {
    let is_text =
        |posting: &Posting| posting.val_type != ValType::Binary || std::str::from_utf8(&posting.value).is_ok();
    let facet = |facet: &Facet| match Value::from_bytes(facet.val_type.val_type(), &facet.value).unwrap() {
        Value::String(text) => Value::parse(ValType::DateTime, &text).is_err(),
        Value::Float(number) => number.is_finite(),
        _ => true,
    };
    list.postings.iter().all(|p| is_text(p) && p.val_type != ValType::Password && p.facets.iter().all(facet))
}

#[test]
fn exported_lists_are_read_back_equal() {
    let graph = Graph::new();
    let (mut runner, mut subject, mut in_json) = (proptest::test_runner::TestRunner::default(), 0, 0);
    let cases = std::cell::RefCell::new((&mut subject, &mut in_json));
    runner
        .run(&any_list(), |(predicate, list)| {
            let mut counters = cases.borrow_mut();
            *counters.0 += 2;
            let (by_rdf, by_json) = (Uid(*counters.0), Uid(*counters.0 + 1));
            let mut text = Vec::new();
            prop_assert_eq!(rdf::write_list(&mut text, &predicate, by_rdf, &list).unwrap() as usize, list.len());
            let text = String::from_utf8(text).unwrap();
            graph.load(&parse(&text, Names::External).unwrap());
            prop_assert_eq!(graph.list(&predicate, by_rdf), list.clone(), "{}", text);

            if fits_json(&list) {
                *counters.1 += 1;
                let mut text = Vec::new();
                let mut array = json::Array::start(&mut text);
                array.push_list(&mut text, &predicate, by_json, &list).unwrap();
                array.finish(&mut text);
                let text = String::from_utf8(text).unwrap();
                graph.load(&parse_records(&text, &mut NewNames::default()).unwrap());
                prop_assert_eq!(graph.list(&predicate, by_json), list, "{}", text);
            }
            Ok(())
        })
        .unwrap();
    assert!(in_json > 50, "{in_json} lists went through JSON");
}

#[test]
fn lines_of_dgraph_are_read_as_they_are_meant() {
    let graph = Graph::new();
    let lines = r#"<0x1> <http://x/string.lang> "Alice"^^<xs:string> <0x1f> .
<0x1> <http://x/string.lang> "Alicia"@es <0x1f> .
<0x1> <http://x/uid.list> <0x2> <0x1f> (close=true,note="old pal",since=2006-01-02T15:04:05Z) .
"#;
    graph.load(&parse(lines, Names::External).unwrap());
    let mut again = Vec::new();
    for kind in [named(31, ValType::String, ".lang"), named(31, ValType::Uid, ".list")] {
        rdf::write_list(&mut again, &kind, Uid(1), &graph.list(&kind, Uid(1))).unwrap();
    }
    let mut expected: Vec<&str> = lines.lines().collect();
    let again = String::from_utf8(again).unwrap();
    let mut again: Vec<&str> = again.lines().collect();
    expected.sort_unstable();
    again.sort_unstable();
    assert_eq!(again, expected);
    assert!(graph.list(&named(0, ValType::String, ".lang"), Uid(1)).is_empty(), "the root has none of it");
}

#[test]
fn a_namespace_that_was_not_made_is_refused() {
    let graph = Graph::new();
    let set = parse("<0x1> <a> \"b\" <0x20> .", Names::Uids).unwrap();
    let view = graph.store.view(graph.store.read_ts()).unwrap();
    let refused =
        resolve(&graph.store, &view, &[Statements { set, ..Statements::default() }], UnknownPredicates::Create);
    let message = refused.err().unwrap().to_string();
    assert!(message.starts_with("namespace <0x20> does not exist"), "{message}");
}

#[test]
fn a_password_is_hashed_once() {
    let graph = Graph::new();
    let password = named(0, ValType::Password, "");
    let stored = |subject: u64, text: &str| {
        let line = format!("<{subject}> <{}> \"{text}\"^^<xs:password> .", password.name);
        graph.load(&parse(&line, Names::Uids).unwrap());
        String::from_utf8(graph.list(&password, Uid(subject)).postings[0].value.clone()).unwrap()
    };
    assert_eq!(stored(1, HASH), HASH);
    for (subject, text) in [(2, "secret99"), (3, &HASH[1..]), (4, &HASH[..59])] {
        let hash = stored(subject, text);
        assert!(hash != text && Value::Password(hash).check_password(text), "{text}");
    }
}
