use graphdb_types::{InvalidObjectName, ObjectName};

use super::{FORMAT_VERSION, MAX_MANIFEST_BYTES};
use crate::BackupFolder;

/// Why a manifest cannot be used. Every message begins with the backup it is about.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Longer than any backup's.
    #[error("{folder}: the manifest has more than {max} bytes", max = MAX_MANIFEST_BYTES)]
    TooLong {
        /// The backup.
        folder: ObjectName,
    },
    /// The text ends before the JSON does.
    #[error("{folder}: the manifest is cut off at line {line}, column {column}")]
    Truncated {
        /// The backup.
        folder: ObjectName,
        /// From 1.
        line: usize,
        /// From 1; 0 before a line's first character.
        column: usize,
    },
    /// Not JSON, or not a manifest's.
    #[error("{folder}: the manifest is damaged at line {line}, column {column}: {what}")]
    Json {
        /// The backup.
        folder: ObjectName,
        /// From 1.
        line: usize,
        /// From 1; 0 before a line's first character.
        column: usize,
        /// What the parser says.
        what: String,
    },
    /// The bytes are not those that were sealed.
    #[error("{folder}: the manifest was changed after it was written: {what}")]
    Unsealed {
        /// The backup.
        folder: ObjectName,
        /// Which seal does not hold.
        what: &'static str,
    },
    /// JSON whose values cannot be true.
    #[error("{folder}: the manifest contradicts itself: {what}")]
    Invalid {
        /// The backup.
        folder: ObjectName,
        /// What is wrong, with the key's name.
        what: String,
    },
    /// A name that leads out of the backup's folder.
    #[error("{folder}: the manifest names an object outside its backup")]
    HostileName {
        /// The backup.
        folder: ObjectName,
        /// Which name and why.
        source: InvalidObjectName,
    },
    /// Dgraph's own.
    #[error("{folder}: this backup was written by {written_by}, not by graphdb")]
    Foreign {
        /// The backup.
        folder: ObjectName,
        /// The Dgraph versions that write this form.
        written_by: &'static str,
    },
    /// Written by a newer graphdb.
    #[error(
        "{folder}: the backup has format version {found} and was written by {tool}; this graphdb reads up to {max}, \
         use {tool} or a newer one",
        max = FORMAT_VERSION
    )]
    Future {
        /// The backup.
        folder: ObjectName,
        /// Its format version.
        found: u64,
        /// What wrote it.
        tool: String,
    },
    /// Encrypted, and no key was given.
    #[error("{folder}: the backup is encrypted, its encryption key is needed")]
    KeyMissing {
        /// The backup.
        folder: ObjectName,
    },
    /// Plain, and a key was given.
    #[error("{folder}: the backup is not encrypted, but an encryption key was given")]
    KeyUnwanted {
        /// The backup.
        folder: ObjectName,
    },
    /// Encrypted with another key.
    #[error("{folder}: the encryption key is not the one this backup was written with")]
    WrongKey {
        /// The backup.
        folder: ObjectName,
    },
}

impl ManifestError {
    /// The backup it is about.
    pub fn folder(&self) -> &ObjectName {
        match self {
            ManifestError::TooLong { folder }
            | ManifestError::Truncated { folder, .. }
            | ManifestError::Json { folder, .. }
            | ManifestError::Unsealed { folder, .. }
            | ManifestError::Invalid { folder, .. }
            | ManifestError::HostileName { folder, .. }
            | ManifestError::Foreign { folder, .. }
            | ManifestError::Future { folder, .. }
            | ManifestError::KeyMissing { folder }
            | ManifestError::KeyUnwanted { folder }
            | ManifestError::WrongKey { folder } => folder,
        }
    }

    pub(super) fn json(folder: &BackupFolder, err: &serde_json::Error) -> ManifestError {
        let (folder, line, column) = (folder.name().clone(), err.line(), err.column());
        if err.is_eof() {
            return ManifestError::Truncated { folder, line, column };
        }
        let text = err.to_string();
        let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what).to_owned();
        ManifestError::Json { folder, line, column, what }
    }
}
