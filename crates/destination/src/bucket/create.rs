//! Writing an object in one step, and creating it only if its name is free.

use std::sync::Arc;

use bytes::Bytes;
use graphdb_types::ObjectName;

use super::claim::Claim;
use super::client::{Condition, Stored};
use super::download;
use super::etag::md5_of;
use super::place::Place;
use super::probe::protocol;
use super::refusal::{Class, Refusal};
use super::requests::{Operation, Outcome};
use crate::{CreateOnly, Error, Result};

/// How this store keeps writers of one name apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// It honours `If-None-Match: *`.
    Condition,
    /// It does not; claims do it.
    Claims,
    /// It does not, and we may not list or delete, so there are no claims either.
    Nothing,
}

impl From<Option<Protocol>> for CreateOnly {
    fn from(protocol: Option<Protocol>) -> CreateOnly {
        match protocol {
            None => CreateOnly::Unknown,
            Some(Protocol::Condition) => CreateOnly::Conditional,
            Some(Protocol::Claims) => CreateOnly::Claimed,
            Some(Protocol::Nothing) => CreateOnly::Unprotected,
        }
    }
}

/// Writes an object, whatever was there.
pub(super) async fn replace(place: &Arc<Place>, name: &ObjectName, body: Bytes) -> Result<()> {
    let op = Operation::on(place, "write", name);
    let key = place.key(&op.attempt, name)?;
    let stored = op.put(&key, &body, Condition::None).await.answer.map_err(|refusal| op.refused(refusal))?;
    check_stored(&op, &key, &body, &stored).await
}

/// Writes an object if its name is free.
pub(super) async fn create(place: &Arc<Place>, name: &ObjectName, body: Bytes) -> Result<()> {
    let op = Operation::on(place, "create", name);
    let key = place.key(&op.attempt, name)?;
    match protocol(&op, name).await? {
        Some(Protocol::Condition) => create_conditionally(&op, name, &key, &body).await,
        Some(Protocol::Claims) => create_claimed(&op, name, &key, &body).await,
        Some(Protocol::Nothing) => create_unprotected(&op, name, &key, &body).await,
        None => create_and_learn(&op, name, &key, &body).await,
    }
}

async fn create_conditionally(op: &Operation, name: &ObjectName, key: &str, body: &Bytes) -> Result<()> {
    let outcome = op.put(key, body, Condition::Absent).await;
    settle(op, name, key, body, outcome).await
}

/// What a conditional write came to. An answer that was lost may have said yes, and then the name is taken by ourselves.
async fn settle(op: &Operation, name: &ObjectName, key: &str, body: &Bytes, outcome: Outcome<Stored>) -> Result<()> {
    match outcome {
        Outcome { answer: Ok(stored), .. } => check_stored(op, key, body, &stored).await,
        Outcome { answer: Err(refusal), maybe_done } if refusal.class == Class::Exists => match maybe_done {
            true => find_out(op, name, key, body).await,
            false => Err(op.attempt.conflict(name)),
        },
        Outcome { answer: Err(refusal), .. } => Err(op.refused(refusal)),
    }
}

/// Whether the object that has the name is the one that was to be written.
async fn find_out(op: &Operation, name: &ObjectName, key: &str, body: &Bytes) -> Result<()> {
    match holds(op, key, body).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(op.attempt.conflict(name)),
        Err(refusal) => Err(op.attempt.unavailable(format!(
            "the answer to the write was lost, the name is taken now, and whether the object is this one is not known: {refusal}"
        ))),
    }
}

/// With a claim nobody else writes, so the write needs no condition. What was written is read back all the same, where that is allowed.
async fn create_claimed(op: &Operation, name: &ObjectName, key: &str, body: &Bytes) -> Result<()> {
    let claim = Claim::take(op, name, key).await?;
    let write = async {
        let written = op.put(key, body, Condition::None).await.answer;
        written.map_err(|refusal| op.refused(refusal))?;
        match holds(op, key, body).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(op.attempt.conflict(name)),
            Err(refusal) if refusal.class == Class::Denied => Ok(()),
            Err(refusal) => Err(op.refused(refusal)),
        }
    };
    let result = claim.use_for(write, op).await;
    claim.withdraw().await;
    result
}

async fn create_unprotected(op: &Operation, name: &ObjectName, key: &str, body: &Bytes) -> Result<()> {
    refuse_taken(op, name, key).await?;
    let stored = op.put(key, body, Condition::None).await.answer.map_err(|refusal| op.refused(refusal))?;
    check_stored(op, key, body, &stored).await
}

/// The first create with credentials that can only write: the object itself shows whether the condition is honoured, because a second
/// write of the same bytes must be refused.
async fn create_and_learn(op: &Operation, name: &ObjectName, key: &str, body: &Bytes) -> Result<()> {
    let mut known = op.place.protocol.lock().await;
    match *known {
        Some(Protocol::Condition) => return create_conditionally(op, name, key, body).await,
        Some(_) => return create_unprotected(op, name, key, body).await,
        None => {}
    }
    refuse_taken(op, name, key).await?;
    let first = op.put(key, body, Condition::Absent).await;
    match &first.answer {
        Ok(_) => *known = learn(op, key, body).await,
        Err(refusal) if refusal.class == Class::Exists => *known = Some(Protocol::Condition),
        Err(refusal) if refusal.is_unknown_condition() => {
            create_unprotected(op, name, key, body).await?;
            *known = Some(unprotected(op));
            return Ok(());
        }
        Err(_) => {}
    }
    settle(op, name, key, body, first).await
}

/// Writes the same object again, which must be refused. Where it is not, nothing has changed but the time of the object.
async fn learn(op: &Operation, key: &str, body: &Bytes) -> Option<Protocol> {
    match op.put(key, body, Condition::Absent).await.answer {
        Ok(_) => Some(unprotected(op)),
        Err(refusal) if refusal.class == Class::Exists => Some(Protocol::Condition),
        Err(_) => None,
    }
}

fn unprotected(op: &Operation) -> Protocol {
    tracing::warn!(
        location = %op.place.location,
        "the store ignores conditions (If-None-Match), and without permission to list, read and delete nothing else keeps two nodes apart that \
         write here: let one node alone write to this location"
    );
    Protocol::Nothing
}

/// Refuses a name that is taken, where looking is allowed.
pub(super) async fn refuse_taken(op: &Operation, name: &ObjectName, key: &str) -> Result<()> {
    match op.head(key).await {
        Ok(_) => Err(op.attempt.conflict(name)),
        // Without an error document, 400 may be anything (S3 says so that a token has expired). The write will tell.
        Err(refusal) if matches!(refusal.class, Class::Absent | Class::Denied | Class::Invalid) => Ok(()),
        Err(refusal) => Err(op.refused(refusal)),
    }
}

/// Takes a second look if the ETag of what was written is not its MD5. Where reading is denied the store's own check must do: the request
/// told it the MD5.
async fn check_stored(op: &Operation, key: &str, body: &Bytes, stored: &Stored) -> Result<()> {
    let Some(etag) = &stored.etag else { return Ok(()) };
    if op.place.etag_fits(etag, &md5_of(body).await) {
        return Ok(());
    }
    match holds(op, key, body).await {
        Ok(false) => Err(op.refused(Refusal::nonsense("the object does not read back as it was written"))),
        Ok(true) | Err(_) => Ok(()),
    }
}

/// Whether the object reads as `body`.
async fn holds(op: &Operation, key: &str, body: &Bytes) -> Result<bool, Refusal> {
    let Some(range) = download::Range::of(0..body.len() as u64) else {
        return op.head(key).await.map(|head| head.size_bytes == 0);
    };
    let (fetched, object) = match download::begin(op, key, range.clone()).await {
        // An empty one.
        Err(refusal) if refusal.status == Some(download::RANGE_NOT_SATISFIABLE) => return Ok(false),
        begun => begun?,
    };
    if object.size_bytes != body.len() as u64 {
        return Ok(false);
    }
    let chunks = download::read_range(op, key, &object, range, Some(fetched)).await?;
    Ok(chunks.concat() == body[..])
}

/// For the error of a caller whose time ran out.
pub(super) fn too_slow(op: &Operation) -> Error {
    op.attempt
        .unavailable("writing took longer than a claim to the name holds; whether the object was written is not known")
}
