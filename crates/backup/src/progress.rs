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

    /// An error if the work should stop.
    pub(crate) fn check_cancelled(&self) -> Result<()> {
        if self.is_cancelled() {
            Err(Error::Cancelled("stopped before it was done; nothing was changed"))
        } else {
            Ok(())
        }
    }

    /// Whether the work should stop.
    pub fn is_cancelled(&self) -> bool {
        self.state.cancelled.load(Ordering::Relaxed)
    }
}

/// Entries since the last look at the progress: it is shared between threads, and not worth a touch for every entry.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    entries: u64,
    bytes: u64,
}

/// Entries between two looks at the progress and the switch that cancels.
const ENTRIES_A_LOOK: u64 = 1024;

impl Seen {
    /// Counts one entry; now and then shares the count and looks whether the work should stop.
    pub(crate) fn count(&mut self, bytes: usize, progress: &Progress) -> Result<()> {
        self.entries += 1;
        self.bytes += bytes as u64;
        if self.entries < ENTRIES_A_LOOK {
            return Ok(());
        }
        self.report(progress);
        progress.check_cancelled()
    }

    /// Shares what was counted since the last time.
    pub(crate) fn report(&mut self, progress: &Progress) {
        progress.add(std::mem::take(&mut self.entries), std::mem::take(&mut self.bytes));
    }
}
