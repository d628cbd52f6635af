use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_once_the_bytes_are_right() {
    let mut cases = 0;
    for (size, requests) in [(1, 1), (7, 1), (43, 7)] {
        for nth in [1, 2, requests] {
            for fault in [
                Fault::Refuse(500, "InternalError"),
                Fault::Refuse(503, "SlowDown"),
                Fault::Refuse(404, ""),
                Fault::Unreachable,
                Fault::Hang,
                Fault::Cut(0),
                Fault::Cut(4),
                Fault::Reset(0),
                Fault::Reset(5),
                Fault::Announce(3),
                Fault::Announce(999),
                Fault::Extra,
            ] {
                let store = store();
                let body: Bytes = (0..size).collect::<Vec<u8>>().into();
                store.plant("folder/x", body.clone(), Duration::ZERO);
                store.fail_nth(Verb::Get, nth, fault.clone());
                let found = read(&place(&store), "x").await;
                let found = found.unwrap_or_else(|err| panic!("{size} {nth} {fault:?}: {}", words(&err)));
                assert_eq!(found, body, "{size} {nth} {fault:?}");
                cases += 1;
            }
        }
    }
    assert_eq!(cases, 3 * 3 * 12);
}

#[tokio::test]
async fn a_cut_is_taken_up_from_the_byte_reached() {
    let store = store();
    store.plant("folder/x", vec![5; 7], Duration::ZERO);
    store.script(|call| (call.verb == Verb::Get && call.nth < 7).then_some(Fault::Reset(1)));
    assert_eq!(
        read(&place_with(&store, BucketOptions { stall_bytes: 1, ..options() }), "x").await.expect("read"),
        [5; 7].as_slice()
    );
    assert_eq!(store.count(Verb::Get), 7, "each request brought a byte, more often than attempts without any");
}

#[tokio::test]
async fn empty_objects_are_read_and_absent_ones_are_absent() {
    let store = store();
    store.plant("folder/empty", "", Duration::ZERO);
    assert_eq!(read(&place(&store), "empty").await.expect("read"), "");
    assert!(read(&place(&store), "absent").await.expect_err("absent").is_not_found());
}

#[tokio::test]
async fn only_a_clean_404_means_absent() {
    let store = store();
    store.plant("folder/x", "x", Duration::ZERO);
    for (status, code) in
        [(404, ""), (404, "NoSuchBucket"), (403, "AccessDenied"), (500, ""), (503, "SlowDown"), (400, "")]
    {
        store.fail_all(Verb::Get, Fault::Refuse(status, code));
        let err = read(&place(&store), "x").await.expect_err(code);
        assert!(!err.is_not_found(), "{status} {code}: {err}");
        store.fail_all(Verb::Head, Fault::Refuse(status, code));
        let err = place(&store).delete(&name("x")).await.err();
        let absent = (status, code) == (404, "");
        assert_eq!(err.as_ref().is_some_and(Error::is_not_found), absent, "{status} {code}: {err:?}");
    }
}

#[tokio::test]
async fn damage_is_found_by_the_etag() {
    for (size, damaged) in [(5, 1), (43, 1), (43, 4)] {
        let store = store();
        store.plant("folder/x", vec![1; size], Duration::ZERO);
        store.script(move |call| (call.verb == Verb::Get && (size == 5 || call.nth == damaged)).then_some(Fault::Flip));
        let err = read(&place(&store), "x").await.expect_err("a bit is wrong");
        assert!(matches!(err, Error::Corrupt { .. }) && words(&err).contains("MD5"), "{size}: {}", words(&err));
        let trusting = BucketOptions { verify_etags: false, ..options() };
        assert!(read(&place_with(&store, trusting), "x").await.is_ok());
    }
}

#[tokio::test]
async fn a_small_object_damaged_on_the_way_is_read_again() {
    let store = store();
    store.plant("folder/x", "hello", Duration::ZERO);
    store.fail_nth(Verb::Get, 1, Fault::Flip);
    assert_eq!(read(&place(&store), "x").await.expect("read"), "hello");
}

#[tokio::test]
async fn an_object_replaced_while_it_is_read_is_an_error_and_no_mixture() {
    let store = store();
    store.plant("folder/x", vec![1; 43], Duration::ZERO);
    let mut stream =
        place_with(&store, BucketOptions { ranges_in_flight: 1, ..options() }).open(&name("x")).await.expect("open");
    stream.next_chunk().await.expect("the first bytes").expect("there are some");
    store.plant("folder/x", vec![2; 43], Duration::ZERO);
    let err = loop {
        match stream.next_chunk().await {
            Ok(Some(chunk)) => assert!(chunk.iter().all(|byte| *byte == 1), "{chunk:?}"),
            Ok(None) => panic!("the end of which object?"),
            Err(err) => break err,
        }
    };
    assert!(matches!(err, Error::Corrupt { .. }) && words(&err).contains("was replaced"), "{}", words(&err));
}

#[tokio::test]
async fn a_small_object_replaced_while_it_is_read_is_the_old_or_the_new_one() {
    let store = store();
    store.plant("folder/lease", "old", Duration::ZERO);
    let rival = store.clone();
    store.script(move |call| {
        (call.verb == Verb::Get && call.nth == 1).then(|| {
            rival.plant("folder/lease", "newer", Duration::ZERO);
            Fault::Reset(1)
        })
    });
    assert_eq!(read(&place(&store), "lease").await.expect("read"), "newer");
}

#[tokio::test]
async fn a_body_at_a_byte_now_and_then_is_given_up_and_a_slow_one_is_not() {
    let store = store();
    store.plant("folder/x", vec![1; 7], Duration::ZERO);
    store.fail_all(Verb::Get, Fault::Drip(0));
    // A byte each 10 ms.
    let stalled = BucketOptions { stall_timeout: Duration::from_millis(30), stall_bytes: 5, attempts: 2, ..options() };
    let err = read(&place_with(&store, stalled), "x").await;
    let slow = BucketOptions { stall_timeout: Duration::from_secs(2), stall_bytes: 1, attempts: 1, ..options() };
    assert_eq!(read(&place_with(&store, slow), "x").await.expect("slow but honest"), [1; 7].as_slice());
    let err = err.expect_err("stalled");
    assert!(err.is_retryable() && words(&err).contains("bytes arrived in"), "{}", words(&err));
}
