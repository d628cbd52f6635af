//! From what a request says to an open destination.

use std::path::PathBuf;
use std::sync::Arc;

use crate::bucket::{BucketClient, BucketDestination, BucketOptions};
use crate::credentials::{AccessKeys, Credentials};
use crate::error::Attempt;
use crate::file::run_blocking;
use crate::location::{BucketLocation, BucketScheme};
use crate::policy::Policy;
use crate::probe::{ProbeReport, probe_bucket, probe_directory};
use crate::{Destination, Error, FileDestination, Location, Result, minio, s3};

/// A place as a request names it. Without a location it is the node's default place.
#[derive(Clone, Debug, Default)]
pub struct LocationRequest {
    /// The text, as in [`Location::parse`].
    pub location: Option<String>,
    /// Credentials for this request alone.
    pub credentials: Option<Credentials>,
}

impl<T: Into<String>> From<T> for LocationRequest {
    fn from(location: T) -> LocationRequest {
        LocationRequest { location: Some(location.into()), credentials: None }
    }
}

/// How a process reaches places: which are allowed, which one is meant when none is named, and who it is there.
#[derive(Clone, Debug, Default)]
pub struct LocationOptions {
    /// The place that is meant when a request names none.
    pub default: Option<Location>,
    /// The region of S3 when the location does not say.
    pub region: Option<String>,
    /// A file in the form of AWS's shared credentials, and the profile in it; they go before the environment.
    pub credential_file: Option<PathBuf>,
    /// The profile in it, or in the shared files of the user.
    pub profile: Option<String>,
    /// Whether a request to a store needs credentials of its own: the node's are lent to nobody.
    pub request_credentials_only: bool,
    /// What the environment says.
    pub environment: ObjectStoreEnvironment,
    /// Which places are allowed.
    pub policy: Policy,
    /// Sizes, numbers and times of requests to object stores.
    pub bucket: BucketOptions,
}

/// What the environment says of object stores. AWS's shared files, web identity and metadata services are read by AWS's own library, with
/// the variables it documents.
#[derive(Clone, Debug, Default)]
pub struct ObjectStoreEnvironment {
    /// `AWS_ACCESS_KEY_ID` or `AWS_ACCESS_KEY`, with `AWS_SECRET_ACCESS_KEY` or `AWS_SECRET_KEY`, and `AWS_SESSION_TOKEN`.
    pub aws: Option<AccessKeys>,
    /// `MINIO_ACCESS_KEY` with `MINIO_SECRET_KEY`, or `MINIO_ROOT_USER` with `MINIO_ROOT_PASSWORD`.
    pub minio: Option<AccessKeys>,
    /// `AWS_REGION` or `AWS_DEFAULT_REGION`.
    pub region: Option<String>,
    /// `AWS_PROFILE`: the profile of AWS's shared files.
    pub profile: Option<String>,
    /// `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`: where `s3:///bucket` is.
    pub endpoint: Option<String>,
}

impl ObjectStoreEnvironment {
    /// Reads variables through `lookup`; empty ones count as missing.
    ///
    /// # Errors
    /// [`Error::InvalidLocation`] when one key of a pair is missing.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<ObjectStoreEnvironment> {
        let first = |names: &[&str]| names.iter().find_map(|name| lookup(name).filter(|text| !text.is_empty()));
        let keys = |of: &str, id: &[&str], secret: &[&str], token: &[&str]| {
            AccessKeys::from_fields(first(id), first(secret), first(token)).map_err(|err| Error::InvalidLocation {
                location: format!("the keys in the environment for {of}"),
                reason: err.to_string(),
            })
        };
        Ok(ObjectStoreEnvironment {
            aws: keys(
                "s3://",
                &["AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"],
                &["AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"],
                &["AWS_SESSION_TOKEN"],
            )?,
            minio: keys(
                "minio://",
                &["MINIO_ACCESS_KEY", "MINIO_ROOT_USER"],
                &["MINIO_SECRET_KEY", "MINIO_ROOT_PASSWORD"],
                &[],
            )?,
            region: first(&["AWS_REGION", "AWS_DEFAULT_REGION"]),
            profile: first(&["AWS_PROFILE"]),
            endpoint: first(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]),
        })
    }
}

const NOT_LENT: &str =
    "this node lends its own credentials to no request (shared-instance); give accessKey and secretKey, or anonymous";

/// Opens places. Clones share their options.
#[derive(Clone, Debug, Default)]
pub struct Locations {
    options: Arc<LocationOptions>,
}

impl Locations {
    /// Opens places with `options`.
    pub fn new(options: LocationOptions) -> Locations {
        Locations { options: Arc::new(options) }
    }

    /// The place that a request means, without touching it.
    ///
    /// # Errors
    /// [`Error::InvalidLocation`], [`Error::NotAllowed`].
    pub fn resolve(&self, request: &LocationRequest) -> Result<Location> {
        let location = match (&request.location, &self.options.default) {
            (Some(text), _) if !text.trim().is_empty() => Location::parse(text)?,
            (_, Some(default)) => default.clone(),
            _ => return Err(Error::NoDefault),
        };
        self.check(&location)?;
        Ok(location)
    }

    /// Whether a place is allowed, wherever the environment puts it.
    fn check(&self, location: &Location) -> Result<()> {
        if let Location::Bucket(bucket) = location {
            let refuse = |reason: String| Error::InvalidLocation { location: location.to_string(), reason };
            if let Some(moved) = s3::moved_by_environment(bucket, &self.options.environment).map_err(refuse)? {
                return self.options.policy.check(&Location::Bucket(moved));
            }
        }
        self.options.policy.check(location)
    }

    /// As [`Locations::resolve`], with symbolic links on the way to a directory followed as far as the policy asks for it.
    async fn follow(&self, request: &LocationRequest) -> Result<Location> {
        let location = self.resolve(request)?;
        let (options, place) = (Arc::clone(&self.options), location.clone());
        let attempt = Attempt::on_all("look for", &location.to_string());
        run_blocking(&attempt, move || options.policy.check_links(&place)).await?;
        Ok(location)
    }

    /// Opens a place to write to it. A directory need not exist if its parent does: the first write creates it, and until then it is
    /// empty. A bucket must exist.
    ///
    /// # Errors
    /// [`Error::InvalidLocation`], [`Error::NotAllowed`], [`Error::NoLocation`], [`Error::NotADirectory`], [`Error::Denied`].
    pub async fn open(&self, request: &LocationRequest) -> Result<Arc<dyn Destination>> {
        match self.follow(request).await? {
            Location::File(root) => Ok(Arc::new(FileDestination::open_or_create(root).await?)),
            Location::Bucket(bucket) => self.open_bucket(&bucket, request.credentials.as_ref()).await,
        }
    }

    /// Opens a place to read from it. It must exist: a misspelt location is an error, not an empty destination.
    ///
    /// # Errors
    /// As [`Locations::open`].
    pub async fn open_existing(&self, request: &LocationRequest) -> Result<Arc<dyn Destination>> {
        match self.follow(request).await? {
            Location::File(root) => Ok(Arc::new(FileDestination::open(root).await?)),
            Location::Bucket(bucket) => self.open_bucket(&bucket, request.credentials.as_ref()).await,
        }
    }

    /// Tries what a place can do for whoever asks. Writes some tiny objects and removes them.
    ///
    /// # Errors
    /// As [`Locations::open`]; what the place itself refuses is in the report.
    pub async fn probe(&self, request: &LocationRequest) -> Result<ProbeReport> {
        match self.follow(request).await? {
            Location::File(root) => Ok(probe_directory(&FileDestination::open(root).await?).await),
            Location::Bucket(bucket) => {
                let client = self.bucket_client(&bucket, request.credentials.as_ref()).await?;
                let folder = bucket.prefix.as_ref().map(|prefix| format!("{prefix}/")).unwrap_or_default();
                Ok(probe_bucket(&*client, bucket.to_string(), &folder).await)
            }
        }
    }

    async fn open_bucket(
        &self,
        bucket: &BucketLocation,
        credentials: Option<&Credentials>,
    ) -> Result<Arc<dyn Destination>> {
        let client = self.bucket_client(bucket, credentials).await?;
        Ok(Arc::new(BucketDestination::new(client, bucket, self.options.bucket.clone())))
    }

    async fn bucket_client(
        &self,
        bucket: &BucketLocation,
        credentials: Option<&Credentials>,
    ) -> Result<Arc<dyn BucketClient>> {
        if self.options.request_credentials_only && credentials.is_none() {
            return Err(Error::NotAllowed { location: bucket.to_string(), why: NOT_LENT.into() });
        }
        match bucket.scheme {
            BucketScheme::S3 => s3::connect(bucket, credentials, &self.options).await,
            BucketScheme::Minio => minio::connect(bucket, credentials, &self.options),
        }
    }
}
