//! `graphdb health`: asks a node how it is, for the health checks of containers.

use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use crate::client::Client;

/// Says whether a node is healthy: exit code 0 if it is, 1 if not.
#[derive(Debug, Args)]
#[command(after_help = "\
A node that keeps clients out (draining), or puts a restored store in place, is healthy:
starting it anew would help nobody. With --ready it must take requests, too.

Examples:
  graphdb health --url http://127.0.0.1:8080 || systemctl restart graphdb
  graphdb health --ready

The same without this command: GET /healthz, and GET /health for --ready.")]
pub(crate) struct HealthArgs {
    /// The node
    #[arg(long, value_name = "URL", env = "GRAPHDB_URL", default_value = "http://127.0.0.1:8080")]
    url: String,

    /// Whether it takes requests, too
    #[arg(long, env = "GRAPHDB_READY")]
    ready: bool,
}

/// Longer than a healthy node ever takes, shorter than those who ask are patient.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Runs `graphdb health`.
pub(crate) fn run(args: HealthArgs) -> anyhow::Result<()> {
    let client = Client::new(&args.url, None)?.within(TIMEOUT);
    let (path, state) = if args.ready { ("/health", "ready") } else { ("/healthz", "healthy") };
    client.probe(path).context("health")?;
    println!("{} is {state}", client.base());
    Ok(())
}
