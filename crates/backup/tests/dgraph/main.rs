//! Backups of Dgraph read as series: every number of every series that real servers wrote, and small ones for what those do not show.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../../../archive/tests/support/frames.rs"]
mod frames;
#[path = "../../../archive/tests/support/lists.rs"]
mod lists;
#[path = "../../../archive/tests/support/manifests.rs"]
mod manifests;
#[path = "../../../archive/tests/support/wire.rs"]
mod wire;

mod data;
mod independent;
mod restores;
mod story;
mod surveyed;
mod traps;
mod upon;
mod verify;
