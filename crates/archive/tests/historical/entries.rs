//! Posting lists, keys, schema and types.

use std::collections::BTreeSet;

use graphdb_types::{
    BackupKey, Key, Malformed, PostingList, Predicate, PredicateSchema, Tokenizer, TypeDef, Uid, ValType, VectorIndex,
    list_splits, max_object,
};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::frames::{encode_key, encode_key_oddly, encode_part_key};
use crate::lists::{Ids, ListForm, as_read, encode, encode_splits};
use crate::random;
use crate::wire::Message;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_list_reads_equal_in_every_form(list in random::posting_list(), form in random::list_form()) {
        for ids in Ids::ALL {
            let form = ListForm { ids, ..form };
            let wire = encode(&list, form);
            prop_assert_eq!(PostingList::from_wire(&wire), Ok(as_read(&list, form)), "{:?}", form);
        }
    }

    #[test]
    fn what_is_marked_as_deleted_is_left_out(list in random::posting_list(), form in random::list_form()) {
        let deleted = encode(&list, ListForm { op: 2, ..form });
        let mut left = list.clone();
        list.postings.iter().for_each(|posting| left.remove(posting.id));
        prop_assert_eq!(PostingList::from_wire(&deleted), Ok(left));
    }

    #[test]
    fn the_greatest_object_is_the_same_in_every_form(list in random::posting_list(), form in random::list_form()) {
        let has_values = list.postings.iter().any(|posting| !posting.is_edge);
        let greatest = list.ids.last().filter(|_| !has_values).copied().unwrap_or(0);
        for ids in Ids::ALL {
            prop_assert_eq!(max_object(&encode(&list, ListForm { ids, ..form })), Ok(greatest), "{:?}", ids);
        }
    }

    #[test]
    fn what_we_write_is_what_this_encoder_makes_of_it(mut list in random::posting_list(), key in random::key()) {
        // Ours writes `commit_ts` for `start_ts` too, so only lists without timestamps have the same bytes.
        list.postings.iter_mut().for_each(|posting| posting.commit_ts = 0);
        let ours = ListForm { ids: Ids::Differences, op: 1, timestamps: false, old_fields: false, unknown: false };
        prop_assert_eq!(list.to_wire(), encode(&list, ours));
        let mut wire = Vec::new();
        key.put_wire(&mut wire);
        prop_assert_eq!(wire, encode_key(&key));
    }

    #[test]
    fn a_key_of_every_type_reads_equal_whatever_stands_beside_its_fields(key in random::key()) {
        for wire in [encode_key(&key), encode_key_oddly(&key)] {
            prop_assert_eq!(BackupKey::part_from_wire(&wire), Ok((key.clone(), 0)));
            let mut stored = Vec::new();
            let parts = BackupKey::put_stored_of_wire(&wire, &mut stored).unwrap();
            match &key {
                BackupKey::Posting(key) => prop_assert_eq!(stored, key.to_stored()),
                _ => prop_assert!(parts.is_none() && stored.is_empty()),
            }
        }
    }

    #[test]
    fn the_parts_of_a_list_read_as_parts_and_join_to_the_whole(
        list in random::posting_list(),
        form in random::list_form(),
        borders in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        packed: bool,
    ) {
        let inner = borders.iter().filter(|_| list.len() > 1).map(|at| list.ids[1 + at.index(list.len() - 1)]);
        let starts: Vec<u64> = [1].into_iter().chain(inner.collect::<BTreeSet<_>>()).collect();
        prop_assert_eq!(list_splits(&encode_splits(&starts, packed)), Ok(starts.clone()));
        prop_assert_eq!(PostingList::from_wire(&encode_splits(&starts, packed)), Ok(PostingList::default()));
        let name = BackupKey::Posting(Key::data(&Predicate::root("name"), Uid(7)));
        let mut joined = PostingList::default();
        for (at, start) in starts.iter().enumerate() {
            prop_assert_eq!(BackupKey::part_from_wire(&encode_part_key(&name, *start)), Ok((name.clone(), *start)));
            let part = part(&list, *start, starts.get(at + 1).copied());
            joined.merge(PostingList::from_wire(&encode(&part, form)).unwrap());
        }
        prop_assert_eq!(joined, as_read(&list, form));
    }

    #[test]
    fn a_schema_reads_equal_under_every_form_of_its_name(schema in schema(), name in name(), unknown: bool) {
        prop_assert_eq!(PredicateSchema::from_wire(&encode_schema(&schema, &name, unknown)), Ok(schema));
    }

    #[test]
    fn a_type_reads_equal_with_whatever_its_fields_carry(fields in prop::collection::vec(name(), 0..5), name in name()) {
        let message = fields.iter().fold(Message::default().bytes(1, &name), |message, field| {
            let update = Message::default().bytes(1, field).number(2, 7).number(6, 1).bytes(12, "Person");
            message.bytes(2, update.with_unknown_fields().finish())
        });
        prop_assert_eq!(TypeDef::from_wire(&message.with_unknown_fields().finish()), Ok(TypeDef { fields }));
    }
}

/// What the part holds that begins at `start`, before the next.
fn part(list: &PostingList, start: u64, next: Option<u64>) -> PostingList {
    let is_in = |id: u64| id >= start && next.is_none_or(|next| id < next);
    let mut part = list.clone();
    part.ids.retain(|id| is_in(*id));
    part.postings.retain(|posting| is_in(posting.id));
    part
}

/// Bare, behind eight bytes, behind hex.
fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,8}", "\u{0}{7}\u{1}[a-z]{1,8}", "[0-9a-f]{1,4}-~?[a-z]{1,8}"]
}

fn schema() -> impl Strategy<Value = PredicateSchema> {
    let indexes = (subsequence(Tokenizer::ALL.to_vec(), 0..4), prop::collection::vec(vector_index(), 0..2));
    (select(&ValType::ALL), indexes, any::<[bool; 7]>()).prop_map(
        |(value_type, (tokenizers, vector_indexes), flags)| {
            let [list, reverse, count, lang, upsert, no_conflict, unique] = flags;
            // One field says "index" or "reverse": no predicate has both.
            let reverse = reverse && tokenizers.is_empty() && vector_indexes.is_empty();
            #[rustfmt::skip]
        let schema = PredicateSchema {
            value_type, list, tokenizers, reverse, count, lang, upsert, no_conflict, unique, vector_indexes,
        };
            schema
        },
    )
}

fn vector_index() -> impl Strategy<Value = VectorIndex> {
    let options = prop::collection::vec(("[a-z]{1,6}", "[a-z0-9]{1,6}"), 0..3);
    ("[a-z]{1,5}", options).prop_map(|(name, options)| VectorIndex { name, options })
}

fn encode_schema(schema: &PredicateSchema, name: &str, unknown: bool) -> Vec<u8> {
    let is_indexed = !schema.tokenizers.is_empty() || !schema.vector_indexes.is_empty();
    let directive = if is_indexed { 1 } else { 2 * u64::from(schema.reverse) };
    let mut message = Message::default()
        .bytes(1, name)
        .number_unless_zero(2, schema.value_type as u64)
        .number_unless_zero(3, directive);
    for tokenizer in &schema.tokenizers {
        message = message.bytes(4, tokenizer.name());
    }
    message = message
        .number_unless_zero(5, u64::from(schema.count))
        .number_unless_zero(6, u64::from(schema.list))
        .when(unknown, |message| message.number(7, 1))
        .number_unless_zero(8, u64::from(schema.upsert))
        .number_unless_zero(9, u64::from(schema.lang))
        .when(unknown, |message| message.number(10, 1).number(11, 1).bytes(12, "Person"))
        .number_unless_zero(13, u64::from(schema.no_conflict))
        .number_unless_zero(14, u64::from(schema.unique));
    for index in &schema.vector_indexes {
        let spec = index.options.iter().fold(Message::default().bytes(1, &index.name), |spec, (key, value)| {
            spec.bytes(2, Message::default().bytes(1, key).bytes(2, value).finish())
        });
        message = message.bytes(15, spec.finish());
    }
    message.when(unknown, Message::with_unknown_fields).finish()
}

#[test]
fn a_key_without_a_type_or_with_one_that_is_not_known_is_refused() {
    let named = |number| Message::default().number(1, number).bytes(2, "name").number(3, 1).finish();
    assert_eq!(BackupKey::from_wire(&named(6)), Ok(BackupKey::Schema(Predicate::root("name"))));
    for number in [0, 8, 127, u64::MAX] {
        let refused = Malformed { what: "type of a backup key" };
        assert_eq!(BackupKey::from_wire(&named(number)), Err(refused.clone()), "{number}");
        assert_eq!(BackupKey::put_stored_of_wire(&named(number), &mut Vec::new()), Err(refused), "{number}");
    }
}

#[test]
fn uid_0_is_no_subject_and_no_object_of_a_list() {
    for number in [1, 3] {
        for wire in [Message::default().number(1, number), Message::default().number(1, number).number(3, 0)] {
            let refused = BackupKey::put_stored_of_wire(&wire.bytes(2, "name").finish(), &mut Vec::new());
            assert_eq!(refused, Err(Malformed { what: "backup key: uid 0" }));
        }
    }
}

#[test]
fn an_empty_list_reads_empty_in_every_form() {
    for ids in Ids::ALL {
        for flag in [false, true] {
            let form = ListForm { ids, op: 1, timestamps: flag, old_fields: flag, unknown: flag };
            assert_eq!(PostingList::from_wire(&encode(&PostingList::default(), form)), Ok(PostingList::default()));
        }
    }
}
