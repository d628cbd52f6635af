//! Namespaces, made on the node when the input first names them.

use anyhow::{Context as _, bail};
use graphdb_types::Namespace;

use super::load::assign;
use crate::client::Client;

/// The namespaces that the node is known to have.
#[derive(Debug, Default)]
pub(crate) struct Namespaces {
    /// The greatest that there is; the root is always there.
    last: u64,
    /// The greatest that there was before the first was made here.
    before: Option<u64>,
}

impl Namespaces {
    /// Makes sure that the node has `namespace`. Which it has is only known by taking the next one, so one number is lost.
    pub(crate) fn make(&mut self, client: &Client, namespace: Namespace) -> anyhow::Result<()> {
        while namespace.0 > self.last {
            let count = if self.before.is_none() { 1 } else { namespace.0 - self.last };
            let (first, last) =
                assign(client, "nsids", count).with_context(|| format!("make namespace {namespace}"))?;
            if last <= self.last {
                bail!("the node gave the namespaces {first} to {last} a second time");
            }
            self.before = self.before.or(Some(first - 1));
            self.last = last;
        }
        Ok(())
    }

    /// Whether `namespace` was made here, so that nothing else is in it.
    pub(crate) fn is_new(&self, namespace: Namespace) -> bool {
        self.before.is_some_and(|before| namespace.0 > before && namespace.0 <= self.last)
    }
}
