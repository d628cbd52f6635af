//! The `graphdb` command: flags, environment and files become options, the libraries do the work, and what they answer is printed.
//!
//! `argv` makes dashes of underscores in flags, `cli` says which sub-commands there are, `config` folds the settings of `serve`. Then
//! each sub-command has a file. Errors become one line on stderr and an exit code: 0 done, 1 failed, 2 misused.

mod argv;
mod cli;
mod failure;
mod log;

mod config;
mod keys;
mod parts;
mod places;
mod serve;

mod client;
mod progress;
mod scratch;

mod backup;
mod check;
mod export;
mod health;
mod inspect;
mod live;
mod lsbackup;
mod restore;
mod verify;

pub mod sample;

pub use cli::run;
