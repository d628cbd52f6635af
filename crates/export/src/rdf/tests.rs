#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use graphdb_types::{Namespace, VALUE_UID, Value, fingerprint64};

use super::*;

fn lines(predicate: &Predicate, list: &PostingList) -> String {
    let mut out = Vec::new();
    let count = write_list(&mut out, predicate, Uid(1), list).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(count as usize, text.lines().count(), "{text}");
    text
}

fn value(value: &Value) -> Posting {
    Posting { id: VALUE_UID, value: value.to_bytes(), val_type: value.val_type(), ..Posting::default() }
}

fn line_of(posting: Posting) -> String {
    lines(&Predicate::root("p"), &PostingList::of_postings(vec![posting]))
}

fn facet(key: &str, val_type: FacetType, value: &Value) -> Facet {
    Facet { key: key.into(), value: value.to_bytes(), val_type, tokens: Vec::new() }
}

fn parsed(of: ValType, text: &str) -> Value {
    Value::parse(of, text).unwrap()
}

#[test]
fn lines_are_those_of_dgraph() {
    let alice = value(&Value::String("Alice".into()));
    let alicia = Posting { id: fingerprint64(b"es"), lang: "es".into(), ..value(&Value::String("Alicia".into())) };
    let mut names = PostingList::of_postings(vec![alicia]);
    names.merge(PostingList::of_postings(vec![alice]));
    assert_eq!(
        lines(&Predicate::root("name"), &names),
        "<0x1> <name> \"Alicia\"@es <0x0> .\n<0x1> <name> \"Alice\"^^<xs:string> <0x0> .\n"
    );

    let facets = vec![
        facet("close", FacetType::Bool, &Value::Bool(true)),
        facet("since", FacetType::DateTime, &parsed(ValType::DateTime, "2006-01-02T15:04:05Z")),
        facet("note", FacetType::String, &Value::String("old pal".into())),
    ];
    let friend = Posting { id: 2, is_edge: true, val_type: ValType::Uid, facets, ..Posting::default() };
    let mut friends = PostingList::of_postings(vec![friend]);
    friends.merge(PostingList::of_ids(vec![0x1f]));
    assert_eq!(
        lines(&Predicate::root("friend"), &friends),
        "<0x1> <friend> <0x2> <0x0> (close=true,since=2006-01-02T15:04:05Z,note=\"old pal\") .\n\
         <0x1> <friend> <0x1f> <0x0> .\n"
    );

    let nick = PostingList::of_postings(vec![value(&Value::Default("Al".into()))]);
    let tenant = Predicate { namespace: Namespace(0x12f), name: "nick".into() };
    assert_eq!(lines(&tenant, &nick), "<0x1> <nick> \"Al\" <0x12f> .\n");
}

#[test]
fn every_type_has_its_text() {
    for (of, text, literal) in [
        (ValType::Int, "-7", "\"-7\"^^<xs:int>"),
        (ValType::Float, "1000000", "\"1E+06\"^^<xs:float>"),
        (ValType::Float, "3.5", "\"3.5\"^^<xs:float>"),
        (ValType::Float, "-0.0", "\"-0\"^^<xs:float>"),
        (ValType::Float, "-inf", "\"-Inf\"^^<xs:float>"),
        (ValType::Bool, "true", "\"true\"^^<xs:boolean>"),
        (ValType::DateTime, "2006-01-02T15:04:05.12+05:30", "\"2006-01-02T15:04:05.12+05:30\"^^<xs:dateTime>"),
        (ValType::Binary, "ab", "\"ab\"^^<xs:base64Binary>"),
        (ValType::Default, "1", "\"1\""),
        (
            ValType::BigFloat,
            "1.23456789012345678901234567890125e+29",
            "\"1.23456789012345678901234567890125e+29\"^^<xs:decimal>",
        ),
        (ValType::VFloat, "[1, 0.5, 1e20]", "\"[1,0.5,1e20]\"^^<xs:[]float32>"),
        (
            ValType::Geo,
            r#"{"type":"Point","coordinates":[-1.5,2]}"#,
            "\"{'type':'Point','coordinates':[-1.5,2]}\"^^<geo:geojson>",
        ),
    ] {
        assert_eq!(line_of(value(&parsed(of, text))), format!("<0x1> <p> {literal} <0x0> .\n"));
    }
    let hash = "$2a$10$abcdefghijklmnopqrstuvABCDEFGHIJKLMNOPQRSTUVWXYZ01234";
    let password = Value::Password(hash.into());
    assert_eq!(line_of(value(&password)), format!("<0x1> <p> \"{hash}\"^^<xs:password> <0x0> .\n"));
}

#[test]
fn odd_text_is_escaped_and_kept_to_the_last_byte() {
    for (text, literal) in [
        ("", "\"\""),
        ("a\"b\\c\n\t", r#""a\"b\\c\n\t""#),
        ("<a> & b", r#""\u003ca\u003e \u0026 b""#),
        ("\u{2028}é😀", "\"\\u2028é😀\""),
        ("nul\0\0", r#""nul\u0000\u0000""#),
    ] {
        assert_eq!(line_of(value(&Value::String(text.into()))), format!("<0x1> <p> {literal}^^<xs:string> <0x0> .\n"));
    }
    let bytes = Value::Binary(b"a\xff\"\xc3".to_vec());
    assert_eq!(line_of(value(&bytes)), "<0x1> <p> \"a\\xff\\\"\\xc3\"^^<xs:base64Binary> <0x0> .\n");
    assert_eq!(line_of(value(&Value::Binary(Vec::new()))), "<0x1> <p> \"\" <0x0> .\n");
}

#[test]
fn a_whole_float_of_a_facet_is_no_integer() {
    for (number, text) in [(3.0, "3.0"), (-0.0, "-0.0"), (1e6, "1E+06"), (0.5, "0.5"), (f64::INFINITY, "+Inf")] {
        let facets = vec![facet("f", FacetType::Float, &Value::Float(number))];
        let posting = Posting { facets, ..value(&Value::Int(1)) };
        assert_eq!(line_of(posting), format!("<0x1> <p> \"1\"^^<xs:int> <0x0> (f={text}) .\n"));
    }
}

#[test]
fn an_offset_that_no_text_can_say_becomes_utc() {
    let mut bytes = parsed(ValType::DateTime, "2011-04-03T00:00:00+01:00").to_bytes();
    bytes[0] = 2;
    bytes.push(30); // an offset of an hour and 30 seconds
    let posting = Posting { id: VALUE_UID, value: bytes, val_type: ValType::DateTime, ..Posting::default() };
    assert_eq!(line_of(posting), "<0x1> <p> \"2011-04-02T23:00:00Z\"^^<xs:dateTime> <0x0> .\n");
}

#[test]
fn types_are_written_but_for_the_node_of_the_graphql_schema() {
    let types = |names: &[&str]| {
        let mut postings: Vec<Posting> = names
            .iter()
            .map(|name| Posting { id: fingerprint64(name.as_bytes()), ..value(&Value::String((*name).into())) })
            .collect();
        postings.sort_by_key(|posting| posting.id);
        PostingList::of_postings(postings)
    };
    let predicate = Predicate::root("dgraph.type");
    assert_eq!(lines(&predicate, &types(&["dgraph.graphql"])), "");
    assert_eq!(lines(&predicate, &types(&["Person"])), "<0x1> <dgraph.type> \"Person\"^^<xs:string> <0x0> .\n");
    assert_eq!(lines(&predicate, &types(&["Person", "dgraph.graphql"])).lines().count(), 2);
    assert_eq!(lines(&Predicate::root("p"), &PostingList::default()), "");
}

#[test]
fn what_cannot_be_read_back_is_refused_and_leaves_nothing() {
    let good = value(&Value::String("a".into()));
    let bad_facet = vec![facet("a b", FacetType::Int, &Value::Int(1))];
    let cases = [
        ("p", Posting { lang: "e n".into(), ..good.clone() }, "language"),
        ("p", Posting { facets: bad_facet, ..good.clone() }, "facet"),
        ("p", Posting { val_type: ValType::Int, ..good.clone() }, "predicate p of node 0x1"),
        ("a b", good.clone(), "cannot be written as a name"),
        ("a@en", good.clone(), "cannot be written as a name"),
        ("", good, "cannot be written as a name"),
    ];
    for (name, posting, part) in cases {
        let mut out = b"before".to_vec();
        let list = PostingList::of_postings(vec![posting]);
        let error = write_list(&mut out, &Predicate::root(name), Uid(1), &list).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
        assert_eq!(out, b"before");
    }
}
