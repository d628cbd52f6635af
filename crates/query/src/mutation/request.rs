//! The body of `/mutate`, taken apart but with its statements unread: a malformed envelope and a malformed statement are answered
//! differently.

use std::borrow::Cow;

use super::MutationError;
use crate::json::text::{Json, Kind};
use crate::json::{JsonError, NewNames, parse_tree};
use crate::nquad::{NQuad, Op};
use crate::rdf::cursor::Fault;
use crate::rdf::{Block, Names, parse_block, read_request};

/// A body that is no request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} column {column}: {message}")]
pub struct RequestError {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What was expected.
    pub message: String,
}

impl RequestError {
    fn new(fault: Fault, text: &str) -> RequestError {
        let (line, column) = fault.place(text);
        RequestError { line, column, message: fault.message }
    }
}

/// A mutation, or an upsert: a query whose variables the mutations use.
#[derive(Clone, Debug)]
pub struct MutationRequest<'a> {
    /// The DQL of an upsert.
    pub query: Option<Cow<'a, str>>,
    /// In the order they take effect.
    pub mutations: Vec<MutationText<'a>>,
    text: &'a str,
}

/// One mutation of a request.
#[derive(Clone, Debug, Default)]
pub struct MutationText<'a> {
    /// `@if(…)`: without a match in the query nothing of the mutation happens.
    pub cond: Option<Cow<'a, str>>,
    set: Vec<Source<'a>>,
    delete: Vec<Source<'a>>,
}

#[derive(Clone, Debug)]
enum Source<'a> {
    Rdf(Block),
    Json(Json<'a>),
}

/// The statements of one mutation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statements<'a> {
    /// `@if(…)`, checked only to begin so.
    pub cond: Option<Cow<'a, str>>,
    /// What is deleted, before anything is set.
    pub delete: Vec<NQuad<'a>>,
    /// What is set.
    pub set: Vec<NQuad<'a>>,
}

impl<'a> MutationRequest<'a> {
    /// Takes apart a body of type `application/rdf`: `{ set { … } delete { … } }` or `upsert { … }`. An empty body has no mutations.
    ///
    /// # Errors
    /// Any other text, with line and column.
    pub fn from_rdf(text: &'a str) -> Result<MutationRequest<'a>, RequestError> {
        let request = read_request(text).map_err(|fault| RequestError::new(fault, text))?;
        let blocks = |blocks: Vec<Block>| blocks.into_iter().map(Source::Rdf).collect();
        let mutations = request.mutations.into_iter().map(|m| MutationText {
            cond: m.cond.map(Cow::Borrowed),
            set: blocks(m.set),
            delete: blocks(m.delete),
        });
        Ok(MutationRequest { query: request.query, mutations: mutations.collect(), text })
    }

    /// Takes apart a body of type `application/json`: an object with any of `set`, `delete`, `cond`, `query` and `mutations`.
    ///
    /// # Errors
    /// Any other text, with line and column.
    pub fn from_json(text: &'a str) -> Result<MutationRequest<'a>, RequestError> {
        if text.trim().is_empty() {
            return Ok(MutationRequest { query: None, mutations: Vec::new(), text });
        }
        Json::parse(text).and_then(|json| from_tree(json, text)).map_err(|fault| RequestError::new(fault, text))
    }

    /// Whether it asks for nothing at all.
    pub fn is_empty(&self) -> bool {
        self.query.as_ref().is_none_or(|query| query.trim().is_empty())
            && self.mutations.iter().all(|m| m.set.is_empty() && m.delete.is_empty())
    }

    /// Reads the statements.
    ///
    /// # Errors
    /// The first that is none, with its place in the body; a condition that does not begin as one.
    pub fn statements(&self) -> Result<Vec<Statements<'a>>, MutationError> {
        let mut names = NewNames::default();
        self.mutations.iter().map(|mutation| self.statements_of(mutation, &mut names)).collect()
    }

    fn statements_of(
        &self,
        mutation: &MutationText<'a>,
        names: &mut NewNames,
    ) -> Result<Statements<'a>, MutationError> {
        if let Some(cond) = &mutation.cond {
            check_condition(cond)?;
        }
        let mut statements = Statements { cond: mutation.cond.clone(), ..Statements::default() };
        for (sources, op, out) in
            [(&mutation.set, Op::Set, &mut statements.set), (&mutation.delete, Op::Delete, &mut statements.delete)]
        {
            for source in sources {
                match source {
                    Source::Rdf(block) => parse_block(self.text, *block, Names::Uids, out)?,
                    Source::Json(json) => {
                        parse_tree(json, op, names, out).map_err(|fault| JsonError::new(fault, self.text))?
                    }
                }
            }
        }
        Ok(statements)
    }
}

fn check_condition(cond: &str) -> Result<(), MutationError> {
    let after_name = cond.strip_prefix("@if").or_else(|| cond.strip_prefix("@filter"));
    match after_name.is_some_and(|rest| rest.trim_start().starts_with('(')) || cond.trim().is_empty() {
        true => Ok(()),
        false => Err(MutationError::Condition { cond: cond.to_owned() }),
    }
}

fn from_tree<'a>(json: Json<'a>, text: &'a str) -> Result<MutationRequest<'a>, Fault> {
    let at = json.at;
    let Kind::Object(members) = json.kind else {
        return Err(Fault::new(at, "a mutation is an object with set, delete, cond, query or mutations"));
    };
    let mut request = MutationRequest { query: None, mutations: Vec::new(), text };
    let mut own = MutationText::default();
    for (key, value) in members {
        match key.as_ref() {
            "query" => request.query = string(value, "query")?,
            "mutations" => request.mutations = mutations(value)?,
            key => own.take(key, value)?,
        }
    }
    if !own.set.is_empty() || !own.delete.is_empty() {
        request.mutations.push(own);
    }
    Ok(request)
}

fn mutations(json: Json<'_>) -> Result<Vec<MutationText<'_>>, Fault> {
    let at = json.at;
    match json.kind {
        Kind::Null => Ok(Vec::new()),
        Kind::Array(items) => items.into_iter().map(mutation).collect(),
        _ => Err(Fault::new(at, "mutations is an array of objects with set, delete and cond")),
    }
}

fn mutation(json: Json<'_>) -> Result<MutationText<'_>, Fault> {
    let Kind::Object(members) = json.kind else {
        return Err(Fault::new(json.at, "a mutation is an object with set, delete or cond"));
    };
    let mut mutation = MutationText::default();
    for (key, value) in members {
        mutation.take(&key, value)?;
    }
    Ok(mutation)
}

impl<'a> MutationText<'a> {
    /// Takes a member; those it does not know are ignored.
    fn take(&mut self, key: &str, value: Json<'a>) -> Result<(), Fault> {
        match (key, &value.kind) {
            ("set" | "delete", Kind::Null) => {}
            ("set", _) => self.set.push(Source::Json(value)),
            ("delete", _) => self.delete.push(Source::Json(value)),
            ("cond", _) => self.cond = string(value, "cond")?,
            _ => {}
        }
        Ok(())
    }
}

fn string<'a>(json: Json<'a>, what: &str) -> Result<Option<Cow<'a, str>>, Fault> {
    match json.kind {
        Kind::Null => Ok(None),
        Kind::String(text) => Ok(Some(text)),
        _ => Err(Fault::new(json.at, format!("{what} is a string"))),
    }
}
