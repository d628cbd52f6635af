use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::join_all;
use tokio::time::timeout;

use super::{Ability, BODY, Outcome, ProbeReport, RACERS};
use crate::bucket::{Answer, BucketClient, Class, Condition, Fetched, Listed, Part, Refusal};

/// How long one request may take: the objects are tiny.
const PATIENCE: Duration = Duration::from_secs(20);

/// Tries a bucket. `folder` is empty or ends in a slash; nothing outside of it is touched.
pub(crate) async fn probe_bucket(client: &dyn BucketClient, location: String, folder: &str) -> ProbeReport {
    let name = |what: &str| format!("{folder}graphdb.probe.{what}.{:016x}", rand::random::<u64>());
    let mut probe = Probe {
        client,
        report: ProbeReport::new(location, client.credentials_source().await),
        written: Vec::new(),
        once: name("once"),
        raced: name("race"),
        parts: name("parts"),
    };
    let there = probe.list(folder).await;
    if probe.write().await {
        probe.race().await;
        probe.read().await;
        probe.multipart().await;
    } else if let Some(object) = there {
        probe.read_other(&object).await;
    }
    probe.list_multipart(folder).await;
    probe.delete().await;
    probe.report.complete()
}

struct Probe<'a> {
    client: &'a dyn BucketClient,
    report: ProbeReport,
    /// Keys that exist by now.
    written: Vec<String>,
    once: String,
    raced: String,
    parts: String,
}

impl Probe<'_> {
    /// Gives an object that is there and has something to read, if there is one.
    async fn list(&mut self, folder: &str) -> Option<Listed> {
        let listed = within(self.client.list(folder, None)).await;
        let (answer, there) = match listed {
            Ok(page) => (Ok(()), page.objects.into_iter().find(|object| object.size_bytes > 1)),
            Err(refusal) => (Err(refusal), None),
        };
        self.note(Ability::List, answer);
        there
    }

    /// Creates one object twice; says whether anything can be written at all.
    async fn write(&mut self) -> bool {
        let first = within(self.client.put(&self.once, body(), Condition::Absent)).await;
        let first = match first {
            Err(refusal) if matches!(refusal.class, Class::Unsupported | Class::Invalid) => {
                self.report.note(Ability::CreateOnce, not_offered(&refusal.to_string()));
                within(self.client.put(&self.once, body(), Condition::None)).await
            }
            answer => {
                if answer.is_ok() {
                    let second = within(self.client.put(&self.once, body(), Condition::Absent)).await;
                    self.report.note(Ability::CreateOnce, refused_as_it_should(second.map(drop)));
                }
                answer
            }
        };
        let written = first.is_ok();
        if written {
            self.written.push(self.once.clone());
        }
        self.note(Ability::Write, first.map(drop));
        written
    }

    async fn race(&mut self) {
        if !self.report.can(Ability::CreateOnce) {
            return;
        }
        let racers = (0..RACERS).map(|_| within(self.client.put(&self.raced, body(), Condition::Absent)));
        let answers = join_all(racers).await;
        let winners = answers.iter().filter(|answer| answer.is_ok()).count();
        let is_failure = |refusal: &&Refusal| !matches!(refusal.class, Class::Exists | Class::Racing);
        let failure = answers.iter().filter_map(|answer| answer.as_ref().err()).find(is_failure);
        if winners > 0 {
            self.written.push(self.raced.clone());
        }
        let outcome = match (winners, failure) {
            (1, _) => Outcome::Works,
            (0, Some(refusal)) => outcome_of(refusal),
            (winners, _) => {
                not_offered(&format!("{winners} of {RACERS} writers were told that they created the object"))
            }
        };
        self.report.note(Ability::CreateOnceInARace, outcome);
    }

    async fn read(&mut self) {
        let (whole, part) = (0..BODY.len() as u64, 5..11);
        let read = self.fetch(whole.clone()).await;
        self.note(Ability::Read, read);
        let read = self.fetch(part).await;
        self.note(Ability::ReadRange, read);
    }

    /// Reads a little of what others wrote: all there is when nothing can be written.
    async fn read_other(&mut self, object: &Listed) {
        for (ability, range) in [(Ability::Read, 0..1), (Ability::ReadRange, 1..2)] {
            let fetched = within(self.client.get(&object.key, range, None)).await;
            self.note(ability, fetched.map(drop));
        }
    }

    async fn fetch(&self, range: std::ops::Range<u64>) -> Answer<()> {
        let wanted = &BODY[range.start as usize..range.end as usize];
        let fetched = within(self.client.get(&self.once, range, None)).await?;
        match within(whole(fetched)).await? {
            found if found == wanted => Ok(()),
            found => {
                Err(Refusal::nonsense(format!("{} other bytes were given back than the ones written", found.len())))
            }
        }
    }

    async fn multipart(&mut self) {
        let uploaded = self.upload(Condition::None).await;
        let works = uploaded.is_ok();
        if works {
            self.written.push(self.parts.clone());
        }
        self.note(Ability::Multipart, uploaded);
        if !works {
            return;
        }
        let second = self.upload(Condition::Absent).await;
        self.report.note(Ability::MultipartOnce, refused_as_it_should(second));
        let aborted = self.abort().await;
        self.note(Ability::AbortMultipart, aborted);
    }

    /// Uploads in one part, and forgets the upload if that fails.
    async fn upload(&mut self, condition: Condition) -> Answer<()> {
        let upload_id = within(self.client.create_multipart(&self.parts)).await?;
        let completed = self.complete(&upload_id, condition).await;
        if completed.is_err() && within(self.client.abort_multipart(&self.parts, &upload_id)).await.is_err() {
            self.close(&upload_id).await;
        }
        completed
    }

    async fn complete(&self, upload_id: &str, condition: Condition) -> Answer<()> {
        let part: Part = within(self.client.upload_part(&self.parts, upload_id, 1, body())).await?;
        within(self.client.complete_multipart(&self.parts, upload_id, &[part], condition)).await.map(drop)
    }

    async fn abort(&mut self) -> Answer<()> {
        let upload_id = within(self.client.create_multipart(&self.parts)).await?;
        let aborted = within(self.client.abort_multipart(&self.parts, &upload_id)).await;
        if aborted.is_err() {
            self.close(&upload_id).await;
        }
        aborted
    }

    /// Completes an upload that could not be aborted: an object is seen, and an open upload costs money unseen.
    async fn close(&mut self, upload_id: &str) {
        match self.complete(upload_id, Condition::None).await {
            Ok(()) if !self.written.contains(&self.parts) => self.written.push(self.parts.clone()),
            Ok(()) => {}
            Err(_) => self.report.left_behind.push(format!("{} (upload {upload_id})", self.parts)),
        }
    }

    async fn list_multipart(&mut self, folder: &str) {
        let listed = within(self.client.list_multipart(folder, None)).await;
        self.note(Ability::ListMultipart, listed.map(drop));
    }

    async fn delete(&mut self) {
        let mut outcome = None;
        for key in std::mem::take(&mut self.written) {
            let deleted = within(self.client.delete(&key)).await;
            if deleted.is_err() {
                self.report.left_behind.push(key);
            }
            outcome = Some(match (outcome, deleted) {
                (Some(Err(first)), _) => Err(first),
                (_, deleted) => deleted,
            });
        }
        if let Some(outcome) = outcome {
            self.note(Ability::Delete, outcome);
        }
    }

    fn note(&mut self, ability: Ability, answer: Answer<()>) {
        let outcome = answer.map_or_else(|refusal| outcome_of(&refusal), |()| Outcome::Works);
        self.report.note(ability, outcome);
    }
}

fn body() -> Bytes {
    Bytes::from_static(BODY)
}

async fn within<T>(answer: impl Future<Output = Answer<T>>) -> Answer<T> {
    timeout(PATIENCE, answer).await.unwrap_or_else(|_| {
        Err(Refusal::plain(Class::Unavailable, format!("no answer within {} s", PATIENCE.as_secs())))
    })
}

async fn whole(fetched: Fetched) -> Answer<Vec<u8>> {
    let mut body = fetched.body;
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk?);
        if bytes.len() > BODY.len() {
            break;
        }
    }
    Ok(bytes)
}

/// Of a second creation of the same name.
fn refused_as_it_should(second: Answer<()>) -> Outcome {
    match second {
        Err(refusal) if refusal.class == Class::Exists => Outcome::Works,
        Err(refusal) => outcome_of(&refusal),
        Ok(()) => not_offered("If-None-Match is ignored: a second object of the same name was taken"),
    }
}

fn outcome_of(refusal: &Refusal) -> Outcome {
    match refusal.class {
        Class::Denied => Outcome::Denied(refusal.to_string()),
        Class::Unsupported => not_offered(&refusal.to_string()),
        Class::NoBucket => {
            Outcome::Failed(format!("the bucket does not exist; create it, or correct its name or host: {refusal}"))
        }
        Class::Full => Outcome::Failed(format!("no space is left; raise the quota: {refusal}")),
        Class::Expired => Outcome::Failed(format!("the credentials have expired: {refusal}")),
        Class::Clock => Outcome::Failed(format!("the clock here or there is wrong: {refusal}")),
        Class::WrongRegion(ref home) => {
            let home = home.as_deref().unwrap_or("another region");
            Outcome::Failed(format!("the bucket is in {home}; set --backup-region: {refusal}"))
        }
        _ => Outcome::Failed(refusal.to_string()),
    }
}

fn not_offered(why: &str) -> Outcome {
    Outcome::NotOffered(why.to_owned())
}
