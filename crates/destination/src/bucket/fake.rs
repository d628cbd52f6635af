//! **A fake** object store in memory, for tests: it follows a script of faults, and has the quirks of real stores.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use md5::{Digest, Md5};

use super::client::{
    BucketClient, Condition, Fetched, Head, ListPage, Listed, Part, PendingUpload, Stored, UploadMarker, UploadPage,
};
use super::etag::{hex, of_parts};
use super::listing::whole_seconds;
use super::refusal::{Answer, Refusal, Told};

/// Requests, for scripts and for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Verb {
    Put,
    CreateMultipart,
    UploadPart,
    Complete,
    Abort,
    ListMultipart,
    Get,
    Head,
    List,
    Delete,
}

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) verb: Verb,
    pub(super) key: String,
    /// Counts the requests of this verb, from 1.
    pub(super) nth: usize,
}

/// What goes wrong with a request.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// Nothing is done, and the store says so.
    Refuse(u16, &'static str),
    /// As [`Fault::Refuse`], with a time to wait.
    RetryAfter(&'static str),
    /// Nothing is done, and there is no answer.
    Unreachable,
    /// It is done, and there is no answer.
    LoseAnswer,
    /// It is done, and then this is the answer.
    Answer(u16, &'static str),
    /// It is not done, and the connection stays open.
    Hang,
    /// The ETag in the answer is another one's.
    WrongEtag,
    /// The body ends early, without an error.
    Cut(usize),
    /// The body ends early with an error.
    Reset(usize),
    /// After so many bytes, the body brings one each 10 ms.
    Drip(usize),
    /// The body has a byte too much.
    Extra,
    /// One byte is another.
    Flip,
    /// Another length is announced.
    Announce(u64),
    /// A state of before.
    Stale,
    /// A page repeats the first one, token and all.
    Circle,
    /// A page has its objects twice, and backwards.
    Untidy,
}

/// How a store's ETags are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Etags {
    Md5,
    /// They look like MD5s.
    Random,
}

/// What the store is like.
#[derive(Clone, Debug)]
pub(super) struct Quirks {
    pub(super) honours_condition: bool,
    pub(super) knows_condition: bool,
    pub(super) honours_condition_on_complete: bool,
    pub(super) lists_uploads: bool,
    /// Its list of uploads has percent-encoded keys, and does not say so, as Ceph's.
    pub(super) encodes_uploads: bool,
    pub(super) etags: Etags,
    pub(super) page_objects: usize,
    pub(super) denied: Vec<Verb>,
    /// Time that passes before a request is carried out, to let others in between.
    pub(super) slowness: Duration,
}

impl Default for Quirks {
    fn default() -> Quirks {
        Quirks {
            honours_condition: true,
            knows_condition: true,
            honours_condition_on_complete: true,
            lists_uploads: true,
            encodes_uploads: false,
            etags: Etags::Md5,
            page_objects: 3,
            denied: Vec::new(),
            slowness: Duration::ZERO,
        }
    }
}

type Rule = Arc<dyn Fn(&Call) -> Option<Fault> + Send + Sync>;

/// The fake store. Clones are the same one.
#[derive(Clone)]
pub(super) struct FakeStore {
    quirks: Quirks,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Object>,
    uploads: BTreeMap<String, Uploading>,
    calls: Vec<Call>,
    rule: Option<Rule>,
    next_id: usize,
    in_flight_parts: usize,
    most_in_flight_parts: usize,
}

#[derive(Clone)]
struct Object {
    body: Bytes,
    etag: String,
    modified_at: SystemTime,
}

struct Uploading {
    key: String,
    begun_at: SystemTime,
    parts: HashMap<u32, (String, Bytes)>,
}

impl FakeStore {
    pub(super) fn new(quirks: Quirks) -> FakeStore {
        FakeStore { quirks, state: Arc::default() }
    }

    /// Sets what goes wrong from now on.
    pub(super) fn script(&self, rule: impl Fn(&Call) -> Option<Fault> + Send + Sync + 'static) {
        self.state().rule = Some(Arc::new(rule));
    }

    /// Makes the `nth` request of a verb (from 1) go wrong.
    pub(super) fn fail_nth(&self, verb: Verb, nth: usize, fault: Fault) {
        self.script(move |call| (call.verb == verb && call.nth == nth).then(|| fault.clone()));
    }

    /// Makes all requests of a verb go wrong.
    pub(super) fn fail_all(&self, verb: Verb, fault: Fault) {
        self.script(move |call| (call.verb == verb).then(|| fault.clone()));
    }

    pub(super) fn count(&self, verb: Verb) -> usize {
        self.state().calls.iter().filter(|call| call.verb == verb).count()
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.state().objects.keys().cloned().collect()
    }

    pub(super) fn body(&self, key: &str) -> Option<Bytes> {
        self.state().objects.get(key).map(|object| object.body.clone())
    }

    pub(super) fn open_uploads(&self) -> usize {
        self.state().uploads.len()
    }

    pub(super) fn most_in_flight_parts(&self) -> usize {
        self.state().most_in_flight_parts
    }

    /// Puts an object there behind everybody's back.
    pub(super) fn plant(&self, key: &str, body: impl Into<Bytes>, age: Duration) {
        let object = Object { modified_at: SystemTime::now() - age, ..self.object(body.into()) };
        self.state().objects.insert(key.to_owned(), object);
    }

    /// Begins an upload behind everybody's back.
    pub(super) fn plant_upload(&self, key: &str, age: Duration) {
        let mut state = self.state();
        let id = state.fresh_id();
        let begun_at = SystemTime::now() - age;
        state.uploads.insert(id, Uploading { key: key.to_owned(), begun_at, parts: HashMap::new() });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn object(&self, body: Bytes) -> Object {
        let etag = self.etag(&body);
        Object { body, etag, modified_at: SystemTime::now() }
    }

    fn etag(&self, body: &[u8]) -> String {
        match self.quirks.etags {
            Etags::Md5 => hex(&Md5::digest(body)),
            Etags::Random => random_etag(),
        }
    }

    /// Notes a request, and asks the script. It may change the store meanwhile.
    fn fault_for(&self, verb: Verb, key: &str) -> Option<Fault> {
        let (call, rule) = {
            let mut state = self.state();
            let nth = state.calls.iter().filter(|call| call.verb == verb).count() + 1;
            let call = Call { verb, key: key.to_owned(), nth };
            state.calls.push(call.clone());
            (call, state.rule.clone())
        };
        rule.and_then(|rule| rule(&call))
    }

    /// Notes a request, and gives the fault that the script has for it, unless that is the answer already.
    async fn begin(&self, verb: Verb, key: &str) -> Answer<Option<Fault>> {
        let fault = self.fault_for(verb, key);
        tokio::time::sleep(self.quirks.slowness.mul_f64(rand::random())).await;
        if self.quirks.denied.contains(&verb) {
            return Err(refusal(403, Some("AccessDenied").filter(|_| verb != Verb::Head)));
        }
        match fault {
            Some(Fault::Refuse(status, code)) => Err(refusal(status, Some(code).filter(|code| !code.is_empty()))),
            Some(Fault::RetryAfter(wait)) => {
                Err(Refusal::of_answer(Told { status: 503, retry_after: Some(wait.into()), ..Told::default() }))
            }
            Some(Fault::Unreachable) => Err(Refusal::of_connection("connection refused".into())),
            Some(Fault::Hang) => std::future::pending().await,
            other => Ok(other),
        }
    }
}

impl State {
    fn fresh_id(&mut self) -> String {
        self.next_id += 1;
        format!("upload-{}", self.next_id)
    }

    fn upload(&mut self, id: &str) -> Answer<&mut Uploading> {
        self.uploads.get_mut(id).ok_or_else(|| refusal(404, Some("NoSuchUpload")))
    }
}

fn refusal(status: u16, code: Option<&str>) -> Refusal {
    let message = code.map(|code| format!("the fake store says {code}"));
    Refusal::of_answer(Told { status, code: code.map(Into::into), message, ..Told::default() })
}

fn random_etag() -> String {
    hex(&rand::random::<[u8; 16]>())
}

/// The answer, as the fault leaves it. The work is done by now.
fn answered<T>(fault: Option<Fault>, value: T, spoil: impl FnOnce(T) -> T) -> Answer<T> {
    match fault {
        Some(Fault::LoseAnswer) => Err(Refusal::of_connection("connection reset by peer".into())),
        Some(Fault::Answer(status, code)) => Err(refusal(status, Some(code))),
        Some(Fault::WrongEtag) => Ok(spoil(value)),
        _ => Ok(value),
    }
}

#[async_trait]
impl BucketClient for FakeStore {
    async fn credentials_source(&self) -> String {
        "none".into()
    }

    fn region(&self) -> Option<String> {
        Some("here".into())
    }

    async fn put(&self, key: &str, body: Bytes, condition: Condition) -> Answer<Stored> {
        let conditional = condition == Condition::Absent;
        let fault = self.begin(Verb::Put, key).await?;
        if conditional && !self.quirks.knows_condition {
            return Err(refusal(501, Some("NotImplemented")));
        }
        let object = self.object(body);
        let etag = object.etag.clone();
        let mut state = self.state();
        if conditional && self.quirks.honours_condition && state.objects.contains_key(key) {
            return Err(refusal(412, Some("PreconditionFailed")));
        }
        state.objects.insert(key.to_owned(), object);
        answered(fault, Stored { etag: Some(etag) }, |_| Stored { etag: Some(random_etag()) })
    }

    async fn create_multipart(&self, key: &str) -> Answer<String> {
        let fault = self.begin(Verb::CreateMultipart, key).await?;
        let mut state = self.state();
        let id = state.fresh_id();
        let upload = Uploading { key: key.to_owned(), begun_at: SystemTime::now(), parts: HashMap::new() };
        state.uploads.insert(id.clone(), upload);
        answered(fault, id, |id| id)
    }

    async fn upload_part(&self, key: &str, upload_id: &str, number: u32, body: Bytes) -> Answer<Part> {
        let in_flight = InFlight::begin(self);
        let fault = self.begin(Verb::UploadPart, key).await?;
        drop(in_flight);
        let etag = self.etag(&body);
        let stored = if matches!(fault, Some(Fault::Flip)) { flipped(&body) } else { body };
        self.state().upload(upload_id)?.parts.insert(number, (etag.clone(), stored));
        answered(fault, Part { number, etag }, |part| Part { etag: random_etag(), ..part })
    }

    async fn complete_multipart(
        &self,
        key: &str,
        upload_id: &str,
        parts: &[Part],
        condition: Condition,
    ) -> Answer<Stored> {
        let conditional = condition == Condition::Absent;
        let fault = self.begin(Verb::Complete, key).await?;
        if conditional && !self.quirks.knows_condition {
            return Err(refusal(501, Some("NotImplemented")));
        }
        let mut state = self.state();
        let taken = state.objects.contains_key(key);
        let upload = state.upload(upload_id)?;
        if conditional && self.quirks.honours_condition_on_complete && taken {
            return Err(refusal(412, Some("PreconditionFailed")));
        }
        let mut body = Vec::new();
        for part in parts {
            match upload.parts.get(&part.number) {
                Some((etag, bytes)) if *etag == part.etag => body.extend_from_slice(bytes),
                _ => return Err(refusal(400, Some("InvalidPart"))),
            }
        }
        state.uploads.remove(upload_id);
        let etag = match self.quirks.etags {
            Etags::Md5 => of_parts(parts).expect("the ETags of parts are MD5s"),
            Etags::Random => format!("{}-{}", random_etag(), parts.len()),
        };
        let object = Object { body: body.into(), etag: etag.clone(), modified_at: SystemTime::now() };
        state.objects.insert(key.to_owned(), object);
        answered(fault, Stored { etag: Some(etag) }, |_| Stored { etag: Some(format!("{}-2", random_etag())) })
    }

    async fn abort_multipart(&self, key: &str, upload_id: &str) -> Answer<()> {
        let fault = self.begin(Verb::Abort, key).await?;
        let mut state = self.state();
        state.upload(upload_id)?;
        state.uploads.remove(upload_id);
        answered(fault, (), |done| done)
    }

    async fn list_multipart(&self, prefix: &str, after: Option<&UploadMarker>) -> Answer<UploadPage> {
        self.begin(Verb::ListMultipart, prefix).await?;
        if !self.quirks.lists_uploads {
            return Err(refusal(501, Some("NotImplemented")));
        }
        let state = self.state();
        let mut uploads: Vec<PendingUpload> = state
            .uploads
            .iter()
            .filter(|(_, upload)| upload.key.starts_with(prefix))
            .map(|(id, upload)| PendingUpload {
                key: upload.key.clone(),
                upload_id: id.clone(),
                begun_at: upload.begun_at,
            })
            .collect();
        uploads.sort_by(|a, b| (&a.key, &a.upload_id).cmp(&(&b.key, &b.upload_id)));
        uploads.retain(|upload| {
            after.is_none_or(|after| (&upload.key, &upload.upload_id) > (&after.key, &after.upload_id))
        });
        let more = uploads.len() > self.quirks.page_objects;
        uploads.truncate(self.quirks.page_objects);
        let last = uploads.last().filter(|_| more);
        let next = last.map(|last| UploadMarker { key: last.key.clone(), upload_id: last.upload_id.clone() });
        if self.quirks.encodes_uploads {
            uploads.iter_mut().for_each(|upload| upload.key = upload.key.replace(' ', "%20"));
        }
        Ok(UploadPage { uploads, next })
    }

    async fn get(&self, key: &str, range: Range<u64>, etag: Option<&str>) -> Answer<Fetched> {
        let fault = self.begin(Verb::Get, key).await?;
        let found = self.state().objects.get(key).cloned();
        let object = found.filter(|_| !matches!(fault, Some(Fault::Stale)));
        let object = object.ok_or_else(|| refusal(404, Some("NoSuchKey")))?;
        if etag.is_some_and(|etag| etag != object.etag) {
            return Err(refusal(412, Some("PreconditionFailed")));
        }
        let size = object.body.len() as u64;
        if range.start >= size {
            return Err(refusal(416, Some("InvalidRange")));
        }
        let part = object.body.slice(range.start as usize..range.end.min(size) as usize);
        let announced_bytes = match fault {
            Some(Fault::Announce(bytes)) => bytes,
            _ => part.len() as u64,
        };
        Ok(Fetched {
            object_bytes: size,
            announced_bytes,
            etag: Some(object.etag),
            etag_is_opaque: false,
            body: body(part, fault),
        })
    }

    async fn head(&self, key: &str) -> Answer<Head> {
        let fault = self.begin(Verb::Head, key).await?;
        let found = self.state().objects.get(key).cloned();
        let object = found.filter(|_| !matches!(fault, Some(Fault::Stale))).ok_or_else(|| refusal(404, None))?;
        let head = Head {
            size_bytes: object.body.len() as u64,
            modified_at: whole_seconds(object.modified_at),
            etag: Some(object.etag),
        };
        answered(fault, head, |head| Head { etag: Some(format!("{}-2", random_etag())), ..head })
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Answer<ListPage> {
        let fault = self.begin(Verb::List, prefix).await?;
        if matches!(fault, Some(Fault::Stale)) {
            return Ok(ListPage::default());
        }
        let after = after.filter(|_| !matches!(fault, Some(Fault::Circle)));
        let state = self.state();
        let matching = state.objects.iter().filter(|(key, _)| key.starts_with(prefix));
        let later = matching.filter(|(key, _)| after.is_none_or(|after| key.as_str() > after));
        let mut objects: Vec<Listed> = later
            .map(|(key, object)| Listed {
                key: key.clone(),
                size_bytes: object.body.len() as u64,
                modified_at: object.modified_at,
            })
            .collect();
        let more = objects.len() > self.quirks.page_objects;
        objects.truncate(self.quirks.page_objects);
        let next = objects.last().filter(|_| more).map(|last| last.key.clone());
        if matches!(fault, Some(Fault::Untidy)) {
            objects.extend_from_within(..);
            objects.reverse();
        }
        Ok(ListPage { objects, next })
    }

    async fn delete(&self, key: &str) -> Answer<()> {
        let fault = self.begin(Verb::Delete, key).await?;
        self.state().objects.remove(key);
        answered(fault, (), |done| done)
    }
}

/// The body of an answer, in chunks of a few bytes.
fn body(part: Bytes, fault: Option<Fault>) -> stream::BoxStream<'static, Answer<Bytes>> {
    let chunks = |bytes: &[u8]| -> Vec<Answer<Bytes>> {
        bytes.chunks(3).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect()
    };
    let reached = |bytes: usize| &part[..bytes.min(part.len())];
    match fault {
        Some(Fault::Cut(bytes)) => stream::iter(chunks(reached(bytes))).boxed(),
        Some(Fault::Reset(bytes)) => {
            let reset = stream::iter([Err(Refusal::of_connection("connection reset by peer".into()))]);
            stream::iter(chunks(reached(bytes))).chain(reset).boxed()
        }
        Some(Fault::Drip(bytes)) => {
            let rest = part.slice(bytes.min(part.len())..);
            let drip = stream::iter(rest.into_iter().map(|byte| Ok(Bytes::copy_from_slice(&[byte]))));
            let drip = drip.then(|chunk| async {
                tokio::time::sleep(Duration::from_millis(10)).await;
                chunk
            });
            stream::iter(chunks(reached(bytes))).chain(drip).boxed()
        }
        Some(Fault::Extra) => stream::iter(chunks(&[&part[..], b"!"].concat())).boxed(),
        Some(Fault::Flip) => stream::iter(chunks(&flipped(&part))).boxed(),
        _ => stream::iter(chunks(&part)).boxed(),
    }
}

fn flipped(body: &Bytes) -> Bytes {
    body.iter().enumerate().map(|(at, byte)| if at == 0 { byte ^ 1 } else { *byte }).collect()
}

/// Counts parts that are under way.
struct InFlight(FakeStore);

impl InFlight {
    fn begin(store: &FakeStore) -> InFlight {
        let mut state = store.state();
        state.in_flight_parts += 1;
        state.most_in_flight_parts = state.most_in_flight_parts.max(state.in_flight_parts);
        drop(state);
        InFlight(store.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.state().in_flight_parts -= 1;
    }
}

impl std::fmt::Debug for FakeStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeStore")
    }
}
