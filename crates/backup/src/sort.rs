//! Sorting more than memory holds: runs are sorted in a buffer, written to files, and merged while they are read back.
//!
//! Dgraph's archives hold their key-values in no order, and lists that are derived from data come in the order of the data; a store is built
//! of keys in order. Memory is the buffer, and while runs are merged a small buffer for each of them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Runs that are merged at once; more are first merged into one. Memory is this times [`RUN_BUFFER_BYTES`].
const MAX_RUNS: usize = 64;

/// Bytes read ahead of each run.
const RUN_BUFFER_BYTES: usize = 256 << 10;

/// What a record costs beside its bytes.
const RECORD_BYTES: usize = size_of::<Record>();

/// Collects records, and gives them back in the order of their keys; those of equal keys in the order they came.
#[derive(Debug)]
pub(crate) struct Sorter {
    dir: PathBuf,
    name: &'static str,
    budget: usize,
    bytes: Vec<u8>,
    records: Vec<Record>,
    runs: Vec<PathBuf>,
    written: usize,
}

/// Where a record lies in the buffer: key, then value.
#[derive(Clone, Copy, Debug)]
struct Record {
    at: usize,
    key_len: u32,
    value_len: u32,
}

impl Record {
    fn key<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.at..][..self.key_len as usize]
    }

    fn value<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.at + self.key_len as usize..][..self.value_len as usize]
    }
}

impl Sorter {
    /// A sorter that holds up to `budget` bytes (and one record) in memory, and writes the rest into files in `dir` whose names begin with
    /// `name`. They are removed when the sorter, or what it became, goes.
    pub(crate) fn new(dir: &Path, name: &'static str, budget: usize) -> Sorter {
        Sorter {
            dir: dir.to_owned(),
            name,
            budget,
            bytes: Vec::new(),
            records: Vec::new(),
            runs: Vec::new(),
            written: 0,
        }
    }

    /// Adds a record. Keys and values are shorter than 4 GiB.
    pub(crate) fn push(&mut self, key: &[&[u8]], value: &[u8]) -> Result<()> {
        let at = self.bytes.len();
        key.iter().for_each(|part| self.bytes.extend_from_slice(part));
        let len = |len: usize| {
            u32::try_from(len).map_err(|_| Error::io("sort in", &self.dir)(io::Error::other("a record of 4 GiB")))
        };
        let key_len = len(self.bytes.len() - at)?;
        let value_len = len(value.len())?;
        self.bytes.extend_from_slice(value);
        self.records.push(Record { at, key_len, value_len });
        if self.bytes.len() + self.records.len() * RECORD_BYTES >= self.budget { self.spill() } else { Ok(()) }
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        self.records.sort_unstable_by(|a, b| a.key(bytes).cmp(b.key(bytes)).then(a.at.cmp(&b.at)));
    }

    /// Writes what is in memory as a run.
    fn spill(&mut self) -> Result<()> {
        self.sort();
        let path = self.next_run();
        let written = write_run(&path, self.records.iter().map(|r| (r.key(&self.bytes), r.value(&self.bytes))));
        self.runs.push(path);
        written.map_err(Error::io("write sorted key-values in", &self.dir))?;
        self.bytes.clear();
        self.records.clear();
        if self.runs.len() < MAX_RUNS { Ok(()) } else { self.merge_runs() }
    }

    /// Makes one run of all: the oldest, so that records of equal keys stay in the order they came.
    fn merge_runs(&mut self) -> Result<()> {
        let path = self.next_run();
        let mut merged = Runs::open(std::mem::take(&mut self.runs)).map_err(Error::io("sort in", &self.dir))?;
        self.runs.push(path.clone());
        copy_run(&mut merged, &path).map_err(Error::io("merge sorted key-values in", &self.dir))
    }

    fn next_run(&mut self) -> PathBuf {
        self.written += 1;
        self.dir.join(format!("{}-{:06}.run", self.name, self.written))
    }

    /// Ends the collecting.
    pub(crate) fn finish(mut self) -> Result<Sorted> {
        if !self.runs.is_empty() && !self.records.is_empty() {
            self.spill()?;
        }
        let dir = self.dir.clone();
        if self.runs.is_empty() {
            self.sort();
            let (bytes, records) = (std::mem::take(&mut self.bytes), std::mem::take(&mut self.records));
            return Ok(Sorted { dir, source: SortedSource::Memory { bytes, records, next: 0 } });
        }
        self.bytes = Vec::new();
        let runs = Runs::open(std::mem::take(&mut self.runs)).map_err(Error::io("sort in", &dir))?;
        Ok(Sorted { dir, source: SortedSource::Runs(runs) })
    }
}

impl Drop for Sorter {
    fn drop(&mut self) {
        remove(&self.runs);
    }
}

fn remove(runs: &[PathBuf]) {
    for run in runs {
        if let Err(err) = fs::remove_file(run) {
            tracing::debug!(%err, run = %run.display(), "a run could not be removed; its directory will be");
        }
    }
}

fn create(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).open(path)
}

fn write_run<'a>(path: &Path, records: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(RUN_BUFFER_BYTES, create(path)?);
    for (key, value) in records {
        put_record(&mut out, key, value)?;
    }
    out.flush()
}

fn copy_run(runs: &mut Runs, path: &Path) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(RUN_BUFFER_BYTES, create(path)?);
    while let Some((key, value)) = runs.next()? {
        put_record(&mut out, key, value)?;
    }
    out.flush()
}

fn put_record(out: &mut impl Write, key: &[u8], value: &[u8]) -> io::Result<()> {
    for part in [key, value] {
        let len = u32::try_from(part.len()).map_err(io::Error::other)?;
        out.write_all(&len.to_le_bytes())?;
    }
    out.write_all(key)?;
    out.write_all(value)
}

/// Records in order.
#[derive(Debug)]
pub(crate) struct Sorted {
    dir: PathBuf,
    source: SortedSource,
}

#[derive(Debug)]
enum SortedSource {
    Memory { bytes: Vec<u8>, records: Vec<Record>, next: usize },
    Runs(Runs),
}

impl Sorted {
    /// The next record, key and value.
    pub(crate) fn next(&mut self) -> Result<Option<(&[u8], &[u8])>> {
        match &mut self.source {
            SortedSource::Memory { bytes, records, next } => {
                let record = records.get(*next);
                *next += 1;
                Ok(record.map(|record| (record.key(bytes), record.value(bytes))))
            }
            SortedSource::Runs(runs) => runs.next().map_err(Error::io("read sorted key-values in", &self.dir)),
        }
    }
}

/// Runs that are being merged.
#[derive(Debug)]
struct Runs {
    paths: Vec<PathBuf>,
    readers: Vec<BufReader<File>>,
    /// The next key of each run, and the run: of equal keys the older run's comes first.
    heads: BinaryHeap<Reverse<(Vec<u8>, usize)>>,
    values: Vec<Vec<u8>>,
    /// The run whose record was shown last.
    shown: Option<(Vec<u8>, usize)>,
}

impl Runs {
    fn open(paths: Vec<PathBuf>) -> io::Result<Runs> {
        let mut runs = Runs {
            readers: Vec::with_capacity(paths.len()),
            heads: BinaryHeap::with_capacity(paths.len()),
            values: vec![Vec::new(); paths.len()],
            paths,
            shown: None,
        };
        for (number, path) in runs.paths.iter().enumerate() {
            let mut reader = BufReader::with_capacity(RUN_BUFFER_BYTES, File::open(path)?);
            let mut key = Vec::new();
            if read_record(&mut reader, &mut key, &mut runs.values[number])? {
                runs.heads.push(Reverse((key, number)));
            }
            runs.readers.push(reader);
        }
        Ok(runs)
    }

    fn next(&mut self) -> io::Result<Option<(&[u8], &[u8])>> {
        if let Some((mut key, run)) = self.shown.take()
            && read_record(&mut self.readers[run], &mut key, &mut self.values[run])?
        {
            self.heads.push(Reverse((key, run)));
        }
        self.shown = self.heads.pop().map(|Reverse(head)| head);
        Ok(self.shown.as_ref().map(|(key, run)| (key.as_slice(), self.values[*run].as_slice())))
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        remove(&self.paths);
    }
}

/// Reads a record; `false` at the end of a run.
fn read_record(reader: &mut impl Read, key: &mut Vec<u8>, value: &mut Vec<u8>) -> io::Result<bool> {
    let mut lens = [0; 8];
    match reader.read_exact(&mut lens[..1]) {
        Err(err) if err.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        read => read?,
    }
    reader.read_exact(&mut lens[1..])?;
    let (key_len, value_len) = lens.split_at(4);
    for (part, len) in [(key, key_len), (value, value_len)] {
        let len = u32::from_le_bytes(len.try_into().expect("half of eight bytes"));
        part.clear();
        part.resize(len as usize, 0);
        reader.read_exact(part)?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::*;

    fn drain(mut sorted: Sorted) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut all = Vec::new();
        while let Some((key, value)) = sorted.next().unwrap() {
            all.push((key.to_vec(), value.to_vec()));
        }
        assert!(sorted.next().unwrap().is_none(), "the end stays the end");
        all
    }

    #[test]
    fn records_come_back_in_order_however_little_memory_there_is() {
        let records: Vec<_> = (0..3000u32).map(|n| (n.wrapping_mul(2_654_435_761) % 500, n)).collect();
        let mut expected = records.clone();
        expected.sort(); // keys repeat, and their values ascend as they came
        for budget in [1, 400, 20_000, 1 << 20] {
            let dir = tempfile::tempdir().unwrap();
            let mut sorter = Sorter::new(dir.path(), "test", budget);
            for (key, value) in &records {
                sorter.push(&[&key.to_be_bytes()[..1], &key.to_be_bytes()[1..]], &value.to_be_bytes()).unwrap();
            }
            assert!(fs::read_dir(dir.path()).unwrap().count() <= MAX_RUNS);
            let number = |bytes: Vec<u8>| u32::from_be_bytes(bytes.try_into().unwrap());
            let sorted: Vec<_> =
                drain(sorter.finish().unwrap()).into_iter().map(|(k, v)| (number(k), number(v))).collect();
            assert_eq!(sorted, expected, "budget {budget}");
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "runs are removed");
        }
    }

    #[test]
    fn empty_keys_and_values_are_records_too() {
        let dir = tempfile::tempdir().unwrap();
        let mut sorter = Sorter::new(dir.path(), "test", 1);
        for (key, value) in [("b", ""), ("", ""), ("a", "x")] {
            sorter.push(&[key.as_bytes()], value.as_bytes()).unwrap();
        }
        let keys: Vec<_> = drain(sorter.finish().unwrap()).into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, [&b""[..], b"a", b"b"]);
        assert!(drain(Sorter::new(dir.path(), "none", 1).finish().unwrap()).is_empty());
    }

    #[test]
    fn a_sorter_that_is_dropped_leaves_no_files() {
        let dir = tempfile::tempdir().unwrap();
        let mut sorter = Sorter::new(dir.path(), "test", 1);
        sorter.push(&[b"k"], b"v").unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        drop(sorter);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
