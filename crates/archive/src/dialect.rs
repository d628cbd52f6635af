//! For which Dgraph a backup is written, and what of a database that Dgraph could not take over as it is.

use std::collections::BTreeMap;
use std::fmt;

use graphdb_types::{Predicate, Schema, Tokenizer, TypeDef};

use crate::manifest::bare_field;

/// The oldest Dgraph that is to restore a series. All backups of a series are written for the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compat {
    /// v1.1 and newer: absolute uids instead of differences, types without reverse edges, the root namespace alone.
    V1_1,
    /// v20.11 and newer, where it is not said otherwise.
    #[default]
    V20_11,
    /// v21.12 and newer: every name carries its namespace.
    V21_12,
}

impl Compat {
    /// From the oldest to the newest.
    pub const ALL: [Compat; 3] = [Compat::V1_1, Compat::V20_11, Compat::V21_12];

    /// What users and manifests call it.
    pub fn name(self) -> &'static str {
        match self {
            Compat::V1_1 => "1.1",
            Compat::V20_11 => "20.11",
            Compat::V21_12 => "21.12",
        }
    }

    /// The one with this name; a `v` in front does not matter.
    pub fn from_name(name: &str) -> Option<Compat> {
        let name = name.strip_prefix('v').unwrap_or(name);
        Compat::ALL.into_iter().find(|compat| compat.name() == name)
    }

    /// Whether what it is written for has this tokenizer. One that is not known ends a Dgraph that restores it, so only a series that was
    /// not asked to be for an older one has those that came later.
    pub fn knows(self, tokenizer: Tokenizer) -> bool {
        match tokenizer {
            Tokenizer::Sha256 => self != Compat::V1_1,                        // v21.03
            Tokenizer::BigFloat | Tokenizer::NGram => self == Compat::V20_11, // v24.0, v25.0
            _ => true,
        }
    }
}

impl fmt::Display for Compat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where names carry their namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Naming {
    /// Nowhere: every name is of the root namespace.
    #[default]
    Bare,
    /// Everywhere, as in `1a-name`.
    Spaced,
    /// In the manifest, but not in the definitions of the archives: so format version 1 had it.
    SpacedOutside,
}

impl Naming {
    /// What stands in a definition for `name`, which may be that of a reverse edge.
    fn write(self, of: &Predicate, name: &str) -> String {
        if self == Naming::Spaced { format!("{:x}-{name}", of.namespace.0) } else { name.to_owned() }
    }

    /// The name itself of what stands in a definition.
    pub fn read(self, written: &str) -> String {
        if self == Naming::Spaced { bare_field(2105, written) } else { written.to_owned() }
    }
}

/// Which values of a predicate carry languages. More than one: the last that is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tagged {
    /// Some, all of them English.
    English,
    /// Some in another language.
    Foreign,
    /// Some in a language that is written without blanks between words.
    Unspaced,
}

impl Tagged {
    const ALL: [(Tagged, &str); 3] =
        [(Tagged::English, "english"), (Tagged::Foreign, "foreign"), (Tagged::Unspaced, "unspaced")];

    /// What manifests call it.
    pub(crate) fn name(self) -> &'static str {
        Tagged::ALL[self as usize].1
    }

    pub(crate) fn from_name(name: &str) -> Option<Tagged> {
        Tagged::ALL.into_iter().find(|(_, known)| *known == name).map(|(tagged, _)| tagged)
    }
}

/// How a backup was written with regard to Dgraph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dialect {
    /// For which Dgraph.
    pub compat: Compat,
    /// How names stand in it.
    pub naming: Naming,
    /// Predicates with values in languages, as of this backup; what became of values since the full backup does not matter. `None` if
    /// nobody noted it.
    pub tagged: Option<BTreeMap<Predicate, Tagged>>,
    /// Schema text that gives Dgraph what was left out of the schema it sees.
    pub alter: Vec<String>,
}

/// The definitions of an archive, and how they are written.
#[derive(Clone, Debug, Default)]
pub struct WrittenSchema {
    /// How names stand in them.
    pub naming: Naming,
    /// The whole truth.
    pub schema: Schema,
    /// What Dgraph is shown instead, where it could not take over the truth.
    pub shown: Schema,
}

impl WrittenSchema {
    /// Each predicate's definition as it is written: what Dgraph is shown, and behind it, where it skips it, the truth.
    pub(crate) fn predicates(&self) -> impl Iterator<Item = (&Predicate, Vec<u8>)> {
        self.schema.predicates.iter().map(|(predicate, definition)| {
            let (name, mut wire) = (self.naming.write(predicate, &predicate.name), Vec::new());
            match self.shown.predicate(predicate) {
                Some(shown) => {
                    shown.put_wire(&name, &mut wire);
                    definition.put_whole(&mut wire);
                }
                None => definition.put_wire(&name, &mut wire),
            }
            (predicate, wire)
        })
    }

    /// The same of types.
    pub(crate) fn types(&self) -> impl Iterator<Item = (&Predicate, Vec<u8>)> {
        self.schema.types.iter().map(|(name, definition)| {
            let mut wire = Vec::new();
            let spaced = |definition: &TypeDef| TypeDef {
                fields: definition.fields.iter().map(|field| self.naming.write(name, field)).collect(),
            };
            let shown = self.shown.type_def(name);
            spaced(shown.unwrap_or(definition)).put_wire(&self.naming.write(name, &name.name), &mut wire);
            if shown.is_some() {
                spaced(definition).put_whole(&mut wire);
            }
            (name, wire)
        })
    }
}
