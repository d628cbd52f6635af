//! The key-values of one archive: each by itself, then all of a predicate against its schema and its manifest.

use std::collections::{BTreeMap, HashMap, HashSet};

use graphdb_archive::{Backup, Entry, EntryValue, KeyValue, Origin, user_meta};
use graphdb_types::{BackupKey, DropOp, GroupId, Key, Predicate, PredicateSchema, StoredKeyParts, Uid};

use super::list::{Damage, Look, look};
use super::observed::{Mismatch, Observed, Tally};
use super::report::{Finding, Findings, Kind, Offset, Scope, Severity};
use super::shown::{listed, shown_backup_key, shown_bytes, shown_key};
use crate::definitions::Author;
use crate::gather::is_vector_helper;

/// The kinds of lists that hold nothing but uids, as the byte behind the predicate of a stored key: index, count and reverse-count lists.
const PLAIN_KINDS: [u8; 3] = [2, 8, 12];

/// Looks at the key-values of an archive in the order they stand there.
pub(super) struct Checker {
    scope: Scope,
    facts: Facts,
    findings: Findings,
    predicates: Vec<Seen>,
    /// Where in `predicates`, by the prefix of stored keys.
    places: HashMap<Vec<u8>, usize>,
    current: usize,
    schema: BTreeMap<Predicate, PredicateSchema>,
    types: HashSet<Predicate>,
    /// Predicates with an index that is not known here.
    unindexed: HashSet<Predicate>,
    key: Vec<u8>,
    /// Of ours, whose keys are in order: the key before.
    previous: Vec<u8>,
    version_zero: Tally,
    too_new: Tally,
    forbidden: Tally,
}

/// What the manifest says.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    author: Author,
    is_ours: bool,
    is_full: bool,
    records_drops: bool,
    read_ts: u64,
    /// What was dropped in this backup and those before it: predicates that are gone stay named.
    dropped: Vec<DropOp>,
    /// The groups that the manifest names each predicate for.
    named: HashMap<Predicate, Vec<GroupId>>,
    group: GroupId,
    /// Its lists may have the timestamp after that of the last commit.
    rolls_up_above: bool,
}

impl Facts {
    /// `dropped` are the drops that took predicates away, in this backup or before.
    pub(super) fn new(backup: &Backup, group: GroupId, dropped: Vec<DropOp>) -> Facts {
        let mut named: HashMap<Predicate, Vec<GroupId>> = HashMap::new();
        for (id, archive) in &backup.groups {
            for predicate in &archive.predicates {
                named.entry(predicate.clone()).or_default().push(*id);
            }
        }
        Facts {
            author: Author::of(backup),
            is_ours: backup.sealed().is_some(),
            is_full: backup.is_full,
            records_drops: backup.records_drops,
            read_ts: backup.read_ts.0,
            dropped,
            named,
            group,
            rolls_up_above: matches!(backup.origin, Origin::Dgraph { version } if version != 0),
        }
    }

    fn is_named_here(&self, predicate: &Predicate) -> bool {
        self.named.get(predicate).is_some_and(|groups| groups.contains(&self.group))
    }

    /// Of ours nothing may be odd; Dgraph's are, in ways that a restore copes with.
    fn odd(&self) -> Severity {
        if self.is_ours { Severity::Error } else { Severity::Warning }
    }
}

/// A predicate of which there are key-values.
struct Seen {
    prefix: Vec<u8>,
    predicate: Predicate,
    is_helper: bool,
    observed: Observed,
}

impl Checker {
    pub(super) fn new(scope: Scope, facts: Facts) -> Checker {
        Checker {
            scope,
            facts,
            findings: Findings::default(),
            predicates: Vec::new(),
            places: HashMap::new(),
            current: 0,
            schema: BTreeMap::new(),
            types: HashSet::new(),
            unindexed: HashSet::new(),
            key: Vec::new(),
            previous: Vec::new(),
            version_zero: Tally::default(),
            too_new: Tally::default(),
            forbidden: Tally::default(),
        }
    }

    /// Takes the key-value that begins at `offset` of the frames.
    pub(super) fn take(&mut self, offset: u64, kv: &KeyValue<'_>) {
        self.key.clear();
        match BackupKey::put_stored_of_wire(kv.key, &mut self.key) {
            Ok(Some(parts)) => self.take_list(offset, kv, &parts),
            Ok(None) => self.take_definition(offset, kv),
            Err(err) => {
                let shown = shown_bytes(kv.key);
                self.push(offset, self.scope.error(Kind::Key, format!("malformed {}", err.what)).key(shown));
            }
        }
    }

    fn push(&mut self, offset: u64, finding: Finding) {
        self.findings.push(finding.at(Offset::Frames(offset)));
    }

    fn push_at_key(&mut self, offset: u64, severity: Severity, kind: Kind, what: impl Into<String>) {
        let finding = self.scope.finding(severity, kind, what).key(shown_key(&self.key));
        self.push(offset, finding);
    }

    fn take_list(&mut self, offset: u64, kv: &KeyValue<'_>, parts: &StoredKeyParts) {
        self.enter(parts.prefix_len);
        self.check_order(offset);
        if parts.subject == Some(Uid(u64::MAX)) {
            self.push_at_key(offset, Severity::Error, Kind::Key, "a node with the uid that marks values");
        }
        self.predicates[self.current].observed.all.note(offset, &self.key);
        let Some(state) = State::of(kv) else {
            let what = format!("user_meta {:#04x}, which no list has", kv.user_meta);
            return self.push_at_key(offset, Severity::Error, Kind::Entry, what);
        };
        self.check_version(offset, kv.version, state);
        match state {
            State::Whole => self.look_at(offset, kv.value, parts.prefix_len),
            State::Empty => {}
            State::Forbidden => self.forbidden.note(offset, &self.key),
        }
    }

    /// Makes the predicate of the key the current one.
    fn enter(&mut self, prefix_len: usize) {
        let prefix = &self.key[..prefix_len];
        if self.predicates.get(self.current).is_some_and(|seen| seen.prefix == prefix) {
            return;
        }
        if let Some(place) = self.places.get(prefix) {
            self.current = *place;
            return;
        }
        let predicate = Key::from_stored(&self.key).expect("it was just made").predicate;
        let (prefix, is_helper) = (prefix.to_vec(), is_vector_helper(&predicate));
        self.current = self.predicates.len();
        self.places.insert(prefix.clone(), self.current);
        self.predicates.push(Seen { prefix, predicate, is_helper, observed: Observed::default() });
    }

    fn check_order(&mut self, offset: u64) {
        if !self.facts.is_ours {
            return;
        }
        if self.key <= self.previous {
            self.push_at_key(offset, Severity::Error, Kind::Order, "its key does not sort after the one before");
        }
        self.previous.clear();
        self.previous.extend_from_slice(&self.key);
    }

    fn check_version(&mut self, offset: u64, version: u64, state: State) {
        let newest = self.facts.read_ts.saturating_add(u64::from(self.facts.rolls_up_above));
        if version > newest {
            self.too_new.note(offset, &self.key);
        }
        if version > 0 {
            return;
        }
        if state == State::Empty && !self.facts.is_ours {
            self.version_zero.note(offset, &self.key);
        } else {
            self.push_at_key(offset, self.facts.odd(), Kind::Version, "a list with version 0");
        }
    }

    fn look_at(&mut self, offset: u64, wire: &[u8], prefix_len: usize) {
        let is_helper = self.predicates[self.current].is_helper;
        let rest = &self.key[prefix_len..];
        match look(wire) {
            Ok(look) => {
                if look.len > 0 {
                    self.predicates[self.current].observed.list(rest, &look, offset, &self.key);
                }
                self.check_numbers(offset, &look, prefix_len);
            }
            Err(Damage::Value(_)) if is_helper => {}
            Err(Damage::Value(what)) => {
                self.push_at_key(offset, Severity::Error, Kind::Value, format!("a value that is no {what}"));
            }
            Err(Damage::List(what)) => {
                self.push_at_key(offset, Severity::Error, Kind::List, format!("malformed {what}"));
            }
        }
    }

    fn check_numbers(&mut self, offset: u64, look: &Look, prefix_len: usize) {
        if let Some(id) = look.misnumbered {
            let what =
                format!("a value under the number {id:#x}, which is not the fingerprint of it or of its language");
            self.push_at_key(offset, self.facts.odd(), Kind::Fingerprint, what);
        }
        let is_plain = self.key.get(prefix_len).is_some_and(|kind| PLAIN_KINDS.contains(kind));
        if is_plain && look.has_postings {
            self.push_at_key(offset, self.facts.odd(), Kind::List, "an index or count list with more than uids");
        }
    }

    fn take_definition(&mut self, offset: u64, kv: &KeyValue<'_>) {
        let entry = match kv.entry() {
            Ok(entry) => entry,
            Err(err) => {
                let finding = self.scope.error(Kind::Entry, err.to_string()).key(shown_bytes(kv.key));
                return self.push(offset, finding);
            }
        };
        let key = shown_backup_key(&entry.key);
        let finding = match self.define(&entry) {
            Ok(unknown) if unknown.is_empty() => return,
            Ok(unknown) => {
                let what = format!("the index {} is not known here: restores leave it out", unknown.join(", "));
                self.scope.finding(Severity::Warning, Kind::Definition, what)
            }
            Err(what) => self.scope.error(Kind::Definition, what),
        };
        self.push(offset, finding.key(key));
    }

    /// Remembers a definition. Gives the names of tokenizers that are not known.
    fn define(&mut self, entry: &Entry<'_>) -> Result<Vec<String>, String> {
        let author = self.facts.author;
        let mut unknown = Vec::new();
        let is_new = match (&entry.key, &entry.value) {
            (BackupKey::Schema(predicate), EntryValue::Schema(wire)) => {
                let schema = author.read_known_predicate(wire, &mut unknown).map_err(|err| err.to_string())?;
                if !unknown.is_empty() {
                    self.unindexed.insert(predicate.clone());
                }
                self.schema.insert(predicate.clone(), schema).is_none()
            }
            (BackupKey::Type(name), EntryValue::Type(wire)) => {
                author.read_type(wire).map_err(|err| err.to_string())?;
                self.types.insert(name.clone())
            }
            _ => return Err("a definition under the key of a list".into()),
        };
        if is_new { Ok(unknown) } else { Err("it is defined twice in one archive".into()) }
    }

    /// What was found; `is_whole` if the archive was read to its end, without which nothing can be missed.
    pub(super) fn finish(mut self, is_whole: bool) -> Findings {
        self.report_tallies();
        self.compare_with_manifest();
        if is_whole {
            self.compare_with_schema();
            self.miss_predicates();
        }
        self.findings
    }

    fn report_tallies(&mut self) {
        let Facts { is_ours, read_ts, .. } = self.facts;
        let odd = self.facts.odd();
        let zero = "an emptied list with version 0: Dgraph itself would bring back what was deleted, graphdb does not";
        let too_new = format!("a list with a version above {read_ts}, the instant the backup shows");
        let forbidden = "a list whose content Dgraph v21.12 threw away, since it had too many parts";
        let dgraphs = if is_ours { Severity::Error } else { Severity::Note };
        let tallies = [
            (dgraphs, Kind::Version, std::mem::take(&mut self.version_zero), zero.to_owned()),
            (odd, Kind::Version, std::mem::take(&mut self.too_new), too_new),
            (Severity::Warning, Kind::ForbiddenList, std::mem::take(&mut self.forbidden), forbidden.to_owned()),
        ];
        for (severity, kind, tally, what) in tallies.into_iter().filter(|(_, _, tally, _)| tally.count > 0) {
            let finding = self.of_tally(severity, kind, &tally, what);
            self.findings.push(finding);
        }
    }

    /// Data that restores leave out, because the manifest does not name it here.
    fn compare_with_manifest(&mut self) {
        let unnamed: Vec<Finding> = self.predicates.iter().filter_map(|seen| self.unnamed(seen)).collect();
        self.findings.extend(unnamed);
    }

    fn unnamed(&self, seen: &Seen) -> Option<Finding> {
        let Seen { predicate, observed, .. } = seen;
        let (kind, what) = match self.facts.named.get(predicate) {
            Some(groups) if groups.contains(&self.facts.group) => return None,
            Some(groups) => {
                let named: Vec<String> = groups.iter().map(ToString::to_string).collect();
                let what = format!(
                    "key-values of predicate {predicate}, which the manifest names for group {}",
                    named.join(", ")
                );
                (Kind::WrongGroup, what)
            }
            None => (
                Kind::UnnamedPredicate,
                format!("key-values of predicate {predicate}, which the manifest does not name"),
            ),
        };
        let what = format!("{what}: restores leave them out");
        Some(self.of_tally(self.facts.odd(), kind, &observed.all, what))
    }

    fn of_tally(&self, severity: Severity, kind: Kind, tally: &Tally, what: String) -> Finding {
        let finding = self.scope.finding(severity, kind, what).key(shown_key(&tally.key)).times(tally.count);
        finding.at(Offset::Frames(tally.offset))
    }

    fn compare_with_schema(&mut self) {
        if self.defines_nothing() {
            return;
        }
        let mut found = Vec::new();
        for Seen { predicate, observed, .. } in self.predicates.iter().filter(|seen| !seen.is_helper) {
            match self.schema.get(predicate) {
                Some(schema) => {
                    let knows_indexes = !self.unindexed.contains(predicate);
                    let mismatches = observed.mismatches(predicate, schema).into_iter();
                    let mismatches = mismatches.filter(|found| knows_indexes || found.kind != Kind::StaleIndex);
                    found.extend(
                        mismatches
                            .map(|Mismatch { kind, seen, what }| self.of_tally(Severity::Warning, kind, seen, what)),
                    );
                }
                // What restores leave out needs no schema.
                None if observed.data.count == 0 || !self.facts.is_named_here(predicate) => {}
                None => {
                    let what =
                        format!("data of predicate {predicate}, which has no schema: its type is told from the data");
                    found.push(self.of_tally(Severity::Warning, Kind::UndefinedPredicate, &observed.data, what));
                }
            }
        }
        self.findings.extend(found);
    }

    /// Increments of v1.1 to v1.2.2 and v20.03.0 hold no schema.
    fn defines_nothing(&self) -> bool {
        !self.facts.is_full && !self.facts.is_ours && self.schema.is_empty()
    }

    /// Predicates that the manifest names, and the archive knows nothing of.
    fn miss_predicates(&mut self) {
        if self.defines_nothing() {
            return;
        }
        let known: HashSet<&Predicate> =
            self.predicates.iter().map(|seen| &seen.predicate).chain(self.schema.keys()).collect();
        let mut missing: Vec<&Predicate> = self.facts.named.keys().collect();
        missing.retain(|predicate| {
            self.facts.is_named_here(predicate) && !known.contains(predicate) && !is_vector_helper(predicate)
        });
        missing.sort();
        let (dropped, absent): (Vec<_>, Vec<_>) = missing.into_iter().partition(|predicate| self.is_dropped(predicate));
        let mut found: Vec<Finding> = absent.into_iter().map(|predicate| self.absent(predicate)).collect();
        if !dropped.is_empty() {
            found.push(self.of_dropped(&dropped));
        }
        self.findings.extend(found);
    }

    /// Whether the series says that a predicate was dropped, or could not say it.
    fn is_dropped(&self, predicate: &Predicate) -> bool {
        !self.facts.records_drops || self.facts.dropped.iter().any(|drop| drop.hides(predicate))
    }

    fn absent(&self, predicate: &Predicate) -> Finding {
        let what = format!(
            "predicate {predicate} is named in the manifest, and the archive neither defines it nor has data of it: it is lost, or was dropped before the series began"
        );
        self.scope.finding(self.facts.odd(), Kind::AbsentPredicate, what)
    }

    fn of_dropped(&self, predicates: &[&Predicate]) -> Finding {
        let kind = if self.facts.records_drops { Kind::AbsentPredicate } else { Kind::UnrecordedDrop };
        let how = match kind {
            Kind::UnrecordedDrop => "they were dropped, which this version of Dgraph does not record",
            _ => "they were dropped, and Dgraph goes on naming them",
        };
        let what = format!(
            "predicates that the manifest names and the archive does not define: {}; {how}",
            listed(predicates)
        );
        self.scope.finding(Severity::Note, kind, what).times(predicates.len() as u64)
    }
}

/// What a key-value says of its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Whole,
    Empty,
    Forbidden,
}

impl State {
    fn of(kv: &KeyValue<'_>) -> Option<State> {
        match kv.user_meta {
            user_meta::COMPLETE | user_meta::DELTA if kv.value.is_empty() => Some(State::Empty),
            user_meta::COMPLETE | user_meta::DELTA => Some(State::Whole),
            user_meta::EMPTY => Some(State::Empty),
            user_meta::FORBIDDEN => Some(State::Forbidden),
            _ => None,
        }
    }
}
