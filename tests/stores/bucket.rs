//! A bucket of a real store, seen by its owner, past the node.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use graphdb_destination::testing::servers::Account;
use graphdb_destination::{AccessKeys, Credentials, LocationOptions, LocationRequest, Locations};
use tokio::runtime::Runtime;

use crate::harness::workspace;

/// The folder of a bucket that backups go to.
const FOLDER: &str = "graph";

/// A bucket that one story has for itself.
pub(super) struct Bucket {
    pub(super) runtime: Runtime,
    pub(super) owner: Account,
    pub(super) name: String,
}

impl Bucket {
    pub(super) fn new(owner: &Account) -> Bucket {
        let runtime = Runtime::new().unwrap();
        let name = runtime.block_on(owner.fresh_bucket());
        Bucket { runtime, owner: owner.clone(), name }
    }

    /// The address of the store.
    pub(super) fn server(&self) -> SocketAddr {
        self.owner.endpoint.strip_prefix("http://").unwrap().parse().unwrap()
    }

    /// The place for backups, as requests name it.
    pub(super) fn place(&self, scheme: &str) -> String {
        self.place_through(scheme, self.server())
    }

    /// The same place, reached through a proxy.
    pub(super) fn place_through(&self, scheme: &str, proxy: SocketAddr) -> String {
        format!("{scheme}://{proxy}/{}/{FOLDER}?secure=false", self.name)
    }

    /// Every object, with its bytes.
    pub(super) fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        let client = self.owner.client();
        let read = |key: String| {
            self.runtime.block_on(async {
                let object = client.get_object().bucket(&self.name).key(&key).send().await.unwrap();
                (key, object.body.collect().await.unwrap().to_vec())
            })
        };
        self.keys().into_iter().map(read).collect()
    }

    /// The names of all objects.
    pub(super) fn keys(&self) -> Vec<String> {
        let client = self.owner.client();
        let listed = self.runtime.block_on(client.list_objects_v2().bucket(&self.name).send()).unwrap();
        assert_ne!(listed.is_truncated(), Some(true), "more than a page of objects");
        listed.contents().iter().map(|object| object.key().unwrap().to_owned()).collect()
    }

    /// The names of manifests, oldest first.
    pub(super) fn manifests(&self) -> Vec<String> {
        self.keys().into_iter().filter(|key| key.ends_with("/manifest.json")).collect()
    }

    /// The keys of uploads in parts that were neither completed nor aborted.
    pub(super) fn open_uploads(&self) -> Vec<String> {
        let client = self.owner.client();
        let page = self.runtime.block_on(client.list_multipart_uploads().bucket(&self.name).send()).unwrap();
        page.uploads().iter().map(|upload| upload.key().unwrap().to_owned()).collect()
    }

    /// That what is open is an archive of ours, in our folder.
    #[track_caller]
    pub(super) fn assert_uploads_are_ours(&self) {
        for key in self.open_uploads() {
            assert!(key.starts_with(&format!("{FOLDER}/dgraph.")) && key.ends_with(".backup"), "{key}");
        }
    }

    /// Aborts uploads as a backup does that finds them a day later.
    pub(super) fn sweep(&self) -> Vec<String> {
        let keys = AccessKeys {
            access_key: self.owner.access_key.clone(),
            secret_key: self.owner.secret_key.clone(),
            session_token: None,
        };
        let request = LocationRequest { location: Some(self.place("s3")), credentials: Some(Credentials::Keys(keys)) };
        self.runtime.block_on(async {
            let place = Locations::new(LocationOptions::default()).open(&request).await.unwrap();
            place.sweep(Duration::ZERO).await.unwrap()
        })
    }

    /// Lets users of the store do what files of `deploy/policies` say, and nothing else.
    pub(super) fn apply_policies(&self, policies: &[(&str, &str)]) {
        let mut statements = Vec::new();
        for (user, file) in policies {
            let text = std::fs::read_to_string(workspace().join("deploy/policies").join(file)).unwrap();
            let text = text.replace("BUCKET", &self.name).replace("FOLDER", FOLDER);
            let mut policy: serde_json::Value = serde_json::from_str(&text).unwrap();
            for statement in policy["Statement"].as_array_mut().unwrap() {
                // In a policy of a bucket, unlike in one of a user, each statement says for whom it is.
                statement["Principal"] = serde_json::json!({"AWS": [format!("arn:aws:iam:::user/{user}")]});
                statements.push(statement.take());
            }
        }
        let policy = serde_json::json!({"Version": "2012-10-17", "Statement": statements});
        self.runtime.block_on(self.owner.set_policy(&self.name, &policy.to_string()));
    }

    /// Lets everybody do nothing but these actions.
    pub(super) fn allow_everybody(&self, actions: &[&str]) {
        self.runtime.block_on(self.owner.allow(&self.name, "*", actions));
    }

    /// A name for a user that no other story has.
    pub(super) fn user(&self, role: &str) -> String {
        format!("{role}-{}", self.name)
    }
}
