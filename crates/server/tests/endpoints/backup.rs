//! Backing up, listing and restoring through `/admin`.

use std::time::Duration;

use serde_json::{Value, json};

use super::node::TestNode;

pub(super) async fn wait_for_restore(node: &TestNode, id: &Value) -> Value {
    loop {
        let status =
            node.admin(&format!("{{ restoreStatus(restoreId: {id}) {{ status errors phase percent note }} }}")).await;
        let status = status["data"]["restoreStatus"].clone();
        if status["status"] != "IN_PROGRESS" {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_series_is_taken_listed_restored_and_taken_back() {
    let node = TestNode::new();
    let location = node.dir().join("backups");
    std::fs::create_dir(&location).unwrap();
    let location = location.to_str().unwrap();
    let backup =
        format!("mutation {{ backup(input: {{destination: {location:?}}}) {{ response {{ code message }} taskId }} }}");
    let names = "{ q(func: has(name)) { name } }";

    node.alter("name: string .").await;
    node.mutate("<0x1> <name> \"one\" .").await;
    let done = node.admin(&backup).await;
    assert_eq!(
        done["data"]["backup"]["response"],
        json!({"code": "Success", "message": "Backup completed."}),
        "{done}"
    );
    let task = done["data"]["backup"]["taskId"].as_str().unwrap();
    assert!(task.starts_with("0x"));
    let task = node.admin(&format!("{{ task(input: {{id: {task:?}}}) {{ kind status lastUpdated }} }}")).await;
    assert_eq!((&task["data"]["task"]["kind"], &task["data"]["task"]["status"]), (&json!("Backup"), &json!("Success")));
    assert!(task["data"]["task"]["lastUpdated"].as_str().unwrap().ends_with('Z'), "{task}");

    node.mutate("<0x2> <name> \"two\" .").await;
    let form = node.post("/admin/backup", "application/x-www-form-urlencoded", format!("destination={location}")).await;
    assert_eq!(form.json(), json!({"code": "Success", "message": "Backup completed."}));

    let list = format!(
        "{{ listBackups(input: {{location: {location:?}}}) {{ backupId backupNum type since path encrypted groups {{ groupId predicates }} }} }}"
    );
    let listed = node.admin(&list).await["data"]["listBackups"].clone();
    let of = |at: usize| (listed[at]["backupNum"].clone(), listed[at]["type"].clone(), listed[at]["encrypted"].clone());
    assert_eq!(
        (of(0), of(1)),
        ((json!(1), json!("full"), json!(false)), (json!(2), json!("incremental"), json!(false))),
        "{listed}"
    );
    assert!(listed[0]["since"].as_u64().unwrap() < listed[1]["since"].as_u64().unwrap());
    assert!(listed[0]["groups"][0]["predicates"].as_array().unwrap().contains(&json!("name")), "{listed}");

    let count = |window: &'static str| {
        let node = &node;
        async move {
            let answer = node
                .admin(&format!("{{ listBackups(input: {{location: {location:?}, {window}}}) {{ backupNum }} }}"))
                .await;
            (answer["data"]["listBackups"].as_array().unwrap().len(), answer["errors"].is_array())
        }
    };
    assert_eq!(count("lastNDays: 1").await, (2, false));
    assert_eq!(count("untilDate: \"2020-01-01\"").await, (0, false));
    assert_eq!(count("sinceDate: \"2020-01-01\", lastNDays: 1").await, (0, true));

    let restore =
        format!("mutation {{ restore(input: {{location: {location:?}, backupNum: 1}}) {{ code message restoreId }} }}");
    let started = node.admin(&restore).await["data"]["restore"].clone();
    assert_eq!((&started["code"], &started["message"]), (&json!("Success"), &json!("Restore operation started.")));
    let status = wait_for_restore(&node, &started["restoreId"]).await;
    assert_eq!(
        (&status["status"], &status["errors"], &status["percent"]),
        (&json!("OK"), &json!([]), &json!(100.0)),
        "{status}"
    );
    assert_eq!(node.query(names).await, json!({"q": [{"name": "one"}]}));

    let back = node
        .admin(&format!(
            "mutation {{ rollbackRestore(restoreId: {}) {{ response {{ code }} }} }}",
            started["restoreId"]
        ))
        .await;
    assert_eq!(back["data"]["rollbackRestore"]["response"]["code"], "Success", "{back}");
    assert_eq!(node.query(names).await, json!({"q": [{"name": "one"}, {"name": "two"}]}));

    let metrics = node.get("/metrics").await.text();
    assert!(
        metrics.contains("dgraph_num_backups_success_total 2") && metrics.contains("dgraph_num_backups_failed_total 0")
    );
}

#[tokio::test]
async fn jobs_that_never_were_are_unknown() {
    let node = TestNode::new();
    let status = node.admin("{ restoreStatus(restoreId: 77) { status errors } }").await;
    assert_eq!(status, json!({"data": {"restoreStatus": {"status": "UNKNOWN", "errors": []}}}));
    for (id, why) in
        [("", "task ID is missing"), ("x", "invalid task ID: x"), ("0x77", "task does not exist or has expired")]
    {
        let answer = node.admin(&format!("{{ task(input: {{id: {id:?}}}) {{ status }} }}")).await;
        assert_eq!(answer["errors"][0]["message"], format!("resolving task failed because {why}"));
    }
    let back = node.admin("mutation { rollbackRestore(restoreId: 9) { response { code } } }").await;
    assert_eq!(back["data"], json!({"rollbackRestore": null}));
}

#[tokio::test]
async fn destinations_that_cannot_be_used_say_why() {
    let node = TestNode::new();
    let missing = node.dir().join("missing/deeper");
    for destination in ["ftp://x/y", missing.to_str().unwrap()] {
        let answer =
            node.admin(&format!("mutation {{ backup(input: {{destination: {destination:?}}}) {{ taskId }} }}")).await;
        let message = answer["errors"][0]["message"].as_str().unwrap();
        assert!(message.starts_with("resolving backup failed because ") && message.len() > 45, "{message}");
        assert_eq!(answer["data"], json!({"backup": null}));
    }
    let restore = "mutation { restore(input: {location: \"/tmp\", encryptionKeyFile: \"/key\"}) { code } }";
    let answer = node.admin(restore).await;
    assert!(answer["errors"][0]["message"].as_str().unwrap().contains("reads no encryption keys"), "{answer}");
}
