//! `[requests]` and `[connections]`: what strangers' phones may ask of the hub.

use std::time::Duration;

use roomtone_server::front::FrontSettings;
use roomtone_server::guard::Bounds;
use roomtone_server::serve::ServeSettings;
use serde::{Deserialize, Serialize};

/// What one request may cost, whoever sends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RequestSection {
    /// Bytes of a body, and of a WebSocket message.
    pub body_bytes: u32,
    /// Seconds for which a query or a change may run.
    pub answer_s: u32,
    /// Bytes of a GraphQL document.
    pub document_bytes: u32,
    /// Names, numbers, strings and punctuation in it.
    pub tokens: u32,
    /// Bytes of one name or number.
    pub word_bytes: u32,
    /// Brackets, or selections with every fragment in its place, inside one another.
    pub nesting: u32,
    /// Operations in one document.
    pub operations: u32,
    /// Fields and fragments, with every fragment in its place.
    pub selections: u32,
    /// Fields inside one another; introspection is not counted.
    pub depth: u32,
    /// Fields that are renamed, or asked for again.
    pub aliases: u32,
    /// Directives in one place.
    pub directives: u32,
    /// Directives in all.
    pub directives_in_all: u32,
    /// Arguments of one field.
    pub arguments: u32,
    /// Values in arguments, with every variable in its place.
    pub values: u32,
    /// Fields in the answer, with lists counted at the length that was asked for.
    pub complexity: u32,
    /// The same for questions about the schema.
    pub introspection: u32,
}

/// Who may be connected, and for how long they may keep others waiting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConnectionSection {
    /// Connections at once.
    pub at_once: u32,
    /// Seconds for which a request's head may take to arrive.
    pub head_s: u32,
    /// Seconds for which its body may.
    pub body_s: u32,
    /// Seconds for which a connection is kept for the next request.
    pub idle_s: u32,
    /// Seconds for which nothing of an answer may be taken by whoever asked.
    pub write_s: u32,
    /// Connections that stay open for events, at once.
    pub sockets: u32,
    /// Of these, how many one device may have.
    pub sockets_per_device: u32,
    /// Operations at once on one WebSocket.
    pub operations_per_socket: u32,
    /// Seconds for which a WebSocket may stay silent before it has introduced itself.
    pub hello_s: u32,
    /// Seconds for which a message may wait for its reader.
    pub socket_write_s: u32,
    /// Seconds between two questions whether the other side still lives.
    pub ping_s: u32,
    /// Seconds for which it may owe the answer.
    pub pong_s: u32,
    /// Seconds between two looks at whether its token still holds.
    pub check_s: u32,
}

impl Default for RequestSection {
    fn default() -> Self {
        let front = FrontSettings::default();
        let bounds = front.bounds;
        Self {
            body_bytes: front.body_bytes as u32,
            answer_s: front.answer_time.as_secs() as u32,
            document_bytes: bounds.bytes as u32,
            tokens: bounds.tokens as u32,
            word_bytes: bounds.word as u32,
            nesting: bounds.nesting as u32,
            operations: bounds.operations as u32,
            selections: bounds.selections as u32,
            depth: bounds.depth as u32,
            aliases: bounds.aliases as u32,
            directives: bounds.directives as u32,
            directives_in_all: bounds.directives_in_all as u32,
            arguments: bounds.arguments as u32,
            values: bounds.values as u32,
            complexity: bounds.complexity as u32,
            introspection: bounds.introspection as u32,
        }
    }
}

impl Default for ConnectionSection {
    fn default() -> Self {
        let (front, serve) = (FrontSettings::default(), ServeSettings::default());
        let seconds = |time: Duration| time.as_secs() as u32;
        Self {
            at_once: serve.connections as u32,
            head_s: seconds(serve.head_time),
            body_s: seconds(front.body_time),
            idle_s: seconds(serve.idle_time),
            write_s: seconds(serve.write_time),
            sockets: front.sockets as u32,
            sockets_per_device: front.sockets_per_device as u32,
            operations_per_socket: front.operations_per_socket as u32,
            hello_s: seconds(front.hello_time),
            socket_write_s: seconds(front.write_time),
            ping_s: seconds(front.ping_every),
            pong_s: seconds(front.pong_time),
            check_s: seconds(front.check_every),
        }
    }
}

impl RequestSection {
    /// Refuses what would let the hub be taken down, or nobody in.
    pub(super) fn check(&self) -> Result<(), String> {
        first_outside(&[
            ("body_bytes", self.body_bytes, 1_024, 1_048_576),
            ("answer_s", self.answer_s, 1, 300),
            ("document_bytes", self.document_bytes, 1_024, 262_144),
            ("tokens", self.tokens, 200, 20_000),
            ("word_bytes", self.word_bytes, 64, 1_024),
            // The parser recurses: 200 is what a thread's stack holds with room to spare.
            ("nesting", self.nesting, 15, 200),
            ("operations", self.operations, 1, 100),
            ("selections", self.selections, 100, 20_000),
            ("depth", self.depth, 6, 50),
            ("aliases", self.aliases, 0, 1_000),
            ("directives", self.directives, 1, 100),
            ("directives_in_all", self.directives_in_all, 1, 1_000),
            ("arguments", self.arguments, 7, 100),
            ("values", self.values, 100, 100_000),
            ("complexity", self.complexity, 500, 1_000_000),
            ("introspection", self.introspection, 1_000, 10_000_000),
        ])
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            bytes: self.document_bytes as usize,
            tokens: self.tokens as usize,
            word: self.word_bytes as usize,
            nesting: self.nesting as usize,
            operations: self.operations as usize,
            selections: self.selections as usize,
            depth: self.depth as usize,
            aliases: self.aliases as usize,
            directives: self.directives as usize,
            directives_in_all: self.directives_in_all as usize,
            arguments: self.arguments as usize,
            values: self.values as usize,
            complexity: self.complexity as usize,
            introspection: self.introspection as usize,
        }
    }
}

impl ConnectionSection {
    /// Refuses what would let the hub be filled up, or nobody in.
    pub(super) fn check(&self) -> Result<(), String> {
        first_outside(&[
            ("at_once", self.at_once, 10, 100_000),
            ("head_s", self.head_s, 1, 300),
            ("body_s", self.body_s, 1, 300),
            ("idle_s", self.idle_s, 1, 3_600),
            ("write_s", self.write_s, 1, 300),
            ("sockets", self.sockets, 1, 100_000),
            ("sockets_per_device", self.sockets_per_device, 1, 100_000),
            ("operations_per_socket", self.operations_per_socket, 1, 1_000),
            ("hello_s", self.hello_s, 1, 60),
            ("socket_write_s", self.socket_write_s, 1, 60),
            ("ping_s", self.ping_s, 1, 600),
            ("pong_s", self.pong_s, 1, 600),
            ("check_s", self.check_s, 1, 3_600),
        ])
    }

    /// How connections are held.
    pub fn serving(&self) -> ServeSettings {
        ServeSettings {
            connections: self.at_once as usize,
            head_time: seconds(self.head_s),
            idle_time: seconds(self.idle_s),
            write_time: seconds(self.write_s),
            ..ServeSettings::default()
        }
    }
}

/// What the GraphQL front allows.
pub(super) fn front(requests: &RequestSection, connections: &ConnectionSection) -> FrontSettings {
    FrontSettings {
        bounds: requests.bounds(),
        body_bytes: requests.body_bytes as usize,
        body_time: seconds(connections.body_s),
        answer_time: seconds(requests.answer_s),
        sockets: connections.sockets as usize,
        sockets_per_device: connections.sockets_per_device as usize,
        operations_per_socket: connections.operations_per_socket as usize,
        hello_time: seconds(connections.hello_s),
        write_time: seconds(connections.socket_write_s),
        ping_every: seconds(connections.ping_s),
        pong_time: seconds(connections.pong_s),
        check_every: seconds(connections.check_s),
        ..FrontSettings::default()
    }
}

fn seconds(number: u32) -> Duration {
    Duration::from_secs(number.into())
}

fn first_outside(rows: &[(&str, u32, u32, u32)]) -> Result<(), String> {
    match rows.iter().find(|(_, value, least, most)| !(least..=most).contains(&value)) {
        Some((name, value, least, most)) => {
            Err(format!("{name} is {value}; it must lie between {least} and {most}"))
        }
        None => Ok(()),
    }
}
