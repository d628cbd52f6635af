//! Which of a series' data counts: what the manifests say of each archive, and what the reader wants of it.

use std::collections::BTreeSet;

use graphdb_archive::{Backup, GroupArchive, Series};
use graphdb_types::{DropOp, GroupId, Namespace, Predicate};

/// What of a series is wanted; everything, unless something is set.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only what these groups served in the newest backup.
    pub groups: Option<BTreeSet<GroupId>>,
    /// Only these predicates. Types are wanted all the same: a type may name predicates that are not there.
    pub predicates: Option<BTreeSet<Predicate>>,
    /// Only one namespace.
    pub tenant: Option<Tenant>,
}

/// A namespace that is taken out of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Its number in the backup.
    pub from: Namespace,
    /// The number it gets.
    pub to: Namespace,
}

impl Selection {
    /// Whether everything is wanted.
    pub fn is_all(&self) -> bool {
        self.groups.is_none() && self.predicates.is_none() && self.tenant.is_none()
    }

    fn wants(&self, predicate: &Predicate) -> bool {
        self.predicates.as_ref().is_none_or(|wanted| wanted.contains(predicate)) && self.wants_namespace(predicate)
    }

    fn wants_namespace(&self, name: &Predicate) -> bool {
        self.tenant.is_none_or(|tenant| tenant.from == name.namespace)
    }

    /// A predicate or type under the name that it gets.
    pub(crate) fn rename(&self, name: &Predicate) -> Predicate {
        match self.tenant {
            Some(tenant) => Predicate { namespace: tenant.to, name: name.name.clone() },
            None => name.clone(),
        }
    }

    /// The name in the series of what has this name once it is restored; `None` of what is not of the tenant.
    pub(crate) fn original(&self, restored: &Predicate) -> Option<Predicate> {
        let Some(tenant) = self.tenant else { return Some(restored.clone()) };
        let name = || Predicate { namespace: tenant.from, name: restored.name.clone() };
        (restored.namespace == tenant.to).then(name)
    }

    /// Changes the namespace at the front of a stored key, or of the prefix of one.
    pub(crate) fn rename_stored(&self, key: &mut [u8]) {
        if let (Some(tenant), Some(namespace)) = (self.tenant, key.first_chunk_mut()) {
            *namespace = tenant.to.0.to_be_bytes();
        }
    }
}

/// What counts when a series is read: the predicates that its newest backup names (what it does not was dropped; old versions leave no
/// other sign), in the groups and under the names that are wanted.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) selection: Selection,
    groups: BTreeSet<GroupId>,
    predicates: BTreeSet<Predicate>,
}

/// Which of one archive's data counts.
#[derive(Clone, Debug)]
pub(crate) struct ArchiveRules {
    /// 0 is the newest backup.
    pub(crate) age: usize,
    predicates: BTreeSet<Predicate>,
    hidden_by: Vec<DropOp>,
}

impl Wanted {
    /// What is wanted of the data that `groups` serve in the newest backup.
    pub(crate) fn new(series: &Series, groups: &BTreeSet<GroupId>, selection: &Selection) -> Wanted {
        let newest = series.newest();
        let served = newest.groups.iter().filter(|(id, _)| groups.contains(id));
        let named = served.flat_map(|(_, group)| group.predicates.iter());
        let predicates = named.filter(|predicate| selection.wants(predicate)).cloned().collect();
        Wanted { selection: selection.clone(), groups: groups.clone(), predicates }
    }

    /// The archives that hold something of it, newest first, each with its backup. A predicate may have moved from group to group.
    pub(crate) fn archives<'a>(
        &self,
        series: &'a Series,
    ) -> Vec<(&'a Backup, GroupId, &'a GroupArchive, ArchiveRules)> {
        let newest_first: Vec<&Backup> = series.backups().iter().rev().collect();
        let mut archives = Vec::new();
        for (age, backup) in newest_first.iter().enumerate() {
            for (id, archive) in &backup.groups {
                let rules = self.rules(&newest_first, age, archive);
                if self.groups.contains(id) || !rules.predicates.is_empty() {
                    archives.push((*backup, *id, archive, rules));
                }
            }
        }
        archives
    }

    /// What counts of a store that all of the series is applied upon: as of a backup before its first.
    pub(crate) fn store_rules(&self, series: &Series) -> ArchiveRules {
        let drops = series.backups().iter().flat_map(|backup| backup.drop_operations.iter());
        let (age, predicates) = (series.backups().len(), self.predicates.clone());
        ArchiveRules { age, predicates, hidden_by: drops.cloned().collect() }
    }

    /// The drops that hide data are those of every newer backup. A deleted namespace is gone in its own backup too: what that still names of
    /// it was on its way out.
    fn rules(&self, newest_first: &[&Backup], age: usize, archive: &GroupArchive) -> ArchiveRules {
        let newer = newest_first[..age].iter().flat_map(|backup| backup.drop_operations.iter());
        let own = newest_first[age].drop_operations.iter().filter(|op| matches!(op, DropOp::Namespace(_)));
        let predicates = archive.predicates.iter().filter(|predicate| self.predicates.contains(predicate));
        ArchiveRules { age, predicates: predicates.cloned().collect(), hidden_by: newer.chain(own).cloned().collect() }
    }
}

impl ArchiveRules {
    /// Whether the lists of a predicate count.
    pub(crate) fn counts(&self, predicate: &Predicate) -> bool {
        self.predicates.contains(predicate) && !self.is_hidden(predicate)
    }

    /// Whether the definition of a type counts.
    pub(crate) fn counts_type(&self, name: &Predicate, selection: &Selection) -> bool {
        selection.wants_namespace(name) && !self.is_hidden(name)
    }

    fn is_hidden(&self, name: &Predicate) -> bool {
        self.hidden_by.iter().any(|op| op.hides(name))
    }
}
