//! Restores into a running node: whole, and one backup after the other.

use std::path::Path;
use std::time::Duration;

use graphdb_backup::{
    Error, JobRecord, JobStatus, Node, NodeOptions, RestoreRequest, Selection, SeriesRequest, Tenant,
};
use graphdb_storage::{Alter, SchemaChange, Store, StoreOptions};
use graphdb_types::{Namespace, Predicate, PredicateSchema, Schema};

use crate::data::{Lists, data, lists, lists_of, request, restore};

/// Series whose drops are all on record: of v1.2's, a whole restore brings back what a restore one by one had dropped.
const SERIES: [(&str, u64); 4] =
    [("v24.1-kinds-aes256", 9), ("v25.4-kinds", 9), ("v21.12-random", 8), ("v25.4-namespaces", 8)];

pub(crate) fn open(dir: &Path) -> Node {
    let store = StoreOptions { cache_bytes: 8 << 20, sync: false, ..StoreOptions::default() };
    Node::open(dir, NodeOptions { store, ..NodeOptions::default() }).unwrap()
}

/// Starts a restore and waits for its end.
pub(crate) async fn restored(node: &Node, request: impl Into<RestoreRequest>) -> JobRecord {
    let id = node.restore(request).await.unwrap();
    for _ in 0..6000 {
        let record = node.restore_status(id).unwrap();
        if record.status != JobStatus::Running && node.ongoing().is_empty() {
            return record;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("restore {id} does not end");
}

async fn succeeds(node: &Node, request: impl Into<RestoreRequest>) -> JobRecord {
    let record = restored(node, request).await;
    assert_eq!((record.status, &record.errors), (JobStatus::Success, &vec![]));
    record
}

/// What a node serves.
fn state(node: &Node) -> (Lists, Schema) {
    let store = node.any_store().unwrap();
    (lists_of(&store), Schema::clone(&store.schema()))
}

/// What a restore of the whole series gives.
async fn whole(request: &SeriesRequest) -> (Lists, Schema) {
    let dir = tempfile::tempdir().unwrap();
    let report = restore(request, dir.path()).await.unwrap();
    let [group] = &report.groups[..] else { panic!("the series are of one group") };
    let lists = lists(&group.dir);
    (lists, Schema::clone(&Store::open(&group.dir, StoreOptions::default()).unwrap().schema()))
}

fn assert_same(found: &(Lists, Schema), expected: &(Lists, Schema), what: &str) {
    let differs = found.0.iter().find(|(key, list)| expected.0.get(key) != Some(list));
    assert_eq!(differs.map(|(key, list)| (key, list, expected.0.get(key))), None, "{what}");
    let missing = expected.0.keys().find(|key| !found.0.contains_key(key));
    assert_eq!(missing, None, "{what}: missing");
    assert_eq!(found.1, expected.1, "{what}: schema");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_backup_after_the_other_equals_the_whole_restore() {
    let Some(data) = data() else { return };
    for (folder, backups) in SERIES {
        let dir = tempfile::tempdir().unwrap();
        let node = open(&dir.path().join("p"));
        let up_to = |number| SeriesRequest { backup_num: Some(number), ..request(&data, folder) };
        succeeds(&node, up_to(1)).await;
        for number in 2..=backups {
            let expected = whole(&up_to(number)).await;
            let step = SeriesRequest { incremental_from: number, ..up_to(number) };
            let record = succeeds(&node, step).await;
            assert_same(&state(&node), &expected, &format!("{folder} {number}"));
            assert!(record.note.unwrap().contains("no digests"), "what nothing proves is said");
            node.store().unwrap();
        }
        node.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_backups_at_once_are_applied_upon_what_is_there() {
    let Some(data) = data() else { return };
    for (folder, first, last) in [("v25.4-kinds", 3, 8), ("v21.12-random", 2, 8), ("v25.4-namespaces", 4, 8)] {
        let dir = tempfile::tempdir().unwrap();
        let node = open(&dir.path().join("p"));
        let up_to = |number| SeriesRequest { backup_num: Some(number), ..request(&data, folder) };
        succeeds(&node, up_to(first - 1)).await;
        succeeds(&node, SeriesRequest { incremental_from: first, ..up_to(last) }).await;
        assert_same(&state(&node), &whole(&up_to(last)).await, folder);
        node.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_are_not_applied_upon_anything_else() {
    let Some(data) = data() else { return };
    let dir = tempfile::tempdir().unwrap();
    let node = open(&dir.path().join("p"));
    let series = |number, from| SeriesRequest {
        backup_num: Some(number),
        incremental_from: from,
        ..request(&data, "v25.4-lost-delete")
    };
    let refused = async |request: SeriesRequest, why: &str| {
        let err = node.restore(request).await.unwrap_err();
        assert!(matches!(err, Error::NotUpon { .. }) && err.to_string().contains(why), "{err}");
        node.store().expect("clients are let in again");
    };
    refused(series(2, 2), "did not begin as a restore").await;
    succeeds(&node, series(1, 0)).await;
    refused(series(3, 3), "stands at backup 1").await;
    let other = SeriesRequest { incremental_from: 2, ..request(&data, "v25.4-stale-index") };
    refused(other, "restored from series").await;
    succeeds(&node, series(2, 2)).await;
    let before = state(&node);
    let schema = (Predicate::root("written"), Some(PredicateSchema::default()));
    let change = SchemaChange { predicates: vec![schema], types: vec![] };
    node.store().unwrap().alter(Alter::Schema(change)).unwrap();
    refused(series(3, 3), "changed since").await;
    assert_eq!(state(&node).0, before.0, "nothing was harmed");
    node.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_restore_keeps_clients_out_until_one_that_is_not() {
    let Some(data) = data() else { return };
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("p");
    let node = open(&place);
    let series = |number, from| SeriesRequest {
        backup_num: Some(number),
        incremental_from: from,
        ..request(&data, "v25.4-lost-delete")
    };
    let partial = |series| RestoreRequest { series, is_partial: true };
    succeeds(&node, partial(series(1, 0))).await;
    assert!(matches!(node.store(), Err(Error::Draining)));
    node.close().await;
    let node = open(&place);
    assert!(matches!(node.store(), Err(Error::Draining)), "also after a restart");
    succeeds(&node, partial(series(2, 2))).await;
    assert!(matches!(node.store(), Err(Error::Draining)));
    let failed = node.restore(series(2, 2)).await.unwrap_err();
    assert!(matches!(failed, Error::NotUpon { .. }) && node.store().is_err(), "a refusal changes nothing: {failed}");
    succeeds(&node, series(3, 3)).await;
    node.store().unwrap();
    assert_same(&state(&node), &whole(&series(3, 0)).await, "the whole series in the end");

    succeeds(&node, partial(series(1, 0))).await;
    node.set_draining(false);
    node.store().expect("an operator may let clients in");
    node.close().await;
    let node = open(&place);
    node.store().expect("and they stay in");
    node.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn taking_a_partial_restore_back_lets_clients_in() {
    let Some(data) = data() else { return };
    let dir = tempfile::tempdir().unwrap();
    let node = open(&dir.path().join("p"));
    let series = request(&data, "v25.4-lost-delete");
    let record = succeeds(&node, RestoreRequest { series, is_partial: true }).await;
    assert!(node.store().is_err());
    node.rollback_restore(record.id).await.unwrap();
    node.store().unwrap();
    node.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_gets_another_number_and_nobody_else_comes_along() {
    let Some(data) = data() else { return };
    let tenant = Tenant { from: Namespace(0x12f), to: Namespace::ROOT };
    let selection = Selection { tenant: Some(tenant), ..Selection::default() };
    let dir = tempfile::tempdir().unwrap();
    let node = open(&dir.path().join("p"));
    let of = |number, from| SeriesRequest {
        backup_num: Some(number),
        incremental_from: from,
        selection: selection.clone(),
        ..request(&data, "v25.4-namespaces")
    };
    for number in 1..=8 {
        let all = whole(&SeriesRequest { selection: Selection::default(), ..of(number, 0) }).await.0;
        let expected: Lists = all
            .into_iter()
            .filter(|(key, _)| key.predicate.namespace == tenant.from)
            .map(|(mut key, list)| {
                key.predicate.namespace = tenant.to;
                (key, list)
            })
            .collect();
        succeeds(&node, of(number, 0)).await;
        assert_eq!(state(&node).0, expected, "backup {number}");
        assert!(state(&node).1.predicates.keys().all(|name| name.namespace == Namespace::ROOT), "backup {number}");
    }
    succeeds(&node, of(3, 0)).await;
    let other = SeriesRequest { selection: Selection::default(), ..of(4, 4) };
    let err = node.restore(other).await.unwrap_err();
    assert!(err.to_string().contains("other namespaces"), "{err}");
    let whole = {
        succeeds(&node, of(8, 0)).await;
        state(&node)
    };
    succeeds(&node, of(3, 0)).await;
    succeeds(&node, of(8, 4)).await;
    assert_same(&state(&node), &whole, "from the fourth on");
    node.close().await;
}
