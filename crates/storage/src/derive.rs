//! From edges to posting-list changes: the data lists they change, and the index, reverse and count lists that follow from those.
//!
//! [`prepare`] does what needs no reading (grouping, index tokens) and may run on any thread. [`derive`] needs the lists as they stand
//! just before the commit, so the committer calls it, one commit after the other; it is deterministic.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use graphdb_types::{
    Key, KeyKind, Posting, PostingList, Predicate, PredicateSchema, Schema, Tokenizer, Uid, ValType, Value,
    fingerprint64, token,
};

use crate::edge::{Edge, EdgeObject, EdgeOp, value_id};
use crate::error::{Error, Result};
use crate::layout::Delta;
use crate::versions::ListAt;

/// Lists of up to this many entries are stored whole when they had to be read anyway: the next reader and the next backup then copy.
const WHOLE_LIST: usize = 64;

/// Nor does a longer list gather more deltas than this if every commit has to read it: then reading costs more than writing it whole.
const MANY_DELTAS: usize = 16;

/// Edges grouped by the data list they change.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    lists: BTreeMap<(Predicate, Uid), ListChange>,
    /// What another commit must not have touched meanwhile.
    pub(crate) conflict_keys: BTreeSet<u64>,
}

#[derive(Debug, Default)]
struct ListChange {
    steps: Vec<Step>,
    /// Index tokens of every value that is set.
    tokens: BTreeSet<Vec<u8>>,
}

#[derive(Debug)]
enum Step {
    Set(Posting),
    Remove(u64),
    /// Takes a value away only if it is the one that stands there.
    RemoveValue {
        id: u64,
        value: Vec<u8>,
    },
    Clear,
}

/// The changes of posting lists that a commit makes, by stored key.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) lists: HashMap<Vec<u8>, Delta>,
}

/// Groups edges and computes what can be computed without reading.
pub(crate) fn prepare(edges: &[Edge], schema: &Schema) -> Result<Prepared> {
    let mut prepared = Prepared::default();
    let mut last: Option<(&Predicate, &PredicateSchema)> = None;
    for edge in edges {
        let definition = match last {
            Some((predicate, definition)) if *predicate == edge.predicate => definition,
            _ => schema.predicate(&edge.predicate).ok_or_else(|| {
                // Data that the schema does not name would be missing from backups.
                Error::refused(format!("predicate {} has no schema; define it before writing to it", edge.predicate))
            })?,
        };
        last = Some((&edge.predicate, definition));
        check(edge, definition)?;
        prepared.add_conflict_keys(edge, definition);
        let change = prepared.lists.entry((edge.predicate.clone(), edge.subject)).or_default();
        change.add(edge, definition);
    }
    Ok(prepared)
}

fn check(edge: &Edge, schema: &PredicateSchema) -> Result<()> {
    for uid in [Some(edge.subject), if let EdgeObject::Uid(uid) = edge.object { Some(uid) } else { None }]
        .into_iter()
        .flatten()
    {
        if !uid.is_valid() {
            return Err(Error::InvalidUid { uid });
        }
    }
    match (&edge.object, edge.op) {
        (EdgeObject::Star { .. }, EdgeOp::Set) => Err(Error::refused("a star can only be deleted")),
        (EdgeObject::Uid(_), _) if schema.value_type != ValType::Uid => {
            Err(Error::refused(format!("predicate {} holds values, not edges", edge.predicate)))
        }
        (EdgeObject::Value { .. }, EdgeOp::Set) if schema.value_type == ValType::Uid => {
            Err(Error::refused(format!("predicate {} holds edges, not values", edge.predicate)))
        }
        _ => Ok(()),
    }
}

impl Prepared {
    /// The rules of `api-surface` C.5: scalars conflict by subject, list items by item, with `@upsert` also by index token.
    fn add_conflict_keys(&mut self, edge: &Edge, schema: &PredicateSchema) {
        if schema.no_conflict {
            return;
        }
        let mut key = Key::data(&edge.predicate, edge.subject).to_stored();
        if schema.list && !schema.count && !schema.upsert {
            let item = match &edge.object {
                EdgeObject::Uid(uid) => uid.0,
                EdgeObject::Value { value, lang } => value_id(&value.to_bytes(), lang, true),
                EdgeObject::Star { .. } => 0,
            };
            key.extend_from_slice(&item.to_be_bytes());
        }
        self.conflict_keys.insert(fingerprint64(&key));
        if schema.upsert
            && let EdgeObject::Value { value, lang } = &edge.object
        {
            let mut tokens = BTreeSet::new();
            add_tokens(&mut tokens, value, lang, schema);
            let keys = tokens.into_iter().map(|token| fingerprint64(&Key::index(&edge.predicate, token).to_stored()));
            self.conflict_keys.extend(keys);
        }
    }

    /// The predicates that change.
    pub(crate) fn predicates(&self) -> BTreeSet<Predicate> {
        self.lists.keys().map(|(predicate, _)| predicate.clone()).collect()
    }
}

impl ListChange {
    fn add(&mut self, edge: &Edge, schema: &PredicateSchema) {
        let step = match (edge.op, &edge.object) {
            (EdgeOp::Set, object) => {
                if let EdgeObject::Value { value, lang } = object {
                    add_tokens(&mut self.tokens, value, lang, schema);
                }
                Step::Set(edge.posting(schema.list, 0).expect("a star is never set"))
            }
            (EdgeOp::Delete, EdgeObject::Uid(uid)) => Step::Remove(uid.0),
            (EdgeOp::Delete, EdgeObject::Star { lang: None }) => Step::Clear,
            (EdgeOp::Delete, EdgeObject::Star { lang: Some(lang) }) => Step::Remove(fingerprint64(lang.as_bytes())),
            (EdgeOp::Delete, EdgeObject::Value { value, lang }) => {
                let bytes = value.to_bytes();
                let id = value_id(&bytes, lang, schema.list);
                if schema.list && lang.is_empty() { Step::Remove(id) } else { Step::RemoveValue { id, value: bytes } }
            }
        };
        self.steps.push(step);
    }

    /// Whether the list as it stands decides what has to be written.
    fn needs_old(&self, schema: &PredicateSchema) -> bool {
        let removes = self.steps.iter().any(|step| !matches!(step, Step::Set(_)));
        let clears = self.steps.iter().any(|step| matches!(step, Step::Clear));
        let conditional = self.steps.iter().any(|step| matches!(step, Step::RemoveValue { .. }));
        conditional
            || schema.count
            || (!schema.tokenizers.is_empty() && (removes || !schema.list))
            || (schema.reverse && (clears || !schema.list))
    }

    /// Folds the steps into one change, and gives the index tokens of what it adds.
    fn fold(self, schema: &PredicateSchema, old: Option<&PostingList>, commit_ts: u64) -> (Delta, BTreeSet<Vec<u8>>) {
        // A set replaces whatever is there.
        let single = !schema.list && !schema.lang;
        // A later step may take back what an earlier one set, and then its tokens do not count.
        let one_step = self.steps.len() == 1;
        let mut clear = false;
        let mut added: BTreeMap<u64, Posting> = BTreeMap::new();
        let mut removed: BTreeSet<u64> = BTreeSet::new();
        for step in self.steps {
            match step {
                Step::Clear => {
                    clear = true;
                    added.clear();
                    removed.clear();
                }
                Step::Remove(id) => {
                    added.remove(&id);
                    removed.insert(id);
                }
                Step::RemoveValue { id, value } => {
                    let standing =
                        if removed.contains(&id) || clear { None } else { old.and_then(|list| list.posting(id)) };
                    if added.get(&id).or(standing).is_some_and(|posting| posting.value == value) {
                        added.remove(&id);
                        removed.insert(id);
                    }
                }
                Step::Set(mut posting) => {
                    if single {
                        clear = true;
                        added.clear();
                        removed.clear();
                    }
                    posting.commit_ts = commit_ts;
                    removed.remove(&posting.id);
                    added.insert(posting.id, posting);
                }
            }
        }
        let tokens =
            if one_step || schema.tokenizers.is_empty() { self.tokens } else { tokens_of(added.values(), schema) };
        let ids = added.keys().copied().collect();
        let postings = added.into_values().filter(|p| !p.is_edge || !p.facets.is_empty()).collect();
        let removed = if clear { Vec::new() } else { removed.into_iter().collect() };
        (Delta { clear, removed, added: PostingList { ids, postings } }, tokens)
    }
}

/// Computes the changes of all lists. `read` gives a list as it stands before the commit, by stored key.
pub(crate) fn derive(
    prepared: Prepared,
    schema: &Schema,
    commit_ts: u64,
    mut read: impl FnMut(&[u8]) -> Result<ListAt>,
) -> Result<Effects> {
    let default = PredicateSchema::default();
    let mut derived = Derived::default();
    let mut effects = Effects { lists: HashMap::with_capacity(2 * prepared.lists.len()) };
    for ((predicate, subject), change) in prepared.lists {
        let definition = schema.predicate(&predicate).unwrap_or(&default);
        let data_key = Key::data(&predicate, subject).to_stored();
        let old = if change.needs_old(definition) { Some(read(&data_key)?) } else { None };
        let (delta, tokens) = change.fold(definition, old.as_ref().map(|at| &at.list), commit_ts);
        let subject = Subject { predicate: &predicate, uid: subject, schema: definition };
        let Some(ListAt { list: old, deltas, .. }) = old else {
            derived.follow_blind(&subject, &delta, tokens);
            effects.lists.insert(data_key, delta);
            continue;
        };
        let mut new = old.clone();
        delta.clone().apply_to(&mut new);
        if old.is_empty() && new.is_empty() {
            continue;
        }
        derived.follow(&subject, &old, &new, &delta, tokens);
        let whole = new.len() <= WHOLE_LIST || deltas >= MANY_DELTAS;
        effects.lists.insert(data_key, if whole { Delta::whole(new) } else { delta });
    }
    derived.count_reverse(schema, &mut read)?;
    effects.lists.extend(derived.lists.into_iter().map(|(key, changes)| (key, changes.to_delta())));
    effects.lists.extend(derived.rolled_up.into_iter().map(|(key, list)| (key, Delta::whole(list))));
    Ok(effects)
}

struct Subject<'a> {
    predicate: &'a Predicate,
    uid: Uid,
    schema: &'a PredicateSchema,
}

/// Changes of index, reverse and count lists, collected over a commit.
#[derive(Default)]
struct Derived {
    lists: HashMap<Vec<u8>, UidChanges>,
    /// Objects whose number of reverse edges may change.
    counted_objects: BTreeSet<(Predicate, Uid)>,
    /// Lists of `lists` that were read anyway and had gathered many deltas: as they are after the commit.
    rolled_up: HashMap<Vec<u8>, PostingList>,
}

/// Each uid once: a commit has one change for a (predicate, subject).
#[derive(Default)]
struct UidChanges(BTreeMap<u64, UidChange>);

enum UidChange {
    Add(Option<Box<Posting>>),
    Remove,
}

impl UidChanges {
    fn to_delta(&self) -> Delta {
        let mut delta = Delta::default();
        for (uid, change) in &self.0 {
            match change {
                UidChange::Remove => delta.removed.push(*uid),
                UidChange::Add(posting) => {
                    delta.added.ids.push(*uid);
                    delta.added.postings.extend(posting.as_deref().cloned());
                }
            }
        }
        delta
    }
}

impl Derived {
    fn add(&mut self, key: Vec<u8>, uid: u64, posting: Option<Box<Posting>>) {
        self.lists.entry(key).or_default().0.insert(uid, UidChange::Add(posting));
    }

    /// An addition made in the same commit stands: it comes from the new state.
    fn remove(&mut self, key: Vec<u8>, uid: u64) {
        self.lists.entry(key).or_default().0.entry(uid).or_insert(UidChange::Remove);
    }

    /// What follows from a change when nothing that stood there matters.
    fn follow_blind(&mut self, subject: &Subject<'_>, delta: &Delta, tokens: BTreeSet<Vec<u8>>) {
        for token in tokens {
            self.add(Key::index(subject.predicate, token).to_stored(), subject.uid.0, None);
        }
        if subject.schema.reverse {
            delta.added.ids.iter().for_each(|object| self.add_reverse(subject, *object, delta.added.posting(*object)));
            delta.removed.iter().for_each(|object| self.remove_reverse(subject, *object));
        }
    }

    /// What follows from a change of `old` to `new`.
    fn follow(
        &mut self,
        subject: &Subject<'_>,
        old: &PostingList,
        new: &PostingList,
        delta: &Delta,
        tokens: BTreeSet<Vec<u8>>,
    ) {
        if !subject.schema.tokenizers.is_empty() {
            let gone = old.postings.iter().filter(|p| new.posting(p.id).is_none_or(|n| n.value != p.value));
            let gone = tokens_of(gone, subject.schema);
            let kept = if gone.is_empty() { BTreeSet::new() } else { tokens_of(new.postings.iter(), subject.schema) };
            for token in gone.difference(&kept) {
                self.remove(Key::index(subject.predicate, token.as_slice()).to_stored(), subject.uid.0);
            }
            for token in tokens.into_iter().filter(|token| gone.is_empty() || kept.contains(token)) {
                self.add(Key::index(subject.predicate, token).to_stored(), subject.uid.0, None);
            }
        }
        if subject.schema.reverse {
            old.ids.iter().filter(|id| !new.contains(**id)).for_each(|object| self.remove_reverse(subject, *object));
            let set = delta.added.ids.iter().filter(|id| new.contains(**id));
            set.for_each(|object| self.add_reverse(subject, *object, new.posting(*object)));
        }
        if subject.schema.count {
            self.recount(
                subject.predicate,
                false,
                subject.uid.0,
                count_of(old, subject.schema),
                count_of(new, subject.schema),
            );
        }
    }

    fn add_reverse(&mut self, subject: &Subject<'_>, object: u64, edge: Option<&Posting>) {
        let posting =
            edge.map(|edge| Box::new(Posting { id: subject.uid.0, val_type: ValType::Default, ..edge.clone() }));
        self.add(Key::reverse(subject.predicate, Uid(object)).to_stored(), subject.uid.0, posting);
        self.note_counted(subject, object);
    }

    fn remove_reverse(&mut self, subject: &Subject<'_>, object: u64) {
        self.remove(Key::reverse(subject.predicate, Uid(object)).to_stored(), subject.uid.0);
        self.note_counted(subject, object);
    }

    fn note_counted(&mut self, subject: &Subject<'_>, object: u64) {
        if subject.schema.count {
            self.counted_objects.insert((subject.predicate.clone(), Uid(object)));
        }
    }

    fn recount(&mut self, predicate: &Predicate, of_reverse: bool, uid: u64, old: u32, new: u32) {
        let key = |count| {
            let kind = if of_reverse { KeyKind::CountReverse(count) } else { KeyKind::Count(count) };
            Key { predicate: predicate.clone(), kind }.to_stored()
        };
        if old != new {
            if old > 0 {
                self.remove(key(old), uid);
            }
            if new > 0 {
                self.add(key(new), uid, None);
            }
        }
    }

    /// Moves objects between reverse-count lists, once all edges of the commit are known.
    fn count_reverse(&mut self, schema: &Schema, read: &mut impl FnMut(&[u8]) -> Result<ListAt>) -> Result<()> {
        for (predicate, object) in std::mem::take(&mut self.counted_objects) {
            debug_assert!(schema.predicate(&predicate).is_some_and(|s| s.count && s.reverse));
            let key = Key::reverse(&predicate, object).to_stored();
            let ListAt { list: mut new, deltas, .. } = read(&key)?;
            let before = count_number(new.len());
            self.lists.get(&key).map(UidChanges::to_delta).unwrap_or_default().apply_to(&mut new);
            self.recount(&predicate, true, object.0, before, count_number(new.len()));
            if deltas >= MANY_DELTAS && self.lists.contains_key(&key) {
                self.rolled_up.insert(key, new);
            }
        }
        Ok(())
    }
}

/// What `@count` counts: values or edges; all languages of a value are one.
pub(crate) fn count_of(list: &PostingList, schema: &PredicateSchema) -> u32 {
    if schema.lang { u32::from(!list.is_empty()) } else { count_number(list.len()) }
}

fn count_number(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// The index tokens of stored values. A value that does not convert to the schema's type has none, as when it was indexed.
pub(crate) fn tokens_of<'a>(
    postings: impl Iterator<Item = &'a Posting>,
    schema: &PredicateSchema,
) -> BTreeSet<Vec<u8>> {
    let mut tokens = BTreeSet::new();
    for posting in postings.filter(|p| !p.is_edge) {
        if let Ok(value) = Value::from_bytes(posting.val_type, &posting.value) {
            add_tokens(&mut tokens, &value, &posting.lang, schema);
        }
    }
    tokens
}

fn add_tokens(tokens: &mut BTreeSet<Vec<u8>>, value: &Value, lang: &str, schema: &PredicateSchema) {
    for tokenizer in &schema.tokenizers {
        tokens.extend(tokenize(*tokenizer, value, lang));
    }
}

fn tokenize(tokenizer: Tokenizer, value: &Value, lang: &str) -> Vec<Vec<u8>> {
    let wanted = tokenizer.value_type();
    if value.val_type() == wanted {
        return token::tokens(tokenizer, value, lang).unwrap_or_default();
    }
    value.convert(wanted).ok().and_then(|value| token::tokens(tokenizer, &value, lang).ok()).unwrap_or_default()
}

/// The lists that follow from one data list, but for reverse counts: stored key, uid in it, and the posting of a reverse edge with facets.
/// Used to build indexes over existing data.
pub fn derived_keys(key: &Key, list: &PostingList, schema: &PredicateSchema) -> Vec<(Vec<u8>, u64, Option<Posting>)> {
    let KeyKind::Data(subject) = key.kind else { return Vec::new() };
    let mut found: Vec<_> = tokens_of(list.postings.iter(), schema)
        .into_iter()
        .map(|token| (Key::index(&key.predicate, token).to_stored(), subject.0, None))
        .collect();
    if schema.reverse {
        found.extend(list.ids.iter().map(|object| {
            let posting =
                list.posting(*object).map(|edge| Posting { id: subject.0, val_type: ValType::Default, ..edge.clone() });
            (Key::reverse(&key.predicate, Uid(*object)).to_stored(), subject.0, posting)
        }));
    }
    if schema.count && !list.is_empty() {
        let count = Key { predicate: key.predicate.clone(), kind: KeyKind::Count(count_of(list, schema)) };
        found.push((count.to_stored(), subject.0, None));
    }
    found
}

/// The stored key of the list that an object with `sources` reverse edges stands in, for predicates that are counted and have a reverse.
pub fn reverse_count_key(predicate: &Predicate, sources: usize) -> Vec<u8> {
    Key { predicate: predicate.clone(), kind: KeyKind::CountReverse(count_number(sources)) }.to_stored()
}
