//! Removing what writers that died have left: uploads in parts that were never completed, and claims.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use graphdb_types::ObjectName;
use percent_encoding::percent_decode_str;

use super::client::{PendingUpload, UploadMarker};
use super::listing;
use super::place::Place;
use super::refusal::{Class, Refusal};
use super::requests::Operation;
use crate::Result;
use crate::names::{is_claim, is_name_of_backup};

/// Aborts uploads to names of backups, and removes claims, both only below our folder. A store that does not know how to list uploads has
/// none swept.
pub(super) async fn sweep(place: &Arc<Place>, older_than: Duration) -> Result<Vec<String>> {
    let op = Operation::on_all(place, "sweep");
    let mut swept = sweep_uploads(&op, older_than).await?;
    swept.extend(sweep_claims(&op, older_than).await?);
    Ok(swept)
}

async fn sweep_uploads(op: &Operation, older_than: Duration) -> Result<Vec<String>> {
    let mut swept = Vec::new();
    for upload in pending_uploads(op).await? {
        let Some((key, name)) = our_upload(op, &upload.key) else { continue };
        if !is_older(upload.begun_at, older_than) {
            continue;
        }
        op.abort_multipart(&key, &upload.upload_id).await.map_err(|refusal| op.refused(refusal))?;
        swept.push(format!("{name} (upload {})", upload.upload_id));
    }
    Ok(swept)
}

/// The key and name of an upload, if it is to a name of a backup. Ceph percent-encodes keys in this listing without saying so.
fn our_upload(op: &Operation, key: &str) -> Option<(String, ObjectName)> {
    let decoded = percent_decode_str(key).decode_utf8().ok();
    [Some(key), decoded.as_deref()].into_iter().flatten().find_map(|key| {
        let name = op.place.name_of(key).filter(is_name_of_backup)?;
        Some((key.to_owned(), name))
    })
}

async fn pending_uploads(op: &Operation) -> Result<Vec<PendingUpload>> {
    let (prefix, mut uploads) = (op.place.prefix(""), Vec::new());
    let mut after: Option<UploadMarker> = None;
    let mut seen = HashSet::new();
    loop {
        let page = match op.list_multipart(&prefix, after.as_ref()).await {
            Ok(page) => page,
            Err(refusal) if refusal.class == Class::Unsupported => {
                tracing::info!(location = %op.place.location, %refusal, "the store does not list uploads, so none are swept");
                return Ok(Vec::new());
            }
            Err(refusal) => return Err(op.refused(refusal)),
        };
        uploads.extend(page.uploads);
        let Some(next) = page.next else { return Ok(uploads) };
        let marker = (next.key.clone(), next.upload_id.clone());
        if !seen.insert(marker) || seen.len() > op.place.options.listed_pages {
            return Err(op.refused(Refusal::nonsense("its list of uploads goes in circles")));
        }
        after = Some(next);
    }
}

async fn sweep_claims(op: &Operation, older_than: Duration) -> Result<Vec<String>> {
    let mut swept = Vec::new();
    for listed in listing::all(op, &op.place.prefix("")).await? {
        let Some(name) = op.place.name_of(&listed.key).filter(|name| is_claim(name.file_name())) else { continue };
        if is_older(listed.modified_at, older_than) {
            op.delete(&listed.key).await.answer.map_err(|refusal| op.refused(refusal))?;
            swept.push(name.to_string());
        }
    }
    Ok(swept)
}

/// By our clock and the store's; a time to come counts as now.
fn is_older(at: SystemTime, age: Duration) -> bool {
    SystemTime::now().duration_since(at).unwrap_or_default() >= age
}
