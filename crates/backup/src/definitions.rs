//! The schema of a series: what its newest backup defines.

use std::collections::BTreeMap;

use graphdb_archive::{Backup, Entry, EntryValue, Naming, Origin, bare_field};
use graphdb_types::{BackupKey, Malformed, Predicate, PredicateSchema, Schema, TypeDef};

use crate::selection::{ArchiveRules, Selection};

/// Schema and types, collected from archives newest first: the first definition of a name counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Definitions {
    pub(crate) schema: Schema,
    /// Tokenizers that this version does not know, by predicate: it is defined without them.
    pub(crate) unindexed: BTreeMap<Predicate, Vec<String>>,
    /// Whether any predicate was defined by the newest backup.
    newest_defines: bool,
}

/// Who wrote a definition: names in it may carry their namespace, and ours hold more than what Dgraph is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Author {
    Graphdb(Naming),
    /// With the `version` of the manifest.
    Dgraph(u32),
}

impl Author {
    pub(crate) fn of(backup: &Backup) -> Author {
        match &backup.origin {
            Origin::Graphdb(sealed) => Author::Graphdb(sealed.manifest().dialect.naming),
            Origin::Dgraph { version } => Author::Dgraph(*version),
        }
    }

    pub(crate) fn read_predicate(self, wire: &[u8]) -> Result<PredicateSchema, Malformed> {
        match self {
            Author::Graphdb(_) => PredicateSchema::whole_from_wire(wire),
            // Dgraph may hand on what it restored, with fields that it does not know and that are true no more.
            Author::Dgraph(_) => PredicateSchema::from_wire(wire),
        }
    }

    /// As [`Author::read_predicate`], without the tokenizers that are not known here: a backup must not be lost for the sake of an index.
    pub(crate) fn read_known_predicate(
        self,
        wire: &[u8],
        unknown: &mut Vec<String>,
    ) -> Result<PredicateSchema, Malformed> {
        match self {
            Author::Graphdb(_) => self.read_predicate(wire),
            Author::Dgraph(_) => PredicateSchema::known_from_wire(wire, unknown),
        }
    }

    pub(crate) fn read_type(self, wire: &[u8]) -> Result<TypeDef, Malformed> {
        let mut definition = match self {
            Author::Graphdb(_) => TypeDef::whole_from_wire(wire)?,
            Author::Dgraph(_) => TypeDef::from_wire(wire)?,
        };
        let bare = |field: &str| match self {
            Author::Graphdb(naming) => naming.read(field),
            Author::Dgraph(version) => bare_field(version, field),
        };
        definition.fields.iter_mut().for_each(|field| *field = bare(field));
        Ok(definition)
    }
}

impl Definitions {
    /// Takes the schema of a predicate or a type. Increments of the oldest versions hold no schema: only then an older backup is asked.
    pub(crate) fn add(
        &mut self,
        entry: &Entry<'_>,
        rules: &ArchiveRules,
        selection: &Selection,
        author: Author,
    ) -> Result<(), Malformed> {
        match (&entry.key, &entry.value) {
            (BackupKey::Schema(predicate), EntryValue::Schema(wire)) => {
                if rules.counts(predicate) {
                    self.newest_defines |= rules.age == 0;
                    let mut unknown = Vec::new();
                    let definition = author.read_known_predicate(wire, &mut unknown)?;
                    self.define(selection.rename(predicate), definition, unknown);
                }
            }
            (BackupKey::Type(name), EntryValue::Type(wire)) => {
                if rules.counts_type(name, selection) {
                    let definition = author.read_type(wire)?;
                    self.schema.types.entry(selection.rename(name)).or_insert(definition);
                }
            }
            _ => return Err(Malformed { what: "definition in a backup" }),
        }
        Ok(())
    }

    fn define(&mut self, predicate: Predicate, definition: PredicateSchema, unknown: Vec<String>) {
        if self.schema.predicates.contains_key(&predicate) {
            return;
        }
        if !unknown.is_empty() {
            self.unindexed.insert(predicate.clone(), unknown);
        }
        self.schema.predicates.insert(predicate, definition);
    }

    /// Takes what a store defines that the series is applied upon.
    pub(crate) fn add_store(
        &mut self,
        schema: &Schema,
        counts: impl Fn(&Predicate) -> bool,
        counts_type: impl Fn(&Predicate) -> bool,
    ) {
        for (predicate, definition) in schema.predicates.iter().filter(|(predicate, _)| counts(predicate)) {
            self.define(predicate.clone(), definition.clone(), Vec::new());
        }
        for (name, definition) in schema.types.iter().filter(|(name, _)| counts_type(name)) {
            self.schema.types.entry(name.clone()).or_insert_with(|| definition.clone());
        }
    }

    /// Whether an archive of this age may define anything.
    pub(crate) fn looks_at(&self, rules: &ArchiveRules) -> bool {
        rules.age == 0 || !self.newest_defines
    }
}
