//! GraphQL schemas, which a node of each namespace keeps.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use graphdb_export::gql::PREDICATE;
use graphdb_query::nquad::{NQuad, NodeRef, Object, Shape};
use graphdb_query::rdf::write_nquad;
use graphdb_types::Namespace;
use serde::Deserialize;

use super::input;
use super::namespaces::Namespaces;
use crate::client::Client;

/// The schema of a namespace, as exports have it.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
struct Record {
    namespace: u64,
    schema: String,
    #[serde(default)]
    script: String,
}

/// Stores the schemas in the files, in place of those that the root has.
///
/// # Errors
/// A file that cannot be read, and a schema for a namespace other than the root that was there before this run: queries do not see
/// which schema it has.
pub(crate) fn apply(client: &Client, paths: &[PathBuf], namespaces: &mut Namespaces) -> anyhow::Result<()> {
    for path in paths {
        let what = || format!("GraphQL schema {}", path.display());
        let text = String::from_utf8(input::read_whole(path).with_context(what)?).with_context(what)?;
        for record in read(&text).with_context(what)? {
            store(client, &record, namespaces).with_context(what)?;
        }
        super::tell(&format!("stored GraphQL schema {}", path.display()));
    }
    Ok(())
}

/// Records in an array, records without their brackets (as some versions of Dgraph write them), or the text of the root's schema.
fn read(text: &str) -> anyhow::Result<Vec<Record>> {
    let text = text.trim();
    let records = match text.bytes().next() {
        None => return Ok(Vec::new()),
        Some(b'[') => serde_json::from_str(text),
        Some(b'{') => serde_json::from_str(&format!("[{text}]")),
        Some(_) => return Ok(vec![Record { namespace: 0, schema: text.to_owned(), script: String::new() }]),
    };
    records.context("it is neither the text of a schema nor what an export has")
}

fn store(client: &Client, record: &Record, namespaces: &mut Namespaces) -> anyhow::Result<()> {
    let namespace = Namespace(record.namespace);
    namespaces.make(client, namespace)?;
    if !record.script.is_empty() {
        eprintln!("namespace {namespace}: the script beside the GraphQL schema is left out, this version runs none");
    }
    let body = if namespace == Namespace::ROOT {
        let query = format!("v as var(func: eq(dgraph.graphql.xid, \"{PREDICATE}\"))");
        format!(
            "upsert {{ query {{ {query} }} mutation {{ set {{\n{}}} }} }}",
            statements(NodeRef::Var("v".into()), record)?
        )
    } else if namespaces.is_new(namespace) {
        format!("{{ set {{\n{}}} }}", statements(NodeRef::Blank("schema".into()), record)?)
    } else {
        bail!(
            "namespace {namespace} was there before this run and may have a GraphQL schema, so this one is not stored; all data was loaded"
        );
    };
    client.post("/mutate?commitNow=true", "application/rdf", body.as_bytes())?;
    Ok(())
}

/// The node that keeps a schema.
fn statements(node: NodeRef<'_>, record: &Record) -> anyhow::Result<String> {
    let mut text = String::new();
    for (predicate, value) in
        [("dgraph.type", "dgraph.graphql"), ("dgraph.graphql.xid", PREDICATE), (PREDICATE, record.schema.as_str())]
    {
        let statement = NQuad {
            subject: node.clone(),
            namespace: Namespace(record.namespace),
            predicate: predicate.into(),
            lang: "".into(),
            object: Object::Literal { text: value.into(), declared: None },
            facets: Vec::new(),
            shape: Shape::Unsaid,
        };
        write_nquad(&mut text, &statement)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn record(namespace: u64, schema: &str) -> Record {
        Record { namespace, schema: schema.into(), script: String::new() }
    }

    #[test]
    fn schemas_are_read_in_every_form_they_were_written_in() {
        let records = "{\"Namespace\":0,\"Schema\":\"type A\"},\n{\"Namespace\":7,\"Schema\":\"type B\"}";
        let both = [record(0, "type A"), record(7, "type B")];
        assert_eq!(read(&format!("[\n{records}\n]\n")).unwrap(), both);
        assert_eq!(read(records).unwrap(), both, "without brackets");
        assert_eq!(read("type A { id: ID! }\n").unwrap(), [record(0, "type A { id: ID! }")]);
        assert_eq!(read("[\n\n]\n").unwrap(), []);
        assert_eq!(read("").unwrap(), []);
        assert!(read("{\"Schema\":1}").is_err());
    }

    #[test]
    fn a_schema_is_kept_by_a_node_of_its_namespace() {
        let text = statements(NodeRef::Var("v".into()), &record(7, "type \"A\"\n")).unwrap();
        assert!(text.starts_with("uid(v) <dgraph.type> \"dgraph.graphql\" <0x7> .\n"), "{text}");
        assert!(text.ends_with("uid(v) <dgraph.graphql.schema> \"type \\\"A\\\"\\n\" <0x7> .\n"), "{text}");
    }
}
