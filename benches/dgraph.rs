//! Reading a real backup of Dgraph's: 316,676 key-values are decoded, sorted and their indexes rebuilt, on one core.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use graphdb_archive::EncryptionKey;
use graphdb_backup::{Locations, Progress, Selection, SeriesRequest, SeriesSource, StateVisitor};
use graphdb_storage::StoredEntry;
use graphdb_types::{GroupId, Schema};

use crate::full::best_of;
use crate::memory::peak_above;
use crate::table::Table;

/// The folder with the backup, and its key.
const BACKUP: (&str, &str) = ("dgraph-backups/v20.07-movies-aes256", "keys/aes256.key");

/// Takes lists and does nothing with them.
#[derive(Default)]
struct Counted {
    lists: u64,
    bytes: u64,
}

impl StateVisitor for Counted {
    const SCHEMA_FIRST: bool = false;

    fn begin(&mut self, _: &Schema) -> graphdb_backup::Result<()> {
        Ok(())
    }

    fn list(&mut self, entry: StoredEntry<'_>) -> graphdb_backup::Result<()> {
        self.lists += 1;
        self.bytes += (entry.key.len() + entry.list.len()) as u64;
        Ok(())
    }
}

pub(crate) fn measure(table: &mut Table) {
    let Some(data) = data() else {
        return println!(
            "dgraph: SKIPPED, the real backups are not there; set GRAPHDB_SHARED to the folder that has data/"
        );
    };
    println!("dgraph");
    let cores = on_one_core();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let source = runtime.block_on(SeriesSource::prove(&Locations::default(), &request(&data))).unwrap();
    let groups = source.groups();
    let (mut memory, mut entries, mut lists) = (0, 0, 0);
    let begun = Instant::now();
    let seconds = best_of(3, || {
        let (scratch, progress) = (tempfile::tempdir().unwrap(), Progress::default());
        let read = source.read(&groups, scratch.path(), &progress, Counted::default());
        let ((counted, _), peak) = peak_above(|| runtime.block_on(read).unwrap());
        assert!(counted.bytes > 0);
        memory = memory.max(peak);
        (entries, lists) = (progress.entries(), counted.lists);
    });
    println!("  {entries} entries, {lists} lists, three times in {:.1} s, {cores}", begun.elapsed().as_secs_f64());
    let rate = format!("{seconds:.2} s, {:.0} entries/s", entries as f64 / seconds);
    table.add("Dgraph's file, decoded and rebuilt", rate, cores, "3 s on one core");
    table.add("  peak memory", format!("{} MiB", memory >> 20), "above the process's".into(), "256 MiB");
}

/// The second backup alone, of the one group that it still has in this size.
fn request(data: &Path) -> SeriesRequest {
    let key = EncryptionKey::new(&std::fs::read(data.join(BACKUP.1)).unwrap()).unwrap();
    SeriesRequest {
        location: data.join(BACKUP.0).display().to_string().into(),
        incremental_from: 2,
        selection: Selection { groups: Some(BTreeSet::from([GroupId(1)])), ..Selection::default() },
        key: Some(Arc::new(key)),
        ..SeriesRequest::default()
    }
}

fn data() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let root = std::env::var_os("GRAPHDB_SHARED").map_or_else(beside, PathBuf::from);
    Some(root.join("data")).filter(|data| data.join(BACKUP.0).is_dir())
}

/// Keeps this thread, and those that it starts, on one core; says whether that worked.
fn on_one_core() -> String {
    let mut taskset = Command::new("taskset");
    taskset.args(["--pid", "--cpu-list", "0", &std::process::id().to_string()]).stdout(Stdio::null());
    if taskset.status().is_ok_and(|status| status.success()) { "on one core".into() } else { "on all cores".into() }
}
