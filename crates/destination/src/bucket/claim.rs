//! Keeping writers of one name apart on stores that ignore conditions.
//!
//! A writer announces itself before it writes, by a *claim*: an object beside the one it wants to create, with a random name
//! (`.<name>.claim-<16 hex digits>`, never shown in a listing). Then it lists the claims to the name.
//!
//! - It is alone: it looks whether the object exists; if so, that is the conflict. If not, it writes the object, reads it back, and
//!   withdraws the claim.
//! - There are others: the one whose claim sorts first waits for the others to go. Every other withdraws its claim, waits until it sees
//!   none, looks whether the object exists, and begins again.
//!
//! Of two writers, the one that lists later sees the claim of the other, or else its object: so both are never alone with the name free.
//! This needs a store whose listings show what was written before (all but a few do). A store that does not show a writer its own claim is
//! told so.
//!
//! A writer may die. Its claim counts for [`BucketOptions::claim_lifetime`](super::BucketOptions::claim_lifetime), by the clock of the store,
//! and a writer that has used half of that does not begin to write, and is cut off when it has begun. The object is not protected from a
//! request that a network keeps for the other half and then delivers.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use graphdb_types::ObjectName;
use tokio::time::{Instant, sleep};

use super::client::{Condition, Listed};
use super::create::too_slow;
use super::listing;
use super::place::Place;
use super::refusal::Class;
use super::requests::Operation;
use crate::Result;
use crate::names::{claim_for, claims_on};

/// The right to create an object. Dropped without [`Claim::withdraw`], it is withdrawn by a task of its own, or expires.
pub(super) struct Claim {
    place: Arc<Place>,
    key: String,
    claimed_at: Instant,
    withdrawn: bool,
}

/// What the claims of others mean for ours.
enum Standing {
    Alone,
    First,
    Behind,
}

/// The key of a fresh claim to `name`.
pub(super) fn claim_key(place: &Place, name: &ObjectName) -> String {
    place.prefix(&beside(name, &claim_for(name.file_name())))
}

fn beside(name: &ObjectName, file_name: &str) -> String {
    match name.parent() {
        Some(folder) => format!("{folder}/{file_name}"),
        None => file_name.to_owned(),
    }
}

impl Claim {
    /// Waits until nobody else claims the name, and the name is free.
    ///
    /// # Errors
    /// [`crate::Error::Conflict`] when it is taken, [`crate::Error::Unavailable`] when others claim it for too long.
    pub(super) async fn take(op: &Operation, name: &ObjectName, key: &str) -> Result<Claim> {
        let begun_at = Instant::now();
        while begun_at.elapsed() < op.place.options.claim_patience {
            refuse_taken(op, name, key).await?;
            wait_for_others(op, name).await?;
            let claim = Claim::announce(op, name).await?;
            if claim.wait_until_alone(op, name, begun_at).await? {
                return match refuse_taken(op, name, key).await {
                    Ok(()) => Ok(claim),
                    Err(err) => {
                        claim.withdraw().await;
                        Err(err)
                    }
                };
            }
            claim.withdraw().await;
            sleep(random_wait(op)).await;
        }
        Err(op.attempt.unavailable(
            "others claim the name, and none of them writes the object; a claim whose writer died expires within minutes",
        ))
    }

    async fn announce(op: &Operation, name: &ObjectName) -> Result<Claim> {
        let key = claim_key(&op.place, name);
        // From before it is written: its age, by our clock, is then not underrated.
        let claim = Claim { place: Arc::clone(&op.place), key, claimed_at: Instant::now(), withdrawn: false };
        let body = Bytes::from_static(b"graphdb is about to create the object named here");
        op.put(&claim.key, &body, Condition::None).await.answer.map_err(|refusal| op.refused(refusal))?;
        Ok(claim)
    }

    /// Whether ours became the only claim. It did not if another one sorts before it, or after too long a time.
    async fn wait_until_alone(&self, op: &Operation, name: &ObjectName, begun_at: Instant) -> Result<bool> {
        loop {
            let claims = claims(op, name).await?;
            match self.standing(op, claims).await? {
                Standing::Alone => return Ok(true),
                Standing::First if begun_at.elapsed() < op.place.options.claim_patience => sleep(random_wait(op)).await,
                Standing::First | Standing::Behind => return Ok(false),
            }
        }
    }

    async fn standing(&self, op: &Operation, claims: Vec<Listed>) -> Result<Standing> {
        let ours = claims.iter().find(|claim| claim.key == self.key).map(|claim| claim.modified_at);
        let Some(claimed_at) = ours else {
            return Err(op.attempt.unavailable(
                "the store ignores conditions and its listing does not show what was just written, so nothing can keep writers apart",
            ));
        };
        let mut standing = Standing::Alone;
        for claim in claims.iter().filter(|claim| claim.key != self.key) {
            if is_expired(claim, claimed_at, op.place.options.claim_lifetime) {
                remove_expired(op, claim).await;
            } else if claim.key < self.key {
                return Ok(Standing::Behind);
            } else {
                standing = Standing::First;
            }
        }
        Ok(standing)
    }

    /// Does `write` as long as the claim holds for certain.
    pub(super) async fn use_for<T>(&self, write: impl Future<Output = Result<T>>, op: &Operation) -> Result<T> {
        let left = (self.place.options.claim_lifetime / 2).saturating_sub(self.claimed_at.elapsed());
        tokio::time::timeout(left, write).await.unwrap_or_else(|_| Err(too_slow(op)))
    }

    /// Removes the claim. If that fails, it expires.
    pub(super) async fn withdraw(mut self) {
        self.withdrawn = true;
        remove(&self.place, &self.key).await;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let (false, Ok(runtime)) = (self.withdrawn, tokio::runtime::Handle::try_current()) {
            let (place, key) = (Arc::clone(&self.place), std::mem::take(&mut self.key));
            runtime.spawn(async move { remove(&place, &key).await });
        }
    }
}

/// Refuses a name that is taken, for certain: who may not look at the object finds it in the listing.
async fn refuse_taken(op: &Operation, name: &ObjectName, key: &str) -> Result<()> {
    let is_taken = match op.head(key).await {
        Ok(_) => true,
        Err(refusal) if refusal.class == Class::Absent => false,
        Err(refusal) if refusal.class == Class::Denied => {
            listing::all(op, key).await?.iter().any(|object| object.key == key)
        }
        Err(refusal) => return Err(op.refused(refusal)),
    };
    if is_taken { Err(op.attempt.conflict(name)) } else { Ok(()) }
}

/// Announcing oneself beside others would only keep the first of them waiting. Not for ever: whose claim counts is seen from one's own.
async fn wait_for_others(op: &Operation, name: &ObjectName) -> Result<()> {
    let begun_at = Instant::now();
    while begun_at.elapsed() < op.place.options.claim_patience / 4 {
        let now = SystemTime::now();
        let lifetime = op.place.options.claim_lifetime;
        if claims(op, name).await?.iter().all(|claim| is_expired(claim, now, lifetime)) {
            break;
        }
        sleep(random_wait(op)).await;
    }
    Ok(())
}

/// All claims to a name.
async fn claims(op: &Operation, name: &ObjectName) -> Result<Vec<Listed>> {
    listing::all(op, &op.place.prefix(&beside(name, &claims_on(name.file_name())))).await
}

fn is_expired(claim: &Listed, now: SystemTime, lifetime: Duration) -> bool {
    now.duration_since(claim.modified_at).is_ok_and(|age| age > lifetime)
}

async fn remove_expired(op: &Operation, claim: &Listed) {
    tracing::warn!(key = claim.key, location = %op.place.location, "a writer died and left its claim to a name");
    remove(&op.place, &claim.key).await;
}

async fn remove(place: &Arc<Place>, key: &str) {
    let op = Operation::on_all(place, "delete");
    if let Err(refusal) = op.delete(key).await.answer {
        tracing::warn!(%refusal, key, location = %place.location, "a claim could not be removed; it expires within minutes");
    }
}

fn random_wait(op: &Operation) -> Duration {
    op.place.options.claim_wait.mul_f64(rand::random::<f64>())
}
