//! The last step of a backup: the manifest. Until it is written, nothing has happened.

use bytes::Bytes;
use graphdb_archive::SealedManifest;
use graphdb_destination::{Destination, Put};

use crate::error::Result;
use crate::lock::LocationLock;

/// Writes the manifest in one atomic step that fails if anybody took the place.
pub(crate) async fn commit(
    destination: &dyn Destination,
    lock: &LocationLock,
    manifest: &SealedManifest,
) -> Result<()> {
    lock.check().await?;
    let name = manifest.folder().manifest();
    destination.put(&name, Bytes::copy_from_slice(manifest.bytes()), Put::Create).await?;
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
