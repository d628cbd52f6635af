//! The graph as text files: N-Quads, JSON records and schema text, as Dgraph's `export` writes them. Pure: lists in, text out.
//!
//! Whoever walks a backup or a store asks [`is_exported`] whether the data of a predicate belongs into an export, hands every data list to
//! [`rdf::write_list`] or [`json::write_list`], every definition to [`schema`], and the lists of [`gql::PREDICATE`] to [`gql`]. What is written
//! loads back through `graphdb live` into an equal database.
//!
//! Where Dgraph's own export loses something, the text differs from it, in a way that Dgraph reads as well:
//!
//! - NUL bytes at the end of a text stay, and so do bytes that are not UTF-8 (`\xhh`, N-Quads only: JSON has no form for them).
//! - Decimals of type `bigfloat` have all their digits.
//! - Facets keep their types: a float is `3.0` and not `3`, in JSON a truth value is `true` and not `"true"`, and the facets of a tagged
//!   value are called `name@es|key`. A facet's text that looks like a date is still read as a date from JSON: N-Quads keep it.
//! - A datetime whose zone RFC 3339 cannot say (odd seconds) is written in UTC: the instant stays.
//! - `@noconflict` is written, the helpers of vector indexes are not, and JSON is an array with its brackets.

mod error;
mod format;
pub mod names;
mod selection;
mod text;

pub mod json;
pub mod rdf;

pub mod gql;
pub mod schema;

pub use error::ExportError;
pub use format::{Format, UnknownFormat};
pub use selection::is_exported;
