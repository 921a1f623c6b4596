//! What players and managers do over TLS, and what their secrets open elsewhere: nothing.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use roomtone_hub::http::{self, Front};
use roomtone_hub::pairing::Meant;
use roomtone_hub::service::Place;
use roomtone_hub::tls::{Secure, Tls};
use roomtone_hub::view::PlayerCommandKind;
use roomtone_server::front::FrontSettings;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use serde_json::{Value, json};
use sha2::Sha256;
use spake2::{Ed25519Group, Identity, Password, Spake2};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::venue::{Answer, PATIENCE, Socket, Venue, key};

/// A venue with its second front.
pub(crate) struct Secured {
    pub(crate) venue: Venue,
    pub(crate) address: SocketAddr,
    tls: Tls,
}

impl Secured {
    pub(crate) async fn with_songs(songs: u8) -> Self {
        let venue = Venue::with_songs(songs).await;
        let (tls, _) = Tls::open(venue.folder(), venue.hub.id()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let secure = Secure { listening: vec![address], key: tls.key };
        let front = Front::secure(venue.hub.clone(), Vec::new(), FrontSettings::default(), tls.clone());
        let (data, listening) = (venue.folder().to_owned(), vec![venue.address]);
        let front = front.standing(Place { data, listening, secure: Some(secure) }, None);
        let serving = http::serve(front, listener, venue.stop.clone());
        #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
        tokio::spawn(async move { serving.await.unwrap() });
        Self { venue, address, tls }
    }

    async fn connect(&self) -> TlsStream<TcpStream> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Whoever))
            .with_no_client_auth();
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::from(self.address.ip());
        let shaken = TlsConnector::from(Arc::new(config)).connect(name, stream);
        tokio::time::timeout(PATIENCE, shaken).await.unwrap().unwrap()
    }

    pub(crate) async fn request(
        &self,
        host: &str,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> Answer {
        let mut stream = self.connect().await;
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n"
        );
        stream.write_all(format!("{head}{headers}\r\n{body}").as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.unwrap().unwrap();
        Answer::parse(&bytes)
    }

    /// Sends raw bytes and reads until the hub closes.
    pub(crate) async fn raw(&self, request: &str) -> Answer {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        let _cut_short = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.unwrap();
        Answer::parse(&bytes)
    }

    /// Sends raw bytes, waits until the hub has them, and goes.
    pub(crate) async fn hang_up_after(&self, request: &str) {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let _nothing = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await.unwrap();
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.request(&self.address.to_string(), "POST", path, "", &body.to_string()).await
    }

    async fn ask(&self, host: &str, token: &str, query: &str) -> Value {
        let headers = format!("content-type: application/json\r\nauthorization: Bearer {token}\r\n");
        let body = json!({ "query": query }).to_string();
        self.request(host, "POST", "/graphql", &headers, &body).await.json()
    }

    /// Whether a secret is a player's over TLS.
    async fn opens(&self, secret: &str) -> bool {
        let plan = self.ask(&self.address.to_string(), secret, "{ playerPlan { plan { id } } }").await;
        !plan["data"]["playerPlan"].is_null()
    }

    async fn socket(&self, secret: &str) -> Socket<TlsStream<TcpStream>> {
        self.introduced(json!({ "authorization": format!("Bearer {secret}") })).await
    }

    async fn introduced(&self, payload: Value) -> Socket<TlsStream<TcpStream>> {
        let mut request = format!("wss://{}/graphql", self.address).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
        let (socket, _) = tokio_tungstenite::client_async(request, self.connect().await).await.unwrap();
        let mut socket = Socket(socket);
        socket.say(json!({ "type": "connection_init", "payload": payload })).await;
        socket
    }

    /// A request whose answer is read to the end of its head and no further.
    async fn begun(&self, path: &str, headers: &str) -> (u16, TlsStream<TcpStream>) {
        let mut stream = self.connect().await;
        let head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n{headers}\r\n", self.address);
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let reading = async {
            while !answer.ends_with(b"\r\n\r\n") {
                answer.push(stream.read_u8().await.unwrap());
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.unwrap();
        (Answer::parse(&answer).status, stream)
    }

    /// Pairs a player with the code.
    async fn pair(&self, name: &str) -> Value {
        let shown = self.venue.hub.open_pairing(Meant::default());
        let token = URL_SAFE_NO_PAD.encode(shown.token.0);
        let answer = self.post("/pair/token", &json!({ "name": name, "token": token })).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }
}

/// The player's part of the exchange over digits, as the wire has it.
struct Exchange(Spake2<Ed25519Group>);

impl Exchange {
    fn begin(digits: &[u8], scene: &Secured) -> (Self, String) {
        let hub = Identity::new(format!("roomtone-hub:{}", scene.tls.key).as_bytes());
        let (state, message) =
            Spake2::start_a(&Password::new(digits), &Identity::new(b"roomtone-player"), &hub);
        (Self(state), URL_SAFE_NO_PAD.encode(message))
    }

    /// The player's proof, and the one that it expects of the hub.
    fn finish(self, message: &Value) -> (String, String) {
        let message = URL_SAFE_NO_PAD.decode(message.as_str().unwrap()).unwrap();
        let shared = self.0.finish(&message).unwrap();
        let proof = |of: &[u8]| {
            let mut mac = Hmac::<Sha256>::new_from_slice(&shared).unwrap();
            mac.update(of);
            URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
        };
        (proof(b"roomtone pairing 1 player"), proof(b"roomtone pairing 1 hub"))
    }
}

#[tokio::test]
async fn everybody_is_told_which_hub_this_is_and_where_players_connect() {
    let scene = Secured::with_songs(0).await;
    let plain = scene.venue.get("/api/hub", "").await.json();
    let secure = scene.request("127.0.0.1", "GET", "/api/hub", "", "").await.json();
    assert_eq!(secure["hub"], scene.venue.hub.id().to_string());
    assert_eq!(secure["venue"], scene.venue.hub.venue().id.to_string());
    assert_eq!((&secure["name"], &secure["tls"]), (&json!("Test"), &json!(scene.address.port())));
    assert_eq!((&plain["hub"], &plain["version"]), (&secure["hub"], &secure["version"]));
}

#[tokio::test]
async fn a_paired_secret_opens_the_hub_over_tls_and_nothing_in_the_open() {
    let scene = Secured::with_songs(3).await;
    let paired = scene.pair("bar").await;
    assert_eq!(
        (&paired["name"], &paired["zone"], &paired["venue_name"]),
        (&json!("bar"), &json!("main"), &json!("Test"))
    );
    let secret = paired["secret"].as_str().unwrap();
    let claim = format!(
        "mutation {{ claimNextSong(input: {{ idempotencyKey: \"{}\" }}) {{ pick {{ mediaUrl }} userErrors {{ code }} }} }}",
        key()
    );
    let claimed = scene.ask(&scene.address.to_string(), secret, &claim).await;
    let media = claimed["data"]["claimNextSong"]["pick"]["mediaUrl"].as_str().unwrap().to_owned();
    let file = scene.request("127.0.0.1", "GET", &media, "range: bytes=0-9\r\n", "").await;
    assert_eq!((file.status, file.body.len()), (206, 10));
    let open = scene.venue.ask(Some(secret), &claim, Value::Null).await;
    assert_eq!(open["data"]["claimNextSong"]["userErrors"][0]["code"], "FORBIDDEN");
    let mut socket = scene.venue.socket().await;
    let payload = json!({ "authorization": format!("Bearer {secret}") });
    socket.say(json!({ "type": "connection_init", "payload": payload })).await;
    assert_eq!(socket.closed().await, 4403);
    let bearer = format!("authorization: Bearer {secret}\r\n");
    let unsigned = media.split('?').next().unwrap();
    assert_eq!(scene.venue.get(unsigned, &bearer).await.status, 403);
    assert_eq!(scene.request("127.0.0.1", "GET", unsigned, &bearer, "").await.status, 200);
    assert_eq!(
        scene.venue.get("/api/player/next-song", &bearer).await.status,
        404,
        "no terminal, no terminal API"
    );
}

#[tokio::test]
async fn a_terminals_token_counts_on_both_sides_as_before() {
    let scene = Secured::with_songs(3).await;
    let bearer = format!("authorization: Bearer {}\r\n", scene.venue.player_token().await);
    assert_eq!(scene.venue.get("/api/player/next-song", &bearer).await.status, 200);
    let host = scene.address.to_string();
    let secure = scene.request(&host, "GET", "/api/player/next-song", &bearer, "").await;
    assert!(secure.json()["url"].as_str().unwrap().starts_with(&format!("https://{host}/media/")));
    let renewed = scene.request(&host, "POST", "/pair/renew", &bearer, "").await;
    assert_eq!(renewed.status, 401, "a terminal's token is the operator's to change");
}

#[tokio::test]
async fn a_player_is_paired_by_its_digits_and_both_ends_prove_that_they_know_them() {
    let scene = Secured::with_songs(1).await;
    let shown = scene.venue.hub.open_pairing(Meant { name: Some("Terrace".to_owned()), zone: None });
    let (exchange, message) = Exchange::begin(&shown.digits.0, &scene);
    let hello = scene.post("/pair/hello", &json!({ "name": "box", "message": message })).await;
    assert_eq!(hello.status, 200, "{}", hello.text());
    let hello = hello.json();
    let (proof, hubs_proof) = exchange.finish(&hello["message"]);
    let answer = scene.post("/pair/proof", &json!({ "attempt": hello["attempt"], "proof": proof })).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let paired = answer.json();
    assert_eq!((&paired["name"], &paired["proof"]), (&json!("Terrace"), &json!(hubs_proof)));
    assert!(scene.opens(paired["secret"].as_str().unwrap()).await);
}

#[tokio::test]
async fn whoever_is_not_let_in_is_told_why() {
    let scene = Secured::with_songs(0).await;
    let token = URL_SAFE_NO_PAD.encode([1; 16]);
    let by_token = json!({ "name": "bar", "token": token });
    let refused = async |path: &str, body: &Value| {
        let answer = scene.post(path, body).await;
        assert!(answer.json()["error"].as_str().is_some_and(|why| why.len() > 20), "{}", answer.text());
        answer.status
    };
    assert_eq!(refused("/pair/token", &by_token).await, 404);
    let shown = scene.venue.hub.open_pairing(Meant::default());
    let (_, message) = Exchange::begin(&shown.digits.0, &scene);
    let hello = json!({ "name": "bar", "message": message });
    assert_eq!(refused("/pair/token", &by_token).await, 403);
    for unreadable in [json!({}), json!({ "name": "bar", "token": "?" }), json!([])] {
        assert_eq!(refused("/pair/token", &unreadable).await, 400);
    }
    assert_eq!(refused("/pair/token", &json!({ "name": "", "token": token })).await, 409);
    assert_eq!(refused("/pair/proof", &json!({ "attempt": "x", "proof": token })).await, 403);
    assert_eq!(refused("/pair/hello", &json!({ "name": "bar", "message": token })).await, 400);
    for _ in 0..4 {
        assert_eq!(scene.post("/pair/hello", &hello).await.status, 200);
    }
    assert_eq!(refused("/pair/hello", &hello).await, 403, "what could not be read was a try, too");
    scene.venue.hub.close_pairing(shown.id);
    assert_eq!(refused("/pair/hello", &hello).await, 404);
    assert_eq!(scene.post("/pair/renew", &json!({})).await.status, 401);
    for path in ["/pair/token", "/pair/hello", "/pair/proof", "/pair/renew"] {
        let plain = scene.venue.request("POST", path, "", "{}").await;
        assert_eq!(plain.status, 404, "{path} does not exist in the open");
    }
}

#[tokio::test]
async fn a_secret_is_renewed_with_an_overlap() {
    let scene = Secured::with_songs(0).await;
    let first = scene.pair("bar").await["secret"].as_str().unwrap().to_owned();
    let mut socket = scene.socket(&first).await;
    assert_eq!(socket.hear().await["type"], "connection_ack");
    let bearer = format!("authorization: Bearer {first}\r\n");
    let host = scene.address.to_string();
    let renewed = scene.request(&host, "POST", "/pair/renew", &bearer, "").await;
    let second = renewed.json()["secret"].as_str().unwrap().to_owned();
    assert!(scene.opens(&first).await, "until the new one is shown");
    assert!(scene.opens(&second).await);
    assert!(!scene.opens(&first).await);
    assert_eq!(
        socket.closed().await,
        4403,
        "whoever is connected with the old one comes again with the new one"
    );
}

#[tokio::test]
async fn orders_begin_with_what_holds_and_end_when_the_player_is_taken_out() {
    let scene = Secured::with_songs(3).await;
    let hub = &scene.venue.hub;
    let paired = scene.pair("bar").await;
    let (secret, player) = (paired["secret"].as_str().unwrap(), paired["player"].as_str().unwrap());
    let player = player.parse().unwrap();
    hub.command(player, PlayerCommandKind::Volume, Some(0.25)).await.unwrap();
    hub.command(player, PlayerCommandKind::Stop, None).await.unwrap();
    let mut socket = scene.socket(secret).await;
    assert_eq!(socket.hear().await["type"], "connection_ack");
    socket.subscribe("1", "subscription { playerCommands { kind volume } }").await;
    assert_eq!(socket.event().await["playerCommands"], json!({ "kind": "VOLUME", "volume": 0.25 }));
    assert_eq!(socket.event().await["playerCommands"]["kind"], "STOP");
    hub.command(player, PlayerCommandKind::Resume, None).await.unwrap();
    assert_eq!(socket.event().await["playerCommands"]["kind"], "RESUME");
    hub.remove_player(player).await.unwrap();
    assert_eq!(socket.closed().await, 4403);
    assert!(!scene.opens(secret).await);
}

#[tokio::test]
async fn a_manager_is_one_over_tls_from_anywhere_and_in_the_open_nowhere_else_than_here() {
    let scene = Secured::with_songs(1).await;
    let manager = scene.venue.hub.mint_manager_token().await.unwrap();
    let player = scene.venue.hub.add_player("bar".to_owned(), None, None).await.unwrap().player.id;
    let order = format!(
        "mutation {{ orderPlayer(input: {{ idempotencyKey: \"{}\", playerId: \"{}\", kind: VOLUME, volume: 0.5 }}) \
         {{ player {{ volume }} userErrors {{ code }} }} }}",
        key(),
        roomtone_schema::id::Id::to_global(player)
    );
    // By an address of the venue's network: not local, whoever it is.
    let host = "192.168.1.5:4701";
    let secure = scene.ask(host, &manager, &order).await;
    assert_eq!(secure["data"]["orderPlayer"]["player"]["volume"], 0.5, "{secure}");
    let body = json!({ "query": order }).to_string();
    let open = format!(
        "POST /graphql HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         authorization: Bearer {manager}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let open = scene.venue.raw(&open).await.json();
    assert_eq!(open["data"]["orderPlayer"]["userErrors"][0]["code"], "FORBIDDEN");
}

#[tokio::test]
async fn the_managers_page_and_what_it_asks_are_for_the_manager_alone() {
    let scene = Secured::with_songs(1).await;
    let manager = scene.venue.hub.mint_manager_token().await.unwrap();
    let paired = scene.pair("bar").await;
    let player = scene.venue.player_token_of("door").await;
    let host = "192.168.1.5:4701";
    let bearer = |token: &str| format!("authorization: Bearer {token}\r\n");
    for (token, expected) in
        [(manager.as_str(), 200), (paired["secret"].as_str().unwrap(), 401), (&player, 401), ("x", 401)]
    {
        let answer = scene.request(host, "GET", "/api/manage", &bearer(token), "").await;
        assert_eq!(answer.status, expected, "{}", answer.text());
    }
    let told = scene.request(host, "GET", "/api/manage", &bearer(&manager), "").await.json();
    let names: Vec<&Value> =
        told["players"].as_array().unwrap().iter().map(|player| &player["name"]).collect();
    assert_eq!(names, ["bar", "door"]);
    let open =
        format!("GET /api/manage HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{}\r\n", bearer(&manager));
    assert_eq!(scene.venue.raw(&open).await.status, 401, "not where others can read the token");
    assert_eq!(scene.venue.get("/api/manage", &bearer(&manager)).await.status, 200, "but on the hub itself");
    assert_eq!(scene.request(host, "GET", "/manage", "", "").await.status, 200);
    let open =
        scene.venue.raw(&format!("GET /manage HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")).await;
    assert_eq!((open.status, open.text().contains("Not from here")), (403, true));
    let id = &told["players"][0]["id"];
    for (path, body, expected) in [
        ("order", json!({ "player": id, "order": { "volume": 40 } }), 200),
        ("order", json!({ "player": id, "order": { "volume": 140 } }), 400),
        ("order", json!({ "player": id, "order": "dance" }), 400),
        ("order", json!({ "player": "nobody", "order": "skip" }), 404),
        ("rename", json!({ "player": id, "name": "door" }), 409),
        ("rename", json!({ "player": id, "name": "counter" }), 200),
        ("pairing", json!({ "zone": "cellar" }), 404),
        ("pairing", json!({ "name": "a\nb" }), 409),
        ("remove", json!({ "player": id }), 200),
        ("remove", json!({ "player": id }), 404),
    ] {
        let path = format!("/api/manage/{path}");
        let answer = scene.request(host, "POST", &path, &bearer(&manager), &body.to_string()).await;
        assert_eq!(answer.status, expected, "{path} {body}: {}", answer.text());
        let stranger = scene.request(host, "POST", &path, &bearer(&player), &body.to_string()).await;
        assert_eq!(stranger.status, 401);
    }
    assert!(!scene.opens(paired["secret"].as_str().unwrap()).await);
}

#[tokio::test]
async fn nothing_secret_of_a_pairing_is_logged_at_any_level() {
    let log = Arc::<Mutex<Vec<u8>>>::default();
    let into = Arc::clone(&log);
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || Into(Arc::clone(&into)))
        .finish();
    let _logged = tracing::subscriber::set_default(subscriber);
    let scene = Secured::with_songs(0).await;
    let shown = scene.venue.hub.open_pairing(Meant::default());
    let (exchange, message) = Exchange::begin(&shown.digits.0, &scene);
    let hello = scene.post("/pair/hello", &json!({ "name": "bar", "message": message })).await.json();
    let (proof, _) = exchange.finish(&hello["message"]);
    let proven = scene.post("/pair/proof", &json!({ "attempt": hello["attempt"], "proof": proof })).await;
    let by_digits = proven.json()["secret"].as_str().unwrap().to_owned();
    let window = scene.venue.hub.open_pairing(Meant::default());
    let token = URL_SAFE_NO_PAD.encode(window.token.0);
    let answer = scene.post("/pair/token", &json!({ "name": "door", "token": token })).await;
    let by_token = answer.json()["secret"].as_str().unwrap().to_owned();
    let bearer = format!("authorization: Bearer {by_token}\r\n");
    let renewed = scene.request("127.0.0.1", "POST", "/pair/renew", &bearer, "").await;
    let renewed = renewed.json()["secret"].as_str().unwrap().to_owned();
    assert!(scene.opens(&renewed).await && scene.opens(&by_digits).await);
    let mut socket = scene.socket(&renewed).await;
    assert_eq!(socket.hear().await["type"], "connection_ack");
    scene.post("/pair/token", &json!({ "name": "door", "token": "AAAAAAAAAAAAAAAAAAAAAA" })).await;
    let digits = shown.digits.to_show();
    let log = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    assert!(log.contains("the player bar was paired"), "{log}");
    let halves: Vec<&str> = digits.split(' ').collect();
    let key = std::fs::read_to_string(scene.venue.folder().join("tls-key.pem")).unwrap();
    let secrets = [&by_digits, &by_token, &renewed, &token, &digits, &halves.concat(), &proof];
    for secret in
        secrets.into_iter().map(String::as_str).chain(key.lines().filter(|line| !line.starts_with('-')))
    {
        let line = log.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "logged: {line:?}");
    }
}

/// What is logged, kept.
struct Into(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Into {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_room_full_of_phones_keeps_no_player_out() {
    let scene = Secured::with_songs(0).await;
    let secret = scene.pair("bar").await["secret"].as_str().unwrap().to_owned();
    let mut phones = Vec::new();
    loop {
        match scene.venue.socket_with(&[("sec-websocket-protocol", "graphql-transport-ws")]).await {
            Ok(socket) => phones.push(socket),
            Err(status) => break assert_eq!((status, phones.len()), (503, 500)),
        }
    }
    let mut socket = scene.socket(&secret).await;
    assert_eq!(socket.hear().await["type"], "connection_ack");
}

#[tokio::test]
async fn phones_that_come_over_tls_keep_no_player_out_either() {
    let scene = Secured::with_songs(0).await;
    let hub = &scene.venue.hub;
    let paired = scene.pair("bar").await;
    let (secret, player) = (paired["secret"].as_str().unwrap(), paired["player"].as_str().unwrap());
    let manager = hub.mint_manager_token().await.unwrap();
    let mut phones = Vec::new();
    for number in 0..64 {
        let mut phone = scene.introduced(json!({})).await;
        match phone.said().await {
            Ok(said) => {
                assert_eq!(said["type"], "connection_ack");
                phones.push(phone);
            }
            Err(code) => assert_eq!((code, phones.len()), (4503, 16), "the phone {number}"),
        }
    }
    let streamed = "accept: text/event-stream\r\n";
    let nowplaying = "/graphql?query=subscription%7BnowPlaying%7BstartedAt%7D%7D";
    assert_eq!(scene.begun(nowplaying, streamed).await.0, 503, "a stream is a guest's, too");
    let mut socket = scene.socket(secret).await;
    assert_eq!(socket.hear().await["type"], "connection_ack");
    socket.subscribe("1", "subscription { playerCommands { kind } }").await;
    hub.command(player.parse().unwrap(), PlayerCommandKind::Stop, None).await.unwrap();
    while socket.event().await["playerCommands"]["kind"] != "STOP" {}
    let mut socket = scene.socket(&manager).await;
    assert_eq!(socket.hear().await["type"], "connection_ack");
    assert_eq!(phones.len(), 16);
}

#[tokio::test]
async fn slow_readers_who_do_not_say_who_they_are_leave_the_files_to_those_who_do() {
    let scene = Secured::with_songs(1).await;
    let secret = scene.pair("bar").await["secret"].as_str().unwrap().to_owned();
    let songs = scene.venue.ask(None, "{ songs(first: 1) { nodes { mediaUrl } } }", Value::Null).await;
    let url = songs["data"]["songs"]["nodes"][0]["mediaUrl"].as_str().unwrap();
    let sha256 = url.split('?').next().unwrap().trim_start_matches("/media/").parse().unwrap();
    let path = roomtone_sync::file_cache::path_in(&scene.venue.hub.media_dir(), sha256);
    // More than the system takes in for somebody who reads nothing.
    std::fs::File::options().write(true).open(path).unwrap().set_len(64 << 20).unwrap();
    let mut slow = Vec::new();
    for _ in 0..32 {
        let (status, stream) = scene.begun(url, "").await;
        assert_eq!(status, 200);
        slow.push(stream);
    }
    let range = "range: bytes=0-9\r\n";
    let host = scene.address.to_string();
    let refused = scene.request(&host, "GET", url, range, "").await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("10")));
    for token in [&secret, &scene.venue.check_in().await] {
        let known = format!("{range}authorization: Bearer {token}\r\n");
        assert_eq!(scene.request(&host, "GET", url, &known, "").await.status, 206);
    }
    assert_eq!(scene.venue.get(url, range).await.status, 206, "in the open there is room for all");
    slow.pop();
    let room = async { while scene.request(&host, "GET", url, range, "").await.status != 206 {} };
    tokio::time::timeout(PATIENCE, room).await.expect("who leaves makes room");
    assert_eq!(slow.len(), 31);
}

#[tokio::test]
async fn one_address_takes_a_part_of_the_connections_over_tls() {
    let scene = Secured::with_songs(0).await;
    let mut own = Vec::new();
    for _ in 0..64 {
        own.push(TcpStream::connect(scene.address).await.unwrap());
    }
    let mut one_more = TcpStream::connect(scene.address).await.unwrap();
    let closed = tokio::time::timeout(Duration::from_secs(20), one_more.read(&mut [0; 1])).await;
    assert_eq!(closed.expect("before the handshake's time is over").unwrap(), 0);
    assert_eq!(own.len(), 64);
}

#[tokio::test]
async fn who_says_nothing_at_the_door_keeps_nobody_waiting_and_is_let_go() {
    let scene = Secured::with_songs(0).await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(TcpStream::connect(scene.address).await.unwrap());
    }
    assert_eq!(scene.request("127.0.0.1", "GET", "/api/hub", "", "").await.status, 200);
    let mut first = silent.remove(0);
    let left =
        tokio::time::timeout(PATIENCE, first.read(&mut [0; 1])).await.expect("within the handshake's time");
    assert_eq!(left.unwrap(), 0);
    // Plain words at this door are no handshake.
    let mut plain = TcpStream::connect(scene.address).await.unwrap();
    plain.write_all(b"GET /api/hub HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").await.unwrap();
    let mut said = Vec::new();
    let _reset = tokio::time::timeout(Duration::from_secs(20), plain.read_to_end(&mut said)).await.unwrap();
    assert!(!String::from_utf8_lossy(&said).contains("hub"), "{said:?}");
}

/// Takes whoever answers: these tests are about what is said, not about whom to believe.
#[derive(Debug)]
struct Whoever;

impl ServerCertVerifier for Whoever {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}
