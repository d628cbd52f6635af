use thiserror::Error;

/// A place in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Counted from 1.
    pub line: u32,
    /// In characters, counted from 1.
    pub column: u32,
}

impl Position {
    /// The first character of a text.
    pub const START: Position = Position { line: 1, column: 1 };

    /// The place after `text` when `self` is the place of its first character.
    pub(super) fn after(self, text: &str) -> Position {
        text.chars().fold(self, |at, c| match c {
            '\n' => Position { line: at.line.saturating_add(1), column: 1 },
            _ => Position { line: at.line, column: at.column.saturating_add(1) },
        })
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {} column {}", self.line, self.column)
    }
}

/// A text that is not DQL.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{at}: {message}")]
pub struct SyntaxError {
    /// Where reading failed.
    pub at: Position,
    /// What was found and what was expected.
    pub message: String,
}
