use std::fmt;

use graphdb_types::Secret;

/// Who a request wants to be at an object store, if not who the node is.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// Nobody: requests are not signed.
    Anonymous,
    /// The owner of these keys.
    Keys(AccessKeys),
}

/// A pair of keys, and the token of a session if they are short-lived.
#[derive(Clone)]
pub struct AccessKeys {
    /// Names the keys; not secret, and yet shown nowhere.
    pub access_key: String,
    /// Signs requests.
    pub secret_key: Secret,
    /// Proves that short-lived keys are still good.
    pub session_token: Option<Secret>,
}

/// Credentials of which a part is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{missing} is missing: an access key and a secret key are given together, and a session token only with both")]
pub struct HalfCredentials {
    /// The field that is missing.
    pub missing: &'static str,
}

impl Credentials {
    /// Reads the four fields of a request; empty ones count as missing. `anonymous` wins over the others.
    ///
    /// # Errors
    /// [`HalfCredentials`] for one key without the other.
    pub fn from_fields(
        access_key: Option<String>,
        secret_key: Option<String>,
        session_token: Option<String>,
        anonymous: Option<bool>,
    ) -> Result<Option<Credentials>, HalfCredentials> {
        if anonymous == Some(true) {
            return Ok(Some(Credentials::Anonymous));
        }
        Ok(AccessKeys::from_fields(access_key, secret_key, session_token)?.map(Credentials::Keys))
    }
}

impl AccessKeys {
    /// Keys, if any is given; empty texts count as missing.
    ///
    /// # Errors
    /// [`HalfCredentials`] for one key without the other.
    pub fn from_fields(
        access_key: Option<String>,
        secret_key: Option<String>,
        session_token: Option<String>,
    ) -> Result<Option<AccessKeys>, HalfCredentials> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let session_token = given(session_token).map(Secret::new);
        match (given(access_key), given(secret_key).map(Secret::new)) {
            (Some(access_key), Some(secret_key)) => Ok(Some(AccessKeys { access_key, secret_key, session_token })),
            (None, None) if session_token.is_none() => Ok(None),
            (None, _) => Err(HalfCredentials { missing: "the access key" }),
            (Some(_), None) => Err(HalfCredentials { missing: "the secret key" }),
        }
    }
}

impl fmt::Debug for AccessKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessKeys(..)")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used)]

    use super::*;

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn keys_come_in_pairs_and_empty_fields_are_none() {
        assert!(matches!(Credentials::from_fields(text(""), None, text(""), None), Ok(None)));
        assert!(matches!(
            Credentials::from_fields(text("id"), text("s"), None, Some(false)),
            Ok(Some(Credentials::Keys(_)))
        ));
        assert!(matches!(
            Credentials::from_fields(text("id"), None, None, Some(true)),
            Ok(Some(Credentials::Anonymous))
        ));
        for (id, secret, token) in [(text("id"), None, None), (None, text("s"), None), (None, None, text("t"))] {
            assert!(Credentials::from_fields(id, secret, token, None).is_err());
        }
    }

    #[test]
    fn credentials_are_not_printed() {
        let keys = AccessKeys::from_fields(text("canary-id"), text("canary-secret"), text("canary-token")).unwrap();
        assert!(!format!("{:?}", Credentials::Keys(keys.unwrap())).contains("canary"));
    }
}
