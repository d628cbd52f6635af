//! What the checks of frames and of archives share.

use std::io::{self, Read};

use graphdb_archive::{Error, KeyValue};

/// A key-value that outlives its frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    key: Vec<u8>,
    value: Vec<u8>,
    user_meta: u8,
    version: u64,
}

impl Entry {
    fn of(kv: KeyValue<'_>) -> Entry {
        Entry { key: kv.key.to_vec(), value: kv.value.to_vec(), user_meta: kv.user_meta, version: kv.version }
    }

    /// As a frame has it.
    pub fn kv(&self) -> KeyValue<'_> {
        KeyValue { key: &self.key, value: &self.value, user_meta: self.user_meta, version: self.version }
    }
}

/// Reads a cursor to its end. After damage it must stay broken.
pub fn read_all<C>(
    cursor: &mut C,
    advance: fn(&mut C) -> Result<bool, Error>,
    current: for<'a> fn(&'a C) -> Option<KeyValue<'a>>,
) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
    loop {
        match advance(cursor) {
            Ok(true) => {
                let kv = current(cursor).expect("advance said that there is one");
                // Understood or refused: keys and values have targets of their own.
                _ = kv.entry();
                entries.push(Entry::of(kv));
            }
            Ok(false) => {
                assert_eq!(current(cursor), None, "nothing stands behind the end");
                return Ok(entries);
            }
            Err(err) => {
                assert!(matches!(advance(cursor), Err(Error::Broken)), "damage stays: {err}");
                return Err(err);
            }
        }
    }
}

/// A stream that gives one byte at a time, as a slow network might.
pub struct ByteByByte<'a>(pub &'a [u8]);

impl Read for ByteByByte<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = buf.len().min(1);
        self.0.read(&mut buf[..len])
    }
}
