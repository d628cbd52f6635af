//! RDF N-Quads, one statement a line: `subject predicate object [graph] [(facets)] .`
//!
//! A literal, a name or a tag is borrowed from the line unless it holds escapes, so reading a line allocates next to nothing. The reader
//! walks over bytes by hand: loaders spend their time here.

pub(crate) mod cursor;
mod envelope;
mod facets;
mod literal;
#[cfg(test)]
mod tests;
mod write;

use std::borrow::Cow;

use graphdb_types::{Namespace, Uid};

use crate::nquad::{NQuad, NodeRef, Object, STAR, Shape, is_variable, parse_uid, split_lang};
use cursor::{Cursor, Fault};

#[cfg(test)]
use envelope::RdfRequest;
pub(crate) use envelope::{Block, read_request};
pub use write::write_nquad;

/// What the nodes of a text may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Uids, blank nodes and variables: what a mutation may hold.
    Uids,
    /// Any IRI besides, as a name that a loader maps to a uid; graph labels that are no namespace are read and ignored.
    External,
}

/// A line that is not a statement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} column {column}: {message}")]
pub struct RdfError {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What was expected, and what to do.
    pub message: String,
}

impl RdfError {
    pub(crate) fn new(fault: Fault, text: &str) -> RdfError {
        let (line, column) = fault.place(text);
        RdfError { line, column, message: fault.message }
    }
}

/// Reads one line. `None` for a blank line or a comment.
///
/// # Errors
/// Anything but one statement and a comment behind it; `line` is 1.
pub fn parse_line(line: &str, names: Names) -> Result<Option<NQuad<'_>>, RdfError> {
    statement(&mut Cursor::new(line), names).map_err(|fault| RdfError::new(fault, line))
}

/// Reads a text of any number of lines.
///
/// # Errors
/// As [`parse_line`], for the first line that is wrong.
pub fn parse(text: &str, names: Names) -> Result<Vec<NQuad<'_>>, RdfError> {
    let mut nquads = Vec::new();
    parse_block(text, Block { start: 0, end: text.len() }, names, &mut nquads)?;
    Ok(nquads)
}

/// Reads the lines of a part of `text`, adding to `out`; errors tell the place in the whole.
pub(crate) fn parse_block<'a>(
    text: &'a str,
    block: Block,
    names: Names,
    out: &mut Vec<NQuad<'a>>,
) -> Result<(), RdfError> {
    let mut start = block.start;
    while start < block.end {
        let end = text[start..block.end].find('\n').map_or(block.end, |nl| start + nl);
        let mut line = Cursor::within(text, start, end);
        out.extend(statement(&mut line, names).map_err(|fault| RdfError::new(fault, text))?);
        start = end + 1;
    }
    Ok(())
}

fn statement<'a>(line: &mut Cursor<'a>, names: Names) -> Result<Option<NQuad<'a>>, Fault> {
    line.blanks();
    if matches!(line.peek(), None | Some(b'#')) {
        return Ok(None);
    }
    let subject = subject(line, names)?;
    line.blanks();
    let (predicate, mut lang) = predicate(line)?;
    line.blanks();
    let object = object(line, names, &mut lang)?;
    line.blanks();
    let mut namespace = Namespace::ROOT;
    if matches!(line.peek(), Some(b'<' | b'_')) {
        namespace = label(line, names)?;
        line.blanks();
    }
    let facets = if line.peek() == Some(b'(') { facets::read(line)? } else { Vec::new() };
    end(line)?;
    Ok(Some(NQuad { subject, namespace, predicate, lang, object, facets, shape: Shape::Unsaid }))
}

fn subject<'a>(line: &mut Cursor<'a>, names: Names) -> Result<NodeRef<'a>, Fault> {
    match line.peek() {
        Some(b'_') => {
            let node = blank_node(line)?;
            match line.peek() {
                Some(b' ' | b'\t') => Ok(node),
                _ => Err(line.fault("a blank node as subject needs a space behind its name")),
            }
        }
        Some(b'*') => {
            Err(line.fault("the subject cannot be *: to delete a predicate of all nodes, drop it with /alter"))
        }
        _ => node(line, names)?
            .ok_or_else(|| line.fault(format!("expected a subject (<0x1>, _:name or uid(v)), found {}", line.found()))),
    }
}

/// A node in any of its forms; `None` if something else begins here.
fn node<'a>(line: &mut Cursor<'a>, names: Names) -> Result<Option<NodeRef<'a>>, Fault> {
    match line.peek() {
        Some(b'<') => {
            let at = line.at();
            named_node(iri(line)?, names).map(Some).map_err(|message| Fault::new(at, message))
        }
        Some(b'_') => blank_node(line).map(Some),
        Some(b'u') if line.take_str("uid(") => Ok(Some(NodeRef::Var(variable(line)?.into()))),
        _ => Ok(None),
    }
}

/// The node that stood in angle brackets.
fn named_node(name: Cow<'_, str>, names: Names) -> Result<NodeRef<'_>, String> {
    if let Some(uid) = parse_uid(&name) {
        let valid = Some(Uid(uid)).filter(|uid| uid.is_valid());
        return valid
            .map(NodeRef::Uid)
            .ok_or_else(|| format!("<{name}> is not a uid a node can have: 0x1 to 0xfffffffffffffffe are"));
    }
    if let Some(blank) = name.strip_prefix("_:") {
        let blank = match &name {
            Cow::Borrowed(whole) => Cow::Borrowed(&whole[2..]),
            Cow::Owned(_) => Cow::Owned(blank.to_owned()),
        };
        return if blank.is_empty() {
            Err("a blank node needs a name behind _:".into())
        } else {
            Ok(NodeRef::Blank(blank))
        };
    }
    match names {
        Names::External if !name.is_empty() => Ok(NodeRef::Iri(name)),
        _ => Err(format!(
            "<{name}> is not a uid; nodes are <0x1>, _:name or uid(v), and only `graphdb live` maps names to uids"
        )),
    }
}

fn blank_node<'a>(line: &mut Cursor<'a>) -> Result<NodeRef<'a>, Fault> {
    if !line.take_str("_:") {
        return Err(line.fault("expected _: and the name of a blank node"));
    }
    let name = line.take_while(|b| b.is_ascii_alphanumeric() || b >= 0x80 || matches!(b, b'_' | b'-' | b'.' | b':'));
    let without_dots = name.trim_end_matches('.');
    if without_dots.is_empty() {
        return Err(line.fault("a blank node needs a name behind _:"));
    }
    let dots = name.len() - without_dots.len();
    *line = line.back(dots);
    Ok(NodeRef::Blank(without_dots.into()))
}

/// `name)` of `uid(name)` or `val(name)`.
fn variable<'a>(line: &mut Cursor<'a>) -> Result<&'a str, Fault> {
    let at = line.at();
    let name = line.take_while(|b| b != b')').trim();
    if !line.take(b')') {
        return Err(Fault::new(at, "expected the name of a variable and )"));
    }
    if is_variable(name) { Ok(name) } else { Err(Fault::new(at, format!("`{name}` is not the name of a variable"))) }
}

/// The text between angle brackets.
fn iri<'a>(line: &mut Cursor<'a>) -> Result<Cow<'a, str>, Fault> {
    let open = line.at();
    line.skip(1);
    let text = line.take_while(|b| b > b' ' && !matches!(b, b'>' | b'<' | b'"' | b'\\'));
    match line.peek() {
        Some(b'>') => {
            line.skip(1);
            Ok(text.into())
        }
        Some(b'\\') => literal::escaped_iri(line, text),
        None => Err(Fault::new(open, "< without >")),
        Some(_) => Err(line.fault(format!("{} cannot stand between < and >", line.found()))),
    }
}

fn predicate<'a>(line: &mut Cursor<'a>) -> Result<(Cow<'a, str>, Cow<'a, str>), Fault> {
    let at = line.at();
    match line.peek() {
        Some(b'*') => {
            line.skip(1);
            Ok((STAR.into(), "".into()))
        }
        Some(b'<') => {
            let names = match iri(line)? {
                Cow::Borrowed(text) => split_lang(text).map(|(name, lang)| (name.into(), lang.into())),
                Cow::Owned(text) => {
                    split_lang(&text).map(|(name, lang)| (Cow::Owned(name.to_owned()), Cow::Owned(lang.to_owned())))
                }
            };
            names.map_err(|message| Fault::new(at, message))
        }
        _ => Err(line.fault(format!("expected a predicate in angle brackets, found {}", line.found()))),
    }
}

fn object<'a>(line: &mut Cursor<'a>, names: Names, lang: &mut Cow<'a, str>) -> Result<Object<'a>, Fault> {
    match line.peek() {
        Some(b'"') => literal::read(line, lang),
        Some(b'*') => {
            line.skip(1);
            Ok(Object::Star)
        }
        Some(b'v') if line.take_str("val(") => Ok(Object::ValVar(variable(line)?.into())),
        _ => node(line, names)?.map(Object::Node).ok_or_else(|| {
            line.fault(format!(
                "expected an object (\"text\", <0x1>, _:name, uid(v), val(v) or *), found {}",
                line.found()
            ))
        }),
    }
}

/// The fourth term, a namespace. Loaders read data that was written elsewhere too, where it names a graph: that says nothing.
fn label(line: &mut Cursor<'_>, names: Names) -> Result<Namespace, Fault> {
    let at = line.at();
    if line.peek() == Some(b'_') {
        blank_node(line)?;
        return if names == Names::External {
            Ok(Namespace::ROOT)
        } else {
            Err(Fault::new(at, "a blank node cannot name a namespace"))
        };
    }
    let name = iri(line)?;
    match (names, parse_uid(&name)) {
        (_, Some(number)) => Ok(Namespace(number)),
        (Names::External, None) => Ok(Namespace::ROOT),
        (Names::Uids, None) => Err(Fault::new(at, format!("<{name}> is not the number of a namespace; leave it out"))),
    }
}

/// The dot, and nothing but a comment behind it.
fn end(line: &mut Cursor<'_>) -> Result<(), Fault> {
    line.blanks();
    if !line.take(b'.') {
        return Err(line.fault(format!("expected . at the end of the statement, found {}", line.found())));
    }
    line.blanks();
    match line.peek() {
        None | Some(b'#') => Ok(()),
        Some(_) => Err(line.fault(format!("expected a new line behind the statement, found {}", line.found()))),
    }
}
