//! A folder that was exported, by this program or by Dgraph, is loaded into a node as it is.

use serde_json::json;

use crate::harness::{Node, assert_says, cli, temp_dir};

const SCHEMA: &str = r#"[0x0] <name>:string @index(exact,term) @count @lang . 
[0x0] <email>:string @index(exact) @upsert @unique . 
[0x0] <friend>:[uid] @reverse @count . 
[0x0] <near>:float32vector @index(hnsw(metric:"euclidean")) . 
[0x0] <amount>:bigfloat @index(bigfloat) . 
[0x0] <words>:string @index(ngram) . 
[0x0] <pass>:password . 
[0x0] <height>:float . 
[0x0] <dob>:datetime @index(year) . 
[0x0] <dgraph.type>:[string] @index(exact) . 
[0x0] <dgraph.cors>:[string] @index(exact) @upsert . 
[0x1f] <dgraph.type>:[string] @index(exact) . 
[0x1f] <dgraph.graphql.schema>:string . 
[0x1f] <dgraph.graphql.xid>:string @index(exact) @upsert . 
[0x1f] <name>:int @index(int) . 
[0x0] type <Person> {
	name
	<~friend>
}
[0x1f] type <Person> {
	name
}
"#;

const RDF: &str = r#"<0x1> <name> "Alice"^^<xs:string> <0x0> .
<0x1> <name> "Alicia"@es <0x0> (weight=3.0) .
<0x1> <friend> <0x2> <0x0> (close=true,note="old pal",since=2006-01-02T15:04:05Z) .
<0x1> <near> "[1,0.5]"^^<xs:[]float32> <0x0> .
<0x1> <amount> "1.23456789012345678901234567890125e+29"^^<xs:decimal> <0x0> .
<0x1> <words> "the end\u0000"^^<xs:string> <0x0> .
<0x1> <pass> "$2a$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW"^^<xs:password> <0x0> .
<0x1> <height> "-0"^^<xs:float> <0x0> .
<0x1> <dob> "2006-01-02T15:04:05.12+05:30"^^<xs:dateTime> <0x0> .
<0x1> <dgraph.type> "Person"^^<xs:string> <0x0> .
<0x1> <name> "7"^^<xs:int> <0x1f> .
"#;

const JSON: &str = r#"[
  {"uid":"0x1","namespace":"0x0","name":"Alice"},
  {"uid":"0x1","namespace":"0x0","name@es":"Alicia","name@es|weight":3.0},
  {"uid":"0x1","namespace":"0x0","friend":[{"uid":"0x2","friend|close":true,"friend|note":"old pal","friend|since":"2006-01-02T15:04:05Z"}]},
  {"uid":"0x1","namespace":"0x0","near":"[1,0.5]"},
  {"uid":"0x1","namespace":"0x0","amount":"1.23456789012345678901234567890125e+29"},
  {"uid":"0x1","namespace":"0x0","words":"the end\u0000"},
  {"uid":"0x1","namespace":"0x0","pass":"$2a$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW"},
  {"uid":"0x1","namespace":"0x0","height":-0},
  {"uid":"0x1","namespace":"0x0","dob":"2006-01-02T15:04:05.12+05:30"},
  {"uid":"0x1","namespace":"0x0","dgraph.type":"Person"},
  {"uid":"0x1","namespace":"0x1f","name":7}
]
"#;

const GRAPHQL: &str = "[\n{\"Namespace\":0,\"Schema\":\"type A { id: ID! }\"},\n{\"Namespace\":31,\"Schema\":\"type B { id: ID! }\"}\n]\n";

const EVERYTHING: &str = r#"{
  q(func: type(Person)) {
    uid name name@es @facets friend @facets { uid } near amount words height dob
    right: checkpwd(pass, "abc123xyz") wrong: checkpwd(pass, "abc123xyy")
  }
  big(func: ge(amount, "1.2e29")) { uid }
  graphql(func: has(dgraph.graphql.schema)) { dgraph.graphql.schema dgraph.graphql.xid }
}"#;

#[test]
fn the_folder_of_an_export_is_loaded_whole() {
    for (file, data) in [("g01.rdf", RDF), ("g01.json", JSON)] {
        let dir = temp_dir();
        dir.dir("export");
        let files = [("export/g01.schema", SCHEMA), ("export/g01.gql_schema", GRAPHQL)];
        files.iter().for_each(|(name, content)| drop(dir.file(name, content)));
        dir.file(&format!("export/{file}"), data);
        let node = Node::start(dir.at("p").as_ref(), &[]);
        let printed = cli(&["live", "-f", &dir.at("export"), "--alpha", node.url()]).ok();
        assert_says(&printed, &["11 N-Quads", "0 nodes"]);
        let expected = json!({
            "q": [{
                "uid": "0x1", "name": "Alice", "name@es": "Alicia", "name@es|weight": 3.0,
                "friend": [{"uid": "0x2", "friend|close": true, "friend|note": "old pal", "friend|since": "2006-01-02T15:04:05Z"}],
                "near": [1.0, 0.5], "amount": 1.2345678901234568e29, "words": "the end\u{0}", "height": -0.0,
                "dob": "2006-01-02T15:04:05.12+05:30", "right": true, "wrong": false,
            }],
            "big": [{"uid": "0x1"}],
            "graphql": [{"dgraph.graphql.schema": "type A { id: ID! }", "dgraph.graphql.xid": "dgraph.graphql.schema"}],
        });
        assert_eq!(normal(node.query(EVERYTHING)), normal(expected), "{file}");
    }
}

/// Numbers as doubles, so that `3` equals `3.0`.
fn normal(json: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match json {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.into_iter().map(normal).collect(),
        Value::Object(members) => members.into_iter().map(|(key, value)| (key, normal(value))).collect(),
        other => other,
    }
}

#[test]
fn what_is_kept_without_being_served_is_said() {
    let dir = temp_dir();
    let (schema, data) = (dir.file("g01.schema", SCHEMA), dir.file("g01.rdf", RDF));
    let node = Node::start(dir.at("p").as_ref(), &[]);
    let loaded = cli(&["live", "-f", &data, "-s", &schema, "--alpha", node.url()]);
    assert_says(&loaded.stderr, &["email: @unique is kept", "near: the index hnsw is kept"]);
    loaded.ok();
    let refused = node.post("/alter", "text/plain", "fresh: string @index(exact) @unique .").error();
    assert_says(&refused, &["@unique is not supported"]);
}
