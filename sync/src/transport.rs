//! How a hub asks the cloud: HTTP/1.1, one question at a time on a connection that is kept for the next.
//!
//! Connections have no tasks of their own: whoever asks drives them, and dropping a question leaves nothing behind. They are
//! made by a [`Connect`], so that a simulation has its own network. What is absent: when to try again.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, RANGE, RETRY_AFTER};
use hyper::{HeaderMap, Method, Request, StatusCode};
use roomtone_schema::{Clock, HubId, UnixMillis};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use crate::credential::{SigningKey, hub_token};
use crate::wire::{
    self, Chunk, Hash, MEDIA_TYPE, MOST_BYTES, Problem, ProblemCode, TIME_HEADER, VERSION, VERSION_HEADER,
    Version,
};

mod body;
mod connect;
mod files;
mod line;
mod live;

pub use connect::{Address, Connect, Internet, NoAddress};
pub use files::Piece;
pub use live::{Live, Poke};

use line::{Answer, Line};

/// A question without an answer after this has failed.
const ANSWER: Duration = Duration::from_secs(30);

/// A connection is there after this, or not at all.
const CONNECTED: Duration = Duration::from_secs(10);

/// A poll is held by the cloud for 50 s.
const POLL: Duration = Duration::from_secs(75);

/// Connections kept for the next question.
const MOST_IDLE: usize = 3;

/// No problem is described in more.
const MOST_PROBLEM: usize = 64 * 1024;

/// Where the cloud's time is so far from what a token was made with, the next token may be believed.
const CREDIBLE_MS: i64 = 10_000;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// Nobody was reached, or the line broke.
    #[error("the cloud cannot be reached: {0}")]
    Line(String),
    /// A line that should have carried something by now has not.
    #[error("the cloud is not heard any more: {0}")]
    Silent(String),
    /// The cloud has answered that it does not.
    #[error("the cloud refused: {}", .0.message)]
    Refused(Problem),
}

impl NoAnswer {
    fn line(error: impl fmt::Display) -> Self {
        Self::Line(error.to_string())
    }

    fn malformed(error: impl fmt::Display) -> Self {
        Self::Line(format!("what came back is no answer of ours: {error}"))
    }
}

/// A hub's line to the cloud.
pub struct Client<C> {
    connect: C,
    address: Address,
    hub: HubId,
    key: Arc<SigningKey>,
    clock: Arc<dyn Clock>,
    speaks: Version,
    /// The cloud's time less our monotonic clock; [`i64::MIN`] before the first answer.
    ahead: AtomicI64,
    idle: Mutex<Vec<Line>>,
    /// What was fetched of a chunk before the line broke.
    begun: Mutex<Option<(Hash, Vec<u8>)>>,
}

impl<C> fmt::Debug for Client<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("address", &self.address)
            .field("hub", &self.hub)
            .finish_non_exhaustive()
    }
}

impl<C: Connect> Client<C> {
    /// A line that is not open yet.
    pub fn new(
        connect: C,
        address: Address,
        hub: HubId,
        key: Arc<SigningKey>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (idle, begun) = (Mutex::default(), Mutex::default());
        let ahead = AtomicI64::new(i64::MIN);
        Self { connect, address, hub, key, clock, speaks: VERSION, ahead, idle, begun }
    }

    /// The same, of a program that speaks another version.
    #[must_use]
    pub fn speaking(self, version: Version) -> Self {
        Self { speaks: version, ..self }
    }

    /// The cloud's time, as far as it is known; this machine's until the first answer.
    pub fn cloud_now(&self) -> UnixMillis {
        match self.ahead.load(Ordering::Relaxed) {
            i64::MIN => self.clock.wall(),
            ahead => UnixMillis(self.clock.monotonic_ms().saturating_add(ahead)),
        }
    }

    /// By how much the cloud's time is ahead of this machine's, once it is known.
    pub fn offset_ms(&self) -> Option<i64> {
        let is_known = self.ahead.load(Ordering::Relaxed) != i64::MIN;
        is_known.then(|| self.cloud_now().0.saturating_sub(self.clock.wall().0))
    }

    /// Asks a question, as a message, and reads the answer's.
    ///
    /// # Errors
    /// [`NoAnswer`]
    pub async fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        question: &impl Serialize,
    ) -> Result<T, NoAnswer> {
        let body = Bytes::from(wire::encode(question).map_err(NoAnswer::malformed)?);
        let answer = self.within(ANSWER, self.believed(Method::POST, path, &body)).await?;
        wire::decode(&answer.body).map_err(NoAnswer::malformed)
    }

    /// Waits for something new: `None` where nothing happened for as long as the cloud holds such questions.
    ///
    /// # Errors
    /// [`NoAnswer`]
    pub async fn poll(&self, path: &str) -> Result<Option<Vec<Poke>>, NoAnswer> {
        let answer = self.within(POLL, self.believed(Method::GET, path, &Bytes::new())).await?;
        if answer.status == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        serde_json::from_slice(&answer.body).map(Some).map_err(NoAnswer::malformed)
    }

    /// Opens the stream of what moves.
    ///
    /// # Errors
    /// [`NoAnswer`]
    pub async fn live(&self, path: &str) -> Result<Live, NoAnswer> {
        let opening = async {
            let mut line = self.fresh(&self.address).await?;
            let request = self.request(Method::GET, path, &Bytes::new())?;
            let begun = line.begin(request).await.map_err(NoAnswer::line)?;
            self.learn(begun.headers());
            if begun.status() == StatusCode::OK {
                return Ok(Live::new(line, begun.into_body()));
            }
            let (parts, body) = begun.into_parts();
            let body = line.rest(body, MOST_PROBLEM).await.map_err(NoAnswer::line)?;
            Err(NoAnswer::Refused(problem_of(parts.status, &parts.headers, &body)))
        };
        self.within(ANSWER, opening).await
    }

    /// Fetches a chunk of a snapshot, from where it was begun; checks its sum.
    ///
    /// # Errors
    /// [`NoAnswer`]
    pub async fn chunk(&self, chunk: &Chunk) -> Result<Vec<u8>, NoAnswer> {
        if chunk.bytes > MOST_BYTES as u64 {
            return Err(NoAnswer::malformed("a chunk beyond all bounds"));
        }
        let name: Hash = *chunk.sha256;
        let mut bytes = match self.lock_begun().take() {
            Some((begun, bytes)) if begun == name => bytes,
            _ => Vec::new(),
        };
        if let Err(error) = self.fetch(chunk, &mut bytes).await {
            if matches!(error, NoAnswer::Line(_)) {
                *self.lock_begun() = Some((name, bytes));
            }
            return Err(error);
        }
        if Hash::from(Sha256::digest(&bytes)) != name {
            return Err(NoAnswer::malformed("a chunk whose sum is not its name"));
        }
        Ok(bytes)
    }

    async fn fetch(&self, chunk: &Chunk, bytes: &mut Vec<u8>) -> Result<(), NoAnswer> {
        if bytes.len() as u64 >= chunk.bytes {
            bytes.clear();
        }
        let is_here = chunk.url.starts_with('/');
        let (address, path) = if is_here {
            (self.address.clone(), chunk.url.clone())
        } else {
            Address::split(&chunk.url).map_err(NoAnswer::malformed)?
        };
        let mut request =
            if is_here { self.request(Method::GET, &path, &Bytes::new())? } else { bare(&address, &path)? };
        if !bytes.is_empty() {
            let range = format!("bytes={}-", bytes.len()).parse().map_err(NoAnswer::malformed)?;
            request.headers_mut().insert(RANGE, range);
        }
        let mut line = self.fresh(&address).await?;
        let begun =
            timeout(ANSWER, line.begin(request)).await.map_err(NoAnswer::line)?.map_err(NoAnswer::line)?;
        let (parts, body) = begun.into_parts();
        match parts.status {
            StatusCode::PARTIAL_CONTENT => {}
            StatusCode::OK => bytes.clear(),
            status => {
                let body = line.rest(body, MOST_PROBLEM).await.map_err(NoAnswer::line)?;
                return Err(NoAnswer::Refused(problem_of(status, &parts.headers, &body)));
            }
        }
        line.append(body, bytes, chunk.bytes, ANSWER).await.map_err(NoAnswer::line)
    }

    /// Asks; where the token was not believed and the clock was the reason, asks again with what was learnt.
    async fn believed(&self, method: Method, path: &str, body: &Bytes) -> Result<Answer, NoAnswer> {
        let before = self.cloud_now().0;
        let answer = self.once(method.clone(), path, body).await;
        let is_doubted =
            matches!(&answer, Err(NoAnswer::Refused(problem)) if problem.code == ProblemCode::Unauthorised);
        if is_doubted && self.cloud_now().0.abs_diff(before) > CREDIBLE_MS.unsigned_abs() {
            return self.once(method, path, body).await;
        }
        answer
    }

    async fn once(&self, method: Method, path: &str, body: &Bytes) -> Result<Answer, NoAnswer> {
        // A kept connection may have ended meanwhile. Questions may be asked twice, every one of them.
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(line) = kept
            && let Ok(answer) = self.over(line, self.request(method.clone(), path, body)?).await
        {
            return judged(answer);
        }
        let line = self.fresh(&self.address).await?;
        let answer = self.over(line, self.request(method, path, body)?).await?;
        judged(answer)
    }

    async fn over(&self, mut line: Line, request: Request<Full<Bytes>>) -> Result<Answer, NoAnswer> {
        let answer = line.ask(request, MOST_BYTES).await.map_err(NoAnswer::line)?;
        self.learn(&answer.headers);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if line.is_open() && idle.len() < MOST_IDLE {
            idle.push(line);
        }
        Ok(answer)
    }

    async fn fresh(&self, address: &Address) -> Result<Line, NoAnswer> {
        let connecting = async {
            let stream = self.connect.connect(address).await.map_err(NoAnswer::line)?;
            Line::over(stream).await.map_err(NoAnswer::line)
        };
        self.within(CONNECTED, connecting).await
    }

    async fn within<T>(
        &self,
        time: Duration,
        asking: impl Future<Output = Result<T, NoAnswer>>,
    ) -> Result<T, NoAnswer> {
        timeout(time, asking).await.unwrap_or_else(|_| Err(NoAnswer::Line("no answer in time".to_owned())))
    }

    fn request(&self, method: Method, path: &str, body: &Bytes) -> Result<Request<Full<Bytes>>, NoAnswer> {
        let token = hub_token(&self.key, self.hub, self.cloud_now());
        Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.address.host_header())
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .header(VERSION_HEADER, self.speaks.to_string())
            .header(CONTENT_TYPE, MEDIA_TYPE)
            .body(Full::new(body.clone()))
            .map_err(NoAnswer::malformed)
    }

    fn learn(&self, headers: &HeaderMap) {
        let told = headers.get(TIME_HEADER).and_then(|told| told.to_str().ok()?.parse::<i64>().ok());
        if let Some(told) = told {
            self.ahead.store(told.saturating_sub(self.clock.monotonic_ms()), Ordering::Relaxed);
        }
    }

    fn lock_begun(&self) -> std::sync::MutexGuard<'_, Option<(Hash, Vec<u8>)>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn judged(answer: Answer) -> Result<Answer, NoAnswer> {
    if answer.status.is_success() || answer.status == StatusCode::NOT_MODIFIED {
        return Ok(answer);
    }
    Err(NoAnswer::Refused(problem_of(answer.status, &answer.headers, &answer.body)))
}

fn bare(address: &Address, path: &str) -> Result<Request<Full<Bytes>>, NoAnswer> {
    Request::builder()
        .uri(path)
        .header(HOST, address.host_header())
        .body(Full::default())
        .map_err(NoAnswer::malformed)
}

/// What a refusal says; where the body is none of ours (a proxy's page), what the status means.
fn problem_of(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Problem {
    let told = wire::decode_within::<Problem>(body, MOST_PROBLEM).ok();
    let mut problem = told.unwrap_or_else(|| Problem {
        code: code_of(status),
        message: format!("status {}", status.as_u16()),
        ack: None,
        retry_after_ms: None,
    });
    let seconds = headers.get(RETRY_AFTER).and_then(|after| after.to_str().ok()?.parse::<u64>().ok());
    problem.retry_after_ms = problem.retry_after_ms.or(seconds.map(|seconds| seconds.saturating_mul(1_000)));
    problem
}

fn code_of(status: StatusCode) -> ProblemCode {
    match status {
        StatusCode::UNAUTHORIZED => ProblemCode::Unauthorised,
        StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => ProblemCode::NotFound,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => ProblemCode::Busy,
        StatusCode::UPGRADE_REQUIRED => ProblemCode::Version,
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => ProblemCode::Malformed,
        _ => ProblemCode::Failed,
    }
}

#[cfg(test)]
mod tests;
