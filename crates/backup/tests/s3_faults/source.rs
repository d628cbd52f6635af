//! The store that every job backs up: made once, copied for each.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use graphdb_storage::Store;
use graphdb_types::{PredicateSchema, ValType};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tempfile::TempDir;

use crate::model::Lists;
use crate::support::{commit, define, delete_all, dump, indexed_string, link, links, open_store, scratch, set};

/// Letters of a text: 64 of them, as good as random, so that an archive has three quarters of the bytes of its texts.
const TEXT_BYTES: usize = 4096;

/// Texts that an incremental backup holds: an archive of about 150 kB.
const CHANGED_TEXTS: u64 = 48;

/// A store at rest, and what it holds before and after [`Copy::change`].
pub(crate) struct Source {
    dir: TempDir,
    pub(crate) before: Lists,
    pub(crate) after: Lists,
}

/// A store of one's own with the same content.
pub(crate) struct Copy {
    pub(crate) store: Arc<Store>,
    _dir: TempDir,
}

impl Source {
    /// A store whose full backup has about three quarters of `text_bytes`.
    pub(crate) fn new(text_bytes: usize) -> Source {
        let dir = scratch();
        fill(&open_store(&dir.path().join("p")), (text_bytes / TEXT_BYTES) as u64);
        let mut source = Source { dir, before: Lists::new(), after: Lists::new() };
        let copy = source.copy();
        source.before = dump(&copy.store);
        copy.change();
        source.after = dump(&copy.store);
        assert_ne!(source.before, source.after);
        source
    }

    pub(crate) fn copy(&self) -> Copy {
        let dir = scratch();
        let to = dir.path().join("p");
        copy_files(&self.dir.path().join("p"), &to);
        Copy { store: open_store(&to), _dir: dir }
    }
}

impl Copy {
    /// Does the same to every copy.
    pub(crate) fn change(&self) {
        let mut edges: Vec<_> = (1..=CHANGED_TEXTS).map(|i| set(i, "text", &text(1000 + i))).collect();
        edges.extend((1..9).map(|i| link(i, "friend", i + 2)));
        commit(&self.store, edges);
        commit(&self.store, vec![delete_all(CHANGED_TEXTS + 1, "text"), delete_all(2, "friend")]);
    }
}

fn fill(store: &Store, texts: u64) {
    let text_schema = PredicateSchema { value_type: ValType::String, ..PredicateSchema::default() };
    define(store, &[("name", indexed_string()), ("friend", links()), ("text", text_schema)]);
    let mut edges: Vec<_> = (1..=texts).map(|i| set(i, "text", &text(i))).collect();
    edges.extend((1..20).map(|i| set(i, "name", &format!("name {i}"))));
    edges.extend((1..9).map(|i| link(i, "friend", i + 1)));
    commit(store, edges);
}

fn text(seed: u64) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut random = StdRng::seed_from_u64(seed);
    (0..TEXT_BYTES).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])).collect()
}

fn copy_files(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_files(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}
