//! The commit log: one record a commit, in the order of `commit_ts`.

use std::collections::HashMap;

use graphdb_types::{
    DropOp, Malformed, Namespace, Predicate, PredicateSchema, Ts, TypeDef, WireReader, put_bytes_field, put_len_prefix,
    put_uvarint, put_varint_field,
};

use crate::alter::SchemaChange;
use crate::edge::Edge;

/// What one commit did.
#[derive(Clone, Debug, PartialEq)]
pub enum LogEntry {
    /// Values and edges of nodes.
    Edges(Vec<Edge>),
    /// Predicates and types that were defined or removed.
    Schema(SchemaChange),
    /// Data that was taken away at once.
    Drop(DropOp),
}

/// An entry with the posting lists it changed: what the next incremental backup reads.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRecord {
    /// What the commit did.
    pub entry: LogEntry,
    /// Stored keys of the lists it changed, ascending. Empty for a drop.
    pub touched_keys: Vec<Vec<u8>>,
    /// Predicates of which any list may have changed (an index that was built or taken away).
    pub touched_predicates: Vec<Predicate>,
}

impl LogRecord {
    /// The record as a message: predicate table 1, edge 2, predicate schema 3, type 4, drop 5, touched keys 6, touched predicates 7.
    pub(crate) fn to_wire(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match &self.entry {
            LogEntry::Edges(edges) => put_edges(&mut out, edges),
            LogEntry::Schema(change) => put_schema_change(&mut out, change),
            LogEntry::Drop(op) => put_message(&mut out, 5, |m| put_drop(m, op)),
        }
        put_message(&mut out, 6, |m| put_keys(m, &self.touched_keys));
        for predicate in &self.touched_predicates {
            put_message(&mut out, 7, |m| put_predicate(m, predicate));
        }
        out
    }

    /// Reads a record.
    pub(crate) fn from_wire(bytes: &[u8]) -> Result<LogRecord, Malformed> {
        const WHAT: &str = "log record";
        let (mut predicates, mut edges, mut schema, mut drop) = (Vec::new(), Vec::new(), None::<SchemaChange>, None);
        let (mut touched_keys, mut touched_predicates) = (Vec::new(), Vec::new());
        let mut reader = WireReader::new(bytes, WHAT);
        while let Some((number, field)) = reader.next()? {
            let bytes = field.bytes(WHAT)?;
            match number {
                1 => predicates.push(read_predicate(bytes)?),
                2 => edges.push(Edge::from_wire(bytes, &predicates)?),
                3 => schema.get_or_insert_default().predicates.push(read_named(bytes, PredicateSchema::from_wire)?),
                4 => schema.get_or_insert_default().types.push(read_named(bytes, TypeDef::from_wire)?),
                5 => drop = Some(read_drop(bytes)?),
                6 => touched_keys = read_keys(bytes)?,
                7 => touched_predicates.push(read_predicate(bytes)?),
                _ => {}
            }
        }
        let entry = match (schema, drop) {
            (None, None) => LogEntry::Edges(edges),
            (Some(change), None) => LogEntry::Schema(change),
            (None, Some(op)) => LogEntry::Drop(op),
            _ => return Err(Malformed { what: WHAT }),
        };
        Ok(LogRecord { entry, touched_keys, touched_predicates })
    }

    /// Only the touched keys and predicates, for readers that need nothing else of a long record.
    pub(crate) fn touched(bytes: &[u8]) -> Result<(Vec<Vec<u8>>, Vec<Predicate>), Malformed> {
        const WHAT: &str = "log record";
        let (mut keys, mut predicates) = (Vec::new(), Vec::new());
        let mut reader = WireReader::new(bytes, WHAT);
        while let Some((number, field)) = reader.next()? {
            match number {
                6 => keys = read_keys(field.bytes(WHAT)?)?,
                7 => predicates.push(read_predicate(field.bytes(WHAT)?)?),
                _ => {}
            }
        }
        Ok((keys, predicates))
    }
}

/// The key of a record.
pub(crate) fn log_key(commit_ts: Ts) -> [u8; 8] {
    commit_ts.0.to_be_bytes()
}

/// Reads a record's key.
pub(crate) fn read_log_key(key: &[u8]) -> Result<Ts, Malformed> {
    key.try_into().map(|b| Ts(u64::from_be_bytes(b))).map_err(|_| Malformed { what: "key of a log record" })
}

fn put_message(out: &mut Vec<u8>, number: u32, fill: impl FnOnce(&mut Vec<u8>)) {
    let mut message = Vec::new();
    fill(&mut message);
    put_len_prefix(out, number, message.len());
    out.extend_from_slice(&message);
}

fn put_edges(out: &mut Vec<u8>, edges: &[Edge]) {
    let mut table: HashMap<&Predicate, u64> = HashMap::new();
    let mut message = Vec::new();
    for edge in edges {
        let next = table.len() as u64;
        let index = *table.entry(&edge.predicate).or_insert_with(|| {
            put_message(out, 1, |m| put_predicate(m, &edge.predicate));
            next
        });
        message.clear();
        edge.put_wire(index, &mut message);
        put_len_prefix(out, 2, message.len());
        out.extend_from_slice(&message);
    }
}

fn put_schema_change(out: &mut Vec<u8>, change: &SchemaChange) {
    for (predicate, schema) in &change.predicates {
        put_message(out, 3, |m| put_named(m, predicate, schema.as_ref(), |s, out| s.put_wire(&predicate.name, out)));
    }
    for (name, type_def) in &change.types {
        put_message(out, 4, |m| put_named(m, name, type_def.as_ref(), |t, out| t.put_wire(&name.name, out)));
    }
}

fn put_named<T>(out: &mut Vec<u8>, name: &Predicate, definition: Option<&T>, put: impl FnOnce(&T, &mut Vec<u8>)) {
    put_message(out, 1, |m| put_predicate(m, name));
    if let Some(definition) = definition {
        put_message(out, 2, |m| put(definition, m));
    }
}

fn read_named<T>(
    bytes: &[u8],
    read: impl Fn(&[u8]) -> Result<T, Malformed>,
) -> Result<(Predicate, Option<T>), Malformed> {
    const WHAT: &str = "definition in a log record";
    let (mut name, mut definition) = (None, None);
    let mut reader = WireReader::new(bytes, WHAT);
    while let Some((number, field)) = reader.next()? {
        match number {
            1 => name = Some(read_predicate(field.bytes(WHAT)?)?),
            2 => definition = Some(read(field.bytes(WHAT)?)?),
            _ => {}
        }
    }
    Ok((name.ok_or(Malformed { what: WHAT })?, definition))
}

fn put_predicate(out: &mut Vec<u8>, predicate: &Predicate) {
    put_varint_field(out, 1, predicate.namespace.0);
    put_bytes_field(out, 2, predicate.name.as_bytes());
}

fn read_predicate(bytes: &[u8]) -> Result<Predicate, Malformed> {
    const WHAT: &str = "predicate in a log record";
    let mut predicate = Predicate::root("");
    let mut reader = WireReader::new(bytes, WHAT);
    while let Some((number, field)) = reader.next()? {
        match number {
            1 => predicate.namespace = Namespace(field.number(WHAT)?),
            2 => predicate.name = field.text(WHAT)?.into(),
            _ => {}
        }
    }
    Ok(predicate)
}

fn put_drop(out: &mut Vec<u8>, op: &DropOp) {
    let (kind, namespace) = match op {
        DropOp::All => (1, None),
        DropOp::Data => (2, None),
        DropOp::NamespaceData(namespace) => (3, Some(namespace)),
        DropOp::Predicate(predicate) => {
            put_varint_field(out, 1, 4);
            return put_message(out, 3, |m| put_predicate(m, predicate));
        }
        DropOp::Namespace(namespace) => (5, Some(namespace)),
    };
    put_varint_field(out, 1, kind);
    put_varint_field(out, 2, namespace.map_or(0, |n| n.0));
}

pub(crate) fn read_drop(bytes: &[u8]) -> Result<DropOp, Malformed> {
    const WHAT: &str = "drop in a log record";
    let (mut kind, mut namespace, mut predicate) = (0, 0, None);
    let mut reader = WireReader::new(bytes, WHAT);
    while let Some((number, field)) = reader.next()? {
        match number {
            1 => kind = field.number(WHAT)?,
            2 => namespace = field.number(WHAT)?,
            3 => predicate = Some(read_predicate(field.bytes(WHAT)?)?),
            _ => {}
        }
    }
    match (kind, predicate) {
        (1, None) => Ok(DropOp::All),
        (2, None) => Ok(DropOp::Data),
        (3, None) => Ok(DropOp::NamespaceData(Namespace(namespace))),
        (4, Some(predicate)) => Ok(DropOp::Predicate(predicate)),
        (5, None) => Ok(DropOp::Namespace(Namespace(namespace))),
        _ => Err(Malformed { what: WHAT }),
    }
}

/// A drop as it stands alone in the list of drops.
pub(crate) fn drop_to_wire(op: &DropOp) -> Vec<u8> {
    let mut out = Vec::new();
    put_drop(&mut out, op);
    out
}

/// Keys one after the other: length shared with the one before, length of the rest, the rest.
fn put_keys(out: &mut Vec<u8>, keys: &[Vec<u8>]) {
    let mut last: &[u8] = &[];
    for key in keys {
        let shared = last.iter().zip(key).take_while(|(a, b)| a == b).count();
        put_uvarint(out, shared as u64);
        put_uvarint(out, (key.len() - shared) as u64);
        out.extend_from_slice(&key[shared..]);
        last = key;
    }
}

fn read_keys(bytes: &[u8]) -> Result<Vec<Vec<u8>>, Malformed> {
    const WHAT: &str = "touched keys of a log record";
    let mut keys: Vec<Vec<u8>> = Vec::new();
    let mut reader = WireReader::new(bytes, WHAT);
    while !reader.is_empty() {
        let shared = usize::try_from(reader.uvarint()?).map_err(|_| Malformed { what: WHAT })?;
        let len = usize::try_from(reader.uvarint()?).map_err(|_| Malformed { what: WHAT })?;
        let last = keys.last().map_or(&[][..], Vec::as_slice);
        let mut key = last.get(..shared).ok_or(Malformed { what: WHAT })?.to_vec();
        key.extend_from_slice(reader.take(len)?);
        keys.push(key);
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::{EdgeObject, EdgeOp};
    use graphdb_types::{Uid, Value};

    #[test]
    fn records_come_back() {
        let name = Predicate::root("name");
        let friend = Predicate { namespace: Namespace(7), name: "friend".into() };
        let edges = vec![
            Edge {
                op: EdgeOp::Set,
                subject: Uid(1),
                predicate: name.clone(),
                object: EdgeObject::Value { value: Value::String("Ann".into()), lang: "en".into() },
                facets: vec![],
            },
            Edge {
                op: EdgeOp::Delete,
                subject: Uid(2),
                predicate: friend.clone(),
                object: EdgeObject::Uid(Uid(9)),
                facets: vec![],
            },
            Edge {
                op: EdgeOp::Delete,
                subject: Uid(2),
                predicate: name.clone(),
                object: EdgeObject::Star { lang: Some("de".into()) },
                facets: vec![],
            },
            Edge {
                op: EdgeOp::Delete,
                subject: Uid(2),
                predicate: name.clone(),
                object: EdgeObject::Star { lang: None },
                facets: vec![],
            },
        ];
        let change = SchemaChange {
            predicates: vec![(name.clone(), Some(PredicateSchema::default())), (friend.clone(), None)],
            types: vec![(Predicate::root("T"), Some(TypeDef { fields: vec!["name".into()] }))],
        };
        let keys = vec![b"abc".to_vec(), b"abcd".to_vec(), b"b".to_vec()];
        for entry in [
            LogEntry::Edges(edges),
            LogEntry::Schema(change),
            LogEntry::Drop(DropOp::Predicate(friend)),
            LogEntry::Drop(DropOp::All),
        ] {
            let record = LogRecord { entry, touched_keys: keys.clone(), touched_predicates: vec![name.clone()] };
            let wire = record.to_wire();
            assert_eq!(LogRecord::from_wire(&wire), Ok(record));
            assert_eq!(LogRecord::touched(&wire), Ok((keys.clone(), vec![name.clone()])));
        }
    }
}
