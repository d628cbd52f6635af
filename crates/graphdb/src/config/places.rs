//! Where backups are when nobody says, who the node is there, and where requests may send it.

use graphdb_destination::{LocationOptions, Policy};

use super::{Settings, value};
use crate::places;

impl Settings {
    /// What the settings say of places; the environment of object stores is not among them.
    pub(super) fn places(&self) -> anyhow::Result<LocationOptions> {
        let policy = Policy {
            schemes: self.given("backup-allow-schemes", places::schemes)?.unwrap_or_default(),
            paths: self.given("backup-allow-paths", places::paths)?.unwrap_or_default(),
            hosts: self.given("backup-allow-hosts", places::hosts)?.unwrap_or_default(),
        };
        Ok(LocationOptions {
            default: self.given("backup-bucket", places::default_place)?,
            region: self.given("backup-region", places::region)?,
            credential_file: self.given("backup-credential", |path| Ok(path.into()))?,
            profile: self.given("backup-profile", |name| Ok(name.to_owned()))?,
            request_credentials_only: self.given("shared-instance", value::switch)?.unwrap_or_default(),
            policy,
            ..LocationOptions::default()
        })
    }

    /// As [`Settings::read`], but an empty text is none: with it a stronger layer takes back what a weaker one says.
    fn given<T>(&self, name: &str, read: impl Fn(&str) -> Result<T, String>) -> anyhow::Result<Option<T>> {
        let read = |text: &str| if text.trim().is_empty() { Ok(None) } else { read(text).map(Some) };
        Ok(self.read(name, read)?.flatten())
    }
}
