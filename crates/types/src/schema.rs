use std::collections::BTreeMap;

use crate::wire::{Malformed, WireReader, put_bytes_field, put_len_prefix, put_varint_field};
use crate::{Namespace, Predicate, ValType};

/// Turns values into index tokens. Ids and names are Dgraph's (format spec, section 12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it; the tokens are described in `token`")]
pub enum Tokenizer {
    Term,
    Exact,
    Year,
    Month,
    Day,
    Hour,
    Geo,
    Int,
    Float,
    FullText,
    Bool,
    Trigram,
    Hash,
    Sha256,
    BigFloat,
    NGram,
}

impl Tokenizer {
    /// Every tokenizer.
    pub const ALL: [Tokenizer; 16] = [
        Tokenizer::Term,
        Tokenizer::Exact,
        Tokenizer::Year,
        Tokenizer::Month,
        Tokenizer::Day,
        Tokenizer::Hour,
        Tokenizer::Geo,
        Tokenizer::Int,
        Tokenizer::Float,
        Tokenizer::FullText,
        Tokenizer::Bool,
        Tokenizer::Trigram,
        Tokenizer::Hash,
        Tokenizer::Sha256,
        Tokenizer::BigFloat,
        Tokenizer::NGram,
    ];

    /// The first byte of its tokens.
    pub fn id(self) -> u8 {
        match self {
            Tokenizer::Term => 0x01,
            Tokenizer::Exact => 0x02,
            Tokenizer::Year => 0x04,
            Tokenizer::Month => 0x41,
            Tokenizer::Day => 0x42,
            Tokenizer::Hour => 0x43,
            Tokenizer::Geo => 0x05,
            Tokenizer::Int => 0x06,
            Tokenizer::Float => 0x07,
            Tokenizer::FullText => 0x08,
            Tokenizer::Bool => 0x09,
            Tokenizer::Trigram => 0x0a,
            Tokenizer::Hash => 0x0b,
            Tokenizer::Sha256 => 0x0c,
            Tokenizer::BigFloat => 0x0d,
            Tokenizer::NGram => 0x0f,
        }
    }

    /// The name in schema text.
    pub fn name(self) -> &'static str {
        match self {
            Tokenizer::Term => "term",
            Tokenizer::Exact => "exact",
            Tokenizer::Year => "year",
            Tokenizer::Month => "month",
            Tokenizer::Day => "day",
            Tokenizer::Hour => "hour",
            Tokenizer::Geo => "geo",
            Tokenizer::Int => "int",
            Tokenizer::Float => "float",
            Tokenizer::FullText => "fulltext",
            Tokenizer::Bool => "bool",
            Tokenizer::Trigram => "trigram",
            Tokenizer::Hash => "hash",
            Tokenizer::Sha256 => "sha256",
            Tokenizer::BigFloat => "bigfloat",
            Tokenizer::NGram => "ngram",
        }
    }

    /// The tokenizer with this name.
    pub fn from_name(name: &str) -> Option<Tokenizer> {
        Tokenizer::ALL.into_iter().find(|t| t.name() == name)
    }

    /// The type of value it works on.
    pub fn value_type(self) -> ValType {
        match self {
            Tokenizer::Term
            | Tokenizer::Exact
            | Tokenizer::FullText
            | Tokenizer::Trigram
            | Tokenizer::Hash
            | Tokenizer::Sha256
            | Tokenizer::NGram => ValType::String,
            Tokenizer::Year | Tokenizer::Month | Tokenizer::Day | Tokenizer::Hour => ValType::DateTime,
            Tokenizer::Geo => ValType::Geo,
            Tokenizer::Int => ValType::Int,
            Tokenizer::Float => ValType::Float,
            Tokenizer::Bool => ValType::Bool,
            Tokenizer::BigFloat => ValType::BigFloat,
        }
    }

    /// Whether the order of its tokens is the order of values, so that `le`, `gt` and the like can use it.
    pub fn is_sortable(self) -> bool {
        matches!(
            self,
            Tokenizer::Exact
                | Tokenizer::Year
                | Tokenizer::Month
                | Tokenizer::Day
                | Tokenizer::Hour
                | Tokenizer::Int
                | Tokenizer::Float
                | Tokenizer::BigFloat
        )
    }

    /// Whether two different values can share a token, so that matches have to be checked against the value.
    pub fn is_lossy(self) -> bool {
        !matches!(self, Tokenizer::Exact | Tokenizer::Int | Tokenizer::Bool | Tokenizer::Hash)
    }
}

/// What is known of a predicate: its type, indexes and constraints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PredicateSchema {
    /// The type of its values.
    pub value_type: ValType,
    /// Whether a subject has many values or edges.
    pub list: bool,
    /// The indexes, in the order they were written.
    pub tokenizers: Vec<Tokenizer>,
    /// Whether edges can be followed backwards.
    pub reverse: bool,
    /// Whether numbers of values or edges are indexed.
    pub count: bool,
    /// Whether values may carry languages.
    pub lang: bool,
    /// Whether index keys take part in conflict detection.
    pub upsert: bool,
    /// Whether writes never conflict.
    pub no_conflict: bool,
    /// Whether no two subjects may have the same value. Kept as it was written; nothing here enforces it.
    pub unique: bool,
    /// Indexes over vectors, for a search of what is near. Kept as they were written; they are not served.
    pub vector_indexes: Vec<VectorIndex>,
}

/// An index over vectors: `hnsw(metric: "euclidean")`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct VectorIndex {
    /// The kind, such as `hnsw`.
    pub name: String,
    /// Its options with their values, in the order they were written.
    pub options: Vec<(String, String)>,
}

/// A type: a name for nodes that have certain predicates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TypeDef {
    /// Names of predicates, `~name` for a reverse edge, in the order they were written.
    pub fields: Vec<String>,
}

const DIRECTIVE_INDEX: u64 = 1;
const DIRECTIVE_REVERSE: u64 = 2;

impl PredicateSchema {
    /// Appends the schema as a `SchemaUpdate` message whose `predicate` is `name`: bare, or with its namespace.
    pub fn put_wire(&self, name: &str, out: &mut Vec<u8>) {
        let is_indexed = !self.tokenizers.is_empty() || !self.vector_indexes.is_empty();
        // No predicate has both; if one did, its tokenizers would still say that it is indexed.
        let directive = match (self.reverse, is_indexed) {
            (true, _) => DIRECTIVE_REVERSE,
            (false, true) => DIRECTIVE_INDEX,
            (false, false) => 0,
        };
        put_bytes_field(out, 1, name.as_bytes());
        put_varint_field(out, 2, self.value_type as u64);
        put_varint_field(out, 3, directive);
        for tokenizer in &self.tokenizers {
            put_bytes_field(out, 4, tokenizer.name().as_bytes());
        }
        put_varint_field(out, 5, u64::from(self.count));
        put_varint_field(out, 6, u64::from(self.list));
        put_varint_field(out, 8, u64::from(self.upsert));
        put_varint_field(out, 9, u64::from(self.lang));
        put_varint_field(out, 13, u64::from(self.no_conflict));
        put_varint_field(out, 14, u64::from(self.unique));
        for index in &self.vector_indexes {
            let mut spec = Vec::new();
            index.put_wire(&mut spec);
            put_element(out, 15, &spec);
        }
    }

    /// Reads a `SchemaUpdate` message. Its `predicate` field is ignored: the key's name rules.
    ///
    /// # Errors
    /// Bytes that are not a message, and a type or tokenizer this version does not know.
    pub fn from_wire(bytes: &[u8]) -> Result<PredicateSchema, Malformed> {
        let mut unknown = Vec::new();
        let schema = PredicateSchema::known_from_wire(bytes, &mut unknown)?;
        if unknown.is_empty() { Ok(schema) } else { Err(Malformed { what: "tokenizer of a predicate schema" }) }
    }

    /// As [`PredicateSchema::from_wire`], without the tokenizers that this version does not know: their names go into `unknown`. So a
    /// database that was indexed by something else comes back without that index.
    pub fn known_from_wire(bytes: &[u8], unknown: &mut Vec<String>) -> Result<PredicateSchema, Malformed> {
        const WHAT: &str = "predicate schema";
        let mut schema = PredicateSchema::default();
        let mut reader = WireReader::new(bytes, WHAT);
        while let Some((number, field)) = reader.next()? {
            let flag = || field.number(WHAT).map(|n| n != 0);
            match number {
                2 => {
                    schema.value_type = ValType::from_number(field.number(WHAT)?)
                        .ok_or(Malformed { what: "value type of a predicate schema" })?;
                }
                3 => schema.reverse = field.number(WHAT)? == DIRECTIVE_REVERSE,
                4 => match (Tokenizer::from_name(field.text(WHAT)?), field.text(WHAT)?) {
                    (Some(tokenizer), _) => schema.tokenizers.push(tokenizer),
                    (None, name) => unknown.push(name.to_owned()),
                },
                5 => schema.count = flag()?,
                6 => schema.list = flag()?,
                8 => schema.upsert = flag()?,
                9 => schema.lang = flag()?,
                13 => schema.no_conflict = flag()?,
                14 => schema.unique = flag()?,
                15 => schema.vector_indexes.push(VectorIndex::from_wire(field.bytes(WHAT)?)?),
                _ => {}
            }
        }
        Ok(schema)
    }

    /// Appends the schema once more, in a field that Dgraph skips: to a message that says less than the truth.
    pub fn put_whole(&self, out: &mut Vec<u8>) {
        let mut whole = Vec::new();
        self.put_wire("", &mut whole);
        put_element(out, WHOLE, &whole);
    }

    /// As [`PredicateSchema::from_wire`] of a message that we wrote: what [`PredicateSchema::put_whole`] added is the truth.
    pub fn whole_from_wire(bytes: &[u8]) -> Result<PredicateSchema, Malformed> {
        PredicateSchema::from_wire(whole(bytes)?)
    }

    /// Whether any posting list is derived from the data lists.
    pub fn has_derived(&self) -> bool {
        !self.tokenizers.is_empty() || self.reverse || self.count
    }
}

impl VectorIndex {
    /// Appends the index as a `VectorIndexSpec` message: name 1, options 2 (key 1, value 2).
    fn put_wire(&self, out: &mut Vec<u8>) {
        put_bytes_field(out, 1, self.name.as_bytes());
        for (key, value) in &self.options {
            let mut option = Vec::new();
            put_bytes_field(&mut option, 1, key.as_bytes());
            put_bytes_field(&mut option, 2, value.as_bytes());
            put_element(out, 2, &option);
        }
    }

    fn from_wire(bytes: &[u8]) -> Result<VectorIndex, Malformed> {
        const WHAT: &str = "vector index of a predicate schema";
        let mut index = VectorIndex::default();
        let mut reader = WireReader::new(bytes, WHAT);
        while let Some((number, field)) = reader.next()? {
            match number {
                1 => index.name = field.text(WHAT)?.to_owned(),
                2 => {
                    let (mut key, mut value) = (String::new(), String::new());
                    let mut option = WireReader::new(field.bytes(WHAT)?, WHAT);
                    while let Some((number, field)) = option.next()? {
                        match number {
                            1 => key = field.text(WHAT)?.to_owned(),
                            2 => value = field.text(WHAT)?.to_owned(),
                            _ => {}
                        }
                    }
                    index.options.push((key, value));
                }
                _ => {}
            }
        }
        Ok(index)
    }
}

impl TypeDef {
    /// Appends the type as a `TypeUpdate` message: type_name 1, fields 2 (`SchemaUpdate`, of which `predicate` matters).
    pub fn put_wire(&self, name: &str, out: &mut Vec<u8>) {
        put_bytes_field(out, 1, name.as_bytes());
        let mut update = Vec::new();
        for field in &self.fields {
            update.clear();
            put_bytes_field(&mut update, 1, field.as_bytes());
            put_element(out, 2, &update);
        }
    }

    /// Appends the type once more, in a field that Dgraph skips: to a message that says less than the truth.
    pub fn put_whole(&self, out: &mut Vec<u8>) {
        let mut whole = Vec::new();
        self.put_wire("", &mut whole);
        put_element(out, WHOLE, &whole);
    }

    /// As [`TypeDef::from_wire`] of a message that we wrote: what [`TypeDef::put_whole`] added is the truth.
    pub fn whole_from_wire(bytes: &[u8]) -> Result<TypeDef, Malformed> {
        TypeDef::from_wire(whole(bytes)?)
    }

    /// Reads a `TypeUpdate` message. Its name is ignored: the key's name rules.
    pub fn from_wire(bytes: &[u8]) -> Result<TypeDef, Malformed> {
        const WHAT: &str = "type definition";
        let mut fields = Vec::new();
        let mut reader = WireReader::new(bytes, WHAT);
        while let Some((number, field)) = reader.next()? {
            if number == 2 {
                let mut name = "";
                let mut update = WireReader::new(field.bytes(WHAT)?, WHAT);
                while let Some((number, field)) = update.next()? {
                    if number == 1 {
                        name = field.text(WHAT)?;
                    }
                }
                if !name.is_empty() {
                    fields.push(name.to_owned());
                }
            }
        }
        Ok(TypeDef { fields })
    }
}

/// The field of a `SchemaUpdate` or `TypeUpdate` that holds the whole definition, where the others say what Dgraph can take over. A number
/// that Dgraph has not: it skips what it does not know.
const WHOLE: u32 = 1001;

/// The whole definition within a message, or the message itself.
fn whole(bytes: &[u8]) -> Result<&[u8], Malformed> {
    const WHAT: &str = "definition";
    let mut whole = bytes;
    let mut reader = WireReader::new(bytes, WHAT);
    while let Some((number, field)) = reader.next()? {
        if number == WHOLE {
            whole = field.bytes(WHAT)?;
        }
    }
    Ok(whole)
}

/// Appends an element of a repeated field. One that is empty counts too.
fn put_element(out: &mut Vec<u8>, number: u32, element: &[u8]) {
    put_len_prefix(out, number, element.len());
    out.extend_from_slice(element);
}

/// All predicates and types, as they stand at one timestamp.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// What is known of each predicate.
    pub predicates: BTreeMap<Predicate, PredicateSchema>,
    /// The types; the "predicate" is the type's name within its namespace.
    pub types: BTreeMap<Predicate, TypeDef>,
}

impl Schema {
    /// The schema of a predicate, if it has one.
    pub fn predicate(&self, predicate: &Predicate) -> Option<&PredicateSchema> {
        self.predicates.get(predicate)
    }

    /// The definition of a type, if there is one.
    pub fn type_def(&self, name: &Predicate) -> Option<&TypeDef> {
        self.types.get(name)
    }
}

/// Something that takes data away at once, and that an incremental must say, since no key-value does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DropOp {
    /// Everything: data, schema and types, of every namespace.
    All,
    /// The data of every namespace; schema and types stay.
    Data,
    /// The data of one namespace.
    NamespaceData(Namespace),
    /// The data and schema of a predicate.
    Predicate(Predicate),
    /// A namespace and all that is in it.
    Namespace(Namespace),
}

impl DropOp {
    /// Whether data of `predicate` written before the operation is gone after it.
    pub fn hides(&self, predicate: &Predicate) -> bool {
        match self {
            DropOp::All | DropOp::Data => true,
            DropOp::NamespaceData(ns) | DropOp::Namespace(ns) => *ns == predicate.namespace,
            DropOp::Predicate(dropped) => dropped == predicate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_and_types_come_back() {
        let schema = PredicateSchema {
            value_type: ValType::String,
            tokenizers: vec![Tokenizer::Term, Tokenizer::Exact],
            lang: true,
            count: true,
            upsert: true,
            ..PredicateSchema::default()
        };
        let edge = PredicateSchema {
            value_type: ValType::Uid,
            list: true,
            reverse: true,
            no_conflict: true,
            ..PredicateSchema::default()
        };
        for schema in [schema, edge, PredicateSchema::default()] {
            let mut wire = Vec::new();
            schema.put_wire("name", &mut wire);
            assert_eq!(PredicateSchema::from_wire(&wire), Ok(schema));
        }
        let person = TypeDef { fields: vec!["name".into(), "~friend".into()] };
        let mut wire = Vec::new();
        person.put_wire("Person", &mut wire);
        assert_eq!(TypeDef::from_wire(&wire), Ok(person));
    }

    #[test]
    fn indexes_without_a_name_and_directives_that_exclude_each_other_come_back() {
        let schema = PredicateSchema {
            reverse: true,
            tokenizers: vec![Tokenizer::Exact],
            vector_indexes: vec![
                VectorIndex { name: "".into(), options: vec![("".into(), "".into())] },
                VectorIndex::default(),
            ],
            ..PredicateSchema::default()
        };
        let mut wire = Vec::new();
        schema.put_wire("name", &mut wire);
        assert_eq!(PredicateSchema::from_wire(&wire), Ok(schema));
    }

    #[test]
    fn the_whole_truth_stands_behind_what_dgraph_is_shown() {
        let whole = PredicateSchema { tokenizers: vec![Tokenizer::Exact], lang: true, ..PredicateSchema::default() };
        let shown = PredicateSchema { tokenizers: Vec::new(), ..whole.clone() };
        let mut wire = Vec::new();
        shown.put_wire("name", &mut wire);
        assert_eq!(PredicateSchema::whole_from_wire(&wire), Ok(shown.clone()));
        whole.put_whole(&mut wire);
        assert_eq!(PredicateSchema::whole_from_wire(&wire), Ok(whole));
        assert_eq!(PredicateSchema::from_wire(&wire), Ok(shown), "others skip it");

        let [shown, whole] = [vec![], vec!["~friend".to_owned()]].map(|fields| TypeDef { fields });
        let mut wire = Vec::new();
        shown.put_wire("Person", &mut wire);
        whole.put_whole(&mut wire);
        assert_eq!((TypeDef::from_wire(&wire), TypeDef::whole_from_wire(&wire)), (Ok(shown), Ok(whole)));
    }

    #[test]
    fn a_field_of_a_type_has_one_name() {
        let definition = TypeDef::from_wire(&[0x12, 6, 0x0a, 1, b'a', 0x0a, 1, b'b', 0x12, 0, 0x12, 2, 0x0a, 0]);
        assert_eq!(definition, Ok(TypeDef { fields: vec!["b".into()] }), "the last counts, and none is no field");
    }

    #[test]
    fn an_unknown_tokenizer_is_an_error() {
        let mut wire = Vec::new();
        put_bytes_field(&mut wire, 4, b"klingon");
        assert!(PredicateSchema::from_wire(&wire).is_err());
    }
}
