//! What a directory destination does, as plain blocking code.

use graphdb_types::ObjectName;
use rustix::fs::{FileType, Stat};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::folder::{Folder, Obstacle, file_type};
use crate::error::Attempt;
use crate::names::{is_reserved, is_temporary, refuse_reserved};
use crate::{Error, ObjectMeta, Result};

/// A directory that holds objects.
#[derive(Debug)]
pub(super) struct Place {
    root: PathBuf,
    location: String,
    /// Whether a missing root is an empty place, to be created by the first write.
    may_create_root: bool,
}

/// A file met on a walk through the tree.
struct Found {
    relative: String,
    size_bytes: u64,
    modified_at: SystemTime,
}

impl Place {
    pub(super) fn new(root: &Path, may_create_root: bool) -> Place {
        Place { root: root.into(), location: root.display().to_string(), may_create_root }
    }

    pub(super) fn location(&self) -> &str {
        &self.location
    }

    /// The root, or `None` when it is missing and may be.
    pub(super) fn root(&self, attempt: &Attempt) -> Result<Option<Folder>> {
        match Folder::root(&self.root) {
            Ok(root) => Ok(Some(root)),
            Err(err) if err.kind() == io::ErrorKind::NotFound && self.may_create_root && self.has_parent() => Ok(None),
            Err(err) => Err(self.root_error(err, attempt)),
        }
    }

    fn has_parent(&self) -> bool {
        self.root.parent().is_some_and(Path::is_dir)
    }

    fn root_or_create(&self, attempt: &Attempt) -> Result<Folder> {
        if let Some(root) = self.root(attempt)? {
            return Ok(root);
        }
        Folder::make_root(&self.root)
            .and_then(|()| Folder::root(&self.root))
            .map_err(|err| self.root_error(err, attempt))
    }

    fn root_error(&self, err: io::Error, attempt: &Attempt) -> Error {
        match err.kind() {
            io::ErrorKind::NotFound => Error::NoLocation { location: self.location.clone() },
            io::ErrorKind::NotADirectory => Error::NotADirectory { path: self.location.clone() },
            _ => attempt.fail_with(err),
        }
    }

    /// The folder that holds the object, which must exist.
    fn folder_of(&self, name: &ObjectName, attempt: &Attempt) -> Result<Folder> {
        refuse_reserved(attempt, name)?;
        let mut folder = self.root(attempt)?.ok_or_else(|| attempt.not_found(name))?;
        for segment in folders(name) {
            folder = folder.child(segment).map_err(|obstacle| explain(obstacle, name, attempt))?;
        }
        Ok(folder)
    }

    /// The folder that will hold the object; creates it and those around it.
    pub(super) fn make_folder_of(&self, name: &ObjectName, attempt: &Attempt) -> Result<Folder> {
        refuse_reserved(attempt, name)?;
        let mut folder = self.root_or_create(attempt)?;
        for segment in folders(name) {
            folder = folder.child_or_create(segment).map_err(|obstacle| explain(obstacle, name, attempt))?;
        }
        Ok(folder)
    }

    /// Opens an object and tells its size.
    pub(super) fn open(&self, name: &ObjectName, attempt: &Attempt) -> Result<(File, u64)> {
        let folder = self.folder_of(name, attempt)?;
        let file = folder.open_file(name.file_name()).map_err(|obstacle| explain(obstacle, name, attempt))?;
        let metadata = file.metadata().map_err(|err| attempt.fail_with(err))?;
        if !metadata.is_file() {
            return Err(attempt.not_found(name));
        }
        Ok((file, metadata.len()))
    }

    pub(super) fn stat(&self, name: &ObjectName, attempt: &Attempt) -> Result<ObjectMeta> {
        let stat = self.folder_of(name, attempt)?.stat(name.file_name()).map_err(|err| attempt.fail(err))?;
        match file_type(&stat) {
            FileType::RegularFile => {
                let (size_bytes, modified_at) = size_and_time(&stat);
                Ok(ObjectMeta { name: name.clone(), size_bytes, modified_at })
            }
            FileType::Symlink => Err(explain(Obstacle::Link, name, attempt)),
            _ => Err(attempt.not_found(name)),
        }
    }

    pub(super) fn delete(&self, name: &ObjectName, attempt: &Attempt) -> Result<()> {
        self.stat(name, attempt)?; // refuses links and folders
        let folder = self.folder_of(name, attempt)?;
        folder.remove_file(name.file_name()).map_err(|err| attempt.fail(err))?;
        folder.sync().map_err(|err| attempt.fail_with(err))?;
        self.prune(name);
        Ok(())
    }

    /// Removes the folders around `name` that are empty by now, innermost first; to leave one is no failure.
    pub(super) fn prune(&self, name: &ObjectName) {
        let attempt = Attempt::on("tidy up after", name, &self.location);
        let mut next = name.parent();
        while let Some(folder) = next {
            let removed = self.folder_of(&folder, &attempt).map(|parent| parent.remove_folder(folder.file_name()));
            if !matches!(removed, Ok(Ok(()))) {
                return;
            }
            next = folder.parent();
        }
    }

    pub(super) fn list(&self, prefix: &str, attempt: &Attempt) -> Result<Vec<ObjectMeta>> {
        let mut objects: Vec<ObjectMeta> = self
            .walk(prefix, attempt)?
            .into_iter()
            .filter(|found| found.relative.starts_with(prefix) && !is_reserved(last_segment(&found.relative)))
            .filter_map(Found::into_object)
            .collect();
        objects.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(objects)
    }

    /// Removes temporaries last written `older_than` ago or earlier.
    pub(super) fn sweep(&self, older_than: Duration, attempt: &Attempt) -> Result<Vec<String>> {
        let now = SystemTime::now();
        let mut swept = Vec::new();
        for found in self.walk("", attempt)? {
            let old = now.duration_since(found.modified_at).is_ok_and(|age| age >= older_than);
            if old && is_temporary(last_segment(&found.relative)) && self.remove_leftover(&found.relative, attempt)? {
                swept.push(found.relative);
            }
        }
        swept.sort_unstable();
        Ok(swept)
    }

    /// Removes one temporary. `false` when its writer was faster.
    fn remove_leftover(&self, relative: &str, attempt: &Attempt) -> Result<bool> {
        let (parent, file) = relative.rsplit_once('/').unwrap_or(("", relative));
        let Some(folder) = self.descend(parent, attempt)? else { return Ok(false) };
        match folder.remove_file(file) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(err) => Err(attempt.fail_with(err)),
            Ok(()) => {
                if let Ok(name) = relative.parse() {
                    self.prune(&name);
                }
                Ok(true)
            }
        }
    }

    /// Every file in folders that can hold names with `prefix`. Folders that vanish meanwhile, links, and names no
    /// object can have are passed over; a folder that may not be read is an error.
    fn walk(&self, prefix: &str, attempt: &Attempt) -> Result<Vec<Found>> {
        let mut files = Vec::new();
        let mut folders = vec![String::new()];
        while let Some(parent) = folders.pop() {
            let Some(folder) = self.descend(&parent, attempt)? else { continue };
            let entries = match folder.entries() {
                Err(err) if err.kind() == io::ErrorKind::NotFound => continue, // removed since it was opened
                entries => entries.map_err(|err| attempt.fail_with(err))?,
            };
            for entry in entries {
                let Some(segment) = entry.to_str().ok().filter(|segment| segment.parse::<ObjectName>().is_ok()) else {
                    tracing::debug!(?entry, location = self.location, "passing over a file that is no object");
                    continue;
                };
                let relative = if parent.is_empty() { segment.into() } else { format!("{parent}/{segment}") };
                let stat = match folder.stat(segment) {
                    Ok(stat) => stat,
                    Err(err) if err.kind() == io::ErrorKind::NotFound => continue,
                    Err(err) => return Err(attempt.fail_with(err)),
                };
                match file_type(&stat) {
                    FileType::RegularFile => files.push(Found::new(relative, &stat)),
                    FileType::Directory if !is_reserved(segment) && may_hold(&relative, prefix) => {
                        folders.push(relative)
                    }
                    _ => {}
                }
            }
        }
        Ok(files)
    }

    /// The folder `relative` (empty for the root), or `None` when it is gone.
    fn descend(&self, relative: &str, attempt: &Attempt) -> Result<Option<Folder>> {
        let Some(mut folder) = self.root(attempt)? else { return Ok(None) };
        for segment in relative.split('/').filter(|segment| !segment.is_empty()) {
            folder = match folder.child(segment) {
                Ok(child) => child,
                Err(Obstacle::Io(err)) => return Err(attempt.fail_with(err)),
                Err(_) => return Ok(None),
            };
        }
        Ok(Some(folder))
    }
}

impl Found {
    fn new(relative: String, stat: &Stat) -> Found {
        let (size_bytes, modified_at) = size_and_time(stat);
        Found { relative, size_bytes, modified_at }
    }

    fn into_object(self) -> Option<ObjectMeta> {
        let name = self.relative.try_into().ok()?; // deeper than a name can be: not ours
        Some(ObjectMeta { name, size_bytes: self.size_bytes, modified_at: self.modified_at })
    }
}

/// Turns what stopped a descent to `name` into what the caller can act on.
pub(super) fn explain(obstacle: Obstacle, name: &ObjectName, attempt: &Attempt) -> Error {
    match obstacle {
        Obstacle::Absent => attempt.not_found(name),
        Obstacle::Link => attempt.refuse(name, "a part of it is a symbolic link, which could lead out of the location"),
        Obstacle::NotAFolder => attempt.refuse(name, "a part of it is a file where a folder should be"),
        Obstacle::Io(err) => attempt.fail(err),
    }
}

fn folders(name: &ObjectName) -> impl Iterator<Item = &str> {
    let folders = name.as_str().rsplit_once('/').map(|(folders, _)| folders);
    folders.into_iter().flat_map(|folders| folders.split('/'))
}

/// Whether names in the folder `relative` can start with `prefix`.
fn may_hold(relative: &str, prefix: &str) -> bool {
    let folder = format!("{relative}/");
    folder.starts_with(prefix) || prefix.starts_with(&folder)
}

fn last_segment(relative: &str) -> &str {
    relative.rsplit('/').next().unwrap_or(relative)
}

#[allow(clippy::useless_conversion, reason = "the types of the fields differ between systems")]
fn size_and_time(stat: &Stat) -> (u64, SystemTime) {
    let nanos = Duration::from_nanos(u64::try_from(stat.st_mtime_nsec).unwrap_or(0));
    let seconds = Duration::from_secs(stat.st_mtime.unsigned_abs());
    let whole = if stat.st_mtime < 0 { UNIX_EPOCH.checked_sub(seconds) } else { UNIX_EPOCH.checked_add(seconds) };
    let modified_at = whole.and_then(|at| at.checked_add(nanos)).unwrap_or(UNIX_EPOCH);
    (u64::try_from(stat.st_size).unwrap_or(0), modified_at)
}
