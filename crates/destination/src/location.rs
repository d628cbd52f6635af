use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use crate::{Destination, Error, FileDestination, Result};

/// Where a destination is, as a user writes it.
///
/// Its text is canonical and serves as the identity of the place: `/a/../b`, `/b/` and `file:///b` are all `/b`. It
/// never holds credentials. Symbolic links are not looked through, because parsing touches no file system.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Location {
    /// A directory, local or mounted; an absolute path without `.` and `..`.
    File(PathBuf),
}

impl Location {
    /// Reads a location.
    ///
    /// - A path, absolute or relative to the working directory, is taken as written.
    /// - `file:///path` is percent-decoded; its host may be empty or `localhost`.
    /// - In both, what follows a `?` is ignored, as Dgraph does. A directory with `?` in its name is
    ///   `file:///with%3Fmark`.
    ///
    /// # Errors
    /// [`Error::InvalidLocation`] for anything else. Credentials in the text are refused and not repeated.
    pub fn parse(text: &str) -> Result<Location> {
        if text.trim().is_empty() {
            return Err(invalid("\"\"", "it is empty; write a directory such as /backups or file:///backups"));
        }
        match split_scheme(text) {
            None => file_location(text, without_query(text)),
            Some((scheme, rest)) => {
                refuse_credentials(scheme, rest)?;
                location_with_scheme(&scheme.to_ascii_lowercase(), rest)
            }
        }
    }

    /// The destination at this place, without touching it: a missing last folder is created by the first write.
    pub fn destination(&self) -> Arc<dyn Destination> {
        match self {
            Location::File(root) => Arc::new(FileDestination::new(root)),
        }
    }
}

/// Opens the destination that `text` names, to write to it.
///
/// A directory need not exist if its parent does: the first write creates it, and until then it is empty.
///
/// # Errors
/// [`Error::InvalidLocation`], [`Error::NoLocation`], [`Error::NotADirectory`], [`Error::Denied`].
pub async fn open_location(text: &str) -> Result<Arc<dyn Destination>> {
    match Location::parse(text)? {
        Location::File(root) => Ok(Arc::new(FileDestination::open_or_create(root).await?)),
    }
}

/// Opens the destination that `text` names, to read from it. It must exist: a misspelt location is an error, not an
/// empty destination.
///
/// # Errors
/// [`Error::InvalidLocation`], [`Error::NoLocation`], [`Error::NotADirectory`], [`Error::Denied`].
pub async fn open_existing_location(text: &str) -> Result<Arc<dyn Destination>> {
    match Location::parse(text)? {
        Location::File(root) => Ok(Arc::new(FileDestination::open(root).await?)),
    }
}

fn location_with_scheme(scheme: &str, rest: &str) -> Result<Location> {
    match scheme {
        "file" => file_uri(rest),
        "s3" | "minio" => Err(invalid(
            &format!("{scheme}:{}", without_query(rest)),
            "object stores are not supported yet by this build; write a directory, local or mounted",
        )),
        _ => Err(invalid(
            &format!("{scheme}:…"),
            &format!("unable to handle url: unknown scheme \"{scheme}\"; write /path or file:///path"),
        )),
    }
}

fn file_uri(rest: &str) -> Result<Location> {
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let shown = format!("file:{rest}");
    let path = match rest.strip_prefix("//") {
        Some(authority_and_path) => local_path(&shown, authority_and_path)?,
        None => rest,
    };
    if !path.starts_with('/') {
        return Err(invalid(&shown, "a file URI names an absolute path; write file:///path"));
    }
    let decoded = percent_encoding::percent_decode_str(path)
        .decode_utf8()
        .map_err(|_| invalid(&shown, "its path is not UTF-8 when percent-decoded"))?;
    file_location(&shown, &decoded)
}

fn local_path<'a>(shown: &str, authority_and_path: &'a str) -> Result<&'a str> {
    let (host, path) = authority_and_path.split_at(authority_and_path.find('/').unwrap_or(authority_and_path.len()));
    if host.is_empty() || host.eq_ignore_ascii_case("localhost") {
        return Ok(path);
    }
    let advice = format!(
        "a file URI has no host, and \"{host}\" would be one; write file:///{host}{path} if that is the path, or mount the \
         other machine's directory"
    );
    Err(invalid(shown, &advice))
}

fn file_location(shown: &str, path: &str) -> Result<Location> {
    if path.is_empty() {
        return Err(invalid(shown, "it names no path; write a directory such as /backups"));
    }
    if path.contains(char::is_control) {
        return Err(invalid(&shown.escape_debug().to_string(), "its path contains a control character"));
    }
    let absolute = std::path::absolute(path)
        .map_err(|err| invalid(shown, &format!("the working directory it is relative to is not known ({err})")))?;
    Ok(Location::File(without_dots(&absolute)))
}

/// Takes `.` and `..` out of an absolute path by its text alone.
fn without_dots(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            _ => clean.push(component),
        }
    }
    clean
}

/// Splits `scheme:rest` (RFC 3986 section 3.1). A path may contain a colon, but only after its first slash.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    is_scheme.then_some((scheme, rest))
}

fn without_query(text: &str) -> &str {
    text.split('?').next().unwrap_or(text)
}

/// Refuses `scheme://user:secret@host`. The text before the `@` is not shown, whatever it is.
fn refuse_credentials(scheme: &str, rest: &str) -> Result<()> {
    let authority = rest.strip_prefix("//").unwrap_or(rest).split(['/', '?', '#']).next().unwrap_or("");
    match authority.rsplit_once('@') {
        None => Ok(()),
        Some(_) => Err(invalid(
            &format!("{}://…@…", if authority_follows(rest) { scheme } else { "…" }),
            "it carries credentials, which would end up in logs and manifests; pass them in the environment or the request",
        )),
    }
}

/// Whether what precedes the colon is a scheme rather than the user of `user:secret@host`.
fn authority_follows(rest: &str) -> bool {
    rest.starts_with("//")
}

fn invalid(location: &str, reason: &str) -> Error {
    Error::InvalidLocation { location: location.into(), reason: reason.into() }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::File(path) => path.display().fmt(f),
        }
    }
}

impl FromStr for Location {
    type Err = Error;

    fn from_str(text: &str) -> Result<Location> {
        Location::parse(text)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used)]

    use super::*;

    fn canonical(text: &str) -> String {
        Location::parse(text).unwrap().to_string()
    }

    fn refusal(text: &str) -> String {
        match Location::parse(text) {
            Err(err @ Error::InvalidLocation { .. }) => err.to_string(),
            other => panic!("{text:?} gave {other:?}"),
        }
    }

    #[test]
    fn different_texts_of_one_place_are_one_location() {
        for text in [
            "/backups/a",
            "/backups/a/",
            "/backups//a/.",
            "/x/../backups/./a",
            "/../backups/a",
            "file:///backups/a",
            "FILE:///backups/a",
            "file:/backups/a",
            "file://localhost/backups/a",
            "file:///backups/%61",
            "file:///backups/a?secure=false",
            "file:///backups/a#part",
            "/backups/a?secure=false",
        ] {
            assert_eq!(canonical(text), "/backups/a", "{text}");
        }
    }

    #[test]
    fn a_plain_path_is_taken_as_written_and_a_uri_is_decoded() {
        assert_eq!(canonical("/with%20space"), "/with%20space");
        assert_eq!(canonical("file:///with%20space%3F"), "/with space?");
        assert_eq!(canonical("/a:b/c@d"), "/a:b/c@d");
    }

    #[test]
    fn a_relative_path_counts_from_the_working_directory() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(canonical("backups/a"), here.join("backups/a").to_str().unwrap());
        assert_eq!(canonical("./x:y"), here.join("x:y").to_str().unwrap());
    }

    #[test]
    fn other_schemes_and_hosts_are_refused_with_advice() {
        for (text, advice) in [
            ("", "write a directory"),
            ("?secure=false", "names no path"),
            ("s3:///bucket/x", "not supported yet by this build"),
            ("minio://host:9000/bucket", "not supported yet by this build"),
            ("gs://bucket/x", "unable to handle url"),
            ("file://nas/backups", "write file:///nas/backups"),
            ("file:backups", "write file:///path"),
            ("file:///a%00b", "control character"),
            ("file:///%ff", "not UTF-8"),
        ] {
            let message = refusal(text);
            assert!(message.contains(advice), "{text}: {message}");
        }
    }

    #[test]
    fn credentials_are_refused_and_never_repeated() {
        for text in [
            "minio://hunter2:hunter2@host:9000/bucket",
            "s3://hunter2@host/bucket",
            "file://hunter2:hunter2@/backups",
            "hunter2:hunter2@host/path",
            "gs://x:hunter2@host/",
            "ftp:hunter2:hunter2@host",
            "s3:///bucket/x?secret_key=hunter2",
            "gs://bucket?token=hunter2",
        ] {
            let message = refusal(text);
            assert!(!message.contains("hunter2"), "{message}");
        }
        assert!(refusal("s3://a:b@host/bucket").contains("carries credentials"));
    }
}
