//! A line between two programs that can be bad: slow, cut, or silent.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How the line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// As if it were not there.
    Good,
    /// Whatever goes over it takes this long.
    Slow(Duration),
    /// A connection ends once so many bytes have gone over it, in both directions together.
    CutAfter(u64),
    /// It takes connections and bytes, and nothing comes of it. What was sent arrives when it is good again.
    Silent,
}

/// A line to a port of this machine. Dropped, it is gone with every connection.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    to: Arc<AtomicU16>,
    line: watch::Sender<Line>,
    carried: Arc<AtomicU64>,
    cuts: Arc<AtomicU64>,
    _work: JoinSet<()>,
}

/// What each connection knows of its line.
#[derive(Debug, Clone)]
struct Ends {
    line: watch::Receiver<Line>,
    /// Over all connections.
    carried: Arc<AtomicU64>,
    cuts: Arc<AtomicU64>,
    /// Over this one.
    bytes: Arc<AtomicU64>,
}

impl Proxy {
    /// A good line to this port of the machine.
    pub async fn to(port: u16) -> Self {
        let this = Self::to_nowhere().await;
        this.leads_to(port);
        this
    }

    /// A line that leads nowhere yet: for what must be told its address before it has a port itself.
    pub async fn to_nowhere() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        let own = listener.local_addr().expect("a bound port").port();
        let (line, watched) = watch::channel(Line::Good);
        let (carried, cuts) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let ends = Ends {
            line: watched,
            carried: Arc::clone(&carried),
            cuts: Arc::clone(&cuts),
            bytes: Arc::default(),
        };
        let mut work = JoinSet::new();
        let to = Arc::<AtomicU16>::default();
        work.spawn(accept(listener, Arc::clone(&to), ends));
        Self { port: own, to, line, carried, cuts, _work: work }
    }

    /// From now on new connections lead to this port.
    pub fn leads_to(&self, port: u16) {
        self.to.store(port, Ordering::Relaxed);
    }

    /// Its own address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From now on it is like this, for connections that stand, too.
    pub fn becomes(&self, line: Line) {
        self.line.send_replace(line);
    }

    /// Bytes that went over it.
    pub fn carried(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }

    /// Connections that it has cut.
    pub fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::Relaxed)
    }
}

async fn accept(listener: TcpListener, to: Arc<AtomicU16>, ends: Ends) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((from, _)) = accepted else { continue };
                connections.spawn(carry(from, Arc::clone(&to), Ends { bytes: Arc::default(), ..ends.clone() }));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn carry(from: TcpStream, to: Arc<AtomicU16>, mut ends: Ends) {
    ends.not_silent().await;
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, to.load(Ordering::Relaxed)));
    let Ok(other) = TcpStream::connect(to).await else { return };
    let ((from_read, from_write), (to_read, to_write)) = (from.into_split(), other.into_split());
    let (there, back) = (pump(from_read, to_write, ends.clone()), pump(to_read, from_write, ends));
    tokio::pin!(there, back);
    // One that was cut takes the other with it; one that has ended in order lets the other end, too.
    tokio::select! {
        ended = &mut there => if ended == Ended::InOrder { back.await; },
        ended = &mut back => if ended == Ended::InOrder { there.await; },
    }
}

/// How one direction came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    InOrder,
    Cut,
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut ends: Ends) -> Ended {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(read) = from.read(&mut buffer).await else { return Ended::Cut };
        ends.not_silent().await;
        if read == 0 {
            return if to.shutdown().await.is_ok() { Ended::InOrder } else { Ended::Cut };
        }
        let line = *ends.line.borrow();
        if let Line::Slow(by) = line {
            tokio::time::sleep(by).await;
        }
        let before = ends.bytes.fetch_add(read as u64, Ordering::Relaxed);
        let let_through = match line {
            Line::CutAfter(most) => most.saturating_sub(before).min(read as u64) as usize,
            _ => read,
        };
        ends.carried.fetch_add(let_through as u64, Ordering::Relaxed);
        if to.write_all(&buffer[..let_through]).await.is_err() {
            return Ended::Cut;
        }
        if let_through < read {
            ends.cuts.fetch_add(1, Ordering::Relaxed);
            return Ended::Cut;
        }
    }
}

impl Ends {
    /// Waits for as long as the line is silent.
    async fn not_silent(&mut self) {
        let _gone_with_the_proxy = self.line.wait_for(|line| *line != Line::Silent).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Something that says everything back.
    async fn echo() -> (u16, JoinSet<()>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut work = JoinSet::new();
        work.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(async move {
                    let (mut read, mut write) = stream.into_split();
                    let _ended = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        (port, work)
    }

    async fn said_back(proxy: &Proxy, bytes: usize) -> Vec<u8> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port)).await.unwrap();
        stream.write_all(&vec![7; bytes]).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut heard = Vec::new();
        let _cut = stream.read_to_end(&mut heard).await;
        heard
    }

    #[tokio::test]
    async fn a_good_line_carries_all_and_a_cut_one_no_more_than_it_may() {
        let (port, _echo) = echo().await;
        let proxy = Proxy::to(port).await;
        assert_eq!(said_back(&proxy, 100_000).await.len(), 100_000);
        proxy.becomes(Line::CutAfter(1_000));
        assert!(said_back(&proxy, 100_000).await.len() <= 1_000);
        assert!(proxy.cuts() > 0);
    }

    #[tokio::test]
    async fn what_a_silent_line_was_given_arrives_when_it_is_good_again() {
        let (port, _echo) = echo().await;
        let proxy = Proxy::to(port).await;
        proxy.becomes(Line::Silent);
        let mut heard = std::pin::pin!(said_back(&proxy, 1_000));
        let waited = tokio::time::timeout(Duration::from_millis(200), &mut heard).await;
        assert!(waited.is_err(), "a silent line said something");
        proxy.becomes(Line::Good);
        assert_eq!(heard.await.len(), 1_000);
    }
}
