//! Backups that real Dgraph servers wrote, read as series: every backup number of every one is restored.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod data;
mod independent;
mod restores;
mod verify;
