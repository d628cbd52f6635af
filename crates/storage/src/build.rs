//! Builds a whole store from sorted entries: what a restore does. Sorted-table files are written on several threads and taken over by
//! RocksDB as they are, so nothing is written twice.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use graphdb_types::{GroupId, Predicate, PredicateSchema, Ts, TypeDef};
use rocksdb::{Cache, DB, IngestExternalFileOptions, SstFileWriter, WriteBatch};

use crate::alter::SchemaChange;
use crate::directory::{GROUP_FILE, create_rocks, family_options};
use crate::error::{Error, Result};
use crate::layout::{COMPLETE, POSTINGS, put_version};
use crate::meta::{self, Identity, Leased};
use crate::schema_history::put_schema_change;
use crate::store::StoreOptions;
use crate::versions::postings_family;

/// Entries collected for one file. Memory is this times (threads + 2).
const CHUNK_BYTES: usize = 16 << 20;

/// Room for the entry that fills a chunk; a longer one makes its chunk grow.
const CHUNK_SLACK_BYTES: usize = 64 << 10;

/// How a store is built.
#[derive(Clone, Debug)]
pub struct BuildOptions {
    /// Threads that write files.
    pub threads: usize,
    /// The group the directory belongs to.
    pub group: GroupId,
}

/// One complete, non-empty posting list.
#[derive(Clone, Copy, Debug)]
pub struct StoredEntry<'a> {
    /// The key in its stored form.
    pub key: &'a [u8],
    /// The newest commit in it.
    pub version: Ts,
    /// A `BackupPostingList` message.
    pub list: &'a [u8],
}

/// What the new store begins with, beside the lists.
#[derive(Clone, Debug)]
pub struct BuiltStore {
    /// The life that begins.
    pub identity: Identity,
    /// The newest commit that is in it. New commits get greater timestamps.
    pub read_ts: Ts,
    /// Every uid in use is at most this.
    pub max_uid: u64,
    /// Every namespace in use is at most this.
    pub max_namespace: u64,
    /// Every timestamp given out so far is at most this.
    pub max_ts: Ts,
    /// The schema.
    pub predicates: Vec<(Predicate, PredicateSchema)>,
    /// The types.
    pub types: Vec<(Predicate, TypeDef)>,
}

/// Takes entries in ascending order and builds a store of them. Dropped without [`StoreBuilder::finish`], it leaves a directory that is
/// no store.
#[derive(Debug)]
pub struct StoreBuilder {
    dir: PathBuf,
    group: GroupId,
    chunk: Chunk,
    last_key: Vec<u8>,
    chunks: Option<SyncSender<(usize, Chunk)>>,
    written: usize,
    writers: Vec<JoinHandle<Result<()>>>,
}

/// Entries one after the other: lengths, version, key, list.
#[derive(Debug)]
struct Chunk {
    bytes: Vec<u8>,
    entries: Vec<(usize, usize, Ts)>,
}

impl Chunk {
    /// As large as it will get: growing would hold it twice.
    fn new() -> Chunk {
        Chunk { bytes: Vec::with_capacity(CHUNK_BYTES + CHUNK_SLACK_BYTES), entries: Vec::new() }
    }
}

const TABLES: &str = "tables";

impl StoreBuilder {
    /// Begins a store in `dir`, which must be absent or empty.
    pub fn create(dir: &Path, options: &BuildOptions) -> Result<StoreBuilder> {
        let tables = dir.join(TABLES);
        fs::create_dir_all(&tables).map_err(Error::io("create", &tables))?;
        let (chunks, inbox) = sync_channel(1);
        let inbox = Arc::new(Mutex::new(inbox));
        let writers = (0..options.threads.max(1))
            .map(|_| {
                let (inbox, tables) = (Arc::clone(&inbox), tables.clone());
                thread::Builder::new().name("graphdb-build".into()).spawn(move || write_tables(&inbox, &tables))
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(Error::io("start a thread for", dir))?;
        Ok(StoreBuilder {
            dir: dir.to_owned(),
            group: options.group,
            chunk: Chunk::new(),
            last_key: Vec::new(),
            chunks: Some(chunks),
            written: 0,
            writers,
        })
    }

    /// Adds a list. Keys must ascend.
    pub fn push(&mut self, entry: StoredEntry<'_>) -> Result<()> {
        if entry.key <= self.last_key.as_slice() {
            return Err(Error::damaged(format!(
                "keys out of order: {} after {}",
                entry.key.escape_ascii(),
                self.last_key.escape_ascii()
            )));
        }
        self.last_key.clear();
        self.last_key.extend_from_slice(entry.key);
        self.chunk.bytes.extend_from_slice(entry.key);
        self.chunk.bytes.extend_from_slice(entry.list);
        self.chunk.entries.push((entry.key.len(), entry.list.len(), entry.version));
        if self.chunk.bytes.len() >= CHUNK_BYTES { self.send_chunk() } else { Ok(()) }
    }

    fn send_chunk(&mut self) -> Result<()> {
        let chunk = std::mem::replace(&mut self.chunk, Chunk::new());
        let sent = self.chunks.as_ref().is_some_and(|chunks| chunks.send((self.written, chunk)).is_ok());
        self.written += 1;
        if sent { Ok(()) } else { self.join_writers() }
    }

    /// Waits for the writers; gives their error if one failed.
    fn join_writers(&mut self) -> Result<()> {
        self.chunks = None;
        for writer in self.writers.drain(..) {
            writer
                .join()
                .unwrap_or_else(|_| Err(Error::Stopped { why: "a thread that builds the store panicked".into() }))?;
        }
        Ok(())
    }

    /// Takes the files over, writes schema, leases and identity, syncs, and closes the store.
    pub fn finish(mut self, store: &BuiltStore) -> Result<()> {
        if !self.chunk.entries.is_empty() {
            self.send_chunk()?;
        }
        self.join_writers()?;
        let db = create_rocks(&self.dir, &StoreOptions::default())?;
        self.ingest(&db)?;
        write_records(&db, store)?;
        db.flush_wal(true).map_err(Error::rocks("sync"))?;
        let families = [crate::layout::SCHEMA, crate::layout::META];
        for family in families.map(|name| db.cf_handle(name).expect("every column family is opened with the store")) {
            db.flush_cf(family).map_err(Error::rocks("flush"))?;
        }
        drop(db);
        let group = self.dir.join(GROUP_FILE);
        fs::write(&group, format!("{}\n", self.group)).map_err(Error::io("write", &group))?;
        sync_path(&group)?;
        sync_path(&self.dir)
    }

    fn ingest(&self, db: &DB) -> Result<()> {
        let tables = self.dir.join(TABLES);
        if self.written > 0 {
            let mut options = IngestExternalFileOptions::default();
            options.set_move_files(true);
            let files: Vec<PathBuf> = (0..self.written).map(|number| table_path(&tables, number)).collect();
            db.ingest_external_file_cf_opts(postings_family(db), &options, files)
                .map_err(Error::rocks("take over sorted tables"))?;
        }
        fs::remove_dir_all(&tables).map_err(Error::io("remove", &tables))
    }
}

impl Drop for StoreBuilder {
    /// Whoever removes the directory of a store that was not finished must not meet a thread that still writes to it.
    fn drop(&mut self) {
        _ = self.join_writers();
    }
}

fn table_path(tables: &Path, number: usize) -> PathBuf {
    tables.join(format!("{number:08}.sst"))
}

fn write_tables(inbox: &Mutex<Receiver<(usize, Chunk)>>, tables: &Path) -> Result<()> {
    loop {
        let next = inbox.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok((number, chunk)) => write_table(&table_path(tables, number), &chunk)?,
            Err(_) => return Ok(()),
        }
    }
}

fn write_table(path: &Path, chunk: &Chunk) -> Result<()> {
    let cache = Cache::new_lru_cache(1 << 20);
    let options = family_options(POSTINGS, &cache);
    let mut writer = SstFileWriter::create(&options);
    writer.open(path).map_err(Error::rocks("create a sorted table"))?;
    let (mut rest, mut key, mut value) = (chunk.bytes.as_slice(), Vec::new(), Vec::new());
    for (key_len, list_len, version) in &chunk.entries {
        let (entry, tail) = rest.split_at(key_len + list_len);
        rest = tail;
        let (stored_key, list) = entry.split_at(*key_len);
        key.clear();
        key.extend_from_slice(stored_key);
        put_version(&mut key, *version);
        value.clear();
        value.push(COMPLETE);
        value.extend_from_slice(list);
        writer.put(&key, &value).map_err(Error::rocks("write a sorted table"))?;
    }
    writer.finish().map_err(Error::rocks("finish a sorted table"))
}

/// Everything but the lists, in one step.
fn write_records(db: &DB, store: &BuiltStore) -> Result<()> {
    let above = store.max_ts.max(store.read_ts).0;
    let numbers = [
        (meta::FORMAT_VERSION_KEY, crate::layout::FORMAT_VERSION),
        (meta::BASE_TS_KEY, store.read_ts.0),
        (meta::FLOOR_KEY, store.read_ts.0),
        (meta::LOG_FLOOR_KEY, store.read_ts.0),
        (meta::SWEPT_KEY, store.read_ts.0),
        (Leased::Ts.meta_key(), above),
        (Leased::Uid.meta_key(), store.max_uid),
        (Leased::Namespace.meta_key(), store.max_namespace),
    ];
    let mut batch = WriteBatch::default();
    for (key, number) in numbers {
        batch.put_cf(meta::meta_family(db), key, number.to_be_bytes());
    }
    batch.put_cf(meta::meta_family(db), meta::IDENTITY_KEY, meta::identity_record(&store.identity));
    let change = SchemaChange {
        predicates: store.predicates.iter().map(|(p, s)| (p.clone(), Some(s.clone()))).collect(),
        types: store.types.iter().map(|(t, d)| (t.clone(), Some(d.clone()))).collect(),
    };
    put_schema_change(db, &mut batch, &change, store.read_ts);
    db.write_opt(batch, &meta::synced()).map_err(Error::rocks("write schema, leases and identity"))
}

fn sync_path(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| file.sync_all()).map_err(Error::io("sync", path))
}
