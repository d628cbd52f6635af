#![expect(clippy::unwrap_used)]

use graphdb_types::FacetType;
use proptest::prelude::*;

use super::*;

/// Statements as short text, with new nodes called by their number.
fn read(text: &str, op: Op) -> Vec<String> {
    let mut names = NewNames { prefix: 7, last: 0 };
    let nquads = parse(text, op, &mut names).unwrap_or_else(|e| panic!("{text}: {e}"));
    nquads.iter().map(show).collect()
}

fn set(text: &str) -> Vec<String> {
    read(text, Op::Set)
}

fn delete(text: &str) -> Vec<String> {
    read(text, Op::Delete)
}

fn refused(text: &str, op: Op) -> JsonError {
    match parse(text, op, &mut NewNames::default()) {
        Err(e) => e,
        Ok(read) => panic!("{text} was read as {read:?}"),
    }
}

fn show(nquad: &NQuad<'_>) -> String {
    let node = |node: &NodeRef<'_>| match node {
        NodeRef::Uid(uid) => format!("{}", uid.0),
        NodeRef::Blank(name) => name.replace("dg.7.", "new"),
        NodeRef::Var(name) => format!("uid({name})"),
        NodeRef::Iri(name) => format!("iri({name})"),
    };
    let object = match &nquad.object {
        Object::Node(n) => node(n),
        Object::Literal { text, declared: Some(ValType::String) } => format!("{text:?}"),
        Object::Literal { text, declared } => format!("{text:?}^^{}", declared.unwrap().name()),
        Object::Value(value) => format!("{value:?}"),
        Object::ValVar(name) => format!("val({name})"),
        Object::Star => "*".into(),
    };
    let tag = if nquad.lang.is_empty() { String::new() } else { format!("@{}", nquad.lang) };
    let facets: Vec<_> = nquad.facets.iter().map(|f| format!(" |{}:{:?}", f.key, f.val_type)).collect();
    format!("{} {}{tag} {object}{}", node(&nquad.subject), nquad.predicate, facets.concat())
}

#[test]
fn a_uid_names_the_node_or_says_it_is_new() {
    for (uid, subject) in [
        ("\"0x1\"", "1"),
        ("\"12\"", "12"),
        ("13", "13"),
        ("\"_:x\"", "x"),
        ("\"uid(v)\"", "uid(v)"),
        ("\"uid( v )\"", "uid(v)"),
    ] {
        assert_eq!(set(&format!("{{\"uid\":{uid},\"p\":1}}")), [format!("{subject} p Int(1)")], "{uid}");
    }
    for new in ["\"\"", "0", "null", "1.5", "\"0\"", "\"0x0\""] {
        assert_eq!(set(&format!("{{\"uid\":{new},\"p\":1}}")), ["new1 p Int(1)"], "{new}");
    }
    for wrong in [
        "\"alice\"",
        "-1",
        "true",
        "[]",
        "{}",
        "\"0xffffffffffffffff\"",
        "99999999999999999999",
        "\"val(v)\"",
        "\"_:\"",
    ] {
        refused(&format!("{{\"uid\":{wrong},\"p\":1}}"), Op::Set);
    }
}

#[test]
fn new_nodes_are_counted_from_the_outside_in() {
    let text = r#"[{"p":1,"friend":[{"p":2,"boss":{"p":3}},{"p":4}]},{"p":5}]"#;
    let expected = [
        "new1 p Int(1)",
        "new2 p Int(2)",
        "new3 p Int(3)",
        "new2 boss new3",
        "new1 friend new2",
        "new4 p Int(4)",
        "new1 friend new4",
        "new5 p Int(5)",
    ];
    assert_eq!(set(text), expected);
    let mut names = NewNames::default();
    let nquads = parse(r#"{"a":1,"b":{"c":2}}"#, Op::Set, &mut names).unwrap();
    let NodeRef::Blank(outer) = &nquads[0].subject else { panic!("a new node") };
    assert_eq!(outer.as_ref(), format!("dg.{}.1", names.prefix));
}

#[test]
fn scalars_keep_their_json_type() {
    let text = r#"{"uid":1,"s":"x","d":"2006-01-02","i":7,"big":9223372036854775807,"f":1.0,"e":1e2,"t":true,"v":"val(a)","u":"uid(b)","n":null}"#;
    let expected = [
        "1 s \"x\"",
        "1 d \"2006-01-02\"",
        "1 i Int(7)",
        "1 big Int(9223372036854775807)",
        "1 f Float(1.0)",
        "1 e Float(100.0)",
        "1 t Bool(true)",
        "1 v val(a)",
        "1 u uid(b)",
    ];
    assert_eq!(set(text), expected);
    for wrong in ["9223372036854775808", "-9223372036854775809", "18446744073709551616", "1e999"] {
        refused(&format!("{{\"uid\":1,\"p\":{wrong}}}"), Op::Set);
    }
}

#[test]
fn arrays_give_one_statement_an_item() {
    assert_eq!(set(r#"{"uid":1,"p":["a",2,2.5]}"#), ["1 p \"a\"", "1 p Int(2)", "1 p Float(2.5)"]);
    assert_eq!(set(r#"{"uid":1,"p":[]}"#), [""; 0]);
    assert_eq!(set(r#"{"uid":1,"p":[{}]}"#), ["1 p new1"]);
    assert_eq!(set(r#"{"uid":1,"p":{}}"#), [""; 0]);
    for wrong in ["[true]", "[null]", "[[1]]"] {
        refused(&format!("{{\"uid\":1,\"p\":{wrong}}}"), Op::Set);
        refused(&format!("{{\"uid\":1,\"p\":{wrong}}}"), Op::Delete);
    }
    let shapes =
        |text| parse(text, Op::Set, &mut NewNames::default()).unwrap().iter().map(|n| n.shape).collect::<Vec<_>>();
    assert_eq!(shapes(r#"{"uid":1,"a":{"uid":2},"b":[{"uid":2}],"c":1}"#), [Shape::One, Shape::Item, Shape::Unsaid]);
}

#[test]
fn only_exact_geojson_is_a_shape() {
    let point = r#"{"type":"Point","coordinates":[1.5,2.5]}"#;
    assert_eq!(set(&format!("{{\"uid\":1,\"loc\":{point}}}")), [format!("1 loc {point:?}^^geo")]);
    assert_eq!(set(&format!("{{\"uid\":1,\"loc\":[{point}]}}")), [format!("1 loc {point:?}^^geo")]);
    for node in [
        r#"{"Type":"Point","coordinates":7}"#,
        r#"{"type":"Dot","coordinates":7}"#,
        r#"{"type":"Point","coordinates":7,"x":1}"#,
    ] {
        assert!(set(&format!("{{\"uid\":1,\"loc\":{node}}}")).last().unwrap().ends_with("1 loc new1"), "{node}");
    }
}

#[test]
fn keys_may_carry_a_language() {
    assert_eq!(set(r#"{"uid":1,"name@en":"x"}"#), ["1 name@en \"x\""]);
    for wrong in ["", "~p", "a@b@c", "a b", "p@", "*"] {
        refused(&format!("{{\"uid\":1,\"{wrong}\":1}}"), Op::Set);
    }
}

#[test]
fn facets_stand_in_the_child_beside_the_scalar_or_by_place() {
    assert_eq!(
        set(r#"{"uid":1,"friend":{"uid":2,"friend|since":"2006","friend|close":true}}"#),
        ["1 friend 2 |close:Bool |since:DateTime"]
    );
    assert_eq!(
        set(r#"{"uid":1,"name":"x","name|origin":"de","name|n":1,"name|f":1.5}"#),
        ["1 name \"x\" |f:Float |n:Int |origin:String"]
    );
    assert_eq!(set(r#"{"uid":1,"name@en":"x","name@en|origin":"de"}"#), ["1 name@en \"x\" |origin:String"]);
    assert_eq!(
        set(r#"{"uid":1,"nick":["a","b"],"nick|kind":{"1":"x","7":"y"}}"#),
        ["1 nick \"a\"", "1 nick \"b\" |kind:String"]
    );
    let facet = &parse(r#"{"uid":1,"p":1,"p|d":"2006"}"#, Op::Set, &mut NewNames::default()).unwrap()[0].facets[0];
    assert_eq!(facet.val_type, FacetType::DateTime, "text that is a date becomes one, even a year alone");
    for wrong in [
        r#""nick":["a"],"nick|kind":"x""#,
        r#""nick":["a"],"nick|kind":{"x":"y"}"#,
        r#""p":1,"p|k":{}"#,
        r#""p":1,"p|k":null"#,
    ] {
        refused(&format!("{{\"uid\":1,{wrong}}}"), Op::Set);
    }
}

#[test]
fn deletes_need_a_uid() {
    for text in [r#"{"p":1}"#, r#"{"uid":0,"p":1}"#, r#"{"uid":1,"friend":{"p":1}}"#, "{}"] {
        assert!(refused(text, Op::Delete).message.starts_with("UID must be present"), "{text}");
    }
}

#[test]
fn in_deletes_null_empty_text_and_false_mean_all() {
    for value in ["null", "\"\"", "false"] {
        assert_eq!(delete(&format!("{{\"uid\":1,\"p\":{value}}}")), ["1 p *"], "{value}");
    }
    assert_eq!(delete(r#"{"uid":1,"p@en":null}"#), ["1 p@en *"]);
    assert_eq!(delete(r#"{"uid":1,"p":0,"q":true}"#), ["1 p Int(0)", "1 q Bool(true)"]);
    assert_eq!(delete(r#"[{"uid":1},{"uid":"0x2"}]"#), ["1 * *", "2 * *"]);
    assert_eq!(delete(r#"{"uid":1,"friend":{"uid":2}}"#), ["1 friend 2"], "an edge, and not all of the node behind it");
}

#[test]
fn malformed_json_is_refused_with_its_place() {
    let e = refused("{\"uid\":1,\n \"p\": nope}", Op::Set);
    assert_eq!((e.line, e.column), (2, 7));
    for wrong in [
        "",
        "1",
        "[1]",
        "\"x\"",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,}",
        "{a:1}",
        "[{}",
        "[{},]",
        "{} {}",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":-}",
        "{\"a\":\"\\q\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"x",
        "{\"a\":\"\n\"}",
        "{\"a\":tru}",
        "{'a':1}",
        "{\"a\":+1}",
        "{\"a\":.5}",
    ] {
        refused(wrong, Op::Set);
    }
}

#[test]
fn text_is_unescaped_and_the_last_of_two_members_counts() {
    assert_eq!(set(r#"{"uid":1,"p":"\u00e9\ud83d\ude00\n\/"}"#), ["1 p \"é😀\\n/\""]);
    assert_eq!(set(r#"{"uid":1,"p":1,"q":2,"p":3}"#), ["1 q Int(2)", "1 p Int(3)"]);
}

#[test]
fn absurd_depth_is_refused() {
    for (open, close) in [("{\"a\":", "}"), ("[", "]")] {
        let text = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        assert!(refused(&text, Op::Set).message.contains("deeper than"));
    }
}

#[test]
fn the_deepest_allowed_text_is_read_in_a_small_stack() {
    let text = format!("{}1{}", "{\"a\":".repeat(MAX_DEPTH), "}".repeat(MAX_DEPTH));
    let read = std::thread::Builder::new().stack_size(1 << 20).spawn(move || set(&text).len()).unwrap().join();
    assert_eq!(read.unwrap(), MAX_DEPTH);
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[\\[\\]{}\",:|@a-z0-9\\\\.eé -]{0,60}", any in any::<String>()) {
        for op in [Op::Set, Op::Delete] {
            let _ = parse(&text, op, &mut NewNames::default());
            let _ = parse(&any, op, &mut NewNames::default());
            let _ = parse(&format!("{{\"uid\":1,\"p\":\"{text}\",\"{any}\":[{text}]}}"), op, &mut NewNames::default());
        }
    }
}
