//! What a graph is asked before a backup and after a restore: between them the questions use every index and every kind of value of the
//! sample graph.

use serde_json::Value;

use crate::harness::Client;

/// Questions to the sample graph. Each has an answer there.
pub(crate) const SAMPLE: &[&str] = &[
    "schema {}",
    // every node and value
    "{ q(func: has(dgraph.type)) { uid dgraph.type } }",
    "{ q(func: type(Film)) { uid expand(_all_) } }",
    "{ q(func: type(Person)) { uid expand(_all_) } }",
    "{ q(func: has(name)) { uid name@* alias height birth_date loc population } }",
    // hash, term, full text, trigram
    r#"{ q(func: eq(name@en, "Drama")) { uid name@de name@fr } }"#,
    r#"{ q(func: eq(name, "Drama")) { uid ~genre { film.code } } }"#,
    r#"{ q(func: anyofterms(name@en, "Wind River Winter Night")) { uid name@en } }"#,
    r#"{ q(func: allofterms(performance.character@en, "Anna the")) { uid performance.character@en } }"#,
    r#"{ q(func: alloftext(tagline@en, "nobody forgets winter")) { uid tagline@en } }"#,
    r#"{ q(func: anyoftext(name@de, "Feuer Fluss")) { uid name@de } }"#,
    r#"{ q(func: regexp(name@en, /^Win.*r/)) { uid name@en } }"#,
    // exact and inequality
    r#"{ q(func: eq(film.code, ["F0000003", "F0000004"])) { uid name@en:de:. film.score @facets } }"#,
    r#"{ q(func: ge(film.code, "F0000100"), first: 20) { uid film.code } }"#,
    r#"{ q(func: between(film.runtime, 100, 110)) { uid film.runtime } }"#,
    r#"{ q(func: lt(film.score, 3.5)) { uid film.score @facets(votes) } }"#,
    "{ q(func: eq(film.in_color, false)) { uid film.in_color initial_release_date } }",
    r#"{ q(func: eq(country.code, "FR")) { uid name@de loc ~country (first: 5) { uid } } }"#,
    r#"{ q(func: ge(population, 500000), orderdesc: population) { uid name@en population } }"#,
    // time and place
    r#"{ q(func: ge(initial_release_date, "1990-01-01"), orderasc: initial_release_date, first: 30) { uid initial_release_date } }"#,
    r#"{ q(func: lt(birth_date, "1920-01-01")) { uid name@en birth_date } }"#,
    "{ q(func: has(loc)) { uid name@en loc } }",
    // edges, their reverse, their facets, their number
    "{ q(func: has(director.film)) { uid count(director.film) director.film { uid film.code } } }",
    "{ q(func: has(spouse)) { uid spouse @facets { uid ~spouse { uid } } } }",
    "{ q(func: ge(count(starring), 3)) { uid count(starring) starring @facets(orderdesc: billing) { uid } } }",
    "{ q(func: eq(count(genre), 1)) { uid genre @facets { name } } }",
    "{ q(func: eq(count(alias), 2)) { uid alias } }",
    "{ q(func: type(Genre)) { name count(~genre) } }",
    "{ q(func: type(Place), first: 20, offset: 3) { uid name@en ~born_in (first: 2) { uid } country { country.code } } }",
    r#"{ q(func: type(Film)) @filter(has(tagline@en) and (ge(film.runtime, 150) or not has(alias))) { uid film.runtime } }"#,
    "{ q(func: type(Film), orderdesc: film.score, orderasc: film.code, first: 25) { film.score film.code } }",
    "{ q(func: has(performance.note@en)) { uid performance.note@en performance.film { film.code } performance.actor { name@en } } }",
];

/// Asks all of them.
#[track_caller]
pub(crate) fn answers(client: &Client, questions: &[&str]) -> Vec<Value> {
    questions.iter().map(|question| client.query(question)).collect()
}

/// Asks all of them, and each must find something: an empty answer would prove nothing.
#[track_caller]
pub(crate) fn full_answers(client: &Client, questions: &[&str]) -> Vec<Value> {
    let answers = answers(client, questions);
    for (question, answer) in questions.iter().zip(&answers) {
        let found = answer
            .as_object()
            .is_some_and(|blocks| blocks.values().all(|block| block.as_array().is_some_and(|rows| !rows.is_empty())));
        assert!(found, "the graph has no answer to {question}: {answer}");
    }
    answers
}

/// That a graph answers all of them as expected.
#[track_caller]
pub(crate) fn assert_answers(client: &Client, questions: &[&str], expected: &[Value], when: &str) {
    for (question, expected) in questions.iter().zip(expected) {
        let found = client.query(question);
        assert!(found == *expected, "{when}, {question}\nexpected {expected}\nfound {found}");
    }
}
