//! Work done on several threads whose results come back in the order it was handed in.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// A job and where its result goes: one channel a job keeps the order without numbering anything.
type Job<T> = (T, SyncSender<T>);

/// Turns `T`s into finished `T`s (a block with its compressed form beside it, say). Holds at most `limit` of them.
pub(crate) struct Ordered<T> {
    work: Work<T>,
    limit: usize,
}

enum Work<T> {
    /// No threads: the caller works when it hands in.
    Inline {
        run: Box<dyn FnMut(T) -> T + Send>,
        done: VecDeque<T>,
    },
    Threads {
        jobs: Option<Sender<Job<T>>>,
        waiting: VecDeque<Receiver<T>>,
        threads: Vec<JoinHandle<()>>,
    },
}

impl<T: Send + 'static> Ordered<T> {
    /// Starts `workers` threads, each with its own function from `make`; with 0 the caller's thread works.
    pub(crate) fn new<F>(workers: usize, limit: usize, make: impl Fn() -> F) -> Ordered<T>
    where
        F: FnMut(T) -> T + Send + 'static,
    {
        if workers == 0 {
            return Ordered { work: Work::Inline { run: Box::new(make()), done: VecDeque::new() }, limit: 1 };
        }
        let (jobs, queue) = channel();
        let queue = Arc::new(Mutex::new(queue));
        let threads = (0..workers).map(|_| spawn_worker(Arc::clone(&queue), make())).collect();
        Ordered { work: Work::Threads { jobs: Some(jobs), waiting: VecDeque::new(), threads }, limit }
    }

    /// Whether a result must be taken before more may be handed in.
    pub(crate) fn is_full(&self) -> bool {
        let held = match &self.work {
            Work::Inline { done, .. } => done.len(),
            Work::Threads { waiting, .. } => waiting.len(),
        };
        held >= self.limit
    }

    /// Hands one item in.
    pub(crate) fn submit(&mut self, item: T) -> io::Result<()> {
        debug_assert!(!self.is_full(), "memory is bounded by the limit");
        match &mut self.work {
            Work::Inline { run, done } => done.push_back(run(item)),
            Work::Threads { jobs, waiting, .. } => {
                let (done, result) = sync_channel(1);
                let jobs = jobs.as_ref().expect("the sender is taken only by drop");
                jobs.send((item, done)).map_err(|_| died())?;
                waiting.push_back(result);
            }
        }
        Ok(())
    }

    /// Waits for the oldest item that was handed in; `None` if there is none.
    pub(crate) fn next(&mut self) -> io::Result<Option<T>> {
        match &mut self.work {
            Work::Inline { done, .. } => Ok(done.pop_front()),
            Work::Threads { waiting, .. } => match waiting.pop_front() {
                Some(result) => result.recv().map(Some).map_err(|_| died()),
                None => Ok(None),
            },
        }
    }
}

fn spawn_worker<T: Send + 'static>(
    queue: Arc<Mutex<Receiver<Job<T>>>>,
    mut run: impl FnMut(T) -> T + Send + 'static,
) -> JoinHandle<()> {
    let next_job = move || queue.lock().ok()?.recv().ok();
    thread::spawn(move || {
        while let Some((item, done)) = next_job() {
            // A closed channel means that nobody wants the result any more.
            let _ = done.send(run(item));
        }
    })
}

fn died() -> io::Error {
    io::Error::other("a compression thread died")
}

/// No thread outlives its pool: at most `limit` jobs are finished first.
impl<T> Drop for Ordered<T> {
    fn drop(&mut self) {
        if let Work::Threads { jobs, threads, .. } = &mut self.work {
            drop(jobs.take());
            for thread in threads.drain(..) {
                // A worker that panicked was reported by `next`.
                let _ = thread.join();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn results_come_back_in_order_whatever_each_takes() {
        for workers in [0, 1, 3] {
            let mut pool = Ordered::new(workers, 8, || {
                |n: u64| {
                    thread::sleep(std::time::Duration::from_micros((n * 7919) % 300));
                    n * 2
                }
            });
            let mut results = Vec::new();
            for n in 0..100 {
                if pool.is_full() {
                    results.extend(pool.next().unwrap());
                }
                pool.submit(n).unwrap();
            }
            while let Some(n) = pool.next().unwrap() {
                results.push(n);
            }
            assert_eq!(results, (0..100).map(|n| n * 2).collect::<Vec<_>>(), "{workers} workers");
        }
    }

    #[test]
    fn a_worker_that_panics_is_an_error_not_a_hang() {
        let mut pool = Ordered::new(1, 4, || |n: u32| if n == 1 { panic!("as the test wants") } else { n });
        for n in 0..2 {
            pool.submit(n).unwrap();
        }
        assert_eq!(pool.next().unwrap(), Some(0));
        assert!(pool.next().is_err());
    }
}
