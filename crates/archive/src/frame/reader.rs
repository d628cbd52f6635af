use std::io::Read;
use std::ops::Range;

use graphdb_types::{Malformed, WireReader};

use super::{FRAME_BYTES, KeyValue, LENGTH_BYTES, MAX_FRAME_BYTES};
use crate::Error;
use crate::gzip::read_full;

/// Reads key-values out of frames, one key-value in memory at a time, with what was read ahead.
///
/// It is a cursor: [`FrameReader::advance`] moves to the next key-value and [`FrameReader::current`] shows it, so that a
/// merge can look at the heads of many archives at once. Unknown fields are skipped, empty frames are normal. Frames of
/// Dgraph have up to 100 MB, and what is held of one is the larger of 1 MiB and its largest key-value.
#[derive(Debug)]
pub struct FrameReader<R: Read> {
    input: R,
    /// Bytes of the current frame; those before `next` were read.
    window: Vec<u8>,
    next: usize,
    /// Bytes of the current frame that are not in the window yet.
    unread: u64,
    current: Option<Place>,
    /// Bytes of the stream before the current frame, and after it.
    frame_start: u64,
    frame_end: u64,
    entries: u64,
    broken: bool,
}

#[derive(Debug, Clone)]
struct Place {
    start: usize,
    key: Range<usize>,
    value: Range<usize>,
    user_meta: u8,
    version: u64,
}

const WHAT: &str = "key-value";

/// Bytes read ahead within a frame.
const WINDOW_BYTES: usize = FRAME_BYTES;

/// The longest start of a field: a tag and a length, or a tag and a number.
const FIELD_START_BYTES: usize = 20;

impl<R: Read> FrameReader<R> {
    /// Starts before the first key-value.
    pub fn new(input: R) -> FrameReader<R> {
        FrameReader {
            input,
            window: Vec::new(),
            next: 0,
            unread: 0,
            current: None,
            frame_start: 0,
            frame_end: 0,
            entries: 0,
            broken: false,
        }
    }

    /// Moves to the next key-value; `false` at the end of the stream, which must be a frame's end.
    ///
    /// # Errors
    /// Damage, named with its offset. After an error every further call fails with [`Error::Broken`].
    pub fn advance(&mut self) -> Result<bool, Error> {
        if self.broken {
            return Err(Error::Broken);
        }
        let advanced = self.try_advance();
        self.broken = advanced.is_err();
        advanced
    }

    /// The key-value that [`FrameReader::advance`] moved to; `None` before the first and after the last.
    #[inline]
    pub fn current(&self) -> Option<KeyValue<'_>> {
        let place = self.current.as_ref()?;
        Some(KeyValue {
            key: &self.window[place.key.clone()],
            value: &self.window[place.value.clone()],
            user_meta: place.user_meta,
            version: place.version,
        })
    }

    /// Moves on and shows what is there: [`FrameReader::advance`] and [`FrameReader::current`] in one.
    #[expect(clippy::should_implement_trait, reason = "lends from the frame, which an iterator cannot")]
    pub fn next(&mut self) -> Result<Option<KeyValue<'_>>, Error> {
        self.advance()?;
        Ok(self.current())
    }

    /// Where the current key-value begins, in bytes from the start of the stream; between key-values, where the next field would.
    #[inline]
    pub fn offset(&self) -> u64 {
        let at = self.current.as_ref().map_or(self.next, |place| place.start);
        self.frame_end - self.unread - (self.window.len() - at) as u64
    }

    /// Key-values met so far.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Bytes of the frames begun so far, lengths included.
    pub fn raw_bytes(&self) -> u64 {
        self.frame_end
    }

    /// Gives the stream back.
    pub fn into_inner(self) -> R {
        self.input
    }

    fn try_advance(&mut self) -> Result<bool, Error> {
        self.current = None;
        loop {
            while self.next < self.window.len() || self.unread > 0 {
                if let Some(kv) = self.next_field()? {
                    let place = read_kv(&self.window[kv.clone()], kv.start).map_err(|err| self.damaged(err))?;
                    self.current = Some(place);
                    self.entries += 1;
                    return Ok(true);
                }
            }
            if !self.begin_frame()? {
                return Ok(false);
            }
        }
    }

    /// Reads the next field of the list; gives where the key-value stands, if it is one.
    fn next_field(&mut self) -> Result<Option<Range<usize>>, Error> {
        self.fill(FIELD_START_BYTES)?;
        let mut start = WireReader::new(&self.window[self.next..], "list of key-values");
        let tag = start.uvarint().map_err(|err| self.damaged(err))?;
        if tag & 7 != LENGTH_DELIMITED {
            return self.skip_number();
        }
        let len = start.uvarint().map_err(|err| self.damaged(err))?;
        self.next = self.window.len() - start.remaining();
        let ahead = (self.window.len() - self.next) as u64 + self.unread;
        let Some(len) = usize::try_from(len).ok().filter(|len| *len as u64 <= ahead) else {
            return Err(self.damage(format!("a field of {len} bytes, of which the frame has {ahead}")));
        };
        self.fill(len)?;
        let field = self.next..self.next + len;
        self.next = field.end;
        Ok((tag >> 3 == 1).then_some(field))
    }

    /// Passes a field that holds a number: bookkeeping of memory, as old Dgraph wrote, or one from the future.
    fn skip_number(&mut self) -> Result<Option<Range<usize>>, Error> {
        let mut list = WireReader::new(&self.window[self.next..], "list of key-values");
        let field = list.next().map_err(|err| self.damaged(err))?;
        if matches!(field, Some((1, _))) {
            return Err(self.damage("a key-value that is a number"));
        }
        self.next = self.window.len() - list.remaining();
        Ok(None)
    }

    /// Brings `wanted` bytes behind `next` into the window, or all that the frame has.
    fn fill(&mut self, wanted: usize) -> Result<(), Error> {
        let have = self.window.len() - self.next;
        if have >= wanted || self.unread == 0 {
            return Ok(());
        }
        self.window.drain(..self.next);
        self.next = 0;
        // Grows with what arrives: a length that lies costs nothing.
        let more = self.unread.min((wanted - have).max(WINDOW_BYTES) as u64);
        let read = (&mut self.input).take(more).read_to_end(&mut self.window)? as u64;
        self.unread -= read;
        if read < more {
            let len = self.frame_end - self.frame_start - LENGTH_BYTES as u64;
            return Err(self.damage(format!("the stream ends after {} of {len} bytes", len - self.unread)));
        }
        Ok(())
    }

    fn begin_frame(&mut self) -> Result<bool, Error> {
        self.frame_start = self.frame_end;
        self.window.clear();
        self.next = 0;
        let mut length = [0; LENGTH_BYTES];
        match read_full(&mut self.input, &mut length)? {
            0 => return Ok(false),
            LENGTH_BYTES => {}
            _ => return Err(self.damage("the stream ends within a frame's length")),
        }
        let len = u64::from_le_bytes(length);
        if len > MAX_FRAME_BYTES {
            return Err(self.damage(format!("a length of {len} bytes, at most {MAX_FRAME_BYTES} are allowed")));
        }
        self.unread = len;
        self.frame_end = self.frame_start + LENGTH_BYTES as u64 + len;
        Ok(true)
    }

    fn damaged(&self, err: Malformed) -> Error {
        self.damage(err.to_string())
    }

    fn damage(&self, what: impl Into<String>) -> Error {
        Error::Frame { offset: self.frame_start, what: what.into() }
    }
}

/// The wire type of messages and strings.
const LENGTH_DELIMITED: u64 = 2;

fn read_kv(kv: &[u8], start: usize) -> Result<Place, Malformed> {
    let mut place = Place { start, key: start..start, value: start..start, user_meta: 0, version: 0 };
    let mut meta: &[u8] = &[];
    let mut reader = WireReader::new(kv, WHAT);
    while let Some((number, field)) = reader.next()? {
        let end = start + kv.len() - reader.remaining();
        match number {
            1 => place.key = end - field.bytes(WHAT)?.len()..end,
            2 => place.value = end - field.bytes(WHAT)?.len()..end,
            3 => meta = field.bytes(WHAT)?,
            4 => place.version = field.number(WHAT)?,
            _ => {}
        }
    }
    let [user_meta] = meta else {
        return Err(Malformed { what: "user_meta of a key-value: not one byte" });
    };
    place.user_meta = *user_meta;
    Ok(place)
}
