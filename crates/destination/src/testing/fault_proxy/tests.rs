//! The proxy in front of a small store, seen by a client that reads what is on the wire.

#![expect(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;
use hyper::{HeaderMap, Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::wire::Answer;
use super::*;

/// Longer than any exchange here, and no reason to wait for a proxy that hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Keeps what is put and gives it back; lists with two entries.
#[derive(Clone, Debug, Default)]
struct Store(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Store {
    async fn start(&self) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let store = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(store.clone().serve(Connection::new(stream)));
            }
        });
        address
    }

    async fn serve(self, mut connection: Connection) {
        while let Ok(Some(head)) = connection.next_request().await {
            let body = connection.read(head.body_bytes()).await.unwrap();
            let answer = self.answer(&head.method, &head.target, body);
            connection.write(&answer.to_bytes()).await.unwrap();
        }
    }

    fn answer(&self, method: &Method, target: &str, body: Vec<u8>) -> Answer {
        let mut objects = self.0.lock().unwrap();
        let found = match method.as_str() {
            "PUT" => objects.insert(target.into(), body).map_or(Some(vec![]), |_| Some(vec![])),
            "GET" if target.contains("list-type") => Some(LISTING.into()),
            _ => objects.get(target).cloned(),
        };
        let status = if found.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
        let headless = method == Method::HEAD;
        let found = found.unwrap_or_default();
        let headers = HeaderMap::from_iter([
            (hyper::header::ETAG, "\"own\"".parse().unwrap()),
            (hyper::header::CONTENT_LENGTH, found.len().into()),
        ]);
        Answer { status, headers, body: if headless { Bytes::new() } else { found.into() }, headless }
    }

    fn holds(&self, target: &str) -> bool {
        self.0.lock().unwrap().contains_key(target)
    }
}

const LISTING: &str = "<R><IsTruncated>true</IsTruncated><Contents><Key>a</Key></Contents><Contents><Key>b</Key></Contents>\
                       <NextContinuationToken>x</NextContinuationToken></R>";

struct Client {
    proxy: FaultProxy,
    store: Store,
}

impl Client {
    async fn new() -> Client {
        let store = Store::default();
        let proxy = FaultProxy::start(store.start().await).await.unwrap();
        Client { proxy, store }
    }

    /// What comes back until the connection ends, and how it ends.
    async fn raw(&self, method: &str, target: &str, headers: &str, body: &[u8]) -> (String, Option<io::ErrorKind>) {
        tokio::time::timeout(PATIENCE, self.exchange(method, target, headers, body)).await.expect("an end")
    }

    async fn exchange(
        &self,
        method: &str,
        target: &str,
        headers: &str,
        body: &[u8],
    ) -> (String, Option<io::ErrorKind>) {
        let length = body.len();
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: store.example\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n"
        );
        let mut stream = match TcpStream::connect(self.proxy.address()).await {
            Ok(stream) => stream,
            Err(err) => return (String::new(), Some(err.kind())),
        };
        // A fault may end the connection before all is sent.
        _ = stream.write_all(head.as_bytes()).await;
        _ = stream.write_all(body).await;
        let mut bytes = Vec::new();
        let ended = stream.read_to_end(&mut bytes).await.err().map(|err| err.kind());
        (String::from_utf8(bytes).unwrap(), ended)
    }

    async fn put(&self, target: &str, body: &str) {
        let (answer, _) = self.raw("PUT", target, "", body.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    }

    async fn get(&self, target: &str) -> (String, Option<io::ErrorKind>) {
        self.raw("GET", target, "", b"").await
    }

    fn break_next(&self, operation: Operation, fault: Fault) {
        self.proxy.heal();
        self.proxy.inject(Rule::once(operation, self.proxy.count(operation) + 1, fault));
    }

    /// What a `GET` of ten letters gives with a fault.
    async fn broken_get(&self, fault: Fault) -> (String, Option<io::ErrorKind>) {
        self.put("/bucket/object", "0123456789").await;
        self.break_next(Operation::Get, fault);
        self.get("/bucket/object").await
    }

    async fn broken_listing(&self, fault: Fault) -> String {
        self.break_next(Operation::List, fault);
        self.get("/bucket?list-type=2&prefix=").await.0
    }
}

#[tokio::test]
async fn a_healthy_proxy_changes_nothing() {
    let client = Client::new().await;
    client.put("/bucket/a/b", "text").await;
    let (answer, ended) = client.get("/bucket/a/b").await;
    assert_eq!(ended, None);
    assert!(answer.ends_with("content-length: 4\r\n\r\ntext"), "{answer}");
    let (answer, _) = client.raw("HEAD", "/bucket/a/b", "", b"").await;
    assert!(answer.ends_with("content-length: 4\r\n\r\n"), "{answer}");
    let (answer, _) = client.get("/bucket/none").await;
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    assert_eq!(client.proxy.requests().iter().map(|r| r.status.unwrap()).collect::<Vec<_>>(), [200, 200, 200, 404]);
    assert_eq!(client.proxy.requests()[0].key, "a/b");
}

#[tokio::test]
async fn operations_are_told_apart_and_counted() {
    let client = Client::new().await;
    let none = "";
    for (method, target, headers, operation) in [
        ("PUT", "/b/k", none, Operation::Put),
        ("PUT", "/b/k", "if-none-match: *\r\n", Operation::PutIfAbsent),
        ("POST", "/b/k?uploads", none, Operation::CreateMultipart),
        ("PUT", "/b/k?partNumber=1&uploadId=u", none, Operation::UploadPart),
        ("POST", "/b/k?uploadId=u", none, Operation::CompleteMultipart),
        ("DELETE", "/b/k?uploadId=u", none, Operation::AbortMultipart),
        ("GET", "/b?uploads&prefix=x", none, Operation::ListMultipart),
        ("GET", "/b/k?x-id=GetObject", none, Operation::Get),
        ("GET", "/b/k", "range: bytes=0-9\r\n", Operation::Get),
        ("GET", "/b/k", "range: bytes=10-19\r\n", Operation::RangedGet),
        ("HEAD", "/b/k", none, Operation::Head),
        ("GET", "/b/?list-type=2", none, Operation::List),
        ("DELETE", "/b/k", none, Operation::Delete),
        ("GET", "/b?location", none, Operation::Other),
    ] {
        let before = client.proxy.count(operation);
        client.raw(method, target, headers, b"").await;
        assert_eq!(client.proxy.count(operation), before + 1, "{method} {target}: {:?}", client.proxy.requests());
    }
}

#[tokio::test]
async fn a_rule_strikes_the_requests_it_names_and_no_other() {
    let client = Client::new().await;
    client.put("/bucket/object", "text").await;
    client.proxy.inject(Rule { operation: Operation::Get, nth: 2, times: 2, fault: Fault::Status(503) });
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(client.get("/bucket/object").await.0[9..12].to_owned());
    }
    assert_eq!(statuses, ["200", "503", "503", "200"]);
    assert_eq!(client.proxy.struck().iter().map(|request| request.nth).collect::<Vec<_>>(), [2, 3]);
}

#[tokio::test]
async fn refusals_look_like_those_of_a_store_or_of_a_proxy() {
    let client = Client::new().await;
    let (answer, _) = client.broken_get(Fault::Status(429)).await;
    assert!(answer.contains("retry-after: 1") && answer.contains("<Code>TooManyRequests</Code>"), "{answer}");
    let (answer, _) = client.broken_get(Fault::BareStatus(503)).await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("<html>"), "{answer}");
    client.break_next(Operation::CompleteMultipart, Fault::ErrorIn200);
    let (answer, _) = client.raw("POST", "/bucket/object?uploadId=u", "", b"").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("<Code>InternalError</Code>"), "{answer}");
    client.break_next(Operation::Head, Fault::Status(403));
    let (answer, _) = client.raw("HEAD", "/bucket/object", "", b"").await;
    assert!(answer.starts_with("HTTP/1.1 403") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn broken_connections_break_as_they_say() {
    let client = Client::new().await;
    let (answer, _) = client.broken_get(Fault::Close).await;
    assert_eq!(answer, "");
    for fault in [Fault::LostAnswer, Fault::ResetRequest] {
        let (answer, ended) = client.broken_get(fault).await;
        assert_eq!((answer.as_str(), ended), ("", Some(io::ErrorKind::ConnectionReset)), "{fault:?}");
    }
    let (answer, ended) = client.broken_get(Fault::Cut).await;
    assert_eq!(ended, None);
    assert!(answer.ends_with("content-length: 10\r\n\r\n01234"), "{answer}");
    let (answer, ended) = client.broken_get(Fault::Short).await;
    assert_eq!(ended, None);
    assert!(answer.ends_with("content-length: 5\r\n\r\n01234"), "{answer}");
    let (_, ended) = client.broken_get(Fault::ResetAnswer).await;
    assert_eq!(ended, Some(io::ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn a_refused_port_is_closed_for_a_while_and_open_again() {
    let client = Client::new().await;
    // How long "a while" is to a busy machine, nobody knows: one refusal of many will do.
    let mut ends = Vec::new();
    while ends.len() < 20 && !ends.contains(&Some(io::ErrorKind::ConnectionRefused)) {
        client.break_next(Operation::Get, Fault::PortRefused);
        let (answer, ended) = client.get("/bucket/object").await;
        assert_eq!((answer.as_str(), ended), ("", Some(io::ErrorKind::ConnectionReset)));
        ends.push(client.get("/bucket/object").await.1);
    }
    assert_eq!(ends.last(), Some(&Some(io::ErrorKind::ConnectionRefused)), "{ends:?}");
    for _ in 0..100 {
        if client.get("/bucket/object").await.1.is_none() {
            return;
        }
        tokio::time::sleep(REFUSAL / 10).await;
    }
    panic!("the port stays closed");
}

#[tokio::test]
async fn a_lost_answer_has_its_effect_and_a_lost_request_has_none() {
    let client = Client::new().await;
    for (fault, has_effect) in [
        (Fault::LostAnswer, true),
        (Fault::ResetAnswer, true),
        (Fault::Close, false),
        (Fault::ResetRequest, false),
        (Fault::Status(500), false),
    ] {
        let target = format!("/bucket/{fault:?}");
        client.break_next(Operation::Put, fault);
        client.raw("PUT", &target, "", b"text").await;
        assert_eq!(client.store.holds(&target), has_effect, "{fault:?}");
    }
}

#[tokio::test]
async fn answers_are_slow_late_or_never_come() {
    let client = Client::new().await;
    for fault in [Fault::Slow, Fault::Delay(Duration::from_millis(100))] {
        let begun = Instant::now();
        let (answer, _) = client.broken_get(fault).await;
        assert!(answer.ends_with("0123456789") && begun.elapsed() >= Duration::from_millis(100), "{fault:?}: {answer}");
    }
    for fault in [Fault::Stall, Fault::Silence, Fault::StuckRequest] {
        client.break_next(Operation::Get, fault);
        let exchange = client.exchange("GET", "/bucket/object", "", b"");
        assert!(tokio::time::timeout(Duration::from_millis(300), exchange).await.is_err(), "{fault:?}");
    }
}

#[tokio::test]
async fn answers_are_wrong_or_of_yesterday() {
    let client = Client::new().await;
    assert!(client.broken_get(Fault::CorruptAnswer).await.0.ends_with("0123446789"));
    assert!(client.broken_get(Fault::WrongEtag).await.0.contains("etag: \"d41d8cd9"));
    client.put("/bucket/object", "younger").await;
    client.break_next(Operation::Get, Fault::Stale);
    assert!(client.get("/bucket/object").await.0.ends_with("0123456789"));
    client.put("/bucket/other", "new").await;
    client.break_next(Operation::Get, Fault::Stale);
    assert!(client.get("/bucket/other").await.0.contains("<Code>NoSuchKey</Code>"));
    client.break_next(Operation::Put, Fault::CorruptRequest);
    client.put("/bucket/object", "aaa").await;
    assert!(client.get("/bucket/object").await.0.ends_with("a`a"));
}

#[tokio::test]
async fn pages_are_missing_doubled_unsorted_or_without_an_end() {
    let client = Client::new().await;
    let page = client.get("/bucket?list-type=2&prefix=").await.0;
    assert!(page.ends_with(LISTING), "{page}");
    let page = client.broken_listing(Fault::MissingPage).await;
    assert!(page.ends_with("<R><IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken></R>"));
    let page = client.broken_listing(Fault::DoubledEntries).await;
    assert_eq!(page.matches("<Key>a</Key>").count(), 2, "{page}");
    let page = client.broken_listing(Fault::Unsorted).await;
    assert!(page.find("<Key>b</Key>").unwrap() < page.find("<Key>a</Key>").unwrap(), "{page}");
    let page = client.broken_listing(Fault::LostMarker).await;
    assert!(page.contains("<IsTruncated>true") && !page.contains("Next"), "{page}");
    assert!(client.broken_listing(Fault::RepeatedPage).await.ends_with(LISTING));
}

#[tokio::test]
async fn a_listing_is_cut_into_pages_that_say_how_to_go_on() {
    let client = Client::new().await;
    client.proxy.set_page_entries(2);
    assert!(client.get("/bucket?list-type=2&prefix=").await.0.ends_with(LISTING), "a page that is not too long");
    client.proxy.set_page_entries(1);
    let page = client.get("/bucket?list-type=2&prefix=").await.0;
    assert!(page.contains("<Key>a<") && !page.contains("<Key>b<"), "{page}");
    assert!(page.contains("<IsTruncated>true</IsTruncated><NextContinuationToken>a</NextContinuationToken>"), "{page}");
}

#[tokio::test]
async fn secrets_on_the_wire_are_found() {
    let client = Client::new().await;
    client.proxy.watch_for("hunter2");
    client.raw("PUT", "/bucket/a", "x-key: hunter3\r\n", b"none").await;
    assert_eq!(client.proxy.leaks(), [""; 0]);
    client.raw("PUT", "/bucket/b", "x-key: hunter2\r\n", b"").await;
    client.raw("PUT", "/bucket/c", "", b"it is hunter2").await;
    client.get("/bucket/c").await;
    assert_eq!(client.proxy.leaks(), ["request b", "request c", "answer c"]);
}

#[tokio::test]
async fn chance_decides_where_no_rule_does() {
    let client = Client::new().await;
    client.proxy.leave_to(|request| (request.nth % 2 == 0).then_some(Fault::Status(500)));
    for _ in 0..4 {
        client.get("/bucket/object").await;
    }
    assert_eq!(client.proxy.struck().iter().map(|request| request.nth).collect::<Vec<_>>(), [2, 4]);
}
