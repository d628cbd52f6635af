//! Requests that make no sense, are too large, or are not allowed: the answer says what is wrong, and the node goes on.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::path::Path;
use std::time::Duration;

use graphdb_destination::testing::servers::skip;
use serde_json::{Value, json};

use crate::harness::{Client, Node, assert_says, cli, manifests, temp_dir};

/// What a node may take for a body whose announced length is refused at once: buffers of connections and of the allocator.
const ANNOUNCED_BYTES: u64 = 48 << 20;

/// What it may take for bodies that are read up to their limit of 16 MiB: a buffer that doubles, and what the allocator keeps of it.
const READ_BYTES: u64 = 160 << 20;

#[test]
fn malformed_text_of_every_language_is_answered_with_line_and_column() {
    let dir = temp_dir();
    let node = Node::start(&dir.path().join("p"), &[]);
    node.mutate(r#"{ set { _:own <name> "mine" . } }"#);
    for (path, content_type, body, place) in [
        ("/query", "application/dql", "{ q(func: has(name)) {\n  uid\n  name( } }", "line 3 column "),
        ("/query", "application/dql", "{ q(func: eq(name, \"x) { uid } }", "line 1 column "),
        ("/query", "application/dql", "", "empty request"),
        ("/query", "application/json", "{\"query\": \n \"{}\"", "line 2 column "),
        ("/query", "application/json", "{\"query\": 7}", "query"),
        ("/mutate?commitNow=true", "application/rdf", "{ set {\n<0x1> <name> \"x\" \n} }", "line 2 column "),
        (
            "/mutate?commitNow=true",
            "application/rdf",
            "{ set {\n<0x1> <name> \"x\" .\n_:b <name \"y\" .\n} }",
            "line 3 column ",
        ),
        ("/mutate?commitNow=true", "application/rdf", "{ zet { } }", "line 1 column "),
        ("/mutate?commitNow=true", "application/json", "{\"set\":\n [{\"name\": }]}", "line 2 column "),
        ("/alter", "text/plain", "name: string .\nage: strung .", "line 2 column "),
        ("/alter", "text/plain", "name: string @index(nope) .", "nope"),
        ("/alter", "text/plain", "type T {\n name\n", "line "),
        ("/alter", "text/plain", "{\"drop_attr\": }", "line 1 column "),
    ] {
        let answer = node.post(path, content_type, body);
        assert_eq!((answer.status, answer.content_type.as_str()), (200, "application/json"), "{answer:?}");
        assert_says(&answer.error(), &[place]);
    }
    for (content_type, body) in [
        ("application/graphql", "{ health { status }"),
        ("application/graphql", "{\n  helth { status }\n}"),
        ("application/json", "{\"query\": "),
        ("application/json", "[1, 2"),
        ("application/graphql", "mutation { backup(input: {destinatoin: \"/x\"}) { taskId } }"),
        ("application/graphql", "mutation { backup(input: {destination: 7}) { taskId } }"),
    ] {
        let answer = node.post("/admin", content_type, body);
        let json = answer.json();
        let has_location =
            json["errors"][0]["locations"][0]["line"].is_u64() && json["errors"][0]["locations"][0]["column"].is_u64();
        assert!(has_location || answer.error().contains("line"), "{body}: {answer:?}");
    }
    assert_says(&node.post("/query", "text/strange", "{}").error(), &["Content-Type"]);
    assert_eq!(node.get("/no/such/path").status, 404);
    assert_eq!(node.count("name"), 1);
}

#[test]
fn deep_and_wide_requests_are_refused_before_they_are_worked_on() {
    const DEEP: usize = 10_000;
    let dir = temp_dir();
    let node = Node::start(&dir.path().join("p"), &[]);
    let nested = |open: &str, close: &str| format!("{}{}", open.repeat(DEEP), close.repeat(DEEP));
    let query = format!("{{ q(func: has(name)) {} }}", nested("{ friend ", "}"));
    assert_says(&node.ask(&query).error(), &["line 1 column ", "deeper than"]);
    let filter = format!("{{ q(func: has(name)) @filter({}) {{ uid }} }}", nested("(", ")"));
    assert_says(&node.ask(&filter).error(), &["line 1 column ", "deeper than"]);
    let json = format!("{{\"set\": {}}}", nested("{\"friend\": ", "}").replace(" }", " {}}"));
    let answer = node.post("/mutate?commitNow=true", "application/json", &json);
    assert_says(&answer.error(), &["line 1 column "]);
    let graphql = node.post("/admin", "application/graphql", &format!("{{ {} }}", nested("health { ", "}")));
    assert_says(&graphql.error(), &["brackets inside each other"]);
    let values = node.post(
        "/admin",
        "application/json",
        &format!("{{\"query\": \"{{ health {{ status }} }}\", \"variables\": {}}}", nested("[", "]")),
    );
    assert!(!values.error().is_empty());
    let aliases: String = (0..500).map(|n| format!("a{n}: health {{ status }} ")).collect();
    assert!(!node.post("/admin", "application/graphql", &format!("{{ {aliases} }}")).error().is_empty());
    assert_eq!(node.get("/health").json()[0]["status"], "healthy");
}

/// Sends `size` bytes, announced or in chunks, until the node has had enough; gives what it answered.
fn flood(node: &Client, path: &str, size: u64, chunked: bool) -> String {
    const PIECE: usize = 1 << 20;
    let address = node.url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let length = if chunked { "Transfer-Encoding: chunked".to_owned() } else { format!("Content-Length: {size}") };
    let content_type = match path.split('?').next() {
        Some("/mutate") => "application/rdf",
        Some("/query") => "application/dql",
        Some("/admin") => "application/graphql",
        Some("/alter") => "text/plain",
        _ => "application/json",
    };
    let head = format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: {content_type}\r\n{length}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut piece = vec![b' '; PIECE];
    if chunked {
        piece = [format!("{PIECE:x}\r\n").as_bytes(), &piece, b"\r\n"].concat();
    }
    for _ in 0..size / PIECE as u64 {
        if stream.write_all(&piece).is_err() {
            break; // the node closed the connection
        }
    }
    let mut answer = Vec::new();
    _ = stream.take(1 << 20).read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_body_of_a_gibibyte_is_refused_without_being_kept() {
    let dir = temp_dir();
    let node = Node::start(&dir.path().join("p"), &[]);
    node.mutate(r#"{ set { _:own <name> "mine" . } }"#);
    let before = node.peak_memory();
    let announced =
        ["/mutate?commitNow=true", "/query", "/admin", "/alter", "/commit?startTs=1"].map(|path| (path, false));
    let unannounced = ["/query", "/admin", "/alter"].map(|path| (path, true)); // these take 16 MiB at most
    for ((path, chunked), tolerated) in announced
        .map(|request| (request, ANNOUNCED_BYTES))
        .into_iter()
        .chain(unannounced.map(|request| (request, READ_BYTES)))
    {
        let answer = flood(&node, path, 1 << 30, chunked);
        // Who goes on sending may find the connection closed before the answer is read.
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413"), "{path}: {answer}");
        assert_eq!(node.count("name"), 1, "{path}");
        let grown = node.peak_memory().saturating_sub(before);
        assert!(grown < tolerated, "{path}: the node took {grown} bytes more");
    }
}

#[test]
fn a_token_is_asked_for_where_the_node_can_be_changed() {
    let dir = temp_dir();
    let token = dir.file("token", "open-sesame\n");
    let backups = dir.dir("backups");
    let node = Node::start(&dir.path().join("p"), &["--auth-token-file", &token]);
    let backup = json!({"query": format!("mutation {{ backup(input: {{destination: \"{backups}\"}}) {{ taskId }} }}")})
        .to_string();
    let requests = [("/admin", "application/json", backup.as_str()), ("/alter", "text/plain", "name: string .")];
    for (path, content_type, body) in requests {
        let before = manifests(&backups).len();
        for wrong in [None, Some("open-sesam"), Some("open-sesame2"), Some("")] {
            let mut headers = vec![("content-type", content_type)];
            headers.extend(wrong.map(|token| ("X-Dgraph-AuthToken", token)));
            assert_says(&node.send(path, &headers, Some(body)).error(), &["X-Dgraph-AuthToken"]);
        }
        assert_eq!(manifests(&backups).len(), before);
        node.send(path, &[("content-type", content_type), ("X-Dgraph-AuthToken", "open-sesame")], Some(body)).data();
    }
    assert_eq!(manifests(&backups).len(), 1);
    let args = ["backup", "--alpha", node.url(), "-d", &backups];
    assert_says(&cli(&args).failed(1), &["X-Dgraph-AuthToken"]);
    cli(&[&args[..], &["--auth-token-file", &token]].concat()).ok();
    assert!(!node.log().contains("sesame"), "a token is not logged");
}

/// An address of this machine that is not of its own loop, as a neighbour's would look.
fn other_address() -> Option<String> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("198.51.100.1:9").ok()?; // sends nothing
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then(|| address.to_string())
}

#[test]
fn who_is_not_whitelisted_may_look_but_not_change() {
    let Some(address) = other_address() else {
        skip("this machine has no address but 127.0.0.1, so nobody can come from another");
        return;
    };
    let dir = temp_dir();
    let backups = dir.dir("backups");
    let listen = format!("{address}:0");
    let start = |more: &[&str]| Node::start(&dir.path().join("p"), &[&["--http", &listen], more].concat());
    let node = start(&[]);
    for (path, content_type, body) in [
        (
            "/admin",
            "application/json",
            json!({"query": format!("mutation {{ backup(input: {{destination: \"{backups}\"}}) {{ taskId }} }}")})
                .to_string(),
        ),
        ("/alter", "text/plain", "{\"drop_all\": true}".to_owned()),
    ] {
        assert_says(&node.post(path, content_type, &body).error(), &["unauthorized ip address", &address]);
    }
    let lied =
        node.send("/alter", &[("X-Forwarded-For", "127.0.0.1"), ("X-Real-IP", "127.0.0.1")], Some("a: string ."));
    assert_says(&lied.error(), &["unauthorized ip address"]);
    assert!(manifests(&backups).is_empty());
    node.mutate(r#"{ set { _:own <name> "mine" . } }"#);
    assert_eq!(node.count("name"), 1);
    assert_says(&node.log(), &["--whitelist"]);
    node.kill();
    for whitelist in [address.clone(), format!("{address}/32"), format!("{address}:{address}")] {
        let node = start(&["--whitelist", &whitelist]);
        node.alter("name: string .");
        node.backup(&backups);
        node.kill();
    }
}

#[test]
fn a_page_of_another_site_may_not_change_a_node() {
    let dir = temp_dir();
    let node = Node::start(&dir.path().join("p"), &[]);
    let origin = ("origin", "https://evil.example");
    let body = json!({"query": "mutation { draining(enable: true) { response { code } } }"}).to_string();
    let answer = node.send("/admin", &[("content-type", "application/json"), origin], Some(&body));
    assert_says(&answer.error(), &["another site"]);
    assert_says(&node.send("/alter", &[origin], Some("a: string .")).error(), &["another site"]);
    let by_get = node
        .get("/admin?query=mutation%20%7B%20draining(enable:%20true)%20%7B%20response%20%7B%20code%20%7D%20%7D%20%7D");
    let json: Value = serde_json::from_str(&by_get.text).unwrap_or_default();
    assert!(by_get.status >= 400 || json["errors"].is_array(), "mutations are not executed over GET: {by_get:?}");
    assert_eq!(node.count("name"), 0, "the node is not draining");
    assert!(Path::new(node.postings()).exists());
}
