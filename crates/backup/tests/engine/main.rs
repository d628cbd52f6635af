//! The backup engine as a whole, over stores, memory and directories: histories, faults, damage, a running node.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod model;
mod places;
mod support;

mod damage;
mod exports;
mod faults;
mod histories;
mod node;
mod refusals;
mod verify;
mod weak_stores;
mod write_only;
