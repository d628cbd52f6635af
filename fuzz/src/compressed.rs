//! Archives as they are stored, without a key: gzip of one member and of many, Snappy and S2.

use std::io::Read;

use graphdb_archive::{
    ArchiveOptions, ArchiveReader, ArchiveWriter, Error, GzipLevel, Sha256Digest, StoredObject, check_stored,
};
use graphdb_types::Schema;

use super::entries::{ByteByByte, Entry, read_all};

/// How the bytes arrive changes nothing, what was found of an archive proves it, and its entries are written as they were
/// read.
pub fn check(bytes: &[u8]) {
    let found = read(bytes).ok();
    assert_eq!(read(ByteByByte(bytes)).ok(), found, "byte by byte");
    let Some((entries, object)) = found else { return };
    assert_eq!((object.size_bytes, object.sha256), (bytes.len() as u64, Sha256Digest::of(bytes)));
    check_stored(bytes, None, &object).expect("the object was found in these bytes");
    let (stored, object) = write(&entries);
    assert_eq!(read(&stored[..]).expect("it was just written"), (entries, object), "written and read again");
}

pub(super) fn read(input: impl Read) -> Result<(Vec<Entry>, StoredObject), Error> {
    let mut archive = ArchiveReader::open(input, None, 0)?;
    let entries = read_all(&mut archive, ArchiveReader::advance, ArchiveReader::current)?;
    let object = archive.finish()?;
    assert_eq!(object.entries, entries.len() as u64);
    Ok((entries, object))
}

fn write(entries: &[Entry]) -> (Vec<u8>, StoredObject) {
    let options = ArchiveOptions { level: GzipLevel::default(), workers: 0 };
    let mut archive = ArchiveWriter::start(Vec::new(), None, options).expect("memory takes all");
    for entry in entries {
        archive.push(entry.kv()).expect("memory takes all");
    }
    archive.finish(&Schema::default()).expect("memory takes all")
}
