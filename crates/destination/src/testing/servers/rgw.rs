use std::ops::Deref;
use std::sync::OnceLock;
use std::time::Duration;

use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::config::{Credentials, ProvideCredentials};
use graphdb_types::Secret;

use super::s3_server::read_secret;
use super::{Account, S3Server, skip};

/// Ceph's object gateway: a real S3 server with policies, session tokens, quotas and TLS.
#[derive(Debug)]
pub struct Rgw {
    server: S3Server,
}

/// Where [`Rgw`] keeps objects.
#[derive(Clone, Copy, Debug)]
pub enum Storage {
    /// In memory, 4 GiB at most. [`S3Server::kill`] ends the gateway only.
    Memory,
    /// On disk, 16 GiB at most. [`S3Server::kill`] ends the gateway and the storage behind it. Starts more slowly.
    Disk,
}

impl Rgw {
    /// Starts a gateway of one's own: for tests that kill it, fill it or count what it holds.
    pub fn start(storage: Storage) -> Option<Rgw> {
        Rgw::try_start(storage, &[]).map_err(|why| skip(&why)).ok()
    }

    /// Starts a gateway of one's own, in memory, that takes parts from `bytes` on, so that small backups have many.
    pub fn start_with_parts_of(bytes: usize) -> Option<Rgw> {
        let settings = [("MIN_PART_BYTES", &*bytes.to_string())];
        Rgw::try_start(Storage::Memory, &settings).map_err(|why| skip(&why)).ok()
    }

    /// The one gateway that the tests of this process share, with storage in memory.
    pub fn shared() -> Option<&'static Rgw> {
        static SHARED: OnceLock<Result<Rgw, String>> = OnceLock::new();
        SHARED.get_or_init(|| Rgw::try_start(Storage::Memory, &[])).as_ref().map_err(|why| skip(why)).ok()
    }

    fn try_start(storage: Storage, settings: &[(&str, &str)]) -> Result<Rgw, String> {
        let object_store = match storage {
            Storage::Memory => "memstore",
            Storage::Disk => "bluestore",
        };
        let server = S3Server::try_start("rgw", &[&[("OBJECTSTORE", object_store)], settings].concat())?;
        Ok(Rgw { server })
    }

    /// The same account by TLS, with a certificate for `localhost`, `127.0.0.1` and `*.s3.localhost`.
    pub fn https_account(&self) -> Account {
        let ca_file = Some(self.get("ca_file").into());
        Account { endpoint: self.get("https_endpoint"), ca_file, ..self.account().clone() }
    }

    /// Makes a user who may do what policies allow ([`Account::allow`]) and own buckets.
    ///
    /// # Panics
    /// When there is one of that name.
    pub fn make_user(&self, name: &str) -> Account {
        let user = self.ask(&format!("user {name}"));
        let secret_key = read_secret(&user.get("secret_key_file"));
        Account { access_key: user.get("access_key"), secret_key, ..self.account().clone() }
    }

    /// Limits what all buckets of a user may hold together. The gateway counts in steps of 4 KiB.
    ///
    /// # Panics
    /// When there is no such user.
    pub fn set_quota(&self, user: &str, bytes: u64) {
        self.ask(&format!("quota {user} {bytes}"));
    }

    /// Keys with a session token that may do everything for `valid`, at least one second.
    ///
    /// # Panics
    /// When the server refuses, as it does when `role`, which is made for this, exists.
    pub async fn session(&self, role: &str, valid: Duration) -> Account {
        let arn = self.ask(&format!("role {role}")).get("arn");
        let main = self.account();
        let keys = Credentials::new(&main.access_key, main.secret_key.expose(), None, None, "test server");
        let config = aws_config::defaults(BehaviorVersion::latest())
            .endpoint_url(&main.endpoint)
            .region(Region::new(main.region.clone()))
            .credentials_provider(keys)
            .load()
            .await;
        let provider = AssumeRoleProvider::builder(arn).configure(&config).session_length(valid).build().await;
        let session = provider.provide_credentials().await.expect("the gateway gives a session token");
        let token = session.session_token().expect("a session has a token").to_owned();
        Account {
            access_key: session.access_key_id().to_owned(),
            secret_key: Secret::new(session.secret_access_key().to_owned()),
            session_token: Some(Secret::new(token)),
            ..main.clone()
        }
    }
}

impl Deref for Rgw {
    type Target = S3Server;

    fn deref(&self) -> &S3Server {
        &self.server
    }
}
