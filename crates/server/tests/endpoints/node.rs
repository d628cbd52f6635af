//! A node to ask, and how to ask it.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode};
use flate2::Compression;
use flate2::write::GzEncoder;
use graphdb_backup::{Node, NodeOptions};
use graphdb_server::ServerConfig;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;

pub(crate) struct TestNode {
    pub(crate) node: Node,
    router: Router,
    peer: SocketAddr,
    dir: TempDir,
}

pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.bytes.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The first error's message and code.
    pub(crate) fn error(&self) -> (String, String) {
        let json = self.json();
        let text = |pointer: &str| json.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        (text("/errors/0/message"), text("/errors/0/extensions/code"))
    }
}

impl TestNode {
    pub(crate) fn new() -> TestNode {
        TestNode::with(ServerConfig {
            version: "v0.0.0-test".into(),
            address: "localhost:8080".into(),
            ..ServerConfig::default()
        })
    }

    pub(crate) fn with(config: ServerConfig) -> TestNode {
        let dir = tempfile::tempdir().unwrap();
        let options = NodeOptions { export_dir: dir.path().join("exports"), ..NodeOptions::default() };
        let node = Node::open(&dir.path().join("p"), options).unwrap();
        let router = graphdb_server::router(node.clone(), config);
        TestNode { node, router, peer: "127.0.0.1:40000".parse().unwrap(), dir }
    }

    /// The same node, asked from another address.
    pub(crate) fn from(self, peer: &str) -> TestNode {
        TestNode { peer: peer.parse().unwrap(), ..self }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) async fn send(&self, method: &str, uri: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
        let mut request = Request::builder().method(method).uri(uri).extension(ConnectInfo(self.peer));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = axum::body::to_bytes(response.into_body(), 64 << 20).await.unwrap().to_vec();
        Reply { status, headers, bytes }
    }

    pub(crate) async fn get(&self, uri: &str) -> Reply {
        self.send("GET", uri, &[], "").await
    }

    pub(crate) async fn post(&self, uri: &str, content_type: &str, body: impl Into<Body>) -> Reply {
        self.send("POST", uri, &[("content-type", content_type)], body).await
    }

    pub(crate) async fn admin(&self, query: &str) -> Value {
        self.post("/admin", "application/json", json!({"query": query}).to_string()).await.json()
    }

    pub(crate) async fn query(&self, dql: &str) -> Value {
        self.post("/query", "application/dql", dql.to_owned()).await.json()["data"].take()
    }

    pub(crate) async fn mutate(&self, rdf: &str) -> Value {
        let reply = self.post("/mutate?commitNow=true", "application/rdf", format!("{{ set {{\n{rdf}\n}} }}")).await;
        assert_eq!(reply.json()["data"]["code"], "Success", "{}", reply.text());
        reply.json()
    }

    pub(crate) async fn alter(&self, schema: &str) {
        let reply = self.post("/alter", "text/plain", schema.to_owned()).await;
        assert_eq!(reply.json()["data"]["code"], "Success", "{}", reply.text());
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
