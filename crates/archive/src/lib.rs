//! A backup at rest, as bytes. Nothing here opens a file, asks the clock or rolls dice: readers, writers, times and
//! random bytes come from the caller.
//!
//! One group of a backup is an *archive*: [`ArchiveWriter`] turns key-values into frames, gzip members, AES-CTR and
//! digests, [`ArchiveReader`] turns them back. A [`Manifest`] (or a [`DgraphManifest`]) names the archives of one
//! [`Backup`], a [`Series`] is a full backup with its incrementals, proved whole. `FORMAT.md` describes every byte.

mod error;

mod frame;
mod ordered;

mod gzip;
mod snappy;

mod decompress;

mod cipher;
mod digest;

mod reader;
mod writer;

mod names;

mod dialect;
mod manifest;

mod backup;
mod series;

pub use backup::{Backup, GroupArchive, Origin};
pub use cipher::{CipherReader, CipherWriter, EncryptionKey, IV_BYTES, InvalidKey, Iv, KeyCheck};
pub use decompress::Compression;
pub use dialect::{Compat, Dialect, Naming, Tagged, WrittenSchema};
pub use digest::{DigestReader, DigestWriter, Mac, Sha256Digest, StoredDigest};
pub use error::Error;
pub use frame::{Entry, EntryValue, FRAME_BYTES, FrameReader, FrameWriter, KeyValue, MAX_FRAME_BYTES, user_meta};
pub use gzip::{BLOCK_BYTES, BLOCKS_PER_WORKER, GzipLevel, GzipReader, GzipWriter, MAX_WORKERS, default_workers};
pub use manifest::{
    DgraphManifest, DgraphManifestError, FORMAT_VERSION, GroupBackup, MANIFEST_FILE, MASTER_MANIFEST,
    MAX_MANIFEST_BYTES, Manifest, ManifestError, SealedManifest, bare_field,
};
pub use names::{BackupFolder, InvalidFolder, backup_id};
pub use reader::{ArchiveReader, check_stored};
pub use series::{Series, SeriesError, choose, choose_from, latest, link};
pub use writer::{ArchiveOptions, ArchiveWriter, StoredObject};
