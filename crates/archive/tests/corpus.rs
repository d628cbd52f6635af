//! The inputs that the fuzzer keeps (`scripts/fuzz.sh --keep`), checked without it: what it once reached stays right.
#![expect(unreachable_pub, reason = "the checks are shared with the fuzz targets, which are another crate")]

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::{fs, io};

#[path = "../../../fuzz/src"]
mod checks {
    pub(crate) mod blocks;
    pub(crate) mod compressed;
    pub(crate) mod entries;
    pub(crate) mod frames;
    pub(crate) mod key;
    pub(crate) mod manifest;
    pub(crate) mod posting_list;
    pub(crate) mod schema;
}

/// Runs `check` on every kept input of `target`, and names those that it panics on.
fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let inputs: io::Result<Vec<_>> = fs::read_dir(&folder).and_then(|inputs| inputs.collect());
    let inputs = inputs.unwrap_or_else(|err| panic!("{}: {err}", folder.display()));
    assert!(inputs.len() > 9, "{} has only {} inputs", folder.display(), inputs.len());
    let fails = |path: &PathBuf| {
        let bytes = fs::read(path).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
        catch_unwind(|| check(&bytes)).is_err()
    };
    let failed: Vec<_> = inputs.iter().map(fs::DirEntry::path).filter(fails).collect();
    assert!(failed.is_empty(), "{target} does not hold for {failed:?}");
}

#[test]
fn blocks_are_read_as_what_their_elements_mean() {
    replay("blocks", checks::blocks::check);
}

#[test]
fn compressed_archives_are_refused_or_written_as_they_were_read() {
    replay("compressed", checks::compressed::check);
}

#[test]
fn frames_are_refused_or_written_as_they_were_read() {
    replay("frames", checks::frames::check);
}

#[test]
fn keys_are_refused_or_written_as_they_were_read() {
    replay("key", checks::key::check);
}

#[test]
fn manifests_are_refused_or_sealed_as_they_were_parsed() {
    replay("manifest", checks::manifest::check);
}

#[test]
fn posting_lists_are_refused_or_written_as_they_were_read() {
    replay("posting_list", checks::posting_list::check);
}

#[test]
fn schemas_are_refused_or_written_as_they_were_read() {
    replay("schema", checks::schema::check);
}
