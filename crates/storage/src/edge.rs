use graphdb_types::{
    Facet, Field, Malformed, Posting, Predicate, Uid, VALUE_UID, ValType, Value, WireReader, fingerprint64,
    put_bytes_field, put_len_prefix, put_varint_field,
};

/// One change of one subject's predicate, as the commit log records it.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// Set or delete.
    pub op: EdgeOp,
    /// The node that changes.
    pub subject: Uid,
    /// The attribute that changes.
    pub predicate: Predicate,
    /// The value or node that is set or deleted.
    pub object: EdgeObject,
    /// Facets of a set, ascending by key; a set without facets clears those that were there.
    pub facets: Vec<Facet>,
}

/// What happens to the object of an [`Edge`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdgeOp {
    /// Add it, or replace what a scalar predicate holds.
    Set,
    /// Take it away, if it is there.
    Delete,
}

/// The object of an [`Edge`].
#[derive(Clone, Debug, PartialEq)]
pub enum EdgeObject {
    /// Another node.
    Uid(Uid),
    /// A value, already of the type the schema asks for; `lang` is empty for none.
    Value {
        /// The value.
        value: Value,
        /// The language, without `@`.
        lang: String,
    },
    /// Deletes only: every value and edge, or only the value in one language.
    Star {
        /// The language, if only one is meant.
        lang: Option<String>,
    },
}

impl Edge {
    /// The posting a set writes, at `commit_ts`. `None` for a star.
    pub(crate) fn posting(&self, list: bool, commit_ts: u64) -> Option<Posting> {
        let facets = self.facets.clone();
        match &self.object {
            EdgeObject::Star { .. } => None,
            EdgeObject::Uid(uid) => Some(Posting {
                id: uid.0,
                val_type: ValType::Uid,
                is_edge: true,
                facets,
                commit_ts,
                ..Posting::default()
            }),
            EdgeObject::Value { value, lang } => {
                let bytes = value.to_bytes();
                let id = value_id(&bytes, lang, list);
                Some(Posting {
                    id,
                    value: bytes,
                    val_type: value.val_type(),
                    lang: lang.clone(),
                    facets,
                    commit_ts,
                    is_edge: false,
                })
            }
        }
    }

    /// Appends the edge as a message: subject 1, predicate 2 (index into the entry's table), op 3, object uid 4, value 5, type 6,
    /// language 7, star 8 (1 all, 2 one language), facets 9.
    pub(crate) fn put_wire(&self, predicate_index: u64, out: &mut Vec<u8>) {
        put_varint_field(out, 1, self.subject.0);
        put_varint_field(out, 2, predicate_index);
        put_varint_field(out, 3, u64::from(self.op == EdgeOp::Delete));
        match &self.object {
            EdgeObject::Uid(uid) => put_varint_field(out, 4, uid.0),
            EdgeObject::Value { value, lang } => {
                let bytes = value.to_bytes();
                put_len_prefix(out, 5, bytes.len());
                out.extend_from_slice(&bytes);
                put_varint_field(out, 6, value.val_type() as u64);
                put_bytes_field(out, 7, lang.as_bytes());
            }
            EdgeObject::Star { lang: None } => put_varint_field(out, 8, 1),
            EdgeObject::Star { lang: Some(lang) } => {
                put_varint_field(out, 8, 2);
                put_bytes_field(out, 7, lang.as_bytes());
            }
        }
        let mut wire = Vec::new();
        for facet in &self.facets {
            wire.clear();
            facet.put_wire(&mut wire);
            put_len_prefix(out, 9, wire.len());
            out.extend_from_slice(&wire);
        }
    }

    pub(crate) fn from_wire(bytes: &[u8], predicates: &[Predicate]) -> Result<Edge, Malformed> {
        const WHAT: &str = "edge of a log entry";
        let (mut subject, mut predicate, mut op, mut uid, mut star) = (0, 0, EdgeOp::Set, None, 0);
        let (mut value, mut val_type, mut lang, mut facets) =
            (None::<&[u8]>, ValType::Default, String::new(), Vec::new());
        let mut reader = WireReader::new(bytes, WHAT);
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (1, field) => subject = field.number(WHAT)?,
                (2, field) => predicate = field.number(WHAT)?,
                (3, Field::Varint(1)) => op = EdgeOp::Delete,
                (4, field) => uid = Some(field.number(WHAT)?),
                (5, field) => value = Some(field.bytes(WHAT)?),
                (6, field) => val_type = ValType::from_number(field.number(WHAT)?).ok_or(Malformed { what: WHAT })?,
                (7, field) => lang = field.text(WHAT)?.to_owned(),
                (8, field) => star = field.number(WHAT)?,
                (9, field) => facets.push(Facet::from_wire(field.bytes(WHAT)?)?),
                _ => {}
            }
        }
        let object = match (uid, value, star) {
            (Some(uid), None, 0) => EdgeObject::Uid(Uid(uid)),
            (None, Some(value), 0) => {
                let value =
                    Value::from_bytes(val_type, value).map_err(|_| Malformed { what: "value of a log entry" })?;
                EdgeObject::Value { value, lang }
            }
            (None, None, 1) => EdgeObject::Star { lang: None },
            (None, None, 2) => EdgeObject::Star { lang: Some(lang) },
            _ => return Err(Malformed { what: WHAT }),
        };
        let predicate =
            usize::try_from(predicate).ok().and_then(|at| predicates.get(at)).ok_or(Malformed { what: WHAT })?;
        Ok(Edge { op, subject: Uid(subject), predicate: predicate.clone(), object, facets })
    }
}

/// The id of a value's posting (format spec, section 10).
pub(crate) fn value_id(bytes: &[u8], lang: &str, list: bool) -> u64 {
    if !lang.is_empty() {
        fingerprint64(lang.as_bytes())
    } else if list {
        fingerprint64(bytes)
    } else {
        VALUE_UID
    }
}
