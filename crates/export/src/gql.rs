//! The GraphQL schema of each namespace: `{"Namespace":0,"Schema":"type Person { … }"}`, in an [`crate::json::Array`].

use graphdb_types::value::write_json_string;
use graphdb_types::{Posting, PostingList, Predicate, Uid};

use crate::ExportError;
use crate::text::Owner;

/// The predicate whose values are GraphQL schemas.
pub const PREDICATE: &str = "dgraph.graphql.schema";

/// Appends the record of a list of [`PREDICATE`], and returns whether there is a schema in it: an empty one is none.
///
/// # Errors
/// A value that is not UTF-8.
pub fn write(out: &mut Vec<u8>, predicate: &Predicate, subject: Uid, list: &PostingList) -> Result<bool, ExportError> {
    let Some(Posting { value, .. }) = list.postings.first() else { return Ok(false) };
    let not_text = |_| Owner { predicate, subject }.no_text("the GraphQL schema is not UTF-8");
    let stored = Stored::read(std::str::from_utf8(value).map_err(not_text)?);
    if stored.schema.is_empty() && stored.script.is_empty() {
        return Ok(false);
    }
    let mut record = format!("{{\"Namespace\":{},\"Schema\":", predicate.namespace.0);
    write_json_string(&stored.schema, &mut record);
    if !stored.script.is_empty() {
        record.push_str(",\"Script\":");
        write_json_string(&stored.script, &mut record);
    }
    record.push('}');
    out.extend_from_slice(record.as_bytes());
    Ok(true)
}

/// A stored schema, with the script that v21.12 keeps beside it.
struct Stored {
    schema: String,
    script: String,
}

impl Stored {
    /// Reads the text itself, or v21.12's `{"Schema":"…","Script":"…"}`. No schema text is such an object: it has no quotes before a colon.
    fn read(text: &str) -> Stored {
        let wrapped: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(text).ok();
        let member = |name: &str| wrapped.as_ref()?.get(name)?.as_str().map(str::to_owned);
        match member("Schema") {
            Some(schema) => Stored { schema, script: member("Script").unwrap_or_default() },
            None => Stored { schema: text.to_owned(), script: String::new() },
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use graphdb_types::{Namespace, VALUE_UID};

    use super::*;

    fn written(namespace: u64, value: &str) -> (bool, String) {
        let predicate = Predicate { namespace: Namespace(namespace), name: PREDICATE.into() };
        let posting = Posting { id: VALUE_UID, value: value.into(), ..Posting::default() };
        let mut out = Vec::new();
        let found = write(&mut out, &predicate, Uid(1), &PostingList::of_postings(vec![posting])).unwrap();
        (found, String::from_utf8(out).unwrap())
    }

    #[test]
    fn schemas_are_records_with_their_namespace() {
        let record = "{\"Namespace\":7,\"Schema\":\"type A {\\n  id: ID!\\n}\"}";
        assert_eq!(written(7, "type A {\n  id: ID!\n}"), (true, record.to_owned()));
    }

    #[test]
    fn the_wrapping_of_v21_12_is_taken_off_and_its_script_kept() {
        let plain = "{\"Namespace\":0,\"Schema\":\"type A\"}";
        assert_eq!(written(0, "{\"Schema\":\"type A\",\"Script\":\"\"}"), (true, plain.to_owned()));
        let script = "{\"Namespace\":0,\"Schema\":\"type A\",\"Script\":\"x()\"}";
        assert_eq!(written(0, "{\"Schema\":\"type A\",\"Script\":\"x()\"}"), (true, script.to_owned()));
    }

    #[test]
    fn an_empty_schema_is_none() {
        for empty in ["", "{\"Schema\":\"\",\"Script\":\"\"}"] {
            assert_eq!(written(0, empty), (false, String::new()));
        }
    }
}
