mod form;
mod peek;

use crate::wire::{
    Field, Malformed, WireReader, put_bytes_field, put_len_prefix, put_uvarint, put_varint_field, uvarint_len,
};

pub use form::{languages, with_absolute_ids, with_differences};
pub use peek::{list_splits, max_object};

/// The posting id of a value of a predicate that is not a list (format spec, section 10).
pub const VALUE_UID: u64 = u64::MAX;

/// The type of a value as it is written in postings. The numbers are Dgraph's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum ValType {
    /// Text whose type was not given.
    #[default]
    Default = 0,
    /// Raw bytes.
    Binary = 1,
    /// A 64-bit integer.
    Int = 2,
    /// A double.
    Float = 3,
    /// True or false.
    Bool = 4,
    /// An instant with the zone it is shown in.
    DateTime = 5,
    /// A point, polygon or multipolygon.
    Geo = 6,
    /// An edge.
    Uid = 7,
    /// A bcrypt hash.
    Password = 8,
    /// Text.
    String = 9,
    /// Only within types.
    Object = 10,
    /// A decimal of any size.
    BigFloat = 11,
    /// A vector of 32-bit floats.
    VFloat = 12,
}

impl ValType {
    /// Every type, in the order of their numbers.
    pub const ALL: [ValType; 13] = [
        ValType::Default,
        ValType::Binary,
        ValType::Int,
        ValType::Float,
        ValType::Bool,
        ValType::DateTime,
        ValType::Geo,
        ValType::Uid,
        ValType::Password,
        ValType::String,
        ValType::Object,
        ValType::BigFloat,
        ValType::VFloat,
    ];

    /// The type with this number.
    pub fn from_number(number: u64) -> Option<ValType> {
        usize::try_from(number).ok().and_then(|n| ValType::ALL.get(n)).copied()
    }

    /// The name in schema text.
    pub fn name(self) -> &'static str {
        match self {
            ValType::Default => "default",
            ValType::Binary => "binary",
            ValType::Int => "int",
            ValType::Float => "float",
            ValType::Bool => "bool",
            ValType::DateTime => "datetime",
            ValType::Geo => "geo",
            ValType::Uid => "uid",
            ValType::Password => "password",
            ValType::String => "string",
            ValType::Object => "object",
            ValType::BigFloat => "bigfloat",
            ValType::VFloat => "float32vector",
        }
    }

    /// The type with this name, in any case.
    pub fn from_name(name: &str) -> Option<ValType> {
        ValType::ALL.into_iter().find(|t| t.name().eq_ignore_ascii_case(name))
    }
}

/// The type of a facet's value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FacetType {
    /// Text.
    #[default]
    String = 0,
    /// A 64-bit integer.
    Int = 1,
    /// A double.
    Float = 2,
    /// True or false.
    Bool = 3,
    /// An instant.
    DateTime = 4,
}

impl FacetType {
    /// The type with this number.
    pub fn from_number(number: u64) -> Option<FacetType> {
        [FacetType::String, FacetType::Int, FacetType::Float, FacetType::Bool, FacetType::DateTime]
            .into_iter()
            .find(|t| *t as u64 == number)
    }

    /// The value type whose binary form the facet's bytes have.
    pub fn val_type(self) -> ValType {
        match self {
            FacetType::String => ValType::String,
            FacetType::Int => ValType::Int,
            FacetType::Float => ValType::Float,
            FacetType::Bool => ValType::Bool,
            FacetType::DateTime => ValType::DateTime,
        }
    }
}

/// A key and a value on an edge or on a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Facet {
    /// The name; unique and ascending within a posting.
    pub key: String,
    /// The binary form of the value.
    pub value: Vec<u8>,
    /// The type of `value`.
    pub val_type: FacetType,
    /// Of a string: its sorted term tokens with their tokenizer byte; else empty.
    pub tokens: Vec<String>,
}

/// One value, or one edge with facets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Posting {
    /// The object's uid, [`VALUE_UID`], or the fingerprint of a list value or a language.
    pub id: u64,
    /// The binary form of the value; empty for an edge and for the empty string.
    pub value: Vec<u8>,
    /// The type of `value`; `Uid` for an edge with facets in a data list, `Default` for one in a reverse list.
    pub val_type: ValType,
    /// The language, without `@`; empty for none.
    pub lang: String,
    /// Whether this is an edge (with facets) and not a value.
    pub is_edge: bool,
    /// In ascending order of their keys.
    pub facets: Vec<Facet>,
    /// When the posting was written.
    pub commit_ts: u64,
}

/// All postings of a key: an ascending list of ids, with a [`Posting`] for those that carry more than the id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PostingList {
    /// Uids or fingerprints, ascending; the id of every posting is among them.
    pub ids: Vec<u64>,
    /// Values, and edges with facets, ascending by id.
    pub postings: Vec<Posting>,
}

impl PostingList {
    /// A list of plain uids, which must ascend.
    pub fn of_ids(ids: Vec<u64>) -> PostingList {
        debug_assert!(ids.is_sorted_by(|a, b| a < b));
        PostingList { ids, postings: Vec::new() }
    }

    /// A list of postings, which must ascend by id.
    pub fn of_postings(postings: Vec<Posting>) -> PostingList {
        let ids = postings.iter().map(|p| p.id).collect();
        PostingList { ids, postings }
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// How many values or edges it holds.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// The posting with this id, if it carries more than the id.
    pub fn posting(&self, id: u64) -> Option<&Posting> {
        self.postings.binary_search_by_key(&id, |p| p.id).ok().map(|at| &self.postings[at])
    }

    /// Whether `id` is in the list.
    pub fn contains(&self, id: u64) -> bool {
        self.ids.binary_search(&id).is_ok()
    }

    /// Removes an id and its posting.
    pub fn remove(&mut self, id: u64) {
        if let Ok(at) = self.ids.binary_search(&id) {
            self.ids.remove(at);
        }
        if let Ok(at) = self.postings.binary_search_by_key(&id, |p| p.id) {
            self.postings.remove(at);
        }
    }

    /// Adds or replaces everything in `newer`.
    pub fn merge(&mut self, newer: PostingList) {
        if self.ids.is_empty() || self.ids.last() < newer.ids.first() {
            self.ids.extend(newer.ids);
            self.postings.extend(newer.postings);
            return;
        }
        let old_postings = std::mem::take(&mut self.postings);
        self.postings = merge_sorted(
            old_postings.into_iter().filter(|p| newer.ids.binary_search(&p.id).is_err()).collect(),
            newer.postings,
            |p| p.id,
        );
        self.ids = merge_sorted(std::mem::take(&mut self.ids), newer.ids, |id| *id);
    }

    /// Removes every id in `gone`, which must ascend.
    pub fn remove_all(&mut self, gone: &[u64]) {
        if !gone.is_empty() {
            self.ids.retain(|id| gone.binary_search(id).is_err());
            self.postings.retain(|p| gone.binary_search(&p.id).is_err());
        }
    }

    /// Appends the list as a `BackupPostingList` message: postings 2, then `uid_bytes` 5 (differences as uvarints).
    pub fn put_wire(&self, out: &mut Vec<u8>) {
        for posting in &self.postings {
            put_len_prefix(out, 2, posting.wire_len());
            posting.put_wire(out);
        }
        put_ids(out, &self.ids);
    }

    /// The list as a `BackupPostingList` message.
    pub fn to_wire(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + 2 * self.ids.len() + 48 * self.postings.len());
        self.put_wire(&mut out);
        out
    }

    /// Reads a `BackupPostingList`, with `uids` or with `uid_bytes`. Markers of deletions (`op` 2) and what they delete are left out.
    ///
    /// # Errors
    /// Bytes that are not a message, ids that do not ascend, or a posting whose id is not among them.
    pub fn from_wire(bytes: &[u8]) -> Result<PostingList, Malformed> {
        const WHAT: &str = "posting list";
        let mut list = PostingList::default();
        let mut packed: &[u8] = &[];
        let mut deleted = Vec::new();
        let mut reader = WireReader::new(bytes, WHAT);
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (1, Field::Varint(uid)) => list.ids.push(uid),
                (1, Field::Bytes(bytes)) => read_varints(bytes, &mut list.ids)?,
                (2, field) => match Posting::read_set(field.bytes(WHAT)?)? {
                    (posting, true) => list.postings.push(posting),
                    (posting, false) => deleted.push(posting.id),
                },
                (5, field) => packed = field.bytes(WHAT)?,
                _ => {}
            }
        }
        if list.ids.is_empty() {
            list.ids = read_ids(packed)?;
        }
        if !deleted.is_empty() {
            deleted.sort_unstable();
            list.ids.retain(|id| deleted.binary_search(id).is_err());
        }
        let ascending = list.ids.is_sorted_by(|a, b| a < b) && list.postings.is_sorted_by(|a, b| a.id < b.id);
        if !ascending || !list.postings.iter().all(|p| list.contains(p.id)) {
            return Err(Malformed { what: "posting list: ids do not ascend or a posting is not among them" });
        }
        Ok(list)
    }

    /// As [`max_object`].
    fn max_object(&self) -> u64 {
        let of_edges = self.postings.iter().all(|posting| posting.is_edge);
        self.ids.last().copied().filter(|_| of_edges).unwrap_or(0)
    }
}

fn merge_sorted<T>(old: Vec<T>, new: Vec<T>, id: impl Fn(&T) -> u64) -> Vec<T> {
    let mut merged = Vec::with_capacity(old.len() + new.len());
    let mut old = old.into_iter().peekable();
    for item in new {
        while let Some(before) = old.next_if(|o| id(o) < id(&item)) {
            merged.push(before);
        }
        old.next_if(|o| id(o) == id(&item));
        merged.push(item);
    }
    merged.extend(old);
    merged
}

fn put_ids(out: &mut Vec<u8>, ids: &[u64]) {
    if ids.is_empty() {
        return;
    }
    let deltas = || ids.iter().scan(0u64, |last, id| Some(id.wrapping_sub(std::mem::replace(last, *id))));
    put_len_prefix(out, 5, deltas().map(uvarint_len).sum());
    deltas().for_each(|delta| put_uvarint(out, delta));
}

fn read_ids(packed: &[u8]) -> Result<Vec<u64>, Malformed> {
    let mut deltas = WireReader::new(packed, "uid_bytes of a posting list");
    let mut ids = Vec::with_capacity(packed.len());
    let mut last = 0u64;
    while !deltas.is_empty() {
        last = last.checked_add(deltas.uvarint()?).ok_or(Malformed { what: "uid_bytes of a posting list" })?;
        ids.push(last);
    }
    Ok(ids)
}

fn read_varints(packed: &[u8], out: &mut Vec<u64>) -> Result<(), Malformed> {
    let mut reader = WireReader::new(packed, "uids of a posting list");
    while !reader.is_empty() {
        out.push(reader.uvarint()?);
    }
    Ok(())
}

/// `Posting.op` of a marker that deletes; roll-ups leave none.
const OP_DELETE: u64 = 2;

/// `Posting.posting_type`: a uid, a value, or a value in a language.
mod posting_type {
    pub(super) const REF: u64 = 0;
    pub(super) const VALUE: u64 = 1;
    pub(super) const VALUE_LANG: u64 = 2;
}

impl Posting {
    /// Appends the posting as a message: uid 1 (fixed64), value 2, val_type 3, posting_type 4, lang_tag 5, facets 9,
    /// op 12 (always 1, set), start_ts 13, commit_ts 14.
    fn put_wire(&self, out: &mut Vec<u8>) {
        out.push(0x09);
        out.extend_from_slice(&self.id.to_le_bytes());
        put_bytes_field(out, 2, &self.value);
        put_varint_field(out, 3, self.val_type as u64);
        put_varint_field(out, 4, self.posting_type());
        put_bytes_field(out, 5, self.lang.as_bytes());
        for facet in &self.facets {
            put_len_prefix(out, 9, facet.wire_len());
            facet.put_wire(out);
        }
        put_varint_field(out, 12, 1);
        put_varint_field(out, 13, self.commit_ts);
        put_varint_field(out, 14, self.commit_ts);
    }

    fn wire_len(&self) -> usize {
        let facets: usize = self.facets.iter().map(|f| field_len(f.wire_len())).sum();
        let val_type = if self.val_type as u8 == 0 { 0 } else { 2 };
        let posting_type = if self.posting_type() == 0 { 0 } else { 2 };
        let ts = if self.commit_ts == 0 { 0 } else { 2 * (1 + uvarint_len(self.commit_ts)) };
        9 + bytes_len(self.value.len()) + val_type + posting_type + bytes_len(self.lang.len()) + facets + 2 + ts
    }

    fn posting_type(&self) -> u64 {
        match (self.is_edge, self.lang.is_empty()) {
            (true, _) => posting_type::REF,
            (false, true) => posting_type::VALUE,
            (false, false) => posting_type::VALUE_LANG,
        }
    }

    /// Reads a posting, and whether it sets something: the other kind marks a deletion.
    fn read_set(bytes: &[u8]) -> Result<(Posting, bool), Malformed> {
        const WHAT: &str = "posting";
        let mut posting = Posting { is_edge: true, ..Posting::default() };
        let mut sets = true;
        let mut reader = WireReader::new(bytes, WHAT);
        while let Some((number, field)) = reader.next()? {
            match number {
                1 => posting.id = field.number(WHAT)?,
                2 => posting.value = field.bytes(WHAT)?.to_vec(),
                3 => {
                    posting.val_type = ValType::from_number(field.number(WHAT)?)
                        .ok_or(Malformed { what: "value type of a posting" })?;
                }
                4 => posting.is_edge = field.number(WHAT)? == posting_type::REF,
                5 => posting.lang = field.text("language of a posting")?.to_owned(),
                9 => posting.facets.push(Facet::from_wire(field.bytes(WHAT)?)?),
                12 => sets = field.number(WHAT)? != OP_DELETE,
                14 => posting.commit_ts = field.number(WHAT)?,
                _ => {}
            }
        }
        Ok((posting, sets))
    }
}

impl Facet {
    /// Appends the facet as an `api.Facet` message: key 1, value 2, val_type 3, tokens 4.
    pub fn put_wire(&self, out: &mut Vec<u8>) {
        put_bytes_field(out, 1, self.key.as_bytes());
        put_bytes_field(out, 2, &self.value);
        put_varint_field(out, 3, self.val_type as u64);
        for token in &self.tokens {
            put_len_prefix(out, 4, token.len());
            out.extend_from_slice(token.as_bytes());
        }
    }

    fn wire_len(&self) -> usize {
        let val_type = if self.val_type as u8 == 0 { 0 } else { 2 };
        let tokens: usize = self.tokens.iter().map(|t| field_len(t.len())).sum();
        bytes_len(self.key.len()) + bytes_len(self.value.len()) + val_type + tokens
    }

    /// Reads an `api.Facet` message.
    pub fn from_wire(bytes: &[u8]) -> Result<Facet, Malformed> {
        const WHAT: &str = "facet";
        let mut facet = Facet::default();
        let mut reader = WireReader::new(bytes, WHAT);
        while let Some((number, field)) = reader.next()? {
            match number {
                1 => facet.key = field.text("key of a facet")?.to_owned(),
                2 => facet.value = field.bytes(WHAT)?.to_vec(),
                3 => {
                    facet.val_type = FacetType::from_number(field.number(WHAT)?)
                        .ok_or(Malformed { what: "value type of a facet" })?;
                }
                4 => facet.tokens.push(field.text("token of a facet")?.to_owned()),
                _ => {}
            }
        }
        Ok(facet)
    }
}

/// The length of a length-delimited field with a one-byte tag.
fn field_len(len: usize) -> usize {
    1 + uvarint_len(len as u64) + len
}

/// As [`field_len`], but an empty field is left out.
fn bytes_len(len: usize) -> usize {
    if len == 0 { 0 } else { field_len(len) }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
    use super::*;

    pub(super) fn sample() -> PostingList {
        let since = Facet {
            key: "since".into(),
            value: vec![6, 0, 0, 0, 0, 0, 0, 0],
            val_type: FacetType::Int,
            tokens: vec![],
        };
        let note = Facet {
            key: "a".into(),
            value: b"old pal".to_vec(),
            tokens: vec!["\u{1}old".into(), "\u{1}pal".into()],
            ..Facet::default()
        };
        let edge = Posting {
            id: 7,
            val_type: ValType::Uid,
            is_edge: true,
            facets: vec![note, since],
            commit_ts: 300,
            ..Posting::default()
        };
        let value = Posting {
            id: VALUE_UID,
            value: b"x".to_vec(),
            val_type: ValType::String,
            lang: "en".into(),
            commit_ts: 12,
            ..Posting::default()
        };
        PostingList { ids: vec![3, 7, 1 << 40, VALUE_UID], postings: vec![edge, value] }
    }

    #[test]
    fn a_list_comes_back_and_its_lengths_are_right() {
        let list = sample();
        assert_eq!(PostingList::from_wire(&list.to_wire()), Ok(list));
        assert_eq!(PostingList::from_wire(&[]), Ok(PostingList::default()));
    }

    #[test]
    fn the_int_of_a_real_backup_is_written_the_same() {
        // v21.03, Person.age of 0x4 (spec section 21), but start_ts 11 there: we write commit_ts for both.
        let mut expected = vec![0x12, 27, 0x09];
        expected.extend([0xff; 8]);
        expected.extend([0x12, 8, 20, 0, 0, 0, 0, 0, 0, 0, 0x18, 2, 0x20, 1, 0x60, 1, 0x68, 12, 0x70, 12]);
        expected[1] = (expected.len() - 2) as u8;
        expected.extend([0x2a, 10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
        let value = Posting {
            id: VALUE_UID,
            value: 20i64.to_le_bytes().to_vec(),
            val_type: ValType::Int,
            commit_ts: 12,
            ..Posting::default()
        };
        assert_eq!(PostingList::of_postings(vec![value]).to_wire(), expected);
    }

    #[test]
    fn both_forms_of_uids_are_read() {
        let packed = [0x0a, 3, 5, 0xac, 0x02];
        assert_eq!(PostingList::from_wire(&packed).unwrap().ids, [5, 300]);
        let unpacked = [0x08, 5, 0x08, 0xac, 0x02];
        assert_eq!(PostingList::from_wire(&unpacked).unwrap().ids, [5, 300]);
        assert!(PostingList::from_wire(&[0x2a, 2, 5, 0]).is_err(), "a difference of zero repeats a uid");
    }

    #[test]
    fn merging_replaces_and_keeps_order() {
        let mut list = sample();
        let newer = Posting { id: 7, val_type: ValType::Uid, is_edge: true, ..Posting::default() };
        list.merge(PostingList { ids: vec![1, 7, 9], postings: vec![newer.clone()] });
        assert_eq!(list.ids, [1, 3, 7, 9, 1 << 40, VALUE_UID]);
        assert_eq!(list.posting(7), Some(&newer));
        list.merge(PostingList::of_ids(vec![7]));
        assert_eq!(list.posting(7), None, "an edge set again without facets loses them");
        list.remove_all(&[3, VALUE_UID]);
        assert_eq!((list.ids, list.postings), (vec![1, 7, 9, 1 << 40], vec![]));
    }
}
