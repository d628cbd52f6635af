//! Backups that were damaged, replaced or forged: a restore names what is wrong and touches nothing; never does it give a wrong result.

use std::sync::Arc;

use bytes::Bytes;
use graphdb_archive::Sha256Digest;
use graphdb_backup::{EncryptionKey, Error, SeriesRequest};
use graphdb_destination::{Destination, MemoryDestination, ObjectName, Put};
use graphdb_storage::Store;
use tempfile::TempDir;

use crate::model::Lists;
use crate::support::{
    assert_lists, back_up, commit, define, delete_all, describe, dump, entries, indexed_string, key, link, links,
    newest, objects, open_store, replace, restore, restored_lists, scratch, set,
};

/// A series of three backups.
struct Series {
    key: Option<Arc<EncryptionKey>>,
    /// In the order of names: archive and manifest of each backup.
    objects: Vec<(ObjectName, Bytes)>,
    /// What the store held at each backup.
    states: Vec<Lists>,
    store: Arc<Store>,
    _dir: TempDir,
}

impl Series {
    async fn new(key: Option<Arc<EncryptionKey>>) -> Series {
        let dir = scratch();
        let store = open_store(&dir.path().join("p"));
        define(&store, &[("name", indexed_string()), ("friend", links())]);
        let place: Arc<dyn Destination> = Arc::new(MemoryDestination::new());
        let mut states = Vec::new();
        for round in 0..3u64 {
            commit(&store, (1..30).map(|i| set(i, "name", &format!("name {i} of {round}"))).collect());
            commit(&store, vec![link(1, "friend", round + 2), delete_all(round + 3, "name")]);
            back_up(&store, &place, key.clone(), false).await.unwrap();
            states.push(dump(&store));
        }
        let objects = objects(&*place).await;
        assert_eq!(objects.len(), 6);
        Series { key, objects, states, store, _dir: dir }
    }

    /// The series at a destination of its own, `name` replaced (or gone).
    async fn with(&self, name: &ObjectName, body: Option<Bytes>) -> Arc<dyn Destination> {
        let place = MemoryDestination::new();
        for (other, stored) in self.objects.iter().filter(|(other, _)| other != name) {
            replace(&place, other, stored.clone()).await;
        }
        if let Some(body) = body {
            replace(&place, name, body).await;
        }
        Arc::new(place)
    }

    fn manifest(&self, number: usize) -> &(ObjectName, Bytes) {
        let manifests: Vec<_> = self.objects.iter().filter(|(name, _)| is_manifest(name)).collect();
        manifests[number - 1]
    }

    fn archive(&self, number: usize) -> &(ObjectName, Bytes) {
        let archives: Vec<_> = self.objects.iter().filter(|(name, _)| !is_manifest(name)).collect();
        archives[number - 1]
    }

    fn request(&self) -> SeriesRequest {
        newest(self.key.clone())
    }
}

fn is_manifest(name: &ObjectName) -> bool {
    name.as_str().ends_with("/manifest.json")
}

/// The folder of a backup: what every message about a manifest begins with, and a part of every object's name.
fn folder(name: &ObjectName) -> &str {
    name.as_str().split('/').next().unwrap()
}

/// Restores, which must fail, name the backup and leave nothing.
async fn refused(
    place: &Arc<dyn Destination>,
    request: &SeriesRequest,
    victim: Option<&ObjectName>,
    what: &str,
) -> String {
    let dir = scratch();
    let err = match restore(place, request, dir.path()).await {
        Ok(report) => panic!("{what}: restored backup {} all the same", report.backup_num),
        Err(err) => describe(&err),
    };
    assert_eq!(entries(dir.path()), [""; 0], "{what}: something is left after: {err}");
    if let Some(victim) = victim {
        assert!(err.contains(folder(victim)), "{what}: {err} does not name {victim}");
    }
    err
}

/// The first and the last bytes, and some between.
fn offsets(len: usize) -> impl Iterator<Item = usize> {
    let step = (len / 40).max(1);
    (0..len).step_by(step).chain(0..len.min(24)).chain(len.saturating_sub(24)..len)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_any_object_is_found_and_the_object_named() {
    for key in [None, Some(key(16))] {
        let series = Series::new(key).await;
        for (name, body) in &series.objects {
            for at in offsets(body.len()) {
                let mut damaged = body.to_vec();
                damaged[at] ^= 1 << (at % 8);
                let place = series.with(name, Some(damaged.into())).await;
                refused(&place, &series.request(), Some(name), &format!("bit at {at} of {name}")).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_are_cut_lengthened_emptied_or_gone_are_named() {
    for key in [None, Some(key(24))] {
        let series = Series::new(key).await;
        for (name, body) in &series.objects {
            let lengths = [0, 1, 15, 16, 17, body.len() / 2, body.len() - 1];
            let mut changed: Vec<Bytes> = lengths.iter().map(|len| body.slice(..*len)).collect();
            changed.push([body.as_ref(), b"\0"].concat().into());
            changed.push([body.as_ref(), body.as_ref()].concat().into());
            changed.push(vec![0; body.len()].into());
            for changed in changed {
                let what = format!("{name} with {} of {} bytes", changed.len(), body.len());
                let place = series.with(name, Some(changed)).await;
                refused(&place, &series.request(), Some(name), &what).await;
            }
        }
        for number in 1..=3 {
            let (name, _) = series.archive(number);
            let place = series.with(name, None).await;
            let err = refused(&place, &series.request(), Some(name), "archive gone").await;
            assert!(err.contains(name.as_str()) && err.contains("missing"), "{err}");
        }
        for number in 1..=2 {
            let (name, _) = series.manifest(number);
            let place = series.with(name, None).await;
            let err = refused(&place, &series.request(), None, "manifest gone").await;
            assert!(err.contains(&format!("backup {number} of series")) && err.contains("missing"), "{err}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_last_manifest_the_series_is_the_one_before() {
    let series = Series::new(None).await;
    let place = series.with(&series.manifest(3).0, None).await;
    assert_lists(&restored_lists(&place, &series.request()).await.unwrap(), &series.states[1], "two backups");
}

#[tokio::test(flavor = "multi_thread")]
async fn swapped_and_replayed_objects_are_found() {
    for key in [None, Some(key(32))] {
        let series = Series::new(key).await;
        for of in [Series::manifest, Series::archive] {
            for (at, from) in [(1, 2), (2, 1), (2, 3), (3, 2), (3, 1)] {
                let (name, _) = of(&series, at);
                let what = format!("{name} replaced by that of backup {from}");
                let place = series.with(name, Some(of(&series, from).1.clone())).await;
                // A manifest in the wrong place is missing in its own, or stands twice.
                let named = Some(name).filter(|name| !is_manifest(name));
                refused(&place, &series.request(), named, &what).await;
            }
        }
        // The second backup of a twin series, which was taken of the same store with the same key, in place of ours.
        let twin: Arc<dyn Destination> = Arc::new(MemoryDestination::new());
        for _ in 0..2 {
            back_up(&series.store, &twin, series.key.clone(), false).await.unwrap();
            commit(&series.store, vec![set(1, "name", "twin")]);
        }
        let stored = objects(&*twin).await;
        let place = series.with(&series.manifest(2).0, Some(stored[3].1.clone())).await;
        refused(&place, &series.request(), None, "a manifest of another series").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn earlier_backups_of_a_series_restore_though_a_later_one_is_damaged() {
    let series = Series::new(Some(key(32))).await;
    let id = |place: &Arc<dyn Destination>| {
        let place = Arc::clone(place);
        async move {
            let catalogue = graphdb_backup::read_catalogue(&*place).await.unwrap();
            catalogue.readable().unwrap()[0].backup_id.clone()
        }
    };
    let whole = series.with(&"none".parse().unwrap(), None).await;
    let backup_id = id(&whole).await;
    for (name, _) in [series.archive(3), series.manifest(3)] {
        let place = series.with(name, Some(Bytes::from_static(b"damaged"))).await;
        let mut request = series.request();
        (request.backup_id, request.backup_num) = (Some(backup_id.clone()), Some(2));
        assert_lists(&restored_lists(&place, &request).await.unwrap(), &series.states[1], "up to backup 2");
        request.backup_num = None;
        refused(&place, &request, Some(name), "to the end of the named series").await;
    }
}

/// Changes a plain manifest and seals it again, as whoever can write to the location could.
fn forged(manifest: &Bytes, from: &str, to: &str) -> Bytes {
    let text = std::str::from_utf8(manifest).unwrap();
    assert!(text.contains(from), "{text}");
    let text = text.replacen(from, to, 1);
    let (body, _) = text.rsplit_once(",\"sha256\":\"").unwrap();
    format!("{body},\"sha256\":\"{}\"}}}}\n", Sha256Digest::of(body.as_bytes())).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_manifests_lead_nowhere() {
    let series = Series::new(None).await;
    let (name, manifest) = series.manifest(1).clone();
    let archive = series.archive(1).0.as_str().rsplit('/').next().unwrap().to_owned();
    for outside in ["../../etc/passwd", "/etc/passwd", "..", "", "a/../../b", "dgraph.20260104.224757.709/x"] {
        let body = forged(&manifest, &format!("\"name\":\"{archive}\""), &format!("\"name\":\"{outside}\""));
        let place = series.with(&name, Some(body)).await;
        refused(&place, &series.request(), Some(&name), outside).await;
    }
    let forgeries = [
        ("\"format_version\":1", "\"format_version\":3", "format version 3"),
        ("\"encrypted\":false", "\"encrypted\":true", ""),
        ("\"backup_num\":1", "\"backup_num\":0", ""),
        ("\"backup_num\":1", "\"backup_num\":-1", ""),
        ("\"backup_num\":1", "\"backup_num\":18446744073709551616", ""),
    ];
    for (from, to, says) in forgeries {
        let place = series.with(&name, Some(forged(&manifest, from, to))).await;
        let err = refused(&place, &series.request(), Some(&name), to).await;
        assert!(err.contains(says), "{err}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_of_dgraph_are_read_and_not_continued() {
    let series = Series::new(None).await;
    let (name, _) = series.manifest(3).clone();
    let single =
        br#"{"type":"full","since":9,"groups":{"1":["name"]},"backup_id":"a_b1","backup_num":1,"encrypted":false}"#;
    let place = series.with(&name, Some(Bytes::from_static(single))).await;
    // It is the newest series now, and its archive is not there.
    let err = refused(&place, &series.request(), None, "Dgraph's own").await;
    assert!(err.contains("r9-g1.backup") && err.contains("is missing: group 1 of backup 1 of series a_b1"), "{err}");
    let taken = back_up(&series.store, &place, None, false).await.unwrap_err();
    assert!(taken.to_string().contains("was written by Dgraph"), "{taken}");
    back_up(&series.store, &place, None, true).await.unwrap();
    let master: ObjectName = "manifest.json".parse().unwrap();
    let place = series.with(&"none".parse().unwrap(), None).await;
    place.put(&master, Bytes::from_static(br#"{"Manifests":[]}"#), Put::Create).await.unwrap();
    for force_full in [false, true] {
        let taken = back_up(&series.store, &place, None, force_full).await.unwrap_err();
        assert!(matches!(taken, Error::ForeignLocation { .. }), "{taken}");
    }
    restored_lists(&place, &series.request()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_whose_manifest_was_tampered_with_is_not_continued() {
    let series = Series::new(Some(key(32))).await;
    let (name, manifest) = series.manifest(3);
    // The HMAC stands last: everything else, also the SHA-256, is as it should be.
    let mut tampered = manifest.to_vec();
    let digit = tampered.len() - 6;
    tampered[digit] = if tampered[digit] == b'0' { b'1' } else { b'0' };
    let place = series.with(name, Some(tampered.into())).await;
    let err = back_up(&series.store, &place, series.key.clone(), false).await.unwrap_err();
    assert!(err.to_string().contains(folder(name)) && err.to_string().contains("HMAC"), "{err}");
    back_up(&series.store, &place, series.key.clone(), true).await.unwrap();
}
