use bytes::Bytes;
use futures::Stream;
use futures::stream::{BoxStream, StreamExt};
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::Result;
use crate::error::Attempt;

/// The bytes of an object, in chunks of the destination's choosing, none of them empty.
///
/// Ends with `None` only when every byte was delivered: an object that turns out shorter than its size is an error.
pub struct ByteStream {
    chunks: BoxStream<'static, Result<Bytes>>,
    size_bytes: u64,
    delivered_bytes: u64,
    over: bool,
    attempt: Attempt,
}

impl ByteStream {
    /// Delivers `chunks`, which must add up to `size_bytes`.
    pub(crate) fn new(
        attempt: Attempt,
        size_bytes: u64,
        chunks: impl Stream<Item = Result<Bytes>> + Send + 'static,
    ) -> ByteStream {
        ByteStream { chunks: chunks.boxed(), size_bytes, delivered_bytes: 0, over: false, attempt }
    }

    /// Wraps the chunks of `self`, keeping what is known about the object.
    pub(crate) fn map_chunks<S>(self, wrap: impl FnOnce(BoxStream<'static, Result<Bytes>>) -> S) -> ByteStream
    where
        S: Stream<Item = Result<Bytes>> + Send + 'static,
    {
        ByteStream { chunks: wrap(self.chunks).boxed(), ..self }
    }

    /// The size of the whole object, when the destination told.
    pub fn size_bytes(&self) -> Option<u64> {
        Some(self.size_bytes)
    }

    /// The next chunk, or `None` after the last byte. After an error, `None`.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        self.next().await.transpose()
    }

    fn check_end(&self) -> Option<Result<Bytes>> {
        if self.delivered_bytes == self.size_bytes {
            return None;
        }
        let why = format!("it ended after {} of {} bytes", self.delivered_bytes, self.size_bytes);
        Some(Err(self.attempt.unavailable(io::Error::new(io::ErrorKind::UnexpectedEof, why))))
    }
}

impl Stream for ByteStream {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let next = std::task::ready!(self.chunks.poll_next_unpin(cx));
        self.over = !matches!(next, Some(Ok(_)));
        Poll::Ready(match next {
            Some(Ok(chunk)) => {
                self.delivered_bytes += chunk.len() as u64;
                Some(Ok(chunk))
            }
            Some(Err(err)) => Some(Err(err)),
            None => self.check_end(),
        })
    }
}

impl fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteStream")
            .field("object", &self.attempt.name)
            .field("size_bytes", &self.size_bytes)
            .field("delivered_bytes", &self.delivered_bytes)
            .finish()
    }
}
