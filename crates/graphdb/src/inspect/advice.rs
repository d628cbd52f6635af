//! What to do about a series that cannot be read whole.

use anyhow::anyhow;
use graphdb_archive::{ManifestError, SeriesError};
use graphdb_backup::Error;

/// The error, with the flags that help behind it.
pub(super) fn with_advice(error: Error) -> anyhow::Error {
    match advice(&error) {
        Some(advice) => anyhow!("{error}; {advice}"),
        None => error.into(),
    }
}

fn advice(error: &Error) -> Option<String> {
    match error {
        Error::DamagedObject { .. } => Some("--groups looks into the groups whose objects are whole".into()),
        Error::Series { source: SeriesError::Missing { backup_num, .. }, .. } => Some(around(*backup_num)),
        Error::Manifest(error) if matches!(**error, ManifestError::KeyMissing { .. }) => {
            Some("name it with --encryption-key-file, or Vault with --vault-addr and its like".into())
        }
        _ => None,
    }
}

/// How to look at a series without the backup that is missing.
fn around(missing: u64) -> String {
    let later = format!("--incremental-from {} looks into the backups after it, --only into a single one", missing + 1);
    match missing {
        1 => later,
        _ => format!("--backup-num {} looks into the backups before it, {later}", missing - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_in_a_series_is_told_how_to_go_around() {
        let source = SeriesError::Missing { backup_id: "calm_owl".into(), backup_num: 1 };
        let error = with_advice(Error::Series { location: "/b".into(), source, advice: "" }).to_string();
        assert!(error.contains("backup 1 of series calm_owl is missing; "), "{error}");
        assert!(error.contains("--incremental-from 2") && error.contains("--only"), "{error}");
        assert!(!error.contains("--backup-num") && around(3).contains("--backup-num 2"), "{error}");
    }

    #[test]
    fn a_missing_key_is_told_where_keys_come_from() {
        let folder = "dgraph.20260104.224757.709".parse().expect("a plain name");
        let error = with_advice(ManifestError::KeyMissing { folder }.into()).to_string();
        assert!(error.contains("--encryption-key-file"), "{error}");
    }
}
