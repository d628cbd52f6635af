//! One statement about a node, as RDF and JSON mutations alike are read into.

use std::borrow::Cow;

use graphdb_types::token::tokens;
use graphdb_types::{Facet, FacetType, Namespace, Tokenizer, Uid, ValType, Value};

/// The predicate of `<s> * *`: all that the types of the subject list.
pub const STAR: &str = "*";

/// What a request does with its statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Add, or replace what a scalar predicate holds.
    Set,
    /// Take away.
    Delete,
}

/// `subject predicate object (facets)`. Borrows from the text it was read from wherever that text needs no unescaping.
#[derive(Clone, Debug, PartialEq)]
pub struct NQuad<'a> {
    /// The node that is changed.
    pub subject: NodeRef<'a>,
    /// The tenant's space that the predicate belongs to.
    pub namespace: Namespace,
    /// The bare name, or [`STAR`].
    pub predicate: Cow<'a, str>,
    /// The language, without `@`; empty for none.
    pub lang: Cow<'a, str>,
    /// What is set or deleted.
    pub object: Object<'a>,
    /// Ascending by key, keys unique.
    pub facets: Vec<Facet>,
    /// What the way it was written says about the number of values; matters only for a predicate without a schema.
    pub shape: Shape,
}

/// A node, as clients name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NodeRef<'a> {
    /// By its uid, which is valid.
    Uid(Uid),
    /// `_:name`, here without `_:`; a new node, the same one throughout a request.
    Blank(Cow<'a, str>),
    /// `uid(v)`: the nodes in a query variable of an upsert.
    Var(Cow<'a, str>),
    /// An external name, which only loaders map to uids.
    Iri(Cow<'a, str>),
}

/// The object of an [`NQuad`].
#[derive(Clone, Debug, PartialEq)]
pub enum Object<'a> {
    /// Another node.
    Node(NodeRef<'a>),
    /// A value as text.
    Literal {
        /// The text, unescaped.
        text: Cow<'a, str>,
        /// The type that was written beside it.
        declared: Option<ValType>,
    },
    /// A value that came typed (numbers and truth values of JSON).
    Value(Value),
    /// `val(v)`: the value that a query variable of an upsert has for the subject.
    ValVar(Cow<'a, str>),
    /// `*`: deletes only, everything the predicate holds, or what it holds in the statement's language.
    Star,
}

/// How many values the text spoke of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// It did not say (RDF, and scalars of JSON).
    #[default]
    Unsaid,
    /// A single JSON object.
    One,
    /// An item of a JSON array.
    Item,
}

/// Reads the text of a uid: `0x1f`, decimal, or octal with a leading `0`. `None` when the text is no number of 64 bits.
pub fn parse_uid(text: &str) -> Option<u64> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', b'o' | b'O', ..] => (&text[2..], 8),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    let signed = digits.starts_with('+'); // which `from_str_radix` would take
    if signed { None } else { u64::from_str_radix(digits, radix).ok() }
}

/// Why `name` cannot be a predicate of a statement, if it cannot.
pub(crate) fn predicate_fault(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("a predicate must not be empty")
    } else if name.contains('~') {
        Some("a predicate must not contain ~: write the edge from its other end")
    } else if name.contains('@') {
        Some("a predicate has at most one language, behind a single @")
    } else if name.contains(|c: char| c.is_whitespace() || c.is_control()) {
        Some("a predicate must not contain blanks")
    } else if name == STAR {
        Some("a predicate cannot be called *")
    } else {
        None
    }
}

/// Splits `name@en` into name and language, which is empty if there is none.
///
/// # Errors
/// Why the name or the language is not allowed.
pub(crate) fn split_lang(text: &str) -> Result<(&str, &str), &'static str> {
    let (name, lang) = match text.split_once('@') {
        Some((_, lang)) if !is_lang(lang) && !lang.contains('@') => {
            return Err("a language begins with a letter and holds letters, digits and -");
        }
        Some((name, lang)) if !lang.contains('@') => (name, lang),
        _ => (text, ""),
    };
    predicate_fault(name).map_or(Ok((name, lang)), Err)
}

/// Whether `tag` can be a language.
pub(crate) fn is_lang(tag: &str) -> bool {
    tag.starts_with(|c: char| c.is_ascii_alphabetic()) && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Whether `name` can be a query variable.
pub(crate) fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// Why a value cannot be a facet of this key, if it cannot: keys have to be writable in RDF.
pub(crate) fn facet_key_fault(key: &str) -> Option<&'static str> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '=' | ',' | '(' | ')' | '"' | '|');
    if key.is_empty() || key.contains(odd) {
        Some("the key of a facet is not empty and holds no blanks and none of = , ( ) | \"")
    } else {
        None
    }
}

/// The facet with this key and value.
///
/// # Errors
/// A key or a type of value that facets cannot have.
pub(crate) fn facet(key: &str, value: &Value) -> Result<Facet, &'static str> {
    if let Some(fault) = facet_key_fault(key) {
        return Err(fault);
    }
    let val_type = match value.val_type() {
        ValType::String | ValType::Default => FacetType::String,
        ValType::Int => FacetType::Int,
        ValType::Float => FacetType::Float,
        ValType::Bool => FacetType::Bool,
        ValType::DateTime => FacetType::DateTime,
        _ => return Err("facets are text, numbers, true, false or datetimes"),
    };
    let tokens = if val_type == FacetType::String { term_tokens(value) } else { Vec::new() };
    Ok(Facet { key: key.to_owned(), value: value.to_bytes(), val_type, tokens })
}

fn term_tokens(text: &Value) -> Vec<String> {
    let tokens = tokens(Tokenizer::Term, text, "").unwrap_or_default(); // of text it never fails
    tokens.into_iter().filter_map(|token| String::from_utf8(token).ok()).collect()
}

/// Puts facets in the order postings have them.
///
/// # Errors
/// The key that occurs twice.
pub(crate) fn sort_facets(facets: &mut [Facet]) -> Result<(), String> {
    facets.sort_by(|a, b| a.key.cmp(&b.key));
    match facets.windows(2).find(|pair| pair[0].key == pair[1].key) {
        Some(pair) => Err(pair[0].key.clone()),
        None => Ok(()),
    }
}
