use graphdb_types::PredicateSchema;

use super::*;
use crate::dql;

fn schema() -> Schema {
    use Tokenizer::{Exact, Float, FullText, Geo, Hash, Int, Term, Trigram, Year};
    let of = |value_type, tokenizers: &[Tokenizer], lang| PredicateSchema {
        value_type,
        tokenizers: tokenizers.to_vec(),
        lang,
        ..PredicateSchema::default()
    };
    let edge = PredicateSchema {
        value_type: ValType::Uid,
        list: true,
        reverse: true,
        count: true,
        ..PredicateSchema::default()
    };
    let predicates = [
        ("name", of(ValType::String, &[Term, Exact, FullText], true)),
        ("code", of(ValType::String, &[Term, Hash], false)),
        ("tri", of(ValType::String, &[Trigram], false)),
        ("age", of(ValType::Int, &[Int], false)),
        ("height", of(ValType::Float, &[Float], false)),
        ("born", of(ValType::DateTime, &[Year], false)),
        ("loc", of(ValType::Geo, &[Geo], false)),
        ("friend", edge),
    ];
    Schema { predicates: predicates.map(|(name, schema)| (Predicate::root(name), schema)).into(), ..Schema::default() }
}

fn root(function: &str) -> String {
    let document = dql::parse(&format!("{{ q(func: {function}) {{ uid }} }}")).expect("it is DQL");
    let plan = plan(&document, &schema(), &BTreeMap::new(), UnusedVariables::Refuse).expect("it can be planned");
    plan.to_string().lines().next().expect("a block has a line").to_owned()
}

#[test]
fn the_most_selective_index_is_used_and_values_are_checked_where_it_cannot_decide() {
    for (function, planned) in [
        ("eq(name, \"a b\")", "q: index of name, 1 terms in 1 groups"),
        ("eq(name@en, \"a b\")", "q: index of name, 1 terms in 1 groups, then value of name@en"),
        ("eq(name@., \"a b\")", "q: index of name, 2 terms in 1 groups, then value of name@."),
        ("eq(code, [\"a\", \"b\"])", "q: index of code, 2 terms in 2 groups"),
        ("eq(tri, \"abcd\")", "q: index of tri, 2 terms in 1 groups, then value of tri@"),
        ("eq(tri, \"ab\")", "q: scan of tri, then value of tri@"),
        ("eq(age, 1)", "q: index of age, 1 terms in 1 groups"),
        ("eq(height, 1.5)", "q: index of height, 1 terms in 1 groups, then value of height@"),
        ("gt(age, 1)", "q: index of age from [06, 01, 00, 00, 00, 00, 00, 00] to .."),
        ("le(height, 2)", "q: index of height from .. to [07, 01, 00, 00, 00, 00, 00, 00], then value of height@"),
        ("ge(born, \"1990\")", "q: index of born from [04, 07, c6] to .., then value of born@"),
        ("anyofterms(name, \"a b\")", "q: index of name, 2 terms in 2 groups, then value of name@"),
        ("allofterms(code, \"a b\")", "q: index of code, 2 terms in 1 groups"),
        ("contains(loc, [1, 2])", "q: index of loc, 13 terms in 13 groups, then value of loc around a Point"),
        ("eq(count(friend), 2)", "q: counts of friend from 2 to 2"),
        ("gt(count(~friend), 2)", "q: counts of ~friend from 3 to 4294967295"),
        ("has(~friend)", "q: scan of ~friend, then has friend@"),
        ("eq(nosuch, 1)", "q: nothing"),
    ] {
        assert_eq!(root(function), planned, "{function}");
    }
}

#[test]
fn blocks_are_ordered_by_their_variables_and_printed_in_that_order() {
    let text = "{ q(func: uid(x)) @filter(NOT has(age) OR ge(val(a), 1)) { name } x as var(func: has(name), first: 2) { a as age friend { uid } } }";
    let document = dql::parse(text).expect("it is DQL");
    let plan = plan(&document, &schema(), &BTreeMap::new(), UnusedVariables::Refuse).expect("it can be planned");
    assert_eq!(plan.order, [1, 0]);
    assert_eq!(
        plan.to_string(),
        "var: scan of name, then has name@, after 0x0 offset 0 first 2\n  age: values of age\n  friend: edges of friend\n    uid\n\
         q: 0 uids and x, filter (not scan of age, then has age@ or nodes of a, then value of variable a)\n  name: values of name\n"
    );
}
