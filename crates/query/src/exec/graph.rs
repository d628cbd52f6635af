use std::collections::{BTreeMap, HashMap};

use graphdb_storage::{ListReader, View};
use graphdb_types::{Key, Posting, PostingList, Predicate, Schema, Uid, ValType, Value};

use super::limits::{self, MAX_PASSWORD_CHECKS, MAX_UIDS_READ};
use super::{QueryAnswer, QueryError, Result};
use crate::plan::{Lang, UidSet};

/// What a variable of the query holds.
#[derive(Debug)]
pub(super) enum Variable {
    /// Nodes, ascending.
    Uids(Vec<u64>),
    /// Values by node.
    Values(BTreeMap<u64, Value>),
}

/// The view a query reads, what it has read so far, and its variables.
pub(super) struct Graph<'a> {
    pub(super) view: &'a View,
    pub(super) variables: HashMap<String, Variable>,
    reader: ListReader<'a>,
    touched: BTreeMap<String, u64>,
    read: u64,
    passwords: u64,
}

impl<'a> Graph<'a> {
    pub(super) fn new(view: &'a View) -> Graph<'a> {
        Graph {
            view,
            variables: HashMap::new(),
            reader: view.reader(),
            touched: BTreeMap::new(),
            read: 0,
            passwords: 0,
        }
    }

    pub(super) fn schema(&self) -> &'a Schema {
        self.view.schema()
    }

    pub(super) fn into_answer(self, data: String) -> QueryAnswer {
        let mut answer = QueryAnswer { data, metrics: self.touched, ..QueryAnswer::default() };
        let total = answer.metrics.values().sum();
        answer.metrics.insert("_total".to_owned(), total);
        for (name, variable) in self.variables {
            match variable {
                Variable::Uids(uids) => {
                    answer.uid_variables.insert(name, uids);
                }
                Variable::Values(values) => {
                    answer.uid_variables.insert(name.clone(), values.keys().copied().collect());
                    answer.value_variables.insert(name, values);
                }
            }
        }
        answer
    }

    /// Counts nodes that were looked at for a predicate.
    pub(super) fn touch(&mut self, name: &str, nodes: usize) {
        *self.touched.entry(name.to_owned()).or_default() += nodes as u64;
    }

    /// Counts uids that were read.
    pub(super) fn count_read(&mut self, uids: usize) -> Result<()> {
        self.read += uids as u64;
        limits::check("reads", self.read, MAX_UIDS_READ)
    }

    /// Counts a password that is checked.
    pub(super) fn count_password(&mut self) -> Result<()> {
        self.passwords += 1;
        limits::check("checks passwords,", self.passwords, MAX_PASSWORD_CHECKS)
    }

    /// The values or edges of a node.
    pub(super) fn list(&mut self, predicate: &Predicate, reverse: bool, uid: u64) -> Result<PostingList> {
        let key = if reverse { Key::reverse(predicate, Uid(uid)) } else { Key::data(predicate, Uid(uid)) };
        self.list_of(&key)
    }

    pub(super) fn list_of(&mut self, key: &Key) -> Result<PostingList> {
        let list = self.reader.list(key)?;
        self.count_read(list.len())?;
        Ok(list)
    }

    /// The nodes named in a query, those of variables included, ascending, each once.
    pub(super) fn uid_set(&self, set: &UidSet) -> Vec<u64> {
        let mut uids = self.named_uids(set);
        uids.dedup();
        uids
    }

    /// The nodes named in a query, ascending, as often as they are named.
    pub(super) fn named_uids(&self, set: &UidSet) -> Vec<u64> {
        let mut uids: Vec<u64> = set.uids.iter().map(|uid| uid.0).collect();
        for name in &set.variables {
            match self.variables.get(name) {
                Some(Variable::Uids(found)) => uids.extend(found),
                Some(Variable::Values(values)) => uids.extend(values.keys()),
                None => {}
            }
        }
        uids.sort_unstable();
        uids
    }

    /// The values of a variable.
    pub(super) fn values(&self, name: &str) -> Option<&BTreeMap<u64, Value>> {
        match self.variables.get(name) {
            Some(Variable::Values(values)) => Some(values),
            _ => None,
        }
    }
}

/// The value of a posting, as the type the schema gives its predicate.
pub(super) fn value_of(schema: &Schema, predicate: &Predicate, posting: &Posting) -> Result<Value> {
    let name = || predicate.to_string();
    let stored = Value::from_bytes(posting.val_type, &posting.value)
        .map_err(|source| QueryError::Damaged { predicate: name(), source })?;
    let wanted = schema.predicate(predicate).map_or(ValType::Default, |schema| schema.value_type);
    if posting.val_type == wanted {
        return Ok(stored);
    }
    stored.convert(wanted).map_err(|source| QueryError::Conversion { predicate: name(), source })
}

/// The values in one language.
pub(super) fn in_language<'l>(list: &'l PostingList, lang: &'l Lang) -> impl Iterator<Item = &'l Posting> {
    list.postings.iter().filter(move |posting| match lang {
        Lang::Any => true,
        lang => posting.lang == lang.tag(),
    })
}

/// The value that a list of languages prefers: that of the first language which has one. `.` prefers the untagged.
pub(super) fn preferred<'l>(list: &'l PostingList, langs: &[Lang]) -> Option<&'l Posting> {
    langs.iter().find_map(|lang| {
        let untagged = || list.postings.iter().find(|posting| posting.lang.is_empty());
        match lang {
            Lang::Any => untagged().or(list.postings.first()),
            Lang::Untagged => untagged(),
            Lang::Tagged(tag) => list.postings.iter().find(|posting| posting.lang == *tag),
        }
    })
}
