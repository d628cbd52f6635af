//! `minio://`, on rust-s3.

use std::sync::Arc;

use crate::bucket::BucketClient;
use crate::credentials::Credentials;
use crate::location::BucketLocation;
use crate::locations::LocationOptions;
use crate::{Error, Result};

/// Connects to a bucket, without a request yet.
pub(crate) fn connect(
    at: &BucketLocation,
    _credentials: Option<&Credentials>,
    _options: &LocationOptions,
) -> Result<Arc<dyn BucketClient>> {
    Err(Error::InvalidLocation { location: at.to_string(), reason: "not supported yet".into() })
}
