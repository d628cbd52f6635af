use std::sync::Arc;

use graphdb_types::ObjectName;
use tokio::sync::Mutex;

use super::client::BucketClient;
use super::create::Protocol;
use super::etag::EtagKind;
use super::options::BucketOptions;
use crate::Result;
use crate::error::Attempt;
use crate::location::BucketLocation;
use crate::names::{CLAIM_EXTRA_BYTES, refuse_reserved};

/// S3's longest key.
const MAX_KEY_BYTES: usize = 1024;

/// A bucket or a folder in it, how it is asked, and what was learnt of it.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) client: Arc<dyn BucketClient>,
    pub(super) location: String,
    /// What all keys begin with: empty, or a folder and a slash.
    folder: String,
    pub(super) options: BucketOptions,
    /// How objects are created here; `None` until the first.
    pub(super) protocol: Mutex<Option<Protocol>>,
    etags: EtagKind,
}

impl Place {
    pub(super) fn new(client: Arc<dyn BucketClient>, at: &BucketLocation, options: BucketOptions) -> Place {
        Place {
            client,
            location: at.to_string(),
            folder: at.prefix.as_ref().map(|prefix| format!("{prefix}/")).unwrap_or_default(),
            options,
            protocol: Mutex::new(None),
            etags: EtagKind::default(),
        }
    }

    /// The key of an object.
    ///
    /// # Errors
    /// [`crate::Error::InvalidName`] for names that are not for objects, or too long for a key.
    pub(super) fn key(&self, attempt: &Attempt, name: &ObjectName) -> Result<String> {
        refuse_reserved(attempt, name)?;
        let key = self.prefix(name.as_str());
        if key.len() > MAX_KEY_BYTES - CLAIM_EXTRA_BYTES {
            return Err(attempt.refuse(name, "with the folder of the location it has more than 1000 bytes"));
        }
        Ok(key)
    }

    /// What the keys of all objects begin with whose names begin with `prefix`.
    pub(super) fn prefix(&self, prefix: &str) -> String {
        format!("{}{prefix}", self.folder)
    }

    /// The name of the object with this key; `None` if it is not one of this place.
    pub(super) fn name_of(&self, key: &str) -> Option<ObjectName> {
        key.strip_prefix(&self.folder)?.parse().ok()
    }

    /// Whether the ETag of something just written fits its MD5, as far as can be told.
    pub(super) fn etag_fits(&self, etag: &str, md5: &str) -> bool {
        !self.options.verify_etags || self.etags.fits(etag, md5)
    }
}
