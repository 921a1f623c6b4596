//! Where somebody says that the hub is: `--hub 192.168.1.20`.
//!
//! People know the address of the hub's page. Where its players' port is, the hub says there (`/api/hub`); whether it
//! is the right hub at all, its key says later. What is said here in the clear is believed by nobody.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::Request;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

/// The port of a hub's page, unless it was told another.
const PAGE_PORT: u16 = 4700;

/// How long the hub may take to say where its players' port is.
const PATIENCE: Duration = Duration::from_secs(2);

/// An answer is a few words.
const ANSWER_BYTES: usize = 4_096;

/// A host and the port of its page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HubAddress {
    host: String,
    port: u16,
}

/// What was written is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address of a hub; write it as 192.168.1.20, [fe80::1]:4700 or http://hub.local:4700/")]
pub struct NoAddress(String);

impl FromStr for HubAddress {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let no = || NoAddress(text.to_owned());
        let bare = text.trim().strip_prefix("http://").unwrap_or(text.trim());
        let bare = bare.split(['/', '#', '?']).next().unwrap_or_default();
        let (host, port) = if let Ok(ip) = bare.parse::<std::net::Ipv6Addr>() {
            (ip.to_string(), PAGE_PORT)
        } else if let Some((host, rest)) = bare.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            (host.to_owned(), port(rest).ok_or_else(no)?)
        } else {
            let (host, rest) = bare.find(':').map_or((bare, ""), |at| bare.split_at(at));
            (host.to_owned(), port(rest).ok_or_else(no)?)
        };
        let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | ':' | '%' | '_');
        if host.is_empty() || !host.chars().all(fits) { Err(no()) } else { Ok(Self { host, port }) }
    }
}

/// `:4700`, or nothing for the usual one.
fn port(text: &str) -> Option<u16> {
    if text.is_empty() { Some(PAGE_PORT) } else { text.strip_prefix(':')?.parse().ok() }
}

impl fmt::Display for HubAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl TryFrom<String> for HubAddress {
    type Error = NoAddress;

    fn try_from(text: String) -> Result<Self, NoAddress> {
        text.parse()
    }
}

impl From<HubAddress> for String {
    fn from(address: HubAddress) -> Self {
        address.to_string()
    }
}

#[derive(Debug, Deserialize)]
struct AboutHub {
    tls: u16,
}

impl HubAddress {
    /// Where players connect there: what the hub says, else the port behind that of its page. Empty where the name
    /// leads nowhere.
    pub async fn for_players(&self) -> Vec<SocketAddr> {
        let found = tokio::time::timeout(PATIENCE, tokio::net::lookup_host((self.host.as_str(), self.port)));
        let Ok(Ok(found)) = found.await else { return Vec::new() };
        let mut addresses: Vec<SocketAddr> = found.collect();
        addresses.sort_by_key(SocketAddr::is_ipv6);
        let mut ports = Vec::new();
        for address in &addresses {
            let told = tokio::time::timeout(PATIENCE, about(*address)).await;
            if let Ok(Ok(about)) = told {
                ports.push(about.tls);
                break;
            }
        }
        ports.extend(self.port.checked_add(1));
        ports.dedup();
        // By changing the port alone, so that a link-local address keeps the interface it is on.
        let at = |mut address: SocketAddr, port| {
            address.set_port(port);
            address
        };
        ports.iter().flat_map(|port| addresses.iter().map(move |address| at(*address, *port))).collect()
    }
}

async fn about(address: SocketAddr) -> anyhow::Result<AboutHub> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get("/api/hub").header("host", address.to_string()).body(Empty::<Bytes>::new())?;
    let exchange = async {
        let body = sender.send_request(request).await?.into_body();
        let body = Limited::new(body, ANSWER_BYTES).collect().await.map_err(anyhow::Error::from_boxed)?;
        anyhow::Ok(serde_json::from_slice(&body.to_bytes())?)
    };
    tokio::pin!(exchange, connection);
    tokio::select! {
        answer = &mut exchange => answer,
        ended = &mut connection => {
            ended?;
            exchange.await
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[rstest]
    #[case::ipv4("192.0.2.7", "192.0.2.7:4700")]
    #[case::port("192.0.2.7:80", "192.0.2.7:80")]
    #[case::page("http://hub.local:4700/#code=X", "hub.local:4700")]
    #[case::ipv6("fe80::1", "[fe80::1]:4700")]
    #[case::ipv6_with_port("[fe80::1%eth0]:4710", "[fe80::1%eth0]:4710")]
    fn an_address_is_read_as_people_write_it(#[case] text: &str, #[case] expected: &str) {
        let address: HubAddress = text.parse().unwrap();
        assert_eq!(address.to_string(), expected);
        assert_eq!(address.to_string().parse(), Ok(address));
    }

    #[rstest]
    #[case::nothing("")]
    #[case::no_port("hub:loud")]
    #[case::far_port("hub:70000")]
    #[case::words("the hub over there")]
    #[case::https("https://hub")]
    fn what_is_none_is_refused(#[case] text: &str) {
        assert!(text.parse::<HubAddress>().is_err());
    }

    #[tokio::test]
    async fn the_hub_says_where_players_connect() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answer = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0; 1_024];
            let n = stream.read(&mut head).await.unwrap();
            assert!(head[..n].starts_with(b"GET /api/hub "));
            let body = r#"{"hub":"x","tls":7777}"#;
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        };
        let address: HubAddress = format!("127.0.0.1:{port}").parse().unwrap();
        let (found, ()) = tokio::join!(address.for_players(), answer);
        assert_eq!(found[0], "127.0.0.1:7777".parse().unwrap());
    }
}
