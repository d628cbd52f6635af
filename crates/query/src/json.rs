//! JSON mutations: objects whose keys are predicates become statements, their nested objects edges.
//!
//! Objects without a uid become new nodes, called `dg.<random>.<n>` with `n` counting up, an object before those nested in it.

mod facets;
#[cfg(test)]
mod tests;
pub(crate) mod text;

use std::borrow::Cow;

use graphdb_types::{Facet, Namespace, Uid, ValType, Value};

use crate::nquad::{NQuad, NodeRef, Object, Op, STAR, Shape, is_variable, parse_uid, split_lang};
use crate::rdf::cursor::Fault;
use text::{Json, Kind, member};

pub use text::MAX_DEPTH;

/// JSON that is not a mutation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} column {column}: {message}")]
pub struct JsonError {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What was expected, and what to do.
    pub message: String,
}

impl JsonError {
    pub(crate) fn new(fault: Fault, text: &str) -> JsonError {
        let (line, column) = fault.place(text);
        JsonError { line, column, message: fault.message }
    }
}

/// Names for the new nodes of one request.
#[derive(Clone, Debug)]
pub struct NewNames {
    prefix: u32,
    last: u64,
}

impl Default for NewNames {
    fn default() -> NewNames {
        NewNames { prefix: rand::random(), last: 0 }
    }
}

impl NewNames {
    fn next(&mut self) -> String {
        self.last += 1;
        format!("dg.{}.{}", self.prefix, self.last)
    }
}

/// Reads the value of `set` or `delete`: an object or an array of objects.
///
/// # Errors
/// What is no JSON, and what is no statement, with its place.
pub fn parse<'a>(text: &'a str, op: Op, names: &mut NewNames) -> Result<Vec<NQuad<'a>>, JsonError> {
    let mut nquads = Vec::new();
    let read = Json::parse(text).and_then(|json| parse_tree(&json, op, names, &mut nquads));
    read.map_err(|fault| JsonError::new(fault, text))?;
    Ok(nquads)
}

/// Reads an object, or an array of objects, of a file: as [`parse`] reads what is set, but a member `namespace` such as `"0x1f"` is no
/// predicate. It is the namespace of the whole object, as exports have it.
///
/// # Errors
/// As [`parse`].
pub fn parse_records<'a>(text: &'a str, names: &mut NewNames) -> Result<Vec<NQuad<'a>>, JsonError> {
    let mut nquads = Vec::new();
    let mut writer = Writer { op: Op::Set, names, namespace: Namespace::ROOT, in_records: true, out: &mut nquads };
    let read = Json::parse(text).and_then(|json| writer.all(&json));
    read.map_err(|fault| JsonError::new(fault, text))?;
    Ok(nquads)
}

/// As [`parse`], from a tree, adding to `out`.
pub(crate) fn parse_tree<'a>(
    json: &Json<'a>,
    op: Op,
    names: &mut NewNames,
    out: &mut Vec<NQuad<'a>>,
) -> Result<(), Fault> {
    Writer { op, names, namespace: Namespace::ROOT, in_records: false, out }.all(json)
}

/// The member of a record that is no predicate.
const NAMESPACE: &str = "namespace";

type Members<'a> = [(Cow<'a, str>, Json<'a>)];

struct Writer<'w, 'a> {
    op: Op,
    names: &'w mut NewNames,
    namespace: Namespace,
    /// Whether a member `namespace` says so of its object.
    in_records: bool,
    out: &'w mut Vec<NQuad<'a>>,
}

impl<'a> Writer<'_, 'a> {
    fn all(&mut self, json: &Json<'a>) -> Result<(), Fault> {
        match &json.kind {
            Kind::Array(items) => items.iter().try_for_each(|item| self.whole(item)),
            _ => self.whole(json),
        }
    }

    /// An object that is not nested.
    fn whole(&mut self, json: &Json<'a>) -> Result<(), Fault> {
        let Kind::Object(members) = &json.kind else {
            return Err(Fault::new(json.at, "a mutation is an object or an array of objects"));
        };
        self.namespace = self.namespace_of(members).unwrap_or_default();
        let subject = self.node(json, members)?;
        if self.op == Op::Delete && members.len() == 1 {
            self.push(&subject, (STAR, ""), Object::Star, Vec::new(), Shape::Unsaid);
            return Ok(());
        }
        self.members(&subject, members)
    }

    /// An object behind a predicate: its statements, and the node it stands for.
    fn nested(&mut self, json: &Json<'a>, members: &Members<'a>) -> Result<NodeRef<'a>, Fault> {
        let node = self.node(json, members)?;
        self.members(&node, members)?;
        Ok(node)
    }

    /// The node that an object speaks of.
    fn node(&mut self, json: &Json<'a>, members: &Members<'a>) -> Result<NodeRef<'a>, Fault> {
        let named = member(members, "uid").map_or(Ok(None), uid)?;
        match (named, self.op) {
            (Some(node), _) => Ok(node),
            (None, Op::Set) => Ok(NodeRef::Blank(self.names.next().into())),
            (None, Op::Delete) => Err(Fault::new(json.at, "UID must be present and non-zero while deleting edges.")),
        }
    }

    /// What the member [`NAMESPACE`] of a record says: a number in the form of exports.
    fn namespace_of(&self, members: &Members<'a>) -> Option<Namespace> {
        let Kind::String(text) = &member(members, NAMESPACE).filter(|_| self.in_records)?.kind else { return None };
        u64::from_str_radix(text.strip_prefix("0x")?, 16).ok().map(Namespace)
    }

    fn members(&mut self, subject: &NodeRef<'a>, members: &Members<'a>) -> Result<(), Fault> {
        let says_namespace = self.namespace_of(members).is_some();
        let is_predicate =
            |key: &str| key != "uid" && !key.contains(facets::DELIMITER) && !(says_namespace && key == NAMESPACE);
        for (key, value) in members.iter().filter(|(key, _)| is_predicate(key)) {
            let name = split_lang(key).map_err(|message| Fault::new(value.at, format!("{key:?}: {message}")))?;
            self.member(subject, name, key, value, members)?;
        }
        Ok(())
    }

    /// `"name": value`, with its facets among the neighbours.
    fn member(
        &mut self,
        subject: &NodeRef<'a>,
        name: (&str, &str),
        key: &str,
        value: &Json<'a>,
        neighbours: &Members<'a>,
    ) -> Result<(), Fault> {
        match &value.kind {
            Kind::Null if self.op == Op::Set => {}
            Kind::Null => self.push(subject, name, Object::Star, Vec::new(), Shape::Unsaid),
            Kind::Array(items) => {
                let mut by_place = facets::of_list(neighbours, key, items.len())?;
                for (item, facets) in items.iter().zip(&mut by_place) {
                    self.item(subject, name, key, item, std::mem::take(facets))?;
                }
            }
            Kind::Object(members) if members.is_empty() => {}
            Kind::Object(members) if !is_geo(members) => {
                let node = self.nested(value, members)?;
                let facets = facets::of_scalar(members, key)?;
                self.push(subject, name, Object::Node(node), facets, Shape::One);
            }
            _ => {
                let facets = facets::of_scalar(neighbours, key)?;
                let object = self.scalar(value)?;
                self.push(subject, name, object, facets, Shape::Unsaid);
            }
        }
        Ok(())
    }

    /// An item of an array.
    fn item(
        &mut self,
        subject: &NodeRef<'a>,
        name: (&str, &str),
        key: &str,
        item: &Json<'a>,
        facets: Vec<Facet>,
    ) -> Result<(), Fault> {
        let (object, facets) = match &item.kind {
            Kind::Object(members) if !is_geo(members) => {
                let node = self.nested(item, members)?;
                let own = facets::of_scalar(members, key)?;
                (Object::Node(node), if own.is_empty() { facets } else { own })
            }
            Kind::Null | Kind::Bool(_) | Kind::Array(_) => {
                return Err(Fault::new(
                    item.at,
                    format!("got unsupported type for list: {key}; items are text, numbers or objects"),
                ));
            }
            _ => (self.scalar(item)?, facets),
        };
        self.push(subject, name, object, facets, Shape::Item);
        Ok(())
    }

    /// Text, a number, a truth value or a shape.
    fn scalar(&self, json: &Json<'a>) -> Result<Object<'a>, Fault> {
        let deleting = self.op == Op::Delete;
        Ok(match &json.kind {
            Kind::Bool(false) if deleting => Object::Star,
            Kind::String(text) if deleting && text.is_empty() => Object::Star,
            Kind::Bool(truth) => Object::Value(Value::Bool(*truth)),
            Kind::Number => Object::Value(number(json)?),
            Kind::String(text) => variable(text)
                .filter(|_| !self.in_records)
                .unwrap_or_else(|| Object::Literal { text: text.clone(), declared: Some(ValType::String) }),
            _ => Object::Literal { text: json.raw.into(), declared: Some(ValType::Geo) },
        })
    }

    fn push(
        &mut self,
        subject: &NodeRef<'a>,
        name: (&str, &str),
        object: Object<'a>,
        facets: Vec<Facet>,
        shape: Shape,
    ) {
        let (predicate, lang) = (name.0.to_owned().into(), name.1.to_owned().into());
        let (subject, namespace) = (subject.clone(), self.namespace);
        self.out.push(NQuad { subject, namespace, predicate, lang, object, facets, shape });
    }
}

/// The node a `uid` member names; `None` where it says that the node is new.
fn uid<'a>(json: &Json<'a>) -> Result<Option<NodeRef<'a>>, Fault> {
    let refuse =
        || Err(Fault::new(json.at, format!("{} is not a uid: write \"0x1\", 1, \"_:name\" or \"uid(v)\"", json.raw)));
    let number = match &json.kind {
        Kind::Null => return Ok(None),
        Kind::Number if json.raw.contains(['.', 'e', 'E']) => return Ok(None),
        Kind::Number => json.raw.parse().ok(),
        Kind::String(text) if text.is_empty() => return Ok(None),
        Kind::String(text) => match (text.strip_prefix("_:"), variable(text)) {
            (Some(""), _) => None,
            (Some(name), _) => return Ok(Some(NodeRef::Blank(name.to_owned().into()))),
            (None, Some(Object::Node(node))) => return Ok(Some(node)),
            _ => parse_uid(text),
        },
        _ => None,
    };
    match number.map(Uid) {
        Some(Uid(0)) => Ok(None),
        Some(uid) if uid.is_valid() => Ok(Some(NodeRef::Uid(uid))),
        _ => refuse(),
    }
}

/// What `uid(v)` and `val(v)` stand for.
fn variable<'a>(text: &str) -> Option<Object<'a>> {
    let (function, rest) = text.trim().split_once('(')?;
    let name = rest.strip_suffix(')')?.trim();
    let variable = || Cow::Owned(name.to_owned());
    match function.trim_end() {
        "uid" if is_variable(name) => Some(Object::Node(NodeRef::Var(variable()))),
        "val" if is_variable(name) => Some(Object::ValVar(variable())),
        _ => None,
    }
}

/// A number: a double if it has a fraction or an exponent or is minus zero, else a 64-bit integer.
fn number(json: &Json<'_>) -> Result<Value, Fault> {
    let value = if json.raw.contains(['.', 'e', 'E']) || json.raw == "-0" {
        json.raw.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Float)
    } else {
        json.raw.parse().ok().map(Value::Int)
    };
    value.ok_or_else(|| Fault::new(json.at, format!("the number {} does not fit 64 bits", json.raw)))
}

/// Whether an object is GeoJSON and not a node.
fn is_geo(members: &Members<'_>) -> bool {
    const KINDS: [&str; 6] = ["Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon"];
    let known = |kind: &Json<'_>| matches!(&kind.kind, Kind::String(name) if KINDS.contains(&name.as_ref()));
    members.len() == 2 && member(members, "type").is_some_and(known) && member(members, "coordinates").is_some()
}
