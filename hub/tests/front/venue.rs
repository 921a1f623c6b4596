//! A hub on a folder and a port of its own, with a clock that tests move.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use roomtone_hub::http::{self, Front};
use roomtone_hub::hub::{Added, Hub, HubOptions};
use roomtone_hub::limits::LimitSettings;
use roomtone_schema::id::Id as _;
use roomtone_schema::licence::Licence;
use roomtone_schema::song::{Explicit, Sha256, SongFacts, SongKind};
use roomtone_schema::venue::ZoneSettings;
use roomtone_schema::{Embedding, EmbeddingVersion, ManualClock, SongId, UnixMillis};
use roomtone_server::front::FrontSettings;
use serde_json::{Value, json};
use sha2::Digest as _;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tokio_util::sync::CancellationToken;

/// Long enough for a debug build on a busy machine; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Venue {
    pub(crate) hub: Hub,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) address: SocketAddr,
    pub(crate) stop: CancellationToken,
    folder: TempDir,
}

impl Drop for Venue {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Venue {
    pub(crate) async fn empty() -> Self {
        // Short, so that a test of it is; long, for everybody else.
        let settings = FrontSettings { hello_time: Duration::from_secs(2), ..FrontSettings::default() };
        Self::with_settings(settings).await
    }

    pub(crate) async fn with_settings(settings: FrontSettings) -> Self {
        Self::with_zones(settings, LimitSettings::default(), &[]).await
    }

    /// A venue with more zones than the main one.
    pub(crate) async fn with_zones(settings: FrontSettings, limits: LimitSettings, zones: &[&str]) -> Self {
        let zones = zones.iter().map(|zone| ((*zone).to_owned(), ZoneSettings::default())).collect();
        Self::with_zones_like(settings, limits, zones).await
    }

    /// A venue with zones that behave so.
    pub(crate) async fn with_zones_like(
        settings: FrontSettings,
        limits: LimitSettings,
        zones: Vec<(String, ZoneSettings)>,
    ) -> Self {
        Self::licensed(settings, limits, zones, Licence::default()).await
    }

    /// The same under a licence.
    pub(crate) async fn licensed(
        settings: FrontSettings,
        limits: LimitSettings,
        zones: Vec<(String, ZoneSettings)>,
        licence: Licence,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(UnixMillis(1_795_000_000_000)));
        let options = HubOptions {
            data: folder.path().to_owned(),
            venue_name: "Test".to_owned(),
            time_zone: "UTC".to_owned(),
            zones,
            licence,
            limits,
        };
        let hub = Hub::open(options, clock.clone()).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let front = Front::with_settings(hub.clone(), vec!["music.example".to_owned()], settings);
        let (serving, hub_too) = (http::serve(front, listener, stop.clone()), hub.clone());
        let until = stop.clone();
        let both = async move {
            tokio::select! {
                served = serving => served.unwrap(),
                () = hub_too.conduct() => {}
            }
            until.cancelled().await;
        };
        #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
        tokio::spawn(both);
        Self { hub, clock, address, stop, folder }
    }

    /// A venue with `n` songs whose files are short.
    pub(crate) async fn with_songs(n: u8) -> Self {
        let venue = Self::empty().await;
        for number in 0..n {
            venue.add_song(number).await;
        }
        venue.hub.settle().await;
        venue
    }

    /// Adds a song; its file is 1,000 bytes that depend on `number`.
    pub(crate) async fn add_song(&self, number: u8) -> SongId {
        let content: Vec<u8> = (0..1_000_u32).map(|byte| (byte % 251) as u8 ^ number).collect();
        let sha256 = Sha256(sha2::Sha256::digest(&content).into());
        let path = roomtone_sync::file_cache::path_in(&self.hub.media_dir(), sha256);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &content).unwrap();
        match self.hub.add_song(facts(number, sha256)).await.unwrap() {
            Added::New(song) | Added::Known(song) | Added::Restored(song) => song,
        }
    }

    pub(crate) fn code(&self) -> String {
        self.hub.room_code(self.hub.main_zone()).unwrap().poster
    }

    pub(crate) async fn player_token(&self) -> String {
        self.player_token_of("bar").await
    }

    pub(crate) async fn player_token_of(&self, name: &str) -> String {
        self.hub.add_player(name.to_owned(), None, None).await.unwrap().token
    }

    pub(crate) async fn check_in(&self) -> String {
        let answer =
            self.mutate(None, "checkIn", "CheckInInput", json!({ "venueCode": self.code() }), "token").await;
        answer["token"].as_str().unwrap_or_else(|| panic!("no token: {answer}")).to_owned()
    }

    /// Sends raw bytes and reads until the hub closes.
    pub(crate) async fn raw(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.unwrap().unwrap();
        Answer::parse(&bytes)
    }

    pub(crate) async fn get(&self, path: &str, headers: &str) -> Answer {
        self.request("GET", path, headers, "").await
    }

    pub(crate) async fn request(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let (host, length) = (self.address, body.len());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n"
        );
        self.raw(&format!("{head}{headers}\r\n{body}")).await
    }

    pub(crate) async fn post(&self, headers: &str, body: &str) -> Answer {
        self.request("POST", "/graphql", &format!("content-type: application/json\r\n{headers}"), body).await
    }

    /// A GraphQL request with a token or none; the whole body of the answer.
    pub(crate) async fn ask(&self, token: Option<&str>, query: &str, variables: Value) -> Value {
        let auth = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        let body = json!({ "query": query, "variables": variables }).to_string();
        self.post(&auth, &body).await.json()
    }

    /// A mutation with a fresh key; its payload.
    pub(crate) async fn mutate(
        &self,
        token: Option<&str>,
        name: &str,
        kind: &str,
        mut input: Value,
        select: &str,
    ) -> Value {
        if input.get("idempotencyKey").is_none() {
            input["idempotencyKey"] = json!(key());
        }
        let query = format!(
            "mutation($input: {kind}!) {{ {name}(input: $input) {{ {select} userErrors {{ code message field }} }} }}"
        );
        let body = self.ask(token, &query, json!({ "input": input })).await;
        assert!(body.get("errors").is_none(), "{body:#}");
        body["data"][name].clone()
    }

    pub(crate) async fn socket(&self) -> Socket {
        self.socket_with(&[("sec-websocket-protocol", "graphql-transport-ws")]).await.unwrap()
    }

    /// A socket that has introduced itself.
    pub(crate) async fn greeted(&self, token: Option<&str>) -> Socket {
        let mut socket = self.socket().await;
        let payload = token.map_or(json!({}), |token| json!({ "authorization": format!("Bearer {token}") }));
        socket.say(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(socket.hear().await, json!({ "type": "connection_ack" }));
        socket
    }

    /// A WebSocket with these headers, or the HTTP status that it was refused with.
    pub(crate) async fn socket_with(&self, headers: &[(&'static str, &str)]) -> Result<Socket, u16> {
        use tokio_tungstenite::tungstenite::Error;
        let mut request = format!("ws://{}/graphql", self.address).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match tokio_tungstenite::connect_async(request).await {
            Ok((socket, _)) => Ok(Socket(socket)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            // The hub chose none of the protocols that were offered: the client library gives up by itself.
            Err(Error::Protocol(_)) => Err(0),
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}

/// A fresh idempotency key.
pub(crate) fn key() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("00000000-0000-7000-8000-{:012x}", NEXT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn global(song: SongId) -> String {
    song.to_global()
}

fn facts(number: u8, sha256: Sha256) -> SongFacts {
    let angle = f32::from(number);
    SongFacts {
        title: format!("Song {number}"),
        artist: Some(format!("Artist {number}")),
        album: Some("Album".to_owned()),
        isrc: None,
        label: None,
        explicit: Explicit::Unknown,
        kind: Some(SongKind::Instrumental),
        duration_ms: 180_000,
        bpm: Some(120.0),
        pulse_clarity: 0.5,
        key: Some("Am".to_owned()),
        key_strength: 0.1,
        loudness_lufs: Some(-16.0),
        true_peak_dbtp: Some(-1.0),
        cue_in_ms: 0,
        cue_out_ms: 180_000,
        embedding: Some(Embedding::new([angle.sin(), angle.cos(), 0.3, -0.2, 0.1]).unwrap()),
        embedding_version: EmbeddingVersion::DESC_V1,
        sha256,
        bytes: 1_000,
        content_type: "audio/wav".to_owned(),
    }
}

/// An HTTP answer, taken apart.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    exact: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or_else(|| {
            panic!("no answer: {:?}", String::from_utf8_lossy(bytes));
        });
        let exact = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let head = exact.to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head, exact, body: bytes[end + 4..].to_vec() }
    }

    /// The cookie that the phone is to keep, as it sends it back.
    pub(crate) fn cookie(&self) -> Option<&str> {
        self.exact_header("set-cookie")?.split(';').next()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// The value as it was sent.
    pub(crate) fn exact_header(&self, name: &str) -> Option<&str> {
        let mut lines = self.exact.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("not JSON ({}): {}", self.status, self.text()))
    }
}

/// A WebSocket and what is said on it.
pub(crate) struct Socket<S = MaybeTlsStream<TcpStream>>(pub(crate) WebSocketStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    pub(crate) async fn say(&mut self, message: Value) {
        self.say_raw(Message::text(message.to_string())).await;
    }

    pub(crate) async fn say_raw(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    pub(crate) async fn subscribe(&mut self, id: &str, query: &str) {
        self.say(json!({ "id": id, "type": "subscribe", "payload": { "query": query } })).await;
    }

    /// The next message; panics where the socket is closed instead.
    pub(crate) async fn hear(&mut self) -> Value {
        match self.frame().await {
            Some(Message::Text(text)) => serde_json::from_str(&text).unwrap(),
            other => panic!("no message: {other:?}"),
        }
    }

    /// The next message, or the code the hub closes with.
    pub(crate) async fn said(&mut self) -> Result<Value, u16> {
        match self.frame().await {
            Some(Message::Text(text)) => Ok(serde_json::from_str(&text).unwrap()),
            Some(Message::Close(frame)) => Err(frame.map_or(1005, |frame| frame.code.into())),
            other => panic!("no message: {other:?}"),
        }
    }

    /// The data of the next event.
    pub(crate) async fn event(&mut self) -> Value {
        let message = self.hear().await;
        assert_eq!(message["type"], "next", "{message:#}");
        assert!(message["payload"].get("errors").is_none(), "{message:#}");
        message["payload"]["data"].clone()
    }

    /// The code the hub closes with, whatever it says before.
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
        loop {
            let frame =
                tokio::time::timeout(PATIENCE, self.0.next()).await.expect("something within the patience");
            match frame {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(message)) => return Some(message),
                Some(Err(_)) | None => return None,
            }
        }
    }
}
