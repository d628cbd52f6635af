//! Reading an object by ranges: several at once, each taken up again where it was cut, all of the same object.

use std::collections::VecDeque;
use std::sync::Arc;
use std::vec;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use graphdb_types::ObjectName;
use md5::{Digest, Md5};
use tokio::time::{Instant, timeout_at};

use super::client::Fetched;
use super::etag::{hex, is_md5};
use super::place::Place;
use super::refusal::{Answer, Class, Refusal};
use super::requests::{Attempts, Operation};
use super::task::Task;
use crate::{ByteStream, Error, Result};

/// HTTP's status for a range behind the end, also for any range of an empty object.
pub(super) const RANGE_NOT_SATISFIABLE: u16 = 416;

/// Bytes of an object, at least one.
#[derive(Clone, Debug)]
pub(super) struct Range {
    start: u64,
    end: u64,
}

/// The object that is read: later answers must be of the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) size_bytes: u64,
    etag: Option<String>,
}

/// Opens an object. One that fits in a single range is read and verified at once, again from the start if it was replaced meanwhile; so a
/// reader of a lease meets the old one or the new one. Of an object with more than `limit_bytes` nothing is read.
pub(super) async fn open(place: &Arc<Place>, name: &ObjectName, limit_bytes: u64) -> Result<ByteStream> {
    let op = Arc::new(Operation::on(place, "read", name));
    let key = place.key(&op.attempt, name)?;
    let mut attempts = Attempts::begin();
    loop {
        let first = Range { start: 0, end: place.options.range_bytes };
        let (fetched, object) = match begin(&op, &key, first).await {
            Ok(begun) => begun,
            Err(refusal) if refusal.status == Some(RANGE_NOT_SATISFIABLE) => {
                return open_empty(op, &key, refusal).await;
            }
            Err(refusal) => return Err(op.refused(refusal)),
        };
        let size_bytes = object.size_bytes;
        if size_bytes > limit_bytes {
            let location = place.location.clone();
            return Err(Error::TooLarge { name: name.clone(), location, size_bytes, limit_bytes });
        }
        let mut download = Download::begin(Arc::clone(&op), key.clone(), object, fetched);
        if size_bytes > place.options.range_bytes {
            return Ok(download.into_stream());
        }
        match download.read_whole().await {
            Ok(()) => return Ok(download.into_stream()),
            Err(refusal) if op.may_repeat(&mut attempts, place.options.stall_timeout, &refusal).await => {}
            Err(refusal) => return Err(op.refused(refusal)),
        }
    }
}

/// The answer to a range of an empty object is an error, and so is that to a store's confusion.
async fn open_empty(op: Arc<Operation>, key: &str, refusal: Refusal) -> Result<ByteStream> {
    let head = op.head(key).await.map_err(|refusal| op.refused(refusal))?;
    match head.size_bytes {
        0 => Ok(ByteStream::new(op.attempt.clone(), 0, stream::empty())),
        _ => Err(op.refused(Refusal { class: Class::Corrupt, ..refusal })),
    }
}

/// Asks for the first range, which tells what the object is.
pub(super) async fn begin(op: &Operation, key: &str, range: Range) -> Answer<(Fetched, Object)> {
    let mut attempts = Attempts::begin();
    loop {
        let refusal = match op.get_once(key, range.start..range.end, None).await {
            Ok(fetched) => {
                let object = Object { size_bytes: fetched.object_bytes, etag: fetched.etag.clone() };
                return Ok((fetched, object));
            }
            Err(refusal) => refusal,
        };
        if !op.may_repeat(&mut attempts, op.place.options.stall_timeout, &refusal).await {
            return Err(refusal);
        }
    }
}

/// Reads a range of `object`, if necessary by several requests. `begun` is an answer that is open already.
pub(super) async fn read_range(
    op: &Operation,
    key: &str,
    object: &Object,
    range: Range,
    mut begun: Option<Fetched>,
) -> Answer<Vec<Bytes>> {
    let mut wanted = range.within(object);
    let mut chunks = Vec::new();
    let mut attempts = Attempts::begin();
    while wanted.start < wanted.end {
        let reached = wanted.start;
        let Err(refusal) = read_once(op, key, object, &mut wanted, begun.take(), &mut chunks).await else { break };
        if wanted.start - reached >= op.place.options.stall_bytes {
            attempts = Attempts::begin();
        }
        if !op.may_repeat(&mut attempts, op.place.options.stall_timeout, &refusal).await {
            return Err(refusal);
        }
    }
    Ok(chunks)
}

/// One request for what is still wanted; `wanted` and `chunks` hold what it brought, also when it fails.
async fn read_once(
    op: &Operation,
    key: &str,
    object: &Object,
    wanted: &mut Range,
    begun: Option<Fetched>,
    chunks: &mut Vec<Bytes>,
) -> Answer<()> {
    let fetched = match begun {
        Some(fetched) => fetched,
        None => {
            let asked = op.get_once(key, wanted.start..wanted.end, object.etag.as_deref()).await;
            asked.map_err(|refusal| if refusal.class == Class::Exists { replaced() } else { refusal })?
        }
    };
    object.check(&fetched, wanted)?;
    read_body(op, fetched, wanted, chunks).await
}

/// Reads a body to the end of `wanted`. It must keep up a least rate and bring no byte more.
async fn read_body(op: &Operation, mut fetched: Fetched, wanted: &mut Range, chunks: &mut Vec<Bytes>) -> Answer<()> {
    let options = &op.place.options;
    let (mut until, mut brought) = (Instant::now() + options.stall_timeout, 0);
    loop {
        let next = timeout_at(until, fetched.body.next()).await;
        let chunk = match next {
            Ok(Some(chunk)) => chunk?,
            Ok(None) => break,
            Err(_) if brought >= options.stall_bytes => {
                (until, brought) = (Instant::now() + options.stall_timeout, 0);
                continue;
            }
            Err(_) => {
                let why = format!("{brought} bytes arrived in {} s", options.stall_timeout.as_secs_f32());
                return Err(Refusal::plain(Class::Unavailable, why));
            }
        };
        let bytes = chunk.len() as u64;
        if bytes > wanted.end - wanted.start {
            return Err(Refusal::nonsense("more bytes arrived than were announced"));
        }
        wanted.start += bytes;
        brought += bytes;
        if bytes > 0 {
            chunks.push(chunk);
        }
    }
    match wanted.end - wanted.start {
        0 => Ok(()),
        missing => Err(Refusal::plain(Class::Unavailable, format!("the body ended {missing} bytes early"))),
    }
}

/// Asking for the rest of the old object again is no use.
fn replaced() -> Refusal {
    Refusal::plain(Class::Exists, "the object was replaced while it was being read; read it again".into())
}

impl Range {
    pub(super) fn of(range: std::ops::Range<u64>) -> Option<Range> {
        (!range.is_empty()).then_some(Range { start: range.start, end: range.end })
    }

    fn within(self, object: &Object) -> Range {
        Range { start: self.start, end: self.end.min(object.size_bytes) }
    }
}

impl Object {
    /// Refuses an answer about another object, or about another range of it.
    fn check(&self, fetched: &Fetched, wanted: &Range) -> Answer<()> {
        if fetched.object_bytes != self.size_bytes || fetched.etag != self.etag {
            return Err(replaced());
        }
        match wanted.end - wanted.start {
            bytes if bytes == fetched.announced_bytes => Ok(()),
            bytes => {
                Err(Refusal::nonsense(format!("{} bytes were announced instead of {bytes}", fetched.announced_bytes)))
            }
        }
    }
}

/// An object being read: ranges that are on their way or have arrived, in order, and the chunks of the one that is being delivered.
struct Download {
    op: Arc<Operation>,
    key: String,
    object: Object,
    next_start: u64,
    ranges: VecDeque<Task<Answer<Vec<Bytes>>>>,
    ready: vec::IntoIter<Bytes>,
    digest: Option<Md5>,
}

impl Download {
    fn begin(op: Arc<Operation>, key: String, object: Object, fetched: Fetched) -> Download {
        let is_digest = |etag: &String| is_md5(etag) && !fetched.etag_is_opaque && op.place.options.verify_etags;
        let digest = object.etag.as_ref().filter(|etag| is_digest(etag)).map(|_| Md5::new());
        let ready = Vec::new().into_iter();
        let mut download = Download { op, key, object, next_start: 0, ranges: VecDeque::new(), ready, digest };
        download.begin_range(Some(fetched));
        download
    }

    fn into_stream(self) -> ByteStream {
        let (attempt, size_bytes) = (self.op.attempt.clone(), self.object.size_bytes);
        let chunks =
            stream::unfold(self, |mut download| async { download.next().await.map(|chunk| (chunk, download)) });
        ByteStream::new(attempt, size_bytes, chunks)
    }

    async fn next(&mut self) -> Option<Result<Bytes>> {
        loop {
            if let Some(chunk) = self.ready.next() {
                return Some(Ok(chunk));
            }
            while self.next_start < self.object.size_bytes && self.ranges.len() < self.op.place.options.ranges_in_flight
            {
                self.begin_range(None);
            }
            match self.next_range().await {
                Ok(true) => {}
                Ok(false) => return None,
                Err(refusal) => return Some(Err(self.op.refused(refusal))),
            }
        }
    }

    /// Reads an object that is a single range.
    async fn read_whole(&mut self) -> Answer<()> {
        self.next_range().await?;
        self.check_digest()
    }

    /// Waits for the next range; `false` after the last one.
    async fn next_range(&mut self) -> Answer<bool> {
        let Some(range) = self.ranges.pop_front() else {
            return self.check_digest().map(|()| false);
        };
        let chunks = range.await.map_err(|refusal| match refusal.class {
            // The caller must not take it for a name that is taken.
            Class::Exists => Refusal { class: Class::Corrupt, ..refusal },
            _ => refusal,
        })?;
        for chunk in &chunks {
            self.digest.iter_mut().for_each(|digest| digest.update(chunk));
        }
        self.ready = chunks.into_iter();
        Ok(true)
    }

    fn begin_range(&mut self, begun: Option<Fetched>) {
        let end = self.next_start + self.op.place.options.range_bytes;
        let range = Range { start: self.next_start, end };
        let (op, key, object) = (Arc::clone(&self.op), self.key.clone(), self.object.clone());
        self.ranges.push_back(Task::spawn(async move { read_range(&op, &key, &object, range, begun).await }));
        self.next_start = end;
    }

    /// The ETag of an object that was written at once is its MD5.
    fn check_digest(&mut self) -> Answer<()> {
        let (Some(digest), Some(etag)) = (self.digest.take(), &self.object.etag) else { return Ok(()) };
        let md5 = hex(&digest.finalize());
        match md5.eq_ignore_ascii_case(etag) {
            true => Ok(()),
            false => Err(Refusal::nonsense(format!("its bytes have the MD5 {md5}, and the store's ETag is {etag}"))),
        }
    }
}
