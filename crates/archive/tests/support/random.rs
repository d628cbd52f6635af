//! Random lists and keys, of every shape that a graph brings about.
#![allow(dead_code, reason = "shared by test binaries, of which none needs all")]

use std::collections::BTreeMap;

use graphdb_types::{
    BackupKey, Facet, FacetType, Key, KeyKind, Namespace, Posting, PostingList, Predicate, Uid, VALUE_UID, ValType,
    fingerprint64,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::lists::{Ids, ListForm};

/// Edges with and without facets, one value, a list of values, or one value a language; also nothing.
pub(crate) fn posting_list() -> impl Strategy<Value = PostingList> {
    prop_oneof![
        4 => edges(0..40),
        1 => edges(Ids::V20_11_SHORT - 24..2 * Ids::V20_11_SHORT),
        2 => posting().prop_map(|value| values([(VALUE_UID, value)])),
        2 => vec(posting(), 0..12)
            .prop_map(|list| values(list.into_iter().map(|value| (fingerprint64(&value.value), value)))),
        2 => btree_map("[a-z]{2,3}(-[A-Z]{2})?", posting(), 0..5).prop_map(|languages| {
            values(languages.into_iter().map(|(lang, value)| {
                (fingerprint64(lang.as_bytes()), Posting { lang, ..value })
            }))
        }),
    ]
}

/// Small and huge gaps between ids; some edges carry facets.
fn edges(count: std::ops::Range<usize>) -> impl Strategy<Value = PostingList> {
    let gap = prop_oneof![8 => 1u64..300, 1 => any::<u64>().prop_map(|n| (n >> 3).max(1))];
    vec((gap, option::weighted(0.1, (facets(), any::<bool>(), 0u64..1 << 40))), count).prop_map(|edges| {
        let mut last = 0u64;
        let ids = edges.into_iter().map_while(|(gap, posting)| {
            last = last.checked_add(gap)?;
            Some((last, posting.map(|(facets, is_reverse, commit_ts)| edge(last, facets, is_reverse, commit_ts))))
        });
        list(ids.collect())
    })
}

fn edge(id: u64, facets: Vec<Facet>, is_reverse: bool, commit_ts: u64) -> Posting {
    let val_type = if is_reverse { ValType::Default } else { ValType::Uid };
    Posting { id, val_type, is_edge: true, facets, commit_ts, ..Posting::default() }
}

fn values(postings: impl IntoIterator<Item = (u64, Posting)>) -> PostingList {
    list(postings.into_iter().map(|(id, posting)| (id, Some(Posting { id, ..posting }))).collect())
}

fn list(entries: BTreeMap<u64, Option<Posting>>) -> PostingList {
    let mut list = PostingList::of_ids(entries.keys().copied().collect());
    list.postings = entries.into_values().flatten().collect();
    list
}

/// A value without a language.
fn posting() -> impl Strategy<Value = Posting> {
    (vec(any::<u8>(), 0..30), select(&ValType::ALL), facets(), any::<u64>()).prop_map(
        |(value, val_type, facets, commit_ts)| Posting { value, val_type, facets, commit_ts, ..Posting::default() },
    )
}

const FACET_TYPES: [FacetType; 5] =
    [FacetType::String, FacetType::Int, FacetType::Float, FacetType::Bool, FacetType::DateTime];

fn facets() -> impl Strategy<Value = Vec<Facet>> {
    let facet = (vec(any::<u8>(), 0..10), select(&FACET_TYPES), vec("\u{1}[a-zé]{0,5}", 0..3));
    btree_map("[a-zß_.]{1,6}", facet, 0..3).prop_map(|facets| {
        let named = facets.into_iter();
        named.map(|(key, (value, val_type, tokens))| Facet { key, value, val_type, tokens }).collect()
    })
}

pub(crate) fn list_form() -> impl Strategy<Value = ListForm> {
    (select(&Ids::ALL), select(&[0, 1, 3]), any::<[bool; 3]>())
        .prop_map(|(ids, op, [timestamps, old_fields, unknown])| ListForm { ids, op, timestamps, old_fields, unknown })
}

/// Names with dashes, with what JSON and HTML escape, and with other scripts.
pub(crate) fn predicate() -> impl Strategy<Value = Predicate> {
    let name =
        prop_oneof![3 => "[a-z][a-zA-Z0-9_.~-]{0,12}", 1 => "[-<>&\"\\\\/\u{0}-\u{1f}\u{2028}é片😀\u{fffd}]{1,6}"];
    let namespace = prop_oneof![2 => Just(0), 1 => 1u64..1000, 1 => any::<u64>()];
    (namespace, name).prop_map(|(namespace, name)| Predicate { namespace: Namespace(namespace), name: name.into() })
}

/// A key of one of the seven types.
pub(crate) fn key() -> impl Strategy<Value = BackupKey> {
    let kind = prop_oneof![
        (1..=u64::MAX).prop_map(|uid| KeyKind::Data(Uid(uid))),
        vec(any::<u8>(), 0..20).prop_map(KeyKind::Index),
        (1..=u64::MAX).prop_map(|uid| KeyKind::Reverse(Uid(uid))),
        any::<u32>().prop_map(KeyKind::Count),
        any::<u32>().prop_map(KeyKind::CountReverse),
    ];
    prop_oneof![
        5 => (predicate(), kind).prop_map(|(predicate, kind)| BackupKey::Posting(Key { predicate, kind })),
        1 => predicate().prop_map(BackupKey::Schema),
        1 => predicate().prop_map(BackupKey::Type),
    ]
}
