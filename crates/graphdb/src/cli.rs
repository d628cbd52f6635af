//! Which sub-commands there are.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::backup::BackupArgs;
use crate::check::CheckArgs;
use crate::config::{LogFormat, ServeFlags};
use crate::export::ExportArgs;
use crate::health::HealthArgs;
use crate::inspect::InspectArgs;
use crate::live::LiveArgs;
use crate::lsbackup::LsbackupArgs;
use crate::restore::RestoreArgs;
use crate::sample::SampleArgs;
use crate::verify::VerifyArgs;
use crate::{
    argv, backup, check, export, failure, health, inspect, live, log, lsbackup, restore, sample, serve, verify,
};

/// A graph database node whose data can always be got back.
#[derive(Debug, Parser)]
#[command(name = "graphdb", version, max_term_width = 110, subcommand_required = true, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Flags are read with dashes or underscores, and from GRAPHDB_… variables.
Exit codes: 0 done, 1 failed, 2 misused; those of verify are in its help.

A first round:
  graphdb sample --output /tmp/films
  graphdb serve --postings /tmp/p &
  graphdb live -f /tmp/films/sample.rdf.gz -s /tmp/films/sample.schema
  graphdb backup --destination /tmp/backups
  graphdb lsbackup --location /tmp/backups
  graphdb restore --location /tmp/backups --postings /tmp/restored --force-zero=false";

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a graph: clients' endpoints, and backups and restores through GraphQL at /admin
    #[command(visible_alias = "alpha")]
    Serve(Box<ServeFlags>),
    /// Load RDF or JSON into a running node
    Live(LiveArgs),
    /// Ask a running node for a backup
    Backup(BackupArgs),
    /// List the backups at a location
    Lsbackup(LsbackupArgs),
    /// Look into backups without restoring them
    Inspect(Box<InspectArgs>),
    /// Say whether backups can be restored, without restoring them
    Verify(Box<VerifyArgs>),
    /// Try what a place for backups can do
    Check(CheckArgs),
    /// Restore a backup into directories that a node can then serve (offline)
    Restore(Box<RestoreArgs>),
    /// Export a backup as text: RDF or JSON, with its schema (offline)
    #[command(visible_alias = "export_backup")]
    ExportBackup(Box<ExportArgs>),
    /// Write a graph of films to try graphdb with
    Sample(SampleArgs),
    /// Say whether a node is healthy, by exit code
    Health(HealthArgs),
    /// Print the version
    Version,
}

/// Runs the command with these arguments, the first of which is its own name.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(argv::with_dashes(args)) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too; they are printed on stdout and are no misuse.
            _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match execute(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}

fn execute(command: Command) -> anyhow::Result<()> {
    if !matches!(command, Command::Serve(_)) {
        // What the libraries find worth a warning; `RUST_LOG` asks for more.
        log::start(LogFormat::Text, "warn");
    }
    match command {
        Command::Serve(flags) => serve::run(*flags),
        Command::Live(args) => live::run(args),
        Command::Backup(args) => backup::run(args),
        Command::Lsbackup(args) => lsbackup::run(args),
        Command::Inspect(args) => inspect::run(*args),
        Command::Verify(args) => verify::run(*args),
        Command::Check(args) => check::run(args),
        Command::Restore(args) => restore::run(*args),
        Command::ExportBackup(args) => export::run(*args),
        Command::Sample(args) => sample::run(args),
        Command::Health(args) => health::run(args),
        Command::Version => {
            println!("graphdb {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_flags_of_every_sub_command_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_has_a_variable_of_its_own_name() {
        for command in Cli::command().get_subcommands() {
            for arg in command.get_arguments().filter(|arg| arg.get_long().is_some() && !arg.is_hide_set()) {
                let long = arg.get_long().expect("only those were asked for");
                if matches!(long, "help" | "version") {
                    continue;
                }
                let variable = arg.get_env().and_then(|name| name.to_str()).unwrap_or_default();
                let name = long.replace('-', "_").to_uppercase();
                let command_name = command.get_name().replace('-', "_").to_uppercase();
                let own = [format!("GRAPHDB_{name}"), format!("GRAPHDB_{command_name}_{name}")];
                assert!(own.iter().any(|own| own == variable), "{} --{long}: {variable:?}", command.get_name());
            }
        }
    }
}
