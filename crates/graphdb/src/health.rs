//! `graphdb health`: asks a node how it is, for the health checks of containers.

use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;

use crate::client::Client;

/// Says whether a node is healthy: exit code 0 if it is, 1 if not.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  graphdb health --url http://127.0.0.1:8080 || systemctl restart graphdb")]
pub(crate) struct HealthArgs {
    /// The node
    #[arg(long, value_name = "URL", env = "GRAPHDB_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
}

/// Longer than a healthy node ever takes, shorter than those who ask are patient.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Runs `graphdb health`.
pub(crate) fn run(args: HealthArgs) -> anyhow::Result<()> {
    let client = Client::new(&args.url, None)?.within(TIMEOUT);
    let answer = client.get("/health").context("health")?;
    let node = &answer[0];
    let (status, version) = (node["status"].as_str().unwrap_or("unknown"), node["version"].as_str().unwrap_or("?"));
    if status != "healthy" {
        bail!("health: {} is {status}", client.base());
    }
    println!("{} is healthy (graphdb {version})", client.base());
    Ok(())
}
