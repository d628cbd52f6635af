//! The configuration file of `serve`: TOML whose keys are the long names of flags.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use toml::de::{DeTable, DeValue};

use super::flags::{Layer, is_known};
use crate::failure::misuse;

/// Reads a configuration file.
///
/// # Errors
/// A file that cannot be read, and misuse: what is no TOML, a key that is no flag, a value that is no text, number or truth value. Each
/// names the line.
pub(crate) fn read(path: &Path) -> anyhow::Result<Layer> {
    let text = fs::read_to_string(path).with_context(|| format!("read configuration {}", path.display()))?;
    parse(&path.display().to_string(), &text)
}

fn parse(source: &str, text: &str) -> anyhow::Result<Layer> {
    let place = |at: usize| format!("configuration {source} line {}", line_of(text, at));
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        misuse(format!("{}: {}", place(at), error.message()))
    })?;
    let mut layer = Layer { source: source.to_owned(), values: Vec::new() };
    for (key, value) in table.get_ref().iter() {
        let at = key.span().start;
        let name = key.get_ref().replace('_', "-");
        if !is_known(&name) {
            let message =
                format!("{}: unknown key {:?}; keys are the long flags of graphdb serve", place(at), key.get_ref());
            return Err(misuse(message));
        }
        let text = text_of(value.get_ref())
            .ok_or_else(|| misuse(format!("{}: {name} must be a text, a whole number, true or false", place(at))))?;
        layer.values.push((name, text));
    }
    Ok(layer)
}

fn text_of(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().replace('_', "")),
        _ => None,
    }
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn keys_are_flags_with_dashes_or_underscores() {
        let layer = parse("f", "postings = \"/data/p\"\n# why\ngzip_level = 6\nwhitelist = 'a,b'\n").unwrap();
        assert_eq!(
            (layer.get("postings"), layer.get("gzip-level"), layer.get("whitelist")),
            (Some("/data/p"), Some("6"), Some("a,b"))
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, line, part) in [
            ("http = \"a\"\n\nwhitelst = \"b\"\n", "line 3", "whitelst"),
            ("config = \"other\"", "line 1", "config"),
            ("postings = \"a\"\nhttp = [1]\n", "line 2", "http"),
            ("postings = \"a\"\n[http]\nport = 1\n", "line 2", "http"),
            ("\npostings = \n", "line 2", "f"),
            ("postings = \"a\"\npostings = \"b\"\n", "line 2", "duplicate"),
        ] {
            let error = parse("f", text).unwrap_err().to_string();
            assert!(error.contains(line) && error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn the_configuration_in_deploy_is_understood_with_all_its_examples() {
        let text = include_str!("../../../../deploy/graphdb.toml");
        assert!(!parse("graphdb.toml", text).unwrap().values.is_empty());
        let examples: String = text
            .lines()
            .filter_map(|line| line.strip_prefix("# "))
            .filter(|line| line.contains(" = "))
            .map(|line| format!("{line}\n"))
            .collect();
        assert!(!parse("examples", &examples).unwrap().values.is_empty());
    }
}
