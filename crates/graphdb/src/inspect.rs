//! `graphdb inspect`: looks into backups without restoring them.

mod advice;
mod json;
mod names;
mod output;
mod overview;
mod pick;
mod schema;
mod table;
mod triples;

use std::collections::BTreeSet;
use std::io::IsTerminal as _;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use graphdb_backup::{Asked, Progress, Selection, SeriesRequest, SeriesSource, Tenant, read_schema, survey};
use graphdb_types::{GroupId, Namespace, Uid};

use crate::failure::misuse;
use crate::keys::{KeyFlags, keep_out_of_core_dumps, read_key};
use crate::parts::SeriesFlags;
use crate::places::{Place, PlaceFlags};
use crate::progress::{Reporter, Stand, grouped};
use crate::scratch::{Scratch, ScratchFlags, stoppable};

use output::Output;
use overview::Overview;
use triples::{Form, Whose};

/// Looks into a series of backups, graphdb's or Dgraph's, without restoring it: what each backup holds, and the predicates, types and
/// schemas that all of them give together.
///
/// With --get, --predicate or --schema it prints nodes, predicates or the schema instead. Nothing is changed at the location. Index, reverse
/// and count keys of Dgraph's are made anew from the data, as a restore does, and compared with those that were stored.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  graphdb inspect --location /srv/backups
  graphdb inspect -l /srv/backups --get 0x1f                      # what the node has, and what points at it
  graphdb inspect -l /srv/backups --predicate name --limit 10
  graphdb inspect -l /srv/backups --schema --backup-num 2         # the schema as backup 2 had it, for /alter
  graphdb inspect -l s3:///my-backups/graph --output json
  graphdb inspect -l /srv/backups --only 3                        # what backup 3 holds by itself
  graphdb inspect -l /srv/backups --incremental-from 2 --groups 1,3   # what is left, where a backup or a group is gone")]
pub(crate) struct InspectArgs {
    /// Where the backups are: a path, file://, s3:// or minio:// [default: --backup-bucket]
    #[arg(short, long, value_name = "URI", env = "GRAPHDB_LOCATION")]
    location: Option<String>,

    #[command(flatten)]
    series: SeriesFlags,

    /// Read this backup of the series alone
    #[arg(long, value_name = "N", env = "GRAPHDB_INSPECT_ONLY", conflicts_with_all = ["backup_num", "incremental_from"],
          value_parser = clap::value_parser!(u64).range(1..))]
    only: Option<u64>,

    /// Read these groups alone
    #[arg(long, value_name = "N,…", env = "GRAPHDB_GROUPS", value_delimiter = ',')]
    groups: Vec<u32>,

    /// Look at this namespace alone
    #[arg(long, value_name = "N", env = "GRAPHDB_INSPECT_NAMESPACE", value_parser = names::namespace)]
    namespace: Option<Namespace>,

    /// Print the triples of this node, and those that point at it
    #[arg(long, value_name = "UID", env = "GRAPHDB_INSPECT_GET", conflicts_with_all = ["predicate", "schema"],
          value_parser = names::uid)]
    get: Option<Uid>,

    /// Print the triples of this predicate; NAMESPACE-NAME for one of another namespace, as in 0x1-name
    #[arg(long, value_name = "NAME", env = "GRAPHDB_INSPECT_PREDICATE", conflicts_with = "schema")]
    predicate: Option<String>,

    /// Print no more than so many triples
    #[arg(long, value_name = "N", env = "GRAPHDB_INSPECT_LIMIT")]
    limit: Option<u64>,

    /// Print the schema of a namespace (the root unless --namespace) as text that /alter takes
    #[arg(long, env = "GRAPHDB_INSPECT_SCHEMA")]
    schema: bool,

    /// How to print
    #[arg(short, long, value_enum, value_name = "FORM", env = "GRAPHDB_INSPECT_OUTPUT", default_value = "table")]
    output: OutputForm,

    #[command(flatten)]
    scratch: ScratchFlags,

    #[command(flatten)]
    key: KeyFlags,

    #[command(flatten)]
    place: PlaceFlags,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OutputForm {
    /// For people: tables, and triples as RDF
    Table,
    /// For programs; docs/inspect.md says what means what
    Json,
}

/// What one run needs.
struct Session {
    args: InspectArgs,
    place: Place,
    request: SeriesRequest,
    progress: Progress,
    scratch: Scratch,
}

/// Runs `graphdb inspect`.
pub(crate) fn run(args: InspectArgs) -> anyhow::Result<()> {
    keep_out_of_core_dumps();
    if args.limit.is_some() && args.get.is_none() && args.predicate.is_none() {
        return Err(misuse("--limit goes with --get or --predicate: it says how many triples are printed"));
    }
    let place = args.place.place(args.location.as_deref(), "--location").context("inspect")?;
    let key = args.key.source()?;
    let runtime = tokio::runtime::Runtime::new().context("start")?;
    let mut request = request(&args, &place);
    request.key = key.map(|source| runtime.block_on(read_key(source))).transpose()?;
    let (progress, scratch) = (Progress::default(), args.scratch.create()?);
    let session = Session { args, place, request, progress: progress.clone(), scratch };
    runtime.block_on(stoppable(&progress, session.inspect())).context("inspect")
}

fn request(args: &InspectArgs, place: &Place) -> SeriesRequest {
    let (first, last) = match args.only {
        Some(only) => (only, Some(only)),
        None => (args.series.incremental_from, args.series.backup_num()),
    };
    SeriesRequest {
        location: place.request.clone(),
        backup_id: args.series.backup_id(),
        backup_num: last,
        incremental_from: first,
        selection: Selection {
            groups: groups(&args.groups),
            predicates: None,
            tenant: args.namespace.map(|namespace| Tenant { from: namespace, to: namespace }),
        },
        key: None,
    }
}

fn groups(named: &[u32]) -> Option<BTreeSet<GroupId>> {
    let groups: BTreeSet<_> = named.iter().copied().map(GroupId).collect();
    (!groups.is_empty()).then_some(groups)
}

impl Session {
    async fn inspect(self) -> anyhow::Result<()> {
        match (self.args.get, &self.args.predicate) {
            (Some(node), _) => {
                let source = self.prove(&self.request).await?;
                self.print_triples(source, Whose::Node(node)).await
            }
            (None, Some(name)) => {
                let (request, predicate) = pick::predicate(&self.place.locations, &self.request, name).await?;
                let source = self.prove(&request).await?;
                self.print_triples(source, Whose::Predicate(predicate)).await
            }
            (None, None) if self.args.schema => self.print_schema().await,
            (None, None) => self.print_overview().await,
        }
    }

    async fn prove(&self, request: &SeriesRequest) -> anyhow::Result<SeriesSource> {
        SeriesSource::prove(&self.place.locations, request).await.map_err(advice::with_advice)
    }

    async fn print_overview(self) -> anyhow::Result<()> {
        let source = self.prove(&self.request).await?;
        let survey = {
            let _reporter = show(&self.progress);
            survey(&source, self.scratch.path(), &self.progress).await.map_err(advice::with_advice)?
        };
        let overview = Overview { location: &self.place.shown, source: &source, survey: &survey };
        let text = match self.args.output {
            OutputForm::Table => table::to_text(&overview),
            OutputForm::Json => format!("{:#}\n", json::to_json(&overview)),
        };
        Output::stdout().print(text.as_bytes())
    }

    async fn print_schema(self) -> anyhow::Result<()> {
        let namespace = self.args.namespace.unwrap_or(Namespace::ROOT);
        let source = self.prove(&self.request).await?;
        let schema = {
            let _reporter = show(&self.progress);
            read_schema(&source, self.scratch.path(), &self.progress).await.map_err(advice::with_advice)?
        };
        let text = schema::of_namespace(&schema, namespace);
        text.notes.iter().for_each(|note| eprintln!("{note}"));
        let shown = match self.args.output {
            OutputForm::Table => text.text,
            OutputForm::Json => format!("{:#}\n", text.to_json(namespace)),
        };
        Output::stdout().print(shown.as_bytes())
    }

    async fn print_triples(self, source: SeriesSource, whose: Whose) -> anyhow::Result<()> {
        let asked = match whose {
            Whose::Node(node) => Asked::Node(node),
            Whose::Predicate(_) => Asked::All,
        };
        let form = match self.args.output {
            OutputForm::Table => Form::Rdf,
            OutputForm::Json => Form::Json,
        };
        // Where triples scroll by, a bar would be torn apart.
        let _reporter = (!std::io::stdout().is_terminal()).then(|| show(&self.progress));
        let printer = triples::Printer::new(whose, form, self.args.limit);
        let taker = printer.taker();
        let read = graphdb_backup::read_triples(&source, asked, self.scratch.path(), &self.progress, taker).await;
        printer.finish(read.map_err(advice::with_advice), &source)
    }
}

fn show(progress: &Progress) -> Reporter {
    let progress = progress.clone();
    Reporter::start(move || Stand {
        part: None,
        text: format!("{}: {} key-values", progress.phase(), grouped(progress.entries())),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        inspect: InspectArgs,
    }

    fn parse(text: &str) -> Result<SeriesRequest, String> {
        let words = ["inspect", "-l", "/b"].into_iter().chain(text.split_whitespace());
        let args = Alone::try_parse_from(words).map_err(|error| error.to_string())?.inspect;
        let place = args.place.place(args.location.as_deref(), "--location").unwrap();
        Ok(request(&args, &place))
    }

    #[test]
    fn one_backup_alone_is_a_series_that_begins_and_ends_with_it() {
        let request = parse("--only 2 --groups 1,3").unwrap();
        assert_eq!((request.backup_num, request.incremental_from), (Some(2), 2));
        assert_eq!(request.selection.groups, Some([GroupId(1), GroupId(3)].into()));
        let whole = parse("--backup-num 0").unwrap();
        assert_eq!((whole.backup_num, whole.incremental_from), (None, 0));
        assert!(whole.selection.is_all());
    }

    #[test]
    fn what_cannot_go_together_is_refused() {
        for text in [
            "--only 0",
            "--only 2 --backup-num 3",
            "--get 0x1 --predicate p",
            "--get 0x1 --schema",
            "--get 0",
            "--get name",
            "--groups a",
            "--namespace x",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
