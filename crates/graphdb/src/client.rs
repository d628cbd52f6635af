//! Calls of a running node's HTTP endpoints.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use ureq::Agent;
use ureq::config::AutoHeaderValue;

use crate::failure::misuse;
use crate::keys::read_token;

/// How long a connection may take. The work itself may take as long as it takes: a backup is one request.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The most that an answer may have: listings of thousands of backups are a few megabytes.
const MAX_ANSWER_BYTES: u64 = 64 << 20;

/// A node to be called. Connections are kept open; each thread should have a client of its own.
pub(crate) struct Client {
    agent: Agent,
    base: String,
    token: Option<String>,
}

/// Why a call gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// Nobody knows whether the request was carried out.
    #[error("cannot reach {base}; is the node running, and is this its address?")]
    Unreachable {
        base: String,
        #[source]
        source: Box<ureq::Error>,
    },
    /// The node answered that it does not want to.
    #[error("{base} refused: {message}")]
    Refused { base: String, message: String },
    /// What answered is no graphdb.
    #[error("{base}{path} answered what a graphdb node would not: {found}; is this its address?")]
    Unexpected { base: String, path: String, found: String },
}

impl CallError {
    /// Whether a transaction lost against another and should be tried again.
    pub(crate) fn is_conflict(&self) -> bool {
        let CallError::Refused { message, .. } = self else { return false };
        let message = message.to_lowercase();
        message.contains("abort") || message.contains("retry")
    }

    /// Whether the connection, not the request, was the trouble.
    pub(crate) fn is_connection(&self) -> bool {
        matches!(self, CallError::Unreachable { .. })
    }
}

impl Client {
    /// Takes `http://host:port` or `host:port`, and a file with the node's token.
    ///
    /// # Errors
    /// A URL that is none, and a token file that cannot be read.
    pub(crate) fn new(url: &str, token_file: Option<&Path>) -> anyhow::Result<Client> {
        let base = base_of(url)?;
        let token = token_file.map(read_token).transpose()?;
        Ok(Client { agent: agent(None), base, token })
    }

    /// The same node, over connections of its own.
    pub(crate) fn another(&self) -> Client {
        Client { agent: agent(None), base: self.base.clone(), token: self.token.clone() }
    }

    /// The same node, but every call ends after `limit`.
    pub(crate) fn within(self, limit: Duration) -> Client {
        Client { agent: agent(Some(limit)), ..self }
    }

    /// Where the node is.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Gets JSON.
    pub(crate) fn get(&self, path: &str) -> Result<Value, CallError> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("X-Dgraph-AuthToken", token);
        }
        let response = request.call().map_err(|error| self.unreachable(error))?;
        self.answer(path, response)
    }

    /// Whether the node answers with success; what it says is not read as JSON.
    pub(crate) fn probe(&self, path: &str) -> Result<(), CallError> {
        let mut response =
            self.agent.get(format!("{}{path}", self.base)).call().map_err(|error| self.unreachable(error))?;
        if response.status().is_success() {
            return Ok(());
        }
        let status = response.status();
        let text = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_string().unwrap_or_default();
        Err(CallError::Refused { base: self.base.clone(), message: format!("{status}: {}", excerpt(&text)) })
    }

    /// Posts a body and reads JSON.
    pub(crate) fn post(&self, path: &str, content_type: &str, body: &[u8]) -> Result<Value, CallError> {
        let mut request = self.agent.post(format!("{}{path}", self.base)).content_type(content_type);
        if let Some(token) = &self.token {
            request = request.header("X-Dgraph-AuthToken", token);
        }
        let response = request.send(body).map_err(|error| self.unreachable(error))?;
        self.answer(path, response)
    }

    /// Runs a GraphQL operation at `/admin` and returns its `data`.
    pub(crate) fn admin(&self, query: &str, variables: Value) -> Result<Value, CallError> {
        let body = serde_json::json!({"query": query, "variables": variables}).to_string();
        let mut answer = self.post("/admin", "application/json", body.as_bytes())?;
        Ok(answer["data"].take())
    }

    fn unreachable(&self, error: ureq::Error) -> CallError {
        CallError::Unreachable { base: self.base.clone(), source: Box::new(error) }
    }

    fn answer(&self, path: &str, mut response: ureq::http::Response<ureq::Body>) -> Result<Value, CallError> {
        let status = response.status();
        let body = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_string();
        let text = body.map_err(|error| self.unreachable(error))?;
        let base = || self.base.clone();
        let Ok(json) = serde_json::from_str::<Value>(&text) else {
            return Err(if status.is_success() || status == 404 {
                CallError::Unexpected { base: base(), path: path.to_owned(), found: excerpt(&text) }
            } else {
                CallError::Refused { base: base(), message: format!("{status}: {}", excerpt(&text)) }
            });
        };
        match json["errors"][0]["message"].as_str() {
            Some(message) => Err(CallError::Refused { base: base(), message: message.to_owned() }),
            None if status.is_success() => Ok(json),
            None => Err(CallError::Refused { base: base(), message: format!("{status}: {}", excerpt(&text)) }),
        }
    }
}

fn agent(limit: Option<Duration>) -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_global(limit)
        .accept_encoding(AutoHeaderValue::None) // answers are small, and the node may be this machine
        .user_agent(concat!("graphdb/", env!("CARGO_PKG_VERSION")))
        .proxy(None)
        .build()
        .into()
}

fn base_of(url: &str) -> anyhow::Result<String> {
    let (scheme, host) = url.split_once("://").unwrap_or(("http", url));
    let host = host.trim_end_matches('/');
    match scheme {
        "http" if !host.is_empty() => Ok(format!("http://{host}")),
        "https" => Err(misuse(format!(
            "{url}: nodes speak plain http; for encryption call them through a tunnel or proxy on this machine"
        ))),
        _ => Err(misuse(format!("{url:?} is no URL of a node; write http://HOST:PORT"))),
    }
}

/// The beginning of a text, on one line.
fn excerpt(text: &str) -> String {
    const SHOWN: usize = 200;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn urls_may_lack_their_scheme_and_end_in_a_slash() {
        for (url, base) in
            [("localhost:8080", "http://localhost:8080"), ("http://h:1/", "http://h:1"), ("h", "http://h")]
        {
            assert_eq!(base_of(url).unwrap(), base);
        }
        for url in ["", "https://h", "ftp://h", "http://"] {
            assert!(base_of(url).is_err(), "{url}");
        }
    }

    #[test]
    fn only_words_of_conflict_make_a_refusal_one() {
        let refused = |message: &str| CallError::Refused { base: String::new(), message: message.into() };
        assert!(refused("Transaction has been aborted. Please retry").is_conflict());
        assert!(!refused("cannot convert value").is_conflict() && !refused("").is_connection());
    }

    #[test]
    fn a_node_that_is_not_there_is_named() {
        let client = Client::new("127.0.0.1:1", None).unwrap();
        let error = client.get("/health").unwrap_err();
        assert!(error.is_connection() && error.to_string().contains("http://127.0.0.1:1"), "{error}");
    }
}
