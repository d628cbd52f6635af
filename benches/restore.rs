//! Restoring the full backup, against taking it.

use graphdb_backup::{BackupRequest, BackupTerms, Progress, SeriesRequest, backup, restore_offline};

use crate::full::best_of;
use crate::graph::{Graph, context};
use crate::memory::peak_above;
use crate::table::{Table, rate};

pub(crate) fn measure(graph: &Graph, table: &mut Table) {
    println!("restore");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let location = graph.dir.path().join("to-restore").display().to_string();
    let request =
        BackupRequest { destination: location.clone().into(), terms: BackupTerms { force_full: true, compat: None } };
    let store = graph.open();
    let mut raw_bytes = 0;
    let backup_seconds = best_of(2, || {
        let sealed = runtime.block_on(backup(&store, &context(), &request, &Progress::default())).unwrap();
        raw_bytes = sealed.manifest().groups.values().map(|group| group.archive.raw_bytes).sum();
    });
    drop(store);
    let request = SeriesRequest { location: location.into(), key: context().key, ..SeriesRequest::default() };
    let mut memory = 0;
    let mut run = 0;
    let seconds = best_of(3, || {
        run += 1;
        let target = graph.dir.path().join(format!("restored-{run}"));
        let (_, peak) = peak_above(|| {
            runtime
                .block_on(restore_offline(
                    &graphdb_backup::Locations::default(),
                    &request,
                    &target,
                    &Progress::default(),
                ))
                .unwrap()
        });
        memory = memory.max(peak);
    });
    let compared = format!("{:.2}x the backup's speed", backup_seconds / seconds);
    table.add("restore, offline", format!("{seconds:.2} s, {}", rate(raw_bytes, seconds)), compared, "1x");
    table.add("  peak memory", format!("{} MiB", memory >> 20), "above the process's".into(), "256 MiB");
}
