//! `graphdb serve`: opens the node and serves it until somebody asks it to stop.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use graphdb_archive::ArchiveOptions;
use graphdb_backup::{BackupContext, Locations, Node, NodeOptions};
use graphdb_server::{Secret, ServerConfig};
use graphdb_storage::StoreOptions;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task;
use tokio::time::{self, MissedTickBehavior};

use crate::config::{Config, ServeFlags, Token};
use crate::keys::{HeldKey, KeySource, RequestKeys, hold_key, is_readable_by_all, keep_out_of_core_dumps, read_token};
use crate::log;
use crate::places::{self, check_credential_file};

/// How often stores are looked for that a restore replaced long enough ago.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);

/// How long threads that are stuck may hold up the end of the process.
const LAST_GRACE: Duration = Duration::from_secs(5);

/// Runs `graphdb serve`.
pub(crate) fn run(flags: ServeFlags) -> anyhow::Result<()> {
    let mut config = Config::read(flags)?;
    config.places.environment = places::environment()?;
    places::check_default(&config.places)?;
    log::start(config.log_format, "info");
    if !config.core_dumps {
        keep_out_of_core_dumps();
    }
    let token = config.token.as_ref().map(secret).transpose()?;
    config.places.credential_file.as_deref().map(check_credential_file).transpose()?;
    warn_of_risks(&config, token.is_some());
    let runtime = Runtime::new().context("start")?;
    let outcome = runtime.block_on(async {
        let key = match config.key.clone() {
            Some(source) => Some(hold_key(source).await?),
            None => None,
        };
        let options = node_options(&config, key);
        serve(config, options, token).await
    });
    runtime.shutdown_timeout(LAST_GRACE);
    outcome
}

fn node_options(config: &Config, key: Option<HeldKey>) -> NodeOptions {
    let (key, key_guard) = key.map(|held| (held.key, held.guard)).unzip();
    let archive = ArchiveOptions { level: config.gzip_level, ..ArchiveOptions::default() };
    NodeOptions {
        store: StoreOptions { cache_bytes: config.cache_bytes, sync: config.sync, ..StoreOptions::default() },
        backup: BackupContext { key, archive, locations: Locations::new(config.places.clone()) },
        keep_replaced: config.keep_replaced,
        export_dir: config.export_dir.clone(),
        key_guard,
    }
}

fn secret(token: &Token) -> anyhow::Result<Secret> {
    match token {
        Token::Text(text) => Ok(Secret::new(text.clone())),
        Token::File(path) => read_token(path).map(Secret::new),
    }
}

fn warn_of_risks(config: &Config, has_token: bool) {
    if !config.ignored.is_empty() {
        tracing::info!(flags = config.ignored.join(" "), "flags of Dgraph without a meaning here are ignored");
    }
    if config.ignored.iter().any(|flag| flag.starts_with("--tls")) {
        tracing::warn!("TLS flags are ignored: connections are not encrypted");
    }
    if !config.sync {
        tracing::warn!(
            "--sync off: a power failure or a crash of the machine can lose the last commits, although clients were told they are done"
        );
    }
    if !config.http.ip().is_loopback() {
        tracing::warn!(
            address = %config.http,
            "everybody who reaches this address can query and mutate; keep it behind a firewall"
        );
        if !config.is_whitelisted {
            tracing::warn!("/admin, /alter and /assign answer this machine alone: no --whitelist is set");
        } else if !has_token {
            tracing::warn!(
                "whitelisted machines can back up, restore and drop without a token: no --auth-token-file is set"
            );
        }
    }
    if let Some(Token::Text(_)) = config.token {
        tracing::warn!("a token on the command line can be read by every user of this machine; use --auth-token-file");
    }
    if let Some(address) = config.key.as_ref().and_then(KeySource::overheard) {
        tracing::warn!(%address, "the key comes from Vault over http: who is on the way can read it; use https");
    }
    let token_file = if let Some(Token::File(path)) = &config.token { Some(path) } else { None };
    let key_files = config.key.iter().flat_map(KeySource::files);
    for path in token_file.into_iter().chain(key_files).filter(|path| is_readable_by_all(path)) {
        tracing::warn!(file = %path.display(), "every user of this machine can read the secret; chmod o-r");
    }
}

async fn serve(config: Config, options: NodeOptions, token: Option<Secret>) -> anyhow::Result<()> {
    let mut signals = Signals::new().context("watch for signals")?;
    // The socket comes first: a second node with the same flags then does not wait for the store.
    let listener = listen(config.http).await?;
    let address = listener.local_addr().context("learn the address that is served")?;
    let node = open(&config.postings, options).await?;
    let server = ServerConfig {
        whitelist: config.whitelist,
        token,
        version: concat!("v", env!("CARGO_PKG_VERSION")).into(),
        address: address.to_string(),
        cache_bytes: config.cache_bytes as u64,
        keys: Arc::new(RequestKeys { policy: config.places.policy, surroundings: config.vault }),
    };
    if let Some(place) = &config.places.default {
        tracing::info!(%place, "requests that name no place mean this one");
    }
    announce(&node, address);
    let pruning = tokio::spawn(prune(node.clone()));
    let shutdown = {
        let node = node.clone();
        async move {
            signals.first().await;
            tokio::spawn(async move { signals.exit_at_the_second().await });
            tokio::spawn(async move { end_jobs(&node).await });
        }
    };
    let served = graphdb_server::serve(listener, node.clone(), server, shutdown).await;
    pruning.abort();
    node.close().await;
    tracing::info!("closed");
    served.context("serve")
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("listen on {address} (choose another with --http, or stop what uses it)"))
}

async fn open(postings: &Path, options: NodeOptions) -> anyhow::Result<Node> {
    let dir = postings.to_owned();
    let opened = task::spawn_blocking(move || Node::open(&dir, options)).await.context("open the store")?;
    opened.with_context(|| format!("open the store in {}", postings.display()))
}

/// One line on stdout, for those who wait for it. That nobody reads it is no reason to stop.
fn announce(node: &Node, address: SocketAddr) {
    let database = node.any_store().map(|store| store.identity().database_id.clone()).unwrap_or_default();
    let (version, dir) = (env!("CARGO_PKG_VERSION"), node.postings().display());
    let mut stdout = std::io::stdout().lock();
    _ = writeln!(stdout, "graphdb {version} serving http://{address} from {dir} (database {database})");
    _ = stdout.flush();
}

async fn prune(node: Node) {
    let mut ticks = time::interval(PRUNE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let node = node.clone();
        match task::spawn_blocking(move || node.prune()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a store that a restore replaced could not be removed"),
            Err(error) => tracing::error!(%error, "looking for replaced stores failed"),
        }
    }
}

/// Ends backups and restores at once when the node is to stop: requests that wait for them would use up the time that others have.
async fn end_jobs(node: &Node) {
    loop {
        if !node.ongoing().is_empty() {
            tracing::info!(jobs = node.ongoing().join(" "), "stopping; what runs is ended and leaves nothing behind");
            return node.close().await;
        }
        time::sleep(Duration::from_millis(50)).await;
    }
}

/// What asks the process to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Signals> {
        Ok(Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn first(&mut self) {
        let name = self.next().await;
        tracing::info!(signal = name, "stopping; a second signal ends the process at once");
    }

    async fn exit_at_the_second(&mut self) {
        let name = self.next().await;
        tracing::warn!(signal = name, "ending at once");
        std::process::exit(1);
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
