use super::*;

/// Which requests an upload of five parts makes, each with every fault that a store or a network has: the object is there and whole, or
/// the error says why not and nothing is there.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_once_the_object_is_whole() {
    let (object, body) = archive();
    let mut cases = 0;
    for verb in [Verb::CreateMultipart, Verb::UploadPart, Verb::Complete, Verb::Head] {
        for nth in [1, 2, 3, 5] {
            for fault in [
                Fault::Refuse(500, "InternalError"),
                Fault::Refuse(503, "SlowDown"),
                Fault::Refuse(429, ""),
                Fault::Refuse(409, "OperationAborted"),
                Fault::Refuse(400, "BadDigest"),
                Fault::Answer(500, "InternalError"),
                Fault::Answer(200, "InternalError"),
                Fault::Unreachable,
                Fault::LoseAnswer,
                Fault::Hang,
                Fault::WrongEtag,
            ] {
                let store = store();
                store.fail_nth(verb, nth, fault.clone());
                let done = upload(&place(&store), &object, &body).await;
                done.unwrap_or_else(|err| panic!("{verb:?} {nth} {fault:?}: {}", words(&err)));
                assert_eq!(store.body(ARCHIVE_KEY).expect("it is there"), body, "{verb:?} {nth} {fault:?}");
                cases += 1;
            }
        }
    }
    assert_eq!(cases, 4 * 4 * 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stays_wrong_fails_and_leaves_nothing() {
    let (object, body) = archive();
    for (verb, fault, expected) in [
        (Verb::CreateMultipart, Fault::Refuse(403, "AccessDenied"), "s3:PutObject"),
        (Verb::CreateMultipart, Fault::Unreachable, "connection refused"),
        (Verb::UploadPart, Fault::Refuse(403, "QuotaExceeded"), "no space left"),
        (Verb::UploadPart, Fault::Refuse(403, "ExpiredToken"), "have expired"),
        (Verb::UploadPart, Fault::Hang, "no answer within"),
        (Verb::Complete, Fault::Refuse(403, "AccessDenied"), "s3:PutObject"),
        (Verb::Complete, Fault::Refuse(500, "InternalError"), "InternalError"),
        (Verb::Complete, Fault::Refuse(400, "InvalidPart"), "InvalidPart"),
        (Verb::Complete, Fault::Refuse(404, "NoSuchUpload"), "NoSuchUpload"),
    ] {
        let store = store();
        store.fail_all(verb, fault.clone());
        let err = upload(&place(&store), &object, &body).await.expect_err("it stays wrong");
        let text = words(&err);
        assert!(text.contains(expected) && text.contains(object.as_str()), "{verb:?} {fault:?}: {text}");
        assert!(store.keys().is_empty(), "{verb:?} {fault:?}: {:?}", store.keys());
        assert!(eventually(|| store.open_uploads() == 0).await, "{verb:?} {fault:?}");
    }
}

#[tokio::test]
async fn small_objects_are_one_conditional_request() {
    let store = store();
    let place = place(&store);
    for (object, size) in [("none", 0), ("one", 1), ("a part", 10)] {
        upload(&place, &name(object), &vec![7; size].into()).await.expect("upload");
        assert_eq!(store.body(&format!("folder/{object}")).expect("it is there").len(), size);
    }
    assert_eq!(store.count(Verb::CreateMultipart), 0);
    upload(&place, &name("more"), &vec![7; 11].into()).await.expect("upload");
    assert_eq!((store.count(Verb::CreateMultipart), store.count(Verb::UploadPart)), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_go_side_by_side_and_never_too_many() {
    let store = FakeStore::new(Quirks { slowness: Duration::from_millis(20), ..Quirks::default() });
    upload(&place(&store), &archive().0, &vec![1; 200].into()).await.expect("upload");
    assert_eq!(store.most_in_flight_parts(), 3, "as the options say");
}

#[tokio::test]
async fn a_part_that_arrives_damaged_is_sent_again() {
    let (object, body) = archive();
    let store = store();
    store.fail_nth(Verb::UploadPart, 3, Fault::WrongEtag);
    upload(&place(&store), &object, &body).await.expect("upload");
    assert_eq!(store.count(Verb::UploadPart), 6, "five parts, one of them twice");
}

#[tokio::test]
async fn a_store_whose_etags_are_never_md5s_is_believed() {
    let (object, body) = archive();
    let store = FakeStore::new(Quirks { etags: Etags::Random, ..Quirks::default() });
    upload(&place(&store), &object, &body).await.expect("upload");
    assert_eq!(store.body(ARCHIVE_KEY).expect("it is there"), body);
}

#[tokio::test]
async fn the_slower_of_two_uploads_conflicts_and_is_aborted() {
    let (object, body) = archive();
    for honours in [true, false] {
        let store = FakeStore::new(Quirks { honours_condition_on_complete: honours, ..Quirks::default() });
        let place = place(&store);
        let mut slow = place.create(&object).await.expect("create");
        slow.write(vec![9; 50].into()).await.expect("write");
        upload(&place, &object, &body).await.expect("the faster one");
        let refused = slow.complete().await;
        assert!(matches!(refused, Err(Error::Conflict { .. })), "{honours}: {refused:?}");
        assert_eq!((store.body(ARCHIVE_KEY), store.open_uploads()), (Some(body.clone()), 0), "{honours}");
    }
}

#[tokio::test]
async fn a_lost_answer_to_complete_and_the_object_of_another_are_a_conflict() {
    let (object, body) = archive();
    let store = store();
    let rival = store.clone();
    store.script(move |call| {
        (call.verb == Verb::Complete && call.nth == 1).then(|| {
            rival.plant(ARCHIVE_KEY, "theirs", Duration::ZERO);
            Fault::Unreachable
        })
    });
    let refused = upload(&place(&store), &object, &body).await;
    assert!(matches!(refused, Err(Error::Conflict { .. })), "{refused:?}");
}

#[tokio::test]
async fn writing_alone_is_enough() {
    let denied = vec![Verb::Get, Verb::Head, Verb::List, Verb::Delete, Verb::Abort, Verb::ListMultipart];
    let (object, body) = archive();
    let store = FakeStore::new(Quirks { denied: denied.clone(), ..Quirks::default() });
    let place = place(&store);
    upload(&place, &object, &body).await.expect("a large object");
    upload(&place, &name("small"), &"x".into()).await.expect("a small object");
    create(&place, "manifest.json", "{}").await.expect("a manifest");
    place.put(&name("lease"), "x".into(), Put::Replace).await.expect("a lease");
    assert_eq!(store.body(ARCHIVE_KEY).expect("it is there"), body);
    let again = create(&place, "manifest.json", "{}").await;
    assert!(matches!(again, Err(Error::Conflict { .. })), "{again:?}");
    let listed = place.list("").await;
    assert!(matches!(listed, Err(Error::Denied { .. })), "a denied listing is not an empty one: {listed:?}");
    let swept = place.sweep(Duration::ZERO).await;
    assert!(matches!(swept, Err(Error::Denied { .. })), "{swept:?}");

    let store = FakeStore::new(Quirks { denied, ..Quirks::default() });
    store.fail_nth(Verb::Complete, 1, Fault::LoseAnswer);
    let err = upload(&super::place(&store), &object, &body).await.expect_err("nobody can know");
    assert!(err.is_retryable() && words(&err).contains("is not known"), "{}", words(&err));
}

#[tokio::test]
async fn a_dropped_upload_is_aborted_by_a_task_of_its_own() {
    let store = store();
    let mut upload = place(&store).create(&archive().0).await.expect("create");
    upload.write(vec![1; 50].into()).await.expect("write");
    assert_eq!(store.open_uploads(), 1);
    drop(upload);
    assert!(eventually(|| store.open_uploads() == 0).await);
    assert!(store.keys().is_empty());
}

#[tokio::test]
async fn a_write_that_was_given_up_cannot_be_completed() {
    let store = store();
    store.script(|call| (call.verb == Verb::UploadPart).then_some(Fault::Hang));
    let mut upload = place(&store).create(&archive().0).await.expect("create");
    let given_up = tokio::time::timeout(Duration::from_millis(20), upload.write(vec![1; 200].into())).await;
    assert!(given_up.is_err(), "nothing gets through");
    let err = upload.complete().await.expect_err("bytes are missing");
    assert!(words(&err).contains("bytes are missing"), "{}", words(&err));
    assert!(eventually(|| store.open_uploads() == 0).await);
    assert!(store.keys().is_empty());
}

#[tokio::test]
async fn a_sweep_takes_old_uploads_to_our_names_and_old_claims_and_nothing_else() {
    let (old, young) = (Duration::from_secs(3 * 86_400), Duration::from_secs(60));
    let store = store();
    for at in 0..7 {
        store.plant_upload(&format!("folder/dgraph.20260104.224757.709/r{at}.backup"), old);
    }
    store.plant_upload("folder/dgraph.20260105.224757.709/r1.backup", young);
    store.plant_upload("folder/video.mp4", old);
    store.plant_upload("other/dgraph.20260104.224757.709/r1.backup", old);
    store.plant("folder/.manifest.json.claim-0123456789abcdef", "", old);
    store.plant("folder/.manifest.json.claim-fedcba9876543210", "", young);
    store.plant("folder/manifest.json", "{}", old);
    let swept = place(&store).sweep(Duration::from_secs(86_400)).await.expect("sweep");
    assert_eq!(swept.len(), 8, "{swept:?}");
    assert_eq!(store.open_uploads(), 3);
    assert_eq!(store.keys(), ["folder/.manifest.json.claim-fedcba9876543210", "folder/manifest.json"]);
}

/// Ceph's gateway encodes keys in its list of uploads without saying so.
#[tokio::test]
async fn uploads_are_recognised_by_encoded_keys() {
    let store = FakeStore::new(Quirks { encodes_uploads: true, ..Quirks::default() });
    let Ok(Location::Bucket(at)) = Location::parse("s3://store.example/bucket/a folder") else { panic!("a bucket") };
    store.plant_upload("a folder/dgraph.20260104.224757.709/r1.backup", Duration::ZERO);
    let place = BucketDestination::new(Arc::new(store.clone()), &at, options());
    assert_eq!(place.sweep(Duration::ZERO).await.expect("sweep").len(), 1);
    assert_eq!(store.open_uploads(), 0);
}

#[tokio::test]
async fn a_store_that_does_not_list_uploads_has_none_swept() {
    let store = FakeStore::new(Quirks { lists_uploads: false, ..Quirks::default() });
    assert_eq!(place(&store).sweep(Duration::ZERO).await.expect("sweep"), [""; 0]);
}
