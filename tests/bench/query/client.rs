//! The load: kept connections, one request at a time on each, answers counted and looked at.

use std::time::{Duration, Instant};

use roomtone_schema::seed::Seeded;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::server::Server;
use crate::work::Work;

const CONNECTIONS: u64 = 32;

/// Before anything is counted: compilers compile, caches fill.
const WARM_UP: Duration = Duration::from_secs(2);

/// For how long is counted.
const COUNTED: Duration = Duration::from_secs(4);

/// A connection that is kept.
pub(crate) struct Connection {
    stream: TcpStream,
    host: String,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, host: server.address.to_string(), buffer: Vec::with_capacity(64 * 1024) }
    }

    /// Sends a request and reads its answer's body.
    pub(crate) async fn ask(&mut self, body: &str) -> &[u8] {
        let (host, length) = (&self.host, body.len());
        let request = format!(
            "POST /graphql HTTP/1.1\r\nhost: {host}\r\naccept: application/json\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        self.stream.write_all(request.as_bytes()).await.unwrap();
        self.buffer.clear();
        loop {
            let read = self.stream.read_buf(&mut self.buffer).await.unwrap();
            assert!(read > 0, "the server closed the connection");
            if let Some((start, end)) = body_of(&self.buffer)
                && self.buffer.len() >= end
            {
                return &self.buffer[start..end];
            }
        }
    }
}

/// Where the body of an answer begins and ends, once its head is there. Every server here says how long it is.
fn body_of(answer: &[u8]) -> Option<(usize, usize)> {
    let start = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&answer[..start]).unwrap().to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200"), "{}", String::from_utf8_lossy(answer));
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).unwrap();
    Some((start, start + length.trim().parse::<usize>().unwrap()))
}

/// CPU microseconds of the server per request, and requests per second.
pub(crate) async fn measure(server: &Server, work: Work, cursors: &[String], round: u64) -> (f64, f64) {
    load(server, work, cursors, round, WARM_UP).await;
    let (cpu, began) = (server.cpu(), Instant::now());
    let answered = load(server, work, cursors, round + 1_000, COUNTED).await;
    let (cpu, seconds) = (server.cpu() - cpu, began.elapsed().as_secs_f64());
    (cpu / answered as f64 * 1e6, answered as f64 / seconds)
}

async fn load(server: &Server, work: Work, cursors: &[String], seed: u64, time: Duration) -> u64 {
    let mut clients = JoinSet::new();
    let cursors: std::sync::Arc<[String]> = cursors.into();
    for number in 0..CONNECTIONS {
        let mut connection = Connection::open(server).await;
        let cursors = std::sync::Arc::clone(&cursors);
        clients.spawn(async move {
            let mut chance = Seeded::new(seed << 32 | number);
            let (began, mut answered) = (Instant::now(), 0_u64);
            while began.elapsed() < time {
                let body = work.request(&mut chance, &cursors);
                let answer = connection.ask(&body).await;
                assert!(work.is_answer(answer), "{body} got {}", String::from_utf8_lossy(answer));
                answered += 1;
            }
            answered
        });
    }
    clients.join_all().await.into_iter().sum()
}
