use std::collections::BTreeMap;

use serde_json::json;

use crate::node::Node;

const SCHEMA: &str = "
name: string @index(exact, term, trigram, fulltext) @lang .
code: string @index(hash) .
word: string @index(term) .
tri: string @index(trigram) .
age: int @index(int) .
height: float @index(float) .
born: datetime @index(year) .
alive: bool @index(bool) .
nick: [string] @index(term) .
score: [int] @index(int) .
friend: [uid] @reverse @count .
boss: uid @reverse .
plain: string .
type Person {
  name
  age
  friend
}
";

const GRAPH: &str = r#"
<1> <name> "Ann Lee" .
<1> <name> "Anna"@de .
<1> <name> "Анна"@ru .
<1> <age> "30" .
<1> <height> "1.5" .
<1> <born> "1990-05-01" .
<1> <alive> "true" .
<1> <code> "a" .
<1> <word> "red green" .
<1> <tri> "ab" .
<1> <nick> "Annie" (kind="pet", since=2006-01-02) .
<1> <nick> "the boss" .
<1> <score> "1" .
<1> <score> "9" .
<1> <dgraph.type> "Person" .
<1> <friend> <2> (close=true, weight=0.5) .
<1> <friend> <3> (close=false, weight=0.7) .
<1> <friend> <4> .
<2> <name> "Bob" .
<2> <age> "20" .
<2> <height> "1.25" .
<2> <born> "1990-11-01" .
<2> <alive> "false" .
<2> <word> "green red" .
<2> <tri> "abc" .
<2> <boss> <1> (since=2019-01-01) .
<2> <dgraph.type> "Person" .
<3> <name> "Cid" .
<3> <age> "20" .
<3> <born> "1970" .
<3> <boss> <1> .
<3> <friend> <1> .
<4> <plain> "only this" .
<4> <name> "Dieter"@de .
"#;

fn node() -> Node {
    Node::with(SCHEMA, GRAPH)
}

/// The uids of block `q`, in their order.
fn uids(node: &Node, root: &str) -> Vec<u64> {
    let answer = node.query(&format!("{{ q({root}) {{ uid }} }}"));
    let hex = |node: &serde_json::Value| {
        u64::from_str_radix(node["uid"].as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
    };
    answer["q"].as_array().unwrap().iter().map(hex).collect()
}

#[test]
fn roots_find_what_they_name() {
    let node = node();
    for (root, found) in [
        ("func: has(age)", vec![1, 2, 3]),
        ("func: has(name)", vec![1, 2, 3]),
        ("func: has(name@de)", vec![1, 4]),
        ("func: has(name@.)", vec![1, 2, 3, 4]),
        ("func: has(~boss)", vec![1]),
        ("func: has(nosuch)", vec![]),
        ("func: uid(3, 0x1)", vec![1, 3]),
        ("func: uid(3, 3)", vec![3, 3]),
        ("func: uid()", vec![]),
        ("func: uid(0x999)", vec![0x999]),
        ("func: type(Person)", vec![1, 2]),
        ("func: type(Nobody)", vec![]),
        ("func: eq(name, \"Ann Lee\")", vec![1]),
        ("func: eq(name, \"Anna\")", vec![]),
        ("func: eq(name@de, \"Anna\")", vec![1]),
        ("func: eq(name@en, \"Ann Lee\")", vec![]),
        ("func: eq(name@., \"Anna\")", vec![1]),
        ("func: eq(name, [\"Cid\", \"Bob\"])", vec![2, 3]),
        ("func: eq(name, \"Cid\", \"Bob\")", vec![2, 3]),
        ("func: eq(name, [])", vec![]),
        ("func: eq(code, \"a\")", vec![1]),
        ("func: eq(word, \"red green\")", vec![1]),
        ("func: eq(tri, \"ab\")", vec![1]),
        ("func: eq(tri, \"abc\")", vec![2]),
        ("func: eq(height, 1.5)", vec![1]),
        ("func: eq(height, 1)", vec![]),
        ("func: eq(born, \"1990-05-01\")", vec![1]),
        ("func: eq(alive, false)", vec![2]),
        ("func: eq(score, 9)", vec![1]),
        ("func: eq(nosuch, 9)", vec![]),
        ("func: eq(count(friend), 3)", vec![1]),
        ("func: ge(count(friend), 1)", vec![1, 3]),
        ("func: le(count(friend), 2)", vec![3]),
        ("func: gt(count(~friend), 0)", vec![1, 2, 3, 4]),
        ("func: between(count(friend), 2, 3)", vec![1]),
        ("func: gt(age, 20)", vec![1]),
        ("func: le(age, 20)", vec![2, 3]),
        ("func: lt(age, 20)", vec![]),
        ("func: between(age, 20, 29)", vec![2, 3]),
        ("func: between(age, 29, 20)", vec![]),
        ("func: gt(height, 1.25)", vec![1]),
        ("func: ge(height, 1.25)", vec![1, 2]),
        ("func: lt(height, 1.3)", vec![2]),
        ("func: gt(born, \"1990-05-01\")", vec![2]),
        ("func: lt(born, \"1990-06-01\")", vec![1, 3]),
        ("func: ge(name, \"Bob\")", vec![2, 3]),
        ("func: gt(name, \"Bob\")", vec![3]),
        ("func: le(name@de, \"B\")", vec![1]),
        ("func: ge(score, 5)", vec![1]),
        ("func: allofterms(name, \"LEE ann\")", vec![1]),
        ("func: allofterms(name, \"anna\")", vec![]),
        ("func: allofterms(name@de, \"anna\")", vec![1]),
        ("func: anyofterms(name, \"bob lee nobody\")", vec![1, 2]),
        ("func: anyofterms(name, \"\")", vec![]),
        ("func: allofterms(nick, \"annie boss\")", vec![1]),
        ("func: alloftext(name, \"lees\")", vec![1]),
        ("func: regexp(name, /Ann [A-K]ee/)", vec![]),
        ("func: regexp(name, /n+ Le/)", vec![1]),
        ("func: regexp(name, /BOB|cid/i)", vec![2, 3]),
        ("func: match(name, \"Bobs\", 1)", vec![2]),
        ("func: match(name, \"Bobs\", 0)", vec![]),
    ] {
        assert_eq!(uids(&node, root), found, "{root}");
    }
}

#[test]
fn filters_need_no_index_and_combine() {
    let node = node();
    for (filter, found) in [
        ("eq(plain, \"only this\")", vec![4]),
        ("ge(plain, \"a\")", vec![4]),
        ("has(~boss) OR has(plain)", vec![1, 4]),
        ("NOT has(age)", vec![4]),
        ("has(age) AND NOT (eq(age, 30) OR uid(3))", vec![2]),
        ("uid_in(boss, 1)", vec![2, 3]),
        ("uid_in(friend, [0x4, 0x9])", vec![1]),
        ("uid_in(~friend, 3)", vec![1]),
        ("eq(count(friend), 0)", vec![2, 4]),
        ("lt(count(friend), 3)", vec![2, 3, 4]),
        ("regexp(name, /^B/)", vec![2]),
        ("type(Person) and eq(name@ru, \"Анна\")", vec![1]),
        ("uid()", vec![]),
        ("", vec![1, 2, 3, 4]),
    ] {
        assert_eq!(uids(&node, &format!("func: uid(1, 2, 3, 4)) @filter({filter}")), found, "{filter}");
    }
}

#[test]
fn a_filter_over_many_nodes_asks_the_index_and_finds_the_same() {
    let node = Node::new();
    node.alter("n: int @index(int) .\nw: string @index(term) @lang .");
    let nquads: Vec<String> =
        (1..=2000).map(|n| format!("<{n}> <n> \"{}\" .\n<{n}> <w> \"red {}\"@de .", n % 7, n % 5)).collect();
    node.set(&nquads.join("\n"));
    let expected: Vec<u64> = (1..=2000).filter(|n| n % 7 == 3 && n % 5 == 1).collect();
    assert_eq!(uids(&node, "func: has(n)) @filter(eq(n, 3) AND allofterms(w@de, \"1 red\")"), expected);
    assert_eq!(uids(&node, "func: has(n)) @filter(eq(n, 3) AND allofterms(w, \"1 red\")"), [0u64; 0]);
    assert_eq!(uids(&node, "func: has(n), first: 3, offset: 2, after: 0x10"), [19, 20, 21]);
}

#[test]
fn order_is_stable_and_the_missing_come_last() {
    let node = node();
    for (args, found) in [
        ("orderasc: age", vec![2, 3, 1, 4]),
        ("orderdesc: age", vec![1, 2, 3, 4]),
        ("orderasc: age, orderdesc: name", vec![3, 2, 1, 4]),
        ("orderasc: name@de", vec![1, 4, 2, 3]),
        ("orderdesc: born, first: 2", vec![2, 1]),
        ("orderdesc: born, first: 1, offset: 1", vec![1]),
        ("first: -2", vec![3, 4]),
        ("first: 0, offset: 3", vec![4]),
        ("offset: -1, first: 1", vec![1]),
        ("after: 2", vec![3, 4]),
    ] {
        assert_eq!(uids(&node, &format!("func: uid(4, 3, 2, 1), {args}")), found, "{args}");
    }
}

#[test]
fn keys_follow_the_query_and_values_their_type() {
    let node = node();
    let text = node.text(
        "{ q(func: uid(1)) { height age: born nick uid boys: friend(orderdesc: name, first: 2) { name } alive } }",
    );
    assert_eq!(
        text,
        r#"{"q":[{"height":1.5,"age":"1990-05-01T00:00:00Z","nick":["the boss","Annie"],"uid":"0x1","boys":[{"name":"Cid"},{"name":"Bob"}],"alive":true}]}"#
    );
}

#[test]
fn languages_are_printed_as_asked() {
    let node = node();
    let answer = node.query(
        "{ q(func: uid(1, 4)) { uid name name@de name@en:ru name@en:. name@fr } s(func: uid(1)) { n: name@* } }",
    );
    let expected = json!({
        "q": [
            {"uid": "0x1", "name": "Ann Lee", "name@de": "Anna", "name@en:ru": "Анна", "name@en:.": "Ann Lee"},
            {"uid": "0x4", "name@de": "Dieter", "name@en:.": "Dieter"},
        ],
        "s": [{"n@de": "Anna", "n@ru": "Анна", "n": "Ann Lee"}],
    });
    assert_eq!(answer, expected);
}

#[test]
fn edges_are_arrays_or_objects_and_empty_ones_are_left_out() {
    let node = node();
    let answer = node.query("{ q(func: uid(2, 4)) { boss { name } friend { name } ~friend { uid } } e(func: uid(1)) { friend } n(func: uid(4)) { nosuch { uid } } }");
    let expected = json!({
        "q": [{"boss": {"name": "Ann Lee"}, "~friend": [{"uid": "0x1"}]}, {"~friend": [{"uid": "0x1"}]}],
        "e": [],
        "n": [],
    });
    assert_eq!(answer, expected);
}

#[test]
fn facets_stand_with_their_edge_or_before_their_value() {
    let node = node();
    let answer = node.query(
        "{ q(func: uid(1)) { friend @facets { uid } nick @facets(kind) } b(func: uid(2)) { boss @facets(s: since) { uid } }
           f(func: uid(1)) { friend @facets(gt(weight, 0.6) OR eq(close, true)) @facets(weight) { uid } }
           n(func: uid(1)) { friend @facets(NOT eq(close, true)) { uid } }
           o(func: uid(1)) { friend @facets(orderdesc: weight) (first: 2) { uid } } r(func: uid(2)) { ~friend @facets(close) { uid } } }"
            .replace("@facets(orderdesc: weight) (first: 2)", "(first: 2) @facets(orderdesc: weight)")
            .as_str(),
    );
    let expected = json!({
        "q": [{
            "friend": [{"uid": "0x2", "friend|close": true, "friend|weight": 0.5}, {"uid": "0x3", "friend|close": false, "friend|weight": 0.7}, {"uid": "0x4"}],
            "nick|kind": {"1": "pet"},
            "nick": ["the boss", "Annie"],
        }],
        "b": [{"boss": {"uid": "0x1", "s": "2019-01-01T00:00:00Z"}}],
        "f": [{"friend": [{"uid": "0x2", "friend|weight": 0.5}, {"uid": "0x3", "friend|weight": 0.7}]}],
        "n": [{"friend": [{"uid": "0x3"}, {"uid": "0x4"}]}],
        "o": [{"friend": [{"uid": "0x3", "friend|weight": 0.7}, {"uid": "0x2", "friend|weight": 0.5}]}],
        "r": [{"~friend": [{"uid": "0x1", "~friend|close": true}]}],
    });
    assert_eq!(answer, expected);
}

#[test]
fn counts_are_fields_elements_and_filtered() {
    let node = node();
    let answer = node.query(
        "{ q(func: uid(1, 2)) { count(friend) k: count(~boss) c: count(friend @filter(has(age))) nick: count(nick) }
           t(func: has(age), first: 2) { count(uid) name } e(func: uid(1)) { friend { count(uid) uid } } z(func: has(nosuch)) { n: count(uid) } }",
    );
    let expected = json!({
        "q": [{"count(friend)": 3, "k": 2, "c": 2, "nick": 2}, {"count(friend)": 0, "k": 0, "c": 0, "nick": 0}],
        "t": [{"count": 2}, {"name": "Ann Lee"}, {"name": "Bob"}],
        "e": [{"friend": [{"uid": "0x2"}, {"uid": "0x3"}, {"uid": "0x4"}, {"count": 3}]}],
        "z": [{"n": 0}],
    });
    assert_eq!(answer, expected);
}

#[test]
fn debug_adds_the_uid_last_but_only_to_what_is_shown() {
    let node = node();
    let answer = node.run("{ q(func: uid(1, 9)) { friend { name } name } }", &BTreeMap::new(), true).unwrap();
    assert_eq!(
        answer.data,
        r#"{"q":[{"friend":[{"name":"Bob","uid":"0x2"},{"name":"Cid","uid":"0x3"}],"name":"Ann Lee","uid":"0x1"}]}"#
    );
    assert_eq!((answer.metrics["name"], answer.metrics["friend"]), (5, 2));
}

#[test]
fn variables_carry_nodes_and_values_between_blocks() {
    let node = node();
    let answer = node.query(
        "{ old(func: uid(f), orderdesc: val(a)) @filter(ge(val(a), 20)) { name val(a) b: val(c) }
           var(func: uid(1)) { f as friend } var(func: has(name)) { a as age c as count(friend) }
           s() { min(val(a)) m: max(val(a)) sum(val(a)) avg(val(a)) } n() { none: sum(val(e)) } var(func: has(nosuch)) { e as age } }",
    );
    let expected = json!({
        "old": [{"name": "Bob", "val(a)": 20, "b": 0}, {"name": "Cid", "val(a)": 20, "b": 1}],
        "s": [{"min(val(a))": 20}, {"m": 30}, {"sum(val(a))": 70}, {"avg(val(a))": 70.0 / 3.0}],
        "n": [{"none": null}],
    });
    assert_eq!(answer, expected);
}

#[test]
fn arithmetic_keeps_ints_and_leaves_out_what_is_no_number() {
    let node = node();
    let answer = node.query(
        "{ q(func: uid(1, 2, 3, 4)) { uid a as age h as height s: math(a + h) d: math((a - 5) / 2) m: math(cond(a > 20, 1, -a))
           r: math(sqrt(a - 25)) p: math(pow(a, 2)) b: math(h == 1.5) c as math(a * 2) } f(func: uid(c)) @filter(gt(val(c), 50)) { val(c) } }",
    );
    let expected = json!({
        "q": [
            {"uid": "0x1", "age": 30, "height": 1.5, "s": 31.5, "d": 12, "m": 1, "r": 5f64.sqrt(), "p": 900, "b": true},
            {"uid": "0x2", "age": 20, "height": 1.25, "s": 21.25, "d": 7, "m": -20, "p": 400, "b": false},
            {"uid": "0x3", "age": 20, "s": 20, "d": 7, "m": -20, "p": 400},
            {"uid": "0x4"},
        ],
        "f": [{"val(c)": 60}],
    });
    assert_eq!(answer, expected);
    let error = node.try_query("{ q(func: uid(1)) { a as age m: math(a / (a - 30)) } }").expect_err("a zero");
    assert!(error.contains("division by zero"), "{error}");
}

#[test]
fn groups_are_ordered_by_size_and_leave_out_nodes_without_a_key() {
    let node = node();
    let answer = node.query(
        "{ q(func: uid(1, 2, 3, 4)) @groupby(a: age) { count(uid) max(val(h)) } var(func: has(height)) { h as height }
           e(func: uid(1, 4)) { friend @groupby(boss) { n: count(uid) } } two(func: has(age)) @groupby(age, friend) { count(uid) }
           none(func: uid(4)) @groupby(age) { count(uid) } }",
    );
    let expected = json!({
        "q": [{"@groupby": [{"a": 30, "count": 1, "max(val(h))": 1.5}, {"a": 20, "count": 2, "max(val(h))": 1.25}]}],
        "e": [{"friend": [{"@groupby": [{"boss": "0x1", "n": 2}]}]}],
        "two": [{"@groupby": [
            {"age": 20, "friend": "0x1", "count": 1},
            {"age": 30, "friend": "0x2", "count": 1},
            {"age": 30, "friend": "0x3", "count": 1},
            {"age": 30, "friend": "0x4", "count": 1},
        ]}],
        "none": [],
    });
    assert_eq!(answer, expected);
}

#[test]
fn cascade_keeps_nodes_that_have_everything_and_pages_what_is_left() {
    let node = node();
    let answer = node.query(
        "{ q(func: has(name@.)) @cascade { name friend { age } } p(func: has(name@.), first: 1, offset: 1) @cascade(age) { name age }
           f(func: uid(1, 2)) { name friend @cascade { name age } } }",
    );
    let expected = json!({
        "q": [{"name": "Ann Lee", "friend": [{"age": 20}, {"age": 20}]}, {"name": "Cid", "friend": [{"age": 30}]}],
        "p": [{"name": "Bob", "age": 20}],
        "f": [{"name": "Ann Lee", "friend": [{"name": "Bob", "age": 20}, {"name": "Cid", "age": 20}]}, {"name": "Bob"}],
    });
    assert_eq!(answer, expected);
}

#[test]
fn expand_follows_types_and_needs_a_block_for_edges() {
    let node = node();
    let answer = node.query("{ q(func: uid(1)) { expand(_all_) } t(func: uid(1)) { expand(Person) { age } } n(func: uid(3)) { expand(_all_) } u(func: uid(1)) { expand(Nobody) } }");
    let names = json!({"name@de": "Anna", "name@ru": "Анна", "name": "Ann Lee", "age": 30});
    let mut with_edges = names.clone();
    with_edges["friend"] = json!([
        {"age": 20, "friend|close": true, "friend|weight": 0.5},
        {"age": 20, "friend|close": false, "friend|weight": 0.7},
    ]);
    assert_eq!(answer, json!({"q": [names], "t": [with_edges], "n": [], "u": []}));
}

#[test]
fn normalize_multiplies_branches_and_keeps_aliases_only() {
    let node = node();
    let answer =
        node.query("{ q(func: uid(1)) @normalize { n: name age friend { f: name boss { b: name } } sc: score } }");
    let found = json!([
        {"n": "Ann Lee", "f": "Bob", "b": "Ann Lee", "sc": answer["q"][0]["sc"]},
        {"n": "Ann Lee", "f": "Cid", "b": "Ann Lee", "sc": answer["q"][0]["sc"]},
    ]);
    assert_eq!(answer["q"], found);
    assert_eq!(answer["q"][0]["sc"].as_array().unwrap().len(), 2, "a list stays a list");
}

#[test]
fn an_endless_answer_is_refused_before_it_is_written() {
    let node = node();
    let deep =
        format!("{{ q(func: uid(1)) {{ {} uid {} }} }}", "friend { friend { ~friend { ".repeat(30), "} } }".repeat(30));
    let error = node.try_query(&deep).expect_err("3^90 nodes");
    assert!(error.contains("leads to"), "{error}");
}

#[test]
fn the_deepest_query_allowed_runs_on_the_stack_of_a_worker_thread() {
    let node = Node::with("next: [uid] .", "<1> <next> <1> .");
    let levels = graphdb_query::dql::MAX_DEPTH - 1;
    let deep = format!("{{ q(func: uid(1)) {{ {} uid {} }} }}", "next { ".repeat(levels), "}".repeat(levels));
    assert_eq!(node.text(&deep).matches("next").count(), levels);
    let parentheses = levels - 1;
    let filter = format!("{}has(next){}", "(".repeat(parentheses), ")".repeat(parentheses));
    assert_eq!(uids(&node, &format!("func: uid(1)) @filter({filter}")), [1]);
}

#[test]
fn combinations_beyond_the_limit_are_refused() {
    let edges: Vec<String> = (1..=1100).map(|end| format!("<1> <next> <{end}> .\n<1> <other> <{end}> .")).collect();
    let node = Node::with("next: [uid] .\nother: [uid] .", &edges.join("\n"));
    for query in [
        "{ q(func: uid(1)) @groupby(next, other) { count(uid) } }",
        "{ q(func: uid(1)) @normalize { next { a: uid } other { b: uid } } }",
    ] {
        let error = node.try_query(query).expect_err(query);
        assert!(error.contains("1000000"), "{error}");
    }
}

#[test]
fn a_transaction_reads_its_own_writes_and_others_do_not() {
    let node = node();
    let start_ts = node.store.begin().unwrap();
    let edge = graphdb_storage::Edge {
        op: graphdb_storage::EdgeOp::Set,
        subject: graphdb_types::Uid(1),
        predicate: graphdb_types::Predicate::root("age"),
        object: graphdb_storage::EdgeObject::Value { value: graphdb_types::Value::Int(31), lang: String::new() },
        facets: Vec::new(),
    };
    node.store.mutate(start_ts, vec![edge]).unwrap();
    let request = graphdb_query::exec::QueryRequest {
        text: "{ q(func: uid(1)) { age } }",
        variables: &BTreeMap::new(),
        debug: false,
    };
    let own = graphdb_query::exec::run(&node.store.view_for(start_ts).unwrap(), &request).unwrap();
    assert_eq!(own.data, r#"{"q":[{"age":31}]}"#);
    assert_eq!(node.text(request.text), r#"{"q":[{"age":30}]}"#);
}
