//! Exporting the database as text.

use async_graphql::{InputObject, SimpleObject};
use graphdb_backup::{Credentials, ExportDone, ExportRequest, ExportWish, Format, LocationRequest};
use graphdb_types::Namespace;

use super::outputs::Response;
use crate::app::App;
use crate::engine;

/// What to export, how, and where to.
#[derive(InputObject)]
pub(crate) struct ExportInput {
    /// How the data is written: `rdf`, which is meant without it, or `json`.
    format: Option<String>,
    /// Only this namespace; all of them if it is below zero. Without it, namespace 0.
    namespace: Option<i32>,
    /// Where the folder of the export goes: a directory of the node as a path or `file:///path`, `s3:///bucket/folder` or
    /// `minio://host:9000/bucket/folder`. Without it, the node's directory of exports.
    destination: Option<String>,
    /// Access key of the object store, if not the node's own credentials are meant.
    access_key: Option<String>,
    /// Secret key that belongs to accessKey.
    secret_key: Option<String>,
    /// Session token, if the keys are short-lived.
    session_token: Option<String>,
    /// Whether to call the object store without credentials.
    anonymous: Option<bool>,
}

/// The result of an export that is complete.
#[derive(Debug, SimpleObject)]
pub(crate) struct ExportPayload {
    /// How it ended.
    response: Option<Response>,
    /// The files, by their names at the destination.
    exported_files: Option<Vec<Option<String>>>,
    /// The finished task, for scripts that ask `task` how it went.
    task_id: Option<String>,
}

impl ExportInput {
    fn into_request(self) -> Result<ExportRequest, String> {
        let format = match self.format.as_deref() {
            None | Some("") => Format::default(),
            Some(text) => text.parse::<Format>().map_err(|unknown| unknown.to_string())?,
        };
        let wish = ExportWish { format, namespace: wanted(self.namespace) };
        let credentials =
            Credentials::from_fields(self.access_key, self.secret_key, self.session_token, self.anonymous);
        let credentials = credentials.map_err(|err| err.to_string())?;
        Ok(ExportRequest { destination: LocationRequest { location: self.destination, credentials }, wish })
    }
}

/// The caller's namespace, which is the root's, unless another is asked for; `None` for all.
fn wanted(namespace: Option<i32>) -> Option<Namespace> {
    let number = u64::try_from(namespace.unwrap_or_default());
    number.ok().map(Namespace)
}

/// Exports, and says what was written.
pub(super) async fn export(app: &App, input: ExportInput) -> Result<ExportPayload, String> {
    let is_told = input.namespace.is_some();
    let request = input.into_request()?;
    let others = if is_told { 0 } else { engine::other_namespaces(&app.node)? };
    let ExportDone { task_id, report } = engine::export(&app.node, request).await?;
    let mut message = "Export completed.".to_owned();
    if app.node.encrypts() {
        message.push_str(" Its files are not encrypted, other than the node's backups.");
    }
    if others > 0 {
        message.push_str(&format!(" It holds namespace 0 and not the {others} others; namespace: -1 exports all."));
    }
    Ok(ExportPayload {
        response: Response::success(message),
        exported_files: Some(report.files.into_iter().map(|file| Some(file.name)).collect()),
        task_id: Some(format!("{task_id:#x}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_namespace_the_roots_is_meant_and_below_zero_all() {
        assert_eq!(wanted(None), Some(Namespace::ROOT));
        assert_eq!((wanted(Some(0)), wanted(Some(303))), (Some(Namespace(0)), Some(Namespace(303))));
        assert_eq!((wanted(Some(-1)), wanted(Some(i32::MIN))), (None, None));
    }
}
