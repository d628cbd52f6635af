//! Where requests go, and for which region they are signed.

use aws_config::meta::region::ProvideRegion;
use aws_config::profile::ProfileFileRegionProvider;
use url::Url;

use super::identity::shared_files;
use crate::location::BucketLocation;
use crate::locations::{LocationOptions, ObjectStoreEnvironment};

/// Where to begin at AWS: its oldest region, which knows where every bucket is. Stores that have no regions take it too.
const FIRST_REGION: &str = "us-east-1";
/// The name of any region at Google.
const GOOGLE_REGION: &str = "auto";
const GOOGLE: &str = "storage.googleapis.com";

/// A store.
#[derive(Debug)]
pub(super) struct Place {
    host: Host,
    /// As a location, an option, the environment or a profile states it.
    stated_region: Option<String>,
}

#[derive(Debug)]
enum Host {
    /// The host is made of the region.
    Aws { secure: bool },
    /// Called as it is.
    Named { url: String, name: String },
}

impl Place {
    /// The place of a bucket.
    ///
    /// # Errors
    /// Why the endpoint of the environment cannot be used, in words.
    pub(super) async fn find(at: &BucketLocation, options: &LocationOptions) -> Result<Place, String> {
        let host = Host::find(at, &options.environment)?;
        if let Host::Named { name, .. } = &host {
            options.policy.check_host(name)?;
        }
        let stated = at.region.clone().or_else(|| host.region());
        let stated_region = match stated.or_else(|| options.region.clone()).or(options.environment.region.clone()) {
            Some(region) => Some(region),
            None => region_of_profile(options).await,
        };
        Ok(Place { host, stated_region })
    }

    /// The region that is stated, or where to begin.
    pub(super) fn region(&self) -> &str {
        let guess = match &self.host {
            Host::Named { name, .. } if name == GOOGLE => GOOGLE_REGION,
            _ => FIRST_REGION,
        };
        self.stated_region.as_deref().unwrap_or(guess)
    }

    /// Whether a region that a store names is to be believed: it was not stated, and the text can be nothing but a region, as it may
    /// become a part of a host.
    pub(super) fn may_move_to(&self, region: &str) -> bool {
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        self.stated_region.is_none() && (1..=40).contains(&region.len()) && region.bytes().all(is_name)
    }

    /// The endpoint, if it is not the SDK's to choose.
    pub(super) fn url(&self, region: &str) -> Option<String> {
        match &self.host {
            Host::Aws { secure: true } => None,
            Host::Aws { secure: false } => {
                let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
                Some(format!("http://s3.{region}.amazonaws.com{suffix}"))
            }
            Host::Named { url, .. } => Some(url.clone()),
        }
    }

    /// Whether the bucket goes into the path rather than in front of the host.
    pub(super) fn bucket_in_path(&self) -> bool {
        match &self.host {
            Host::Aws { .. } => false,
            Host::Named { name, .. } => !is_of_aws(name),
        }
    }
}

impl Host {
    fn find(at: &BucketLocation, environment: &ObjectStoreEnvironment) -> Result<Host, String> {
        match (&at.endpoint, environment_endpoint(at, environment)?) {
            (Some(endpoint), _) => {
                let scheme = if at.secure { "https" } else { "http" };
                Ok(Host::Named { url: format!("{scheme}://{endpoint}"), name: endpoint.host.clone() })
            }
            (None, Some(url)) => {
                let name = url.host_str().unwrap_or_default().to_owned();
                Ok(Host::Named { url: url.as_str().trim_end_matches('/').to_owned(), name })
            }
            (None, None) => Ok(Host::Aws { secure: at.secure }),
        }
    }

    /// The region in a host of AWS, such as `s3.dualstack.us-west-2.amazonaws.com`.
    fn region(&self) -> Option<String> {
        match self {
            Host::Named { name, .. } if is_of_aws(name) => {
                name.split('.').find(|label| is_region(label)).map(str::to_owned)
            }
            _ => None,
        }
    }
}

/// Where the environment says that `s3:///bucket` is. A location that names a host or a region is not moved.
///
/// # Errors
/// What is wrong with the text, in words.
pub(crate) fn environment_endpoint(
    at: &BucketLocation,
    environment: &ObjectStoreEnvironment,
) -> Result<Option<Url>, String> {
    let Some(text) = environment.endpoint.as_ref().filter(|_| at.endpoint.is_none() && at.region.is_none()) else {
        return Ok(None);
    };
    let refuse = |why: &str| format!("AWS_ENDPOINT_URL_S3 (or AWS_ENDPOINT_URL) {why}; write https://host:port");
    let url = Url::parse(text).map_err(|err| refuse(&format!("is not a URL ({err})")))?;
    match url.scheme() {
        "http" | "https" if !url.username().is_empty() || url.password().is_some() => {
            Err(refuse("carries credentials"))
        }
        "http" | "https" if url.query().is_some() || url.fragment().is_some() => Err(refuse("has more than a path")),
        "http" | "https" => Ok(Some(url)),
        _ => Err(refuse("is neither http nor https")),
    }
}

async fn region_of_profile(options: &LocationOptions) -> Option<String> {
    let mut provider = ProfileFileRegionProvider::builder().profile_files(shared_files(options, true));
    if let Some(profile) = options.profile.as_ref().or(options.environment.profile.as_ref()) {
        provider = provider.profile_name(profile);
    }
    provider.build().region().await.map(|region| region.as_ref().to_owned())
}

fn is_of_aws(host: &str) -> bool {
    host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn")
}

/// `us-west-2`, `us-gov-east-1`: a short place, directions, a number.
fn is_region(label: &str) -> bool {
    let parts = label.split('-').collect::<Vec<_>>();
    match parts.as_slice() {
        [place, directions @ .., number] => {
            place.len() == 2
                && !directions.is_empty()
                && directions.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase()))
                && !number.is_empty()
                && number.bytes().all(|b| b.is_ascii_digit())
        }
        _ => false,
    }
}
