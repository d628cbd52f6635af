//! Destinations that behave as some do.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use graphdb_destination::testing::{Call, CallKind};
use graphdb_destination::{ByteStream, CreateOnly, Destination, ObjectMeta, ObjectName, Put, Result, Upload};

/// What a place makes of [`Put::Create`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conditions {
    Kept,
    /// Creating replaces what is there.
    Ignored,
    /// Whether the name is free is looked up some time before it is taken.
    Early,
}

type Hook = Arc<dyn Fn(Call) -> BoxFuture<'static, ()> + Send + Sync>;

/// Passes every call on, after a hook and before another; a hook that never ends is a process that was killed there.
#[derive(Clone)]
pub(crate) struct Hooked {
    inner: Arc<dyn Destination>,
    conditions: Conditions,
    before: Hook,
    after: Hook,
    calls: Arc<AtomicUsize>,
}

fn nothing() -> Hook {
    Arc::new(|_| Box::pin(std::future::ready(())))
}

impl Hooked {
    pub(crate) fn new(inner: Arc<dyn Destination>) -> Hooked {
        let (conditions, calls) = (Conditions::Kept, Arc::default());
        Hooked { inner, conditions, before: nothing(), after: nothing(), calls }
    }

    pub(crate) fn with(self, conditions: Conditions) -> Hooked {
        Hooked { conditions, ..self }
    }

    pub(crate) fn before(self, hook: impl Fn(Call) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Hooked {
        Hooked { before: Arc::new(hook), ..self }
    }

    pub(crate) fn after(self, hook: impl Fn(Call) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Hooked {
        Hooked { after: Arc::new(hook), ..self }
    }

    async fn call<T>(
        &self,
        kind: CallKind,
        name: Option<&ObjectName>,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let call = Call { number, kind, name: name.cloned() };
        (self.before)(call.clone()).await;
        let answer = work.await;
        (self.after)(call).await;
        answer
    }

    async fn put_weakly(&self, name: &ObjectName, body: Bytes, mode: Put) -> Result<()> {
        match (self.conditions, mode) {
            (Conditions::Ignored, _) => self.inner.put(name, body, Put::Replace).await,
            (Conditions::Early, Put::Create) => match self.inner.stat(name).await {
                Ok(_) => self.inner.put(name, body, Put::Create).await,
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(rand::random::<u64>() % 10)).await;
                    self.inner.put(name, body, Put::Replace).await
                }
            },
            _ => self.inner.put(name, body, mode).await,
        }
    }
}

impl fmt::Debug for Hooked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hooked({:?}, {:?})", self.inner, self.conditions)
    }
}

#[async_trait]
impl Destination for Hooked {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    async fn create(&self, name: &ObjectName) -> Result<Box<dyn Upload>> {
        let inner = self.call(CallKind::Create, Some(name), self.inner.create(name)).await?;
        Ok(Box::new(HookedUpload { inner, name: name.clone(), place: self.clone() }))
    }

    async fn put(&self, name: &ObjectName, body: Bytes, mode: Put) -> Result<()> {
        self.call(CallKind::Put, Some(name), self.put_weakly(name, body, mode)).await
    }

    async fn open(&self, name: &ObjectName) -> Result<ByteStream> {
        self.call(CallKind::Open, Some(name), self.inner.open(name)).await
    }

    async fn stat(&self, name: &ObjectName) -> Result<ObjectMeta> {
        self.call(CallKind::Stat, Some(name), self.inner.stat(name)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        self.call(CallKind::List, None, self.inner.list(prefix)).await
    }

    async fn delete(&self, name: &ObjectName) -> Result<()> {
        self.call(CallKind::Delete, Some(name), self.inner.delete(name)).await
    }

    async fn sweep(&self, older_than: Duration) -> Result<Vec<String>> {
        self.call(CallKind::Sweep, None, self.inner.sweep(older_than)).await
    }

    fn create_only(&self) -> CreateOnly {
        match self.conditions {
            Conditions::Kept => self.inner.create_only(),
            Conditions::Early => CreateOnly::Conditional,
            Conditions::Ignored => CreateOnly::Unprotected,
        }
    }
}

#[derive(Debug)]
struct HookedUpload {
    inner: Box<dyn Upload>,
    name: ObjectName,
    place: Hooked,
}

#[async_trait]
impl Upload for HookedUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.place.call(CallKind::Write, Some(&self.name), self.inner.write(chunk)).await
    }

    async fn complete(self: Box<Self>) -> Result<()> {
        let HookedUpload { inner, name, place } = *self;
        place.call(CallKind::Complete, Some(&name), inner.complete()).await
    }

    async fn abort(self: Box<Self>) {
        self.inner.abort().await;
    }
}
