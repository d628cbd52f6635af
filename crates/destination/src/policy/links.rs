//! Where a path leads when its symbolic links are followed.

use std::io;
use std::path::{Path, PathBuf};

/// The path without symbolic links. What does not exist yet is taken as it is written, below the last directory that exists.
///
/// # Errors
/// A link that leads nowhere, or in a circle; a directory that cannot be looked at.
pub(super) fn follow(path: &Path) -> io::Result<PathBuf> {
    let mut missing = Vec::new();
    for existing in path.ancestors() {
        match existing.canonicalize() {
            Ok(real) => return Ok(missing.into_iter().rev().fold(real, |real, name| real.join(name))),
            Err(err) if err.kind() != io::ErrorKind::NotFound || existing.is_symlink() => return Err(err),
            Err(_) => missing.extend(existing.file_name()),
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used)]

    use std::os::unix::fs::symlink;

    use crate::{Location, Policy};

    fn allowed(policy: &Policy, path: &Path) -> bool {
        let location = Location::parse(path.to_str().unwrap()).unwrap();
        policy.check(&location).and_then(|()| policy.check_links(&location)).is_ok()
    }

    use super::*;

    #[test]
    fn a_link_inside_an_allowed_directory_does_not_lead_out() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["allowed/own", "secret"] {
            std::fs::create_dir_all(at(name)).unwrap();
        }
        for (target, link) in
            [("secret", "out"), ("allowed/own", "in"), ("nothing", "dangling"), ("allowed/loop", "loop")]
        {
            symlink(at(target), at("allowed").join(link)).unwrap();
        }
        let policy = Policy { paths: vec![at("allowed")], ..Policy::default() };
        for inside in ["allowed", "allowed/own", "allowed/own/new/deeper", "allowed/in", "allowed/in/new"] {
            assert!(allowed(&policy, &at(inside)), "{inside}");
        }
        for outside in
            ["secret", "allowed/out", "allowed/out/new", "allowed/dangling", "allowed/dangling/x", "allowed/loop"]
        {
            assert!(!allowed(&policy, &at(outside)), "{outside}");
        }
        assert!(allowed(&Policy::default(), &at("allowed/out")), "without a policy links lead where they lead");
    }

    #[test]
    fn an_allowed_directory_may_itself_be_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (disk, link) = (dir.path().join("disk"), dir.path().join("backups"));
        std::fs::create_dir_all(&disk).unwrap();
        symlink(&disk, &link).unwrap();
        let policy = Policy { paths: vec![link.clone()], ..Policy::default() };
        assert!(allowed(&policy, &link) && allowed(&policy, &link.join("new")));
        assert!(!allowed(&policy, &disk), "the text decides first");
    }
}
