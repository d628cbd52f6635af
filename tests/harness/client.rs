//! Requests to a node, as its users send them.

use std::time::Duration;

use serde_json::{Value, json};
use ureq::Agent;

use super::{PATIENCE, wait_for};

/// Headers of a request.
pub(crate) type Headers<'a> = &'a [(&'a str, &'a str)];

/// Who asks a node.
#[derive(Clone)]
pub(crate) struct Client {
    agent: Agent,
    url: String,
}

/// What a node answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) text: String,
}

impl Answer {
    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in the answer {self:?}"))
    }

    /// `data` of an answer without errors.
    #[track_caller]
    pub(crate) fn data(&self) -> Value {
        let mut json = self.json();
        assert!(self.status == 200 && json["errors"].is_null(), "{self:?}");
        json["data"].take()
    }

    /// The messages of an answer that has errors, in one text.
    #[track_caller]
    pub(crate) fn error(&self) -> String {
        let json = self.json();
        let errors = json["errors"].as_array().unwrap_or_else(|| panic!("an error was expected: {self:?}"));
        errors.iter().filter_map(|error| error["message"].as_str()).collect::<Vec<_>>().join("\n")
    }
}

impl Client {
    pub(crate) fn new(url: &str) -> Client {
        let config = Agent::config_builder().http_status_as_error(false).proxy(None);
        let config = config.timeout_global(Some(PATIENCE + Duration::from_secs(30))).build();
        Client { agent: config.into(), url: url.to_owned() }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Sends a request; `None` as body is a GET.
    ///
    /// # Errors
    /// When the node does not answer.
    pub(crate) fn try_send(&self, path: &str, headers: Headers, body: Option<&str>) -> Result<Answer, ureq::Error> {
        let url = format!("{}{path}", self.url);
        let mut response = match body {
            None => headers
                .iter()
                .fold(self.agent.get(&url), |request, (name, value)| request.header(*name, *value))
                .call()?,
            Some(body) => {
                let request = self.agent.post(&url);
                headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send(body)?
            }
        };
        let content_type = response.headers().get("content-type").and_then(|value| value.to_str().ok());
        let (status, content_type) = (response.status().as_u16(), content_type.unwrap_or_default().to_owned());
        let text = response.body_mut().with_config().limit(256 << 20).read_to_string()?;
        Ok(Answer { status, content_type, text })
    }

    /// Sends a request that is answered.
    #[track_caller]
    pub(crate) fn send(&self, path: &str, headers: Headers, body: Option<&str>) -> Answer {
        self.try_send(path, headers, body).unwrap_or_else(|error| panic!("{}{path}: {error}", self.url))
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send(path, &[], None)
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, content_type: &str, body: &str) -> Answer {
        self.send(path, &[("content-type", content_type)], Some(body))
    }

    /// A GraphQL operation at `/admin`.
    #[track_caller]
    pub(crate) fn admin(&self, operation: &str, variables: Value) -> Answer {
        self.post("/admin", "application/json", &json!({"query": operation, "variables": variables}).to_string())
    }

    /// A DQL query.
    #[track_caller]
    pub(crate) fn ask(&self, dql: &str) -> Answer {
        self.post("/query", "application/dql", dql)
    }

    /// `data` of a DQL query's answer.
    #[track_caller]
    pub(crate) fn query(&self, dql: &str) -> Value {
        self.ask(dql).data()
    }

    /// How many nodes have the predicate.
    #[track_caller]
    pub(crate) fn count(&self, predicate: &str) -> u64 {
        let answer = self.query(&format!("{{ n(func: has({predicate})) {{ count(uid) }} }}"));
        answer["n"][0]["count"].as_u64().unwrap_or_else(|| panic!("no count of {predicate}: {answer}"))
    }

    /// Commits `{ set { … } }` or `{ delete { … } }` of RDF.
    #[track_caller]
    pub(crate) fn mutate(&self, rdf: &str) -> Value {
        self.post("/mutate?commitNow=true", "application/rdf", rdf).data()
    }

    #[track_caller]
    pub(crate) fn alter(&self, operation: &str) -> Value {
        self.post("/alter", "text/plain", operation).data()
    }

    /// A backup, full or incremental as the node decides, or forced to be full.
    #[track_caller]
    pub(crate) fn ask_for_backup(&self, destination: &str, force_full: bool) -> Answer {
        self.admin(
            "mutation($to: String!, $full: Boolean) { backup(input: {destination: $to, forceFull: $full}) { response { code message } taskId } }",
            json!({"to": destination, "full": force_full}),
        )
    }

    /// A backup that succeeds.
    #[track_caller]
    pub(crate) fn backup(&self, destination: &str) {
        let data = self.ask_for_backup(destination, false).data();
        let response = &data["backup"]["response"];
        // What Dgraph would have to be told after a restore may follow.
        let said = response["message"].as_str().unwrap_or_default();
        assert!(response["code"] == "Success" && said.starts_with("Backup completed."), "{response}");
        assert!(data["backup"]["taskId"].is_string(), "{data}");
    }

    /// Asks for a restore; what is not given is null.
    #[track_caller]
    pub(crate) fn ask_for_restore(&self, location: &str, number: Option<i64>, key_file: Option<&str>) -> Answer {
        self.admin(
            "mutation($at: String!, $num: Int, $key: String) {
               restore(input: {location: $at, backupNum: $num, encryptionKeyFile: $key}) { code message restoreId } }",
            json!({"at": location, "num": number, "key": key_file}),
        )
    }

    /// A restore that succeeds, to its end; gives its number.
    #[track_caller]
    pub(crate) fn restore(&self, location: &str, number: Option<i64>, key_file: Option<&str>) -> i64 {
        let data = self.ask_for_restore(location, number, key_file).data();
        assert_eq!(data["restore"]["code"], "Success", "{data}");
        let id = data["restore"]["restoreId"].as_i64().unwrap();
        let status = self.wait_restored(id);
        assert_eq!((&status["status"], &status["errors"]), (&json!("OK"), &json!([])), "{status}");
        id
    }

    #[track_caller]
    pub(crate) fn restore_status(&self, id: i64) -> Value {
        let status = "query($id: Int!) { restoreStatus(restoreId: $id) { status errors phase percent } }";
        self.admin(status, json!({"id": id})).data()["restoreStatus"].take()
    }

    /// Waits until a restore is no longer in progress, and gives its status.
    #[track_caller]
    pub(crate) fn wait_restored(&self, id: i64) -> Value {
        wait_for("the end of a restore", || {
            Some(self.restore_status(id)).filter(|status| status["status"] != "IN_PROGRESS")
        })
    }
}
