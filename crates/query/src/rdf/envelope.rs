//! What stands around the statements of a `/mutate` body: `{ set { … } delete { … } }`, or
//! `upsert { query { … } fragment f { … } mutation @if(…) { set { … } } }`.

use std::borrow::Cow;

use super::cursor::{Cursor, Fault};

/// A part of the body, as byte positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The blocks of one mutation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RdfMutation<'a> {
    pub(crate) cond: Option<&'a str>,
    pub(crate) set: Vec<Block>,
    pub(crate) delete: Vec<Block>,
}

/// A body, taken apart but with its statements unread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RdfRequest<'a> {
    pub(crate) query: Option<Cow<'a, str>>,
    pub(crate) mutations: Vec<RdfMutation<'a>>,
}

/// Takes a body apart. An empty one has no mutations.
pub(crate) fn read_request(text: &str) -> Result<RdfRequest<'_>, Fault> {
    let mut body = Cursor::new(text);
    body.space();
    if body.is_at_end() {
        return Ok(RdfRequest::default());
    }
    let request = if body.peek() == Some(b'{') {
        RdfRequest { query: None, mutations: vec![mutation(&mut body, None)?] }
    } else if body.word() == "upsert" {
        upsert(&mut body)?
    } else {
        return Err(Fault::new(0, "a mutation is { set { … } delete { … } } or upsert { query { … } mutation { … } }"));
    };
    body.space();
    if body.is_at_end() {
        Ok(request)
    } else {
        Err(body.fault(format!("{} behind the end of the mutation", body.found())))
    }
}

fn upsert<'a>(body: &mut Cursor<'a>) -> Result<RdfRequest<'a>, Fault> {
    let mut request = RdfRequest::default();
    let mut fragments = Vec::new();
    let at = body.at();
    open(body)?;
    loop {
        body.space();
        if body.take(b'}') {
            break;
        }
        let part = body.at();
        match body.word() {
            "query" if request.query.is_some() => {
                return Err(Fault::new(part, "an upsert has exactly one query block"));
            }
            "query" => request.query = Some(query(body, part)?.into()),
            "fragment" => {
                dql_block(body)?;
                fragments.push(body.since(part));
            }
            "mutation" => {
                let cond = condition(body)?;
                request.mutations.push(mutation(body, cond)?);
            }
            _ => return Err(Fault::new(part, "an upsert holds query, fragment and mutation blocks")),
        }
    }
    match &mut request.query {
        None => return Err(Fault::new(at, "an upsert needs a query block")),
        Some(_) if request.mutations.is_empty() => return Err(Fault::new(at, "an upsert needs a mutation block")),
        Some(query) => fragments.iter().for_each(|fragment| {
            query.to_mut().push('\n');
            query.to_mut().push_str(fragment);
        }),
    }
    Ok(request)
}

/// The query as DQL: the bare block, or from the keyword on if it has a name and variables.
fn query<'a>(body: &mut Cursor<'a>, keyword: usize) -> Result<&'a str, Fault> {
    body.space();
    let start = if body.peek() == Some(b'{') { body.at() } else { keyword };
    dql_block(body)?;
    Ok(body.since(start))
}

/// `@if(…)`, or `@filter(…)`, which means the same.
fn condition<'a>(body: &mut Cursor<'a>) -> Result<Option<&'a str>, Fault> {
    body.space();
    let start = body.at();
    if body.peek() != Some(b'@') {
        return Ok(None);
    }
    if !body.take_str("@if") && !body.take_str("@filter") {
        return Err(body.fault("expected @if(…) or { behind mutation"));
    }
    body.space();
    if body.peek() != Some(b'(') {
        return Err(body.fault("expected ( behind @if"));
    }
    balanced(body, b'(', b')', Inside::Dql)?;
    Ok(Some(body.since(start)))
}

/// `{ set { … } delete { … } … }`.
fn mutation<'a>(body: &mut Cursor<'a>, cond: Option<&'a str>) -> Result<RdfMutation<'a>, Fault> {
    let mut mutation = RdfMutation { cond, ..RdfMutation::default() };
    open(body)?;
    loop {
        body.space();
        if body.take(b'}') {
            return Ok(mutation);
        }
        let at = body.at();
        match body.word() {
            "set" => mutation.set.push(statements(body)?),
            "delete" => mutation.delete.push(statements(body)?),
            _ => return Err(Fault::new(at, format!("expected set, delete or }}, found {}", body.found_from(at)))),
        }
    }
}

fn statements(body: &mut Cursor<'_>) -> Result<Block, Fault> {
    body.space();
    let start = body.at() + 1;
    balanced(body, b'{', b'}', Inside::Statements)?;
    Ok(Block { start, end: body.at() - 1 })
}

fn dql_block(body: &mut Cursor<'_>) -> Result<(), Fault> {
    body.skip_while(|b| b != b'{' && b != b'}');
    balanced(body, b'{', b'}', Inside::Dql)
}

fn open(body: &mut Cursor<'_>) -> Result<(), Fault> {
    body.space();
    if body.take(b'{') { Ok(()) } else { Err(body.fault(format!("expected {{, found {}", body.found()))) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Statements,
    Dql,
}

/// Steps over a bracket, all that is in it, and its partner. Brackets in text, names, comments and regular expressions do not count.
fn balanced(body: &mut Cursor<'_>, opening: u8, closing: u8, inside: Inside) -> Result<(), Fault> {
    let start = body.at();
    if body.peek() != Some(opening) {
        return Err(body.fault(format!("expected {}, found {}", char::from(opening), body.found())));
    }
    let mut depth = 0usize;
    let mut before = b' ';
    while let Some(byte) = body.peek() {
        match byte {
            b'"' => quoted(body, b'"'),
            b'/' if inside == Inside::Dql && matches!(before, b',' | b'(') => quoted(body, b'/'),
            b'<' => name(body),
            b'#' => body.skip_while(|b| b != b'\n'),
            _ => {
                depth = if byte == opening { depth + 1 } else { depth - usize::from(byte == closing) };
                body.skip_byte();
                if depth == 0 {
                    return Ok(());
                }
            }
        }
        before = if byte.is_ascii_whitespace() { before } else { byte };
    }
    Err(Fault::new(start, format!("{} without {}", char::from(opening), char::from(closing))))
}

/// Steps over text up to its closing quote, or to the end of the line, where the reader of statements will miss it.
fn quoted(body: &mut Cursor<'_>, quote: u8) {
    body.skip_byte();
    loop {
        body.skip_while(|b| b != quote && b != b'\\' && b != b'\n');
        match body.peek() {
            Some(b'\\') => {
                body.skip_byte();
                if body.peek().is_some_and(|b| b != b'\n') {
                    body.skip_byte();
                }
            }
            Some(b) if b == quote => return body.skip_byte(),
            _ => return,
        }
    }
}

/// Steps over a name in angle brackets, or over `<` where it is a comparison.
fn name(body: &mut Cursor<'_>) {
    body.skip_byte();
    let inside = body.clone();
    body.skip_while(|b| b > b' ' && !matches!(b, b'>' | b'<' | b'"'));
    if !body.take(b'>') {
        *body = inside;
    }
}
