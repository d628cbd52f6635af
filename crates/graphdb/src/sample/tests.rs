#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::Read as _;

use flate2::read::GzDecoder;

use super::*;

fn sample(scale: u64) -> (SampleStats, String) {
    let mut rdf = Vec::new();
    let stats = write_sample(scale, &mut rdf, &mut Vec::new()).unwrap();
    (stats, String::from_utf8(rdf).unwrap())
}

/// FNV-1a, 64 bits: enough to notice a change.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn predicate(line: &str) -> &str {
    line.split(' ').nth(1).unwrap().trim_matches(['<', '>'])
}

#[test]
fn the_sample_of_a_scale_is_the_same_for_ever() {
    let (stats, rdf) = sample(1000);
    assert_eq!((stats.nquads, stats.rdf_bytes, fnv1a(&rdf)), (8866, 406_189, 8_423_799_106_700_586_279));
}

#[test]
fn every_scale_has_its_number_of_nodes_and_every_kind() {
    for scale in [MIN_SCALE, 21, 57, 100, 999, 5000] {
        let (stats, rdf) = sample(scale);
        let typed: HashSet<&str> = rdf
            .lines()
            .filter(|line| predicate(line) == "dgraph.type")
            .map(|line| line.split(' ').next().unwrap())
            .collect();
        assert_eq!((stats.nodes, typed.len() as u64), (scale, scale));
        for kind in ["Film", "Person", "Director", "Performance", "Genre", "Country", "Place"] {
            assert!(rdf.contains(&format!("<dgraph.type> \"{kind}\" .")), "{scale} nodes and no {kind}");
        }
    }
}

#[test]
fn every_object_node_is_also_a_subject_and_no_fact_occurs_twice() {
    let (stats, rdf) = sample(3000);
    let subjects: HashSet<&str> = rdf.lines().map(|line| line.split(' ').next().unwrap()).collect();
    let mut facts = HashSet::new();
    for line in rdf.lines() {
        let terms: Vec<&str> = line.split(' ').collect();
        assert!(!terms[2].starts_with("_:") || subjects.contains(terms[2]), "{line}");
        let fact = line.strip_suffix(" .").unwrap();
        assert!(facts.insert(fact.split_once(" (").map_or(fact, |(fact, _)| fact)), "{line}");
    }
    assert_eq!(facts.len() as u64, stats.nquads);
}

#[test]
fn about_nine_facts_are_written_for_a_node() {
    let (stats, _) = sample(20_000);
    assert!((85..95).contains(&(stats.nquads * 10 / stats.nodes)), "{stats:?}");
}

#[test]
fn the_schema_names_exactly_the_predicates_that_occur() {
    let (_, rdf) = sample(5000);
    let used: BTreeSet<&str> = rdf.lines().map(predicate).filter(|name| *name != "dgraph.type").collect();
    let declared: BTreeSet<&str> = SCHEMA
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(": "))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(used, declared);
}

#[test]
fn a_few_actors_have_many_roles_and_most_have_few() {
    let (stats, rdf) = sample(20_000);
    let mut roles: BTreeMap<&str, u64> = BTreeMap::new();
    for line in rdf.lines().filter(|line| predicate(line) == "actor.film") {
        *roles.entry(line.split(' ').next().unwrap()).or_default() += 1;
    }
    let mut counts: Vec<u64> = roles.into_values().collect();
    counts.sort_unstable();
    let (median, most) = (counts[counts.len() / 2], counts[counts.len() - 1]);
    assert!(median <= 2 && most >= 20, "median {median}, most {most}");
    assert!((counts.len() as u64) < stats.people);
}

#[test]
fn a_scale_out_of_range_is_refused() {
    for scale in [0, MIN_SCALE - 1, MAX_SCALE + 1] {
        let err = write_sample(scale, &mut Vec::new(), &mut Vec::new()).unwrap_err();
        assert_eq!(err.kind(), io::ErrorKind::InvalidInput, "{scale}");
    }
}

#[test]
fn an_output_that_fails_fails_the_sample() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let err = write_sample(100, &mut Full, &mut Vec::new()).unwrap_err();
    assert_eq!(err.kind(), io::ErrorKind::StorageFull);
}

#[test]
fn the_command_writes_the_same_facts_plain_and_compressed() {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("new").join("folder");
    for plain in [true, false] {
        run(SampleArgs { scale: 500, output: output.clone(), plain }).unwrap();
    }
    let (_, expected) = sample(500);
    assert_eq!(fs::read_to_string(output.join("sample.rdf")).unwrap(), expected);
    let mut inflated = String::new();
    GzDecoder::new(File::open(output.join("sample.rdf.gz")).unwrap()).read_to_string(&mut inflated).unwrap();
    assert_eq!(inflated, expected);
    assert_eq!(fs::read_to_string(output.join("sample.schema")).unwrap(), SCHEMA);
}
