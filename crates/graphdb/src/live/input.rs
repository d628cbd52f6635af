//! Files as streams of bytes, unpacked by a thread of their own.

use std::fs::{self, File};
use std::io::{self, BufRead, Read, stdin};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use anyhow::{Context as _, bail};
use flate2::bufread::MultiGzDecoder;

use super::Format;
use super::send::Tally;

/// Bytes handed over at once, and how many such chunks may wait: 4 MiB between the threads.
const CHUNK_BYTES: usize = 256 << 10;
const CHUNKS: usize = 16;

/// A file to load.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    path: PathBuf,
    pub(crate) format: Format,
}

/// How names of files end, without `.gz`, and what they then hold.
const ENDINGS: [(&str, Format); 5] =
    [("rdf", Format::Rdf), ("nq", Format::Rdf), ("nt", Format::Rdf), ("json", Format::Json), ("jsonl", Format::Json)];

impl Input {
    /// Finds the files, in the order given, those of a directory by name.
    ///
    /// # Errors
    /// What is not there, a directory without files to load, and a file whose name does not tell what it holds.
    pub(crate) fn find(paths: &[PathBuf], format: Option<Format>) -> anyhow::Result<Vec<Input>> {
        let mut inputs = Vec::new();
        for path in paths {
            if is_stdin(path) {
                inputs.push(Input { path: path.clone(), format: format.unwrap_or(Format::Rdf) });
                continue;
            }
            let found = fs::metadata(path).with_context(|| format!("live: look at {}", path.display()))?;
            if found.is_dir() {
                inputs.extend(in_directory(path, format)?);
            } else {
                inputs.push(Input::of_file(path, format)?);
            }
        }
        Ok(inputs)
    }

    fn of_file(path: &Path, format: Option<Format>) -> anyhow::Result<Input> {
        let Some(format) = format.or_else(|| format_of(path)) else {
            bail!(
                "live: the name of {} does not tell whether it holds RDF or JSON; say --format rdf or --format json",
                path.display()
            );
        };
        Ok(Input { path: path.to_owned(), format })
    }

    /// What messages call the file.
    pub(crate) fn name(&self) -> String {
        if is_stdin(&self.path) { "standard input".into() } else { self.path.display().to_string() }
    }

    /// Opens the file; a thread reads and unpacks it.
    pub(crate) fn open(&self, tally: &Arc<Tally>) -> anyhow::Result<Chunks> {
        let source: Box<dyn Read + Send> = if is_stdin(&self.path) {
            Box::new(stdin())
        } else {
            Box::new(File::open(&self.path).with_context(|| format!("open {}", self.name()))?)
        };
        let counted = Counted { source, tally: Arc::clone(tally) };
        let (sender, receiver) = sync_channel(CHUNKS);
        thread::Builder::new()
            .name("live-input".into())
            .spawn(move || pump(counted, &sender))
            .context("start a thread")?;
        Ok(Chunks { receiver, chunk: Vec::new(), at: 0 })
    }
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn in_directory(dir: &Path, format: Option<Format>) -> anyhow::Result<Vec<Input>> {
    let list = || -> io::Result<Vec<PathBuf>> { fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect() };
    let mut paths = list().with_context(|| format!("list {}", dir.display()))?;
    paths.retain(|path| path.is_file() && format_of(path).is_some());
    paths.sort();
    if paths.is_empty() {
        bail!("live: {} holds no .rdf, .nq, .nt, .json or .jsonl file, with or without .gz", dir.display());
    }
    paths.iter().map(|path| Input::of_file(path, format)).collect()
}

/// The files `g01.<what>` or `g01.<what>.gz` in those of `paths` that are directories, by name.
pub(crate) fn beside_exports(paths: &[PathBuf], what: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for dir in paths.iter().filter(|path| path.is_dir()) {
        let list = || -> io::Result<Vec<PathBuf>> { fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect() };
        let mut inside = list().with_context(|| format!("list {}", dir.display()))?;
        inside.retain(|path| is_of_export(path, what));
        inside.sort();
        found.extend(inside);
    }
    Ok(found)
}

fn is_of_export(path: &Path, what: &str) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let group = name.strip_suffix(".gz").unwrap_or(name).strip_suffix(what).and_then(|head| head.strip_suffix('.'));
    let number = group.and_then(|group| group.strip_prefix('g')).unwrap_or_default();
    !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) && path.is_file()
}

fn format_of(path: &Path) -> Option<Format> {
    let name = path.file_name()?.to_str()?.to_lowercase();
    let ending = name.strip_suffix(".gz").unwrap_or(&name).rsplit_once('.')?.1.to_owned();
    ENDINGS.iter().find(|(known, _)| *known == ending).map(|(_, format)| *format)
}

/// Bytes of all files as they are stored, if all are files.
pub(crate) fn total_bytes(inputs: &[Input]) -> Option<u64> {
    inputs.iter().map(|input| fs::metadata(&input.path).ok().map(|meta| meta.len())).sum()
}

/// Reads a small file whole, unpacked.
pub(crate) fn read_whole(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    unpacked(File::open(path)?)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The content of a stream: unpacked if it begins as gzip does, whatever it is called.
fn unpacked<'a>(source: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut buffered = io::BufReader::with_capacity(CHUNK_BYTES, source);
    let is_gzip = buffered.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    Ok(if is_gzip { Box::new(MultiGzDecoder::new(buffered)) } else { Box::new(buffered) })
}

fn pump(source: impl Read, sender: &SyncSender<io::Result<Vec<u8>>>) {
    let ended = (|| {
        let mut content = unpacked(source)?;
        loop {
            let mut chunk = Vec::with_capacity(CHUNK_BYTES);
            let read = content.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut chunk)?;
            // That nobody listens any more is the reader's own decision.
            if read == 0 || sender.send(Ok(chunk)).is_err() {
                return Ok(());
            }
        }
    })();
    if let Err(error) = ended {
        _ = sender.send(Err(error));
    }
}

struct Counted<R> {
    source: R,
    tally: Arc<Tally>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buf)?;
        self.tally.read_bytes(read as u64);
        Ok(read)
    }
}

/// The unpacked bytes of a file.
pub(crate) struct Chunks {
    receiver: Receiver<io::Result<Vec<u8>>>,
    chunk: Vec<u8>,
    at: usize,
}

impl Read for Chunks {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buf)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Chunks {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.chunk.len() {
            self.at = 0;
            // The thread hangs up behind the last chunk, and behind an error.
            self.chunk = self.receiver.recv().unwrap_or(Ok(Vec::new()))?;
        }
        Ok(&self.chunk[self.at..])
    }

    fn consume(&mut self, read: usize) {
        self.at += read;
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn names_tell_the_format_with_or_without_gz() {
        for (name, format) in [
            ("a.rdf", Some(Format::Rdf)),
            ("b.RDF.gz", Some(Format::Rdf)),
            ("c.json.gz", Some(Format::Json)),
            ("d.nq", Some(Format::Rdf)),
            ("e.schema", None),
            ("f", None),
            ("g.gz", None),
        ] {
            assert_eq!(format_of(Path::new(name)), format, "{name}");
        }
    }

    #[test]
    fn a_directory_gives_its_files_by_name_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.rdf", "a.json.gz", "notes.txt", "a.schema"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let names: Vec<_> = Input::find(&[dir.path().to_owned()], None).unwrap().iter().map(Input::name).collect();
        assert!(names[0].ends_with("a.json.gz") && names[1].ends_with("b.rdf") && names.len() == 2, "{names:?}");
        assert!(Input::find(&[dir.path().join("notes.txt")], None).is_err());
        assert!(Input::find(&[dir.path().join("missing.rdf")], None).is_err());
    }

    #[test]
    fn only_the_names_of_exports_are_schemas_of_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["g02.schema", "g01.schema.gz", "films.schema", "g1x.schema", "g01.gql_schema.gz", "g01.rdf.gz"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let found = |what: &str| -> Vec<String> {
            let paths = beside_exports(&[dir.path().to_owned(), dir.path().join("films.schema")], what).unwrap();
            paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
        };
        assert_eq!(found("schema"), ["g01.schema.gz", "g02.schema"]);
        assert_eq!(found("gql_schema"), ["g01.gql_schema.gz"]);
    }

    #[test]
    fn gzip_is_known_by_its_first_bytes_and_may_have_many_members() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("misnamed.rdf");
        let mut file = File::create(&path).unwrap();
        let text = "x".repeat(3 * CHUNK_BYTES);
        for part in [text.as_str(), "end"] {
            let mut gzip = GzEncoder::new(&mut file, Compression::fast());
            gzip.write_all(part.as_bytes()).unwrap();
            gzip.finish().unwrap();
        }
        let tally = Arc::new(Tally::default());
        let mut content = String::new();
        Input { path: path.clone(), format: Format::Rdf }.open(&tally).unwrap().read_to_string(&mut content).unwrap();
        assert!(content == text + "end");
        assert_eq!(tally.bytes_read(), fs::metadata(&path).unwrap().len());
    }

    #[test]
    fn a_gzip_file_that_was_cut_off_is_an_error_and_not_an_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cut.rdf.gz");
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&[b'x'; 1000]).unwrap();
        let packed = gzip.finish().unwrap();
        fs::write(&path, &packed[..packed.len() - 4]).unwrap();
        let input = Input { path, format: Format::Rdf };
        assert!(input.open(&Arc::default()).unwrap().read_to_end(&mut Vec::new()).is_err());
    }
}
