//! Arguments of the operations. Those that may hold credentials have no `Debug`: nothing can print them.

use std::path::PathBuf;

use async_graphql::{Enum, InputObject};
use graphdb_backup::{BackupRequest, BackupTerms, Compat, Credentials, LocationRequest, Tenant};
use graphdb_types::Namespace;
use time::OffsetDateTime;

use super::dates::Window;
use super::scalars::UInt64;
use crate::engine::Restore;
use crate::keys::{KeyLocation, VaultLocation};

/// What to back up and where to.
#[derive(InputObject)]
pub(crate) struct BackupInput {
    /// Where the backup goes: a directory of the node as a path or `file:///path`, `s3:///bucket/folder` or
    /// `minio://host:9000/bucket/folder`. The series that is there already is continued. Without it, the node's default place.
    destination: Option<String>,
    /// Access key of the object store, if not the node's own credentials are meant.
    access_key: Option<String>,
    /// Secret key that belongs to accessKey.
    secret_key: Option<String>,
    /// Session token, if the keys are short-lived.
    session_token: Option<String>,
    /// Whether to call the object store without credentials.
    anonymous: Option<bool>,
    /// Whether to begin a new series with a full backup, even if an incremental one were possible.
    force_full: Option<bool>,
    /// The oldest Dgraph that is to restore the series: `1.1`, `20.11` or `21.12`. Without it the series goes on as it is, and a new one
    /// is for 20.11 and newer.
    compat: Option<String>,
}

impl BackupInput {
    /// What is asked for.
    pub(crate) fn into_request(self) -> Result<BackupRequest, String> {
        let compat = self.compat.as_deref().map(read_compat).transpose()?;
        let terms = BackupTerms { force_full: self.force_full.unwrap_or_default(), compat };
        let destination =
            place(self.destination, self.access_key, self.secret_key, self.session_token, self.anonymous)?;
        Ok(BackupRequest { destination, terms })
    }
}

fn read_compat(name: &str) -> Result<Compat, String> {
    let known = || Compat::ALL.map(Compat::name).join(", ");
    Compat::from_name(name).ok_or_else(|| format!("compat must be one of {}, not {name:?}", known()))
}

/// A place and the credentials for it.
fn place(
    location: Option<String>,
    access_key: Option<String>,
    secret_key: Option<String>,
    session_token: Option<String>,
    anonymous: Option<bool>,
) -> Result<LocationRequest, String> {
    let credentials = Credentials::from_fields(access_key, secret_key, session_token, anonymous);
    Ok(LocationRequest { location, credentials: credentials.map_err(|err| err.to_string())? })
}

/// Where to look for backups.
#[derive(InputObject)]
pub(crate) struct ListBackupsInput {
    /// The destination of the backups, as in backup. Without it, the node's default place.
    location: Option<String>,
    /// Access key of the object store, if not the node's own credentials are meant.
    access_key: Option<String>,
    /// Secret key that belongs to accessKey.
    secret_key: Option<String>,
    /// Session token, if the keys are short-lived.
    session_token: Option<String>,
    /// Whether to call the object store without credentials.
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
    /// Where to look.
    pub(crate) fn place(&self) -> Result<LocationRequest, String> {
        let (access_key, secret_key) = (self.access_key.clone(), self.secret_key.clone());
        place(self.location.clone(), access_key, secret_key, self.session_token.clone(), self.anonymous)
    }

    /// Where to look, without the credentials.
    pub(crate) fn location(&self) -> LocationRequest {
        LocationRequest { location: self.location.clone(), credentials: None }
    }

    /// The time that the listed backups are from.
    pub(crate) fn window(&self) -> Result<Window, String> {
        Window::new(self.since_date.as_deref(), self.until_date.as_deref(), self.last_n_days, OffsetDateTime::now_utc())
    }
}

/// Which backup to restore, and how to read it.
#[derive(Default, InputObject)]
pub(crate) struct RestoreInput {
    /// The destination of the backups, as in backup. Without it, the node's default place.
    location: Option<String>,
    /// The series to restore; without it the newest one.
    backup_id: Option<String>,
    /// The last backup of the series to restore, from 1; 0 or nothing means all of them.
    backup_num: Option<i32>,
    /// Restore only the backups from this number on, upon what is there: that must be what restoring the series up to the one before gave,
    /// and not have been changed since. 0, 1 or nothing means the whole series, which replaces what is there. Clients are kept out from the
    /// beginning.
    incremental_from: Option<i32>,
    /// Keep clients out from the beginning and after the restore, to go on with later backups: until a restore without it, or until draining
    /// lets them in. A restart does not.
    is_partial: Option<bool>,
    /// A file of the node that holds the key the backups are encrypted with: 16, 24 or 32 bytes.
    encryption_key_file: Option<String>,
    /// Address of a Vault server that holds the key; http://localhost:8200 if another field of Vault is given.
    vault_addr: Option<String>,
    /// File of the node with the role id for Vault.
    #[graphql(name = "vaultRoleIDFile")]
    vault_role_id_file: Option<String>,
    /// File of the node with the secret id for Vault.
    #[graphql(name = "vaultSecretIDFile")]
    vault_secret_id_file: Option<String>,
    /// Path of the secret in Vault; secret/data/dgraph if missing.
    vault_path: Option<String>,
    /// Field of the secret; enc_key if missing.
    vault_field: Option<String>,
    /// Form of the field, base64 or raw; base64 if missing.
    vault_format: Option<String>,
    /// Access key of the object store, if not the node's own credentials are meant.
    access_key: Option<String>,
    /// Secret key that belongs to accessKey.
    secret_key: Option<String>,
    /// Session token, if the keys are short-lived.
    session_token: Option<String>,
    /// Whether to call the object store without credentials.
    anonymous: Option<bool>,
}

impl RestoreInput {
    /// What the engine is asked for.
    ///
    /// # Errors
    /// A number below zero, and two places for the key.
    pub(crate) fn into_request(self) -> Result<Restore, String> {
        let backup_num = counted("backupNum", self.backup_num)?;
        let incremental_from = counted("incrementalFrom", self.incremental_from)?;
        let key = self.key()?;
        Ok(Restore {
            location: place(self.location, self.access_key, self.secret_key, self.session_token, self.anonymous)?,
            backup_id: self.backup_id.filter(|id| !id.is_empty()),
            backup_num: Some(backup_num).filter(|number| *number > 0),
            incremental_from,
            is_partial: self.is_partial.unwrap_or_default(),
            tenant: None,
            key,
        })
    }

    /// Where the key is, if the request says. Empty fields count as missing.
    fn key(&self) -> Result<Option<KeyLocation>, String> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let vault = VaultLocation {
            addr: given(&self.vault_addr),
            role_id_file: given(&self.vault_role_id_file).map(PathBuf::from),
            secret_id_file: given(&self.vault_secret_id_file).map(PathBuf::from),
            path: given(&self.vault_path),
            field: given(&self.vault_field),
            format: given(&self.vault_format),
        };
        match given(&self.encryption_key_file).map(PathBuf::from) {
            None if vault == VaultLocation::default() => Ok(None),
            None => Ok(Some(KeyLocation::Vault(vault))),
            Some(file) if vault == VaultLocation::default() => Ok(Some(KeyLocation::File(file))),
            Some(_) => Err("encryptionKeyFile and fields of Vault are both given; give one".into()),
        }
    }
}

/// A number that must not be below zero; 0 if missing.
fn counted(name: &str, number: Option<i32>) -> Result<u64, String> {
    u64::try_from(number.unwrap_or_default())
        .map_err(|_| format!("couldn't get input argument because {name} value should be equal or greater than zero"))
}

/// Which namespace of which backup to restore.
#[derive(InputObject)]
pub(crate) struct RestoreTenantInput {
    /// The backup, and how to read it. Without it, the newest at the node's default place.
    restore_input: Option<RestoreInput>,
    /// The namespace to take. What is in it becomes namespace 0; no other namespace is restored.
    from_namespace: i32,
}

impl RestoreTenantInput {
    /// What the engine is asked for.
    ///
    /// # Errors
    /// As those of a restore.
    pub(crate) fn into_request(self) -> Result<Restore, String> {
        let from = counted("fromNamespace", Some(self.from_namespace))?;
        let tenant = Some(Tenant { from: Namespace(from), to: Namespace::ROOT });
        Ok(Restore { tenant, ..self.restore_input.unwrap_or_default().into_request()? })
    }
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
