//! GraphQL at `/admin`: ways to send it, limits, shapes of answers.

use serde_json::{Value, json};

use super::node::{TestNode, gzip};

const HEALTH: &str = "{ health { status } }";

fn healthy() -> Value {
    json!({"data": {"health": [{"status": "healthy"}, {"status": "healthy"}]}})
}

#[tokio::test]
async fn a_query_is_taken_in_every_way_that_clients_send_it() {
    let node = TestNode::new();
    let body =
        json!({"query": HEALTH, "operationName": null, "variables": null, "extensions": {}, "more": 1}).to_string();
    for content_type in [
        "application/json",
        "application/json; charset=utf-8",
        "application/json;charset=\"UTF-8\"",
        "Application/JSON",
    ] {
        let reply = node.post("/admin", content_type, body.clone()).await;
        assert_eq!((reply.status.as_u16(), reply.json()), (200, healthy()), "{content_type}");
        assert_eq!(reply.header("content-type"), "application/json");
    }
    for content_type in ["application/graphql", "application/graphql; charset=utf-8"] {
        assert_eq!(node.post("/admin", content_type, HEALTH).await.json(), healthy(), "{content_type}");
    }
    let packed = node
        .send(
            "POST",
            "/admin",
            &[("content-type", "application/json"), ("content-encoding", "gzip")],
            gzip(body.as_bytes()),
        )
        .await;
    assert_eq!(packed.json(), healthy());
    assert_eq!(node.get("/admin?query=%7Bhealth%7Bstatus%7D%7D").await.json(), healthy());
    let named = "query a { health { status } } mutation b { shutdown { response { code } } }";
    let reply =
        node.post("/admin", "application/json", json!({"query": named, "operationName": "a"}).to_string()).await;
    assert_eq!(reply.json(), healthy());
}

#[tokio::test]
async fn empty_parentheses_behind_a_name_are_accepted() {
    let node = TestNode::new();
    assert_eq!(node.admin("query backup() { health { status } }").await, healthy());
    let answer = node.admin("mutation draining() {\n draining(enable: false) { response { message } } }").await;
    assert_eq!(answer, json!({"data": {"draining": {"response": {"message": "draining mode has been set to false"}}}}));
    assert!(node.admin("{ health() { status } }").await["errors"].is_array(), "only behind a name");
}

#[tokio::test]
async fn what_is_no_request_is_an_error_without_data() {
    let node = TestNode::new();
    for (content_type, body) in [
        ("application/json", "{"),
        ("application/json", ""),
        ("application/json", "[]"),
        ("application/json", "[{\"query\":\"{health{status}}\"}]"),
        ("application/json", "{\"query\":1}"),
        ("application/json", "{\"query\":\"{health{status}}\",\"variables\":[]}"),
        ("application/json", "{}"),
        ("application/graphql", ""),
        ("application/graphql", "{ health { "),
        ("application/graphql", "{ nope }"),
        ("application/graphql", "mutation { backup { response { code } } }"),
        ("application/graphql", "query a { health { status } } query b { health { status } }"),
        ("application/graphql", "subscription { health { status } }"),
        ("application/x-www-form-urlencoded", "query={health{status}}"),
        ("text/plain", HEALTH),
        ("", HEALTH),
    ] {
        let reply = node.post("/admin", content_type, body).await;
        let json = reply.json();
        assert_eq!(reply.status, 200, "{content_type} {body}");
        assert!(
            json["errors"][0]["message"].is_string() && json.get("data").is_none(),
            "{content_type} {body}: {json}"
        );
    }
}

#[tokio::test]
async fn mutations_are_not_executed_over_get() {
    let node = TestNode::new();
    let reply = node.get("/admin?query=mutation%7Bdraining(enable:true)%7Bresponse%7Bcode%7D%7D%7D").await;
    assert!(reply.error().0.contains("over GET"), "{}", reply.text());
    assert!(!node.node.is_draining());
    for method in ["PUT", "DELETE", "PATCH"] {
        let reply = node.send(method, "/admin", &[("content-type", "application/graphql")], HEALTH).await;
        assert_eq!((reply.status.as_u16(), reply.error().1.as_str()), (200, "ErrorInvalidMethod"), "{method}");
    }
    let options = node.send("OPTIONS", "/admin", &[], "").await;
    assert_eq!((options.status.as_u16(), options.bytes.len()), (200, 0));
}

#[tokio::test]
async fn a_failed_field_is_null_and_says_why_and_where() {
    let node = TestNode::new();
    let why = "you must specify a 'destination' value: no default place is set (--backup-bucket)";
    for input in ["{destination: \"\"}", "{}", "{destination: null}"] {
        let answer = node.admin(&format!("mutation {{ backup(input: {input}) {{ response {{ code }} }} }}")).await;
        let expected = json!({
            "errors": [{
                "message": format!("resolving backup failed because {why}"),
                "locations": [{"line": 1, "column": 12}],
            }],
            "data": {"backup": null},
        });
        assert_eq!(answer, expected);
    }
    let text = node.post("/admin", "application/graphql", "{ task(input: {id: \"0x9\"}) { status } }").await.text();
    assert!(
        text.starts_with("{\"errors\":") && text.ends_with("\"data\":{\"task\":null}}"),
        "errors stand before data: {text}"
    );
}

#[tokio::test]
async fn fields_of_a_query_fail_alone_and_stay_in_order() {
    let node = TestNode::new();
    let reply = node
        .post(
            "/admin",
            "application/graphql",
            "{ t: task(input: {id: \"x\"}) { status } state { maxRaftId } b: config { cacheMb } }",
        )
        .await;
    assert!(
        reply.text().ends_with(r#""data":{"t":null,"state":{"maxRaftId":1},"b":{"cacheMb":0.0}}}"#),
        "{}",
        reply.text()
    );
    assert_eq!(reply.json()["errors"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn mutations_stop_at_the_first_failure() {
    let node = TestNode::new();
    let query = "mutation { a: draining(enable: false) { response { code } } backup(input: {destination: \"\"}) { taskId } \
                 c: draining(enable: true) { response { code } } }";
    let answer = node.admin(query).await;
    assert_eq!(answer["data"], json!({"a": {"response": {"code": "Success"}}, "backup": null}));
    assert_eq!(answer["errors"][1]["path"], json!(["c"]));
    assert!(answer["errors"][1]["message"].as_str().unwrap().contains("was not executed"), "{answer}");
    assert!(!node.node.is_draining());
}

#[tokio::test]
async fn a_restore_that_cannot_be_verified_fails_with_a_code_beside_the_error() {
    let node = TestNode::new();
    let location = node.dir().join("nothing");
    let query = format!(
        "mutation {{ restore(input: {{location: {:?}}}) {{ code message }} draining(enable: true) {{ response {{ code }} }} }}",
        location.to_str().unwrap()
    );
    let answer = node.admin(&query).await;
    assert_eq!(answer["data"], json!({"restore": {"code": "Failure", "message": null}}), "{answer}");
    assert!(
        answer["errors"][0]["message"]
            .as_str()
            .unwrap()
            .starts_with("resolving restore failed because failed to verify backup: ")
    );
    assert!(!node.node.is_draining(), "what follows a failed mutation is not executed");
    let negative = node.admin("mutation { restore(input: {location: \"/tmp\", backupNum: -1}) { code } }").await;
    assert_eq!(negative["data"], json!({"restore": null}));
}

#[tokio::test]
async fn what_this_build_cannot_do_is_refused_and_not_ignored() {
    let node = TestNode::new();
    for (input, why) in [
        ("vaultAddr: \"https://vault\"", "reads no encryption keys"),
        ("vaultPath: \"x\"", "reads no encryption keys"),
        ("vaultPath: \"x\", encryptionKeyFile: \"y\"", "give one"),
    ] {
        let answer =
            node.admin(&format!("mutation {{ restore(input: {{location: \"/tmp\", {input}}}) {{ code }} }}")).await;
        assert!(answer["errors"][0]["message"].as_str().unwrap().contains(why), "{input}: {answer}");
    }
}

#[tokio::test]
async fn lists_that_fail_are_empty() {
    let node = TestNode::new();
    let location = node.dir().join("nothing");
    let query = "query l($i: ListBackupsInput!) { listBackups(input: $i) { backupId } }";
    for input in [json!({"location": location}), json!({"location": location, "accessKey": "a"})] {
        let body = json!({"query": query, "variables": {"i": input}}).to_string();
        let answer = node.post("/admin", "application/json", body).await.json();
        assert_eq!(answer["data"], json!({"listBackups": []}));
        let message = answer["errors"][0]["message"].as_str().unwrap();
        let start = "resolving listBackups failed because Error: cannot read manifests at location ";
        assert!(message.starts_with(start) && message.contains("/nothing"), "{message}");
    }
}

#[tokio::test]
async fn credentials_come_in_pairs_and_are_never_repeated() {
    let node = TestNode::new();
    let inputs = [
        ("accessKey: \"canary-1\"", "the secret key is missing"),
        ("secretKey: \"canary-2\"", "the access key is missing"),
        ("sessionToken: \"canary-3\"", "the access key is missing"),
        ("accessKey: \"canary-1\", sessionToken: \"canary-3\"", "the secret key is missing"),
        ("accessKey: \"canary-1\", secretKey: [\"canary-2\", \"x\"]", "secretKey"),
        ("secretKey: {canary: \"canary-2\"}", "secretKey"),
        ("accessKey: \"canary-1\", secretKey: \"canary-2\", secret: \"canary-3\"", "secret"),
    ];
    for (input, why) in inputs {
        for operation in [
            format!("mutation {{ backup(input: {{destination: \"/tmp\", {input}}}) {{ taskId }} }}"),
            format!("mutation {{ restore(input: {{location: \"/tmp\", {input}}}) {{ code }} }}"),
            format!("{{ listBackups(input: {{location: \"/tmp\", {input}}}) {{ path }} }}"),
        ] {
            let text = node.post("/admin", "application/graphql", operation.clone()).await.text();
            assert!(text.contains(why) && !text.contains("canary-"), "{operation}: {text}");
        }
    }
}

#[tokio::test]
async fn numbers_of_64_bits_are_numbers_and_may_be_sent_as_text() {
    let node = TestNode::new();
    let first = node
        .admin("mutation { assign(input: {what: UID, num: \"10\"}) { response { startId endId readOnly } } }")
        .await;
    assert_eq!(first, json!({"data": {"assign": {"response": {"startId": 1, "endId": 10, "readOnly": null}}}}));
    let second = node.admin("mutation { assign(input: {what: UID, num: 5}) { response { startId endId } } }").await;
    assert_eq!(second["data"]["assign"]["response"], json!({"startId": 11, "endId": 15}));
    let none = node.admin("mutation { assign(input: {what: NAMESPACE_ID, num: 0}) { response { startId } } }").await;
    assert_eq!(none["errors"][0]["message"], "resolving assign failed because Nothing to be leased");
    let reading =
        node.admin("mutation { assign(input: {what: TIMESTAMP, num: 0}) { response { startId readOnly } } }").await;
    assert!(
        reading["data"]["assign"]["response"]["readOnly"].is_u64()
            && reading["data"]["assign"]["response"]["startId"].is_null()
    );
    let checksum = node.admin("{ state { groups { checksum } } }").await;
    assert!(checksum["data"]["state"]["groups"][0]["checksum"].is_u64(), "{checksum}");
}

#[tokio::test]
async fn introspection_is_on() {
    let node = TestNode::new();
    let answer =
        node.admin("{ __schema { queryType { name } } __type(name: \"BackupPayload\") { fields { name } } }").await;
    assert_eq!(answer["data"]["__type"]["fields"], json!([{"name": "response"}, {"name": "taskId"}]));
    let answer = node.admin("{ __typename health { __typename } }").await;
    assert_eq!(answer["data"]["__typename"], "Query");
}

#[tokio::test]
async fn absurd_queries_get_a_clean_error() {
    let node = TestNode::new();
    for (query, part) in [
        (format!("{{ a{}", "{a".repeat(10_000)), "inside each other"),
        (format!("{{ task(input: {{id: {}1 }}) {{ kind }} }}", "[".repeat(10_000)), "inside each other"),
        (format!("{{ health {{ {} }} }}", (0..100).map(|i| format!("a{i}: status ")).collect::<String>()), "aliases"),
        (format!("{{ {} }}", "health { status } ".repeat(100)), "operations"),
        (format!("{{ health {{ {} }} }}", "status ".repeat(2_000)), "fields"),
        (format!("{{ health {{ status }} }} #{}", "x".repeat(300 << 10)), "longer than"),
        ("{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }".to_owned(), ""),
        (format!("{{ health {{ status {} }} }}", "@include(if: true) ".repeat(50)), ""),
    ] {
        let answer = node.admin(&query).await;
        let message = answer["errors"][0]["message"].as_str().unwrap_or_default();
        assert!(!message.is_empty() && message.contains(part) && answer.get("data").is_none(), "{part}: {answer}");
    }
}

#[tokio::test]
async fn bodies_that_are_too_large_are_refused_as_they_are_and_unpacked() {
    let node = TestNode::new();
    let large = vec![b' '; 2 << 20];
    let reply = node.post("/admin", "application/json", large.clone()).await;
    assert_eq!((reply.status.as_u16(), reply.error().0.contains("larger than")), (413, true));
    let bomb = gzip(&large);
    assert!(bomb.len() < 100 << 10);
    let reply =
        node.send("POST", "/admin", &[("content-type", "application/json"), ("content-encoding", "gzip")], bomb).await;
    assert_eq!(reply.status, 413);
    let announced = node
        .send("POST", "/admin", &[("content-type", "application/json"), ("content-length", "1073741824")], "{}")
        .await;
    assert_eq!(announced.status, 413, "1 GiB is refused before it is read");
}

#[tokio::test]
async fn browsers_get_graphiql_with_everything_from_this_node() {
    let node = TestNode::new();
    let page = node.send("GET", "/admin", &[("accept", "text/html,application/xhtml+xml")], "").await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    let text = page.text();
    assert!(!text.contains("://"), "nothing is loaded from another host");
    let sources = text.split(['"']).filter(|part| part.starts_with("/admin/assets/"));
    let mut found = 0;
    for source in sources {
        let packed = node.send("GET", source, &[("accept-encoding", "gzip")], "").await;
        let plain = node.send("GET", source, &[], "").await;
        assert_eq!(
            (packed.status.as_u16(), plain.status.as_u16(), plain.header("content-encoding")),
            (200, 200, ""),
            "{source}"
        );
        let kind = if source.ends_with(".css") { "text/css" } else { "text/javascript; charset=utf-8" };
        assert_eq!(packed.header("content-type"), kind);
        if packed.bytes.starts_with(&[0x1f, 0x8b]) {
            assert_eq!(packed.header("content-encoding"), "gzip", "{source}");
            assert!(plain.bytes.len() > packed.bytes.len() && !plain.bytes.starts_with(&[0x1f, 0x8b]));
        }
        found += 1;
    }
    assert_eq!(found, 5);
    for missing in
        ["/admin/assets/NOTICE", "/admin/assets/../graphiql.html", "/admin/assets/%2e%2e%2fREADME.md", "/admin/"]
    {
        assert_eq!(node.get(missing).await.status, 404, "{missing}");
    }
}
