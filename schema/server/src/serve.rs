//! Connections: taken in, given their timeouts, and let go in order.
//!
//! `axum::serve` knows no timeouts, so a client that sends half a header would hold its connection for ever. hyper has
//! them where it is given a timer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

mod stall;

pub(crate) use stall::Impatient;

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// How connections are held.
#[derive(Debug, Clone, Copy)]
pub struct ServeSettings {
    /// Connections at once; more wait in the system's queue until one closes.
    pub connections: usize,
    /// For how long a request's head may take to arrive, also on a connection that is kept for the next one.
    pub head_time: Duration,
    /// For how long a write may wait for its reader to take anything.
    pub write_time: Duration,
    /// For how long what was sent may stay unacknowledged: a phone that left the Wi-Fi says no goodbye.
    pub vanished_time: Duration,
    /// For how long answers that have begun may go on after the server was told to stop.
    pub farewell: Duration,
}

impl Default for ServeSettings {
    fn default() -> Self {
        Self {
            connections: 4_000,
            head_time: Duration::from_secs(10),
            write_time: Duration::from_secs(5),
            vanished_time: Duration::from_secs(20),
            farewell: Duration::from_secs(3),
        }
    }
}

/// What a connection is underneath.
pub(crate) type Wire = TokioIo<Impatient<TcpStream>>;

/// Answers connections with `router` until `stop`, then lets the answers that have begun finish.
///
/// # Errors
/// None today: an accept that fails (too many open files) is tried again, the music must not stop for it.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    settings: ServeSettings,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let room = Arc::new(Semaphore::new(settings.connections));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &room) => accepted,
        };
        match accepted {
            Ok((stream, peer, permit)) => {
                let (router, stop) = (router.clone(), stop.clone());
                connections.spawn(async move {
                    converse(stream, peer, router, settings, stop).await;
                    drop(permit);
                });
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
    room: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, permit))
}

async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    settings: ServeSettings,
    stop: CancellationToken,
) {
    // Frames are small and each is wanted now. Where the system refuses, they come a little later.
    let _ = stream.set_nodelay(true);
    notice_who_vanishes(&stream, settings.vanished_time);
    let stream = Impatient::new(stream, settings.write_time);
    let service = router.map_request(move |mut request: axum::http::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(Peer(peer)));
        request.map(axum::body::Body::new)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.head_time)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(peer = %peer, "connection ended: {error}");
    }
}

/// Without this the system resends for a quarter of an hour to a phone that is gone, and its place is taken meanwhile.
fn notice_who_vanishes(stream: &TcpStream, after: Duration) {
    #[cfg(target_os = "linux")]
    {
        let millis = u32::try_from(after.as_millis()).unwrap_or(u32::MAX);
        if let Err(error) = rustix::net::sockopt::set_tcp_user_timeout(stream, millis) {
            tracing::debug!("the system does not notice who vanishes: {error}");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (stream, after);
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
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
        let settings = ServeSettings { head_time, ..ServeSettings::default() };
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, router, settings, stop.clone()));
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
