//! The names of a backup: its folder, its objects, its series.

use std::fmt;

use graphdb_types::{GroupId, ObjectName, Ts};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

use crate::manifest::MANIFEST_FILE;

const FOLDER: &[BorrowedFormatItem<'static>] =
    format_description!("dgraph.[year][month][day].[hour][minute][second].[subsecond digits:3]");

/// Bytes of a folder's name.
const FOLDER_LEN: usize = "dgraph.20260104.224757.709".len();

/// The folder of one backup, `dgraph.YYYYMMDD.HHMMSS.mmm` in UTC, at the top of a location. Ordered by time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackupFolder(ObjectName);

/// A name that no backup's folder has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not the name of a backup's folder, which looks like dgraph.20260104.224757.709")]
pub struct InvalidFolder {
    /// What was found.
    pub name: String,
}

impl BackupFolder {
    /// The folder of a backup that starts at `at`, to the millisecond. Years 0 to 9999.
    pub fn new(at: OffsetDateTime) -> BackupFolder {
        let text = at.to_offset(UtcOffset::UTC).format(&FOLDER).expect("every date has these components");
        BackupFolder(text.parse().expect("digits and dots make an object name"))
    }

    /// Reads a folder's name.
    pub fn parse(name: &str) -> Result<BackupFolder, InvalidFolder> {
        let object =
            (name.len() == FOLDER_LEN && PrimitiveDateTime::parse(name, &FOLDER).is_ok()).then(|| name.parse());
        match object {
            Some(Ok(object)) => Ok(BackupFolder(object)),
            _ => Err(InvalidFolder { name: name.chars().take(120).collect() }),
        }
    }

    /// The folder, relative to the location.
    pub fn name(&self) -> &ObjectName {
        &self.0
    }

    /// When the backup started.
    pub fn started_at(&self) -> OffsetDateTime {
        PrimitiveDateTime::parse(self.0.as_str(), &FOLDER).expect("the constructors checked it").assume_utc()
    }

    /// The object whose existence is the backup's.
    pub fn manifest(&self) -> ObjectName {
        self.0.child(MANIFEST_FILE).expect("both parts are short and plain")
    }

    /// The archive of one group, `r<read_ts>-g<group>.backup`: readers of Dgraph's build this name themselves.
    pub fn archive(&self, read_ts: Ts, group: GroupId) -> ObjectName {
        self.0.child(&archive_file(read_ts, group)).expect("both parts are short and plain")
    }
}

impl From<BackupFolder> for ObjectName {
    fn from(folder: BackupFolder) -> ObjectName {
        folder.0
    }
}

impl fmt::Display for BackupFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

pub(crate) fn archive_file(read_ts: Ts, group: GroupId) -> String {
    format!("r{read_ts}-g{group}.backup")
}

const ADJECTIVES: [&str; 64] = [
    "able", "amber", "ample", "apt", "bold", "brave", "bright", "brisk", "calm", "candid", "clear", "clever", "cosy",
    "crisp", "deft", "eager", "early", "fair", "fast", "fine", "firm", "fond", "frank", "fresh", "gentle", "glad",
    "golden", "grand", "happy", "hardy", "honest", "humble", "jolly", "keen", "kind", "lively", "loyal", "lucid",
    "lucky", "mellow", "merry", "mild", "modest", "neat", "noble", "patient", "placid", "polite", "prompt", "proud",
    "quick", "quiet", "ready", "robust", "serene", "sharp", "silver", "sober", "steady", "sunny", "swift", "tidy",
    "warm", "wise",
];

const SURNAMES: [&str; 64] = [
    "abel",
    "ampere",
    "banach",
    "bell",
    "bohr",
    "boole",
    "born",
    "bose",
    "cantor",
    "cauchy",
    "church",
    "codd",
    "curie",
    "darwin",
    "dijkstra",
    "dirac",
    "erdos",
    "euclid",
    "euler",
    "faraday",
    "fermat",
    "fermi",
    "fourier",
    "franklin",
    "galois",
    "gauss",
    "germain",
    "godel",
    "gray",
    "hamming",
    "hilbert",
    "hopper",
    "huffman",
    "huygens",
    "jacobi",
    "kepler",
    "klein",
    "knuth",
    "kovalevskaya",
    "lagrange",
    "lamport",
    "laplace",
    "leibniz",
    "liskov",
    "lovelace",
    "maxwell",
    "meitner",
    "mendel",
    "minkowski",
    "napier",
    "newton",
    "noether",
    "ohm",
    "pascal",
    "peano",
    "planck",
    "poincare",
    "ramanujan",
    "riemann",
    "shannon",
    "tesla",
    "turing",
    "volta",
    "wigner",
];

/// A name for a new series, `<adjective>_<surname><digits>`, from random bytes: one of 40,960,000. Whoever plans a backup
/// checks that the location has no such series yet.
pub fn backup_id(random: [u8; 4]) -> String {
    let [adjective, surname, high, low] = random;
    let adjective = ADJECTIVES[usize::from(adjective) % ADJECTIVES.len()];
    let surname = SURNAMES[usize::from(surname) % SURNAMES.len()];
    format!("{adjective}_{surname}{}", u16::from_be_bytes([high, low]) % 10_000)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_folder_is_named_after_the_time_in_utc_to_the_millisecond() {
        let folder = BackupFolder::new(datetime!(2026-01-04 23:47:57.709_9 +01:00));
        assert_eq!(folder.to_string(), "dgraph.20260104.224757.709");
        assert_eq!(folder.manifest().as_str(), "dgraph.20260104.224757.709/manifest.json");
        assert_eq!(folder.archive(Ts(9), GroupId(1)).as_str(), "dgraph.20260104.224757.709/r9-g1.backup");
        assert_eq!(BackupFolder::parse("dgraph.20260104.224757.709").unwrap(), folder);
        assert_eq!(folder.started_at(), datetime!(2026-01-04 22:47:57.709 UTC));
    }

    #[test]
    fn what_is_not_a_folder_of_a_backup_is_refused() {
        for name in [
            "",
            "lost+found",
            "dgraph.20260104.224757",
            "dgraph.20261304.224757.709",
            "dgraph.20260104.224757.709x",
            "dgraph.20260104.224757.70\u{e9}",
            "../ph.20260104.224757.709",
        ] {
            assert!(BackupFolder::parse(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_series_is_named_by_an_adjective_a_surname_and_digits() {
        assert_eq!(backup_id([5, 51, 0, 4]), "brave_noether4");
        assert_eq!(backup_id([255; 4]), "wise_wigner5535");
        for words in [ADJECTIVES, SURNAMES] {
            assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), words.len());
        }
    }
}
