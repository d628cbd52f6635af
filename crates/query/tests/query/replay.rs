use std::collections::BTreeMap;

use graphdb_query::mutation::MutationRequest;
use serde_json::Value as Json;

use crate::node::{Node, shared};

/// What a later band of the language answers, and what belongs to the server and not to this crate.
const OUTSIDE: [&str; 10] = [
    "recurse",
    "recurse loop",
    "shortest",
    "k shortest",
    // The server's own: content types, parameters, methods, the empty body.
    "query GET json wrong type",
    "query timeout bad",
    "options",
    "empty",
    "query startTs far",
    // Knows the `unique` of predicates of the database itself.
    "schema",
];

/// What the upserts among the exchanges come to, as plain statements.
fn upsert_effect(name: &str) -> Option<&'static str> {
    Some(match name {
        "mutate upsert block" => "<0x1> <age> \"31\" .",
        "mutate upsert cond false" => "",
        "mutate upsert new" => "_:zed <email> \"zed@x.io\" .\n_:zed <name> \"Zed\" .",
        "mutate upsert val" => "<0x2> <height> \"25\" .",
        "mutate upsert json" => "<0x3eb> <age> \"55\" .",
        _ => return None,
    })
}

#[test]
fn recorded_queries_are_answered_as_the_original_did() {
    let Some(shared) = shared() else { return };
    let exchanges = std::fs::read_to_string(shared.join("data/http/dgraph-v25.4.jsonl")).unwrap();
    let node = Node::new();
    node.raise_uids(1000);
    let (mut same, mut different, mut skipped) = (0, Vec::new(), Vec::new());
    for line in exchanges.lines() {
        let exchange: Json = serde_json::from_str(line).unwrap();
        let (name, path) = (exchange["name"].as_str().unwrap(), exchange["path"].as_str().unwrap());
        if name == "drop data" {
            break;
        }
        let body = exchange["body"].as_str().unwrap_or_default();
        if path.starts_with("/query") {
            match answers_the_same(&node, &exchange, name, path, body) {
                None => skipped.push(name.to_owned()),
                Some(Ok(())) => same += 1,
                Some(Err(why)) => different.push(format!("{name}: {body}\n  {why}")),
            }
        } else {
            apply(&node, &exchange, name, path, body);
        }
    }
    println!("{same} the same, {} outside: {}", skipped.len(), skipped.join(", "));
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
    assert!(same > 60, "only {same} compared");
}

/// Brings the node to the state that the exchange left behind.
fn apply(node: &Node, exchange: &Json, name: &str, path: &str, body: &str) {
    let done = exchange["response"]["data"]["code"] == "Success";
    if path == "/alter" && done {
        node.alter(body);
    } else if let Some(statements) = upsert_effect(name) {
        node.set(statements);
    } else if path.starts_with("/mutate") && done && exchange["response"]["extensions"]["txn"]["commit_ts"].is_number()
    {
        let request = match exchange["headers"]["Content-Type"].as_str() {
            Some("application/json") => MutationRequest::from_json(body),
            _ => MutationRequest::from_rdf(body),
        };
        node.mutate(&request.unwrap_or_else(|error| panic!("{name}: {error}")))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

fn answers_the_same(node: &Node, exchange: &Json, name: &str, path: &str, body: &str) -> Option<Result<(), String>> {
    if OUTSIDE.contains(&name) {
        return None;
    }
    let (text, variables) = match exchange["headers"]["Content-Type"].as_str() {
        Some("application/json") => json_body(body),
        _ => (body.to_owned(), BTreeMap::new()),
    };
    let found = node.run(&text, &variables, path.contains("debug=true"));
    let expected = &exchange["response"];
    Some(match (found, expected.get("errors")) {
        (Err(_), Some(_)) => Ok(()),
        (Err(error), None) => Err(format!("refused: {error}")),
        (Ok(answer), Some(errors)) => Err(format!("answered {} where {errors} was expected", answer.data)),
        (Ok(answer), None) => {
            let found: Json = serde_json::from_str(&answer.data).unwrap();
            if found == expected["data"] {
                Ok(())
            } else {
                Err(format!("expected {}\n  found    {found}", expected["data"]))
            }
        }
    })
}

fn json_body(body: &str) -> (String, BTreeMap<String, String>) {
    let body: Json = serde_json::from_str(body).unwrap();
    let variables = body["variables"].as_object().into_iter().flatten();
    let text = |value: &Json| value.as_str().unwrap().to_owned();
    (text(&body["query"]), variables.map(|(name, value)| (name.clone(), text(value))).collect())
}
