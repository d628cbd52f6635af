//! What a store must hold, worked out from the meaning of edges, schema changes and drops with plain maps. It shares no code with the
//! store but the index tokens of values, and derives every index anew from the data instead of following changes.

use std::collections::{BTreeMap, BTreeSet};

use graphdb_storage::{Edge, EdgeObject, EdgeOp, initial_schema};
use graphdb_types::{
    DropOp, Facet, Key, KeyKind, Posting, PostingList, Predicate, PredicateSchema, Schema, Uid, VALUE_UID, ValType,
    Value, fingerprint64, token,
};

/// All posting lists of a store, without the times of their postings.
pub(crate) type Lists = BTreeMap<Key, PostingList>;

/// A graph at one instant.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) schema: Schema,
    data: BTreeMap<(Predicate, u64), Content>,
    /// The greatest uid that was ever used.
    pub(crate) max_uid: u64,
}

/// The values or edges of one node.
#[derive(Clone, Debug, Default)]
struct Content {
    values: BTreeMap<Slot, (Value, Vec<Facet>)>,
    edges: BTreeMap<u64, Vec<Facet>>,
}

/// What tells the values of one node and predicate apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Slot {
    /// The one value without a language.
    Plain,
    Language(String),
    /// A member of a list.
    Item(Vec<u8>),
}

impl Slot {
    fn of(value: &Value, lang: &str, list: bool) -> Slot {
        match (lang, list) {
            ("", false) => Slot::Plain,
            ("", true) => Slot::Item(value.to_bytes()),
            (lang, _) => Slot::Language(lang.to_owned()),
        }
    }

    fn id(&self) -> u64 {
        match self {
            Slot::Plain => VALUE_UID,
            Slot::Language(lang) => fingerprint64(lang.as_bytes()),
            Slot::Item(bytes) => fingerprint64(bytes),
        }
    }

    fn lang(&self) -> &str {
        if let Slot::Language(lang) = self { lang } else { "" }
    }
}

impl Model {
    pub(crate) fn new() -> Model {
        Model { schema: initial_schema(), data: BTreeMap::new(), max_uid: 0 }
    }

    pub(crate) fn knows(&self, predicate: &Predicate) -> bool {
        self.schema.predicate(predicate).is_some()
    }

    pub(crate) fn commit(&mut self, edges: &[Edge]) {
        for edge in edges {
            self.apply(edge);
        }
        self.data.retain(|_, content| !content.values.is_empty() || !content.edges.is_empty());
    }

    fn apply(&mut self, edge: &Edge) {
        let schema = self.schema.predicate(&edge.predicate).expect("the store refuses others").clone();
        self.max_uid = self.max_uid.max(edge.subject.0);
        let content = self.data.entry((edge.predicate.clone(), edge.subject.0)).or_default();
        match (edge.op, &edge.object) {
            (EdgeOp::Set, EdgeObject::Uid(uid)) => {
                self.max_uid = self.max_uid.max(uid.0);
                if !schema.list {
                    content.edges.clear();
                }
                content.edges.insert(uid.0, edge.facets.clone());
            }
            (EdgeOp::Set, EdgeObject::Value { value, lang }) => {
                if !schema.list && !schema.lang {
                    content.values.clear();
                }
                content.values.insert(Slot::of(value, lang, schema.list), (value.clone(), edge.facets.clone()));
            }
            (EdgeOp::Delete, EdgeObject::Uid(uid)) => _ = content.edges.remove(&uid.0),
            (EdgeOp::Delete, EdgeObject::Value { value, lang }) => {
                let slot = Slot::of(value, lang, schema.list);
                if content.values.get(&slot).is_some_and(|(standing, _)| standing.to_bytes() == value.to_bytes()) {
                    content.values.remove(&slot);
                }
            }
            (EdgeOp::Delete, EdgeObject::Star { lang: None }) => *content = Content::default(),
            (EdgeOp::Delete, EdgeObject::Star { lang: Some(lang) }) => {
                content.values.remove(&Slot::Language(lang.clone()));
            }
            (EdgeOp::Set, EdgeObject::Star { .. }) => unreachable!("never generated"),
        }
    }

    pub(crate) fn drop(&mut self, op: &DropOp) {
        self.data.retain(|(predicate, _), _| !op.hides(predicate));
        match op {
            DropOp::All => self.schema = initial_schema(),
            DropOp::Predicate(predicate) => _ = self.schema.predicates.remove(predicate),
            DropOp::Data => {}
            DropOp::NamespaceData(_) | DropOp::Namespace(_) => unreachable!("never generated"),
        }
    }

    /// Every list that the store must hold, and no other.
    pub(crate) fn lists(&self) -> Lists {
        let mut lists = Lists::new();
        for ((predicate, subject), content) in &self.data {
            let schema = self.schema.predicate(predicate).expect("data without schema is dropped");
            lists.insert(Key::data(predicate, Uid(*subject)), content.posting_list());
            for derived in content.derived(predicate, schema) {
                add(&mut lists, derived, *subject, None);
            }
            for (object, facets) in content.edges.iter().filter(|_| schema.reverse) {
                add(&mut lists, Key::reverse(predicate, Uid(*object)), *subject, Some(facets));
            }
        }
        let reverse: Vec<(Predicate, u64, u32)> = lists
            .iter()
            .filter(|(key, _)| self.schema.predicate(&key.predicate).is_some_and(|schema| schema.count))
            .filter_map(|(key, list)| match key.kind {
                KeyKind::Reverse(object) => Some((key.predicate.clone(), object.0, list.len() as u32)),
                _ => None,
            })
            .collect();
        for (predicate, object, count) in reverse {
            add(&mut lists, Key { predicate, kind: KeyKind::CountReverse(count) }, object, None);
        }
        lists
    }
}

impl Content {
    fn posting_list(&self) -> PostingList {
        let value = |(slot, (value, facets)): (&Slot, &(Value, Vec<Facet>))| Posting {
            id: slot.id(),
            value: value.to_bytes(),
            val_type: value.val_type(),
            lang: slot.lang().to_owned(),
            is_edge: false,
            facets: facets.clone(),
            commit_ts: 0,
        };
        let mut postings: Vec<Posting> = self.values.iter().map(value).collect();
        let with_facets = self.edges.iter().filter(|(_, facets)| !facets.is_empty());
        postings.extend(with_facets.map(|(object, facets)| edge_posting(*object, ValType::Uid, facets)));
        postings.sort_by_key(|posting| posting.id);
        let ids: BTreeSet<u64> = postings.iter().map(|p| p.id).chain(self.edges.keys().copied()).collect();
        PostingList { ids: ids.into_iter().collect(), postings }
    }

    fn derived(&self, predicate: &Predicate, schema: &PredicateSchema) -> Vec<Key> {
        let mut tokens = BTreeSet::new();
        for (slot, (value, _)) in &self.values {
            for tokenizer in &schema.tokenizers {
                tokens.extend(token::tokens(*tokenizer, value, slot.lang()).unwrap_or_default());
            }
        }
        let mut keys: Vec<Key> = tokens.into_iter().map(|token| Key::index(predicate, token)).collect();
        if schema.count {
            let count = if schema.lang { 1 } else { (self.values.len() + self.edges.len()) as u32 };
            keys.push(Key { predicate: predicate.clone(), kind: KeyKind::Count(count) });
        }
        keys
    }
}

fn edge_posting(id: u64, val_type: ValType, facets: &[Facet]) -> Posting {
    Posting { id, val_type, is_edge: true, facets: facets.to_vec(), ..Posting::default() }
}

/// Subjects come in ascending order.
fn add(lists: &mut Lists, key: Key, uid: u64, facets: Option<&Vec<Facet>>) {
    let list = lists.entry(key).or_default();
    list.ids.push(uid);
    if let Some(facets) = facets.filter(|facets| !facets.is_empty()) {
        list.postings.push(edge_posting(uid, ValType::Default, facets));
    }
}
