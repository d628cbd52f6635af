//! What a node answered when each backup of a series was taken.

use serde_json::Value;

use crate::harness::{Node, noise, sample};
use crate::questions::{SAMPLE, answers, assert_answers, full_answers};
use crate::road::{change_again, change_much, outcomes};

/// Nodes with 16 KiB each that make a full backup travel in two parts of 8 MiB.
pub(super) const TWO_PARTS: usize = 1_500;

/// A full backup and two incremental ones, of a sample that changes much in between.
pub(super) struct Series {
    answers: Vec<Vec<Value>>,
    changed: Vec<Vec<String>>,
    noise: Vec<Value>,
}

/// Questions about what [`noise`] commits: how much there is, and some of it.
const NOISE: &[&str] = &[
    "{ q(func: has(noise)) { count(uid) } }",
    "{ q(func: has(noise), first: 16) { uid noise } }",
    "{ q(func: has(noise), first: -16) { uid noise } }",
];

impl Series {
    /// Loads a node and lets `back_up` back it up three times; it gets the number of the backup.
    pub(super) fn tell(node: &Node, noise_nodes: usize, mut back_up: impl FnMut(usize)) -> Series {
        sample(node, 1_000);
        noise(node, noise_nodes);
        full_answers(node, SAMPLE);
        let mut series = Series { answers: Vec::new(), changed: Vec::new(), noise: answers(node, NOISE) };
        for (number, change) in [no_change, change_much, change_again].into_iter().enumerate() {
            change(node);
            series.answers.push(answers(node, SAMPLE));
            series.changed.push(outcomes(node));
            back_up(number + 1);
        }
        series
    }

    /// That a node shows what was there at the backup of this number, 1 to 3.
    #[track_caller]
    pub(super) fn assert_is_at(&self, node: &Node, number: usize, how: &str) {
        let when = format!("restored {how} to backup {number}");
        assert_answers(node, SAMPLE, &self.answers[number - 1], &when);
        assert_eq!(outcomes(node), self.changed[number - 1], "{when}");
        assert_answers(node, NOISE, &self.noise, &when);
    }
}

fn no_change(_: &Node) {}
