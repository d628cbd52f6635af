//! The `graphdb` command. Everything is in the library, where tests and benches reach it.

use std::process::ExitCode;

/// A commit makes thousands of small keys and lists; with the system's allocator a sixth of the time went into making room for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    graphdb::run(std::env::args_os())
}
