//! `graphdb sample`: a graph of films that is the same on every machine and for ever, so that demonstration, tests and
//! benchmarks need no download.
//!
//! ```text
//!   Genre ←─genre─ Film ─starring→ Performance ─performance.actor→ Person ─spouse→ Person
//!   Country ←country┘ │ ↑               └─performance.film→ Film    │  │
//!        ↑        filmed_in└──director.film── Person (Director)     │  └─actor.film→ Performance
//!        └─country─ Place ←──────────────born_in────────────────────┘
//! ```
//!
//! Each node is made from random numbers of its own (`rng`), so nothing is kept in memory, whatever the scale.

mod generate;
mod nquad;
mod rng;
mod title;
mod words;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use flate2::Compression;
use flate2::write::GzEncoder;

use generate::{Generator, Population};

/// The smallest scale at which every kind of node occurs.
pub const MIN_SCALE: u64 = 20;

/// The greatest scale: about 100 TB of RDF, far beyond what one would write and far below where numbers overflow.
pub const MAX_SCALE: u64 = 1 << 40;

/// The schema that belongs to the sample, in the schema language of `/alter`.
pub const SCHEMA: &str = include_str!("sample/sample.schema");

/// What a sample holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleStats {
    /// Number of nodes: the scale.
    pub nodes: u64,
    /// How many of the nodes are films.
    pub films: u64,
    /// How many of the nodes are people.
    pub people: u64,
    /// Number of N-Quads, one a line. No two are the same.
    pub nquads: u64,
    /// Size of the RDF text, before compression.
    pub rdf_bytes: u64,
}

/// Writes the sample graph of `scale` nodes as RDF to `rdf` and its schema to `schema`, about nine N-Quads a node.
/// The same scale always gives the same bytes. Memory does not depend on the scale.
///
/// # Errors
/// `InvalidInput` for a scale outside [`MIN_SCALE`]`..=`[`MAX_SCALE`], else what the outputs answer.
pub fn write_sample(scale: u64, rdf: &mut impl Write, schema: &mut impl Write) -> io::Result<SampleStats> {
    if !(MIN_SCALE..=MAX_SCALE).contains(&scale) {
        let message = format!("a sample has between {MIN_SCALE} and {MAX_SCALE} nodes, not {scale}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    schema.write_all(SCHEMA.as_bytes())?;
    schema.flush()?;
    let population = Population::of(scale);
    let mut generator = Generator::new(rdf, population);
    generator.write_all()?;
    let (nquads, rdf_bytes) = generator.writer.finish()?;
    Ok(SampleStats { nodes: scale, films: population.films, people: population.people, nquads, rdf_bytes })
}

/// Writes a graph of films, the same on every machine, to try graphdb with.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Example:\n  graphdb sample --scale 1000000 --output /tmp/films")]
pub struct SampleArgs {
    /// Number of nodes; about nine N-Quads are written for each
    #[arg(long, value_name = "N", env = "GRAPHDB_SCALE", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(MIN_SCALE..=MAX_SCALE))]
    pub scale: u64,

    /// Directory to write sample.rdf.gz and sample.schema to; made if it is missing
    #[arg(short, long, value_name = "DIR", env = "GRAPHDB_SAMPLE_OUTPUT", default_value = ".")]
    pub output: PathBuf,

    /// Write sample.rdf without compression
    #[arg(long, env = "GRAPHDB_PLAIN")]
    pub plain: bool,
}

/// Runs `graphdb sample`: writes both files, replacing those of an earlier run, and prints what they hold.
///
/// # Errors
/// When the directory or a file cannot be written; the message names it.
pub fn run(args: SampleArgs) -> anyhow::Result<()> {
    let output = &args.output;
    fs::create_dir_all(output).with_context(|| format!("make directory {}", output.display()))?;
    let rdf_path = output.join(if args.plain { "sample.rdf" } else { "sample.rdf.gz" });
    let schema_path = output.join("sample.schema");
    let mut schema = create(&schema_path)?;
    let mut rdf = create(&rdf_path)?;
    let stats = if args.plain {
        write_sample(args.scale, &mut rdf, &mut schema)
    } else {
        write_compressed(args.scale, &mut rdf, &mut schema)
    }
    .with_context(|| format!("write {} and {}", rdf_path.display(), schema_path.display()))?;

    let megabytes = stats.rdf_bytes as f64 / 1e6;
    println!("{}: {} nodes, {} N-Quads, {megabytes:.1} MB of RDF", rdf_path.display(), stats.nodes, stats.nquads);
    println!("{}: schema of {} films, {} people and what they did", schema_path.display(), stats.films, stats.people);
    println!("load them with: graphdb live -f {} -s {}", rdf_path.display(), schema_path.display());
    Ok(())
}

fn create(path: &Path) -> anyhow::Result<BufWriter<File>> {
    let file = File::create(path).with_context(|| format!("create file {}", path.display()))?;
    Ok(BufWriter::new(file))
}

/// Writes the RDF as gzip. Level 1, because the sample is made to be read once.
fn write_compressed(scale: u64, rdf: &mut impl Write, schema: &mut impl Write) -> io::Result<SampleStats> {
    let mut gzip = GzEncoder::new(rdf, Compression::fast());
    let stats = write_sample(scale, &mut gzip, schema)?;
    gzip.finish()?.flush()?;
    Ok(stats)
}

#[cfg(test)]
mod tests;
