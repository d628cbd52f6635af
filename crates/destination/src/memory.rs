use async_trait::async_trait;
use bytes::Bytes;
use futures::stream;
use graphdb_types::ObjectName;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::error::Attempt;
use crate::names::refuse_reserved;
use crate::{ByteStream, Destination, ObjectMeta, Put, Result, Upload};

/// Bytes of one chunk of an object being read: small, so that readers meet chunk borders.
const CHUNK_BYTES: usize = 64 << 10;

const LOCATION: &str = "memory";

/// A destination in memory with the semantics of the durable ones. Clones share their objects.
///
/// For tests and for trying things out; everything is lost with the last clone.
#[derive(Clone, Default)]
pub struct MemoryDestination {
    objects: Arc<Mutex<BTreeMap<ObjectName, Object>>>,
}

#[derive(Clone)]
struct Object {
    body: Bytes,
    modified_at: SystemTime,
}

#[derive(Debug)]
struct MemoryUpload {
    destination: MemoryDestination,
    name: ObjectName,
    written: Vec<u8>,
}

impl MemoryDestination {
    /// An empty destination.
    pub fn new() -> MemoryDestination {
        MemoryDestination::default()
    }

    /// No panic happens under the lock, so a poisoned one holds a whole map.
    fn objects(&self) -> MutexGuard<'_, BTreeMap<ObjectName, Object>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self, attempt: &Attempt, name: &ObjectName, body: Bytes, mode: Put) -> Result<()> {
        refuse_reserved(attempt, name)?;
        let object = Object { body, modified_at: SystemTime::now() };
        match (self.objects().entry(name.clone()), mode) {
            (Entry::Occupied(_), Put::Create) => return Err(attempt.conflict(name)),
            (Entry::Occupied(mut old), Put::Replace) => drop(old.insert(object)),
            (Entry::Vacant(free), _) => drop(free.insert(object)),
        }
        Ok(())
    }

    fn find(&self, attempt: &Attempt, name: &ObjectName) -> Result<Object> {
        refuse_reserved(attempt, name)?;
        self.objects().get(name).cloned().ok_or_else(|| attempt.not_found(name))
    }
}

fn meta(name: &ObjectName, object: &Object) -> ObjectMeta {
    ObjectMeta { name: name.clone(), size_bytes: object.body.len() as u64, modified_at: object.modified_at }
}

fn chunks(mut body: Bytes) -> impl Iterator<Item = Result<Bytes>> {
    std::iter::from_fn(move || {
        let next = body.split_to(CHUNK_BYTES.min(body.len()));
        (!next.is_empty()).then_some(Ok(next))
    })
}

#[async_trait]
impl Destination for MemoryDestination {
    fn describe(&self) -> String {
        LOCATION.into()
    }

    async fn create(&self, name: &ObjectName) -> Result<Box<dyn Upload>> {
        let attempt = Attempt::on("create", name, LOCATION);
        refuse_reserved(&attempt, name)?;
        if self.objects().contains_key(name) {
            return Err(attempt.conflict(name));
        }
        Ok(Box::new(MemoryUpload { destination: self.clone(), name: name.clone(), written: Vec::new() }))
    }

    async fn put(&self, name: &ObjectName, body: Bytes, mode: Put) -> Result<()> {
        self.store(&Attempt::on("write", name, LOCATION), name, body, mode)
    }

    async fn open(&self, name: &ObjectName) -> Result<ByteStream> {
        let attempt = Attempt::on("read", name, LOCATION);
        let body = self.find(&attempt, name)?.body;
        Ok(ByteStream::new(attempt, body.len() as u64, stream::iter(chunks(body))))
    }

    async fn stat(&self, name: &ObjectName) -> Result<ObjectMeta> {
        let object = self.find(&Attempt::on("look at", name, LOCATION), name)?;
        Ok(meta(name, &object))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        let objects = self.objects();
        let matching = objects.iter().filter(|(name, _)| name.as_str().starts_with(prefix));
        Ok(matching.map(|(name, object)| meta(name, object)).collect())
    }

    async fn delete(&self, name: &ObjectName) -> Result<()> {
        let attempt = Attempt::on("delete", name, LOCATION);
        refuse_reserved(&attempt, name)?;
        self.objects().remove(name).map(drop).ok_or_else(|| attempt.not_found(name))
    }

    /// Finds nothing: an upload that died left nothing behind.
    async fn sweep(&self, _older_than: Duration) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Upload for MemoryUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.written.extend_from_slice(&chunk);
        Ok(())
    }

    async fn complete(self: Box<Self>) -> Result<()> {
        let attempt = Attempt::on("complete", &self.name, LOCATION);
        self.destination.store(&attempt, &self.name, self.written.into(), Put::Create)
    }

    async fn abort(self: Box<Self>) {}
}

impl fmt::Debug for MemoryDestination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryDestination({} objects)", self.objects().len())
    }
}
