//! Frames, bare and within an archive.

use std::io::{Read, Write};

use graphdb_archive::{ArchiveReader, Error, FrameReader, FrameWriter, GzipLevel, GzipWriter};

use super::entries::{ByteByByte, Entry, read_all};

/// How the bytes arrive changes nothing; frames are written as they were read; an archive gives what its frames give.
pub fn check(bytes: &[u8]) {
    let found = read(bytes, bytes.len());
    let (slowly, at_once) = (read(ByteByByte(bytes), bytes.len()), found.as_ref());
    assert_eq!(slowly.map_err(|err| err.to_string()).as_ref(), at_once.map_err(Error::to_string).as_ref().copied());
    let Ok(entries) = found else { return };
    let written = write(&entries);
    assert_eq!(read(&written[..], written.len()).expect("it was just written"), entries, "written and read again");
    check_archive(bytes, &entries);
}

fn read(input: impl Read, len: usize) -> Result<Vec<Entry>, Error> {
    let mut frames = FrameReader::new(input);
    let entries = read_all(&mut frames, FrameReader::advance, FrameReader::current)?;
    assert_eq!(frames.entries(), entries.len() as u64);
    assert_eq!(frames.raw_bytes(), len as u64, "a stream ends where its last frame does");
    Ok(entries)
}

fn write(entries: &[Entry]) -> Vec<u8> {
    let mut frames = FrameWriter::new(Vec::new());
    for entry in entries {
        frames.push(entry.kv()).expect("memory takes all");
    }
    frames.finish().expect("memory takes all")
}

fn check_archive(bytes: &[u8], entries: &[Entry]) {
    let mut gzip = GzipWriter::new(Vec::new(), GzipLevel::new(1).expect("1 is a level"), 0);
    gzip.write_all(bytes).expect("memory takes all");
    let stored = gzip.finish().expect("memory takes all");
    let mut archive = ArchiveReader::open(&stored[..], None, 0).expect("it was just written");
    let found = read_all(&mut archive, ArchiveReader::advance, ArchiveReader::current);
    assert_eq!(found.expect("it was just written"), entries, "within an archive");
    let object = archive.finish().expect("it was read before");
    assert_eq!((object.entries, object.raw_bytes), (entries.len() as u64, bytes.len() as u64));
}
