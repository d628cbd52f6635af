//! Writes N-Quads: one line a fact, buffered, counted.

use std::io::{self, Write};

/// Lines are handed to the output in pieces of at least this many bytes.
const BUFFER_BYTES: usize = 64 * 1024;

/// A node of the sample graph: a blank node named after its kind, such as `_:film12`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) index: u64,
}

/// What a node is. The number is part of the seed of its random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Genre = 1,
    Country = 2,
    Place = 3,
    Person = 4,
    Film = 5,
    Performance = 6,
}

impl Kind {
    pub(super) fn node(self, index: u64) -> Node {
        Node { kind: self, index }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Genre => "genre",
            Self::Country => "country",
            Self::Place => "place",
            Self::Person => "person",
            Self::Film => "film",
            Self::Performance => "performance",
        }
    }
}

/// A day of the Gregorian calendar.
#[derive(Debug, Clone, Copy)]
pub(super) struct Date {
    pub(super) year: u64,
    pub(super) month: u64,
    pub(super) day: u64,
}

/// A number with decimals, `units` / 10^`decimals`: exact, where a float would print differently one day.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decimal {
    pub(super) units: i64,
    pub(super) decimals: u32,
}

/// What an N-Quad says about its subject. Texts hold nothing that RDF would have to escape.
#[derive(Debug, Clone, Copy)]
pub(super) enum Object<'a> {
    Node(Node),
    Text(&'a str),
    Tagged(&'a str, &'static str),
    Int(u64),
    Float(Decimal),
    Bool(bool),
    Date(Date),
    /// A point with longitude and latitude, in degrees.
    Point(Decimal, Decimal),
}

/// The value of a facet, written bare but for text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Facet<'a> {
    Text(&'a str),
    Int(u64),
    Float(Decimal),
    Bool(bool),
    Date(Date),
}

/// Writes facts to `out` and counts them.
pub(super) struct NquadWriter<'a, W: Write> {
    out: &'a mut W,
    buffer: Vec<u8>,
    nquads: u64,
    bytes: u64,
}

impl<'a, W: Write> NquadWriter<'a, W> {
    pub(super) fn new(out: &'a mut W) -> Self {
        Self { out, buffer: Vec::with_capacity(BUFFER_BYTES + 4096), nquads: 0, bytes: 0 }
    }

    pub(super) fn fact(&mut self, subject: Node, predicate: &str, object: Object<'_>) -> io::Result<()> {
        self.fact_with(subject, predicate, object, &[])
    }

    pub(super) fn fact_with(
        &mut self,
        subject: Node,
        predicate: &str,
        object: Object<'_>,
        facets: &[(&str, Facet<'_>)],
    ) -> io::Result<()> {
        let line = &mut self.buffer;
        push_node(line, subject);
        push(line, " <");
        push(line, predicate);
        push(line, "> ");
        push_object(line, object);
        push_facets(line, facets);
        push(line, " .\n");
        self.nquads += 1;
        if self.buffer.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    /// Hands the rest to the output and returns how many N-Quads and bytes were written.
    pub(super) fn finish(mut self) -> io::Result<(u64, u64)> {
        self.flush()?;
        self.out.flush()?;
        Ok((self.nquads, self.bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.bytes += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

fn push(line: &mut Vec<u8>, text: &str) {
    line.extend_from_slice(text.as_bytes());
}

fn push_node(line: &mut Vec<u8>, node: Node) {
    push(line, "_:");
    push(line, node.kind.label());
    push_int(line, node.index);
}

fn push_quoted(line: &mut Vec<u8>, text: &str) {
    debug_assert!(!text.contains(['"', '\\', '\n']), "{text:?} needs escapes");
    line.push(b'"');
    push(line, text);
    line.push(b'"');
}

fn push_object(line: &mut Vec<u8>, object: Object<'_>) {
    match object {
        Object::Node(node) => push_node(line, node),
        Object::Text(text) => push_quoted(line, text),
        Object::Tagged(text, language) => {
            push_quoted(line, text);
            line.push(b'@');
            push(line, language);
        }
        Object::Int(number) => push_typed(line, "xs:int", |line| push_int(line, number)),
        Object::Float(number) => push_typed(line, "xs:float", |line| push_decimal(line, number)),
        Object::Bool(truth) => push_typed(line, "xs:boolean", |line| push_bool(line, truth)),
        Object::Date(date) => push_typed(line, "xs:dateTime", |line| push_date(line, date)),
        Object::Point(longitude, latitude) => push_typed(line, "geo:geojson", |line| {
            push(line, "{'type':'Point','coordinates':[");
            push_decimal(line, longitude);
            line.push(b',');
            push_decimal(line, latitude);
            push(line, "]}");
        }),
    }
}

fn push_typed(line: &mut Vec<u8>, rdf_type: &str, value: impl FnOnce(&mut Vec<u8>)) {
    line.push(b'"');
    value(line);
    push(line, "\"^^<");
    push(line, rdf_type);
    line.push(b'>');
}

fn push_facets(line: &mut Vec<u8>, facets: &[(&str, Facet<'_>)]) {
    for (position, (name, value)) in facets.iter().enumerate() {
        push(line, if position == 0 { " (" } else { ", " });
        push(line, name);
        line.push(b'=');
        match *value {
            Facet::Text(text) => push_quoted(line, text),
            Facet::Int(number) => push_int(line, number),
            Facet::Float(number) => push_decimal(line, number),
            Facet::Bool(truth) => push_bool(line, truth),
            Facet::Date(date) => push_date(line, date),
        }
    }
    if !facets.is_empty() {
        line.push(b')');
    }
}

fn push_bool(line: &mut Vec<u8>, truth: bool) {
    push(line, if truth { "true" } else { "false" });
}

/// Several times faster than `write!`, which would take most of the time of a sample.
fn push_int(line: &mut Vec<u8>, number: u64) {
    push_padded(line, number, 1);
}

/// Writes `number` with leading zeros up to `width` digits, 20 at most.
fn push_padded(line: &mut Vec<u8>, mut number: u64, width: usize) {
    let mut digits = [b'0'; 20]; // u64::MAX has 20
    let mut first = digits.len();
    while number > 0 {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    line.extend_from_slice(&digits[first.min(digits.len() - width)..]);
}

fn push_decimal(line: &mut Vec<u8>, number: Decimal) {
    if number.units < 0 {
        line.push(b'-');
    }
    let scale = 10_u64.pow(number.decimals);
    let units = number.units.unsigned_abs();
    push_int(line, units / scale);
    line.push(b'.');
    push_padded(line, units % scale, number.decimals as usize);
}

fn push_date(line: &mut Vec<u8>, date: Date) {
    push_padded(line, date.year, 4);
    line.push(b'-');
    push_padded(line, date.month, 2);
    line.push(b'-');
    push_padded(line, date.day, 2);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_object_and_facet_is_written_as_rdf() {
        let decimal = |units, decimals| Decimal { units, decimals };
        let date = Date { year: 1987, month: 2, day: 3 };
        let film = Kind::Film.node(7);
        let mut out = Vec::new();
        let mut writer = NquadWriter::new(&mut out);
        let facets =
            [("note", Facet::Text("x")), ("since", Facet::Date(date)), ("share", Facet::Float(decimal(75, 2)))];
        writer.fact_with(film, "genre", Object::Node(Kind::Genre.node(0)), &facets).expect("writes to memory");
        let facets = [("rank", Facet::Int(1)), ("lead", Facet::Bool(true))];
        writer.fact_with(film, "name", Object::Tagged("Schnee", "de"), &facets).expect("writes to memory");
        for (predicate, object) in [
            ("film.code", Object::Text("F7")),
            ("film.runtime", Object::Int(90)),
            ("film.score", Object::Float(decimal(74, 1))),
            ("film.in_color", Object::Bool(false)),
            ("initial_release_date", Object::Date(date)),
            ("loc", Object::Point(decimal(-5, 4), decimal(520_000, 4))),
        ] {
            writer.fact(film, predicate, object).expect("writes to memory");
        }
        let written = writer.finish().expect("writes to memory");
        let expected = r#"_:film7 <genre> _:genre0 (note="x", since=1987-02-03, share=0.75) .
_:film7 <name> "Schnee"@de (rank=1, lead=true) .
_:film7 <film.code> "F7" .
_:film7 <film.runtime> "90"^^<xs:int> .
_:film7 <film.score> "7.4"^^<xs:float> .
_:film7 <film.in_color> "false"^^<xs:boolean> .
_:film7 <initial_release_date> "1987-02-03"^^<xs:dateTime> .
_:film7 <loc> "{'type':'Point','coordinates':[-0.0005,52.0000]}"^^<geo:geojson> .
"#;
        assert_eq!(String::from_utf8(out).as_deref(), Ok(expected));
        assert_eq!(written, (8, expected.len() as u64));
    }
}
