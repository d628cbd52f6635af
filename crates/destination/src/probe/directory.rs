use bytes::Bytes;
use futures::future::join_all;
use graphdb_types::ObjectName;

use super::{Ability, BODY, Outcome, ProbeReport, RACERS};
use crate::{Destination, Error, Put, Result};

/// Tries a directory, through the contract of a destination.
pub(crate) async fn probe_directory(place: &dyn Destination) -> ProbeReport {
    let mut report = ProbeReport::new(place.describe(), "the user that this process runs as".into());
    note(&mut report, Ability::List, place.list("").await.map(drop));
    let (once, raced, streamed) = (name("once"), name("race"), name("stream"));
    let written = place.put(&once, Bytes::from_static(BODY), Put::Create).await;
    let can_write = written.is_ok();
    note(&mut report, Ability::Write, written);
    if can_write {
        let second = place.put(&once, Bytes::from_static(BODY), Put::Create).await;
        report.note(Ability::CreateOnce, refused_as_it_should(second));
        report.note(Ability::CreateOnceInARace, race(place, &raced).await);
        // Who may read a file may read a part of it.
        let read = read(place, &once).await;
        report.note(Ability::Read, read.clone());
        report.note(Ability::ReadRange, read);
        note(&mut report, Ability::Multipart, upload(place, &streamed).await);
        report.note(Ability::MultipartOnce, refused_as_it_should(upload(place, &streamed).await));
        note(&mut report, Ability::AbortMultipart, abort(place, &name("abort")).await);
        let deleted = delete(place, [once, raced, streamed], &mut report.left_behind).await;
        note(&mut report, Ability::Delete, deleted);
    }
    let mut report = report.complete();
    // Files have no list of uploads: what a crash left is found in the directory itself.
    report.findings.retain(|finding| finding.ability != Ability::ListMultipart);
    report
}

fn name(what: &str) -> ObjectName {
    format!("graphdb.probe.{what}.{:016x}", rand::random::<u64>()).parse().expect("letters and digits make a name")
}

async fn race(place: &dyn Destination, name: &ObjectName) -> Outcome {
    let racers = (0..RACERS).map(|_| place.put(name, Bytes::from_static(BODY), Put::Create));
    match join_all(racers).await.into_iter().filter(Result::is_ok).count() {
        1 => Outcome::Works,
        winners => Outcome::NotOffered(format!("{winners} of {RACERS} writers were told that they created the file")),
    }
}

async fn read(place: &dyn Destination, name: &ObjectName) -> Outcome {
    match place.get(name, BODY.len() as u64).await {
        Ok(found) if found == BODY => Outcome::Works,
        Ok(found) => Outcome::Failed(format!("{} other bytes were given back than the ones written", found.len())),
        Err(err) => outcome_of(&err),
    }
}

async fn upload(place: &dyn Destination, name: &ObjectName) -> Result<()> {
    let mut upload = place.create(name).await?;
    upload.write(Bytes::from_static(BODY)).await?;
    upload.complete().await
}

async fn abort(place: &dyn Destination, name: &ObjectName) -> Result<()> {
    let mut upload = place.create(name).await?;
    upload.write(Bytes::from_static(BODY)).await?;
    upload.abort().await;
    Ok(())
}

/// Removes what was written; gives the first failure.
async fn delete(place: &dyn Destination, names: [ObjectName; 3], left_behind: &mut Vec<String>) -> Result<()> {
    let mut outcome = Ok(());
    for name in names {
        match place.delete(&name).await {
            Err(err) if !err.is_not_found() => {
                left_behind.push(name.to_string());
                outcome = outcome.and(Err(err));
            }
            _ => {}
        }
    }
    outcome
}

fn note(report: &mut ProbeReport, ability: Ability, result: Result<()>) {
    report.note(ability, result.map_or_else(|err| outcome_of(&err), |()| Outcome::Works));
}

fn refused_as_it_should(second: Result<()>) -> Outcome {
    match second {
        Err(err) if err.is_conflict() => Outcome::Works,
        Err(err) => outcome_of(&err),
        Ok(()) => Outcome::NotOffered("a second file of the same name was taken".into()),
    }
}

fn outcome_of(err: &Error) -> Outcome {
    let mut why = err.to_string();
    if let Some(cause) = std::error::Error::source(err) {
        why = format!("{why}: {cause}");
    }
    match err {
        Error::Denied { .. } => Outcome::Denied(why),
        _ => Outcome::Failed(why),
    }
}
