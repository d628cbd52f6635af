//! What is known of a location before a backup is planned: what can be seen there or, where looking is not allowed, what the node
//! remembers.

use std::collections::BTreeSet;

use graphdb_archive::{BackupFolder, EncryptionKey, KeyCheck, MAX_MANIFEST_BYTES, Sha256Digest};
use graphdb_destination::Destination;
use graphdb_storage::Identity;

use crate::catalogue::{Catalogue, Folders, list_folders, read_catalogue};
use crate::error::{Error, Result, denied};
use crate::plan::{BackupTerms, SeriesEnd};
use crate::series_memory::Recollection;

/// What is known of a location.
#[derive(Debug)]
pub(crate) struct Sight {
    /// What the backup continues, unless it begins a series.
    pub(crate) latest: Option<SeriesEnd>,
    pub(crate) newest_folder: Option<BackupFolder>,
    /// Names that a new series must not have.
    pub(crate) backup_ids: BTreeSet<String>,
    /// The folders with a manifest, if they can be listed.
    pub(crate) committed: Option<BTreeSet<BackupFolder>>,
    /// Why and how the node went by its memory, if it did.
    pub(crate) note: Option<String>,
}

/// Who looks, and what for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Looker<'a> {
    pub(crate) identity: &'a Identity,
    pub(crate) key: Option<&'a EncryptionKey>,
    pub(crate) terms: BackupTerms,
}

impl Looker<'_> {
    /// Reads what is at the location, and refreshes the memory by it. Only what is *denied* is looked up in the memory: a location that
    /// does not answer, or answers nonsense, is a failure.
    pub(crate) async fn look(&self, destination: &dyn Destination, memory: Option<&mut Recollection>) -> Result<Sight> {
        match (read_catalogue(destination).await, memory) {
            (Ok(catalogue), memory) => self.see(catalogue, memory),
            (Err(Error::Destination(err)), Some(memory)) if denied(&err) => self.remember(destination, memory).await,
            (Err(err), _) => Err(err),
        }
    }

    fn see(&self, catalogue: Catalogue, memory: Option<&mut Recollection>) -> Result<Sight> {
        catalogue.check_writable()?;
        let (folders, backup_ids) = (catalogue.folders().clone(), catalogue.backup_ids());
        let latest = if self.terms.force_full { Ok(None) } else { catalogue.latest(self.key) };
        let latest = latest.map(|series| series.and_then(|series| series.newest().sealed().map(SeriesEnd::from)));
        if let Some(memory) = memory {
            memory.learn(latest.as_ref().ok().and_then(Option::as_ref))?;
        }
        let Folders { newest: newest_folder, committed } = folders;
        Ok(Sight { latest: latest?, newest_folder, backup_ids, committed: Some(committed), note: None })
    }

    async fn remember(&self, destination: &dyn Destination, memory: &mut Recollection) -> Result<Sight> {
        let folders = match list_folders(destination).await {
            Ok(folders) => Some(folders),
            Err(Error::Destination(err)) if denied(&err) => None,
            Err(err) => return Err(err),
        };
        let (known, pending) = (memory.newest(), memory.committing());
        let ends = [&known, &pending].into_iter().flatten();
        let newest_folder =
            ends.clone().map(|end| end.folder.clone()).chain(folders.iter().filter_map(|f| f.newest.clone()));
        let (newest_folder, backup_ids) = (newest_folder.max(), ends.map(|end| end.backup_id.clone()).collect());

        let found = self.continued(destination, folders.as_ref(), known, pending).await?;
        let location = destination.describe();
        let how = match &found {
            Ok(end) => format!("it continues backup {} of series {}", end.backup_num, end.backup_id),
            Err(why) => format!("it is a full one that begins a new series, because {why}"),
        };
        let note = format!(
            "{location} may not be {}, so this backup goes by what the node remembers: {how}. Changes that others made there are not seen.",
            if folders.is_some() { "read" } else { "listed" }
        );
        tracing::warn!("{note}");
        let (latest, committed) = (found.ok(), folders.map(|folders| folders.committed));
        // Also what was decided against is forgotten: a backup that may or may not be there must never come into question again.
        memory.learn(latest.as_ref())?;
        Ok(Sight { latest, newest_folder, backup_ids, committed, note: Some(note) })
    }

    /// The remembered backup that the next one may continue, or why there is none.
    async fn continued(
        &self,
        destination: &dyn Destination,
        folders: Option<&Folders>,
        known: Option<SeriesEnd>,
        pending: Option<SeriesEnd>,
    ) -> Result<Result<SeriesEnd, String>> {
        if self.terms.force_full {
            return Ok(Err("it was asked for".into()));
        }
        let end = match pending {
            None => known,
            Some(pending) => match Presence::of(&pending, destination, folders).await? {
                Presence::There => Some(pending),
                Presence::Missing => known,
                Presence::Unknown => {
                    let folder = &pending.folder;
                    return Ok(Err(format!("nobody knows whether the backup in {folder} was completed")));
                }
            },
        };
        let Some(end) = end else { return Ok(Err("no backup to it is remembered".into())) };
        if let Some(why) = end.mismatch(self.identity, self.key_check(), self.terms.compat) {
            return Ok(Err(format!("series {} cannot be continued: {why}", end.backup_id)));
        }
        if Presence::of(&end, destination, folders).await? == Presence::Missing {
            return Ok(Err(format!("the backup in {} is not there any more", end.folder)));
        }
        if folders.is_some_and(|folders| folders.committed.last() != Some(&end.folder)) {
            return Ok(Err(format!("there are backups after the one in {}", end.folder)));
        }
        Ok(Ok(end))
    }

    fn key_check(&self) -> Option<KeyCheck> {
        self.key.map(EncryptionKey::check)
    }
}

/// Whether a remembered backup is at the location, as far as that may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    There,
    /// Or another is there in its place.
    Missing,
    Unknown,
}

impl Presence {
    async fn of(end: &SeriesEnd, destination: &dyn Destination, folders: Option<&Folders>) -> Result<Presence> {
        if folders.is_some_and(|folders| !folders.committed.contains(&end.folder)) {
            return Ok(Presence::Missing);
        }
        match destination.get(&end.folder.manifest(), MAX_MANIFEST_BYTES as u64).await {
            Ok(bytes) if Sha256Digest::of(&bytes) == end.digest => Ok(Presence::There),
            Ok(_) => Ok(Presence::Missing),
            Err(err) if err.is_not_found() => Ok(Presence::Missing),
            // The name is one of ours, and created once.
            Err(err) if denied(&err) && folders.is_some() => Ok(Presence::There),
            Err(err) if denied(&err) => Ok(Presence::Unknown),
            Err(err) => Err(err.into()),
        }
    }
}
