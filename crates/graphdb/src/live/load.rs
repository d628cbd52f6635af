//! The way of a statement from the input into a batch: its names become uids.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use anyhow::{Context as _, anyhow};
use graphdb_query::json::NewNames;
use graphdb_query::mutation::is_password_hash;
use graphdb_query::nquad::{NQuad, NodeRef, Object};
use graphdb_types::{Namespace, Predicate, Uid, ValType};

use super::batch::Batch;
use super::input::Input;
use super::names::{NameTable, Uids};
use super::namespaces::Namespaces;
use super::rdf::{Fault, Sink};
use super::send::{Outbox, Tally};
use super::xidmap::XidMap;
use super::{Format, LiveArgs, json, rdf};
use crate::client::Client;

/// What is known of the node when loading begins.
pub(crate) struct Before {
    pub(crate) namespaces: Namespaces,
    /// Predicates of type password: a hash in JSON, which has no types, is not to be hashed again.
    pub(crate) passwords: HashSet<Predicate>,
}

/// Loads the inputs and returns how many nodes got a uid, and the namespaces that there are now.
///
/// # Errors
/// The first thing that cannot be read, mapped or sent. Transactions that were committed before stay.
pub(crate) fn load(
    args: &LiveArgs,
    inputs: &[Input],
    client: Client,
    before: Before,
    tally: &Arc<Tally>,
) -> anyhow::Result<(u64, Namespaces)> {
    let outbox = Outbox::new(tally, args.ignore_errors);
    thread::scope(|scope| {
        let (mut lanes, mut threads) = (Vec::new(), Vec::new());
        for _ in 0..args.conc {
            let (sender, batches) = sync_channel(BATCHES_WAITING);
            let (client, outbox) = (client.another(), &outbox);
            threads.push(scope.spawn(move || outbox.send_all(&client, batches)));
            lanes.push(Lane { batch: Batch::default(), sender });
        }
        let read = Loader::new(args, &client, before, lanes, &outbox).and_then(|loader| loader.read(inputs, tally));
        // What was refused is the better explanation for a reading that stopped.
        for thread in threads {
            thread.join().map_err(|_| anyhow!("a sending thread panicked"))??;
        }
        read
    })
}

/// Batches that wait for each sending thread.
const BATCHES_WAITING: usize = 4;

/// The way to one sending thread. All statements about a node take the same one: two transactions under way then hardly ever touch the same
/// thing, and what the input says last about a node is what stays.
struct Lane {
    batch: Batch,
    sender: SyncSender<Batch>,
}

struct Loader<'a, L> {
    client: &'a Client,
    namespaces: Namespaces,
    passwords: HashSet<Predicate>,
    format: Format,
    names: NameTable,
    /// Names that were there before.
    known: usize,
    uids: Uids<L>,
    xidmap: Option<XidMap>,
    new_uids: bool,
    lanes: Vec<Lane>,
    batch_nquads: u32,
    outbox: &'a Outbox<'a>,
    scratch: String,
    /// The file that is read.
    file: Arc<str>,
    /// Uids of nodes of the present JSON object that have no name, by the names made up for them.
    made_up: HashMap<String, Uid>,
    made_up_prefix: Option<String>,
    nameless: u64,
}

type Lease<'a> = Box<dyn FnMut(u64) -> anyhow::Result<(u64, u64)> + 'a>;

impl<'a> Loader<'a, Lease<'a>> {
    fn new(
        args: &LiveArgs,
        client: &'a Client,
        before: Before,
        lanes: Vec<Lane>,
        outbox: &'a Outbox<'a>,
    ) -> anyhow::Result<Loader<'a, Lease<'a>>> {
        let mut names = NameTable::default();
        let xidmap = args.xidmap.as_deref().map(|path| XidMap::open(path, &mut names)).transpose()?;
        Ok(Loader {
            client,
            namespaces: before.namespaces,
            passwords: before.passwords,
            format: Format::Rdf,
            known: names.len(),
            names,
            uids: Uids::new(Box::new(|count| assign(client, "uids", count))),
            xidmap,
            new_uids: args.new_uids,
            lanes,
            batch_nquads: args.batch,
            outbox,
            scratch: String::new(),
            file: Arc::default(),
            made_up: HashMap::new(),
            made_up_prefix: None,
            nameless: 0,
        })
    }
}

impl<L: FnMut(u64) -> anyhow::Result<(u64, u64)>> Loader<'_, L> {
    fn read(mut self, inputs: &[Input], tally: &Arc<Tally>) -> anyhow::Result<(u64, Namespaces)> {
        for input in inputs {
            self.read_file(input, tally)?;
            (0..self.lanes.len()).try_for_each(|lane| self.flush(lane))?;
        }
        Ok(((self.names.len() - self.known) as u64 + self.nameless, self.namespaces))
    }

    fn read_file(&mut self, input: &Input, tally: &Arc<Tally>) -> anyhow::Result<()> {
        let chunks = input.open(tally)?;
        self.file = input.name().into();
        self.format = input.format;
        let read = match input.format {
            Format::Rdf => rdf::read(chunks, self),
            Format::Json => {
                let mut names = NewNames::default();
                self.made_up_prefix = json::made_up_prefix(&names);
                json::read(chunks, &mut names, self)
            }
        };
        self.made_up_prefix = None;
        read.map_err(|ended| match ended {
            Ended::Error(error) => error,
            Ended::Unread(error) => anyhow::Error::from(error).context(format!("read {}", self.file)),
        })
    }

    fn add(&mut self, mut nquad: NQuad<'_>, line: u64) -> anyhow::Result<()> {
        let subject = self.uid(&nquad.subject)?;
        nquad.subject = NodeRef::Uid(subject);
        if let Object::Node(node) = &nquad.object {
            nquad.object = Object::Node(NodeRef::Uid(self.uid(node)?));
        }
        if nquad.namespace != Namespace::ROOT {
            self.namespaces.make(self.client, nquad.namespace)?;
        }
        if self.format == Format::Json {
            self.keep_hash(&mut nquad);
        }
        let lane = lane_of(subject, self.lanes.len());
        let batch = &mut self.lanes[lane].batch;
        batch.push(&nquad, &self.file, line)?;
        if batch.is_full(self.batch_nquads) { self.flush(lane) } else { Ok(()) }
    }

    /// Says of a password's hash that it is one.
    fn keep_hash(&self, nquad: &mut NQuad<'_>) {
        let Object::Literal { text, declared } = &mut nquad.object else { return };
        if !self.passwords.is_empty() && is_password_hash(text) {
            let predicate = Predicate { namespace: nquad.namespace, name: nquad.predicate.as_ref().into() };
            if self.passwords.contains(&predicate) {
                *declared = Some(ValType::Password);
            }
        }
    }

    fn flush(&mut self, lane: usize) -> anyhow::Result<()> {
        let lane = &mut self.lanes[lane];
        if lane.batch.is_empty() {
            return Ok(());
        }
        if let Some(xidmap) = &mut self.xidmap {
            xidmap.catch_up(&self.names)?;
        }
        let batch = std::mem::take(&mut lane.batch).finish();
        if self.outbox.has_failed() || lane.sender.send(batch).is_err() {
            return Err(anyhow!("sending stopped"));
        }
        Ok(())
    }

    fn uid(&mut self, node: &NodeRef<'_>) -> anyhow::Result<Uid> {
        match node {
            NodeRef::Uid(uid) if !self.new_uids => {
                self.uids.literal(*uid)?;
                Ok(*uid)
            }
            NodeRef::Uid(uid) => self.named(&uid.to_string()),
            NodeRef::Iri(name) => self.named(name),
            NodeRef::Blank(name) if self.is_made_up(name) => self.made_up(name),
            NodeRef::Blank(name) => {
                let mut whole = std::mem::take(&mut self.scratch);
                whole.clear();
                whole.push_str("_:");
                whole.push_str(name);
                let uid = self.named(&whole);
                self.scratch = whole;
                uid
            }
            NodeRef::Var(name) => Err(anyhow!("uid({name}) is a variable, which only a query gives a meaning")),
        }
    }

    fn is_made_up(&self, name: &str) -> bool {
        self.made_up_prefix.as_deref().is_some_and(|prefix| name.starts_with(prefix))
    }

    fn made_up(&mut self, name: &str) -> anyhow::Result<Uid> {
        if let Some(uid) = self.made_up.get(name) {
            return Ok(*uid);
        }
        let uid = self.uids.give()?;
        self.made_up.insert(name.to_owned(), uid);
        self.nameless += 1;
        Ok(uid)
    }

    fn named(&mut self, name: &str) -> anyhow::Result<Uid> {
        if let Some(uid) = self.names.get(name) {
            return Ok(uid);
        }
        let uid = self.uids.give()?;
        self.names.insert(name, uid)?;
        Ok(uid)
    }
}

impl<L: FnMut(u64) -> anyhow::Result<(u64, u64)>> Sink for Loader<'_, L> {
    type Error = Ended;

    fn statement(&mut self, nquad: NQuad<'_>, line: u64) -> Result<(), Ended> {
        self.add(nquad, line).map_err(|error| Ended::Error(error.context(format!("{} line {line}", self.file))))
    }

    fn fault(&mut self, Fault { line, column, message }: Fault) -> Result<(), Ended> {
        let text = format!("{} line {line} column {column}: {message}", self.file);
        if !self.outbox.ignore_errors {
            return Err(Ended::Error(anyhow!("{text} (--ignore-errors leaves such statements out)")));
        }
        self.outbox.tally.leave_out(text);
        Ok(())
    }

    fn forget_made_up_names(&mut self) {
        self.made_up.clear();
    }
}

/// Neighbouring uids take different lanes, so that all have work.
fn lane_of(subject: Uid, lanes: usize) -> usize {
    (subject.0 % lanes as u64) as usize
}

/// Why reading a file ended early.
enum Ended {
    Unread(io::Error),
    Error(anyhow::Error),
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Ended {
        Ended::Unread(error)
    }
}

/// Takes numbers from the node and returns the first and the last.
pub(crate) fn assign(client: &Client, what: &str, count: u64) -> anyhow::Result<(u64, u64)> {
    let answer = client.get(&format!("/assign?what={what}&num={count}"))?;
    let number = |key: &str| answer[key].as_str().and_then(|text| text.parse().ok()).or_else(|| answer[key].as_u64());
    let ids = number("startId").zip(number("endId"));
    ids.with_context(|| format!("{}/assign answered without ids: {answer}", client.base()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::sync::mpsc::Receiver;

    use graphdb_query::rdf::{Names, parse_line};

    use super::*;

    /// What is sent for lines of RDF, uids given out from 0x64 on.
    fn mapped(lines: &[&str], format: Format, new_uids: bool) -> String {
        let (sender, receiver): (_, Receiver<Batch>) = sync_channel(1);
        let tally = Tally::default();
        let outbox = Outbox::new(&tally, false);
        let client = Client::new("127.0.0.1:1", None).unwrap();
        let mut loader = Loader {
            client: &client,
            namespaces: Namespaces::default(),
            passwords: HashSet::from([Predicate::root("pass")]),
            format,
            names: NameTable::default(),
            known: 0,
            uids: Uids::new(|count| Ok((100, 99 + count))),
            xidmap: None,
            new_uids,
            lanes: vec![Lane { batch: Batch::default(), sender }],
            batch_nquads: 1000,
            outbox: &outbox,
            scratch: String::new(),
            file: Arc::from("f"),
            made_up: HashMap::new(),
            made_up_prefix: None,
            nameless: 0,
        };
        for line in lines {
            let nquad = parse_line(line, Names::External).unwrap().unwrap();
            loader.add(nquad, 1).unwrap();
        }
        loader.flush(0).unwrap();
        receiver.recv().unwrap().body().to_owned()
    }

    #[test]
    fn names_become_uids_and_the_same_name_the_same_uid() {
        let body =
            mapped(&["_:a <p> <http://a> .", "<http://a> <p> _:a .", "<a> <q> \"v\"@en (f=1) ."], Format::Rdf, false);
        assert_eq!(body, "{ set {\n<0x64> <p> <0x65> .\n<0x65> <p> <0x64> .\n<0x66> <q> \"v\"@en (f=1) .\n}}");
    }

    #[test]
    fn uids_stay_unless_new_ones_are_asked_for() {
        let lines = ["<0x1a> <p> <26> .", "<_:a> <p> _:a ."];
        assert_eq!(mapped(&lines, Format::Rdf, false), "{ set {\n<0x1a> <p> <0x1a> .\n<0x64> <p> <0x64> .\n}}");
        assert_eq!(mapped(&lines, Format::Rdf, true), "{ set {\n<0x64> <p> <0x64> .\n<0x65> <p> <0x65> .\n}}");
    }

    #[test]
    fn a_hash_in_json_is_said_to_be_one_if_its_predicate_is_a_password() {
        const HASH: &str = "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";
        let lines = ["pass", "name"].map(|name| format!("<0x1> <{name}> \"{HASH}\"^^<xs:string> ."));
        let lines = lines.each_ref().map(String::as_str);
        let as_text = lines.join("\n");
        assert_eq!(mapped(&lines, Format::Rdf, false), format!("{{ set {{\n{as_text}\n}}}}"));
        let kept = as_text.replacen("xs:string", "xs:password", 1);
        assert_eq!(mapped(&lines, Format::Json, false), format!("{{ set {{\n{kept}\n}}}}"));
        let short = ["<0x1> <pass> \"secret99\"^^<xs:string> ."];
        assert!(mapped(&short, Format::Json, false).contains("xs:string"), "a password itself is hashed");
    }
}
