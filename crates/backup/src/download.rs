//! From an asynchronous destination to a blocking reader.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use graphdb_destination::Destination;
use graphdb_types::ObjectName;
use tokio::sync::mpsc;

use crate::error::Result;

/// Chunks of 1 MiB that may wait for their readers, over all objects that are read at once: a slow merge slows the downloads.
const CHUNKS_IN_FLIGHT: usize = 16;

/// Reads one object on a blocking thread while it is being downloaded.
#[derive(Debug)]
pub(crate) struct ObjectReader {
    chunk: Bytes,
    chunks: mpsc::Receiver<io::Result<Bytes>>,
}

impl ObjectReader {
    /// Starts the download; must be called within a runtime. `readers` is how many are open at once: they share the memory.
    pub(crate) async fn open(
        destination: Arc<dyn Destination>,
        name: &ObjectName,
        readers: usize,
    ) -> Result<ObjectReader> {
        let mut stream = destination.open(name).await?;
        let (out, chunks) = mpsc::channel((CHUNKS_IN_FLIGHT / readers.max(1)).max(1));
        tokio::spawn(async move {
            loop {
                let next = match stream.next_chunk().await {
                    Ok(Some(chunk)) => Ok(chunk),
                    Ok(None) => break,
                    Err(err) => Err(io::Error::other(err)),
                };
                let failed = next.is_err();
                if out.send(next).await.is_err() || failed {
                    break;
                }
            }
        });
        Ok(ObjectReader { chunk: Bytes::new(), chunks })
    }
}

impl Read for ObjectReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.chunks.blocking_recv() {
                Some(chunk) => self.chunk = chunk?,
                // The download ends its channel only after the last chunk or an error; a short object fails its digest.
                None => return Ok(0),
            }
        }
        let len = out.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut out[..len]);
        Ok(len)
    }
}
