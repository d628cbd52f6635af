//! What the stories need: nodes, requests, commands, and places for files.

mod client;
mod command;
mod node;
mod places;

pub(crate) use client::{Answer, Client};
pub(crate) use command::{Output, Running, bin_dir, clean, cli, cli_with, graphdb, spawn_cli};
pub(crate) use node::Node;
pub(crate) use places::{
    Folder, copy_tree, folders, has_lock, manifests, noise, sample, shared, temp_dir, tree, workspace,
};

use std::time::{Duration, Instant};

/// More than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Asks again and again until there is an answer.
pub(crate) fn wait_for<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    wait_up_to(PATIENCE, ask).unwrap_or_else(|| panic!("waited {PATIENCE:?} for {what}"))
}

/// Asks again and again until there is an answer or the time is over.
pub(crate) fn wait_up_to<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        match ask() {
            None if Instant::now() < end => std::thread::sleep(Duration::from_millis(2)),
            answer => return answer,
        }
    }
}

/// That a message says each of the parts.
#[track_caller]
pub(crate) fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{part:?} is missing in: {message}");
    }
}
