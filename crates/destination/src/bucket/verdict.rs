//! From a store's refusal to the error that a caller of a destination gets.

use super::refusal::{Class, Refusal};
use crate::Error;
use crate::error::Attempt;

impl Refusal {
    /// The error that tells a caller, and an operator, what to do. `region` is the one that was asked.
    pub(super) fn into_error(self, attempt: &Attempt, region: Option<&str>) -> Error {
        let (action, object, location) = (attempt.action, attempt.object(), attempt.location.clone());
        if let Some(advice) = self.advice(region) {
            return Error::Misconfigured { action, object, location, advice, source: self.into() };
        }
        match (self.class.clone(), &attempt.name) {
            (Class::Absent, Some(name)) => attempt.not_found(name),
            // A condition is set where something is created; elsewhere this is an answer to another question.
            (Class::Exists, Some(name)) if attempt.action == "create" => attempt.conflict(name),
            (Class::NoBucket, _) => Error::NoLocation { location },
            (Class::Denied, _) => Error::Denied { action, object, location, source: self.into() },
            (Class::Full, _) => Error::Full { action, object, location, source: self.into() },
            (Class::Throttled, _) => Error::Throttled { action, object, location, source: self.into() },
            (Class::Corrupt, _) => Error::Corrupt { action, object, location, source: self.into() },
            _ => Error::Unavailable { action, object, location, source: self.into() },
        }
    }

    /// What an operator must set right, if that is it.
    fn advice(&self, region: Option<&str>) -> Option<String> {
        Some(match &self.class {
            Class::Expired => {
                "the credentials have expired; renew them, or let the node use ones that renew themselves".into()
            }
            Class::Clock => {
                "the clock of this machine and that of the store are too far apart; correct the clock, best by NTP"
                    .into()
            }
            Class::WrongRegion(bucket) => wrong_region(bucket.as_deref(), region),
            Class::Unsupported => "the store does not know this request; it is not compatible enough with S3".into(),
            Class::Invalid => {
                "the store does not take the request; check host, port, bucket, region and ?secure=".into()
            }
            _ => return None,
        })
    }
}

fn wrong_region(bucket: Option<&str>, asked: Option<&str>) -> String {
    let asked = asked.map(|region| format!(", and {region} was asked")).unwrap_or_default();
    match bucket {
        Some(region) => format!("the bucket is in region {region}{asked}; set --backup-region {region}"),
        None => format!("the bucket is in another region{asked}; set --backup-region to the region of the bucket"),
    }
}
