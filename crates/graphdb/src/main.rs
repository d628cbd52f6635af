//! The `graphdb` command. Everything is in the library, where tests and benches reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    graphdb::run(std::env::args_os())
}
