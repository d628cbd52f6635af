//! Random small graphs: every function answers what looking at each node in turn gives, at root by an index and in a filter by value.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::node::Node;

const SCHEMA: &str = "
name: string @index(exact, hash) .
word: string @index(term) .
tri: string @index(trigram) .
age: int @index(int) .
height: float @index(float) .
born: datetime @index(month) .
tags: [string] @index(term) .
friend: [uid] @reverse @count .
";

const NODES: u64 = 12;
const WORDS: [&str; 6] = ["red", "red green", "green Red", "blue", "", "blue-green sea"];
const DATES: [&str; 4] = ["1969-12-31", "1970-01-01", "1970-01-20", "2024-02-29"];

#[derive(Clone, Debug, Default)]
struct Person {
    name: Option<usize>,
    age: Option<i64>,
    height: Option<i32>,
    born: Option<usize>,
    tags: BTreeSet<usize>,
    friends: BTreeSet<u64>,
}

impl Person {
    /// Quarters, so that many heights share an index token.
    fn height(&self) -> Option<f64> {
        self.height.map(|quarters| f64::from(quarters) / 4.0)
    }
}

fn person() -> impl Strategy<Value = Person> {
    let words = 0..WORDS.len();
    (
        proptest::option::of(words.clone()),
        proptest::option::of(prop_oneof![-3i64..4, Just(i64::MIN), Just(i64::MAX)]),
        proptest::option::of(-6i32..7),
        proptest::option::of(0..DATES.len()),
        proptest::collection::btree_set(words, 0..3),
        proptest::collection::btree_set(1..=NODES, 0..4),
    )
        .prop_map(|(name, age, height, born, tags, friends)| Person { name, age, height, born, tags, friends })
}

type People = BTreeMap<u64, Person>;

fn load(people: &People) -> Node {
    let mut lines = Vec::new();
    for (uid, person) in people {
        let mut value = |predicate: &str, value: String| lines.push(format!("<{uid}> <{predicate}> \"{value}\" ."));
        if let Some(name) = person.name {
            ["name", "word", "tri"].into_iter().for_each(|predicate| value(predicate, WORDS[name].to_owned()));
        }
        person.age.into_iter().for_each(|age| value("age", age.to_string()));
        person.height().into_iter().for_each(|height| value("height", height.to_string()));
        person.born.into_iter().for_each(|born| value("born", DATES[born].to_owned()));
        person.tags.iter().for_each(|tag| value("tags", WORDS[*tag].to_owned()));
        person.friends.iter().for_each(|friend| lines.push(format!("<{uid}> <friend> <{friend}> .")));
    }
    Node::with(SCHEMA, &lines.join("\n"))
}

fn words(text: &str) -> BTreeSet<String> {
    text.split([' ', '-']).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// The uids that a root answers, and those that a filter over all nodes lets pass.
fn both_ways(node: &Node, function: &str) -> (Vec<u64>, Vec<u64>) {
    let all: Vec<String> = (1..=NODES).map(|uid| uid.to_string()).collect();
    let all = all.join(", ");
    let answer =
        node.query(&format!("{{ r(func: {function}) {{ uid }} f(func: uid({all})) @filter({function}) {{ uid }} }}"));
    let uids = |block: &str| {
        let hex = |node: &serde_json::Value| u64::from_str_radix(&node["uid"].as_str().unwrap()[2..], 16).unwrap();
        answer[block].as_array().unwrap().iter().map(hex).collect()
    };
    (uids("r"), uids("f"))
}

/// Every question with what looking at each person says.
fn questions(people: &People) -> Vec<(String, Vec<u64>)> {
    let mut questions = Vec::new();
    let mut ask = |function: String, passes: &dyn Fn(u64, &Person) -> bool| {
        let found = people.iter().filter(|(uid, person)| passes(**uid, person)).map(|(uid, _)| *uid).collect();
        questions.push((function, found));
    };
    for (at, text) in WORDS.iter().enumerate() {
        for predicate in ["name", "word", "tri"] {
            ask(format!("eq({predicate}, \"{text}\")"), &|_, person| person.name == Some(at));
        }
        ask(format!("eq(tags, \"{text}\")"), &|_, person| person.tags.contains(&at));
        ask(format!("ge(name, \"{text}\")"), &|_, person| person.name.is_some_and(|name| WORDS[name] >= *text));
        ask(format!("lt(name, \"{text}\")"), &|_, person| person.name.is_some_and(|name| WORDS[name] < *text));
        let wanted = words(text);
        let has = |person: &Person, all: bool| {
            person.name.is_some_and(|name| {
                let found = words(WORDS[name]);
                !wanted.is_empty() && if all { wanted.is_subset(&found) } else { !wanted.is_disjoint(&found) }
            })
        };
        ask(format!("allofterms(word, \"{text}\")"), &|_, person| has(person, true));
        ask(format!("anyofterms(word, \"{text}\")"), &|_, person| has(person, false));
    }
    for age in [-3, 0, 2, i64::MIN, i64::MAX] {
        ask(format!("eq(age, {age})"), &|_, person| person.age == Some(age));
        ask(format!("le(age, {age})"), &|_, person| person.age.is_some_and(|found| found <= age));
        ask(format!("lt(age, {age})"), &|_, person| person.age.is_some_and(|found| found < age));
        ask(format!("ge(age, {age})"), &|_, person| person.age.is_some_and(|found| found >= age));
        ask(format!("gt(age, {age})"), &|_, person| person.age.is_some_and(|found| found > age));
        ask(format!("between(age, -1, {age})"), &|_, person| {
            person.age.is_some_and(|found| (-1..=age).contains(&found))
        });
    }
    for height in [-1.0, -0.25, 0.0, 0.5, 1.25] {
        ask(format!("eq(height, {height})"), &|_, person| person.height() == Some(height));
        ask(format!("lt(height, {height})"), &|_, person| person.height().is_some_and(|found| found < height));
        ask(format!("ge(height, {height})"), &|_, person| person.height().is_some_and(|found| found >= height));
    }
    for (at, date) in DATES.iter().enumerate() {
        ask(format!("eq(born, \"{date}\")"), &|_, person| person.born == Some(at));
        ask(format!("gt(born, \"{date}\")"), &|_, person| person.born.is_some_and(|found| found > at));
        ask(format!("le(born, \"{date}\")"), &|_, person| person.born.is_some_and(|found| found <= at));
    }
    let fans = |uid: u64| people.values().filter(|person| person.friends.contains(&uid)).count();
    for count in 1..4 {
        ask(format!("eq(count(friend), {count})"), &|_, person| person.friends.len() == count);
        ask(format!("gt(count(friend), {count})"), &|_, person| person.friends.len() > count);
        ask(format!("ge(count(~friend), {count})"), &|uid, _| fans(uid) >= count);
    }
    ask("has(friend)".to_owned(), &|_, person| !person.friends.is_empty());
    ask("has(~friend)".to_owned(), &|uid, _| fans(uid) > 0);
    ask("has(tags)".to_owned(), &|_, person| !person.tags.is_empty());
    ask("regexp(tri, /re[de]/)".to_owned(), &|_, person| {
        person.name.is_some_and(|name| WORDS[name].contains("red") || WORDS[name].contains("ree"))
    });
    questions
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn every_function_answers_what_looking_at_each_node_gives(people in proptest::collection::vec(person(), NODES as usize)) {
        let people: People = (1..).zip(people).collect();
        let node = load(&people);
        for (function, expected) in questions(&people) {
            let (root, filter) = both_ways(&node, &function);
            prop_assert_eq!(&root, &expected, "{} at root", function);
            prop_assert_eq!(&filter, &expected, "{} in a filter", function);
        }
    }

    #[test]
    fn paging_and_order_cut_what_sorting_gives(
        people in proptest::collection::vec(person(), NODES as usize),
        first in -4i64..5,
        offset in 0usize..5,
        after in 0..NODES,
        descending: bool,
    ) {
        let people: People = (1..).zip(people).collect();
        let node = load(&people);
        let fans = |object: u64| -> Vec<u64> { people.iter().filter(|(_, p)| p.friends.contains(&object)).map(|(uid, _)| *uid).collect() };
        let order = if descending { "orderdesc" } else { "orderasc" };
        let answer = node.query(&format!("{{ q(func: has(~friend)) {{ uid ~friend ({order}: age, first: {first}, offset: {offset}, after: {after}) {{ uid }} }} }}"));
        let hex = |node: &serde_json::Value| u64::from_str_radix(&node["uid"].as_str().unwrap()[2..], 16).unwrap();
        for found in answer["q"].as_array().unwrap() {
            let mut row: Vec<u64> = fans(hex(found)).into_iter().filter(|uid| *uid > after).collect();
            row.sort_by_key(|uid| {
                let age = people[uid].age.map(i128::from);
                (age.is_none(), age.map(|age| if descending { -age } else { age }), *uid)
            });
            let page: Vec<u64> = match first {
                0 => row.into_iter().skip(offset).collect(),
                1.. => row.into_iter().skip(offset).take(first as usize).collect(),
                _ => { let skip = row.len().saturating_sub(first.unsigned_abs() as usize); row.into_iter().skip(skip).collect() }
            };
            let shown: Vec<u64> = found["~friend"].as_array().map(|row| row.iter().map(hex).collect()).unwrap_or_default();
            prop_assert_eq!(shown, page);
        }
    }
}
