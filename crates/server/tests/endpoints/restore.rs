//! Restores of a part, through `/admin`: one backup after the other, and one namespace.

use serde_json::{Value, json};

use super::backup::wait_for_restore;
use super::node::TestNode;

const NAMES: &str = "{ q(func: has(name)) { name } }";

/// A node with a series of three backups, which hold one name, two and three.
async fn with_series() -> (TestNode, String) {
    let node = TestNode::new();
    let location = node.dir().join("backups");
    std::fs::create_dir(&location).unwrap();
    let location = location.to_str().unwrap().to_owned();
    node.alter("name: string .").await;
    for (uid, name) in [(1, "one"), (2, "two"), (3, "three")] {
        node.mutate(&format!("<{uid:#x}> <name> {name:?} .")).await;
        let done = node
            .admin(&format!("mutation {{ backup(input: {{destination: {location:?}}}) {{ response {{ code }} }} }}"))
            .await;
        assert_eq!(done["data"]["backup"]["response"]["code"], "Success", "{done}");
    }
    (node, location)
}

async fn start(node: &TestNode, location: &str, more: &str) -> Value {
    node.admin(&format!(
        "mutation {{ restore(input: {{location: {location:?}, {more}}}) {{ code message restoreId }} }}"
    ))
    .await
}

/// Restores, and gives what the status says in the end.
async fn restored(node: &TestNode, location: &str, more: &str) -> Value {
    let started = start(node, location, more).await["data"]["restore"].clone();
    assert_eq!((&started["code"], &started["message"]), (&json!("Success"), &json!("Restore operation started.")));
    let status = wait_for_restore(node, &started["restoreId"]).await;
    assert_eq!(status["status"], "OK", "{status}");
    status
}

#[tokio::test]
async fn backups_are_applied_one_after_the_other() {
    let (node, location) = with_series().await;
    restored(&node, &location, "backupNum: 1, incrementalFrom: 1").await;
    assert_eq!(node.query(NAMES).await, json!({"q": [{"name": "one"}]}));
    restored(&node, &location, "backupNum: 2, incrementalFrom: 2, isPartial: true").await;
    let refused = node.post("/query", "application/dql", NAMES).await.json();
    assert!(refused["errors"][0]["message"].as_str().unwrap().contains("draining mode"), "{refused}");
    restored(&node, &location, "incrementalFrom: 3").await;
    assert_eq!(node.query(NAMES).await, json!({"q": [{"name": "one"}, {"name": "two"}, {"name": "three"}]}));
}

#[tokio::test]
async fn backups_that_do_not_follow_are_refused_and_nothing_changes() {
    let (node, location) = with_series().await;
    for (more, why) in [
        ("incrementalFrom: 2", "did not begin as a restore of a whole series"),
        ("incrementalFrom: 9", "was asked for"),
        ("incrementalFrom: 3, backupNum: 2", "was asked for"),
        ("incrementalFrom: -1", "incrementalFrom value should be equal or greater than zero"),
    ] {
        let answer = start(&node, &location, more).await;
        let message = answer["errors"][0]["message"].as_str().unwrap();
        assert!(message.starts_with("resolving restore failed because ") && message.contains(why), "{more}: {message}");
        assert_ne!(answer["data"]["restore"]["code"], "Success", "{more}");
        assert_eq!(node.query(NAMES).await["q"].as_array().unwrap().len(), 3, "{more}: clients are let in");
    }
}

#[tokio::test]
async fn one_namespace_is_restored_and_one_that_is_not_there_is_refused() {
    let (node, location) = with_series().await;
    let tenant = async |namespace: i32| {
        let input = format!("{{restoreInput: {{location: {location:?}, backupNum: 2}}, fromNamespace: {namespace}}}");
        node.admin(&format!("mutation {{ restoreTenant(input: {input}) {{ code message restoreId }} }}")).await
    };
    let absent = tenant(5).await;
    assert_eq!(absent["data"]["restoreTenant"]["code"], "Failure", "{absent}");
    let message = absent["errors"][0]["message"].as_str().unwrap();
    assert!(message.starts_with("resolving restoreTenant failed because failed to verify backup: "), "{message}");
    assert!(message.contains("namespace 0x5"), "{message}");
    let started = tenant(0).await["data"]["restoreTenant"].clone();
    assert_eq!((&started["code"], &started["message"]), (&json!("Success"), &json!("Restore operation started.")));
    let status = wait_for_restore(&node, &started["restoreId"]).await;
    assert_eq!((&status["status"], &status["note"]), (&json!("OK"), &json!("Restored: only namespace 0x0, as 0x0.")));
    assert_eq!(node.query(NAMES).await, json!({"q": [{"name": "one"}, {"name": "two"}]}));
}
