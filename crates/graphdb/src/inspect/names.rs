//! How uids, namespaces and keys are written.

use graphdb_types::{Key, KeyKind, Namespace, Tokenizer, Uid};

/// Reads a uid of a node, in hex with `0x` or decimal.
pub(super) fn uid(text: &str) -> Result<Uid, String> {
    let uid = text.parse::<Uid>().ok().filter(|uid| uid.is_valid());
    uid.ok_or_else(|| format!("{text:?} is no uid such as 0x1f or 31; 0 and the greatest number are none"))
}

/// Reads a namespace, in hex with `0x` or decimal.
pub(super) fn namespace(text: &str) -> Result<Namespace, String> {
    let number = text.parse::<Uid>().map(|number| Namespace(number.0));
    number.map_err(|_| format!("{text:?} is no namespace such as 0x1 or 1"))
}

/// A key of an index, reverse or count list, for people.
pub(super) fn of_key(key: &Key) -> String {
    match &key.kind {
        KeyKind::Data(uid) => format!("data of {uid}"),
        KeyKind::Reverse(uid) => format!("reverse of {uid}"),
        KeyKind::Count(count) => format!("count {count}"),
        KeyKind::CountReverse(count) => format!("reverse count {count}"),
        KeyKind::Index(token) => of_token(token),
    }
}

/// `term "abc"`; bytes that are no text are escaped.
fn of_token(token: &[u8]) -> String {
    let Some((id, term)) = token.split_first() else { return "index with an empty token".into() };
    let tokenizer = Tokenizer::ALL.into_iter().find(|tokenizer| tokenizer.id() == *id);
    let name = tokenizer.map_or_else(|| format!("index {id:#04x}"), |tokenizer| tokenizer.name().to_owned());
    format!("{name} \"{}\"", String::from_utf8_lossy(term).escape_debug())
}

#[cfg(test)]
mod tests {
    use graphdb_types::Predicate;

    use super::*;

    #[test]
    fn keys_are_told_in_words() {
        let name = Predicate::root("name");
        let told = |kind| of_key(&Key { predicate: name.clone(), kind });
        assert_eq!(told(KeyKind::Index(b"\x01alice".to_vec())), "term \"alice\"");
        assert_eq!(told(KeyKind::Index(b"\x06\x01\0".to_vec())), "int \"\\u{1}\\0\"");
        assert_eq!(told(KeyKind::Index(vec![0x03, b'a'])), "index 0x03 \"a\"");
        assert_eq!(told(KeyKind::Reverse(Uid(31))), "reverse of 0x1f");
        assert_eq!(told(KeyKind::CountReverse(3)), "reverse count 3");
    }

    #[test]
    fn uids_of_no_node_are_refused() {
        assert_eq!((uid("0x1f"), uid("31")), (Ok(Uid(31)), Ok(Uid(31))));
        for text in ["0", "", "-1", "0xffffffffffffffff", "x"] {
            assert!(uid(text).is_err(), "{text}");
        }
        assert_eq!(namespace("0x12f"), Ok(Namespace(0x12f)));
        assert_eq!(namespace("0"), Ok(Namespace::ROOT));
    }
}
