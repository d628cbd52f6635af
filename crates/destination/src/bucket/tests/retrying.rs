use super::*;

#[tokio::test]
async fn a_request_is_repeated_while_that_may_help() {
    for fault in [
        Fault::Refuse(500, "InternalError"),
        Fault::Refuse(503, "SlowDown"),
        Fault::Refuse(429, ""),
        Fault::Refuse(409, "OperationAborted"),
        Fault::Refuse(400, "BadDigest"),
        Fault::RetryAfter("0"),
        Fault::Unreachable,
        Fault::LoseAnswer,
        Fault::Hang,
    ] {
        let store = store();
        store.script({
            let fault = fault.clone();
            move |call| (call.verb == Verb::Put && call.nth <= 3).then(|| fault.clone())
        });
        let done = place(&store).put(&name("lease"), "x".into(), Put::Replace).await;
        assert!(done.is_ok(), "{fault:?}: {done:?}");
        assert_eq!(store.count(Verb::Put), 4, "{fault:?}");
    }
}

#[tokio::test]
async fn what_does_not_pass_is_not_repeated() {
    for (status, code) in [(403, "AccessDenied"), (400, "InvalidRequest"), (403, "QuotaExceeded"), (501, "")] {
        let store = store();
        store.fail_all(Verb::Put, Fault::Refuse(status, code));
        place(&store).put(&name("lease"), "x".into(), Put::Replace).await.expect_err(code);
        assert_eq!(store.count(Verb::Put), 1, "{status} {code}");
    }
}

#[tokio::test]
async fn a_store_that_stays_away_is_asked_so_many_times() {
    let store = store();
    store.fail_all(Verb::Put, Fault::Unreachable);
    let err = place(&store).put(&name("lease"), "x".into(), Put::Replace).await.expect_err("nobody is there");
    assert!(err.is_retryable() && words(&err).contains("connection refused"), "{}", words(&err));
    assert_eq!(store.count(Verb::Put), 4);
}

/// A delete is two requests. When the first has used up the patience, there is none left for the second.
#[tokio::test]
async fn patience_ends_a_request_and_an_operation() {
    let store = store();
    store.fail_all(Verb::Head, Fault::Hang);
    let hasty =
        BucketOptions { request_patience: Duration::ZERO, answer_timeout: Duration::from_millis(50), ..options() };
    place_with(&store, BucketOptions { attempts: 1000, ..hasty }).delete(&name("x")).await.expect_err("no answer");
    let asked = store.count(Verb::Head);
    assert!(asked < 5, "asked {asked} times though each answer takes the whole patience");
}

#[tokio::test]
async fn a_long_wait_is_cut_short_and_a_short_one_is_obeyed() {
    let asked_after = |retry_after: &'static str| async move {
        let store = store();
        store.fail_nth(Verb::Put, 1, Fault::RetryAfter(retry_after));
        let begun_at = std::time::Instant::now();
        place(&store).put(&name("lease"), "x".into(), Put::Replace).await.expect("the second attempt works");
        begun_at.elapsed()
    };
    // The options allow 50 ms.
    assert!(asked_after("3600").await >= Duration::from_millis(50));
    assert!(asked_after("Wed, 06 Nov 2999 08:49:37 GMT").await >= Duration::from_millis(50));
}

#[test]
fn the_time_for_an_attempt_grows_with_its_bytes() {
    let options = BucketOptions::default();
    let megabit = 125_000;
    let part = options.part_bytes as u64;
    let in_flight = options.parts_in_flight as u64;
    let slow_but_honest = Duration::from_secs(part * in_flight / megabit);
    assert!(options.attempt_timeout(part) > slow_but_honest, "four parts at once over 1 Mbit/s");
    assert!(options.attempt_timeout(part) < Duration::from_secs(part), "a byte a second is given up");
    assert!(options.stall_bytes * in_flight < megabit * options.stall_timeout.as_secs());
}

#[test]
fn waits_are_random_grow_and_have_a_bound() {
    let options = BucketOptions::default();
    let longest = |attempt| (0..1000).map(|_| options.wait_after(attempt, None)).max().unwrap_or_default();
    let shortest = |attempt| (0..1000).map(|_| options.wait_after(attempt, None)).min().unwrap_or_default();
    assert!(longest(1) <= options.first_wait && longest(1) > options.first_wait / 2);
    assert!(longest(3) > options.first_wait && longest(3) <= options.first_wait * 4);
    assert!(longest(60) <= options.longest_wait && shortest(60) < options.longest_wait / 10);
    let asked = options.wait_after(1, Some(Duration::from_secs(9)));
    assert_eq!(asked, Duration::from_secs(9));
    assert_eq!(options.wait_after(1, Some(Duration::MAX)), options.longest_retry_after);
}
