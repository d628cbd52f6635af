//! The last step of a backup: the manifest. Until it is written, nothing has happened.

use std::collections::BTreeSet;

use bytes::Bytes;
use graphdb_archive::{BackupFolder, MAX_MANIFEST_BYTES, SealedManifest};
use graphdb_destination::{self as destination, Destination, Put};

use crate::catalogue::list_folders;
use crate::error::{Error, Result, denied};

/// Why the manifest was not written.
pub(crate) struct NotCommitted {
    pub(crate) err: Error,
    /// Whether the manifest is known not to exist, now and later. If not, what it names must stay.
    pub(crate) certain: bool,
}

/// Writes the manifest in one atomic step that fails if anybody took the place. When the answer is lost, the destination is asked again: a
/// manifest that can be read is committed.
pub(crate) async fn commit(destination: &dyn Destination, manifest: &SealedManifest) -> Result<(), NotCommitted> {
    let name = manifest.folder().manifest();
    let written = destination.put(&name, Bytes::copy_from_slice(manifest.bytes()), Put::Create).await;
    if let Err(err) = written {
        match destination.get(&name, MAX_MANIFEST_BYTES as u64).await {
            Ok(found) if found == manifest.bytes() => {
                tracing::warn!(%err, manifest = %name, "writing the manifest failed, and yet it is there");
            }
            found => return Err(not_committed(destination, manifest, err, found)),
        }
    }
    let summary = manifest.manifest();
    tracing::info!(
        backup_id = %summary.backup_id,
        backup_num = summary.backup_num,
        read_ts = summary.read_ts.0,
        size_bytes = summary.size_bytes(),
        location = %destination.describe(),
        "backup committed"
    );
    Ok(())
}

/// What was not confirmed may still arrive: only a refusal that can be looked at is final.
fn not_committed(
    destination: &dyn Destination,
    manifest: &SealedManifest,
    err: destination::Error,
    found: Result<Bytes, destination::Error>,
) -> NotCommitted {
    let next = match &found {
        Ok(_) => return NotCommitted { err: err.into(), certain: true },
        Err(look) if look.is_not_found() && !err.is_retryable() => {
            return NotCommitted { err: err.into(), certain: true };
        }
        Err(look) if denied(look) => "the location may not be read, so the next backup will be a full one",
        Err(_) => "the next backup will look for it, or be a full one if that is not allowed",
    };
    let (location, folder) = (destination.describe(), manifest.folder().clone());
    NotCommitted { err: Error::Unconfirmed { location, folder, next, source: err.into() }, certain: false }
}

/// Proves, right before the commit, that nobody committed since the plan was made from `planned`. What may not be listed is not asked.
pub(crate) async fn check_unchanged(
    destination: &dyn Destination,
    planned: Option<&BTreeSet<BackupFolder>>,
) -> Result<()> {
    let Some(planned) = planned else { return Ok(()) };
    if list_folders(destination).await?.committed.is_subset(planned) {
        Ok(())
    } else {
        Err(Error::LockLost { location: destination.describe() })
    }
}

/// Whether a commit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Alone in its place, as far as can be seen.
    Alone,
    /// Another backup has the same place in the series.
    Doubled,
    /// Another wrote the same object: this backup does not exist.
    Overwritten,
}

/// Looks, right after the commit, whether another writer got through at the same time. The lock keeps it out; but a process that was
/// stopped between its last look and its commit, or a store whose conditional writes are not, can break every lock. What cannot be seen is
/// taken for well.
pub(crate) async fn standing(
    destination: &dyn Destination,
    ours: &SealedManifest,
    planned: Option<&BTreeSet<BackupFolder>>,
) -> Standing {
    let Some(planned) = planned else { return Standing::Alone };
    look_around(destination, ours, planned).await.unwrap_or_else(|err| {
        tracing::warn!(%err, "the backup is committed; whether another was at the same time could not be seen");
        Standing::Alone
    })
}

async fn look_around(
    destination: &dyn Destination,
    ours: &SealedManifest,
    planned: &BTreeSet<BackupFolder>,
) -> Result<Standing> {
    let place = |sealed: &SealedManifest| (sealed.manifest().backup_id.clone(), sealed.manifest().backup_num);
    let committed = list_folders(destination).await?.committed;
    for folder in committed.into_iter().filter(|folder| !planned.contains(folder)) {
        let bytes = match destination.get(&folder.manifest(), MAX_MANIFEST_BYTES as u64).await {
            Ok(bytes) => bytes,
            // Withdrawn meanwhile; the next one may still be in our place.
            Err(err) if err.is_not_found() => continue,
            Err(err) => {
                tracing::warn!(%err, "whether this backup was taken at the same time could not be seen");
                continue;
            }
        };
        if folder == *ours.folder() {
            if bytes != ours.bytes() {
                return Ok(Standing::Overwritten);
            }
        } else if SealedManifest::parse(folder, bytes.into()).is_ok_and(|other| place(&other) == place(ours)) {
            return Ok(Standing::Doubled);
        }
    }
    Ok(Standing::Alone)
}

/// Takes a commit back that has another in its place. Who looks at the location meanwhile finds a series that cannot be continued.
pub(crate) async fn withdraw(destination: &dyn Destination, ours: &SealedManifest) -> Error {
    let location = destination.describe();
    match destination.delete(&ours.folder().manifest()).await {
        Ok(()) => Error::LockLost { location },
        Err(source) => Error::Doubled {
            location,
            backup_id: ours.manifest().backup_id.clone(),
            backup_num: ours.manifest().backup_num,
            folder: ours.folder().clone(),
            source: source.into(),
        },
    }
}
