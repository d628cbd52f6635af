use graphdb_types::{InvalidObjectName, ObjectName};
use std::io;

/// Any error, as the cause of one of ours.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The result of asking something of a destination.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong at a destination. A variant exists only where a caller would act differently.
///
/// Every message names the object and the location; none repeats its source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The place answered, and has no such object.
    #[error("object {name} does not exist in {location}")]
    NotFound {
        /// What was asked for.
        name: ObjectName,
        /// Where it was looked for.
        location: String,
    },

    /// The name was taken, before this call or by a writer that was faster. What exists is unchanged.
    #[error(
        "object {name} already exists in {location}, and an object is never overwritten; is another backup running there?"
    )]
    Conflict {
        /// The name that is taken.
        name: ObjectName,
        /// Where.
        location: String,
    },

    /// The location itself is missing: a typing error, or a file system that is not mounted.
    #[error("location {location} does not exist; {}", missing_advice(location))]
    NoLocation {
        /// The missing place.
        location: String,
    },

    /// The location, or a folder that an object should be in, is something else than a directory.
    #[error("{path} is not a directory; name the directory that holds the backups")]
    NotADirectory {
        /// What is not a directory.
        path: String,
    },

    /// Permission was refused, or the place is read-only.
    #[error("not allowed to {action} {object} in {location}; {}", permission_advice(action, location))]
    Denied {
        /// What was attempted, as a verb.
        action: &'static str,
        /// The object (or objects) it was attempted on.
        object: String,
        /// Where.
        location: String,
        /// The answer of the place.
        source: BoxError,
    },

    /// No space or quota is left. What was being written is not visible.
    #[error("no space left to {action} {object} in {location}; free space there or raise the quota, then repeat")]
    Full {
        /// What was attempted, as a verb.
        action: &'static str,
        /// The object it was attempted on.
        object: String,
        /// Where.
        location: String,
        /// The answer of the place.
        source: BoxError,
    },

    /// The place did not do it this time: I/O errors, a stale handle, a lost connection. When a write fails so, whether the object exists is unknown; ask `stat`.
    #[error("could not {action} {object} in {location}")]
    Unavailable {
        /// What was attempted, as a verb.
        action: &'static str,
        /// The object (or objects) it was attempted on.
        object: String,
        /// Where.
        location: String,
        /// The answer of the place.
        source: BoxError,
    },

    /// The place has too much to do, and said so until patience ran out.
    #[error("could not {action} {object}: {location} asks for fewer requests; repeat later, or raise its limits")]
    Throttled {
        /// What was attempted, as a verb.
        action: &'static str,
        /// The object (or objects) it was attempted on.
        object: String,
        /// Where.
        location: String,
        /// The answer of the place.
        source: BoxError,
    },

    /// What the place sends is not what was stored there, or makes no sense, also when asked again.
    #[error("could not {action} {object} in {location}: what the place answers does not fit, also when asked again")]
    Corrupt {
        /// What was attempted, as a verb.
        action: &'static str,
        /// The object (or objects) it was attempted on.
        object: String,
        /// Where.
        location: String,
        /// What does not fit.
        source: BoxError,
    },

    /// Nothing works before an operator sets something right: a clock, a region, credentials that have expired.
    #[error("could not {action} {object} in {location}: {advice}")]
    Misconfigured {
        /// What was attempted, as a verb.
        action: &'static str,
        /// The object (or objects) it was attempted on.
        object: String,
        /// Where.
        location: String,
        /// What is wrong, and what to do.
        advice: String,
        /// The answer of the place.
        source: BoxError,
    },

    /// No place was named, and there is no default one.
    #[error("you must specify a 'destination' value: no default place is set (--backup-bucket)")]
    NoDefault,

    /// A place that this node was told not to use.
    #[error("{location} is not allowed: {why}")]
    NotAllowed {
        /// The place.
        location: String,
        /// Why, and who can change that.
        why: String,
    },

    /// A text that is no location, or one of a kind that is not supported. Never repeats credentials.
    #[error("cannot use {location} as a location: {reason}")]
    InvalidLocation {
        /// The text, as far as it may be shown.
        location: String,
        /// Why, and what to write instead.
        reason: String,
    },

    /// A name that this kind of place cannot or will not hold.
    #[error("object name {name} cannot be used in {location}: {reason}")]
    InvalidName {
        /// The refused name.
        name: String,
        /// Where.
        location: String,
        /// Why.
        reason: &'static str,
    },

    /// A text, such as a listing prefix, that no object name can have.
    #[error(transparent)]
    NotAName(#[from] InvalidObjectName),

    /// The object is larger than the caller was ready to hold in memory.
    #[error("object {name} in {location} has {size_bytes} bytes, more than the {limit_bytes} that it may have")]
    TooLarge {
        /// The object.
        name: ObjectName,
        /// Where.
        location: String,
        /// Its size.
        size_bytes: u64,
        /// What the caller allowed.
        limit_bytes: u64,
    },
}

impl Error {
    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Error::Unavailable { .. } | Error::Throttled { .. })
    }

    /// Whether this is the clean answer "there is no such object".
    pub fn is_not_found(&self) -> bool {
        matches!(self, Error::NotFound { .. })
    }

    /// Whether the name was taken.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Error::Conflict { .. })
    }
}

/// An action on one object (or on a listing) at one location: what is needed to turn an I/O error into ours.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) action: &'static str,
    pub(crate) name: Option<ObjectName>,
    pub(crate) location: String,
}

impl Attempt {
    pub(crate) fn on(action: &'static str, name: &ObjectName, location: &str) -> Attempt {
        Attempt { action, name: Some(name.clone()), location: location.into() }
    }

    pub(crate) fn on_all(action: &'static str, location: &str) -> Attempt {
        Attempt { action, name: None, location: location.into() }
    }

    /// Sorts `err` into the variant that tells the caller what to do.
    pub(crate) fn fail(&self, err: impl Into<io::Error>) -> Error {
        let source = err.into();
        match (source.kind(), &self.name) {
            (io::ErrorKind::NotFound, Some(name)) => self.not_found(name),
            (io::ErrorKind::AlreadyExists, Some(name)) => self.conflict(name),
            (io::ErrorKind::InvalidFilename, Some(name)) => {
                self.refuse(name, "a part of it is too long for the file system")
            }
            (io::ErrorKind::IsADirectory, Some(name)) => self.refuse(name, "it is the name of a folder there"),
            _ => self.fail_with(source),
        }
    }

    /// As [`Attempt::fail`], where "absent" and "exists" would not speak of the object.
    pub(crate) fn fail_with(&self, source: io::Error) -> Error {
        let (action, location, object) = (self.action, self.location.clone(), self.object());
        match source.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Error::Denied { action, object, location, source: source.into() }
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Error::Full { action, object, location, source: source.into() }
            }
            _ => Error::Unavailable { action, object, location, source: source.into() },
        }
    }

    /// A fault that no I/O error tells of.
    pub(crate) fn unavailable(&self, why: impl Into<BoxError>) -> Error {
        Error::Unavailable {
            action: self.action,
            object: self.object(),
            location: self.location.clone(),
            source: why.into(),
        }
    }

    pub(crate) fn not_found(&self, name: &ObjectName) -> Error {
        Error::NotFound { name: name.clone(), location: self.location.clone() }
    }

    pub(crate) fn conflict(&self, name: &ObjectName) -> Error {
        Error::Conflict { name: name.clone(), location: self.location.clone() }
    }

    pub(crate) fn refuse(&self, name: &ObjectName, reason: &'static str) -> Error {
        Error::InvalidName { name: name.to_string(), location: self.location.clone(), reason }
    }

    pub(crate) fn object(&self) -> String {
        self.name.as_ref().map_or_else(|| "objects".into(), |name| format!("object {name}"))
    }
}

/// Whether the text of a location names a bucket. A directory's is a path.
fn is_bucket(location: &str) -> bool {
    location.contains("://")
}

fn missing_advice(location: &str) -> &'static str {
    match is_bucket(location) {
        true => "create the bucket, or correct its name, host or region",
        false => "mount or create it, or correct the path",
    }
}

/// What usually refuses, with the name that S3's policies have for the permission.
fn permission_advice(action: &str, location: &str) -> String {
    if !is_bucket(location) {
        return "check owner, permissions and whether it is mounted read-only".into();
    }
    let permission = match action {
        "read" | "look at" => "s3:GetObject",
        "list" => "s3:ListBucket",
        "delete" => "s3:DeleteObject",
        "sweep" => "s3:ListBucketMultipartUploads, s3:AbortMultipartUpload, s3:ListBucket and s3:DeleteObject",
        _ => "s3:PutObject",
    };
    format!("check the credentials, and that the policy of the bucket or of the user grants {permission}")
}
