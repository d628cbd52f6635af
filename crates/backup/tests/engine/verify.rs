//! Verifying backups of ours: a sound series is good at every level, and damage is found, located, and ends nothing.

use std::sync::Arc;

use bytes::Bytes;
use graphdb_archive::{BackupFolder, EncryptionKey, Manifest, SealedManifest, Sha256Digest};
use graphdb_backup::{
    Finding, Kind, Level, Offset, Outcome, Progress, Severity, VerifyReport, VerifyRequest, WhichSeries, verify_at,
};
use graphdb_destination::{Destination, MemoryDestination, ObjectName};
use graphdb_storage::Leased;
use graphdb_types::Uid;
use tempfile::TempDir;

use crate::support::{
    back_up, commit, define, delete_all, indexed_string, key, link, links, objects, open_store, replace, scratch, set,
};

const LEVELS: [Level; 3] = [Level::Quick, Level::Default, Level::Deep];

/// A series of three backups.
struct Series {
    key: Option<Arc<EncryptionKey>>,
    /// In the order of names: manifest and archive of each backup.
    objects: Vec<(ObjectName, Bytes)>,
    _dir: TempDir,
}

impl Series {
    async fn new(key: Option<Arc<EncryptionKey>>) -> Series {
        let dir = scratch();
        let store = open_store(&dir.path().join("p"));
        define(&store, &[("name", indexed_string()), ("friend", links())]);
        store.lease(Leased::Uid, 29).unwrap();
        let place: Arc<dyn Destination> = Arc::new(MemoryDestination::new());
        for round in 0..3u64 {
            commit(&store, (1..30).map(|i| set(i, "name", &format!("name {i} of {round}"))).collect());
            commit(&store, vec![link(1, "friend", round + 2), delete_all(round + 3, "name")]);
            back_up(&store, &place, key.clone(), false).await.unwrap();
        }
        let objects = objects(&*place).await;
        assert_eq!(objects.len(), 6);
        Series { key, objects, _dir: dir }
    }

    /// What is found at a place with the series, `name` replaced (or gone).
    async fn verify(&self, level: Level, name: Option<&ObjectName>, body: Option<Bytes>) -> VerifyReport {
        let place = MemoryDestination::new();
        for (other, stored) in self.objects.iter().filter(|(other, _)| Some(other) != name) {
            replace(&place, other, stored.clone()).await;
        }
        if let (Some(name), Some(body)) = (name, body) {
            replace(&place, name, body).await;
        }
        verify(Arc::new(place), self.key.clone(), level, WhichSeries::default()).await
    }

    async fn as_it_is(&self, level: Level) -> VerifyReport {
        self.verify(level, None, None).await
    }

    fn part(&self, number: usize, ending: &str) -> &(ObjectName, Bytes) {
        let parts: Vec<_> = self.objects.iter().filter(|(name, _)| name.as_str().ends_with(ending)).collect();
        parts[number - 1]
    }

    fn manifest(&self, number: usize) -> &(ObjectName, Bytes) {
        self.part(number, "/manifest.json")
    }

    fn archive(&self, number: usize) -> &(ObjectName, Bytes) {
        self.part(number, ".backup")
    }

    /// A manifest with something changed, sealed again by an owner of the key.
    fn resealed(&self, number: usize, change: impl FnOnce(&mut Manifest)) -> Bytes {
        let (name, body) = self.manifest(number);
        let folder = BackupFolder::parse(name.segments().next().unwrap()).unwrap();
        let mut manifest = SealedManifest::parse(folder.clone(), body.to_vec()).unwrap().manifest().clone();
        change(&mut manifest);
        SealedManifest::seal(folder, manifest, self.key.as_deref()).unwrap().bytes().to_vec().into()
    }
}

async fn verify(
    place: Arc<dyn Destination>,
    key: Option<Arc<EncryptionKey>>,
    level: Level,
    which: WhichSeries,
) -> VerifyReport {
    let sorting = scratch();
    let scratch = sorting.path().to_owned();
    let request = VerifyRequest { which, key, level, scratch, ..VerifyRequest::default() };
    let report = verify_at(place, &request, &Progress::default()).await.unwrap();
    assert_eq!(std::fs::read_dir(sorting.path()).unwrap().count(), 0, "nothing is left of the sorting");
    report
}

fn errors(report: &VerifyReport) -> impl Iterator<Item = &Finding> {
    report.findings.iter().filter(|finding| finding.severity == Severity::Error)
}

/// That damage of this object, and of no other, was found, and that the other objects were read to their ends.
#[track_caller]
fn assert_named(report: &VerifyReport, name: &ObjectName, what: &str) {
    let found: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    assert_eq!(report.outcome(), Outcome::Damaged, "{what}: {found:?}");
    for finding in errors(report) {
        assert_eq!(finding.object.as_ref(), Some(name), "{what}: {found:?}");
        assert_eq!((finding.group.map(|group| group.0), finding.backup_num.is_some()), (Some(1), true), "{what}");
    }
    for other in report.objects().filter(|object| object.object != *name) {
        assert!(other.entries.is_some(), "{what}: {} was not read", other.object);
    }
    assert_eq!(report.objects().count(), 3, "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_series_is_good_at_every_level() {
    for key in [None, Some(key(32))] {
        let series = Series::new(key).await;
        for level in LEVELS {
            let report = series.as_it_is(level).await;
            assert_eq!((report.outcome(), &report.findings), (Outcome::Good, &vec![]), "{level:?}");
            assert!(!report.not_checked.is_empty(), "it always says what it does not know");
            let read = report.objects().filter(|object| object.entries.is_some_and(|entries| entries > 0)).count();
            assert_eq!(read, if level == Level::Quick { 0 } else { 3 }, "{level:?}");
            assert_eq!(report.series[0].merged.is_some(), level == Level::Deep);
        }
        let merged = series.as_it_is(Level::Deep).await.series[0].merged.unwrap();
        assert!(merged.lists > 30 && merged.predicates >= 2 && merged.max_uid == 29, "{merged:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_any_archive_is_found_and_the_others_are_still_read() {
    for key in [None, Some(key(16))] {
        let series = Series::new(key).await;
        for number in 1..=3 {
            let (name, body) = series.archive(number);
            for at in (0..body.len()).step_by(body.len().div_ceil(24)) {
                let mut damaged = body.to_vec();
                damaged[at] ^= 1 << (at % 8);
                let report = series.verify(Level::Deep, Some(name), Some(damaged.into())).await;
                assert_named(&report, name, &format!("bit at {at} of {name}"));
                assert!(errors(&report).any(|finding| finding.kind == Kind::Digest), "bit at {at} of {name}");
                assert!(report.series[0].merged.is_none(), "a damaged series is not merged");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn archives_that_are_cut_lengthened_swapped_or_gone_are_named() {
    for key in [None, Some(key(24))] {
        let series = Series::new(key).await;
        let (name, body) = series.archive(2);
        let mut changed: Vec<Bytes> =
            [0, 1, 16, 17, body.len() / 2, body.len() - 1].iter().map(|len| body.slice(..*len)).collect();
        changed.push([body.as_ref(), b"\0"].concat().into());
        changed.push([body.as_ref(), body.as_ref()].concat().into());
        changed.push(series.archive(1).1.clone());
        changed.push(series.archive(3).1.clone());
        for body in changed {
            let what = format!("{} bytes", body.len());
            assert_named(&series.verify(Level::Default, Some(name), Some(body.clone())).await, name, &what);
            if body.len() != series.archive(2).1.len() {
                let quick = series.verify(Level::Quick, Some(name), Some(body)).await;
                let kinds: Vec<_> = errors(&quick).map(|finding| (finding.kind, finding.object.clone())).collect();
                assert_eq!(kinds, [(Kind::ObjectSize, Some(name.clone()))], "{what}");
            }
        }
        for level in LEVELS {
            let report = series.verify(level, Some(name), None).await;
            let kinds: Vec<_> = errors(&report).map(|finding| (finding.kind, finding.object.clone())).collect();
            assert_eq!(kinds, [(Kind::ObjectMissing, Some(name.clone()))], "{level:?}");
            assert_eq!(report.outcome(), Outcome::Damaged);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_is_located_in_the_object_as_it_is_stored() {
    let series = Series::new(Some(key(32))).await;
    let (name, body) = series.archive(1);
    let report = series.verify(Level::Default, Some(name), Some(body.slice(..body.len() - 10))).await;
    let cut = errors(&report).find(|finding| finding.kind == Kind::Archive).unwrap();
    assert_eq!(cut.offset, Some(Offset::Stored(body.len() as u64 - 10)), "{cut}");
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_that_are_damaged_or_gone_break_the_chain_and_the_rest_is_read() {
    let series = Series::new(None).await;
    for number in 1..=3usize {
        let (name, body) = series.manifest(number);
        let folder = name.segments().next().unwrap();
        let mut flipped = body.to_vec();
        flipped[body.len() / 2] ^= 1;
        for body in [Bytes::from(flipped), body.slice(..body.len() / 2), Bytes::new()] {
            let report = series.verify(Level::Default, Some(name), Some(body)).await;
            assert_eq!(report.outcome(), Outcome::Damaged);
            assert!(errors(&report).any(|f| f.kind == Kind::Manifest && f.what.contains(folder)), "{folder}");
            assert_eq!(report.objects().filter(|object| object.entries.is_some()).count(), 2);
        }
        let report = series.verify(Level::Default, Some(name), None).await;
        let lost = report.findings.iter().find(|finding| finding.kind == Kind::NoManifest).unwrap();
        assert_eq!((lost.severity, lost.object.as_ref().unwrap().as_str()), (Severity::Warning, folder));
        let missing: Vec<_> = errors(&report).map(|finding| (finding.kind, finding.backup_num)).collect();
        match number {
            3 => assert_eq!(report.outcome(), Outcome::Warnings, "what came last cannot be missed"),
            _ => assert_eq!(missing, [(Kind::Chain, Some(number as u64))]),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_was_written_anew_does_not_link_to_its_children() {
    for key in [None, Some(key(32))] {
        let series = Series::new(key).await;
        let (name, _) = series.manifest(1);
        let body = series.resealed(1, |manifest| manifest.name = Some("another".into()));
        let report = series.verify(Level::Quick, Some(name), Some(body)).await;
        let found: Vec<_> = errors(&report).map(|finding| (finding.kind, finding.backup_num)).collect();
        assert_eq!(found, [(Kind::Chain, Some(2))]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_that_do_not_say_what_the_archive_holds_are_found() {
    let series = Series::new(None).await;
    let (name, _) = series.manifest(3);
    let named = |report: &VerifyReport| -> Vec<Kind> { errors(report).map(|finding| finding.kind).collect() };
    let fewer =
        series.resealed(3, |manifest| manifest.groups.values_mut().for_each(|group| group.archive.entries -= 1));
    assert_eq!(named(&series.verify(Level::Default, Some(name), Some(fewer)).await), [Kind::Content]);
    let other = series.resealed(3, |manifest| {
        manifest.groups.values_mut().for_each(|group| group.archive.sha256 = Sha256Digest([7; 32]));
    });
    assert_eq!(named(&series.verify(Level::Default, Some(name), Some(other)).await), [Kind::Digest]);
    let unnamed = series.resealed(3, |manifest| {
        for group in manifest.groups.values_mut() {
            group.predicates.retain(|predicate| &*predicate.name != "friend");
            group.predicates.push(graphdb_types::Predicate::root("zzz"));
        }
    });
    let report = series.verify(Level::Default, Some(name), Some(unnamed)).await;
    assert_eq!(named(&report), [Kind::UnnamedPredicate, Kind::AbsentPredicate]);
    let unnamed = errors(&report).next().unwrap();
    assert!(unnamed.what.contains("friend") && unnamed.key.as_ref().unwrap().contains("friend"), "{unnamed}");
    assert!(matches!(unnamed.offset, Some(Offset::Frames(at)) if at > 8), "{unnamed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_knows_less_uids_than_are_used_is_found_by_deep() {
    let series = Series::new(None).await;
    let (name, _) = series.manifest(3);
    let low = series.resealed(3, |manifest| manifest.max_uid = Uid(5));
    assert_eq!(series.verify(Level::Default, Some(name), Some(low.clone())).await.outcome(), Outcome::Good);
    let report = series.verify(Level::Deep, Some(name), Some(low)).await;
    let found: Vec<_> = report.findings.iter().map(|finding| (finding.severity, finding.kind)).collect();
    assert_eq!(found, [(Severity::Warning, Kind::UidLease)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_key_nothing_is_called_damaged() {
    let series = Series::new(Some(key(32))).await;
    for wrong in [None, Some(key(16))] {
        let other = Series { key: wrong.clone(), objects: series.objects.clone(), _dir: scratch() };
        let report = other.as_it_is(Level::Default).await;
        assert_eq!(report.outcome(), Outcome::Incomplete, "{:?}", report.findings);
        assert!(report.findings.iter().all(|finding| finding.kind == Kind::KeyNeeded), "{:?}", report.findings);
        assert_eq!(report.findings.len(), 3);
    }
    let quick = Series { key: None, objects: series.objects.clone(), _dir: scratch() }.as_it_is(Level::Quick).await;
    assert_eq!(quick.outcome(), Outcome::Good, "quick needs no key");
    assert!(quick.not_checked.iter().any(|what| what.contains("key")), "and says what that leaves open");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_series_of_a_location_are_verified_when_asked() {
    let (first, second) = (Series::new(None).await, Series::new(Some(key(32))).await);
    let place: Arc<dyn Destination> = Arc::new(MemoryDestination::new());
    for (name, body) in first.objects.iter().chain(&second.objects) {
        replace(&*place, name, body.clone()).await;
    }
    let newest = verify(Arc::clone(&place), second.key.clone(), Level::Deep, WhichSeries::default()).await;
    assert_eq!((newest.outcome(), newest.series.len()), (Outcome::Good, 1), "{:?}", newest.findings);
    let all = verify(place, second.key.clone(), Level::Deep, WhichSeries::All).await;
    assert_eq!((all.outcome(), all.series.len(), all.objects().count()), (Outcome::Good, 2, 6), "{:?}", all.findings);
}
