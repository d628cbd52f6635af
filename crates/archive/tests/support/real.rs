//! The files that real Dgraph servers wrote.
#![allow(dead_code, reason = "shared by test binaries, of which none needs all")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use graphdb_archive::EncryptionKey;

/// The folder of real data, or `None` after saying that it is absent.
pub(crate) fn data() -> Option<PathBuf> {
    let root = std::env::var_os("GRAPHDB_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let data = root.join("data");
    if data.join("dgraph-backups").is_dir() {
        return Some(data);
    }
    skip(&format!("{} is not there; set GRAPHDB_SHARED to the folder that has data/", data.display()));
    None
}

/// Says on standard error itself that the test of this thread cannot run; `scripts/count-tests.sh` counts the line.
fn skip(why: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    _ = std::io::stderr().write_all(format!("\nSKIPPED {test}: {why}\n").as_bytes());
}

/// Every file below `dir` whose name ends so, in order.
pub(crate) fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap_or_else(|err| panic!("{}: {err}", dir.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("the folder was opened").path()).collect();
    paths.sort();
    let below = |path: PathBuf| match path.is_dir() {
        true => files(&path, ending),
        false => Vec::from_iter(path.to_str().is_some_and(|name| name.ends_with(ending)).then_some(path)),
    };
    paths.into_iter().flat_map(below).collect()
}

/// The key of a series, told by the name of its folder.
pub(crate) fn key(data: &Path, file: &Path) -> Option<EncryptionKey> {
    let keys =
        [("aes128", "aes128.key"), ("v20.07-movies-aes256", "aes256.key"), ("v24.1-kinds-aes256", "aes256-v24.key")];
    let is_in = |series: &str| file.to_str().is_some_and(|path| path.contains(series));
    let (_, name) = keys.into_iter().find(|(series, _)| is_in(series))?;
    let bytes = fs::read(data.join("keys").join(name)).expect("the keys lie beside the backups");
    Some(EncryptionKey::new(&bytes).expect("a key of AES"))
}
