use graphdb_types::{Malformed, Predicate, Uid};

/// Why a list or a definition has no text. Nothing was written of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// Bytes that are not of the form that their type has.
    #[error("could not read a value of predicate {predicate} of node {subject}")]
    Value {
        /// The predicate.
        predicate: Predicate,
        /// The node.
        subject: Uid,
        /// What is wrong with them.
        source: Malformed,
    },
    /// A value that the format has no form for.
    #[error("predicate {predicate} of node {subject} cannot be written: {why}")]
    NoText {
        /// The predicate.
        predicate: Predicate,
        /// The node.
        subject: Uid,
        /// What stands against it, and what to do.
        why: &'static str,
    },
    /// A name that would be read as something else.
    #[error("{predicate} cannot be written as a name: {why}")]
    Name {
        /// The predicate or type.
        predicate: Predicate,
        /// What stands against it, and what to do.
        why: &'static str,
    },
}
