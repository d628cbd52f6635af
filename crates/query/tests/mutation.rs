//! Mutations from the body of a request to what the store then holds.
#![expect(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use graphdb_query::mutation::{
    MutationError, MutationRequest, ResolvedMutation, UnknownPredicates, Variables, resolve,
};
use graphdb_query::rdf::{Names, parse};
use graphdb_query::schema_text::{AlterOp, AlterRequest, ParsedSchema, parse_schema};
use graphdb_storage::{Alter, Edge, EdgeObject, EdgeOp, Leased, SchemaChange, Store, StoreOptions};
use graphdb_types::{Key, Predicate, PredicateSchema, Uid, ValType, Value};

const SCHEMA: &str = "name: string @index(exact, term) @lang .
age: int @index(int) .
height: float .
alive: bool .
dob: datetime @index(year) .
friend: [uid] @reverse @count .
boss: uid @reverse .
nick: [string] @index(term) .
email: string @index(hash) @upsert .
loc: geo @index(geo) .
area: geo .
pass: password .
free: default .
type Person {
  name
  nick
  <~friend>
}
";

struct Graph {
    store: Arc<Store>,
    _dir: tempfile::TempDir,
}

impl Graph {
    fn new() -> Graph {
        let dir = tempfile::tempdir().unwrap();
        let store =
            Store::open(&dir.path().join("p"), StoreOptions { sync: false, ..StoreOptions::default() }).unwrap();
        let graph = Graph { store, _dir: dir };
        graph.define(parse_schema(SCHEMA).unwrap());
        graph
    }

    fn define(&self, parsed: ParsedSchema) {
        let predicates = parsed.predicates.into_iter().map(|(name, schema)| (name, Some(schema))).collect();
        let types = parsed.types.into_iter().map(|(name, def)| (name, Some(def))).collect();
        self.store.alter(Alter::Schema(SchemaChange { predicates, types })).unwrap();
    }

    fn resolve(
        &self,
        request: &MutationRequest<'_>,
        unknown: UnknownPredicates,
    ) -> Result<ResolvedMutation, MutationError> {
        let view = self.store.view(self.store.read_ts())?;
        resolve(&self.store, &view, &request.statements()?, unknown)
    }

    fn try_rdf(&self, statements: &str) -> Result<ResolvedMutation, MutationError> {
        self.resolve(&MutationRequest::from_rdf(&format!("{{ {statements} }}")).unwrap(), UnknownPredicates::Create)
    }

    fn try_json(&self, body: &str) -> Result<ResolvedMutation, MutationError> {
        self.resolve(&MutationRequest::from_json(body).unwrap(), UnknownPredicates::Create)
    }

    /// Sets RDF lines without writing them.
    fn set(&self, lines: &str) -> ResolvedMutation {
        self.try_rdf(&format!("set {{\n{lines}\n}}")).unwrap_or_else(|e| panic!("{lines}: {e}"))
    }

    fn write(&self, resolved: ResolvedMutation) {
        let predicates = resolved.new_schema.into_iter().map(|(name, schema)| (name, Some(schema))).collect::<Vec<_>>();
        if !predicates.is_empty() {
            self.store.alter(Alter::Schema(SchemaChange { predicates, types: Vec::new() })).unwrap();
        }
        self.store.commit_now(self.store.begin().unwrap(), resolved.edges).unwrap();
    }

    fn run(&self, statements: &str) {
        self.write(self.try_rdf(statements).unwrap_or_else(|e| panic!("{statements}: {e}")));
    }

    /// Values as text with their language, edges as numbers.
    fn stored(&self, subject: u64, predicate: &str) -> Vec<String> {
        let view = self.store.view(self.store.read_ts()).unwrap();
        let list = view.list(&Key::data(&Predicate::root(predicate), Uid(subject))).unwrap();
        let mut texts: Vec<_> = list
            .ids
            .iter()
            .map(|id| match list.posting(*id) {
                Some(p) if !p.is_edge => {
                    let text = Value::from_bytes(p.val_type, &p.value).unwrap().to_text().unwrap_or_else(|| "?".into());
                    if p.lang.is_empty() { text } else { format!("{text}@{}", p.lang) }
                }
                _ => id.to_string(),
            })
            .collect();
        texts.sort();
        texts
    }
}

fn value(edge: &Edge) -> &Value {
    match &edge.object {
        EdgeObject::Value { value, .. } => value,
        other => panic!("not a value: {other:?}"),
    }
}

fn type_of(resolved: &ResolvedMutation, name: &str) -> (ValType, bool) {
    let found = resolved.new_schema.iter().find(|(predicate, _)| predicate.name.as_ref() == name);
    let (_, PredicateSchema { value_type, list, .. }) = found.unwrap_or_else(|| panic!("{name} has no new schema"));
    (*value_type, *list)
}

#[test]
fn one_blank_node_is_one_new_uid() {
    let graph = Graph::new();
    let resolved = graph.set("_:a <friend> _:b .\n_:b <friend> _:a .\n_:a <name> \"A\" .");
    assert_eq!(resolved.uids.keys().collect::<Vec<_>>(), ["a", "b"]);
    let (a, b) = (resolved.uids["a"], resolved.uids["b"]);
    assert_ne!(a, b);
    let edges: Vec<_> = resolved.edges.iter().map(|e| (e.subject, e.object.clone())).collect();
    assert_eq!(edges[0], (a, EdgeObject::Uid(b)));
    assert_eq!(edges[1], (b, EdgeObject::Uid(a)));
    assert!(!graph.set("_:a <name> \"A\" .").uids.values().any(|uid| *uid == a), "another request, another node");
}

#[test]
fn generated_names_sort_the_outermost_object_first() {
    let graph = Graph::new();
    let resolved = graph.try_json(r#"{"set":{"name":"out","friend":[{"name":"in"},{"name":"in too"}]}}"#).unwrap();
    let (_, outermost) = resolved.uids.first_key_value().unwrap();
    let named = resolved
        .edges
        .iter()
        .find(|e| e.object == EdgeObject::Value { value: Value::String("out".into()), lang: String::new() });
    assert_eq!(named.unwrap().subject, *outermost);
}

#[test]
fn written_out_uids_are_never_handed_out() {
    let graph = Graph::new();
    graph.run("set { <0x5000> <friend> <0x6000> . }");
    assert!(graph.store.max_leased(Leased::Uid) >= 0x6000);
    let given = graph.set("_:n <name> \"n\" .").uids["n"];
    assert!(given > Uid(0x6000));
    let soon = Uid(given.0 + 1);
    graph.set(&format!("<{soon}> <name> \"soon\" ."));
    assert!(graph.set("_:n <name> \"n\" .").uids["n"] > soon, "it lies in the block that is leased already");
    assert!(
        graph.try_rdf("set { <0xfffffffffffffffe> <name> \"n\" . }").is_err(),
        "it would leave no uids for new nodes"
    );
    assert!(graph.try_rdf("delete { <0xfffffffffffffffe> <name> * . }").is_ok());
}

#[test]
fn values_become_what_the_schema_says() {
    let graph = Graph::new();
    for (line, expected) in [
        ("<1> <age> \"30\" .", Value::Int(30)),
        ("<1> <age> \"1.9\"^^<xs:float> .", Value::Int(1)),
        ("<1> <age> \"true\"^^<xs:boolean> .", Value::Int(1)),
        ("<1> <age> \"1970-01-01T00:00:07Z\"^^<xs:dateTime> .", Value::Int(7)),
        ("<1> <age> \"7\"^^<xs:string> .", Value::Int(7)),
        ("<1> <height> \"1e2\" .", Value::Float(100.0)),
        ("<1> <alive> \"T\" .", Value::Bool(true)),
        ("<1> <alive> \"0\"^^<xs:int> .", Value::Bool(false)),
        ("<1> <email> \"1.50\"^^<xs:float> .", Value::String("1.5".into())),
        ("<1> <free> \"7\" .", Value::Default("7".into())),
    ] {
        assert_eq!(value(&graph.set(line).edges[0]), &expected, "{line}");
    }
    let json =
        graph.try_json(r#"{"set":{"uid":1,"age":2.7,"height":3,"alive":1,"email":1.5,"free":true,"dob":0}}"#).unwrap();
    let values: Vec<_> = json.edges.iter().map(|e| value(e).to_text().unwrap()).collect();
    assert_eq!(values, ["2", "3", "true", "1.5", "true", "1970-01-01T00:00:00Z"]);
}

#[test]
fn one_value_that_does_not_convert_refuses_all() {
    let graph = Graph::new();
    for line in [
        "<1> <age> \"abc\" .",
        "<1> <age> \"\" .",
        "<1> <age> \" 1\" .",
        "<1> <age> \"1.5\" .",
        "<1> <alive> \"yes\" .",
        "<1> <dob> \"2006-02-30\" .",
        "<1> <loc> \"nowhere\" .",
        "<1> <loc> \"{'type':'Polygon','coordinates':[[[0,0],[1,0],[1,1]]]}\" .",
        "<1> <pass> \"short\" .",
        "<1> <free> \"secret99\"^^<xs:password> .",
        "<1> <name> \"secret99\"^^<xs:password> .",
    ] {
        assert!(graph.try_rdf(&format!("set {{\n<2> <age> \"1\" .\n{line}\n}}")).is_err(), "{line}");
    }
    assert_eq!(graph.stored(2, "age"), [""; 0]);
}

#[test]
fn shapes_that_only_the_index_refuses_are_kept_without_one() {
    let graph = Graph::new();
    let line = "{'type':'LineString','coordinates':[[0,0],[1,0]]}";
    assert!(matches!(graph.try_rdf(&format!("set {{ <1> <loc> \"{line}\" . }}")), Err(MutationError::Index { .. })));
    graph.run(&format!("set {{ <1> <area> \"{line}\" . }}"));
    assert_eq!(graph.stored(1, "area").len(), 1);
}

#[test]
fn nodes_and_values_do_not_mix() {
    let graph = Graph::new();
    assert!(matches!(graph.try_rdf("set { <1> <friend> \"x\" . }"), Err(MutationError::ScalarForNode { .. })));
    assert!(matches!(graph.try_rdf("set { <1> <name> <0x2> . }"), Err(MutationError::NodeForScalar { .. })));
    assert!(matches!(graph.try_json(r#"{"set":{"uid":1,"friend":"0x2"}}"#), Err(MutationError::ScalarForNode { .. })));
}

#[test]
fn languages_need_the_directive() {
    let graph = Graph::new();
    for statements in
        ["set { <1> <email> \"x\"@en . }", "set { <1> <fresh> \"x\"@en . }", "set { <1> <email@en> \"x\" . }"]
    {
        assert!(matches!(graph.try_rdf(statements), Err(MutationError::NoLanguages { .. })), "{statements}");
    }
    graph.run("set { <1> <name> \"x\"@en .\n<1> <name@de> \"y\" .\n<1> <name> \"z\" . }");
    assert_eq!(graph.stored(1, "name"), ["x@en", "y@de", "z"]);
}

#[test]
fn the_databases_own_predicates_are_not_made_up() {
    let graph = Graph::new();
    assert!(matches!(graph.try_rdf("set { <1> <dgraph.none> \"x\" . }"), Err(MutationError::Reserved { .. })));
    graph.run("set { <1> <dgraph.type> \"Person\" . }");
    assert_eq!(graph.stored(1, "dgraph.type"), ["Person"]);
}

#[test]
fn unknown_predicates_get_the_type_of_their_first_value() {
    let graph = Graph::new();
    let lines = "<1> <d> \"x\" .\n<1> <s> \"x\"^^<xs:string> .\n<1> <i> \"7\"^^<xs:int> .\n<1> <e> <2> .\n<1> <l> \"a\" .\n<1> <l> \"b\" .\n<2> <d> \"y\" .\n<1> <p> \"secret99\"^^<xs:password> .";
    let rdf = graph.set(lines);
    for (name, expected) in [
        ("d", (ValType::Default, false)),
        ("s", (ValType::String, false)),
        ("i", (ValType::Int, false)),
        ("e", (ValType::Uid, true)),
        ("l", (ValType::Default, true)),
        ("p", (ValType::Password, false)),
    ] {
        assert_eq!(type_of(&rdf, name), expected, "{name}");
    }
    let body = r#"{"set":{"uid":1,"s":"2006-01-02","i":7,"f":7.0,"b":true,"g":{"type":"Point","coordinates":[1,2]},"one":{"uid":2},
        "many":[{"uid":2}],"list":["a"],"none":null,"nothing":[]}}"#;
    let json = graph.try_json(body).unwrap();
    for (name, expected) in [
        ("s", (ValType::String, false)),
        ("i", (ValType::Int, false)),
        ("f", (ValType::Float, false)),
        ("b", (ValType::Bool, false)),
        ("g", (ValType::Geo, false)),
        ("one", (ValType::Uid, false)),
        ("many", (ValType::Uid, true)),
        ("list", (ValType::String, true)),
    ] {
        assert_eq!(type_of(&json, name), expected, "{name}");
    }
    assert_eq!(json.new_schema.len(), 8, "null and [] create nothing");
}

#[test]
fn strict_mode_and_long_names_refuse_unknown_predicates() {
    let graph = Graph::new();
    let request = MutationRequest::from_rdf("{ set { <1> <fresh> \"x\" . } }").unwrap();
    assert!(matches!(graph.resolve(&request, UnknownPredicates::Refuse), Err(MutationError::Unknown { .. })));
    let long = format!("set {{ <1> <{}> \"x\" . }}", "x".repeat(70_000));
    assert!(matches!(graph.try_rdf(&long), Err(MutationError::NameTooLong { .. })));
}

#[test]
fn an_array_for_a_single_value_leaves_its_last() {
    let graph = Graph::new();
    graph.write(graph.try_json(r#"{"set":{"uid":1,"age":[1,2,3],"nick":"a"}}"#).unwrap());
    graph.write(graph.try_json(r#"{"set":{"uid":1,"nick":"b"}}"#).unwrap());
    assert_eq!(graph.stored(1, "age"), ["3"]);
    assert_eq!(graph.stored(1, "nick"), ["a", "b"], "a scalar for a list adds one");
}

#[test]
fn deletes_take_exact_values_edges_languages_or_all() {
    let graph = Graph::new();
    let all = "set { <1> <name> \"A\" .\n<1> <name> \"B\"@en .\n<1> <name> \"C\"@de .\n<1> <nick> \"x\" .\n<1> <nick> \"y\" .\n<1> <friend> <2> .\n<1> <friend> <3> . }";
    graph.run(all);
    graph.run("delete { <1> <name> \"other\" .\n<1> <nick> \"x\" .\n<1> <friend> <2> .\n<1> <fresh> * . }");
    assert_eq!(graph.stored(1, "name"), ["A", "B@en", "C@de"]);
    assert_eq!((graph.stored(1, "nick"), graph.stored(1, "friend")), (vec!["y".to_owned()], vec!["3".to_owned()]));
    graph.run("delete { <1> <name@en> * . }");
    assert_eq!(graph.stored(1, "name"), ["A", "C@de"]);
    graph.run("delete { <1> <name> \"A\" . }");
    assert_eq!(graph.stored(1, "name"), ["C@de"], "untagged means the untagged value only");
    graph.run("delete { <1> <name> * .\n<1> <friend> * . }");
    assert_eq!((graph.stored(1, "name").len(), graph.stored(1, "friend").len()), (0, 0));
}

#[test]
fn deleting_a_node_takes_what_its_types_list() {
    let graph = Graph::new();
    graph.run("set { <1> <name> \"A\" .\n<1> <nick> \"x\" .\n<1> <age> \"3\" .\n<1> <dgraph.type> \"Person\" .\n<2> <name> \"B\" . }");
    graph.run("delete { <1> * * .\n<2> * * . }");
    for gone in ["name", "nick", "dgraph.type"] {
        assert_eq!(graph.stored(1, gone), [""; 0], "{gone}");
    }
    assert_eq!(graph.stored(1, "age"), ["3"], "not in the type");
    assert_eq!(graph.stored(2, "name"), ["B"], "a node without types keeps everything");
}

#[test]
fn set_wins_over_delete_in_one_request() {
    let graph = Graph::new();
    graph.run("set { <1> <name> \"A\" .\n<1> <nick> \"x\" . }");
    graph.run("set { <1> <name> \"A\" .\n<1> <nick> \"x\" . } delete { <1> <name> \"A\" .\n<1> <nick> * . }");
    assert_eq!((graph.stored(1, "name"), graph.stored(1, "nick")), (vec!["A".to_owned()], vec!["x".to_owned()]));
}

#[test]
fn stars_and_variables_have_their_places() {
    let graph = Graph::new();
    assert!(matches!(graph.try_rdf("set { <1> <name> * . }"), Err(MutationError::StarInSet)));
    assert!(matches!(graph.try_rdf("set { <1> * * . }"), Err(MutationError::StarInSet)));
    assert!(matches!(graph.try_rdf("delete { <1> * \"x\" . }"), Err(MutationError::StarPredicate)));
    for statements in [
        "set { uid(v) <name> \"x\" . }",
        "set { <1> <friend> uid(v) . }",
        "set { <1> <name> val(v) . }",
        "delete { uid(v) <name> * . }",
    ] {
        let e = graph.try_rdf(statements).unwrap_err();
        assert!(e.to_string().contains("variables [v] not defined"), "{statements}: {e}");
    }
    assert!(matches!(graph.try_rdf("delete { _:x <name> * . }"), Err(MutationError::NewNodeDeleted { .. })));
}

#[test]
fn passwords_are_hashed_and_only_a_star_deletes_them() {
    let graph = Graph::new();
    let resolved = graph.set("<1> <pass> \"secret99\" .");
    assert!(value(&resolved.edges[0]).check_password("secret99"));
    graph.write(resolved);
    assert_eq!(graph.try_rdf("delete { <1> <pass> \"secret99\" . }").unwrap().edges, []);
    graph.run("delete { <1> <pass> * . }");
    assert_eq!(graph.stored(1, "pass").len(), 0);
}

#[test]
fn facets_go_with_sets_and_a_set_without_clears_them() {
    let graph = Graph::new();
    let resolved = graph.set("<1> <friend> <2> (since=2006-01-02, close=true) .");
    assert_eq!(resolved.edges[0].facets.iter().map(|f| f.key.as_str()).collect::<Vec<_>>(), ["close", "since"]);
    assert_eq!(graph.set("<1> <friend> <2> .").edges[0].facets, []);
}

#[test]
fn mutations_of_a_request_share_new_nodes_and_keep_their_order() {
    let graph = Graph::new();
    let body = r#"{"mutations":[{"set":{"uid":"_:a","name":"x"}},{"set":{"uid":"_:a","age":1},"delete":{"uid":"0x6","age":null}}],
        "set":{"uid":"_:a","nick":"y"}}"#;
    let resolved = graph.try_json(body).unwrap();
    assert_eq!(resolved.uids.len(), 1);
    let order: Vec<_> = resolved.edges.iter().map(|e| (e.op, e.predicate.name.as_ref())).collect();
    assert_eq!(order, [(EdgeOp::Set, "name"), (EdgeOp::Delete, "age"), (EdgeOp::Set, "age"), (EdgeOp::Set, "nick")]);
}

#[test]
fn empty_requests_are_told_from_empty_sets() {
    for empty in ["", " \n", "{ }"] {
        assert!(MutationRequest::from_rdf(empty).unwrap().is_empty(), "{empty:?}");
    }
    for empty in ["", "{}", r#"{"uid":1}"#, r#"{"Set":{}}"#, r#"{"cond":"@if(x)"}"#, r#"{"set":null}"#] {
        assert!(MutationRequest::from_json(empty).unwrap().is_empty(), "{empty}");
    }
    assert!(!MutationRequest::from_rdf("{ set { } }").unwrap().is_empty());
    assert!(!MutationRequest::from_json(r#"{"set":[]}"#).unwrap().is_empty());
    assert!(!MutationRequest::from_json(r#"{"query":"{ q(func: uid(1)) { uid } }"}"#).unwrap().is_empty());
    for wrong in ["[]", "{", "7", r#"{"cond":1}"#, r#"{"query":{}}"#, r#"{"mutations":{}}"#, r#"{"mutations":[1]}"#] {
        assert!(MutationRequest::from_json(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn conditions_begin_as_conditions() {
    let statements = |cond: &str| {
        let body = format!("{{\"cond\":{cond:?},\"set\":{{\"name\":\"x\"}}}}");
        MutationRequest::from_json(&body).unwrap().statements().map(|s| s.len())
    };
    for cond in ["@if(gt(len(v),0))", "@filter(eq(len(v), 0))", ""] {
        assert_eq!(statements(cond).unwrap(), 1, "{cond}");
    }
    for cond in ["gt(len(v),0)", "@unless(x)", "@if"] {
        assert!(matches!(statements(cond), Err(MutationError::Condition { .. })), "{cond}");
    }
}

#[test]
fn errors_in_statements_tell_their_place_in_the_body() {
    let e =
        MutationRequest::from_rdf("{ set {\n<1> <p> \"v\" .\n<1> <p> nope .\n} }").unwrap().statements().unwrap_err();
    assert!(e.to_string().starts_with("line 3 column 9:"), "{e}");
    let e = MutationRequest::from_json("{\"set\":\n {\"uid\":\"zed\"}}").unwrap().statements().unwrap_err();
    assert!(e.to_string().starts_with("line 2 column 9:"), "{e}");
}

#[test]
fn variables_stand_for_what_the_query_found() {
    let graph = Graph::new();
    let uids = BTreeMap::from([
        ("v".to_owned(), vec![1, 2]),
        ("w".to_owned(), vec![3, 4]),
        ("none".to_owned(), vec![]),
        ("a".to_owned(), vec![1]),
    ]);
    let ages = BTreeMap::from([(1, Value::Int(30))]);
    let values = BTreeMap::from([("a".to_owned(), ages), ("max".to_owned(), BTreeMap::from([(0, Value::Int(9))]))]);
    let edges = |statements: &str| {
        let body = format!("upsert {{ query {{ }} mutation {{ {statements} }} }}");
        let statements = MutationRequest::from_rdf(&body).unwrap().statements().unwrap();
        let substituted = statements[0].substitute(Variables { uids: &uids, values: &values })?;
        resolve(&graph.store, &graph.store.view(graph.store.read_ts())?, &[substituted], UnknownPredicates::Create)
    };
    let product = edges("set { uid(v) <friend> uid(w) . }").unwrap();
    let pairs: Vec<_> = product.edges.iter().map(|e| (e.subject.0, e.object.clone())).collect();
    let to = |uid| EdgeObject::Uid(Uid(uid));
    assert_eq!(pairs, [(1, to(3)), (1, to(4)), (2, to(3)), (2, to(4))]);

    let new = edges("set { uid(none) <name> \"x\" .\nuid(none) <age> \"1\" . }").unwrap();
    assert_eq!(new.uids.keys().collect::<Vec<_>>(), ["uid(none)"], "one new node");
    assert_eq!(edges("delete { uid(none) <name> * .\n<1> <friend> uid(none) . }").unwrap().edges, []);

    let heights = edges("set { uid(v) <height> val(a) . }").unwrap().edges;
    assert_eq!(heights.iter().map(|e| (e.subject.0, value(e).clone())).collect::<Vec<_>>(), [(1, Value::Float(30.0))]);
    assert_eq!(edges("set { uid(v) <age> val(max) . }").unwrap().edges.len(), 2, "an aggregate is for every subject");
    for wrong in ["set { uid(x) <age> \"1\" . }", "set { <1> <age> val(x) . }", "delete { <1> <friend> uid(x) . }"] {
        assert!(matches!(edges(wrong), Err(MutationError::Variable { .. })), "{wrong}");
    }
}

/// Statements that real servers took, in every kind of value.
#[test]
fn statements_of_recorded_backups_are_read() {
    let mut read = 0;
    for series in ["v25.4-kinds", "v24.1-kinds-aes256", "v21.12-random", "v1.2-kinds"] {
        let Some(text) = shared(&format!("data/dgraph-backups/{series}/expected.json")) else { return };
        let recorded: serde_json::Value = serde_json::from_str(&text).unwrap();
        for step in recorded["statements"].as_object().unwrap().values() {
            for statement in step.as_array().unwrap() {
                let Some(text) = statement[1].as_str() else { continue };
                read += match statement[0].as_str().unwrap() {
                    "rdf" | "del" => parse(text, Names::Uids).unwrap_or_else(|e| panic!("{series}: {e}\n{text}")).len(),
                    "upsert" => MutationRequest::from_rdf(text).unwrap().statements().unwrap().len(),
                    "schema" if series != "v25.4-kinds" && series != "v24.1-kinds-aes256" => {
                        parse_schema(text).unwrap().predicates.len()
                    }
                    _ => 0,
                };
            }
        }
    }
    assert!(read > 2_500, "only {read} statements were read");
}

fn shared(path: &str) -> Option<String> {
    let root = std::env::var_os("GRAPHDB_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")), PathBuf::from);
    let text = std::fs::read_to_string(root.join(path)).ok();
    if text.is_none() {
        let said = format!("\nSKIPPED {path}: it is not in {}; set GRAPHDB_SHARED\n", root.display());
        _ = std::io::Write::write_all(&mut std::io::stderr(), said.as_bytes());
    }
    text
}

/// The bodies that real servers were sent: those they took we take, those they refused we refuse.
#[test]
fn recorded_requests_end_as_they_did() {
    for version in ["v25.4", "v20.11"] {
        let Some(exchanges) = shared(&format!("data/http/dgraph-{version}.jsonl")) else { return };
        let compared = replay(&exchanges);
        assert!(compared >= 40, "only {compared} requests of {version} were compared");
    }
}

/// How many requests ended as they did.
fn replay(exchanges: &str) -> usize {
    let graph = Graph::new();
    let mut compared = 0;
    for line in exchanges.lines() {
        let exchange: serde_json::Value = serde_json::from_str(line).unwrap();
        let (Some(path), Some(body)) = (exchange["path"].as_str(), exchange["body"].as_str()) else { continue };
        let refused = exchange["response"].get("errors").is_some();
        let content_type = exchange["headers"]["Content-Type"].as_str().unwrap_or_default();
        let taken = match (path.split(['?', '/']).nth(1), content_type) {
            (Some("alter"), _) => replay_alter(&graph, body),
            (Some("mutate"), "application/rdf") => replay_mutation(&graph, MutationRequest::from_rdf(body)),
            (Some("mutate"), "application/json") => replay_mutation(&graph, MutationRequest::from_json(body)),
            _ => continue,
        };
        if let Some(taken) = taken {
            assert_eq!(taken, !refused, "{}: {body}", exchange["name"]);
            compared += 1;
        }
    }
    compared
}

fn replay_alter(graph: &Graph, body: &str) -> Option<bool> {
    Some(match AlterRequest::parse(body.as_bytes()).map(|request| request.op) {
        Ok(AlterOp::Schema(parsed)) => {
            parsed.check(&graph.store.schema()).is_ok() && {
                graph.define(parsed);
                true
            }
        }
        Ok(AlterOp::Nothing) | Err(_) => false,
        Ok(_) => true,
    })
}

fn replay_mutation(
    graph: &Graph,
    request: Result<MutationRequest<'_>, graphdb_query::mutation::RequestError>,
) -> Option<bool> {
    let Ok(request) = request else { return Some(false) };
    if request.query.is_some() {
        return None; // upserts are run elsewhere
    }
    if request.is_empty() {
        return Some(false);
    }
    let resolved = graph.resolve(&request, UnknownPredicates::Create);
    let taken = resolved.is_ok();
    resolved.into_iter().for_each(|resolved| graph.write(resolved));
    Some(taken)
}
