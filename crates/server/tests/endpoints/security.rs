//! Who may do what.

use graphdb_server::{Secret, ServerConfig, Whitelist};
use serde_json::json;

use super::node::TestNode;

const STRANGER: &str = "10.1.2.3:5555";

fn guarded(whitelist: &str, token: Option<&str>) -> TestNode {
    TestNode::with(ServerConfig {
        whitelist: Whitelist::resolve(whitelist).unwrap(),
        token: token.map(|token| Secret::new(token.to_owned())),
        ..ServerConfig::default()
    })
}

/// Everything that needs an administrator, outside GraphQL.
const ADMIN_REQUESTS: [(&str, &str, &str); 6] = [
    ("POST", "/alter", "name: string ."),
    ("GET", "/assign?what=uids&num=1", ""),
    ("POST", "/admin/backup", "destination=/tmp/x"),
    ("POST", "/admin/draining?enable=true", ""),
    ("GET", "/admin/shutdown", ""),
    ("POST", "/admin/shutdown", ""),
];

#[tokio::test]
async fn strangers_may_not_administer_whatever_they_claim() {
    let node = guarded("192.168.0.0/16", None).from(STRANGER);
    let claims = [("x-forwarded-for", "127.0.0.1"), ("x-real-ip", "127.0.0.1"), ("forwarded", "for=127.0.0.1")];
    for (method, uri, body) in ADMIN_REQUESTS {
        let reply = node.send(method, uri, &claims, body).await;
        assert_eq!(
            reply.error(),
            ("unauthorized ip address: 10.1.2.3".to_owned(), "ErrorUnauthorized".to_owned()),
            "{uri}"
        );
    }
    let body = json!({"query": "mutation { draining(enable: true) { response { code } } }"}).to_string();
    let reply = node.send("POST", "/admin", &[("content-type", "application/json"), claims[0]], body).await;
    let expected = json!({
        "errors": [{"message": "resolving draining failed because unauthorized ip address: 10.1.2.3", "locations": [{"line": 1, "column": 12}]}],
        "data": {"draining": null},
    });
    assert_eq!(reply.json(), expected);
    assert!(
        !node.node.is_draining() && node.node.store().unwrap().schema().predicates.keys().all(|p| &*p.name != "name")
    );
}

#[tokio::test]
async fn strangers_may_read_the_schema_of_admin_and_use_the_client_endpoints() {
    let node = guarded("", None).from(STRANGER);
    assert_eq!(node.admin("{ __typename }").await, json!({"data": {"__typename": "Query"}}));
    assert_eq!(node.query("{ q(func: uid(0x1)) { uid } }").await, json!({"q": [{"uid": "0x1"}]}));
    assert_eq!(node.admin("{ health { status } }").await["data"], json!({"health": null}));
}

#[tokio::test]
async fn whitelisted_addresses_may_administer() {
    let node = guarded("10.0.0.0/8", None).from(STRANGER);
    assert_eq!(node.admin("{ health { status } }").await["data"]["health"][1]["status"], "healthy");
    node.alter("name: string .").await;
    let v6 = guarded("10.0.0.0/8", None).from("[::ffff:10.1.2.3]:1");
    v6.alter("name: string .").await;
}

#[tokio::test]
async fn with_a_token_set_it_must_be_sent_exactly() {
    let node = guarded("", Some("opensesame"));
    let refused =
        json!({"errors": [{"message": "Invalid X-Dgraph-AuthToken", "extensions": {"code": "ErrorUnauthorized"}}]});
    let body = json!({"query": "{ health { status } }"}).to_string();
    for claim in ["", "opensesam", "OPENSESAME", "opensesamee"] {
        for (method, uri, body) in ADMIN_REQUESTS
            .into_iter()
            .chain([("POST", "/admin", body.as_str()), ("GET", "/admin?query={__typename}", "")])
        {
            let reply = node
                .send(
                    method,
                    uri,
                    &[("content-type", "application/json"), ("x-dgraph-authtoken", claim)],
                    body.to_owned(),
                )
                .await;
            assert_eq!((reply.status.as_u16(), reply.json()), (200, refused.clone()), "{uri} {claim:?}");
        }
    }
    let without = node.post("/admin", "application/json", body.clone()).await;
    assert_eq!(without.json(), refused);
    let right = node
        .send("POST", "/admin", &[("content-type", "application/json"), ("X-Dgraph-AuthToken", "opensesame")], body)
        .await;
    assert_eq!(right.json()["data"]["health"][1]["status"], "healthy");
    let query = node.query("{ q(func: uid(0x1)) { uid } }").await;
    assert_eq!(query, json!({"q": [{"uid": "0x1"}]}), "clients need no token");
}

#[tokio::test]
async fn the_token_does_not_replace_the_address() {
    let node = guarded("", Some("opensesame")).from(STRANGER);
    let reply = node.send("POST", "/alter", &[("x-dgraph-authtoken", "opensesame")], "name: string .").await;
    assert_eq!(reply.error().0, "unauthorized ip address: 10.1.2.3");
}

#[tokio::test]
async fn pages_of_other_sites_may_not_administer() {
    let node = guarded("", None);
    let cases: [(&[(&str, &str)], bool); 9] = [
        (&[], true),
        (&[("sec-fetch-site", "same-origin"), ("origin", "http://127.0.0.1:8080"), ("host", "127.0.0.1:8080")], true),
        (&[("sec-fetch-site", "none")], true),
        (&[("origin", "http://localhost:8080"), ("host", "localhost:8080")], true),
        (&[("sec-fetch-site", "cross-site")], false),
        (&[("sec-fetch-site", "same-site"), ("origin", "http://127.0.0.1:8080"), ("host", "127.0.0.1:8080")], false),
        (&[("origin", "https://evil.example"), ("host", "127.0.0.1:8080")], false),
        (&[("origin", "null"), ("host", "127.0.0.1:8080")], false),
        // A name server that points evil.example to 127.0.0.1.
        (&[("origin", "http://evil.example:8080"), ("host", "evil.example:8080")], false),
    ];
    for (headers, allowed) in cases {
        let alter = node.send("POST", "/alter", headers, "name: string .").await;
        assert_eq!(alter.json().get("data").is_some(), allowed, "{headers:?} {}", alter.text());
        let with_type: Vec<_> = headers.iter().copied().chain([("content-type", "application/graphql")]).collect();
        let admin =
            node.send("POST", "/admin", &with_type, "mutation { draining(enable: false) { response { code } } }").await;
        assert_eq!(admin.json().get("data").is_some(), allowed, "{headers:?} {}", admin.text());
    }
}

#[tokio::test]
async fn only_the_client_endpoints_invite_other_sites() {
    let node = guarded("", None);
    for (uri, invited) in [
        ("/query", true),
        ("/mutate", true),
        ("/commit", true),
        ("/admin", false),
        ("/alter", false),
        ("/assign", false),
    ] {
        let options = node.send("OPTIONS", uri, &[("origin", "https://app.example")], "").await;
        assert_eq!(options.header("access-control-allow-origin") == "*", invited, "{uri}");
        assert_eq!(options.header("access-control-allow-credentials"), "", "{uri}");
    }
}
