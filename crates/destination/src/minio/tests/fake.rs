use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// **Not a store**: answers each request, whatever it is, with the next of the answers it was given, and remembers what it was asked.
pub(super) struct FakeStore {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl FakeStore {
    /// Listens on a port of its own. After the last answer, connections are closed.
    pub(super) async fn answering<S: Into<String>>(answers: impl IntoIterator<Item = S>) -> FakeStore {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let mut answers = answers.into_iter().map(Into::into).collect::<Vec<String>>().into_iter();
        let seen = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                if let Some(request) = request(&mut stream).await {
                    seen.lock().unwrap().push(request);
                    let _ = stream.write_all(answers.next().unwrap_or_default().as_bytes()).await;
                    let _ = stream.shutdown().await;
                }
            }
        });
        FakeStore { address, requests, task }
    }

    /// The bucket `bucket` in this store.
    pub(super) fn uri(&self) -> String {
        format!("minio://{}/bucket?secure=false", self.address)
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Requests so far, header names in lower case.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for FakeStore {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Headers and body of a request.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        if body.len() >= content_length(head) {
            return Some(text);
        }
    }
}

fn content_length(head: &str) -> usize {
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.map_or(0, |length| length.parse().unwrap())
}

/// An answer of HTTP with a length that is right.
pub(super) fn answer(status: u16, headers: &[&str], body: &str) -> String {
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    format!("HTTP/1.1 {status} Said\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

/// An error document of S3.
pub(super) fn error(code: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>Told &amp; explained</Message>\
        <RequestId>from-body</RequestId></Error>"
    )
}
