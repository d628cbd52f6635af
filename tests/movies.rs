//! Real data: 200,000 N-Quads about films, loaded, counted, backed up, restored, and asked the same again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::harness::{Node, cli, shared, temp_dir};
use crate::questions::{assert_answers, full_answers};

/// What the file does not declare, so that edges can be followed both ways and counted.
const MORE_SCHEMA: &str = "director.film: [uid] @reverse @count .\ndirected_by: [uid] @reverse @count .";

const QUESTIONS: &[&str] = &[
    "schema {}",
    "{ q(func: has(director.film)) { uid director.film { uid } } }",
    "{ q(func: has(directed_by)) { uid directed_by { uid } } }",
    "{ q(func: has(initial_release_date)) { uid initial_release_date } }",
    r#"{ q(func: anyofterms(name@en, "the"), first: 300) { uid name@en } }"#,
    "{ q(func: has(name@en)) { uid name@* } }",
    r#"{ q(func: eq(name@en, "The Matrix Reloaded")) { uid name@* initial_release_date } }"#,
    r#"{ q(func: allofterms(name@en, "river the")) { uid name@en } }"#,
    r#"{ q(func: anyofterms(name@en, "star wars trek")) { uid name@en } }"#,
    r#"{ q(func: anyofterms(name@en, "love")) { uid name@en } }"#,
    "{ q(func: has(name@zh-Hant), first: 50, offset: 20) { uid name@zh-Hant:zh:en } }",
    "{ q(func: has(name@ja), first: 50) { uid name@ja:en } }",
    r#"{ q(func: anyofterms(name@en-US, "the a of in")) { uid name@* } }"#,
    r#"{ q(func: anyofterms(name@., "matrix")) { uid name@. } }"#,
    r#"{ q(func: eq(initial_release_date, "1999-03-31")) { uid name@en } }"#,
    r#"{ q(func: ge(initial_release_date, "2013-01-01")) { count(uid) } }"#,
    r#"{ q(func: le(initial_release_date, "1915-01-01")) { uid name@en initial_release_date } }"#,
    r#"{ q(func: between(initial_release_date, "1970-01-01", "1970-12-31")) { uid initial_release_date } }"#,
    r#"{ q(func: ge(initial_release_date, "2012-06-01"), orderasc: initial_release_date, first: 50) { uid initial_release_date } }"#,
    "{ q(func: has(initial_release_date), orderdesc: initial_release_date, first: 100) { uid initial_release_date } }",
    "{ q(func: has(name@en), orderasc: name@en, first: 200) { uid name@en } }",
    "{ q(func: has(name@en), orderdesc: name@en, first: 50, offset: 1000) { uid name@en } }",
    "{ q(func: has(director.film), first: 100, offset: 500) { uid name@en count(director.film) } }",
    r#"{ q(func: anyofterms(name@en, "john"), first: -20) { uid director.film (first: -1) { uid name@en } } }"#,
    "{ q(func: has(director.film), first: 10, after: 0x100) { uid } }",
    "{ q(func: ge(count(director.film), 60)) { uid name@en count(director.film) } }",
    "{ q(func: eq(count(directed_by), 3)) { uid count(directed_by) directed_by { uid name@en } } }",
    "{ q(func: gt(count(~directed_by), 50)) { uid count(~directed_by) } }",
    "{ q(func: has(~director.film), first: 200) { uid ~director.film { uid name@en } } }",
    r#"{ q(func: anyofterms(name@en, "river")) @filter(ge(initial_release_date, "2000-01-01") and has(directed_by)) { uid name@en } }"#,
    r#"{ q(func: anyofterms(name@en, "night")) @filter(not anyofterms(name@en, "day the")) { uid name@en } }"#,
    r#"{ q(func: eq(name@en, "Yasujirō Ozu")) { name@en director.film (orderasc: initial_release_date) { name@en initial_release_date } } }"#,
    r#"{ d as var(func: ge(count(director.film), 40)) q(func: uid(d)) { name@en director.film (first: 3) { name@en } } }"#,
];

/// What the file says, found without graphdb.
#[derive(Default)]
struct Facts {
    nquads: u64,
    /// Subjects with the predicate.
    subjects: BTreeMap<String, BTreeSet<String>>,
    /// Different edges with the predicate.
    edges: BTreeMap<String, BTreeSet<(String, String)>>,
    /// Subjects with a name that has no language, and with an English one.
    plain_names: BTreeSet<String>,
    english_names: BTreeSet<String>,
}

fn read_facts(file: &Path) -> Facts {
    let mut facts = Facts::default();
    for line in BufReader::new(MultiGzDecoder::new(File::open(file).unwrap())).lines() {
        let line = line.unwrap();
        let parts: Vec<_> = line.splitn(3, '\t').map(str::to_owned).collect();
        let [subject, predicate, object] = <[String; 3]>::try_from(parts).unwrap();
        let object = object.trim_end_matches(['\t', '.', ' ']).to_owned();
        let predicate = predicate.trim_matches(['<', '>']).to_owned();
        facts.nquads += 1;
        if predicate == "name" {
            if object.ends_with('"') {
                facts.plain_names.insert(subject.clone());
            } else if object.ends_with("@en") {
                facts.english_names.insert(subject.clone());
            }
        }
        if object.starts_with('<') {
            facts.edges.entry(predicate.clone()).or_default().insert((subject.clone(), object));
        }
        facts.subjects.entry(predicate).or_default().insert(subject);
    }
    facts
}

/// All edges of a predicate, counted by following them.
fn count_edges(node: &Node, predicate: &str) -> u64 {
    let answer = node.query(&format!("{{ q(func: has({predicate})) {{ c: count({predicate}) }} }}"));
    answer["q"].as_array().unwrap().iter().map(|row| row["c"].as_u64().unwrap()).sum()
}

#[track_caller]
fn assert_facts(node: &Node, facts: &Facts) {
    for predicate in ["director.film", "directed_by", "initial_release_date"] {
        assert_eq!(node.count(predicate), facts.subjects[predicate].len() as u64, "nodes with {predicate}");
    }
    for predicate in ["director.film", "directed_by"] {
        assert_eq!(count_edges(node, predicate), facts.edges[predicate].len() as u64, "edges of {predicate}");
        let objects: BTreeSet<_> = facts.edges[predicate].iter().map(|(_, object)| object).collect();
        assert_eq!(node.count(&format!("~{predicate}")), objects.len() as u64, "nodes with ~{predicate}");
    }
    assert_eq!(node.count("name@en"), facts.english_names.len() as u64, "nodes with an English name");
    assert_eq!(node.count("name"), facts.plain_names.len() as u64, "nodes with a name without a language");
}

#[test]
fn real_films_are_loaded_whole_and_restored_equal() {
    let (Some(rdf), Some(schema)) = (shared("data/movies/movies-200k.rdf.gz"), shared("data/movies/movies.schema"))
    else {
        return;
    };
    let facts = read_facts(&rdf);
    assert_eq!(facts.nquads, 200_000);
    let dir = temp_dir();
    let node = Node::start(&dir.path().join("p"), &[]);
    let (rdf, schema) = (rdf.to_str().unwrap(), schema.to_str().unwrap());
    let printed = cli(&["live", "-f", rdf, "-s", schema, "--alpha", node.url()]).ok();
    println!("{printed}");
    assert!(printed.contains("200000") || printed.contains("200,000"), "{printed}");
    node.alter(MORE_SCHEMA);
    assert_facts(&node, &facts);

    let expected = full_answers(&node, QUESTIONS);
    let backups = dir.dir("backups");
    node.backup(&backups);
    cli(&["restore", "-l", &backups, "-p", &dir.at("restored"), "--force-zero=false"]).ok();
    let restored = Node::start(&dir.path().join("restored/p1"), &[]);
    assert_facts(&restored, &facts);
    assert_answers(&restored, QUESTIONS, &expected, "restored");
}
