use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use graphdb_storage::Store;
use graphdb_types::{Secret, with_causes};
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use crate::admin::AdminSchema;
use crate::engine::Node;
use crate::keys::{KeyReader, NoKeys};
use crate::limits::MAX_RUNNING;
use crate::metrics::Metrics;
use crate::params::Params;
use crate::reply::Failure;
use crate::whitelist::Whitelist;

/// What the endpoints need to know besides the node.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Who may call admin operations besides loopback.
    pub whitelist: Whitelist,
    /// What `X-Dgraph-AuthToken` must be for admin operations, if it is set.
    pub token: Option<Secret>,
    /// What `/health` calls this build, as in `v0.1.0`.
    pub version: String,
    /// `host:port` under which `/state` and `/health` name this node.
    pub address: String,
    /// Where requests' encryption keys are read.
    pub keys: Arc<dyn KeyReader>,
    /// Memory for cached blocks, which `config` shows.
    pub cache_bytes: u64,
}

impl Default for ServerConfig {
    fn default() -> ServerConfig {
        ServerConfig {
            whitelist: Whitelist::default(),
            token: None,
            version: String::new(),
            address: String::new(),
            keys: Arc::new(NoKeys),
            cache_bytes: 0,
        }
    }
}

/// What every handler shares.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) node: Node,
    pub(crate) config: ServerConfig,
    pub(crate) schema: AdminSchema,
    pub(crate) metrics: Metrics,
    pub(crate) started_at: Instant,
    running: Semaphore,
    /// Told when somebody asks the server to stop.
    pub(crate) stop: Notify,
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    pub(crate) fn new(node: Node, config: ServerConfig) -> App {
        let schema = crate::admin::schema();
        let (metrics, started_at) = (Metrics::default(), Instant::now());
        let running = Semaphore::new(MAX_RUNNING);
        App(Arc::new(Shared { node, config, schema, metrics, started_at, running, stop: Notify::new() }))
    }

    /// The store, for a client's request: refused while the node is drained.
    pub(crate) fn client_store(&self) -> Result<Arc<Store>, Failure> {
        self.node.store().map_err(Failure::execution)
    }

    /// Waits for a place among the requests that run.
    pub(crate) async fn turn(&self) -> SemaphorePermit<'_> {
        self.running.acquire().await.expect("the semaphore is never closed")
    }

    /// The store, for looking at it; refused only while there is none.
    pub(crate) fn store(&self) -> Result<Arc<Store>, Failure> {
        self.node.any_store().map_err(Failure::execution)
    }
}

/// The peer of a request. Without one (which no connection of ours lacks) nobody is trusted.
pub(crate) fn peer_of(parts: &Parts) -> IpAddr {
    parts.extensions.get::<ConnectInfo<SocketAddr>>().map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0.ip())
}

/// The parameters of a request's URL.
pub(crate) fn params_of(parts: &Parts) -> Params {
    Params::parse(parts.uri.query().unwrap_or_default())
}

/// Runs what blocks on a thread that may.
pub(crate) async fn blocking<T, F>(work: F) -> Result<T, Failure>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, Failure> + Send + 'static,
{
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        tracing::error!(error = with_causes(&error), "a request's work panicked");
        Err(Failure::execution("internal error: the request could not be finished; the log of the node says more"))
    })
}
