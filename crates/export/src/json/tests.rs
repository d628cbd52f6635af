#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use graphdb_types::{Namespace, VALUE_UID, Value, fingerprint64};

use super::*;

fn value(value: &Value) -> Posting {
    Posting { id: VALUE_UID, value: value.to_bytes(), val_type: value.val_type(), ..Posting::default() }
}

fn records(predicate: &Predicate, postings: Vec<Posting>) -> String {
    let mut out = Vec::new();
    let count = write_list(&mut out, predicate, Uid(1), &PostingList::of_postings(postings)).unwrap();
    let text = String::from_utf8(out).unwrap();
    let array: Vec<serde_json::Value> = serde_json::from_str(&format!("[{text}]")).unwrap();
    assert_eq!(count as usize, array.len());
    text
}

fn facet(key: &str, val_type: FacetType, value: &Value) -> Facet {
    Facet { key: key.into(), value: value.to_bytes(), val_type, tokens: Vec::new() }
}

#[test]
fn records_are_those_of_dgraph() {
    let alice = value(&Value::String("Alice".into()));
    assert_eq!(
        records(&Predicate::root("name"), vec![alice.clone()]),
        r#"  {"uid":"0x1","namespace":"0x0","name":"Alice"}"#
    );
    let tagged = Posting { id: fingerprint64(b"es"), lang: "es".into(), ..value(&Value::String("Alicia".into())) };
    let tenant = Predicate { namespace: Namespace(0x1f), name: "name".into() };
    assert_eq!(
        records(&tenant, vec![tagged, alice]),
        "  {\"uid\":\"0x1\",\"namespace\":\"0x1f\",\"name@es\":\"Alicia\"},\n  {\"uid\":\"0x1\",\"namespace\":\"0x1f\",\"name\":\"Alice\"}"
    );
}

#[test]
fn edges_and_facets_are_read_back_with_their_types() {
    let facets = vec![
        facet("close", FacetType::Bool, &Value::Bool(true)),
        facet("note", FacetType::String, &Value::String("a\"b".into())),
        facet("weight", FacetType::Float, &Value::Float(3.0)),
    ];
    let friend = Posting { id: 2, is_edge: true, val_type: ValType::Uid, facets: facets.clone(), ..Posting::default() };
    assert_eq!(
        records(&Predicate::root("friend"), vec![friend]),
        r#"  {"uid":"0x1","namespace":"0x0","friend":[{"uid":"0x2","friend|close":true,"friend|note":"a\"b","friend|weight":3.0}]}"#
    );
    let tagged = Posting { id: 3, lang: "es".into(), facets, ..value(&Value::String("x".into())) };
    let text = records(&Predicate::root("name"), vec![tagged]);
    assert!(text.contains(r#""name@es":"x","name@es|close":true,"#), "{text}");
}

#[test]
fn only_numbers_stand_without_quotes() {
    for (of, text, json) in [
        (ValType::Int, "9007199254740993", "9007199254740993"),
        (ValType::Float, "1e6", "1E+06"),
        (ValType::Float, "-0.0", "-0"),
        (ValType::Float, "inf", "\"+Inf\""),
        (ValType::Bool, "true", "\"true\""),
        (ValType::DateTime, "2006", "\"2006-01-01T00:00:00Z\""),
        (ValType::BigFloat, "1.5", "\"1.5\""),
        (ValType::VFloat, "[1,0.5]", "\"[1,0.5]\""),
        (ValType::String, "nul\0", "\"nul\\u0000\""),
    ] {
        let posting = value(&Value::parse(of, text).unwrap());
        let expected = format!("  {{\"uid\":\"0x1\",\"namespace\":\"0x0\",\"p\":{json}}}");
        assert_eq!(records(&Predicate::root("p"), vec![posting]), expected);
    }
}

#[test]
fn what_json_cannot_say_is_refused_and_names_rdf() {
    let text = value(&Value::String("a".into()));
    let infinite = vec![facet("f", FacetType::Float, &Value::Float(f64::INFINITY))];
    for (name, posting) in [
        ("p", value(&Value::Binary(vec![0xff]))),
        ("p", Posting { facets: infinite, ..text.clone() }),
        ("namespace", text.clone()),
        ("a|b", text),
    ] {
        let list = PostingList::of_postings(vec![posting]);
        let mut out = Vec::new();
        let error = write_list(&mut out, &Predicate::root(name), Uid(1), &list).unwrap_err().to_string();
        assert!(error.ends_with("export as rdf") && out.is_empty(), "{error}");
    }
}

#[test]
fn an_array_has_its_brackets_and_no_comma_too_many() {
    let mut out = Vec::new();
    let mut array = Array::start(&mut out);
    let (name, list) = (Predicate::root("p"), PostingList::of_postings(vec![value(&Value::Int(1))]));
    assert_eq!(array.push_list(&mut out, &name, Uid(1), &PostingList::default()), Ok(0));
    assert_eq!(array.push_list(&mut out, &name, Uid(1), &list), Ok(1));
    assert_eq!(array.push_list(&mut out, &name, Uid(2), &PostingList::default()), Ok(0));
    assert_eq!(array.push_list(&mut out, &name, Uid(3), &list), Ok(1));
    array.finish(&mut out);
    let one = |uid: u64| format!("  {{\"uid\":\"{uid:#x}\",\"namespace\":\"0x0\",\"p\":1}}");
    assert_eq!(String::from_utf8(out).unwrap(), format!("[\n{},\n{}\n]\n", one(1), one(3)));

    let mut empty = Vec::new();
    Array::start(&mut empty).finish(&mut empty);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&empty).unwrap(), serde_json::json!([]));
}
