//! What stands between the programs and the simulated network: connections, a listener, clocks.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use roomtone_schema::{Clock, UnixMillis};
use roomtone_sync::transport::{Address, Connect};
use turmoil::net::{TcpListener, TcpStream};

/// When every simulation begins.
pub const BEGINNING: i64 = 1_795_348_800_000;

/// Connects on the simulated network.
#[derive(Debug, Clone, Copy)]
pub struct Simulated;

impl Connect for Simulated {
    type Stream = TcpStream;

    async fn connect(&self, address: &Address) -> io::Result<TcpStream> {
        TcpStream::connect((address.host.as_str(), address.port)).await
    }
}

/// Listens on it.
pub struct Listening(pub TcpListener);

impl std::fmt::Debug for Listening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Listening")
    }
}

impl axum::serve::Listener for Listening {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            if let Ok(accepted) = self.0.accept().await {
                return accepted;
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A machine's clocks: the wall clock is wrong by as much as it was told.
#[derive(Debug, Clone, Default)]
pub struct SimClock {
    wrong_by: Arc<AtomicI64>,
}

impl SimClock {
    /// Sets the wall clock wrong.
    pub fn set_wrong_by(&self, ms: i64) {
        self.wrong_by.store(ms, Ordering::Relaxed);
    }
}

impl Clock for SimClock {
    fn wall(&self) -> UnixMillis {
        UnixMillis(BEGINNING + self.monotonic_ms() + self.wrong_by.load(Ordering::Relaxed))
    }

    fn monotonic_ms(&self) -> i64 {
        turmoil::sim_elapsed().map_or(0, |elapsed| elapsed.as_millis() as i64)
    }
}
