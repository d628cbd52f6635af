//! Who a node is at a store.

mod profile;

use s3::creds::Credentials as SigningCredentials;

use crate::credentials::{AccessKeys, Credentials};
use crate::locations::LocationOptions;

const ADVICE: &str = "no credentials were found for it: give accessKey and secretKey (or anonymous) in the request, \
    start with --backup-credential FILE, or set MINIO_ACCESS_KEY and MINIO_SECRET_KEY, \
    or MINIO_ROOT_USER and MINIO_ROOT_PASSWORD";

/// Keys, or none for an anonymous caller, and where they come from.
pub(super) struct Identity {
    keys: Option<AccessKeys>,
    /// In words, without a part of a secret.
    pub(super) source: String,
}

impl Identity {
    /// The first of: the request, the credential file, the environment.
    ///
    /// # Errors
    /// What is missing or wrong, as a part of a sentence. A file that is named must be right: the next source is not asked instead.
    pub(super) fn find(request: Option<&Credentials>, options: &LocationOptions) -> Result<Identity, String> {
        let identity = |keys: AccessKeys, source: String| Identity { keys: Some(keys), source };
        match request {
            Some(Credentials::Anonymous) => return Ok(Identity { keys: None, source: "none (anonymous)".into() }),
            Some(Credentials::Keys(keys)) => return Ok(identity(keys.clone(), "the request".into())),
            None => {}
        }
        if let Some(path) = &options.credential_file {
            let name = options.profile.as_deref().unwrap_or(profile::DEFAULT);
            let keys = profile::read(path, name)?;
            return Ok(identity(keys, format!("profile {name:?} of {}", path.display())));
        }
        match &options.environment.minio {
            Some(keys) => Ok(identity(keys.clone(), "the environment (MINIO_…)".into())),
            None => Err(ADVICE.into()),
        }
    }

    /// Whether the keys end with a session, and nobody renews them.
    pub(super) fn is_session(&self) -> bool {
        self.keys.as_ref().is_some_and(|keys| keys.session_token.is_some())
    }

    /// As rust-s3 takes them: from here on in its memory, which it does not overwrite.
    ///
    /// # Errors
    /// None that is known, as keys are given in full.
    pub(super) fn for_signing(&self) -> Result<SigningCredentials, String> {
        let found = match &self.keys {
            None => SigningCredentials::anonymous(),
            Some(keys) => SigningCredentials::new(
                Some(&keys.access_key),
                Some(keys.secret_key.expose()),
                None,
                keys.session_token.as_ref().map(|token| token.expose()),
                None,
            ),
        };
        found.map_err(|err| err.to_string())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used)]

    use graphdb_types::Secret;

    use super::*;

    fn keys(of: &str) -> AccessKeys {
        AccessKeys { access_key: of.into(), secret_key: Secret::new(format!("canary-{of}")), session_token: None }
    }

    fn found(request: Option<&Credentials>, options: &LocationOptions) -> (Option<String>, String) {
        let identity = Identity::find(request, options).unwrap();
        assert!(!identity.source.contains("canary"));
        (identity.keys.map(|keys| keys.access_key), identity.source)
    }

    #[test]
    fn the_request_goes_before_the_file_and_the_file_before_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("credentials");
        std::fs::write(&file, "[ops]\naws_access_key_id = file\naws_secret_access_key = canary-file\n").unwrap();
        let mut options = LocationOptions::default();
        assert!(Identity::find(None, &options).is_err_and(|why| why.contains("MINIO_ROOT_USER")));

        options.environment.aws = Some(keys("aws"));
        assert!(Identity::find(None, &options).is_err(), "the keys of AWS are not for other hosts");
        options.environment.minio = Some(keys("environment"));
        assert_eq!(found(None, &options).0.unwrap(), "environment");

        options.credential_file = Some(file.clone());
        let missing = Identity::find(None, &options).err().unwrap();
        assert!(missing.contains("\"default\"") && missing.contains(&*file.to_string_lossy()), "{missing}");
        options.profile = Some("ops".into());
        let (id, source) = found(None, &options);
        assert_eq!((id.unwrap(), source), ("file".into(), format!("profile \"ops\" of {}", file.display())));

        assert_eq!(found(Some(&Credentials::Keys(keys("request"))), &options).0.unwrap(), "request");
        assert_eq!(found(Some(&Credentials::Anonymous), &options).0, None);
    }
}
