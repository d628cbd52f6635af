//! One archive, read whole: one thread decrypts and decompresses, another looks at the key-values.

use std::panic;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use graphdb_archive::{
    ArchiveReader, EncryptionKey, Error as ArchiveError, IV_BYTES, KeyValue, StoredObject, check_stored,
    default_workers,
};
use graphdb_destination::Destination;
use graphdb_types::ObjectName;
use tokio::runtime::Handle;
use tokio::task;

use super::entries::{Checker, Facts};
use super::report::{Finding, Findings, Kind, Offset, Scope, Severity};
use crate::download::ObjectReader;
use crate::error::{Error, Result};
use crate::progress::{Progress, Seen};

/// Bytes of key-values that are handed over at once.
const BATCH_BYTES: usize = 1 << 20;

/// One is filled, one is looked at, one waits. A key-value that is longer than a batch is one of its own.
const BATCHES: usize = 3;

/// Archives below this are not worth threads that decompress.
const WORTH_WORKERS_BYTES: u64 = 4 << 20;

/// An archive to read.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) destination: Arc<dyn Destination>,
    pub(super) scope: Scope,
    pub(super) object: ObjectName,
    pub(super) size_bytes: u64,
    /// What it is to be checked against, of ours.
    pub(super) stored: Option<StoredObject>,
    /// Present if and only if it is encrypted.
    pub(super) key: Option<Arc<EncryptionKey>>,
    pub(super) facts: Facts,
}

/// What reading an archive gives.
#[derive(Debug)]
pub(super) struct ReadObject {
    pub(super) findings: Findings,
    /// What it holds, if it was read to its end.
    pub(super) found: Option<StoredObject>,
    /// It is encrypted, and begins with nothing that an archive begins with.
    pub(super) is_foreign: bool,
}

/// Reads an archive and looks at all of it. Damage is a finding.
///
/// # Errors
/// That the work was cancelled, and broken invariants.
pub(super) async fn read(job: Job, progress: &Progress) -> Result<ReadObject> {
    let (progress, runtime) = (progress.clone(), Handle::current());
    task::spawn_blocking(move || job.run(&runtime, &progress)).await?
}

impl Job {
    fn run(&self, runtime: &Handle, progress: &Progress) -> Result<ReadObject> {
        let mut checker = Checker::new(self.scope.clone(), self.facts.clone());
        let read = self.read_entries(runtime, progress, &mut checker)?;
        let mut findings = checker.finish(read.is_ok());
        let is_foreign = self.key.is_some() && matches!(read, Err(ArchiveError::Unknown));
        let found = match read {
            Ok(found) => {
                findings.extend(self.differences(&found));
                Some(found)
            }
            Err(err) => {
                let is_unread = matches!(err, ArchiveError::Io(_));
                findings.push(self.damage(&err));
                if let (false, Some(stored)) = (is_unread, &self.stored) {
                    findings.extend(self.check_stored(runtime, stored));
                }
                None
            }
        };
        Ok(ReadObject { findings, found, is_foreign })
    }

    /// Hands every key-value to `checker`. The inner result is what reading came to.
    fn read_entries(
        &self,
        runtime: &Handle,
        progress: &Progress,
        checker: &mut Checker,
    ) -> Result<Result<StoredObject, ArchiveError>> {
        let reader = match runtime.block_on(self.open()) {
            Ok(reader) => reader,
            Err(err) => return Ok(Err(err)),
        };
        thread::scope(|scope| {
            let (full, filled) = sync_channel(BATCHES);
            let (spare, emptied) = sync_channel(BATCHES);
            for _ in 1..BATCHES {
                _ = spare.send(Batch::default());
            }
            let producer = scope.spawn(move || self.produce(reader, &emptied, &full));
            let consumed = consume(filled, &spare, progress, checker);
            // Whoever waits for a batch has to see that nobody wants it any more.
            drop(spare);
            let produced = producer.join().unwrap_or_else(|panic| panic::resume_unwind(panic));
            consumed.map(|()| produced)
        })
    }

    async fn open(&self) -> Result<ObjectReader, ArchiveError> {
        ObjectReader::open(Arc::clone(&self.destination), &self.object, 1)
            .await
            .map_err(|err| ArchiveError::Io(std::io::Error::other(err)))
    }

    /// Fills batches until the archive ends.
    fn produce(
        &self,
        reader: ObjectReader,
        emptied: &Receiver<Batch>,
        full: &SyncSender<Batch>,
    ) -> Result<StoredObject, ArchiveError> {
        let workers = if self.size_bytes >= WORTH_WORKERS_BYTES { default_workers() } else { 0 };
        let mut reader = ArchiveReader::open(reader, self.key.as_deref(), workers)?;
        let mut batch = Batch::default();
        while reader.advance().inspect_err(|_| _ = full.send(std::mem::take(&mut batch)))? {
            let kv = reader.current().expect("the reader advanced");
            if !batch.has_room(&kv) {
                // Nobody looks any more: the work was cancelled.
                let Ok(next) = emptied.recv() else { return Err(ArchiveError::Broken) };
                _ = full.send(std::mem::replace(&mut batch, next));
            }
            batch.push(reader.offset(), &kv);
        }
        _ = full.send(batch);
        reader.finish()
    }

    /// What ended the reading, as a finding.
    fn damage(&self, err: &ArchiveError) -> Finding {
        let offset = match err {
            ArchiveError::Truncated { offset }
            | ArchiveError::Gzip { offset, .. }
            | ArchiveError::Snappy { offset, .. } => Some(Offset::Stored(self.stored_offset(*offset))),
            ArchiveError::Frame { offset, .. } => Some(Offset::Frames(*offset)),
            _ => None,
        };
        let mut finding = match err {
            ArchiveError::Io(source) => {
                let cause = std::error::Error::source(source).map_or_else(|| source.to_string(), ToString::to_string);
                self.scope.error(Kind::Unread, format!("it could not be read: {cause}"))
            }
            ArchiveError::Unknown => self.scope.error(Kind::Archive, err.to_string()),
            _ => self.scope.error(Kind::Archive, format!("{err}; what follows in it was not looked at")),
        };
        finding.offset = offset;
        finding
    }

    /// Archive errors count without the IV that stands before encrypted bytes.
    fn stored_offset(&self, offset: u64) -> u64 {
        let iv = if self.key.is_some() { IV_BYTES as u64 } else { 0 };
        (offset + iv).min(self.size_bytes)
    }

    /// Whether the stored bytes are those that were written, asked when they could not be read to their end.
    fn check_stored(&self, runtime: &Handle, stored: &StoredObject) -> Option<Finding> {
        let reader = runtime.block_on(self.open()).ok()?;
        match check_stored(reader, self.key.as_deref(), stored) {
            Ok(()) => Some(self.scope.finding(
                Severity::Note,
                Kind::Digest,
                "its SHA-256 is that of its manifest: it was written with this damage",
            )),
            Err(ArchiveError::Io(_)) => None,
            Err(err) => Some(self.scope.error(Kind::Digest, err.to_string())),
        }
    }

    fn differences(&self, found: &StoredObject) -> Vec<Finding> {
        let Some(stored) = &self.stored else { return Vec::new() };
        let mut differences = Vec::new();
        if found.sha256 != stored.sha256 {
            let err = ArchiveError::Digest { expected: stored.sha256, found: found.sha256 };
            differences.push(self.scope.error(Kind::Digest, err.to_string()));
        } else if found.hmac != stored.hmac {
            let err = ArchiveError::Mac { expected: stored.hmac, found: found.hmac };
            differences.push(self.scope.error(Kind::Digest, err.to_string()));
        }
        let counts =
            [("entries", stored.entries, found.entries), ("bytes of frames", stored.raw_bytes, found.raw_bytes)];
        for (what, expected, found) in counts.into_iter().filter(|(_, expected, found)| expected != found) {
            let err = ArchiveError::Content { what, expected, found };
            differences.push(self.scope.error(Kind::Content, err.to_string()));
        }
        differences
    }
}

/// Looks at batches until there are no more.
fn consume(
    filled: Receiver<Batch>,
    spare: &SyncSender<Batch>,
    progress: &Progress,
    checker: &mut Checker,
) -> Result<(), Error> {
    let mut seen = Seen::default();
    for mut batch in filled {
        for (offset, kv) in batch.entries() {
            checker.take(offset, &kv);
            seen.count(kv.key.len() + kv.value.len(), progress)?;
        }
        batch.clear();
        // The producer ends before it takes all of them back.
        _ = spare.try_send(batch);
    }
    seen.report(progress);
    Ok(())
}

/// Key-values in one buffer.
#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    offset: u64,
    version: u64,
    key_len: usize,
    value_len: usize,
    user_meta: u8,
}

impl Batch {
    fn has_room(&self, kv: &KeyValue<'_>) -> bool {
        self.places.is_empty() || self.bytes.len() + kv.key.len() + kv.value.len() <= BATCH_BYTES
    }

    fn push(&mut self, offset: u64, kv: &KeyValue<'_>) {
        let &KeyValue { key, value, user_meta, version } = kv;
        self.bytes.reserve_exact(if self.places.is_empty() { (key.len() + value.len()).max(BATCH_BYTES) } else { 0 });
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        self.places.push(Place { offset, version, key_len: key.len(), value_len: value.len(), user_meta });
    }

    fn entries(&self) -> impl Iterator<Item = (u64, KeyValue<'_>)> {
        let mut rest = &self.bytes[..];
        self.places.iter().map(move |place| {
            let (key, after) = rest.split_at(place.key_len);
            let (value, after) = after.split_at(place.value_len);
            rest = after;
            (place.offset, KeyValue { key, value, user_meta: place.user_meta, version: place.version })
        })
    }

    /// Keeps its memory, unless it was that of a long key-value.
    fn clear(&mut self) {
        self.places.clear();
        self.bytes.clear();
        self.bytes.shrink_to(BATCH_BYTES);
    }
}
