//! Most requests go wrong, by chance: at the rates of a heavy storm, jobs come to their end with equal bytes.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use graphdb_destination::BucketScheme;
use graphdb_destination::testing::fault_proxy::{Fault, Operation, Request};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::job::Job;
use crate::lab::{Lab, Sizes};

/// How often a job is begun again because of a corrupt byte, which no repetition of a request makes up for.
const BEGINNINGS: usize = 12;

/// How long one job may take: without faults less than a second.
const PATIENCE: Duration = Duration::from_secs(600);

/// The storm that FoundationDB's simulation makes of its network: a quarter of errors, three in ten throttled, three in twenty late, one in a
/// hundred with a corrupt byte.
fn storm(random: &mut StdRng) -> Option<Fault> {
    const ERRORS: [Fault; 5] =
        [Fault::Status(500), Fault::BareStatus(502), Fault::Close, Fault::LostAnswer, Fault::ResetAnswer];
    match random.random_range(0..100) {
        0..25 => Some(ERRORS[random.random_range(0..ERRORS.len())]),
        25..55 => Some(if random.random() { Fault::Status(503) } else { Fault::Status(429) }),
        55..70 => Some(Fault::Delay(Duration::from_millis(random.random_range(1..200)))),
        70 => Some(Fault::CorruptAnswer),
        _ => None,
    }
}

/// Runs a job until it succeeds, and returns how often it was begun. Only a corrupt byte may end it early.
async fn weather(lab: &Lab, scheme: BucketScheme, seed: u64) -> usize {
    let mut random = StdRng::seed_from_u64(seed);
    for beginning in 1..=BEGINNINGS {
        let place = lab.place(scheme, lab.patient()).await;
        let mut chance = StdRng::from_rng(&mut random);
        place.proxy.leave_to(move |_| storm(&mut chance));
        let mut job = Job::new(lab);
        let outcome = job.run(&place.through_proxy).await;
        place.proxy.heal();
        job.check(&place, outcome.is_ok()).await;
        match outcome {
            Ok(()) => return beginning,
            Err(failure) => assert!(has_corruption(&place.proxy.struck()), "{scheme}, seed {seed}: {failure:?}"),
        }
    }
    panic!("{scheme}, seed {seed}: no job of {BEGINNINGS} succeeded");
}

fn has_corruption(struck: &[Request]) -> bool {
    use Operation::{CreateMultipart, Get, List, ListMultipart, RangedGet};
    let reads = [CreateMultipart, Get, List, ListMultipart, RangedGet];
    struck.iter().any(|request| request.fault == Some(Fault::CorruptAnswer) && reads.contains(&request.operation))
}

async fn soak(name: &str, jobs: u64) {
    let Some(lab) = Lab::new(Sizes::SMALL).await else { return };
    let lab = Arc::new(lab);
    let mut running = tokio::task::JoinSet::new();
    for seed in 0..jobs {
        let (lab, scheme) = (Arc::clone(&lab), [BucketScheme::S3, BucketScheme::Minio][seed as usize % 2]);
        running.spawn(async move {
            let weathered = tokio::time::timeout(PATIENCE, weather(&lab, scheme, seed)).await;
            weathered.unwrap_or_else(|_| panic!("{scheme}, seed {seed}: no end after {PATIENCE:?}"))
        });
    }
    let beginnings: usize = running.join_all().await.into_iter().sum();
    let text = format!(
        "\nS3 storm, {name}: {jobs} jobs came to their end with equal bytes, {} more were ended by a corrupt byte\n",
        beginnings - jobs as usize
    );
    _ = std::io::stderr().write_all(text.as_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_weather_a_storm() {
    soak("short", 4).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes several minutes"]
async fn many_jobs_weather_a_storm() {
    soak("long", 60).await;
}
