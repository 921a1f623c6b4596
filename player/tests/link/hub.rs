//! A hub's front with real TLS, which answers what a test wants, and remembers what it was told.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, KeyPair};
use roomtone_player::identity::Identity;
use roomtone_player::pinned::HubKey;
use roomtone_schema::UnixMillis;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) host: String,
    pub(crate) authorization: String,
    pub(crate) range: Option<String>,
    pub(crate) body: Value,
    /// Counts the connections.
    pub(crate) connection: usize,
}

/// What the hub does with a request.
pub(crate) enum Answer {
    /// JSON with a status.
    Json(u16, Value),
    /// Anything with a status and headers.
    Plain(u16, Vec<(&'static str, String)>, Bytes),
    /// These bytes, then the connection is cut.
    Cut(u16, Vec<(&'static str, String)>, Bytes),
    /// Nothing, ever.
    Silence,
    /// A WebSocket that does this.
    Socket(Vec<Act>),
}

/// What a WebSocket does, in turn; at the end it answers pings.
pub(crate) enum Act {
    /// Says this.
    Say(Value),
    /// Waits for a message of this type.
    Await(&'static str),
    /// Closes with this code.
    Close(u16),
    /// Neither reads nor writes any more, and stays open.
    Mute,
}

type Respond = Arc<dyn Fn(&Asked) -> Answer + Send + Sync>;
type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// The server. It ends when it is dropped.
pub(crate) struct TestHub {
    pub(crate) address: SocketAddr,
    pub(crate) key: HubKey,
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

struct Shared {
    asked: Mutex<Vec<Asked>>,
    shaken: Mutex<Vec<bool>>,
    respond: Respond,
}

/// A certificate and its key, good from one year to another.
pub(crate) fn certificate(from: i32, to: i32) -> (CertificateDer<'static>, KeyPair) {
    let pair = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["roomtone-1a2b3c4d.local".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(to, 1, 1);
    (params.self_signed(&pair).unwrap().der().clone(), pair)
}

/// Shows whatever certificate it was given, with whatever key.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesServerCert for Shows {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

impl TestHub {
    pub(crate) async fn start(respond: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let (certificate, pair) = certificate(2020, 2040);
        Self::showing(certificate, &pair, respond).await
    }

    /// A hub that shows this certificate and signs with that key, whether they belong together or not.
    pub(crate) async fn showing(
        certificate: CertificateDer<'static>,
        pair: &KeyPair,
        respond: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)), certificate, pair, respond).await
    }

    /// The same at a certain address.
    pub(crate) async fn at(
        address: SocketAddr,
        certificate: CertificateDer<'static>,
        pair: &KeyPair,
        respond: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let key = HubKey::of(&certificate).unwrap();
        let provider = ring::default_provider();
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(pair.serialize_der()));
        let signing = provider.key_provider.load_private_key(private).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Shows(Arc::new(CertifiedKey::new(vec![certificate], signing)))));
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            asked: Mutex::default(),
            shaken: Mutex::default(),
            respond: Arc::new(respond),
        });
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, acceptor, Arc::clone(&shared)));
        Self { address, key, shared, tasks }
    }

    /// What came in.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// For each connection whether its handshake came to its end.
    pub(crate) fn shaken(&self) -> Vec<bool> {
        self.shared.shaken.lock().unwrap().clone()
    }

    /// Ends, and has ended when this returns: its address is free.
    pub(crate) async fn stop(mut self) {
        self.tasks.shutdown().await;
    }

    /// An identity that belongs to this hub.
    pub(crate) fn identity(&self) -> Identity {
        Identity {
            hub: "01890000-0000-7000-8000-000000000001".parse().unwrap(),
            venue: "01890000-0000-7000-8000-000000000002".parse().unwrap(),
            venue_name: "Café".to_owned(),
            key: self.key,
            player: "01890000-0000-7000-8000-000000000003".parse().unwrap(),
            name: "bar".to_owned(),
            zone: "main".to_owned(),
            secret: "very-secret".to_owned(),
            secret_made_at: UnixMillis(1_700_000_000_000),
            addresses: vec![self.address],
        }
    }
}

/// Data of a GraphQL answer.
pub(crate) fn data(data: &Value) -> Answer {
    Answer::Json(200, json!({ "data": data }))
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    for connection in 0.. {
        let (stream, _from) = listener.accept().await.unwrap();
        connections.spawn(serve(stream, acceptor.clone(), Arc::clone(&shared), connection));
    }
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>, connection: usize) {
    let shaken = acceptor.accept(stream).await;
    shared.shaken.lock().unwrap().push(shaken.is_ok());
    let Ok(stream) = shaken else { return };
    let mut sockets = JoinSet::new();
    let (upgraded, mut sockets_to_be) = tokio::sync::mpsc::unbounded_channel();
    let service = service_fn(|request| answer(request, &shared, connection, upgraded.clone()));
    let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
    // However it ends: a client that hangs up is what some tests are about.
    let _ended = serving.await;
    while let Ok(socket) = sockets_to_be.try_recv() {
        sockets.spawn(socket);
    }
    while sockets.join_next().await.is_some() {}
}

type Socket = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

async fn answer(
    mut request: Request<Incoming>,
    shared: &Shared,
    connection: usize,
    upgraded: tokio::sync::mpsc::UnboundedSender<Socket>,
) -> Result<Response<Body>, Infallible> {
    let upgrade = hyper::upgrade::on(&mut request);
    let (head, body) = request.into_parts();
    let text = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let asked = Asked {
        path: head.uri.to_string(),
        host: text("host").unwrap_or_default(),
        authorization: text("authorization").unwrap_or_default(),
        range: text("range"),
        body: serde_json::from_slice(&body).unwrap_or_default(),
        connection,
    };
    let what = (shared.respond)(&asked);
    shared.asked.lock().unwrap().push(asked);
    Ok(match what {
        Answer::Json(status, value) => {
            let headers = vec![("content-type", "application/json".to_owned())];
            response(
                status,
                headers,
                Full::from(value.to_string()).map_err(|never| match never {}).boxed_unsync(),
            )
        }
        Answer::Plain(status, headers, body) => {
            response(status, headers, Full::from(body).map_err(|never| match never {}).boxed_unsync())
        }
        Answer::Cut(status, headers, body) => {
            // The pause lets the bytes out before the line is cut.
            let cut = futures_util::stream::once(async { Ok(Frame::data(body)) }).chain(
                futures_util::stream::once(async {
                    for _turn in 0..100 {
                        tokio::task::yield_now().await;
                    }
                    Err(std::io::ErrorKind::ConnectionReset.into())
                }),
            );
            response(status, headers, StreamBody::new(cut).boxed_unsync())
        }
        Answer::Silence => std::future::pending().await,
        Answer::Socket(acts) => {
            let accept = derive_accept_key(head.headers[SEC_WEBSOCKET_KEY].as_bytes());
            let spoken = head.headers[SEC_WEBSOCKET_PROTOCOL].clone();
            let _one_who_listens = upgraded.send(Box::pin(async move {
                let io = TokioIo::new(upgrade.await.unwrap());
                act(WebSocketStream::from_raw_socket(io, Role::Server, None).await, acts).await;
            }));
            let empty = Full::default().map_err(|never| match never {}).boxed_unsync();
            let mut response = response(101, Vec::new(), empty);
            let headers = response.headers_mut();
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept.parse().unwrap());
            headers.insert(SEC_WEBSOCKET_PROTOCOL, spoken);
            headers.insert(UPGRADE, "websocket".parse().unwrap());
            headers.insert(CONNECTION, "upgrade".parse().unwrap());
            response
        }
    })
}

fn response(status: u16, headers: Vec<(&'static str, String)>, body: Body) -> Response<Body> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(body).unwrap()
}

async fn act<S>(mut socket: WebSocketStream<S>, acts: Vec<Act>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    for act in acts {
        match act {
            Act::Say(value) => socket.send(Message::text(value.to_string())).await.unwrap(),
            Act::Await(kind) => while hear(&mut socket).await.is_none_or(|said| said["type"] != kind) {},
            Act::Close(code) => {
                let reason = Utf8Bytes::from_static("because");
                socket.close(Some(CloseFrame { code: code.into(), reason })).await.unwrap();
            }
            Act::Mute => std::future::pending().await,
        }
    }
    while let Some(said) = hear(&mut socket).await {
        if said["type"] == "ping" && socket.send(Message::text(r#"{"type":"pong"}"#)).await.is_err() {
            return;
        }
    }
}

async fn hear<S>(socket: &mut WebSocketStream<S>) -> Option<Value>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    loop {
        if let Message::Text(text) = socket.next().await?.ok()? {
            return Some(serde_json::from_str(&text).unwrap());
        }
    }
}
