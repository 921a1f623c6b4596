//! What a network does with whole questions: it brings them twice, brings them late, and loses answers to what was done.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::{StreamExt as _, stream};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use turmoil::Sim;
use turmoil::net::TcpStream;

/// Which name the second box of the post goes by: what it brings late comes from there.
const OFFICE: &str = "post";

/// Marks what comes late, so that it is brought as it is.
const LATE: &str = "late";

/// No question of the simulation is longer.
const MOST: usize = 8 << 20;

/// How often each thing was done.
#[derive(Debug, Default)]
pub struct Tally {
    /// Questions that were brought twice, one right behind the other.
    pub doubled: AtomicU64,
    /// Questions of which a copy came later, behind newer ones.
    pub echoed: AtomicU64,
    /// Answers that were lost after the question was done.
    pub unanswered: AtomicU64,
    /// Questions that came later than the hub waits, behind newer ones.
    pub delayed: AtomicU64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        write!(f, "doubled={} echoed={} ", read(&self.doubled), read(&self.echoed))?;
        write!(f, "unanswered={} delayed={}", read(&self.unanswered), read(&self.delayed))
    }
}

/// A question that is under way.
#[derive(Debug)]
struct Letter {
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

/// The post. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Post {
    chance: Arc<Mutex<StdRng>>,
    letters: Arc<Mutex<BTreeMap<(Duration, u64), Letter>>>,
    is_calm: Arc<AtomicBool>,
    /// What it has done.
    pub tally: Arc<Tally>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now() -> Duration {
    turmoil::sim_elapsed().unwrap_or_default()
}

/// How long the first bytes of what breaks off have to arrive.
const BEFORE_A_CUT: Duration = Duration::from_secs(1);

/// A body that breaks off after its first bytes.
pub fn cut(first: Bytes) -> Body {
    let broken = async {
        tokio::time::sleep(BEFORE_A_CUT).await;
        Err(io::Error::other("the line is cut"))
    };
    Body::from_stream(stream::iter([Ok(first)]).chain(stream::once(broken)))
}

impl Post {
    /// A post that does what `seed` says.
    pub fn new(seed: u64) -> Self {
        let chance = Arc::new(Mutex::new(StdRng::seed_from_u64(seed)));
        Self { chance, letters: Arc::default(), is_calm: Arc::default(), tally: Arc::default() }
    }

    /// From now on everything comes once and in time, but for what is under way.
    pub fn calm(&self) {
        self.is_calm.store(true, Ordering::Relaxed);
    }

    fn keep(&self, letter: Letter, least_ms: u64) {
        let after = Duration::from_millis(lock(&self.chance).random_range(least_ms..60_000));
        let mut letters = lock(&self.letters);
        // A number of its own where two are due at once.
        let number = letters.len() as u64 + now().as_millis() as u64;
        letters.insert((now() + after, number), letter);
    }

    fn due(&self) -> Option<Letter> {
        let mut letters = lock(&self.letters);
        let first = letters.first_entry().filter(|first| first.key().0 <= now())?;
        Some(first.remove())
    }

    /// Runs beside the cloud and brings what comes late, whatever has become of the cloud meanwhile.
    pub fn start(&self, sim: &mut Sim<'_>, cloud: &'static str, port: u16) {
        let office = self.clone();
        sim.host(OFFICE, move || {
            let office = office.clone();
            async move {
                loop {
                    while let Some(letter) = office.due() {
                        // Where the cloud is not there, the letter is lost.
                        let _lost =
                            tokio::time::timeout(Duration::from_secs(5), bring(&letter, cloud, port)).await;
                    }
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
            }
        });
    }
}

async fn bring(letter: &Letter, cloud: &str, port: u16) -> io::Result<()> {
    let mut line = TcpStream::connect((cloud, port)).await?;
    let mut head = format!("POST {} HTTP/1.1\r\n{LATE}: yes\r\nconnection: close\r\n", letter.path);
    for (name, value) in &letter.headers {
        if name != "connection" {
            head.extend([name.as_str(), ": ", value.to_str().unwrap_or_default(), "\r\n"]);
        }
    }
    head += "\r\n";
    line.write_all(head.as_bytes()).await?;
    line.write_all(&letter.body).await?;
    let mut answer = Vec::new();
    line.read_to_end(&mut answer).await.map(drop)
}

/// Middleware before the cloud's own: what becomes of a question on its way.
pub async fn carry(State(post): State<Post>, request: Request, next: Next) -> Response {
    let is_late = request.headers().contains_key(LATE);
    if request.method() != Method::POST || is_late || post.is_calm.load(Ordering::Relaxed) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MOST).await else { return StatusCode::BAD_REQUEST.into_response() };
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let letter = || Letter { path: path.clone(), headers: parts.headers.clone(), body: body.clone() };
    let again = || Request::from_parts(parts.clone(), Body::from(body.clone()));
    let count = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
    let drawn = lock(&post.chance).random_range(0..100);
    match drawn {
        0..6 => {
            count(&post.tally.doubled);
            let first = next.clone().run(again()).await;
            let second = next.run(again()).await;
            if drawn < 3 { first } else { second }
        }
        6..12 => {
            count(&post.tally.echoed);
            post.keep(letter(), 500);
            next.run(again()).await
        }
        12..17 => {
            count(&post.tally.unanswered);
            drop(next.run(again()).await);
            cut(Bytes::new()).into_response()
        }
        17..20 => {
            count(&post.tally.delayed);
            post.keep(letter(), 1_000);
            cut(Bytes::new()).into_response()
        }
        _ => next.run(again()).await,
    }
}
