//! A place in a text, shared by the small readers of this crate: RDF, JSON mutations, schema text.

/// What is wrong, and at which byte of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn new(at: usize, message: impl Into<String>) -> Fault {
        Fault { at, message: message.into() }
    }

    /// Line and column in `text`, both from 1; columns count characters.
    pub(crate) fn place(&self, text: &str) -> (usize, usize) {
        let mut at = self.at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let before = &text[..at];
        let line_start = before.rfind('\n').map_or(0, |nl| nl + 1);
        (1 + before.bytes().filter(|b| *b == b'\n').count(), 1 + before[line_start..].chars().count())
    }
}

/// A reading position in a text.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Reads all of `text`.
    pub(crate) fn new(text: &'a str) -> Cursor<'a> {
        Cursor { text, at: 0 }
    }

    /// Reads `text[at..end]`, while positions stay those of the whole text.
    pub(crate) fn within(text: &'a str, at: usize, end: usize) -> Cursor<'a> {
        Cursor { text: &text[..end], at }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// What was read since `start`.
    pub(crate) fn since(&self, start: usize) -> &'a str {
        &self.text[start..self.at]
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    /// Steps over an ASCII byte, or as many bytes as were seen to be there.
    pub(crate) fn skip(&mut self, bytes: usize) {
        self.at += bytes;
        debug_assert!(self.text.is_char_boundary(self.at));
    }

    /// Steps over one byte, even one that is part of a character; for walks that end at ASCII bytes.
    pub(crate) fn skip_byte(&mut self) {
        self.at += 1;
    }

    /// The cursor some ASCII bytes earlier.
    pub(crate) fn back(&self, bytes: usize) -> Cursor<'a> {
        Cursor { text: self.text, at: self.at - bytes }
    }

    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    pub(crate) fn take_str(&mut self, text: &str) -> bool {
        let there = self.text.as_bytes()[self.at..].starts_with(text.as_bytes());
        self.at += if there { text.len() } else { 0 };
        there
    }

    /// Reads bytes while `wanted`, which must stop only at ASCII bytes or the end.
    pub(crate) fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a str {
        let start = self.at;
        self.skip_while(wanted);
        self.since(start)
    }

    /// Steps over bytes while `wanted`.
    pub(crate) fn skip_while(&mut self, wanted: impl Fn(u8) -> bool) {
        let bytes = &self.text.as_bytes()[self.at..];
        self.at += bytes.iter().position(|b| !wanted(*b)).unwrap_or(bytes.len());
    }

    /// Reads a name (ASCII letters, digits, `_`), possibly empty.
    pub(crate) fn word(&mut self) -> &'a str {
        self.take_while(|b| b.is_ascii_alphanumeric() || b == b'_')
    }

    /// Steps over blanks within a line.
    pub(crate) fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r')) {
            self.at += 1;
        }
    }

    /// Steps over blanks, newlines and `#` comments.
    pub(crate) fn space(&mut self) {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.at += 1,
                Some(b'#') => {
                    self.take_while(|b| b != b'\n');
                }
                _ => return,
            }
        }
    }

    pub(crate) fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::new(self.at, message)
    }

    /// What stands here, for an error message.
    pub(crate) fn found(&self) -> String {
        self.found_from(self.at)
    }

    /// What stands at a place, for an error message.
    pub(crate) fn found_from(&self, at: usize) -> String {
        match self.text[at..].chars().next() {
            None => "the end".to_owned(),
            Some('\n') => "the end of the line".to_owned(),
            Some(c) => format!("`{c}`"),
        }
    }
}
