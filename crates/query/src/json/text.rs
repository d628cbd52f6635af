//! JSON text as a tree that remembers what mutations need and general readers drop: the text of numbers (so that no integer loses digits),
//! the place of every value (for errors), and the text of objects (for GeoJSON).

use std::borrow::Cow;

use crate::rdf::cursor::{Cursor, Fault};

/// How deep objects and arrays may nest. Real data has a handful of levels; the reader recurses, and this keeps its stack below 1 MiB.
pub const MAX_DEPTH: usize = 500;

/// A JSON value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Json<'a> {
    /// The byte at which it begins.
    pub(crate) at: usize,
    /// The value as it was written.
    pub(crate) raw: &'a str,
    pub(crate) kind: Kind<'a>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind<'a> {
    Null,
    Bool(bool),
    /// The number is the raw text.
    Number,
    String(Cow<'a, str>),
    Array(Vec<Json<'a>>),
    /// In the order written; of repeated keys the last one counts.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl<'a> Json<'a> {
    /// Reads a whole text.
    pub(crate) fn parse(text: &'a str) -> Result<Json<'a>, Fault> {
        let mut cursor = Cursor::new(text);
        let value = value(&mut cursor, 0)?;
        space(&mut cursor);
        if cursor.is_at_end() {
            Ok(value)
        } else {
            Err(cursor.fault(format!("{} behind the end of the JSON", cursor.found())))
        }
    }
}

/// The member with this key.
pub(crate) fn member<'m, 'a>(members: &'m [(Cow<'a, str>, Json<'a>)], key: &str) -> Option<&'m Json<'a>> {
    members.iter().find(|(name, _)| name == key).map(|(_, value)| value)
}

/// Blanks as JSON has them; `Cursor::space` would take comments too.
fn space(cursor: &mut Cursor<'_>) {
    cursor.skip_while(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
}

fn value<'a>(cursor: &mut Cursor<'a>, depth: usize) -> Result<Json<'a>, Fault> {
    space(cursor);
    let at = cursor.at();
    let kind = match cursor.peek() {
        Some(b'{') => Kind::Object(object(cursor, deeper(cursor, depth)?)?),
        Some(b'[') => Kind::Array(array(cursor, deeper(cursor, depth)?)?),
        Some(b'"') => Kind::String(string(cursor)?),
        Some(b'-' | b'0'..=b'9') => {
            number(cursor)?;
            Kind::Number
        }
        _ => word(cursor)?,
    };
    Ok(Json { at, raw: cursor.since(at), kind })
}

fn deeper(cursor: &Cursor<'_>, depth: usize) -> Result<usize, Fault> {
    if depth < MAX_DEPTH {
        Ok(depth + 1)
    } else {
        Err(cursor.fault(format!("JSON nests deeper than {MAX_DEPTH} levels")))
    }
}

fn word<'a>(cursor: &mut Cursor<'a>) -> Result<Kind<'a>, Fault> {
    let at = cursor.at();
    match cursor.word() {
        "null" => Ok(Kind::Null),
        "true" => Ok(Kind::Bool(true)),
        "false" => Ok(Kind::Bool(false)),
        _ => Err(Fault::new(at, format!("expected a JSON value, found {}", cursor.found_from(at)))),
    }
}

fn array<'a>(cursor: &mut Cursor<'a>, depth: usize) -> Result<Vec<Json<'a>>, Fault> {
    cursor.skip(1);
    let mut items = Vec::new();
    space(cursor);
    if cursor.take(b']') {
        return Ok(items);
    }
    loop {
        items.push(value(cursor, depth)?);
        space(cursor);
        if cursor.take(b']') {
            return Ok(items);
        }
        if !cursor.take(b',') {
            return Err(cursor.fault(format!("expected , or ] behind an item, found {}", cursor.found())));
        }
    }
}

fn object<'a>(cursor: &mut Cursor<'a>, depth: usize) -> Result<Vec<(Cow<'a, str>, Json<'a>)>, Fault> {
    cursor.skip(1);
    let mut members = Vec::new();
    space(cursor);
    if cursor.take(b'}') {
        return Ok(members);
    }
    loop {
        space(cursor);
        if cursor.peek() != Some(b'"') {
            return Err(cursor.fault(format!("expected a key in double quotes, found {}", cursor.found())));
        }
        let key = string(cursor)?;
        space(cursor);
        if !cursor.take(b':') {
            return Err(cursor.fault(format!("expected : behind a key, found {}", cursor.found())));
        }
        members.push((key, value(cursor, depth)?));
        space(cursor);
        if cursor.take(b'}') {
            return Ok(last_of_each(members));
        }
        if !cursor.take(b',') {
            return Err(cursor.fault(format!("expected , or }} behind a member, found {}", cursor.found())));
        }
    }
}

/// Of members with the same key, the last.
fn last_of_each<'a>(mut members: Vec<(Cow<'a, str>, Json<'a>)>) -> Vec<(Cow<'a, str>, Json<'a>)> {
    let mut keys = std::collections::HashSet::new();
    let repeated: Vec<bool> = members.iter().rev().map(|(key, _)| !keys.insert(key.as_ref())).collect();
    if repeated.contains(&true) {
        let mut from_front = repeated.into_iter().rev();
        members.retain(|_| from_front.next() != Some(true));
    }
    members
}

fn number(cursor: &mut Cursor<'_>) -> Result<(), Fault> {
    let at = cursor.at();
    cursor.take(b'-');
    let whole = cursor.take_while(|b| b.is_ascii_digit());
    let mut right = !whole.is_empty() && (whole == "0" || !whole.starts_with('0'));
    if cursor.take(b'.') {
        right &= !cursor.take_while(|b| b.is_ascii_digit()).is_empty();
    }
    if cursor.take(b'e') || cursor.take(b'E') {
        let _sign = cursor.take(b'-') || cursor.take(b'+');
        right &= !cursor.take_while(|b| b.is_ascii_digit()).is_empty();
    }
    if right { Ok(()) } else { Err(Fault::new(at, "this is not a JSON number")) }
}

fn string<'a>(cursor: &mut Cursor<'a>) -> Result<Cow<'a, str>, Fault> {
    let open = cursor.at();
    cursor.skip(1);
    let plain = |b: u8| b >= b' ' && b != b'"' && b != b'\\';
    let head = cursor.take_while(plain);
    if cursor.take(b'"') {
        return Ok(head.into());
    }
    let mut text = head.to_owned();
    loop {
        match cursor.peek() {
            Some(b'"') => break cursor.skip(1),
            Some(b'\\') => text.push(escape(cursor)?),
            Some(_) => return Err(cursor.fault("control characters in a JSON string are written as \\u escapes")),
            None => return Err(Fault::new(open, "the string does not end")),
        }
        text.push_str(cursor.take_while(plain));
    }
    Ok(text.into())
}

fn escape(cursor: &mut Cursor<'_>) -> Result<char, Fault> {
    let simple = match cursor.rest().as_bytes().get(1) {
        Some(b'n') => '\n',
        Some(b't') => '\t',
        Some(b'r') => '\r',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(c @ (b'"' | b'/' | b'\\')) => char::from(*c),
        Some(b'u') => return unicode(cursor),
        _ => return Err(cursor.fault("unknown escape in a JSON string")),
    };
    cursor.skip(2);
    Ok(simple)
}

/// `\uhhhh`, or two of them that make one character. Half of such a pair alone becomes U+FFFD, as in other readers.
fn unicode(cursor: &mut Cursor<'_>) -> Result<char, Fault> {
    let high = hex(cursor)?;
    if let Some(c) = char::from_u32(high) {
        return Ok(c);
    }
    let after_high = cursor.clone();
    if high < 0xdc00 && cursor.rest().starts_with("\\u") {
        let low = hex(cursor)?;
        if (0xdc00..0xe000).contains(&low) {
            let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        *cursor = after_high;
    }
    Ok(char::REPLACEMENT_CHARACTER)
}

fn hex(cursor: &mut Cursor<'_>) -> Result<u32, Fault> {
    let digits = cursor.rest().as_bytes().get(2..6).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
    let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
    let code = code.ok_or_else(|| cursor.fault("\\u needs four hexadecimal digits"))?;
    cursor.skip(6);
    Ok(code)
}
