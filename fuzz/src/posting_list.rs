//! Posting lists and the values in them.

use graphdb_types::{Posting, PostingList, Value, list_splits, max_object};

/// A list is written as it was read, merging keeps it, its greatest object is found without building it, and its values are
/// refused or written as they were read.
pub fn check(bytes: &[u8]) {
    let greatest = max_object(bytes);
    // Only lists of v1.1 and v1.2 have them; they are not written.
    _ = list_splits(bytes);
    let Ok(list) = PostingList::from_wire(bytes) else { return };
    let wire = list.to_wire();
    assert_eq!(PostingList::from_wire(&wire).as_ref(), Ok(&list), "written and read again");
    let of_edges = list.postings.iter().all(|posting| posting.is_edge);
    let expected = if of_edges { list.ids.last().copied().unwrap_or(0) } else { 0 };
    assert_eq!(greatest, Ok(expected), "greatest object as it was read");
    assert_eq!(max_object(&wire), Ok(expected), "greatest object as it was written");
    check_merges(&list);
    list.postings.iter().for_each(check_values);
}

fn check_merges(list: &PostingList) {
    let mut merged = PostingList::default();
    merged.merge(list.clone());
    assert_eq!(&merged, list, "merged into nothing");
    merged.merge(list.clone());
    assert_eq!(&merged, list, "merged into itself");
    merged.remove_all(&list.ids);
    assert!(merged.is_empty() && merged.postings.is_empty(), "all removed");
}

fn check_values(posting: &Posting) {
    let facets = posting.facets.iter().map(|facet| (facet.val_type.val_type(), &facet.value));
    for (of, bytes) in facets.chain([(posting.val_type, &posting.value)]) {
        let Ok(value) = Value::from_bytes(of, bytes) else { continue };
        let written = value.to_bytes();
        let again = Value::from_bytes(of, &written).map(|value| value.to_bytes());
        // Bytes and not values are compared, because NaN differs from itself.
        assert_eq!(again.as_ref(), Ok(&written), "{value:?} written and read again");
        value.write_json(&mut String::new());
        value.to_text();
    }
}
