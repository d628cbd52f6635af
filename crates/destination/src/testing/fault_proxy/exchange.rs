//! One request and its answer, with the fault that it meets.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{CONTENT_LENGTH, ETAG, HeaderValue};

use super::wire::{Answer, Connection, RequestHead};
use super::{Fault, Operation, Shared, listing, refusal, upstream};

/// How a connection ends before its client wants it to.
pub(super) enum End {
    /// In order, as far as the peer can tell.
    Close,
    /// With a reset.
    Reset,
}

/// The client went away, or the server did.
impl From<io::Error> for End {
    fn from(_: io::Error) -> End {
        End::Reset
    }
}

/// Serves one client until either side has enough.
pub(super) async fn serve(mut connection: Connection, shared: Arc<Shared>) {
    while let Ok(Some(head)) = connection.next_request().await {
        let operation = Operation::of(&head.method, &head.target, &head.headers);
        let (number, fault) = shared.script().begin(operation, &head);
        let exchange = Exchange { shared: &shared, head: &head, operation, number, fault };
        match exchange.run(&mut connection).await {
            Ok(()) if !head.is_last() => {}
            Ok(()) | Err(End::Close) => return,
            Err(End::Reset) => return connection.reset(),
        }
    }
}

struct Exchange<'a> {
    shared: &'a Shared,
    head: &'a RequestHead,
    operation: Operation,
    number: usize,
    fault: Option<Fault>,
}

impl Exchange<'_> {
    async fn run(&self, connection: &mut Connection) -> Result<(), End> {
        let body = self.take_body(connection).await?;
        let answer = match self.own_answer() {
            Some(answer) => answer,
            None => self.changed(self.ask_server(connection, body).await?),
        };
        self.shared.script().note_status(self.number, &answer);
        self.send(connection, &answer).await
    }

    /// Reads the request's body, unless the fault is quicker.
    async fn take_body(&self, connection: &mut Connection) -> Result<Bytes, End> {
        let bytes = self.head.body_bytes();
        match self.fault {
            Some(Fault::Close) => return Err(End::Close),
            Some(Fault::PortRefused) => {
                self.shared.refuse_connections().await;
                return Err(End::Reset);
            }
            _ => connection.ask_for_body(self.head).await?,
        }
        match self.fault {
            Some(Fault::ResetRequest) => {
                connection.read(bytes / 2).await?;
                Err(End::Reset)
            }
            Some(Fault::StuckRequest) => {
                connection.read(bytes / 2).await?;
                std::future::pending().await
            }
            _ => Ok(connection.read(bytes).await?.into()),
        }
    }

    /// The answer that the server is not asked for.
    fn own_answer(&self) -> Option<Answer> {
        match self.fault? {
            Fault::Status(status) => Some(refusal::error(status, self.operation, self.head)),
            Fault::BareStatus(status) => Some(refusal::page_for_people(status, self.head)),
            Fault::ErrorIn200 => Some(refusal::error_in_200(self.operation, self.head)),
            _ => None,
        }
    }

    async fn ask_server(&self, connection: &mut Connection, mut body: Bytes) -> Result<Answer, End> {
        match self.fault {
            Some(Fault::Delay(time)) => tokio::time::sleep(time).await,
            Some(Fault::CorruptRequest) => body = flipped(&body),
            Some(Fault::Silence) => {
                connection.say_nothing().await;
                return Err(End::Close);
            }
            _ => {}
        }
        let head = self.head;
        self.shared.script().search("request", &head.target, &head.headers, &body);
        let answer = upstream::forward(self.shared.server, head, body).await?;
        self.shared.script().search("answer", &head.target, &answer.headers, &answer.body);
        Ok(answer)
    }

    /// What arrives in place of the server's answer.
    fn changed(&self, mut answer: Answer) -> Answer {
        let page_entries = self.shared.script().page_entries();
        let is_listing = matches!(self.operation, Operation::List | Operation::ListMultipart);
        if let (true, Some(entries)) = (is_listing, page_entries) {
            answer.body = listing::first_page(&answer.body, entries);
        }
        let first = self.shared.script().first_answer(self.head, &answer);
        let previous = if is_listing { self.shared.script().previous_listing(&answer) } else { None };
        match self.fault {
            Some(Fault::Short) => shortened(answer),
            Some(Fault::CorruptAnswer) => Answer { body: flipped(&answer.body), ..answer },
            Some(Fault::WrongEtag) => with_other_etag(answer),
            Some(Fault::Stale) => first.unwrap_or_else(|| match is_listing {
                true => Answer { body: listing::empty(&answer.body), ..answer },
                false => refusal::error(404, self.operation, self.head),
            }),
            Some(Fault::RepeatedPage) => previous.unwrap_or(answer),
            Some(Fault::MissingPage) => Answer { body: listing::without_entries(&answer.body), ..answer },
            Some(Fault::DoubledEntries) => Answer { body: listing::doubled(&answer.body), ..answer },
            Some(Fault::Unsorted) => Answer { body: listing::reversed(&answer.body), ..answer },
            Some(Fault::LostMarker) => Answer { body: listing::without_marker(&answer.body), ..answer },
            _ => answer,
        }
    }

    async fn send(&self, connection: &mut Connection, answer: &Answer) -> Result<(), End> {
        match self.fault {
            Some(Fault::LostAnswer) => return Err(End::Reset),
            Some(Fault::ResetAnswer) => {
                connection.write(&answer.first_half()).await?;
                return Err(End::Reset);
            }
            Some(Fault::Cut) => {
                connection.write(&answer.first_half()).await?;
                return Err(End::Close);
            }
            Some(Fault::Slow) => connection.write_slowly(&answer.to_bytes()).await?,
            Some(Fault::Stall) => {
                connection.write_stalling(&answer.to_bytes()).await?;
                return Err(End::Close);
            }
            _ => connection.write(&answer.to_bytes()).await?,
        }
        Ok(())
    }
}

/// Half as much, and said to be all.
fn shortened(mut answer: Answer) -> Answer {
    if answer.headless {
        let half = answer.announced().parse::<u64>().unwrap_or(0) / 2;
        answer.headers.insert(CONTENT_LENGTH, HeaderValue::from(half));
    }
    answer.body.truncate(answer.body.len() / 2);
    answer
}

fn flipped(body: &Bytes) -> Bytes {
    let mut body = body.to_vec();
    let middle = body.len() / 2;
    if let Some(byte) = body.get_mut(middle) {
        *byte ^= 1;
    }
    body.into()
}

/// The MD5 of nothing: no object that is worth a test has it.
const OTHER_ETAG: &str = "\"d41d8cd98f00b204e9800998ecf8427e\"";

fn with_other_etag(mut answer: Answer) -> Answer {
    match answer.headers.get_mut(ETAG) {
        Some(etag) => *etag = HeaderValue::from_static(OTHER_ETAG),
        None => answer.body = listing::with_etag(&answer.body, OTHER_ETAG),
    }
    answer
}
