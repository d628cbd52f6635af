//! Requests to Vault: logging in, renewing a token, reading a secret.
//!
//! `vaultrs` makes the requests. They are sent here and not by it, because its client follows redirects with the token in hand, reads
//! answers of any length, and wants fields in them that servers like RustyVault leave out.

mod transport;

use std::fmt;
use std::sync::Arc;

use graphdb_archive::EncryptionKey;
use graphdb_destination::Policy;
use graphdb_types::Secret;
use reqwest::header::HeaderValue;
use reqwest::{Method, Request};
use vaultrs::api::auth::approle::requests::LoginWithApproleRequest;
use vaultrs::api::kv1::requests::GetSecretRequest;
use vaultrs::api::token::requests::RenewTokenSelfRequest;
use vaultrs::api::{EndpointMiddleware, ResponseWrapper};
use zeroize::Zeroize as _;

use super::answer::{Answer, Auth, Value};
use super::file::read_id;
use super::options::VaultOptions;
use transport::{Reply, Transport};

#[cfg(test)]
pub(super) use transport::Policed;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(super) enum VaultError {
    /// The server answered, and it has no key there.
    #[error("{0}")]
    NoKey(String),
    /// The server does not let us in, or not there: another token may help.
    #[error("{0}")]
    Denied(String),
    /// The server could not be asked, or not now.
    #[error("{0}")]
    Unavailable(String),
}

/// A server that speaks as Vault does.
pub(super) struct Vault {
    options: VaultOptions,
    transport: Transport,
}

impl Vault {
    /// Prepares for asking; requests may name only what `policy` allows.
    ///
    /// # Errors
    /// A certificate file that cannot be used, an address that is not allowed.
    pub(super) fn new(options: VaultOptions, policy: Option<Policy>) -> Result<Vault, String> {
        let transport = Transport::new(options.address.clone(), &options.surroundings, policy)?;
        Ok(Vault { options, transport })
    }

    pub(super) fn options(&self) -> &VaultOptions {
        &self.options
    }

    /// Logs in with AppRole. The files are read each time: ids may have been exchanged for new ones.
    pub(super) async fn log_in(&self) -> Result<Auth, VaultError> {
        let VaultOptions { role_id_file, secret_id_file, .. } = &self.options;
        let read = |what, path| read_id(what, path).map_err(|why| VaultError::Denied(format!("{why:#}")));
        let role_id = read("role id", role_id_file)?;
        let secret_id = secret_id_file.as_deref().map(|path| read("secret id", path)).transpose()?;
        let secrets: Vec<_> = [Some(&role_id), secret_id.as_ref()].into_iter().flatten().collect();
        let reply = self
            .ask(&secrets, || {
                let login = LoginWithApproleRequest::builder()
                    .mount("approle")
                    .role_id(role_id.expose())
                    .secret_id(secret_id.as_ref().map_or("", Secret::expose))
                    .build()
                    .map_err(|why| why.to_string())?;
                self.request(None, login)
            })
            .await?;
        match reply.status {
            200 => self.auth(reply, "the login"),
            400 | 401 => Err(VaultError::Denied(format!(
                "{} refused the login{}; check that {} has the role id{}",
                self.named(),
                reply.reason(),
                role_id_file.display(),
                match secret_id_file {
                    Some(file) =>
                        format!(" and {} its secret id, and that it has not expired and is not used up", file.display()),
                    None => ", and whether the role wants a secret id too".to_owned(),
                },
            ))),
            403 | 404 => Err(VaultError::Denied(format!(
                "{} has no AppRole login at auth/approle, or forbids it{}",
                self.named(),
                reply.reason(),
            ))),
            _ => Err(self.unexpected(&reply, "the login")),
        }
    }

    /// Has a token live longer.
    pub(super) async fn renew(&self, token: &Secret) -> Result<Auth, VaultError> {
        let reply = self
            .ask(&[token], || {
                let renewal = RenewTokenSelfRequest::builder().build().map_err(|why| why.to_string())?;
                self.request(Some(token), renewal)
            })
            .await?;
        match reply.status {
            200 => self.auth(reply, "the renewal of the token"),
            400 | 401 | 403 | 404 => {
                Err(VaultError::Denied(format!("{} refuses to renew the token{}", self.named(), reply.reason())))
            }
            _ => Err(self.unexpected(&reply, "the renewal of the token")),
        }
    }

    /// Reads the key.
    pub(super) async fn read(&self, token: &Secret) -> Result<Arc<EncryptionKey>, VaultError> {
        let path = &self.options.path;
        let reply = self
            .ask(&[token], || {
                let read = GetSecretRequest::builder()
                    .mount(path.mount.as_str())
                    .path(path.rest.as_str())
                    .build()
                    .map_err(|why| why.to_string())?;
                self.request(Some(token), read)
            })
            .await?;
        match reply.status {
            200 => self.key(reply.answer),
            401 | 403 => Err(VaultError::Denied(format!(
                "{} does not let the role read {path}{}; its policy needs: path \"{path}\" {{ capabilities = [\"read\"] }}",
                self.named(),
                reply.reason(),
            ))),
            404 => Err(VaultError::NoKey(format!(
                "{} has nothing at {path}{}; version 2 of the key-value engine has data/ behind the mount, version 1 has not: \
                 try {}",
                self.named(),
                reply.reason(),
                path.in_other_version(),
            ))),
            _ => Err(self.unexpected(&reply, &format!("the request for {path}"))),
        }
    }

    fn key(&self, answer: Answer) -> Result<Arc<EncryptionKey>, VaultError> {
        let VaultOptions { path, field, format, .. } = &self.options;
        let no_key = |why: String| VaultError::NoKey(format!("{path} in {} {why}", self.named()));
        let fields = answer.into_fields();
        match fields.get(field) {
            Some(Value::Text(text)) => {
                format.decode(text.expose()).map_err(|why| no_key(format!("has no key in its field {field}: {why}")))
            }
            Some(_) => Err(no_key(format!("has something else than text in its field {field}"))),
            None if fields.is_empty() => Err(no_key("has no fields; was it deleted?".into())),
            None => {
                let names: Vec<_> = fields.keys().map(String::as_str).collect();
                Err(no_key(format!("has no field {field}; its fields are {}", names.join(", "))))
            }
        }
    }

    fn auth(&self, reply: Reply, what: &str) -> Result<Auth, VaultError> {
        let auth = reply.answer.auth.filter(|auth| HeaderValue::from_str(auth.client_token.expose()).is_ok());
        auth.ok_or_else(|| {
            VaultError::Unavailable(format!("{} answered {what} without a token; is it Vault?", self.named()))
        })
    }

    fn unexpected(&self, reply: &Reply, what: &str) -> VaultError {
        VaultError::Unavailable(format!(
            "{} answered {what} with status {}{}",
            self.named(),
            reply.status,
            reply.reason()
        ))
    }

    fn named(&self) -> String {
        format!("Vault at {}", self.options.address)
    }

    async fn ask(
        &self,
        secrets: &[&Secret],
        request: impl Fn() -> Result<Request, String>,
    ) -> Result<Reply, VaultError> {
        let reply = self.transport.ask(secrets, request).await.map_err(VaultError::Unavailable)?;
        if reply.is_sealed() {
            return Err(VaultError::Unavailable(format!("{} is sealed; unseal it", self.named())));
        }
        Ok(reply)
    }

    /// Has `vaultrs` make a request.
    fn request<E: ResponseWrapper>(&self, token: Option<&Secret>, endpoint: E) -> Result<Request, String> {
        let mut middleware = EndpointMiddleware {
            token: token.map(|token| token.expose().to_owned()).unwrap_or_default(),
            version: "v1".into(),
            wrap: None,
            namespace: self.options.surroundings.namespace.clone(),
        };
        let request = build(&endpoint.with_middleware(&middleware), self.options.address.url());
        middleware.token.zeroize();
        let mut request = request?;
        if let Some(token) = request.headers_mut().get_mut("x-vault-token") {
            token.set_sensitive(true); // no log shows it
        }
        Ok(request)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Vault").field(&self.options).finish()
    }
}

/// `Endpoint`, which makes the request, is of a crate below `vaultrs`; this bound brings it in.
fn build<E: ResponseWrapper>(endpoint: &E, base: &str) -> Result<Request, String> {
    let request = endpoint.request(base).map_err(|why| why.to_string())?;
    let (parts, body) = request.into_parts();
    let url = parts.uri.to_string().parse().map_err(|_| "the address and the path make no URL".to_owned())?;
    let method = Method::from_bytes(parts.method.as_str().as_bytes()).map_err(|why| why.to_string())?;
    let mut request = Request::new(method, url);
    *request.headers_mut() = parts.headers;
    *request.body_mut() = (!body.is_empty()).then(|| body.into());
    Ok(request)
}
