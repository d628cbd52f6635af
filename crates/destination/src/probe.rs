//! Finding out what a place can do, by doing it with objects of no importance.

mod bucket;
mod directory;

pub(crate) use bucket::probe_bucket;
pub(crate) use directory::probe_directory;

use std::fmt;

/// How many create the same object at once. A store that only looks before it writes lets several of them win.
const RACERS: usize = 16;

/// What a probe object holds: those who find one left behind should know what it is.
const BODY: &[u8] = b"written by graphdb check; may be deleted\n";

/// What a place can do for whoever asked, found out by trying.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProbeReport {
    /// The place.
    pub location: String,
    /// Where the credentials came from; never a part of them.
    pub credentials: String,
    /// What was tried, in order.
    pub findings: Vec<Finding>,
    /// Probe objects that could not be removed.
    pub left_behind: Vec<String>,
}

/// One ability and how trying it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was tried.
    pub ability: Ability,
    /// How it went.
    pub outcome: Outcome,
}

/// What a place may be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ability {
    /// Tell which objects there are.
    List,
    /// Take an object.
    Write,
    /// Refuse a second object of the same name.
    CreateOnce,
    /// Let one of many simultaneous creators win.
    CreateOnceInARace,
    /// Give an object back.
    Read,
    /// Give a part of an object.
    ReadRange,
    /// Take a large object in parts.
    Multipart,
    /// Refuse to complete an upload in parts whose name was taken meanwhile.
    MultipartOnce,
    /// Forget an upload in parts.
    AbortMultipart,
    /// Tell which uploads in parts were left open.
    ListMultipart,
    /// Remove an object.
    Delete,
}

/// How trying an ability went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It works.
    Works,
    /// The credentials are not allowed to; in the place's own words.
    Denied(String),
    /// The place does not do it.
    NotOffered(String),
    /// It failed otherwise, this time or always.
    Failed(String),
    /// It was not tried, because something before it failed.
    NotTried,
}

impl Ability {
    /// All of them, in the order in which they are tried.
    pub const ALL: [Ability; 11] = [
        Ability::List,
        Ability::Write,
        Ability::CreateOnce,
        Ability::CreateOnceInARace,
        Ability::Read,
        Ability::ReadRange,
        Ability::Multipart,
        Ability::MultipartOnce,
        Ability::AbortMultipart,
        Ability::ListMultipart,
        Ability::Delete,
    ];

    /// The action that an S3 policy must allow for it.
    pub fn s3_action(self) -> &'static str {
        match self {
            Ability::List => "s3:ListBucket",
            Ability::Write
            | Ability::CreateOnce
            | Ability::CreateOnceInARace
            | Ability::Multipart
            | Ability::MultipartOnce => "s3:PutObject",
            Ability::Read | Ability::ReadRange => "s3:GetObject",
            Ability::AbortMultipart => "s3:AbortMultipartUpload",
            Ability::ListMultipart => "s3:ListBucketMultipartUploads",
            Ability::Delete => "s3:DeleteObject",
        }
    }
}

impl fmt::Display for Ability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ability::List => "list",
            Ability::Write => "write",
            Ability::CreateOnce => "create once",
            Ability::CreateOnceInARace => "create once, in a race",
            Ability::Read => "read",
            Ability::ReadRange => "read a range",
            Ability::Multipart => "upload in parts",
            Ability::MultipartOnce => "complete once",
            Ability::AbortMultipart => "abort an upload",
            Ability::ListMultipart => "list uploads",
            Ability::Delete => "delete",
        })
    }
}

impl Outcome {
    fn is_works(&self) -> bool {
        *self == Outcome::Works
    }
}

impl ProbeReport {
    fn new(location: String, credentials: String) -> ProbeReport {
        ProbeReport { location, credentials, findings: Vec::new(), left_behind: Vec::new() }
    }

    fn note(&mut self, ability: Ability, outcome: Outcome) {
        self.findings.push(Finding { ability, outcome });
    }

    /// What was not reached counts as not tried, so that every report has every ability.
    fn complete(mut self) -> ProbeReport {
        for ability in Ability::ALL {
            if self.outcome(ability).is_none() {
                self.note(ability, Outcome::NotTried);
            }
        }
        self.findings.sort_by_key(|finding| Ability::ALL.iter().position(|ability| *ability == finding.ability));
        self
    }

    fn outcome(&self, ability: Ability) -> Option<&Outcome> {
        self.findings.iter().find(|finding| finding.ability == ability).map(|finding| &finding.outcome)
    }

    /// Whether the place was seen to do this.
    pub fn can(&self, ability: Ability) -> bool {
        self.outcome(ability).is_some_and(Outcome::is_works)
    }

    /// Whether full and incremental backups can be taken: writing is enough.
    pub fn can_back_up(&self) -> bool {
        self.can(Ability::Write) && self.can(Ability::Multipart)
    }

    /// Whether backups there can be listed and restored; `None` if there was nothing to read.
    pub fn can_restore(&self) -> Option<bool> {
        match self.outcome(Ability::Read) {
            None | Some(Outcome::NotTried) if self.can(Ability::List) => None,
            _ => Some(self.can(Ability::List) && self.can(Ability::Read) && self.can(Ability::ReadRange)),
        }
    }

    /// The actions that a policy would have to allow for what was denied, each once.
    pub fn missing_actions(&self) -> Vec<&'static str> {
        let mut actions = Vec::new();
        for finding in &self.findings {
            let action = finding.ability.s3_action();
            if matches!(finding.outcome, Outcome::Denied(_)) && !actions.contains(&action) {
                actions.push(action);
            }
        }
        actions
    }
}
