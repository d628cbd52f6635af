//! Directories and files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use graphdb_destination::testing::servers::skip;
use tempfile::TempDir;

use super::{Client, cli};

/// A temporary directory. Its paths are UTF-8.
pub(crate) struct Folder(TempDir);

/// A directory of one's own, removed in the end.
pub(crate) fn temp_dir() -> Folder {
    Folder(tempfile::Builder::new().prefix("graphdb-test-").tempdir().unwrap())
}

impl Folder {
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// A path below it, as text.
    pub(crate) fn at(&self, name: &str) -> String {
        self.path().join(name).to_str().unwrap().to_owned()
    }

    /// A directory below it that exists.
    pub(crate) fn dir(&self, name: &str) -> String {
        fs::create_dir_all(self.path().join(name)).unwrap();
        self.at(name)
    }

    /// A file below it.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.path().join(name), content).unwrap();
        self.at(name)
    }
}

/// The root of the project.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Real data that is not part of the project: in `GRAPHDB_SHARED`, or beside the checkout. Says so when it is not there.
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("GRAPHDB_SHARED").map_or_else(|| workspace().join("../shared"), PathBuf::from);
    let path = root.join(name);
    if path.exists() {
        return Some(path);
    }
    skip(&format!("{} is not there; set GRAPHDB_SHARED to the folder that has {name}", path.display()));
    None
}

/// Loads the sample graph of so many nodes.
#[track_caller]
pub(crate) fn sample(client: &Client, nodes: u64) {
    let dir = temp_dir();
    cli(&["sample", "--scale", &nodes.to_string(), "--output", &dir.at("")]).ok();
    cli(&["live", "-f", &dir.at("sample.rdf.gz"), "-s", &dir.at("sample.schema"), "--alpha", client.url()]).ok();
}

/// Commits values that compress badly, to make backups that take a while: `count` nodes with 16 KiB in the predicate `noise` each.
#[track_caller]
pub(crate) fn noise(client: &Client, count: usize) {
    const AT_ONCE: usize = 128;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for first in (0..count).step_by(AT_ONCE) {
        let mut rdf = String::from("{ set {\n");
        for node in first..count.min(first + AT_ONCE) {
            rdf.push_str(&format!("_:n{node} <noise> \""));
            for _ in 0..1024 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                rdf.push_str(&format!("{:016x}", state ^ (state >> 29)));
            }
            rdf.push_str("\" .\n");
        }
        client.mutate(&(rdf + "} }"));
    }
}

/// Every file below a directory, by its path there. What vanishes meanwhile is left out.
pub(crate) fn tree(dir: impl AsRef<Path>) -> BTreeSet<String> {
    let (root, mut found, mut todo) = (dir.as_ref(), BTreeSet::new(), vec![dir.as_ref().to_owned()]);
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                todo.push(path);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found
}

/// The manifests at a location, oldest first.
pub(crate) fn manifests(location: &str) -> Vec<PathBuf> {
    tree(location)
        .iter()
        .filter(|name| name.ends_with("/manifest.json"))
        .map(|name| Path::new(location).join(name))
        .collect()
}

/// Whether a lock is there.
pub(crate) fn has_lock(location: &str) -> bool {
    tree(location).iter().any(|name| name.starts_with("graphdb.lock."))
}

/// The folders of backups at a location, finished or not, oldest first.
pub(crate) fn folders(location: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(location).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// Copies a directory with everything in it.
pub(crate) fn copy_tree(from: impl AsRef<Path>, to: impl AsRef<Path>) {
    fs::create_dir_all(&to).unwrap();
    for name in tree(&from) {
        let target = to.as_ref().join(&name);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(from.as_ref().join(&name), target).unwrap();
    }
}
