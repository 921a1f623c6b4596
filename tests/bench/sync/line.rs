//! A line to the cloud that counts what goes over it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use roomtone_sync::transport::{Address, Connect};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Bytes that went over the line, both ways, with all that HTTP says around them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meter {
    up: Arc<AtomicU64>,
    down: Arc<AtomicU64>,
    /// The line breaks once, when so many have come; zero where it does not.
    cut: Arc<AtomicU64>,
    is_cut: Arc<AtomicBool>,
}

impl Meter {
    /// Bytes to the cloud, and from it.
    pub(crate) fn read(&self) -> (u64, u64) {
        (self.up.load(Ordering::Relaxed), self.down.load(Ordering::Relaxed))
    }

    /// Breaks the line once, when so many bytes have come.
    pub(crate) fn cut_after(&self, bytes: u64) {
        self.cut.store(bytes, Ordering::Relaxed);
    }

    /// Whether it was.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Relaxed)
    }

    fn breaks(&self) -> bool {
        let cut = self.cut.load(Ordering::Relaxed);
        cut > 0 && self.read().1 >= cut && !self.is_cut.swap(true, Ordering::Relaxed)
    }
}

/// Connects in the clear, and counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counted(pub(crate) Meter);

impl Connect for Counted {
    type Stream = CountedStream;

    async fn connect(&self, address: &Address) -> io::Result<CountedStream> {
        let stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
        stream.set_nodelay(true)?;
        Ok(CountedStream { stream, meter: self.0.clone() })
    }
}

/// See [`Counted`].
#[derive(Debug)]
pub(crate) struct CountedStream {
    stream: TcpStream,
    meter: Meter,
}

impl AsyncRead for CountedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.meter.breaks() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let before = buf.filled().len();
        let done = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.meter.down.fetch_add((buf.filled().len() - before) as u64, Ordering::Relaxed);
        done
    }
}

impl AsyncWrite for CountedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(written)) = &done {
            self.meter.up.fetch_add(*written as u64, Ordering::Relaxed);
        }
        done
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
