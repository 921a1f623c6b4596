//! One HTTP/1.1 connection over TLS, without a task of its own: whoever asks also drives it.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper::header::{CONTENT_TYPE, DATE, HOST, HeaderMap, HeaderValue, LOCATION};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use roomtone_sync::trouble::harmless;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::LinkError;
use crate::pinned::{self, HubKey};

/// How long an address has to answer and to show its key: a local network needs a hundredth of it.
pub(crate) const CONNECT: Duration = Duration::from_millis(1500);

/// How much of a refusal is told: a sentence or three.
const SENTENCE: usize = 300;

/// How much of an unexpected answer is quoted.
const QUOTED: usize = 80;

type Wire = TokioIo<TlsStream<TcpStream>>;

type Driver = Pin<Box<Connection<Wire, Full<Bytes>>>>;

/// A connection that speaks to the key it was opened for.
pub(crate) struct Line {
    address: SocketAddr,
    key: HubKey,
    sender: SendRequest<Full<Bytes>>,
    /// `None` once it has ended.
    connection: Option<Driver>,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("address", &self.address).finish_non_exhaustive()
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Reply {
    /// HTTP's word.
    pub(crate) status: StatusCode,
    /// As its sender says.
    pub(crate) content_type: String,
    /// The sender's clock.
    pub(crate) date: Option<String>,
    /// Where it sends us; hubs send nobody anywhere.
    location: Option<String>,
    /// All of it.
    pub(crate) body: Bytes,
}

/// TCP and TLS to `address`, within [`CONNECT`].
pub(crate) async fn secure(
    address: SocketAddr,
    config: &Arc<ClientConfig>,
) -> Result<(TlsStream<TcpStream>, HubKey), LinkError> {
    let connecting = async {
        let stream = TcpStream::connect(address).await.map_err(|error| unreachable(address, &error))?;
        // Requests are small and somebody waits for each.
        stream.set_nodelay(true).map_err(|error| unreachable(address, &error))?;
        let name = ServerName::IpAddress(address.ip().into());
        let connector = TlsConnector::from(Arc::clone(config));
        connector.connect(name, stream).await.map_err(|error| not_trusted(address, &error))
    };
    let stream =
        tokio::time::timeout(CONNECT, connecting).await.map_err(|_late| LinkError::silence(address))??;
    let key = pinned::shown(stream.get_ref().1)
        .ok_or_else(|| LinkError::Odd(format!("{address} has shown no key")))?;
    Ok((stream, key))
}

/// How an address is called in a request: without the scope, which means something on this machine only.
pub(crate) fn authority(address: SocketAddr) -> String {
    SocketAddr::new(address.ip(), address.port()).to_string()
}

impl Line {
    /// Opens a connection.
    pub(crate) async fn open(address: SocketAddr, config: &Arc<ClientConfig>) -> Result<Self, LinkError> {
        let (stream, key) = secure(address, config).await?;
        let shaken = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = shaken.map_err(|error| broken(address, &error))?;
        Ok(Self { address, key, sender, connection: Some(Box::pin(connection)) })
    }

    /// The key that the other side has proved to hold.
    pub(crate) fn key(&self) -> HubKey {
        self.key
    }

    /// Where the other side is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it may serve another request.
    pub(crate) fn is_open(&self) -> bool {
        self.connection.is_some() && !self.sender.is_closed()
    }

    /// One request and its whole answer, of at most `most` bytes, within `time`.
    pub(crate) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        most: usize,
        time: Duration,
    ) -> Result<Reply, LinkError> {
        let address = self.address;
        let exchange = async {
            let (head, body) = self.ask(request).await?.into_parts();
            let body = Limited::new(body, most).collect();
            let body = self.while_driving(body).await;
            let body =
                body.map_err(|error| LinkError::Unreachable(format!("{address}: {error}")))?.to_bytes();
            let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok().map(str::to_owned));
            Ok(Reply {
                status: head.status,
                content_type: text(CONTENT_TYPE).unwrap_or_default(),
                date: text(DATE),
                location: text(LOCATION),
                body,
            })
        };
        tokio::time::timeout(time, exchange).await.map_err(|_late| LinkError::silence(address))?
    }

    /// Sends a request; its head, with the body still to come.
    pub(crate) async fn ask(
        &mut self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, LinkError> {
        let address = self.address;
        request.headers_mut().insert(HOST, host(address));
        let sending = async |sender: &mut SendRequest<Full<Bytes>>| {
            sender.ready().await?;
            sender.send_request(request).await
        };
        let Self { sender, connection, .. } = self;
        drive(connection, sending(sender)).await.map_err(|error| broken(address, &error))
    }

    /// Waits for `work`, which reads what the connection brings, while the connection's own work goes on.
    pub(crate) async fn while_driving<T>(&mut self, work: impl Future<Output = T>) -> T {
        drive(&mut self.connection, work).await
    }
}

async fn drive<T>(slot: &mut Option<Driver>, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    if let Some(connection) = slot {
        tokio::select! {
            biased;
            done = &mut work => return done,
            _ended = connection => *slot = None,
        }
    }
    work.await
}

impl Reply {
    /// An answer as a test wants it.
    #[cfg(test)]
    pub(crate) fn made(status: u16, content_type: &str, body: Bytes) -> Self {
        let status = StatusCode::from_u16(status).expect("a test knows HTTP's words");
        Self { status, content_type: content_type.to_owned(), date: None, location: None, body }
    }

    /// The answer to a question whose answer is JSON; a refusal where the hub says one, [`LinkError::Odd`] where
    /// something else than a hub has answered.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, LinkError> {
        #[derive(serde::Deserialize)]
        struct No {
            error: String,
        }
        if self.status.is_success() && self.is_json() {
            return serde_json::from_slice(&self.body).map_err(|error| self.odd(&error.to_string()));
        }
        match serde_json::from_slice::<No>(&self.body) {
            Ok(no) if self.is_json() => Err(LinkError::Refused {
                code: self.status.as_str().to_owned(),
                message: harmless(&no.error, SENTENCE),
            }),
            _ => Err(self.refused_or_odd()),
        }
    }

    /// Whether it says of itself that it is JSON; what a captive portal answers is not.
    pub(crate) fn is_json(&self) -> bool {
        let kind = self.content_type.split(';').next().unwrap_or_default().trim();
        kind == "application/json" || kind == "application/graphql-response+json"
    }

    /// A server's plain no, or no hub at all.
    pub(crate) fn refused_or_odd(&self) -> LinkError {
        refused_or_odd(self.status, &self.content_type, self.location.as_deref(), &self.body)
    }

    /// An answer that no hub gives.
    pub(crate) fn odd(&self, why: &str) -> LinkError {
        LinkError::Odd(format!("{} {}: {why}", self.status.as_u16(), self.content_type))
    }
}

/// What a head that was not wanted means: a redirection, a page or a success of another kind is no hub's.
pub(crate) fn unwanted(status: StatusCode, headers: &HeaderMap) -> LinkError {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    refused_or_odd(status, text(CONTENT_TYPE).unwrap_or_default(), text(LOCATION), b"")
}

fn refused_or_odd(status: StatusCode, content_type: &str, location: Option<&str>, body: &[u8]) -> LinkError {
    let is_page = content_type.starts_with("text/html");
    if is_page || status.is_success() || status.is_redirection() {
        let to = location.map(|location| format!(" to {}", quoted(location.as_bytes()))).unwrap_or_default();
        let page = if is_page { " (a page; is there a login page on this network?)" } else { "" };
        return LinkError::Odd(format!("{}{to}{page}", status.as_u16()));
    }
    let message = match quoted(body) {
        empty if empty.is_empty() => status.canonical_reason().unwrap_or("no reason given").to_owned(),
        said => said,
    };
    LinkError::Refused { code: status.as_str().to_owned(), message }
}

/// The beginning of what somebody said.
fn quoted(text: &[u8]) -> String {
    harmless(String::from_utf8_lossy(text).trim(), QUOTED)
}

fn host(address: SocketAddr) -> HeaderValue {
    HeaderValue::from_str(&authority(address)).unwrap_or(HeaderValue::from_static("localhost"))
}

fn unreachable(address: SocketAddr, error: &std::io::Error) -> LinkError {
    LinkError::Unreachable(format!("{address}: {error}"))
}

fn broken(address: SocketAddr, error: &hyper::Error) -> LinkError {
    if error.is_parse() {
        return LinkError::Odd(format!("{address} does not speak HTTP ({error})"));
    }
    LinkError::Unreachable(format!("{address}: {}", chain(error)))
}

/// What went wrong and why: the library's own sentence names only the outermost.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |told, cause| format!("{told}: {cause}"))
}

fn not_trusted(address: SocketAddr, error: &std::io::Error) -> LinkError {
    if let Some(wrong) = pinned::wrong_key(error) {
        return LinkError::WrongKey { expected: wrong.expected, seen: wrong.seen, address };
    }
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(_)) | None => unreachable(address, error),
        Some(tls) => LinkError::Odd(format!("{address} does not speak TLS as a hub does ({tls})")),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn a_scope_stays_on_this_machine() {
        assert_eq!(authority("[fe80::1%2]:4701".parse().unwrap()), "[fe80::1]:4701");
        assert_eq!(authority("192.0.2.1:4701".parse().unwrap()), "192.0.2.1:4701");
    }

    #[rstest]
    #[case::login_page(200, "text/html; charset=utf-8", "<html>Welcome to the hotel", true)]
    #[case::sent_elsewhere(302, "", "", true)]
    #[case::a_page_that_refuses(403, "text/html", "<html>", true)]
    #[case::a_success_without_json(200, "text/plain", "ok", true)]
    #[case::a_hub_that_is_full(503, "text/plain", "come again in 5 s", false)]
    #[case::a_hub_that_has_it_not(404, "text/plain; charset=utf-8", "there is no such file here", false)]
    fn no_answer_but_a_hubs_counts(
        #[case] status: u16,
        #[case] content_type: &str,
        #[case] body: &'static str,
        #[case] odd: bool,
    ) {
        let reply = Reply::made(status, content_type, Bytes::from_static(body.as_bytes()));
        let error = reply.json::<serde_json::Value>().unwrap_err();
        assert_eq!(matches!(error, LinkError::Odd(_)), odd, "{error}");
        assert_eq!(matches!(error, LinkError::Refused { .. }), !odd, "{error}");
    }
}
