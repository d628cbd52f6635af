//! Manifests that are not where they are looked for: the location that was given is beside the one that was meant.

use std::collections::BTreeMap;

use graphdb_archive::MANIFEST_FILE;
use graphdb_types::ObjectName;
use serde::de::IgnoredAny;

use crate::error::Error;

fn has_key(manifest: &[u8], key: &str) -> bool {
    serde_json::from_slice::<BTreeMap<String, IgnoredAny>>(manifest).is_ok_and(|keys| keys.contains_key(key))
}

/// The location is the folder of one backup.
pub(super) fn backup(location: &str, manifest: &[u8]) -> Option<Error> {
    let advice = "it is the folder of one backup, not a place of backups: name the directory above it".into();
    has_key(manifest, "backup_id").then(|| Error::Misplaced { location: location.to_owned(), advice })
}

/// A folder of the location is a location of Dgraph's.
pub(super) fn list(location: &str, folder: &ObjectName, manifest: &[u8]) -> Option<Error> {
    let advice =
        || format!("{folder} in it has a list of Dgraph's backups, and so is a place of its own: name {folder}");
    has_key(manifest, "Manifests").then(|| Error::Misplaced { location: location.to_owned(), advice: advice() })
}

/// Whether it is a manifest that no backup of this location can have: backups lie at its top.
pub(super) fn is_deeper(name: &ObjectName) -> bool {
    name.segments().count() > 2 && name.segments().last() == Some(MANIFEST_FILE)
}

/// Nothing but manifests further down.
pub(super) fn deeper(location: &str, manifest: &ObjectName) -> Error {
    let segments: Vec<&str> = manifest.segments().collect();
    let place = segments[..segments.len().saturating_sub(2)].join("/");
    let advice = format!("no backups found, but there is {manifest} further down: name {place} in it");
    Error::Misplaced { location: location.to_owned(), advice }
}
