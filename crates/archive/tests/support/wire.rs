//! Protobuf by hand, as Dgraph writes it: nothing of the code under test makes what it is tested with.
#![allow(dead_code, reason = "shared by test binaries, of which none needs all")]

/// A message, with its fields in the order in which they were appended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message(Vec<u8>);

impl Message {
    /// A varint, also when it is 0.
    pub(crate) fn number(mut self, field: u64, value: u64) -> Message {
        self.0.extend(uvarint(field << 3));
        self.0.extend(uvarint(value));
        self
    }

    /// A varint that is left out when it is 0.
    pub(crate) fn number_unless_zero(self, field: u64, value: u64) -> Message {
        if value == 0 { self } else { self.number(field, value) }
    }

    /// Eight bytes, little-endian.
    pub(crate) fn fixed64(mut self, field: u64, value: u64) -> Message {
        self.0.extend(uvarint(field << 3 | 1));
        self.0.extend(value.to_le_bytes());
        self
    }

    /// Bytes, text or a message, also when it is empty.
    pub(crate) fn bytes(mut self, field: u64, bytes: impl AsRef<[u8]>) -> Message {
        self.0.extend(uvarint(field << 3 | 2));
        self.0.extend(uvarint(bytes.as_ref().len() as u64));
        self.0.extend(bytes.as_ref());
        self
    }

    /// Bytes that are left out when there are none.
    pub(crate) fn bytes_unless_empty(self, field: u64, bytes: impl AsRef<[u8]>) -> Message {
        if bytes.as_ref().is_empty() { self } else { self.bytes(field, bytes) }
    }

    /// A field of each wire type, under numbers that no version has given a meaning.
    pub(crate) fn with_unknown_fields(mut self) -> Message {
        self = self.number(1001, 7).fixed64(1002, 1 << 63).bytes(1003, b"\x0a\x01z").bytes(1003, []);
        self.0.extend(uvarint(1004 << 3 | 5));
        self.0.extend([1, 2, 3, 4]);
        self
    }

    /// Goes on with what `more` appends, if `wanted`.
    pub(crate) fn when(self, wanted: bool, more: impl FnOnce(Message) -> Message) -> Message {
        if wanted { more(self) } else { self }
    }

    /// The message's bytes.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// A number in LEB128: seven bits a byte, the lowest first.
pub(crate) fn uvarint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
