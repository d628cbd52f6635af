//! The statements of an upsert, with what its query found in place of `uid(v)` and `val(v)`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use graphdb_types::{Uid, Value};

use super::{MAX_NQUADS, MutationError, Statements};
use crate::nquad::{NQuad, NodeRef, Object, Op};

/// What the variables of a query hold, as the answer to it tells.
#[derive(Clone, Copy, Debug)]
pub struct Variables<'v> {
    /// The nodes of each variable.
    pub uids: &'v BTreeMap<String, Vec<u64>>,
    /// The values of each variable by node; an aggregate has its value under 0.
    pub values: &'v BTreeMap<String, BTreeMap<u64, Value>>,
}

impl<'a> Statements<'a> {
    /// Puts nodes and values in the place of variables: one statement for each node, subjects and objects multiplying. Where a variable
    /// holds no nodes, a set makes a new node (called `uid(v)` in the answer) and a delete does nothing; a statement whose subject has no
    /// value in `val(v)` is left out.
    ///
    /// # Errors
    /// A variable that the query does not define, and more than [`MAX_NQUADS`] statements.
    pub fn substitute(&self, variables: Variables<'_>) -> Result<Statements<'a>, MutationError> {
        let delete = expand(&self.delete, Op::Delete, variables)?;
        Ok(Statements { cond: self.cond.clone(), delete, set: expand(&self.set, Op::Set, variables)? })
    }
}

fn expand<'a>(nquads: &[NQuad<'a>], op: Op, variables: Variables<'_>) -> Result<Vec<NQuad<'a>>, MutationError> {
    let mut expanded = Vec::with_capacity(nquads.len());
    for nquad in nquads {
        let subjects = variables.nodes(&nquad.subject, op)?;
        let objects = variables.objects(&nquad.object, op)?;
        let count = expanded.len() + subjects.len().saturating_mul(objects.len());
        if count > MAX_NQUADS {
            return Err(MutationError::TooMany { count });
        }
        for subject in &subjects {
            for object in &objects {
                if let Some(object) = variables.value(object, subject) {
                    expanded.push(NQuad { subject: subject.clone(), object, ..nquad.clone() });
                }
            }
        }
    }
    Ok(expanded)
}

impl Variables<'_> {
    /// The nodes that one stands for.
    fn nodes<'a>(&self, node: &NodeRef<'a>, op: Op) -> Result<Vec<NodeRef<'a>>, MutationError> {
        let NodeRef::Var(name) = node else { return Ok(vec![node.clone()]) };
        let uids = self.uids.get(name.as_ref()).ok_or_else(|| MutationError::Variable { name: name.to_string() })?;
        if uids.is_empty() && op == Op::Set {
            return Ok(vec![NodeRef::Blank(Cow::Owned(format!("uid({name})")))]);
        }
        Ok(uids.iter().map(|uid| NodeRef::Uid(Uid(*uid))).collect())
    }

    /// The objects that one stands for; `val(v)` waits for its subject.
    fn objects<'a>(&self, object: &Object<'a>, op: Op) -> Result<Vec<Object<'a>>, MutationError> {
        match object {
            Object::Node(node) => Ok(self.nodes(node, op)?.into_iter().map(Object::Node).collect()),
            Object::ValVar(name)
                if !self.values.contains_key(name.as_ref()) && !self.uids.contains_key(name.as_ref()) =>
            {
                Err(MutationError::Variable { name: name.to_string() })
            }
            _ => Ok(vec![object.clone()]),
        }
    }

    /// The object for this subject; `None` if a variable has no value for it.
    fn value<'a>(&self, object: &Object<'a>, subject: &NodeRef<'_>) -> Option<Object<'a>> {
        let Object::ValVar(name) = object else { return Some(object.clone()) };
        let values = self.values.get(name.as_ref())?;
        let own = if let NodeRef::Uid(uid) = subject { values.get(&uid.0) } else { None };
        own.or_else(|| values.get(&0)).cloned().map(Object::Value)
    }
}
