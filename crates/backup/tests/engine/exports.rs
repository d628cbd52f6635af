//! Exports: what is in their files, and that they are whole or not there.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use graphdb_archive::GzipReader;
use graphdb_backup::{
    Error, ExportPlace, ExportReport, ExportRequest, ExportWish, Format, JobKind, JobStatus, Node, NodeOptions,
    Progress, SeriesSource, export_series, export_store,
};
use graphdb_destination::testing::{Fault, FaultyDestination};
use graphdb_destination::{Destination, MemoryDestination};
use graphdb_storage::{Alter, Edge, SchemaChange, Store};
use graphdb_types::{Namespace, Predicate, PredicateSchema, ValType};
use tempfile::TempDir;

use crate::support::{
    back_up, commit, define, entries, indexed_string, key, link, links, newest, objects, open_store, scratch, set,
    store_options,
};

/// A store with something of all that is treated in a way of its own.
struct Source {
    store: Arc<Store>,
    dir: TempDir,
}

const TENANT: Namespace = Namespace(0x12f);

fn in_tenant(edge: Edge) -> Edge {
    let predicate = Predicate { namespace: TENANT, name: edge.predicate.name };
    Edge { predicate, ..edge }
}

impl Source {
    fn new() -> Source {
        let dir = scratch();
        let store = open_store(&dir.path().join("p"));
        define(&store, &[("name", indexed_string()), ("friend", links())]);
        let tenants = Predicate { namespace: TENANT, name: "name".into() };
        let change = SchemaChange { predicates: vec![(tenants, Some(indexed_string()))], types: vec![] };
        store.alter(Alter::Schema(change)).unwrap();
        let text = PredicateSchema { value_type: ValType::String, ..PredicateSchema::default() };
        let own = ["dgraph.graphql.schema", "dgraph.graphql.xid", "dgraph.cors", "near__vector_"];
        define(&store, &own.map(|name| (name, text.clone())));
        commit(&store, vec![set(1, "name", "Alice"), set(2, "name", "a \"b\" <c>"), link(1, "friend", 2)]);
        commit(&store, vec![in_tenant(set(1, "name", "Tenant")), set(3, "near__vector_", "\u{1}")]);
        commit(
            &store,
            vec![
                set(9, "dgraph.graphql.schema", "type A {\n}"),
                set(9, "dgraph.graphql.xid", "dgraph.graphql.schema"),
                set(9, "dgraph.cors", "*"),
            ],
        );
        Source { store, dir }
    }

    async fn export(&self, place: &ExportPlace, wish: ExportWish) -> Result<ExportReport, Error> {
        export_store(&self.store, place, wish, &Progress::default()).await
    }

    /// Exports into a new directory; the files' texts by name.
    async fn files(&self, wish: ExportWish) -> BTreeMap<String, String> {
        let dir = scratch();
        let report = self.export(&ExportPlace::Directory(dir.path().to_owned()), wish).await.unwrap();
        texts(&report, dir.path())
    }
}

fn texts(report: &ExportReport, dir: &Path) -> BTreeMap<String, String> {
    let text = |name: &str| {
        let bytes = fs::read(dir.join(name)).unwrap();
        let mut text = String::new();
        GzipReader::new(bytes.as_slice(), 0).unwrap().read_to_string(&mut text).unwrap();
        text
    };
    let short = |name: &str| name.strip_prefix(&report.folder).unwrap()[1..].to_owned();
    report.files.iter().map(|file| (short(&file.name), text(&file.name))).collect()
}

const ALL: ExportWish = ExportWish { format: Format::Rdf, namespace: None };
const JSON: ExportWish = ExportWish { format: Format::Json, namespace: None };

#[tokio::test]
async fn an_export_has_data_schema_and_graphql_schema_and_nothing_of_the_databases_own() {
    let files = Source::new().files(ALL).await;
    assert_eq!(files.keys().collect::<Vec<_>>(), ["g01.gql_schema.gz", "g01.rdf.gz", "g01.schema.gz"]);
    let data = "\
<0x1> <name> \"Alice\"^^<xs:string> <0x0> .
<0x2> <name> \"a \\\"b\\\" \\u003cc\\u003e\"^^<xs:string> <0x0> .
<0x1> <friend> <0x2> <0x0> .
<0x1> <name> \"Tenant\"^^<xs:string> <0x12f> .
";
    assert_eq!(files["g01.rdf.gz"], data);
    assert_eq!(files["g01.gql_schema.gz"], "[\n{\"Namespace\":0,\"Schema\":\"type A {\\n}\"}\n]\n");
    let schema = &files["g01.schema.gz"];
    for line in [
        "[0x0] <name>:string @index(exact,term) . \n",
        "[0x0] <friend>:[uid] @reverse @count . \n",
        "[0x12f] <name>:string @index(exact,term) . \n",
    ] {
        assert!(schema.contains(line), "{line:?} is missing in {schema}");
    }
    assert!(!schema.contains("__vector_"), "{schema}");
}

#[tokio::test]
async fn json_has_its_brackets_also_around_nothing() {
    let source = Source::new();
    let files = source.files(JSON).await;
    let data = "[
  {\"uid\":\"0x1\",\"namespace\":\"0x0\",\"name\":\"Alice\"},
  {\"uid\":\"0x2\",\"namespace\":\"0x0\",\"name\":\"a \\\"b\\\" \\u003cc\\u003e\"},
  {\"uid\":\"0x1\",\"namespace\":\"0x0\",\"friend\":[{\"uid\":\"0x2\"}]},
  {\"uid\":\"0x1\",\"namespace\":\"0x12f\",\"name\":\"Tenant\"}
]
";
    assert_eq!(files["g01.json.gz"], data);
    let nothing = source.files(ExportWish { namespace: Some(Namespace(7)), ..JSON }).await;
    assert_eq!((nothing["g01.json.gz"].as_str(), nothing["g01.gql_schema.gz"].as_str()), ("[\n\n]\n", "[\n\n]\n"));
}

#[tokio::test]
async fn one_namespace_is_exported_without_the_others() {
    let source = Source::new();
    let files = source.files(ExportWish { namespace: Some(TENANT), ..ALL }).await;
    assert_eq!(files["g01.rdf.gz"], "<0x1> <name> \"Tenant\"^^<xs:string> <0x12f> .\n");
    assert!(files["g01.schema.gz"].lines().all(|line| line.starts_with("[0x12f]")), "{}", files["g01.schema.gz"]);
    assert!(files["g01.schema.gz"].contains("<name>"));
    let root = source.files(ExportWish { namespace: Some(Namespace::ROOT), ..ALL }).await;
    assert!(!root["g01.rdf.gz"].contains("0x12f") && root["g01.rdf.gz"].lines().count() == 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_exported_as_the_store_it_was_taken_of() {
    for key in [None, Some(key(32))] {
        let source = Source::new();
        let backups: Arc<dyn Destination> = Arc::new(MemoryDestination::new());
        back_up(&source.store, &backups, key.clone(), false).await.unwrap();
        commit(&source.store, vec![set(2, "name", "Bob")]);
        back_up(&source.store, &backups, key.clone(), false).await.unwrap();
        for wish in [ALL, JSON] {
            let series = SeriesSource::prove_at(Arc::clone(&backups), &newest(key.clone())).await.unwrap();
            let (to, tmp) = (scratch(), scratch());
            let place = ExportPlace::Directory(to.path().to_owned());
            let report = export_series(&series, &place, wish.format, tmp.path(), &Progress::default()).await.unwrap();
            assert_eq!(report.folder.split(".u").next().unwrap(), format!("dgraph.r{}", series.newest().read_ts));
            let (mut backed_up, mut live) = (texts(&report, to.path()), source.files(wish).await);
            let definitions = |files: &mut BTreeMap<String, String>| files.remove("g01.schema.gz").unwrap();
            let (some, all) = (definitions(&mut backed_up), definitions(&mut live));
            assert_eq!(backed_up, live);
            // Every database makes its own predicates anew, so a backup has only those that hold data.
            assert!(some.lines().all(|line| all.contains(line)) && some.contains("<friend>:[uid] @reverse @count"));
        }
    }
}

#[tokio::test]
async fn an_export_is_never_written_over_something_and_leaves_nothing_when_it_fails() {
    let source = Source::new();
    let dir = scratch();
    let place = ExportPlace::Directory(dir.path().to_owned());
    let first = source.export(&place, ALL).await.unwrap();
    let second = source.export(&place, ALL).await.unwrap();
    assert_ne!(first.folder, second.folder, "each has a timestamp of its own");
    let standing = entries(dir.path());

    let cancelled = Progress::default();
    cancelled.cancel();
    let refused = export_store(&source.store, &place, ALL, &cancelled).await;
    assert!(matches!(refused, Err(Error::Cancelled(_))), "{refused:?}");
    assert_eq!(entries(dir.path()), standing);

    let odd = define_odd(&source.store);
    for wish in [ALL, JSON] {
        let refused = source.export(&place, wish).await.unwrap_err().to_string();
        assert!(refused.contains(odd), "{refused}");
        assert_eq!(entries(dir.path()), standing);
    }
}

/// Adds a predicate whose name no text form has.
fn define_odd(store: &Store) -> &'static str {
    define(store, &[("not a name", indexed_string())]);
    commit(store, vec![set(1, "not a name", "x")]);
    "not a name"
}

#[tokio::test]
async fn a_place_that_is_a_file_is_refused() {
    let source = Source::new();
    let file = source.dir.path().join("file");
    fs::write(&file, "content").unwrap();
    let refused = source.export(&ExportPlace::Directory(file.clone()), ALL).await;
    assert!(matches!(refused, Err(Error::Io { .. })), "{refused:?}");
    assert_eq!(fs::read(file).unwrap(), b"content");
}

type Faulty = FaultyDestination<MemoryDestination>;

#[tokio::test(flavor = "multi_thread")]
async fn whichever_call_fails_an_export_in_a_bucket_is_whole_or_not_there() {
    let source = Source::new();
    let place = |faulty: &Faulty| ExportPlace::Objects(Arc::new(faulty.clone()));
    let whole = Faulty::new(MemoryDestination::new());
    source.export(&place(&whole), ALL).await.unwrap();
    let calls = whole.call_count();
    assert!(calls >= 9, "three files are created, written and completed: {calls}");
    for call in 1..=calls {
        for fault in [Fault::Denied, Fault::Full, Fault::Unavailable, Fault::Conflict] {
            let faulty = Faulty::new(MemoryDestination::new());
            faulty.fail_call(call, fault);
            let refused = source.export(&place(&faulty), ALL).await;
            assert!(refused.is_err(), "call {call}, {fault:?}");
            assert!(objects(faulty.inner()).await.is_empty(), "call {call}, {fault:?}");
        }
        let faulty = Faulty::new(MemoryDestination::new());
        faulty.fail_call_after_effect(call, Fault::Unavailable);
        assert!(source.export(&place(&faulty), ALL).await.is_err(), "call {call}");
        assert!(objects(faulty.inner()).await.is_empty(), "call {call}, answer lost");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_upload_is_the_cause_and_not_what_the_writer_met() {
    let source = Source::new();
    let faulty = Faulty::new(MemoryDestination::new());
    faulty.fail_when(|call| call.kind == graphdb_destination::testing::CallKind::Write, Fault::Full);
    let refused = source.export(&ExportPlace::Objects(Arc::new(faulty)), ALL).await;
    assert!(matches!(&refused, Err(Error::Destination(err)) if err.to_string().contains("space")), "{refused:?}");
}

fn node(dir: &TempDir) -> Node {
    let options =
        NodeOptions { store: store_options(), export_dir: dir.path().join("exports"), ..NodeOptions::default() };
    Node::open(&dir.path().join("p"), options).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_exports_into_its_directory_or_where_it_is_told() {
    let dir = scratch();
    let node = node(&dir);
    define(&node.any_store().unwrap(), &[("name", indexed_string())]);
    commit(&node.any_store().unwrap(), vec![set(1, "name", "Alice")]);
    let done = node.export(ExportRequest::default()).await.unwrap();
    assert_eq!(entries(&dir.path().join("exports")), [done.report.folder.as_str()]);
    assert_eq!(done.report.statements(), 1);
    let record = node.task(done.task_id).unwrap();
    assert_eq!((record.kind, record.status, record.percent), (JobKind::Export, JobStatus::Success, 100.0));

    let told = dir.path().join("told");
    fs::create_dir(&told).unwrap();
    let request = ExportRequest { destination: told.to_str().unwrap().into(), ..ExportRequest::default() };
    let done = node.export(request).await.unwrap();
    assert_eq!(entries(&told), [done.report.folder.as_str()]);
    node.close().await;
    assert!(matches!(node.export(ExportRequest::default()).await, Err(Error::Cancelled(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_keeps_clients_out_does_not_export() {
    let dir = scratch();
    let node = node(&dir);
    node.set_draining(true);
    assert!(matches!(node.export(ExportRequest::default()).await, Err(Error::Draining)));
    assert!(!dir.path().join("exports").exists());
    node.set_draining(false);
    node.export(ExportRequest::default()).await.unwrap();
    node.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_exports_once_at_a_time_and_ends_it_when_it_closes() {
    let dir = scratch();
    let node = node(&dir);
    define(&node.any_store().unwrap(), &[("noise", PredicateSchema::default())]);
    for block in 0..64 {
        let edges = (1..=512).map(|at| set(block * 512 + at, "noise", &format!("{:01$}", at * 7919, 400)));
        commit(&node.any_store().unwrap(), edges.collect());
    }
    let mut seen = (0, 0, 0);
    for _ in 0..20 {
        let [one, two] = [0, 1].map(|_| node.export(ExportRequest::default()));
        let (one, two) = tokio::join!(one, two);
        for outcome in [one, two] {
            match outcome {
                Ok(_) => seen.0 += 1,
                Err(Error::ExportRunning { location }) => {
                    // The other may have begun in this very moment.
                    assert!(location.ends_with("exports") || location.ends_with("not noted yet"), "{location}");
                    seen.1 += 1;
                }
                Err(other) => panic!("{other}"),
            }
        }
        if seen.1 > 0 {
            break;
        }
    }
    assert!(seen.0 >= 1 && seen.1 >= 1, "of two at a time one is refused: {seen:?}");
    let whole = entries(&dir.path().join("exports"));
    let running = tokio::spawn({
        let node = node.clone();
        async move { node.export(ExportRequest::default()).await }
    });
    while node.ongoing() != ["opExport"] && !running.is_finished() {
        tokio::task::yield_now().await;
    }
    node.close().await;
    match running.await.unwrap() {
        // It may have been done before the node closed.
        Ok(_) => seen.2 += 1,
        Err(Error::Cancelled(_)) => {}
        Err(other) => panic!("{other}"),
    }
    assert_eq!(entries(&dir.path().join("exports")).len(), whole.len() + seen.2);
}
