//! Keys, on the wire and in the store.

use graphdb_types::{BackupKey, Key, KeyKind, StoredKeyParts, Uid};

/// A key is written as it was read, in both forms, and the short cuts between the forms agree with the long way.
pub fn check(bytes: &[u8]) {
    check_wire(bytes);
    check_stored(bytes);
}

fn check_wire(bytes: &[u8]) {
    let mut stored = b"before".to_vec();
    let placed = BackupKey::put_stored_of_wire(bytes, &mut stored);
    let Ok((key, start_uid)) = BackupKey::part_from_wire(bytes) else {
        assert!(placed.is_err(), "a key that is refused has no stored form");
        return;
    };
    let mut wire = Vec::new();
    key.put_wire(&mut wire);
    assert_eq!(BackupKey::from_wire(&wire).as_ref(), Ok(&key), "written and read again");
    let BackupKey::Posting(key) = key else {
        assert_eq!(placed, Ok(None), "schema and types have no stored key");
        return;
    };
    if matches!(key.kind, KeyKind::Data(Uid(0)) | KeyKind::Reverse(Uid(0))) {
        assert!(placed.is_err(), "no node has the uid 0");
        return;
    }
    let subject = if let KeyKind::Data(uid) = key.kind { Some(uid) } else { None };
    let prefix_len = Key::stored_prefix(&key.predicate).len();
    assert_eq!(placed, Ok(Some(StoredKeyParts { prefix_len, subject, start_uid })));
    assert_eq!(stored.strip_prefix(b"before"), Some(&key.to_stored()[..]), "the short cut to the stored key");
    check_stored(&key.to_stored());
    check_order(&key);
}

fn check_stored(bytes: &[u8]) {
    let Ok(key) = Key::from_stored(bytes) else { return };
    assert_eq!(key.to_stored(), bytes, "a key has one stored form");
    let (mut wire, mut short_cut) = (Vec::new(), Vec::new());
    BackupKey::put_wire_of_stored(bytes, &mut short_cut).expect("the key was read from these bytes");
    BackupKey::Posting(key.clone()).put_wire(&mut wire);
    assert_eq!(short_cut, wire, "the short cut to the wire");
    assert_eq!(BackupKey::from_wire(&wire), Ok(BackupKey::Posting(key)), "stored, written and read again");
}

/// Stored terms have the order of terms, and none begins another.
fn check_order(key: &Key) {
    let KeyKind::Index(term) = &key.kind else { return };
    let (first, second) = term.split_at(term.len() / 2);
    for other in [first, second].into_iter().filter(|other| other != term) {
        let (stored, other_stored) = (key.to_stored(), Key::index(&key.predicate, other).to_stored());
        assert_eq!(stored.cmp(&other_stored), term[..].cmp(other), "order of {term:?} and {other:?}");
        assert!(!stored.starts_with(&other_stored) && !other_stored.starts_with(&stored), "{term:?} and {other:?}");
    }
}
