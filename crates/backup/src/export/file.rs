//! One file of an export: text that is compressed on its way to a disk or an upload.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use graphdb_archive::{GzipLevel, GzipWriter};

use crate::error::{Error, Result};
use crate::upload::ChunkSink;

/// Where the bytes of a file go.
pub(super) enum Sink {
    Disk(BufWriter<File>),
    Upload(ChunkSink),
}

/// Text on its way into a gzip file.
pub(super) struct TextFile {
    name: String,
    gzip: GzipWriter<Counted>,
}

impl TextFile {
    /// Compresses with `workers` threads, or with 0 on the caller's. `size_bytes` is told how large the file becomes.
    pub(super) fn new(name: String, sink: Sink, size_bytes: Arc<AtomicU64>, workers: usize) -> TextFile {
        TextFile { name, gzip: GzipWriter::new(Counted { sink, size_bytes }, GzipLevel::default(), workers) }
    }

    /// Appends text. Blocks.
    pub(super) fn write(&mut self, text: &[u8]) -> Result<()> {
        self.gzip.write_all(text).map_err(Error::io("write", &self.name))
    }

    /// Writes what is left; what went to a disk is then durable. Blocks.
    pub(super) fn finish(self) -> Result<()> {
        let Counted { sink, .. } = self.gzip.finish().map_err(Error::io("write", &self.name))?;
        sink.finish().map_err(Error::io("write", &self.name))
    }
}

impl Sink {
    fn finish(self) -> io::Result<()> {
        match self {
            Sink::Disk(file) => file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all(),
            Sink::Upload(mut chunks) => chunks.flush(),
        }
    }
}

struct Counted {
    sink: Sink,
    size_bytes: Arc<AtomicU64>,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.sink {
            Sink::Disk(file) => file.write(bytes)?,
            Sink::Upload(chunks) => chunks.write(bytes)?,
        };
        self.size_bytes.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
