//! Where backup objects live: a directory (also over NFS), a bucket of an object store (S3, MinIO), or memory.
//!
//! A [`Destination`] holds whole, immutable, named objects. It knows names and bytes, and nothing of backups. What the
//! backup engine builds on is this contract, the same for every kind of place:
//!
//! - *Nothing is visible before it is whole.* An object being uploaded has no name until [`Upload::complete`]; a reader
//!   never meets a half-written one, and an upload that is dropped or killed leaves nothing under its name.
//! - *Objects are created once.* `create` and [`Put::Create`] refuse a name that exists with [`Error::Conflict`], and of
//!   any number of writers racing for one name, in any number of processes, exactly one wins.
//! - *Acknowledged is durable.* When a call returns `Ok`, the bytes and the name survive a power cut.
//! - *Absent is an answer, never a guess.* [`Error::NotFound`] means the place was asked and has no such object. Denied,
//!   unreachable or damaged places give their own errors: they must not look like an empty destination.
//! - *Names never lead out.* [`ObjectName`] has no `..`, and a directory refuses symbolic links below its root.
//!
//! A place is named by a [`Location`]: `/backups`, `file:///backups`, `s3:///bucket/folder`, `minio://host:9000/bucket/folder`.
//! [`Locations`] opens them, within a [`Policy`].
//!
//! [`testing`] holds the suite that every kind of destination passes, and a wrapper that injects faults.

mod destination;
mod error;
mod names;
mod stream;

mod credentials;
mod location;
mod locations;
mod policy;

mod bucket;
mod file;
mod memory;
mod minio;
mod s3;

mod probe;

pub mod testing;

pub use bucket::{BucketDestination, BucketOptions};
pub use credentials::{AccessKeys, Credentials, HalfCredentials};
pub use destination::{CreateOnly, Destination, ObjectMeta, Put, Upload};
pub use error::{BoxError, Error, Result};
pub use file::FileDestination;
pub use graphdb_types::{InvalidObjectName, ObjectName};
pub use location::{BucketLocation, BucketScheme, Endpoint, Location};
pub use locations::{LocationOptions, LocationRequest, Locations, ObjectStoreEnvironment};
pub use memory::MemoryDestination;
pub use policy::{Policy, Scheme};
pub use probe::{Ability, Finding, Outcome, ProbeReport};
pub use stream::ByteStream;
