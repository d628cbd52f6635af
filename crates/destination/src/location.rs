use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use crate::{Error, Result};

mod bucket;

pub use bucket::{BucketLocation, BucketScheme, Endpoint};

/// Where a destination is, as a user writes it.
///
/// Its text is canonical and serves as the identity of the place: `/a/../b`, `/b/` and `file:///b` are all `/b`. It
/// never holds credentials. Symbolic links are not looked through, because parsing touches no file system.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Location {
    /// A directory, local or mounted; an absolute path without `.` and `..`.
    File(PathBuf),
    /// A bucket of an object store, or a folder in it.
    Bucket(BucketLocation),
}

impl Location {
    /// Reads a location.
    ///
    /// - A path, absolute or relative to the working directory, is taken as written.
    /// - `file:///path` is percent-decoded; its host may be empty or `localhost`.
    /// - In both, what follows a `?` is ignored, as Dgraph does. A directory with `?` in its name is
    ///   `file:///with%3Fmark`.
    /// - `s3://[host[:port]]/bucket[/folder]` and `minio://host[:port]/bucket[/folder]`, with `?secure=false` and `?trace=true`.
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
}

fn location_with_scheme(scheme: &str, rest: &str) -> Result<Location> {
    match scheme {
        "file" => file_uri(rest),
        "s3" => BucketLocation::parse(BucketScheme::S3, rest).map(Location::Bucket),
        "minio" => BucketLocation::parse(BucketScheme::Minio, rest).map(Location::Bucket),
        _ => Err(invalid(
            &format!("{scheme}:…"),
            &format!("unable to handle url: unknown scheme \"{scheme}\"; write /path, s3://…, or minio://…"),
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
            Location::Bucket(bucket) => bucket.fmt(f),
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
            ("s3://bucket/x", "could be meant as a host or as the bucket"),
            ("s3:///", "names no bucket"),
            ("s3:bucket", "two slashes are missing"),
            ("s3:///-x", "Invalid bucket"),
            ("s3:///bucket/../other", "not an object name"),
            ("s3:///bucket/a:b", "not an object name"),
            ("minio:///bucket", "requires a host"),
            ("minio://host:9000/", "names no bucket"),
            ("minio://host:90000/bucket", "invalid port"),
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
    fn a_bucket_is_the_same_place_however_it_is_written() {
        for (text, place) in [
            ("s3:///bucket/a/b", "s3:///bucket/a/b"),
            ("s3:///bucket//a/b/", "s3:///bucket/a/b"),
            ("S3://s3.amazonaws.com/bucket/a/b", "s3:///bucket/a/b"),
            ("s3://s3.us-west-2.amazonaws.com/bucket/a/b?trace=true", "s3:///bucket/a/b"),
            ("s3://s3-eu-west-1.amazonaws.com/bucket/a%2Fb", "s3:///bucket/a/b"),
            ("s3://s3.cn-north-1.amazonaws.com.cn/bucket", "s3://s3.cn-north-1.amazonaws.com.cn/bucket"),
            ("s3://s3-accelerate.amazonaws.com/bucket", "s3://s3-accelerate.amazonaws.com/bucket"),
            ("s3://localhost/bucket", "s3://localhost/bucket"),
            ("s3://[::1]:9000/bucket?secure=false", "s3://[::1]:9000/bucket"),
            ("minio://Store:9000/Bucket/x?secure=false", "minio://store:9000/Bucket/x"),
        ] {
            assert_eq!(canonical(text), place, "{text}");
            assert_eq!(canonical(place), place, "{text}");
        }
    }

    #[test]
    fn regions_and_parameters_of_a_bucket_are_read() {
        let bucket = |text: &str| match Location::parse(text).unwrap() {
            Location::Bucket(bucket) => bucket,
            Location::File(path) => panic!("{text} gave the directory {}", path.display()),
        };
        assert_eq!(bucket("s3://s3.us-west-2.amazonaws.com/b").region.as_deref(), Some("us-west-2"));
        assert_eq!(bucket("s3://s3.amazonaws.com/b").region, None);
        assert!(
            bucket("s3:///b").secure && !bucket("s3:///b?secure=false").secure && bucket("s3:///b?secure=0").secure
        );
        assert!(bucket("s3:///b?x=y&trace=true").trace && !bucket("s3:///b").trace);
        assert_eq!(bucket("minio://h:9000/b").endpoint.unwrap().port, Some(9000));
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
