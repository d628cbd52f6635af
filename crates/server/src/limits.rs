//! Every limit of the endpoints, with its unit and where the number comes from.

use std::time::Duration;

/// Bytes of a request to `/admin`, as sent and as unpacked. Operations are a few hundred bytes; GraphiQL's introspection is 2 KB.
pub(crate) const MAX_ADMIN_BODY_BYTES: usize = 1 << 20;
/// Bytes of a query. Long ones list uids: a million of them are 10 MB.
pub(crate) const MAX_QUERY_BODY_BYTES: usize = 16 << 20;
/// Bytes of a mutation: the million N-Quads that one request may hold are about 100 MB as people write them.
pub(crate) const MAX_MUTATION_BODY_BYTES: usize = 256 << 20;
/// Bytes of a schema, a list of conflict keys and anything else that is small.
pub(crate) const MAX_BODY_BYTES: usize = 16 << 20;
/// Bytes of the head of a request. Also bounds the length of a query in a URL.
pub(crate) const MAX_HEAD_BYTES: usize = 64 << 10;

/// Brackets inside each other in a GraphQL document, checked before anything recursive reads it. GraphiQL's introspection has 15.
pub(crate) const MAX_NESTING: usize = 64;
/// Levels of fields. Introspection of a type wrapped nine times takes 15.
pub(crate) const MAX_DEPTH: usize = 24;
/// Fields of a request, each counted as often as it is asked for.
pub(crate) const MAX_COMPLEXITY: usize = 1_000;
/// Fields of the root in one request: each may start work of its own.
pub(crate) const MAX_ROOT_FIELDS: usize = 16;
/// Aliases in a request: they make one field many.
pub(crate) const MAX_ALIASES: usize = 64;
/// Directives at one field.
pub(crate) const MAX_DIRECTIVES: usize = 8;
/// Bytes of a document's text.
pub(crate) const MAX_DOCUMENT_BYTES: usize = 256 << 10;

/// Queries and mutations that run at a time; further ones wait. Each may hold an answer of the greatest size in memory.
pub(crate) const MAX_RUNNING: usize = 32;
/// Connections open at a time; further ones wait in the kernel's queue.
pub(crate) const MAX_CONNECTIONS: usize = 1_024;
/// How long a client may take to send the head of a request, and a connection may idle between two.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may take to send the next part of a body.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long requests under way may take to finish when the node stops.
pub(crate) const SHUTDOWN_GRACE: Duration = Duration::from_secs(30);
/// After a body was refused for its size, so much more of it is read and thrown away, so that most clients see the answer instead of a
/// broken connection.
pub(crate) const DISCARDED_BYTES: usize = 8 << 20;
