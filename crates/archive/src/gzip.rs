//! Gzip (RFC 1952) as many members: each block of [`BLOCK_BYTES`] becomes one whole member on its own core.
//!
//! Any gzip reader reads the concatenation. Ours splits it again, because every member carries its own length in a
//! header subfield (`GD`), and an empty member says that nothing was cut off.

mod member;
mod reader;
mod writer;

#[cfg(test)]
mod tests;

use std::io::{self, Read};
use std::num::NonZero;
use std::thread;

pub use reader::GzipReader;
pub use writer::GzipWriter;

/// Bytes of frames in one gzip member. libdeflate wants whole blocks; at 1 MiB a larger one no longer compresses better.
pub const BLOCK_BYTES: usize = 1 << 20;

/// Blocks in flight for each worker: one that it works on, one that waits, one that is being written or read. A writer or
/// reader so holds at most `workers × BLOCKS_PER_WORKER × 2 × BLOCK_BYTES`, and a little: 12 MiB on two cores.
pub const BLOCKS_PER_WORKER: usize = 3;

/// The most threads one writer or reader starts: 16 compress 1.5 GB/s, more than a destination takes, in 96 MiB.
pub const MAX_WORKERS: usize = 16;

/// One worker for each core, at most [`MAX_WORKERS`].
pub fn default_workers() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(MAX_WORKERS)
}

/// How hard libdeflate tries: 1 (fast) to 12 (small).
///
/// The default is 2, because gzip is the bottleneck of a backup. On frames of a film graph, one core does 320, 260, 240
/// and 131 MB/s at levels 1, 2, 3 and 6, at ratios of 2.80, 2.84, 2.85 and 2.90; on made-up postings 228, 152 and 98 MB/s
/// at 1, 3 and 6, at 2.69, 2.72 and 2.81. So 6 costs twice the time for 2 to 3 % of size, 3 hardly differs from 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GzipLevel(u8);

impl GzipLevel {
    /// `None` unless `level` is 1 to 12.
    pub fn new(level: u8) -> Option<GzipLevel> {
        (1..=12).contains(&level).then_some(GzipLevel(level))
    }

    /// The number.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl Default for GzipLevel {
    fn default() -> GzipLevel {
        GzipLevel(2)
    }
}

fn in_flight(workers: usize) -> usize {
    workers.min(MAX_WORKERS) * BLOCKS_PER_WORKER
}

/// Fills `buf` as far as the stream goes; less than its length means the end.
pub(crate) fn read_full(input: &mut impl Read, buf: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buf.len() {
        match input.read(&mut buf[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) => return Err(err),
        }
    }
    Ok(filled)
}
