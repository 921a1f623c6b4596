//! A front on a port of its own, over a schema whose subscriptions do as they are told.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_graphql::{EmptyMutation, Object, Schema, Subscription};
use futures_util::{SinkExt as _, Stream, StreamExt as _, stream};
use roomtone_schema::PlayerId;
use roomtone_schema::id::Id as _;
use roomtone_server::caller::{Caller, Gate};
use roomtone_server::front::{Front, FrontSettings};
use roomtone_server::lease::Lease;
use roomtone_server::serve::{Entrance, ServeSettings, serve};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tokio_util::sync::CancellationToken;

/// Long enough for a debug build on a busy machine; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

struct Query;

#[Object]
impl Query {
    async fn hello(&self) -> &str {
        "hello"
    }
}

struct Subscriptions;

#[Subscription]
impl Subscriptions {
    /// Has something of this size to say whenever it is asked, and never pauses.
    async fn flood(&self, bytes: usize) -> impl Stream<Item = String> {
        stream::repeat("x".repeat(bytes))
    }

    /// Says one thing and then nothing for ever.
    async fn quiet(&self) -> impl Stream<Item = bool> {
        stream::once(async { true }).chain(stream::pending())
    }
}

/// Who holds which token, and what ends with it.
#[derive(Clone, Default)]
pub(crate) struct Doors {
    keys: Arc<Mutex<HashMap<String, (Caller, CancellationToken)>>>,
    asked: Arc<AtomicUsize>,
}

impl Doors {
    pub(crate) fn let_in(&self, token: &str, player: u8) {
        let caller = Caller::Player(PlayerId::from_bytes([player; 16]));
        self.keys().insert(token.to_owned(), (caller, CancellationToken::new()));
    }

    /// Takes a token back, and says so.
    pub(crate) fn revoke(&self, token: &str) {
        let (_caller, end) = self.keys().remove(token).unwrap();
        end.cancel();
    }

    /// Takes a token back without a word.
    pub(crate) fn forget(&self, token: &str) {
        self.keys().remove(token).unwrap();
    }

    /// How often anybody was let in or looked at.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    fn keys(&self) -> MutexGuard<'_, HashMap<String, (Caller, CancellationToken)>> {
        self.keys.lock().unwrap()
    }
}

impl Gate for Doors {
    async fn admit(&self, token: Option<&str>) -> Caller {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let Some(token) = token else { return Caller::Anonymous };
        self.keys().get(token).map_or(Caller::Unknown, |(caller, _)| *caller)
    }

    fn lease(&self, token: Option<&str>) -> Lease {
        let end = token.and_then(|token| self.keys().get(token).map(|(_, end)| end.clone()));
        end.map_or_else(Lease::endless, Lease::until)
    }
}

pub(crate) struct Server {
    pub(crate) doors: Doors,
    address: SocketAddr,
    sockets: Arc<AtomicUsize>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Server {
    pub(crate) async fn start(settings: FrontSettings) -> Self {
        Self::holding(settings, ServeSettings::default()).await
    }

    pub(crate) async fn holding(settings: FrontSettings, connections: ServeSettings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (doors, stop) = (Doors::default(), CancellationToken::new());
        let schema = Schema::new(Query, EmptyMutation, Subscriptions);
        let front = Front::new(schema, doors.clone(), settings, stop.clone());
        let (sockets, goodbyes) = (front.open_sockets(), front.goodbyes());
        let entrance = Entrance::plain(listener);
        let serving = serve(entrance, front.router("/graphql"), connections, stop.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            serving.await.unwrap();
            goodbyes.await;
        });
        Self { doors, address, sockets, stop, tasks }
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.tasks.join_next()).await.unwrap();
    }

    /// Waits until so many sockets are open.
    pub(crate) async fn holds(&self, sockets: usize) {
        let wait = async {
            while self.sockets.load(Ordering::Relaxed) != sockets {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let open = || self.sockets.load(Ordering::Relaxed);
        tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{} sockets are open", open()));
    }

    /// A socket that has been acknowledged.
    pub(crate) async fn greeted(&self, token: Option<&str>) -> Socket {
        let mut socket = self.introduced(token).await;
        assert_eq!(socket.hear().await["type"], "connection_ack");
        socket
    }

    /// A socket that has said who it is.
    pub(crate) async fn introduced(&self, token: Option<&str>) -> Socket {
        let mut socket = self.silent().await.expect("a socket");
        let payload = token.map_or(json!({}), |token| json!({ "authorization": format!("Bearer {token}") }));
        socket.say(&json!({ "type": "connection_init", "payload": payload })).await;
        socket
    }

    /// A socket that has said nothing yet; none where the connection was not let in.
    pub(crate) async fn silent(&self) -> Option<Socket> {
        let mut request = format!("ws://{}/graphql", self.address).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
        let connected = tokio::time::timeout(PATIENCE, tokio_tungstenite::connect_async(request)).await;
        connected.expect("an answer within the patience").ok().map(|(socket, _)| Socket(socket))
    }

    /// A client that has subscribed to `query` and reads nothing from then on, with as little room for what it does
    /// not read as the system gives.
    pub(crate) async fn deaf(&self, query: &str) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(2_048).unwrap();
        let mut stream = socket.connect(self.address).await.unwrap();
        let head = format!(
            "GET /graphql HTTP/1.1\r\nhost: {}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             sec-websocket-protocol: graphql-transport-ws\r\n\r\n",
            self.address
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
        let subscribe = json!({ "id": "1", "type": "subscribe", "payload": { "query": query } });
        for message in [json!({ "type": "connection_init" }), subscribe] {
            stream.write_all(&frame(&message.to_string())).await.unwrap();
        }
        stream
    }
}

/// A text frame of a client; with a mask of zeros it is the text itself.
fn frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81, 0xfe];
    frame.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(text.as_bytes());
    frame
}

/// A WebSocket and what is said on it.
pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(crate) async fn say(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    pub(crate) async fn subscribe(&mut self, id: &str, query: &str) {
        self.say(&json!({ "id": id, "type": "subscribe", "payload": { "query": query } })).await;
    }

    /// The next message; panics where the socket is closed instead.
    pub(crate) async fn hear(&mut self) -> Value {
        loop {
            match self.frame().await {
                Some(Message::Text(text)) => return serde_json::from_str(&text).unwrap(),
                Some(Message::Ping(_) | Message::Pong(_)) => {}
                other => panic!("no message: {other:?}"),
            }
        }
    }

    /// The next message of an operation; others are dropped.
    pub(crate) async fn hear_of(&mut self, id: &str) -> Value {
        loop {
            let message = self.hear().await;
            if message["id"] == id {
                return message;
            }
        }
    }

    /// The code the server closes with, whatever it says before; 1006 where it says nothing.
    pub(crate) async fn closed(&mut self) -> u16 {
        loop {
            match self.frame().await {
                Some(Message::Close(frame)) => return frame.map_or(1005, |frame| frame.code.into()),
                Some(_) => {}
                None => return 1006,
            }
        }
    }

    async fn frame(&mut self) -> Option<Message> {
        let frame =
            tokio::time::timeout(PATIENCE, self.0.next()).await.expect("something within the patience");
        frame.and_then(Result::ok)
    }
}
