//! Every fault on every operation, at its first, middle and last request.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use graphdb_destination::BucketScheme;
use graphdb_destination::testing::fault_proxy::{Fault, Operation, Rule};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::job::{Failure, Job};
use crate::lab::{Lab, Place, Sizes};
use crate::table::{Expected, FAULTS, LASTING, expected, expected_of_lasting, makes_holes, may_leave_upload};

/// Jobs at a time: most of them wait for a timeout or a repetition.
const JOBS: usize = 12;

const SCHEMES: [BucketScheme; 2] = [BucketScheme::S3, BucketScheme::Minio];

/// How long a job may take, and what is checked after it. A job without faults takes less than a second.
const PATIENCE: Duration = Duration::from_secs(180);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    First,
    Middle,
    Last,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    scheme: BucketScheme,
    operation: Operation,
    position: Position,
    rule: Rule,
    expected: Expected,
}

/// How often each operation is asked for in a job without faults.
type Counts = BTreeMap<Operation, usize>;

/// The requests that the positions mean, each once.
fn positions(count: usize) -> impl Iterator<Item = (Position, usize)> {
    let all = [(Position::First, 1), (Position::Middle, count.div_ceil(2)), (Position::Last, count)];
    all.into_iter().filter(move |(position, nth)| match position {
        Position::First => true,
        Position::Middle => (2..count).contains(nth),
        Position::Last => count > 1,
    })
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rule { fault, nth, times, .. } = self.rule;
        let lasting = if times == 1 { "" } else { " and all later ones" };
        let (scheme, operation) = (self.scheme, self.operation);
        write!(f, "{scheme}: {fault:?} on {:?} {operation} ({nth}){lasting}", self.position)
    }
}

/// How many of the cases are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// Each fault on each operation once: each time by the other scheme, and then at another position.
    Selection,
    All,
}

/// Faults that happen once.
fn passing(scheme: BucketScheme, counts: &Counts, extent: Extent) -> Vec<Case> {
    let combinations = FAULTS.iter().flat_map(|fault| Operation::ALL.map(|operation| (*fault, operation)));
    let possible = combinations.filter(|(fault, operation)| is_possible(*fault, *operation));
    let mut cases = Vec::new();
    for (number, (fault, operation)) in possible.enumerate() {
        let case = |(position, nth)| {
            let (rule, expected) = (Rule::once(operation, nth, fault), expected(fault, operation));
            Case { scheme, operation, position, rule, expected }
        };
        let every: Vec<Case> = positions(counts[&operation]).map(case).collect();
        match extent {
            Extent::All => cases.extend(every),
            Extent::Selection if scheme != SCHEMES[number % SCHEMES.len()] => {}
            Extent::Selection => cases.push(every[number / SCHEMES.len() % every.len()]),
        }
    }
    cases
}

fn lasting(scheme: BucketScheme) -> Vec<Case> {
    let combinations = LASTING.iter().flat_map(|fault| Operation::ALL.map(|operation| (*fault, operation)));
    let case = |(fault, operation)| {
        let (rule, expected) = (Rule::from(operation, 1, fault), expected_of_lasting(fault, operation));
        Case { scheme, operation, position: Position::First, rule, expected }
    };
    combinations.map(case).collect()
}

fn is_possible(fault: Fault, operation: Operation) -> bool {
    !matches!(expected(fault, operation), Expected::Impossible(_))
}

/// Counts the operations of a job in which nothing goes wrong.
async fn rehearse(lab: &Lab, scheme: BucketScheme) -> Counts {
    let place = lab.place(scheme, lab.impatient()).await;
    let mut job = Job::new(lab);
    let outcome = job.run(&place.through_proxy).await;
    assert!(outcome.is_ok(), "{scheme}: without faults: {outcome:?}");
    let counts: Counts = Operation::ALL.map(|operation| (operation, place.proxy.count(operation))).into();
    assert!(counts.values().all(|count| *count > 0), "{scheme}: every operation occurs: {counts:?}");
    job.check(&place, true).await;
    assert_eq!(job.leftover_uploads(&place).await, 0, "{scheme}: without faults");
    counts
}

/// How a case ended that ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Absorbed,
    FailedCleanly,
}

/// Runs a case and checks everything that must hold.
///
/// # Panics
/// When it does not.
async fn run(lab: &Lab, case: Case) -> End {
    let place = lab.place(case.scheme, lab.impatient()).await;
    place.proxy.inject(case.rule);
    let mut job = Job::new(lab);
    let outcome = job.run(&place.through_proxy).await;
    place.proxy.heal();
    assert!(!place.proxy.struck().is_empty(), "the fault never happened");
    let end = check_end(&case, &place, &outcome);
    let left = job.leftover_uploads(&place).await;
    assert!(left == 0 || may_leave_upload(case.rule.fault, case.operation), "{left} uploads are left open");
    job.check(&place, outcome.is_ok()).await;
    end
}

fn check_end(case: &Case, place: &Place, outcome: &Result<(), Failure>) -> End {
    match (outcome, case.expected) {
        (Ok(()), Expected::Absorbed | Expected::Either) => End::Absorbed,
        (Ok(()), _) => panic!("it should have failed"),
        (Err(failure), Expected::FailsCleanly | Expected::Either) => {
            check_error(case, place, failure);
            End::FailedCleanly
        }
        (Err(failure), _) => panic!("it should have been absorbed: {}: {}", failure.step, failure.text),
    }
}

/// The error says where, what, and why.
fn check_error(case: &Case, place: &Place, failure: &Failure) {
    if failure.is_hole {
        assert!(makes_holes(case.rule.fault, case.operation), "{}: {}", failure.step, failure.text);
        return;
    }
    let struck = place.proxy.struck();
    let objects = struck.iter().filter_map(|request| request.key.strip_prefix(&place.folder)?.strip_prefix('/'));
    let names_object = objects.into_iter().any(|object| !object.is_empty() && failure.text.contains(object));
    let names_place = failure.text.contains(&place.through_proxy.describe());
    assert!(names_object || names_place, "the error names neither object nor place: {}", failure.text);
    assert!(says_why(case.rule.fault, &failure.text), "the error does not say why: {}", failure.text);
}

/// A refusal is told with its status, or as what it means; everything else has a cause.
fn says_why(fault: Fault, text: &str) -> bool {
    // A lock that was denied for no reason looks like one that somebody was faster to take.
    if text.contains("is already running (taken a moment ago)") {
        return true;
    }
    let is_absence = text.contains("does not exist") || text.contains("is missing");
    let means = |status| match status {
        404 => is_absence,
        412 => text.contains("already exists") || text.contains("was replaced"),
        _ => false,
    };
    match fault {
        Fault::Status(status) | Fault::BareStatus(status) => text.contains(&status.to_string()) || means(status),
        _ => text.contains(": ") || is_absence,
    }
}

/// What came of many cases.
#[derive(Debug, Default)]
struct Report {
    ends: BTreeMap<End, usize>,
    violations: Vec<String>,
}

async fn run_all(lab: &Arc<Lab>, cases: Vec<Case>) -> Report {
    let (mut running, room) = (JoinSet::new(), Arc::new(Semaphore::new(JOBS)));
    for case in cases {
        let (lab, room) = (Arc::clone(lab), Arc::clone(&room));
        running.spawn(async move {
            let _room = room.acquire_owned().await.unwrap();
            let run = tokio::spawn(async move { tokio::time::timeout(PATIENCE, run(&lab, case)).await });
            (case, run.await)
        });
    }
    let mut report = Report::default();
    while let Some(ended) = running.join_next().await {
        match ended.unwrap() {
            (_, Ok(Ok(end))) => *report.ends.entry(end).or_default() += 1,
            (case, Ok(Err(_))) => report.violations.push(format!("{case}: no end after {PATIENCE:?}")),
            (case, Err(panic)) => report.violations.push(format!("{case}: {}", words_of(panic))),
        }
    }
    report
}

fn words_of(panic: tokio::task::JoinError) -> String {
    let payload = panic.into_panic();
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_else(|| "a panic".into())
}

/// Says how many cases there were and what came of them, on standard error itself, where the test harness does not swallow it.
fn conclude(name: &str, begun: Instant, report: &Report) {
    let cases = report.ends.values().sum::<usize>() + report.violations.len();
    let impossible = FAULTS.iter().flat_map(|fault| Operation::ALL.map(|operation| is_possible(*fault, operation)));
    let impossible = impossible.filter(|possible| !possible).count();
    let count = |end| report.ends.get(&end).copied().unwrap_or(0);
    let text = format!(
        "\nS3 faults, {name}: {cases} cases in {} s: {} absorbed, {} failed cleanly, {} wrong ({impossible} combinations of fault and operation \
         cannot be)\n",
        begun.elapsed().as_secs(),
        count(End::Absorbed),
        count(End::FailedCleanly),
        report.violations.len(),
    );
    _ = std::io::stderr().write_all(text.as_bytes());
    assert!(
        report.violations.is_empty(),
        "{} cases are wrong:\n{}",
        report.violations.len(),
        report.violations.join("\n")
    );
}

async fn try_all(name: &str, lab: Lab, cases: Vec<Case>, least: usize) {
    assert!(cases.len() >= least, "only {} cases", cases.len());
    let begun = Instant::now();
    conclude(name, begun, &run_all(&Arc::new(lab), cases).await);
}

async fn try_small(name: &str, extent: Extent, least: usize) {
    let Some(lab) = Lab::new(Sizes::SMALL).await else { return };
    let mut cases = Vec::new();
    for scheme in SCHEMES {
        let counts = rehearse(&lab, scheme).await;
        cases.extend(passing(scheme, &counts, extent));
        cases.extend(lasting(scheme));
    }
    try_all(name, lab, cases, least).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_is_absorbed_or_fails_cleanly() {
    try_small("a selection", Extent::Selection, 480).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a quarter of an hour"]
async fn every_fault_everywhere_is_absorbed_or_fails_cleanly() {
    try_small("everywhere", Extent::All, 1500).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes several minutes"]
async fn faults_amid_large_parts_are_absorbed_or_fail_cleanly() {
    let Some(lab) = Lab::new(Sizes::LARGE).await else { return };
    let mut cases = Vec::new();
    for scheme in SCHEMES {
        let counts = rehearse(&lab, scheme).await;
        cases.extend(passing(scheme, &counts, Extent::All).into_iter().filter(is_amid_bytes));
    }
    try_all("large parts", lab, cases, 60).await;
}

fn is_amid_bytes(case: &Case) -> bool {
    use Fault::{CorruptRequest, Cut, ResetAnswer, ResetRequest, Short, Slow, Stall, StuckRequest};
    match case.operation {
        // It is of an upload that is given up, and may be cut off before it is sent.
        Operation::UploadPart if case.position == Position::Last => false,
        Operation::UploadPart => matches!(case.rule.fault, ResetRequest | StuckRequest | CorruptRequest),
        Operation::Get | Operation::RangedGet => matches!(case.rule.fault, ResetAnswer | Cut | Short | Slow | Stall),
        _ => false,
    }
}
