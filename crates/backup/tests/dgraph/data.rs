//! Where the real backups are, and what is known of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use graphdb_backup::{EncryptionKey, Locations, Progress, RestoreReport, SeriesRequest, restore_offline};
use graphdb_destination::testing::servers::skip;
use graphdb_storage::{Store, StoreOptions};
use graphdb_types::{Key, KeyKind, PostingList, Predicate, Uid};

/// Every folder of real backups but the one that is not whole, and how many backups its newest series has.
pub(crate) const SERIES: [(&str, u64); 13] = [
    ("v1.2-kinds", 9),
    ("v20.11-aes128", 1),
    ("v20.11-drops", 3),
    ("v20.11-single", 1),
    ("v21.03-acl", 1),
    ("v21.03-drops", 3),
    ("v21.12-random", 8),
    ("v24.1-kinds-aes256", 9),
    ("v25-s2-framing", 1),
    ("v25.4-kinds", 9),
    ("v25.4-lost-delete", 3),
    ("v25.4-namespaces", 8),
    ("v25.4-stale-index", 2),
];

/// The folder with the data, or `None` after saying that it is absent.
pub(crate) fn data() -> Option<PathBuf> {
    let root = std::env::var_os("GRAPHDB_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let data = root.join("data");
    if data.join("dgraph-backups").is_dir() {
        return Some(data);
    }
    skip(&format!("{} is not there; set GRAPHDB_SHARED to the folder that has data/", data.display()));
    None
}

/// What reads the series in `folder`.
pub(crate) fn request(data: &Path, folder: &str) -> SeriesRequest {
    let key = match folder {
        "v20.11-aes128" => Some("aes128.key"),
        "v20.07-movies-aes256" => Some("aes256.key"),
        "v24.1-kinds-aes256" => Some("aes256-v24.key"),
        _ => None,
    };
    let key = key.map(|file| {
        let bytes = fs::read(data.join("keys").join(file)).unwrap();
        Arc::new(EncryptionKey::new(&bytes).unwrap())
    });
    let location = data.join("dgraph-backups").join(folder).to_str().unwrap().into();
    SeriesRequest { location, key, ..SeriesRequest::default() }
}

pub(crate) async fn restore(request: &SeriesRequest, into: &Path) -> Result<RestoreReport, graphdb_backup::Error> {
    restore_offline(&Locations::default(), request, into, &Progress::default()).await
}

/// Lists by key.
pub(crate) type Lists = BTreeMap<Key, PostingList>;

/// Every list of a closed store.
pub(crate) fn lists(dir: &Path) -> Lists {
    lists_of(&open_store(dir))
}

pub(crate) fn open_store(dir: &Path) -> Arc<Store> {
    let options = StoreOptions { cache_bytes: 8 << 20, sync: false, ..StoreOptions::default() };
    Store::open(dir, options).unwrap()
}

/// Every list of a store.
pub(crate) fn lists_of(store: &Store) -> Lists {
    let mut lists = BTreeMap::new();
    store
        .snapshot()
        .unwrap()
        .scan_full(|entry| {
            if let graphdb_storage::ScanValue::List(wire) = entry.value {
                lists.insert(Key::from_stored(entry.key).unwrap(), PostingList::from_wire(wire).unwrap());
            }
            Ok::<_, graphdb_storage::Error>(())
        })
        .unwrap();
    lists
}

/// How many subjects a predicate of the root namespace has data of.
pub(crate) fn has(lists: &BTreeMap<Key, PostingList>, name: &str) -> usize {
    let predicate = Predicate::root(name);
    lists.keys().filter(|key| key.predicate == predicate && matches!(key.kind, KeyKind::Data(Uid(_)))).count()
}
