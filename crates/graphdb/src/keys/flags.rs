//! Flags that say where the key is: read alike for every command.

use clap::Args;
use graphdb_server::VaultLocation;

use super::options::{KeySource, VaultOptions, VaultSurroundings};
use crate::config::{Layer, NO_ACL, expand};
use crate::failure::misuse;

/// Where the key of an encrypted series is: in a file or in Vault.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Encryption key")]
pub(crate) struct KeyFlags {
    /// File with the key of an encrypted series
    #[arg(long, alias = "keyfile", short_alias = 'k', value_name = "FILE", env = "GRAPHDB_ENCRYPTION_KEY_FILE")]
    encryption_key_file: Option<String>,

    /// Address of a Vault that has the key [default: http://localhost:8200]
    #[arg(long, value_name = "URL", env = "GRAPHDB_VAULT_ADDR")]
    vault_addr: Option<String>,

    /// File with the role id of AppRole; with it, the key is taken from Vault
    #[arg(long, value_name = "FILE", env = "GRAPHDB_VAULT_ROLEID_FILE")]
    vault_roleid_file: Option<String>,

    /// File with the secret id, if the role wants one
    #[arg(long, value_name = "FILE", env = "GRAPHDB_VAULT_SECRETID_FILE")]
    vault_secretid_file: Option<String>,

    /// Path of the secret; version 1 of the key-value engine has no data/ in it [default: secret/data/dgraph]
    #[arg(long, value_name = "PATH", env = "GRAPHDB_VAULT_PATH")]
    vault_path: Option<String>,

    /// Field of the secret that has the key [default: enc_key]
    #[arg(long, value_name = "NAME", env = "GRAPHDB_VAULT_FIELD")]
    vault_field: Option<String>,

    /// How the field has the key: base64 or raw [default: base64]
    #[arg(long, value_name = "FORMAT", env = "GRAPHDB_VAULT_FORMAT")]
    vault_format: Option<String>,

    /// Certificates (PEM) to trust for https instead of the machine's; also VAULT_CACERT
    #[arg(long, value_name = "FILE", env = "GRAPHDB_VAULT_CA_FILE")]
    vault_ca_file: Option<String>,

    /// Dgraph's form: "addr=URL; role-id-file=FILE; secret-id-file=FILE; path=PATH; enc-field=NAME; enc-format=FORMAT"
    #[arg(long, value_name = "SUPERFLAG", env = "GRAPHDB_VAULT")]
    vault: Option<String>,

    /// Dgraph's form: "key-file=FILE"
    #[arg(long, value_name = "SUPERFLAG", env = "GRAPHDB_ENCRYPTION")]
    encryption: Option<String>,
}

impl KeyFlags {
    /// Where the key is, if the flags say.
    ///
    /// # Errors
    /// Misuse: both sources, or what cannot be meant.
    pub(crate) fn source(&self) -> anyhow::Result<Option<KeySource>> {
        let given = [
            ("encryption-key-file", &self.encryption_key_file),
            ("vault-addr", &self.vault_addr),
            ("vault-roleid-file", &self.vault_roleid_file),
            ("vault-secretid-file", &self.vault_secretid_file),
            ("vault-path", &self.vault_path),
            ("vault-field", &self.vault_field),
            ("vault-format", &self.vault_format),
            ("vault-ca-file", &self.vault_ca_file),
            ("vault", &self.vault),
            ("encryption", &self.encryption),
        ];
        let values = given.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text.clone()?))).collect();
        let layer = expand(Layer { source: "flags or environment".into(), values })?;
        key_source(|name| layer.get(name).map(|text| (text, layer.source.as_str())))
    }
}

/// The flags that make Vault the source.
const VAULT_FLAGS: [&str; 6] =
    ["vault-addr", "vault-roleid-file", "vault-secretid-file", "vault-path", "vault-field", "vault-format"];

/// Makes a source of flags; `find` gives a flag's text and which layer it is from. A flag with an empty text counts as missing, so that a
/// stronger layer can take back what a weaker one says.
///
/// # Errors
/// Misuse: both sources, whichever layers they are from, or what cannot be meant.
pub(crate) fn key_source<'a>(find: impl Fn(&str) -> Option<(&'a str, &'a str)>) -> anyhow::Result<Option<KeySource>> {
    let find = |name: &str| find(name).filter(|(text, _)| !text.is_empty());
    if let Some((_, layer)) = find(VAULT_ACL_FIELD) {
        return Err(misuse(format!("--vault acl-field ({layer}): {NO_ACL}")));
    }
    let file = find("encryption-key-file");
    let vault = VAULT_FLAGS.into_iter().find_map(|name| Some((name, find(name)?.1)));
    match (file, vault) {
        (None, None) => Ok(None),
        (Some((path, _)), None) => Ok(Some(KeySource::File(path.into()))),
        (Some((_, file_layer)), Some((name, vault_layer))) => Err(misuse(format!(
            "--encryption-key-file ({file_layer}) and --{name} ({vault_layer}) are both given, but a key has one source; \
             take one away (an empty value does)"
        ))),
        (None, Some((name, layer))) => {
            let text = |name| find(name).map(|(text, _)| text.to_owned());
            let said = VaultLocation {
                addr: text("vault-addr"),
                role_id_file: text("vault-roleid-file").map(Into::into),
                secret_id_file: text("vault-secretid-file").map(Into::into),
                path: text("vault-path"),
                field: text("vault-field"),
                format: text("vault-format"),
            };
            if said.role_id_file.is_none() {
                return Err(misuse(format!("--{name} ({layer}) needs --vault-roleid-file: a role logs in at Vault")));
            }
            let options = VaultOptions::new(&said, surroundings(text("vault-ca-file")));
            Ok(Some(KeySource::Vault(
                options.map(Box::new).map_err(|why| misuse(format!("--vault-… ({layer}): {why}")))?,
            )))
        }
    }
}

/// What holds for every Vault: the file of a flag, else what Vault's own tools read from the environment.
pub(crate) fn surroundings(ca_file: Option<String>) -> VaultSurroundings {
    let variable = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
    VaultSurroundings {
        ca_file: ca_file.or_else(|| variable("VAULT_CACERT")).map(Into::into),
        namespace: variable("VAULT_NAMESPACE"),
    }
}

/// The member of `--vault` that would turn on what this node does not have.
pub(crate) const VAULT_ACL_FIELD: &str = "vault-acl-field";
