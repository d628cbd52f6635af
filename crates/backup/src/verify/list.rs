//! One posting list, looked at as it stands: nothing is built of it, since every list of a backup passes here.

use graphdb_types::{Field, Malformed, PostingList, VALUE_UID, ValType, Value, WireReader, fingerprint64};

/// What is wrong with a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Damage {
    /// It is no list.
    List(&'static str),
    /// A value in it is not of its type.
    Value(&'static str),
}

impl From<Malformed> for Damage {
    fn from(err: Malformed) -> Damage {
        Damage::List(err.what)
    }
}

/// What a list holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// Values and edges.
    pub(super) len: u64,
    /// Edges.
    pub(super) edges: u64,
    /// By the number of their types: the types of its values, as bits.
    pub(super) types: u16,
    /// Whether a value has the number of one that stands alone, of one in a list, of one in a language.
    pub(super) has_scalar: bool,
    pub(super) has_item: bool,
    pub(super) has_tagged: bool,
    /// Something other than plain uids: values, or facets.
    pub(super) has_postings: bool,
    /// A value whose number is not what it should be, and that number.
    pub(super) misnumbered: Option<u64>,
    /// The main part of a list in several.
    pub(super) is_split: bool,
}

/// Looks at a serialised `BackupPostingList`.
///
/// # Errors
/// The first damage.
pub(super) fn look(wire: &[u8]) -> Result<Look, Damage> {
    let Shape { ids, is_split, is_plain } = Shape::of(wire)?;
    let mut look = Look { is_split, ..Look::default() };
    if !is_plain {
        return look.slowly(wire);
    }
    let mut ids = ids;
    let mut fields = WireReader::new(wire, WHAT);
    while let Some((number, field)) = fields.next()? {
        if number != 2 {
            continue;
        }
        let posting = Glance::at(field.bytes(WHAT)?)?;
        if posting.is_special {
            return Look { is_split, ..Look::default() }.slowly(wire);
        }
        while ids.next_below(posting.id)? {
            look.edge();
        }
        if ids.next()? != Some(posting.id) {
            return Err(Damage::List(NOT_AMONG));
        }
        look.posting(&posting)?;
    }
    while ids.next()?.is_some() {
        look.edge();
    }
    Ok(look)
}

const WHAT: &str = "posting list";
const NOT_AMONG: &str = "posting list: a posting whose id is not among its uids, or out of order";

impl Look {
    fn edge(&mut self) {
        self.len += 1;
        self.edges += 1;
    }

    fn posting(&mut self, posting: &Glance<'_>) -> Result<(), Damage> {
        self.has_postings = true;
        if posting.is_edge {
            self.edge();
            return Ok(());
        }
        self.len += 1;
        self.types |= 1 << posting.val_type as u16;
        check_value(posting.val_type, posting.value)?;
        let is_right = if !posting.lang.is_empty() {
            self.has_tagged = true;
            posting.id == fingerprint64(posting.lang)
        } else if posting.id == VALUE_UID {
            self.has_scalar = true;
            true
        } else {
            self.has_item = true;
            posting.id == fingerprint64(posting.value)
        };
        if !is_right {
            self.misnumbered.get_or_insert(posting.id);
        }
        Ok(())
    }

    /// As [`look`], of a list in a form that is rare: it is built.
    fn slowly(mut self, wire: &[u8]) -> Result<Look, Damage> {
        let list = PostingList::from_wire(wire)?;
        if list.ids.first() == Some(&0) {
            return Err(Damage::List(UID_0));
        }
        for posting in &list.postings {
            for facet in &posting.facets {
                check_value(facet.val_type.val_type(), &facet.value).map_err(|_| Damage::Value("value of a facet"))?;
            }
            if !posting.facets.is_sorted_by(|a, b| a.key < b.key) {
                return Err(Damage::List("facets of a posting: their keys do not ascend"));
            }
            self.posting(&Glance {
                id: posting.id,
                value: &posting.value,
                val_type: posting.val_type,
                lang: posting.lang.as_bytes(),
                is_edge: posting.is_edge,
                is_special: false,
            })?;
        }
        let plain = (list.len() - list.postings.len()) as u64;
        self.len += plain;
        self.edges += plain;
        Ok(self)
    }
}

/// Proves that bytes are a value of their type, as [`Value::from_bytes`] would read it.
fn check_value(of: ValType, bytes: &[u8]) -> Result<(), Damage> {
    let holds = match of {
        ValType::Default | ValType::String | ValType::Password | ValType::BigFloat => {
            std::str::from_utf8(bytes).is_ok()
        }
        ValType::Int | ValType::Float => bytes.len() == 8,
        ValType::Binary => true,
        _ => return Value::from_bytes(of, bytes).map(drop).map_err(|err| Damage::Value(err.what)),
    };
    if holds { Ok(()) } else { Err(Damage::Value(of.name())) }
}

const UID_0: &str = "posting list: uid 0, which no node has";

/// The uids of a list, one after the other.
struct Ids<'a> {
    rest: WireReader<'a>,
    are_deltas: bool,
    last: Option<u64>,
}

impl Ids<'_> {
    fn next(&mut self) -> Result<Option<u64>, Damage> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let number = self.rest.uvarint()?;
        let last = self.last.unwrap_or(0);
        let id = if self.are_deltas { last.checked_add(number) } else { Some(number) };
        let id = id.filter(|id| *id > last).ok_or(Damage::List(if number == 0 && self.last.is_none() {
            UID_0
        } else {
            "posting list: its uids do not ascend"
        }))?;
        self.last = Some(id);
        Ok(Some(id))
    }

    /// Passes the next one if it is below `bound`.
    fn next_below(&mut self, bound: u64) -> Result<bool, Damage> {
        let mut ahead = Ids { rest: self.rest.clone(), ..*self };
        let is_below = ahead.next()?.is_some_and(|id| id < bound);
        if is_below {
            *self = Ids { rest: ahead.rest, ..ahead };
        }
        Ok(is_below)
    }
}

/// Where the uids of a list stand, and whether it has the form that all lists have but for rare ones.
struct Shape<'a> {
    ids: Ids<'a>,
    is_split: bool,
    is_plain: bool,
}

impl<'a> Shape<'a> {
    fn of(wire: &'a [u8]) -> Result<Shape<'a>, Damage> {
        let (mut uids, mut deltas, mut is_split, mut is_plain) = (&[][..], &[][..], false, true);
        let mut fields = WireReader::new(wire, WHAT);
        while let Some((number, field)) = fields.next()? {
            match (number, field) {
                (1, Field::Bytes(packed)) if uids.is_empty() => uids = packed,
                (1, _) => is_plain = false,
                (5, field) => deltas = field.bytes(WHAT)?,
                (4, _) => is_split = true,
                _ => {}
            }
        }
        let are_deltas = uids.is_empty();
        let ids = if are_deltas { deltas } else { uids };
        let rest = WireReader::new(ids, "uids of a posting list");
        Ok(Shape { ids: Ids { rest, are_deltas, last: None }, is_split, is_plain })
    }
}

/// What is looked at of a posting.
struct Glance<'a> {
    id: u64,
    value: &'a [u8],
    val_type: ValType,
    lang: &'a [u8],
    is_edge: bool,
    /// It has facets, or marks a deletion.
    is_special: bool,
}

impl<'a> Glance<'a> {
    fn at(wire: &'a [u8]) -> Result<Glance<'a>, Damage> {
        const WHAT: &str = "posting";
        const OP_DELETE: u64 = 2;
        let val_type = ValType::Default;
        let mut glance = Glance { id: 0, value: &[], val_type, lang: &[], is_edge: true, is_special: false };
        let mut fields = WireReader::new(wire, WHAT);
        while let Some((number, field)) = fields.next()? {
            match number {
                1 => glance.id = field.number(WHAT)?,
                2 => glance.value = field.bytes(WHAT)?,
                3 => {
                    let of = ValType::from_number(field.number(WHAT)?);
                    glance.val_type = of.ok_or(Damage::Value("value type of a posting"))?;
                }
                4 => glance.is_edge = field.number(WHAT)? == 0,
                5 => glance.lang = field.text("language of a posting")?.as_bytes(),
                9 => glance.is_special = true,
                12 => glance.is_special |= field.number(WHAT)? == OP_DELETE,
                _ => {}
            }
        }
        Ok(glance)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
    use graphdb_types::{Facet, Posting};

    use super::*;

    fn value(id: u64, text: &str, lang: &str) -> Posting {
        let (value, lang) = (text.as_bytes().to_vec(), lang.to_owned());
        Posting { id, value, val_type: ValType::String, lang, ..Posting::default() }
    }

    fn looked(postings: Vec<Posting>) -> Result<Look, Damage> {
        look(&PostingList::of_postings(postings).to_wire())
    }

    #[test]
    fn values_are_told_by_their_numbers() {
        let scalar = looked(vec![value(VALUE_UID, "", "")]).unwrap();
        assert!(scalar.has_scalar && scalar.misnumbered.is_none() && scalar.len == 1 && scalar.edges == 0);
        let item = looked(vec![value(fingerprint64(b"Item"), "Item", "")]).unwrap();
        assert!(item.has_item && item.misnumbered.is_none() && item.types == 1 << ValType::String as u16);
        let tagged = looked(vec![value(fingerprint64(b"en"), "Item", "en")]).unwrap();
        assert!(tagged.has_tagged && tagged.misnumbered.is_none());
        assert_eq!(looked(vec![value(7, "Item", "")]).unwrap().misnumbered, Some(7));
        assert_eq!(looked(vec![value(VALUE_UID, "Item", "en")]).unwrap().misnumbered, Some(VALUE_UID));
    }

    #[test]
    fn plain_and_built_lists_are_seen_alike() {
        let facet =
            Facet { key: "since".into(), value: vec![0; 8], val_type: graphdb_types::FacetType::Int, tokens: vec![] };
        let edge = Posting { id: 9, is_edge: true, facets: vec![facet], val_type: ValType::Uid, ..Posting::default() };
        let list = PostingList { ids: vec![3, 9, 1 << 40], postings: vec![edge] };
        let seen = look(&list.to_wire()).unwrap();
        assert_eq!((seen.len, seen.edges, seen.has_postings), (3, 3, true));
        let plain = look(&PostingList::of_ids(vec![1, 2, 1 << 63]).to_wire()).unwrap();
        assert_eq!((plain.len, plain.edges, plain.has_postings), (3, 3, false));
        let absolute = [0x0a, 3, 5, 9, 11];
        assert_eq!(look(&absolute).unwrap().edges, 3);
        let unpacked = [0x08, 5, 0x08, 9];
        assert_eq!(look(&unpacked).unwrap().edges, 2);
    }

    #[test]
    fn what_is_no_list_is_told_from_what_holds_a_bad_value() {
        let list = |wire: &[u8]| matches!(look(wire), Err(Damage::List(_)));
        assert!(list(&[0x2a, 2, 0, 1]), "uid 0");
        assert!(list(&[0x2a, 2, 1, 0]), "twice the same");
        assert!(list(&[0x0a, 2, 9, 5]), "descending");
        assert!(list(&[0x2a, 5, 1]), "cut off");
        let mut strange = PostingList::of_postings(vec![value(VALUE_UID, "x", "")]).to_wire();
        strange.extend([0x2a, 1, 1]);
        assert!(list(&strange), "the posting is not among the uids");
        let bad = Posting { id: VALUE_UID, value: vec![1; 7], val_type: ValType::Int, ..Posting::default() };
        assert_eq!(looked(vec![bad]), Err(Damage::Value("int")));
        let bad = Posting { id: VALUE_UID, value: vec![0xff], val_type: ValType::String, ..Posting::default() };
        assert_eq!(looked(vec![bad]), Err(Damage::Value("string")));
    }
}
