//! The text of DQL queries, to a syntax tree.
//!
//! `lexer` cuts the text into tokens with their places, the `parse` modules read documents, blocks, fields, functions and arithmetic from
//! them, and `fragments` puts `fragment` blocks where they are named. What comes out knows nothing of the schema: that is `plan`.

mod position;

pub mod ast;
mod lexer;

mod block;
mod cursor;
mod document;
mod facets;
mod field;
mod function;
mod math;
mod schema_query;

mod fragments;

#[cfg(test)]
mod tests;

pub use ast::Document;
pub use position::{Position, SyntaxError};

/// The longest query text, in bytes: a list of a million uids fits, a body sent by mistake does not.
pub const MAX_QUERY_BYTES: usize = 16 << 20;

/// How deep blocks, filters and arithmetic may nest, together. Readable queries stay below ten; the parser, planner and executor recurse
/// once a level, and this many levels take a small part of a thread's stack.
pub const MAX_DEPTH: usize = 128;

/// The most blocks of a query, and facets of a field: what is compared with each other grows with their square.
pub const MAX_BLOCKS: usize = 1_000;

/// Reads a query.
///
/// # Errors
/// Text that is not DQL, with line and column; text above [`MAX_QUERY_BYTES`] or nested above [`MAX_DEPTH`]; more blocks than [`MAX_BLOCKS`].
pub fn parse(text: &str) -> Result<Document, SyntaxError> {
    if text.len() > MAX_QUERY_BYTES {
        let message = format!("the query has {} bytes, more than the limit of {MAX_QUERY_BYTES}", text.len());
        return Err(SyntaxError { at: Position::START, message });
    }
    document::parse(text).and_then(fragments::resolve)
}

/// Reads a filter expression that stands alone, as the condition of an upsert does: `eq(len(v), 0) AND NOT has(name)`.
///
/// # Errors
/// As [`parse`].
pub fn parse_filter(text: &str) -> Result<ast::Filter, SyntaxError> {
    function::parse_standalone_filter(text)
}
