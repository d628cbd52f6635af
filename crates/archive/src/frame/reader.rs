use std::io::Read;
use std::ops::Range;

use graphdb_types::{Malformed, WireReader};

use super::{KeyValue, LENGTH_BYTES, MAX_FRAME_BYTES};
use crate::Error;
use crate::gzip::read_full;

/// Reads key-values out of frames, one frame in memory at a time.
///
/// It is a cursor: [`FrameReader::advance`] moves to the next key-value and [`FrameReader::current`] shows it, so that a
/// merge can look at the heads of many archives at once. Unknown fields are skipped, empty frames are normal.
#[derive(Debug)]
pub struct FrameReader<R: Read> {
    input: R,
    frame: Vec<u8>,
    /// Where in `frame` the next field of the list begins.
    next: usize,
    current: Option<Place>,
    /// Bytes of the stream before the current frame, and after it.
    frame_start: u64,
    frame_end: u64,
    entries: u64,
    broken: bool,
}

#[derive(Debug, Clone)]
struct Place {
    key: Range<usize>,
    value: Range<usize>,
    user_meta: u8,
    version: u64,
}

const WHAT: &str = "key-value";

impl<R: Read> FrameReader<R> {
    /// Starts before the first key-value.
    pub fn new(input: R) -> FrameReader<R> {
        FrameReader {
            input,
            frame: Vec::new(),
            next: 0,
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
            key: &self.frame[place.key.clone()],
            value: &self.frame[place.value.clone()],
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

    /// Key-values met so far.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Bytes of frames read so far, lengths included.
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
            if let Some((place, next)) = next_kv(&self.frame, self.next).map_err(|err| self.damaged(err))? {
                self.next = next;
                self.current = Some(place);
                self.entries += 1;
                return Ok(true);
            }
            if !self.read_frame()? {
                return Ok(false);
            }
        }
    }

    fn read_frame(&mut self) -> Result<bool, Error> {
        self.frame_start = self.frame_end;
        self.frame.clear();
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
        // Grows with what arrives: a length that lies costs nothing.
        let read = (&mut self.input).take(len).read_to_end(&mut self.frame)? as u64;
        if read < len {
            return Err(self.damage(format!("the stream ends after {read} of {len} bytes")));
        }
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

/// The next `kv` of the list at or after `from`, and where the field behind it begins.
fn next_kv(frame: &[u8], from: usize) -> Result<Option<(Place, usize)>, Malformed> {
    let mut list = WireReader::new(&frame[from..], "list of key-values");
    while let Some((number, field)) = list.next()? {
        if number == 1 {
            let kv = field.bytes(WHAT)?;
            let end = frame.len() - list.remaining();
            return read_kv(kv, end - kv.len()).map(|place| Some((place, end)));
        }
    }
    Ok(None)
}

fn read_kv(kv: &[u8], start: usize) -> Result<Place, Malformed> {
    let mut place = Place { key: start..start, value: start..start, user_meta: 0, version: 0 };
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
