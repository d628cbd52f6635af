//! Copies of real series with something done to them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use graphdb_archive::ArchiveReader;
use graphdb_backup::{EncryptionKey, Kind, Level, Offset, Outcome, Severity, VerifyReport, VerifyRequest};
use tempfile::TempDir;

use super::{errors, to_verify, told, verified};
use crate::data::data;

/// A copy of a real series.
struct Copy {
    dir: TempDir,
    request: VerifyRequest,
}

impl Copy {
    fn of(data: &Path, folder: &str) -> Copy {
        let dir = tempfile::tempdir().unwrap();
        copy_tree(&data.join("dgraph-backups").join(folder), dir.path());
        let request = to_verify(data, folder, Level::Default, Path::new(""));
        let location = dir.path().to_str().unwrap().into();
        Copy { dir, request: VerifyRequest { location, ..request } }
    }

    async fn verify(&self) -> VerifyReport {
        verified(&self.request).await
    }

    /// The archives, in the order of their names.
    fn archives(&self) -> Vec<PathBuf> {
        let mut archives: Vec<PathBuf> = fs::read_dir(self.dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir())
            .flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>())
            .filter(|path| path.extension().is_some_and(|extension| extension == "backup"))
            .collect();
        archives.sort();
        archives
    }

    /// That the damage of this archive, and of no other, is found.
    async fn assert_found(&self, archive: &Path, what: &str) {
        let report = self.verify().await;
        let name = archive.strip_prefix(self.dir.path()).unwrap().to_str().unwrap();
        assert_eq!(report.outcome(), Outcome::Damaged, "{what} of {name}: {:#?}", report.findings);
        for error in errors(&report) {
            assert_eq!(error.object.as_ref().map(|object| object.as_str()), Some(name), "{what}: {error}");
        }
        for other in report.objects().filter(|object| object.object.as_str() != name) {
            assert!(other.entries.is_some(), "{what}: {} was not read", other.object);
        }
    }
}

fn copy_tree(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir(&target).unwrap();
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}

/// Key, value, user_meta, version.
type Entry = (Vec<u8>, Vec<u8>, u8, u64);

/// Every key-value of an archive; `None` if it cannot be read.
fn content(archive: &[u8], key: Option<&EncryptionKey>) -> Option<Vec<Entry>> {
    let mut reader = ArchiveReader::open(archive, key, 0).ok()?;
    let mut entries = Vec::new();
    while let Some(kv) = reader.next().ok()? {
        entries.push((kv.key.to_vec(), kv.value.to_vec(), kv.user_meta, kv.version));
    }
    reader.finish().ok().map(|_| entries)
}

/// Of every compression, plain and encrypted; with where the bytes begin that a checksum covers.
const FORMS: [(&str, usize); 5] = [
    ("v1.2-kinds", 10),        // gzip: its header has bytes that mean nothing
    ("v20.11-aes128", 26),     // gzip behind an IV
    ("v21.12-random", 0),      // snappy
    ("v24.1-kinds-aes256", 0), // snappy, AES
    ("v25.4-kinds", 0),        // S2
];

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_an_object_of_any_form_is_found() {
    let Some(data) = data() else { return };
    for (folder, from) in FORMS {
        let copy = Copy::of(&data, folder);
        let archive = copy.archives().remove(1);
        let (body, mut found) = (fs::read(&archive).unwrap(), 0);
        for at in (from..body.len()).step_by(body.len().div_ceil(16)) {
            let mut damaged = body.clone();
            damaged[at] ^= 1 << (at % 8);
            fs::write(&archive, &damaged).unwrap();
            let key = copy.request.key.as_deref();
            // Where data repeats, a copy from another place may give the same.
            if content(&damaged, key).is_none_or(|found| Some(found) != content(&body, key)) {
                copy.assert_found(&archive, &format!("bit at {at}")).await;
                found += 1;
            }
        }
        assert!(found >= 12, "{folder}: {found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_are_cut_lengthened_or_emptied_are_found() {
    let Some(data) = data() else { return };
    for (folder, _) in FORMS {
        let copy = Copy::of(&data, folder);
        let archive = copy.archives().remove(1);
        let body = fs::read(&archive).unwrap();
        for len in [0, 1, 15, 16, 17, 30, body.len() / 2, body.len() - 1] {
            fs::write(&archive, &body[..len]).unwrap();
            copy.assert_found(&archive, &format!("{len} bytes")).await;
        }
        for more in [&b"\0"[..], b"more of it", &body] {
            fs::write(&archive, [&body, more].concat()).unwrap();
            let report = copy.verify().await;
            // A second copy behind the first is more of the same for gzip and snappy: many members, many streams.
            if more.len() < body.len() || copy.request.key.is_some() {
                assert_eq!(report.outcome(), Outcome::Damaged, "{folder}, {} more: {:#?}", more.len(), report.findings);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_located_in_the_object_as_it_is_stored() {
    let Some(data) = data() else { return };
    let copy = Copy::of(&data, "v24.1-kinds-aes256");
    let archive = copy.archives().remove(0);
    let body = fs::read(&archive).unwrap();
    fs::write(&archive, &body[..body.len() - 5]).unwrap();
    let report = copy.verify().await;
    let error = errors(&report).next().unwrap();
    assert_eq!((error.kind, error.offset), (Kind::Archive, Some(Offset::Stored(body.len() as u64 - 5))), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_object_of_a_newer_backup_in_the_place_of_an_older_one_is_too_new() {
    let Some(data) = data() else { return };
    let copy = Copy::of(&data, "v25.4-kinds");
    let archives = copy.archives();
    fs::copy(&archives[2], &archives[1]).unwrap();
    let report = copy.verify().await;
    let version = report.findings.iter().find(|f| f.kind == Kind::Version && f.severity == Severity::Warning).unwrap();
    assert_eq!(version.backup_num, Some(2));
    assert!(version.what.contains("above 370"), "{version}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_decrypts_nothing_is_called_wrong_and_nothing_damaged() {
    let Some(data) = data() else { return };
    for folder in ["v20.11-aes128", "v24.1-kinds-aes256"] {
        let mut copy = Copy::of(&data, folder);
        copy.request.key = Some(Arc::new(EncryptionKey::new(&[7; 32]).unwrap()));
        let report = copy.verify().await;
        assert_eq!(report.outcome(), Outcome::Incomplete, "{:#?}", report.findings);
        assert!(errors(&report).all(|error| error.kind == Kind::KeyNeeded), "{:#?}", report.findings);
        copy.request.key = None;
        let report = copy.verify().await;
        assert_eq!(report.outcome(), Outcome::Incomplete, "{:#?}", report.findings);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_names_other_predicates_than_are_there_is_found() {
    let Some(data) = data() else { return };
    let manifest = |from: &str, to: &str| {
        let copy = Copy::of(&data, "v20.11-single");
        let path = copy.archives()[0].with_file_name("manifest.json");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        copy
    };
    let more = manifest("\"Author.name\"", "\"Author.name\", \"nothing\"").verify().await;
    assert_eq!(told(&more), ["warning absent-predicate nothing"], "{:#?}", more.findings);
    let other = manifest("\"Author.name\"", "\"nothing\"").verify().await;
    assert!(told(&other).contains(&"warning absent-predicate nothing".into()), "{:#?}", other.findings);
    let unnamed = other.findings.iter().find(|finding| finding.kind == Kind::UnnamedPredicate).unwrap();
    assert!(unnamed.what.contains("Author.name") && unnamed.key.is_some() && unnamed.offset.is_some(), "{unnamed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_manifest_that_is_damaged_is_an_error_and_no_empty_location() {
    let Some(data) = data() else { return };
    for body in ["", "{", "{\"Manifests\":", "[]", "{\"Manifests\":[{\"type\":\"full\"}]}"] {
        let copy = Copy::of(&data, "v25.4-stale-index");
        fs::write(copy.dir.path().join("manifest.json"), body).unwrap();
        let report = copy.verify().await;
        assert_eq!(report.outcome(), Outcome::Damaged, "{body}: {:#?}", report.findings);
        assert!(errors(&report).all(|error| error.kind == Kind::Manifest), "{body}: {:#?}", report.findings);
    }
}
