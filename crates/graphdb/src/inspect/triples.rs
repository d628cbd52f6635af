//! Triples, printed as they are read.

use std::io::Stdout;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::bail;
use graphdb_backup::{SeriesSource, TriplesRead};
use graphdb_export::{ExportError, json, rdf};
use graphdb_types::{PostingList, Predicate, Uid, with_causes};

use super::output::Output;
use crate::progress::grouped;

/// Lists that cannot be printed and are told of each; more are counted.
const SHOWN_FAULTS: u64 = 20;

/// Whose triples are printed.
#[derive(Clone, Debug)]
pub(super) enum Whose {
    Node(Uid),
    Predicate(Predicate),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    Rdf,
    Json,
}

/// Prints triples to standard output. Clones print to the same place.
#[derive(Clone)]
pub(super) struct Printer {
    state: Arc<Mutex<State>>,
}

struct State {
    whose: Whose,
    out: Output<Stdout>,
    /// Of JSON.
    array: Option<json::Array>,
    /// How many may still be printed.
    left: Option<u64>,
    own: u64,
    incoming: u64,
    faults: u64,
    text: Vec<u8>,
}

impl Printer {
    pub(super) fn new(whose: Whose, form: Form, limit: Option<u64>) -> Printer {
        let mut text = Vec::new();
        let array = match form {
            Form::Rdf => None,
            Form::Json => Some(json::Array::start(&mut text)),
        };
        let out = Output::stdout();
        let state = State { whose, out, array, left: limit, own: 0, incoming: 0, faults: 0, text };
        Printer { state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prints one list after the other.
    pub(super) fn taker(&self) -> impl FnMut(&Predicate, Uid, &PostingList) -> ControlFlow<()> + Send + 'static {
        let printer = self.clone();
        move |predicate, subject, list| printer.state().take(predicate, subject, list)
    }

    /// Says on standard error what was printed.
    ///
    /// # Errors
    /// Why not all was read or printed, and a node that is not there.
    pub(super) fn finish(&self, read: anyhow::Result<TriplesRead>, source: &SeriesSource) -> anyhow::Result<()> {
        let mut state = self.state();
        let ended = state.end();
        let read = read?;
        ended?;
        state.report(read, source)
    }
}

impl State {
    fn take(&mut self, predicate: &Predicate, subject: Uid, list: &PostingList) -> ControlFlow<()> {
        match self.left {
            Some(0) => return ControlFlow::Break(()),
            Some(left) if (list.len() as u64) > left => self.put(predicate, subject, &first(list, left as usize)),
            _ => self.put(predicate, subject, list),
        }
        self.flush()
    }

    fn put(&mut self, predicate: &Predicate, subject: Uid, list: &PostingList) {
        let written = match &mut self.array {
            None => rdf::write_list(&mut self.text, predicate, subject, list),
            Some(array) => array.push_list(&mut self.text, predicate, subject, list),
        };
        match written {
            Ok(lines) => self.count(subject, lines),
            Err(error) => self.tell(&error),
        }
    }

    fn count(&mut self, subject: Uid, lines: u64) {
        let is_own = !matches!(self.whose, Whose::Node(node) if node != subject);
        *(if is_own { &mut self.own } else { &mut self.incoming }) += lines;
        if let Some(left) = &mut self.left {
            *left -= lines;
        }
    }

    fn tell(&mut self, error: &ExportError) {
        self.faults += 1;
        if self.faults <= SHOWN_FAULTS {
            eprintln!("left out: {}", with_causes(error));
        }
    }

    fn flush(&mut self) -> ControlFlow<()> {
        let flow = self.out.write(&self.text);
        self.text.clear();
        flow
    }

    fn end(&mut self) -> anyhow::Result<()> {
        if let Some(array) = self.array.take() {
            array.finish(&mut self.text);
        }
        _ = self.flush();
        self.out.finish()
    }

    fn report(&self, read: TriplesRead, source: &SeriesSource) -> anyhow::Result<()> {
        if read == TriplesRead::Stopped && self.left != Some(0) {
            return Ok(()); // who read the output has left
        }
        let newest = source.newest();
        let of = format!("backup {} of series {}", newest.backup_num, newest.backup_id);
        let (own, incoming) = (grouped(self.own), grouped(self.incoming));
        match &self.whose {
            Whose::Node(node) if self.own + self.incoming + self.faults == 0 && read == TriplesRead::All => {
                bail!("node {node} has no triples in {of}, and none points at it");
            }
            Whose::Node(node) => eprintln!("Node {node} in {of}: {own} of its own, {incoming} that point at it"),
            Whose::Predicate(predicate) => eprintln!("Predicate {predicate} in {of}: {own} printed"),
        }
        if read == TriplesRead::Stopped {
            eprintln!("That is the --limit; there may be more.");
        }
        if self.faults > 0 {
            bail!("{} lists could not be printed and were left out", grouped(self.faults));
        }
        Ok(())
    }
}

/// The first values or edges of a list.
fn first(list: &PostingList, count: usize) -> PostingList {
    let ids = list.ids[..count].to_vec();
    let postings = list.postings.iter().take_while(|posting| ids.last().is_some_and(|last| posting.id <= *last));
    PostingList { postings: postings.cloned().collect(), ids }
}

#[cfg(test)]
mod tests {
    use graphdb_types::Posting;

    use super::*;

    #[test]
    fn a_list_is_cut_with_what_its_edges_carry() {
        let edge = |id| Posting { id, is_edge: true, ..Posting::default() };
        let list = PostingList { ids: vec![1, 5, 9], postings: vec![edge(5), edge(9)] };
        assert_eq!(first(&list, 2), PostingList { ids: vec![1, 5], postings: vec![edge(5)] });
        assert_eq!(first(&list, 1), PostingList::of_ids(vec![1]));
        assert_eq!(first(&list, 3), list);
    }
}
