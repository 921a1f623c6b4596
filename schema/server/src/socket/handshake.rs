//! How a connection becomes a WebSocket: the handshake of RFC 6455, without extensions.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{Method, StatusCode, Version};
use axum::response::{IntoResponse, Response};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The one subprotocol; the legacy `graphql-ws` is not spoken.
const PROTOCOL: &str = "graphql-transport-ws";

/// A client that may come in.
#[derive(Debug)]
pub(super) struct Handshake {
    accept: HeaderValue,
    /// Whether it offered to speak our protocol. Whoever did not is told so by a close code, which pages can see.
    pub(super) speaks: bool,
}

impl Handshake {
    /// Reads what a client asks for, or answers why it cannot have it.
    #[expect(clippy::result_large_err, reason = "it becomes the answer at once")]
    pub(super) fn read(request: &Request) -> Result<Self, Response> {
        let names = |header, name| listed(request, header).any(|found| found.eq_ignore_ascii_case(name));
        if request.method() != Method::GET || request.version() != Version::HTTP_11 {
            return Err(refused(StatusCode::METHOD_NOT_ALLOWED, "a WebSocket begins with GET over HTTP/1.1"));
        }
        if !names(&CONNECTION, "upgrade") {
            return Err(refused(StatusCode::BAD_REQUEST, "a WebSocket needs \"connection: upgrade\""));
        }
        if request.headers().get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
            let ours = [(SEC_WEBSOCKET_VERSION, "13")];
            let why = refused(StatusCode::UPGRADE_REQUIRED, "only version 13 of WebSocket is spoken");
            return Err((ours, why).into_response());
        }
        // 16 bytes in base64.
        let key = request.headers().get(SEC_WEBSOCKET_KEY).filter(|key| key.len() == 24);
        let accept = key.map(|key| HeaderValue::try_from(derive_accept_key(key.as_bytes())));
        let Some(Ok(accept)) = accept else {
            return Err(refused(StatusCode::BAD_REQUEST, "the sec-websocket-key is missing or malformed"));
        };
        Ok(Self { accept, speaks: listed(request, &SEC_WEBSOCKET_PROTOCOL).any(|offer| offer == PROTOCOL) })
    }

    /// What makes the connection a WebSocket.
    pub(super) fn answer(self) -> Response {
        let head = [
            (CONNECTION, HeaderValue::from_static("upgrade")),
            (UPGRADE, HeaderValue::from_static("websocket")),
            (SEC_WEBSOCKET_ACCEPT, self.accept),
        ];
        let chosen = [(SEC_WEBSOCKET_PROTOCOL, PROTOCOL)];
        let answer = (StatusCode::SWITCHING_PROTOCOLS, head, Body::empty());
        if self.speaks { (chosen, answer).into_response() } else { answer.into_response() }
    }
}

/// The parts of a header that is a list, however many lines it is on.
fn listed<'a>(request: &'a Request, header: &HeaderName) -> impl Iterator<Item = &'a str> + use<'a> {
    let lines = request.headers().get_all(header).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

fn refused(status: StatusCode, why: &str) -> Response {
    (status, format!("{why}\n")).into_response()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn request(change: impl FnOnce(&mut Request)) -> Request {
        let mut request = Request::get("/graphql").body(Body::empty()).unwrap();
        for (name, value) in [
            (CONNECTION, "keep-alive, Upgrade"),
            (UPGRADE, "websocket"),
            (SEC_WEBSOCKET_VERSION, "13"),
            (SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
            (SEC_WEBSOCKET_PROTOCOL, "graphql-ws, graphql-transport-ws"),
        ] {
            request.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        change(&mut request);
        request
    }

    #[test]
    fn the_key_is_answered_and_the_protocol_chosen() {
        let answer = Handshake::read(&request(|_| {})).unwrap().answer();
        assert_eq!(answer.status(), StatusCode::SWITCHING_PROTOCOLS);
        // The example of RFC 6455.
        assert_eq!(answer.headers()[SEC_WEBSOCKET_ACCEPT], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(answer.headers()[SEC_WEBSOCKET_PROTOCOL], PROTOCOL);
    }

    #[test]
    fn protocols_on_lines_of_their_own_are_found() {
        let two = request(|request| {
            request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("soap"));
            request.headers_mut().append(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
        });
        assert!(Handshake::read(&two).unwrap().speaks);
    }

    #[test]
    fn whoever_offers_something_else_gets_no_protocol() {
        let other = request(|request| {
            request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("graphql-ws"));
        });
        let shake = Handshake::read(&other).unwrap();
        assert!(!shake.speaks);
        assert!(!shake.answer().headers().contains_key(SEC_WEBSOCKET_PROTOCOL));
    }

    #[rstest]
    #[case::no_key(SEC_WEBSOCKET_KEY, None, 400)]
    #[case::short_key(SEC_WEBSOCKET_KEY, Some("short"), 400)]
    #[case::no_connection(CONNECTION, None, 400)]
    #[case::old_version(SEC_WEBSOCKET_VERSION, Some("8"), 426)]
    #[case::no_version(SEC_WEBSOCKET_VERSION, None, 426)]
    fn what_is_no_handshake_is_told(
        #[case] header: HeaderName,
        #[case] value: Option<&'static str>,
        #[case] status: u16,
    ) {
        let wrong = request(|request| {
            request.headers_mut().remove(&header);
            if let Some(value) = value {
                request.headers_mut().insert(header, HeaderValue::from_static(value));
            }
        });
        assert_eq!(Handshake::read(&wrong).unwrap_err().status(), status);
    }
}
