//! The directory a store lives in: who may open it, what it is, and how RocksDB is set up in it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::Path;

use graphdb_types::{GroupId, Ts};
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DB, DBCompressionType, IteratorMode, Options, SliceTransform,
};

use crate::error::{Error, Result};
use crate::layout::{FORMAT_VERSION, LOG, META, POSTINGS, SCHEMA, VERSION_BYTES};
use crate::log::read_log_key;
use crate::meta;
use crate::store::StoreOptions;

const LOCK_FILE: &str = "graphdb.lock";

/// The file that says which group the directory belongs to: a decimal number and a newline.
pub(crate) const GROUP_FILE: &str = "group_id";

pub(crate) fn read_group(dir: &Path) -> Result<GroupId> {
    let path = dir.join(GROUP_FILE);
    let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    let number = text.trim().parse().ok().filter(|number| *number > 0);
    number.map(GroupId).ok_or_else(|| Error::NotAStore {
        dir: dir.to_owned(),
        why: format!("{GROUP_FILE} holds {text:?}, not a number"),
    })
}

pub(crate) fn lock_directory(dir: &Path) -> Result<File> {
    let path = dir.join(LOCK_FILE);
    if !path.exists() {
        is_fresh(dir)?; // a directory that is not ours gets no file of ours
    }
    lock_file(&path, dir)
}

/// Takes the lock at `path` for as long as the file is held, and writes into it which process has it. `dir` is what the lock guards.
///
/// # Errors
/// [`Error::Locked`] with the holder if another process has it.
pub fn lock_file(path: &Path, dir: &Path) -> Result<File> {
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
        .map_err(Error::io("open", path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::Error(source)) => return Err(Error::io("lock", path)(source)),
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            _ = file.read_to_string(&mut holder);
            let holder = if holder.trim().is_empty() { "another process".to_owned() } else { holder.trim().to_owned() };
            return Err(Error::Locked { dir: dir.to_owned(), holder });
        }
    }
    file.set_len(0)
        .and_then(|()| writeln!(file, "process {}", std::process::id()))
        .map_err(Error::io("write", path))?;
    Ok(file)
}

/// Whether the directory holds nothing but our lock, and what RocksDB writes before there is a database.
pub(crate) fn is_fresh(dir: &Path) -> Result<bool> {
    let entries = fs::read_dir(dir).map_err(Error::io("list", dir))?;
    let mut others = Vec::new();
    for entry in entries {
        let name = entry.map_err(Error::io("list", dir))?.file_name();
        if name != LOCK_FILE && !is_unborn(&name) {
            others.push(name);
        }
    }
    if !others.is_empty() && !others.iter().any(|name| name == "CURRENT") {
        let why = format!("it holds {}, but no RocksDB database", others[0].display());
        return Err(Error::NotAStore { dir: dir.to_owned(), why });
    }
    Ok(others.is_empty())
}

/// Files of a database whose creation was interrupted: without `CURRENT` they are nothing, and a database that lost its `CURRENT` has
/// others too.
fn is_unborn(name: &std::ffi::OsStr) -> bool {
    let temporary = Path::new(name).extension().is_some_and(|extension| extension == "dbtmp");
    temporary || ["LOCK", "LOG", "IDENTITY", "MANIFEST-000001"].iter().any(|unborn| name == *unborn)
}

/// Memory tables of the postings and of the log; a crash replays at most this much.
const WRITE_BUFFER_BYTES: usize = 64 << 20;

/// The options of RocksDB; `build` uses them too, so that files it writes can be taken over as they are.
pub(crate) fn family_options(name: &str, cache: &Cache) -> Options {
    let mut options = Options::default();
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_block_size(16 << 10);
    table.set_format_version(5);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_write_buffer_size(WRITE_BUFFER_BYTES);
    options.set_level_compaction_dynamic_level_bytes(true);
    if name == POSTINGS {
        // Filters over stored keys without their version: most reads of a load ask for what is not there.
        options.set_prefix_extractor(SliceTransform::create(
            "graphdb.stored_key",
            |key| &key[..key.len().saturating_sub(VERSION_BYTES)],
            None,
        ));
        options.set_memtable_prefix_bloom_ratio(0.1);
        table.set_bloom_filter(10.0, false);
        table.set_whole_key_filtering(false);
        options.set_max_write_buffer_number(4);
    }
    options.set_block_based_table_factory(&table);
    options
}

pub(crate) fn create_rocks(dir: &Path, options: &StoreOptions) -> Result<DB> {
    let mut database = Options::default();
    database.create_if_missing(true);
    database.create_missing_column_families(true);
    database.increase_parallelism(2);
    // One thread writes, in the order of keys: it finds its place in the memory table from where it was last.
    database.set_allow_concurrent_memtable_write(false);
    database.set_max_open_files(512);
    database.set_keep_log_file_num(4);
    database.set_max_total_wal_size(512 << 20);
    // A WAL whose middle is damaged is an error; only a torn end, which was never acknowledged, is cut off.
    database.set_wal_recovery_mode(rocksdb::DBRecoveryMode::TolerateCorruptedTailRecords);
    let cache = Cache::new_lru_cache(options.cache_bytes);
    let families =
        [POSTINGS, LOG, SCHEMA, META].map(|name| ColumnFamilyDescriptor::new(name, family_options(name, &cache)));
    DB::open_cf_descriptors(&database, dir, families).map_err(Error::rocks("open"))
}

pub(crate) fn check_format(db: &DB, dir: &Path, fresh: bool) -> Result<()> {
    match meta::get_number(db, meta::FORMAT_VERSION_KEY)? {
        Some(found) if found > FORMAT_VERSION => {
            Err(Error::TooNew { dir: dir.to_owned(), found, known: FORMAT_VERSION })
        }
        Some(_) => Ok(()),
        None if fresh || is_empty(db)? => meta::put_number(db, meta::FORMAT_VERSION_KEY, FORMAT_VERSION),
        None => Err(Error::NotAStore {
            dir: dir.to_owned(),
            why: "it is a RocksDB database without a format version".into(),
        }),
    }
}

pub(crate) fn is_empty(db: &DB) -> Result<bool> {
    let log = db.cf_handle(LOG).expect("every column family is opened with the store");
    let first = db.iterator_cf(log, IteratorMode::Start).next().transpose().map_err(Error::rocks("read the log"))?;
    Ok(first.is_none())
}

/// The newest commit in the log, or the one the store was built with.
pub(crate) fn newest_commit(db: &DB) -> Result<Ts> {
    let base = meta::get_number(db, meta::BASE_TS_KEY)?.unwrap_or(0);
    let log = db.cf_handle(LOG).expect("every column family is opened with the store");
    let last = db.iterator_cf(log, IteratorMode::End).next().transpose().map_err(Error::rocks("read the log"))?;
    let last = last.map(|(key, _)| read_log_key(&key)).transpose()?.unwrap_or(Ts::ZERO);
    Ok(last.max(Ts(base)))
}
