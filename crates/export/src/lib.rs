//! The graph as text files: N-Quads, JSON records and schema text, as Dgraph's `export` writes them. Pure: lists in, text out.
