//! Backups of real Dgraph servers are exported, and the exports loaded into a new node: it then holds what a restore gives.
//!
//! Compared is every list and every definition. Not equal, because exports do not hold it, are when each value was written and what
//! [`is_exported`] leaves out; the node of the GraphQL schema, which is made anew, has another uid.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use graphdb_export::{gql, is_exported};
use graphdb_storage::{ScanValue, Store, StoreOptions};
use graphdb_types::{Key, KeyKind, PostingList, Predicate, PredicateSchema, TypeDef};
use serde_json::json;

use crate::harness::{Folder, Node, assert_says, cli, sample, shared, temp_dir, tree};

type Lists = BTreeMap<Key, PostingList>;

/// How servers keep that there is no GraphQL schema; the second form is v21.12's.
const NO_GRAPHQL: [&[u8]; 2] = [b"", br#"{"Schema":"","Script":""}"#];

/// What a store holds that an export has to bring back.
#[derive(Debug, Default, PartialEq)]
struct Content {
    lists: Lists,
    predicates: BTreeMap<Predicate, PredicateSchema>,
    types: BTreeMap<Predicate, TypeDef>,
    graphql: BTreeSet<(u64, Vec<u8>)>,
}

impl Content {
    /// Adds what the store in a directory holds.
    fn add(&mut self, dir: &Path) {
        let store = Store::open(dir, StoreOptions::default()).unwrap();
        let snapshot = store.snapshot().unwrap();
        let take = |entry: graphdb_storage::ScanEntry<'_>| {
            let ScanValue::List(wire) = entry.value else { panic!("a full scan shows no empty lists") };
            self.take(Key::from_stored(entry.key).unwrap(), PostingList::from_wire(wire).unwrap());
            Ok::<_, graphdb_storage::Error>(())
        };
        snapshot.scan_full(take).unwrap();
        let schema = snapshot.schema();
        let own = |name: &Predicate| name.is_reserved();
        self.predicates.extend(schema.predicates.clone().into_iter().filter(|(name, _)| !own(name)));
        self.types.extend(schema.types.clone().into_iter().filter(|(name, _)| !own(name)));
    }

    fn take(&mut self, key: Key, mut list: PostingList) {
        list.postings.iter_mut().for_each(|posting| posting.commit_ts = 0);
        let is_data = matches!(key.kind, KeyKind::Data(_));
        if key.predicate.name.as_ref() == gql::PREDICATE && is_data {
            let text = list.postings.first().map(|posting| posting.value.clone()).unwrap_or_default();
            self.graphql.extend((!NO_GRAPHQL.contains(&text.as_slice())).then_some((key.predicate.namespace.0, text)));
        } else if is_exported(&key.predicate) {
            self.lists.insert(key, list);
        }
    }

    /// Forgets the nodes of GraphQL schemas.
    fn without_graphql_nodes(mut self) -> Content {
        let is_type = |key: &Key| key.predicate.name.as_ref() == "dgraph.type";
        let is_node = |list: &PostingList| matches!(list.postings.as_slice(), [one] if one.value == b"dgraph.graphql");
        self.lists.retain(|key, list| {
            let is_of_node = match &key.kind {
                KeyKind::Data(_) => is_node(list),
                KeyKind::Index(term) => term.ends_with(b"dgraph.graphql"),
                _ => false,
            };
            !(is_type(key) && is_of_node)
        });
        self
    }
}

#[track_caller]
fn assert_same(found: Content, expected: Content, what: &str) {
    let (found, expected) = (found.without_graphql_nodes(), expected.without_graphql_nodes());
    let keys: BTreeSet<&Key> = found.lists.keys().chain(expected.lists.keys()).collect();
    for key in keys {
        assert_eq!(found.lists.get(key), expected.lists.get(key), "{what}: {key:?}");
    }
    for (name, schema) in &expected.predicates {
        assert_eq!(found.predicates.get(name), Some(schema), "{what}: {name}");
    }
    assert_eq!(found.predicates.keys().collect::<Vec<_>>(), expected.predicates.keys().collect::<Vec<_>>(), "{what}");
    assert_eq!(found.types, expected.types, "{what}");
    assert_eq!(found.graphql, expected.graphql, "{what}");
    assert!(!expected.lists.is_empty(), "{what}");
}

/// A series to export.
struct Series {
    location: String,
    flags: Vec<String>,
}

impl Series {
    /// Real backups; `None` if they are not there.
    fn real(folder: &str, key: Option<&str>, number: u64) -> Option<Series> {
        let text = |name: &str| shared(name).map(|path| path.to_str().unwrap().to_owned());
        let mut flags = vec!["--backup-num".to_owned(), number.to_string()];
        if let Some(key) = key {
            flags.extend(["--encryption-key-file".to_owned(), text(&format!("data/keys/{key}"))?]);
        }
        Some(Series { location: text(&format!("data/dgraph-backups/{folder}"))?, flags })
    }

    #[track_caller]
    fn run(&self, command: &str, flags: &[&str]) -> String {
        let own = [command, "-l", &self.location];
        let args: Vec<&str> =
            own.into_iter().chain(self.flags.iter().map(String::as_str)).chain(flags.iter().copied()).collect();
        cli(&args).ok()
    }

    fn restored(&self) -> Content {
        let dir = temp_dir();
        self.run("restore", &["-p", &dir.at("r"), "--force-zero=false"]);
        let mut content = Content::default();
        for group in fs::read_dir(dir.at("r")).unwrap() {
            content.add(&group.unwrap().path());
        }
        content
    }

    /// Exports and loads that into a new node.
    fn exported(&self, format: &str) -> Content {
        let dir = temp_dir();
        let printed = self.run("export-backup", &["-d", &dir.at("exports"), "--format", format]);
        let folder = only(&dir, "exports");
        assert_says(&printed, &[&format!("graphdb live -f {folder}")]);
        loaded(&folder)
    }
}

/// The one folder in a directory.
#[track_caller]
fn only(dir: &Folder, name: &str) -> String {
    let found: Vec<_> = fs::read_dir(dir.at(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [only] = found.as_slice() else { panic!("one folder is expected: {found:?}") };
    only.to_str().unwrap().to_owned()
}

fn loaded(folder: &str) -> Content {
    let dir = temp_dir();
    let node = Node::start(dir.at("p").as_ref(), &[]);
    cli(&["live", "-f", folder, "--alpha", node.url()]).ok();
    node.terminate();
    let mut content = Content::default();
    content.add(dir.at("p").as_ref());
    content
}

fn round_trip(folder: &str, key: Option<&str>, numbers: &[u64]) {
    for number in numbers {
        let Some(series) = Series::real(folder, key, *number) else { return };
        for format in ["rdf", "json"] {
            assert_same(series.exported(format), series.restored(), &format!("{folder} {number} {format}"));
        }
    }
}

#[test]
fn every_kind_of_value_comes_back_from_an_export() {
    round_trip("v25.4-kinds", None, &[1, 4, 9]);
    round_trip("v1.2-kinds", None, &[1, 5]);
}

#[test]
fn an_encrypted_backup_comes_back_from_an_export() {
    round_trip("v24.1-kinds-aes256", Some("aes256-v24.key"), &[2, 9]);
}

#[test]
fn a_random_history_comes_back_from_an_export() {
    round_trip("v21.12-random", None, &[3, 8]);
}

#[test]
fn namespaces_come_back_from_an_export() {
    round_trip("v25.4-namespaces", None, &[1, 5]);
}

#[test]
fn groups_come_back_from_an_export() {
    round_trip("v20.11-drops", None, &[1, 3]);
    round_trip("v21.03-drops", None, &[2]);
    round_trip("v20.11-single", None, &[1]);
    round_trip("v20.11-aes128", Some("aes128.key"), &[1]);
}

#[test]
fn accounts_come_back_from_an_export() {
    round_trip("v21.03-acl", None, &[1]);
    round_trip("v25-s2-framing", None, &[1]);
}

#[test]
fn what_dgraph_restores_wrongly_comes_back_from_an_export() {
    round_trip("v25.4-lost-delete", None, &[3]);
    round_trip("v25.4-stale-index", None, &[2]);
}

#[test]
fn what_a_node_exports_is_loaded_into_an_equal_one() {
    let dir = temp_dir();
    let node = Node::start(dir.at("p").as_ref(), &["--export", &dir.at("exports")]);
    sample(&node, 300);
    let export = "mutation { export(input: {format: \"rdf\"}) { response { code message } exportedFiles taskId } }";
    let done = node.admin(export, json!({})).data();
    assert_says(&done.to_string(), &["Export completed.", "g01.rdf.gz", "g01.schema.gz", "g01.gql_schema.gz"]);
    let folder = only(&dir, "exports");
    node.terminate();
    let mut standing = Content::default();
    standing.add(dir.at("p").as_ref());
    assert_same(loaded(&folder), standing, "a live export");
}

#[test]
fn a_node_exports_only_where_requests_may_send_it() {
    let dir = temp_dir();
    let (allowed, other, own) = (dir.dir("allowed"), dir.dir("other"), dir.at("exports"));
    let node = Node::start(dir.at("p").as_ref(), &["--export", &own, "--backup-allow-paths", &allowed]);
    let export = |place: &str| {
        let operation = "mutation Export($place: String) { export(input: {destination: $place}) { exportedFiles } }";
        node.admin(operation, json!({ "place": place }))
    };
    assert_says(&export(&other).error(), &["is not allowed"]);
    assert!(tree(&other).is_empty());
    export(&allowed).data();
    export("").data();
    for place in [&allowed, &own] {
        assert_eq!(tree(place).len(), 3, "{place}");
    }
}

#[test]
fn an_export_is_refused_with_what_to_do() {
    let dir = temp_dir();
    let (backups, exports) = (dir.dir("backups"), dir.at("exports"));
    let refused = cli(&["export_backup", "-l", &backups, "-d", &exports, "-f", "csv"]).failed(2);
    assert_says(&refused, &["invalid format csv", "rdf and json"]);
    cli(&["export-backup", "-l", &backups, "-d", &exports]).failed(1);
    cli(&["export-backup", "-l", &backups]).failed(2);
    assert!(!Path::new(&exports).exists());
    let Some(series) = Series::real("v24.1-kinds-aes256", None, 1) else { return };
    let refused = cli(&["export-backup", "-l", &series.location, "-d", &exports]).failed(1);
    assert_says(&refused, &["encryption key"]);
    assert!(!Path::new(&exports).exists());
}
