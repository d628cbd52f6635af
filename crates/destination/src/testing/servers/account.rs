use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fs, path::PathBuf};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
};
use aws_smithy_http_client::{Builder, tls};
use graphdb_types::Secret;

/// Someone who may use an S3 server: where it is, and the keys to it.
#[derive(Clone, Debug)]
pub struct Account {
    /// `http://127.0.0.1:PORT` or `https://127.0.0.1:PORT`.
    pub endpoint: String,
    /// What requests are signed for.
    pub region: String,
    /// The name of the key.
    pub access_key: String,
    /// The key.
    pub secret_key: Secret,
    /// Present when the keys are short-lived.
    pub session_token: Option<Secret>,
    /// The authority that signed the server's certificate, PEM; for `https:` only.
    pub ca_file: Option<PathBuf>,
}

impl Account {
    /// A client of this account that names buckets in the path and sends no checksums that a server need not know.
    pub fn client(&self) -> Client {
        let token = self.session_token.as_ref().map(|token| token.expose().to_owned());
        let keys = Credentials::new(&self.access_key, self.secret_key.expose(), token, None, "test server");
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&self.endpoint)
            .region(Region::new(self.region.clone()))
            .credentials_provider(keys)
            .force_path_style(true)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .http_client(self.http_client());
        Client::from_conf(config.build())
    }

    fn http_client(&self) -> aws_sdk_s3::config::SharedHttpClient {
        let mut trusted = tls::TrustStore::empty();
        if let Some(file) = &self.ca_file {
            trusted = trusted.with_pem_certificate(fs::read(file).expect("the server's script wrote this file"));
        }
        let context = tls::TlsContext::builder().with_trust_store(trusted).build().expect("a certificate in PEM");
        let rustls = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc);
        Builder::new().tls_provider(rustls).tls_context(context).build_https()
    }

    /// Makes a bucket that this account owns.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn make_bucket(&self, name: &str) {
        let made = self.client().create_bucket().bucket(name).send().await;
        made.unwrap_or_else(|err| panic!("make bucket {name} at {}: {err:?}", self.endpoint));
    }

    /// Makes a bucket that nobody else uses, and returns its name.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn fresh_bucket(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_millis();
        let name = format!("test-{now}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        self.make_bucket(&name).await;
        name
    }

    /// Lets `user`, or everybody when that is `*`, do nothing but `actions` in a bucket of this account, such as
    /// `s3:PutObject` or `s3:ListBucket`. Takes the place of what was allowed before; without actions all is forbidden.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn allow(&self, bucket: &str, user: &str, actions: &[&str]) {
        let client = self.client();
        if actions.is_empty() {
            let removed = client.delete_bucket_policy().bucket(bucket).send().await;
            removed.unwrap_or_else(|err| panic!("remove the policy of {bucket}: {err:?}"));
            return;
        }
        let who = if user == "*" { "*".to_owned() } else { format!("arn:aws:iam:::user/{user}") };
        let actions = actions.join("\",\"");
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":["{who}"]}},"Action":["{actions}"],"Resource":["arn:aws:s3:::{bucket}","arn:aws:s3:::{bucket}/*"]}}]}}"#
        );
        self.set_policy(bucket, &policy).await;
    }

    /// Sets the policy of a bucket, a JSON text.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn set_policy(&self, bucket: &str, policy: &str) {
        let set = self.client().put_bucket_policy().bucket(bucket).policy(policy).send().await;
        set.unwrap_or_else(|err| panic!("set the policy of {bucket}: {err:?}"));
    }
}
