//! A GraphQL document before it is executed: made harmless for the parser, then measured.

use std::borrow::Cow;

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationDefinition, OperationType, Selection, SelectionSet,
};
use async_graphql::{Name, Pos, ServerError};

use crate::limits::{MAX_ALIASES, MAX_COMPLEXITY, MAX_DOCUMENT_BYTES, MAX_NESTING, MAX_ROOT_FIELDS};

/// Checks the nesting of brackets without recursion, and takes out empty parentheses behind an operation's name (`query x() {…}`), which
/// many scripts send although GraphQL has no such thing. Places in the text stay what they were.
pub(crate) fn prepare(text: &str) -> Result<Cow<'_, str>, ServerError> {
    if text.len() > MAX_DOCUMENT_BYTES {
        return Err(ServerError::new(format!("the query is longer than {} KiB", MAX_DOCUMENT_BYTES >> 10), None));
    }
    let mut scan = Scan { bytes: text.as_bytes(), at: 0 };
    let mut depth = 0_usize;
    let mut empty_parentheses = Vec::new();
    while let Some(byte) = scan.next() {
        let open = scan.at - 1;
        match byte {
            b'(' if depth == 0 && scan.peek() == Some(b')') => {
                _ = scan.next();
                empty_parentheses.push((open, scan.at - 1));
            }
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_NESTING {
            let message = format!("the query has more than {MAX_NESTING} brackets inside each other");
            return Err(ServerError::new(message, Some(place(text, open))));
        }
    }
    if empty_parentheses.is_empty() {
        return Ok(Cow::Borrowed(text));
    }
    let mut bytes = text.as_bytes().to_vec();
    for (open, close) in empty_parentheses {
        (bytes[open], bytes[close]) = (b' ', b' ');
    }
    Ok(Cow::Owned(String::from_utf8(bytes).expect("ASCII was replaced by ASCII")))
}

fn place(text: &str, at: usize) -> Pos {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
    Pos { line, column }
}

/// The bytes of a document that are neither space, comment nor in a string.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn peek(&mut self) -> Option<u8> {
        self.skip();
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn skip(&mut self) {
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b',' => self.at += 1,
                b'#' => self.at = self.find(self.at, |rest| rest[0] == b'\n'),
                b'"' => self.skip_string(),
                _ => return,
            }
        }
    }

    fn skip_string(&mut self) {
        if self.bytes[self.at..].starts_with(b"\"\"\"") {
            let mut at = self.at + 3;
            loop {
                at = self.find(at, |rest| rest.starts_with(b"\"\"\""));
                // `\"""` stands for the three quotes themselves.
                if at >= self.bytes.len() || self.bytes[at - 1] != b'\\' {
                    break;
                }
                at += 3;
            }
            self.at = (at + 3).min(self.bytes.len());
            return;
        }
        let mut at = self.at + 1;
        while let Some(byte) = self.bytes.get(at) {
            match byte {
                b'\\' => at += 2,
                b'"' | b'\n' => break,
                _ => at += 1,
            }
        }
        self.at = (at + 1).min(self.bytes.len());
    }

    fn find(&self, from: usize, wanted: impl Fn(&[u8]) -> bool) -> usize {
        (from..self.bytes.len()).find(|at| wanted(&self.bytes[*at..])).unwrap_or(self.bytes.len())
    }
}

/// The operation a request means.
pub(crate) fn operation<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a OperationDefinition, ServerError> {
    let unknown = |name: &str| ServerError::new(format!("there is no operation named {name:?} in the query"), None);
    match (&document.operations, name.filter(|name| !name.is_empty())) {
        (DocumentOperations::Single(operation), None) => Ok(&operation.node),
        (DocumentOperations::Single(_), Some(name)) => Err(unknown(name)),
        (DocumentOperations::Multiple(operations), Some(name)) => {
            operations.get(name).map(|operation| &operation.node).ok_or_else(|| unknown(name))
        }
        (DocumentOperations::Multiple(operations), None) => match operations.values().next() {
            Some(operation) if operations.len() == 1 => Ok(&operation.node),
            _ => Err(ServerError::new("the query has several operations; say which in operationName", None)),
        },
    }
}

/// Refuses what is not executed over GET: a link in a page, or a pre-fetching browser, must change nothing.
pub(crate) fn check_readonly(operation: &OperationDefinition) -> Result<(), ServerError> {
    if operation.ty == OperationType::Query {
        return Ok(());
    }
    Err(ServerError::new("mutations are not executed over GET; send them with POST", Some(operation.selection_set.pos)))
}

/// What an operation asks for, with its fragments unfolded.
#[derive(Debug, Default)]
pub(crate) struct Measure {
    /// Names under which the answer holds the root's fields, in order and without repeats.
    pub(crate) root_keys: Vec<Name>,
    root_fields: usize,
    fields: usize,
    aliases: usize,
}

/// Counts fields and aliases. Cycles of fragments end at the limits.
///
/// # Errors
/// More than the limits allow.
pub(crate) fn measure(document: &ExecutableDocument, operation: &OperationDefinition) -> Result<Measure, ServerError> {
    let mut measure = Measure::default();
    measure.selection(document, &operation.selection_set.node, 0, 0)?;
    Ok(measure)
}

impl Measure {
    fn selection(
        &mut self,
        document: &ExecutableDocument,
        set: &SelectionSet,
        level: usize,
        spreads: usize,
    ) -> Result<(), ServerError> {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    self.field(&field.node, level, field.pos)?;
                    self.selection(document, &field.node.selection_set.node, level + 1, spreads)?;
                }
                Selection::InlineFragment(inline) => {
                    self.selection(document, &inline.node.selection_set.node, level, spreads)?
                }
                Selection::FragmentSpread(spread) => {
                    if spreads >= MAX_NESTING {
                        return Err(ServerError::new(
                            "fragments are spread inside each other too deeply",
                            Some(spread.pos),
                        ));
                    }
                    // What is not defined is reported by the validation that follows.
                    if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                        self.field_count(selection.pos)?;
                        self.selection(document, &fragment.node.selection_set.node, level, spreads + 1)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn field(
        &mut self,
        field: &async_graphql::parser::types::Field,
        level: usize,
        pos: Pos,
    ) -> Result<(), ServerError> {
        self.field_count(pos)?;
        self.aliases += usize::from(field.alias.is_some());
        if self.aliases > MAX_ALIASES {
            return Err(ServerError::new(format!("the query has more than {MAX_ALIASES} aliases"), Some(pos)));
        }
        if level > 0 {
            return Ok(());
        }
        self.root_fields += 1;
        if self.root_fields > MAX_ROOT_FIELDS {
            return Err(ServerError::new(
                format!("the query has more than {MAX_ROOT_FIELDS} operations in one request"),
                Some(pos),
            ));
        }
        let key = &field.response_key().node;
        if !self.root_keys.contains(key) {
            self.root_keys.push(key.clone());
        }
        Ok(())
    }

    fn field_count(&mut self, pos: Pos) -> Result<(), ServerError> {
        self.fields += 1;
        if self.fields > MAX_COMPLEXITY {
            return Err(ServerError::new(format!("the query asks for more than {MAX_COMPLEXITY} fields"), Some(pos)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used)]
    use async_graphql::parser::parse_query;

    use super::*;

    #[test]
    fn empty_parentheses_behind_a_name_are_taken_out_and_nothing_else_is() {
        for (text, expected) in [
            ("query x() { a }", "query x   { a }"),
            ("mutation m( ) { a(b: \"()\") }", "mutation m    { a(b: \"()\") }"),
            ("query(\n){a}", "query \n {a}"),
            ("query x { a() }", "query x { a() }"),
            (
                "# query x() \nquery y { a(b: \"\"\" x() \\\"\"\" y() \"\"\") }",
                "# query x() \nquery y { a(b: \"\"\" x() \\\"\"\" y() \"\"\") }",
            ),
            ("query x($a: Int) { a }", "query x($a: Int) { a }"),
        ] {
            assert_eq!(prepare(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_with_its_place_before_anything_recursive_reads_it() {
        for bracket in ["{a", "[", "(a:"] {
            let error = prepare(&bracket.repeat(10_000)).unwrap_err();
            assert!(error.message.contains("inside each other"), "{error:?}");
            assert_eq!(error.locations[0].column, (MAX_NESTING) * bracket.len() + 1);
        }
        let quoted = format!("{{ a(b: \"{}\") }}", "{".repeat(1000));
        assert!(prepare(&quoted).is_ok());
    }

    #[test]
    fn unfinished_strings_and_odd_bytes_do_not_disturb_the_scan() {
        for text in ["\"", "\"\"\"", "\"\\", "{ \"é", "#", "\"\"\"\\\"\"\"", ")", "é{"] {
            _ = prepare(text);
        }
    }

    fn measured(text: &str) -> Result<Measure, ServerError> {
        let document = parse_query(text).unwrap();
        let operation = operation(&document, None).unwrap();
        measure(&document, operation)
    }

    #[test]
    fn root_fields_are_found_in_order_and_through_fragments() {
        let measure =
            measured("{ b: health { a } ...f health { c } b: health { d } } fragment f on Query { state { e } }")
                .unwrap();
        assert_eq!(measure.root_keys, [Name::new("b"), Name::new("state"), Name::new("health")]);
    }

    #[test]
    fn what_multiplies_work_is_limited() {
        let aliases = |count: usize| {
            format!("{{ health {{ {} }} }}", (0..count).map(|i| format!("a{i}: status ")).collect::<String>())
        };
        assert!(measured(&aliases(MAX_ALIASES)).is_ok());
        assert!(measured(&aliases(MAX_ALIASES + 1)).unwrap_err().message.contains("aliases"));
        let roots = |count: usize| format!("{{ {} }}", "health { status } ".repeat(count));
        assert!(measured(&roots(MAX_ROOT_FIELDS)).is_ok());
        assert!(measured(&roots(MAX_ROOT_FIELDS + 1)).unwrap_err().message.contains("operations"));
        assert!(measured("{ ...f } fragment f on Query { ...g ...g } fragment g on Query { ...f ...f }").is_err());
        let bomb =
            (0..40).map(|i| format!("fragment f{i} on Query {{ ...f{n} ...f{n} }} ", n = i + 1)).collect::<String>();
        assert!(measured(&format!("{{ ...f0 }} {bomb}")).unwrap_err().message.contains("fields"));
    }

    #[test]
    fn the_operation_meant_is_found_by_name() {
        let document = parse_query("query a { x } mutation b { y }").unwrap();
        assert_eq!(operation(&document, Some("b")).unwrap().ty, OperationType::Mutation);
        assert!(check_readonly(operation(&document, Some("b")).unwrap()).is_err());
        assert!(operation(&document, None).is_err() && operation(&document, Some("c")).is_err());
        assert!(check_readonly(operation(&document, Some("a")).unwrap()).is_ok());
    }
}
