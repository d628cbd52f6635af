use futures::future::join_all;

use super::*;

fn ignoring() -> Quirks {
    Quirks { honours_condition: false, honours_condition_on_complete: false, ..Quirks::default() }
}

fn write_only() -> Vec<Verb> {
    vec![Verb::Get, Verb::Head, Verb::List, Verb::Delete, Verb::Abort, Verb::ListMultipart]
}

#[tokio::test]
async fn the_first_create_finds_out_and_leaves_nothing_else() {
    for (quirks, expected) in [
        (Quirks::default(), CreateOnly::Conditional),
        (ignoring(), CreateOnly::Claimed),
        (Quirks { knows_condition: false, ..Quirks::default() }, CreateOnly::Claimed),
        (Quirks { denied: write_only(), ..Quirks::default() }, CreateOnly::Conditional),
        (Quirks { denied: write_only(), ..ignoring() }, CreateOnly::Unprotected),
        (Quirks { denied: write_only(), knows_condition: false, ..Quirks::default() }, CreateOnly::Unprotected),
        (Quirks { denied: vec![Verb::List], ..ignoring() }, CreateOnly::Unprotected),
    ] {
        let store = FakeStore::new(quirks.clone());
        let place = place(&store);
        assert_eq!(place.create_only(), CreateOnly::Unknown);
        create(&place, "manifest.json", "{}").await.unwrap_or_else(|err| panic!("{quirks:?}: {}", words(&err)));
        assert_eq!(place.create_only(), expected, "{quirks:?}");
        assert_eq!(store.keys(), ["folder/manifest.json"], "{quirks:?}");
        create(&place, "other", "x").await.unwrap_or_else(|err| panic!("{quirks:?}: {}", words(&err)));
        assert_eq!(store.keys(), ["folder/manifest.json", "folder/other"], "{quirks:?}");
    }
}

#[tokio::test]
async fn what_exists_is_never_overwritten_also_by_the_first_create() {
    for quirks in [
        Quirks::default(),
        ignoring(),
        Quirks { knows_condition: false, ..Quirks::default() },
        Quirks { denied: write_only(), ..Quirks::default() },
    ] {
        let store = FakeStore::new(quirks.clone());
        store.plant("folder/manifest.json", "theirs", Duration::ZERO);
        let refused = create(&place(&store), "manifest.json", "ours").await;
        assert!(matches!(refused, Err(Error::Conflict { .. })), "{quirks:?}: {refused:?}");
        assert_eq!(store.body("folder/manifest.json").expect("it is there"), "theirs", "{quirks:?}");
    }
}

/// Each racer has a destination of its own, as processes do, and none knows the store yet.
#[tokio::test(flavor = "multi_thread")]
async fn of_sixteen_processes_one_wins_where_conditions_are_ignored() {
    for round in 0..5 {
        let store = FakeStore::new(Quirks { slowness: Duration::from_millis(3), ..ignoring() });
        let racers = (0..16u8).map(|racer| {
            let place = place(&store);
            tokio::spawn(async move { place.put(&name("manifest.json"), vec![racer; 30].into(), Put::Create).await })
        });
        let mut winners = Vec::new();
        for (racer, raced) in join_all(racers).await.into_iter().enumerate() {
            match raced.expect("a racer does not panic") {
                Ok(()) => winners.push(racer as u8),
                Err(Error::Conflict { .. }) => {}
                Err(other) => panic!("round {round}, racer {racer}: {}", words(&other)),
            }
        }
        assert_eq!(winners.len(), 1, "round {round}: {winners:?}");
        assert_eq!(store.body("folder/manifest.json").expect("it is there"), vec![winners[0]; 30]);
        assert_eq!(store.keys(), ["folder/manifest.json"], "no claim is left");
    }
}

#[tokio::test]
async fn a_claim_whose_writer_died_expires_and_a_young_one_is_waited_for() {
    let claim = "folder/.manifest.json.claim-0000000000000000";
    let store = FakeStore::new(ignoring());
    store.plant(claim, "", Duration::from_secs(3600));
    create(&place(&store), "manifest.json", "{}").await.expect("an old claim does not count");
    assert_eq!(store.keys(), ["folder/manifest.json"]);

    let store = FakeStore::new(ignoring());
    store.plant(claim, "", Duration::ZERO);
    let hasty = BucketOptions { claim_patience: Duration::from_millis(50), ..options() };
    let err = place_with(&store, hasty).put(&name("manifest.json"), "{}".into(), Put::Create).await;
    let err = err.expect_err("somebody else is about to write");
    assert!(err.is_retryable() && words(&err).contains("others claim the name"), "{}", words(&err));
    assert_eq!(store.keys(), [claim], "our claim is withdrawn");
    assert!(place(&store).list("").await.expect("list").is_empty(), "claims are not objects");
}

#[tokio::test]
async fn a_claimed_create_without_permission_to_read_overwrites_nothing() {
    let store = FakeStore::new(Quirks { denied: vec![Verb::Get, Verb::Head], ..ignoring() });
    create(&place(&store), "manifest.json", "ours").await.expect("the listing shows that it is free");
    let refused = create(&place(&store), "manifest.json", "again").await;
    assert!(matches!(refused, Err(Error::Conflict { .. })), "{refused:?}");
    assert_eq!(store.body("folder/manifest.json").expect("it is there"), "ours");
    assert_eq!(store.keys(), ["folder/manifest.json"]);
}

#[tokio::test]
async fn a_listing_that_lags_is_noticed_where_claims_depend_on_it() {
    let store = FakeStore::new(ignoring());
    store.script(|call| (call.verb == Verb::List && call.key.ends_with(".claim-")).then_some(Fault::Stale));
    let err = create(&place(&store), "manifest.json", "{}").await.expect_err("claims are of no use here");
    assert!(words(&err).contains("does not show what was just written"), "{}", words(&err));
    assert!(eventually(|| store.keys().is_empty()).await, "{:?}", store.keys());
}

#[tokio::test]
async fn a_lost_answer_is_found_out() {
    for fault in [Fault::LoseAnswer, Fault::Answer(500, "InternalError"), Fault::Answer(503, "SlowDown")] {
        let store = store();
        let place = place(&store);
        create(&place, "first", "x").await.expect("create, to know the store");
        let nth = store.count(Verb::Put) + 1;
        store.fail_nth(Verb::Put, nth, fault.clone());
        create(&place, "manifest.json", "ours").await.unwrap_or_else(|err| panic!("{fault:?}: {}", words(&err)));
        assert_eq!(store.count(Verb::Put), nth + 1);
    }
}

#[tokio::test]
async fn a_lost_answer_and_the_object_of_another_are_a_conflict() {
    for theirs in ["them", "theirs", ""] {
        let store = store();
        let place = place(&store);
        create(&place, "first", "x").await.expect("create, to know the store");
        let (nth, rival) = (store.count(Verb::Put) + 1, store.clone());
        store.script(move |call| {
            (call.verb == Verb::Put && call.nth == nth).then(|| {
                rival.plant("folder/manifest.json", theirs, Duration::ZERO);
                Fault::Unreachable
            })
        });
        let refused = create(&place, "manifest.json", "ours").await;
        assert!(matches!(refused, Err(Error::Conflict { .. })), "{theirs:?}: {refused:?}");
    }
}

#[tokio::test]
async fn a_lost_answer_that_cannot_be_looked_for_is_said_to_be_unknown() {
    let store = FakeStore::new(Quirks { denied: write_only(), ..Quirks::default() });
    let place = place(&store);
    create(&place, "first", "x").await.expect("create, to know the store");
    store.fail_nth(Verb::Put, store.count(Verb::Put) + 1, Fault::LoseAnswer);
    let err = create(&place, "manifest.json", "ours").await.expect_err("nobody can know");
    assert!(matches!(err, Error::Unavailable { .. }) && words(&err).contains("is not known"), "{}", words(&err));
    assert!(words(&err).contains("AccessDenied"), "{}", words(&err));
}

#[tokio::test]
async fn an_etag_that_is_no_md5_is_looked_into() {
    let store = FakeStore::new(Quirks { etags: Etags::Random, ..Quirks::default() });
    create(&place_with(&store, options()), "manifest.json", "x").await.expect("the bytes are right");
    let denied = Quirks { etags: Etags::Random, denied: write_only(), ..Quirks::default() };
    create(&place(&FakeStore::new(denied)), "manifest.json", "x").await.expect("the store checked the MD5 itself");
}

#[tokio::test]
async fn names_that_are_not_for_objects_are_refused() {
    for bad in [".a.tmp-0123456789abcdef", "a/.b.claim-0123456789abcdef", ".snapshot/x", &"x".repeat(1010)] {
        let refused = place(&store()).put(&name(bad), Bytes::new(), Put::Create).await;
        assert!(matches!(refused, Err(Error::InvalidName { .. })), "{bad}: {refused:?}");
    }
}
