//! N-Quads from JSON: an array of objects, or one object after the other, read one at a time.

use std::io::{self, BufRead};

use graphdb_query::json::{NewNames, parse, parse_records};
use graphdb_query::nquad::{NodeRef, Op};

use super::rdf::{Fault, Sink};

/// The largest object that stands by itself.
const MAX_OBJECT_BYTES: usize = 32 << 20;

/// Reads objects. The line of a statement is that on which its object begins. Behind what is no list of objects nothing can be read any
/// more: that is a fault and the end.
pub(crate) fn read<S: Sink>(input: impl BufRead, names: &mut NewNames, sink: &mut S) -> Result<(), S::Error> {
    let mut objects = Objects::new(input);
    loop {
        let (text, line, column) = match objects.next()? {
            Next::End => return Ok(()),
            Next::Fault(found) => return sink.fault(found),
            Next::Object { text, line, column } => (text, line, column),
        };
        let Ok(text) = std::str::from_utf8(text) else {
            sink.fault(Fault { line, column, message: "the text is not UTF-8".into() })?;
            continue;
        };
        match parse_records(text, names) {
            Ok(nquads) => nquads.into_iter().try_for_each(|nquad| sink.statement(nquad, line))?,
            Err(error) => {
                // Places in the object, moved to where it begins.
                let (down, right) = (error.line as u64 - 1, error.column as u64);
                let column = if down == 0 { column + right - 1 } else { right };
                sink.fault(Fault { line: line + down, column, message: error.message })?;
            }
        }
        sink.forget_made_up_names();
    }
}

/// How the names begin that are made up for objects without a uid.
pub(crate) fn made_up_prefix(names: &NewNames) -> Option<String> {
    let nquads = parse("{\"p\": 1}", Op::Set, &mut names.clone()).ok()?;
    let NodeRef::Blank(name) = &nquads.first()?.subject else { return None };
    Some(name.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned())
}

enum Next<'a> {
    Object { text: &'a [u8], line: u64, column: u64 },
    Fault(Fault),
    End,
}

/// What may come next outside of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Between {
    /// At the very beginning: an array or an object.
    Begin,
    /// Objects without an array around them, with or without commas between them.
    Loose,
    /// In an array, behind `[` or a comma; the first also allows the end.
    FirstItem,
    Item,
    /// In an array, behind an object.
    Comma,
    /// Behind the array.
    Done,
}

/// Cuts a stream into objects, by their brackets.
struct Objects<R> {
    input: R,
    object: Vec<u8>,
    between: Between,
    line: u64,
    /// Of the next character.
    column: u64,
}

impl<R: BufRead> Objects<R> {
    fn new(input: R) -> Objects<R> {
        Objects { input, object: Vec::new(), between: Between::Begin, line: 1, column: 1 }
    }

    fn next(&mut self) -> io::Result<Next<'_>> {
        loop {
            let (line, column) = (self.line, self.column);
            let Some(byte) = self.byte()? else {
                let open = matches!(self.between, Between::FirstItem | Between::Item | Between::Comma);
                return Ok(if open {
                    Next::Fault(self.fault(line, column, "the array is not closed"))
                } else {
                    Next::End
                });
            };
            use Between::{Begin, Comma, Done, FirstItem, Item, Loose};
            self.between = match (byte, self.between) {
                (b' ' | b'\t' | b'\r' | b'\n', between) => between,
                (0xef | 0xbb | 0xbf, Begin) => Begin, // a byte order mark
                (b'[', Begin) => FirstItem,
                (b']', FirstItem | Comma) => Done,
                (b',', Comma) => Item,
                (b',', Loose) => Loose, // exports of some versions of Dgraph forget the brackets around their items
                (b'{', Begin | Loose | FirstItem | Item) => {
                    self.between = if matches!(self.between, Begin | Loose) { Loose } else { Comma };
                    return self.object(line, column);
                }
                (_, Done) => return Ok(Next::Fault(self.fault(line, column, "there is something behind the array"))),
                (_, Comma) => return Ok(Next::Fault(self.fault(line, column, "expected , or ] behind an object"))),
                _ => return Ok(Next::Fault(self.fault(line, column, "expected an object, or an array of objects"))),
            };
        }
    }

    /// The object whose first bracket was read.
    fn object(&mut self, line: u64, column: u64) -> io::Result<Next<'_>> {
        self.object.clear();
        self.object.push(b'{');
        let (mut depth, mut in_text, mut escaped) = (1usize, false, false);
        while depth > 0 {
            let Some(byte) = self.byte()? else {
                return Ok(Next::Fault(self.fault(line, column, "the object is not closed")));
            };
            self.object.push(byte);
            if self.object.len() > MAX_OBJECT_BYTES {
                let message = format!("the object has more than {} MiB", MAX_OBJECT_BYTES >> 20);
                return Ok(Next::Fault(self.fault(line, column, &message)));
            }
            match byte {
                _ if escaped => escaped = false,
                b'\\' if in_text => escaped = true,
                b'"' => in_text = !in_text,
                b'{' | b'[' if !in_text => depth += 1,
                b'}' | b']' if !in_text => depth -= 1,
                _ => {}
            }
        }
        Ok(Next::Object { text: &self.object, line, column })
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        let Some(byte) = self.input.fill_buf()?.first().copied() else { return Ok(None) };
        self.input.consume(1);
        if byte == b'\n' {
            (self.line, self.column) = (self.line + 1, 1);
        } else if byte & 0xc0 != 0x80 {
            self.column += 1; // bytes that go on with a character are no column of their own
        }
        Ok(Some(byte))
    }

    fn fault(&self, line: u64, column: u64, message: &str) -> Fault {
        Fault { line, column, message: message.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::super::rdf::tests::Read;
    use super::*;

    fn read_all(text: &str) -> (Vec<String>, Vec<(u64, u64, String)>) {
        let mut found = Read::default();
        read(text.as_bytes(), &mut NewNames::default(), &mut found).unwrap();
        (found.statements, found.faults.into_iter().map(|fault| (fault.line, fault.column, fault.message)).collect())
    }

    #[test]
    fn made_up_names_are_known_by_how_they_begin() {
        let mut names = NewNames::default();
        let prefix = made_up_prefix(&names).unwrap();
        for _ in 0..11 {
            let nquads = parse("{\"p\": {\"q\": 1}}", Op::Set, &mut names).unwrap();
            for nquad in nquads {
                assert!(matches!(&nquad.subject, NodeRef::Blank(name) if name.starts_with(&prefix)), "{nquad:?}");
            }
        }
        assert!(prefix.ends_with('.'), "{prefix}");
    }

    #[test]
    fn arrays_and_loose_objects_are_read() {
        for text in [
            "[{\"a\":1},\n{\"b\":{\"c\":\"}\\\"]\"}}]\n",
            "{\"a\":1}\n{\"b\":{\"c\":\"}\\\"]\"}}",
            "  {\"a\":1},\n  {\"b\":{\"c\":\"}\\\"]\"}}",
            "\u{feff}[ {\"a\":1} ,\n {\"b\":{\"c\":\"\"}}]",
        ] {
            let (statements, faults) = read_all(text);
            assert_eq!((statements, faults), (vec!["1:a".into(), "2:c".into(), "2:b".into()], vec![]), "{text}");
        }
        assert_eq!(read_all(" [ ] "), (vec![], vec![]));
        assert_eq!(read_all(""), (vec![], vec![]));
    }

    #[test]
    fn what_is_no_list_of_objects_is_placed() {
        for (text, line, column, part) in [
            ("[{\"a\":1}\n {\"b\":1}]", 2, 2, "expected ,"),
            ("[{\"a\":1},]", 1, 10, "expected an object"),
            ("{\"a\":1}\n7", 2, 1, "expected an object"),
            ("[{\"a\":1}", 1, 9, "not closed"),
            ("{\"é\":1}\n {\"b\":", 2, 2, "not closed"),
            ("[] x", 1, 4, "behind"),
        ] {
            let (_, faults) = read_all(text);
            assert_eq!((faults[0].0, faults[0].1), (line, column), "{text}: {faults:?}");
            assert!(faults[0].2.contains(part), "{text}: {faults:?}");
        }
    }

    #[test]
    fn a_bad_object_does_not_hide_those_behind_it() {
        let (statements, faults) = read_all("{\"a\":1}\n  {\"b\":\n tru}\n{\"c\":1}");
        assert_eq!(statements, ["1:a", "4:c"]);
        assert_eq!((faults.len(), faults[0].0), (1, 3), "{faults:?}");
    }
}
