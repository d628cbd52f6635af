//! What holds for any bytes that a decoder of backups is given: each module is a fuzz target, and its `check` panics where
//! its claims do not hold. `crates/archive/tests/corpus.rs` runs the same functions over the kept inputs, without libFuzzer.

pub mod blocks;
pub mod compressed;
pub mod entries;
pub mod frames;
pub mod key;
pub mod manifest;
pub mod posting_list;
pub mod schema;

use std::alloc::System;

use cap::Cap;

/// What one input may make a decoder hold: 32 MiB. The largest by right are a chunk of S2 (4 MiB, packed and unpacked), the
/// members of gzip and the windows of frames (1 MiB each), and what a check keeps for its comparisons. A length that is
/// believed before its bytes are there asks for more, and that ends the process.
const MAX_HELD_BYTES: usize = 32 << 20;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, MAX_HELD_BYTES);
