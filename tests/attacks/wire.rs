//! HTTP written out by hand: an attacker uses no client library's good manners.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use roomtone_tests::TestVenue;
use serde_json::{Value, json};

/// Long enough for a debug build on a busy machine; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Self { status, head, body: String::from_utf8_lossy(&bytes[end + 4..]).into_owned() })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// The code of the first error.
    pub(crate) fn code(&self) -> String {
        self.json()["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// What the first error says.
    pub(crate) fn message(&self) -> String {
        self.json()["errors"][0]["message"]
            .as_str()
            .unwrap_or_else(|| panic!("no error: {self:?}"))
            .to_owned()
    }
}

/// A connection to a venue's hub.
pub(crate) fn connect(venue: &TestVenue) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", venue.port())).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Reads until the other end closes; what was read before a reset counts.
pub(crate) fn rest_of(stream: &mut TcpStream) -> Vec<u8> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 16 * 1024]);
    while let Ok(read @ 1..) = stream.read(&mut piece) {
        bytes.extend_from_slice(&piece[..read]);
    }
    bytes
}

/// Sends bytes and reads the answer. The hub may close before it has read them all.
pub(crate) fn exchange(venue: &TestVenue, request: &[u8]) -> Reply {
    let mut stream = connect(venue);
    let _ = stream.write_all(request);
    let bytes = rest_of(&mut stream);
    Reply::parse(&bytes).unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(&bytes)))
}

pub(crate) fn request(venue: &TestVenue, method: &str, path: &str, headers: &str, body: &str) -> Reply {
    let (port, length) = (venue.port(), body.len());
    let host = if headers.lines().any(|line| line.starts_with("host:")) {
        String::new()
    } else {
        format!("host: 127.0.0.1:{port}\r\n")
    };
    let head = format!(
        "{method} {path} HTTP/1.1\r\n{host}connection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    exchange(venue, format!("{head}{body}").as_bytes())
}

pub(crate) fn post(venue: &TestVenue, headers: &str, body: &str) -> Reply {
    request(venue, "POST", "/graphql", &format!("content-type: application/json\r\n{headers}"), body)
}

/// A GraphQL request by POST.
pub(crate) fn ask(venue: &TestVenue, query: &str) -> Reply {
    ask_with(venue, query, &json!({}))
}

pub(crate) fn ask_with(venue: &TestVenue, query: &str, variables: &Value) -> Reply {
    post(venue, "", &json!({ "query": query, "variables": variables }).to_string())
}

/// The hub is there and answers.
pub(crate) fn assert_alive(venue: &TestVenue) {
    let reply = ask(venue, "{ venue { name } }");
    assert!(reply.json()["data"]["venue"]["name"].is_string(), "{reply:?}");
}

/// A text so many times, with its number for each `#`.
pub(crate) fn numbered(times: usize, text: &str) -> String {
    (0..times).map(|number| text.replace('#', &number.to_string())).collect()
}

/// A document as it stands in an address.
pub(crate) fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        let _ = write!(escaped, "%{byte:02X}");
        escaped
    })
}
