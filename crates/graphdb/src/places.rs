//! Where backups are when nobody says, and how this process reaches places: what `serve` and the commands have in common.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Args;
use graphdb_destination::{
    Credentials, Error, Location, LocationOptions, LocationRequest, Locations, ObjectStoreEnvironment, Policy, Scheme,
};

use crate::failure::misuse;
use crate::keys::is_readable_by_all;

/// Flags of the commands that read places themselves. Whoever runs a command may read every place: policies bind requests to a node.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Places of backups")]
pub(crate) struct PlaceFlags {
    /// The place that is meant when none is named: s3://BUCKET[/FOLDER] or any location
    #[arg(long, value_name = "PLACE", env = "GRAPHDB_BACKUP_BUCKET")]
    backup_bucket: Option<String>,

    /// Region of S3 [default: the location's, AWS_REGION, or the profile's]
    #[arg(long, value_name = "REGION", env = "GRAPHDB_BACKUP_REGION")]
    backup_region: Option<String>,

    /// File in the form of AWS's shared credentials; it goes before keys in the environment
    #[arg(long, value_name = "FILE", env = "GRAPHDB_BACKUP_CREDENTIAL")]
    backup_credential: Option<PathBuf>,

    /// Profile in that file, or without one in AWS's shared files [default: default]
    #[arg(long, value_name = "NAME", env = "GRAPHDB_BACKUP_PROFILE")]
    backup_profile: Option<String>,

    /// Read object stores without credentials, as public buckets allow
    #[arg(long, env = "GRAPHDB_BACKUP_ANONYMOUS")]
    backup_anonymous: bool,
}

/// A place that a command was told of.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) locations: Locations,
    pub(crate) request: LocationRequest,
    /// Its text, for people.
    pub(crate) shown: String,
}

impl PlaceFlags {
    /// The place that is `named`, or else the default one.
    ///
    /// # Errors
    /// Misuse, and a credential file that cannot be read. `flag` is what would have named a place.
    pub(crate) fn place(&self, named: Option<&str>, flag: &str) -> anyhow::Result<Place> {
        let mut options = self.options()?;
        let credentials = self.backup_anonymous.then_some(Credentials::Anonymous);
        let request = LocationRequest { location: given(named).map(str::to_owned), credentials };
        if request.location.is_none() && options.default.is_none() {
            return Err(misuse(format!(
                "no place is named: say {flag} PLACE, or set a default one with --backup-bucket (GRAPHDB_BACKUP_BUCKET)"
            )));
        }
        let location = Locations::new(options.clone()).resolve(&request)?;
        // Half a pair of keys in the environment is no trouble for a directory.
        if matches!(location, Location::Bucket(_)) {
            options.environment = environment()?;
        }
        Ok(Place { locations: Locations::new(options), request, shown: location.to_string() })
    }

    /// The default place as a node understands it, if there is one.
    pub(crate) fn default_place(&self) -> anyhow::Result<Option<String>> {
        let Some(text) = given(self.backup_bucket.as_deref()) else { return Ok(None) };
        read_default(text)?;
        Ok(Some(location_text(text)))
    }

    fn options(&self) -> anyhow::Result<LocationOptions> {
        let region = given(self.backup_region.as_deref());
        let credential_file = self.backup_credential.clone().filter(|path| !path.as_os_str().is_empty());
        if let Some(path) = &credential_file {
            check_credential_file(path)?;
        }
        Ok(LocationOptions {
            default: given(self.backup_bucket.as_deref()).map(read_default).transpose()?,
            region: region
                .map(|text| self::region(text).map_err(|why| misuse(format!("--backup-region: {why}"))))
                .transpose()?,
            credential_file,
            profile: given(self.backup_profile.as_deref()).map(str::to_owned),
            policy: Policy { hosts: vec!["*".into()], ..Policy::default() },
            ..LocationOptions::default()
        })
    }
}

fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.trim().is_empty())
}

fn read_default(text: &str) -> anyhow::Result<Location> {
    default_place(text).map_err(|why| misuse(format!("--backup-bucket: {why}")))
}

/// What the environment says of object stores.
///
/// # Errors
/// Misuse: one key of a pair without the other.
pub(crate) fn environment() -> anyhow::Result<ObjectStoreEnvironment> {
    ObjectStoreEnvironment::read(|name| std::env::var(name).ok()).map_err(|error| match error {
        Error::InvalidLocation { location, reason } => misuse(format!("{location}: {reason}")),
        other => other.into(),
    })
}

/// That the default place is one where requests may go.
///
/// # Errors
/// Misuse: the policy says no.
pub(crate) fn check_default(options: &LocationOptions) -> anyhow::Result<()> {
    if options.default.is_none() {
        return Ok(());
    }
    let resolved = Locations::new(options.clone()).resolve(&LocationRequest::default());
    resolved.map(drop).map_err(|why| misuse(format!("--backup-bucket: {why}")))
}

/// That a credential file can be read; a warning if others can read it too.
///
/// # Errors
/// Why it cannot be read.
pub(crate) fn check_credential_file(path: &Path) -> anyhow::Result<()> {
    let context = || format!("read the credentials in {} (--backup-credential)", path.display());
    let file = File::open(path).with_context(context)?;
    if file.metadata().with_context(context)?.is_dir() {
        return Err(anyhow!("it is a directory; name a file like ~/.aws/credentials")).with_context(context);
    }
    if is_readable_by_all(path) {
        tracing::warn!(file = %path.display(), "every user of this machine can read the secret; chmod o-r");
    }
    Ok(())
}

/// Reads `--backup-bucket`. In `s3://name/folder` the name is that of the bucket, as the AWS command line has it, unless it can only be a
/// host: with a port, an address, or one of amazonaws.com or googleapis.com. Everything else is a location.
pub(crate) fn default_place(text: &str) -> Result<Location, String> {
    if !text.contains("://") && !text.starts_with(['/', '.']) && !text.starts_with("file:") {
        return Err("it is neither s3://BUCKET[/FOLDER] nor a location such as /backups; write which".into());
    }
    Location::parse(&location_text(text)).map_err(|error| error.to_string())
}

/// The location that a text of [`default_place`] means.
fn location_text(text: &str) -> String {
    match text.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("s3") && names_bucket(rest) => format!("s3:///{rest}"),
        _ => text.to_owned(),
    }
}

fn names_bucket(rest: &str) -> bool {
    let name = rest.split(['/', '?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    let is_host = name.contains([':', '[', '@'])
        || name == "localhost"
        || name.parse::<std::net::Ipv4Addr>().is_ok()
        || [".amazonaws.com", ".amazonaws.com.cn", ".googleapis.com"].iter().any(|provider| name.ends_with(provider));
    !name.is_empty() && !is_host
}

/// Reads a region: it becomes a part of host names.
pub(crate) fn region(text: &str) -> Result<String, String> {
    let is_region = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if is_region { Ok(text.to_owned()) } else { Err(format!("{text:?} is no region such as us-west-2")) }
}

/// Reads the schemes of a policy.
pub(crate) fn schemes(text: &str) -> Result<Vec<Scheme>, String> {
    let read = |name: &str| {
        Scheme::parse(&name.to_ascii_lowercase()).ok_or_else(|| format!("{name:?} is none of file, s3 and minio"))
    };
    list(text).map(read).collect()
}

/// Reads the directories of a policy.
pub(crate) fn paths(text: &str) -> Result<Vec<PathBuf>, String> {
    let read = |path: &str| match Location::parse(path) {
        Ok(Location::File(directory)) if path.starts_with('/') || path.starts_with("file:") => Ok(directory),
        _ => Err(format!("{path:?} is no absolute path of a directory")),
    };
    list(text).map(read).collect()
}

/// Reads the hosts of a policy.
pub(crate) fn hosts(text: &str) -> Result<Vec<String>, String> {
    list(text).map(host).collect()
}

fn host(text: &str) -> Result<String, String> {
    if let Ok(address) = text.trim_matches(['[', ']']).parse::<std::net::Ipv6Addr>() {
        return Ok(format!("[{address}]"));
    }
    let name = text.strip_prefix("*.").unwrap_or(text);
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    if text == "*" || (is_name && !name.is_empty()) {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} is no host; write a name, an address, *.example.org or *, without scheme and port"))
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests;
