//! The server on a real socket.

use graphdb_backup::{Node, NodeOptions};
use graphdb_server::{ServerConfig, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

struct Running {
    address: std::net::SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
    _dir: tempfile::TempDir,
}

async fn start() -> Running {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::open(&dir.path().join("p"), NodeOptions::default()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let server = tokio::spawn(async move {
        let shutdown = async { _ = stopped.await };
        serve(listener, node.clone(), ServerConfig::default(), shutdown).await.unwrap();
        node.close().await;
    });
    Running { address, stop: Some(stop), server, _dir: dir }
}

async fn exchange(address: std::net::SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A server that has refused the rest of a request may close before it is sent.
    _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_peer_on_this_machine_may_administer() {
    let mut running = start().await;
    let answer = exchange(
        running.address,
        b"GET /admin?query={health{status}} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("healthy"), "{answer}");
    running.stop.take().unwrap().send(()).unwrap();
    running.server.await.unwrap();
    assert!(TcpStream::connect(running.address).await.is_err(), "the port is free again");
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_end() {
    let running = start().await;
    let mut idle = TcpStream::connect(running.address).await.unwrap();
    idle.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    let answer = exchange(running.address, b"GET /admin/shutdown HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(answer.contains("Server is shutting down"), "{answer}");
    running.server.await.unwrap();
}

#[tokio::test]
async fn a_body_of_a_gibibyte_is_refused_before_it_is_sent() {
    let running = start().await;
    let head = b"POST /admin HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n{";
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(head).await.unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 413");
    drop(running.stop);
}

#[tokio::test]
async fn heads_that_are_too_large_or_no_http_are_refused() {
    let running = start().await;
    let long = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(200 << 10));
    let answer = exchange(running.address, long.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    let answer = exchange(running.address, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400") || answer.is_empty(), "{answer}");
    let answer =
        exchange(running.address, b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "it goes on: {answer}");
}
