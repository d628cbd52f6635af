//! Real servers were sent statements and asked questions; sent the same statements, we give the same answers.

use graphdb_query::mutation::MutationRequest;
use serde_json::Value as Json;

use crate::node::{Node, shared};

/// Types and functions that are not known here: lines and queries with these words are left out.
const UNKNOWN: [&str; 9] =
    ["bigfloat", "float32vector", "ngram", "amount", "emb", "grams", "near(", "contains(", "within("];

fn is_known(text: &str) -> bool {
    !UNKNOWN.iter().any(|word| text.contains(word))
}

fn known_lines(text: &str) -> String {
    text.lines().filter(|line| is_known(line)).collect::<Vec<_>>().join("\n")
}

/// Answers the questions of a series after each of its steps; gives how many were compared.
fn replay(series: &str, is_asked: impl Fn(&str) -> bool) -> usize {
    let Some(shared) = shared() else { return usize::MAX };
    let file = shared.join("data/dgraph-backups").join(series).join("expected.json");
    let expected: Json = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let node = Node::new();
    let (mut compared, mut different) = (0, Vec::new());
    for (step, statements) in expected["statements"].as_object().unwrap() {
        for statement in statements.as_array().unwrap() {
            let (kind, text) = (statement[0].as_str().unwrap(), &statement[1]);
            // A drop stands as the JSON object that was sent.
            apply(&node, step, kind, text.as_str().unwrap_or(&text.to_string()));
        }
        for (name, answer) in expected["after"][step].as_object().into_iter().flatten() {
            let query = expected["queries"][name].as_str().unwrap();
            // Internal predicates are left out of the expected schema, so only questions about data are asked.
            if name == "schema" || !is_asked(name) || !is_known(query) {
                continue;
            }
            compared += 1;
            match node.try_query(query) {
                Ok(found) if same(&found, answer) => {}
                // An unknown predicate is refused by newer versions and empty in older ones.
                Ok(found)
                    if answer == "error"
                        && found.as_object().unwrap().values().any(|block| *block == serde_json::json!([])) => {}
                Err(_) if answer == "error" => {}
                Ok(found) => different
                    .push(format!("{step}, {name}: {query:.300}\n  expected {answer:.1500}\n  found    {found:.1500}")),
                Err(error) => different
                    .push(format!("{step}, {name}: {query:.300}\n  expected {answer:.600}\n  refused  {error}")),
            }
        }
    }
    assert!(different.is_empty(), "{series}: {} of {compared} differ:\n{}", different.len(), different.join("\n"));
    println!("{series}: {compared} answers are the same");
    compared
}

fn apply(node: &Node, step: &str, kind: &str, text: &str) {
    let text = known_lines(text);
    let body = match kind {
        "schema" | "drop" => return node.alter(&text),
        "rdf" => format!("{{ set {{\n{text}\n}} }}"),
        "del" => format!("{{ delete {{\n{text}\n}} }}"),
        "upsert" => match upsert(node, &text) {
            Some(body) => body,
            None => return,
        },
        "wait" => return,
        other => panic!("unknown kind of statement {other}"),
    };
    let request = MutationRequest::from_rdf(&body).unwrap_or_else(|error| panic!("{step}: {error}\n{body}"));
    node.mutate(&request).unwrap_or_else(|error| panic!("{step}: {error}\n{body}"));
}

/// The statements of an upsert `{ query { v as var(...) } mutation @if(gt(len(v), 0)) { set { uid(v) ... } } }` for the nodes it finds.
fn upsert(node: &Node, text: &str) -> Option<String> {
    let request = MutationRequest::from_rdf(text).unwrap();
    let answer = node.run_for_upsert(request.query.as_ref().unwrap());
    let condition = request.mutations[0].cond.as_ref().unwrap();
    if !graphdb_query::exec::condition_holds(condition, &answer).unwrap() {
        return None;
    }
    let statement = text.split_once("set {").unwrap().1.strip_suffix("} } }").unwrap();
    let lines = answer.uid_variables["v"].iter().map(|uid| statement.replace("uid(v)", &format!("<{uid:#x}>")));
    Some(format!("{{ set {{\n{}\n}} }}", lines.collect::<Vec<_>>().join("\n")))
}

/// Equal as JSON values: the order of keys does not matter, 3.0 equals 3 and -0.0 equals 0.
fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => a.as_f64() == b.as_f64(),
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        _ => a == b,
    }
}

#[test]
fn every_kind_of_value_is_answered_as_the_original_did() {
    assert!(replay("v25.4-kinds", |_| true) >= 80);
}

#[test]
fn a_random_history_is_answered_as_the_original_did() {
    // v21.12 counted every language of a value, we count as v24.1 and later do.
    let counts_languages = |name: &str| name == "count p1";
    // Requests of this series set one scalar twice; the store then keeps the index term of the first value as well.
    let needs_the_last_of_two =
        |name: &str| ["index p18 fulltext hash term", "index p2 hash", "index p8 bool"].contains(&name);
    // Hundreds of passwords, at 50 ms each; those of the other series are checked.
    let checks_passwords = |name: &str| name == "dump p12";
    let is_asked = |name: &str| !counts_languages(name) && !needs_the_last_of_two(name) && !checks_passwords(name);
    assert!(replay("v21.12-random", is_asked) >= 200);
}

#[test]
fn histories_of_deletes_and_dropped_indexes_are_answered_by_the_data() {
    assert!(replay("v25.4-lost-delete", |_| true) >= 3);
    assert!(replay("v25.4-stale-index", |_| true) >= 2);
}
