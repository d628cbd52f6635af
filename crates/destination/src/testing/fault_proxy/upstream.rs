//! The way to the real server.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::wire::{Answer, RequestHead};

/// Sends a request on, headers and target unchanged: the client's signature covers them. Each gets a connection of its
/// own.
pub(super) async fn forward(server: SocketAddr, head: &RequestHead, body: Bytes) -> io::Result<Answer> {
    let mut request = Request::new(Whole(Some(body)));
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = head.target.parse().map_err(io::Error::other)?;
    *request.headers_mut() = head.headers.clone();
    let stream = TokioIo::new(TcpStream::connect(server).await?);
    let (mut sender, connection) = http1::handshake(stream).await.map_err(io::Error::other)?;
    let driven = tokio::spawn(connection);
    let answer = answer_to(&mut sender, request).await;
    driven.abort();
    answer.map_err(io::Error::other)
}

async fn answer_to(sender: &mut http1::SendRequest<Whole>, request: Request<Whole>) -> hyper::Result<Answer> {
    let headless = request.method() == Method::HEAD;
    let (head, body) = sender.send_request(request).await?.into_parts();
    Ok(Answer { status: head.status, headers: head.headers, body: read_whole(body).await?, headless })
}

async fn read_whole(mut body: Incoming) -> hyper::Result<Bytes> {
    let mut whole = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        if let Ok(data) = frame?.into_data() {
            whole.extend_from_slice(&data);
        }
    }
    Ok(whole.freeze())
}

/// A body that is in memory.
struct Whole(Option<Bytes>);

impl Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().filter(|body| !body.is_empty()).map(|body| Ok(Frame::data(body))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |body| body.len() as u64))
    }
}
