//! Exporting through `/admin`.

use std::fs;

use serde_json::{Value, json};

use super::node::TestNode;

async fn export(node: &TestNode, input: &str) -> Value {
    let fields = "{ response { code message } exportedFiles taskId }";
    node.admin(&format!("mutation {{ export(input: {{{input}}}) {fields} }}")).await
}

async fn task(node: &TestNode, id: &Value) -> Value {
    node.admin(&format!("{{ task(input: {{id: {id}}}) {{ kind status }} }}")).await["data"]["task"].clone()
}

fn files_below(dir: &std::path::Path) -> Vec<String> {
    let mut files = Vec::new();
    for folder in fs::read_dir(dir).into_iter().flatten().flatten() {
        for file in fs::read_dir(folder.path()).unwrap().flatten() {
            files.push(format!("{}/{}", folder.file_name().display(), file.file_name().display()));
        }
    }
    files.sort();
    files
}

#[tokio::test]
async fn an_export_answers_with_its_files_and_its_task() {
    let node = TestNode::new();
    node.alter("name: string .").await;
    node.mutate("<0x1> <name> \"one\" .").await;
    for (input, data) in [("", "g01.rdf.gz"), ("format: \"JSON\"", "g01.json.gz")] {
        let done = export(&node, input).await["data"]["export"].clone();
        assert_eq!(done["response"], json!({"code": "Success", "message": "Export completed."}), "{done}");
        let named: Vec<&str> =
            done["exportedFiles"].as_array().unwrap().iter().map(|file| file.as_str().unwrap()).collect();
        assert_eq!(named.len(), 3, "{done}");
        assert!(named.iter().any(|name| name.starts_with("dgraph.r") && name.ends_with(data)), "{done}");
        let there = files_below(&node.dir().join("exports"));
        assert!(named.iter().all(|name| there.iter().any(|file| file == name)), "{there:?}");
        assert_eq!(task(&node, &done["taskId"]).await, json!({"kind": "Export", "status": "Success"}));
    }
    assert_eq!(files_below(&node.dir().join("exports")).len(), 6);
}

#[tokio::test]
async fn an_export_goes_where_it_is_told() {
    let node = TestNode::new();
    let told = node.dir().join("told");
    fs::create_dir(&told).unwrap();
    let done = export(&node, &format!("destination: {:?}, namespace: -1", told.to_str().unwrap())).await;
    assert_eq!(done["data"]["export"]["response"]["code"], "Success", "{done}");
    assert_eq!(files_below(&told).len(), 3);
    assert!(!node.dir().join("exports").exists());
}

#[tokio::test]
async fn what_cannot_be_exported_says_why() {
    let node = TestNode::new();
    for (input, why) in [
        ("format: \"csv\"", "invalid export format: csv"),
        ("destination: \"ftp://x/y\"", "ftp"),
        ("accessKey: \"half\"", "the secret key is missing"),
    ] {
        let answer = export(&node, input).await;
        let message = answer["errors"][0]["message"].as_str().unwrap();
        assert!(message.starts_with("resolving export failed because ") && message.contains(why), "{message}");
        assert_eq!(answer["data"], json!({"export": null}));
    }
    node.admin("mutation { draining(enable: true) { response { code } } }").await;
    let answer = export(&node, "").await;
    assert!(answer["errors"][0]["message"].as_str().unwrap().contains("draining mode"), "{answer}");
    assert!(!node.dir().join("exports").exists());
}

#[tokio::test]
async fn strangers_do_not_export() {
    let node = TestNode::new().from("10.1.2.3:5000");
    let answer = export(&node, "").await;
    assert_eq!(
        answer["errors"][0]["message"], "resolving export failed because unauthorized ip address: 10.1.2.3",
        "{answer}"
    );
    assert!(!node.dir().join("exports").exists());
}
