//! The traps of Dgraph's backups that a restore can fall into, as the format's description numbers them; those that lie in bytes are tested
//! in `crates/archive`.

use std::fs;
use std::sync::Arc;

use graphdb_backup::{EncryptionKey, Error, Selection, SeriesRequest};
use graphdb_types::{
    DropOp, KeyKind, Namespace, Posting, PostingList, Predicate, PredicateSchema, Tokenizer, Uid, VALUE_UID, ValType,
    VectorIndex,
};

use crate::data::{data, request, restore};
use crate::manifests::Era;
use crate::story::{
    Story, edges, emptied, groups, in_parts, kv_of, links, named, schema, schema_of_wire, string, text, type_of,
};
use crate::wire::Message;

fn data_of(subject: u64) -> KeyKind {
    KeyKind::Data(Uid(subject))
}

fn exact() -> PredicateSchema {
    PredicateSchema { tokenizers: vec![Tokenizer::Exact], ..string() }
}

fn exact_term(text: &str) -> KeyKind {
    KeyKind::Index([&[Tokenizer::Exact.id()], text.as_bytes()].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_09_a_deletion_with_version_0_deletes() {
    let name = named("name");
    let mut story = Story::new();
    story.add(
        Era::V21_12,
        &[&name],
        vec![text(&name, 1, "old", 7), text(&name, 2, "kept", 7), schema(&name, &string())],
    );
    story.add(Era::V21_12, &[&name], vec![emptied(&name, data_of(1), 0), schema(&name, &string())]);
    let restored = story.restored().await;
    assert_eq!((restored.text(&name, 1), restored.text(&name, 2)), (None, Some("kept".into())));
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_10_stale_index_data_is_made_anew_and_reported() {
    let name = named("name");
    let index = |term, ids: &[u64]| kv_of(&name, exact_term(term), &PostingList::of_ids(ids.to_vec()), 7);
    let mut story = Story::new();
    let kvs = vec![text(&name, 1, "new", 7), index("old", &[1]), index("new", &[1, 2]), schema(&name, &exact())];
    story.add(Era::V21_12, &[&name], kvs);
    let restored = story.restored().await;
    assert!(restored.ids(&name, exact_term("old")).is_empty());
    assert_eq!(restored.ids(&name, exact_term("new")), [1]);
    let stale = &restored.report.stale.predicates[&name];
    assert_eq!((stale.extra, stale.different, stale.missing), (1, 1, 0));
    assert!(restored.report.stale.summary().unwrap().contains("2 index"), "{:?}", restored.report.stale.summary());
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_11_names_and_encryption_change_from_one_entry_to_the_next() {
    let name = named("name");
    let (key, other) = (EncryptionKey::new(&[7; 16]).unwrap(), EncryptionKey::new(&[8; 16]).unwrap());
    let mut story = Story::new();
    story.add(Era::V20_11, &[&name], vec![text(&name, 1, "plain", 7), schema(&name, &string())]);
    let kvs = vec![text(&name, 2, "encrypted", 17), schema(&name, &string())];
    story.add_groups(Era::V21_12, vec![(&[&name], kvs)], Some(&key));
    story.write_manifests();
    let with = |key| SeriesRequest { key, ..story.request() };
    let restored = story.restore(&with(Some(Arc::new(key)))).await.unwrap();
    let texts = [1, 2].map(|subject| restored.text(&name, subject).unwrap());
    assert_eq!(texts, ["plain", "encrypted"], "also of version 0 within the list of 2105");
    let missing = story.restore(&with(None)).await.err().unwrap();
    assert!(missing.to_string().contains("key is needed"), "{missing}");
    let wrong = story.restore(&with(Some(Arc::new(other)))).await.err().unwrap();
    assert!(matches!(&wrong, Error::WrongKey { .. }) && wrong.to_string().contains("key is probably not"), "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_12_read_ts_may_go_down_inside_a_series() {
    let name = named("name");
    let mut story = Story::new();
    for (value, read_ts) in [("first", 30), ("second", 30), ("third", 28)] {
        // Versions above the timestamp of their own backup are met too.
        story.add(Era::V20_11, &[&name], vec![text(&name, 1, value, read_ts + 1), schema(&name, &string())]);
        story.set_read_ts(read_ts);
    }
    let restored = story.restored().await;
    assert_eq!(restored.text(&name, 1).unwrap(), "third");
    assert_eq!(restored.report.read_ts.0, 30, "nothing that is in the store is above its timestamp");
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_16_the_types_are_in_the_file_of_every_group() {
    let (name, age, person) = (named("name"), named("age"), named("Person"));
    let types = || type_of(&person, &["name", "age"]);
    let mut story = Story::new();
    let first = vec![text(&name, 1, "a", 7), schema(&name, &string()), types()];
    let second = vec![text(&age, 1, "b", 7), schema(&age, &string()), types()];
    story.add_groups(Era::V21_12, vec![(&[&name], first), (&[&age], second), (&[], vec![types()])], None);
    let restored = story.restored().await;
    assert_eq!(restored.schema.types[&person].fields, ["name", "age"]);
    assert_eq!((restored.text(&name, 1).unwrap(), restored.text(&age, 1).unwrap()), ("a".into(), "b".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_20_derived_keys_that_a_schema_change_took_away_are_gone() {
    let (name, friend) = (named("name"), named("friend"));
    let counted = PredicateSchema { reverse: true, count: true, ..links() };
    let mut story = Story::new();
    let ids = |ids: &[u64]| PostingList::of_ids(ids.to_vec());
    let derived = vec![
        kv_of(&name, exact_term("a"), &ids(&[1]), 7),
        kv_of(&friend, KeyKind::Reverse(Uid(2)), &ids(&[1]), 7),
        kv_of(&friend, KeyKind::Count(1), &ids(&[1]), 7),
        kv_of(&friend, KeyKind::CountReverse(1), &ids(&[2]), 7),
    ];
    let data = vec![text(&name, 1, "a", 7), edges(&friend, 1, &[2], 7)];
    let full = [data, derived, vec![schema(&name, &exact()), schema(&friend, &counted)]].concat();
    story.add(Era::V21_12, &[&name, &friend], full);
    story.add(Era::V21_12, &[&name, &friend], vec![schema(&name, &string()), schema(&friend, &links())]);
    let restored = story.restored().await;
    let left: Vec<_> = restored.lists.keys().map(|key| key.kind.clone()).collect();
    assert_eq!(left, [data_of(1), data_of(1)], "only data is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_21_a_predicate_that_is_named_and_not_defined_was_dropped_by_a_version_without_records() {
    let (name, gone) = (named("name"), named("gone"));
    let mut story = Story::new();
    let kvs = vec![text(&name, 1, "a", 7), text(&gone, 1, "b", 7), schema(&name, &string()), schema(&gone, &string())];
    story.add(Era::V1, &[&name, &gone], kvs);
    story.add(Era::V1, &[&name, &gone], vec![schema(&name, &string())]);
    let restored = story.restored().await;
    assert_eq!((restored.text(&name, 1).unwrap(), restored.text(&gone, 1)), ("a".into(), None));
    assert_eq!(restored.report.stale.dropped, [gone], "and it is said");

    let mut story = Story::new();
    story.add(Era::V1, &[&name], vec![text(&name, 1, "a", 7), schema(&name, &string())]);
    story.add(Era::V1, &[], vec![]);
    assert_eq!(story.restored().await.text(&name, 1), None, "nor does one count that is not named any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_22_the_graphql_schema_of_v21_12_is_json_and_comes_back_as_it_was() {
    let gql = named("dgraph.graphql.schema");
    let json = r#"{"Schema":"type A { a: Int }","Script":""}"#;
    let mut story = Story::new();
    story.add(Era::V21_12, &[&gql], vec![text(&gql, 1, json, 7), schema(&gql, &string())]);
    assert_eq!(story.restored().await.text(&gql, 1).unwrap(), json);
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_23_helpers_of_vector_indexes_are_left_out_and_the_vectors_stay() {
    let vector = named("v");
    let helpers = ["v__vector_entry", "v__vector_", "v__vector_dead"].map(named);
    let index = VectorIndex { name: "hnsw".into(), options: vec![("metric".into(), "euclidean".into())] };
    let definition =
        PredicateSchema { value_type: ValType::VFloat, vector_indexes: vec![index], ..PredicateSchema::default() };
    let posting = Posting {
        id: VALUE_UID,
        val_type: ValType::VFloat,
        value: 1.5f32.to_le_bytes().to_vec(),
        ..Posting::default()
    };
    let kvs = vec![
        kv_of(&vector, data_of(5), &PostingList::of_postings(vec![posting.clone()]), 7),
        text(&helpers[0], 1, "\0\0\0\0\0\0\0\u{5}", 7),
        text(&helpers[1], 5, "neighbours", 7),
        text(&helpers[2], 1, "[6]", 7),
        schema(&vector, &definition),
    ];
    let mut story = Story::new();
    story.add(Era::V21_12, &[&vector, &helpers[0], &helpers[1], &helpers[2]], kvs);
    let restored = story.restored().await;
    assert_eq!(restored.schema.predicates[&vector], definition);
    assert_eq!(restored.lists.len(), 1, "{:?}", restored.lists.keys());
    assert_eq!(restored.lists.values().next().unwrap().postings[0].value, posting.value);
    assert!(restored.report.stale.undefined.is_empty(), "helpers are no predicates without a schema");
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_24_an_unknown_tokenizer_costs_its_index_and_nothing_else() {
    let name = named("name");
    let wire =
        Message::default().number(2, ValType::String as u64).number(3, 1).bytes(4, b"exact").bytes(4, b"klingon");
    let custom = KeyKind::Index(vec![0xc2, 0x80, b'x']);
    let kvs = vec![
        text(&name, 1, "a", 7),
        kv_of(&name, exact_term("a"), &PostingList::of_ids(vec![1]), 7),
        kv_of(&name, custom.clone(), &PostingList::of_ids(vec![1]), 7),
        schema_of_wire(&name, wire.finish()),
    ];
    let mut story = Story::new();
    story.add(Era::V21_12, &[&name], kvs);
    let restored = story.restored().await;
    assert_eq!(restored.text(&name, 1).unwrap(), "a");
    assert_eq!(restored.schema.predicates[&name], exact());
    assert_eq!((restored.ids(&name, exact_term("a")), restored.ids(&name, custom)), (vec![1], vec![]));
    let stale = &restored.report.stale;
    assert_eq!(stale.unindexed[&name], ["klingon"]);
    assert!(stale.predicates.is_empty(), "what the unknown index held is not called stale");
    assert!(stale.summary().unwrap().contains("klingon of name"));
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_25_a_restore_that_fails_drops_nothing() {
    let name = named("name");
    let mut story = Story::new();
    story.add(Era::V21_12, &[&name], vec![text(&name, 1, "a", 7), schema(&name, &string())]);
    story.write_manifests();
    let target = tempfile::tempdir().unwrap();
    restore(&story.request(), target.path()).await.unwrap();
    let path = story.dir.path().join("dgraph.20240102.030405.001/r10-g1.backup");
    let mut bytes = fs::read(&path).unwrap();
    bytes.truncate(bytes.len() / 2);
    fs::write(&path, bytes).unwrap();
    let fresh = tempfile::tempdir().unwrap();
    let node = crate::upon::open(&fresh.path().join("p"));
    let before = node.any_store().unwrap().identity().clone();
    let record = crate::upon::restored(&node, story.request()).await;
    assert!(record.errors[0].contains("r10-g1.backup"), "{:?}", record.errors);
    assert_eq!(*node.store().unwrap().identity(), before, "the store is the one that was there");
    node.close().await;
    let stores = fs::read_dir(fresh.path()).unwrap().count();
    assert_eq!(stores, 2, "nothing is left but the store and the records");
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_26_the_same_read_ts_stands_twice() {
    let name = named("name");
    let mut story = Story::new();
    story.add(Era::V21_12, &[&name], vec![text(&name, 1, "a", 7), schema(&name, &string())]);
    story.add(Era::V21_12, &[&name], vec![schema(&name, &string())]);
    story.set_read_ts(10);
    story.add(Era::V21_12, &[&name], vec![text(&name, 1, "b", 12), schema(&name, &string())]);
    assert_eq!(story.restored().await.text(&name, 1).unwrap(), "b");
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_count_only_with_the_main_key_of_their_own_backup() {
    let friend = named("friend");
    let mut story = Story::new();
    let defined = || schema(&friend, &links());
    let full = [in_parts(&friend, 1, &[(1, &[2, 3]), (10, &[10, 11])], 7), vec![defined()]].concat();
    story.add(Era::V1, &[&friend], full);
    // The border moves, and the part that began at 10 is written no more.
    story.add(
        Era::V1,
        &[&friend],
        [in_parts(&friend, 1, &[(1, &[2, 3, 4]), (12, &[12, 13])], 17), vec![defined()]].concat(),
    );
    assert_eq!(story.restored().await.ids(&friend, data_of(1)), [2, 3, 4, 12, 13]);
    // The list shrinks and is whole again; nothing is said about its parts.
    story.add(Era::V1, &[&friend], vec![edges(&friend, 1, &[3], 27), defined()]);
    assert_eq!(story.restored().await.ids(&friend, data_of(1)), [3]);
    // A main key without one of its parts is a damaged list.
    let mut torn = in_parts(&friend, 1, &[(1, &[2]), (9, &[9])], 37);
    torn.remove(1);
    story.add(Era::V1, &[&friend], torn);
    story.write_manifests();
    let err = story.restore(&story.request()).await.err().unwrap();
    assert!(err.to_string().contains("one is missing"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn forbidden_lists_hide_what_is_older_and_are_reported() {
    let name = named("name");
    let mut story = Story::new();
    story.add(Era::V21_12, &[&name], vec![text(&name, 1, "a", 7), text(&name, 2, "b", 7), schema(&name, &string())]);
    let mut forbidden = emptied(&name, data_of(1), 17);
    forbidden.user_meta = 0x30;
    story.add(Era::V21_12, &[&name], vec![forbidden, schema(&name, &string())]);
    let restored = story.restored().await;
    assert_eq!((restored.text(&name, 1), restored.text(&name, 2).unwrap()), (None, "b".into()));
    assert_eq!(restored.report.stale.forbidden, 1);
    assert!(restored.report.stale.summary().unwrap().contains("1 lists had lost their content"));
}

#[tokio::test(flavor = "multi_thread")]
async fn increments_without_a_schema_fall_back_to_an_older_one() {
    let (name, age) = (named("name"), named("age"));
    let mut story = Story::new();
    let defined = [schema(&name, &exact()), schema(&age, &string())];
    story.add(Era::V1, &[&name, &age], [vec![text(&name, 1, "a", 7), text(&age, 1, "9", 7)], defined.into()].concat());
    story.add(Era::V1, &[&name, &age], vec![text(&name, 2, "b", 17)]);
    story.add(Era::V1, &[&name, &age], vec![text(&name, 3, "c", 27)]);
    let restored = story.restored().await;
    assert_eq!(restored.schema.predicates[&name], exact());
    assert_eq!(restored.ids(&name, exact_term("c")), [3]);
    assert_eq!(restored.text(&age, 1).unwrap(), "9", "nobody dropped it: no increment defines anything");
    assert!(restored.report.stale.undefined.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_predicate_that_moved_to_another_group_is_restored_there() {
    let (name, age) = (named("name"), named("age"));
    let mut story = Story::new();
    let defined = |predicate| schema(predicate, &string());
    let first = vec![text(&name, 1, "old", 7), text(&name, 2, "kept", 7), defined(&name)];
    story.add_groups(Era::V21_12, vec![(&[&name], first), (&[&age], vec![text(&age, 1, "x", 7), defined(&age)])], None);
    // What group 1 still holds of it is not named there any more.
    let left_over = vec![text(&name, 1, "left over", 12)];
    let moved = vec![text(&name, 1, "new", 17), defined(&name), defined(&age)];
    story.add_groups(Era::V21_12, vec![(&[], left_over), (&[&age, &name], moved)], None);
    let restored = story.restored().await;
    assert_eq!(["new", "kept"].map(String::from), [1, 2].map(|subject| restored.text(&name, subject).unwrap()));
    let of_group_2 =
        SeriesRequest { selection: Selection { groups: groups(&[2]), ..Selection::default() }, ..story.request() };
    let alone = story.restore(&of_group_2).await.unwrap();
    assert_eq!(alone.lists, restored.lists, "group 2 has it all, with what group 1 wrote before");
    assert_eq!(alone.report.partial.unwrap(), "only group 2 of 1, 2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_object_of_a_group_is_named_unless_the_group_is_not_wanted() {
    let (name, age) = (named("name"), named("age"));
    let mut story = Story::new();
    let of = |predicate: &Predicate| vec![text(predicate, 1, "x", 7), schema(predicate, &string())];
    story.add_groups(Era::V21_12, vec![(&[&name], of(&name)), (&[&age], of(&age))], None);
    story.write_manifests();
    fs::remove_file(story.dir.path().join("dgraph.20240102.030405.001/r10-g2.backup")).unwrap();
    let err = story.restore(&story.request()).await.err().unwrap();
    assert!(err.to_string().contains("r10-g2.backup") && err.to_string().contains("group 2"), "{err}");
    let selection = Selection { groups: groups(&[1]), ..Selection::default() };
    let restored = story.restore(&SeriesRequest { selection, ..story.request() }).await.unwrap();
    assert_eq!(restored.text(&name, 1).unwrap(), "x");
}

#[tokio::test(flavor = "multi_thread")]
async fn drops_hide_what_is_older_and_a_deleted_namespace_is_gone_in_its_own_backup_too() {
    let in_namespace = |number, name: &str| Predicate { namespace: Namespace(number), name: name.into() };
    let (root, kept, one, two) = (named("name"), named("kept"), in_namespace(1, "name"), in_namespace(2, "name"));
    let defined = |names: &[&Predicate]| names.iter().map(|name| schema(name, &string())).collect::<Vec<_>>();
    let all = [&root, &kept, &one, &two];
    let story_with = |drops: Vec<DropOp>| {
        let mut story = Story::new();
        let data = all.map(|name| text(name, 1, "old", 7));
        story.add(Era::V21_12, &all, [data.to_vec(), defined(&all)].concat());
        let kvs = [vec![text(&root, 2, "new", 17), text(&two, 2, "on its way out", 17)], defined(&all)].concat();
        story.add(Era::V21_12, &all, kvs).drops = drops;
        story
    };
    let of_root = DropOp::NamespaceData(Namespace(0));
    let cases: [(Vec<DropOp>, [bool; 6]); 6] = [
        // root 1, root 2, kept 1, one 1, two 1, two 2
        (vec![], [true; 6]),
        (vec![DropOp::All], [false, true, false, false, false, true]),
        (vec![DropOp::Data], [false, true, false, false, false, true]),
        (vec![DropOp::Predicate(root.clone()), DropOp::Predicate(one.clone())], [false, true, true, false, true, true]),
        (vec![of_root.clone(), DropOp::Namespace(Namespace(2))], [false, true, false, true, false, false]),
        (vec![DropOp::Predicate(kept.clone()), of_root, DropOp::All], [false, true, false, false, false, true]),
    ];
    for (drops, expected) in cases {
        let restored = story_with(drops.clone()).restored().await;
        let there = [(&root, 1), (&root, 2), (&kept, 1), (&one, 1), (&two, 1), (&two, 2)]
            .map(|(predicate, subject)| restored.text(predicate, subject).is_some());
        assert_eq!(there, expected, "{drops:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_that_the_list_does_not_name_are_backups_too() {
    let name = named("name");
    let mut story = Story::new();
    story.add(Era::V21_12, &[&name], vec![text(&name, 1, "a", 7), schema(&name, &string())]);
    story.write_manifests();
    // As an older version goes on beside a newer one's list, or the list was put back from before.
    let json = story
        .add(Era::V20_11, &[&name], vec![text(&name, 1, "b", 17), schema(&name, &string())])
        .to_json(Era::V20_11, false);
    fs::write(story.dir.path().join("dgraph.20240102.030405.002/manifest.json"), json).unwrap();
    let restored = story.restore(&story.request()).await.unwrap();
    assert_eq!((restored.report.backup_num, restored.text(&name, 1).unwrap()), (2, "b".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_location_beside_the_one_that_was_meant_is_told() {
    let name = named("name");
    let mut story = Story::new();
    story.add(Era::V20_11, &[&name], vec![text(&name, 1, "a", 7), schema(&name, &string())]);
    story.write_manifests();
    let advice = async |place: &std::path::Path| {
        let request = SeriesRequest { location: place.to_str().unwrap().into(), ..SeriesRequest::default() };
        story.restore(&request).await.err().unwrap().to_string()
    };
    let place = story.dir.path();
    let inside = advice(&place.join("dgraph.20240102.030405.001")).await;
    assert!(inside.contains("name the directory above it"), "{inside}");

    let upper = tempfile::tempdir().unwrap();
    fs::create_dir_all(upper.path().join("a")).unwrap();
    fs::rename(place.join("dgraph.20240102.030405.001"), upper.path().join("a/dgraph.20240102.030405.001")).unwrap();
    let above = advice(upper.path()).await;
    assert!(above.contains("name a in it"), "{above}");

    let Some(data) = data() else { return };
    let listed = advice(&data.join("dgraph-backups")).await;
    assert!(listed.contains("is a place of its own"), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_restore_left_is_swept() {
    let Some(data) = data() else { return };
    let target = tempfile::tempdir().unwrap();
    // No process has a number this high: pid_max is 2^22 at most.
    let left = target.path().join(".graphdb-restore-4294967295-00000000/p1/sorting");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("gather-000001.run"), "plain text of what was encrypted").unwrap();
    restore(&request(&data, "v25.4-stale-index"), target.path()).await.unwrap();
    let entries: Vec<_> = fs::read_dir(target.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(entries, ["p1"]);
    assert!(!target.path().join("p1/sorting").exists());
}
