//! What may come of a fault that happens once, by fault and operation. Where a fault makes no sense, the table says why.

use graphdb_destination::testing::fault_proxy::{Fault, Operation};

/// The end that a job must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// The job succeeds: asking again, or looking, makes up for it.
    Absorbed,
    /// The job ends with an error that names the object (or the place) and the cause.
    FailsCleanly,
    /// One or the other: what the same request is for decides. Whether a lock, a manifest or an archive is read, for instance.
    Either,
    /// There is no such thing.
    Impossible(&'static str),
}

use Expected::{Absorbed, Either, FailsCleanly, Impossible};

/// Every fault, in the order of the table.
pub(crate) const FAULTS: [Fault; 33] = [
    Fault::Close,
    Fault::PortRefused,
    Fault::ResetRequest,
    Fault::StuckRequest,
    Fault::CorruptRequest,
    Fault::Silence,
    Fault::Status(400),
    Fault::Status(403),
    Fault::Status(404),
    Fault::Status(409),
    Fault::Status(412),
    Fault::Status(429),
    Fault::Status(500),
    Fault::Status(502),
    Fault::Status(503),
    Fault::BareStatus(404),
    Fault::BareStatus(502),
    Fault::BareStatus(503),
    Fault::ErrorIn200,
    Fault::LostAnswer,
    Fault::ResetAnswer,
    Fault::Cut,
    Fault::Short,
    Fault::Slow,
    Fault::Stall,
    Fault::CorruptAnswer,
    Fault::WrongEtag,
    Fault::Stale,
    Fault::MissingPage,
    Fault::RepeatedPage,
    Fault::DoubledEntries,
    Fault::Unsorted,
    Fault::LostMarker,
];

/// What a job comes to when `fault` happens to one request of `operation`.
pub(crate) fn expected(fault: Fault, operation: Operation) -> Expected {
    match fault {
        // What a retry absorbs, whatever was asked.
        Fault::Close | Fault::PortRefused | Fault::ResetRequest | Fault::Silence => Absorbed,
        Fault::LostAnswer | Fault::ResetAnswer | Fault::Cut | Fault::Slow | Fault::Stall | Fault::Delay(_) => Absorbed,
        Fault::Status(409 | 429 | 500 | 502 | 503) | Fault::BareStatus(502 | 503) => Absorbed,
        Fault::StuckRequest | Fault::CorruptRequest if has_body(operation) => Absorbed,
        Fault::StuckRequest | Fault::CorruptRequest => Impossible("its request has no body"),
        // What no retry changes.
        Fault::Status(400) => invalid(operation),
        Fault::Status(403) => denied(operation),
        Fault::Status(404) => absent(operation),
        Fault::Status(412) => taken(operation),
        Fault::BareStatus(404) => absent_somewhere(operation),
        Fault::Status(_) | Fault::BareStatus(_) => Either,
        // Answers that are wrong.
        Fault::ErrorIn200 if operation == Operation::CompleteMultipart => Absorbed,
        Fault::ErrorIn200 => Impossible("only completing an upload is answered so"),
        Fault::Short => shortened(operation),
        Fault::CorruptAnswer => corrupt(operation),
        Fault::WrongEtag => wrong_etag(operation),
        Fault::Stale => stale(operation),
        Fault::MissingPage | Fault::RepeatedPage | Fault::DoubledEntries | Fault::Unsorted | Fault::LostMarker => {
            wrong_page(fault, operation)
        }
    }
}

/// Deleting, aborting and sweeping tidy up: most go on without, some are what was asked for. A conditional request that is refused so is tried
/// without its condition, and looking whether a name is taken is a courtesy.
fn invalid(operation: Operation) -> Expected {
    match operation {
        Operation::AbortMultipart => Absorbed,
        Operation::Delete | Operation::ListMultipart | Operation::Get | Operation::Head => Either,
        Operation::PutIfAbsent | Operation::CompleteMultipart => Either,
        _ => FailsCleanly,
    }
}

/// Who may only write looks in vain, and goes on where looking was a courtesy.
fn denied(operation: Operation) -> Expected {
    match operation {
        Operation::AbortMultipart => Absorbed,
        Operation::PutIfAbsent | Operation::Get | Operation::Head | Operation::Delete => Either,
        Operation::ListMultipart => Either,
        _ => FailsCleanly,
    }
}

/// No such key, upload or bucket. A name that is free is what most look for.
fn absent(operation: Operation) -> Expected {
    match operation {
        Operation::AbortMultipart => Absorbed,
        Operation::Get | Operation::Head | Operation::Delete | Operation::ListMultipart => Either,
        _ => FailsCleanly,
    }
}

fn taken(operation: Operation) -> Expected {
    match operation {
        Operation::AbortMultipart => Absorbed,
        Operation::PutIfAbsent | Operation::Get | Operation::Head | Operation::Delete => Either,
        Operation::ListMultipart => Either,
        _ => FailsCleanly,
    }
}

/// A 404 without a code is not the store's: reading takes it for a disturbance.
fn absent_somewhere(operation: Operation) -> Expected {
    match operation {
        Operation::Get | Operation::RangedGet | Operation::AbortMultipart => Absorbed,
        _ => Either,
    }
}

fn shortened(operation: Operation) -> Expected {
    match operation {
        Operation::Head => Either,
        _ if !is_answered_with_body(operation) => Impossible("its answer has no body"),
        _ => Absorbed,
    }
}

fn corrupt(operation: Operation) -> Expected {
    match operation {
        // An archive's digest tells in the end, when it is too late to ask again.
        Operation::RangedGet => FailsCleanly,
        _ if !is_answered_with_body(operation) => Impossible("its answer has no body"),
        _ => Either,
    }
}

fn wrong_etag(operation: Operation) -> Expected {
    match operation {
        Operation::Put | Operation::PutIfAbsent | Operation::UploadPart | Operation::CompleteMultipart => Absorbed,
        Operation::Head => Absorbed,
        Operation::Get => Either,
        // It looks as if the object had been replaced half-way.
        Operation::RangedGet => FailsCleanly,
        _ => Impossible("its answer has no ETag that anybody needs"),
    }
}

fn stale(operation: Operation) -> Expected {
    match operation {
        Operation::Get | Operation::Head | Operation::List => Either,
        Operation::RangedGet => FailsCleanly,
        Operation::ListMultipart => Absorbed,
        _ => Impossible("it shows nothing that could be old"),
    }
}

fn wrong_page(fault: Fault, operation: Operation) -> Expected {
    match (operation, fault) {
        (Operation::ListMultipart, _) => Absorbed,
        (Operation::List, Fault::DoubledEntries | Fault::Unsorted | Fault::LostMarker) => Absorbed,
        (Operation::List, _) => Either,
        _ => Impossible("only listings have pages"),
    }
}

fn has_body(operation: Operation) -> bool {
    use Operation::{CompleteMultipart, Put, PutIfAbsent, UploadPart};
    matches!(operation, Put | PutIfAbsent | UploadPart | CompleteMultipart)
}

fn is_answered_with_body(operation: Operation) -> bool {
    use Operation::{CompleteMultipart, CreateMultipart, Get, List, ListMultipart, RangedGet};
    matches!(operation, CreateMultipart | CompleteMultipart | ListMultipart | Get | RangedGet | List)
}

/// Whether a listing can be made to lack something, which nobody can see who was not told what must be there.
pub(crate) fn makes_holes(fault: Fault, operation: Operation) -> bool {
    use Fault::{CorruptAnswer, MissingPage, RepeatedPage, Stale};
    operation == Operation::List && matches!(fault, Stale | MissingPage | RepeatedPage | CorruptAnswer)
}

/// Whether an upload may stay open after the job: its id never arrived, or aborting it was refused.
pub(crate) fn may_leave_upload(fault: Fault, operation: Operation) -> bool {
    use Fault::{CorruptAnswer, Cut, LostAnswer, ResetAnswer, Short, Stall};
    match operation {
        Operation::AbortMultipart => true,
        Operation::CreateMultipart => {
            matches!(fault, LostAnswer | ResetAnswer | Cut | Short | Stall | CorruptAnswer)
        }
        _ => false,
    }
}

/// Faults that are also tried on every request from the first on: the store that is gone, that is full of errors, that denies.
pub(crate) const LASTING: [Fault; 8] = [
    Fault::Close,
    Fault::Silence,
    Fault::Status(403),
    Fault::Status(429),
    Fault::Status(500),
    Fault::BareStatus(503),
    Fault::LostAnswer,
    Fault::Cut,
];

/// What a job comes to when `fault` happens to every request of `operation`.
pub(crate) fn expected_of_lasting(fault: Fault, operation: Operation) -> Expected {
    match (operation, fault) {
        // Tidying up that fails harms nobody, and what was deleted is known to be gone by looking.
        (Operation::AbortMultipart, _) => Absorbed,
        // A download is taken up where it was cut, by a ranged get.
        (Operation::Get, Fault::Cut) => Either,
        // Looking is a courtesy for who may not, and what was written may be found to be there.
        (_, Fault::Status(403)) | (Operation::Delete | Operation::PutIfAbsent | Operation::CompleteMultipart, _) => {
            Either
        }
        _ => FailsCleanly,
    }
}
