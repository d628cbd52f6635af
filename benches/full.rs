//! A full encrypted backup, against the compressor alone on the same frames and against `tar | gzip -6 | openssl enc`.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use graphdb_archive::{BLOCK_BYTES, FrameWriter, GzipLevel, KeyValue, user_meta};
use graphdb_backup::{BackupRequest, BackupTerms, Progress, backup};
use graphdb_storage::{ScanValue, Store};
use graphdb_types::BackupKey;

use crate::graph::{Graph, context, count};
use crate::memory::peak_above;
use crate::table::{Table, rate};

pub(crate) fn measure(graph: &Graph, table: &mut Table) {
    println!("full backup");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = graph.open();
    let (entries, _) = count(&store);
    let frames = frames(&store);
    let raw_bytes: u64 = frames.iter().map(|frame| frame.len() as u64).sum();
    println!("  {entries} key-values, {:.0} MB of frames", raw_bytes as f64 / 1e6);

    let alone = best_of(3, || compress(&frames));
    drop(frames);
    let destination = graph.dir.path().join("backups");
    let request = BackupRequest {
        destination: destination.display().to_string().into(),
        terms: BackupTerms { force_full: true, compat: None },
    };
    let mut stored_bytes = 0;
    let mut memory = 0;
    let pipeline = best_of(3, || {
        let (sealed, peak) =
            peak_above(|| runtime.block_on(backup(&store, &context(), &request, &Progress::default())).unwrap());
        memory = memory.max(peak);
        stored_bytes = sealed.manifest().size_bytes();
    });
    let ratio = format!("{:.2}x smaller", raw_bytes as f64 / stored_bytes as f64);
    table.add(
        "full encrypted backup",
        format!("{pipeline:.2} s, {}", rate(raw_bytes, pipeline)),
        ratio,
        "about one second",
    );
    table.add(
        "  of the compressor alone",
        format!("{:.0} %", 100.0 * alone / pipeline),
        rate(raw_bytes, alone),
        "85 %",
    );
    table.add("  peak memory", format!("{} MiB", memory >> 20), "above the node's".into(), "256 MiB");
    drop(store);
    // The files of a closed store are what a RocksDB checkpoint links.
    let tar = best_of(1, || tar_gzip_openssl(&graph.postings()));
    table.add("  tar | gzip -6 | openssl enc", format!("{tar:.1} s"), format!("{:.1}x slower", tar / pipeline), "4x");
}

fn frames(store: &Store) -> Vec<Vec<u8>> {
    let snapshot = store.snapshot().unwrap();
    let mut frames = FrameWriter::new(Blocks::default());
    let mut key = Vec::new();
    snapshot
        .scan_full(|entry| {
            key.clear();
            BackupKey::put_wire_of_stored(entry.key, &mut key).unwrap();
            let ScanValue::List(value) = entry.value else { return Ok(()) };
            frames
                .push(KeyValue { key: &key, value, user_meta: user_meta::COMPLETE, version: entry.version.0 })
                .unwrap();
            Ok::<_, graphdb_storage::Error>(())
        })
        .unwrap();
    frames.finish().unwrap().0
}

/// Bytes cut into blocks as the writer of gzip members cuts them.
#[derive(Default)]
struct Blocks(Vec<Vec<u8>>);

impl Write for Blocks {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let block = match self.0.last_mut() {
            Some(block) if block.len() < BLOCK_BYTES => block,
            _ => {
                self.0.push(Vec::with_capacity(BLOCK_BYTES));
                self.0.last_mut().unwrap()
            }
        };
        let len = bytes.len().min(BLOCK_BYTES - block.len());
        block.extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Compresses every block with nothing else to do, on as many threads as the backup uses.
fn compress(blocks: &[Vec<u8>]) {
    let (send, receive) = sync_channel::<&[u8]>(8);
    let receive = Arc::new(Mutex::new(receive));
    thread::scope(|scope| {
        for _ in 0..graphdb_archive::default_workers() {
            let receive = Arc::clone(&receive);
            scope.spawn(move || {
                let level = libdeflater::CompressionLvl::new(i32::from(GzipLevel::default().get())).unwrap();
                let mut compressor = libdeflater::Compressor::new(level);
                let mut out = vec![0; compressor.gzip_compress_bound(BLOCK_BYTES)];
                loop {
                    let Ok(block) = receive.lock().unwrap().recv() else { break };
                    compressor.gzip_compress(block, &mut out).unwrap();
                }
            });
        }
        blocks.iter().for_each(|block| send.send(block).unwrap());
        drop(send);
    });
}

fn tar_gzip_openssl(dir: &Path) {
    let script = "set -o pipefail; tar cf - . | gzip -6 | openssl enc -aes-256-ctr -pbkdf2 -pass pass:benchmark > ../checkpoint.enc && sync -d ../checkpoint.enc";
    assert!(Command::new("bash").args(["-c", script]).current_dir(dir).status().unwrap().success());
}

/// Seconds of the fastest of some runs: other work on the machine only ever adds.
pub(crate) fn best_of(runs: usize, mut work: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..runs {
        let begun = Instant::now();
        work();
        best = best.min(begun.elapsed().as_secs_f64());
    }
    best
}
