use std::fmt;
use std::sync::Arc;

use crate::Namespace;

/// An attribute of nodes: a name within a namespace. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Predicate {
    /// The tenant's space the name belongs to.
    pub namespace: Namespace,
    /// The bare name, at most [`crate::MAX_PREDICATE_BYTES`] bytes.
    pub name: Arc<str>,
}

impl Predicate {
    /// A predicate of the root namespace.
    pub fn root(name: &str) -> Predicate {
        Predicate { namespace: Namespace::ROOT, name: name.into() }
    }

    /// Whether the name is the database's own (`dgraph.` in any case): clients may not alter or drop it.
    pub fn is_reserved(&self) -> bool {
        self.name.get(..7).is_some_and(|head| head.eq_ignore_ascii_case("dgraph."))
    }
}

impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace == Namespace::ROOT {
            f.write_str(&self.name)
        } else {
            write!(f, "{}-{}", self.namespace, self.name)
        }
    }
}

impl fmt::Debug for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{self}>")
    }
}
