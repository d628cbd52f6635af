//! **Fault injection, for tests**, between a client and a real object store: an HTTP proxy that breaks what it is told to.

mod exchange;
mod fault;
mod listing;
mod operation;
mod refusal;
mod script;
mod upstream;
mod wire;

#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

pub use fault::{Fault, Rule};
pub use operation::Operation;
pub use script::Request;

use script::Script;
use wire::Connection;

/// How long nobody listens after [`Fault::PortRefused`].
const REFUSAL: Duration = Duration::from_millis(300);

/// Passes requests on to an object store, counts them by operation, and breaks the chosen ones.
///
/// Speaks HTTP/1.1 without encryption, on a port of its own at 127.0.0.1. Headers go on as they came, `Host` too, since
/// the client's signature covers them. Bodies are held in memory. Dropped, it ends all its connections.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    script: Mutex<Script>,
    /// Asks for the port to be closed for a while; answered when it is.
    refusals: mpsc::Sender<oneshot::Sender<()>>,
}

impl FaultProxy {
    /// Begins to pass requests on to `server`. Nothing fails until told to.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(server: SocketAddr) -> io::Result<FaultProxy> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (refusals, refuse) = mpsc::channel(1);
        let shared = Arc::new(Shared { server, script: Mutex::default(), refusals });
        let accepting = tokio::spawn(accept(listener, address, Arc::clone(&shared), refuse));
        Ok(FaultProxy { address, shared, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Breaks what `rule` says. Of several rules for one request the first decides.
    pub fn inject(&self, rule: Rule) {
        self.shared.script().add(rule);
    }

    /// Asks `chance` for the fault of every request that no rule is for.
    pub fn leave_to(&self, chance: impl FnMut(&Request) -> Option<Fault> + Send + 'static) {
        self.shared.script().leave_to(Box::new(chance));
    }

    /// Forgets all faults; the counts go on.
    pub fn heal(&self) {
        self.shared.script().heal();
    }

    /// Cuts listings into pages of so many entries, and tells the client to go on after the last one. Stores must take a key for a
    /// continuation, as Ceph does.
    pub fn set_page_entries(&self, entries: usize) {
        self.shared.script().set_page_entries(entries);
    }

    /// Every request so far, in the order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.script().requests().to_vec()
    }

    /// How often an operation was asked for.
    pub fn count(&self, operation: Operation) -> usize {
        self.shared.script().requests().iter().filter(|request| request.operation == operation).count()
    }

    /// The requests that met a fault.
    pub fn struck(&self) -> Vec<Request> {
        self.requests().into_iter().filter(|request| request.fault.is_some()).collect()
    }

    /// Looks for a secret in every request and answer from now on: in targets, in headers, and in the first 64 KiB of
    /// bodies.
    pub fn watch_for(&self, secret: &str) {
        self.shared.script().watch_for(secret);
    }

    /// Where a secret was seen in plain; never the secret.
    pub fn leaks(&self) -> Vec<String> {
        self.shared.script().leaks().to_vec()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    /// Tests panic where they like; the script is whole all the same.
    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when nobody listens any more.
    async fn refuse_connections(&self) {
        let (closed, is_closed) = oneshot::channel();
        if self.refusals.send(closed).await.is_ok() {
            _ = is_closed.await;
        }
    }
}

/// Serves every client in a task of its own; dropped, all of them end.
async fn accept(
    mut listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
    mut refuse: mpsc::Receiver<oneshot::Sender<()>>,
) {
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    clients.spawn(serve(stream, Arc::clone(&shared)));
                }
            }
            Some(closed) = refuse.recv() => {
                drop(listener);
                _ = closed.send(());
                tokio::time::sleep(REFUSAL).await;
                let Ok(again) = TcpListener::bind(address).await else { return };
                listener = again;
            }
            Some(_) = clients.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    // Small answers in pieces would otherwise wait for the client's acknowledgements.
    _ = stream.set_nodelay(true);
    exchange::serve(Connection::new(stream), shared).await;
}
