//! Measures the pipeline against its compressor alone, on frames of a real or made-up archive:
//! `cargo run --release -p graphdb-archive --example pipeline [ARCHIVE [KEY_FILE]]`.

use std::io::{self, Write};
use std::time::Instant;

use graphdb_archive::{
    ArchiveOptions, ArchiveReader, ArchiveWriter, EncryptionKey, FrameWriter, GzipLevel, GzipWriter, Iv, KeyValue,
};
use graphdb_types::Schema;

/// Bytes of frames that are measured; a smaller archive is repeated.
const RAW_BYTES: usize = 256 << 20;

type Entry = (Vec<u8>, Vec<u8>, u8, u64);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (archive, key) = (args.next(), args.next());
    let entries = match archive {
        Some(path) => read(&std::fs::read(path)?, key.map(std::fs::read).transpose()?)?,
        None => made_up(),
    };
    let bytes: usize = entries.iter().map(|(key, value, ..)| key.len() + value.len() + 12).sum();
    let rounds = RAW_BYTES.div_ceil(bytes);
    println!("{} entries, {} MB, {rounds} times", entries.len(), bytes / 1_000_000);
    for level in [1, 2, 3, 6] {
        let level = GzipLevel::new(level).ok_or("levels are 1 to 12")?;
        for workers in [1, 2] {
            let (alone, size) = compressor_alone(&entries, rounds, level, workers)?;
            let (pipeline, stored) = pipeline(&entries, rounds, level, workers)?;
            println!(
                "level {} workers {workers}: compressor alone {}, pipeline {} ({:.0} % of the rate, {:.0} % of the work), \
                 ratio {:.2}",
                level.get(),
                alone,
                pipeline,
                100.0 * pipeline.wall / alone.wall,
                100.0 * pipeline.cpu / alone.cpu,
                (bytes * rounds) as f64 / size as f64,
            );
            if level.get() == 2 {
                for workers in [0, workers] {
                    let start = Instant::now();
                    let object = ArchiveReader::open(&stored[..], Some(&secret()), workers)?.finish()?;
                    let rate = object.raw_bytes as f64 / 1e6 / start.elapsed().as_secs_f64();
                    println!("  reading with {workers} workers: {rate:.0} MB/s");
                }
            }
        }
    }
    Ok(())
}

fn read(stored: &[u8], key: Option<Vec<u8>>) -> Result<Vec<Entry>, Box<dyn std::error::Error>> {
    let key = key.map(|key| EncryptionKey::new(&key)).transpose()?;
    let mut reader = ArchiveReader::open(stored, key.as_ref(), 2)?;
    let mut entries = Vec::new();
    while let Some(kv) = reader.next()? {
        entries.push((kv.key.to_vec(), kv.value.to_vec(), kv.user_meta, kv.version));
    }
    Ok(entries)
}

/// Postings of strings that repeat somewhat, as names do.
fn made_up() -> Vec<Entry> {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 40
    };
    let entry = |uid: u64| {
        let key = [&[8, 1, 18, 4][..], b"name", &[24], &uid.to_be_bytes()].concat();
        let value = format!("the name of node {} is {:x}{:x}", uid, next(), next() % 1000).into_bytes();
        (key, value, 8, uid)
    };
    (1..500_000).map(entry).collect()
}

fn secret() -> EncryptionKey {
    EncryptionKey::new(&[7; 32]).expect("32 bytes are a key")
}

fn compressor_alone(
    entries: &[Entry],
    rounds: usize,
    level: GzipLevel,
    workers: usize,
) -> Result<(Rate, u64), graphdb_archive::Error> {
    let mut frames = FrameWriter::new(Vec::new());
    for (key, value, user_meta, version) in entries {
        frames.push(KeyValue { key, value, user_meta: *user_meta, version: *version })?;
    }
    let block = frames.finish()?;
    let start = Clock::start();
    let mut gzip = GzipWriter::new(Count(0), level, workers);
    for _ in 0..rounds {
        gzip.write_all(&block)?;
    }
    let size = gzip.finish()?.0;
    Ok((start.rate((block.len() * rounds) as u64), size))
}

fn pipeline(
    entries: &[Entry],
    rounds: usize,
    level: GzipLevel,
    workers: usize,
) -> Result<(Rate, Vec<u8>), graphdb_archive::Error> {
    let key = secret();
    let out = Vec::with_capacity(RAW_BYTES / 2);
    let start = Clock::start();
    let mut writer = ArchiveWriter::start(out, Some((&key, Iv([1; 16]))), ArchiveOptions { level, workers })?;
    for _ in 0..rounds {
        for (key, value, user_meta, version) in entries {
            writer.push(KeyValue { key, value, user_meta: *user_meta, version: *version })?;
        }
    }
    let (stored, object) = writer.finish(&Schema::default())?;
    Ok((start.rate(object.raw_bytes), stored))
}

/// Counts bytes and throws them away.
struct Count(u64);

impl Write for Count {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0 += buf.len() as u64;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// MB/s of raw bytes: by the clock, and for each core that works (on a machine that others use, the clock lies).
struct Rate {
    wall: f64,
    cpu: f64,
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0} MB/s ({:.0} a core)", self.wall, self.cpu)
    }
}

struct Clock {
    wall: Instant,
    cpu: f64,
}

impl Clock {
    fn start() -> Clock {
        Clock { wall: Instant::now(), cpu: cpu_seconds() }
    }

    fn rate(&self, bytes: u64) -> Rate {
        let megabytes = bytes as f64 / 1e6;
        Rate { wall: megabytes / self.wall.elapsed().as_secs_f64(), cpu: megabytes / (cpu_seconds() - self.cpu) }
    }
}

/// What this process has used, in ticks of a hundredth; Linux only, elsewhere 0.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks = after_name.split(' ').skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}
