//! Schema text: `name: string @index(term) .` and `type Person { … }`, and the body of `/alter` around it.
//!
//! A text is read whole and refused whole: one bad line, and nothing of it is applied. What only the present schema can tell (whether a
//! type's fields exist, whether a list would become a scalar) is checked by [`ParsedSchema::check`].

mod alter;
mod directives;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use graphdb_types::{MAX_PREDICATE_BYTES, Namespace, Predicate, PredicateSchema, Schema, TypeDef, ValType};

use crate::nquad::parse_uid;
use crate::rdf::cursor::{Cursor, Fault};

pub use alter::{AlterError, AlterOp, AlterRequest};

/// A schema text that is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} column {column}: {message}")]
pub struct SchemaError {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong, and what to do.
    pub message: String,
}

impl SchemaError {
    fn new(fault: Fault, text: &str) -> SchemaError {
        let (line, column) = fault.place(text);
        SchemaError { line, column, message: fault.message }
    }
}

/// What a schema text says, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParsedSchema {
    /// The predicates it creates or replaces.
    pub predicates: Vec<(Predicate, PredicateSchema)>,
    /// The types it creates or replaces.
    pub types: Vec<(Predicate, TypeDef)>,
    /// Whether it was exported: see [`ParsedSchema::exported`].
    is_exported: bool,
    /// Where each predicate's and type's name stands, for [`ParsedSchema::check`].
    places: Places,
}

/// At which byte of the text names stand; fields of a type under `(type, Some(field))`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Places {
    text: String,
    predicates: BTreeMap<Predicate, usize>,
    types: BTreeMap<(Predicate, Option<String>), usize>,
}

impl Places {
    fn error(&self, at: Option<&usize>, message: String) -> SchemaError {
        SchemaError::new(Fault::new(at.copied().unwrap_or_default(), message), &self.text)
    }
}

/// Reads a schema text. Names beginning with `dgraph.` are read like others; [`ParsedSchema::reserved`] lists them.
///
/// # Errors
/// The first thing in the text that is not allowed, with its line and column.
pub fn parse_schema(text: &str) -> Result<ParsedSchema, SchemaError> {
    Reader { text, cursor: Cursor::new(text), parsed: ParsedSchema::default() }
        .read()
        .map_err(|fault| SchemaError::new(fault, text))
}

impl ParsedSchema {
    /// The predicates and types in the text that are the database's own (`dgraph.`), which clients may only repeat as they are.
    pub fn reserved(&self) -> impl Iterator<Item = &Predicate> {
        let types = self.types.iter().map(|(name, _)| name);
        self.predicates.iter().map(|(name, _)| name).chain(types).filter(|name| name.is_reserved())
    }

    /// The text as one that was exported, by this program or by any version of Dgraph. Definitions of the database's own (`dgraph.`) that are
    /// present already are left out; others may be made. Fields of types need not be predicates any more. `@unique` is kept as it is
    /// written, although nothing enforces it: [`ParsedSchema::notes`] says so.
    pub fn exported(mut self, present: &Schema) -> ParsedSchema {
        self.predicates.retain(|(name, _)| !name.is_reserved() || present.predicate(name).is_none());
        self.types.retain(|(name, _)| !name.is_reserved() || present.type_def(name).is_none());
        self.is_exported = true;
        self
    }

    /// What is kept but does not do what it says, a sentence each.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for (name, schema) in &self.predicates {
            if schema.unique {
                notes.push(format!("{name}: @unique is kept, but this version does not enforce it"));
            }
            for index in &schema.vector_indexes {
                notes.push(format!(
                    "{name}: the index {} is kept, but this version has no similar_to to use it",
                    index.name
                ));
            }
        }
        notes
    }

    /// The greatest namespace that the text names.
    pub fn greatest_namespace(&self) -> Namespace {
        let types = self.types.iter().map(|(name, _)| name.namespace);
        self.predicates.iter().map(|(name, _)| name.namespace).chain(types).max().unwrap_or_default()
    }

    /// Checks the text against the present schema.
    ///
    /// # Errors
    /// A reserved name that is not repeated exactly, a list that would become a scalar, a field of a type that is not a predicate, or
    /// `@unique`, which nothing would enforce. An exported text ([`ParsedSchema::exported`]) is refused for the lists alone.
    pub fn check(&self, schema: &Schema) -> Result<(), SchemaError> {
        for (name, new) in &self.predicates {
            self.check_predicate(name, new, schema.predicate(name))?;
        }
        for (name, new) in &self.types {
            self.check_type(name, new, schema)?;
        }
        Ok(())
    }

    fn check_predicate(
        &self,
        name: &Predicate,
        new: &PredicateSchema,
        old: Option<&PredicateSchema>,
    ) -> Result<(), SchemaError> {
        let refuse = |message: String| Err(self.places.error(self.places.predicates.get(name), message));
        match old {
            Some(old) if old == new => Ok(()),
            _ if name.is_reserved() && !self.is_exported => {
                refuse(format!("Can't alter predicate `{name}`: names beginning with dgraph. are the database's own"))
            }
            Some(old) if old.list && !new.list => {
                refuse(format!("{name} is a list and cannot become a single value; drop the predicate first"))
            }
            _ if new.unique && !self.is_exported => refuse("@unique is not supported by this version".to_owned()),
            _ => Ok(()),
        }
    }

    fn check_type(&self, name: &Predicate, new: &TypeDef, schema: &Schema) -> Result<(), SchemaError> {
        if self.is_exported {
            return Ok(());
        }
        if name.is_reserved() && schema.type_def(name) != Some(new) {
            let place = self.places.types.get(&(name.clone(), None));
            return Err(self.places.error(
                place,
                format!("Can't alter type `{name}`: names beginning with dgraph. are the database's own"),
            ));
        }
        for field in new.fields.iter().filter(|field| !field.starts_with('~')) {
            let predicate = Predicate { namespace: name.namespace, name: field.as_str().into() };
            if !self.places.predicates.contains_key(&predicate) && schema.predicate(&predicate).is_none() {
                let place = self.places.types.get(&(name.clone(), Some(field.clone())));
                return Err(self.places.error(
                    place,
                    format!("type {name} has the field {field}, which is no predicate; define it as well"),
                ));
            }
        }
        Ok(())
    }
}

struct Reader<'a> {
    text: &'a str,
    cursor: Cursor<'a>,
    parsed: ParsedSchema,
}

impl<'a> Reader<'a> {
    fn read(mut self) -> Result<ParsedSchema, Fault> {
        loop {
            self.cursor.space();
            if self.cursor.is_at_end() {
                self.parsed.places.text = self.text.to_owned();
                return Ok(self.parsed);
            }
            let namespace = self.namespace()?;
            let at = self.cursor.at();
            let name = self.name()?;
            self.cursor.blanks();
            if self.cursor.peek() == Some(b':') {
                self.predicate(Predicate { namespace, name: name.into() }, at)?;
            } else if name == "type" {
                self.type_def(namespace)?;
            } else {
                return Err(self
                    .cursor
                    .fault(format!("expected : behind the predicate {name}, found {}", self.cursor.found())));
            }
        }
    }

    /// `[0x0]` in front of a definition; without it, the root.
    fn namespace(&mut self) -> Result<Namespace, Fault> {
        let open = self.cursor.at();
        if !self.cursor.take(b'[') {
            return Ok(Namespace::ROOT);
        }
        let number = parse_uid(self.cursor.take_while(|b| b.is_ascii_alphanumeric()));
        match number {
            Some(number) if self.cursor.take(b']') => {
                self.cursor.blanks();
                Ok(Namespace(number))
            }
            _ => Err(Fault::new(open, "a namespace is a number in square brackets, such as [0x0]")),
        }
    }

    /// A bare name or one in angle brackets.
    fn name(&mut self) -> Result<&'a str, Fault> {
        let at = self.cursor.at();
        let name = match self.cursor.peek() {
            Some(b'<') => self.bracketed_name()?,
            _ => self.cursor.take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')),
        };
        if name.is_empty() {
            Err(Fault::new(
                at,
                format!("unexpected {}: expected the name of a predicate, or type", self.cursor.found()),
            ))
        } else if name.len() > MAX_PREDICATE_BYTES {
            Err(Fault::new(at, format!("the name is longer than {MAX_PREDICATE_BYTES} bytes")))
        } else if self.text.as_bytes()[at] != b'<' && name.starts_with(|c: char| c.is_ascii_digit()) {
            Err(Fault::new(at, format!("a name cannot begin with a digit; write <{name}>")))
        } else {
            Ok(name)
        }
    }

    fn bracketed_name(&mut self) -> Result<&'a str, Fault> {
        let open = self.cursor.at();
        self.cursor.skip(1);
        let name = self.cursor.take_while(|b| b > b' ' && !matches!(b, b'>' | b'<' | b'"' | b'\\'));
        let blank = name.contains(|c: char| c.is_whitespace() || c.is_control());
        if blank || !self.cursor.take(b'>') {
            return Err(Fault::new(
                open,
                "a name in angle brackets ends with > and holds no blanks, quotes or backslashes",
            ));
        }
        Ok(name)
    }

    fn predicate(&mut self, predicate: Predicate, at: usize) -> Result<(), Fault> {
        let name = predicate.name.as_ref();
        if name == "uid" || name.contains(['~', '@']) || name == crate::nquad::STAR {
            return Err(Fault::new(at, format!("a predicate cannot be called {name}")));
        }
        self.cursor.skip(1);
        let schema = directives::read(&mut self.cursor)?;
        self.end_of_line("the predicate's .")?;
        if self.parsed.places.predicates.insert(predicate.clone(), at).is_some() {
            return Err(Fault::new(at, format!("the predicate {name} is defined twice in this text")));
        }
        self.parsed.predicates.push((predicate, schema));
        Ok(())
    }

    fn type_def(&mut self, namespace: Namespace) -> Result<(), Fault> {
        let at = self.cursor.at();
        let name = Predicate { namespace, name: self.name()?.into() };
        self.cursor.space();
        if !self.cursor.take(b'{') {
            return Err(self.cursor.fault(format!("expected {{ behind type {name}, found {}", self.cursor.found())));
        }
        if self.parsed.places.types.insert((name.clone(), None), at).is_some() {
            return Err(Fault::new(at, format!("the type {name} is defined twice in this text")));
        }
        let fields = self.fields(&name)?;
        self.end_of_line("the type's }")?;
        self.parsed.types.push((name, TypeDef { fields }));
        Ok(())
    }

    /// The fields of a type, each on a line of its own, and the closing brace.
    fn fields(&mut self, type_name: &Predicate) -> Result<Vec<String>, Fault> {
        let mut fields = Vec::new();
        let mut seen = BTreeSet::new();
        loop {
            self.cursor.space();
            if self.cursor.take(b'}') {
                return Ok(fields);
            }
            if self.cursor.is_at_end() {
                return Err(self.cursor.fault(format!("type {type_name} has no closing }}")));
            }
            let at = self.cursor.at();
            let field = self.field()?;
            if !seen.insert(field) {
                return Err(Fault::new(at, format!("type {type_name} has the field {field} twice")));
            }
            self.parsed.places.types.insert((type_name.clone(), Some(field.to_owned())), at);
            fields.push(field.to_owned());
        }
    }

    /// A field, with the old form's type behind it, which says nothing.
    fn field(&mut self) -> Result<&'a str, Fault> {
        let field = self.name()?;
        self.cursor.blanks();
        if self.cursor.take(b':') {
            self.cursor.blanks();
            let list = self.cursor.take(b'[');
            self.cursor.blanks();
            self.name()?;
            self.cursor.take(b'!');
            self.cursor.blanks();
            if list && !self.cursor.take(b']') {
                return Err(self.cursor.fault(format!("expected ], found {}", self.cursor.found())));
            }
            self.cursor.take(b'!');
        }
        self.end_of_line("a field")?;
        Ok(field)
    }

    fn end_of_line(&mut self, behind: &str) -> Result<(), Fault> {
        self.cursor.blanks();
        match self.cursor.peek() {
            None | Some(b'\n' | b'#') => Ok(()),
            Some(_) => {
                Err(self.cursor.fault(format!("expected a new line behind {behind}, found {}", self.cursor.found())))
            }
        }
    }
}

/// The type with this name in schema text, in any case.
///
/// # Errors
/// That there is none, and which there are.
fn type_named(name: &str) -> Result<ValType, String> {
    let known = ValType::ALL.into_iter().filter(|known| *known != ValType::Object);
    ValType::from_name(name).filter(|found| *found != ValType::Object).ok_or_else(|| {
        let known: Vec<&str> = known.map(ValType::name).collect();
        format!("unknown type {name}: {} are known", known.join(", "))
    })
}
