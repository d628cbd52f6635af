//! The endpoints of Dgraph's clients: methods, content types, parameters, shapes and codes.

use graphdb_server::{Secret, ServerConfig};
use serde_json::{Value, json};

use super::node::{TestNode, gzip};

/// Shape 1: the request could not be understood.
fn refused(json: &Value, code: &str) -> bool {
    json["errors"][0]["message"].is_string()
        && json["errors"][0]["extensions"]["code"] == code
        && json.get("data").is_none()
}

/// Shape 2: the request failed when it was executed.
fn failed(json: &Value) -> bool {
    json["errors"][0]["extensions"]["code"] == "ErrorInvalidRequest" && json.get("data") == Some(&Value::Null)
}

#[tokio::test]
async fn methods_other_than_post_and_put_are_refused() {
    let node = TestNode::new();
    for uri in ["/query", "/mutate", "/commit", "/alter", "/login"] {
        for method in ["GET", "DELETE", "PATCH"] {
            let reply = node.send(method, uri, &[], "").await;
            assert_eq!(
                (reply.status.as_u16(), reply.error().1.as_str()),
                (400, "ErrorInvalidMethod"),
                "{method} {uri}"
            );
        }
    }
    let put =
        node.send("PUT", "/query/17", &[("content-type", "application/dql")], "{ q(func: uid(0x1)) { uid } }").await;
    assert_eq!(put.json()["data"], json!({"q": [{"uid": "0x1"}]}), "the rest of the path is ignored");
}

#[tokio::test]
async fn content_types_encodings_and_charsets_are_checked() {
    let node = TestNode::new();
    let query = "{ q(func: uid(0x1)) { uid } }";
    let found = json!({"q": [{"uid": "0x1"}]});
    for content_type in ["application/dql", "application/graphql+-", "application/dql; charset=UTF-8"] {
        assert_eq!(node.post("/query", content_type, query).await.json()["data"], found, "{content_type}");
    }
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "", "application/dql; charset=latin1"] {
        let reply = node.post("/query", content_type, query).await;
        assert!(
            reply.status == 200 && refused(&reply.json(), "ErrorInvalidRequest"),
            "{content_type}: {}",
            reply.text()
        );
    }
    let send = |encoding: &'static str, body: Vec<u8>| {
        let node = &node;
        async move {
            node.send("POST", "/query", &[("content-type", "application/dql"), ("content-encoding", encoding)], body)
                .await
                .json()
        }
    };
    assert_eq!(send("gzip", gzip(query.as_bytes())).await["data"], found);
    assert_eq!(send("identity", query.into()).await["data"], found);
    assert!(refused(&send("gzip", query.into()).await, "Error"), "not the gzip it claims to be");
    assert!(refused(&send("br", query.into()).await, "ErrorInvalidRequest"));
    let packed =
        node.send("POST", "/query", &[("content-type", "application/dql"), ("accept-encoding", "gzip")], query).await;
    assert_eq!((packed.header("content-encoding"), &packed.bytes[..2]), ("gzip", &[0x1f, 0x8b][..]));
}

#[tokio::test]
async fn parameters_are_read_by_gos_rules() {
    let node = TestNode::new();
    let query = "{ q(func: uid(0x1)) { uid } }";
    for good in
        ["ro=t", "ro=TRUE&be=1", "debug=", "startTs=0x10", "timeout=5s", "timeout=0", "respFormat=json", "hash=abc"]
    {
        let reply = node.post(&format!("/query?{good}"), "application/dql", query).await;
        assert!(reply.json()["data"].is_object(), "{good}: {}", reply.text());
    }
    for bad in ["ro=yes", "debug=tRue", "startTs=-1", "startTs=x", "timeout=x", "timeout=5", "respFormat=JSON"] {
        let reply = node.post(&format!("/query?{bad}"), "application/dql", query).await;
        assert!(refused(&reply.json(), "ErrorInvalidRequest"), "{bad}: {}", reply.text());
    }
    let over = node.post("/query?timeout=-1s", "application/dql", query).await;
    assert!(failed(&over.json()) && over.error().0 == "context deadline exceeded", "{}", over.text());
}

#[tokio::test]
async fn a_query_as_json_takes_variables_that_are_strings() {
    let node = TestNode::new();
    node.alter("name: string @index(exact) .").await;
    node.mutate("<0x1> <name> \"Ann\" .").await;
    let query = "query q($n: string) { q(func: eq(name, $n)) { name } }";
    let send = |body: Value| {
        let node = &node;
        async move { node.post("/query", "application/json", body.to_string()).await.json() }
    };
    assert_eq!(
        send(json!({"query": query, "variables": {"$n": "Ann"}, "more": 1})).await["data"],
        json!({"q": [{"name": "Ann"}]})
    );
    assert!(refused(&send(json!({"query": query, "variables": {"$n": 1}})).await, "ErrorInvalidRequest"));
    assert!(failed(&send(json!({"variables": {}})).await), "empty request");
    let reply = node.post("/query", "application/json", "{\n \"query\" \"\"}").await;
    assert!(reply.error().0.contains("line 2"), "{}", reply.text());
}

#[tokio::test]
async fn answers_carry_times_timestamps_and_cost() {
    let node = TestNode::new();
    let reply = node.post("/query", "application/dql", "{ q(func: uid(0x1)) { uid } }").await;
    let extensions = &reply.json()["extensions"];
    assert!(
        extensions["txn"]["start_ts"].is_u64() && extensions["server_latency"]["total_ns"].is_u64(),
        "{extensions}"
    );
    assert!(reply.header("dgraph-toucheduids").parse::<u64>().is_ok());
    let written = node.mutate("_:b <name> \"B\" .\n_:a <name> \"A\" .").await;
    assert_eq!(written["extensions"]["txn"]["preds"], json!(["1-0-name"]));
    assert!(written["extensions"]["txn"]["commit_ts"].is_u64() && written["extensions"]["txn"].get("keys").is_none());
    let names: Vec<_> = written["data"]["uids"].as_object().unwrap().keys().cloned().collect();
    assert_eq!((names, &written["data"]["queries"]), (vec!["a".to_owned(), "b".to_owned()], &Value::Null));
}

#[tokio::test]
async fn malformed_envelopes_and_malformed_statements_have_their_own_shape() {
    let node = TestNode::new();
    node.alter("age: int .").await;
    for (content_type, body) in [
        ("application/rdf", "{ set "),
        ("application/rdf", "set { }"),
        ("application/json", "["),
        ("application/json", "[]"),
    ] {
        let reply = node.post("/mutate?commitNow=true", content_type, body).await;
        assert!(refused(&reply.json(), "ErrorInvalidRequest"), "{body}: {}", reply.text());
    }
    for (content_type, body) in [
        ("application/rdf", "{ set { <0x1> <age> . } }"),
        ("application/rdf", "{ set { <0x1> <age> \"x\" . } }"),
        ("application/rdf", ""),
        ("application/json", "{}"),
        ("application/json", "{\"Set\": {}}"),
    ] {
        let reply = node.post("/mutate?commitNow=true", content_type, body).await;
        assert!(failed(&reply.json()), "{body}: {}", reply.text());
    }
    let query_only =
        node.post("/mutate", "application/json", r#"{"query": "{ q(func: uid(0x1)) { uid } }"}"#).await.json();
    assert_eq!(
        (&query_only["data"]["queries"], &query_only["data"]["uids"]),
        (&json!({"q": [{"uid": "0x1"}]}), &Value::Null)
    );
}

#[tokio::test]
async fn two_transactions_that_write_the_same_conflict() {
    let node = TestNode::new();
    node.alter("name: string @index(exact) .").await;
    let begin = |name: &'static str| {
        let node = &node;
        async move {
            let reply = node
                .post("/mutate", "application/rdf", format!("{{ set {{ <0x1> <name> \"{name}\" . }} }}"))
                .await
                .json();
            assert!(reply["extensions"]["txn"]["keys"].is_array(), "{reply}");
            (reply["extensions"]["txn"]["start_ts"].as_u64().unwrap(), reply["extensions"]["txn"].to_string())
        }
    };
    let ((first, first_body), (second, second_body)) = (begin("one").await, begin("two").await);
    let own = node.post(&format!("/query?startTs={first}"), "application/dql", "{ q(func: uid(0x1)) { name } }").await;
    assert_eq!(own.json()["data"], json!({"q": [{"name": "one"}]}), "a transaction sees what it wrote");
    let committed = node.post(&format!("/commit?startTs={first}"), "", first_body).await.json();
    assert!(
        committed["extensions"]["txn"]["commit_ts"].is_u64() && committed["extensions"]["txn"].get("keys").is_none()
    );
    let lost = node.post(&format!("/commit?startTs={second}"), "", second_body).await;
    assert!(
        lost.status == 200
            && refused(&lost.json(), "ErrorInvalidRequest")
            && lost.error().0.contains("Transaction has been aborted. Please retry"),
        "{}",
        lost.text()
    );
    let empty_keys = node.post(&format!("/commit?startTs={second}"), "", "[]").await;
    assert!(
        empty_keys.json()["errors"].is_array(),
        "our own keys are checked, whatever the client sends: {}",
        empty_keys.text()
    );
    assert_eq!(node.query("{ q(func: uid(0x1)) { name } }").await, json!({"q": [{"name": "one"}]}));
}

#[tokio::test]
async fn a_transaction_can_be_given_up() {
    let node = TestNode::new();
    let reply = node.post("/mutate", "application/rdf", "{ set { <0x1> <name> \"x\" . } }").await.json();
    let start_ts = &reply["extensions"]["txn"]["start_ts"];
    let aborted = node.post(&format!("/commit?startTs={start_ts}&abort=true"), "", "").await;
    assert_eq!(aborted.json(), json!({"code": "Success", "message": "Done"}));
    assert!(node.post(&format!("/commit?startTs={start_ts}"), "", "[]").await.json()["errors"].is_array());
    for body in ["", "{", "[1]", "{\"keys\": 1}", "\"x\""] {
        let reply = node.post("/commit?startTs=5", "", body).await;
        assert!(refused(&reply.json(), "ErrorInvalidRequest"), "{body}: {}", reply.text());
    }
}

#[tokio::test]
async fn draining_keeps_clients_out_and_administration_in() {
    let node = TestNode::new();
    node.node.set_draining(true);
    let message = "the server is in draining mode and client requests will only be allowed after exiting the mode";
    let query = node.post("/query", "application/dql", "{ q(func: uid(0x1)) { uid } }").await;
    let mutate = node.post("/mutate", "application/rdf", "{ set { <0x1> <a> \"b\" . } }").await;
    assert!(failed(&query.json()) && failed(&mutate.json()));
    let alter = node.post("/alter", "", "name: string .").await;
    let commit = node.post("/commit?startTs=4", "", "[]").await;
    assert!(refused(&alter.json(), "Error") && refused(&commit.json(), "ErrorInvalidRequest"));
    for reply in [&query, &mutate, &alter, &commit] {
        assert!(reply.error().0.starts_with(message), "{}", reply.text());
    }
    let health = node.get("/health").await;
    assert!(
        health.status == 503
            && health.text().starts_with(message)
            && health.header("content-type").starts_with("text/plain")
    );
    for uri in ["/health?all", "/health?live", "/healthz", "/state", "/probe/graphql", "/metrics"] {
        assert_eq!(node.get(uri).await.status, 200, "{uri}");
    }
    let answer = node.admin("mutation { draining(enable: false) { response { message } } }").await;
    assert_eq!(answer["data"]["draining"]["response"]["message"], "draining mode has been set to false");
    assert_eq!(node.get("/health").await.status, 200);
}

#[tokio::test]
async fn healthz_asks_for_nothing_and_tells_a_drained_node_from_a_closed_one() {
    let token = Some(Secret::new("opensesame".to_owned()));
    let node = TestNode::with(ServerConfig { token, ..ServerConfig::default() }).from("203.0.113.9:40000");
    for draining in [false, true] {
        node.node.set_draining(draining);
        let reply = node.get("/healthz").await;
        assert_eq!((reply.status.as_u16(), reply.text().as_str()), (200, "ok\n"), "draining: {draining}");
        let head = node.send("HEAD", "/healthz", &[], "").await;
        assert_eq!((head.status.as_u16(), head.text().as_str()), (200, ""), "draining: {draining}");
    }
    assert_eq!(node.send("POST", "/healthz", &[], "").await.status, 405);
    node.node.close().await;
    let reply = node.get("/healthz").await;
    assert!(reply.status == 503 && reply.text().contains("closing"), "{}", reply.text());
}

#[tokio::test]
async fn older_forms_of_administration_answer_as_they_did() {
    let node = TestNode::new();
    let on = node.post("/admin/draining?enable=true", "", "").await;
    assert_eq!(on.json(), json!({"code": "Success", "message": "draining mode has been set to true"}));
    for uri in ["/admin/draining", "/admin/draining?enable=maybe"] {
        assert!(refused(&node.post(uri, "", "").await.json(), "ErrorInvalidRequest"), "{uri}");
    }
    node.post("/admin/draining?enable=false", "", "").await;
    assert_eq!(node.get("/admin/draining?enable=true").await.error().1, "ErrorInvalidMethod");
    assert_eq!(node.get("/admin/backup").await.error().1, "ErrorInvalidMethod");
    let failed = node.post("/admin/backup", "application/x-www-form-urlencoded", "destination=").await.json();
    assert_eq!(failed["errors"][0]["message"], "Backup failed.");
    let why = failed["errors"][0]["extensions"]["code"].as_str().unwrap();
    assert!(why.starts_with("you must specify a 'destination' value") && why.contains("--backup-bucket"), "{why}");
    let half =
        node.post("/admin/backup", "application/x-www-form-urlencoded", "destination=/x&secret_key=canary").await;
    assert!(half.text().contains("the access key is missing") && !half.text().contains("canary"), "{}", half.text());
}

#[tokio::test]
async fn nobody_can_log_in() {
    let node = TestNode::new();
    let reply = node.post("/login", "application/json", r#"{"userid": "groot", "password": "password"}"#).await;
    assert!(failed(&reply.json()) && reply.error().0 == "invalid username or password", "{}", reply.text());
    let answer =
        node.admin("mutation { login(userId: \"groot\", password: \"password\") { response { accessJWT } } }").await;
    assert_eq!(answer["errors"][0]["message"], "resolving login failed because invalid username or password");
}

#[tokio::test]
async fn ids_are_handed_out_as_text_and_never_twice() {
    let node = TestNode::new();
    assert_eq!(
        node.get("/assign?what=uids&num=100").await.json(),
        json!({"startId": "1", "endId": "100", "readOnly": "0"})
    );
    assert_eq!(node.get("/assign?what=uids&num=1").await.json()["startId"], "101");
    let reading = node.get("/assign?what=timestamps&num=0").await.json();
    assert_eq!((reading["startId"].as_str(), reading["readOnly"].is_string()), (Some("0"), true));
    let bad_number = node.get("/assign?what=uids&num=x").await;
    assert_eq!((bad_number.status.as_u16(), bad_number.error().1.as_str()), (400, "ErrorInvalidRequest"));
    let bad_kind = node.get("/assign?what=apples&num=1").await;
    assert_eq!((bad_kind.status.as_u16(), bad_kind.error().1.as_str()), (200, "Error"));
    assert_eq!(node.post("/assign?what=uids&num=1", "", "").await.status, 400);
    assert_eq!(node.get("/assign?what=uids&num=18446744073709551615").await.error().1, "Error", "more than there are");
}

#[tokio::test]
async fn state_has_64_bit_numbers_as_text_and_metrics_count() {
    let node = TestNode::new();
    node.mutate("<0x1> <name> \"x\" .").await;
    node.query("{ q(func: uid(0x1)) { name } }").await;
    let state = node.get("/state").await.json();
    for pointer in
        ["/counter", "/maxUID", "/maxTxnTs", "/maxNsID", "/groups/1/checksum", "/groups/1/members/1/id", "/zeros/1/id"]
    {
        assert!(
            state.pointer(pointer).and_then(Value::as_str).is_some_and(|text| text.parse::<u64>().is_ok()),
            "{pointer}"
        );
    }
    assert_eq!(state.pointer("/groups/1/tablets/0-name/predicate"), Some(&json!("0-name")));
    assert_eq!(state["cid"].as_str().unwrap().len(), 36);
    let metrics = node.get("/metrics").await;
    for line in [
        "dgraph_num_queries_total 1",
        "dgraph_num_mutations_total 1",
        "dgraph_txn_commits_total 1",
        "dgraph_alpha_health_status 1",
        "dgraph_num_edges_total 1",
    ] {
        assert!(metrics.text().lines().any(|found| found == line), "{line}");
    }
    assert!(metrics.text().contains("dgraph_latency_bucket{method=\"query\",status=\"ok\",le=\"+Inf\"} 1"));
    assert_eq!(node.get("/debug/prometheus_metrics").await.status, 200);
    let keywords = node.get("/ui/keywords").await;
    assert!(
        keywords.text().contains(r#"{"type":"","name":"alloftext"}"#)
            && keywords.header("content-type").starts_with("text/plain")
    );
}

#[tokio::test]
async fn absurdly_deep_bodies_get_a_clean_error() {
    let node = TestNode::new();
    const DEEP: usize = 100_000;
    let nested = |open: &str, close: &str| format!("{}{}", open.repeat(DEEP), close.repeat(DEEP));
    for (uri, content_type, body) in [
        ("/query", "application/dql", format!("{{ q(func: uid(0x1)) {} }}", nested("{ friend ", "}"))),
        ("/query", "application/dql", format!("{{ q(func: uid(0x1)) @filter({}) {{ uid }} }}", nested("(", ")"))),
        (
            "/query",
            "application/dql",
            format!("{{ q(func: uid(0x1)) @filter({} has(name)) {{ uid }} }}", "not ".repeat(DEEP)),
        ),
        (
            "/query",
            "application/dql",
            format!("{{ q(func: uid(0x1)) {{ a as math({}1{}) }} }}", "(".repeat(DEEP), ")".repeat(DEEP)),
        ),
        ("/query", "application/json", nested("[", "]")),
        ("/mutate?commitNow=true", "application/json", nested("[", "]")),
        (
            "/mutate?commitNow=true",
            "application/json",
            format!("{{\"set\": {}1{}}}", "{\"a\": ".repeat(DEEP), "}".repeat(DEEP)),
        ),
        (
            "/mutate?commitNow=true",
            "application/json",
            format!("{{\"set\": {{\"loc\": {{\"type\":\"Point\",\"coordinates\":{}}}}}}}", nested("[", "]")),
        ),
        ("/mutate?commitNow=true", "application/rdf", nested("{", "}")),
        (
            "/mutate?commitNow=true",
            "application/rdf",
            format!("upsert {{ query {} mutation {{ set {{ }} }} }}", nested("{", "}")),
        ),
        ("/commit?startTs=3", "application/json", nested("[", "]")),
        ("/alter", "", nested("[", "]")),
        ("/alter", "", nested("type A {", "}")),
        ("/alter", "", format!("a: {} .", nested("[", "]"))),
        (
            "/admin",
            "application/json",
            format!("{{\"query\": \"{{health{{status}}}}\", \"variables\": {{\"a\": {}}}}}", nested("[", "]")),
        ),
    ] {
        let reply = node.post(uri, content_type, body.clone()).await;
        assert!(reply.json()["errors"][0]["message"].is_string(), "{uri} {}: {}", &body[..40], reply.text());
    }
}
