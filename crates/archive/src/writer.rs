use std::io::Write;

use graphdb_types::{BackupKey, Schema};

use crate::digest::DigestWriter;
use crate::{
    CipherWriter, EncryptionKey, Error, FrameWriter, GzipLevel, GzipWriter, Iv, KeyValue, Mac, Sha256Digest,
    StoredDigest, WrittenSchema, default_workers, user_meta,
};

/// The version of schema and type entries: they are read at the backup's `read_ts`, whatever it says.
const SCHEMA_VERSION: u64 = 1;

/// How an archive is compressed.
#[derive(Clone, Copy, Debug)]
pub struct ArchiveOptions {
    /// How hard.
    pub level: GzipLevel,
    /// On how many threads; 0 compresses on the thread that pushes.
    pub workers: usize,
}

impl Default for ArchiveOptions {
    /// The default level, one worker for each core.
    fn default() -> ArchiveOptions {
        ArchiveOptions { level: GzipLevel::default(), workers: default_workers() }
    }
}

/// What a manifest records of one finished archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredObject {
    /// Bytes as stored, the IV included.
    pub size_bytes: u64,
    /// Bytes of frames before compression.
    pub raw_bytes: u64,
    /// Key-values, schema and types included.
    pub entries: u64,
    /// Of the stored bytes.
    pub sha256: Sha256Digest,
    /// Of the SHA-256, when encrypted.
    pub hmac: Option<Mac>,
}

impl StoredObject {
    pub(crate) fn new(stored: StoredDigest, key: Option<&EncryptionKey>, raw_bytes: u64, entries: u64) -> StoredObject {
        let StoredDigest { size_bytes, sha256 } = stored;
        StoredObject { size_bytes, raw_bytes, entries, sha256, hmac: key.map(|key| key.object_mac(&sha256)) }
    }
}

/// Writes one archive: frames → gzip (RFC 1952) → AES-CTR (NIST SP 800-38A) → digests → `out`.
///
/// One thread pushes; compression runs on the workers meanwhile. Push posting lists in the order of
/// [`graphdb_types::Key::to_stored`]: that is what makes restore a merge instead of a sort.
#[derive(Debug)]
pub struct ArchiveWriter<W: Write> {
    frames: FrameWriter<GzipWriter<CipherWriter<DigestWriter<W>>>>,
    entry_key: Vec<u8>, // reused between entries
    encryption_key: Option<EncryptionKey>,
}

impl<W: Write> ArchiveWriter<W> {
    /// Starts an archive, an encrypted one by writing the IV in clear. Use each (key, IV) once.
    pub fn start(
        out: W,
        encryption: Option<(&EncryptionKey, Iv)>,
        options: ArchiveOptions,
    ) -> Result<ArchiveWriter<W>, Error> {
        let digest = DigestWriter::new(out);
        let cipher = CipherWriter::new(digest, encryption)?;
        let gzip = GzipWriter::new(cipher, options.level, options.workers);
        let encryption_key = encryption.map(|(key, _)| key.clone());
        Ok(ArchiveWriter { frames: FrameWriter::new(gzip), entry_key: Vec::new(), encryption_key })
    }

    /// Appends a key-value as it stands in a backup; `kv.key` is a serialised `BackupKey`.
    pub fn push(&mut self, kv: KeyValue<'_>) -> Result<(), Error> {
        self.frames.push(kv)
    }

    /// As [`ArchiveWriter::push`], for a key that `put_key` appends to a buffer: nothing is allocated.
    pub fn push_with(
        &mut self,
        put_key: impl FnOnce(&mut Vec<u8>),
        value: &[u8],
        user_meta: u8,
        version: u64,
    ) -> Result<(), Error> {
        self.entry_key.clear();
        put_key(&mut self.entry_key);
        self.frames.push(KeyValue { key: &self.entry_key, value, user_meta, version })
    }

    /// Appends a posting list: `list` is a serialised `BackupPostingList`, and an empty one is the mark of an emptied list.
    pub fn push_list(&mut self, key: &BackupKey, list: &[u8], version: u64) -> Result<(), Error> {
        let meta = if list.is_empty() { user_meta::EMPTY } else { user_meta::COMPLETE };
        self.push_with(|out| key.put_wire(out), list, meta, version)
    }

    /// Bytes of frames so far, for progress.
    pub fn raw_bytes(&self) -> u64 {
        self.frames.raw_bytes()
    }

    /// Key-values so far, for progress.
    pub fn entries(&self) -> u64 {
        self.frames.entries()
    }

    /// As [`ArchiveWriter::finish_with`] for a schema in the root namespace that Dgraph can take over as it is.
    pub fn finish(self, schema: &Schema) -> Result<(W, StoredObject), Error> {
        self.finish_with(&WrittenSchema { schema: schema.clone(), ..WrittenSchema::default() })
    }

    /// Appends a frame with the schema of this group's predicates and one with all types, closes every layer, and returns
    /// what the manifest records. Consumes `self`, so an archive that was not finished cannot be mistaken for one that
    /// was: it lacks the end member, and nobody has its digests.
    pub fn finish_with(mut self, definitions: &WrittenSchema) -> Result<(W, StoredObject), Error> {
        self.frames.end_open_frame()?;
        self.push_definitions(definitions)?;
        let (entries, raw_bytes) = (self.frames.entries(), self.frames.raw_bytes());
        let cipher = self.frames.finish()?.finish()?;
        let (mut out, stored) = cipher.into_inner().finish();
        out.flush()?;
        Ok((out, StoredObject::new(stored, self.encryption_key.as_ref(), raw_bytes, entries)))
    }

    fn push_definitions(&mut self, definitions: &WrittenSchema) -> Result<(), Error> {
        for (predicate, wire) in definitions.predicates() {
            self.push_definition(&BackupKey::Schema(predicate.clone()), &wire)?;
        }
        self.frames.end_frame()?;
        for (name, wire) in definitions.types() {
            self.push_definition(&BackupKey::Type(name.clone()), &wire)?;
        }
        self.frames.end_frame()
    }

    fn push_definition(&mut self, key: &BackupKey, value: &[u8]) -> Result<(), Error> {
        self.push_with(|out| key.put_wire(out), value, user_meta::SCHEMA, SCHEMA_VERSION)
    }
}
