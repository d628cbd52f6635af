//! Finding out how a store keeps apart two writers of one name.

use graphdb_types::ObjectName;

use super::claim::claim_key;
use super::client::Condition;
use super::create::Protocol;
use super::refusal::Class;
use super::requests::Operation;
use crate::Result;

/// How objects are created at this place. `None` as long as only writing an object can show it.
///
/// A claim to the name is written twice on condition that it is absent, and removed: a store that honours the condition refuses the second.
/// Whether it can be removed is tried beforehand, because credentials that may only write must leave nothing behind.
pub(super) async fn protocol(op: &Operation, name: &ObjectName) -> Result<Option<Protocol>> {
    let mut known = op.place.protocol.lock().await;
    if known.is_none() {
        let key = claim_key(&op.place, name);
        if let Err(refusal) = op.delete(&key).await.answer.or_else(absent_is_fine) {
            return match refusal.class {
                Class::Denied | Class::Unsupported => Ok(None),
                _ => Err(op.refused(refusal)),
            };
        }
        *known = probe(op, &key).await?;
        if let Err(refusal) = op.delete(&key).await.answer {
            tracing::warn!(%refusal, key, location = %op.place.location, "a probe object could not be removed");
        }
    }
    Ok(*known)
}

async fn probe(op: &Operation, key: &str) -> Result<Option<Protocol>> {
    let body = "graphdb looks whether this store honours If-None-Match".into();
    // Twice the same: a single refusal may be a mistake, and a node that goes by claims disturbs one that trusts the condition.
    let (mut written, mut unknown) = (0, 0);
    while written < 2 && unknown < 2 {
        match op.put(key, &body, Condition::Absent).await.answer {
            Ok(_) => written += 1,
            Err(refusal) if refusal.class == Class::Exists => return Ok(Some(Protocol::Condition)),
            Err(refusal) if refusal.is_unknown_condition() => unknown += 1,
            // A policy may allow the names of objects alone.
            Err(refusal) if refusal.class == Class::Denied => return Ok(None),
            Err(refusal) => return Err(op.refused(refusal)),
        }
    }
    match op.list(key, None).await {
        Ok(_) => {
            tracing::warn!(
                location = %op.place.location,
                "the store ignores conditions (If-None-Match); claim objects keep writers apart here, and every create takes some more requests"
            );
            Ok(Some(Protocol::Claims))
        }
        Err(refusal) if refusal.class == Class::Denied => Ok(None),
        Err(refusal) => Err(op.refused(refusal)),
    }
}

fn absent_is_fine(refusal: super::refusal::Refusal) -> super::refusal::Answer<()> {
    match refusal.class {
        Class::Absent => Ok(()),
        _ => Err(refusal),
    }
}
