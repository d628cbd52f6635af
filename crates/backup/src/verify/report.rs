//! What was found, in a form for people and for programs.

use std::collections::HashMap;
use std::fmt;

use graphdb_types::{GroupId, ObjectName};

/// Findings of one kind in one object that are listed one by one; of further ones only the number is kept.
const LISTED: u64 = 20;

/// How much is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Manifests, and whether their objects are there.
    Quick,
    /// Every object as well, each by itself.
    #[default]
    Default,
    /// The state that a restore gives as well.
    Deep,
}

impl Level {
    /// As it stands in reports.
    pub fn name(self) -> &'static str {
        match self {
            Level::Quick => "quick",
            Level::Default => "default",
            Level::Deep => "deep",
        }
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing, and nothing to do about.
    Note,
    /// A restore gives what was backed up, but something is not as it should be.
    Warning,
    /// A restore is refused, or would not give what was backed up.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        })
    }
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A manifest cannot be used.
    Manifest,
    /// The backups are not a chain without a gap.
    Chain,
    /// A folder has archives and no manifest.
    NoManifest,
    /// An object is not there.
    ObjectMissing,
    /// An object is not as long as its manifest says.
    ObjectSize,
    /// An object is not the one that was written.
    Digest,
    /// An object could not be read, which tells nothing about it.
    Unread,
    /// An object that cannot be read without another key.
    KeyNeeded,
    /// An object that cannot be decrypted, decompressed or taken apart into frames.
    Archive,
    /// An object that holds more or less than its manifest says.
    Content,
    /// A key that is none.
    Key,
    /// Keys that are not in order.
    Order,
    /// A key-value that is neither a list nor a definition.
    Entry,
    /// A posting list that is none.
    List,
    /// A value that is not of its type.
    Value,
    /// A value under another number than its fingerprint.
    Fingerprint,
    /// A schema or type that cannot be read.
    Definition,
    /// Data of a predicate that the manifest does not name.
    UnnamedPredicate,
    /// Data of a predicate that the manifest names for another group.
    WrongGroup,
    /// A predicate that the manifest names, of which nothing is there.
    AbsentPredicate,
    /// Data without a schema.
    UndefinedPredicate,
    /// Data that is not as its schema says.
    SchemaMismatch,
    /// A timestamp that cannot be.
    Version,
    /// A list whose content was thrown away when it was backed up.
    ForbiddenList,
    /// A predicate that was dropped without a record.
    UnrecordedDrop,
    /// Index, reverse or count lists that are not what the data gives.
    StaleIndex,
    /// A lease below uids that are used.
    UidLease,
    /// The merged state could not be read to its end.
    MergedState,
}

impl Kind {
    /// As it stands in reports; the names stay.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Manifest => "manifest",
            Kind::Chain => "chain",
            Kind::NoManifest => "no-manifest",
            Kind::ObjectMissing => "object-missing",
            Kind::ObjectSize => "object-size",
            Kind::Digest => "digest",
            Kind::Unread => "unread",
            Kind::KeyNeeded => "key-needed",
            Kind::Archive => "archive",
            Kind::Content => "content",
            Kind::Key => "key",
            Kind::Order => "order",
            Kind::Entry => "entry",
            Kind::List => "list",
            Kind::Value => "value",
            Kind::Fingerprint => "fingerprint",
            Kind::Definition => "definition",
            Kind::UnnamedPredicate => "unnamed-predicate",
            Kind::WrongGroup => "wrong-group",
            Kind::AbsentPredicate => "absent-predicate",
            Kind::UndefinedPredicate => "undefined-predicate",
            Kind::SchemaMismatch => "schema-mismatch",
            Kind::Version => "version",
            Kind::ForbiddenList => "forbidden-list",
            Kind::UnrecordedDrop => "unrecorded-drop",
            Kind::StaleIndex => "stale-index",
            Kind::UidLease => "uid-lease",
            Kind::MergedState => "merged-state",
        }
    }
}

/// A place in an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offset {
    /// Bytes from the start of the object as it is stored.
    Stored(u64),
    /// Bytes from the start of the frames: the object decrypted and decompressed.
    Frames(u64),
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Offset::Stored(at) => write!(f, "byte {at}"),
            Offset::Frames(at) => write!(f, "byte {at} of its frames"),
        }
    }
}

/// Something that was found, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub kind: Kind,
    /// The series.
    pub backup_id: Option<String>,
    /// The number of the backup in it.
    pub backup_num: Option<u64>,
    /// The group.
    pub group: Option<GroupId>,
    /// The object, or the folder of a backup.
    pub object: Option<ObjectName>,
    /// Where in the object; the first place, if there are several.
    pub offset: Option<Offset>,
    /// The key there, as `DATA name 0x1`.
    pub key: Option<String>,
    /// How many times it was found.
    pub count: u64,
    /// What was found.
    pub what: String,
}

impl Finding {
    pub(super) fn at(mut self, offset: Offset) -> Finding {
        self.offset = Some(offset);
        self
    }

    pub(super) fn key(mut self, key: impl Into<String>) -> Finding {
        self.key = Some(key.into());
        self
    }

    pub(super) fn times(mut self, count: u64) -> Finding {
        self.count = count;
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let series = self.backup_id.as_ref().map(|id| format!("series {id}"));
        let backup = self.backup_num.map(|num| format!("backup {num}"));
        let group = self.group.map(|group| format!("group {group}"));
        let object = self.object.as_ref().map(|object| format!("object {object}"));
        let offset = self.offset.map(|offset| offset.to_string());
        let key = self.key.as_ref().map(|key| format!("key {key}"));
        let place: Vec<String> = [series, backup, group, object, offset, key].into_iter().flatten().collect();
        if !place.is_empty() {
            write!(f, "{}: ", place.join(", "))?;
        }
        f.write_str(&self.what)?;
        if self.count > 1 { write!(f, " ({} times)", self.count) } else { Ok(()) }
    }
}

/// Where findings are made.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    pub(super) backup_id: Option<String>,
    pub(super) backup_num: Option<u64>,
    pub(super) group: Option<GroupId>,
    pub(super) object: Option<ObjectName>,
}

impl Scope {
    pub(super) fn finding(&self, severity: Severity, kind: Kind, what: impl Into<String>) -> Finding {
        let Scope { backup_id, backup_num, group, object } = self.clone();
        let (offset, key, count, what) = (None, None, 1, what.into());
        Finding { severity, kind, backup_id, backup_num, group, object, offset, key, count, what }
    }

    pub(super) fn error(&self, kind: Kind, what: impl Into<String>) -> Finding {
        self.finding(Severity::Error, kind, what)
    }
}

/// Collects findings, a bounded number of each kind and object.
#[derive(Debug, Default)]
pub(super) struct Findings {
    listed: Vec<Finding>,
    /// How many there were, and which of those listed stands for the rest.
    met: HashMap<(Kind, Option<ObjectName>), (u64, usize)>,
}

impl Findings {
    pub(super) fn push(&mut self, finding: Finding) {
        let (met, rest) = self.met.entry((finding.kind, finding.object.clone())).or_default();
        *met += 1;
        if *met <= LISTED {
            self.listed.push(finding);
        } else if *met == LISTED + 1 {
            *rest = self.listed.len();
            let what = format!("more like those above, of which {LISTED} are listed");
            self.listed.push(Finding { offset: None, key: None, what, ..finding });
        } else {
            let rest = &mut self.listed[*rest];
            rest.count += finding.count;
            rest.severity = rest.severity.max(finding.severity);
        }
    }

    pub(super) fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        findings.into_iter().for_each(|finding| self.push(finding));
    }

    pub(super) fn listed(&self) -> &[Finding] {
        &self.listed
    }

    pub(super) fn into_listed(self) -> Vec<Finding> {
        self.listed
    }
}

/// What a run comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing but notes.
    Good,
    /// Warnings, and no errors.
    Warnings,
    /// Something could not be read, and no damage was found in the rest.
    Incomplete,
    /// Damage.
    Damaged,
}

impl Outcome {
    /// As it stands in reports.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Good => "good",
            Outcome::Warnings => "warnings",
            Outcome::Incomplete => "incomplete",
            Outcome::Damaged => "damaged",
        }
    }
}

/// What was looked at, what was found, and what was not looked at.
#[derive(Clone, Debug)]
pub struct VerifyReport {
    /// Where.
    pub location: String,
    /// How much.
    pub level: Level,
    /// The series that were looked at, oldest first.
    pub series: Vec<VerifiedSeries>,
    /// What was found, in the order of what it is about.
    pub findings: Vec<Finding>,
    /// What the run cannot tell, a sentence each.
    pub not_checked: Vec<String>,
}

/// A series that was looked at.
#[derive(Clone, Debug)]
pub struct VerifiedSeries {
    /// Its name.
    pub backup_id: String,
    /// Its backups, oldest first.
    pub backups: Vec<VerifiedBackup>,
    /// What all of them together give, if that was looked at.
    pub merged: Option<MergedState>,
}

/// A backup that was looked at.
#[derive(Clone, Debug)]
pub struct VerifiedBackup {
    /// The place in the series.
    pub backup_num: u64,
    /// The folder.
    pub path: ObjectName,
    /// Whether it stands for itself.
    pub is_full: bool,
    /// The instant it shows.
    pub read_ts: u64,
    /// Whether its archives are encrypted.
    pub is_encrypted: bool,
    /// The program that wrote it.
    pub written_by: String,
    /// Its archives, as far as they were wanted.
    pub objects: Vec<VerifiedObject>,
}

/// An archive that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedObject {
    /// Of which group.
    pub group: GroupId,
    /// Its name.
    pub object: ObjectName,
    /// Bytes as stored; `None` if it is not there.
    pub size_bytes: Option<u64>,
    /// Bytes of its frames, if it was read to its end.
    pub raw_bytes: Option<u64>,
    /// Its key-values, if it was read to its end.
    pub entries: Option<u64>,
}

/// The state that a restore gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MergedState {
    /// Posting lists.
    pub lists: u64,
    /// Predicates with a schema.
    pub predicates: u64,
    /// The greatest uid met.
    pub max_uid: u64,
}

impl VerifyReport {
    /// What it comes to.
    pub fn outcome(&self) -> Outcome {
        let is_unread = |finding: &&Finding| matches!(finding.kind, Kind::Unread | Kind::KeyNeeded);
        let errors = || self.findings.iter().filter(|finding| finding.severity == Severity::Error);
        if errors().any(|finding| !is_unread(&finding)) {
            return Outcome::Damaged;
        }
        match self.findings.iter().map(|finding| finding.severity).max() {
            Some(Severity::Error) => Outcome::Incomplete,
            Some(Severity::Warning) => Outcome::Warnings,
            Some(Severity::Note) | None => Outcome::Good,
        }
    }

    /// How many findings there are of a severity.
    pub fn count(&self, severity: Severity) -> u64 {
        self.findings.iter().filter(|finding| finding.severity == severity).count() as u64
    }

    /// Every archive that was looked at.
    pub fn objects(&self) -> impl Iterator<Item = &VerifiedObject> {
        self.series.iter().flat_map(|series| &series.backups).flat_map(|backup| &backup.objects)
    }
}
