//! For tests, here and in other crates: the suite that every kind of destination passes, and fault injection.
//!
//! ```
//! # use graphdb_destination::{Destination, MemoryDestination, testing::{FaultyDestination, Fault}};
//! # async fn back_up(_: &dyn Destination) -> Result<(), ()> { Ok(()) }
//! # async fn check() {
//! // "Whichever call fails, the backup fails cleanly": count the calls once, then fail each in turn.
//! let rehearsal = FaultyDestination::new(MemoryDestination::new());
//! back_up(&rehearsal).await.expect("nothing fails yet");
//! for n in 1..=rehearsal.call_count() {
//!     let destination = FaultyDestination::new(MemoryDestination::new());
//!     destination.fail_call(n, Fault::Unavailable);
//!     assert!(back_up(&destination).await.is_err(), "call {n}");
//! }
//! # }
//! ```

mod conformance;
pub mod fault_proxy;
mod faulty;
pub mod servers;

pub use conformance::{Traits, conformance, conformance_with};
pub use faulty::{Call, CallKind, Fault, FaultyDestination};
