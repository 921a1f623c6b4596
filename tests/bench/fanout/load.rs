//! The phones: raw sockets on epoll, one thread a core. A frame is looked at for the moment it was made, and no more.
//!
//! Nobody waits in epoll: on a loopback it is the sender who pays for waking a receiver, which no phone on a network
//! costs a server. The sockets are looked at every millisecond instead, so delays are a millisecond too long at most.

use std::io::{BufRead as _, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use rustix::event::epoll;
use rustix::time::Timespec;

use crate::schema::{QUERY, micros};

/// Sockets that introduce themselves at once.
const SHAKING: usize = 16;

/// For how long an answer to an introduction may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// How often sockets are looked at that have nothing to say.
const LOOK: Duration = Duration::from_millis(1);

/// What one read takes: some frames.
const READ: usize = 16 * 1024;

const TEXT: u8 = 1;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Connects `clients` sockets, then counts what they are sent between the words `go` and `stop`.
pub(crate) fn run(port: u16, clients: usize) {
    let sockets = connect_all(port, clients);
    println!("SUBSCRIBED {}", sockets.len());
    let (counting, over) = (AtomicBool::new(false), AtomicBool::new(false));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut shares: Vec<Vec<Phone>> = (0..threads).map(|_| Vec::new()).collect();
    for (at, socket) in sockets.into_iter().enumerate() {
        shares[at % threads].push(Phone { socket, begun: Vec::new() });
    }
    let mut delays: Vec<u32> = std::thread::scope(|scope| {
        let readers: Vec<_> =
            shares.into_iter().map(|share| scope.spawn(|| read(share, &counting, &over))).collect();
        for word in std::io::stdin().lock().lines() {
            match word.unwrap().as_str() {
                "go" => {
                    counting.store(true, Ordering::SeqCst);
                    println!("COUNTING");
                }
                _ => break,
            }
        }
        over.store(true, Ordering::SeqCst);
        readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect()
    });
    delays.sort_unstable();
    let at = |share: f64| delays.get((delays.len() as f64 * share) as usize).copied().unwrap_or(0);
    println!("HEARD {} {} {}", delays.len(), at(0.5), at(0.99));
}

struct Phone {
    socket: TcpStream,
    /// A frame of which only the beginning has come.
    begun: Vec<u8>,
}

fn connect_all(port: u16, clients: usize) -> Vec<TcpStream> {
    let sockets = Mutex::new(Vec::with_capacity(clients));
    std::thread::scope(|scope| {
        for shaker in 0..SHAKING {
            let sockets = &sockets;
            scope.spawn(move || {
                for _ in (shaker..clients).step_by(SHAKING) {
                    let socket = connect(port);
                    sockets.lock().unwrap().push(socket);
                }
            });
        }
    });
    sockets.into_inner().unwrap()
}

/// A socket that has introduced itself and subscribed.
fn connect(port: u16) -> TcpStream {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_nodelay(true).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let hello = format!(
        "GET /graphql HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         sec-websocket-protocol: graphql-transport-ws\r\n\r\n"
    );
    socket.write_all(hello.as_bytes()).unwrap();
    wait_for(&mut socket, b"\r\n\r\n");
    socket.write_all(&frame(TEXT, br#"{"type":"connection_init"}"#)).unwrap();
    wait_for(&mut socket, b"connection_ack");
    let subscribe = format!(r#"{{"id":"1","type":"subscribe","payload":{{"query":"{QUERY}"}}}}"#);
    socket.write_all(&frame(TEXT, subscribe.as_bytes())).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

fn wait_for(socket: &mut TcpStream, words: &[u8]) {
    let (mut heard, mut buffer) = (Vec::new(), [0; 1024]);
    while !heard.windows(words.len()).any(|window| window == words) {
        let read = socket.read(&mut buffer).unwrap();
        assert_ne!(read, 0, "closed: {}", String::from_utf8_lossy(&heard));
        heard.extend_from_slice(&buffer[..read]);
    }
}

/// A frame from a client, with a mask that changes nothing.
fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    const WHOLE: u8 = 0x80;
    const MASKED: u8 = 0x80;
    const MEDIUM: u8 = 126;
    let mut frame = vec![WHOLE | kind];
    match u8::try_from(payload.len()) {
        Ok(length) if length < MEDIUM => frame.push(MASKED | length),
        _ => {
            frame.push(MASKED | MEDIUM);
            frame.extend_from_slice(&(payload.len() as u16).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// The microseconds from the making to the reading of every answer that came while it counted.
fn read(mut phones: Vec<Phone>, counting: &AtomicBool, over: &AtomicBool) -> Vec<u32> {
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
    for (at, phone) in phones.iter().enumerate() {
        epoll::add(&poll, &phone.socket, epoll::EventData::new_u64(at as u64), epoll::EventFlags::IN)
            .unwrap();
    }
    let (mut delays, mut buffer) = (Vec::new(), vec![0; READ]);
    let mut events = [MaybeUninit::uninit(); 1024];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    while !over.load(Ordering::Relaxed) {
        let Ok((ready, _)) = epoll::wait(&poll, &mut events, Some(&at_once)) else { continue };
        if ready.is_empty() {
            sleep(LOOK);
        }
        for event in ready {
            let phone = &mut phones[event.data.u64() as usize];
            match phone.socket.read(&mut buffer) {
                Ok(0) => epoll::delete(&poll, &phone.socket).unwrap(),
                Ok(read) => {
                    let now = micros();
                    let counts = counting.load(Ordering::Relaxed);
                    phone.take(&buffer[..read], |made| {
                        if counts {
                            delays.push(now.saturating_sub(made) as u32);
                        }
                    });
                }
                Err(_not_now) => {}
            }
        }
    }
    delays
}

impl Phone {
    fn take(&mut self, bytes: &[u8], mut heard: impl FnMut(u64)) {
        if self.begun.is_empty() {
            let rest = self.frames(bytes, &mut heard);
            self.begun.extend_from_slice(rest);
        } else {
            let mut all = std::mem::take(&mut self.begun);
            all.extend_from_slice(bytes);
            let rest = self.frames(&all, &mut heard).to_vec();
            self.begun = rest;
        }
    }

    /// Looks at the whole frames; what is left is the beginning of another.
    fn frames<'a>(&mut self, mut bytes: &'a [u8], heard: &mut impl FnMut(u64)) -> &'a [u8] {
        while let Some((kind, payload, rest)) = split(bytes) {
            match kind {
                TEXT => {
                    if let Some(made) = moment(payload) {
                        heard(made);
                    }
                }
                PING => drop(self.socket.write_all(&frame(PONG, payload))),
                _ => {}
            }
            bytes = rest;
        }
        bytes
    }
}

/// The first frame and what follows it, if it has come whole. What comes from a server has no mask.
fn split(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (head, length) = match *bytes.get(1)? {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize),
        short => (2, usize::from(short)),
    };
    let payload = bytes.get(head..head + length)?;
    Some((bytes[0] & 0x0f, payload, &bytes[head + length..]))
}

/// The number after `"at":`.
fn moment(payload: &[u8]) -> Option<u64> {
    const AT: &[u8] = br#""at":"#;
    let from = payload.windows(AT.len()).position(|window| window == AT)? + AT.len();
    let digits = payload[from..].iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}
