//! Archives made with one fault each, in the form that Dgraph v23 and newer write (compressed with gzip, which they read too).

use std::fs;

use graphdb_archive::{ArchiveOptions, ArchiveWriter, KeyValue, user_meta};
use graphdb_backup::{Finding, Kind, Level, Offset, Outcome, Severity, VerifyReport, VerifyRequest};
use graphdb_types::{
    BackupKey, Facet, FacetType, Key, KeyKind, Posting, PostingList, Predicate, PredicateSchema, Schema, Tokenizer,
    Uid, VALUE_UID, ValType, fingerprint64,
};

use super::verified;

/// The instant that the backup shows.
const READ_TS: u64 = 100;

/// A key-value to be.
#[derive(Clone)]
struct Made {
    key: Vec<u8>,
    value: Vec<u8>,
    user_meta: u8,
    version: u64,
}

fn key(kind: KeyKind, name: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    BackupKey::Posting(Key { predicate: Predicate::root(name), kind }).put_wire(&mut wire);
    wire
}

fn made(kind: KeyKind, name: &str, value: Vec<u8>) -> Made {
    Made { key: key(kind, name), value, user_meta: user_meta::COMPLETE, version: 7 }
}

fn data(name: &str, value: Vec<u8>) -> Made {
    made(KeyKind::Data(Uid(0x2a)), name, value)
}

fn posting(id: u64, value: &[u8], val_type: ValType) -> Posting {
    Posting { id, value: value.to_vec(), val_type, commit_ts: 7, ..Posting::default() }
}

fn value(id: u64, value: &[u8], val_type: ValType) -> Vec<u8> {
    PostingList::of_postings(vec![posting(id, value, val_type)]).to_wire()
}

fn string(text: &str) -> Vec<u8> {
    value(VALUE_UID, text.as_bytes(), ValType::String)
}

fn edges(uids: &[u64]) -> Vec<u8> {
    PostingList::of_ids(uids.to_vec()).to_wire()
}

fn schema() -> Schema {
    let of = |value_type| PredicateSchema { value_type, ..PredicateSchema::default() };
    let predicates = [
        ("name", PredicateSchema { tokenizers: vec![Tokenizer::Term], ..of(ValType::String) }),
        ("tags", PredicateSchema { list: true, ..of(ValType::String) }),
        ("age", of(ValType::Int)),
        ("friend", PredicateSchema { list: true, ..of(ValType::Uid) }),
        ("boss", of(ValType::Uid)),
    ];
    let predicates = predicates.map(|(name, schema)| (Predicate::root(name), schema)).into();
    Schema { predicates, ..Schema::default() }
}

/// Verifies a full backup of these key-values behind a sound one, which is at the beginning of the archive.
async fn verify_made(entries: &[Made], level: Level) -> VerifyReport {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("dgraph.20240102.030405.006");
    fs::create_dir(&folder).unwrap();
    let names = r#""0-name","0-tags","0-age","0-friend","0-boss","0-loose""#;
    let manifest = format!(
        r#"{{"Manifests":[{{"type":"full","since":0,"read_ts":{READ_TS},"groups":{{"1":[{names}],"2":["0-other"]}},"backup_id":"made_up1","backup_num":1,
            "version":2105,"path":"dgraph.20240102.030405.006","encrypted":false,"drop_operations":null}}]}}"#
    );
    fs::write(place.path().join("manifest.json"), manifest).unwrap();
    let term = made(KeyKind::Index(b"\x01sound".to_vec()), "name", edges(&[0x2a]));
    let sound = [data("name", string("sound")), term, data("loose", edges(&[1]))];
    fs::write(folder.join("r100-g1.backup"), archive(sound.iter().chain(entries), &schema())).unwrap();
    let other =
        Schema { predicates: [(Predicate::root("other"), PredicateSchema::default())].into(), ..Schema::default() };
    fs::write(folder.join("r100-g2.backup"), archive([].iter(), &other)).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let location = place.path().to_str().unwrap().into();
    verified(&VerifyRequest { location, level, scratch: scratch.path().to_owned(), ..VerifyRequest::default() }).await
}

fn archive<'a>(entries: impl Iterator<Item = &'a Made>, schema: &Schema) -> Vec<u8> {
    let mut writer =
        ArchiveWriter::start(Vec::new(), None, ArchiveOptions { workers: 0, ..ArchiveOptions::default() }).unwrap();
    for Made { key, value, user_meta, version } in entries {
        writer.push(KeyValue { key, value, user_meta: *user_meta, version: *version }).unwrap();
    }
    writer.finish(schema).unwrap().0
}

/// What is found beside that `loose` has no schema.
async fn found(entries: &[Made], level: Level) -> Vec<Finding> {
    let mut findings = verify_made(entries, level).await.findings;
    findings.retain(|finding| finding.kind != Kind::UndefinedPredicate);
    findings
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_fault_but_a_missing_schema_is_told_so() {
    for level in [Level::Default, Level::Deep] {
        let report = verify_made(&[], level).await;
        assert_eq!(report.outcome(), Outcome::Warnings, "{:#?}", report.findings);
        assert!(
            report
                .findings
                .iter()
                .all(|finding| finding.kind == Kind::UndefinedPredicate && finding.what.contains("loose"))
        );
    }
}

/// What it is, the key-value, and what is found of it.
type Case = (&'static str, Made, Option<(Severity, Kind)>);

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_key_value_is_found_with_its_key_and_its_place() {
    use Kind::*;
    use Severity::{Error, Note, Warning};
    let version = |version, made: Made| Made { version, ..made };
    let meta = |user_meta, made: Made| Made { user_meta, ..made };
    let raw = |key: &[u8]| Made { key: key.to_vec(), ..data("name", string("x")) };
    let empty = |made: Made| Made { value: vec![], user_meta: user_meta::EMPTY, ..made };
    let facet =
        |value: &[u8]| Facet { key: "since".into(), value: value.to_vec(), val_type: FacetType::Int, tokens: vec![] };
    let with_facet = |facet| {
        let edge = Posting { is_edge: true, facets: vec![facet], ..posting(5, b"", ValType::Uid) };
        PostingList::of_postings(vec![edge]).to_wire()
    };
    let item = fingerprint64(b"x");
    let cases: Vec<Case> = vec![
        ("a sound edge with a facet", data("friend", with_facet(facet(&[0; 8]))), None),
        ("a sound item", data("tags", value(item, b"x", ValType::String)), None),
        ("a deletion", empty(data("name", vec![])), None),
        ("a key that is none", raw(b"\xff\xff"), Some((Error, Kind::Key))),
        ("uid 0", made(KeyKind::Data(Uid(0)), "name", string("x")), Some((Error, Kind::Key))),
        ("the uid of values", made(KeyKind::Data(Uid(u64::MAX)), "name", string("x")), Some((Error, Kind::Key))),
        ("an unknown user_meta", meta(0x40, data("name", string("x"))), Some((Error, Entry))),
        ("a list under the mark of a schema", meta(user_meta::SCHEMA, data("name", string("x"))), Some((Error, Entry))),
        ("a list that is none", data("name", vec![0xff; 9]), Some((Error, List))),
        ("uids that do not ascend", data("friend", vec![0x0a, 2, 9, 5]), Some((Error, List))),
        ("an edge to uid 0", data("friend", vec![0x2a, 2, 0, 1]), Some((Error, List))),
        ("an int of seven bytes", data("age", value(VALUE_UID, &[0; 7], ValType::Int)), Some((Error, Value))),
        ("text that is none", data("name", value(VALUE_UID, b"\xff", ValType::String)), Some((Error, Value))),
        ("a facet that is none", data("friend", with_facet(facet(&[0; 3]))), Some((Error, Value))),
        (
            "an item under a wrong number",
            data("tags", value(item + 1, b"x", ValType::String)),
            Some((Warning, Fingerprint)),
        ),
        ("an int in a string", data("name", value(VALUE_UID, &[0; 8], ValType::Int)), Some((Warning, SchemaMismatch))),
        ("an edge in a string", data("name", edges(&[5])), Some((Warning, SchemaMismatch))),
        ("a list in a scalar", data("name", value(item, b"x", ValType::String)), Some((Warning, SchemaMismatch))),
        ("a scalar in a list", data("tags", string("x")), Some((Warning, SchemaMismatch))),
        ("two bosses", data("boss", edges(&[5, 6])), Some((Warning, SchemaMismatch))),
        (
            "an index without a tokenizer",
            made(KeyKind::Index(b"\x02x".to_vec()), "name", edges(&[42])),
            Some((Warning, StaleIndex)),
        ),
        (
            "a reverse without @reverse",
            made(KeyKind::Reverse(Uid(5)), "friend", edges(&[42])),
            Some((Warning, StaleIndex)),
        ),
        ("a count without @count", made(KeyKind::Count(1), "friend", edges(&[42])), Some((Warning, StaleIndex))),
        ("an index of values", made(KeyKind::Index(b"\x01x".to_vec()), "name", string("x")), Some((Warning, List))),
        ("a predicate nobody names", data("stray", edges(&[1])), Some((Warning, UnnamedPredicate))),
        ("a predicate of the other group", data("other", edges(&[1])), Some((Warning, WrongGroup))),
        ("a list of the future", version(READ_TS + 2, data("name", string("x"))), Some((Warning, Version))),
        ("a list rolled up after its last commit", version(READ_TS + 1, data("name", string("x"))), None),
        ("a list of no time", version(0, data("name", string("x"))), Some((Warning, Version))),
        ("a deletion of no time", version(0, empty(data("name", vec![]))), Some((Note, Version))),
        ("a forbidden list", meta(user_meta::FORBIDDEN, data("name", vec![])), Some((Warning, ForbiddenList))),
    ];
    for (what, entry, expected) in cases {
        let findings = found(&[entry], Level::Default).await;
        let told: Vec<_> = findings.iter().map(|finding| (finding.severity, finding.kind)).collect();
        assert_eq!(told, expected.into_iter().collect::<Vec<_>>(), "{what}: {findings:#?}");
        for finding in &findings {
            assert!(matches!(finding.offset, Some(Offset::Frames(at)) if at > 8), "{what}: {finding}");
            assert!(finding.key.is_some() && finding.group.is_some_and(|group| group.0 == 1), "{what}: {finding}");
            assert!(finding.object.as_ref().unwrap().as_str().ends_with("r100-g1.backup"), "{what}: {finding}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_cannot_be_read_is_found() {
    let mut key = Vec::new();
    BackupKey::Schema(Predicate::root("friend")).put_wire(&mut key);
    let definition =
        |value: &[u8]| Made { key: key.clone(), value: value.to_vec(), user_meta: user_meta::SCHEMA, version: 1 };
    for (value, what) in [(&[0x10, 99][..], "an unknown type"), (&[0xff], "no message"), (&[], "a second definition")] {
        let findings = found(&[definition(value)], Level::Default).await;
        assert!(
            findings.iter().any(|f| (f.severity, f.kind) == (Severity::Error, Kind::Definition)),
            "{what}: {findings:#?}"
        );
        assert!(
            findings.iter().any(|finding| finding.key.as_deref() == Some("SCHEMA friend")),
            "{what}: {findings:#?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_not_known_is_a_warning_and_its_lists_are_not_strays() {
    let mut key = Vec::new();
    BackupKey::Schema(Predicate::root("loose")).put_wire(&mut key);
    let value = b"\x10\x07\x18\x01\x22\x05spell\x30\x01".to_vec(); // a list of uids with an index of "spell"
    let schema = Made { key, value, user_meta: user_meta::SCHEMA, version: 1 };
    let index = made(KeyKind::Index(b"\xc2\x80x".to_vec()), "loose", edges(&[42]));
    let findings = found(&[schema, index], Level::Default).await;
    let [unknown] = &findings[..] else { panic!("{findings:#?}") };
    assert_eq!((unknown.severity, unknown.kind), (Severity::Warning, Kind::Definition));
    assert!(unknown.what.contains("spell") && unknown.key.as_deref() == Some("SCHEMA loose"), "{unknown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_faults_of_one_kind_are_counted_and_not_listed() {
    let entries: Vec<Made> =
        (1..=1000).map(|uid| made(KeyKind::Data(Uid(uid)), "age", value(VALUE_UID, &[0; 7], ValType::Int))).collect();
    let findings = found(&entries, Level::Default).await;
    assert_eq!(findings.len(), 21);
    assert_eq!(findings.iter().map(|finding| finding.count).sum::<u64>(), 1000);
    assert!(findings[20].what.contains("more"), "{}", findings[20]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_whose_part_is_missing_is_found_by_deep() {
    let part = |start: u64, uids: &[u64]| {
        let mut key = key(KeyKind::Data(Uid(7)), "friend");
        key.extend([0x20, u8::try_from(start).unwrap()]);
        Made { key, ..data("friend", edges(uids)) }
    };
    let main = made(KeyKind::Data(Uid(7)), "friend", vec![0x20, 1, 0x20, 50]);
    let whole = [main.clone(), part(1, &[3, 9]), part(50, &[60])];
    assert_eq!(found(&whole, Level::Deep).await, [], "both parts are there");
    assert_eq!(found(&whole[..2], Level::Default).await, [], "each key-value by itself is sound");
    let findings = found(&whole[..2], Level::Deep).await;
    let told: Vec<_> = findings.iter().map(|finding| (finding.severity, finding.kind)).collect();
    assert_eq!(told, [(Severity::Error, Kind::MergedState)], "{findings:#?}");
    assert!(findings[0].what.contains("missing"), "{}", findings[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_the_data_does_not_give_is_found_by_deep() {
    let entries = [made(KeyKind::Index(b"\x01ghost".to_vec()), "name", edges(&[99]))];
    assert_eq!(found(&entries, Level::Default).await, []);
    let findings = found(&entries, Level::Deep).await;
    let [stale] = &findings[..] else { panic!("{findings:#?}") };
    assert_eq!((stale.severity, stale.kind, stale.count), (Severity::Warning, Kind::StaleIndex, 1));
    assert_eq!(stale.key.as_deref(), Some("INDEX name term \"ghost\""));
}
