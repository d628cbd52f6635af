//! What was wrong with the stored index, reverse and count keys.

use std::collections::BTreeMap;
use std::fmt;

use graphdb_types::{Key, KeyKind, Predicate};

/// What a series of Dgraph's says otherwise than its own data does. Restores go by the data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StaleReport {
    /// Predicates whose stored index, reverse or count keys are not what their data gives.
    pub predicates: BTreeMap<Predicate, StaleKeys>,
    /// Predicates that have data and no schema in any backup: their schema was told from the data.
    pub undefined: Vec<Predicate>,
    /// Predicates that a backup names and does not define any more, made by a version that records no drops: data of older backups is taken
    /// as dropped.
    pub dropped: Vec<Predicate>,
    /// Tokenizers that this version does not know, by predicate: it was defined without those indexes.
    pub unindexed: BTreeMap<Predicate, Vec<String>>,
    /// Lists whose content v21.12 threw away when it backed them up, because they had too many parts.
    pub forbidden: u64,
}

/// How many derived keys of a predicate were stale.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StaleKeys {
    /// Lists that the data gives, and that were not stored.
    pub missing: u64,
    /// Lists that were stored, and that the data does not give.
    pub extra: u64,
    /// Lists that were stored with other content.
    pub different: u64,
    /// One of them.
    pub example: Option<Key>,
}

impl StaleKeys {
    /// How many there are in all.
    pub fn total(&self) -> u64 {
        self.missing + self.extra + self.different
    }
}

impl fmt::Display for StaleKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StaleKeys { missing, extra, different, .. } = self;
        write!(f, "{extra} stored for nothing, {missing} missing, {different} with other content")
    }
}

fn names<'a>(predicates: impl IntoIterator<Item = &'a Predicate>) -> String {
    predicates.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// How a stored derived list differs from the rebuilt one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Staleness {
    Missing,
    Extra,
    Different,
}

impl StaleReport {
    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        *self == StaleReport::default()
    }

    /// One sentence, or several, for whoever restored; `None` if nothing was found.
    pub fn summary(&self) -> Option<String> {
        let mut said = Vec::new();
        if !self.predicates.is_empty() {
            let total: u64 = self.predicates.values().map(StaleKeys::total).sum();
            let of = names(self.predicates.keys());
            said.push(format!(
                "{total} index, reverse or count lists were not what the data gives and were made anew, of: {of}."
            ));
        }
        if !self.undefined.is_empty() {
            said.push(format!("No backup defines {}: the type was told from the data.", names(&self.undefined)));
        }
        if !self.dropped.is_empty() {
            let dropped = names(&self.dropped);
            said.push(format!("Dropped without a record: {dropped}, which a backup names and does not define."));
        }
        for (predicate, tokenizers) in &self.unindexed {
            let unknown = tokenizers.join(", ");
            said.push(format!(
                "The index {unknown} of {predicate} is not known here: it was left out, the data is there."
            ));
        }
        if self.forbidden > 0 {
            said.push(format!("{} lists had lost their content when Dgraph backed them up.", self.forbidden));
        }
        (!said.is_empty()).then(|| said.join(" "))
    }

    /// Adds what was found in another group.
    pub(crate) fn merge(&mut self, other: StaleReport) {
        self.predicates.extend(other.predicates);
        self.undefined.extend(other.undefined);
        self.dropped.extend(other.dropped);
        self.unindexed.extend(other.unindexed);
        self.forbidden += other.forbidden;
    }

    pub(super) fn note(&mut self, key: &Key, what: Staleness) {
        let of_unknown_index = matches!(key.kind, KeyKind::Index(_)) && self.unindexed.contains_key(&key.predicate);
        if of_unknown_index && what == Staleness::Extra {
            return;
        }
        let keys = self.predicates.entry(key.predicate.clone()).or_default();
        match what {
            Staleness::Missing => keys.missing += 1,
            Staleness::Extra => keys.extra += 1,
            Staleness::Different => keys.different += 1,
        }
        keys.example.get_or_insert_with(|| key.clone());
    }
}
