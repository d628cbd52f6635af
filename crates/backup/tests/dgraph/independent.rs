//! The decoder of `tests/independent`, which shares nothing with this code, must read every backup as we do: Dgraph's and ours.

mod canonical;
mod graph;
mod tokens;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use graphdb_backup::{
    BackupContext, BackupRequest, BackupTerms, Compat, EncryptionKey, Progress, SeriesRequest, backup,
};
use graphdb_destination::testing::servers::skip;
use graphdb_types::Namespace;

use crate::data::{SERIES, data, request};
use canonical::{Dump, dump};
use graph::Graph;

/// The interpreter with the decoder's packages and the decoder, or `None` after saying that they are not there.
fn decoder() -> Option<[PathBuf; 2]> {
    let python = Path::new(env!("CARGO_TARGET_TMPDIR")).join("independent/bin/python");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/independent/decode.py");
    if python.exists() {
        return Some([python, script]);
    }
    skip(&format!("{} is not there; `make setup` installs it", python.display()));
    None
}

/// What the decoder prints of a series, line by line.
fn decoded([python, script]: &[PathBuf; 2], location: &Path, number: u64, key: Option<&Path>) -> Vec<String> {
    let mut command = Command::new(python);
    command.arg(script).arg(location).args(["--backup-num", &number.to_string()]);
    if let Some(key) = key {
        command.arg("--key-file").arg(key);
    }
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} {number}: {errors}", location.display());
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn assert_same(found: &[String], expected: &[String], of: &str) {
    let [found, expected] = [found, expected].map(|lines| lines.iter().cloned().collect::<BTreeSet<_>>());
    let only =
        |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).take(5).cloned().collect::<Vec<_>>().join("\n");
    assert!(
        found == expected,
        "{of}\nonly we read:\n{}\nonly the decoder reads:\n{}",
        only(&found, &expected),
        only(&expected, &found)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_decoder_reads_every_backup_of_dgraph_as_we_do() {
    let (Some(data), Some(decoder)) = (data(), decoder()) else { return };
    for (folder, backups) in SERIES {
        for number in 1..=backups {
            let request = SeriesRequest { backup_num: Some(number), ..request(&data, folder) };
            let key = match folder {
                "v20.11-aes128" => Some(data.join("keys/aes128.key")),
                "v24.1-kinds-aes256" => Some(data.join("keys/aes256-v24.key")),
                _ => None,
            };
            let Dump { lines, .. } = dump(&request, false).await;
            let expected = decoded(&decoder, &data.join("dgraph-backups").join(folder), number, key.as_deref());
            assert!(expected.len() > 1 || lines.len() <= 1, "{folder} {number} is not empty");
            assert_same(&lines, &expected, &format!("{folder} {number}"));
        }
    }
}

/// In what way a backup of ours is written.
#[derive(Clone, Copy, Debug)]
struct Manner {
    compat: Option<Compat>,
    key_bytes: Option<usize>,
    namespace: Namespace,
}

const ROOT: Namespace = Namespace::ROOT;
const TENANT: Namespace = Namespace(0x12f);

#[tokio::test(flavor = "multi_thread")]
async fn the_decoder_reads_every_backup_of_ours_as_we_do() {
    let Some(decoder) = decoder() else { return };
    for (compat, key_bytes, namespace) in [
        (None, None, ROOT),
        (None, Some(32), ROOT),
        (None, Some(16), TENANT),
        (Some(Compat::V1_1), None, ROOT),
        (Some(Compat::V1_1), Some(24), ROOT),
        (Some(Compat::V21_12), None, ROOT),
        (Some(Compat::V21_12), Some(32), TENANT),
    ] {
        check_ours(&decoder, Manner { compat, key_bytes, namespace }).await;
    }
}

/// Takes a full backup and increments of a graph that lives through everything, and compares what both read of each. The plain backup in the
/// usual form is what the others must equal.
async fn check_ours(decoder: &[PathBuf; 2], manner: Manner) {
    let dir = tempfile::tempdir().unwrap();
    let key: Option<Vec<u8>> = manner.key_bytes.map(|len| (0..len as u8).map(|byte| byte ^ 0x5a).collect());
    let key_file = key.as_ref().map(|key| {
        let path = dir.path().join("key");
        std::fs::write(&path, key).unwrap();
        path
    });
    let key = key.map(|key| std::sync::Arc::new(EncryptionKey::new(&key).unwrap()));
    let (ours, plain) = (dir.path().join("ours"), dir.path().join("plain"));
    let graph = Graph::open(&dir.path().join("p"), manner.namespace);
    for (number, step) in (1..).zip(Graph::STORY) {
        step(&graph);
        let sealed = take(&graph, &ours, key.clone(), manner.compat).await;
        assert_eq!(sealed.manifest().backup_num, number, "{manner:?}");
        take(&graph, &plain, None, None).await;

        let request = |location: &Path, key| SeriesRequest {
            location: location.to_str().unwrap().into(),
            key,
            ..SeriesRequest::default()
        };
        let mut read = dump(&request(&ours, key.clone()), false).await;
        assert_eq!(read.lists, dump(&request(&plain, None), false).await.lists, "{manner:?} {number}");
        let rebuilt = dump(&request(&ours, key.clone()), true).await;
        assert_eq!(rebuilt.stale, "", "{manner:?} {number}");
        assert_eq!((&rebuilt.lines, &rebuilt.lists), (&read.lines, &read.lists), "{manner:?} {number}");

        let mut expected = decoded(decoder, &ours, number, key_file.as_deref());
        // Of these the decoder sees what Dgraph does, which is less than we read; that it is told besides.
        let told: Vec<String> = sealed.manifest().dialect.alter.iter().map(|text| graph::head_of(text)).collect();
        assert_eq!(told, graph.told(number, manner.compat.unwrap_or_default()), "{manner:?} {number}");
        for lines in [&mut read.lines, &mut expected] {
            let kept = |line: &String| !told.iter().any(|head| line.starts_with(head.as_str()));
            let (same, less): (Vec<_>, Vec<_>) = std::mem::take(lines).into_iter().partition(kept);
            assert_eq!(less.len(), told.len(), "{less:?} {told:?}");
            *lines = same;
        }
        assert!(expected.len() > 5, "{manner:?} {number}: {expected:?}");
        assert_same(&read.lines, &expected, &format!("{manner:?} {number}"));
    }
}

async fn take(
    graph: &Graph,
    place: &Path,
    key: Option<std::sync::Arc<EncryptionKey>>,
    compat: Option<Compat>,
) -> graphdb_archive::SealedManifest {
    std::fs::create_dir_all(place).unwrap();
    let context = BackupContext { key, ..BackupContext::default() };
    // Only the first names the Dgraph that it is for: a series stays what it is.
    let begins = std::fs::read_dir(place).unwrap().next().is_none();
    let terms = BackupTerms { force_full: false, compat: compat.filter(|_| begins) };
    let request = BackupRequest { destination: place.to_str().unwrap().into(), terms };
    backup(&graph.store, &context, &request, &Progress::default()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_stays_for_the_dgraph_it_was_begun_for() {
    let dir = tempfile::tempdir().unwrap();
    let graph = Graph::open(&dir.path().join("p"), ROOT);
    let place = dir.path().join("backups");
    Graph::STORY[0](&graph);
    take(&graph, &place, None, Some(Compat::V1_1)).await;
    let request = |force_full, compat| BackupRequest {
        destination: place.to_str().unwrap().into(),
        terms: BackupTerms { force_full, compat },
    };
    let context = BackupContext::default();
    let again = |request: BackupRequest| {
        let (store, context) = (graph.store.clone(), context.clone());
        async move { backup(&store, &context, &request, &Progress::default()).await }
    };
    let err = again(request(false, Some(Compat::V21_12))).await.unwrap_err().to_string();
    assert!(
        err.contains("it is written for Dgraph v1.1 and newer, not for v21.12; take a full backup with forceFull"),
        "{err}"
    );
    for (compat, continued) in [(None, 2), (Some(Compat::V1_1), 3)] {
        let sealed = again(request(false, compat)).await.unwrap();
        let manifest = sealed.manifest();
        assert_eq!((manifest.backup_num, manifest.dialect.compat), (continued, Compat::V1_1));
    }
    let sealed = again(request(true, None)).await.unwrap();
    assert_eq!((sealed.manifest().backup_num, sealed.manifest().dialect.compat), (1, Compat::V20_11));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_a_namespace_cannot_be_written_for_a_dgraph_without_any() {
    let dir = tempfile::tempdir().unwrap();
    let graph = Graph::open(&dir.path().join("p"), TENANT);
    Graph::STORY[0](&graph);
    let place = dir.path().join("backups");
    let terms = BackupTerms { force_full: false, compat: Some(Compat::V1_1) };
    let request = BackupRequest { destination: place.to_str().unwrap().into(), terms };
    let err = backup(&graph.store, &BackupContext::default(), &request, &Progress::default()).await.unwrap_err();
    assert!(err.to_string().starts_with("a backup for Dgraph v1.1 cannot hold namespace 0x12f"), "{err}");
}
