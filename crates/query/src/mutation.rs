//! Statements made ready for the store: nodes get uids, values the types of the schema, unknown predicates a schema.
//!
//! A `/mutate` body becomes a [`MutationRequest`], that [`Statements`], and those through [`resolve`] a [`ResolvedMutation`]. Nothing is
//! written here; a request in which one value does not fit is refused whole.

mod error;
mod implicit;
mod nodes;
mod request;
mod upsert;
mod value;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use graphdb_storage::{Edge, EdgeObject, EdgeOp, Leased, Store, View};
use graphdb_types::{Key, Namespace, Predicate, PredicateSchema, Schema, Uid};

use crate::nquad::{NQuad, Object, Op, STAR};
use nodes::Nodes;

pub use error::MutationError;
pub use request::{MutationRequest, MutationText, RequestError, Statements};
pub use upsert::Variables;
pub use value::is_password_hash;

/// The most statements of one request. Their edges are held in memory until the commit.
pub const MAX_NQUADS: usize = 1_000_000;

/// What happens to a predicate that has no schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownPredicates {
    /// It gets a schema from the first value that is set.
    #[default]
    Create,
    /// The request is refused (`--mutations strict`).
    Refuse,
}

/// A request in the store's words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResolvedMutation {
    /// In the order they take effect: of each mutation the deletes before the sets.
    pub edges: Vec<Edge>,
    /// To be defined before the edges are written.
    pub new_schema: Vec<(Predicate, PredicateSchema)>,
    /// The uids of new nodes, by their names without `_:`.
    pub uids: BTreeMap<String, Uid>,
}

/// Makes statements ready. Leases uids for new nodes and raises the lease above uids that were written out. `view` is the graph that
/// `<s> * *` looks up types in: that of the request's transaction.
///
/// # Errors
/// Any [`MutationError`] but those of reading the request; of a refused request only leased uids remain.
pub fn resolve(
    store: &Store,
    view: &View,
    statements: &[Statements<'_>],
    unknown: UnknownPredicates,
) -> Result<ResolvedMutation, MutationError> {
    let count: usize = statements.iter().map(|s| s.set.len() + s.delete.len()).sum();
    if count > MAX_NQUADS {
        return Err(MutationError::TooMany { count });
    }
    check_namespaces(store, statements)?;
    let schema = store.schema();
    let new_schema = implicit::schema_of_unknown(&schema, statements, unknown)?;
    let nodes = Nodes::assign(store, statements)?;
    let mut resolver =
        Resolver { view, schema: &schema, new_schema, known: HashMap::new(), nodes, edges: Vec::with_capacity(count) };
    for mutation in statements {
        resolver.mutation(mutation)?;
    }
    Ok(ResolvedMutation {
        edges: resolver.edges,
        new_schema: resolver.new_schema.into_iter().collect(),
        uids: resolver.nodes.into_names(),
    })
}

/// Namespaces are made by leasing them, not by a number that somebody writes.
fn check_namespaces(store: &Store, statements: &[Statements<'_>]) -> Result<(), MutationError> {
    let greatest = statements.iter().flat_map(|s| s.set.iter().chain(&s.delete)).map(|nquad| nquad.namespace).max();
    match greatest {
        Some(namespace) if namespace.0 >= store.next_id(Leased::Namespace).max(1) => {
            Err(MutationError::NoNamespace { namespace })
        }
        _ => Ok(()),
    }
}

/// A predicate that has a schema.
struct Known {
    predicate: Predicate,
    schema: PredicateSchema,
}

struct Resolver<'a> {
    view: &'a View,
    schema: &'a Schema,
    new_schema: BTreeMap<Predicate, PredicateSchema>,
    /// What was looked up in this request. `None` for predicates without a schema, which only deletes may name.
    known: HashMap<Namespace, HashMap<String, Option<Rc<Known>>>>,
    nodes: Nodes<'a>,
    edges: Vec<Edge>,
}

impl Resolver<'_> {
    fn mutation(&mut self, mutation: &Statements<'_>) -> Result<(), MutationError> {
        for nquad in &mutation.delete {
            self.delete(nquad)?;
        }
        mutation.set.iter().try_for_each(|nquad| self.set(nquad))
    }

    fn set(&mut self, nquad: &NQuad<'_>) -> Result<(), MutationError> {
        if nquad.predicate == STAR || nquad.object == Object::Star {
            return Err(MutationError::StarInSet);
        }
        let known = self
            .known(nquad.namespace, &nquad.predicate)
            .ok_or_else(|| MutationError::Unknown { predicate: nquad.predicate.to_string() })?;
        check_lang(nquad, Some(&known))?;
        let subject = self.nodes.uid(&nquad.subject)?;
        let object = self.object(&known, nquad, Op::Set)?;
        self.push(EdgeOp::Set, subject, &known, object, nquad);
        Ok(())
    }

    fn delete(&mut self, nquad: &NQuad<'_>) -> Result<(), MutationError> {
        let subject = self.nodes.uid(&nquad.subject)?;
        match (nquad.predicate.as_ref(), &nquad.object) {
            (STAR, Object::Star) => return self.delete_node(nquad.namespace, subject),
            (STAR, _) => return Err(MutationError::StarPredicate),
            _ => {}
        }
        let known = self.known(nquad.namespace, &nquad.predicate);
        check_lang(nquad, known.as_deref())?;
        let Some(known) = known else {
            return check_reserved(&nquad.predicate); // nothing is stored there
        };
        if nquad.object != Object::Star && value::is_never_equal(&known.schema) {
            return Ok(());
        }
        let object = self.object(&known, nquad, Op::Delete)?;
        self.push(EdgeOp::Delete, subject, &known, object, nquad);
        Ok(())
    }

    fn object(&mut self, known: &Known, nquad: &NQuad<'_>, op: Op) -> Result<EdgeObject, MutationError> {
        let lang = || nquad.lang.clone().into_owned();
        Ok(match &nquad.object {
            Object::Star => EdgeObject::Star { lang: Some(lang()).filter(|lang| !lang.is_empty()) },
            Object::Node(node) if known.schema.value_type == graphdb_types::ValType::Uid => {
                EdgeObject::Uid(self.nodes.uid(node)?)
            }
            Object::Node(_) => {
                return Err(MutationError::NodeForScalar { predicate: known.predicate.name.to_string() });
            }
            Object::ValVar(name) => return Err(MutationError::Variable { name: name.to_string() }),
            Object::Literal { .. } | Object::Value(_) => EdgeObject::Value {
                value: value::convert(&known.predicate, &known.schema, &nquad.object, op)?,
                lang: lang(),
            },
        })
    }

    /// `<s> * *`: what the types of the node list, and the types themselves. Nothing for a node without types.
    fn delete_node(&mut self, namespace: Namespace, subject: Uid) -> Result<(), MutationError> {
        let types = Predicate { namespace, name: "dgraph.type".into() };
        let list = self.view.list(&Key::data(&types, subject))?;
        if list.is_empty() {
            return Ok(());
        }
        let mut names = BTreeSet::from(["dgraph.type".to_owned()]);
        for posting in &list.postings {
            let name = Predicate { namespace, name: String::from_utf8_lossy(&posting.value).into() };
            let fields = self.schema.type_def(&name).into_iter().flat_map(|def| &def.fields);
            names.extend(fields.filter(|field| !field.starts_with('~')).cloned());
        }
        for name in names {
            if let Some(known) = self.known(namespace, &name) {
                let object = EdgeObject::Star { lang: None };
                let predicate = known.predicate.clone();
                self.edges.push(Edge { op: EdgeOp::Delete, subject, predicate, object, facets: Vec::new() });
            }
        }
        Ok(())
    }

    fn push(&mut self, op: EdgeOp, subject: Uid, known: &Known, object: EdgeObject, nquad: &NQuad<'_>) {
        let facets = if op == EdgeOp::Set { nquad.facets.clone() } else { Vec::new() };
        self.edges.push(Edge { op, subject, predicate: known.predicate.clone(), object, facets });
    }

    /// The schema of a predicate, looked up once a request.
    fn known(&mut self, namespace: Namespace, name: &str) -> Option<Rc<Known>> {
        let of_namespace = self.known.entry(namespace).or_default();
        if let Some(known) = of_namespace.get(name) {
            return known.clone();
        }
        let predicate = Predicate { namespace, name: name.into() };
        let schema = self.schema.predicate(&predicate).or_else(|| self.new_schema.get(&predicate)).cloned();
        let known = schema.map(|schema| Rc::new(Known { predicate, schema }));
        of_namespace.insert(name.to_owned(), known.clone());
        known
    }
}

/// Languages need `@lang` in the schema.
fn check_lang(nquad: &NQuad<'_>, known: Option<&Known>) -> Result<(), MutationError> {
    if nquad.lang.is_empty() || known.is_some_and(|known| known.schema.lang) {
        return Ok(());
    }
    Err(MutationError::NoLanguages { predicate: nquad.predicate.to_string(), lang: nquad.lang.to_string() })
}

/// The database's own predicates are defined from the beginning; no others of their kind come into being.
fn check_reserved(name: &str) -> Result<(), MutationError> {
    if Predicate::root(name).is_reserved() {
        Err(MutationError::Reserved { predicate: name.to_owned() })
    } else {
        Ok(())
    }
}
