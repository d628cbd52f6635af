//! Threads that send batches, each as one transaction, and again until it is committed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;

use super::batch::Batch;
use crate::client::{CallError, Client};

/// How often a transaction is tried that lost against another: with pauses of up to [`LONGEST_PAUSE`], about half a minute.
const CONFLICT_ATTEMPTS: u32 = 100;
/// How often a node is called that cannot be reached, which is long enough for a restart of it.
const CONNECTION_ATTEMPTS: u32 = 8;
const LONGEST_PAUSE: Duration = Duration::from_millis(300);

/// Faults that are told; the others are counted.
const FAULTS_SHOWN: usize = 10;

/// What happened so far. Shared by all threads.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    nquads: AtomicU64,
    retries: AtomicU64,
    bytes_read: AtomicU64,
    left_out: Mutex<LeftOut>,
}

/// Statements that were not loaded.
#[derive(Clone, Debug, Default)]
pub(crate) struct LeftOut {
    pub(crate) count: u64,
    pub(crate) first: Vec<String>,
}

impl Tally {
    /// Statements that are committed.
    pub(crate) fn nquads(&self) -> u64 {
        self.nquads.load(Ordering::Relaxed)
    }

    pub(crate) fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    /// Bytes of files, as stored.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    pub(crate) fn read_bytes(&self, bytes: u64) {
        self.bytes_read.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn left_out(&self) -> LeftOut {
        self.left_out.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes a statement that is not loaded, and why.
    pub(crate) fn leave_out(&self, fault: String) {
        let mut left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        left_out.count += 1;
        if left_out.first.len() < FAULTS_SHOWN {
            left_out.first.push(fault);
        }
    }
}

/// What the sending threads share.
pub(crate) struct Outbox<'a> {
    pub(crate) tally: &'a Tally,
    pub(crate) ignore_errors: bool,
    /// One thread failed; the others stop.
    failed: AtomicBool,
}

impl<'a> Outbox<'a> {
    pub(crate) fn new(tally: &'a Tally, ignore_errors: bool) -> Outbox<'a> {
        Outbox { tally, ignore_errors, failed: AtomicBool::new(false) }
    }

    /// Sends batches, one after the other, until there are no more, or one fails in any thread.
    pub(crate) fn send_all(&self, client: &Client, batches: Receiver<Batch>) -> anyhow::Result<()> {
        for batch in batches {
            if self.has_failed() {
                break;
            }
            self.send(client, &batch)
                .with_context(|| batch.place())
                .inspect_err(|_| self.failed.store(true, Ordering::Relaxed))?;
        }
        Ok(())
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Sends a batch. If the node refuses it and errors are to be ignored, its halves, until what it refuses stands alone.
    fn send(&self, client: &Client, batch: &Batch) -> anyhow::Result<()> {
        match self.commit(client, batch) {
            Ok(()) => {
                self.tally.nquads.fetch_add(batch.nquads().into(), Ordering::Relaxed);
                Ok(())
            }
            Err(CallError::Refused { message, .. }) if self.ignore_errors => match batch.halves() {
                Some(halves) => halves.iter().try_for_each(|half| self.send(client, half)),
                None => {
                    self.tally.leave_out(format!("{}: {}: {message}", batch.place(), batch.statement()));
                    Ok(())
                }
            },
            Err(error) => Err(error.into()),
        }
    }

    fn commit(&self, client: &Client, batch: &Batch) -> Result<(), CallError> {
        let (mut conflicts, mut lost) = (0, 0);
        loop {
            let error = match client.post("/mutate?commitNow=true", "application/rdf", batch.body().as_bytes()) {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            let attempt = if error.is_conflict() { &mut conflicts } else { &mut lost };
            *attempt += 1;
            let may_retry = match () {
                () if error.is_conflict() => *attempt < CONFLICT_ATTEMPTS,
                () if error.is_connection() => *attempt < CONNECTION_ATTEMPTS,
                () => false,
            };
            if !may_retry || self.has_failed() {
                return Err(error);
            }
            self.tally.retries.fetch_add(1, Ordering::Relaxed);
            thread::sleep(pause(*attempt, error.is_connection()));
        }
    }
}

/// Longer with every attempt, and never the same for two threads that met.
fn pause(attempt: u32, connection: bool) -> Duration {
    let shortest = Duration::from_millis(if connection { 50 } else { 1 });
    let doubled = shortest.saturating_mul(1 << attempt.min(12));
    let most = if connection { 10 * LONGEST_PAUSE } else { LONGEST_PAUSE };
    doubled.min(most).mul_f64(0.5 + 0.5 * rand::random::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_growing() {
        for attempt in 0..200 {
            assert!(pause(attempt, false) <= LONGEST_PAUSE && pause(attempt, true) <= 10 * LONGEST_PAUSE);
        }
        assert!(pause(12, false) > pause(1, false));
    }

    #[test]
    fn the_first_faults_are_kept_and_all_are_counted() {
        let tally = Tally::default();
        (0..25).for_each(|n| tally.leave_out(n.to_string()));
        assert_eq!((tally.left_out().count, tally.left_out().first.len()), (25, FAULTS_SHOWN));
    }
}
