//! What a client may say, and what it is told when it says something else.
//!
//! Reasons are short and fixed: a close frame holds at most 123 bytes, and what a parser thinks is nobody's business.

use axum::extract::ws::{Message, Utf8Bytes};
use bytes::Bytes;
use serde_json::{Map, Value};

use crate::lease::Parting;

/// A close code with its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: u16,
    pub(super) reason: &'static str,
}

pub(super) const INVALID: Fault = Fault { code: 4400, reason: "Invalid message" };
pub(super) const UNAUTHORIZED: Fault = Fault { code: 4401, reason: "Unauthorized" };
pub(super) const SESSION_ENDED: Fault = Fault { code: 4401, reason: "Your visit has ended" };
pub(super) const FORBIDDEN: Fault = Fault { code: 4403, reason: "Forbidden" };
pub(super) const NO_PROTOCOL: Fault = Fault { code: 4406, reason: "Subprotocol not acceptable" };
pub(super) const NO_HELLO: Fault = Fault { code: 4408, reason: "Connection initialisation timeout" };
pub(super) const DUPLICATE: Fault = Fault { code: 4409, reason: "Subscriber for this id already exists" };
pub(super) const SECOND_HELLO: Fault = Fault { code: 4429, reason: "Too many initialisation requests" };
const TOO_LONG: Fault = Fault { code: 1009, reason: "Message too long" };

/// What is said to whoever may stay no longer.
pub(super) fn parting(why: Parting) -> Fault {
    match why {
        Parting::SessionEnded => SESSION_ENDED,
        Parting::Revoked => FORBIDDEN,
    }
}

/// Whether a read failed because the message was too long, as far as the library's words tell.
pub(super) fn too_long(error: &axum::Error) -> Option<Fault> {
    let words = error.to_string();
    (words.contains("too long") || words.contains("too big") || words.contains("Space limit"))
        .then_some(TOO_LONG)
}

/// A message of `graphql-transport-ws`, from a client.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ClientMessage {
    ConnectionInit(Option<Value>),
    Ping,
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
            "ping" => payload(&mut object).map(|_| Self::Ping),
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
        Some(Value::String(id)) if !id.is_empty() => Ok(id),
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

/// A message of an operation around a payload that has been written already.
pub(super) fn framed(id: &str, kind: &str, payload: &[u8]) -> Message {
    let head = format!(r#"{{"id":{},"type":"{kind}","payload":"#, Value::from(id));
    let frame = [head.as_bytes(), payload, b"}"].concat();
    Message::Text(Utf8Bytes::try_from(Bytes::from(frame)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

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

    #[test]
    fn an_event_carries_its_id_and_the_response_as_it_was_written() {
        let message = framed("a\"b", "next", br#"{"data":1}"#);
        assert_eq!(message, Message::Text(r#"{"id":"a\"b","type":"next","payload":{"data":1}}"#.into()));
    }

    #[test]
    fn a_long_id_is_still_an_id() {
        let id = "x".repeat(1_000);
        let text = format!(r#"{{"type":"complete","id":"{id}"}}"#);
        assert_eq!(ClientMessage::parse(&text), Ok(ClientMessage::Complete(id)));
    }
}
