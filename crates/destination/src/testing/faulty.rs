use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use graphdb_types::ObjectName;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::Attempt;
use crate::{ByteStream, CreateOnly, Destination, Error, ObjectMeta, Put, Result, Upload};

/// **Fault injection, for tests.** Passes every call on to `inner`, counts it, and makes the chosen ones fail.
///
/// Clones share the count and the faults. Uploads and streams opened through it are counted too.
#[derive(Clone, Debug)]
pub struct FaultyDestination<D> {
    inner: D,
    faults: Faults,
}

/// The error an injected fault shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the `Error` of the same name")]
pub enum Fault {
    NotFound,
    Conflict,
    Denied,
    Full,
    Unavailable,
}

/// What a destination can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the method of the same name; `Read` is one chunk, the end counts as one")]
pub enum CallKind {
    Create,
    Write,
    Complete,
    Put,
    Open,
    Read,
    Stat,
    List,
    Delete,
    Sweep,
}

/// One call, as it was made. `get` is an [`CallKind::Open`] and some [`CallKind::Read`]s. `abort` is not a call: it
/// cannot fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its place in the order of all calls, from 1.
    pub number: usize,
    /// What was asked.
    pub kind: CallKind,
    /// Of which object; `None` for a listing or a sweep.
    pub name: Option<ObjectName>,
}

type Condition = Box<dyn Fn(&Call) -> bool + Send>;

#[derive(Clone, Copy)]
enum Moment {
    /// Nothing happens.
    Before,
    /// It happens, and the answer is lost.
    After,
}

#[derive(Clone, Default)]
struct Faults(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    calls: Vec<Call>,
    rules: Vec<(Condition, Moment, Fault)>,
}

impl<D: Destination> FaultyDestination<D> {
    /// Wraps `inner`. Nothing fails until told to.
    pub fn new(inner: D) -> FaultyDestination<D> {
        FaultyDestination { inner, faults: Faults::default() }
    }

    /// The destination that is wrapped, to look at it without being counted.
    pub fn inner(&self) -> &D {
        &self.inner
    }

    /// Makes the `n`-th call (from 1) fail, with nothing done.
    pub fn fail_call(&self, n: usize, fault: Fault) {
        self.fail_when(move |call| call.number == n, fault);
    }

    /// Makes the `n`-th call (from 1) and all later ones fail: a cut connection, a killed process.
    pub fn fail_from(&self, n: usize, fault: Fault) {
        self.fail_when(move |call| call.number >= n, fault);
    }

    /// Does what the `n`-th call (from 1) asks, and then makes it fail all the same: a lost answer.
    pub fn fail_call_after_effect(&self, n: usize, fault: Fault) {
        self.faults.script().rules.push((Box::new(move |call| call.number == n), Moment::After, fault));
    }

    /// Makes every call that fulfils `condition` fail, with nothing done. The first rule that fits decides.
    pub fn fail_when(&self, condition: impl Fn(&Call) -> bool + Send + 'static, fault: Fault) {
        self.faults.script().rules.push((Box::new(condition), Moment::Before, fault));
    }

    /// Forgets all faults; the count goes on.
    pub fn heal(&self) {
        self.faults.script().rules.clear();
    }

    /// Calls so far.
    pub fn call_count(&self) -> usize {
        self.faults.script().calls.len()
    }

    /// Every call so far, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.faults.script().calls.clone()
    }
}

impl Faults {
    /// Tests panic where they like; the script is whole all the same.
    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call and does `work`, or fails as the script says.
    async fn call<T>(
        &self,
        kind: CallKind,
        name: Option<&ObjectName>,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let rule = self.script().note(kind, name);
        match rule {
            None => work.await,
            Some((Moment::Before, fault)) => Err(fault.error(name)),
            Some((Moment::After, fault)) => work.await.and(Err(fault.error(name))),
        }
    }
}

impl Script {
    fn note(&mut self, kind: CallKind, name: Option<&ObjectName>) -> Option<(Moment, Fault)> {
        let call = Call { number: self.calls.len() + 1, kind, name: name.cloned() };
        let rule = self.rules.iter().find(|(fits, _, _)| fits(&call)).map(|(_, moment, fault)| (*moment, *fault));
        self.calls.push(call);
        rule
    }
}

impl Fault {
    /// The error, as a destination would give it. Where there is no object to be absent or taken: `Unavailable`.
    fn error(self, name: Option<&ObjectName>) -> Error {
        let kind = match self {
            Fault::NotFound => io::ErrorKind::NotFound,
            Fault::Conflict => io::ErrorKind::AlreadyExists,
            Fault::Denied => io::ErrorKind::PermissionDenied,
            Fault::Full => io::ErrorKind::StorageFull,
            Fault::Unavailable => io::ErrorKind::TimedOut,
        };
        let attempt = Attempt { action: "use", name: name.cloned(), location: "an injected fault".into() };
        attempt.fail(io::Error::new(kind, "injected by a test"))
    }
}

#[derive(Debug)]
struct FaultyUpload {
    inner: Box<dyn Upload>,
    name: ObjectName,
    faults: Faults,
}

#[async_trait]
impl Upload for FaultyUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.faults.call(CallKind::Write, Some(&self.name), self.inner.write(chunk)).await
    }

    async fn complete(self: Box<Self>) -> Result<()> {
        let FaultyUpload { inner, name, faults } = *self;
        faults.call(CallKind::Complete, Some(&name), inner.complete()).await
    }

    async fn abort(self: Box<Self>) {
        self.inner.abort().await;
    }
}

#[async_trait]
impl<D: Destination> Destination for FaultyDestination<D> {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    async fn create(&self, name: &ObjectName) -> Result<Box<dyn Upload>> {
        let inner = self.faults.call(CallKind::Create, Some(name), self.inner.create(name)).await?;
        Ok(Box::new(FaultyUpload { inner, name: name.clone(), faults: self.faults.clone() }))
    }

    async fn put(&self, name: &ObjectName, body: Bytes, mode: Put) -> Result<()> {
        self.faults.call(CallKind::Put, Some(name), self.inner.put(name, body, mode)).await
    }

    async fn open(&self, name: &ObjectName) -> Result<ByteStream> {
        let stream = self.faults.call(CallKind::Open, Some(name), self.inner.open(name)).await?;
        Ok(stream.map_chunks(|chunks| faulty_chunks(chunks, name.clone(), self.faults.clone())))
    }

    async fn stat(&self, name: &ObjectName) -> Result<ObjectMeta> {
        self.faults.call(CallKind::Stat, Some(name), self.inner.stat(name)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        self.faults.call(CallKind::List, None, self.inner.list(prefix)).await
    }

    async fn delete(&self, name: &ObjectName) -> Result<()> {
        self.faults.call(CallKind::Delete, Some(name), self.inner.delete(name)).await
    }

    fn create_only(&self) -> CreateOnly {
        self.inner.create_only()
    }

    async fn sweep(&self, older_than: Duration) -> Result<Vec<String>> {
        self.faults.call(CallKind::Sweep, None, self.inner.sweep(older_than)).await
    }
}

fn faulty_chunks(
    chunks: BoxStream<'static, Result<Bytes>>,
    name: ObjectName,
    faults: Faults,
) -> impl futures::Stream<Item = Result<Bytes>> + Send + 'static {
    stream::unfold((chunks, name, faults), |(mut chunks, name, faults)| async move {
        let next = async { chunks.next().await.transpose() };
        let read = faults.call(CallKind::Read, Some(&name), next).await;
        read.transpose().map(|item| (item, (chunks, name, faults)))
    })
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let script = self.script();
        write!(f, "Faults({} rules, {} calls)", script.rules.len(), script.calls.len())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used)]

    use super::*;
    use crate::MemoryDestination;

    /// One call of every kind but `Sweep`; 12 calls.
    async fn story(destination: &dyn Destination) -> Result<()> {
        let (object, small) = ("a/object".try_into()?, "manifest".try_into()?);
        destination.list("").await?;
        let mut upload = destination.create(&object).await?;
        upload.write(Bytes::from_static(b"12")).await?;
        upload.write(Bytes::from_static(b"34")).await?;
        upload.complete().await?;
        destination.put(&small, Bytes::from_static(b"{}"), Put::Create).await?;
        destination.get(&object, 4).await?;
        destination.stat(&object).await?;
        destination.delete(&object).await?;
        destination.delete(&small).await
    }

    #[tokio::test]
    async fn every_call_can_be_made_to_fail_and_shows_its_fault() {
        let rehearsal = FaultyDestination::new(MemoryDestination::new());
        story(&rehearsal).await.unwrap();
        assert_eq!(rehearsal.call_count(), 12, "{:?}", rehearsal.calls());
        for n in 1..=rehearsal.call_count() {
            let destination = FaultyDestination::new(MemoryDestination::new());
            destination.fail_call(n, Fault::Full);
            let failure = story(&destination).await;
            assert!(matches!(failure, Err(Error::Full { .. })), "call {n}: {failure:?}");
            assert_eq!(destination.call_count(), n);
            assert_eq!(destination.calls(), rehearsal.calls()[..n]);
        }
    }

    #[tokio::test]
    async fn a_lost_answer_fails_after_the_effect() {
        let destination = FaultyDestination::new(MemoryDestination::new());
        let name = "lease".try_into().unwrap();
        destination.fail_call_after_effect(1, Fault::Unavailable);
        assert!(destination.put(&name, Bytes::new(), Put::Create).await.unwrap_err().is_retryable());
        assert!(destination.put(&name, Bytes::new(), Put::Create).await.unwrap_err().is_conflict());
    }

    #[tokio::test]
    async fn a_dead_destination_stays_dead_until_healed() {
        let destination = FaultyDestination::new(MemoryDestination::new());
        destination.fail_from(2, Fault::Denied);
        destination.list("").await.unwrap();
        for _ in 0..3 {
            assert!(matches!(destination.list("").await, Err(Error::Denied { .. })));
        }
        destination.heal();
        destination.list("").await.unwrap();
    }

    #[tokio::test]
    async fn a_failed_complete_leaves_nothing_visible() {
        let destination = FaultyDestination::new(MemoryDestination::new());
        destination.fail_when(|call| call.kind == CallKind::Complete, Fault::Unavailable);
        let upload = destination.create(&"object".try_into().unwrap()).await.unwrap();
        upload.complete().await.unwrap_err();
        assert_eq!(destination.inner().list("").await.unwrap(), []);
    }
}
