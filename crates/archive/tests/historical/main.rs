//! What every version of Dgraph wrote, made at random by encoders of its own and read back equal: posting lists, keys,
//! schema, frames, compression, encryption, manifests.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../support/frames.rs"]
mod frames;
#[path = "../support/lists.rs"]
mod lists;
#[path = "../support/manifests.rs"]
mod manifests;
#[path = "../support/random.rs"]
mod random;
#[path = "../support/snappy.rs"]
mod snappy;
#[path = "../support/stored.rs"]
mod stored;
#[path = "../support/wire.rs"]
mod wire;

mod archives;
mod blocks;
mod entries;
mod series;
