//! The product as its users have it: the real `graphdb` process, HTTP, and directories of backups. A module tells one story.
//!
//! Every node listens on a free port of 127.0.0.1 and lives in a temporary directory of its own, so the stories run side by side. Every
//! wait ends, and no story asserts how long anything takes.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod harness;
mod questions;

mod bad_backups;
mod bad_input;
mod bad_requests;
mod crash;
mod default_place;
mod exports;
mod inspected;
mod loading_exports;
mod movies;
mod nfs;
mod readme;
mod road;
mod stop;
mod stores;
mod two_writers;
mod vault;
mod verify;
