//! The flags of `serve` as one table, from which the command line, the environment and the configuration file are read alike.

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

/// A flag of `serve`. Its long name is also its key in a configuration file.
#[derive(Debug)]
pub(crate) struct Flag {
    pub(crate) name: &'static str,
    pub(crate) short: Option<char>,
    pub(crate) variable: &'static str,
    pub(crate) value: &'static str,
    pub(crate) help: &'static str,
}

const fn flag(name: &'static str, variable: &'static str, value: &'static str, help: &'static str) -> Flag {
    Flag { name, short: None, variable, value, help }
}

/// The flags that `--help` shows, in its order.
pub(crate) const FLAGS: &[Flag] = &[
    Flag {
        short: Some('p'),
        ..flag("postings", "GRAPHDB_POSTINGS", "DIR", "Directory of the data; made if it is missing [default: p]")
    },
    flag("http", "GRAPHDB_HTTP", "ADDR", "Address to serve on; port 0 picks a free one [default: 127.0.0.1:8080]"),
    flag(
        "whitelist",
        "GRAPHDB_WHITELIST",
        "LIST",
        "Who may use /admin, /alter and /assign besides this machine: addresses, networks (10.0.0.0/8), ranges (low:high) and \
         host names, separated by commas [default: nobody]",
    ),
    flag(
        "auth-token-file",
        "GRAPHDB_AUTH_TOKEN_FILE",
        "FILE",
        "File with the token that /admin, /alter and /assign want in the header X-Dgraph-AuthToken",
    ),
    flag(
        "encryption-key-file",
        "GRAPHDB_ENCRYPTION_KEY_FILE",
        "FILE",
        "File of 16, 24 or 32 bytes: backups are encrypted with AES-128, -192 or -256",
    ),
    flag(
        "vault-addr",
        "GRAPHDB_VAULT_ADDR",
        "URL",
        "Address of a Vault that has the key instead of a file [default: http://localhost:8200]",
    ),
    flag(
        "vault-roleid-file",
        "GRAPHDB_VAULT_ROLEID_FILE",
        "FILE",
        "File with the role id of AppRole; with it, the key is taken from Vault",
    ),
    flag(
        "vault-secretid-file",
        "GRAPHDB_VAULT_SECRETID_FILE",
        "FILE",
        "File with the secret id, if the role wants one",
    ),
    flag(
        "vault-path",
        "GRAPHDB_VAULT_PATH",
        "PATH",
        "Path of the secret; version 1 of the key-value engine has no data/ in it [default: secret/data/dgraph]",
    ),
    flag("vault-field", "GRAPHDB_VAULT_FIELD", "NAME", "Field of the secret that has the key [default: enc_key]"),
    flag(
        "vault-format",
        "GRAPHDB_VAULT_FORMAT",
        "FORMAT",
        "How the field has the key: base64 or raw [default: base64]",
    ),
    flag(
        "vault-ca-file",
        "GRAPHDB_VAULT_CA_FILE",
        "FILE",
        "Certificates (PEM) to trust for https instead of the machine's; also VAULT_CACERT",
    ),
    flag(
        "core-dumps",
        "GRAPHDB_CORE_DUMPS",
        "on|off",
        "Whether a crash may write memory, and with it keys and credentials, to a core dump [default: off]",
    ),
    flag(
        "backup-bucket",
        "GRAPHDB_BACKUP_BUCKET",
        "PLACE",
        "Where backups are when a request names no place: s3://BUCKET[/FOLDER], or any location, such as minio://HOST:PORT/BUCKET/FOLDER, \
         s3://HOST:PORT/BUCKET/FOLDER, /DIR",
    ),
    flag(
        "backup-region",
        "GRAPHDB_BACKUP_REGION",
        "REGION",
        "Region of S3 [default: the location's, AWS_REGION, or the profile's]",
    ),
    flag(
        "backup-credential",
        "GRAPHDB_BACKUP_CREDENTIAL",
        "FILE",
        "File in the form of AWS's shared credentials; it goes before keys in the environment",
    ),
    flag(
        "backup-profile",
        "GRAPHDB_BACKUP_PROFILE",
        "NAME",
        "Profile in that file, or without one in AWS's shared files [default: default]",
    ),
    flag(
        "backup-allow-schemes",
        "GRAPHDB_BACKUP_ALLOW_SCHEMES",
        "LIST",
        "Kinds of places that requests may name, of file, s3 and minio, separated by commas [default: all]",
    ),
    flag(
        "backup-allow-paths",
        "GRAPHDB_BACKUP_ALLOW_PATHS",
        "LIST",
        "Directories that the local places of requests must be in, links followed [default: anywhere]",
    ),
    flag(
        "backup-allow-hosts",
        "GRAPHDB_BACKUP_ALLOW_HOSTS",
        "LIST",
        "Hosts that requests may send the node to, as in minio.example.org,*.example.org,10.0.0.5; AWS is s3.amazonaws.com, and * is any \
         [default: all but link-local, metadata and unspecified addresses]",
    ),
    flag(
        "gzip-level",
        "GRAPHDB_GZIP_LEVEL",
        "N",
        "How hard backups are compressed, 1 (fast) to 12 (small) [default: 2]",
    ),
    flag(
        "export",
        "GRAPHDB_EXPORT",
        "DIR",
        "Directory of exports that name no destination; made if it is missing [default: export]",
    ),
    flag("cache-mb", "GRAPHDB_CACHE_MB", "N", "Memory for cached data, in MiB [default: 256]"),
    flag(
        "keep-replaced",
        "GRAPHDB_KEEP_REPLACED",
        "DURATION",
        "How long an online restore keeps the data it replaced, so that it can be rolled back: 90s, 30m, 24h, 7d [default: 24h]",
    ),
    flag(
        "log-format",
        "GRAPHDB_LOG_FORMAT",
        "FORMAT",
        "How to log on stderr: text or json; RUST_LOG says how much [default: text]",
    ),
    flag(
        "sync",
        "GRAPHDB_SYNC",
        "on|off",
        "Whether a commit waits for the disk; without, a power failure loses the last ones [default: on]",
    ),
    Flag {
        short: Some('o'),
        ..flag("port-offset", "GRAPHDB_PORT_OFFSET", "N", "Added to the port of --http, as in Dgraph [default: 0]")
    },
    flag("security", "GRAPHDB_SECURITY", "SUPERFLAG", "Dgraph's form: \"whitelist=LIST; token=TEXT\""),
    flag("encryption", "GRAPHDB_ENCRYPTION", "SUPERFLAG", "Dgraph's form: \"key-file=FILE\""),
    flag(
        "vault",
        "GRAPHDB_VAULT",
        "SUPERFLAG",
        "Dgraph's form: \"addr=URL; role-id-file=FILE; secret-id-file=FILE; path=PATH; enc-field=NAME; enc-format=FORMAT\"",
    ),
    flag("config", CONFIG_VARIABLE, "FILE", "TOML file with any of these flags as keys, without the dashes in front"),
];

const CONFIG_VARIABLE: &str = "GRAPHDB_CONFIG";

/// Dgraph's flags that mean something here and that `--help` does not show.
pub(crate) const HIDDEN: &[&str] = &["auth-token", "cache", "limit", "shared-instance"];

/// Dgraph's flags with a value for what this node does not have. They are accepted so that old service files start.
pub(crate) const IGNORED: &[&str] = &[
    "zero",
    "my",
    "wal",
    "tmp",
    "raft",
    "badger",
    "badger.compression",
    "telemetry",
    "graphql",
    "trace",
    "jaeger.collector",
    "datadog.collector",
    "audit",
    "cdc",
    "ludicrous",
    "ludicrous-concurrency",
    "survive",
    "lru-mb",
    "cache-percentage",
    "idx",
    "snapshot-after",
    "pending-proposals",
    "mutations",
    "query-edge-limit",
    "normalize-node-limit",
    "mutations-nquad-limit",
    "abort-older-than",
    "max-retries",
    "graphql-poll-interval",
    "graphql-lambda-url",
    "feature-flags",
    "custom-tokenizers",
    "lambda",
    "cwd",
    "profile-mode",
    "block-rate",
    "log-dir",
    "vmodule",
    "tls",
    "tls-cacert",
    "tls-node-cert",
    "tls-node-key",
    "tls-cert",
    "tls-key",
    "tls-client-auth",
];

/// As [`IGNORED`], but true or false.
pub(crate) const IGNORED_SWITCHES: &[&str] = &[
    "bindall",
    "mcp",
    "enable-sentry",
    "expose-trace",
    "ludicrous-mode",
    "graphql-introspection",
    "graphql-debug",
    "graphql-extensions",
    "tls-use-system-ca",
    "tls-internal-port-enabled",
    "logtostderr",
    "alsologtostderr",
];

/// Dgraph's flags that nobody would want to be ignored, and why.
pub(crate) const REFUSED: &[(&str, &str)] = &[("acl", NO_ACL), ("acl-secret-file", NO_ACL)];

pub(crate) const NO_ACL: &str =
    "this version has no access control lists, and without them everybody who reaches the node could read and write";

const SHORTS_OF_IGNORED: &[(&str, char)] = &[("zero", 'z'), ("wal", 'w'), ("lru-mb", 'l')];

const AFTER_HELP: &str = "\
Each flag is also read from its variable and from the configuration file; a flag wins over a variable, and that over the file.
Flags of Dgraph's alpha for what this node does not have are accepted and ignored.

Credentials for object stores are the first of these that are there:
  s3://     of the request (anonymous, or accessKey and secretKey); of --backup-credential
            and --backup-profile; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; of the files
            in ~/.aws; by web identity; of the container; of the instance
  minio://  of the request; of --backup-credential; MINIO_ACCESS_KEY and MINIO_SECRET_KEY,
            or MINIO_ROOT_USER and MINIO_ROOT_PASSWORD
With --limit \"shared-instance=true\", as in Dgraph, only those of the request count.
AWS_ENDPOINT_URL_S3 says where s3:///BUCKET is, if not at AWS.

Examples:
  graphdb serve --postings /var/lib/graphdb/p
  graphdb serve --http 0.0.0.0:8080 --whitelist 10.0.0.0/8 --auth-token-file /etc/graphdb/token
  graphdb serve --backup-bucket s3://my-backups/graph --backup-region eu-central-1
  graphdb serve --encryption-key-file /etc/graphdb/backup.key      # head -c 32 /dev/urandom > backup.key
  graphdb serve --config /etc/graphdb/graphdb.toml

A backup, once it serves:
  curl -H 'Content-Type: application/graphql' http://127.0.0.1:8080/admin \\
    -d 'mutation { backup(input: {destination: \"/srv/backups\"}) { response { code message } } }'";

/// What one source says: flags with their texts, in the order of the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layer {
    /// Where from, for messages: `command line`, `environment`, or the file.
    pub(crate) source: String,
    pub(crate) values: Vec<(String, String)>,
}

impl Layer {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The flags of `serve` as they were given, not yet understood.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServeFlags {
    pub(crate) command_line: Layer,
    pub(crate) environment: Layer,
}

/// Whether a configuration file may hold this key.
pub(crate) fn is_known(name: &str) -> bool {
    name != "config" && all_names().any(|known| known == name)
}

fn all_names() -> impl Iterator<Item = &'static str> {
    let shown = FLAGS.iter().map(|flag| flag.name);
    let refused = REFUSED.iter().map(|(name, _)| *name);
    shown
        .chain(HIDDEN.iter().copied())
        .chain(IGNORED.iter().copied())
        .chain(IGNORED_SWITCHES.iter().copied())
        .chain(refused)
}

impl Args for ServeFlags {
    fn augment_args(command: Command) -> Command {
        let shown = FLAGS.iter().map(|flag| {
            let arg = valued(flag.name).value_name(flag.value).help(flag.help).env(flag.variable);
            if let Some(short) = flag.short { arg.short(short) } else { arg }
        });
        let short = |name| SHORTS_OF_IGNORED.iter().find(|(known, _)| *known == name).map(|(_, short)| *short);
        let hidden = HIDDEN.iter().chain(IGNORED).chain(REFUSED.iter().map(|(name, _)| name)).map(|name| {
            let arg = valued(name).hide(true);
            if let Some(short) = short(*name) { arg.short(short) } else { arg }
        });
        let switches = IGNORED_SWITCHES
            .iter()
            .map(|name| valued(name).hide(true).num_args(0..=1).require_equals(true).default_missing_value("true"));
        command.args(shown).args(hidden).args(switches).after_help(AFTER_HELP)
    }

    fn augment_args_for_update(command: Command) -> Command {
        ServeFlags::augment_args(command)
    }
}

fn valued(name: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::Set).allow_hyphen_values(true)
}

impl FromArgMatches for ServeFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<ServeFlags, clap::Error> {
        let of = |wanted: ValueSource, source: &str| Layer {
            source: source.to_owned(),
            values: all_names()
                .filter(|name| matches.value_source(name) == Some(wanted))
                .filter_map(|name| Some((name.to_owned(), matches.get_one::<String>(name)?.clone())))
                .collect(),
        };
        Ok(ServeFlags {
            command_line: of(ValueSource::CommandLine, "command line"),
            environment: of(ValueSource::EnvVariable, "environment"),
        })
    }

    fn update_from_arg_matches(&mut self, _: &ArgMatches) -> Result<(), clap::Error> {
        Err(clap::Error::raw(ErrorKind::ArgumentConflict, "serve stands once on a command line\n"))
    }
}
