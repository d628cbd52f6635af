//! Command line, environment and configuration file, folded once into one checked [`Config`].
//!
//! Each source is a [`Layer`] of texts under the same names. Dgraph's super-flags are taken apart within their layer, so that a
//! `--security` on the command line wins over a `GRAPHDB_WHITELIST` and the other way round. Then, for each setting, the first layer that
//! has it wins, and its text is read; a message names the layer.

mod file;
mod flags;
mod places;
mod value;

#[cfg(test)]
mod tests;

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use graphdb_archive::GzipLevel;
use graphdb_destination::LocationOptions;
use graphdb_server::Whitelist;

use crate::failure::misuse;
use crate::keys::{KeySource, VAULT_ACL_FIELD, VaultSurroundings, key_source, surroundings};
use flags::{IGNORED, IGNORED_SWITCHES, REFUSED};

pub(crate) use flags::{Layer, NO_ACL, ServeFlags};

/// How `serve` serves.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) postings: PathBuf,
    pub(crate) http: SocketAddr,
    pub(crate) whitelist: Whitelist,
    /// Whether the whitelist names anybody.
    pub(crate) is_whitelisted: bool,
    pub(crate) token: Option<Token>,
    /// Where the key of backups is; without one they are not encrypted.
    pub(crate) key: Option<KeySource>,
    pub(crate) vault: VaultSurroundings,
    /// Where backups are when nobody says, and which places are allowed.
    pub(crate) places: LocationOptions,
    pub(crate) gzip_level: GzipLevel,
    pub(crate) cache_bytes: usize,
    pub(crate) keep_replaced: Duration,
    /// Where exports go that name no destination.
    pub(crate) export_dir: PathBuf,
    pub(crate) log_format: LogFormat,
    pub(crate) sync: bool,
    /// Whether a crash may write the process's memory, with its secrets, to a file.
    pub(crate) core_dumps: bool,
    /// Names of flags that were given and mean nothing here.
    pub(crate) ignored: Vec<String>,
}

/// Where the token comes from.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Token {
    File(PathBuf),
    /// As Dgraph's flags have it; every user of the machine can read it there.
    Text(String),
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Token::File(path) => f.debug_tuple("File").field(path).finish(),
            Token::Text(_) => f.write_str("Text(..)"),
        }
    }
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// The name of a super-flag's member, and the setting it stands for; `None` if it is ignored.
type Member = (&'static str, Option<&'static str>);

/// The super-flags that are understood, with their members.
const SUPER_FLAGS: &[(&str, &[Member])] = &[
    ("security", &[("whitelist", Some("whitelist")), ("token", Some("auth-token"))]),
    ("encryption", &[("key-file", Some("encryption-key-file"))]),
    (
        "vault",
        &[
            ("addr", Some("vault-addr")),
            ("role-id-file", Some("vault-roleid-file")),
            ("secret-id-file", Some("vault-secretid-file")),
            ("path", Some("vault-path")),
            ("enc-field", Some("vault-field")),
            ("enc-format", Some("vault-format")),
            ("acl-field", Some(VAULT_ACL_FIELD)),
            ("acl-format", None),
        ],
    ),
    ("cache", &[("size-mb", Some("cache-mb")), ("percentage", None), ("remove-on-update", None)]),
    (
        "limit",
        &[
            ("shared-instance", Some("shared-instance")),
            ("mutations", None),
            ("query-edge", None),
            ("normalize-node", None),
            ("mutations-nquad", None),
            ("disallow-drop", None),
            ("query-timeout", None),
            ("txn-abort-after", None),
            ("max-retries", None),
            ("max-pending-queries", None),
            ("max-splits", None),
            ("type-filter-uid-limit", None),
        ],
    ),
];

/// More than any machine has, less than what overflows.
const MAX_CACHE_MB: usize = 1 << 24;

impl Config {
    /// Reads the configuration file, if one is named, and folds it with the flags.
    ///
    /// # Errors
    /// A file that cannot be read, and misuse: an unknown key, a value that cannot be meant, a super-flag's unknown member.
    pub(crate) fn read(flags: ServeFlags) -> anyhow::Result<Config> {
        let named = flags.command_line.get("config").or(flags.environment.get("config"));
        let file = named.map(|path| file::read(Path::new(path))).transpose()?;
        Config::fold(vec![flags.command_line, flags.environment, file.unwrap_or_default()])
    }

    /// Folds layers, the strongest first.
    fn fold(layers: Vec<Layer>) -> anyhow::Result<Config> {
        let layers = layers.into_iter().map(expand).collect::<anyhow::Result<Vec<_>>>()?;
        let settings = Settings { layers };
        settings.check_refused()?;
        let whitelist = settings.text("whitelist").unwrap_or_default();
        Ok(Config {
            postings: settings.text("postings").unwrap_or("p").into(),
            http: settings.address()?,
            whitelist: settings
                .read("whitelist", |list| Whitelist::resolve(list).map_err(|error| error.to_string()))?
                .unwrap_or_default(),
            is_whitelisted: !whitelist.is_empty(),
            token: settings.token()?,
            key: key_source(|name| settings.find(name).map(|(layer, text)| (text, layer.source.as_str())))?,
            vault: surroundings(settings.text("vault-ca-file").filter(|path| !path.is_empty()).map(str::to_owned)),
            places: settings.places()?,
            gzip_level: settings.read("gzip-level", gzip_level)?.unwrap_or_default(),
            cache_bytes: settings.read("cache-mb", |text| value::number(text, 1, MAX_CACHE_MB))?.unwrap_or(256) << 20,
            keep_replaced: settings.read("keep-replaced", value::duration)?.unwrap_or(Duration::from_secs(24 * 3600)),
            export_dir: settings.text("export").filter(|dir| !dir.is_empty()).unwrap_or("export").into(),
            log_format: settings.read("log-format", log_format)?.unwrap_or(LogFormat::Text),
            sync: settings.read("sync", value::switch)?.unwrap_or(true),
            core_dumps: settings.read("core-dumps", value::switch)?.unwrap_or(false),
            ignored: settings.ignored(),
        })
    }
}

/// The layers, the strongest first.
struct Settings {
    layers: Vec<Layer>,
}

impl Settings {
    fn find(&self, name: &str) -> Option<(&Layer, &str)> {
        self.layers.iter().find_map(|layer| Some((layer, layer.get(name)?)))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.find(name).map(|(_, text)| text)
    }

    fn read<T>(&self, name: &str, read: impl Fn(&str) -> Result<T, String>) -> anyhow::Result<Option<T>> {
        let Some((layer, text)) = self.find(name) else { return Ok(None) };
        let value = read(text).map_err(|why| misuse(format!("--{name} ({}): {why}", layer.source)))?;
        Ok(Some(value))
    }

    fn address(&self) -> anyhow::Result<SocketAddr> {
        let offset = self.read("port-offset", |text| value::number(text, 0, u16::MAX))?.unwrap_or(0);
        let address = self.read("http", address)?.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080)));
        let port = address.port().checked_add(offset).ok_or_else(|| {
            misuse(format!(
                "port {} and --port-offset {offset} together are no port: 65535 is the last",
                address.port()
            ))
        })?;
        Ok(SocketAddr::new(address.ip(), port))
    }

    /// The token of the strongest layer that has one, in either form.
    fn token(&self) -> anyhow::Result<Option<Token>> {
        for layer in &self.layers {
            match (layer.get("auth-token-file"), layer.get("auth-token")) {
                (Some(_), Some(_)) => {
                    let message = format!("a token and --auth-token-file are both given ({}); give one", layer.source);
                    return Err(misuse(message));
                }
                (Some(path), None) => return Ok(Some(Token::File(path.into()))),
                (None, Some("")) => return Ok(None), // Dgraph's default, written out
                (None, Some(text)) => {
                    crate::keys::check_token(text)
                        .map_err(|why| misuse(format!("the token ({}): {why}", layer.source)))?;
                    return Ok(Some(Token::Text(text.to_owned())));
                }
                (None, None) => {}
            }
        }
        Ok(None)
    }

    fn check_refused(&self) -> anyhow::Result<()> {
        match REFUSED.iter().find_map(|(name, why)| self.find(name).map(|(layer, _)| (name, why, layer))) {
            Some((name, why, layer)) => Err(misuse(format!("--{name} ({}): {why}", layer.source))),
            None => Ok(()),
        }
    }

    fn ignored(&self) -> Vec<String> {
        let names = IGNORED.iter().chain(IGNORED_SWITCHES);
        let flags = names.filter(|name| self.find(name).is_some()).map(|name| format!("--{name}"));
        flags.chain(self.layers.iter().flat_map(ignored_members)).collect()
    }
}

/// The members of super-flags that are given and ignored, as in `--limit mutations`.
fn ignored_members(layer: &Layer) -> Vec<String> {
    let mut names = Vec::new();
    for (super_flag, known) in SUPER_FLAGS {
        let members = layer.get(super_flag).and_then(|text| value::members(text).ok()).unwrap_or_default();
        let ignored = members.iter().filter(|(name, _)| known.contains(&(name.as_str(), None)));
        names.extend(ignored.map(|(name, _)| format!("--{super_flag} {name}")));
    }
    names
}

/// Puts the members of super-flags beside the other settings of their layer.
pub(crate) fn expand(mut layer: Layer) -> anyhow::Result<Layer> {
    for (super_flag, known) in SUPER_FLAGS {
        let Some(text) = layer.get(super_flag) else { continue };
        let wrong = |why: String| misuse(format!("--{super_flag} ({}): {why}", layer.source));
        let members = value::members(text).map_err(wrong)?;
        for (member, value) in members {
            let Some((_, setting)) = known.iter().find(|(name, _)| *name == member) else {
                let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
                return Err(wrong(format!("unknown member {member:?}; it has {}", names.join(", "))));
            };
            let Some(setting) = setting else { continue };
            if layer.get(setting).is_some() {
                return Err(misuse(format!(
                    "--{super_flag} and --{setting} say the same twice ({}); give one",
                    layer.source
                )));
            }
            layer.values.push((setting.to_string(), value));
        }
    }
    Ok(layer)
}

/// Reads `host:port`; a name is looked up.
fn address(text: &str) -> Result<SocketAddr, String> {
    let mut found =
        text.to_socket_addrs().map_err(|error| format!("{text:?} is no address like 127.0.0.1:8080: {error}"))?;
    found.next().ok_or_else(|| format!("{text:?} has no address"))
}

fn gzip_level(text: &str) -> Result<GzipLevel, String> {
    let level = value::number(text, 1, 12)?;
    GzipLevel::new(level).ok_or_else(|| format!("{text:?} is no level of gzip"))
}

fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("{text:?} is neither text nor json")),
    }
}
