use async_graphql::{EmptySubscription, Schema, ValidationMode};

use super::access::Gate;
use super::mutations::Mutation;
use super::queries::Query;
use crate::limits::{MAX_COMPLEXITY, MAX_DEPTH, MAX_DIRECTIVES, MAX_NESTING};

/// The schema of `/admin`.
pub(crate) type AdminSchema = Schema<Query, Mutation, EmptySubscription>;

/// Builds the schema with its limits.
pub(crate) fn schema() -> AdminSchema {
    Schema::build(Query, Mutation, EmptySubscription)
        .extension(Gate)
        .validation_mode(ValidationMode::Strict)
        .limit_depth(MAX_DEPTH)
        .limit_complexity(MAX_COMPLEXITY)
        .limit_recursive_depth(MAX_NESTING)
        .limit_directives(MAX_DIRECTIVES)
        .finish()
}

/// The schema as text: what `schema/admin.graphql` holds.
pub fn sdl() -> String {
    schema().sdl()
}
