//! What a client may say, and what it is told when it says something else.
//!
//! Reasons are short: a close frame holds at most 123 bytes, and what a parser thinks is nobody's business.

use std::borrow::Cow;

use serde_json::{Map, Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::error::ProtocolError;

use crate::lease::Parting;
use crate::places::Full;

/// The longest reason that fits into a close frame.
const LONGEST_REASON: usize = 123;
/// The longest id that an operation may have: it comes back with every event.
const LONGEST_ID: usize = 1_024;

/// A close code with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: u16,
    pub(super) reason: Cow<'static, str>,
}

impl Fault {
    const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason: Cow::Borrowed(reason) }
    }
}

pub(super) const INVALID: Fault = Fault::new(4400, "Invalid message");
pub(super) const UNAUTHORIZED: Fault = Fault::new(4401, "Unauthorized");
pub(super) const SESSION_ENDED: Fault = Fault::new(4401, "Your visit has ended");
pub(super) const FORBIDDEN: Fault = Fault::new(4403, "Forbidden");
pub(super) const NO_PROTOCOL: Fault = Fault::new(4406, "Subprotocol not acceptable");
pub(super) const NO_HELLO: Fault = Fault::new(4408, "Connection initialisation timeout");
pub(super) const SECOND_HELLO: Fault = Fault::new(4429, "Too many initialisation requests");
pub(super) const GOING_AWAY: Fault = Fault::new(1001, "Going away");
pub(super) const NOT_TEXT: Fault = Fault::new(1007, "Text must be UTF-8");
pub(super) const TOO_LONG: Fault = Fault::new(1009, "Message too long");

/// What is said to whoever may stay no longer.
pub(super) fn parting(why: Parting) -> Fault {
    match why {
        Parting::SessionEnded => SESSION_ENDED,
        Parting::Revoked => FORBIDDEN,
    }
}

/// What is said to whoever is known and finds no place.
pub(super) fn no_place(full: Full) -> Fault {
    Fault { code: 4503, reason: full.to_string().into() }
}

/// What is said to whoever uses an id twice at once; the id is told where it fits.
pub(super) fn duplicate(id: &str) -> Fault {
    let reason = format!("Subscriber for {id} already exists");
    if reason.len() > LONGEST_REASON {
        return Fault::new(4409, "Subscriber for this id already exists");
    }
    Fault { code: 4409, reason: reason.into() }
}

/// What is said to whoever breaks the protocol of WebSocket itself; nothing to those who simply went away.
pub(super) fn broken(error: &ProtocolError) -> Option<Fault> {
    let gone = matches!(error, ProtocolError::ResetWithoutClosingHandshake);
    (!gone).then_some(Fault::new(1002, "Protocol error"))
}

/// A message of `graphql-transport-ws`, from a client.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ClientMessage {
    ConnectionInit(Option<Value>),
    Ping(Option<Value>),
    Pong,
    Subscribe { id: String, payload: Value },
    Complete(String),
}

impl ClientMessage {
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let Ok(Value::Object(mut object)) = serde_json::from_str(text) else { return Err(INVALID) };
        let Some(Value::String(kind)) = object.remove("type") else { return Err(INVALID) };
        match kind.as_str() {
            "connection_init" => Ok(Self::ConnectionInit(payload(&mut object)?)),
            "ping" => payload(&mut object).map(Self::Ping),
            "pong" => payload(&mut object).map(|_| Self::Pong),
            "complete" => Ok(Self::Complete(id(&mut object)?)),
            "subscribe" => {
                let id = id(&mut object)?;
                let payload = payload(&mut object)?.ok_or(INVALID)?;
                Ok(Self::Subscribe { id, payload })
            }
            _ => Err(INVALID),
        }
    }
}

fn id(object: &mut Map<String, Value>) -> Result<String, Fault> {
    match object.remove("id") {
        Some(Value::String(id)) if !id.is_empty() && id.len() <= LONGEST_ID => Ok(id),
        _ => Err(INVALID),
    }
}

/// Payloads are objects where there are any.
fn payload(object: &mut Map<String, Value>) -> Result<Option<Value>, Fault> {
    match object.remove("payload") {
        None | Some(Value::Null) => Ok(None),
        Some(payload @ Value::Object(_)) => Ok(Some(payload)),
        Some(_) => Err(INVALID),
    }
}

/// What a server may say that belongs to no operation.
pub(super) fn plain(kind: &str, payload: Option<Value>) -> Message {
    let message = match payload {
        Some(payload) => json!({ "type": kind, "payload": payload }),
        None => json!({ "type": kind }),
    };
    Message::text(message.to_string())
}

/// The end of an operation.
pub(super) fn complete(id: &str) -> Message {
    Message::text(json!({ "id": id, "type": "complete" }).to_string())
}

/// A message on the wire: a frame of RFC 6455 as a server sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    buffer: Vec<u8>,
    /// Where it begins.
    from: usize,
}

impl Frame {
    /// Room for the longest head.
    const HEAD: usize = 10;
    /// Whole and text.
    const TEXT: u8 = 0x81;

    /// A text of as many bytes as were written after the room for its head.
    fn text(mut buffer: Vec<u8>) -> Self {
        let length = buffer.len() - Self::HEAD;
        let (from, head): (usize, &[u8]) = match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short @ ..=125), _) => (8, &[Self::TEXT, short]),
            (_, Ok(medium)) => (6, &[&[Self::TEXT, 126], &medium.to_be_bytes()[..]].concat()),
            _ => (0, &[&[Self::TEXT, 127], &(length as u64).to_be_bytes()[..]].concat()),
        };
        buffer[from..Self::HEAD].copy_from_slice(head);
        Self { buffer, from }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.from..]
    }
}

/// A message of an operation around a payload that has been written already. What is shown on ten thousand phones goes
/// through here ten thousand times: one buffer, one copy.
pub(super) fn framed(id: &str, kind: &str, payload: &[u8]) -> Frame {
    let mut buffer = Vec::with_capacity(Frame::HEAD + payload.len() + id.len() + kind.len() + 40);
    buffer.extend_from_slice(&[0; Frame::HEAD]);
    buffer.extend_from_slice(br#"{"id":"#);
    // Text always has a form as JSON, and memory always takes it.
    let _infallible = serde_json::to_writer(&mut buffer, id);
    buffer.extend_from_slice(br#","type":""#);
    buffer.extend_from_slice(kind.as_bytes());
    buffer.extend_from_slice(br#"","payload":"#);
    buffer.extend_from_slice(payload);
    buffer.push(b'}');
    Frame::text(buffer)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket};

    use super::*;

    #[rstest]
    #[case::not_json("{")]
    #[case::a_list("[]")]
    #[case::no_type("{}")]
    #[case::type_is_a_number(r#"{"type":7}"#)]
    #[case::unknown(r#"{"type":"start"}"#)]
    #[case::only_servers_say_this(r#"{"type":"connection_ack"}"#)]
    #[case::init_with_text(r#"{"type":"connection_init","payload":"x"}"#)]
    #[case::no_id(r#"{"type":"subscribe","payload":{"query":"{a}"}}"#)]
    #[case::empty_id(r#"{"type":"subscribe","id":"","payload":{"query":"{a}"}}"#)]
    #[case::number_as_id(r#"{"type":"subscribe","id":1,"payload":{"query":"{a}"}}"#)]
    #[case::no_payload(r#"{"type":"subscribe","id":"1"}"#)]
    #[case::complete_what(r#"{"type":"complete"}"#)]
    fn what_is_not_of_the_protocol_is_invalid(#[case] text: &str) {
        assert_eq!(ClientMessage::parse(text), Err(INVALID));
    }

    #[rstest]
    #[case::short(1, 2)]
    #[case::the_longest_short_one(78, 2)]
    #[case::medium(79, 4)]
    #[case::the_longest_medium_one(65_488, 4)]
    #[case::long(65_489, 10)]
    fn an_event_carries_its_id_and_the_response_as_it_was_written(
        #[case] digits: usize,
        #[case] head: usize,
    ) {
        let payload = format!(r#"{{"data":{}}}"#, "1".repeat(digits));
        let text = format!(r#"{{"id":"a\"b","type":"next","payload":{payload}}}"#);
        let frame = framed("a\"b", "next", payload.as_bytes());
        assert_eq!(&frame.bytes()[head..], text.as_bytes());

        let mut read = std::io::Cursor::new(frame.bytes().to_vec());
        let mut socket = WebSocket::from_raw_socket(&mut read, Role::Client, None);
        assert_eq!(socket.read().unwrap(), Message::text(text));
    }

    #[test]
    fn an_id_that_would_come_back_at_length_is_invalid() {
        let text = format!(r#"{{"type":"complete","id":"{}"}}"#, "x".repeat(LONGEST_ID + 1));
        assert_eq!(ClientMessage::parse(&text), Err(INVALID));
    }

    #[test]
    fn every_reason_fits_into_its_frame() {
        for length in [1, 90, 96, 97, 500] {
            let fault = duplicate(&"é".repeat(length / 2));
            assert!(fault.code == 4409 && fault.reason.len() <= LONGEST_REASON, "{fault:?}");
        }
        for full in [Full::Everywhere, Full::Device(usize::MAX)] {
            assert!(no_place(full).reason.len() <= LONGEST_REASON, "{full}");
        }
        assert_eq!(duplicate("7").reason, "Subscriber for 7 already exists");
    }

    #[test]
    fn a_long_id_is_still_an_id() {
        let id = "x".repeat(1_000);
        let text = format!(r#"{{"type":"complete","id":"{id}"}}"#);
        assert_eq!(ClientMessage::parse(&text), Ok(ClientMessage::Complete(id)));
    }
}
