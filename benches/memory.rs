//! Peak memory of a piece of work, from the kernel's high-water mark.

use std::fs;

/// Runs `work` and gives how far the resident memory rose above where it began, in bytes.
pub(crate) fn peak_above<T>(work: impl FnOnce() -> T) -> (T, u64) {
    // 5 resets the high-water mark to the present value (proc(5), clear_refs).
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = status("VmRSS:");
    let result = work();
    (result, status("VmHWM:").saturating_sub(before))
}

fn status(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}
