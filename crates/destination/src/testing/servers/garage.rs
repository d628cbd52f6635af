use std::ops::Deref;

use super::S3Server;

/// Garage, a second S3 server on disk. It takes `If-None-Match` for granted: every conditional create succeeds.
#[derive(Debug)]
pub struct Garage {
    server: S3Server,
}

impl Garage {
    /// Starts one.
    pub fn start() -> Option<Garage> {
        Some(Garage { server: S3Server::start("garage", &[])? })
    }
}

impl Deref for Garage {
    type Target = S3Server;

    fn deref(&self) -> &S3Server {
        &self.server
    }
}
