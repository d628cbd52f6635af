//! Real servers, each started for a test on 127.0.0.1 and ended with it, or with the process that runs it.
//!
//! The scripts in `scripts/servers` do the work; `scripts/test-servers.sh` installs what they start. A server that is not
//! installed is skipped loudly: `start` returns `None` after [`skip`].
//!
//! ```no_run
//! # async fn a_test() {
//! use graphdb_destination::testing::servers::Rgw;
//!
//! let Some(rgw) = Rgw::shared() else { return };
//! let account = rgw.account();
//! let bucket = account.fresh_bucket().await;
//! account.allow(&bucket, "*", &["s3:GetObject"]).await; // anybody may read
//! # }
//! ```

mod account;
mod garage;
mod nfs;
mod process;
mod rgw;
mod rusty_vault;
mod s3_server;
mod s3s;

use std::io::Write;
use std::path::{Path, PathBuf};

pub use account::Account;
pub use garage::Garage;
pub use nfs::{Nfs, beside_nfs};
pub use rgw::{Rgw, Storage};
pub use rusty_vault::RustyVault;
pub use s3_server::S3Server;
pub use s3s::S3s;

/// A script of `scripts/servers`.
fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/servers").join(format!("{name}.sh"))
}

/// Says that the test of this thread cannot run, and why, on standard error itself, where the test harness does not
/// swallow it; `scripts/count-tests.sh` lists and counts these lines.
pub fn skip(why: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // Written in one piece, since tests run side by side. If standard error is closed, nobody wants to know.
    _ = std::io::stderr().write_all(format!("\nSKIPPED {test}: {}\n", why.trim()).as_bytes());
}
