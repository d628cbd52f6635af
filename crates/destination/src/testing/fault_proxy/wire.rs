//! HTTP/1.1 by hand, as far as a client of an object store speaks it: a library would not let us break the rules.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::{HeaderMap, Method, StatusCode};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Bytes of a request's head: what common servers take.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// Bytes of a request's body that are held in memory: well above the parts that tests use.
const MAX_BODY_BYTES: usize = 256 << 20;

/// Pieces of a slow answer, and the pause after each.
const PIECES: usize = 20;
const PIECE_PAUSE: Duration = Duration::from_millis(40);

/// Seconds after which a stalled exchange ends, if the client has not given it up.
const STALL_SECONDS: usize = 300;

/// The beginning of a request.
#[derive(Clone, Debug)]
pub(super) struct RequestHead {
    pub(super) method: Method,
    /// Path and query, as they were sent.
    pub(super) target: String,
    pub(super) headers: HeaderMap,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Whether it answers `HEAD`: its length is announced and nothing follows.
    pub(super) headless: bool,
}

/// A client's connection.
pub(super) struct Connection {
    stream: BufReader<TcpStream>,
}

impl RequestHead {
    fn parse(head: &str) -> Option<RequestHead> {
        let mut lines = head.lines();
        let mut words = lines.next()?.split(' ');
        let (method, target) = (words.next()?.parse().ok()?, words.next()?.to_owned());
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(':')?;
            headers.append(name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value.trim()).ok()?);
        }
        Some(RequestHead { method, target, headers })
    }

    pub(super) fn body_bytes(&self) -> usize {
        let length = self.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        length.unwrap_or(0)
    }

    pub(super) fn is_last(&self) -> bool {
        self.headers.get(CONNECTION).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"))
    }

    fn expects_leave(&self) -> bool {
        self.headers.contains_key(EXPECT)
    }
}

impl Answer {
    /// The head, announcing a body of `announced` bytes.
    fn head(&self, announced: &str) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {}\r\n", self.status).into_bytes();
        for (name, value) in &self.headers {
            if ![CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION].contains(name) {
                head.extend_from_slice(format!("{name}: ").as_bytes());
                head.extend_from_slice(value.as_bytes());
                head.extend_from_slice(b"\r\n");
            }
        }
        if self.status != StatusCode::NO_CONTENT {
            head.extend_from_slice(format!("content-length: {announced}\r\n").as_bytes());
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    /// What `HEAD` announces, or what follows.
    pub(super) fn announced(&self) -> String {
        let told = self.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        match told {
            Some(told) if self.headless => told.to_owned(),
            _ => self.body.len().to_string(),
        }
    }

    /// All of it, as it goes over the wire.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.head(&self.announced());
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// The first half: of the body if there is one, else of the head.
    pub(super) fn first_half(&self) -> Vec<u8> {
        let mut bytes = self.to_bytes();
        let kept = if self.body.is_empty() { bytes.len() / 2 } else { bytes.len() - self.body.len().div_ceil(2) };
        bytes.truncate(kept);
        bytes
    }
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Connection {
        Connection { stream: BufReader::new(stream) }
    }

    /// The next request's head; `None` when the client is done.
    pub(super) async fn next_request(&mut self) -> io::Result<Option<RequestHead>> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if (&mut self.stream).take(MAX_HEAD_BYTES as u64).read_until(b'\n', &mut head).await? == 0 {
                return Ok(None);
            }
            if head.len() > MAX_HEAD_BYTES {
                return Err(malformed("the head of a request is too long"));
            }
        }
        let text = std::str::from_utf8(&head).map_err(|_| malformed("the head of a request is not text"))?;
        let head = RequestHead::parse(text.trim_end()).ok_or_else(|| malformed("the head of a request is no HTTP"))?;
        if head.headers.contains_key(TRANSFER_ENCODING) || head.body_bytes() > MAX_BODY_BYTES {
            return Err(malformed("a request's body is chunked or too large; object stores take neither"));
        }
        Ok(Some(head))
    }

    /// Says that the body may come, to a client that waits for it.
    pub(super) async fn ask_for_body(&mut self, head: &RequestHead) -> io::Result<()> {
        if head.expects_leave() {
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        Ok(())
    }

    pub(super) async fn read(&mut self, bytes: usize) -> io::Result<Vec<u8>> {
        let mut body = vec![0; bytes];
        self.stream.read_exact(&mut body).await?;
        Ok(body)
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes).await
    }

    pub(super) async fn write_slowly(&mut self, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(bytes.len().div_ceil(PIECES)) {
            self.write(piece).await?;
            tokio::time::sleep(PIECE_PAUSE).await;
        }
        Ok(())
    }

    /// One byte a second, until the client has enough of it.
    pub(super) async fn write_stalling(&mut self, bytes: &[u8]) -> io::Result<()> {
        for byte in bytes.chunks(1).take(STALL_SECONDS) {
            self.write(byte).await?;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    }

    /// Neither reads nor writes until the client goes away.
    pub(super) async fn say_nothing(&mut self) {
        let gone = self.stream.read_u8();
        _ = tokio::time::timeout(Duration::from_secs(STALL_SECONDS as u64), gone).await;
    }

    /// Ends with a TCP RST in place of an orderly end.
    pub(super) fn reset(self) {
        // Without it the connection ends in order, and a test that wants a reset fails: nothing to report here.
        _ = self.stream.get_ref().set_zero_linger();
    }
}

fn malformed(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
