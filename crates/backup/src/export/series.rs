//! Exports of backups.

use std::collections::BTreeSet;
use std::path::Path;

use graphdb_export::{Format, names};
use graphdb_types::Predicate;
use tokio::task;

use super::folder::ExportFolder;
use super::group::GroupText;
use super::{ExportPlace, ExportReport, ExportedGroup};
use crate::error::Result;
use crate::jobs::unix_now;
use crate::progress::Progress;
use crate::source::SeriesSource;

/// Exports what a series holds at its newest backup, each group by itself. Dgraph's archives are sorted in files in `scratch`, as in
/// [`SeriesSource::read`].
///
/// # Errors
/// Whatever was found while reading or writing; nothing of the export is there then.
pub async fn export_series(
    source: &SeriesSource,
    place: &ExportPlace,
    format: Format,
    scratch: &Path,
    progress: &Progress,
) -> Result<ExportReport> {
    progress.enter("export");
    let read_ts = source.newest().read_ts;
    let name = names::folder(read_ts, unix_now());
    let mut folder = ExportFolder::begin(place, &name).await?;
    let written = write_groups(source, &mut folder, format, scratch, progress).await;
    let ((groups, undefined), files) = folder.conclude(written).await?;
    progress.enter("done");
    let undefined = undefined.into_iter().collect();
    Ok(ExportReport { location: place.describe(), folder: name, read_ts, files, groups, undefined })
}

async fn write_groups(
    source: &SeriesSource,
    folder: &mut ExportFolder,
    format: Format,
    scratch: &Path,
    progress: &Progress,
) -> Result<(Vec<ExportedGroup>, BTreeSet<Predicate>)> {
    let (mut groups, mut undefined) = (Vec::new(), BTreeSet::new());
    for group in source.groups() {
        let text = GroupText::create(folder, group, format).await?;
        let (text, summary) = source.read(&BTreeSet::from([group]), scratch, progress, text).await?;
        groups.push(task::spawn_blocking(move || text.finish(&summary.schema)).await??);
        undefined.extend(summary.stale.undefined);
    }
    progress.check_cancelled()?;
    Ok((groups, undefined))
}
