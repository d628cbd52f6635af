//! The schema of a series: what its newest backup defines.

use graphdb_archive::{Entry, EntryValue};
use graphdb_types::{BackupKey, Malformed, PredicateSchema, Schema, TypeDef};

use crate::selection::{ArchiveRules, Selection};

/// Schema and types, collected from archives newest first: the first definition of a name counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Definitions {
    pub(crate) schema: Schema,
    /// Whether any predicate was defined by the newest backup.
    newest_defines: bool,
}

impl Definitions {
    /// Takes the schema of a predicate or a type. Increments of the oldest versions hold no schema: only then an older backup is asked.
    /// `bare` takes the namespace off a name within a type.
    pub(crate) fn add(
        &mut self,
        entry: &Entry<'_>,
        rules: &ArchiveRules,
        selection: &Selection,
        bare: &dyn Fn(&str) -> String,
    ) -> Result<(), Malformed> {
        match (&entry.key, &entry.value) {
            (BackupKey::Schema(predicate), EntryValue::Schema(wire)) => {
                if rules.counts(predicate) {
                    self.newest_defines |= rules.age == 0;
                    let definition = PredicateSchema::from_wire(wire)?;
                    self.schema.predicates.entry(selection.rename(predicate)).or_insert(definition);
                }
            }
            (BackupKey::Type(name), EntryValue::Type(wire)) => {
                if rules.counts_type(name, selection) {
                    let mut definition = TypeDef::from_wire(wire)?;
                    definition.fields.iter_mut().for_each(|field| *field = bare(field));
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
