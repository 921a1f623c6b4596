//! A connection that gives up on whoever keeps it waiting.
//!
//! hyper knows one time, from the end of an answer to the end of the next head. That is too long for a head that
//! arrives a byte at a time, or too short for a phone that asks again in half a minute; and it knows none at all for an
//! answer that nobody takes. So the bytes themselves are watched here.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

/// What a connection is about, as its requests and answers know it.
#[derive(Debug)]
pub(super) struct Pace {
    stage: AtomicU8,
    /// A song is taken at the speed at which it is heard.
    patient: AtomicBool,
    /// Since when it has waited, on a clock that only ever counts waits.
    waiting_since: AtomicU64,
    /// Asks it to end once nothing is under way.
    pub(super) give_way: CancellationToken,
}

/// Nothing of the next request has arrived.
const IDLE: u8 = 0;
/// Some of its head has, or the connection is new and owes one.
const HEAD: u8 = 1;
/// A request is being answered.
const BUSY: u8 = 2;
/// Something else than HTTP is spoken.
const UPGRADED: u8 = 3;

impl Default for Pace {
    fn default() -> Self {
        Self {
            stage: AtomicU8::new(HEAD),
            patient: AtomicBool::new(false),
            waiting_since: AtomicU64::new(0),
            give_way: CancellationToken::new(),
        }
    }
}

impl Pace {
    pub(super) fn begin(&self, patient: bool) {
        self.stage.store(BUSY, Ordering::Relaxed);
        self.patient.store(patient, Ordering::Relaxed);
    }

    pub(super) fn become_other(&self) {
        self.stage.store(UPGRADED, Ordering::Relaxed);
    }

    /// An answer has ended; `turn` says which wait this is.
    pub(super) fn end(&self, turn: u64) {
        if self.stage.compare_exchange(BUSY, IDLE, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.wait_from(turn);
        }
    }

    pub(super) fn wait_from(&self, turn: u64) {
        self.waiting_since.store(turn, Ordering::Relaxed);
    }

    /// Which wait this is, where it waits for a request.
    pub(super) fn waiting(&self) -> Option<u64> {
        let waits = matches!(self.stage.load(Ordering::Relaxed), IDLE | HEAD);
        waits.then(|| self.waiting_since.load(Ordering::Relaxed))
    }

    fn is(&self, stage: u8) -> bool {
        self.stage.load(Ordering::Relaxed) == stage
    }
}

/// For how long each may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) head: Duration,
    pub(super) write: Duration,
    pub(super) patient_write: Duration,
}

/// See the module.
pub(crate) struct Paced<S> {
    stream: S,
    pace: Arc<Pace>,
    times: Times,
    reading: Option<Pin<Box<Sleep>>>,
    writing: Option<Pin<Box<Sleep>>>,
}

impl<S> Paced<S> {
    pub(super) fn new(stream: S, pace: Arc<Pace>, times: Times) -> Self {
        Self { stream, pace, times, reading: None, writing: None }
    }

    /// The connection itself, for whoever speaks something else on it and watches it in their own way.
    pub(crate) fn into_inner(self) -> S {
        self.stream
    }

    /// What a write came to, unless it has waited too long.
    fn in_time<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.writing = None;
            return written;
        }
        let patient = self.pace.patient.load(Ordering::Relaxed);
        let time = if patient { self.times.patient_write } else { self.times.write };
        ready!(expired(&mut self.writing, time, cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

/// Ready when `time` has passed since this was first asked.
fn expired(timer: &mut Option<Pin<Box<Sleep>>>, time: Duration, cx: &mut Context<'_>) -> Poll<()> {
    timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(time))).as_mut().poll(cx)
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if read.is_ready() && self.pace.is(IDLE) {
            self.pace.stage.store(HEAD, Ordering::Relaxed);
        }
        if !self.pace.is(HEAD) {
            self.reading = None;
            return read;
        }
        // A byte now and then is no progress: the time runs until the head is there.
        let head = self.times.head;
        if read.is_pending() && expired(&mut self.reading, head, cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.in_time(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.in_time(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What TLS has taken waits here for the network to take it.
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.in_time(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.in_time(cx, shut)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    const LONG: Duration = Duration::from_hours(1);
    const SHORT: Duration = Duration::from_millis(20);

    fn paced(write: Duration, head: Duration) -> (Paced<DuplexStream>, DuplexStream, Arc<Pace>) {
        let (ours, theirs) = duplex(16);
        let pace = Arc::<Pace>::default();
        (Paced::new(ours, Arc::clone(&pace), Times { head, write, patient_write: LONG }), theirs, pace)
    }

    #[tokio::test]
    async fn a_reader_that_takes_nothing_is_given_up() {
        let (mut ours, _theirs, _) = paced(SHORT, LONG);
        let written = ours.write_all(&[0; 17]).await;
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn the_patience_runs_only_while_a_write_waits_and_starts_anew_with_each() {
        let (mut ours, mut theirs, _) = paced(LONG, LONG);
        ours.write_all(&[0; 16]).await.unwrap();
        assert!(ours.writing.is_none(), "nothing waits yet");
        assert!(poll!(Box::pin(ours.write_u8(0))).is_pending());
        assert!(ours.writing.is_some());
        theirs.read_exact(&mut [0; 1]).await.unwrap();
        ours.write_u8(0).await.unwrap();
        assert!(ours.writing.is_none(), "something moved");
    }

    #[tokio::test]
    async fn a_head_that_comes_byte_by_byte_has_no_more_time_than_another() {
        let (mut ours, mut theirs, _) = paced(LONG, SHORT);
        let dripping = async {
            loop {
                tokio::time::sleep(SHORT / 4).await;
                if theirs.write_u8(b'x').await.is_err() {
                    return;
                }
            }
        };
        let reading = async {
            loop {
                if let Err(error) = ours.read_u8().await {
                    return error.kind();
                }
            }
        };
        tokio::select! {
            () = dripping => panic!("the head may take for ever"),
            why = reading => assert_eq!(why, io::ErrorKind::TimedOut),
        }
    }

    #[tokio::test]
    async fn between_two_requests_there_is_no_hurry() {
        let (mut ours, _theirs, pace) = paced(LONG, SHORT);
        pace.begin(false);
        pace.end(7);
        assert_eq!(pace.waiting(), Some(7));
        assert!(tokio::time::timeout(SHORT * 3, ours.read_u8()).await.is_err());
    }
}
