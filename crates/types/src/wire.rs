//! The protobuf wire format, by hand: frames are encoded at memory speed only when nothing is allocated for each key.

/// Bytes that do not follow the wire format, with what was being read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed {what}")]
pub struct Malformed {
    /// The message or field that could not be read.
    pub what: &'static str,
}

/// One field of a message as it stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Field<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2.
    Bytes(&'a [u8]),
    /// Wire type 5.
    Fixed32(u32),
}

impl<'a> Field<'a> {
    /// The number of a varint or fixed field.
    pub fn number(self, what: &'static str) -> Result<u64, Malformed> {
        match self {
            Field::Varint(n) | Field::Fixed64(n) => Ok(n),
            Field::Fixed32(n) => Ok(u64::from(n)),
            Field::Bytes(_) => Err(Malformed { what }),
        }
    }

    /// The content of a length-delimited field.
    pub fn bytes(self, what: &'static str) -> Result<&'a [u8], Malformed> {
        match self {
            Field::Bytes(bytes) => Ok(bytes),
            _ => Err(Malformed { what }),
        }
    }

    /// The content of a length-delimited field as text.
    pub fn text(self, what: &'static str) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes(what)?).map_err(|_| Malformed { what })
    }
}

/// Reads the fields of one message in the order they stand.
#[derive(Debug, Clone)]
pub struct WireReader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> WireReader<'a> {
    /// Starts at the first byte of a message; `what` names it in errors.
    pub fn new(bytes: &'a [u8], what: &'static str) -> WireReader<'a> {
        WireReader { rest: bytes, what }
    }

    /// The next field with its number, or `None` at the end. Unknown numbers are for the caller to skip.
    #[expect(clippy::should_implement_trait, reason = "fallible; callers write `while let Some(..) = reader.next()?`")]
    pub fn next(&mut self) -> Result<Option<(u32, Field<'a>)>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.uvarint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|n| *n > 0).ok_or(self.malformed())?;
        let field = match tag & 7 {
            0 => Field::Varint(self.uvarint()?),
            1 => Field::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let len = usize::try_from(self.uvarint()?).map_err(|_| self.malformed())?;
                Field::Bytes(self.take(len)?)
            }
            5 => Field::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(self.malformed()),
        };
        Ok(Some((number, field)))
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes of the message are left.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// A LEB128 number at the current place.
    #[inline]
    pub fn uvarint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for (i, byte) in self.rest.iter().enumerate().take(10) {
            if i == 9 && *byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[i + 1..];
                return Ok(value);
            }
        }
        Err(self.malformed())
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self.rest.split_at_checked(len).ok_or(self.malformed())?;
        self.rest = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, tail) = self.rest.split_first_chunk::<N>().ok_or(self.malformed())?;
        self.rest = tail;
        Ok(*head)
    }

    fn malformed(&self) -> Malformed {
        Malformed { what: self.what }
    }
}

/// Appends a LEB128 number.
#[inline]
pub fn put_uvarint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// How many bytes [`put_uvarint`] appends for `value`.
#[inline]
pub fn uvarint_len(value: u64) -> usize {
    (70 - (value | 1).leading_zeros() as usize) / 7
}

/// Appends a varint field; zero is left out, as proto3 does.
#[inline]
pub fn put_varint_field(out: &mut Vec<u8>, number: u32, value: u64) {
    if value != 0 {
        put_uvarint(out, u64::from(number) << 3);
        put_uvarint(out, value);
    }
}

/// Appends a length-delimited field; an empty one is left out, as proto3 does.
#[inline]
pub fn put_bytes_field(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    if !bytes.is_empty() {
        put_len_prefix(out, number, bytes.len());
        out.extend_from_slice(bytes);
    }
}

/// Appends the tag and length of a length-delimited field whose `len` bytes the caller appends next.
#[inline]
pub fn put_len_prefix(out: &mut Vec<u8>, number: u32, len: usize) {
    put_uvarint(out, (u64::from(number) << 3) | 2);
    put_uvarint(out, len as u64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_at_every_length() {
        for value in (0..64).map(|bit| 1u64 << bit).chain([0, 127, 128, u64::MAX]) {
            let mut bytes = Vec::new();
            put_uvarint(&mut bytes, value);
            assert_eq!(bytes.len(), uvarint_len(value), "{value}");
            assert_eq!(WireReader::new(&bytes, "number").uvarint(), Ok(value));
        }
    }

    #[test]
    fn a_length_beyond_the_message_is_refused_before_anything_is_allocated() {
        let mut bytes = vec![0x0a];
        put_uvarint(&mut bytes, 1 << 63);
        assert!(WireReader::new(&bytes, "message").next().is_err());
        assert!(WireReader::new(&[0xff; 11], "message").next().is_err());
        assert!(WireReader::new(&[0x03], "message").next().is_err(), "groups are not used");
    }
}
