use bytes::Bytes;
use futures::future::join_all;
use graphdb_types::ObjectName;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::{Destination, Error, Put, Upload};

/// Writers that race for one name.
const RACERS: usize = 16;

/// Bytes each racer writes: several pages, so that a torn object would show.
const RACER_BODY_BYTES: usize = 20_000;

/// Bytes of one chunk of the large object: odd, so that no buffer border falls on a chunk border.
const CHUNK_BYTES: usize = 777_777;

/// A name as the large objects of backups have.
const ARCHIVE: &str = "dgraph.20260104.224757.709/r9-g1.backup";

type Place = Arc<dyn Destination>;

/// Bytes of each write to a large upload: four make several parts, in stores that take no smaller parts than 5 MiB too.
const LARGE_CHUNK_BYTES: usize = 3 << 20;

/// What is not the same at all kinds of places.
#[derive(Clone, Copy, Debug)]
pub struct Traits {
    /// Whether one of many who create a name at the same moment wins, readers of an object that is being replaced meet the old or the new
    /// one, a folder is no object, and a percent sign in a name is one. Small object stores that keep objects as files fall short of this.
    pub is_rigorous: bool,
    /// Whether an upload of 12 MiB that dies leaves something, invisible, for [`Destination::sweep`] to find: on object stores.
    pub leaves_litter: bool,
}

/// Checks that a kind of destination keeps the contract of [`Destination`] and [`crate::Upload`].
///
/// `make` returns a fresh, empty destination each time. Needs a multi-threaded tokio runtime to race for real.
///
/// # Panics
/// With the claim that does not hold.
pub async fn conformance(make: impl Fn() -> Place) {
    conformance_with(Traits { is_rigorous: true, leaves_litter: false }, async || make()).await;
}

/// As [`conformance`], for kinds of places that differ in some way.
///
/// # Panics
/// With the claim that does not hold.
pub async fn conformance_with(traits: Traits, make: impl AsyncFn() -> Place) {
    a_completed_upload_reads_back(make().await).await;
    a_large_object_comes_back_whole_and_in_order(make().await).await;
    an_empty_object_exists(make().await).await;
    an_object_is_invisible_before_complete(make().await).await;
    an_aborted_upload_leaves_nothing(make().await).await;
    a_dropped_upload_leaves_nothing(make().await).await;
    an_aborted_large_upload_leaves_nothing(make().await).await;
    if traits.leaves_litter {
        what_a_dead_upload_leaves_is_swept(make().await).await;
    }
    an_object_is_never_overwritten(make().await).await;
    the_slower_of_two_uploads_conflicts(make().await).await;
    the_slower_of_two_large_uploads_conflicts(make().await).await;
    if traits.is_rigorous {
        of_racing_creators_exactly_one_wins(make().await).await;
        of_racing_uploads_exactly_one_wins(make().await).await;
        a_replace_is_atomic(make().await).await;
        a_folder_is_absent(make().await).await;
        odd_names_are_kept_as_they_are(make().await).await;
    }
    absent_is_an_error(make().await).await;
    a_listing_is_complete_sorted_and_by_prefix(make().await).await;
    stat_agrees_with_the_listing(make().await).await;
    a_deleted_object_is_gone_and_its_name_free(make().await).await;
    tidying_up_does_not_disturb_writers_beside_it(make().await).await;
    get_refuses_more_than_its_limit(make().await).await;
    reserved_names_are_refused(make().await).await;
}

async fn a_completed_upload_reads_back(place: Place) {
    let object = name("dgraph.20260104.224757.709/r9-g1.backup");
    let mut upload = place.create(&object).await.expect("create in an empty destination");
    upload.write(Bytes::from_static(b"graph")).await.expect("write");
    upload.write(Bytes::new()).await.expect("write nothing");
    upload.write(Bytes::from_static(b"db")).await.expect("write again");
    upload.complete().await.expect("complete");
    assert_eq!(read(&place, &object).await, "graphdb");
    assert_eq!(names(&place, "").await, [object.as_str()]);
}

async fn a_large_object_comes_back_whole_and_in_order(place: Place) {
    let object = name("large");
    let chunks: Vec<Bytes> = (0..11u8).map(|i| vec![i; CHUNK_BYTES].into()).collect();
    let mut upload = place.create(&object).await.expect("create");
    for chunk in &chunks {
        upload.write(chunk.clone()).await.expect("write");
    }
    upload.complete().await.expect("complete");

    let mut stream = place.open(&object).await.expect("open");
    assert!(stream.size_bytes().is_none_or(|size| size == (11 * CHUNK_BYTES) as u64), "the size is that of the object");
    let mut body = Vec::new();
    while let Some(chunk) = stream.next_chunk().await.expect("read") {
        assert!(!chunk.is_empty(), "no chunk is empty");
        body.extend_from_slice(&chunk);
    }
    assert!(body == chunks.concat(), "the object reads back as written");
    assert!(stream.next_chunk().await.expect("read on").is_none(), "the end stays the end");
}

async fn an_empty_object_exists(place: Place) {
    let (uploaded, put) = (name("uploaded"), name("put"));
    place.create(&uploaded).await.expect("create").complete().await.expect("complete without a write");
    place.put(&put, Bytes::new(), Put::Create).await.expect("put nothing");
    for object in [uploaded, put] {
        assert_eq!(read(&place, &object).await, "");
        assert_eq!(place.stat(&object).await.expect("stat").size_bytes, 0);
    }
    assert_eq!(names(&place, "").await, ["put", "uploaded"]);
}

async fn an_object_is_invisible_before_complete(place: Place) {
    let object = name("folder/object");
    let mut upload = place.create(&object).await.expect("create");
    upload.write(Bytes::from_static(b"half")).await.expect("write");
    assert_absent(&place, &object).await;
    upload.complete().await.expect("complete");
    assert_eq!(names(&place, "").await, ["folder/object"]);
}

async fn an_aborted_upload_leaves_nothing(place: Place) {
    let object = name("folder/object");
    let mut upload = place.create(&object).await.expect("create");
    upload.write(Bytes::from_static(b"half")).await.expect("write");
    upload.abort().await;
    assert_absent(&place, &object).await;
    assert_eq!(place.sweep(Duration::ZERO).await.expect("sweep"), [""; 0], "an abort leaves nothing to sweep");
    place.put(&object, Bytes::new(), Put::Create).await.expect("the name is free after an abort");
}

async fn a_dropped_upload_leaves_nothing(place: Place) {
    let object = name("folder/object");
    let mut upload = place.create(&object).await.expect("create");
    upload.write(Bytes::from_static(b"half")).await.expect("write");
    drop(upload);
    assert_absent(&place, &object).await;
    place.put(&object, Bytes::new(), Put::Create).await.expect("the name is free after a drop");
}

async fn an_aborted_large_upload_leaves_nothing(place: Place) {
    let object = name(ARCHIVE);
    let upload = begin_large(&place, &object).await;
    assert_absent(&place, &object).await;
    upload.abort().await;
    assert_absent(&place, &object).await;
    assert_eq!(place.sweep(Duration::ZERO).await.expect("sweep"), [""; 0], "an abort leaves nothing to sweep");
    place.put(&object, Bytes::new(), Put::Create).await.expect("the name is free after an abort");
}

/// An upload whose process is gone: nobody aborts it, and nobody drops it.
async fn what_a_dead_upload_leaves_is_swept(place: Place) {
    let object = name(ARCHIVE);
    std::mem::forget(begin_large(&place, &object).await);
    let own = name("dgraph.20260104.224757.709/r9-g2.backup");
    upload(&place, &own, "stays").await.expect("upload");
    assert_eq!(names(&place, "").await, [own.as_str()]);
    let day = Duration::from_secs(86_400);
    assert_eq!(place.sweep(day).await.expect("sweep"), [""; 0], "a young upload may be alive");
    let swept = place.sweep(Duration::ZERO).await.expect("sweep");
    assert!(swept.len() == 1 && swept[0].contains(ARCHIVE), "{swept:?}");
    assert_eq!(place.sweep(Duration::ZERO).await.expect("sweep"), [""; 0], "what was swept is gone");
    assert_eq!(read(&place, &own).await, "stays");
    upload(&place, &object, "again").await.expect("the name is free after a sweep");
}

async fn begin_large(place: &Place, object: &ObjectName) -> Box<dyn Upload> {
    let mut upload = place.create(object).await.expect("create");
    for _ in 0..4 {
        upload.write(vec![1; LARGE_CHUNK_BYTES].into()).await.expect("write");
    }
    upload
}

async fn an_object_is_never_overwritten(place: Place) {
    let object = name("folder/object");
    upload(&place, &object, "first").await.expect("first upload");
    let second = upload(&place, &object, "second").await;
    assert!(matches!(&second, Err(Error::Conflict { name, .. }) if *name == object), "{second:?}");
    let third = place.put(&object, "third".into(), Put::Create).await;
    assert!(matches!(&third, Err(Error::Conflict { name, .. }) if *name == object), "{third:?}");
    assert_eq!(read(&place, &object).await, "first");
    assert_eq!(names(&place, "").await, [object.as_str()]);
}

async fn the_slower_of_two_uploads_conflicts(place: Place) {
    let object = name("object");
    let mut fast = place.create(&object).await.expect("create");
    let mut slow = place.create(&object).await.expect("create beside an upload in progress");
    slow.write(Bytes::from_static(b"slow")).await.expect("write");
    fast.write(Bytes::from_static(b"fast")).await.expect("write");
    fast.complete().await.expect("the first to complete wins");
    assert!(slow.complete().await.expect_err("the second must not win").is_conflict());
    assert_eq!(read(&place, &object).await, "fast");
}

async fn the_slower_of_two_large_uploads_conflicts(place: Place) {
    let object = name(ARCHIVE);
    let (fast, slow) = (begin_large(&place, &object).await, begin_large(&place, &object).await);
    fast.complete().await.expect("the first to complete wins");
    assert!(slow.complete().await.expect_err("the second must not win").is_conflict());
    assert_eq!(place.stat(&object).await.expect("stat").size_bytes, 4 * LARGE_CHUNK_BYTES as u64);
    assert!(place.create(&object).await.expect_err("the name is taken").is_conflict());
    assert_eq!(place.sweep(Duration::ZERO).await.expect("sweep"), [""; 0], "the loser leaves nothing to sweep");
}

async fn of_racing_creators_exactly_one_wins(place: Place) {
    let object = name("folder/manifest.json");
    let watcher = tokio::spawn(watch_for_torn_objects(place.clone(), object.clone()));
    let racers = (0..RACERS).map(|racer| {
        let (place, object) = (place.clone(), object.clone());
        tokio::spawn(async move { place.put(&object, racer_body(racer), Put::Create).await })
    });
    assert_one_winner(&place, &object, join_all(racers).await).await;
    watcher.await.expect("no reader ever meets a half-written object");
}

async fn of_racing_uploads_exactly_one_wins(place: Place) {
    let object = name("folder/object");
    let racers = (0..RACERS).map(|racer| {
        let (place, object) = (place.clone(), object.clone());
        tokio::spawn(async move {
            let mut upload = place.create(&object).await?;
            upload.write(racer_body(racer)).await?;
            upload.complete().await
        })
    });
    assert_one_winner(&place, &object, join_all(racers).await).await;
}

type Raced = Result<crate::Result<()>, tokio::task::JoinError>;

async fn assert_one_winner(place: &Place, object: &ObjectName, results: Vec<Raced>) {
    let mut winners = Vec::new();
    for (racer, result) in results.into_iter().enumerate() {
        match result.expect("a racer does not panic") {
            Ok(()) => winners.push(racer),
            Err(Error::Conflict { .. }) => {}
            Err(other) => panic!("racer {racer} neither won nor met a conflict: {other}"),
        }
    }
    assert_eq!(winners.len(), 1, "exactly one of {RACERS} wins: {winners:?}");
    assert_eq!(read(place, object).await, racer_body(winners[0]), "the object is the winner's");
    assert_eq!(names(place, "").await, [object.as_str()]);
}

/// Reads until the object is there, and checks that it is whole the first time it is seen.
async fn watch_for_torn_objects(place: Place, object: ObjectName) {
    loop {
        match place.get(&object, u64::MAX).await {
            Ok(body) => {
                assert_eq!(body.len(), RACER_BODY_BYTES);
                assert!(body.iter().all(|byte| *byte == body[0]), "bytes of two writers in one object");
                return;
            }
            Err(Error::NotFound { .. }) => tokio::task::yield_now().await,
            Err(other) => panic!("neither absent nor whole: {other}"),
        }
    }
}

async fn a_replace_is_atomic(place: Place) {
    let object = name("folder/lease");
    place.put(&object, racer_body(0), Put::Replace).await.expect("replace creates what is absent");
    let watcher = {
        let (place, object) = (place.clone(), object.clone());
        tokio::spawn(async move {
            for _ in 0..RACERS {
                watch_for_torn_objects(place.clone(), object.clone()).await;
            }
        })
    };
    for round in 1..RACERS {
        place.put(&object, racer_body(round), Put::Replace).await.expect("replace");
    }
    watcher.await.expect("no reader meets a torn or missing object while it is replaced");
    assert_eq!(read(&place, &object).await, racer_body(RACERS - 1));
    place.put(&object, "short".into(), Put::Replace).await.expect("replace by something shorter");
    assert_eq!(read(&place, &object).await, "short");
    assert_eq!(names(&place, "").await, [object.as_str()]);
}

async fn absent_is_an_error(place: Place) {
    assert_absent(&place, &name("nothing")).await;
    upload(&place, &name("folder/object"), "x").await.expect("upload");
    for absent in ["folder/other", "other/object", "objec"] {
        assert_every_call_finds_nothing(&place, &name(absent)).await;
    }
}

async fn a_folder_is_absent(place: Place) {
    upload(&place, &name("folder/object"), "x").await.expect("upload");
    assert_every_call_finds_nothing(&place, &name("folder")).await;
}

async fn assert_every_call_finds_nothing(place: &Place, absent: &ObjectName) {
    assert!(place.open(absent).await.expect_err("open").is_not_found(), "open {absent}");
    assert!(place.get(absent, 9).await.expect_err("get").is_not_found(), "get {absent}");
    assert!(place.stat(absent).await.expect_err("stat").is_not_found(), "stat {absent}");
    assert!(place.delete(absent).await.expect_err("delete").is_not_found(), "delete {absent}");
}

async fn a_listing_is_complete_sorted_and_by_prefix(place: Place) {
    assert_eq!(names(&place, "").await, [""; 0], "a new destination is empty");
    let all = ["a", "b/a", "b/c/d/e", "b-a", "b0", "manifest.json", "Z", "ü"];
    for object in all {
        place.put(&name(object), object.into(), Put::Create).await.expect("put");
    }
    let mut sorted = all.to_vec();
    sorted.sort_unstable();
    assert_eq!(names(&place, "").await, sorted);
    assert_eq!(names(&place, "b").await, ["b-a", "b/a", "b/c/d/e", "b0"]);
    assert_eq!(names(&place, "b/").await, ["b/a", "b/c/d/e"]);
    assert_eq!(names(&place, "b/c/d/e").await, ["b/c/d/e"]);
    assert_eq!(names(&place, "b/c/d/e/").await, [""; 0]);
    assert_eq!(names(&place, "x").await, [""; 0]);
    assert_eq!(names(&place, "../").await, [""; 0]);
    assert_eq!(names(&place, "/").await, [""; 0]);
}

async fn stat_agrees_with_the_listing(place: Place) {
    // A place may keep whole seconds only, by a clock a little off ours.
    let earliest = SystemTime::now() - Duration::from_secs(600);
    for (object, body) in [("one", "1"), ("folder/three", "333")] {
        upload(&place, &name(object), body).await.expect("upload");
    }
    let listed = place.list("").await.expect("list");
    let sizes: Vec<(&str, u64)> = listed.iter().map(|meta| (meta.name.as_str(), meta.size_bytes)).collect();
    assert_eq!(sizes, [("folder/three", 3), ("one", 1)]);
    for meta in &listed {
        assert_eq!(place.stat(&meta.name).await.expect("stat"), *meta);
        assert!(meta.modified_at > earliest, "{meta:?}");
    }
}

async fn a_deleted_object_is_gone_and_its_name_free(place: Place) {
    let (object, beside) = (name("folder/object"), name("folder/beside"));
    upload(&place, &object, "old").await.expect("upload");
    upload(&place, &beside, "stays").await.expect("upload");
    place.delete(&object).await.expect("delete");
    assert!(place.stat(&object).await.expect_err("gone").is_not_found());
    assert_eq!(names(&place, "").await, [beside.as_str()]);
    upload(&place, &object, "new").await.expect("the name is free after a delete");
    assert_eq!(read(&place, &object).await, "new");
}

/// Folders are removed with their last object, which must not hit somebody who is just creating one there.
async fn tidying_up_does_not_disturb_writers_beside_it(place: Place) {
    let writers = (0..4).map(|writer| {
        let place = place.clone();
        tokio::spawn(async move {
            let object = name(&format!("a/b/object-{writer}"));
            for _ in 0..25 {
                upload(&place, &object, "x").await.expect("upload beside a delete");
                place.delete(&object).await.expect("delete");
            }
        })
    });
    for writer in join_all(writers).await {
        writer.expect("writers in one folder do not disturb each other");
    }
    assert_eq!(names(&place, "").await, [""; 0]);
}

async fn get_refuses_more_than_its_limit(place: Place) {
    let object = name("object");
    upload(&place, &object, "12345").await.expect("upload");
    assert_eq!(place.get(&object, 5).await.expect("get"), "12345");
    let refused = place.get(&object, 4).await;
    assert!(matches!(refused, Err(Error::TooLarge { size_bytes: 5, limit_bytes: 4, .. })), "{refused:?}");
}

async fn odd_names_are_kept_as_they_are(place: Place) {
    let segment_of_255_bytes = "s".repeat(255);
    let odd = [" ", "a b", "%2e%2e", "%2F", "+&=#?*\"'<>|", "...", "..a", ".hidden", "ä-日本-🦀", "CON", "a/...b/~"];
    for object in odd.into_iter().chain([segment_of_255_bytes.as_str()]) {
        let object = name(object);
        upload(&place, &object, object.as_str()).await.unwrap_or_else(|err| panic!("{object:?}: {err}"));
        assert_eq!(read(&place, &object).await, object.as_str());
        assert_eq!(names(&place, object.as_str()).await, [object.as_str()]);
    }
    assert_eq!(names(&place, "").await.len(), odd.len() + 1);
}

async fn reserved_names_are_refused(place: Place) {
    for reserved in [".a.tmp-0123456789abcdef", "folder/.a.tmp-0123456789abcdef", ".snapshot/x", "lost+found/x"] {
        let refused = place.put(&name(reserved), Bytes::new(), Put::Create).await;
        assert!(matches!(refused, Err(Error::InvalidName { .. })), "{reserved}: {refused:?}");
        assert!(place.create(&name(reserved)).await.is_err(), "{reserved}");
    }
    assert_eq!(names(&place, "").await, [""; 0]);
}

fn name(text: &str) -> ObjectName {
    text.parse().expect("the suite uses valid names")
}

fn racer_body(racer: usize) -> Bytes {
    vec![racer as u8; RACER_BODY_BYTES].into()
}

async fn upload(place: &Place, object: &ObjectName, body: &str) -> crate::Result<()> {
    let mut upload = place.create(object).await?;
    upload.write(Bytes::copy_from_slice(body.as_bytes())).await?;
    upload.complete().await
}

async fn read(place: &Place, object: &ObjectName) -> Bytes {
    place.get(object, u64::MAX).await.unwrap_or_else(|err| panic!("read {object:?}: {err}"))
}

async fn names(place: &Place, prefix: &str) -> Vec<String> {
    let listed = place.list(prefix).await.unwrap_or_else(|err| panic!("list {prefix:?}: {err}"));
    listed.into_iter().map(|meta| meta.name.to_string()).collect()
}

async fn assert_absent(place: &Place, object: &ObjectName) {
    let opened = place.open(object).await;
    assert!(matches!(&opened, Err(Error::NotFound { name, .. }) if name == object), "open {object}: {opened:?}");
    let seen = place.stat(object).await;
    assert!(matches!(&seen, Err(Error::NotFound { name, .. }) if name == object), "stat {object}: {seen:?}");
    assert_eq!(names(place, "").await, [""; 0], "nothing is listed");
}
