//! What goes wrong, and when.

use std::time::Duration;

use super::Operation;

/// What the proxy does to a request instead of passing it on and the answer back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// The connection is closed as soon as the request's head was read. The server hears nothing of it.
    Close,
    /// As [`Fault::Close`], and for a third of a second nobody listens at the port.
    PortRefused,
    /// The connection is reset (TCP RST) after half of the request's body.
    ResetRequest,
    /// After half of the request's body nothing more is read of it: an upload that is stuck.
    StuckRequest,
    /// One bit of the request's body is flipped on the way to the server.
    CorruptRequest,
    /// The request is held for as long before it goes on.
    Delay(Duration),
    /// No answer, ever. The server hears nothing of the request.
    Silence,
    /// The status, with S3's error document that belongs to it. The server hears nothing of the request.
    Status(u16),
    /// The status, with a page for people, as a proxy or a load balancer sends it, and no error code.
    BareStatus(u16),
    /// Status 200, with an error document: how S3 tells that completing a multipart upload failed half-way.
    ErrorIn200,
    /// The server does it; the connection is reset before a byte of the answer.
    LostAnswer,
    /// The server does it; the connection is reset in the middle of the answer.
    ResetAnswer,
    /// The answer ends early: its length is announced rightly, half of it arrives, then the connection ends in order.
    Cut,
    /// Half of the answer, with a length that makes it look whole.
    Short,
    /// The answer arrives in 20 pieces, 40 ms apart: slow, and getting on.
    Slow,
    /// The answer arrives with one byte a second.
    Stall,
    /// One bit in the middle of the answer's body is flipped.
    CorruptAnswer,
    /// The answer's `ETag` (header and document) is another object's.
    WrongEtag,
    /// The answer of an earlier moment: what the same question got first, and if it was not asked before, that there is
    /// no such object, or that nothing is listed.
    Stale,
    /// A page of the listing is missing: nothing is on it, and its continuation is right.
    MissingPage,
    /// A page is delivered twice: this answer is the one that the listing before it got.
    RepeatedPage,
    /// Every entry of the page is there twice.
    DoubledEntries,
    /// The page's entries are in reverse order.
    Unsorted,
    /// The page says that there is more and not how to ask for it.
    LostMarker,
}

/// Lets a fault happen to some requests of one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Which requests are counted.
    pub operation: Operation,
    /// The first request of that operation that it happens to, from 1.
    pub nth: usize,
    /// To how many in a row; [`usize::MAX`] for all from there on.
    pub times: usize,
    /// What happens.
    pub fault: Fault,
}

impl Rule {
    /// It happens to the `nth` request of an operation, and to that alone.
    pub fn once(operation: Operation, nth: usize, fault: Fault) -> Rule {
        Rule { operation, nth, times: 1, fault }
    }

    /// It happens to the `nth` request of an operation and to all later ones.
    pub fn from(operation: Operation, nth: usize, fault: Fault) -> Rule {
        Rule { operation, nth, times: usize::MAX, fault }
    }

    pub(super) fn applies_to(&self, operation: Operation, nth: usize) -> bool {
        operation == self.operation && nth >= self.nth && nth - self.nth < self.times
    }
}
