//! Damages bytes in every way that is asked for, one at a time, and watches what that does.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::heap::peak_bytes;

/// The most that any decoder may hold for any damaged file of these: two chunks of S2 of 4 MiB each, in vectors that double.
pub(crate) const MAX_HEAP_BYTES: usize = 16 << 20;

/// After so long without an end a sweep hangs: the longest takes minutes.
const PATIENCE: Duration = Duration::from_secs(3600);

/// What was done to the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// They end here.
    Cut { at: usize },
    /// One byte is another.
    Set { at: usize, value: u8 },
}

/// How thorough a sweep is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Depth {
    /// Bytes that may be decoded in all for each file: bytes of a long one become fewer others, in fewer places.
    pub(crate) budget_bytes: usize,
    /// What a byte becomes, the most telling first: the highest bit makes numbers go on and chunks be skipped.
    pub(crate) values: fn(u8) -> Vec<u8>,
}

/// Every place of what is small, and some of what is large: seconds.
pub(crate) const USUAL: Depth =
    Depth { budget_bytes: 24 << 20, values: |byte| vec![byte ^ 0x80, byte ^ 0x01, 0x00, 0xff] };

/// Every place, but for what takes gibibytes: minutes.
pub(crate) const FULL: Depth = Depth {
    budget_bytes: 1 << 30,
    values: |byte| {
        let flipped = (0..8).rev().map(|bit| byte ^ 1 << bit);
        flipped.chain([byte.wrapping_add(1), byte.wrapping_sub(1), 0x00, 0x7f, 0x80, 0xff]).collect()
    },
};

/// Where a sweep stands, for the message when it fails or hangs.
type Place = Arc<Mutex<(String, Option<Damage>)>>;

/// A sweep on its way.
pub(crate) struct Sweep {
    depth: Depth,
    place: Place,
    cases: u64,
    peak_bytes: usize,
}

impl Sweep {
    /// Runs `work` on a thread of its own. Fails with the name of the damaged bytes when it panics or does not end.
    pub(crate) fn run(depth: Depth, work: impl FnOnce(&mut Sweep) + Send + 'static) {
        let place = Place::default();
        let mut sweep = Sweep { depth, place: place.clone(), cases: 0, peak_bytes: 0 };
        let (done, ended) = mpsc::channel();
        let worker = thread::spawn(move || {
            work(&mut sweep);
            println!("{} cases, at most {} bytes allocated", sweep.cases, sweep.peak_bytes);
            assert!(sweep.cases > 50, "only {} cases", sweep.cases);
            _ = done.send(());
        });
        match ended.recv_timeout(PATIENCE) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => panic!("hangs: {:?}", place.lock()),
            Err(RecvTimeoutError::Disconnected) => panic!("failed: {:?}", place.lock()),
        }
        worker.join().expect("a worker that reported its end has ended");
    }

    /// Calls `check` with `bytes` damaged in one way after another. `cost_bytes` is what one call decodes.
    pub(crate) fn damage(&mut self, name: &str, bytes: &[u8], cost_bytes: usize, check: impl Fn(&[u8], Damage)) {
        self.place.lock().expect("nobody panics with it").0 = name.to_owned();
        let affordable = self.depth.budget_bytes / cost_bytes.max(1);
        let changes = (affordable / bytes.len().max(1)).saturating_sub(1).clamp(1, (self.depth.values)(0).len());
        let mut damaged = bytes.to_vec();
        for at in places(bytes.len(), affordable / (changes + 1)) {
            self.case(Damage::Cut { at }, &bytes[..at], &check);
            for value in (self.depth.values)(bytes[at]).into_iter().take(changes).filter(|value| *value != bytes[at]) {
                damaged[at] = value;
                self.case(Damage::Set { at, value }, &damaged, &check);
            }
            damaged[at] = bytes[at];
        }
    }

    fn case(&mut self, damage: Damage, damaged: &[u8], check: impl Fn(&[u8], Damage)) {
        self.place.lock().expect("nobody panics with it").1 = Some(damage);
        let peak = peak_bytes(|| check(damaged, damage));
        assert!(peak <= MAX_HEAP_BYTES, "{peak} bytes allocated");
        self.peak_bytes = self.peak_bytes.max(peak);
        self.cases += 1;
    }
}

/// All places, or `most` of them: half at the start, where headers are, and the others evenly over the rest.
fn places(len: usize, most: usize) -> Vec<usize> {
    if len <= most {
        return (0..len).collect();
    }
    let head = most / 2;
    let others = (most - head).max(1);
    (0..head).chain((0..others).map(|n| head + n * (len - head) / others)).collect()
}
