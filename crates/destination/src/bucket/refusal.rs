//! What a store's refusal means, by what the caller does about it.

use std::fmt;
use std::time::{Duration, SystemTime};

use graphdb_types::with_causes;
use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

use crate::BoxError;

/// An answer of a store, or why there was none.
pub(crate) type Answer<T> = Result<T, Refusal>;

/// Why a request was not done.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) class: Class,
    /// HTTP status, if the store answered.
    pub(crate) status: Option<u16>,
    /// The store's word for it, such as `SlowDown`.
    pub(crate) code: Option<String>,
    /// The store's sentence, or the error of the connection.
    pub(crate) message: String,
    /// By which the store's operator finds the request.
    pub(crate) request_id: Option<String>,
    /// How long the store asks to be left alone.
    pub(crate) retry_after: Option<Duration>,
}

/// What a refusal means to the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// The store was asked and has no such object.
    Absent,
    /// There is no such bucket.
    NoBucket,
    /// There is no such multipart upload: completed, aborted or swept.
    NoUpload,
    /// Not allowed; also unknown keys and wrong signatures.
    Denied,
    /// The credentials were good once.
    Expired,
    /// The clocks differ by more than the store takes.
    Clock,
    /// The bucket is in another region, which the store may have named.
    WrongRegion(Option<String>),
    /// A condition did not hold: the name is taken, or the object changed.
    Exists,
    /// Another writer is at the same name just now; to be tried again.
    Racing,
    /// The store does not know how to do this.
    Unsupported,
    /// No space or quota is left.
    Full,
    /// Too many requests.
    Throttled,
    /// The store or the way to it failed this time.
    Unavailable,
    /// What arrived is not what was sent, or an answer makes no sense.
    Corrupt,
    /// The request is wrong, and will be.
    Invalid,
}

/// What a store says of a refusal, for [`Refusal::of_answer`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) status: u16,
    /// `<Code>` of the error document, if there was one.
    pub(crate) code: Option<String>,
    /// `<Message>`.
    pub(crate) message: Option<String>,
    /// `x-amz-request-id`.
    pub(crate) request_id: Option<String>,
    /// `x-amz-bucket-region`, or `<Region>` of the error document.
    pub(crate) region: Option<String>,
    /// `Retry-After`, in seconds or as a date.
    pub(crate) retry_after: Option<String>,
    /// `Date`: the clock of the store.
    pub(crate) date: Option<String>,
}

impl Refusal {
    /// Sorts what a store answered. The error codes are those of S3's API reference and of the stores that follow it.
    pub(crate) fn of_answer(told: Told) -> Refusal {
        let class = class_of(&told);
        let now = SystemTime::now();
        let mut message = told.message.unwrap_or_else(|| "the store refused it".into());
        if class == Class::Clock {
            message.push_str(&clocks(told.date.as_deref(), now));
        }
        Refusal {
            class,
            status: Some(told.status),
            code: told.code,
            message,
            request_id: told.request_id,
            retry_after: told.retry_after.as_deref().and_then(|text| retry_after(text, now)),
        }
    }

    /// No answer, or none that could be read to its end.
    pub(crate) fn of_connection(source: BoxError) -> Refusal {
        Refusal::plain(Class::Unavailable, with_causes(&*source))
    }

    /// An answer that says yes and makes no sense.
    pub(crate) fn nonsense(why: impl Into<String>) -> Refusal {
        Refusal::plain(Class::Corrupt, why.into())
    }

    /// A refusal without an answer.
    pub(crate) fn plain(class: Class, message: String) -> Refusal {
        Refusal { class, status: None, code: None, message, request_id: None, retry_after: None }
    }

    /// No answer in time.
    pub(super) fn timeout(after: Duration) -> Refusal {
        Refusal::plain(Class::Unavailable, format!("no answer within {} s", after.as_secs_f32()))
    }

    /// Adds what may be behind a denial of keys that nobody renews: some stores (Ceph) do not tell that a session has ended.
    pub(crate) fn of_session(mut self) -> Refusal {
        if self.class == Class::Denied {
            self.message.push_str("; the session that the keys belong to may have expired");
        }
        self
    }

    /// Whether a conditional request may have failed because of its condition: the store does not know the header. The same request without
    /// it shows.
    pub(super) fn is_unknown_condition(&self) -> bool {
        matches!(self.class, Class::Unsupported | Class::Invalid)
    }

    /// Whether the same request may succeed a moment later.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self.class, Class::Throttled | Class::Unavailable | Class::Racing | Class::Corrupt)
    }
}

/// The code decides where there is one: `HEAD` has no body and thus only a status.
fn class_of(told: &Told) -> Class {
    match told.code.as_deref().unwrap_or_default() {
        "NoSuchKey" => Class::Absent,
        "NoSuchBucket" => Class::NoBucket,
        "NoSuchUpload" => Class::NoUpload,
        "ExpiredToken" | "TokenRefreshRequired" | "ExpiredTokenException" => Class::Expired,
        "RequestTimeTooSkewed" => Class::Clock,
        "PermanentRedirect"
        | "TemporaryRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException" => Class::WrongRegion(told.region.clone()),
        "PreconditionFailed" => Class::Exists,
        "ConditionalRequestConflict" | "OperationAborted" => Class::Racing,
        "NotImplemented" | "MethodNotAllowed" => Class::Unsupported,
        "QuotaExceeded" | "XMinioStorageFull" | "XMinioAdminBucketQuotaExceeded" | "InsufficientCapacity" => {
            Class::Full
        }
        "SlowDown"
        | "SlowDownRead"
        | "SlowDownWrite"
        | "TooManyRequests"
        | "RequestLimitExceeded"
        | "ThrottlingException"
        | "Throttling" => Class::Throttled,
        "InternalError" | "ServiceUnavailable" | "RequestTimeout" | "XMinioServerNotInitialized" => Class::Unavailable,
        "BadDigest"
        | "IncompleteBody"
        | "XAmzContentSHA256Mismatch"
        | "XAmzContentChecksumMismatch"
        | "InvalidPart"
        | "InvalidPartOrder" => Class::Corrupt,
        _ => class_of_status(told),
    }
}

fn class_of_status(told: &Told) -> Class {
    match told.status {
        404 => Class::Absent,
        401 | 403 => Class::Denied,
        301 | 307 | 308 => Class::WrongRegion(told.region.clone()),
        409 => Class::Racing,
        412 => Class::Exists,
        405 | 411 | 501 => Class::Unsupported,
        408 => Class::Unavailable,
        429 => Class::Throttled,
        507 => Class::Full,
        status if status >= 500 => Class::Unavailable,
        // An error document in an answer that says "done" (S3 does so when a multipart upload is completed).
        status if status < 300 => Class::Unavailable,
        _ => Class::Invalid,
    }
}

/// Reads `Retry-After`: seconds, or a date of HTTP (RFC 9110 section 10.2.3). One that has passed asks for no wait.
fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => http_date(text).map(|date| (date - OffsetDateTime::from(now)).try_into().unwrap_or_default()),
    }
}

/// The usual form of a date in HTTP is one of mail's.
fn http_date(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc2822).ok()
}

/// Both clocks, to be added to a complaint about them.
fn clocks(theirs: Option<&str>, now: SystemTime) -> String {
    let ours = OffsetDateTime::from(now);
    let shown = |at: OffsetDateTime| at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339).unwrap_or_default();
    match theirs.and_then(|text| http_date(text.trim())) {
        Some(theirs) => format!(
            "; it is {} here and {} at the store, {} s apart",
            shown(ours),
            shown(theirs),
            (ours - theirs).whole_seconds().abs()
        ),
        None => format!("; it is {} here", shown(ours)),
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match (self.status, &self.code) {
            (Some(status), Some(code)) => write!(f, " ({status} {code}")?,
            (Some(status), None) => write!(f, " ({status}")?,
            (None, _) => return Ok(()),
        }
        match &self.request_id {
            Some(id) => write!(f, ", request {id})"),
            None => f.write_str(")"),
        }
    }
}

impl std::error::Error for Refusal {}
