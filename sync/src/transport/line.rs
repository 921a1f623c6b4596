//! One connection, driven by whoever asks.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::body::{Question, in_memory};

type Driving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A connection.
pub(super) struct Line {
    sender: SendRequest<Question>,
    /// The connection itself; `None` once it has ended.
    driving: Option<Driving>,
}

/// An answer, read whole.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Line {
    pub(super) async fn over<S>(stream: S) -> io::Result<Self>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        // How a connection ended is told by the question that was on it.
        let driving: Driving = Box::pin(async move { drop(connection.await) });
        Ok(Self { sender, driving: Some(driving) })
    }

    pub(super) fn is_open(&self) -> bool {
        self.driving.is_some() && !self.sender.is_closed()
    }

    /// Asks, and reads the answer whole.
    pub(super) async fn ask(&mut self, request: Request<Full<Bytes>>, most: usize) -> io::Result<Answer> {
        self.put(request.map(in_memory), most).await
    }

    /// The same with a question that is read from somewhere while it is sent.
    pub(super) async fn put(&mut self, request: Request<Question>, most: usize) -> io::Result<Answer> {
        let (parts, body) = self.send(request).await?.into_parts();
        let body = self.rest(body, most).await?;
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }

    /// Asks, and reads the answer's head.
    pub(super) async fn begin(&mut self, request: Request<Full<Bytes>>) -> io::Result<Response<Incoming>> {
        self.send(request.map(in_memory)).await
    }

    async fn send(&mut self, request: Request<Question>) -> io::Result<Response<Incoming>> {
        let Self { sender, driving } = self;
        let asking = async {
            sender.ready().await.map_err(io::Error::other)?;
            sender.send_request(request).await.map_err(io::Error::other)
        };
        driven(driving, asking).await
    }

    /// Reads the rest.
    pub(super) async fn rest(&mut self, mut body: Incoming, most: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.piece(&mut body).await? {
            if bytes.len() + piece.len() > most {
                return Err(io::Error::other("the answer is too long"));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    /// Reads a file's bytes behind those that are there: as long as some come within `patience`.
    pub(super) async fn append(
        &mut self,
        mut body: Incoming,
        bytes: &mut Vec<u8>,
        most: u64,
        patience: Duration,
    ) -> io::Result<()> {
        while let Some(piece) = timeout(patience, self.piece(&mut body)).await.map_err(io::Error::other)?? {
            if (bytes.len() + piece.len()) as u64 > most {
                return Err(io::Error::other("the file is longer than was said"));
            }
            bytes.extend_from_slice(&piece);
        }
        if bytes.len() as u64 == most { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// The next bytes of a body; `None` at its end.
    pub(super) async fn piece(&mut self, body: &mut Incoming) -> io::Result<Option<Bytes>> {
        loop {
            let Some(frame) = driven(&mut self.driving, body.frame()).await else { return Ok(None) };
            if let Ok(data) = frame.map_err(io::Error::other)?.into_data() {
                return Ok(Some(data));
            }
        }
    }
}

/// Waits for something on a connection while driving it.
async fn driven<T>(driving: &mut Option<Driving>, waiting: impl Future<Output = T>) -> T {
    let mut waiting = pin!(waiting);
    poll_fn(|cx| {
        if let Poll::Ready(value) = waiting.as_mut().poll(cx) {
            return Poll::Ready(value);
        }
        if let Some(connection) = driving
            && connection.as_mut().poll(cx).is_ready()
        {
            *driving = None;
        }
        // What has just been read may be what is waited for.
        waiting.as_mut().poll(cx)
    })
    .await
}
