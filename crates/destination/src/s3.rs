//! `s3://`, on AWS's own SDK.
//!
//! # Where
//! - `s3:///bucket` and `s3://s3.<region>.amazonaws.com/bucket` are AWS. Buckets are addressed by host name where their name allows it.
//!   `AWS_ENDPOINT_URL_S3` (or `AWS_ENDPOINT_URL`) puts `s3:///bucket` elsewhere.
//! - Other hosts of AWS (dual-stack, accelerated, FIPS, China, VPC endpoints) are called as they are written, the bucket in front.
//! - Every other host is called with the bucket in the path, which all stores understand; Google Cloud Storage is one of them.
//!
//! The region is that of the host, or else of `--backup-region`, of `AWS_REGION` or `AWS_DEFAULT_REGION`, or of the profile. When none of
//! them says, requests begin in `us-east-1` (`auto` for Google), and when the store answers with the region of the bucket, the client goes
//! there, once, and says so. A region that was stated and is wrong is an error that names the right one.
//!
//! # Who
//! The first of these that has credentials signs; the later ones are not asked:
//!
//! 1. The request: `anonymous: true` (nothing is signed), or `accessKey`, `secretKey` and perhaps `sessionToken`.
//! 2. What the node was started with: a profile (`default` if none is named) of `--backup-credential FILE`, or a named profile of AWS's
//!    shared files. A file or profile that is missing is an error.
//! 3. The environment: `AWS_ACCESS_KEY_ID` or `AWS_ACCESS_KEY`, with `AWS_SECRET_ACCESS_KEY` or `AWS_SECRET_KEY`, and `AWS_SESSION_TOKEN`.
//! 4. AWS's shared files (`~/.aws/credentials` and `~/.aws/config`, or `AWS_SHARED_CREDENTIALS_FILE` and `AWS_CONFIG_FILE`): the profile
//!    `AWS_PROFILE`, or `default`. Keys, `role_arn` with `source_profile` or `credential_source`, web identity, and `credential_process`
//!    work; single sign-on does not.
//! 5. Web identity, as EKS sets it up: `AWS_WEB_IDENTITY_TOKEN_FILE` and `AWS_ROLE_ARN`.
//! 6. The container: `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or `AWS_CONTAINER_CREDENTIALS_FULL_URI` (ECS, EKS Pod Identity).
//! 7. The instance: EC2's metadata service in its second version, unless `AWS_EC2_METADATA_DISABLED` is `true`.
//!
//! If nobody has any, opening the place fails and tells what each of them said. Nothing is sent unsigned unless the request says
//! `anonymous: true`. Credentials that expire are fetched anew a minute before, in the middle of an upload too; credentials without a date
//! are read again every quarter of an hour.
//!
//! # How
//! One call is one request: retries and their times are up to [`crate::BucketDestination`]. Bodies are sent whole, with `Content-MD5` and a
//! signature over their SHA-256; there are neither trailing checksums nor `aws-chunked` bodies, which some stores do not know. The
//! clock is not corrected by what a store says: one that is wrong is named. Redirects are not followed, and proxies in the environment
//! (`HTTPS_PROXY`) are not used. Connections go to addresses that the [policy](crate::Policy) allows. TLS trusts the roots of the system,
//! or of `SSL_CERT_FILE` and `SSL_CERT_DIR`.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Builder, IdentityCache, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::bucket::{Answer, BucketClient, Class, Refusal};
use crate::credentials::Credentials;
use crate::location::BucketLocation;
use crate::locations::LocationOptions;
use crate::{Error, Result};

mod http;
mod identity;
mod place;
mod refused;
mod requests;
mod trace;

use identity::Identity;
use place::Place;
pub(crate) use place::moved_by_environment;

#[cfg(test)]
mod tests;

/// How long a connection may take to be made, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// No request takes as long: 5 GiB, the largest body that S3 takes, at 1.5 MB/s. Requests are timed elsewhere; this is for what is
/// forgotten there.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3600);
/// How long fetching credentials may take. A metadata service is asked three times, each for a second or two.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(30);
/// How long before they expire credentials are fetched anew. The SDK shortens it by up to a half, at random.
const CREDENTIALS_RESERVE: Duration = Duration::from_secs(60);

/// Connects to a bucket, without a request to it yet.
///
/// # Errors
/// [`Error::InvalidLocation`] when there are no credentials, or the endpoint of the environment cannot be used.
pub(crate) async fn connect(
    at: &BucketLocation,
    credentials: Option<&Credentials>,
    options: &LocationOptions,
) -> Result<Arc<dyn BucketClient>> {
    Ok(Arc::new(S3Client::connect(at, credentials, options).await?))
}

/// A bucket of S3, or of a store that speaks as S3 does.
struct S3Client {
    bucket: String,
    place: Place,
    identity: Identity,
    /// Everything but the region.
    config: Builder,
    /// In the region that was stated, or guessed.
    first: Client,
    /// In the region that the store named, if it was guessed wrong.
    home: OnceLock<Client>,
}

impl S3Client {
    async fn connect(
        at: &BucketLocation,
        credentials: Option<&Credentials>,
        options: &LocationOptions,
    ) -> Result<S3Client> {
        let refuse = |reason: String| Error::InvalidLocation { location: at.to_string(), reason };
        let place = Place::find(at, options).await.map_err(refuse)?;
        let identity = Identity::find(credentials, options, place.region());
        identity.check().await.map_err(refuse)?;
        let mut config = config().http_client(http::client(&options.policy));
        config = match &identity {
            Identity::Anonymous => config.allow_no_auth(),
            Identity::Signed(sources) => config.credentials_provider(sources.clone()),
        };
        if at.trace {
            config = config.interceptor(trace::Trace);
        }
        let config = config.force_path_style(place.bucket_in_path());
        let first = client_in(&config, &place, place.region());
        Ok(S3Client { bucket: at.bucket.clone(), place, identity, config, first, home: OnceLock::new() })
    }

    /// Sends a request. If the store names another region than the one that was guessed, the request is sent there once more.
    async fn ask<T, E, F>(&self, send: impl Fn(&Client) -> F) -> Answer<T>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let client = self.home.get().unwrap_or(&self.first);
        let refusal = match send(client).await {
            Ok(answer) => return Ok(answer),
            Err(err) => self.refusal(err),
        };
        match self.home_of(&refusal.class) {
            Some(home) if !std::ptr::eq(home, client) => send(home).await.map_err(|err| self.refusal(err)),
            _ => Err(refusal),
        }
    }

    fn refusal<E>(&self, err: SdkError<E, HttpResponse>) -> Refusal
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let refusal = refused::refusal(err);
        if self.identity.is_session() { refusal.of_session() } else { refusal }
    }

    /// The client in the region that the store named, unless the region was stated.
    fn home_of(&self, class: &Class) -> Option<&Client> {
        match class {
            Class::WrongRegion(Some(region)) if self.place.may_move_to(region) => Some(self.home.get_or_init(|| {
                tracing::info!(bucket = %self.bucket, region, "the bucket's region; state it to spare the detour (--backup-region)");
                client_in(&self.config, &self.place, region)
            })),
            _ => None,
        }
    }
}

/// What all places have in common.
fn config() -> Builder {
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(REQUEST_TIMEOUT);
    let identities = IdentityCache::lazy().load_timeout(CREDENTIALS_TIMEOUT).buffer_time(CREDENTIALS_RESERVE);
    Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts.build())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .identity_cache(identities.build())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .disable_clock_skew_correction(true)
}

fn client_in(config: &Builder, place: &Place, region: &str) -> Client {
    let mut config = config.clone().region(Region::new(region.to_owned()));
    config.set_endpoint_url(place.url(region));
    Client::from_conf(config.build())
}

impl fmt::Debug for S3Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Client").field("bucket", &self.bucket).field("place", &self.place).finish_non_exhaustive()
    }
}
