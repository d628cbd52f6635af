//! Where requests go, and for which region they are signed.

use aws_config::meta::region::ProvideRegion;
use aws_config::profile::ProfileFileRegionProvider;
use url::Url;

use super::identity::shared_files;
use crate::location::{BucketLocation, BucketScheme, Endpoint};
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
    /// The place of a bucket, which the policy has allowed by its text.
    ///
    /// # Errors
    /// Why the endpoint of the environment cannot be used, in words.
    pub(super) async fn find(at: &BucketLocation, options: &LocationOptions) -> Result<Place, String> {
        let host = Host::of(moved_by_environment(at, &options.environment)?.as_ref().unwrap_or(at));
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
    fn of(at: &BucketLocation) -> Host {
        match &at.endpoint {
            None => Host::Aws { secure: at.secure },
            Some(endpoint) => {
                let scheme = if at.secure { "https" } else { "http" };
                Host::Named { url: format!("{scheme}://{endpoint}"), name: endpoint.host.clone() }
            }
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

/// The location that is meant where the environment says where `s3:///bucket` is. A location that names a host or a region is not moved.
///
/// # Errors
/// What is wrong with the endpoint of the environment, in words.
pub(crate) fn moved_by_environment(
    at: &BucketLocation,
    environment: &ObjectStoreEnvironment,
) -> Result<Option<BucketLocation>, String> {
    let is_open = at.scheme == BucketScheme::S3 && at.endpoint.is_none() && at.region.is_none();
    let Some(text) = environment.endpoint.as_ref().filter(|_| is_open) else { return Ok(None) };
    let refuse = |why: &str| format!("AWS_ENDPOINT_URL_S3 (or AWS_ENDPOINT_URL) {why}; write https://host:port");
    let url = Url::parse(text).map_err(|err| refuse(&format!("is not a URL ({err})")))?;
    let bare = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.path() == "/";
    match (url.scheme(), url.host_str()) {
        ("http" | "https", Some(host)) if bare => {
            let endpoint = Some(Endpoint { host: host.to_owned(), port: url.port() });
            Ok(Some(BucketLocation { endpoint, secure: url.scheme() == "https", ..at.clone() }))
        }
        ("http" | "https", Some(_)) => Err(refuse("has more than a host and a port")),
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used)]

    use super::*;
    use crate::Location;

    fn at(text: &str) -> BucketLocation {
        match Location::parse(text).unwrap() {
            Location::Bucket(at) => at,
            other => panic!("{other}"),
        }
    }

    /// A node whose profile has no region.
    fn options() -> LocationOptions {
        LocationOptions { profile: Some("nobody has this profile".into()), ..LocationOptions::default() }
    }

    #[tokio::test]
    async fn a_host_says_how_it_is_called_and_which_region_it_is_in() {
        for (text, url, in_path, region, stated) in [
            ("s3:///b", None, false, "us-east-1", false),
            ("s3://s3.eu-west-3.amazonaws.com/b", None, false, "eu-west-3", true),
            (
                "s3://s3.eu-west-3.amazonaws.com/b?secure=false",
                Some("http://s3.eu-west-3.amazonaws.com"),
                false,
                "eu-west-3",
                true,
            ),
            (
                "s3://s3-accelerate.amazonaws.com/b",
                Some("https://s3-accelerate.amazonaws.com"),
                false,
                "us-east-1",
                false,
            ),
            (
                "s3://s3.dualstack.us-west-2.amazonaws.com/b",
                Some("https://s3.dualstack.us-west-2.amazonaws.com"),
                false,
                "us-west-2",
                true,
            ),
            (
                "s3://s3-fips.us-gov-east-1.amazonaws.com/b",
                Some("https://s3-fips.us-gov-east-1.amazonaws.com"),
                false,
                "us-gov-east-1",
                true,
            ),
            (
                "s3://s3.cn-north-1.amazonaws.com.cn/b",
                Some("https://s3.cn-north-1.amazonaws.com.cn"),
                false,
                "cn-north-1",
                true,
            ),
            ("s3://storage.googleapis.com/b", Some("https://storage.googleapis.com"), true, "auto", false),
            ("s3://store.example/b", Some("https://store.example"), true, "us-east-1", false),
            ("s3://localhost:9000/b?secure=false", Some("http://localhost:9000"), true, "us-east-1", false),
            ("s3://[::1]:9000/b?secure=false", Some("http://[::1]:9000"), true, "us-east-1", false),
            ("s3://notamazonaws.com/b", Some("https://notamazonaws.com"), true, "us-east-1", false),
        ] {
            let place = Place::find(&at(text), &options()).await.unwrap();
            assert_eq!(place.url(place.region()).as_deref(), url, "{text}");
            assert_eq!((place.bucket_in_path(), place.region()), (in_path, region), "{text}");
            assert_eq!(place.may_move_to("eu-north-1"), !stated, "{text}");
        }
    }

    #[tokio::test]
    async fn the_region_is_that_of_the_host_then_the_option_then_the_environment_then_the_profile() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "[default]\nregion = af-south-1\n[ops]\nregion = ca-west-1\n").unwrap();
        let mut options =
            LocationOptions { credential_file: Some(file.path().to_owned()), ..LocationOptions::default() };
        let region = async |text: &str, options: &LocationOptions| {
            Place::find(&at(text), options).await.unwrap().region().to_owned()
        };
        assert_eq!(region("s3:///b", &options).await, "af-south-1");
        options.profile = Some("ops".into());
        assert_eq!(region("s3:///b", &options).await, "ca-west-1");
        options.environment.region = Some("eu-central-1".into());
        assert_eq!(region("s3:///b", &options).await, "eu-central-1");
        options.region = Some("eu-south-1".into());
        assert_eq!(region("s3:///b", &options).await, "eu-south-1");
        assert_eq!(region("s3://s3.us-west-2.amazonaws.com/b", &options).await, "us-west-2");
    }

    #[test]
    fn a_told_region_can_be_nothing_but_a_region() {
        let place = Place { host: Host::Aws { secure: true }, stated_region: None };
        assert!(place.may_move_to("ap-northeast-3"));
        for text in ["", "evil.example/", "us-west-2.evil.example", "US-WEST-2", "a b", &"x".repeat(41)] {
            assert!(!place.may_move_to(text), "{text:?}");
        }
    }

    #[test]
    fn the_environment_moves_only_locations_without_a_host() {
        let environment = |endpoint: &str| ObjectStoreEnvironment {
            endpoint: Some(endpoint.into()),
            ..ObjectStoreEnvironment::default()
        };
        let moved = |text: &str, endpoint: &str| moved_by_environment(&at(text), &environment(endpoint));
        let there = moved("s3:///b/folder", "http://store.example:9000/").unwrap().unwrap();
        assert_eq!((there.to_string().as_str(), there.secure), ("s3://store.example:9000/b/folder", false));
        assert!(moved("s3:///b", "https://store.example").unwrap().unwrap().secure);
        for text in ["s3://s3.us-west-2.amazonaws.com/b", "s3://other.example/b", "minio://other.example/b"] {
            assert_eq!(moved(text, "http://store.example"), Ok(None), "{text}");
        }
        for endpoint in
            ["store.example", "ftp://store.example", "https://a:canary@store.example", "https://s.example/base"]
        {
            let refusal = moved("s3:///b", endpoint).unwrap_err();
            assert!(refusal.contains("AWS_ENDPOINT_URL") && !refusal.contains("canary"), "{refusal}");
        }
    }
}
