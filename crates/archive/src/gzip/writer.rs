use std::fmt;
use std::io::{self, Write};
use std::mem;

use libdeflater::{CompressionLvl, Compressor};

use super::member::{self, END_MEMBER};
use super::{BLOCK_BYTES, GzipLevel, in_flight};
use crate::ordered::Ordered;

/// Compresses what is written in blocks, on several threads, and hands the members to `out` in order.
///
/// `out` is written from the caller's thread only. A full pipeline makes `write` wait: memory is bounded by the blocks in
/// flight. Without [`GzipWriter::finish`] the end member is missing and our reader refuses the rest.
pub struct GzipWriter<W: Write> {
    out: W,
    block: Vec<u8>,
    pool: Ordered<Block>,
    spare: Vec<Block>,
}

/// A block on its way: the raw bytes and the member that holds them.
#[derive(Default)]
struct Block {
    raw: Vec<u8>,
    member: Vec<u8>,
}

impl<W: Write> GzipWriter<W> {
    /// Starts `workers` threads (see [`super::default_workers`]); with 0 the caller's thread compresses.
    pub fn new(out: W, level: GzipLevel, workers: usize) -> GzipWriter<W> {
        let level = CompressionLvl::new(i32::from(level.get())).expect("libdeflate knows levels 1 to 12");
        let pool = Ordered::new(workers.min(super::MAX_WORKERS), in_flight(workers), || {
            let mut compressor = Compressor::new(level);
            move |mut block: Block| {
                member::compress(&mut compressor, &block.raw, &mut block.member);
                block
            }
        });
        GzipWriter { out, block: Vec::with_capacity(BLOCK_BYTES), pool, spare: Vec::new() }
    }

    /// Compresses what is left, writes the end member and gives `out` back, not flushed.
    pub fn finish(mut self) -> io::Result<W> {
        if !self.block.is_empty() {
            self.submit_block()?;
        }
        while self.write_oldest()? {}
        self.out.write_all(&END_MEMBER)?;
        Ok(self.out)
    }

    fn submit_block(&mut self) -> io::Result<()> {
        if self.pool.is_full() {
            self.write_oldest()?;
        }
        let mut block = self.spare.pop().unwrap_or_default();
        block.raw.clear();
        block.raw.reserve_exact(BLOCK_BYTES);
        mem::swap(&mut block.raw, &mut self.block);
        self.pool.submit(block)
    }

    fn write_oldest(&mut self) -> io::Result<bool> {
        let Some(block) = self.pool.next()? else { return Ok(false) };
        self.out.write_all(&block.member)?;
        self.spare.push(block);
        Ok(true)
    }
}

impl<W: Write> Write for GzipWriter<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let taken = buf.len().min(BLOCK_BYTES - self.block.len());
        self.block.extend_from_slice(&buf[..taken]);
        if self.block.len() == BLOCK_BYTES {
            self.submit_block()?;
        }
        Ok(taken)
    }

    /// Does nothing: a block that was cut early would compress worse. [`GzipWriter::finish`] writes everything.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W: Write + fmt::Debug> fmt::Debug for GzipWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GzipWriter").field("out", &self.out).finish_non_exhaustive()
    }
}
