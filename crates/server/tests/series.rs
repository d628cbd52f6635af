//! Series that real Dgraph servers wrote, restored offline and online at every backup number, and asked what the servers were asked when the
//! backups were taken.
//!
//! Compared as JSON: the order of keys does not matter, 3.0 is 3, -0.0 is 0, numbers beyond 2^53 are doubles. Internal predicates and types are
//! left out of schemas.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod series {
    pub(crate) mod answers;
    pub(crate) mod known;
}

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use graphdb_backup::{
    EncryptionKey, JobStatus, Locations, Node, NodeOptions, Progress, Selection, SeriesRequest, Tenant, restore_offline,
};
use graphdb_destination::testing::servers::skip;
use graphdb_storage::{Store, StoreOptions};
use graphdb_types::Namespace;
use serde_json::Value;

use series::answers::{Expected, Verdict, compare, compare_blocks, login};
use series::known::known;

/// The series that come with answers.
const SERIES: [&str; 7] = [
    "v1.2-kinds",
    "v21.12-random",
    "v24.1-kinds-aes256",
    "v25.4-kinds",
    "v25.4-lost-delete",
    "v25.4-stale-index",
    "v25.4-namespaces",
];

/// The folder with the data, or `None` after saying that it is absent.
fn data() -> Option<PathBuf> {
    let root = std::env::var_os("GRAPHDB_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")), PathBuf::from);
    let data = root.join("data");
    if data.join("dgraph-backups").is_dir() {
        return Some(data);
    }
    skip(&format!("{} is not there; set GRAPHDB_SHARED to the folder that has data/", data.display()));
    None
}

fn request(data: &Path, folder: &str) -> SeriesRequest {
    let key = folder.ends_with("aes256").then(|| {
        let bytes = fs::read(data.join("keys/aes256-v24.key")).unwrap();
        Arc::new(EncryptionKey::new(&bytes).unwrap())
    });
    let location = data.join("dgraph-backups").join(folder).to_str().unwrap().into();
    SeriesRequest { location, key, ..SeriesRequest::default() }
}

/// What differs between the answers of a store and those that were recorded, and how many were compared.
#[derive(Default)]
struct Outcome {
    same: usize,
    refused_there: usize,
    known: BTreeSet<String>,
    wrong: Vec<String>,
}

impl Outcome {
    /// Asks everything that was asked after a step, of one namespace if they are told apart.
    fn ask(&mut self, store: &Store, folder: &str, step: &str, expected: &Expected, answers: &Value) {
        let view = store.view(store.read_ts()).unwrap();
        for (name, recorded) in answers.as_object().unwrap() {
            let known = known(folder, name);
            let verdict = match (expected.query(name), known) {
                (None, _) => login(&view, name, recorded),
                (Some(query), None) => compare(&view, name, query, recorded),
                (Some(_), Some(known)) => compare_blocks(&view, known.instead, recorded),
            };
            self.known.extend(known.map(|known| format!("{folder}, {name}: {}", known.reason)));
            match verdict {
                Verdict::Same => self.same += 1,
                Verdict::RefusedThere => self.refused_there += 1,
                Verdict::Differs(why) => self.wrong.push(format!("{folder}, {step}, {name}: {why}")),
            }
        }
    }

    fn conclude(self) {
        println!("{} answers are those of the servers", self.same);
        println!("{} were refused there, for a predicate that is not defined, and are empty here", self.refused_there);
        println!("asked in part only:\n  {}", Vec::from_iter(self.known).join("\n  "));
        assert!(self.wrong.is_empty(), "{} differ:\n{}", self.wrong.len(), self.wrong.join("\n"));
        assert!(self.same > 100, "only {} answers were compared", self.same);
    }
}

/// The restores that answer a step: of the whole, or of each namespace as the root one.
fn restores(request: &SeriesRequest, number: u64, answers: &Value) -> Vec<(SeriesRequest, Value)> {
    let whole = SeriesRequest { backup_num: Some(number), ..request.clone() };
    let namespaces = answers.as_object().unwrap().iter().filter_map(|(name, answers)| {
        let from = Namespace(name.strip_prefix("ns ")?.parse().unwrap());
        let tenant = Some(Tenant { from, to: Namespace::ROOT });
        let selection = Selection { tenant, ..Selection::default() };
        Some((SeriesRequest { selection, ..whole.clone() }, answers.clone()))
    });
    let namespaces: Vec<_> = namespaces.collect();
    if namespaces.is_empty() { vec![(whole, answers.clone())] } else { namespaces }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_backup_restored_offline_answers_as_its_server_did() {
    let Some(data) = data() else { return };
    let mut outcome = Outcome::default();
    for folder in SERIES {
        let expected = Expected::read(&data, folder);
        for (number, step, answers) in expected.steps() {
            for (request, answers) in restores(&request(&data, folder), number, answers) {
                if Expected::is_gone(&answers) {
                    continue;
                }
                let dir = tempfile::tempdir().unwrap();
                let restored = restore_offline(&Locations::default(), &request, dir.path(), &Progress::default()).await;
                restored.unwrap_or_else(|err| panic!("{folder}, {step}: {err}"));
                let store = Store::open(&dir.path().join("p1"), StoreOptions::default()).unwrap();
                outcome.ask(&store, folder, step, &expected, &answers);
            }
        }
    }
    outcome.conclude();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_backup_restored_into_a_running_node_answers_as_its_server_did() {
    let Some(data) = data() else { return };
    let mut outcome = Outcome::default();
    for folder in SERIES {
        let expected = Expected::read(&data, folder);
        let dir = tempfile::tempdir().unwrap();
        let node = Node::open(&dir.path().join("p"), NodeOptions::default()).unwrap();
        for (number, step, answers) in expected.steps() {
            for (request, answers) in restores(&request(&data, folder), number, answers) {
                if Expected::is_gone(&answers) {
                    continue;
                }
                let id = node.restore(request).await.unwrap_or_else(|err| panic!("{folder}, {step}: {err}"));
                settle(&node, id).await;
                outcome.ask(&node.store().unwrap(), folder, step, &expected, &answers);
            }
        }
        node.close().await;
    }
    outcome.conclude();
}

async fn settle(node: &Node, id: u64) {
    loop {
        let record = node.restore_status(id).unwrap();
        match record.status {
            JobStatus::Running => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
            JobStatus::Success => return,
            JobStatus::Failed => panic!("{:?}", record.errors),
        }
    }
}
