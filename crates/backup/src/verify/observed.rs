//! What the lists of one predicate look like, and whether its schema says so.

use std::collections::BTreeMap;

use graphdb_types::{Predicate, PredicateSchema, Tokenizer, ValType};

use super::list::Look;
use super::report::Kind;

/// The first byte of `exact` tokens of tagged values.
const COLLATED: u8 = 0x03;

/// How often something was seen, and where first.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) count: u64,
    /// Bytes from the start of the frames.
    pub(super) offset: u64,
    /// The stored key.
    pub(super) key: Vec<u8>,
}

impl Tally {
    pub(super) fn note(&mut self, offset: u64, key: &[u8]) {
        if self.count == 0 {
            self.offset = offset;
            self.key = key.to_vec();
        }
        self.count += 1;
    }
}

/// The kinds of lists, as the byte behind the predicate of a stored key.
mod kind {
    pub(super) const DATA: u8 = 0x00;
    pub(super) const INDEX: u8 = 0x02;
    pub(super) const REVERSE: u8 = 0x04;
}

/// What was seen of a predicate.
#[derive(Clone, Debug, Default)]
pub(super) struct Observed {
    /// Key-values, emptied lists too.
    pub(super) all: Tally,
    /// Data lists that hold something.
    pub(super) data: Tally,
    types: [Tally; ValType::ALL.len()],
    edges: Tally,
    scalars: Tally,
    items: Tally,
    tagged: Tally,
    /// More than one value without a language, or edge.
    several: Tally,
    /// Index lists, by the first byte of their token.
    index: BTreeMap<u8, Tally>,
    reverse: Tally,
    counts: Tally,
}

/// A difference between data and schema.
#[derive(Clone, Debug)]
pub(super) struct Mismatch<'a> {
    pub(super) kind: Kind,
    pub(super) seen: &'a Tally,
    pub(super) what: String,
}

impl Observed {
    /// Counts a list that holds something. `rest` is what stands behind the predicate in its stored key.
    pub(super) fn list(&mut self, rest: &[u8], look: &Look, offset: u64, key: &[u8]) {
        match rest {
            [kind::DATA, ..] => self.data(look, offset, key),
            [kind::INDEX, tokenizer, ..] => self.index.entry(*tokenizer).or_default().note(offset, key),
            [kind::REVERSE, ..] => self.reverse.note(offset, key),
            _ => self.counts.note(offset, key),
        }
    }

    fn data(&mut self, look: &Look, offset: u64, key: &[u8]) {
        self.data.note(offset, key);
        let mut types = look.types;
        while types != 0 {
            self.types[types.trailing_zeros() as usize].note(offset, key);
            types &= types - 1;
        }
        let seen = [
            (look.edges > 0, &mut self.edges),
            (look.has_scalar, &mut self.scalars),
            (look.has_item, &mut self.items),
            (look.has_tagged, &mut self.tagged),
            (look.edges > 1, &mut self.several),
        ];
        for (_, tally) in seen.into_iter().filter(|(is_seen, _)| *is_seen) {
            tally.note(offset, key);
        }
    }

    /// What the schema says otherwise.
    pub(super) fn mismatches(&self, predicate: &Predicate, schema: &PredicateSchema) -> Vec<Mismatch<'_>> {
        let mut found = Vec::new();
        let mut add = |is_so: bool, seen, what: String| {
            if is_so {
                let what = format!("predicate {predicate}: {what}");
                found.push(Mismatch { kind: Kind::SchemaMismatch, seen, what });
            }
        };
        let of = schema.value_type.name();
        let is_edge = schema.value_type == ValType::Uid;
        for (number, seen) in self.types.iter().enumerate().filter(|(_, seen)| seen.count > 0) {
            let found = ValType::ALL[number];
            add(found != schema.value_type, seen, format!("values of type {}, its schema says {of}", found.name()));
        }
        add(self.edges.count > 0 && !is_edge, &self.edges, format!("edges, its schema says {of}"));
        add(
            self.several.count > 0 && is_edge && !schema.list,
            &self.several,
            "several edges of one node, its schema allows one".into(),
        );
        add(
            self.scalars.count > 0 && schema.list,
            &self.scalars,
            "values that stand alone, its schema says they are lists".into(),
        );
        add(
            self.items.count > 0 && !schema.list,
            &self.items,
            "values in lists, its schema says they stand alone".into(),
        );
        add(
            self.tagged.count > 0 && !schema.lang,
            &self.tagged,
            "values with languages, its schema has no @lang".into(),
        );
        self.derived_mismatches(predicate, schema, &mut found);
        found
    }

    /// Index, reverse and count lists that nothing in the schema asks for.
    fn derived_mismatches<'a>(
        &'a self,
        predicate: &Predicate,
        schema: &PredicateSchema,
        found: &mut Vec<Mismatch<'a>>,
    ) {
        let mut add = |seen: &'a Tally, what: String| {
            let what = format!("predicate {predicate}: {what} lists, which its schema does not ask for");
            found.push(Mismatch { kind: Kind::StaleIndex, seen, what });
        };
        for (id, seen) in &self.index {
            let asked =
                |tokenizer: &Tokenizer| tokenizer.id() == *id || *tokenizer == Tokenizer::Exact && *id == COLLATED;
            if !schema.tokenizers.iter().any(asked) {
                add(seen, format!("{} index", tokenizer_name(*id)));
            }
        }
        if self.reverse.count > 0 && !schema.reverse {
            add(&self.reverse, "reverse".into());
        }
        if self.counts.count > 0 && !schema.count {
            add(&self.counts, "count".into());
        }
    }
}

/// What the first byte of a token says.
pub(super) fn tokenizer_name(id: u8) -> String {
    let known = Tokenizer::ALL.into_iter().find(|tokenizer| tokenizer.id() == id);
    match known {
        Some(tokenizer) => tokenizer.name().to_owned(),
        None if id == COLLATED => Tokenizer::Exact.name().to_owned(),
        None => format!("tokenizer {id:#04x}"),
    }
}
