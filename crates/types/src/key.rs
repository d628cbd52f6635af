use crate::wire::{Malformed, WireReader, put_bytes_field, put_varint_field};
use crate::{Namespace, Predicate, Uid};

/// The longest predicate name. Dgraph's limit: its stored keys hold the length in 16 bits.
pub const MAX_PREDICATE_BYTES: usize = 65_534;

const DATA: u8 = 0x00;
const INDEX: u8 = 0x02;
const REVERSE: u8 = 0x04;
const COUNT: u8 = 0x08;
const COUNT_REVERSE: u8 = 0x0c;

/// Names one posting list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The attribute the list belongs to.
    pub predicate: Predicate,
    /// Which of its lists.
    pub kind: KeyKind,
}

/// Which posting list of a predicate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// The values or objects of a subject.
    Data(Uid),
    /// The subjects whose value gives an index token; the first byte is the tokenizer's id.
    Index(Vec<u8>),
    /// The subjects that point at an object.
    Reverse(Uid),
    /// The subjects that have exactly so many values or objects.
    Count(u32),
    /// The objects that exactly so many subjects point at.
    CountReverse(u32),
}

/// What a key-value of a backup is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BackupKey {
    /// A posting list.
    Posting(Key),
    /// The schema of a predicate.
    Schema(Predicate),
    /// A type; the "predicate" is the type's name.
    Type(Predicate),
}

/// What [`BackupKey::put_stored_of_wire`] says beside the stored key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredKeyParts {
    /// Bytes of the stored key that are its predicate's prefix.
    pub prefix_len: usize,
    /// The subject, of a data list.
    pub subject: Option<Uid>,
    /// Of one part of a list that v1.1 to v1.2.5 split: the smallest uid it may hold; else 0.
    pub start_uid: u64,
}

impl Key {
    /// The list of a subject's values or objects.
    pub fn data(predicate: &Predicate, uid: Uid) -> Key {
        Key { predicate: predicate.clone(), kind: KeyKind::Data(uid) }
    }

    /// The list of subjects under an index token.
    pub fn index(predicate: &Predicate, term: impl Into<Vec<u8>>) -> Key {
        Key { predicate: predicate.clone(), kind: KeyKind::Index(term.into()) }
    }

    /// The list of subjects that point at `uid`.
    pub fn reverse(predicate: &Predicate, uid: Uid) -> Key {
        Key { predicate: predicate.clone(), kind: KeyKind::Reverse(uid) }
    }

    /// Whether the list can be rebuilt from data lists and the schema.
    pub fn is_derived(&self) -> bool {
        !matches!(self.kind, KeyKind::Data(_))
    }

    /// The key's bytes in the store: namespace u64, name length u16, name, kind, rest; numbers big-endian, so that byte
    /// order is the order of uids, counts and tokens. No key is a prefix of another: terms are escaped and terminated.
    pub fn to_stored(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(20 + self.predicate.name.len());
        self.put_stored(&mut out);
        out
    }

    /// Appends [`Key::to_stored`].
    pub fn put_stored(&self, out: &mut Vec<u8>) {
        match &self.kind {
            KeyKind::Data(uid) => put_uid(out, &self.predicate, DATA, *uid),
            KeyKind::Reverse(uid) => put_uid(out, &self.predicate, REVERSE, *uid),
            KeyKind::Count(count) => put_count(out, &self.predicate, COUNT, *count),
            KeyKind::CountReverse(count) => put_count(out, &self.predicate, COUNT_REVERSE, *count),
            KeyKind::Index(term) => {
                put_stored_prefix(out, &self.predicate);
                out.push(INDEX);
                put_term(out, term);
                out.extend_from_slice(&[0, 1]);
            }
        }
    }

    /// The bytes that begin every stored key of `predicate`, and none of another.
    pub fn stored_prefix(predicate: &Predicate) -> Vec<u8> {
        let mut out = Vec::with_capacity(11 + predicate.name.len());
        put_stored_prefix(&mut out, predicate);
        out
    }

    /// The bytes that begin every stored data key of `predicate`.
    pub fn stored_data_prefix(predicate: &Predicate) -> Vec<u8> {
        let mut out = Key::stored_prefix(predicate);
        out.push(DATA);
        out
    }

    /// The bytes that begin every stored reverse key of `predicate`.
    pub fn stored_reverse_prefix(predicate: &Predicate) -> Vec<u8> {
        let mut out = Key::stored_prefix(predicate);
        out.push(REVERSE);
        out
    }

    /// The bytes that begin every stored count key of `predicate`.
    pub fn stored_count_prefix(predicate: &Predicate, of_reverse: bool) -> Vec<u8> {
        let mut out = Key::stored_prefix(predicate);
        out.push(if of_reverse { COUNT_REVERSE } else { COUNT });
        out
    }

    /// The bytes that begin every stored index key whose term begins with `term`, in the order of terms.
    pub fn stored_index_prefix(predicate: &Predicate, term: &[u8]) -> Vec<u8> {
        let mut out = Key::stored_prefix(predicate);
        out.push(INDEX);
        put_term(&mut out, term);
        out
    }

    /// Reads a stored key.
    pub fn from_stored(bytes: &[u8]) -> Result<Key, Malformed> {
        let bad = || Malformed { what: "stored key" };
        let (namespace, name, kind, rest) = split_stored(bytes).ok_or_else(bad)?;
        let uid = || rest.try_into().map(|b| Uid(u64::from_be_bytes(b))).map_err(|_| bad());
        let count = || rest.try_into().map(u32::from_be_bytes).map_err(|_| bad());
        let kind = match kind {
            DATA => KeyKind::Data(uid()?),
            REVERSE => KeyKind::Reverse(uid()?),
            COUNT => KeyKind::Count(count()?),
            COUNT_REVERSE => KeyKind::CountReverse(count()?),
            INDEX => KeyKind::Index(read_term(rest).ok_or_else(bad)?),
            _ => return Err(bad()),
        };
        let name = std::str::from_utf8(name).map_err(|_| bad())?;
        let predicate = Predicate { namespace: Namespace(namespace), name: name.into() };
        Ok(Key { predicate, kind })
    }
}

/// Namespace, name, kind and the rest of a stored key.
fn split_stored(stored: &[u8]) -> Option<(u64, &[u8], u8, &[u8])> {
    let (namespace, rest) = stored.split_first_chunk::<8>()?;
    let (len, rest) = rest.split_first_chunk::<2>()?;
    let (name, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
    let (kind, rest) = rest.split_first()?;
    Some((u64::from_be_bytes(*namespace), name, *kind, rest))
}

fn put_stored_prefix(out: &mut Vec<u8>, predicate: &Predicate) {
    put_prefix(out, predicate.namespace.0, predicate.name.as_bytes());
}

fn put_prefix(out: &mut Vec<u8>, namespace: u64, name: &[u8]) {
    let len =
        u16::try_from(name.len()).expect("predicate names are checked against MAX_PREDICATE_BYTES where they enter");
    out.extend_from_slice(&namespace.to_be_bytes());
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(name);
}

fn put_uid(out: &mut Vec<u8>, predicate: &Predicate, kind: u8, uid: Uid) {
    put_stored_prefix(out, predicate);
    out.push(kind);
    out.extend_from_slice(&uid.0.to_be_bytes());
}

fn put_count(out: &mut Vec<u8>, predicate: &Predicate, kind: u8, count: u32) {
    put_stored_prefix(out, predicate);
    out.push(kind);
    out.extend_from_slice(&count.to_be_bytes());
}

/// Terms are arbitrary bytes: a zero is written `00 ff` and the end `00 01`, which keeps their order and makes no term's
/// stored form a prefix of another's.
fn put_term(out: &mut Vec<u8>, term: &[u8]) {
    for byte in term {
        out.push(*byte);
        if *byte == 0 {
            out.push(0xff);
        }
    }
}

fn read_term(mut stored: &[u8]) -> Option<Vec<u8>> {
    let mut term = Vec::with_capacity(stored.len());
    loop {
        match stored {
            [0, 1] => return Some(term),
            [0, 0xff, rest @ ..] => {
                term.push(0);
                stored = rest;
            }
            [0, ..] | [] => return None,
            [byte, rest @ ..] => {
                term.push(*byte);
                stored = rest;
            }
        }
    }
}

/// The numbers of `BackupKey.type` (format spec, section 7.1).
mod wire_type {
    pub(super) const DATA: u64 = 1;
    pub(super) const INDEX: u64 = 2;
    pub(super) const REVERSE: u64 = 3;
    pub(super) const COUNT: u64 = 4;
    pub(super) const COUNT_REVERSE: u64 = 5;
    pub(super) const SCHEMA: u64 = 6;
    pub(super) const TYPE: u64 = 7;
}

/// The fields of a serialised `BackupKey`.
struct RawKey<'a> {
    kind: u64,
    attr: &'a str,
    uid: u64,
    start_uid: u64,
    term: &'a [u8],
    count: u32,
    namespace: u64,
}

impl RawKey<'_> {
    fn read(bytes: &[u8]) -> Result<RawKey<'_>, Malformed> {
        const WHAT: &str = "backup key";
        let mut raw = RawKey { kind: 0, attr: "", uid: 0, start_uid: 0, term: &[], count: 0, namespace: 0 };
        let mut reader = WireReader::new(bytes, WHAT);
        while let Some((number, field)) = reader.next()? {
            match number {
                1 => raw.kind = field.number(WHAT)?,
                2 => raw.attr = field.text("attr of a backup key")?,
                3 => raw.uid = field.number(WHAT)?,
                4 => raw.start_uid = field.number(WHAT)?,
                5 => raw.term = field.bytes(WHAT)?,
                6 => {
                    let count = u32::try_from(field.number(WHAT)?);
                    raw.count = count.map_err(|_| Malformed { what: "count of a backup key" })?;
                }
                7 => raw.namespace = field.number(WHAT)?,
                _ => {}
            }
        }
        if raw.attr.len() > MAX_PREDICATE_BYTES {
            return Err(Malformed { what: "attr of a backup key: longer than 65,534 bytes" });
        }
        Ok(raw)
    }

    fn key(&self) -> Result<BackupKey, Malformed> {
        let predicate = Predicate { namespace: Namespace(self.namespace), name: self.attr.into() };
        let kind = match self.kind {
            wire_type::SCHEMA => return Ok(BackupKey::Schema(predicate)),
            wire_type::TYPE => return Ok(BackupKey::Type(predicate)),
            wire_type::DATA => KeyKind::Data(Uid(self.uid)),
            wire_type::REVERSE => KeyKind::Reverse(Uid(self.uid)),
            wire_type::INDEX => KeyKind::Index(self.term.to_vec()),
            wire_type::COUNT => KeyKind::Count(self.count),
            wire_type::COUNT_REVERSE => KeyKind::CountReverse(self.count),
            _ => return Err(Malformed { what: "type of a backup key" }),
        };
        Ok(BackupKey::Posting(Key { predicate, kind }))
    }
}

impl BackupKey {
    /// Appends the key as a serialised `BackupKey` message: type 1, attr 2, uid 3, term 5, count 6, namespace 7.
    pub fn put_wire(&self, out: &mut Vec<u8>) {
        let predicate = self.predicate();
        let (kind, uid, term, count): (u64, u64, &[u8], u32) = match self {
            BackupKey::Schema(_) => (wire_type::SCHEMA, 0, &[], 0),
            BackupKey::Type(_) => (wire_type::TYPE, 0, &[], 0),
            BackupKey::Posting(key) => match &key.kind {
                KeyKind::Data(uid) => (wire_type::DATA, uid.0, &[], 0),
                KeyKind::Reverse(uid) => (wire_type::REVERSE, uid.0, &[], 0),
                KeyKind::Index(term) => (wire_type::INDEX, 0, term, 0),
                KeyKind::Count(count) => (wire_type::COUNT, 0, &[], *count),
                KeyKind::CountReverse(count) => (wire_type::COUNT_REVERSE, 0, &[], *count),
            },
        };
        put_varint_field(out, 1, kind);
        put_bytes_field(out, 2, predicate.name.as_bytes());
        put_varint_field(out, 3, uid);
        put_bytes_field(out, 5, term);
        put_varint_field(out, 6, u64::from(count));
        put_varint_field(out, 7, predicate.namespace.0);
    }

    /// Appends the message for a stored key; the same as [`BackupKey::put_wire`], without taking the key apart into owned pieces.
    pub fn put_wire_of_stored(stored: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        let bad = || Malformed { what: "stored key" };
        let (namespace, name, kind, rest) = split_stored(stored).ok_or_else(bad)?;
        let uid = || rest.try_into().map(u64::from_be_bytes).map_err(|_| bad());
        let count = || rest.try_into().map(u32::from_be_bytes).map_err(|_| bad());
        let number = match kind {
            DATA => wire_type::DATA,
            REVERSE => wire_type::REVERSE,
            COUNT => wire_type::COUNT,
            COUNT_REVERSE => wire_type::COUNT_REVERSE,
            INDEX => wire_type::INDEX,
            _ => return Err(bad()),
        };
        put_varint_field(out, 1, number);
        put_bytes_field(out, 2, name);
        match kind {
            DATA | REVERSE => put_varint_field(out, 3, uid()?),
            INDEX => put_bytes_field(out, 5, &read_term(rest).ok_or_else(bad)?),
            _ => put_varint_field(out, 6, u64::from(count()?)),
        }
        put_varint_field(out, 7, namespace);
        Ok(())
    }

    /// Reads a serialised `BackupKey`. Unknown fields are skipped.
    pub fn from_wire(bytes: &[u8]) -> Result<BackupKey, Malformed> {
        BackupKey::part_from_wire(bytes).map(|(key, _)| key)
    }

    /// As [`BackupKey::from_wire`], with the `start_uid` of a part of a list that v1.1 to v1.2.5 split; 0 for a whole list.
    pub fn part_from_wire(bytes: &[u8]) -> Result<(BackupKey, u64), Malformed> {
        let raw = RawKey::read(bytes)?;
        Ok((raw.key()?, raw.start_uid))
    }

    /// Appends the stored key of a serialised posting list's key; the same as [`BackupKey::from_wire`] and [`Key::put_stored`] without
    /// taking it apart. `None` for a schema or type.
    ///
    /// # Errors
    /// Bytes that are not a key, and the uid 0, which no node has.
    pub fn put_stored_of_wire(bytes: &[u8], out: &mut Vec<u8>) -> Result<Option<StoredKeyParts>, Malformed> {
        let raw = RawKey::read(bytes)?;
        let kind = match raw.kind {
            wire_type::SCHEMA | wire_type::TYPE => return Ok(None),
            wire_type::DATA => DATA,
            wire_type::REVERSE => REVERSE,
            wire_type::INDEX => INDEX,
            wire_type::COUNT => COUNT,
            wire_type::COUNT_REVERSE => COUNT_REVERSE,
            _ => return Err(Malformed { what: "type of a backup key" }),
        };
        if matches!(kind, DATA | REVERSE) && raw.uid == 0 {
            return Err(Malformed { what: "backup key: uid 0" });
        }
        let begin = out.len();
        put_prefix(out, raw.namespace, raw.attr.as_bytes());
        let prefix_len = out.len() - begin;
        out.push(kind);
        match kind {
            DATA | REVERSE => out.extend_from_slice(&raw.uid.to_be_bytes()),
            INDEX => {
                put_term(out, raw.term);
                out.extend_from_slice(&[0, 1]);
            }
            _ => out.extend_from_slice(&raw.count.to_be_bytes()),
        }
        let subject = (kind == DATA).then_some(Uid(raw.uid));
        Ok(Some(StoredKeyParts { prefix_len, subject, start_uid: raw.start_uid }))
    }

    /// The predicate, or a type's name.
    pub fn predicate(&self) -> &Predicate {
        match self {
            BackupKey::Posting(key) => &key.predicate,
            BackupKey::Schema(predicate) | BackupKey::Type(predicate) => predicate,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
    use super::*;

    fn samples() -> Vec<Key> {
        let name = Predicate::root("name");
        let other = Predicate { namespace: Namespace(0x12f), name: "näme".into() };
        let mut keys = vec![
            Key::data(&name, Uid(1)),
            Key::data(&other, Uid(u64::MAX - 1)),
            Key::reverse(&name, Uid(256)),
            Key { predicate: name.clone(), kind: KeyKind::Count(3) },
            Key { predicate: name.clone(), kind: KeyKind::CountReverse(0) },
        ];
        let terms: [&[u8]; 7] = [b"", b"\x00", b"\x00\x01", b"\x01a", b"\x01a\x00", b"\x01a\x00b", b"\xff\xff"];
        keys.extend(terms.into_iter().map(|term| Key::index(&name, term)));
        keys
    }

    #[test]
    fn stored_and_wire_forms_come_back() {
        for key in samples() {
            assert_eq!(Key::from_stored(&key.to_stored()), Ok(key.clone()));
            let mut wire = Vec::new();
            BackupKey::Posting(key.clone()).put_wire(&mut wire);
            let mut again = Vec::new();
            BackupKey::put_wire_of_stored(&key.to_stored(), &mut again).unwrap();
            assert_eq!(again, wire);
            let mut stored = Vec::new();
            let parts = BackupKey::put_stored_of_wire(&wire, &mut stored).unwrap().unwrap();
            assert_eq!((stored, parts.prefix_len), (key.to_stored(), Key::stored_prefix(&key.predicate).len()));
            assert_eq!(
                (parts.subject, parts.start_uid),
                (if let KeyKind::Data(uid) = key.kind { Some(uid) } else { None }, 0)
            );
            assert_eq!(BackupKey::from_wire(&wire), Ok(BackupKey::Posting(key)));
        }
    }

    #[test]
    fn stored_terms_keep_their_order_and_none_begins_another() {
        let stored: Vec<_> =
            samples().iter().filter(|k| matches!(k.kind, KeyKind::Index(_))).map(Key::to_stored).collect();
        assert!(stored.is_sorted());
        for (i, a) in stored.iter().enumerate() {
            assert!(!stored.iter().enumerate().any(|(j, b)| i != j && b.starts_with(a)));
        }
    }

    #[test]
    fn a_key_of_a_real_backup_is_read() {
        // v21.03: {INDEX, attr "dgraph.type", term 02 "dgraph.type.Group"}
        let mut wire = vec![0x08, 2, 0x12, 11];
        wire.extend_from_slice(b"dgraph.type");
        wire.extend_from_slice(&[0x2a, 18, 2]);
        wire.extend_from_slice(b"dgraph.type.Group");
        let key = Key::index(&Predicate::root("dgraph.type"), &b"\x02dgraph.type.Group"[..]);
        assert_eq!(BackupKey::from_wire(&wire), Ok(BackupKey::Posting(key.clone())));
        let mut written = Vec::new();
        BackupKey::Posting(key).put_wire(&mut written);
        assert_eq!(written, wire);
    }
}
