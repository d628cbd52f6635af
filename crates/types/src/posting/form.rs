//! The two ways in which a `BackupPostingList` writes its ids, and the way from one to the other without building the list.

use std::borrow::Cow;

use crate::wire::{Field, Malformed, WireReader, put_len_prefix, put_uvarint, uvarint_len};

/// The tag of `uids`, with which a list begins that has them.
const ABSOLUTE_TAG: u8 = 0x0a;

const WHAT: &str = "posting list";

/// The list with `uids` (1), absolute numbers, as Dgraph v1.1 to v20.07 write and read them.
///
/// # Errors
/// Bytes that are not a message.
pub fn with_absolute_ids(wire: &[u8]) -> Result<Cow<'_, [u8]>, Malformed> {
    let mut out = Vec::with_capacity(2 * wire.len());
    let mut packed: &[u8] = &[];
    let mut postings = Vec::new();
    let mut reader = WireReader::new(wire, WHAT);
    while let Some((number, field)) = reader.next()? {
        match number {
            1 => return Ok(wire.into()),
            2 => postings.push(field.bytes(WHAT)?),
            5 => packed = field.bytes(WHAT)?,
            _ => {}
        }
    }
    let (mut ids, mut last) = (Vec::with_capacity(packed.len()), 0u64);
    let mut deltas = WireReader::new(packed, "uid_bytes of a posting list");
    while !deltas.is_empty() {
        last = last.checked_add(deltas.uvarint()?).ok_or(Malformed { what: "uid_bytes of a posting list" })?;
        ids.push(last);
    }
    if !ids.is_empty() {
        put_len_prefix(&mut out, 1, ids.iter().copied().map(uvarint_len).sum());
        ids.into_iter().for_each(|id| put_uvarint(&mut out, id));
    }
    for posting in postings {
        put_len_prefix(&mut out, 2, posting.len());
        out.extend_from_slice(posting);
    }
    Ok(out.into())
}

/// The list with `uid_bytes` (5), differences: how stores keep it. What begins with anything but `uids` is taken as it is.
///
/// # Errors
/// Bytes that are not a list.
pub fn with_differences(wire: &[u8]) -> Result<Cow<'_, [u8]>, Malformed> {
    if wire.first() != Some(&ABSOLUTE_TAG) {
        return Ok(wire.into());
    }
    super::PostingList::from_wire(wire).map(|list| list.to_wire().into())
}

/// Calls `each` with the language of every value that has one.
///
/// # Errors
/// Bytes that are not a message.
pub fn languages(wire: &[u8], mut each: impl FnMut(&str)) -> Result<(), Malformed> {
    let mut reader = WireReader::new(wire, WHAT);
    while let Some((number, field)) = reader.next()? {
        if number != 2 {
            continue;
        }
        let mut posting = WireReader::new(field.bytes(WHAT)?, "posting");
        let mut lang = "";
        while let Some((number, field)) = posting.next()? {
            if let (5, Field::Bytes(_)) = (number, &field) {
                lang = field.text("language of a posting")?;
            }
        }
        if !lang.is_empty() {
            each(lang);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::super::tests::sample;
    use super::super::{PostingList, VALUE_UID};
    use super::*;

    #[test]
    fn both_forms_say_the_same_and_turn_into_each_other() {
        for list in [sample(), PostingList::of_ids(vec![1, 300, VALUE_UID]), PostingList::default()] {
            let wire = list.to_wire();
            let absolute = with_absolute_ids(&wire).unwrap();
            assert_eq!(PostingList::from_wire(&absolute), Ok(list.clone()));
            assert_eq!(absolute.first() == Some(&ABSOLUTE_TAG), !list.is_empty());
            assert_eq!(with_absolute_ids(&absolute).unwrap(), absolute);
            assert_eq!(with_differences(&absolute).unwrap(), wire);
            assert_eq!(with_differences(&wire).unwrap(), wire);
        }
    }

    #[test]
    fn every_language_is_told() {
        let list = sample();
        let mut found = Vec::new();
        languages(&list.to_wire(), |lang| found.push(lang.to_owned())).unwrap();
        let langs = list.postings.iter().map(|posting| posting.lang.clone()).filter(|lang| !lang.is_empty());
        assert_eq!(found, langs.collect::<Vec<_>>());
        assert!(!found.is_empty());
    }
}
