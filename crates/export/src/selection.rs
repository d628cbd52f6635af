//! What belongs into an export.

use graphdb_types::{PostingList, Predicate, ValType};

use crate::gql;

/// Data that the database keeps for itself and makes anew: what Dgraph's export leaves out.
const OWN: [&str; 8] = [
    "dgraph.graphql.xid",
    "dgraph.drop.op",
    "dgraph.graphql.p_query",
    "dgraph.cors",
    "dgraph.graphql.schema_created_at",
    "dgraph.graphql.schema_history",
    "dgraph.graphql.p_sha256hash",
    "_predicate_",
];

/// How the helpers of a vector index are called, behind the name of their predicate.
const VECTOR_HELPERS: [&str; 3] = ["__vector_entry", "__vector_", "__vector_dead"];

/// Whether the data of a predicate is written. That of [`gql::PREDICATE`] is not: it has a file of its own.
pub fn is_exported(predicate: &Predicate) -> bool {
    let name = predicate.name.as_ref();
    !OWN.contains(&name) && name != gql::PREDICATE && !is_vector_helper(predicate)
}

/// Whether a predicate belongs to the index of another one.
pub(crate) fn is_vector_helper(predicate: &Predicate) -> bool {
    VECTOR_HELPERS.iter().any(|ending| predicate.name.ends_with(ending))
}

/// Whether these are the types of the node that holds the GraphQL schema, which is written elsewhere.
pub(crate) fn is_graphql_node(predicate: &Predicate, list: &PostingList) -> bool {
    let [only] = list.postings.as_slice() else { return false };
    predicate.name.as_ref() == "dgraph.type"
        && list.len() == 1
        && matches!(only.val_type, ValType::String | ValType::Default)
        && only.value == b"dgraph.graphql"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_database_keeps_for_itself_is_left_out() {
        for name in OWN.into_iter().chain([gql::PREDICATE, "v__vector_", "v__vector_dead", "v__vector_entry"]) {
            assert!(!is_exported(&Predicate::root(name)), "{name}");
        }
        for name in ["name", "dgraph.type", "dgraph.xid", "dgraph.password", "v__vector", "vector_dead"] {
            assert!(is_exported(&Predicate::root(name)), "{name}");
        }
    }
}
