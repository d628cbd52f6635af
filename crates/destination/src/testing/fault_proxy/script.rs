//! What was asked, and what is to go wrong.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use hyper::HeaderMap;
use hyper::header::RANGE;

use super::wire::{Answer, RequestHead};
use super::{Fault, Operation, Rule};

/// Answers longer than this are not kept for [`Fault::Stale`], nor searched for secrets: archives are longer, and neither
/// small objects nor documents are.
const SMALL_BYTES: usize = 64 << 10;

/// A request that went through the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What was asked.
    pub operation: Operation,
    /// Its place among the requests of its operation, from 1.
    pub nth: usize,
    /// The key in the bucket, without the query; empty for a listing.
    pub key: String,
    /// What went wrong on purpose.
    pub fault: Option<Fault>,
    /// What the server answered, or the proxy in its place, whether or not it arrived; `None` if nobody did.
    pub status: Option<u16>,
}

type Chance = Box<dyn FnMut(&Request) -> Option<Fault> + Send>;

#[derive(Default)]
pub(super) struct Script {
    requests: Vec<Request>,
    counts: BTreeMap<Operation, usize>,
    rules: Vec<Rule>,
    chance: Option<Chance>,
    first_answers: HashMap<String, Answer>,
    last_listing: Option<Answer>,
    page_entries: Option<usize>,
    secrets: Vec<String>,
    leaks: Vec<String>,
}

impl Script {
    /// Counts a request, and gives its number and the fault that it meets.
    pub(super) fn begin(&mut self, operation: Operation, head: &RequestHead) -> (usize, Option<Fault>) {
        let count = self.counts.entry(operation).or_default();
        *count += 1;
        let mut request = Request { operation, nth: *count, key: key(&head.target), fault: None, status: None };
        let rule = self.rules.iter().find(|rule| rule.applies_to(operation, request.nth));
        request.fault = rule.map(|rule| rule.fault).or_else(|| self.chance.as_mut()?(&request));
        let fault = request.fault;
        self.requests.push(request);
        (self.requests.len() - 1, fault)
    }

    pub(super) fn note_status(&mut self, number: usize, answer: &Answer) {
        self.requests[number].status = Some(answer.status.as_u16());
    }

    pub(super) fn add(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    pub(super) fn leave_to(&mut self, chance: Chance) {
        self.chance = Some(chance);
    }

    pub(super) fn heal(&mut self) {
        self.rules.clear();
        self.chance = None;
    }

    pub(super) fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// Remembers an answer, and returns the one that the same question got first.
    pub(super) fn first_answer(&mut self, head: &RequestHead, answer: &Answer) -> Option<Answer> {
        let range = head.headers.get(RANGE).map_or(&b""[..], |range| range.as_bytes());
        let question = format!("{} {} {}", head.method, head.target, String::from_utf8_lossy(range));
        let first = self.first_answers.get(&question).cloned();
        if first.is_none() && answer.body.len() <= SMALL_BYTES {
            self.first_answers.insert(question, answer.clone());
        }
        first
    }

    /// Remembers a listing, and returns the one before.
    pub(super) fn previous_listing(&mut self, answer: &Answer) -> Option<Answer> {
        self.last_listing.replace(answer.clone())
    }

    pub(super) fn page_entries(&self) -> Option<usize> {
        self.page_entries
    }

    pub(super) fn set_page_entries(&mut self, entries: usize) {
        self.page_entries = Some(entries);
    }

    pub(super) fn watch_for(&mut self, secret: &str) {
        self.secrets.push(secret.to_owned());
    }

    pub(super) fn leaks(&self) -> &[String] {
        &self.leaks
    }

    /// Looks for secrets in what went over the wire in plain.
    pub(super) fn search(&mut self, what: &str, target: &str, headers: &HeaderMap, body: &[u8]) {
        let small = &body[..body.len().min(SMALL_BYTES)];
        let text = format!("{target} {headers:?} {}", String::from_utf8_lossy(small));
        if self.secrets.iter().any(|secret| text.contains(secret)) {
            self.leaks.push(format!("{what} {}", key(target)));
        }
    }
}

/// What follows the bucket in a path-style target.
fn key(target: &str) -> String {
    let path = target.split('?').next().unwrap_or(target);
    path.trim_start_matches('/').split_once('/').map_or("", |(_, key)| key).to_owned()
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Script({} requests, {:?})", self.requests.len(), self.rules)
    }
}
