//! What goes over the wire and what is made of the answers, against a server that says what a test wants; and the same client against a
//! real store.

#![expect(clippy::unwrap_used)]

mod answers;
mod fake;
mod identities;
mod real;
mod wire;

use super::S3Client;
use crate::credentials::{AccessKeys, Credentials};
use crate::location::{BucketLocation, Location};
use crate::locations::LocationOptions;

/// Secrets that must turn up nowhere.
const SECRET: &str = "canary-secret";
const TOKEN: &str = "canary-token";

fn keys(name: &str) -> Credentials {
    let text = |text: &str| Some(text.to_owned());
    Credentials::Keys(AccessKeys::from_fields(text(name), text(SECRET), text(TOKEN)).unwrap().unwrap())
}

fn at(text: &str) -> BucketLocation {
    match Location::parse(text).unwrap() {
        Location::Bucket(at) => at,
        other => panic!("{other} is no bucket"),
    }
}

/// A client of a bucket at `host:port`, without TLS.
async fn client_of(address: &str, options: &LocationOptions) -> S3Client {
    let at = at(&format!("s3://{address}/bucket?secure=false"));
    S3Client::connect(&at, Some(&keys("REQUEST")), options).await.unwrap()
}

/// Options of a node in a known region, so that nothing depends on the files of whoever runs the tests.
fn in_region(region: &str) -> LocationOptions {
    LocationOptions { region: Some(region.into()), ..LocationOptions::default() }
}
