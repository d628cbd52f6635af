//! From a blocking thread to an asynchronous destination.

use std::io::{self, Write};

use bytes::Bytes;
use graphdb_destination::{Destination, Upload};
use graphdb_types::ObjectName;
use tokio::sync::mpsc;
use tokio::task;

use crate::error::{Error, Result};

/// Bytes handed over at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// Chunks that may wait for the destination: a slow one slows the scan, and memory stays at 8 MiB.
pub(crate) const CHUNKS_IN_FLIGHT: usize = 8;

/// Takes bytes on a blocking thread and hands them to the upload.
#[derive(Debug)]
pub(crate) struct ChunkSink {
    chunk: Vec<u8>,
    chunks: mpsc::Sender<Bytes>,
}

impl ChunkSink {
    /// Writes into the channel of an upload.
    pub(crate) fn new(chunks: mpsc::Sender<Bytes>) -> ChunkSink {
        ChunkSink { chunk: Vec::new(), chunks }
    }
}

impl Write for ChunkSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.chunk.extend_from_slice(bytes);
        if self.chunk.len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 4));
        self.chunks
            .blocking_send(chunk.into())
            .map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the upload ended"))
    }
}

/// Runs `produce` on a blocking thread and streams what it writes to `name`. If either side fails nothing becomes visible.
pub(crate) async fn stream_object<T, F>(destination: &dyn Destination, name: &ObjectName, produce: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce(ChunkSink) -> Result<T> + Send + 'static,
{
    let mut upload = destination.create(name).await?;
    let (chunks, inbox) = mpsc::channel(CHUNKS_IN_FLIGHT);
    let producer = task::spawn_blocking(move || produce(ChunkSink::new(chunks)));
    // `pump` owns the receiver: when it fails, the next write of the producer fails and the scan stops.
    let sent = pump(inbox, &mut *upload).await;
    let produced = producer.await.unwrap_or_else(|panic| Err(panic.into()));
    // A closed channel means "no more bytes", not "all is well": only the producer's word completes the object. And when the
    // destination failed, its error is the cause and the producer's broken pipe the consequence.
    match (sent, produced) {
        (Ok(()), Ok(stored)) => {
            upload.complete().await?;
            Ok(stored)
        }
        (Err(err), _) | (Ok(()), Err(err)) => {
            upload.abort().await;
            Err(err)
        }
    }
}

/// Hands chunks to the upload until their sender is gone.
pub(crate) async fn pump(mut inbox: mpsc::Receiver<Bytes>, upload: &mut dyn Upload) -> Result<()> {
    while let Some(chunk) = inbox.recv().await {
        upload.write(chunk).await.map_err(Error::from)?;
    }
    Ok(())
}
