use super::{QueryError, Result};

/// The most uids one query may read from posting lists. They are held in memory, at 8 to 32 bytes each.
pub const MAX_UIDS_READ: u64 = 20_000_000;

/// The longest answer, in bytes of JSON.
pub const MAX_RESULT_BYTES: usize = 512 << 20;

/// The most nodes one answer may go through, with their repeats along different paths. A few edges in a circle, followed fifty levels deep,
/// lead to more nodes than any machine can visit.
pub const MAX_RENDERED_NODES: u64 = 50_000_000;

/// The most combinations of values that one level may make: groups by several keys, flattened paths. Each is an object in memory, of some
/// hundred bytes.
pub const MAX_COMBINATIONS: u64 = 1_000_000;

/// The most passwords one query may check. Each takes some 50 ms of a processor: that is what makes them hard to guess.
pub const MAX_PASSWORD_CHECKS: u64 = 1_000;

/// Fails once `count` is above `limit`.
pub(super) fn check(what: &'static str, count: u64, limit: u64) -> Result<()> {
    if count > limit { Err(QueryError::TooLarge { what, limit }) } else { Ok(()) }
}
