//! Whose requests they are. The order is that of the module above.

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_credential_types::Credentials as Keys;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, future};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_sdk_s3::config::Region;

use super::refused;
use crate::credentials::{AccessKeys, Credentials};
use crate::locations::LocationOptions;

/// The profile that is meant when none is named, as with AWS's own tools.
const DEFAULT_PROFILE: &str = "default";

/// Who sends requests.
#[derive(Debug)]
pub(super) enum Identity {
    /// Nobody.
    Anonymous,
    /// Whoever the sources name.
    Signed(Sources),
}

impl Identity {
    /// Who is meant. Asks nobody yet. `region` is where roles are assumed.
    pub(super) fn find(credentials: Option<&Credentials>, options: &LocationOptions, region: &str) -> Identity {
        let given = |name: &str, keys: &AccessKeys| {
            vec![Source { is_session: keys.session_token.is_some(), ..Source::new(name, keys_of(keys)) }]
        };
        let config = ProviderConfig::without_region().with_region(Some(Region::new(region.to_owned())));
        let sources = match credentials {
            Some(Credentials::Anonymous) => return Identity::Anonymous,
            Some(Credentials::Keys(keys)) => given("the request", keys),
            None => match (named_profile(options, &config), &options.environment.aws) {
                (Some(profile), _) => vec![profile],
                (None, Some(keys)) => given("environment AWS_ACCESS_KEY_ID", keys),
                (None, None) => sources_of_aws(options, &config),
            },
        };
        Identity::Signed(Sources { sources: sources.into(), used: Arc::default() })
    }

    /// Asks once. Fails only if asking again cannot help.
    ///
    /// # Errors
    /// Why there are no credentials, in words.
    pub(super) async fn check(&self) -> Result<(), String> {
        match self {
            Identity::Anonymous => Ok(()),
            Identity::Signed(sources) => match sources.load().await {
                Err(err) if refused::is_final(&err) => Err(refused::why_no_credentials(&err)),
                _ => Ok(()),
            },
        }
    }

    /// Whether the keys end with a session, and nobody renews them.
    pub(super) fn is_session(&self) -> bool {
        matches!(self, Identity::Signed(sources) if sources.sources.iter().any(|source| source.is_session))
    }

    /// Which source gave credentials, in words. Never a part of a secret.
    pub(super) async fn source(&self) -> String {
        match self {
            Identity::Anonymous => "anonymous".into(),
            Identity::Signed(sources) => sources.name().await,
        }
    }
}

/// Where credentials may come from, asked in order until one has some. Clones are one.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    sources: Arc<[Source]>,
    /// Which one had some.
    used: Arc<Mutex<Option<String>>>,
}

impl Sources {
    async fn load(&self) -> provider::Result {
        let mut missing = Vec::new();
        for source in self.sources.iter() {
            match source.provider.provide_credentials().await {
                Ok(keys) => {
                    *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Some(source.name.clone());
                    return Ok(keys);
                }
                Err(err) if source.is_guess || matches!(err, CredentialsError::CredentialsNotLoaded(_)) => {
                    missing.push(format!("{}: {}", source.name, said(&err)));
                }
                Err(err) => return Err(source.failed(&err)),
            }
        }
        Err(CredentialsError::not_loaded(NoCredentials { missing }))
    }

    async fn name(&self) -> String {
        let used = || self.used.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if used().is_none()
            && let Err(err) = self.load().await
        {
            return refused::why_no_credentials(&err);
        }
        used().unwrap_or_else(|| "none".into())
    }
}

/// What a source without credentials said, as a part of a sentence.
fn said(err: &CredentialsError) -> String {
    match err.source() {
        Some(_) => refused::causes(err).trim_end_matches('.').to_owned(),
        None => "there are none".into(),
    }
}

impl ProvideCredentials for Sources {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.load())
    }
}

/// One place that may have credentials.
#[derive(Debug)]
struct Source {
    /// As it is shown.
    name: String,
    provider: Box<dyn ProvideCredentials>,
    /// Whether nobody said that there is anything: where it cannot be reached, there is nothing.
    is_guess: bool,
    /// Whether it gives the keys of one session, always the same.
    is_session: bool,
}

impl Source {
    fn new(name: impl Into<String>, provider: impl ProvideCredentials + 'static) -> Source {
        Source { name: name.into(), provider: Box::new(provider), is_guess: false, is_session: false }
    }

    /// The failure, with the name of who failed.
    fn failed(&self, err: &CredentialsError) -> CredentialsError {
        let why = format!("{}: {}", self.name, refused::causes(err));
        if refused::is_final(err) {
            CredentialsError::invalid_configuration(why)
        } else {
            CredentialsError::provider_error(why)
        }
    }
}

/// A profile, read anew each time: files are replaced while an upload runs, and the SDK's own provider would not notice.
#[derive(Debug)]
struct Profile {
    files: EnvConfigFiles,
    name: String,
    config: ProviderConfig,
}

impl ProvideCredentials for Profile {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let provider = ProfileFileCredentialsProvider::builder()
            .configure(&self.config)
            .profile_files(self.files.clone())
            .profile_name(&self.name)
            .build();
        future::ProvideCredentials::new(async move { provider.provide_credentials().await })
    }
}

/// The profile that the node was told to use, and nothing else if it was.
fn named_profile(options: &LocationOptions, config: &ProviderConfig) -> Option<Source> {
    if options.credential_file.is_none() && options.profile.is_none() {
        return None;
    }
    let name = options.profile.as_deref().unwrap_or(DEFAULT_PROFILE).to_owned();
    let shown = name_of_profile(&name, options.credential_file.as_deref());
    Some(Source::new(shown, Profile { files: shared_files(options, false), name, config: config.clone() }))
}

/// What AWS's own tools look at after the environment, in their order.
fn sources_of_aws(options: &LocationOptions, config: &ProviderConfig) -> Vec<Source> {
    let name = options.environment.profile.as_deref().unwrap_or(DEFAULT_PROFILE).to_owned();
    let shown = name_of_profile(&name, None);
    vec![
        Source::new(shown, Profile { files: EnvConfigFiles::default(), name, config: config.clone() }),
        Source::new("web identity", WebIdentityTokenCredentialsProvider::builder().configure(config).build()),
        Source::new("container metadata", EcsCredentialsProvider::builder().configure(config).build()),
        Source {
            is_guess: true,
            ..Source::new("instance metadata", ImdsCredentialsProvider::builder().configure(config).build())
        },
    ]
}

/// The files that profiles are read from: the one that the node was told to use, or AWS's own. A region may also stand in AWS's own
/// `config`, beside the file.
pub(super) fn shared_files(options: &LocationOptions, for_region: bool) -> EnvConfigFiles {
    match &options.credential_file {
        None => EnvConfigFiles::default(),
        Some(path) => EnvConfigFiles::builder()
            .include_default_config_file(for_region)
            .with_file(EnvConfigFileKind::Credentials, path)
            .build(),
    }
}

fn name_of_profile(profile: &str, file: Option<&Path>) -> String {
    match file {
        Some(path) => format!("profile \"{profile}\" of {}", path.display()),
        None => format!("profile \"{profile}\" of AWS's shared files"),
    }
}

fn keys_of(keys: &AccessKeys) -> Keys {
    let token = keys.session_token.as_ref().map(|token| token.expose().to_owned());
    Keys::new(&keys.access_key, keys.secret_key.expose(), token, None, "given")
}

/// Nobody has credentials.
#[derive(Debug)]
struct NoCredentials {
    /// Who was asked, and what each said.
    missing: Vec<String>,
}

impl fmt::Display for NoCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.missing.as_slice() {
            [only] => f.write_str(only),
            all => write!(
                f,
                "neither the request nor the environment has any; {}; give some, or say anonymous: true if the bucket is public",
                all.join("; ")
            ),
        }
    }
}

impl Error for NoCredentials {}
