use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};

/// How far a backup or restore has come, and the switch that stops it. Clones share both.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    phase: Mutex<&'static str>,
    entries: AtomicU64,
    expected_entries: AtomicU64,
    bytes: AtomicU64,
    cancelled: AtomicBool,
}

impl Progress {
    /// Names what is being done now.
    pub(crate) fn enter(&self, phase: &'static str) {
        *self.state.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    /// What is being done now; empty before the start.
    pub fn phase(&self) -> &'static str {
        *self.state.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many entries there will be, as far as is known.
    pub(crate) fn expect(&self, entries: u64) {
        self.state.expected_entries.store(entries, Ordering::Relaxed);
    }

    /// Counts entries and their bytes.
    pub(crate) fn add(&self, entries: u64, bytes: u64) {
        self.state.entries.fetch_add(entries, Ordering::Relaxed);
        self.state.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Entries done so far.
    pub fn entries(&self) -> u64 {
        self.state.entries.load(Ordering::Relaxed)
    }

    /// Bytes of entries done so far, before compression.
    pub fn bytes(&self) -> u64 {
        self.state.bytes.load(Ordering::Relaxed)
    }

    /// 0 to 100; 0 while nobody knows how much there will be.
    pub fn percent(&self) -> f64 {
        match self.state.expected_entries.load(Ordering::Relaxed) {
            0 => 0.0,
            expected => (100.0 * self.entries() as f64 / expected as f64).min(100.0),
        }
    }

    /// Asks the work to stop; what it wrote so far is removed.
    pub fn cancel(&self) {
        self.state.cancelled.store(true, Ordering::Relaxed);
    }

    /// An error if the backup should stop.
    pub(crate) fn check_cancelled(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::Cancelled("the backup was stopped; nothing was recorded")) } else { Ok(()) }
    }

    /// Whether the work should stop.
    pub fn is_cancelled(&self) -> bool {
        self.state.cancelled.load(Ordering::Relaxed)
    }
}
