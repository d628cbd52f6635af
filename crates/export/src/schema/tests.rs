#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use graphdb_types::{Namespace, Tokenizer, ValType};

use super::*;

fn line(name: &Predicate, schema: &PredicateSchema) -> String {
    let mut out = Vec::new();
    assert_eq!(write_predicate(&mut out, name, schema), Ok(true));
    String::from_utf8(out).unwrap()
}

#[test]
fn lines_are_those_of_dgraph() {
    let name = PredicateSchema {
        value_type: ValType::String,
        tokenizers: vec![Tokenizer::Exact, Tokenizer::Term],
        count: true,
        lang: true,
        upsert: true,
        unique: true,
        ..PredicateSchema::default()
    };
    let friend = PredicateSchema {
        value_type: ValType::Uid,
        list: true,
        reverse: true,
        count: true,
        ..PredicateSchema::default()
    };
    let index = VectorIndex { name: "hnsw".into(), options: vec![("metric".into(), "euclidean".into())] };
    let vec =
        PredicateSchema { value_type: ValType::VFloat, vector_indexes: vec![index], ..PredicateSchema::default() };
    let tenant = Predicate { namespace: Namespace(26), name: "http://x/y".into() };
    let quiet = PredicateSchema { no_conflict: true, ..PredicateSchema::default() };
    for (name, schema, expected) in [
        (Predicate::root("name"), name, "[0x0] <name>:string @index(exact,term) @count @lang @upsert @unique . \n"),
        (Predicate::root("friend"), friend, "[0x0] <friend>:[uid] @reverse @count . \n"),
        (Predicate::root("vec"), vec, "[0x0] <vec>:float32vector @index(hnsw(metric:\"euclidean\")) . \n"),
        (tenant, quiet, "[0x1a] <http://x/y>:default @noconflict . \n"),
    ] {
        assert_eq!(line(&name, &schema), expected);
    }
}

#[test]
fn helpers_of_vector_indexes_have_no_line() {
    let mut out = Vec::new();
    let helper = Predicate::root("vec__vector_entry");
    assert_eq!(write_predicate(&mut out, &helper, &PredicateSchema::default()), Ok(false));
    assert_eq!(out, b"");
}

#[test]
fn a_type_has_a_field_on_each_line() {
    let def =
        TypeDef { fields: vec!["name".into(), "~friend".into(), "Film.year".into(), "имя".into(), "a-b".into()] };
    let mut out = Vec::new();
    write_type(&mut out, &Predicate::root("Person"), &def).unwrap();
    let expected = "[0x0] type <Person> {\n\tname\n\t<~friend>\n\tFilm.year\n\t<имя>\n\t<a-b>\n}\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn names_that_no_text_can_hold_are_refused() {
    for name in ["", "a b", "a>b", "a\"b", "*"] {
        let mut out = Vec::new();
        assert!(write_predicate(&mut out, &Predicate::root(name), &PredicateSchema::default()).is_err(), "{name}");
        let def = TypeDef { fields: vec![name.into()] };
        assert!(write_type(&mut out, &Predicate::root("T"), &def).is_err(), "{name}");
        assert_eq!(out, b"");
    }
}
