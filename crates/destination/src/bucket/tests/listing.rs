use super::*;

async fn names(place: &BucketDestination, prefix: &str) -> Result<Vec<String>> {
    Ok(place.list(prefix).await?.into_iter().map(|meta| meta.name.to_string()).collect())
}

fn store_of(keys: &[&str]) -> FakeStore {
    let store = store();
    for key in keys {
        store.plant(key, "x", Duration::ZERO);
    }
    store
}

#[tokio::test]
async fn every_page_is_read_and_only_our_objects_are_shown() {
    let store = store_of(&[
        "folder/b/1",
        "folder/b/2",
        "folder/b-x",
        "folder/a",
        "folder/c",
        "folder/",
        "folder/sub/",
        "folder/a//b",
        "folder/.manifest.json.claim-0123456789abcdef",
        "folder/.snapshot/x",
        "folder2/x",
        "x",
    ]);
    assert_eq!(names(&place(&store), "").await.expect("list"), ["a", "b-x", "b/1", "b/2", "c"]);
    assert_eq!(names(&place(&store), "b/").await.expect("list"), ["b/1", "b/2"]);
    assert_eq!(names(&place(&store), "x").await.expect("list"), [""; 0]);
}

#[tokio::test]
async fn untidy_pages_are_tidied() {
    let store = store_of(&["folder/a", "folder/b", "folder/c", "folder/d", "folder/e", "folder/f", "folder/g"]);
    store.fail_all(Verb::List, Fault::Untidy);
    assert_eq!(names(&place(&store), "").await.expect("list"), ["a", "b", "c", "d", "e", "f", "g"]);
}

#[tokio::test]
async fn pages_that_lead_nowhere_are_an_error() {
    let store = store_of(&["folder/a", "folder/b", "folder/c", "folder/d", "folder/e"]);
    store.fail_nth(Verb::List, 2, Fault::Circle);
    let err = names(&place(&store), "").await.expect_err("it would never end");
    assert!(matches!(err, Error::Corrupt { .. }) && words(&err).contains("in circles"), "{}", words(&err));
}

#[tokio::test]
async fn a_listing_has_a_bound() {
    let store = store_of(&["folder/a", "folder/b", "folder/c", "folder/d", "folder/e", "folder/f", "folder/g"]);
    for bound in [BucketOptions { listed_objects: 5, ..options() }, BucketOptions { listed_pages: 1, ..options() }] {
        let err = names(&place_with(&store, bound), "").await.expect_err("too much");
        assert!(words(&err).contains("a bucket or a folder of their own"), "{}", words(&err));
    }
}

#[tokio::test]
async fn a_listing_is_repeated_and_a_denied_one_is_not_an_empty_one() {
    let store = store_of(&["folder/a", "folder/b", "folder/c", "folder/d"]);
    store.fail_nth(Verb::List, 2, Fault::Unreachable);
    assert_eq!(names(&place(&store), "").await.expect("list").len(), 4);
    for (status, code) in [(403, "AccessDenied"), (404, "NoSuchBucket"), (404, ""), (500, "")] {
        store.fail_all(Verb::List, Fault::Refuse(status, code));
        let err = names(&place(&store), "").await.expect_err(code);
        assert!(!err.is_not_found(), "{status} {code}: {err}");
    }
}

#[tokio::test]
async fn what_is_deleted_was_there() {
    let store = store_of(&["folder/a"]);
    let place = place(&store);
    assert!(place.delete(&name("b")).await.expect_err("absent").is_not_found());
    store.fail_nth(Verb::Delete, 1, Fault::LoseAnswer);
    place.delete(&name("a")).await.expect("delete");
    assert!(store.keys().is_empty());

    let blind = FakeStore::new(Quirks { denied: vec![Verb::Head], ..Quirks::default() });
    blind.plant("folder/a", "x", Duration::ZERO);
    super::place(&blind).delete(&name("a")).await.expect("delete without looking");
    assert!(blind.keys().is_empty());
}
