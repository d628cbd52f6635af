//! Posting lists in every form that a version of Dgraph wrote.
#![allow(dead_code, reason = "shared by test binaries, of which none needs all")]

use graphdb_types::{Facet, Posting, PostingList};

use crate::wire::{Message, uvarint};

/// How the ids of a list stand in its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ids {
    /// `uids`, all varints in one field: v1.1 to v20.07.
    Packed,
    /// `uids`, a field for each: what a reader of proto3 has to take as well.
    Unpacked,
    /// `uids`, some alone and some packed.
    Mixed,
    /// `uid_bytes`: differences, v21.03 and newer.
    Differences,
    /// v20.11: `uids` for short lists, `uid_bytes` for long ones.
    ByLength,
}

impl Ids {
    pub(crate) const ALL: [Ids; 5] = [Ids::Packed, Ids::Unpacked, Ids::Mixed, Ids::Differences, Ids::ByLength];

    /// Entries up to which v20.11 wrote `uids`.
    pub(crate) const V20_11_SHORT: usize = 1024;
}

/// What else differed between versions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListForm {
    pub(crate) ids: Ids,
    /// `Posting.op`: 1 in real files, 3 and absence (0) are allowed.
    pub(crate) op: u64,
    /// `start_ts` and `commit_ts` in each posting.
    pub(crate) timestamps: bool,
    /// `Posting.label`, v1.1 to v20.11, and an empty `splits` and `commit_ts` of the list.
    pub(crate) old_fields: bool,
    /// Fields that no version has.
    pub(crate) unknown: bool,
}

/// A list in this form.
pub(crate) fn encode(list: &PostingList, form: ListForm) -> Vec<u8> {
    let mut message = match ids_by_length(list, form.ids) {
        Ids::Packed => Message::default().bytes_unless_empty(1, packed(&list.ids)),
        Ids::Unpacked => list.ids.iter().fold(Message::default(), |message, id| message.number(1, *id)),
        Ids::Mixed => list.ids.chunks(3).fold(Message::default(), |message, ids| match ids {
            [one] => message.number(1, *one),
            more => message.bytes(1, packed(more)),
        }),
        Ids::Differences | Ids::ByLength => Message::default(),
    };
    for posting in &list.postings {
        message = message.bytes(2, encode_posting(posting, form));
    }
    message = message.when(form.old_fields, |message| message.number(3, 0).bytes(4, []));
    if ids_by_length(list, form.ids) == Ids::Differences {
        message = message.bytes_unless_empty(5, differences(&list.ids));
    }
    message.when(form.unknown, Message::with_unknown_fields).finish()
}

/// The main key's list of one that v1.1 to v1.2.5 split: it has no ids, and names the first id each part may hold.
pub(crate) fn encode_splits(starts: &[u64], is_packed: bool) -> Vec<u8> {
    match is_packed {
        true => Message::default().bytes(4, packed(starts)).finish(),
        false => starts.iter().fold(Message::default(), |message, start| message.number(4, *start)).finish(),
    }
}

/// What a reader makes of the list in this form: the timestamp is lost where it was not written.
pub(crate) fn as_read(list: &PostingList, form: ListForm) -> PostingList {
    let mut read = list.clone();
    if !form.timestamps {
        read.postings.iter_mut().for_each(|posting| posting.commit_ts = 0);
    }
    read
}

fn ids_by_length(list: &PostingList, ids: Ids) -> Ids {
    match ids {
        Ids::ByLength if list.ids.len() <= Ids::V20_11_SHORT => Ids::Packed,
        Ids::ByLength => Ids::Differences,
        other => other,
    }
}

pub(crate) fn packed(ids: &[u64]) -> Vec<u8> {
    ids.iter().flat_map(|id| uvarint(*id)).collect()
}

pub(crate) fn differences(ids: &[u64]) -> Vec<u8> {
    let before = [0].into_iter().chain(ids.iter().copied());
    ids.iter().zip(before).flat_map(|(id, before)| uvarint(id - before)).collect()
}

fn encode_posting(posting: &Posting, form: ListForm) -> Vec<u8> {
    let posting_type = match (posting.is_edge, posting.lang.is_empty()) {
        (true, _) => 0,
        (false, true) => 1,
        (false, false) => 2,
    };
    let mut message = Message::default()
        .fixed64(1, posting.id)
        .bytes_unless_empty(2, &posting.value)
        .number_unless_zero(3, posting.val_type as u64)
        .number_unless_zero(4, posting_type)
        .bytes_unless_empty(5, &posting.lang)
        .when(form.old_fields, |message| message.bytes(6, b"a label"));
    for facet in &posting.facets {
        message = message.bytes(9, encode_facet(facet, form));
    }
    message
        .number_unless_zero(12, form.op)
        .when(form.timestamps, |message| {
            message.number_unless_zero(13, posting.commit_ts / 2).number_unless_zero(14, posting.commit_ts)
        })
        .when(form.unknown, Message::with_unknown_fields)
        .finish()
}

fn encode_facet(facet: &Facet, form: ListForm) -> Vec<u8> {
    let message = Message::default()
        .bytes_unless_empty(1, &facet.key)
        .bytes_unless_empty(2, &facet.value)
        .number_unless_zero(3, facet.val_type as u64);
    let message = facet.tokens.iter().fold(message, |message, token| message.bytes(4, token));
    message.when(form.unknown, Message::with_unknown_fields).finish()
}
