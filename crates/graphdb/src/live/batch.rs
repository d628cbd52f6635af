//! Statements of one transaction as the text that is sent.

use std::sync::Arc;

use graphdb_query::nquad::NQuad;
use graphdb_query::rdf::write_nquad;
use graphdb_types::Malformed;

/// Bytes at which a batch is sent although it has few statements: long texts, far below what a node takes at once.
const FULL_BYTES: usize = 4 << 20;

const BEGIN: &str = "{ set {\n";
const END: &str = "}}";

/// The body of one `/mutate`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    body: String,
    nquads: u32,
    /// Which file, and its first and last line that the statements stood on.
    origin: Option<(Arc<str>, u64, u64)>,
}

impl Batch {
    /// Adds a statement whose nodes are uids.
    pub(crate) fn push(&mut self, nquad: &NQuad<'_>, file: &Arc<str>, line: u64) -> Result<(), Malformed> {
        if self.body.is_empty() {
            self.body.push_str(BEGIN);
        }
        let before = self.body.len();
        write_nquad(&mut self.body, nquad).inspect_err(|_| self.body.truncate(before))?;
        self.nquads += 1;
        match &mut self.origin {
            Some((_, _, last)) => *last = line,
            None => self.origin = Some((Arc::clone(file), line, line)),
        }
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.nquads == 0
    }

    /// How many statements it has.
    pub(crate) fn nquads(&self) -> u32 {
        self.nquads
    }

    pub(crate) fn is_full(&self, most: u32) -> bool {
        self.nquads >= most || self.body.len() >= FULL_BYTES
    }

    /// Where its statements stood, for messages.
    pub(crate) fn place(&self) -> String {
        match &self.origin {
            Some((file, first, last)) if first == last => format!("{file} line {first}"),
            Some((file, first, last)) => format!("{file} lines {first} to {last}"),
            None => String::new(),
        }
    }

    /// The text to send; nothing can be pushed any more.
    pub(crate) fn finish(mut self) -> Batch {
        self.body.push_str(END);
        self
    }

    /// The text of a finished batch.
    pub(crate) fn body(&self) -> &str {
        &self.body
    }

    /// The statement of a finished batch that has one.
    pub(crate) fn statement(&self) -> &str {
        self.statements().trim_end()
    }

    fn statements(&self) -> &str {
        self.body.strip_prefix(BEGIN).and_then(|text| text.strip_suffix(END)).unwrap_or_default()
    }

    /// A finished batch in two; `None` if it has one statement.
    pub(crate) fn halves(&self) -> Option<[Batch; 2]> {
        let half = self.nquads / 2;
        if half == 0 {
            return None;
        }
        let (end, _) = self.statements().match_indices('\n').nth(half as usize - 1)?;
        let (first, second) = self.statements().split_at(end + 1);
        let part =
            |text: &str, nquads| Batch { body: format!("{BEGIN}{text}{END}"), nquads, origin: self.origin.clone() };
        Some([part(first, half), part(second, self.nquads - half)])
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use graphdb_query::rdf::{Names, parse_line};

    use super::*;

    fn batch(count: u64) -> Batch {
        let (file, mut batch) = (Arc::from("f.rdf"), Batch::default());
        for line in 1..=count {
            let text = format!("<{line:#x}> <name> \"a}}\\nb\"@en .");
            batch.push(&parse_line(&text, Names::External).unwrap().unwrap(), &file, line).unwrap();
        }
        batch.finish()
    }

    #[test]
    fn a_batch_is_a_body_of_mutate() {
        let batch = batch(2);
        assert_eq!(batch.body(), "{ set {\n<0x1> <name> \"a}\\nb\"@en .\n<0x2> <name> \"a}\\nb\"@en .\n}}");
        assert_eq!(batch.place(), "f.rdf lines 1 to 2");
    }

    #[test]
    fn halves_have_every_statement_once() {
        for count in 2..7 {
            let mut parts = vec![batch(count)];
            while let Some(at) = parts.iter().position(|part| part.nquads() > 1) {
                let halves = parts.remove(at).halves().unwrap();
                parts.extend(halves);
            }
            let mut statements: Vec<_> = parts.iter().map(|part| part.statement().to_owned()).collect();
            statements.sort();
            assert_eq!(statements.len() as u64, count);
            assert!(
                (1..=count).all(|n| statements[n as usize - 1].starts_with(&format!("<{n:#x}>"))),
                "{statements:?}"
            );
            assert!(batch(1).halves().is_none());
        }
    }
}
