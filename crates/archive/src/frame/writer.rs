use std::io::Write;

use graphdb_types::{put_bytes_field, put_len_prefix, put_varint_field, uvarint_len};

use super::{FRAME_BYTES, KeyValue, LENGTH_BYTES, MAX_FRAME_BYTES};
use crate::Error;

/// Appends key-values to frames and hands each full frame to `out`.
///
/// Nothing is allocated for a key-value: frames share one buffer, and a value of [`FRAME_BYTES`] or more goes to `out`
/// without a copy, in a frame of its own.
#[derive(Debug)]
pub struct FrameWriter<W: Write> {
    out: W,
    frame: Vec<u8>,
    entries: u64,
    raw_bytes: u64,
}

/// An encoded `KV` around its value, and how long both are together.
struct Envelope {
    before: Vec<u8>,
    after: Vec<u8>,
    len: u64,
}

impl<W: Write> FrameWriter<W> {
    /// Starts with no frame open.
    pub fn new(out: W) -> FrameWriter<W> {
        let frame = Vec::with_capacity(LENGTH_BYTES + FRAME_BYTES + FRAME_BYTES / 8);
        FrameWriter { out, frame, entries: 0, raw_bytes: 0 }
    }

    /// Appends one key-value.
    ///
    /// # Errors
    /// [`Error::EntryTooLong`] for what no frame can hold, and whatever `out` fails with.
    pub fn push(&mut self, kv: KeyValue<'_>) -> Result<(), Error> {
        let len = kv_len(&kv);
        if len > MAX_FRAME_BYTES - 16 {
            return Err(Error::EntryTooLong { len });
        }
        self.entries += 1;
        if kv.value.len() >= FRAME_BYTES {
            return self.push_long(&kv);
        }
        self.open();
        put_kv(&mut self.frame, &kv, len);
        if self.frame.len() >= LENGTH_BYTES + FRAME_BYTES { self.end_frame() } else { Ok(()) }
    }

    /// Closes the open frame, or writes an empty one if none is open: a schema or type frame may have nothing in it.
    pub fn end_frame(&mut self) -> Result<(), Error> {
        self.open();
        let len = (self.frame.len() - LENGTH_BYTES) as u64;
        self.frame[..LENGTH_BYTES].copy_from_slice(&len.to_le_bytes());
        self.out.write_all(&self.frame)?;
        self.raw_bytes += self.frame.len() as u64;
        self.frame.clear();
        Ok(())
    }

    /// Closes the open frame if there is one.
    pub fn end_open_frame(&mut self) -> Result<(), Error> {
        if self.frame.is_empty() { Ok(()) } else { self.end_frame() }
    }

    /// Key-values pushed so far.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Bytes of frames handed to `out` so far, lengths included.
    pub fn raw_bytes(&self) -> u64 {
        self.raw_bytes
    }

    /// Closes the open frame and gives `out` back.
    pub fn finish(mut self) -> Result<W, Error> {
        self.end_open_frame()?;
        Ok(self.out)
    }

    fn open(&mut self) {
        if self.frame.is_empty() {
            self.frame.extend_from_slice(&[0; LENGTH_BYTES]);
        }
    }

    fn push_long(&mut self, kv: &KeyValue<'_>) -> Result<(), Error> {
        self.end_open_frame()?;
        let envelope = Envelope::new(kv);
        self.out.write_all(&envelope.len.to_le_bytes())?;
        self.out.write_all(&envelope.before)?;
        self.out.write_all(kv.value)?;
        self.out.write_all(&envelope.after)?;
        self.raw_bytes += LENGTH_BYTES as u64 + envelope.len;
        Ok(())
    }
}

impl Envelope {
    fn new(kv: &KeyValue<'_>) -> Envelope {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        put_len_prefix(&mut before, 1, usize::try_from(kv_len(kv)).expect("slices in memory are counted in usize"));
        put_bytes_field(&mut before, 1, kv.key);
        put_len_prefix(&mut before, 2, kv.value.len());
        put_tail(&mut after, kv);
        let len = (before.len() + kv.value.len() + after.len()) as u64;
        Envelope { before, after, len }
    }
}

/// Appends one `KV` of `len` bytes with its tag. The small parts go through one buffer on the stack: a graph has
/// millions of key-values of forty bytes, and each append to a vector costs a check.
#[inline]
fn put_kv(out: &mut Vec<u8>, kv: &KeyValue<'_>, len: u64) {
    out.reserve(len as usize + 11);
    let mut small = Small::default();
    small.push(0x0a).uvarint(len);
    if !kv.key.is_empty() {
        small.push(0x0a).uvarint(kv.key.len() as u64).drain_to(out);
        out.extend_from_slice(kv.key);
    }
    if !kv.value.is_empty() {
        small.push(0x12).uvarint(kv.value.len() as u64).drain_to(out);
        out.extend_from_slice(kv.value);
    }
    small.push(0x1a).push(1).push(kv.user_meta);
    if kv.version != 0 {
        small.push(0x20).uvarint(kv.version);
    }
    small.drain_to(out);
}

/// Room for the tags and numbers between two byte strings: at most two tags and two numbers of ten bytes.
#[derive(Default)]
struct Small {
    bytes: [u8; 32],
    len: usize,
}

impl Small {
    #[inline]
    fn push(&mut self, byte: u8) -> &mut Small {
        self.bytes[self.len] = byte;
        self.len += 1;
        self
    }

    #[inline]
    fn uvarint(&mut self, mut value: u64) -> &mut Small {
        while value >= 0x80 {
            self.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.push(value as u8)
    }

    #[inline]
    fn drain_to(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes[..self.len]);
        self.len = 0;
    }
}

fn put_tail(out: &mut Vec<u8>, kv: &KeyValue<'_>) {
    put_bytes_field(out, 3, &[kv.user_meta]);
    put_varint_field(out, 4, kv.version);
}

#[inline]
fn kv_len(kv: &KeyValue<'_>) -> u64 {
    let bytes_field = |len: usize| if len == 0 { 0 } else { 1 + uvarint_len(len as u64) + len };
    let version = if kv.version == 0 { 0 } else { 1 + uvarint_len(kv.version) };
    (bytes_field(kv.key.len()) + bytes_field(kv.value.len()) + 3 + version) as u64
}
