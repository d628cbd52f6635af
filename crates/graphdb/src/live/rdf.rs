//! N-Quads from lines of text.

use std::io::{self, BufRead, Read as _};

use graphdb_query::nquad::NQuad;
use graphdb_query::rdf::{Names, parse_line};

/// The longest line: beyond it a file is not RDF, or holds what belongs elsewhere.
const MAX_LINE_BYTES: u64 = 32 << 20;

/// What is wrong with a place of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) line: u64,
    pub(crate) column: u64,
    pub(crate) message: String,
}

/// Who takes what is read. An error ends the reading.
pub(crate) trait Sink {
    type Error: From<io::Error>;

    /// A statement, and the line it stands on.
    fn statement(&mut self, nquad: NQuad<'_>, line: u64) -> Result<(), Self::Error>;

    /// A place where there is no statement although there should be.
    fn fault(&mut self, fault: Fault) -> Result<(), Self::Error>;

    /// The names that were made up for nodes without one do not occur again.
    fn forget_made_up_names(&mut self) {}
}

/// Reads a text of one statement a line. Lines that are none are faults, and the rest is read.
pub(crate) fn read<S: Sink>(mut input: impl BufRead, sink: &mut S) -> Result<(), S::Error> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if input.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let text = match text_of(&line) {
            Ok(text) => text,
            Err((column, message)) => {
                sink.fault(Fault { line: number, column, message })?;
                continue;
            }
        };
        match parse_line(text, Names::External) {
            Ok(Some(nquad)) => sink.statement(nquad, number)?,
            Ok(None) => {}
            Err(error) => sink.fault(Fault { line: number, column: error.column as u64, message: error.message })?,
        }
    }
    Ok(())
}

/// The text of a line without its end, or the column from which on it is none.
fn text_of(line: &[u8]) -> Result<&str, (u64, String)> {
    let bare = line.strip_suffix(b"\n").unwrap_or(line);
    if bare.len() == line.len() && line.len() as u64 == MAX_LINE_BYTES {
        return Err((1, format!("the line has more than {} MiB", MAX_LINE_BYTES >> 20)));
    }
    std::str::from_utf8(bare).map_err(|error| {
        let valid = String::from_utf8_lossy(&bare[..error.valid_up_to()]);
        (valid.chars().count() as u64 + 1, "the text is not UTF-8".to_owned())
    })
}

#[cfg(test)]
pub(crate) mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[derive(Default)]
    pub(crate) struct Read {
        pub(crate) statements: Vec<String>,
        pub(crate) faults: Vec<Fault>,
    }

    impl Sink for Read {
        type Error = io::Error;

        fn statement(&mut self, nquad: NQuad<'_>, line: u64) -> io::Result<()> {
            self.statements.push(format!("{line}:{}", nquad.predicate));
            Ok(())
        }

        fn fault(&mut self, fault: Fault) -> io::Result<()> {
            self.faults.push(fault);
            Ok(())
        }
    }

    #[test]
    fn faults_have_line_and_column_and_the_rest_is_read() {
        let bytes = b"<a> <b> \"c\" .\r\n\n# comment\n<a> <b \"c\" .\n_:x <d> <http://e> .\n<\xff> <f> \"g\" .\n_:x <h> \"i\" .";
        let mut found = Read::default();
        read(&bytes[..], &mut found).unwrap();
        assert_eq!(found.statements, ["1:b", "5:d", "7:h"]);
        assert_eq!(found.faults.iter().map(|fault| (fault.line, fault.column)).collect::<Vec<_>>(), [(4, 7), (6, 2)]);
    }
}
