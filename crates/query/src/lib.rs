//! The languages clients speak, over the storage: DQL queries, RDF and JSON mutations, schema text.
//!
//! A query goes `dql` (text to syntax tree) → `plan` (checked against the schema; what to read and in which order) → `exec` (reads the
//! store, builds the JSON answer). A mutation goes `rdf` or `json` (text to N-Quads) → `mutation` (uids, types and values resolved against
//! the schema, ready for the store's commit log). `schema_text` reads what `/alter` is sent.

pub mod dql;
pub mod exec;
pub mod plan;

pub mod json;
pub mod mutation;
pub mod nquad;
pub mod rdf;

pub mod schema_text;
