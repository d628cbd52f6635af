//! Answers queries: obeys a plan over a view of the store and writes the answer as JSON text.
//!
//! A block is run level by level: `source` and `check` find its nodes, `level` reads each field for all nodes of a level at once and goes
//! down along the edges; what is read stays in columns beside the nodes. When all blocks have run, `render` walks the columns and writes
//! each node as often as paths lead to it.

mod cascade;
mod check;
mod condition;
mod facets;
mod graph;
mod group;
mod level;
mod limits;
mod math;
mod order;
mod render;
mod schema;
mod sets;
mod sink;
mod source;
mod variables;

use std::collections::BTreeMap;

use graphdb_storage::View;
use graphdb_types::Malformed;
use graphdb_types::value::ConversionError;
use thiserror::Error;

use crate::dql::{self, SyntaxError};
use crate::plan::{self, PlanError, UnusedVariables};

pub use condition::condition_holds;
pub use limits::{MAX_COMBINATIONS, MAX_PASSWORD_CHECKS, MAX_RENDERED_NODES, MAX_RESULT_BYTES, MAX_UIDS_READ};

/// A query and how it is to be answered.
#[derive(Clone, Copy, Debug)]
pub struct QueryRequest<'a> {
    /// The query.
    pub text: &'a str,
    /// Values of query variables, by name with the `$`.
    pub variables: &'a BTreeMap<String, String>,
    /// Whether every node of the answer also shows its uid.
    pub debug: bool,
}

/// The answer to a query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueryAnswer {
    /// A JSON object: a key for every block, in their order.
    pub data: String,
    /// How many nodes were looked at for each predicate, and `_total`.
    pub metrics: BTreeMap<String, u64>,
    /// The nodes of every variable that holds nodes or values, ascending; what an upsert works with.
    pub uid_variables: BTreeMap<String, Vec<u64>>,
    /// The values of every variable that holds values, by node.
    pub value_variables: BTreeMap<String, BTreeMap<u64, graphdb_types::Value>>,
}

/// Why a query has no answer.
#[derive(Debug, Error)]
pub enum QueryError {
    /// The text is not DQL.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// The schema does not allow it, or it is not supported yet.
    #[error(transparent)]
    Refused(#[from] PlanError),
    /// It would take too much memory.
    #[error("the query {what} more than {limit}; narrow it with a filter, `first` or fewer levels")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// A part of the query that only the data shows to be wrong.
    #[error("{0}")]
    Invalid(String),
    /// A stored value is not of the type the schema gives its predicate, and does not become one.
    #[error(
        "the value of `{predicate}` cannot be read as the schema's type: {source}; alter the type back, or set the value again"
    )]
    Conversion {
        /// The predicate.
        predicate: String,
        /// What is wrong with the value.
        source: ConversionError,
    },
    /// A stored value is damaged.
    #[error("a value of `{predicate}` is damaged")]
    Damaged {
        /// The predicate.
        predicate: String,
        /// What is wrong with it.
        source: Malformed,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Storage(#[from] graphdb_storage::Error),
}

pub(crate) type Result<T, E = QueryError> = std::result::Result<T, E>;

/// Answers a query from `view`.
///
/// # Errors
/// Text that is not DQL, what the schema does not allow, answers above the limits of this module, and a store that cannot be read.
pub fn run(view: &View, request: &QueryRequest<'_>) -> Result<QueryAnswer> {
    answer(view, request, UnusedVariables::Refuse)
}

/// Answers the query of an upsert, whose variables are there for its mutations.
///
/// # Errors
/// As [`run`].
pub fn run_for_upsert(view: &View, request: &QueryRequest<'_>) -> Result<QueryAnswer> {
    answer(view, request, UnusedVariables::Allow)
}

fn answer(view: &View, request: &QueryRequest<'_>, unused: UnusedVariables) -> Result<QueryAnswer> {
    let document = dql::parse(request.text)?;
    let plan = plan::plan(&document, view.schema(), request.variables, unused)?;
    if let Some(question) = &plan.schema {
        return Ok(QueryAnswer { data: schema::answer(question, view.schema()), ..QueryAnswer::default() });
    }
    let mut graph = graph::Graph::new(view);
    let mut results = BTreeMap::new();
    for at in &plan.order {
        let result = level::block(&mut graph, &plan.blocks[*at])?;
        variables::collect(&mut graph, &plan.blocks[*at], &result)?;
        results.insert(*at, result);
    }
    let data = render::answer(&plan, &results, &graph, request.debug)?;
    Ok(graph.into_answer(data))
}
