//! Frames: a `u64` little-endian length, then so many bytes of a protobuf `KVList`.
//!
//! Encoded and decoded by hand, because owned protobuf structs cost more than gzip's decompression.

mod entry;
mod reader;
mod writer;

#[cfg(test)]
mod tests;

pub use entry::{Entry, EntryValue, KeyValue, user_meta};
pub use reader::FrameReader;
pub use writer::FrameWriter;

/// Bytes after which the writer closes a frame. Dgraph writes 4 to 100 MB and reads any size; small ones keep the memory
/// of a merge over many archives low.
pub const FRAME_BYTES: usize = 1 << 20;

/// The longest frame that is written or read: 1 GiB. Dgraph's longest are about 100 MB plus one posting list. The length
/// stands in a file that anybody may have written, so no more than what the stream delivers is ever allocated.
pub const MAX_FRAME_BYTES: u64 = 1 << 30;

/// Bytes of the length in front of each frame.
const LENGTH_BYTES: usize = 8;
