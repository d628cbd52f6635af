//! Who asks, and how requests and commands say so.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use graphdb_destination::testing::servers::Account;
use serde_json::{Value, json};

use crate::harness::Folder;

/// Who a request or a command wants to be at a store.
#[derive(Clone)]
pub(super) enum Who {
    /// Nobody: requests are not signed.
    Anybody,
    Keys(Account),
}

impl Who {
    /// As fields of a GraphQL input.
    pub(super) fn fields(&self) -> Value {
        match self {
            Who::Anybody => json!({"anonymous": true}),
            Who::Keys(account) => json!({
                "accessKey": account.access_key,
                "secretKey": account.secret_key.expose(),
                "sessionToken": account.session_token.as_ref().map(|token| token.expose()),
            }),
        }
    }

    /// As variables in the environment of a command that goes to `place`.
    pub(super) fn variables(&self, place: &str, dir: &Folder) -> Vec<(&'static str, String)> {
        let mut variables = vec![("AWS_EC2_METADATA_DISABLED", "true".to_owned())];
        let Who::Keys(account) = self else {
            variables.push(("GRAPHDB_BACKUP_ANONYMOUS", "true".into()));
            return variables;
        };
        let keys = [account.access_key.clone(), account.secret_key.expose().to_owned()];
        match &account.session_token {
            None if place.starts_with("minio:") => {
                variables.extend(["MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"].into_iter().zip(keys));
            }
            // There is no variable for the session token of MinIO; there is a file.
            Some(token) if place.starts_with("minio:") => {
                let [id, secret] = keys;
                let text = format!(
                    "[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\naws_session_token = {}\n",
                    token.expose()
                );
                variables.push(("GRAPHDB_BACKUP_CREDENTIAL", private_file(dir, "session", &text)));
            }
            token => {
                variables.extend(["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].into_iter().zip(keys));
                variables.extend(token.iter().map(|token| ("AWS_SESSION_TOKEN", token.expose().to_owned())));
            }
        }
        variables
    }
}

fn private_file(dir: &Folder, name: &str, text: &str) -> String {
    let path = dir.file(name, text);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}
