//! The names of earlier runs: a line for each, `uid TAB name`, in the order they were met.
//!
//! Names are on disk before a statement that uses them is sent, so a run that was killed can be repeated and finds its nodes again.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use graphdb_types::Uid;

use super::names::NameTable;

/// A file that grows with the names.
pub(crate) struct XidMap {
    path: PathBuf,
    file: BufWriter<File>,
    /// How many of the names are in the file.
    written: usize,
}

impl XidMap {
    /// Opens the file, or makes it, and adds its names to `names`. A last line without its end is what a killed run left; it is removed.
    pub(crate) fn open(path: &Path, names: &mut NameTable) -> anyhow::Result<XidMap> {
        let what = || format!("xidmap {}", path.display());
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).with_context(what)?;
        let whole = read(&file, names).with_context(what)?;
        file.set_len(whole).with_context(what)?;
        file.seek(SeekFrom::End(0)).with_context(what)?;
        Ok(XidMap { path: path.to_owned(), file: BufWriter::new(file), written: names.len() })
    }

    /// Writes the names that came since the last call.
    pub(crate) fn catch_up(&mut self, names: &NameTable) -> anyhow::Result<()> {
        let written = (|| {
            for (name, uid) in names.since(self.written) {
                writeln!(self.file, "{uid}\t{}", escaped(name))?;
            }
            self.file.flush()
        })();
        written.with_context(|| format!("write xidmap {}", self.path.display()))?;
        self.written = names.len();
        Ok(())
    }
}

/// Reads whole lines and returns how many bytes they are.
fn read(file: &File, names: &mut NameTable) -> anyhow::Result<u64> {
    let mut reader = BufReader::new(file);
    let (mut line, mut whole, mut number) = (String::new(), 0, 0);
    loop {
        line.clear();
        whole += match reader.read_line(&mut line)? {
            0 => return Ok(whole),
            _ if !line.ends_with('\n') => return Ok(whole),
            bytes => bytes as u64,
        };
        number += 1;
        let (uid, name) = parse(line.trim_end_matches('\n')).ok_or_else(|| {
            anyhow!("line {number} is not a uid, a tab and a name; give another file, or remove this one")
        })?;
        if names.get(&name).is_none() {
            names.insert(&name, uid)?;
        }
    }
}

fn parse(line: &str) -> Option<(Uid, String)> {
    let (uid, name) = line.split_once('\t')?;
    let uid: Uid = uid.parse().ok()?;
    uid.is_valid().then(|| (uid, unescaped(name)))
}

fn escaped(name: &str) -> String {
    name.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r")
}

fn unescaped(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('n')) => name.push('\n'),
            ('\\', Some('r')) => name.push('\r'),
            ('\\', Some(escaped)) => name.push(escaped),
            (c, _) => name.push(c),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::fs;

    use super::*;

    const NAMES: [(&str, u64); 3] = [("_:a", 5), ("http://x/y", 0xfff), ("_:od\\d\n\tname", 7)];

    #[test]
    fn names_are_found_again_and_continued() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("names.tsv");
        for round in 1..=NAMES.len() {
            let mut names = NameTable::default();
            let mut map = XidMap::open(&path, &mut names).unwrap();
            assert_eq!(names.len(), round - 1);
            assert!(NAMES[..round - 1].iter().all(|(name, uid)| names.get(name) == Some(Uid(*uid))));
            names.insert(NAMES[round - 1].0, Uid(NAMES[round - 1].1)).unwrap();
            map.catch_up(&names).unwrap();
        }
    }

    #[test]
    fn a_line_that_was_cut_off_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("names.tsv");
        fs::write(&path, "0x1\t_:a\n0x2\t_:long").unwrap();
        let mut names = NameTable::default();
        let mut map = XidMap::open(&path, &mut names).unwrap();
        names.insert("_:b", Uid(3)).unwrap();
        map.catch_up(&names).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "0x1\t_:a\n0x3\t_:b\n");
    }

    #[test]
    fn a_file_of_something_else_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("films.rdf");
        fs::write(&path, "<0x1> <name> \"x\" .\n").unwrap();
        let error = format!("{:#}", XidMap::open(&path, &mut NameTable::default()).err().unwrap());
        assert!(error.contains("line 1") && error.contains("films.rdf"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "<0x1> <name> \"x\" .\n");
    }
}
