//! What is logged, on stderr: as much as `RUST_LOG` asks for, but nothing that holds secrets.

use std::io::{self, IsTerminal as _};

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::LogFormat;

/// Starts the log; without `RUST_LOG` it shows what `usual` says.
pub(crate) fn start(format: LogFormat, usual: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match format {
        LogFormat::Text => log.with_ansi(io::stderr().is_terminal()).finish().with(filter_fn(is_harmless)).init(),
        LogFormat::Json => log.json().finish().with(filter_fn(is_harmless)).init(),
    }
}

/// Libraries that speak to stores and to Vault show whole requests in their finer levels, with tokens and signatures.
const TELL_REQUESTS: [&str; 10] =
    ["aws", "hyper", "h2", "reqwest", "rustls", "rustify", "vaultrs", "s3", "ureq", "ureq_proto"];

fn is_harmless(event: &Metadata<'_>) -> bool {
    let library = event.target().split("::").next().unwrap_or_default();
    let tells = |name: &str| library == name || library.strip_prefix(name).is_some_and(|rest| rest.starts_with('_'));
    *event.level() <= Level::INFO || !TELL_REQUESTS.iter().any(|name| tells(name))
}
