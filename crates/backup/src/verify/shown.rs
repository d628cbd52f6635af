//! Keys and names as findings show them.

use graphdb_types::{BackupKey, Key, KeyKind, Predicate};

use super::observed::tokenizer_name;

/// Bytes of a key or token that are shown.
const SHOWN_BYTES: usize = 80;

/// A stored key, as the format spec names kinds: `DATA name 0x1`.
pub(super) fn shown_key(stored: &[u8]) -> String {
    let Ok(Key { predicate, kind }) = Key::from_stored(stored) else { return shown_bytes(stored) };
    match kind {
        KeyKind::Data(uid) => format!("DATA {predicate} {uid}"),
        KeyKind::Reverse(uid) => format!("REVERSE {predicate} {uid}"),
        KeyKind::Count(count) => format!("COUNT {predicate} {count}"),
        KeyKind::CountReverse(count) => format!("COUNT_REV {predicate} {count}"),
        KeyKind::Index(term) => match term.split_first() {
            Some((id, token)) => format!("INDEX {predicate} {} {}", tokenizer_name(*id), shown_bytes(token)),
            None => format!("INDEX {predicate}"),
        },
    }
}

/// As [`shown_key`], of definitions too.
pub(super) fn shown_backup_key(key: &BackupKey) -> String {
    match key {
        BackupKey::Posting(key) => shown_key(&key.to_stored()),
        BackupKey::Schema(predicate) => format!("SCHEMA {predicate}"),
        BackupKey::Type(name) => format!("TYPE {name}"),
    }
}

/// Bytes in quotes, with everything but plain letters escaped.
pub(super) fn shown_bytes(bytes: &[u8]) -> String {
    let shown = bytes[..bytes.len().min(SHOWN_BYTES)].escape_ascii();
    if bytes.len() > SHOWN_BYTES { format!("\"{shown}\"...") } else { format!("\"{shown}\"") }
}

/// Names, as many as a line has room for.
pub(super) fn listed(predicates: &[&Predicate]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<String> = predicates.iter().take(SHOWN).map(ToString::to_string).collect();
    match predicates.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{} and {more} more", shown.join(", ")),
        _ => shown.join(", "),
    }
}
