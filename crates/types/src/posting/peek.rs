//! What a serialised posting list says, without building it.

use super::{OP_DELETE, PostingList, posting_type, read_varints};
use crate::wire::{Field, Malformed, WireReader};

/// The `splits` of a `BackupPostingList`: of the main key of a list that v1.1 to v1.2.5 split, the `start_uid` of its parts, ascending.
pub fn list_splits(wire: &[u8]) -> Result<Vec<u64>, Malformed> {
    const WHAT: &str = "splits of a posting list";
    let mut splits = Vec::new();
    let mut reader = WireReader::new(wire, WHAT);
    while let Some((number, field)) = reader.next()? {
        match (number, field) {
            (4, Field::Varint(start)) => splits.push(start),
            (4, Field::Bytes(packed)) => read_varints(packed, &mut splits)?,
            _ => {}
        }
    }
    Ok(splits)
}

/// The greatest uid that the edges of a `BackupPostingList` point at; 0 if it holds values. Reads the message without building it, unless
/// it has markers of deletions.
pub fn max_object(wire: &[u8]) -> Result<u64, Malformed> {
    const WHAT: &str = "posting list";
    let (mut greatest, mut packed) = (None, &[][..]);
    let mut reader = WireReader::new(wire, WHAT);
    while let Some((number, field)) = reader.next()? {
        match (number, field) {
            (1, Field::Varint(uid)) => greatest = greatest.max(Some(uid)),
            (1, Field::Bytes(bytes)) => {
                let mut uids = WireReader::new(bytes, WHAT);
                while !uids.is_empty() {
                    greatest = greatest.max(Some(uids.uvarint()?));
                }
            }
            (2, field) => match Glance::at(field.bytes(WHAT)?)? {
                Glance::Edge => {}
                Glance::Value => return Ok(0),
                Glance::Deletion => return PostingList::from_wire(wire).map(|list| list.max_object()),
            },
            (5, field) => packed = field.bytes(WHAT)?,
            _ => {}
        }
    }
    greatest.map_or_else(|| sum(packed), Ok)
}

/// The last uid of `uid_bytes`; 0 if there is none.
fn sum(deltas: &[u8]) -> Result<u64, Malformed> {
    const WHAT: &str = "uid_bytes of a posting list";
    let mut sum = 0u64;
    let mut deltas = WireReader::new(deltas, WHAT);
    while !deltas.is_empty() {
        sum = sum.checked_add(deltas.uvarint()?).ok_or(Malformed { what: WHAT })?;
    }
    Ok(sum)
}

/// What a `Posting` message is.
enum Glance {
    Edge,
    Value,
    Deletion,
}

impl Glance {
    /// Reads the message without building it. As in every message, of a field that stands twice the last counts.
    fn at(wire: &[u8]) -> Result<Glance, Malformed> {
        const WHAT: &str = "posting";
        let (mut posting_type, mut op) = (posting_type::REF, 0);
        let mut reader = WireReader::new(wire, WHAT);
        while let Some((number, field)) = reader.next()? {
            match number {
                4 => posting_type = field.number(WHAT)?,
                12 => op = field.number(WHAT)?,
                _ => {}
            }
        }
        Ok(match (op, posting_type) {
            (OP_DELETE, _) => Glance::Deletion,
            (_, posting_type::REF) => Glance::Edge,
            _ => Glance::Value,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::VALUE_UID;
    use super::super::tests::sample;
    use super::*;

    #[test]
    fn the_greatest_object_is_found_without_reading_the_list() {
        assert_eq!(max_object(&PostingList::of_ids(vec![3, 900, 1 << 33]).to_wire()), Ok(1 << 33));
        let mut edges = sample();
        edges.remove(VALUE_UID);
        assert_eq!(max_object(&edges.to_wire()), Ok(1 << 40));
        assert_eq!(max_object(&sample().to_wire()), Ok(0), "fingerprints are not uids");
    }

    #[test]
    fn the_greatest_object_is_that_of_the_fields_that_count() {
        let uids = [0x0a, 2, 5, 9];
        let packed = [0x2a, 2, 5, 50];
        assert_eq!(max_object(&[uids, packed].concat()), Ok(9), "uids hide uid_bytes");
        assert_eq!(max_object(&[packed, [0x2a, 2, 5, 6]].concat()), Ok(11), "the last uid_bytes count");
        let posting = |id: u8, rest: [u8; 4]| [&[0x12, 6, 0x08, id][..], &rest].concat();
        let of = |posting: Vec<u8>| max_object(&[&uids[..], &posting].concat());
        assert_eq!(of(posting(9, [0x60, 2, 0x20, 1])), Ok(5), "a deleted value neither hides edges nor is one");
        assert_eq!(of(posting(9, [0x20, 1, 0x20, 0])), Ok(9), "the last posting_type counts");
        assert_eq!(of(posting(9, [0x60, 2, 0x60, 1])), Ok(9), "the last op counts");
    }
}
