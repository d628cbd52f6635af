//! A running node: restores that exchange its store, what a crash leaves, backups that meet each other.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use graphdb_backup::{
    BackupContext, BackupRequest, BackupTerms, Error, JobRecord, JobStatus, Locations, Node, NodeOptions, Progress,
    SeriesRequest, list_backups,
};
use graphdb_storage::{Alter, Leased, Store};
use graphdb_types::{DropOp, Predicate, PredicateSchema, Tokenizer};
use tempfile::TempDir;

use crate::model::Lists;
use crate::support::{
    assert_lists, commit, define, delete_all, dump, entries, indexed_string, key, link, links, newest, scratch, set,
    store_options,
};

fn options() -> NodeOptions {
    NodeOptions { store: store_options(), backup: BackupContext::default(), ..NodeOptions::default() }
}

/// A directory with a node's postings and a place for backups.
struct Home {
    dir: TempDir,
}

impl Home {
    fn new() -> Home {
        let dir = scratch();
        fs::create_dir(dir.path().join("backups")).unwrap();
        Home { dir }
    }

    fn postings(&self) -> PathBuf {
        self.dir.path().join("p")
    }

    fn open(&self) -> Node {
        Node::open(&self.postings(), options()).unwrap()
    }

    fn location(&self) -> String {
        self.dir.path().join("backups").display().to_string()
    }

    fn request(&self) -> SeriesRequest {
        SeriesRequest { location: self.location().into(), ..newest(None) }
    }

    fn backup(&self, force_full: bool) -> BackupRequest {
        BackupRequest { destination: self.location().into(), terms: BackupTerms { force_full, compat: None } }
    }

    /// The directories of stores beside `p`.
    fn stores(&self) -> Vec<String> {
        entries(self.dir.path()).into_iter().filter(|name| name.starts_with("p.") && name != "p.jobs").collect()
    }
}

/// A node with some names, a backup of them, and then other names: what a restore takes back.
async fn changed_since_backup(home: &Home) -> (Node, Lists, Lists) {
    let node = home.open();
    let store = node.store().unwrap();
    define(&store, &[("name", indexed_string())]);
    commit(&store, (1..50).map(|i| set(i, "name", &format!("name {i}"))).collect());
    let before = dump(&store);
    node.backup(home.backup(false)).await.unwrap();
    commit(&store, vec![set(1, "name", "changed"), set(99, "name", "new")]);
    let after = dump(&store);
    (node, before, after)
}

async fn settled(node: &Node, id: u64) -> JobRecord {
    loop {
        let record = node.restore_status(id).unwrap();
        if record.status != JobStatus::Running {
            return record;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn content(node: &Node) -> Lists {
    dump(&node.any_store().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_takes_the_node_back_and_a_rollback_forward_again() {
    let home = Home::new();
    let (node, before, after) = changed_since_backup(&home).await;
    let store = node.store().unwrap();
    let (epoch, uid) = (store.identity().epoch, store.lease(Leased::Uid, 1).unwrap().last);
    let start_ts = store.begin().unwrap();
    drop(store);
    let id = node.restore(home.request()).await.unwrap();
    let record = settled(&node, id).await;
    assert_eq!((record.status, record.percent, record.errors.len()), (JobStatus::Success, 100.0, 0));
    assert_lists(&content(&node), &before, "restored");
    assert_eq!(home.stores(), [format!("p.replaced-{id}")]);
    assert!(!node.is_draining());
    let store = node.store().unwrap();
    assert!(store.identity().epoch > epoch, "a new life");
    assert!(store.begin().unwrap() > start_ts && store.lease(Leased::Uid, 1).unwrap().first > uid, "ids go on above");
    assert!(matches!(
        store.commit_now(start_ts, vec![set(1, "name", "late")]),
        Err(graphdb_storage::Error::Conflict { .. })
    ));
    let refused = node.backup(home.backup(false)).await.unwrap_err();
    assert!(matches!(refused, Error::NotContinued { .. }), "{refused}");
    let start_ts = store.begin().unwrap();
    drop(store);

    node.rollback_restore(id).await.unwrap();
    assert_lists(&content(&node), &after, "rolled back");
    assert_eq!(home.stores(), [""; 0]);
    let store = node.store().unwrap();
    assert!(store.identity().epoch == epoch && store.begin().unwrap() > start_ts);
    drop(store);
    assert!(matches!(node.rollback_restore(id).await, Err(Error::NoRollback { .. })), "only once");
    assert!(matches!(node.rollback_restore(77).await, Err(Error::NoRollback { .. })));
    assert_eq!(node.backup(home.backup(false)).await.unwrap().backup.backup_num, 2, "the old life's series goes on");
    node.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_store_is_kept_for_its_time_and_the_record_survives() {
    let home = Home::new();
    let (node, before, _) = changed_since_backup(&home).await;
    let id = node.restore(home.request()).await.unwrap();
    settled(&node, id).await;
    node.prune().unwrap();
    assert_eq!(home.stores().len(), 1, "its time has not come");
    node.close().await;
    let impatient = NodeOptions { keep_replaced: Duration::ZERO, ..options() };
    let node = Node::open(&home.postings(), impatient).unwrap();
    assert_eq!(home.stores(), [""; 0]);
    assert_eq!(node.restore_status(id).unwrap().status, JobStatus::Success);
    assert!(matches!(node.rollback_restore(id).await, Err(Error::NoRollback { .. })));
    assert_lists(&content(&node), &before, "the restored store stays");
    assert_eq!(node.restore(home.request()).await.unwrap(), id + 1);
    settled(&node, id + 1).await;
    node.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_fails_leaves_the_node_as_it_was() {
    let home = Home::new();
    let (node, _, after) = changed_since_backup(&home).await;
    assert!(node.restore(SeriesRequest { key: Some(key(32)), ..home.request() }).await.is_err(), "wrong key");
    assert!(node.restore(SeriesRequest { backup_num: Some(9), ..home.request() }).await.is_err());
    assert!(node.restore_status(1).is_none(), "what was refused is no job");
    // The size is right, so only reading finds it.
    let folder = Path::new(&home.location()).join(entries(Path::new(&home.location())).remove(0));
    let archive = folder.join(entries(&folder).into_iter().find(|name| name.ends_with(".backup")).unwrap());
    let mut bytes = fs::read(&archive).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&archive, bytes).unwrap();
    let id = node.restore(home.request()).await.unwrap();
    let record = settled(&node, id).await;
    assert_eq!(record.status, JobStatus::Failed);
    assert!(record.errors[0].contains(archive.file_name().unwrap().to_str().unwrap()), "{:?}", record.errors);
    assert_lists(&content(&node), &after, "as before");
    assert_eq!(home.stores(), [""; 0], "nothing is left beside it");
    assert!(matches!(node.rollback_restore(id).await, Err(Error::NoRollback { .. })));
    node.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_began_before_the_swap_reads_to_its_end() {
    let home = Home::new();
    let (node, before, after) = changed_since_backup(&home).await;
    let view = {
        let store = node.store().unwrap();
        store.view(store.read_ts()).unwrap()
    };
    let id = node.restore(home.request()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(node.restore_status(id).unwrap().status, JobStatus::Running, "the swap waits for the reader");
    assert_lists(&crate::support::seen(&view).unwrap(), &after, "the old store, whole");
    assert!(matches!(node.restore(home.request()).await, Err(Error::RestoreRunning)));
    assert!(node.store().is_err(), "new requests are kept out meanwhile");
    drop(view);
    assert_eq!(settled(&node, id).await.status, JobStatus::Success);
    assert_lists(&content(&node), &before, "restored");
    node.close().await;
}

/// The record of a restore as it stood when the process died.
fn forge_running(home: &Home, id: u64, epoch: Option<u64>) {
    let record = JobRecord {
        id,
        kind: graphdb_backup::JobKind::Restore,
        status: JobStatus::Running,
        phase: "swap".into(),
        percent: 50.0,
        errors: vec![],
        location: home.location(),
        started_at: 1_700_000_000,
        updated_at: 1_700_000_000,
        epoch,
        replaced: None,
        note: None,
        is_partial: false,
    };
    let path = home.dir.path().join(format!("p.jobs/restore-{id:x}.json"));
    fs::write(path, serde_json::to_vec(&record).unwrap()).unwrap();
}

/// A restored store beside a closed node, as just before the swap: gives its epoch and what both hold.
async fn before_the_swap(home: &Home) -> (u64, Lists, Lists) {
    let (node, before, after) = changed_since_backup(home).await;
    let target = scratch();
    graphdb_backup::restore_offline(
        &Locations::default(),
        &home.request(),
        target.path(),
        &graphdb_backup::Progress::default(),
    )
    .await
    .unwrap();
    node.close().await;
    drop(node);
    let staging = home.dir.path().join("p.restore-1");
    fs::rename(target.path().join("p1"), &staging).unwrap();
    let epoch = Store::open(&staging, store_options()).unwrap().identity().epoch;
    (epoch, before, after)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_died_before_the_swap_never_was() {
    for known in [false, true] {
        let home = Home::new();
        let (epoch, _, after) = before_the_swap(&home).await;
        forge_running(&home, 1, known.then_some(epoch));
        let node = home.open();
        let record = node.restore_status(1).unwrap();
        assert_eq!(record.status, JobStatus::Failed);
        assert!(record.errors[0].contains("as it was before"));
        assert_lists(&content(&node), &after, "as before");
        assert_eq!(home.stores(), [""; 0]);
        node.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_died_after_the_swap_is_finished() {
    // With an exchange the old store stands in the staging place; with two renames it is set aside, and `p` may be missing.
    for moment in ["exchanged", "put aside", "between two renames"] {
        let home = Home::new();
        let (epoch, before, after) = before_the_swap(&home).await;
        let (p, staging, replaced) =
            (home.postings(), home.dir.path().join("p.restore-1"), home.dir.path().join("p.replaced-1"));
        let old = Store::open(&p, store_options()).unwrap();
        let last_uid = old.lease(Leased::Uid, 12_345).unwrap().last;
        drop(old);
        fs::rename(&p, &replaced).unwrap();
        match moment {
            "between two renames" => {}
            "put aside" => fs::rename(&staging, &p).unwrap(),
            _ => {
                fs::rename(&staging, &p).unwrap();
                fs::rename(&replaced, &staging).unwrap();
            }
        }
        forge_running(&home, 1, Some(epoch));
        let node = home.open();
        assert_eq!(node.restore_status(1).unwrap().status, JobStatus::Success, "{moment}");
        assert_lists(&content(&node), &before, moment);
        assert_eq!(home.stores(), ["p.replaced-1"], "{moment}");
        assert!(node.any_store().unwrap().next_id(Leased::Uid) > last_uid, "{moment}: what the old store handed out");
        node.rollback_restore(1).await.unwrap();
        assert_lists(&content(&node), &after, moment);
        node.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_opened_after_a_crash_does_not_cost_the_old_one() {
    let home = Home::new();
    let (epoch, _, after) = before_the_swap(&home).await;
    let (p, staging, aside) = (home.postings(), home.dir.path().join("p.restore-1"), home.dir.path().join("x"));
    fs::rename(&p, &aside).unwrap();
    fs::rename(&staging, &p).unwrap();
    fs::rename(&aside, &staging).unwrap();
    forge_running(&home, 1, Some(epoch));
    let held = Store::open(&p, store_options()).unwrap();
    assert!(Node::open(&home.postings(), options()).is_err());
    drop(held);
    let node = home.open();
    node.rollback_restore(1).await.unwrap();
    assert_lists(&content(&node), &after, "the old store is still there");
    node.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_directory_settles_nothing() {
    let home = Home::new();
    let (node, before, _) = changed_since_backup(&home).await;
    let view = {
        let store = node.store().unwrap();
        store.view(store.read_ts()).unwrap()
    };
    let id = node.restore(home.request()).await.unwrap();
    while !home.stores().contains(&format!("p.restore-{id}")) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let err = Node::open(&home.postings(), options()).unwrap_err();
    assert!(err.to_string().contains("is in use by"), "{err}");
    assert_eq!(node.restore_status(id).unwrap().status, JobStatus::Running);
    drop(view);
    assert_eq!(settled(&node, id).await.status, JobStatus::Success);
    assert_lists(&content(&node), &before, "restored in spite of the second opener");
    node.close().await;
    home.open().close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_backups_that_meet_one_runs_and_the_others_are_told() {
    let (home, other) = (Home::new(), Home::new());
    let (node, _, _) = changed_since_backup(&home).await;
    let stranger = other.open();
    let runs: Vec<_> = (0..8)
        .map(|i| {
            let (node, request) = (if i % 2 == 0 { node.clone() } else { stranger.clone() }, home.backup(true));
            tokio::spawn(async move { node.backup(request).await })
        })
        .collect();
    let mut taken = 0;
    for run in runs {
        match run.await.unwrap() {
            Ok(done) => {
                assert!(node.task(done.task_id).or(stranger.task(done.task_id)).unwrap().status == JobStatus::Success);
                taken += 1;
            }
            Err(Error::Busy { .. }) => {}
            Err(err) => panic!("{err}"),
        }
    }
    assert!(taken >= 1);
    let listed = list_backups(&Locations::default(), &home.location().into()).await.unwrap();
    assert_eq!(listed.len(), taken + 1, "as many as succeeded, and the one from before");
    let left = entries(Path::new(&home.location()));
    assert!(left.iter().all(|name| name.starts_with("dgraph.")), "no lock is left: {left:?}");
    node.close().await;
    stranger.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_closes_during_a_backup_leaves_nothing_at_the_destination() {
    let home = Home::new();
    let (node, _, _) = changed_since_backup(&home).await;
    let store = node.store().unwrap();
    for round in 0..4u64 {
        let edges = (0..20_000).map(|i| set(1000 + i, "name", &format!("{:x}", (i + round).wrapping_mul(0x9e37_79b9))));
        commit(&store, edges.collect());
    }
    drop(store);
    let before = entries(Path::new(&home.location()));
    let running = tokio::spawn({
        let (node, request) = (node.clone(), home.backup(true));
        async move { node.backup(request).await }
    });
    while node.ongoing().is_empty() {
        tokio::task::yield_now().await;
    }
    node.close().await;
    let err = running.await.unwrap().expect_err("it was stopped");
    assert!(matches!(err, Error::Cancelled(_)), "{err}");
    assert_eq!(entries(Path::new(&home.location())), before);
    assert!(matches!(node.backup(home.backup(true)).await, Err(Error::Cancelled(_))));
    let node = home.open();
    let done = node.backup(home.backup(false)).await.unwrap();
    assert_eq!(done.backup.backup_num, 2);
    node.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_another_group_restores_all_the_same() {
    let home = Home::new();
    let (node, before, _) = changed_since_backup(&home).await;
    node.close().await;
    drop(node);
    fs::write(home.postings().join("group_id"), "2\n").unwrap();
    let node = home.open();
    let id = node.restore(home.request()).await.unwrap();
    assert_eq!(settled(&node, id).await.status, JobStatus::Success);
    assert_lists(&content(&node), &before, "as in the backup");
    node.close().await;
    assert_eq!(fs::read_to_string(home.postings().join("group_id")).unwrap(), "2\n", "the node stays in its group");
    let _: Arc<Store> = Store::open(&home.postings(), store_options()).unwrap();
}

/// Backs up after each of some changes: data, a deletion, an index, a drop, nothing.
async fn backed_up_in_steps(home: &Home) -> u64 {
    let node = home.open();
    let store = node.store().unwrap();
    define(&store, &[("name", indexed_string()), ("friend", links()), ("gone", indexed_string())]);
    let names = (1..60).map(|i| set(i, "name", &format!("name {i}")));
    let others = (1..60).flat_map(|i| [link(i, "friend", i + 1), set(i, "gone", "soon")]);
    commit(&store, names.chain(others).collect());
    let steps: [&dyn Fn(); 5] = [
        &|| {},
        &|| _ = commit(&store, vec![delete_all(2, "name"), delete_all(3, "friend"), set(70, "name", "new")]),
        &|| define(&store, &[("name", PredicateSchema { tokenizers: vec![Tokenizer::Hash], ..indexed_string() })]),
        &|| {
            store.alter(Alter::Drop(DropOp::Predicate(Predicate::root("gone")))).unwrap();
            commit(&store, vec![link(1, "friend", 500)]);
        },
        &|| {},
    ];
    for step in steps {
        step();
        node.backup(home.backup(false)).await.unwrap();
    }
    node.close().await;
    steps.len() as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_of_ours_are_applied_one_after_the_other_too() {
    let (home, other) = (Home::new(), Home::new());
    let backups = backed_up_in_steps(&home).await;
    let node = other.open();
    for number in 1..=backups {
        let up_to = SeriesRequest { backup_num: Some(number), ..home.request() };
        let step = SeriesRequest { incremental_from: number, ..up_to.clone() };
        let id = node.restore(step).await.unwrap();
        let record = settled(&node, id).await;
        let note = (number > 1).then(|| format!("Backups {number} to {number} were applied upon what was there."));
        assert_eq!((record.status, record.note), (JobStatus::Success, note), "{number}: {:?}", record.errors);
        let whole = scratch();
        graphdb_backup::restore_offline(&Locations::default(), &up_to, whole.path(), &Progress::default())
            .await
            .unwrap();
        let whole = Store::open(&whole.path().join("p1"), store_options()).unwrap();
        assert_lists(&content(&node), &dump(&whole), &format!("backup {number}"));
        let store = node.store().unwrap();
        assert_eq!(store.schema(), whole.schema(), "backup {number}");
        assert!(store.next_id(Leased::Uid) >= whole.next_id(Leased::Uid), "backup {number}");
    }
    node.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_slips_in_while_backups_are_applied_is_not_lost() {
    let (home, other) = (Home::new(), Home::new());
    backed_up_in_steps(&home).await;
    let node = other.open();
    let up_to = |number| SeriesRequest { backup_num: Some(number), ..home.request() };
    let id = node.restore(up_to(1)).await.unwrap();
    assert_eq!(settled(&node, id).await.status, JobStatus::Success);
    let begun_before = node.store().unwrap();
    let id = node.restore(SeriesRequest { incremental_from: 2, ..up_to(2) }).await.unwrap();
    assert!(matches!(node.store(), Err(Error::Draining)), "clients are kept out from the beginning");
    commit(&begun_before, vec![set(1, "name", "slipped in")]);
    let written = dump(&begun_before);
    drop(begun_before);
    let record = settled(&node, id).await;
    assert_eq!(record.status, JobStatus::Failed);
    assert!(record.errors[0].contains("changed while the restore ran"), "{:?}", record.errors);
    assert_lists(&content(&node), &written, "as it was, with what was written");
    node.store().expect("clients are let in again");
    assert_eq!(other.stores().len(), 1, "only what the first restore replaced");
    node.close().await;
}
