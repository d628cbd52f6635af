//! One open directory. Everything in a destination is reached from its root through these, one segment at a time and
//! never through a symbolic link, so that no name leads out of the root, whoever changes the tree meanwhile.

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

/// Mode of new folders before the umask: like Dgraph since v23, others may look.
const FOLDER_MODE: u32 = 0o755;

/// Mode of new objects before the umask. A plain backup shows all data: protect the location itself.
const OBJECT_MODE: u32 = 0o644;

#[derive(Debug)]
pub(super) struct Folder(OwnedFd);

/// What is in the way of a descent.
#[derive(Debug)]
pub(super) enum Obstacle {
    /// There is no such folder.
    Absent,
    /// A symbolic link, whose target could be anywhere.
    Link,
    /// A file or something else that is not a directory.
    NotAFolder,
    /// The file system refused.
    Io(io::Error),
}

/// Why a finished file could not take its name.
#[derive(Debug)]
pub(super) enum NameFailure {
    /// Something has that name.
    Taken,
    /// The file system offers no step that is atomic and does not replace.
    Unsupported,
    /// The file system refused.
    Io(io::Error),
}

impl Folder {
    /// Opens the root of a destination. Links up to here are followed: they are the administrator's.
    pub(super) fn root(path: &Path) -> io::Result<Folder> {
        Ok(Folder(rustix::fs::open(path, folder_flags() - OFlags::NOFOLLOW, Mode::empty())?))
    }

    /// Creates the root of a destination, durably. Its parent must exist. Not an error when it exists by now.
    pub(super) fn make_root(path: &Path) -> io::Result<()> {
        match rustix::fs::mkdir(path, Mode::from_raw_mode(FOLDER_MODE)) {
            Err(err) if err != Errno::EXIST => Err(err.into()),
            _ => path.parent().map_or(Ok(()), |parent| Folder::root(parent)?.sync()),
        }
    }

    pub(super) fn child(&self, segment: &str) -> Result<Folder, Obstacle> {
        rustix::fs::openat(&self.0, segment, folder_flags(), Mode::empty()).map(Folder).map_err(|err| match err {
            Errno::NOENT => Obstacle::Absent,
            Errno::NOTDIR | Errno::LOOP => self.what_is(segment),
            _ => Obstacle::Io(err.into()),
        })
    }

    /// Opens a folder, creating it when absent. It is durable afterwards even if another process created it just now.
    pub(super) fn child_or_create(&self, segment: &str) -> Result<Folder, Obstacle> {
        match rustix::fs::mkdirat(&self.0, segment, Mode::from_raw_mode(FOLDER_MODE)) {
            Ok(()) => {}
            // An existing folder is told by what opening it says: a read-only place answers so before "exists".
            Err(err) => return self.child(segment).map_err(|obstacle| obstacle.or_if_absent(err)),
        }
        self.sync().map_err(Obstacle::Io)?;
        self.child(segment)
    }

    fn what_is(&self, segment: &str) -> Obstacle {
        match self.stat(segment) {
            Ok(stat) if file_type(&stat) == FileType::Symlink => Obstacle::Link,
            Ok(_) => Obstacle::NotAFolder,
            Err(err) if err.kind() == io::ErrorKind::NotFound => Obstacle::Absent,
            Err(err) => Obstacle::Io(err),
        }
    }

    /// Looks at an entry itself, not at what it links to.
    pub(super) fn stat(&self, segment: &str) -> io::Result<Stat> {
        Ok(rustix::fs::statat(&self.0, segment, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Creates a file that must not exist.
    pub(super) fn create_file(&self, segment: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.0, segment, flags, Mode::from_raw_mode(OBJECT_MODE))?.into())
    }

    /// Opens a file to read. Does not wait for the writer of a pipe.
    pub(super) fn open_file(&self, segment: &str) -> Result<File, Obstacle> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        rustix::fs::openat(&self.0, segment, flags, Mode::empty()).map(File::from).map_err(|err| match err {
            Errno::NOENT => Obstacle::Absent,
            Errno::LOOP => Obstacle::Link,
            _ => Obstacle::Io(err.into()),
        })
    }

    /// Gives the file `from` the name `to`, replacing what has it.
    pub(super) fn rename_over(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.0, from, &self.0, to)?)
    }

    /// Gives the file `from` the name `to`, which nothing may have, in one step.
    ///
    /// Local file systems rename without replacing; NFS cannot, and makes a second hard link instead.
    pub(super) fn rename_new(&self, from: &str, to: &str) -> Result<(), NameFailure> {
        match rustix::fs::renameat_with(&self.0, from, &self.0, to, RenameFlags::NOREPLACE) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) => Err(NameFailure::Taken),
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => self.link_new(from, to),
            Err(err) => Err(NameFailure::Io(err.into())),
        }
    }

    fn link_new(&self, from: &str, to: &str) -> Result<(), NameFailure> {
        match rustix::fs::linkat(&self.0, from, &self.0, to, AtFlags::empty()) {
            Ok(()) => {}
            // Over NFS the answer to the first try may be lost and a second one meets its own link.
            Err(Errno::EXIST) if self.stat(from).is_ok_and(|stat| stat.st_nlink > 1) => {}
            Err(Errno::EXIST) => return Err(NameFailure::Taken),
            Err(Errno::PERM | Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL) => return Err(NameFailure::Unsupported),
            Err(err) => return Err(NameFailure::Io(err.into())),
        }
        // The object has its name. What stays of the other one is swept with the leftovers.
        if let Err(err) = self.remove_file(from) {
            tracing::warn!(file = from, %err, "could not remove the second name of an object");
        }
        Ok(())
    }

    pub(super) fn remove_file(&self, segment: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, segment, AtFlags::empty())?)
    }

    /// Removes a folder if it is empty.
    pub(super) fn remove_folder(&self, segment: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, segment, AtFlags::REMOVEDIR)?)
    }

    /// Makes the names in this folder durable. Some network file systems have no such call and need none.
    pub(super) fn sync(&self) -> io::Result<()> {
        match rustix::fs::fsync(&self.0) {
            Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(()),
            other => Ok(other?),
        }
    }

    /// The names of all entries but `.` and `..`, in no order.
    pub(super) fn entries(&self) -> io::Result<Vec<CString>> {
        let names = Dir::read_from(&self.0)?.map(|entry| Ok(entry?.file_name().to_owned()));
        let all: io::Result<Vec<CString>> = names.collect();
        Ok(all?.into_iter().filter(|name| !matches!(name.to_bytes(), b"." | b"..")).collect())
    }
}

impl Obstacle {
    /// What stopped the creation of a folder, given that opening it says `self`.
    fn or_if_absent(self, creating: Errno) -> Obstacle {
        match self {
            Obstacle::Absent if creating != Errno::NOENT => Obstacle::Io(creating.into()),
            other => other,
        }
    }
}

fn folder_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

/// The type of what `stat` describes.
pub(super) fn file_type(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used)]

    use super::*;
    use std::fs;

    #[test]
    fn a_hard_link_takes_a_free_name_and_refuses_a_taken_one() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::root(dir.path()).unwrap();
        fs::write(dir.path().join("first"), "1").unwrap();
        fs::write(dir.path().join("second"), "2").unwrap();

        folder.link_new("first", "object").unwrap();
        assert!(matches!(folder.link_new("second", "object"), Err(NameFailure::Taken)));
        assert_eq!(fs::read_to_string(dir.path().join("object")).unwrap(), "1");
        assert!(!dir.path().join("first").exists() && dir.path().join("second").exists());
    }

    #[test]
    fn a_link_that_was_made_by_an_unanswered_try_counts_as_made() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::root(dir.path()).unwrap();
        fs::write(dir.path().join("first"), "1").unwrap();
        fs::hard_link(dir.path().join("first"), dir.path().join("object")).unwrap();

        folder.link_new("first", "object").unwrap();
        assert!(!dir.path().join("first").exists());
    }
}
