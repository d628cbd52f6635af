//! Whatever goes wrong between a node and a real S3 server: a backup is whole or it is not there, a restore gives equal bytes or an error
//! that says what was asked of which object, and once the fault is gone the next backup succeeds.
//!
//! A proxy between the two breaks one request, or all from one on: [`table`] says what each fault may come to, [`matrix`] tries it on every
//! operation at its first, middle and last request, and [`soak`] breaks most requests by chance.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[allow(dead_code, reason = "shared with the tests of the engine, which use more of it")]
#[path = "../engine/model.rs"]
mod model;
#[allow(dead_code, reason = "shared with the tests of the engine, which use more of it")]
#[path = "../engine/support.rs"]
mod support;

mod table;

mod job;
mod lab;
mod source;

mod matrix;
mod soak;
