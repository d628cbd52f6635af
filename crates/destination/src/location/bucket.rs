//! `s3://` and `minio://`.

use std::fmt;

use graphdb_types::ObjectName;
use percent_encoding::percent_decode_str;
use url::Url;

use super::invalid;
use crate::Result;

/// A bucket of an object store, or a folder in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BucketLocation {
    /// How it is spoken to.
    pub scheme: BucketScheme,
    /// Where the store is; `None` is AWS S3, in the region of the location or of the node.
    pub endpoint: Option<Endpoint>,
    /// The region that the host names.
    pub region: Option<String>,
    /// The bucket.
    pub bucket: String,
    /// The folder in the bucket.
    pub prefix: Option<ObjectName>,
    /// Whether connections are encrypted: unless the URI says `?secure=false`.
    pub secure: bool,
    /// Whether requests are logged, without secrets: `?trace=true`.
    pub trace: bool,
}

/// The two ways to speak to a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BucketScheme {
    /// `s3://`: AWS and what behaves like it.
    S3,
    /// `minio://`: a host of one's own, always with path-style addresses.
    Minio,
}

/// A host that serves an object store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Its name or address; IPv6 in brackets.
    pub host: String,
    /// Its port, if not that of the protocol.
    pub port: Option<u16>,
}

const FORM_S3: &str = "write s3:///bucket/folder for AWS, s3://s3.us-west-2.amazonaws.com/bucket/folder, or s3://host.example:9000/bucket/folder";
const FORM_MINIO: &str = "write minio://host:9000/bucket/folder";

impl BucketLocation {
    /// Reads `scheme:rest`. Credentials before an `@` have been refused by now.
    pub(super) fn parse(scheme: BucketScheme, rest: &str) -> Result<BucketLocation> {
        let shown = format!("{scheme}:{}", rest.split('?').next().unwrap_or(rest));
        let refuse = |why: String| invalid(&shown, &why);
        let url = Url::parse(&format!("{scheme}:{rest}")).map_err(|err| refuse(format!("{err}; {}", scheme.form())))?;
        if !rest.starts_with("//") {
            return Err(refuse(format!("two slashes are missing; {}", scheme.form())));
        }
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        let (endpoint, region) = match scheme {
            BucketScheme::S3 => s3_endpoint(&host, url.port()).map_err(refuse)?,
            BucketScheme::Minio if host.is_empty() => {
                return Err(refuse(format!("Minio handler requires a host; {FORM_MINIO}")));
            }
            BucketScheme::Minio => (Some(Endpoint { host, port: url.port() }), None),
        };
        let (bucket, prefix) =
            bucket_and_prefix(raw_path(rest)).map_err(|why| refuse(format!("{why}; {}", scheme.form())))?;
        let (secure, trace) = parameters(&url).map_err(refuse)?;
        Ok(BucketLocation { scheme, endpoint, region, bucket, prefix, secure, trace })
    }
}

impl BucketScheme {
    fn form(self) -> &'static str {
        match self {
            BucketScheme::S3 => FORM_S3,
            BucketScheme::Minio => FORM_MINIO,
        }
    }
}

/// The endpoint and region that the host of an `s3://` URI means.
fn s3_endpoint(host: &str, port: Option<u16>) -> Result<(Option<Endpoint>, Option<String>), String> {
    if host.is_empty() {
        return Ok((None, None));
    }
    if let (Some(region), None) = (aws_region(host), port) {
        return Ok((None, region));
    }
    // Dgraph takes a host without a dot for AWS and forgets it; others take it for the bucket.
    if !host.contains(['.', ':']) && port.is_none() && host != "localhost" {
        return Err(format!("{host:?} could be meant as a host or as the bucket; {FORM_S3}"));
    }
    Ok((Some(Endpoint { host: host.to_owned(), port }), None))
}

/// Whether `host` is AWS S3 itself, and which region it names. Hosts of other partitions (China), of accelerated and of dual-stack
/// access are endpoints of their own.
fn aws_region(host: &str) -> Option<Option<String>> {
    let host = host.strip_suffix(".amazonaws.com")?;
    if host == "s3" || host == "s3-external-1" {
        return Some(None);
    }
    let region = host.strip_prefix("s3.").or_else(|| host.strip_prefix("s3-"))?;
    let is_region =
        !region.is_empty() && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    (is_region && !region.contains("accelerate")).then(|| Some(region.to_owned()))
}

/// The path as it was written: a parser of URLs would follow `..` out of the bucket.
fn raw_path(rest: &str) -> &str {
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    rest.find('/').map_or("", |slash| &rest[slash..])
}

fn bucket_and_prefix(path: &str) -> Result<(String, Option<ObjectName>), String> {
    let path = percent_decode_str(path).decode_utf8().map_err(|_| "its path is not UTF-8 when percent-decoded")?;
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let bucket = segments.next().ok_or("it names no bucket")?;
    let is_bucket = bucket.len() <= 255
        && bucket.starts_with(|c: char| c.is_ascii_alphanumeric())
        && bucket.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    if !is_bucket {
        return Err(format!("Invalid bucket: {bucket:?}"));
    }
    let folder = segments.collect::<Vec<_>>().join("/");
    let prefix = (!folder.is_empty()).then(|| folder.parse::<ObjectName>()).transpose();
    Ok((bucket.to_owned(), prefix.map_err(|err| err.to_string())?))
}

/// `secure` and `trace`. Others are ignored, as Dgraph does, but for those that would carry a secret.
fn parameters(url: &Url) -> Result<(bool, bool), String> {
    let (mut secure, mut trace) = (true, false);
    for (name, value) in url.query_pairs() {
        match &*name.to_ascii_lowercase() {
            "secure" => secure = value != "false",
            "trace" => trace = value == "true",
            name if ["key", "secret", "token", "password", "credential", "signature"]
                .iter()
                .any(|word| name.contains(word)) =>
            {
                return Err(
                    "it carries credentials in a parameter, which would end up in logs and manifests; pass them in the environment or the request"
                        .into(),
                );
            }
            _ => {}
        }
    }
    Ok((secure, trace))
}

impl fmt::Display for BucketScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BucketScheme::S3 => "s3",
            BucketScheme::Minio => "minio",
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

/// The identity: bucket names are unique in all of AWS, so the region is not a part of it.
impl fmt::Display for BucketLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme)?;
        if let Some(endpoint) = &self.endpoint {
            endpoint.fmt(f)?;
        }
        write!(f, "/{}", self.bucket)?;
        match &self.prefix {
            Some(prefix) => write!(f, "/{prefix}"),
            None => Ok(()),
        }
    }
}
