//! What Dgraph is shown of the schema. It takes index keys from a backup as they are and never looks whether they are right, so an index
//! whose keys are not those that it would make is left out of the schema it sees, and its operator is told what to alter after a restore.
//! Our own restores read the whole truth.

use std::collections::BTreeMap;

use graphdb_archive::{Compat, Tagged};
use graphdb_export::schema::{write_predicate, write_type};
use graphdb_storage::ScanEntry;
use graphdb_types::token::base_language;
use graphdb_types::{Key, Malformed, Predicate, PredicateSchema, Schema, Tokenizer, TypeDef, languages};

/// Notes which values carry languages, while the lists of a scan pass.
pub(crate) struct TagWatch<'a> {
    schema: &'a Schema,
    tagged: BTreeMap<Predicate, Tagged>,
    /// The predicate whose lists are passing.
    current: Option<Current>,
}

struct Current {
    prefix: Vec<u8>,
    /// Of its data lists, if its values may carry languages.
    data: Option<(Predicate, Vec<u8>)>,
}

impl<'a> TagWatch<'a> {
    /// Begins with what the backup before knew; if nobody noted that, with the worst.
    pub(crate) fn new(schema: &'a Schema, before: Option<BTreeMap<Predicate, Tagged>>) -> TagWatch<'a> {
        let may_be = schema.predicates.iter().filter(|(_, definition)| definition.lang);
        let tagged = match before {
            Some(mut tagged) => {
                tagged.retain(|predicate, _| schema.predicates.contains_key(predicate));
                tagged
            }
            None => may_be.map(|(predicate, _)| (predicate.clone(), Tagged::Unspaced)).collect(),
        };
        TagWatch { schema, tagged, current: None }
    }

    /// Looks at a list.
    pub(crate) fn see(&mut self, entry: &ScanEntry<'_>, list: &[u8]) -> Result<(), Malformed> {
        if !self.current.as_ref().is_some_and(|current| entry.key.starts_with(&current.prefix)) {
            let predicate = Key::from_stored(entry.key)?.predicate;
            let prefix = Key::stored_prefix(&predicate);
            let may_be = self.schema.predicate(&predicate).is_some_and(|definition| definition.lang);
            let data = may_be.then(|| (predicate.clone(), Key::stored_data_prefix(&predicate)));
            self.current = Some(Current { prefix, data });
        }
        let data = self.current.as_ref().and_then(|current| current.data.as_ref());
        let Some((predicate, _)) = data.filter(|(_, prefix)| entry.key.starts_with(prefix)) else { return Ok(()) };
        let mut most = self.tagged.get(predicate).copied();
        languages(list, |lang| most = most.max(Some(tagged(lang))))?;
        if let Some(most) = most {
            self.tagged.insert(predicate.clone(), most);
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> BTreeMap<Predicate, Tagged> {
        self.tagged
    }
}

fn tagged(lang: &str) -> Tagged {
    match base_language(lang).as_str() {
        "en" => Tagged::English,
        "zh" | "ja" | "th" | "lo" | "my" | "bo" | "km" | "kxm" => Tagged::Unspaced,
        _ => Tagged::Foreign,
    }
}

/// What Dgraph is shown instead of the truth, and the schema text that makes up for it.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub(crate) schema: Schema,
    pub(crate) alter: Vec<String>,
}

impl Shown {
    pub(crate) fn of(schema: &Schema, tagged: &BTreeMap<Predicate, Tagged>, compat: Compat) -> Shown {
        let mut shown = Shown::default();
        for (predicate, definition) in &schema.predicates {
            let less = show_predicate(definition, tagged.get(predicate).copied(), compat);
            if less != *definition {
                shown.alter.push(statement(|out| write_predicate(out, predicate, definition).map(drop)));
                shown.schema.predicates.insert(predicate.clone(), less);
            }
        }
        for (name, definition) in &schema.types {
            let less = show_type(definition, compat);
            if less != *definition {
                shown.alter.push(statement(|out| write_type(out, name, definition)));
                shown.schema.types.insert(name.clone(), less);
            }
        }
        shown
    }
}

/// The schema without indexes whose keys Dgraph would not make so: vectors, whose index is not written at all; `exact` of tagged values,
/// which Dgraph orders by the rules of the language; stems of other languages than English; and what that Dgraph does not know.
fn show_predicate(whole: &PredicateSchema, tagged: Option<Tagged>, compat: Compat) -> PredicateSchema {
    let is_equal = |tokenizer: &Tokenizer| match tokenizer {
        Tokenizer::Exact => tagged.is_none(),
        Tokenizer::FullText | Tokenizer::NGram => tagged <= Some(Tagged::English),
        // Before v20.11 their words were parted as those of all other languages.
        Tokenizer::Term => compat != Compat::V1_1 || tagged < Some(Tagged::Unspaced),
        _ => true,
    };
    let tokenizers =
        whole.tokenizers.iter().copied().filter(|tokenizer| compat.knows(*tokenizer) && is_equal(tokenizer));
    PredicateSchema { tokenizers: tokenizers.collect(), vector_indexes: Vec::new(), ..whole.clone() }
}

/// Types of v1.1 name no reverse edges.
fn show_type(whole: &TypeDef, compat: Compat) -> TypeDef {
    let is_known = |field: &&String| compat != Compat::V1_1 || !field.starts_with('~');
    TypeDef { fields: whole.fields.iter().filter(is_known).cloned().collect() }
}

/// A definition as `/alter` takes it, on one line; in front of it the namespace, if it is not the root.
fn statement(write: impl FnOnce(&mut Vec<u8>) -> Result<(), graphdb_export::ExportError>) -> String {
    let mut text = Vec::new();
    match write(&mut text) {
        Ok(()) => {
            let text = String::from_utf8_lossy(&text);
            let words: Vec<&str> = text.split_whitespace().collect();
            let line = words.join(" ");
            line.strip_prefix("[0x0] ").unwrap_or(&line).to_owned()
        }
        // A name that no schema text can hold.
        Err(err) => format!("# {err}"),
    }
}

#[cfg(test)]
mod tests {
    use graphdb_types::{Namespace, ValType, VectorIndex};

    use super::*;

    fn schema() -> Schema {
        let tokenizers = vec![Tokenizer::Term, Tokenizer::Exact, Tokenizer::FullText, Tokenizer::Trigram];
        let name =
            PredicateSchema { value_type: ValType::String, tokenizers, lang: true, ..PredicateSchema::default() };
        let vector_indexes =
            vec![VectorIndex { name: "hnsw".into(), options: vec![("metric".into(), "cosine".into())] }];
        let vector = PredicateSchema { value_type: ValType::VFloat, vector_indexes, ..PredicateSchema::default() };
        let person = TypeDef { fields: vec!["name".into(), "~friend".into()] };
        Schema {
            predicates: BTreeMap::from([(Predicate::root("name"), name), (Predicate::root("vec"), vector)]),
            types: BTreeMap::from([(Predicate::root("Person"), person)]),
        }
    }

    #[test]
    fn what_dgraph_could_not_take_over_is_left_out_and_told() {
        let tagged = |tagged: Option<Tagged>| tagged.map(|t| (Predicate::root("name"), t)).into_iter().collect();
        let name = "<name>:string @index(term,exact,fulltext,trigram) @lang .";
        let vector = "<vec>:float32vector @index(hnsw(metric:\"cosine\")) .";
        let person = "type <Person> { name <~friend> }";
        for (compat, which, kept, alter) in [
            (Compat::V20_11, None, "term exact fulltext trigram", vec![vector]),
            (Compat::V20_11, Some(Tagged::English), "term fulltext trigram", vec![name, vector]),
            (Compat::V20_11, Some(Tagged::Foreign), "term trigram", vec![name, vector]),
            (Compat::V21_12, Some(Tagged::Unspaced), "term trigram", vec![name, vector]),
            (Compat::V1_1, Some(Tagged::Unspaced), "trigram", vec![name, vector, person]),
        ] {
            let shown = Shown::of(&schema(), &tagged(which), compat);
            assert_eq!(shown.alter, alter, "{compat} {which:?}");
            let whole = &schema().predicates[&Predicate::root("name")];
            let seen = shown.schema.predicate(&Predicate::root("name")).unwrap_or(whole);
            let names: Vec<_> = seen.tokenizers.iter().map(|tokenizer| tokenizer.name()).collect();
            assert_eq!(names.join(" "), kept, "{compat} {which:?}");
        }
    }

    #[test]
    fn a_statement_of_a_tenant_names_the_namespace() {
        let predicate = Predicate { namespace: Namespace(0x1a), name: "name".into() };
        let text = statement(|out| write_predicate(out, &predicate, &PredicateSchema::default()).map(drop));
        assert_eq!(text, "[0x1a] <name>:default .");
    }
}
