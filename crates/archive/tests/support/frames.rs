//! Keys, key-values and frames in every form that a version of Dgraph wrote.
#![allow(dead_code, reason = "shared by test binaries, of which none needs all")]

use graphdb_types::{BackupKey, KeyKind, Predicate};

use crate::wire::Message;

/// A `BackupKey`, with its fields in the order of their numbers and zeros left out, as all versions write it.
pub(crate) fn encode_key(key: &BackupKey) -> Vec<u8> {
    key_message(key).finish()
}

/// The same, with zeros, and with fields that no version has.
pub(crate) fn encode_key_oddly(key: &BackupKey) -> Vec<u8> {
    let zeros = Message::default().number(7, 0).number(6, 0).bytes(5, []).number(3, 0).with_unknown_fields().finish();
    [zeros, encode_key(key)].concat()
}

/// The key of a part of a list.
pub(crate) fn encode_part_key(key: &BackupKey, start_uid: u64) -> Vec<u8> {
    key_message(key).number(4, start_uid).finish()
}

fn key_message(key: &BackupKey) -> Message {
    let Predicate { namespace, name } = key.predicate();
    let start = |number| Message::default().number(1, number).bytes_unless_empty(2, name.as_bytes());
    let message = match key {
        BackupKey::Schema(_) => start(6),
        BackupKey::Type(_) => start(7),
        BackupKey::Posting(key) => match &key.kind {
            KeyKind::Data(uid) => start(1).number_unless_zero(3, uid.0),
            KeyKind::Index(term) => start(2).bytes_unless_empty(5, term),
            KeyKind::Reverse(uid) => start(3).number_unless_zero(3, uid.0),
            KeyKind::Count(count) => start(4).number_unless_zero(6, u64::from(*count)),
            KeyKind::CountReverse(count) => start(5).number_unless_zero(6, u64::from(*count)),
        },
    };
    message.number_unless_zero(7, namespace.0)
}

/// A key-value before it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kv {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    pub(crate) user_meta: u8,
    pub(crate) version: u64,
}

/// What differed between versions in a key-value.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KvForm {
    /// `stream_id` of v21.03 and newer.
    pub(crate) stream_id: u64,
    /// `expires_at`, `meta` and `stream_done`, which nobody fills.
    pub(crate) unused_fields: bool,
    /// Fields that no version has.
    pub(crate) unknown: bool,
}

impl Kv {
    /// The `KV` message.
    pub(crate) fn encode(&self, form: KvForm) -> Vec<u8> {
        Message::default()
            .bytes_unless_empty(1, &self.key)
            .bytes_unless_empty(2, &self.value)
            .bytes(3, [self.user_meta])
            .number_unless_zero(4, self.version)
            .when(form.unused_fields, |message| message.number(5, 0).bytes(6, []).number(11, 0))
            .number_unless_zero(10, form.stream_id)
            .when(form.unknown, Message::with_unknown_fields)
            .finish()
    }
}

/// What differed between versions in a stream of frames.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FramesForm {
    pub(crate) kv: KvForm,
    /// Key-values in a frame, at least 1.
    pub(crate) per_frame: usize,
    /// `alloc_ref` of v20.11, before the key-values or behind them.
    pub(crate) alloc_ref: Option<AllocRef>,
    /// A frame of length 0 before, between and behind the others.
    pub(crate) empty_frames: bool,
}

/// Where `alloc_ref` stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AllocRef {
    Before,
    Behind,
}

/// A stream of frames that holds `kvs`.
pub(crate) fn encode_frames(kvs: &[Kv], form: FramesForm) -> Vec<u8> {
    let empty = if form.empty_frames { frame(&[]) } else { Vec::new() };
    let mut stream = empty.clone();
    for kvs in kvs.chunks(form.per_frame) {
        let list = kvs
            .iter()
            .fold(Message::default().when(form.alloc_ref == Some(AllocRef::Before), alloc_ref), |list, kv| {
                list.bytes(1, kv.encode(form.kv))
            });
        let list = list.when(form.alloc_ref == Some(AllocRef::Behind), alloc_ref);
        stream.extend(frame(&list.when(form.kv.unknown, Message::with_unknown_fields).finish()));
        stream.extend(&empty);
    }
    stream
}

fn alloc_ref(list: Message) -> Message {
    list.number(10, 0x1234_5678_9abc)
}

/// A length of eight bytes, little-endian, and so many bytes.
pub(crate) fn frame(list: &[u8]) -> Vec<u8> {
    [&(list.len() as u64).to_le_bytes()[..], list].concat()
}
