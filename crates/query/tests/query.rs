//! Queries over a real store.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "query/answers.rs"]
mod answers;
#[path = "query/backups.rs"]
mod backups;
#[path = "query/geo.rs"]
mod geo;
#[path = "query/naive.rs"]
mod naive;
#[path = "query/node.rs"]
mod node;
#[path = "query/refusals.rs"]
mod refusals;
#[path = "query/replay.rs"]
mod replay;
