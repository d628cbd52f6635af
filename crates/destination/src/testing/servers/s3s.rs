use std::ops::Deref;
use std::path::PathBuf;

use super::S3Server;

/// s3s-fs, an S3 server whose objects are plain files. Of writers that race to create one name, several may win.
#[derive(Debug)]
pub struct S3s {
    server: S3Server,
}

impl S3s {
    /// Starts one.
    pub fn start() -> Option<S3s> {
        Some(S3s { server: S3Server::start("s3s", &[])? })
    }

    /// Where the objects are: the object `a/b` of a bucket is the file `BUCKET/a/b`.
    pub fn folder(&self) -> PathBuf {
        self.get("folder").into()
    }
}

impl Deref for S3s {
    type Target = S3Server;

    fn deref(&self) -> &S3Server {
        &self.server
    }
}
