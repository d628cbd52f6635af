use graphdb_types::token::TokenError;
use graphdb_types::value::ConversionError;
use graphdb_types::{MAX_PREDICATE_BYTES, Namespace};

use super::MAX_NQUADS;
use crate::json::JsonError;
use crate::rdf::RdfError;

/// Why a mutation is refused.
#[derive(Debug, thiserror::Error)]
pub enum MutationError {
    /// A line that is no statement.
    #[error(transparent)]
    Rdf(#[from] RdfError),
    /// JSON that is no statement.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A condition that is none.
    #[error("the condition {cond:?} must begin with @if( or @filter(")]
    Condition {
        /// The condition.
        cond: String,
    },
    /// More than [`MAX_NQUADS`] statements.
    #[error("the request has {count} statements; split it into requests of at most {MAX_NQUADS}")]
    TooMany {
        /// How many there are.
        count: usize,
    },
    /// A namespace that was not made.
    #[error("namespace <{namespace}> does not exist; /assign?what=nsids makes new ones")]
    NoNamespace {
        /// The namespace.
        namespace: Namespace,
    },
    /// `*` where something is to be set.
    #[error("Cannot use star in set n-quad: a star stands for what is there already, so it can only be deleted")]
    StarInSet,
    /// `<s> * "value"`.
    #[error("a star as predicate needs a star as object: <s> * * deletes what the types of <s> list")]
    StarPredicate,
    /// A predicate of the database itself that does not exist.
    #[error("Can't store predicate `{predicate}`: names beginning with dgraph. are the database's own")]
    Reserved {
        /// The predicate.
        predicate: String,
    },
    /// A predicate without a schema, where none is created.
    #[error("the predicate {predicate} has no schema; define it with /alter")]
    Unknown {
        /// The predicate.
        predicate: String,
    },
    /// A name that no key can hold.
    #[error("the predicate {start}… is longer than {MAX_PREDICATE_BYTES} bytes")]
    NameTooLong {
        /// How it begins.
        start: String,
    },
    /// A language where the schema has none.
    #[error("predicate {predicate} should have @lang in its schema to hold a value in language {lang}")]
    NoLanguages {
        /// The predicate.
        predicate: String,
        /// The language.
        lang: String,
    },
    /// A node for a predicate that has values.
    #[error("predicate {predicate} holds values, not nodes: write a literal")]
    NodeForScalar {
        /// The predicate.
        predicate: String,
    },
    /// A value for a predicate that has edges.
    #[error("predicate {predicate} is of type uid, and its input is a value: name a node")]
    ScalarForNode {
        /// The predicate.
        predicate: String,
    },
    /// A value that does not fit the schema.
    #[error("predicate {predicate}: {source}")]
    Value {
        /// The predicate.
        predicate: String,
        /// Why it does not fit.
        source: ConversionError,
    },
    /// A password given for a predicate of another type.
    #[error("predicate {predicate} is not of type password")]
    PasswordElsewhere {
        /// The predicate.
        predicate: String,
    },
    /// A value that the index does not take.
    #[error("predicate {predicate}: {source}")]
    Index {
        /// The predicate.
        predicate: String,
        /// Why not.
        source: TokenError,
    },
    /// `uid(v)` or `val(v)` without a query that defines it.
    #[error("variables [{name}] not defined: only the query of an upsert defines variables")]
    Variable {
        /// The variable.
        name: String,
    },
    /// A blank node that only deletes name.
    #[error("the blank node _:{name} is new in this request, so there is nothing to delete; name the node by its uid")]
    NewNodeDeleted {
        /// The name without `_:`.
        name: String,
    },
    /// An external name.
    #[error("<{name}> is not a uid; only `graphdb live` maps names to uids")]
    ExternalName {
        /// The name.
        name: String,
    },
    /// A uid that would use up the uids for new nodes.
    #[error(
        "uid {uid:#x} is above {limit:#x}, the greatest that may be written without having been leased; lease it at /assign first"
    )]
    UidTooHigh {
        /// The uid.
        uid: u64,
        /// The limit.
        limit: u64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] graphdb_storage::Error),
}
