#![expect(clippy::unwrap_used)]

use graphdb_types::{FacetType, ValType, Value};
use proptest::prelude::*;

use super::*;

fn one(line: &str) -> NQuad<'_> {
    parse_line(line, Names::Uids).unwrap_or_else(|e| panic!("{line}: {e}")).unwrap_or_else(|| panic!("{line}: nothing"))
}

fn refused(line: &str) -> RdfError {
    match parse_line(line, Names::Uids) {
        Err(e) => e,
        Ok(read) => panic!("{line} was read as {read:?}"),
    }
}

fn text(text: &str) -> Object<'_> {
    Object::Literal { text: text.into(), declared: None }
}

fn typed(text: &str, of: ValType) -> Object<'_> {
    Object::Literal { text: text.into(), declared: Some(of) }
}

fn uid<'a>(uid: u64) -> NodeRef<'a> {
    NodeRef::Uid(Uid(uid))
}

#[test]
fn blank_lines_and_comments_are_no_statements() {
    for line in ["", "  ", "\t\r", "# comment", "  # <0x1> <p> \"v\" ."] {
        assert_eq!(parse_line(line, Names::Uids), Ok(None), "{line:?}");
    }
    assert_eq!(parse("# a\n\n<1> <p> \"v\" . # b\r\n_:x <p> <2>.\n", Names::Uids).unwrap().len(), 2);
}

#[test]
fn blanks_may_be_left_out_and_tabs_are_blanks() {
    for line in ["<0x1><p>\"v\".", "<0x1>\t<p>\t\"v\"\t.", " <0x1>  <p> \"v\" . # note", "<0x1> <p> \"v\".\r"] {
        let nquad = one(line);
        assert_eq!((nquad.subject, nquad.predicate.as_ref(), nquad.object), (uid(1), "p", text("v")), "{line}");
    }
}

#[test]
fn subjects_are_uids_blank_nodes_and_variables() {
    let cases = [
        ("<0x2a>", uid(42)),
        ("<42>", uid(42)),
        ("<052>", uid(42)),
        ("_:name", NodeRef::Blank("name".into())),
        ("_:a.b-c", NodeRef::Blank("a.b-c".into())),
        ("<_:name>", NodeRef::Blank("name".into())),
        ("uid(v)", NodeRef::Var("v".into())),
        ("uid( v )", NodeRef::Var("v".into())),
    ];
    for (subject, node) in cases {
        assert_eq!(one(&format!("{subject} <p> \"v\" .")).subject, node, "{subject}");
    }
    for subject in [
        "alice",
        "42",
        "0x1",
        "<0>",
        "<0x0>",
        "<0xffffffffffffffff>",
        "<alice>",
        "<>",
        "<_:>",
        "_:",
        "uid()",
        "uid(",
        "*",
        "<a b>",
    ] {
        refused(&format!("{subject} <p> \"v\" ."));
    }
    refused("_:a<p> \"v\" .");
}

#[test]
fn only_loaders_take_names() {
    let read = parse_line("<http://x/y> <p> <name> <http://graph> .", Names::External).unwrap().unwrap();
    assert_eq!(read.subject, NodeRef::Iri("http://x/y".into()));
    assert_eq!(read.object, Object::Node(NodeRef::Iri("name".into())));
    refused("<http://x/y> <p> <0x1> .");
    refused("<0x1> <p> <name> .");
}

#[test]
fn predicates_stand_in_brackets_and_may_carry_a_language() {
    let cases = [
        ("<name>", "name", ""),
        ("<name@en>", "name", "en"),
        ("<имя>", "имя", ""),
        ("<http://x/y#z>", "http://x/y#z", ""),
    ];
    for (predicate, name, lang) in cases {
        let line = format!("<1> {predicate} \"v\" .");
        let nquad = one(&line);
        assert_eq!((nquad.predicate.as_ref(), nquad.lang.as_ref()), (name, lang), "{predicate}");
    }
    for predicate in ["name", "<>", "<~p>", "<a@b@c>", "<a b>", "<p@>", "<p@1>", "<*>", "<@en>", "\"p\"", "<p"] {
        refused(&format!("<1> {predicate} \"v\" ."));
    }
}

#[test]
fn objects_have_all_their_forms() {
    let cases = [
        ("\"\"", text("")),
        ("\"a\tb\"", text("a\tb")),
        (r#""q\"\\\n\t\r\u00e9\U0001F600\x41""#, text("q\"\\\n\t\ré😀A")),
        (r#""\xc3\xa9""#, text("é")),
        ("<0x2b>", Object::Node(uid(43))),
        ("_:b", Object::Node(NodeRef::Blank("b".into()))),
        ("uid(v)", Object::Node(NodeRef::Var("v".into()))),
        ("val(v)", Object::ValVar("v".into())),
        ("*", Object::Star),
        (r#""5"^^<xs:int>"#, typed("5", ValType::Int)),
        (r#"""^^<xs:string>"#, typed("", ValType::String)),
        (r#""2006"^^<http://www.w3.org/2001/XMLSchema#gYear>"#, typed("2006", ValType::DateTime)),
        (
            r#""{'type':'Point','coordinates':[1,2]}"^^<geo:geojson>"#,
            typed("{'type':'Point','coordinates':[1,2]}", ValType::Geo),
        ),
    ];
    for (object, expected) in cases {
        assert_eq!(one(&format!("<1> <p> {object} .")).object, expected, "{object}");
        assert_eq!(one(&format!("<1> <p> {object}.")).object, expected, "{object} without a blank before the dot");
    }
    let wrong = [
        "'v'",
        "5",
        "word",
        "\"a",
        "\"a\nb\"",
        r#""\q""#,
        r#""\u12""#,
        r#""\ud800""#,
        r#""\xff""#,
        r#"""^^<xs:int>"#,
        r#""v"^^xs:int"#,
        r#""v"^^<xs:nope>"#,
        r#""v"@"#,
        r#""v"@1"#,
        "*@en",
        "val()",
        "<nope>",
        "",
    ];
    for object in wrong {
        assert!(parse(&format!("<1> <p> {object} ."), Names::Uids).is_err(), "{object}");
    }
}

#[test]
fn tags_keep_their_case() {
    for (tag, lang) in [("@en", "en"), ("@en-GB", "en-GB"), ("@zh-Hans-2", "zh-Hans-2")] {
        let line = format!("<1> <p> \"v\"{tag} .");
        assert_eq!(one(&line).lang, lang);
    }
}

#[test]
fn one_line_holds_one_statement() {
    for line in ["<1> <p> \"a\" . <1> <p> \"b\" .", "<1> <p> \"a\"", "<1> <p> .", "<1> .", "<1> <p> \"a\" . x"] {
        refused(line);
    }
}

#[test]
fn a_label_is_the_number_of_a_namespace_and_loaders_ignore_others() {
    for (label, namespace) in [("", 0), ("<0x0>", 0), ("<0x1f>", 31), ("<7>", 7)] {
        let line = format!("<1> <p> \"v\" {label} (f=1) .");
        let nquad = one(&line);
        assert_eq!((nquad.object, nquad.namespace), (text("v"), Namespace(namespace)), "{label}");
    }
    for label in ["<graph>", "_:g"] {
        let line = format!("<1> <p> \"v\" {label} .");
        refused(&line);
        assert_eq!(parse_line(&line, Names::External).unwrap().unwrap().namespace, Namespace::ROOT);
    }
}

#[test]
fn bytes_that_are_not_text_are_of_type_binary_alone() {
    let bytes = one(r#"<1> <p> "a\xff\"\xc3"^^<xs:base64Binary> ."#);
    assert_eq!(bytes.object, Object::Value(Value::Binary(b"a\xff\"\xc3".to_vec())));
    let mut out = String::new();
    write_nquad(&mut out, &bytes).unwrap();
    assert_eq!(parse_line(out.trim_end(), Names::Uids).unwrap(), Some(bytes));
    for rest in ["", "@en", "^^<xs:string>", "^^<xs:base64Binary"] {
        refused(&format!(r#"<1> <p> "\xff"{rest} ."#));
    }
}

#[test]
fn facets_are_typed_by_how_they_look_and_come_sorted() {
    let nquad =
        one(r#"<1> <p> <2> (s="2006", i=2006, f=1.5, e=2e3, t=true, d=2006-01-02T15:04:05, empty=, day=2006-01-02) ."#);
    let read: Vec<_> = nquad.facets.iter().map(|f| (f.key.as_str(), f.val_type)).collect();
    let expected = [
        ("d", FacetType::DateTime),
        ("day", FacetType::DateTime),
        ("e", FacetType::Float),
        ("empty", FacetType::String),
        ("f", FacetType::Float),
        ("i", FacetType::Int),
        ("s", FacetType::String),
        ("t", FacetType::Bool),
    ];
    assert_eq!(read, expected);
    assert_eq!(nquad.facets[5].value, 2006i64.to_le_bytes());
    assert_eq!(nquad.facets[6].tokens, ["\u{1}2006"]);
    for facets in
        ["()", "(a=1,)", "(a=1, a=2)", "(a=word)", "(a)", "(=1)", "(a=1", "(a=99999999999999999999)", "(a=\"x\" b=1)"]
    {
        refused(&format!("<1> <p> <2> {facets} ."));
    }
}

#[test]
fn deletes_may_name_all_predicates_or_one_language() {
    assert_eq!(one("<1> * * .").predicate, STAR);
    let nquad = one("<1> <p@en> * .");
    assert_eq!((nquad.lang.as_ref(), nquad.object), ("en", Object::Star));
}

#[test]
fn errors_tell_line_and_column() {
    let e = parse("<1> <p> \"é\" .\n<1> <é> nope .\n", Names::Uids).unwrap_err();
    assert_eq!((e.line, e.column), (2, 9));
    assert!(e.to_string().starts_with("line 2 column 9: expected an object"), "{e}");
    let e = refused("<0x1> <age> .");
    assert_eq!((e.line, e.column), (1, 13));
}

#[test]
fn the_envelope_is_found_around_braces_in_text() {
    let body = "{ set { <1> <p> \"}{\" . # }\n <1> <a}b> \"x\\\"}\" . } delete{} set { <1> <q> \"v\" . } } # end";
    let request = read_request(body).unwrap();
    let [mutation] = request.mutations.as_slice() else { panic!("one mutation") };
    assert_eq!((mutation.set.len(), mutation.delete.len(), request.query), (2, 1, None));
    let mut nquads = Vec::new();
    mutation.set.iter().for_each(|block| parse_block(body, *block, Names::Uids, &mut nquads).unwrap());
    assert_eq!(nquads.len(), 3);
    assert_eq!(read_request("  ").unwrap(), RdfRequest::default());
    for wrong in [
        "set { }",
        "{ set { }",
        "{ set }",
        "{ put { } }",
        "{ set { } } x",
        "{ set { } } { set { } }",
        "}",
        "{ set { <1> <p> \"}\" . ",
    ] {
        assert!(read_request(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn an_upsert_is_taken_apart() {
    let body = r#"upsert { query { v as var(func: regexp(name, /^"}{/i)) @filter(eq(p, "}")) }
        fragment f { name }
        mutation @if(eq(len(v), 0) AND (NOT gt(len(v), 1))) { set { uid(v) <p> "x" . } }
        mutation { delete { uid(v) <p> * . } } }"#;
    let request = read_request(body).unwrap();
    let query = request.query.unwrap();
    assert!(query.starts_with("{ v as") && query.ends_with("}\nfragment f { name }"), "{query}");
    let conds: Vec<_> = request.mutations.iter().map(|m| m.cond).collect();
    assert_eq!(conds, [Some("@if(eq(len(v), 0) AND (NOT gt(len(v), 1)))"), None]);
    let named =
        read_request("upsert { mutation { set { } } query q($a: string) { q(func: uid(1)) { uid } } }").unwrap();
    assert!(named.query.unwrap().starts_with("query q($a"));
    for wrong in [
        "upsert { query { } }",
        "upsert { mutation { } }",
        "upsert { query { } query { } mutation { } }",
        "upsert { query { } mutation @unless(x) { } }",
        "upsert { query { } mutation @if(x { } }",
        "upsert",
    ] {
        assert!(read_request(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn typed_values_are_written_as_literals_of_their_type() {
    let mut nquad = one("<1> <p> \"v\" .");
    nquad.object = Object::Value(Value::Float(1.5));
    let mut out = String::new();
    write_nquad(&mut out, &nquad).unwrap();
    assert_eq!(out, "<0x1> <p> \"1.5\"^^<xs:float> .\n");
}

fn any_node() -> impl Strategy<Value = NodeRef<'static>> {
    prop_oneof![
        (1..u64::MAX).prop_map(|n| NodeRef::Uid(Uid(n))),
        "[a-zA-Zé][a-z0-9./é]{0,6}".prop_map(|s| NodeRef::Blank(s.into())),
        "[a-z]{1,5}".prop_map(|s| NodeRef::Var(s.into())),
        "[a-z]{2,5}:[a-z/#é]{0,8}".prop_map(|s| NodeRef::Iri(s.into())),
    ]
}

fn any_object() -> impl Strategy<Value = Object<'static>> {
    let types =
        prop_oneof![Just(None), Just(Some(ValType::String)), Just(Some(ValType::Int)), Just(Some(ValType::Geo))];
    prop_oneof![
        any_node().prop_map(Object::Node),
        ("[^\u{0}]{1,12}|[\\\\\"\n\r\t\u{1}\u{7f}]{1,4}", types)
            .prop_map(|(text, declared)| Object::Literal { text: text.into(), declared }),
        prop::collection::vec(any::<u8>(), 1..4)
            .prop_filter("not text", |bytes| std::str::from_utf8(bytes).is_err())
            .prop_map(|bytes| Object::Value(Value::Binary(bytes))),
        "[a-z]{1,4}".prop_map(|s| Object::ValVar(s.into())),
        Just(Object::Star),
    ]
}

fn any_facet_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_filter("a number", |f| !f.is_nan()).prop_map(Value::Float),
        any::<bool>().prop_map(Value::Bool),
        any::<String>().prop_map(Value::String),
        (-60_000_000_000i64..250_000_000_000).prop_map(|n| Value::Int(n).convert(ValType::DateTime).unwrap()),
    ]
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[<>_:\"\\\\@^ \t\n.(){}=,*a-z0-9é#]{0,60}", any in any::<String>()) {
        for names in [Names::Uids, Names::External] {
            let _ = parse(&text, names);
            let _ = parse(&any, names);
        }
        let _ = read_request(&text);
        let _ = read_request(&any);
        let _ = read_request(&format!("{{ set {{ {any}"));
        let _ = read_request(&format!("upsert {{ query {any} {text}"));
    }

    #[test]
    fn what_is_written_reads_the_same(
        subject in any_node(),
        namespace in prop_oneof![Just(0), any::<u64>()].prop_map(Namespace),
        predicate in "[a-zé/:]{1,8}",
        lang in "([a-z][a-zA-Z0-9-]{0,4})?",
        object in any_object(),
        facets in prop::collection::btree_map("[a-z.é]{1,5}", any_facet_value(), 0..4),
    ) {
        let facets = facets.iter().map(|(key, value)| crate::nquad::facet(key, value).unwrap()).collect();
        let (predicate, lang) = (predicate.into(), lang.into());
        let nquad = NQuad { subject, namespace, predicate, lang, object, facets, shape: Shape::Unsaid };
        let mut out = String::new();
        write_nquad(&mut out, &nquad).unwrap();
        prop_assert_eq!(parse_line(out.trim_end_matches('\n'), Names::External).unwrap(), Some(nquad), "{}", out);
    }
}
