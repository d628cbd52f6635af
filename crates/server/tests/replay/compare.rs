//! When two answers are the same.

use std::collections::HashMap;

use serde_json::Value;

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: Option<String>,
    pub(crate) body: Value,
}

/// Which of our uids stands for which recorded one.
#[derive(Default)]
pub(crate) struct Uids(HashMap<String, String>);

/// The members whose values are times, counters, names or places of the node that answered: only their kind is compared.
const OWN: [&str; 22] = [
    "address",
    "addr",
    "backupId",
    "checksum",
    "cid",
    "counter",
    "groups",
    "lastEcho",
    "lastUpdate",
    "lastUpdated",
    "maxTxnTs",
    "maxUID",
    "max_assigned",
    "ongoing",
    "path",
    "since",
    "snapshotTs",
    "startId",
    "endId",
    "taskId",
    "uptime",
    "ee_features",
];

/// The members of an object that may be there or not: what the node is busy with, what it can do.
const OPTIONAL: [&str; 3] = ["ongoing", "ee_features", "max_assigned"];

/// Says how two answers differ, if they do.
pub(crate) fn differs(name: &str, path: &str, recorded: &Answer, answer: &Answer, uids: &mut Uids) -> Option<String> {
    if recorded.status != answer.status {
        return Some(format!("status {} became {}", recorded.status, answer.status));
    }
    if recorded.content_type != answer.content_type {
        return Some(format!("content type {:?} became {:?}", recorded.content_type, answer.content_type));
    }
    let (expected, found) = (&recorded.body, &answer.body);
    if expected.get("errors").is_some() || found.get("errors").is_some() {
        return errors_differ(expected, found).or_else(|| data_differs(expected, found, uids));
    }
    if let (Some(expected), Some(found)) = (expected.pointer("/data/uids"), found.pointer("/data/uids")) {
        uids.learn(expected, found);
    }
    if path.starts_with("/state") || name.starts_with("admin state") || name.starts_with("flow list") {
        return kinds_differ("", expected, found);
    }
    match (expected.get("data"), found.get("data")) {
        (Some(_), Some(_)) => data_differs(expected, found, uids),
        (None, None) => (uids.mapped(found) != sorted(expected) && kinds_differ("", expected, found).is_some())
            .then(|| "the body differs".into()),
        _ => Some("data is there in one of them only".into()),
    }
}

fn data_differs(expected: &Value, found: &Value, uids: &Uids) -> Option<String> {
    if expected.get("data").is_some() != found.get("data").is_some() {
        return Some("data is there in one of them only".into());
    }
    let (expected, found) =
        (expected.get("data").cloned().unwrap_or_default(), found.get("data").cloned().unwrap_or_default());
    (sorted(&without_own(&expected)) != uids.mapped(&without_own(&found))).then(|| "data differs".into())
}

fn errors_differ(expected: &Value, found: &Value) -> Option<String> {
    if expected.get("errors").is_some() != found.get("errors").is_some() {
        return Some("only one of them is an error".into());
    }
    let first = |body: &Value, pointer: &str| body.pointer(&format!("/errors/0{pointer}")).cloned();
    for pointer in ["/extensions/code", "/locations"] {
        if first(expected, pointer) != first(found, pointer) {
            return Some(format!("the error's {} is another", &pointer[1..]));
        }
    }
    None
}

/// Compares names of members and kinds of values, and the values themselves unless they are the node's own.
fn kinds_differ(at: &str, expected: &Value, found: &Value) -> Option<String> {
    match (expected, found) {
        (Value::Object(a), Value::Object(b)) => {
            // Tablets are named by what a node stores.
            if at.ends_with("/tablets") {
                return None;
            }
            let compared = |key: &&String| !(OPTIONAL.contains(&key.as_str()) || at.is_empty() && *key == "extensions");
            for key in a.keys().chain(b.keys()).filter(compared) {
                match (a.get(key), b.get(key)) {
                    (Some(Value::Null), Some(_)) if matches!(key.as_str(), "since" | "encrypted") => {}
                    (Some(x), Some(y)) if !OWN.contains(&key.as_str()) || x.is_object() => {
                        if let Some(why) = kinds_differ(&format!("{at}/{key}"), x, y) {
                            return Some(why);
                        }
                    }
                    (Some(x), Some(y)) if std::mem::discriminant(x) == std::mem::discriminant(y) => {}
                    _ => return Some(format!("{at}/{key} is not there in both, or of another kind")),
                }
            }
            None
        }
        (Value::Array(a), Value::Array(b)) if at.ends_with("tablets") => {
            a.first().zip(b.first()).and_then(|(x, y)| kinds_differ(&format!("{at}/0/tablets"), x, y))
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(i, (x, y))| kinds_differ(&format!("{at}/{i}"), x, y))
        }
        (a, b) => (a != b).then(|| format!("{at}: {a} became {b}")),
    }
}

/// Replaces what is the node's own by its kind.
fn without_own(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let own = |key: &str, value: &Value| OWN.contains(&key) && (value.is_string() || value.is_number());
            let members = members.iter().filter(|(key, _)| !OPTIONAL.contains(&key.as_str()));
            members
                .map(|(key, value)| (key.clone(), if own(key, value) { Value::Null } else { without_own(value) }))
                .collect()
        }
        Value::Array(items) => items.iter().map(without_own).collect(),
        // A task's id is part of its message; notes follow ours.
        Value::String(text)
            if ["Backup queued with ID ", "Backup completed. "].iter().any(|begin| text.starts_with(begin)) =>
        {
            Value::String("Backup completed.".into())
        }
        other => other.clone(),
    }
}

impl Uids {
    fn learn(&mut self, expected: &Value, found: &Value) {
        let (Value::Object(expected), Value::Object(found)) = (expected, found) else { return };
        for (name, uid) in expected {
            if let (Some(recorded), Some(ours)) = (uid.as_str(), found.get(name).and_then(Value::as_str)) {
                self.0.insert(ours.to_owned(), recorded.to_owned());
            }
        }
    }

    /// Our answer with the recorded uids, in the order of [`sorted`].
    fn mapped(&self, value: &Value) -> Value {
        fn map(uids: &Uids, value: &Value) -> Value {
            match value {
                Value::String(text) => Value::String(uids.0.get(text).unwrap_or(text).clone()),
                Value::Array(items) => items.iter().map(|item| map(uids, item)).collect(),
                Value::Object(members) => members.iter().map(|(key, value)| (key.clone(), map(uids, value))).collect(),
                other => other.clone(),
            }
        }
        sorted(&map(self, value))
    }
}

/// The same value with the members of its objects, and lists of plain values, in one order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<(String, Value)> =
                members.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            members.into_iter().collect()
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(sorted).collect();
            if items.iter().all(Value::is_string) {
                items.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
            }
            Value::Array(items)
        }
        // 4096 and 4096.0 are one number.
        Value::Number(number) => serde_json::json!(number.as_f64()),
        other => other.clone(),
    }
}
