use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

#[test]
fn an_address_is_a_scheme_a_host_and_a_port() {
    let (address, path) = Address::split("https://cloud.example/a?b=c").unwrap();
    assert_eq!((address.is_secure, address.port, path.as_str()), (true, 443, "/a?b=c"));
    assert_eq!(address.host_header(), "cloud.example");
    let local = Address::parse("http://[::1]:8080").unwrap();
    assert_eq!((local.host.as_str(), local.host_header().as_str()), ("::1", "[::1]:8080"));
    for wrong in ["cloud.example", "ftp://cloud.example", "", "https://"] {
        assert!(Address::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_proxys_page_is_judged_by_its_status() {
    let mut headers = HeaderMap::new();
    headers.insert(RETRY_AFTER, "7".parse().unwrap());
    let problem = problem_of(StatusCode::SERVICE_UNAVAILABLE, &headers, b"<html>");
    assert_eq!((problem.code, problem.retry_after_ms), (ProblemCode::Busy, Some(7_000)));
    let gone = problem_of(StatusCode::BAD_GATEWAY, &HeaderMap::new(), b"");
    assert_eq!(gone.code, ProblemCode::Failed);
}

/// A line on which a cloud beats three times and is then not heard any more, although nothing is closed.
#[derive(Default)]
struct FallsSilent(Mutex<tokio::task::JoinSet<bool>>);

impl Connect for FallsSilent {
    type Stream = tokio::io::DuplexStream;

    async fn connect(&self, _address: &Address) -> std::io::Result<Self::Stream> {
        let (ours, mut theirs) = tokio::io::duplex(4_096);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        let speaking = async move {
            // Whoever answers before they are asked is no server.
            let _request = theirs.read(&mut [0; 4_096]).await.unwrap();
            theirs.write_all(head.as_bytes()).await.unwrap();
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_secs(10)).await;
                theirs.write_all(b"8\r\n: here\n\n\r\n").await.unwrap();
            }
            tokio::time::sleep(Duration::from_secs(25)).await;
            // Whoever has noticed has let go.
            theirs.write_all(b"8\r\n: here\n\n\r\n").await.is_err()
        };
        self.0.lock().unwrap().spawn(speaking);
        Ok(ours)
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_given_up_when_two_beats_were_missed() {
    let clock: Arc<dyn Clock> = Arc::new(roomtone_schema::SystemClock::new());
    let key = Arc::new(SigningKey::from_seed(&[1; 32]).unwrap());
    let address = Address::parse("http://cloud.example").unwrap();
    let client = Client::new(FallsSilent::default(), address, HubId(uuid::Uuid::nil()), key, clock);
    let mut live = client.live("/v1/sync/live").await.unwrap();
    let noticed = tokio::time::timeout(Duration::from_secs(54), live.next()).await;
    assert!(matches!(noticed, Ok(Err(NoAnswer::Silent(_)))), "{noticed:?}");
}
