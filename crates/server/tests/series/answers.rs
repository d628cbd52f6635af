//! What a series must answer, and whether a store answers it.

use std::collections::BTreeMap;
use std::path::Path;

use graphdb_query::exec::{QueryRequest, run};
use graphdb_storage::View;
use graphdb_types::Predicate;
use serde_json::{Map, Value};

/// The `expected.json` of a series.
pub(crate) struct Expected(Value);

impl Expected {
    pub(crate) fn read(data: &Path, folder: &str) -> Expected {
        let text = std::fs::read_to_string(data.join("dgraph-backups").join(folder).join("expected.json")).unwrap();
        Expected(serde_json::from_str(&text).unwrap())
    }

    /// Backup number, step and answers, in order.
    pub(crate) fn steps(&self) -> Vec<(u64, &str, &Value)> {
        let number = |step: &str| step.split(' ').next().unwrap().parse().unwrap();
        let after = self.0["after"].as_object().unwrap();
        let mut steps: Vec<(u64, &str, &Value)> =
            after.iter().map(|(step, answers)| (number(step), step.as_str(), answers)).collect();
        steps.sort_by_key(|(number, ..)| *number);
        steps
    }

    /// The text of a query; `None` for one that is a login.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.0["queries"][name].as_str().filter(|text| text.contains('{'))
    }

    /// Of a namespace that was deleted nothing can be restored: only that nobody can log in was asked.
    pub(crate) fn is_gone(answers: &Value) -> bool {
        answers.as_object().unwrap().keys().all(|name| ["groot", "alice"].contains(&name.as_str()))
    }
}

/// How an answer stands to the recorded one.
pub(crate) enum Verdict {
    Same,
    /// The server refused a predicate that is not defined any more, as newer ones do; older ones and this answer nothing.
    RefusedThere,
    Differs(String),
}

/// Compares the answer with the recorded one.
pub(crate) fn compare(view: &View, name: &str, query: &str, recorded: &Value) -> Verdict {
    let request = QueryRequest { text: query, variables: &BTreeMap::new(), debug: false };
    let answer = run(view, &request).map_err(|err| err.to_string()).map(|answer| answer.data);
    let was_refused = recorded == "error" || recorded.get("errors").is_some();
    match answer {
        Err(_) if was_refused => Verdict::Same,
        Err(err) => Verdict::Differs(format!("refused: {err}; recorded {recorded}")),
        Ok(text) => {
            let found: Value = serde_json::from_str(&text).unwrap();
            let (mut expected, mut found) = (canonical(recorded), canonical(&found));
            if was_refused && names_undefined(view, query) {
                return Verdict::RefusedThere;
            }
            // Its blocks were recorded in another order than that of uids.
            if name == "acl" {
                [&mut expected, &mut found].into_iter().for_each(sort_blocks);
            }
            match expected == found {
                true => Verdict::Same,
                false => Verdict::Differs(format!("recorded {expected}\n    answered {found}")),
            }
        }
    }
}

/// Compares the blocks of an answer with those of the same name that were recorded.
pub(crate) fn compare_blocks(view: &View, query: &str, recorded: &Value) -> Verdict {
    let request = QueryRequest { text: query, variables: &BTreeMap::new(), debug: false };
    let found: Value = serde_json::from_str(&run(view, &request).unwrap().data).unwrap();
    let wrong =
        |(name, block): &(&String, &Value)| recorded != "error" && canonical(block) != canonical(&recorded[name]);
    match found.as_object().unwrap().iter().find(wrong) {
        None => Verdict::Same,
        Some((name, block)) => Verdict::Differs(format!("recorded {}\n    answered {block}", recorded[name])),
    }
}

/// Whether a query names a predicate that the schema does not.
fn names_undefined(view: &View, query: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let named = SUBJECT_FOLLOWS.iter().flat_map(|before| query.split(before).skip(1));
    let names = named.map(|rest| rest.split(|c| !is_name(c)).next().unwrap_or_default());
    let mut names = names.filter(|name| !name.is_empty() && *name != "count");
    names.any(|name| view.schema().predicate(&Predicate::root(name)).is_none())
}

/// Behind these stands the name of a predicate.
const SUBJECT_FOLLOWS: [&str; 15] = [
    "eq(",
    "ge(",
    "le(",
    "lt(",
    "between(",
    "terms(",
    "text(",
    "regexp(",
    "near(",
    "contains(",
    "within(",
    "count(",
    "checkpwd(",
    "has(",
    "~",
];

fn sort_blocks(answer: &mut Value) {
    for block in answer.as_object_mut().into_iter().flat_map(Map::values_mut) {
        block.as_array_mut().unwrap().sort_by_key(ToString::to_string);
    }
}

/// Whether a login that worked, or did not, would do so now.
pub(crate) fn login(view: &View, name: &str, recorded: &Value) -> Verdict {
    let (user, password) = if name == "groot" { ("groot", "password") } else { ("alice", "alice-pass") };
    let text = format!(r#"{{ q(func: eq(dgraph.xid, "{user}")) {{ ok: checkpwd(dgraph.password, "{password}") }} }}"#);
    let request = QueryRequest { text: &text, variables: &BTreeMap::new(), debug: false };
    let answer: Value = serde_json::from_str(&run(view, &request).unwrap().data).unwrap();
    let logged_in = answer["q"][0]["ok"] == true;
    match logged_in == (recorded == "login") {
        true => Verdict::Same,
        false => Verdict::Differs(format!("recorded {recorded}, and the password gives {answer}")),
    }
}

/// One form for values that count as equal.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Number(number) => {
            let number = number.as_f64().unwrap();
            Value::from(if number == 0.0 { 0.0 } else { number })
        }
        Value::Array(items) => items.iter().map(canonical).collect(),
        Value::Object(members) => {
            let sorted: BTreeMap<_, _> = members.iter().collect();
            let member = |(key, value): (&String, &Value)| {
                let value =
                    if matches!(key.as_str(), "schema" | "types") { definitions(value) } else { canonical(value) };
                (key.clone(), value)
            };
            Value::Object(sorted.into_iter().map(member).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

/// Predicates or types, in order of their names, without internal ones.
fn definitions(value: &Value) -> Value {
    let Value::Array(items) = value else { return canonical(value) };
    let name = |item: &Value| {
        let name = item.get("predicate").or(item.get("name")).and_then(Value::as_str);
        name.unwrap_or_default().to_owned()
    };
    let mut named: Vec<_> = items.iter().filter(|item| !name(item).starts_with("dgraph.")).collect();
    named.sort_by_key(|item| name(item));
    named.into_iter().map(canonical).collect()
}
