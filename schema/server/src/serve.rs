//! Connections: taken in, given their timeouts, and let go in order.
//!
//! `axum::serve` knows no timeouts, so a client that sends half a header would hold its connection for ever. hyper has
//! one where it is given a timer: for how long a connection may wait for its next request. What a request's head and
//! an answer may take is watched where the bytes pass. A connection that is to speak TLS shakes hands in its own task,
//! and has a time of its own for it: nobody waits at the door behind somebody who says nothing.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

mod paced;
mod sources;
mod stream;

pub(crate) use paced::Paced;
use paced::{Pace, Times};
use sources::{Source, Sources};
pub(crate) use stream::Stream;

/// What a connection is underneath.
pub(crate) type Wire = TokioIo<Paced<Stream>>;

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// Where it is.
    pub address: SocketAddr,
    /// Whether nobody else on the network can read what is said.
    pub is_secure: bool,
}

/// Where connections come in.
#[derive(Debug)]
pub struct Entrance {
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
}

impl Entrance {
    /// For everybody, and for everybody to read.
    pub fn plain(listener: TcpListener) -> Self {
        Self { listener, tls: None }
    }

    /// For those who speak TLS.
    pub fn secure(listener: TcpListener, tls: Arc<ServerConfig>) -> Self {
        Self { listener, tls: Some(tls) }
    }
}

/// Put among the extensions of a response whose reader takes it at the speed at which it is heard: it has
/// [`ServeSettings::patient_write_time`].
#[derive(Debug, Clone, Copy)]
pub struct TakesItsTime;

/// How connections are held.
#[derive(Debug, Clone, Copy)]
pub struct ServeSettings {
    /// Connections at once. When it is reached, the one that has waited longest for its next request gives way; where
    /// none waits, newcomers queue in the system.
    pub connections: usize,
    /// Of these, how many from one address; who has more is let go at once. `None` where it does not matter: phones of
    /// one room may come from one address.
    pub connections_per_address: Option<usize>,
    /// For how long the two ends may take to agree on how they keep others from reading along.
    pub handshake_time: Duration,
    /// For how long a request's head may take to arrive, from the first byte or from the connection's first moment.
    pub head_time: Duration,
    /// For how long a connection is kept for the next request.
    pub idle_time: Duration,
    /// For how long an answer may wait without a byte of it being taken.
    pub write_time: Duration,
    /// The same for a song: a player that is paused takes none of it.
    pub patient_write_time: Duration,
    /// For how long the other end may be gone without a word (a phone that left the Wi-Fi) while bytes are on their way.
    pub vanished_time: Duration,
    /// For how long answers that have begun may go on after the server was told to stop.
    pub farewell: Duration,
}

impl Default for ServeSettings {
    fn default() -> Self {
        Self {
            connections: 1_500,
            connections_per_address: None,
            handshake_time: Duration::from_secs(5),
            head_time: Duration::from_secs(10),
            idle_time: Duration::from_mins(1),
            write_time: Duration::from_secs(5),
            patient_write_time: Duration::from_mins(1),
            vanished_time: Duration::from_mins(1),
            farewell: Duration::from_secs(3),
        }
    }
}

/// Answers those who come in with `router` until `stop`, then lets the answers that have begun finish.
///
/// # Errors
/// None today: an accept that fails (too many open files) is tried again, the music must not stop for it.
pub async fn serve(
    entrance: Entrance,
    router: Router,
    settings: ServeSettings,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let Entrance { listener, tls } = entrance;
    let hall = Arc::new(Hall::new(&settings));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &hall) => accepted,
        };
        match accepted {
            Ok((stream, peer, admitted)) => {
                let guest = Arc::new(Guest::enter(&hall, admitted));
                let conversation = Conversation { peer, settings, guest, tls: tls.clone() };
                let (router, stop) = (router.clone(), stop.clone());
                connections.spawn(conversation.hold(stream, router, stop));
            }
            Err(error) => {
                tracing::warn!("could not take in a connection, trying again: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    let rest = async { while connections.join_next().await.is_some() {} };
    let _in_time = tokio::time::timeout(settings.farewell, rest).await;
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    hall: &Arc<Hall>,
) -> std::io::Result<(TcpStream, SocketAddr, Admitted)> {
    let (stream, peer, source) = loop {
        let (stream, peer) = listener.accept().await?;
        match hall.sources.enter(peer.ip()) {
            Ok(source) => break (stream, peer, source),
            Err(many) => tracing::debug!(%peer, "let go at once: {many}"),
        }
    };
    if let Ok(permit) = Arc::clone(&hall.room).try_acquire_owned() {
        return Ok((stream, peer, Admitted { _permit: permit, _source: source }));
    }
    hall.make_room();
    let permit = Arc::clone(&hall.room).acquire_owned().await.map_err(std::io::Error::other)?;
    Ok((stream, peer, Admitted { _permit: permit, _source: source }))
}

/// What a connection takes of the whole, and of what its address may have.
struct Admitted {
    _permit: OwnedSemaphorePermit,
    _source: Option<Source>,
}

/// Everybody who is connected.
struct Hall {
    room: Arc<Semaphore>,
    sources: Arc<Sources>,
    /// Counts connections, and the times at which one began to wait.
    turns: AtomicU64,
    guests: Mutex<HashMap<u64, Arc<Pace>>>,
}

impl Hall {
    fn new(settings: &ServeSettings) -> Self {
        let connections = settings.connections.min(Semaphore::MAX_PERMITS);
        Self {
            room: Arc::new(Semaphore::new(connections)),
            sources: Arc::new(Sources::new(settings.connections_per_address)),
            turns: AtomicU64::new(1),
            guests: Mutex::default(),
        }
    }

    fn turn(&self) -> u64 {
        self.turns.fetch_add(1, Ordering::Relaxed)
    }

    /// Asks the one who has waited longest for a request to leave.
    fn make_room(&self) {
        let guests = self.guests.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = guests.values().filter(|pace| !pace.give_way.is_cancelled());
        let waiting = waiting.filter_map(|pace| Some((pace.waiting()?, pace)));
        if let Some((_, longest)) = waiting.min_by_key(|(since, _)| *since) {
            longest.give_way.cancel();
        }
    }
}

/// One of them; leaves when dropped.
struct Guest {
    hall: Arc<Hall>,
    number: u64,
    pace: Arc<Pace>,
    _admitted: Admitted,
}

/// Among the extensions of a request: who keeps it keeps the connection counted, also where it has become something else
/// than HTTP.
#[derive(Clone)]
pub(crate) struct Seat {
    _guest: Arc<Guest>,
}

impl Guest {
    fn enter(hall: &Arc<Hall>, admitted: Admitted) -> Self {
        let (number, pace) = (hall.turn(), Arc::<Pace>::default());
        pace.wait_from(number);
        let mut guests = hall.guests.lock().unwrap_or_else(PoisonError::into_inner);
        guests.insert(number, Arc::clone(&pace));
        drop(guests);
        Self { hall: Arc::clone(hall), number, pace, _admitted: admitted }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.hall.guests.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}

struct Conversation {
    peer: SocketAddr,
    settings: ServeSettings,
    guest: Arc<Guest>,
    tls: Option<Arc<ServerConfig>>,
}

impl Conversation {
    async fn hold(self, stream: TcpStream, router: Router, stop: CancellationToken) {
        // Frames are small and each is wanted now. Where the system refuses either, things take a little longer.
        let _ = stream.set_nodelay(true);
        let vanished = u32::try_from(self.settings.vanished_time.as_millis()).unwrap_or(u32::MAX);
        let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, vanished);
        let Some(stream) = self.welcome(stream, &stop).await else { return };
        let pace = Arc::clone(&self.guest.pace);
        let times = Times {
            head: self.settings.head_time,
            write: self.settings.write_time,
            patient_write: self.settings.patient_write_time,
        };
        let service = self.attended(router);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.settings.idle_time.max(self.settings.head_time))
            .max_buf_size(64 * 1024)
            .serve_connection(
                TokioIo::new(Paced::new(stream, Arc::clone(&pace), times)),
                TowerToHyperService::new(service),
            )
            .with_upgrades();
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
            () = pace.give_way.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(peer = %self.peer, "connection ended: {error}");
        }
    }

    /// Shakes hands where this is where one does; `None` where the other end did not get so far.
    async fn welcome(&self, stream: TcpStream, stop: &CancellationToken) -> Option<Stream> {
        let Some(tls) = &self.tls else { return Some(Stream::Plain(stream)) };
        let shaken =
            tokio::time::timeout(self.settings.handshake_time, Stream::secure(stream, Arc::clone(tls)));
        let shaken = tokio::select! {
            shaken = shaken => shaken,
            () = stop.cancelled() => return None,
            () = self.guest.pace.give_way.cancelled() => return None,
        };
        match shaken {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(error)) => tracing::debug!(peer = %self.peer, "no handshake: {error}"),
            Err(_elapsed) => tracing::debug!(peer = %self.peer, "no handshake in time"),
        }
        None
    }

    /// The router, with everything that it is told of a request and that the connection is told of an answer.
    fn attended(
        &self,
        router: Router,
    ) -> impl tower::Service<
        Request<Incoming>,
        Response = Response<Attended>,
        Error = std::convert::Infallible,
        Future: Send,
    > + Clone
    + use<> {
        let peer = Peer { address: self.peer, is_secure: self.tls.is_some() };
        let (asked, answered) = (Arc::clone(&self.guest.pace), Arc::clone(&self.guest.pace));
        let hall = Arc::clone(&self.guest.hall);
        let seat = Seat { _guest: Arc::clone(&self.guest) };
        router
            .map_request(move |mut request: Request<Incoming>| {
                asked.begin(false);
                request.extensions_mut().insert(ConnectInfo(peer));
                request.extensions_mut().insert(seat.clone());
                request.map(Body::new)
            })
            .map_response(move |response: Response<Body>| {
                if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                    answered.become_other();
                } else {
                    answered.begin(response.extensions().get::<TakesItsTime>().is_some());
                }
                let end = End { pace: Arc::clone(&answered), hall: Arc::clone(&hall) };
                response.map(|body| Attended { body, _end: end })
            })
    }
}

/// A body that tells its connection when it has ended.
struct Attended {
    body: Body,
    _end: End,
}

struct End {
    pace: Arc<Pace>,
    hall: Arc<Hall>,
}

impl Drop for End {
    fn drop(&mut self) {
        self.pace.end(self.hall.turn());
    }
}

impl hyper::body::Body for Attended {
    type Data = <Body as hyper::body::Body>::Data;
    type Error = <Body as hyper::body::Body>::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        std::pin::Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpSocket;
    use tokio::sync::Notify;

    use super::*;

    struct Server {
        address: SocketAddr,
        stop: CancellationToken,
        serving: JoinSet<std::io::Result<()>>,
        /// A slow answer has begun; it may end.
        begun: Arc<Notify>,
        end: Arc<Notify>,
    }

    async fn started(head_time: Duration) -> Server {
        started_with(ServeSettings { head_time, idle_time: head_time, ..ServeSettings::default() }).await
    }

    async fn started_with(settings: ServeSettings) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, begun, end) =
            (CancellationToken::new(), Arc::<Notify>::default(), Arc::<Notify>::default());
        let (begins, ends) = (Arc::clone(&begun), Arc::clone(&end));
        let slow = get(async move || {
            begins.notify_one();
            ends.notified().await;
            "done"
        });
        let router = Router::new().route("/", get(|| async { "hello" })).route("/slow", slow);
        let mut serving = JoinSet::new();
        serving.spawn(serve(Entrance::plain(listener), router, settings, stop.clone()));
        Server { address, stop, serving, begun, end }
    }

    async fn rest_of(mut stream: TcpStream) -> String {
        let mut text = String::new();
        let reading = stream.read_to_string(&mut text);
        tokio::time::timeout(Duration::from_secs(10), reading).await.expect("the server closes").unwrap();
        text
    }

    async fn said(server: &Server, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    }

    #[tokio::test]
    async fn half_a_head_is_not_waited_for() {
        let server = started(Duration::from_millis(100)).await;
        let stream = said(&server, b"GET / HTTP/1.1\r\nhost: x\r\nx-slow: ").await;
        assert!(!rest_of(stream).await.contains("hello"));
    }

    #[tokio::test]
    async fn a_connection_that_says_nothing_more_is_closed() {
        let server = started(Duration::from_millis(100)).await;
        let stream = said(&server, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(rest_of(stream).await.ends_with("hello"));
    }

    #[tokio::test]
    async fn an_address_that_has_enough_is_let_go_at_once_and_no_other_is() {
        let settings = ServeSettings { connections_per_address: Some(2), ..ServeSettings::default() };
        let server = started_with(settings).await;
        let mut own = [said(&server, b"").await, said(&server, b"").await];
        let mut third = said(&server, b"").await;
        let closed = tokio::time::timeout(Duration::from_secs(10), third.read(&mut [0; 1])).await;
        assert_eq!(closed.expect("at once").unwrap(), 0);
        for stream in &mut own {
            stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            assert_ne!(stream.read(&mut [0; 1]).await.unwrap(), 0);
        }
        let other = TcpSocket::new_v4().unwrap();
        other.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let mut other = other.connect(server.address).await.unwrap();
        other.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        assert!(rest_of(other).await.ends_with("hello"));
    }

    #[tokio::test]
    async fn an_answer_that_has_begun_is_finished_before_the_stop() {
        let mut server = started(Duration::from_secs(10)).await;
        let stream = said(&server, b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
        server.begun.notified().await;
        server.stop.cancel();
        server.end.notify_one();
        assert!(rest_of(stream).await.ends_with("done"));
        server.serving.join_next().await.unwrap().unwrap().unwrap();
    }
}
