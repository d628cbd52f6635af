use std::collections::BTreeMap;

use graphdb_query::exec::QueryError;

use crate::node::Node;

#[test]
fn what_the_schema_does_not_allow_is_refused_with_its_place() {
    let node = Node::new();
    node.alter(
        "plain: string .\nhashed: string @index(hash) .\nage: int @index(int) .\nalive: bool @index(bool) .\nfriend: [uid] .\nnick: [string] .\nname: string @index(exact) @lang .\npass: password .",
    );
    for (query, column, part) in [
        ("{ q(func: eq(plain, \"x\")) { uid } }", 11, "Predicate plain is not indexed"),
        ("{ q(func: anyofterms(hashed, \"x\")) { uid } }", 11, "Attribute hashed is not indexed with type term"),
        (
            "{ q(func: uid(1)) @filter(alloftext(hashed, \"x\")) { uid } }",
            27,
            "Attribute hashed is not indexed with type fulltext",
        ),
        ("{ q(func: ge(hashed, \"x\")) { uid } }", 11, "Attribute:hashed does not have proper index for comparison"),
        (
            "{ q(func: eq(count(friend), 1)) { uid } }",
            11,
            "Need @count directive in schema for attr: friend for fn: eq at root",
        ),
        ("{ q(func: ge(alive, true)) { uid } }", 11, "no order"),
        ("{ q(func: eq(age, \"abc\")) { uid } }", 11, "cannot be compared with age"),
        ("{ q(func: eq(friend, 1)) { uid } }", 11, "type uid"),
        ("{ q(func: regexp(hashed, /abc/)) { uid } }", 11, "trigram"),
        ("{ q(func: uid_in(friend, 1)) { uid } }", 11, "cannot be used at root"),
        ("{ q(func: has(uid)) { uid } }", 11, "every node has a uid"),
        ("{ q(func: has(~friend)) { uid } }", 15, "@reverse"),
        ("{ q(func: uid(1)) { ~friend { uid } } }", 21, "@reverse"),
        ("{ q(func: uid(1)) { plain@en } }", 21, "@lang"),
        ("{ q(func: uid(1)) { age age } }", 25, "asked for twice"),
        ("{ q(func: uid(1)) { age: plain age } }", 32, "asked for twice"),
        ("{ q(func: uid(1), orderasc: nosuch) { uid } }", 19, "unknown attribute"),
        ("{ q(func: uid(1), orderasc: nick) { uid } }", 19, "a list of"),
        ("{ q(func: uid(1), orderasc: alive) { uid } }", 19, "Cannot sort"),
        ("{ q(func: uid(1), orderasc: name@en:de) { uid } }", 19, "one language"),
        ("{ q(func: has(age), orderasc: age, first: -1) { uid } }", 3, "negative `first`"),
        ("{ q(func: uid(1), first: many) { uid } }", 26, "whole number"),
        ("{ q(func: uid(1)) { plain @filter(has(age)) } }", 21, "no nodes"),
        ("{ q(func: uid(1)) { plain (first: 1) } }", 21, "no nodes"),
        ("{ q(func: uid(1)) { x: checkpwd(age, \"x\") } }", 21, "type password"),
        ("{ q(func: uid(x)) { uid } }", 15, "used but not defined"),
        ("{ x as var(func: has(age)) { uid } q(func: uid(1)) { uid } }", 3, "defined but not used"),
        ("{ a as var(func: uid(b)) { uid } b as var(func: uid(a)) { uid } }", 3, "circle"),
        ("{ q() { uid } }", 9, "may only hold aggregates"),
        ("{ q(func: uid(1)) @groupby(age) { age } }", 35, "count(uid) and aggregates only"),
        ("{ q(func: uid(1)) { age @groupby(age) { count(uid) } } }", 21, "could be grouped"),
        ("{ q(func: uid(1)) @recurse(depth: 2) { friend } }", 3, "not supported yet: @recurse"),
        ("{ p as shortest(from: 1, to: 2) { friend } q(func: uid(p)) { uid } }", 3, "not supported yet: shortest"),
        ("{ q(func: uid(1)) { math(1 + 2) } }", 21, "alias"),
        ("{ q(func: uid(1)) { m: math(1 + 2) } }", 21, "at least one value variable"),
        ("{ q(func: uid(1)) { friend { a as age } m: math(a + 1) } }", 49, "not supported yet: the value variable `a`"),
        ("query t($a: int!) { q(func: eq(age, $a)) { uid } }", 9, "needs a value"),
        ("query t($a: int = \"x\") { q(func: eq(age, $a)) { uid } }", 9, "is not a value"),
        ("{ q(func: eq(age, $a)) { uid } }", 19, "used but not declared"),
    ] {
        let error = node.run(query, &BTreeMap::new(), false).expect_err(query);
        let QueryError::Refused(error) = error else { panic!("{query}: {error:?}") };
        assert!(error.message.contains(part), "{query}: {error}");
        assert_eq!((error.at.line, error.at.column), (1, column), "{query}: {error}");
    }
}

#[test]
fn shapes_that_a_geo_function_does_not_take_are_refused() {
    let node = Node::new();
    node.alter("hashed: string @index(hash) .\nloc: geo @index(geo) .\narea: geo .");
    for (query, column, part) in [
        ("{ q(func: near(hashed, [1, 2], 3)) { uid } }", 11, "Attribute hashed is not indexed with type geo"),
        ("{ q(func: near(area, [1, 2], 3)) { uid } }", 11, "Attribute area is not indexed with type geo"),
        (
            "{ q(func: within(area, [[[0, 0], [2, 0], [2, 2], [0, 0]]])) { uid } }",
            11,
            "Attribute area is not indexed with type geo",
        ),
        ("{ q(func: contains(area, [1, 2])) { uid } }", 11, "Attribute area is not indexed with type geo"),
        (
            "{ q(func: intersects(area, [[[0, 0], [2, 0], [2, 2], [0, 0]]])) { uid } }",
            11,
            "Attribute area is not indexed with type geo",
        ),
        ("{ q(func: near(loc, [1, 2], 0)) { uid } }", 29, "above 0"),
        ("{ q(func: near(loc, [1, 2], -1)) { uid } }", 29, "above 0"),
        ("{ q(func: near(loc, [1, 2], far)) { uid } }", 29, "above 0"),
        ("{ q(func: near(loc, [1, 2])) { uid } }", 11, "a distance in meters"),
        ("{ q(func: near(loc, [1, 2, 3], 4)) { uid } }", 11, "a place like [1, 2]"),
        ("{ q(func: near(loc, [[1, 2]], 4)) { uid } }", 11, "a place like [1, 2]"),
        ("{ q(func: near(loc, [[[0, 0], [2, 0], [2, 2], [0, 0]]], 4)) { uid } }", 11, "a place like [1, 2]"),
        ("{ q(func: within(loc, [1, 2])) { uid } }", 11, "within takes a polygon"),
        ("{ q(func: within(loc, [[0, 0], [2, 0], [2, 2], [0, 0]])) { uid } }", 11, "within takes a polygon"),
        ("{ q(func: within(loc, [[[[0, 0], [2, 0], [2, 2], [0, 0]]]])) { uid } }", 11, "within takes a polygon"),
        ("{ q(func: within(loc, [[[0, 0], [2, 0], [2, 2], [0, 1]]])) { uid } }", 11, "end where they begin"),
        ("{ q(func: within(loc, [[[0, 0], [2, 0], [0, 0]]])) { uid } }", 11, "four places"),
        ("{ q(func: within(loc, [[[0, 0], [2, 0], [2, 2], [0, 0]]], 3)) { uid } }", 11, "one shape"),
        ("{ q(func: intersects(loc, [1, 2])) { uid } }", 11, "intersects takes a polygon"),
        ("{ q(func: intersects(loc, [[[0, 0], [2, 0], [2, 2], [0, 1]]])) { uid } }", 11, "end where they begin"),
        ("{ q(func: intersects(loc, [])) { uid } }", 11, "intersects takes a polygon"),
        ("{ q(func: contains(loc, [[1, 2], [3, 4]])) { uid } }", 11, "contains takes a point like [1, 2] or a polygon"),
        ("{ q(func: contains(loc, [[[0, 0], [2, 0], [2, 2], [0, 1]]])) { uid } }", 11, "end where they begin"),
        ("{ q(func: contains(loc, \"word\")) { uid } }", 11, "contains takes a point"),
        ("{ q(func: contains(loc)) { uid } }", 11, "one shape"),
        (
            "{ q(func: uid(1)) @filter(near(hashed, [1, 2], 3)) { uid } }",
            27,
            "near takes a predicate of type geo; hashed is string",
        ),
        ("{ q(func: uid(1)) @filter(within(area, [1, 2])) { uid } }", 27, "within takes a polygon"),
    ] {
        let error = node.run(query, &BTreeMap::new(), false).expect_err(query);
        let QueryError::Refused(error) = error else { panic!("{query}: {error:?}") };
        assert!(error.message.contains(part), "{query}: {error}");
        assert_eq!((error.at.line, error.at.column), (1, column), "{query}: {error}");
    }
}

#[test]
fn a_value_for_an_undeclared_variable_is_refused() {
    let node = Node::new();
    let given = BTreeMap::from([("$b".to_owned(), "1".to_owned())]);
    let error =
        node.run("query t($a: string) { q(func: uid($a)) { uid } }", &given, false).expect_err("$b is not declared");
    assert!(error.to_string().contains("`$b`"), "{error}");
}

#[test]
fn query_variables_hold_uids_lists_and_numbers() {
    let node = Node::with("age: int @index(int) .", "<1> <age> \"5\" .\n<2> <age> \"6\" .");
    let given = BTreeMap::from([("$u".to_owned(), "[0x1, 2]".to_owned()), ("$n".to_owned(), "1".to_owned())]);
    let text = "query t($u: string, $n: int, $unset: string) { q(func: uid($u), first: $n) { age } a(func: uid($unset)) { age } }";
    let answer = node.run(text, &given, false).unwrap();
    assert_eq!(answer.data, r#"{"q":[{"age":5}],"a":[]}"#);
}

#[test]
fn syntax_errors_are_told_apart_from_refusals() {
    let node = Node::new();
    let error =
        node.run("{ q(func: has(age) { uid } }", &BTreeMap::new(), false).expect_err("a parenthesis is missing");
    assert!(matches!(error, QueryError::Syntax(_)), "{error:?}");
}

#[test]
fn a_value_that_no_longer_fits_its_type_fails_the_query_that_reads_it() {
    let node = Node::with("p: string .", "<1> <p> \"word\" .\n<2> <p> \"7\" .");
    node.alter("p: int .");
    let error = node.run("{ q(func: has(p)) { p } }", &BTreeMap::new(), false).expect_err("a word is no int");
    assert!(matches!(error, QueryError::Conversion { ref predicate, .. } if predicate == "p"), "{error:?}");
    assert_eq!(node.text("{ q(func: uid(2)) { p } }"), r#"{"q":[{"p":7}]}"#);
}
