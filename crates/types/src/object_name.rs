use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Longest name in bytes: what S3 takes for a whole key.
const MAX_NAME_BYTES: usize = 1024;

/// Characters of a refused name that its error message shows.
const SHOWN_CHARS: usize = 120;

/// The name of an object inside a destination, relative and `/`-separated, as
/// `dgraph.20260104.224757.709/r9-g1.backup`. Cheap to clone, ordered by bytes.
///
/// Names are read from manifests that anybody may have written, so a name that exists is one that cannot leave its
/// destination: 1 to 1024 bytes; no leading, trailing or double slash; no `.` or `..` segment; no backslash, colon or
/// control character.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName(Arc<str>);

/// A text that cannot name an object: which one (escaped and shortened) and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not an object name: {reason}")]
pub struct InvalidObjectName {
    text: String,
    reason: &'static str,
}

impl ObjectName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The segments between the slashes, outermost first; at least one.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// The last segment.
    pub fn file_name(&self) -> &str {
        self.split_last().1
    }

    /// The folder the object is in, or `None` at the top of the destination.
    pub fn parent(&self) -> Option<ObjectName> {
        self.split_last().0.map(|folder| ObjectName(folder.into()))
    }

    /// The name `relative` has inside the folder `self`. `relative` may have several segments, none of which leads out.
    pub fn child(&self, relative: &str) -> Result<ObjectName, InvalidObjectName> {
        check(relative)?;
        ObjectName::try_from(format!("{self}/{relative}"))
    }

    /// The name `relative` has inside the folder `self`. Fails only when the result is too long.
    pub fn join(&self, relative: &ObjectName) -> Result<ObjectName, InvalidObjectName> {
        self.child(relative.as_str())
    }

    fn split_last(&self) -> (Option<&str>, &str) {
        match self.0.rsplit_once('/') {
            Some((folder, last)) => (Some(folder), last),
            None => (None, &self.0),
        }
    }
}

fn check(text: &str) -> Result<(), InvalidObjectName> {
    let shown = || text.chars().take(SHOWN_CHARS).flat_map(char::escape_debug).collect();
    reason_against(text).map_or(Ok(()), |reason| Err(InvalidObjectName { text: shown(), reason }))
}

fn reason_against(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("it is empty");
    }
    if text.len() > MAX_NAME_BYTES {
        return Some("it is longer than 1024 bytes");
    }
    if text.starts_with('/') || text.ends_with('/') {
        return Some("it starts or ends with a slash, names are relative");
    }
    text.split('/').find_map(reason_against_segment)
}

fn reason_against_segment(segment: &str) -> Option<&'static str> {
    match segment {
        "" => Some("it has an empty segment"),
        "." | ".." => Some("it has a `.` or `..` segment, which could lead out of the destination"),
        _ if segment.contains('\\') => Some("it contains a backslash"),
        _ if segment.contains(':') => Some("it contains a colon"),
        _ if segment.contains(char::is_control) => Some("it contains a control character"),
        _ => None,
    }
}

impl InvalidObjectName {
    /// Why the text is refused, as the end of a sentence.
    pub fn reason(&self) -> &'static str {
        self.reason
    }
}

impl FromStr for ObjectName {
    type Err = InvalidObjectName;

    fn from_str(text: &str) -> Result<ObjectName, InvalidObjectName> {
        check(text).map(|()| ObjectName(text.into()))
    }
}

impl TryFrom<&str> for ObjectName {
    type Error = InvalidObjectName;

    fn try_from(text: &str) -> Result<ObjectName, InvalidObjectName> {
        text.parse()
    }
}

impl TryFrom<String> for ObjectName {
    type Error = InvalidObjectName;

    fn try_from(text: String) -> Result<ObjectName, InvalidObjectName> {
        text.parse()
    }
}

impl AsRef<str> for ObjectName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used)]

    use super::*;

    fn name(text: &str) -> ObjectName {
        text.parse().unwrap()
    }

    #[test]
    fn names_of_real_backups_are_accepted() {
        for text in
            ["manifest.json", "dgraph.20260104.224757.709/r9-g1.backup", "a b/ü+#%2e%2e", "...", ".hidden", "a/..b"]
        {
            assert_eq!(name(text).as_str(), text);
        }
    }

    #[test]
    fn names_that_could_escape_or_confuse_are_refused() {
        let bad = [
            "",
            "/",
            "/etc/passwd",
            "a/",
            "a//b",
            ".",
            "..",
            "../a",
            "a/..",
            "a/../b",
            "./a",
            "a/./b",
            "a\\b",
            "..\\a",
            "C:x",
            "a\0b",
            "a\nb",
            "a\x7fb",
            "a\u{85}b",
        ];
        for text in bad {
            assert!(text.parse::<ObjectName>().is_err(), "{text:?}");
            assert!(name("folder").child(text).is_err(), "child {text:?}");
        }
    }

    #[test]
    fn a_name_has_at_most_1024_bytes() {
        let longest = "x".repeat(1024);
        assert!(longest.parse::<ObjectName>().is_ok());
        assert!(format!("{longest}x").parse::<ObjectName>().is_err());
        assert!(name("a").join(&name(&longest[..1022])).is_ok());
        assert!(name("a").join(&name(&longest[..1023])).is_err());
    }

    #[test]
    fn the_error_shows_the_name_escaped_and_shortened() {
        let text = format!("a\n{}", "x".repeat(5000));
        let message = text.parse::<ObjectName>().unwrap_err().to_string();
        assert!(message.starts_with("\"a\\nxxx") && message.len() < 250, "{message}");
        assert!(message.ends_with("longer than 1024 bytes"), "{message}");
    }

    #[test]
    fn parent_and_file_name_take_a_name_apart_and_child_puts_it_together() {
        let object = name("a/b/c");
        assert_eq!((object.parent(), object.file_name()), (Some(name("a/b")), "c"));
        assert_eq!(object.parent().unwrap().child("c"), Ok(object));
        assert_eq!((name("c").parent(), name("c").file_name()), (None, "c"));
    }
}
