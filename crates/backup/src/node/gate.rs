//! Who keeps clients out of a node, and why.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Clients are kept out while any reason stands.
#[derive(Debug)]
pub(super) struct Gate {
    /// Somebody asked for draining mode.
    draining: AtomicBool,
    /// The last restore was partial.
    partial: AtomicBool,
    /// Restores that need the database to stay as it is, and exchanges of the store.
    held: Arc<AtomicUsize>,
}

/// Keeps clients out until it is dropped.
#[derive(Debug)]
pub(super) struct Shut(Arc<AtomicUsize>);

impl Gate {
    pub(super) fn new(partial: bool) -> Gate {
        Gate { draining: AtomicBool::new(false), partial: AtomicBool::new(partial), held: Arc::default() }
    }

    pub(super) fn is_shut(&self) -> bool {
        let asked = self.draining.load(Ordering::Acquire) || self.partial.load(Ordering::Acquire);
        asked || self.held.load(Ordering::Acquire) > 0
    }

    /// What an operator wants rules over what a partial restore left.
    pub(super) fn set(&self, draining: bool) {
        self.draining.store(draining, Ordering::Release);
        if !draining {
            self.partial.store(false, Ordering::Release);
        }
    }

    pub(super) fn set_partial(&self, partial: bool) {
        self.partial.store(partial, Ordering::Release);
    }

    pub(super) fn hold(&self) -> Shut {
        self.held.fetch_add(1, Ordering::AcqRel);
        Shut(Arc::clone(&self.held))
    }
}

impl Drop for Shut {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
