//! Exports of a running node: at one snapshot of its store, without holding writers up.

use std::sync::Arc;
use std::thread;

use graphdb_export::names;
use graphdb_storage::{ScanValue, Store, StoreSnapshot};
use graphdb_types::{GroupId, Namespace, Schema};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::folder::ExportFolder;
use super::group::GroupText;
use super::{ExportPlace, ExportReport, ExportWish, ExportedGroup};
use crate::error::{Error, Result};
use crate::jobs::unix_now;
use crate::progress::{Progress, Seen};
use crate::scan::yield_to_writers;

/// Exports what a store holds now.
///
/// # Errors
/// Whatever was found while reading or writing; nothing of the export is there then.
pub async fn export_store(
    store: &Arc<Store>,
    place: &ExportPlace,
    wish: ExportWish,
    progress: &Progress,
) -> Result<ExportReport> {
    let (store, place, progress, runtime) = (Arc::clone(store), place.clone(), progress.clone(), Handle::current());
    let (outcome_out, outcome) = oneshot::channel();
    let run = move || {
        yield_to_writers();
        let outcome = export(&store, &place, wish, &progress, &runtime);
        // Who has the outcome may close the store.
        drop(store);
        _ = outcome_out.send(outcome);
    };
    // A thread of its own: its priority cannot be raised again.
    thread::Builder::new().name("graphdb-export".into()).spawn(run).map_err(|err| Error::Thread(err.to_string()))?;
    outcome.await.map_err(|_| Error::Thread("the export".into()))?
}

fn export(
    store: &Store,
    place: &ExportPlace,
    wish: ExportWish,
    progress: &Progress,
    runtime: &Handle,
) -> Result<ExportReport> {
    progress.enter("export");
    let snapshot = store.snapshot()?;
    let read_ts = snapshot.read_ts();
    let name = names::folder(read_ts, unix_now());
    let mut folder = runtime.block_on(ExportFolder::begin(place, &name))?;
    let written = write(&snapshot, store.group(), &mut folder, wish, progress, runtime);
    let (group, files) = runtime.block_on(folder.conclude(written))?;
    progress.enter("done");
    let (location, groups, undefined) = (place.describe(), vec![group], Vec::new());
    Ok(ExportReport { location, folder: name, read_ts, files, groups, undefined })
}

fn write(
    snapshot: &StoreSnapshot<'_>,
    group: GroupId,
    folder: &mut ExportFolder,
    wish: ExportWish,
    progress: &Progress,
    runtime: &Handle,
) -> Result<ExportedGroup> {
    let mut text = runtime.block_on(GroupText::create(folder, group, wish.format))?;
    let mut seen = Seen::default();
    let is_wanted = |key: &[u8]| wish.namespace.is_none_or(|Namespace(number)| key.starts_with(&number.to_be_bytes()));
    snapshot.scan_full(|entry| {
        if let ScanValue::List(list) = entry.value
            && is_wanted(entry.key)
        {
            text.list(entry.key, list)?;
            return seen.count(entry.key.len() + list.len(), progress);
        }
        seen.count(entry.key.len(), progress)
    })?;
    seen.report(progress);
    progress.check_cancelled()?;
    text.finish(&defined(snapshot.schema(), wish.namespace))
}

/// The definitions of one namespace, or of all.
fn defined(schema: &Schema, namespace: Option<Namespace>) -> Schema {
    let mut schema = schema.clone();
    if let Some(wanted) = namespace {
        schema.predicates.retain(|name, _| name.namespace == wanted);
        schema.types.retain(|name, _| name.namespace == wanted);
    }
    schema
}
