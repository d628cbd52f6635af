//! Writing a large object in parts.
//!
//! An object of at most one part is one conditional request. For more, parts are sent while the next one is collected. S3 takes 10,000
//! parts of at least 5 MiB (but for the last) and 5 TiB in all, and how much will come is not known when the first part is sent; so parts
//! grow: every 800 parts their size doubles, until it is 128 times that of the first. From 8 MiB that is 1 GiB after 5,600 parts and 0.8 TiB,
//! and 10,000 parts hold 5.07 TiB. (A store that wants parts of one size, as Cloudflare R2 does, takes objects up to 6.2 GiB; with
//! `part_bytes` larger, more.)
//!
//! Memory: one part more than are in flight. Of parts beyond 64 MiB fewer are in flight, so that these have at most 256 MiB together, or
//! are a single one.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use graphdb_types::ObjectName;

use super::claim::Claim;
use super::client::{Condition, Head, Part, Stored};
use super::create::{self, Protocol};
use super::etag;
use super::place::Place;
use super::probe::protocol;
use super::refusal::{Answer, Class, Refusal};
use super::requests::{Operation, Outcome};
use super::task::Task;
use crate::error::Attempt;
use crate::{Result, Upload};

/// Parts of one size.
const PARTS_PER_SIZE: u32 = 800;

/// The size of parts doubles so many times.
const DOUBLINGS: u32 = 7;

/// S3's greatest number of parts.
const MAX_PARTS: u32 = 10_000;

/// Bytes of all parts in flight, unless it is one.
const MAX_BYTES_IN_FLIGHT: usize = 256 << 20;

/// An object being written. Nothing is sent before there is more than one part.
pub(super) struct BucketUpload {
    place: Arc<Place>,
    name: ObjectName,
    key: String,
    collected: BytesMut,
    parts: Option<PartsUpload>,
    /// After an error, or a call that was dropped half-way, bytes are missing.
    broken: bool,
}

/// An upload in parts that the store knows. Dropped, it is aborted.
struct PartsUpload {
    op: Arc<Operation>,
    key: String,
    id: String,
    sending: VecDeque<Task<Answer<Part>>>,
    sent: Vec<Part>,
    begun_parts: u32,
    size_bytes: u64,
    over: bool,
}

impl BucketUpload {
    /// Begins an upload. A name that is taken is refused, where looking is allowed.
    pub(super) async fn begin(place: &Arc<Place>, name: &ObjectName) -> Result<BucketUpload> {
        let op = Operation::on(place, "create", name);
        let key = place.key(&op.attempt, name)?;
        create::refuse_taken(&op, name, &key).await?;
        Ok(BucketUpload {
            place: Arc::clone(place),
            name: name.clone(),
            key,
            collected: BytesMut::new(),
            parts: None,
            broken: false,
        })
    }

    async fn append(&mut self, mut chunk: Bytes) -> Result<()> {
        while !chunk.is_empty() {
            let part_bytes = self.part_bytes();
            if self.collected.len() == part_bytes {
                self.send_collected().await?;
                continue;
            }
            let piece = chunk.split_to(chunk.len().min(part_bytes - self.collected.len()));
            self.collected.extend_from_slice(&piece);
        }
        Ok(())
    }

    /// The size of the part that is being collected.
    fn part_bytes(&self) -> usize {
        let begun_parts = self.parts.as_ref().map_or(0, |parts| parts.begun_parts);
        part_bytes(self.place.options.part_bytes, begun_parts)
    }

    async fn send_collected(&mut self) -> Result<()> {
        if self.parts.is_none() {
            self.parts = Some(PartsUpload::begin(&self.place, &self.name, &self.key).await?);
        }
        let parts = self.parts.as_mut().expect("begun a line above");
        parts.send(self.collected.split().freeze()).await
    }

    async fn finish(&mut self) -> Result<()> {
        if self.broken {
            let attempt = Attempt::on("complete", &self.name, &self.place.location);
            return Err(attempt.unavailable("an earlier write failed or was given up, so bytes are missing"));
        }
        if self.parts.is_none() {
            return create::create(&self.place, &self.name, self.collected.split().freeze()).await;
        }
        self.send_collected().await?;
        let parts = self.parts.as_mut().expect("there are some, or the object would be small");
        parts.finish(&self.name).await
    }
}

/// Bytes of the part after `begun_parts` others.
fn part_bytes(first: usize, begun_parts: u32) -> usize {
    first << (begun_parts / PARTS_PER_SIZE).min(DOUBLINGS)
}

#[async_trait]
impl Upload for BucketUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        let was_broken = std::mem::replace(&mut self.broken, true);
        self.append(chunk).await?;
        self.broken = was_broken;
        Ok(())
    }

    async fn complete(mut self: Box<Self>) -> Result<()> {
        let result = self.finish().await;
        if let (Err(_), Some(parts)) = (&result, &mut self.parts) {
            parts.abort().await;
        }
        result
    }

    async fn abort(mut self: Box<Self>) {
        if let Some(parts) = &mut self.parts {
            parts.abort().await;
        }
    }
}

impl PartsUpload {
    async fn begin(place: &Arc<Place>, name: &ObjectName, key: &str) -> Result<PartsUpload> {
        let op = Arc::new(Operation::on(place, "upload", name));
        let id = op.create_multipart(key).await.map_err(|refusal| op.refused(refusal))?;
        Ok(PartsUpload {
            op,
            key: key.to_owned(),
            id,
            sending: VecDeque::new(),
            sent: Vec::new(),
            begun_parts: 0,
            size_bytes: 0,
            over: false,
        })
    }

    /// Sends a part beside others, as soon as there is room for it.
    async fn send(&mut self, body: Bytes) -> Result<()> {
        if self.begun_parts == MAX_PARTS {
            let why = "it is larger than 10,000 parts hold; set larger parts";
            return Err(self.op.refused(Refusal::plain(Class::Invalid, why.into())));
        }
        let in_flight =
            (MAX_BYTES_IN_FLIGHT / body.len().max(1)).clamp(1, self.op.place.options.parts_in_flight.max(1));
        self.wait_until_at_most(in_flight - 1).await?;
        self.begun_parts += 1;
        self.size_bytes += body.len() as u64;
        let (op, key, id, number) = (Arc::clone(&self.op), self.key.clone(), self.id.clone(), self.begun_parts);
        self.sending.push_back(Task::spawn(async move { op.upload_part(&key, &id, number, &body).await }));
        Ok(())
    }

    async fn wait_until_at_most(&mut self, parts: usize) -> Result<()> {
        while self.sending.len() > parts {
            let Some(oldest) = self.sending.front_mut() else { break };
            let sent = oldest.await;
            self.sending.pop_front();
            self.sent.push(sent.map_err(|refusal| self.op.refused(refusal))?);
        }
        Ok(())
    }

    /// Makes the object of its parts, if the name is still free.
    async fn finish(&mut self, name: &ObjectName) -> Result<()> {
        self.wait_until_at_most(0).await?;
        match protocol(&self.op, name).await? {
            Some(Protocol::Claims) => {
                let claim = Claim::take(&self.op, name, &self.key).await?;
                let result = claim.use_for(self.give_name(name), &self.op).await;
                claim.withdraw().await;
                result?;
            }
            // Some stores honour the condition of a write, and not that of completing an upload.
            _ => {
                create::refuse_taken(&self.op, name, &self.key).await?;
                self.give_name(name).await?;
            }
        }
        self.over = true;
        Ok(())
    }

    async fn give_name(&self, name: &ObjectName) -> Result<()> {
        let Outcome { answer, maybe_done } = self.complete().await;
        match answer {
            Ok(stored) => self.verify(stored.etag).await,
            Err(refusal) if maybe_done && !refusal.is_passing() => self.find_out(name, refusal).await,
            Err(refusal) if refusal.class == Class::Exists => Err(self.op.attempt.conflict(name)),
            Err(refusal) => Err(self.op.refused(refusal)),
        }
    }

    /// Completes on condition that the name is free; without, where the store does not take the condition.
    async fn complete(&self) -> Outcome<Stored> {
        let conditional = self.op.complete_multipart(&self.key, &self.id, &self.sent, Condition::Absent).await;
        match &conditional.answer {
            Err(refusal) if refusal.is_unknown_condition() => {
                self.op.complete_multipart(&self.key, &self.id, &self.sent, Condition::None).await
            }
            _ => conditional,
        }
    }

    /// The store said yes. Where looking is allowed, the object must have the size and the ETag of what was sent.
    async fn verify(&self, stored: Option<String>) -> Result<()> {
        match self.op.head_until(&self.key, |head| self.is_ours(head, stored.as_deref()).is_ok()).await {
            Ok(_) => Ok(()),
            Err(refusal) if refusal.class == Class::Denied => Ok(()),
            Err(refusal) => Err(self.op.refused(refusal)),
        }
    }

    /// The answer was lost, and now the name is taken or the upload is gone.
    async fn find_out(&self, name: &ObjectName, refusal: Refusal) -> Result<()> {
        let upload_is_gone = matches!(refusal.class, Class::NoUpload | Class::Absent);
        let unknown = |why: String| {
            Err(self.op.attempt.unavailable(format!(
                "the answer to the last request of the upload was lost, and whether the object was written is not known: {why}"
            )))
        };
        match self.op.head(&self.key).await {
            Err(looked) => unknown(format!("{refusal}; then, looking for it: {looked}")),
            Ok(head) => match (self.is_ours(&head, None), upload_is_gone) {
                (Ok(Proof::Etag), _) | (Ok(Proof::Size), true) => Ok(()),
                (Ok(Proof::Size), false) => {
                    unknown("an object of this size exists, and its ETag does not tell whose it is".into())
                }
                (Err(_), _) => Err(self.op.attempt.conflict(name)),
            },
        }
    }

    /// Whether an object is what these parts make. `stored` is the ETag that the store gave when it made it.
    fn is_ours(&self, head: &Head, stored: Option<&str>) -> Result<Proof, ()> {
        if head.size_bytes != self.size_bytes {
            return Err(());
        }
        let Some(found) = head.etag.as_deref() else { return Ok(Proof::Size) };
        let of_parts = etag::of_parts(&self.sent).filter(|_| self.op.place.options.verify_etags);
        match (stored, of_parts) {
            (Some(stored), _) if found == stored => Ok(Proof::Etag),
            (_, Some(of_parts)) if found == of_parts => Ok(Proof::Etag),
            (_, Some(of_parts)) if etag::is_of_parts(found) && etag::is_of_parts(&of_parts) => Err(()),
            (Some(_), None) => Err(()),
            _ => Ok(Proof::Size),
        }
    }

    async fn abort(&mut self) {
        self.over = true;
        self.sending.clear();
        abort(&self.op.place, &self.key, &self.id).await;
    }
}

/// By what an object is known to be ours.
#[derive(Debug)]
enum Proof {
    Etag,
    Size,
}

async fn abort(place: &Arc<Place>, key: &str, id: &str) {
    let op = Operation::on_all(place, "abort uploads of");
    if let Err(refusal) = op.abort_multipart(key, id).await {
        tracing::warn!(%refusal, key, location = %place.location, "an upload could not be aborted; it is invisible, and swept when it is old");
    }
}

impl Drop for PartsUpload {
    fn drop(&mut self) {
        self.sending.clear();
        if let (false, Ok(runtime)) = (self.over, tokio::runtime::Handle::try_current()) {
            let (place, key, id) =
                (Arc::clone(&self.op.place), std::mem::take(&mut self.key), std::mem::take(&mut self.id));
            runtime.spawn(async move { abort(&place, &key, &id).await });
        }
    }
}

impl fmt::Debug for BucketUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sent_bytes = self.parts.as_ref().map_or(0, |parts| parts.size_bytes);
        f.debug_struct("BucketUpload")
            .field("key", &self.key)
            .field("sent_bytes", &sent_bytes)
            .field("collected_bytes", &self.collected.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_parts_reach_5_tib() {
        let first = 8 << 20;
        let total: u64 = (0..MAX_PARTS).map(|begun| part_bytes(first, begun) as u64).sum();
        assert!(total >= 5 << 40, "{total}");
        assert_eq!(part_bytes(first, 0), first);
        assert_eq!(part_bytes(first, MAX_PARTS), 1 << 30, "S3 takes parts up to 5 GiB");
    }
}
