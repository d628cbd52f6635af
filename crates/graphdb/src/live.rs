//! `graphdb live`: streams RDF or JSON into a running node.
//!
//! ```text
//!   input            rdf, json           names                 batch               send
//!   files, gzip ──→  statements, once ─→ names to uids,     ─→ N-Quads of uids ─→ transactions,
//!   (own thread)     (this thread)       leased in blocks      as text             retried (own threads)
//! ```
//!
//! Every node has its uid before it is sent, so a transaction can be sent again without harm, whatever became of the first attempt.

mod batch;
mod gql;
mod input;
mod json;
mod load;
mod names;
mod namespaces;
mod rdf;
mod schema;
mod send;
mod xidmap;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use crate::client::Client;
use crate::progress::{Reporter, Stand, grouped};
use input::Input;
use load::Before;
use namespaces::Namespaces;
use send::Tally;

/// Loads RDF or JSON into a running node, in transactions, and maps names of nodes to uids.
///
/// Blank nodes (_:name) and IRIs (<http://…>) are the same node in all files of one run, and with --xidmap in all runs.
/// Numbers in angle brackets (<0x1a>) are uids, unless --new-uids asks for new ones.
///
/// The folder of an export is loaded with its schema and its GraphQL schema, each namespace into its own.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  graphdb live -f films.rdf.gz -s films.schema
  graphdb live -f 2024.rdf,2025.rdf,/data/exports --alpha http://10.1.2.3:8080 --xidmap names.tsv
  graphdb live -f exports/dgraph.r17.u0104.2257
  zcat dump.nq.gz | graphdb live -f - --ignore-errors")]
pub(crate) struct LiveArgs {
    /// Files and directories to load, plain or gzip; - is standard input
    #[arg(short, long, value_name = "FILE", env = "GRAPHDB_FILES", value_delimiter = ',', required = true)]
    files: Vec<PathBuf>,

    /// Schemas to apply first, written by hand or exported [default: those in the folders of exports]
    #[arg(short, long, value_name = "FILE", env = "GRAPHDB_SCHEMA", value_delimiter = ',')]
    schema: Vec<PathBuf>,

    /// GraphQL schemas to keep, as exported or as SDL [default: those in the folders of exports]
    #[arg(short, long, value_name = "FILE", env = "GRAPHDB_GRAPHQL_SCHEMA", value_delimiter = ',')]
    graphql_schema: Vec<PathBuf>,

    /// The node
    #[arg(short, long, value_name = "URL", env = "GRAPHDB_ALPHA", default_value = "http://127.0.0.1:8080")]
    alpha: String,

    /// What the files hold [default: by their names, RDF for standard input]
    #[arg(long, value_enum, value_name = "FORMAT", env = "GRAPHDB_FORMAT")]
    format: Option<Format>,

    /// N-Quads in one transaction
    #[arg(short, long, value_name = "N", env = "GRAPHDB_BATCH", default_value_t = 5000,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    batch: u32,

    /// Transactions at a time
    #[arg(short, long, value_name = "N", env = "GRAPHDB_CONC", default_value_t = 4,
          value_parser = clap::value_parser!(u16).range(1..=256))]
    conc: u16,

    /// File that keeps which name has which uid, read at the start and continued
    #[arg(short, long, value_name = "FILE", env = "GRAPHDB_XIDMAP")]
    xidmap: Option<PathBuf>,

    /// Give new uids to nodes that are written as uids, too
    #[arg(long, env = "GRAPHDB_NEW_UIDS")]
    new_uids: bool,

    /// Leave out what is malformed or refused, and count it
    #[arg(long, env = "GRAPHDB_IGNORE_ERRORS")]
    ignore_errors: bool,

    /// File with the node's token
    #[arg(short = 't', long, value_name = "FILE", env = "GRAPHDB_AUTH_TOKEN_FILE")]
    auth_token_file: Option<PathBuf>,
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// N-Quads, one a line
    Rdf,
    /// An array of objects, or one object after the other
    Json,
}

/// Runs `graphdb live`.
pub(crate) fn run(mut args: LiveArgs) -> anyhow::Result<()> {
    let inputs = Input::find(&args.files, args.format)?;
    let client = Client::new(&args.alpha, args.auth_token_file.as_deref())?;
    add_schemas_of_exports(&mut args)?;
    let mut namespaces = Namespaces::default();
    let mut passwords = schema::apply(&client, &args.schema, &mut namespaces)?;
    if inputs.iter().any(|input| input.format == Format::Json) {
        passwords.extend(schema::passwords_of(&client)?);
    }
    let before = Before { namespaces, passwords };
    let begin = Instant::now();
    let tally = Arc::new(Tally::default());
    let loaded = {
        let _reporter = show(Arc::clone(&tally), input::total_bytes(&inputs), begin);
        load::load(&args, &inputs, client.another(), before, &tally)
    };
    let left_out = tally.left_out();
    for fault in &left_out.first {
        eprintln!("left out: {fault}");
    }
    if left_out.count > left_out.first.len() as u64 {
        eprintln!("left out: {} more", left_out.count - left_out.first.len() as u64);
    }
    let (nodes, mut namespaces) =
        loaded.with_context(|| format!("live: {} N-Quads were loaded before", tally.nquads()))?;
    gql::apply(&client, &args.graphql_schema, &mut namespaces)?;
    let seconds = begin.elapsed().as_secs_f64();
    let (nquads, retries) = (tally.nquads(), tally.retries());
    let rate = nquads as f64 / seconds.max(1e-9);
    println!("{nquads} N-Quads, {nodes} nodes in {seconds:.1} s ({rate:.0} N-Quads/s), {retries} retries");
    if left_out.count > 0 {
        println!("{} statements were left out", left_out.count);
    }
    Ok(())
}

/// The schemas that lie beside exported data, unless others were named.
fn add_schemas_of_exports(args: &mut LiveArgs) -> anyhow::Result<()> {
    for (named, what) in [(&mut args.schema, "schema"), (&mut args.graphql_schema, "gql_schema")] {
        if named.is_empty() {
            *named = input::beside_exports(&args.files, what)?;
        }
    }
    Ok(())
}

/// Says what was done to somebody who watches.
fn tell(done: &str) {
    if std::io::stderr().is_terminal() {
        eprintln!("{done}");
    }
}

fn show(tally: Arc<Tally>, total_bytes: Option<u64>, begin: Instant) -> Reporter {
    Reporter::start(move || {
        let nquads = tally.nquads();
        let rate = (nquads as f64 / begin.elapsed().as_secs_f64().max(1e-9)) as u64;
        let part =
            total_bytes.filter(|total| *total > 0).map(|total| (tally.bytes_read() as f64 / total as f64).min(1.0));
        Stand { part, text: format!("{} N-Quads, {}/s, {} retries", grouped(nquads), grouped(rate), tally.retries()) }
    })
}
