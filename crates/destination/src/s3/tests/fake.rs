//! A server that answers as a test tells it, and remembers what it was asked. It is no store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: String,
    /// Path and query.
    pub(super) target: String,
    /// Names in lower case.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// `key/date/region/service/aws4_request` of the signature.
    fn scope(&self) -> Option<Vec<&str>> {
        let scope = self.header("authorization")?.split_once("Credential=")?.1.split(',').next()?;
        Some(scope.split('/').collect())
    }

    /// The name of the key that signed.
    pub(super) fn key(&self) -> Option<&str> {
        self.scope()?.first().copied()
    }

    /// The region that was signed for.
    pub(super) fn region(&self) -> Option<&str> {
        self.scope()?.get(2).copied()
    }
}

type Answer = Arc<dyn Fn(Asked) -> BoxFuture<'static, Vec<u8>> + Send + Sync>;

/// Runs until it is dropped. Each request has its own connection.
pub(super) struct Fake {
    /// `127.0.0.1:port`.
    pub(super) address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl Fake {
    /// Answers each request with what `answer` makes of it: everything from the status line on.
    pub(super) async fn start(answer: impl Fn(&Asked) -> Vec<u8> + Send + Sync + 'static) -> Fake {
        Fake::start_slow(move |asked| {
            let bytes = answer(&asked);
            Box::pin(async move { bytes })
        })
        .await
    }

    /// As [`Fake::start`], where the answer takes some doing.
    pub(super) async fn start_slow(
        answer: impl Fn(Asked) -> BoxFuture<'static, Vec<u8>> + Send + Sync + 'static,
    ) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let task = tokio::spawn(serve(listener, Arc::new(answer), asked.clone()));
        Fake { address, asked, task }
    }

    /// A server with one answer.
    pub(super) async fn always(answer: Vec<u8>) -> Fake {
        Fake::start(move |_| answer.clone()).await
    }

    /// What it was asked since the last time.
    pub(super) fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, answer: Answer, asked: Arc<Mutex<Vec<Asked>>>) {
    loop {
        let (connection, _) = listener.accept().await.unwrap();
        let (answer, asked) = (Arc::clone(&answer), asked.clone());
        tokio::spawn(async move {
            let mut connection = BufReader::new(connection);
            if let Some(request) = read(&mut connection).await {
                asked.lock().unwrap().push(request.clone());
                let bytes = answer(request).await;
                // The client may have heard enough.
                _ = connection.write_all(&bytes).await;
                _ = connection.shutdown().await;
            }
        });
    }
}

async fn read(connection: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = async || {
        let mut line = String::new();
        connection.read_line(&mut line).await.ok().filter(|&bytes| bytes > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = line().await?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let mut headers = BTreeMap::new();
    while let Some((name, value)) = line().await?.split_once(':') {
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers.get("content-length").map_or(0, |text| text.parse().unwrap())];
    connection.read_exact(&mut body).await.ok()?;
    Some(Asked { method, target, headers, body })
}

/// An answer with a body and its true length.
pub(super) fn reply(status: u16, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} Whatever\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}")
        .into_bytes()
}

/// A refusal as S3 words it.
pub(super) fn refusal(status: u16, code: &str, more: &str) -> Vec<u8> {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>words of {code}</Message>{more}</Error>"
    );
    reply(status, "Content-Type: application/xml\r\nx-amz-request-id: REQ-7\r\n", &body)
}
