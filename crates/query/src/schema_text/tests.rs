#![expect(clippy::unwrap_used)]

use graphdb_types::Tokenizer;
use proptest::prelude::*;

use super::*;

fn one(text: &str) -> PredicateSchema {
    let parsed = parse_schema(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    assert_eq!(parsed.predicates.len(), 1, "{text}");
    parsed.predicates.into_iter().next().unwrap().1
}

fn refused(text: &str) -> SchemaError {
    match parse_schema(text) {
        Err(e) => e,
        Ok(parsed) => panic!("{text} was read as {parsed:?}"),
    }
}

#[test]
fn every_type_is_read_in_any_case() {
    for (name, value_type) in [
        ("default", ValType::Default),
        ("string", ValType::String),
        ("String", ValType::String),
        ("int", ValType::Int),
        ("FLOAT", ValType::Float),
        ("bool", ValType::Bool),
        ("dateTime", ValType::DateTime),
        ("datetime", ValType::DateTime),
        ("geo", ValType::Geo),
        ("uid", ValType::Uid),
        ("password", ValType::Password),
        ("binary", ValType::Binary),
        ("bigfloat", ValType::BigFloat),
        ("float32vector", ValType::VFloat),
    ] {
        assert_eq!(one(&format!("p: {name} .")), PredicateSchema { value_type, ..Default::default() }, "{name}");
    }
    for name in ["string", "int", "float", "datetime", "geo", "uid", "default"] {
        assert!(one(&format!("p: [{name}] .")).list, "{name}");
    }
    for wrong in ["strin", "object", "", "[string", "[]", "[bool]", "[password]"] {
        refused(&format!("p: {wrong} ."));
    }
}

#[test]
fn names_are_bare_or_in_brackets() {
    for (text, name) in [
        ("a_b-c.d9", "a_b-c.d9"),
        ("<http://x/y>", "http://x/y"),
        ("<9lives>", "9lives"),
        ("<имя>", "имя"),
        ("type", "type"),
    ] {
        assert_eq!(parse_schema(&format!("{text}: int .")).unwrap().predicates[0].0, Predicate::root(name), "{text}");
    }
    for wrong in ["9lives", "имя", "<a b>", "<>", "<a", "uid", "<uid>", "<~a>", "<a@en>", "", "{"] {
        refused(&format!("{wrong}: int ."));
    }
}

#[test]
fn directives_are_read() {
    let schema =
        one("name: string @index(exact, term, trigram, fulltext) @lang @count @upsert @noconflict . # comment");
    assert_eq!(schema.tokenizers, [Tokenizer::Exact, Tokenizer::Term, Tokenizer::Trigram, Tokenizer::FullText]);
    assert!(schema.lang && schema.count && schema.upsert && schema.no_conflict && !schema.reverse);
    let edge = one("friend:[uid]@reverse@count.");
    assert!(edge.list && edge.reverse && edge.count);
    for (value_type, tokenizer) in [
        ("int", "int"),
        ("float", "float"),
        ("bool", "bool"),
        ("datetime", "hour"),
        ("geo", "geo"),
        ("string", "sha256"),
        ("string", "ngram"),
        ("bigfloat", "bigfloat"),
    ] {
        assert_eq!(one(&format!("p: {value_type} @index({tokenizer}) .")).tokenizers.len(), 1);
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    for wrong in [
        "string @reverse",
        "uid @index(exact)",
        "default @index(exact)",
        "password @index(exact)",
        "binary @index(hash)",
        "string @index",
        "string @index()",
        "string @index(term,)",
        "string @index(nope)",
        "string @index(int)",
        "int @index(term)",
        "string @index(term, term)",
        "string @index(term) @index(exact)",
        "datetime @index(year, month)",
        "int @lang",
        "[string] @lang",
        "string @upsert",
        "uid @reverse @upsert",
        "string @Index(term)",
        "string @nope",
        "string index(term)",
        "string @",
    ] {
        refused(&format!("p: {wrong} ."));
    }
}

#[test]
fn indexes_over_vectors_are_read_with_their_options() {
    let options = |text: &str| one(&format!("v: float32vector @index({text}) .")).vector_indexes[0].options.clone();
    assert_eq!(options("hnsw"), []);
    let both = [("metric".to_owned(), "cosine".to_owned()), ("exponent".to_owned(), "4".to_owned())];
    assert_eq!(options("hnsw(metric:\"cosine\",exponent: \"4\")"), both);
    for wrong in [
        "float32vector @index(hnsw())",
        "float32vector @index(hnsw(metric))",
        "float32vector @index(hnsw(metric: cosine))",
        "float32vector @index(hnsw(metric: \"manhattan\"))",
        "float32vector @index(hnsw(metric: \"cosine\")",
        "float32vector @index(term)",
        "string @index(hnsw)",
        "[float32vector]",
    ] {
        refused(&format!("p: {wrong} ."));
    }
}

#[test]
fn what_nothing_enforces_is_refused_unless_it_was_exported() {
    let parsed = parse_schema("email: string @index(exact) @upsert @unique .").unwrap();
    let e = parsed.check(&present()).unwrap_err();
    assert!(e.message.ends_with("is not supported by this version"), "{e}");
    let exported = parsed.exported(&present());
    assert_eq!(exported.check(&present()), Ok(()));
    assert!(exported.predicates[0].1.unique);
    assert_eq!(exported.notes(), ["email: @unique is kept, but this version does not enforce it"]);
}

#[test]
fn definitions_have_their_namespace_in_front() {
    let text =
        "[0x0] <name>:string . \n[0x1f] <name>:int @index(int) . \n[0x1f] type <Person> {\n\tname\n\t<~friend>\n}\n";
    let parsed = parse_schema(text).unwrap();
    let tenant = |name: &str| Predicate { namespace: Namespace(31), name: name.into() };
    let names: Vec<_> = parsed.predicates.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names, [Predicate::root("name"), tenant("name")]);
    assert_eq!((&parsed.types[0].0, parsed.greatest_namespace()), (&tenant("Person"), Namespace(31)));
    assert_eq!(parsed.check(&present()), Ok(()), "the fields of a type are those of its namespace");
    for wrong in ["[] a: int .", "[x] a: int .", "[0x0 a: int .", "[0x0]", "[0x0]\na: int ."] {
        refused(wrong);
    }
}

#[test]
fn an_exported_text_leaves_what_the_database_has_of_its_own() {
    let text = "dgraph.type: string .\ndgraph.xid: string @index(exact) .\ntype T {\n gone\n}";
    let exported = parse_schema(text).unwrap().exported(&present());
    let names: Vec<_> = exported.predicates.iter().map(|(name, _)| name.name.as_ref()).collect();
    assert_eq!((names, exported.types.len()), (vec!["dgraph.xid"], 1));
    assert_eq!(exported.check(&present()), Ok(()));
    let shrunk = parse_schema("nicks: string .").unwrap().exported(&present());
    assert!(shrunk.check(&present()).is_err());
}

#[test]
fn each_predicate_has_its_own_line_and_is_defined_once() {
    for wrong in [
        "a: int . b: int .",
        "a: int .\na: string .",
        "a: int",
        "a int .",
        "a: int\n.",
        "a",
        "type T {\n}\ntype T {\n}",
    ] {
        refused(wrong);
    }
    let parsed = parse_schema("# head\n\na: int . # one\r\n  # between\n b: string .").unwrap();
    assert_eq!(parsed.predicates.len(), 2);
    for empty in ["", "\n\n", "# only a comment"] {
        assert_eq!(parse_schema(empty).unwrap().predicates, []);
    }
}

#[test]
fn types_are_read_in_both_forms() {
    let fields = |text: &str| parse_schema(text).unwrap().types[0].1.fields.clone();
    assert_eq!(fields("type Person {\n  name\n  <~friend>\n  age # years\n}\n"), ["name", "~friend", "age"]);
    assert_eq!(
        fields("type Person { name\n age: int\n friend: [Person!]!\n code: string!\n}"),
        ["name", "age", "friend", "code"]
    );
    assert_eq!(fields("type <Person:x> {\n}").len(), 0);
}

#[test]
fn types_that_are_malformed_are_refused() {
    for wrong in [
        "type { }",
        "type P",
        "type P {",
        "type P {\n a\n a\n}",
        "type P {\n a b\n}",
        "type P {\n a }",
        "type P {\n a\n} b: int .",
        "type P {\n a:\n}",
        "type P {\n a: [Q\n}",
        "type 9 {\n}",
    ] {
        refused(wrong);
    }
}

#[test]
fn errors_tell_line_and_column() {
    for (text, place) in [
        ("name: string @index(nope) .", (1, 21)),
        ("x: strin .", (1, 4)),
        ("x: string", (1, 10)),
        ("a: int .\n\nx: string @reverse .", (3, 11)),
        ("a: int .\na: int .", (2, 1)),
    ] {
        let e = refused(text);
        assert_eq!((e.line, e.column), place, "{text}: {e}");
    }
}

fn present() -> Schema {
    let mut schema = Schema::default();
    for (name, def) in
        parse_schema("name: string .\nnicks: [string] .\ndgraph.type: [string] @index(exact) .").unwrap().predicates
    {
        schema.predicates.insert(name, def);
    }
    schema
}

#[test]
fn reserved_names_may_only_be_repeated() {
    let parsed = parse_schema("dgraph.type: [string] @index(exact) .\nDgraph.foo: string .").unwrap();
    assert_eq!(parsed.reserved().count(), 2);
    let e = parsed.check(&present()).unwrap_err();
    assert_eq!((e.line, e.column), (2, 1));
    assert_eq!(parse_schema("dgraph.type: [string] @index(exact) .").unwrap().check(&present()), Ok(()));
    assert!(parse_schema("dgraph.type: string .").unwrap().check(&present()).is_err());
    assert!(parse_schema("type dgraph.x {\n}").unwrap().check(&present()).is_err());
}

#[test]
fn lists_stay_lists_and_fields_exist() {
    let check = |text: &str| parse_schema(text).unwrap().check(&present());
    assert!(check("nicks: string .").is_err());
    assert_eq!(check("name: [string] ."), Ok(()));
    assert_eq!(check("type P {\n name\n age\n <~boss>\n}\nage: int ."), Ok(()));
    let e = check("type P {\n name\n nope\n}").unwrap_err();
    assert_eq!((e.line, e.column), (3, 2));
}

#[test]
fn an_exported_schema_reads_the_same() {
    let text = "name: string @index(exact, term) @count @lang @upsert .\nfriend: [uid] @reverse .\n<http://x>: datetime @index(day) @noconflict .\nbig: bigfloat @index(bigfloat) .\nwords: string @index(ngram) .\nv: float32vector @index(hnsw(metric: \"cosine\", exponent: \"4\")) .\nw: float32vector @index(hnsw) .\nu: int @index(int) @upsert @unique .\ntype P {\n name\n <~friend>\n}\n[0x1f] type <Q:x> {\n <a:b>\n}\n";
    let parsed = parse_schema(text).unwrap();
    let mut written = Vec::new();
    for (name, schema) in &parsed.predicates {
        graphdb_export::schema::write_predicate(&mut written, name, schema).unwrap();
    }
    for (name, def) in &parsed.types {
        graphdb_export::schema::write_type(&mut written, name, def).unwrap();
    }
    let again = parse_schema(std::str::from_utf8(&written).unwrap()).unwrap();
    assert_eq!((again.predicates, again.types), (parsed.predicates, parsed.types));
}

fn alter(body: &str) -> AlterOp {
    AlterRequest::parse(body.as_bytes()).unwrap_or_else(|e| panic!("{body}: {e}")).op
}

#[test]
fn operations_are_read_in_both_cases() {
    for (body, op) in [
        (r#"{"drop_all":true}"#, AlterOp::DropAll),
        (r#"{"dropAll":true,"schema":"a: int ."}"#, AlterOp::DropAll),
        (r#"{"drop_op":"ALL"}"#, AlterOp::DropAll),
        (r#"{"dropOp":2}"#, AlterOp::DropData),
        (r#"{"drop_op":"DATA"}"#, AlterOp::DropData),
        (r#"{"drop_attr":"a"}"#, AlterOp::DropAttr("a".into())),
        (r#"{"dropAttr":"a"}"#, AlterOp::DropAttr("a".into())),
        (r#"{"drop_op":"ATTR","drop_value":"a"}"#, AlterOp::DropAttr("a".into())),
        (r#"{"dropOp":"TYPE","dropValue":"T"}"#, AlterOp::DropType("T".into())),
        (r#"{}"#, AlterOp::Nothing),
        (r#"{"drop_all":false}"#, AlterOp::Nothing),
        (r#"{"drop_op":"NONE"}"#, AlterOp::Nothing),
        (r#"{"schema":""}"#, AlterOp::Nothing),
        (r#"{"schema":null}"#, AlterOp::Nothing),
        ("", AlterOp::Nothing),
    ] {
        assert_eq!(alter(body), op, "{body}");
    }
    assert!(AlterRequest::parse(br#"{"schema":"a: int .","run_in_background":true}"#).unwrap().run_in_background);
}

#[test]
fn schema_text_comes_bare_or_in_json() {
    for body in ["a: int .", r#"{"schema":"a: int ."}"#] {
        assert!(matches!(alter(body), AlterOp::Schema(parsed) if parsed.predicates.len() == 1), "{body}");
    }
    for body in ["\n", "# nothing", r##"{"schema":"# nothing"}"##] {
        assert!(matches!(alter(body), AlterOp::Schema(parsed) if parsed.predicates.is_empty()), "{body}");
    }
}

#[test]
fn operations_that_make_no_sense_are_refused() {
    for body in [
        r#"{"drop_op":"ATTR"}"#,
        r#"{"drop_op":"TYPE"}"#,
        r#"{"drop_op":"DATA","drop_value":"x"}"#,
        r#"{"drop_op":"ALL","drop_value":"x"}"#,
        r#"{"drop_op":"NOPE"}"#,
        r#"{"drop_op":7}"#,
        r#"{"drop_oop":"DATA"}"#,
        r#"{"drop_all":"true"}"#,
        r#"{"drop_all":true,}"#,
        r#"{"drop_attr":"dgraph.type"}"#,
        r#"{"drop_op":"TYPE","drop_value":"dgraph.graphql"}"#,
        r#"{"schema":"a int ."}"#,
        "[]",
    ] {
        assert!(AlterRequest::parse(body.as_bytes()).is_err(), "{body}");
    }
    assert!(AlterRequest::parse(b"a: int . \xff").is_err());
    let e = AlterRequest::parse(br#"{"drop_op":"NOPE"}"#).unwrap_err().to_string();
    assert!(e.contains("line 1 column 1") && e.contains("drop_op cannot be \"NOPE\""), "{e}");
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[a-z:.@()\\[\\]{}<>#\n é~!,9]{0,60}", any in any::<String>(), bytes in any::<Vec<u8>>()) {
        let _ = parse_schema(&text);
        let _ = parse_schema(&any);
        let _ = parse_schema(&format!("a: {text}"));
        let _ = parse_schema(&format!("type P {{{text}"));
        let _ = AlterRequest::parse(&bytes);
        let _ = AlterRequest::parse(any.as_bytes());
    }
}
