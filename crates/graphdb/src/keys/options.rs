//! Where a key is, checked.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use graphdb_archive::EncryptionKey;
use graphdb_server::VaultLocation;
use url::Url;
use zeroize::Zeroizing;

/// Where a process takes its key from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// 16, 24 or 32 raw bytes.
    File(PathBuf),
    Vault(Box<VaultOptions>),
}

/// A field of a secret in Vault, and how to get there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VaultOptions {
    pub(super) address: Address,
    pub(super) role_id_file: PathBuf,
    /// A role may be bound to addresses instead.
    pub(super) secret_id_file: Option<PathBuf>,
    pub(super) path: SecretPath,
    pub(super) field: String,
    pub(super) format: KeyFormat,
    pub(super) surroundings: VaultSurroundings,
}

/// What holds for every Vault that a process asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct VaultSurroundings {
    /// Certificates (PEM) of the only authorities that are trusted; without it, those of the machine.
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) namespace: Option<String>,
}

impl KeySource {
    /// The files with secrets that this source needs.
    pub(crate) fn files(&self) -> Vec<&PathBuf> {
        match self {
            KeySource::File(path) => vec![path],
            KeySource::Vault(vault) => {
                [Some(&vault.role_id_file), vault.secret_id_file.as_ref()].into_iter().flatten().collect()
            }
        }
    }

    /// The address of a Vault on another machine, if what is sent there can be read on the way.
    pub(crate) fn overheard(&self) -> Option<&Address> {
        match self {
            KeySource::Vault(vault) if vault.address.is_overheard() => Some(&vault.address),
            _ => None,
        }
    }
}

impl VaultOptions {
    /// Checks what was said and puts Dgraph's defaults where nothing was.
    ///
    /// # Errors
    /// What cannot be meant, in words that fit flags and fields of requests.
    pub(crate) fn new(said: &VaultLocation, surroundings: VaultSurroundings) -> Result<VaultOptions, String> {
        let or = |text: &Option<String>, default: &str| text.clone().unwrap_or_else(|| default.to_owned());
        let namespace = surroundings.namespace.as_deref().unwrap_or_default();
        if !namespace.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("the namespace of Vault holds characters that no namespace has".into());
        }
        Ok(VaultOptions {
            address: Address::parse(&or(&said.addr, "http://localhost:8200"))?,
            role_id_file: said.role_id_file.clone().ok_or("the file with the role id for Vault is not given")?,
            secret_id_file: said.secret_id_file.clone(),
            path: SecretPath::parse(&or(&said.path, "secret/data/dgraph"))?,
            field: or(&said.field, "enc_key"),
            format: KeyFormat::parse(&or(&said.format, "base64"))?,
            surroundings,
        })
    }
}

impl fmt::Display for VaultOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "field {} of {} in Vault at {}", self.field, self.path, self.address)
    }
}

/// A server: scheme, host and port, nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address(Url);

impl Address {
    fn parse(text: &str) -> Result<Address, String> {
        // What may hold a password is not repeated.
        if text.contains('@') {
            return Err("an address of Vault holds no user or password; AppRole logs in with files".into());
        }
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let bare = url.filter(|url| url.path() == "/" && url.query().is_none() && url.fragment().is_none());
        bare.map(Address)
            .ok_or_else(|| format!("{text:?} is no address of Vault, which looks like https://vault.example.org:8200"))
    }

    pub(super) fn url(&self) -> &str {
        self.0.as_str()
    }

    pub(super) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    pub(super) fn is_plain(&self) -> bool {
        self.0.scheme() == "http"
    }

    fn is_overheard(&self) -> bool {
        let host = self.host().trim_matches(['[', ']']);
        let here = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
        self.is_plain() && !here
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// A path as Vault's HTTP interface has it: `secret/data/dgraph` in version 2 of the key-value engine, `secret/dgraph` in version 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecretPath {
    pub(super) mount: String,
    pub(super) rest: String,
}

impl SecretPath {
    fn parse(text: &str) -> Result<SecretPath, String> {
        let wrong = || format!("{text:?} is no path of a secret, which looks like secret/data/dgraph");
        let (mount, rest) = text.trim_matches('/').split_once('/').ok_or_else(wrong)?;
        let is_name = |part: &str| !matches!(part, "" | "." | "..") && !part.chars().any(char::is_control);
        if !is_name(mount) || !rest.split('/').all(is_name) {
            return Err(wrong());
        }
        Ok(SecretPath { mount: mount.to_owned(), rest: rest.to_owned() })
    }

    /// The same secret as the other version of the engine would call it.
    pub(super) fn in_other_version(&self) -> String {
        match self.rest.strip_prefix("data/") {
            Some(rest) => format!("{}/{rest}", self.mount),
            None => format!("{}/data/{}", self.mount, self.rest),
        }
    }
}

impl fmt::Display for SecretPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.mount, self.rest)
    }
}

/// How the text of a field stands for the bytes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyFormat {
    /// RFC 4648 with padding; a newline at the end is tolerated.
    Base64,
    /// The bytes of the text.
    Raw,
}

impl KeyFormat {
    fn parse(text: &str) -> Result<KeyFormat, String> {
        match text {
            "base64" => Ok(KeyFormat::Base64),
            "raw" => Ok(KeyFormat::Raw),
            _ => Err(format!("{text:?} is no format of a key in Vault; it is base64 or raw")),
        }
    }

    /// Makes a key of a field's text.
    ///
    /// # Errors
    /// What is wrong with it, as a part of a sentence that never shows it.
    pub(super) fn decode(self, text: &str) -> Result<Arc<EncryptionKey>, String> {
        match self {
            KeyFormat::Raw => EncryptionKey::new(text.as_bytes()).map(Arc::new).map_err(|why| {
                let hint = if STANDARD.decode(text.trim()).is_ok_and(|bytes| is_key_length(Zeroizing::new(bytes).len()))
                {
                    "; it looks like base64, so the format may have to be base64"
                } else {
                    ""
                };
                format!("as raw text: {why}{hint}")
            }),
            KeyFormat::Base64 => {
                let bytes = STANDARD.decode(text.trim_ascii_end()).map(Zeroizing::new).map_err(|_| {
                    let hint =
                        if is_key_length(text.len()) { "; if it is the key itself, the format is raw" } else { "" };
                    format!("it is not base64 (standard alphabet, with padding){hint}")
                })?;
                EncryptionKey::new(&bytes).map(Arc::new).map_err(|why| format!("decoded from base64: {why}"))
            }
        }
    }
}

fn is_key_length(length: usize) -> bool {
    matches!(length, 16 | 24 | 32)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn a_role_id_is_enough_and_the_rest_is_what_dgraph_takes() {
        let said = VaultLocation { role_id_file: Some("/role".into()), ..VaultLocation::default() };
        let options = VaultOptions::new(&said, VaultSurroundings::default()).unwrap();
        assert_eq!(options.to_string(), "field enc_key of secret/data/dgraph in Vault at http://localhost:8200");
        assert_eq!((options.format, options.secret_id_file), (KeyFormat::Base64, None));
        let error = VaultOptions::new(&VaultLocation::default(), VaultSurroundings::default()).unwrap_err();
        assert!(error.contains("role id"), "{error}");
    }

    #[test]
    fn addresses_are_scheme_host_and_port() {
        for text in ["http://localhost:8200", "https://vault.example.org", "http://[::1]:8200/", "https://10.0.0.1:1"] {
            assert!(Address::parse(text).is_ok(), "{text}");
        }
        for text in
            ["localhost:8200", "vault", "ftp://a", "http://a/v1", "http://a?x=1", "file:///x", "http://u:pass@a"]
        {
            let error = Address::parse(text).unwrap_err();
            assert!(!error.contains("pass@"), "{error}");
        }
        let overheard = |text| Address::parse(text).unwrap().is_overheard();
        assert!(overheard("http://10.0.0.1:8200") && overheard("http://vault:8200"));
        assert!(!overheard("http://127.0.0.1:8200") && !overheard("http://[::1]:1") && !overheard("https://vault"));
    }

    #[test]
    fn paths_have_a_mount_and_a_name() {
        let path = |text| SecretPath::parse(text);
        assert_eq!(path("secret/data/dgraph").unwrap().in_other_version(), "secret/dgraph");
        assert_eq!(path("/secret/dgraph/").unwrap().in_other_version(), "secret/data/dgraph");
        for text in ["", "secret", "/secret/", "secret//x", "secret/../sys/x", "../x", "secret/\n"] {
            assert!(path(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn keys_of_the_three_lengths_are_decoded_from_both_formats() {
        for length in [16, 24, 32] {
            let key = "k".repeat(length);
            assert!(KeyFormat::Raw.decode(&key).is_ok());
            for newline in ["", "\n", "\r\n"] {
                assert!(KeyFormat::Base64.decode(&(STANDARD.encode(&key) + newline)).is_ok(), "{length} {newline:?}");
            }
        }
    }

    #[test]
    fn what_is_no_key_is_measured_and_not_shown() {
        let encoded = STANDARD.encode("secretsecretsec");
        let long = STANDARD.encode("secretsecretsecretsecretsecretse");
        for (format, text, parts) in [
            (KeyFormat::Base64, encoded.as_str(), &["base64", "15"][..]),
            (KeyFormat::Base64, "secret secretsec", &["not base64", "raw"]),
            (KeyFormat::Base64, "", &["0"]),
            (KeyFormat::Raw, "secretsecretsec", &["15"]),
            (KeyFormat::Raw, "secretsecretsecr\n", &["newline"]),
            (KeyFormat::Raw, long.as_str(), &["44", "base64"]),
        ] {
            let error = format.decode(text).unwrap_err();
            assert!(parts.iter().all(|part| error.contains(part)), "{text}: {error}");
            assert!(!error.contains("secretsec") && !error.contains("c2Vjc"), "{error}");
        }
    }
}
