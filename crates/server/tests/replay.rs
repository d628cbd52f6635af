//! Replays the exchanges recorded from a real server against a fresh node, in order, and compares the answers.
//!
//! Compared exactly: status, content type, `data` (the order of keys and of unordered lists aside, uids that the server chose mapped). Of an
//! error: that it is one, whether `data` is beside it, where GraphQL says it is, and its code. Not compared: words of errors, timings,
//! timestamps, ids, addresses.

mod replay {
    pub(crate) mod compare;
    pub(crate) mod known;
}

use std::net::SocketAddr;
use std::path::PathBuf;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use graphdb_backup::{JobStatus, Node, NodeOptions};
use graphdb_destination::testing::servers::skip;
use graphdb_server::ServerConfig;
use graphdb_storage::Leased;
use serde::Deserialize;
use serde_json::Value;
use tower::ServiceExt as _;

use replay::compare::{Answer, Uids, differs};
use replay::known::{KNOWN, ONLY_OLDER};

#[derive(Deserialize)]
struct Exchange {
    name: String,
    method: String,
    path: String,
    headers: std::collections::BTreeMap<String, String>,
    body: Option<String>,
    status: u16,
    content_type: Option<String>,
    response: Value,
}

fn shared(path: &str) -> Option<String> {
    let root = std::env::var_os("GRAPHDB_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")), PathBuf::from);
    std::fs::read_to_string(root.join(path)).ok()
}

/// A restore answers before it is done; the recorded requests that follow it were sent when it was.
async fn settle(node: &Node) {
    let is_running = |id: &u64| node.restore_status(*id).is_some_and(|record| record.status == JobStatus::Running);
    let restores = (1..).take_while(|id| node.restore_status(*id).is_some());
    for id in restores.collect::<Vec<u64>>() {
        while is_running(&id) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

async fn send(router: &Router, exchange: &Exchange, backups: &str) -> Answer {
    let mut request = Request::builder().method(exchange.method.as_str()).uri(&exchange.path);
    for (name, value) in &exchange.headers {
        request = request.header(name, value);
    }
    let peer: SocketAddr = "127.0.0.1:40000".parse().expect("an address");
    let body = exchange.body.clone().unwrap_or_default().replace("/backups", backups);
    let request = request.extension(ConnectInfo(peer)).body(Body::from(body)).expect("a recorded request is one");
    let response = router.clone().oneshot(request).await.expect("the router answers everything");
    let content_type =
        response.headers().get(header::CONTENT_TYPE).map(|value| value.to_str().expect("ASCII").to_owned());
    let status = response.status().as_u16();
    let bytes = axum::body::to_bytes(response.into_body(), 64 << 20).await.expect("a body");
    let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Answer { status, content_type, body }
}

/// A fresh node, and what it answers to the exchanges of `file`, in order. `None` without the file.
async fn replay(file: &str) -> Option<Vec<(Exchange, Option<String>, Value)>> {
    let Some(text) = shared(file) else {
        skip(&format!("{file} is not there; set GRAPHDB_SHARED to the folder that holds it"));
        return None;
    };
    let dir = tempfile::tempdir().expect("a directory");
    let backups = dir.path().join("backups");
    std::fs::create_dir(&backups).expect("a directory");
    let node = Node::open(&dir.path().join("p"), NodeOptions::default()).expect("a node");
    node.store().expect("a store").lease(Leased::Uid, 10_000).expect("uids");
    let config = ServerConfig {
        version: "dev".into(),
        address: "localhost:7100".into(),
        cache_bytes: 4 << 30,
        ..ServerConfig::default()
    };
    let router = graphdb_server::router(node.clone(), config);
    let (mut uids, mut replayed) = (Uids::default(), Vec::new());
    for line in text.lines() {
        let exchange: Exchange = serde_json::from_str(line).expect("a recorded exchange");
        settle(&node).await;
        let answer = send(&router, &exchange, backups.to_str().expect("UTF-8")).await;
        let recorded = Answer {
            status: exchange.status,
            content_type: exchange.content_type.clone(),
            body: exchange.response.clone(),
        };
        let difference = differs(&exchange.name, &exchange.path, &recorded, &answer, &mut uids);
        replayed.push((exchange, difference, answer.body));
    }
    node.close().await;
    Some(replayed)
}

#[tokio::test]
async fn recorded_exchanges_are_answered_as_by_the_server_they_were_recorded_from() {
    let Some(replayed) = replay("data/http/dgraph-v25.4.jsonl").await else { return };
    let (all, mut same, mut listed) = (replayed.len(), 0, Vec::new());
    let (mut wrong, mut stale) = (Vec::new(), Vec::new());
    for (exchange, difference, answer) in replayed {
        same += usize::from(difference.is_none());
        match (difference, KNOWN.iter().find(|(name, _)| *name == exchange.name)) {
            (None, None) => {}
            (None, Some(_)) => stale.push(exchange.name),
            (Some(_), Some((name, reason))) => listed.push(format!("  {name}: {reason}")),
            (Some(why), None) => wrong
                .push(format!("  {}: {why}\n    recorded {}\n    answered {answer}", exchange.name, exchange.response)),
        }
    }
    println!("{same} of {all} recorded exchanges are answered the same");
    println!("outside this version's band, or better on purpose ({}):\n{}", listed.len(), listed.join("\n"));
    assert!(wrong.is_empty(), "{} in this version's band differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(stale.is_empty(), "listed as different, but they are the same now; take them off the list: {stale:?}");
}

#[tokio::test]
async fn what_only_the_older_server_had_is_answered_as_it_did() {
    let Some(replayed) = replay("data/http/dgraph-v20.11.jsonl").await else { return };
    let mut found = 0;
    for (exchange, difference, answer) in replayed {
        if ONLY_OLDER.contains(&exchange.name.as_str()) {
            found += 1;
            assert_eq!(difference, None, "{}: recorded {}, answered {answer}", exchange.name, exchange.response);
        }
    }
    assert_eq!(found, ONLY_OLDER.len());
}
