//! The schema that is applied before anything is loaded.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use graphdb_export::schema::{write_predicate, write_type};
use graphdb_query::schema_text::{ParsedSchema, parse_schema};
use graphdb_types::{Predicate, PredicateSchema, TypeDef, ValType};

use super::input;
use super::namespaces::Namespaces;
use crate::client::Client;

/// Applies the files: what was written by hand as it is, one after the other; what was exported, of all groups, as one schema. Returns the
/// predicates of type password in what was exported.
///
/// # Errors
/// A file that cannot be read or is refused, and exports that contradict each other.
pub(crate) fn apply(
    client: &Client,
    paths: &[PathBuf],
    namespaces: &mut Namespaces,
) -> anyhow::Result<HashSet<Predicate>> {
    let mut exported = Exported::default();
    for path in paths {
        let what = || format!("apply schema {}", path.display());
        let bytes = input::read_whole(path).with_context(|| format!("read schema {}", path.display()))?;
        match exported_schema(&bytes) {
            Some(parsed) => exported.add(parsed, path).with_context(what)?,
            None => client.post("/alter", "application/dql", &bytes).map(drop).with_context(what)?,
        }
        super::tell(&format!("applied schema {}", path.display()));
    }
    exported.apply(client, namespaces).context("apply exported schema")?;
    Ok(exported.passwords())
}

/// The schema in a text that was exported, which shows in the namespaces before its lines, and in definitions of the database's own.
fn exported_schema(bytes: &[u8]) -> Option<ParsedSchema> {
    let text = std::str::from_utf8(bytes).ok()?;
    let parsed = parse_schema(text).ok()?; // else the node says what is wrong with it
    let has_namespaces = text.lines().any(|line| line.trim_start().starts_with('['));
    let is_exported = has_namespaces || parsed.reserved().next().is_some();
    is_exported.then_some(parsed)
}

/// The root's predicates of type password that the node has.
pub(crate) fn passwords_of(client: &Client) -> anyhow::Result<Vec<Predicate>> {
    let answer = client.post("/query", "application/dql", b"schema { type }").context("ask for the schema")?;
    let predicates = answer["data"]["schema"].as_array().into_iter().flatten();
    let passwords = predicates.filter(|predicate| predicate["type"] == ValType::Password.name());
    Ok(passwords.filter_map(|predicate| predicate["predicate"].as_str()).map(Predicate::root).collect())
}

/// What several files of an export define together.
#[derive(Default)]
struct Exported {
    predicates: BTreeMap<Predicate, PredicateSchema>,
    types: BTreeMap<Predicate, TypeDef>,
}

impl Exported {
    /// Adds a file. Types stand in the file of every group.
    fn add(&mut self, parsed: ParsedSchema, path: &Path) -> anyhow::Result<()> {
        parsed.notes().iter().for_each(|note| eprintln!("{}: {note}", path.display()));
        for (name, schema) in parsed.predicates {
            match self.predicates.get(&name) {
                Some(other) if *other != schema => bail!("predicate {name} is defined otherwise in another file"),
                _ => self.predicates.insert(name, schema),
            };
        }
        for (name, def) in parsed.types {
            match self.types.get(&name) {
                Some(other) if *other != def => bail!("type {name} is defined otherwise in another file"),
                _ => self.types.insert(name, def),
            };
        }
        Ok(())
    }

    fn apply(&self, client: &Client, namespaces: &mut Namespaces) -> anyhow::Result<()> {
        let names = self.predicates.keys().chain(self.types.keys());
        let Some(greatest) = names.map(|name| name.namespace).max() else { return Ok(()) };
        namespaces.make(client, greatest)?;
        let text = self.text().map_err(|error| anyhow!(error))?;
        client.post("/alter?exported=true", "application/dql", &text)?;
        Ok(())
    }

    fn text(&self) -> Result<Vec<u8>, graphdb_export::ExportError> {
        let mut text = Vec::new();
        for (name, schema) in &self.predicates {
            write_predicate(&mut text, name, schema)?;
        }
        self.types.iter().try_for_each(|(name, def)| write_type(&mut text, name, def))?;
        Ok(text)
    }

    fn passwords(self) -> HashSet<Predicate> {
        let passwords = self.predicates.into_iter().filter(|(_, schema)| schema.value_type == ValType::Password);
        passwords.map(|(name, _)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn merged(texts: &[&str]) -> anyhow::Result<String> {
        let mut exported = Exported::default();
        for text in texts {
            exported.add(exported_schema(text.as_bytes()).unwrap(), Path::new("g01.schema"))?;
        }
        Ok(String::from_utf8(exported.text().unwrap()).unwrap())
    }

    #[test]
    fn files_of_groups_become_one_schema() {
        let types = "[0x0] type <P> {\n\ta\n\tb\n}\n";
        let (first, second) = (format!("[0x0] <a>:int . \n{types}"), format!("[0x0] <b>:[uid] @reverse . \n{types}"));
        assert_eq!(
            merged(&[&first, &second]).unwrap(),
            format!("[0x0] <a>:int . \n[0x0] <b>:[uid] @reverse . \n{types}")
        );
        assert!(merged(&[&first, "[0x0] <a>:string . \n"]).is_err());
        assert!(merged(&[&first, "[0x1] <a>:string . \n"]).is_ok(), "another namespace, another predicate");
    }

    #[test]
    fn only_exports_have_namespaces_or_what_is_the_databases_own() {
        for text in ["[0x0] <a>:int . \n", "<a>:int . \n<dgraph.type>:[string] @index(exact) . \n"] {
            assert!(exported_schema(text.as_bytes()).is_some(), "{text}");
        }
        for text in ["a: int .", "", "type P {\n}", "[0x0] <a>:nope .", "a: [uid] ."] {
            assert!(exported_schema(text.as_bytes()).is_none(), "{text}");
        }
    }
}
