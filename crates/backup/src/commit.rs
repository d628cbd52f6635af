//! The last step of a backup: the manifest. Until it is written, nothing has happened.

use bytes::Bytes;
use graphdb_archive::{MAX_MANIFEST_BYTES, SealedManifest};
use graphdb_destination::{self as destination, Destination, Put};

use crate::error::Error;

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
            found => {
                // What was not confirmed may still arrive: only a refusal is final.
                let foreign = found.is_ok();
                let absent = matches!(&found, Err(err) if err.is_not_found()) && !err.is_retryable();
                return Err(NotCommitted { err: destination::Error::into(err), certain: foreign || absent });
            }
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
