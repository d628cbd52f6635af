//! Uids for the nodes of a request.

use std::collections::{BTreeMap, HashMap};

use graphdb_storage::{Leased, Store};
use graphdb_types::Uid;

use super::{MutationError, Statements};
use crate::nquad::{NodeRef, Object};

/// The greatest uid that may be written without a lease: writing it raises the lease, and above it enough must remain for new nodes.
const MAX_UNLEASED_UID: u64 = i64::MAX as u64;

/// The uid of every node that a request names.
pub(super) struct Nodes<'a> {
    new: HashMap<&'a str, Uid>,
}

impl<'a> Nodes<'a> {
    /// Leases uids for the blank nodes that are set, and raises the lease above the uids that are.
    pub(super) fn assign(store: &Store, statements: &'a [Statements<'_>]) -> Result<Nodes<'a>, MutationError> {
        let mut new = HashMap::new();
        let mut greatest = 0;
        for nquad in statements.iter().flat_map(|s| &s.set) {
            let object = if let Object::Node(node) = &nquad.object { Some(node) } else { None };
            for node in [Some(&nquad.subject), object].into_iter().flatten() {
                match node {
                    NodeRef::Uid(uid) => greatest = greatest.max(uid.0),
                    NodeRef::Blank(name) => {
                        let number = new.len() as u64;
                        new.entry(name.as_ref()).or_insert(Uid(number));
                    }
                    NodeRef::Var(_) | NodeRef::Iri(_) => {}
                }
            }
        }
        raise(store, greatest)?;
        if !new.is_empty() {
            let lease = store.lease(Leased::Uid, new.len() as u64)?;
            new.values_mut().for_each(|uid| uid.0 += lease.first);
        }
        Ok(Nodes { new })
    }

    pub(super) fn uid(&self, node: &NodeRef<'_>) -> Result<Uid, MutationError> {
        match node {
            NodeRef::Uid(uid) => Ok(*uid),
            NodeRef::Blank(name) => {
                let uid = self.new.get(name.as_ref()).copied();
                uid.ok_or_else(|| MutationError::NewNodeDeleted { name: name.to_string() })
            }
            NodeRef::Var(name) => Err(MutationError::Variable { name: name.to_string() }),
            NodeRef::Iri(name) => Err(MutationError::ExternalName { name: name.to_string() }),
        }
    }

    /// The new nodes by name.
    pub(super) fn into_names(self) -> BTreeMap<String, Uid> {
        self.new.into_iter().map(|(name, uid)| (name.to_owned(), uid)).collect()
    }
}

fn raise(store: &Store, uid: u64) -> Result<(), MutationError> {
    // What is leased durably may be more than what was handed out: of that, the rest is still given to new nodes.
    if uid < store.next_id(Leased::Uid) {
        return Ok(());
    }
    if uid > MAX_UNLEASED_UID {
        return Err(MutationError::UidTooHigh { uid, limit: MAX_UNLEASED_UID });
    }
    Ok(store.raise_lease(Leased::Uid, uid)?)
}
