//! The schema of a series: what its newest backup defines.

use graphdb_archive::{Backup, Entry, EntryValue, Naming, Origin, bare_field};
use graphdb_types::{BackupKey, Malformed, PredicateSchema, Schema, TypeDef};

use crate::selection::{ArchiveRules, Selection};

/// Schema and types, collected from archives newest first: the first definition of a name counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Definitions {
    pub(crate) schema: Schema,
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
                    let definition = author.read_predicate(wire)?;
                    self.schema.predicates.entry(selection.rename(predicate)).or_insert(definition);
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

    /// Whether an archive of this age may define anything.
    pub(crate) fn looks_at(&self, rules: &ArchiveRules) -> bool {
        rules.age == 0 || !self.newest_defines
    }
}
