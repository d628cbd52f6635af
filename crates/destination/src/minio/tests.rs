//! The client against a fake store, which answers what a test wants, and against real ones.
#![expect(clippy::unwrap_used)]

mod answers;
mod fake;
mod reach;
mod stores;

use std::sync::Arc;

use graphdb_types::Secret;

use crate::bucket::BucketClient;
use crate::credentials::{AccessKeys, Credentials};
use crate::location::BucketLocation;
use crate::locations::LocationOptions;
use crate::{Location, Result};

const ACCESS_KEY: &str = "canary-access-key";
const SECRET_KEY: &str = "canary-secret-key";

fn location(uri: &str) -> BucketLocation {
    match Location::parse(uri).unwrap() {
        Location::Bucket(bucket) => bucket,
        other => panic!("{other} is no bucket"),
    }
}

fn keys() -> AccessKeys {
    AccessKeys { access_key: ACCESS_KEY.into(), secret_key: Secret::new(SECRET_KEY.into()), session_token: None }
}

fn connect(uri: &str) -> Result<Arc<dyn BucketClient>> {
    super::connect(&location(uri), Some(&Credentials::Keys(keys())), &LocationOptions::default())
}
