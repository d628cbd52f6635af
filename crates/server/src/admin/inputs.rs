//! Arguments of the operations.

use std::path::PathBuf;

use async_graphql::{Enum, InputObject};
use time::OffsetDateTime;

use super::dates::Window;
use super::scalars::UInt64;
use crate::engine::Restore;

/// What to back up and where to.
#[derive(Debug, InputObject)]
pub(crate) struct BackupInput {
    /// Where the backup goes: a directory of the node as a path or `file:///path`. The series that is there already is continued.
    pub(crate) destination: String,
    /// Access key of an object store. Not needed for directories.
    access_key: Option<String>,
    /// Secret key of an object store. Not needed for directories.
    secret_key: Option<String>,
    /// Session token of an object store. Not needed for directories.
    session_token: Option<String>,
    /// Whether to use an object store without credentials. Not needed for directories.
    anonymous: Option<bool>,
    /// Whether to begin a new series with a full backup, even if an incremental one were possible.
    pub(crate) force_full: Option<bool>,
}

/// Where to look for backups.
#[derive(Debug, InputObject)]
pub(crate) struct ListBackupsInput {
    /// The destination of the backups: a directory of the node as a path or `file:///path`.
    pub(crate) location: String,
    /// Access key of an object store. Not needed for directories.
    access_key: Option<String>,
    /// Secret key of an object store. Not needed for directories.
    secret_key: Option<String>,
    /// Session token of an object store. Not needed for directories.
    session_token: Option<String>,
    /// Whether to use an object store without credentials. Not needed for directories.
    anonymous: Option<bool>,
    /// List only backups taken at this time or later: a day, as in 2026-01-31, or an instant in RFC 3339.
    since_date: Option<String>,
    /// List only backups taken at this time or earlier; a day is meant to its end.
    until_date: Option<String>,
    /// List only backups of so many days up to now. Not together with sinceDate.
    #[graphql(name = "lastNDays")]
    last_n_days: Option<i32>,
    /// Whether to read everything about each backup; it always is.
    full_manifest: Option<bool>,
}

impl ListBackupsInput {
    /// The time that the listed backups are from.
    pub(crate) fn window(&self) -> Result<Window, String> {
        Window::new(self.since_date.as_deref(), self.until_date.as_deref(), self.last_n_days, OffsetDateTime::now_utc())
    }
}

/// Which backup to restore, and how to read it.
#[derive(Debug, InputObject)]
pub(crate) struct RestoreInput {
    /// The destination of the backups: a directory of the node as a path or `file:///path`.
    location: String,
    /// The series to restore; without it the newest one.
    backup_id: Option<String>,
    /// The last backup of the series to restore, from 1; 0 or nothing means all of them.
    backup_num: Option<i32>,
    /// Restore only backups from this number on, upon what is there. Not supported: 0, 1 or nothing.
    incremental_from: Option<i32>,
    /// Stay in draining mode after the restore, to go on with a later part. Not supported: false or nothing.
    is_partial: Option<bool>,
    /// A file of the node that holds the key the backups are encrypted with: 16, 24 or 32 bytes.
    encryption_key_file: Option<String>,
    /// Address of a Vault server that holds the key. Not supported: use encryptionKeyFile.
    vault_addr: Option<String>,
    /// File with the role id for Vault. Not supported: use encryptionKeyFile.
    #[graphql(name = "vaultRoleIDFile")]
    vault_role_id_file: Option<String>,
    /// File with the secret id for Vault. Not supported: use encryptionKeyFile.
    #[graphql(name = "vaultSecretIDFile")]
    vault_secret_id_file: Option<String>,
    /// Path of the key in Vault. Not supported: use encryptionKeyFile.
    vault_path: Option<String>,
    /// Field of the key in Vault. Not supported: use encryptionKeyFile.
    vault_field: Option<String>,
    /// Form of the key in Vault. Not supported: use encryptionKeyFile.
    vault_format: Option<String>,
    /// Access key of an object store. Not needed for directories.
    access_key: Option<String>,
    /// Secret key of an object store. Not needed for directories.
    secret_key: Option<String>,
    /// Session token of an object store. Not needed for directories.
    session_token: Option<String>,
    /// Whether to use an object store without credentials. Not needed for directories.
    anonymous: Option<bool>,
}

impl RestoreInput {
    /// What the engine is asked for.
    ///
    /// # Errors
    /// What this build cannot do, and a number below zero.
    pub(crate) fn into_request(self) -> Result<Restore, String> {
        let vault = [
            &self.vault_addr,
            &self.vault_role_id_file,
            &self.vault_secret_id_file,
            &self.vault_path,
            &self.vault_field,
            &self.vault_format,
        ];
        if vault.into_iter().any(is_given) {
            return Err("keys in Vault are not supported by this version; put the key into a file and name it in encryptionKeyFile".into());
        }
        if self.incremental_from.is_some_and(|from| from > 1) || self.is_partial == Some(true) {
            return Err(
                "incrementalFrom and isPartial are not supported by this version; restore the whole series".into()
            );
        }
        let backup_num = self.backup_num.unwrap_or_default();
        let backup_num = u64::try_from(backup_num).map_err(|_| {
            "couldn't get input argument because backupNum value should be equal or greater than zero".to_owned()
        })?;
        Ok(Restore {
            location: self.location,
            backup_id: self.backup_id.filter(|id| !id.is_empty()),
            backup_num: Some(backup_num).filter(|number| *number > 0),
            encryption_key_file: self.encryption_key_file.filter(|file| !file.is_empty()).map(PathBuf::from),
        })
    }
}

fn is_given(text: &Option<String>) -> bool {
    text.as_ref().is_some_and(|text| !text.is_empty())
}

/// Which task to look at.
#[derive(Debug, InputObject)]
pub(crate) struct TaskInput {
    /// The task's id, as in 0x1a2b3c; decimal is taken too.
    pub(crate) id: String,
}

/// How many ids of which kind to hand out.
#[derive(Debug, InputObject)]
pub(crate) struct AssignInput {
    /// The kind of ids.
    pub(crate) what: AssignKind,
    /// How many. For TIMESTAMP, 0 asks for a timestamp to read at.
    pub(crate) num: UInt64,
}

/// Kinds of ids that are handed out once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(rename_items = "SCREAMING_SNAKE_CASE")]
pub(crate) enum AssignKind {
    /// Uids of nodes.
    Uid,
    /// Timestamps of transactions.
    Timestamp,
    /// Ids of namespaces.
    NamespaceId,
}
