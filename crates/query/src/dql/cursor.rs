use super::ast::{Name, Term, TermKind};
use super::lexer::{Kind, Token, lex};
use super::{MAX_DEPTH, Position, SyntaxError};

pub(super) type Parsed<T> = Result<T, SyntaxError>;

/// The tokens of a query and how far they have been read.
pub(super) struct Cursor<'a> {
    tokens: Vec<Token<'a>>,
    next: usize,
    depth: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Parsed<Cursor<'a>> {
        Ok(Cursor { tokens: lex(text)?, next: 0, depth: 0 })
    }

    pub(super) fn at(&self) -> Position {
        self.tokens[self.next].at
    }

    pub(super) fn peek(&self) -> &Kind<'a> {
        self.look(0)
    }

    /// The token `ahead` of the next one; the end repeats for ever.
    pub(super) fn look(&self, ahead: usize) -> &Kind<'a> {
        &self.tokens[(self.next + ahead).min(self.tokens.len() - 1)].kind
    }

    pub(super) fn bump(&mut self) -> Kind<'a> {
        let kind = self.peek().clone();
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        kind
    }

    pub(super) fn is(&self, symbol: &str) -> bool {
        matches!(self.peek(), Kind::Symbol(found) if *found == symbol)
    }

    pub(super) fn eat(&mut self, symbol: &str) -> bool {
        let found = self.is(symbol);
        if found {
            self.bump();
        }
        found
    }

    pub(super) fn expect(&mut self, symbol: &str) -> Parsed<()> {
        if self.eat(symbol) { Ok(()) } else { Err(self.unexpected(&format!("`{symbol}`"))) }
    }

    /// Whether the next token is this bare word, in any case.
    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Kind::Name(found) if found.eq_ignore_ascii_case(word))
    }

    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.bump();
        }
        found
    }

    /// A bare name, or one in angle brackets.
    pub(super) fn name(&mut self, what: &str) -> Parsed<Name> {
        let at = self.at();
        match self.peek() {
            Kind::Name(text) | Kind::Iri(text) => {
                let text = (*text).to_owned();
                self.bump();
                Ok(Name { text, at })
            }
            _ => Err(self.unexpected(what)),
        }
    }

    /// A literal or a query variable.
    pub(super) fn term(&mut self, what: &str) -> Parsed<Term> {
        let at = self.at();
        let (text, kind) = match self.peek() {
            Kind::Name(text) | Kind::Number(text) | Kind::Iri(text) => ((*text).to_owned(), TermKind::Bare),
            Kind::Text(text) => (text.clone(), TermKind::Quoted),
            Kind::Variable(text) => ((*text).to_owned(), TermKind::Variable),
            Kind::Regex(text, flags) => (text.clone(), TermKind::Regex { flags: (*flags).to_owned() }),
            _ => return Err(self.unexpected(what)),
        };
        self.bump();
        Ok(Term { text, kind, at })
    }

    pub(super) fn unexpected(&self, expected: &str) -> SyntaxError {
        self.error(format!("expected {expected}, found {}", self.peek()))
    }

    pub(super) fn error(&self, message: impl Into<String>) -> SyntaxError {
        SyntaxError { at: self.at(), message: message.into() }
    }

    /// Reads something that may contain itself.
    pub(super) fn nested<T>(&mut self, read: impl FnOnce(&mut Cursor<'a>) -> Parsed<T>) -> Parsed<T> {
        if self.depth == MAX_DEPTH {
            return Err(self.error(format!("the query nests deeper than {MAX_DEPTH} levels")));
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    /// Reads items up to `close`, which is eaten; commas between them must be there.
    pub(super) fn comma_list<T>(
        &mut self,
        close: &str,
        mut item: impl FnMut(&mut Cursor<'a>) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        let mut items = Vec::new();
        while !self.eat(close) {
            if !items.is_empty() {
                self.expect_separator(close)?;
            }
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn expect_separator(&mut self, close: &str) -> Parsed<()> {
        if self.eat(",") { Ok(()) } else { Err(self.unexpected(&format!("`,` or `{close}`"))) }
    }
}
