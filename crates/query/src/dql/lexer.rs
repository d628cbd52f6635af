use winnow::ascii::digit1;
use winnow::combinator::{alt, cut_err, delimited, opt, preceded, repeat};
use winnow::error::{ContextError, ErrMode, StrContext};
use winnow::prelude::*;
use winnow::token::{any, none_of, one_of, take_till, take_while};

use super::{Position, SyntaxError};

/// A word of a query and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) at: Position,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind<'a> {
    /// A bare word that does not begin with a digit.
    Name(&'a str),
    /// A bare word that begins with a digit or a signed digit: a number, a uid or a date.
    Number(&'a str),
    /// A text in double quotes, without them and unescaped.
    Text(String),
    /// A name in angle brackets, without them.
    Iri(&'a str),
    /// A query variable, with its `$`.
    Variable(&'a str),
    /// `/pattern/flags`
    Regex(String, &'a str),
    /// Punctuation and operators.
    Symbol(&'static str),
    /// The end of the text.
    End,
}

impl std::fmt::Display for Kind<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Kind::Name(text) | Kind::Number(text) | Kind::Variable(text) => write!(f, "`{text}`"),
            Kind::Text(text) => write!(f, "{text:?}"),
            Kind::Iri(text) => write!(f, "`<{text}>`"),
            Kind::Regex(pattern, flags) => write!(f, "`/{pattern}/{flags}`"),
            Kind::Symbol(text) => write!(f, "`{text}`"),
            Kind::End => f.write_str("the end of the query"),
        }
    }
}

/// Cuts a query into tokens; the last is [`Kind::End`].
pub(super) fn lex(text: &str) -> Result<Vec<Token<'_>>, SyntaxError> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut at = Position::START;
    let mut arithmetic = Arithmetic::default();
    loop {
        let before = rest;
        skip_blanks(&mut rest);
        at = at.after(&before[..before.len() - rest.len()]);
        if rest.is_empty() {
            tokens.push(Token { kind: Kind::End, at });
            return Ok(tokens);
        }
        let before = rest;
        let kind = next_kind(&mut rest, tokens.last().map(|token: &Token<'_>| &token.kind), arithmetic.is_on())
            .map_err(|error| SyntaxError { at, message: describe(error, before) })?;
        arithmetic.step(&kind, tokens.last().map(|token| &token.kind));
        tokens.push(Token { kind, at });
        at = at.after(&before[..before.len() - rest.len()]);
    }
}

/// Whether the lexer is within `math(...)`, where `-` and `/` are operators and not part of words.
#[derive(Default)]
struct Arithmetic {
    open: usize,
}

impl Arithmetic {
    fn is_on(&self) -> bool {
        self.open > 0
    }

    fn step(&mut self, kind: &Kind<'_>, last: Option<&Kind<'_>>) {
        match kind {
            Kind::Symbol("(") if self.is_on() || matches!(last, Some(Kind::Name("math"))) => self.open += 1,
            Kind::Symbol(")") => self.open = self.open.saturating_sub(1),
            _ => {}
        }
    }
}

fn describe(error: ErrMode<ContextError>, rest: &str) -> String {
    let label = error.into_inner().ok().and_then(|inner| {
        inner.context().find_map(|context| match context {
            StrContext::Label(label) => Some(*label),
            _ => None,
        })
    });
    match (label, rest.chars().next()) {
        (Some(label), _) => label.to_owned(),
        (None, found) => format!("unexpected character {:?}", found.unwrap_or_default()),
    }
}

fn skip_blanks(input: &mut &str) {
    loop {
        *input = input.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        if !input.starts_with('#') {
            return;
        }
        *input = input.find('\n').map_or("", |end| &input[end..]);
    }
}

fn next_kind<'a>(input: &mut &'a str, last: Option<&Kind<'_>>, arithmetic: bool) -> ModalResult<Kind<'a>> {
    if arithmetic {
        return alt((
            math_number.map(Kind::Number),
            math_name.map(Kind::Name),
            symbol.map(Kind::Symbol),
            quoted.map(Kind::Text),
        ))
        .parse_next(input);
    }
    // A regular expression is always an argument; anywhere else a slash has no meaning.
    if input.starts_with('/') && matches!(last, Some(Kind::Symbol(","))) {
        return regex.parse_next(input);
    }
    alt((
        number.map(Kind::Number),
        name.map(Kind::Name),
        quoted.map(Kind::Text),
        iri.map(Kind::Iri),
        variable.map(Kind::Variable),
        symbol.map(Kind::Symbol),
    ))
    .parse_next(input)
}

fn is_name_start(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

fn is_name_part(c: char) -> bool {
    is_name_start(c) || c.is_numeric() || matches!(c, '.' | '-')
}

fn name<'a>(input: &mut &'a str) -> ModalResult<&'a str> {
    (one_of(is_name_start), take_while(0.., is_name_part)).take().parse_next(input)
}

fn math_name<'a>(input: &mut &'a str) -> ModalResult<&'a str> {
    (one_of(is_name_start), take_while(0.., |c: char| is_name_start(c) || c.is_numeric() || c == '.'))
        .take()
        .parse_next(input)
}

fn number<'a>(input: &mut &'a str) -> ModalResult<&'a str> {
    let exponent = (one_of(['e', 'E']), one_of(['+', '-']), digit1).void();
    let part = one_of(|c: char| matches!(c, '_' | '.' | '-') || c.is_ascii_alphanumeric()).void();
    (opt(one_of(['-', '+'])), opt('.'), one_of('0'..='9'), repeat::<_, _, (), _, _>(0.., alt((exponent, part))))
        .take()
        .parse_next(input)
}

fn math_number<'a>(input: &mut &'a str) -> ModalResult<&'a str> {
    let fraction = opt(('.', opt(digit1)));
    let exponent = opt((one_of(['e', 'E']), opt(one_of(['+', '-'])), digit1));
    alt(((digit1, fraction, exponent).take(), ('.', digit1).take())).parse_next(input)
}

fn variable<'a>(input: &mut &'a str) -> ModalResult<&'a str> {
    ('$', cut_err(name).context(StrContext::Label("a query variable needs a name behind the `$`")))
        .take()
        .parse_next(input)
}

fn iri<'a>(input: &mut &'a str) -> ModalResult<&'a str> {
    delimited(
        '<',
        take_while(1.., |c: char| !c.is_whitespace() && !matches!(c, '<' | '>' | '"' | '{' | '}' | '\\')),
        '>',
    )
    .parse_next(input)
}

fn symbol(input: &mut &str) -> ModalResult<&'static str> {
    const LONGEST_FIRST: [&str; 27] = [
        "...", "<=", ">=", "==", "!=", "{", "}", "(", ")", "[", "]", ":", ",", "@", "*", "+", "-", "/", "%", "<", ">",
        "=", "!", "~", ".", "|", "&",
    ];
    match LONGEST_FIRST.into_iter().find(|symbol| input.starts_with(symbol)) {
        Some(symbol) => {
            *input = &input[symbol.len()..];
            Ok(symbol)
        }
        None => Err(ErrMode::Backtrack(ContextError::new())),
    }
}

fn quoted(input: &mut &str) -> ModalResult<String> {
    let rest = (repeat(0.., text_part), cut_err('"').context(StrContext::Label("a text in quotes is not closed")));
    preceded('"', rest).map(|(text, _): (String, char)| text).parse_next(input)
}

/// A run of ordinary characters, or what one escape stands for.
fn text_part(input: &mut &str) -> ModalResult<String> {
    alt((take_till(1.., ['"', '\\']).map(str::to_owned), preceded('\\', cut_err(escape)).map(String::from)))
        .parse_next(input)
}

fn escape(input: &mut &str) -> ModalResult<char> {
    const LABEL: StrContext = StrContext::Label(
        "unknown escape in a text; known are \\\" \\\\ \\/ \\' \\b \\f \\n \\r \\t \\xHH \\uHHHH \\UHHHHHHHH",
    );
    let kind = any.context(LABEL).parse_next(input)?;
    match kind {
        '"' | '\\' | '/' | '\'' => Ok(kind),
        'a' => Ok('\u{7}'),
        'b' => Ok('\u{8}'),
        'f' => Ok('\u{c}'),
        'n' => Ok('\n'),
        'r' => Ok('\r'),
        't' => Ok('\t'),
        'v' => Ok('\u{b}'),
        'x' => hex_char(2).context(LABEL).parse_next(input),
        'u' => utf16_char.context(LABEL).parse_next(input),
        'U' => hex_char(8).context(LABEL).parse_next(input),
        _ => cut_err(winnow::combinator::fail::<_, char, _>).context(LABEL).parse_next(input),
    }
}

fn hex_number<'a>(digits: usize) -> impl ModalParser<&'a str, u32, ContextError> {
    take_while(digits..=digits, |c: char| c.is_ascii_hexdigit()).try_map(|hex| u32::from_str_radix(hex, 16))
}

fn hex_char<'a>(digits: usize) -> impl ModalParser<&'a str, char, ContextError> {
    hex_number(digits).verify_map(char::from_u32)
}

/// `HHHH`, or a surrogate pair `HHHH\uHHHH` as JSON encoders write it.
fn utf16_char(input: &mut &str) -> ModalResult<char> {
    let first = hex_number(4).parse_next(input)?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first).ok_or_else(|| ErrMode::Cut(ContextError::new()));
    }
    let second = preceded("\\u", hex_number(4)).verify(|low| (0xdc00..0xe000).contains(low)).parse_next(input)?;
    char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
        .ok_or_else(|| ErrMode::Cut(ContextError::new()))
}

fn regex<'a>(input: &mut &'a str) -> ModalResult<Kind<'a>> {
    let escaped = ('\\', any).take();
    let part = alt((escaped, none_of(['/', '\\', '\n']).take()));
    let body = repeat::<_, _, (), _, _>(0.., part).take();
    let closed = cut_err('/').context(StrContext::Label("a regular expression is not closed"));
    let flags = take_while(0.., |c: char| c.is_ascii_alphabetic());
    // An escaped slash is a slash; every other escape is the expression's own.
    ('/', body, closed, flags)
        .map(|(_, body, _, flags): (char, &str, char, &str)| Kind::Regex(body.replace("\\/", "/"), flags))
        .parse_next(input)
}
