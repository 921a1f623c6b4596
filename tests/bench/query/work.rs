//! What is asked: a simple query, and a list of a hundred songs with eight fields each.

use roomtone_schema::seed::Seeded;
use serde_json::{Value, json};

use crate::client::Connection;
use crate::server::{Kind, Server};

/// Documents of each sort that take turns.
const DOCUMENTS: u64 = 64;

/// Songs on a page, and fields of each.
const PAGE: usize = 100;
const FIELDS: usize = 8;

/// What all servers know of a song.
pub(crate) const SONG: [&str; 10] =
    ["id", "title", "artist", "album", "durationMs", "bpm", "key", "kind", "loudnessLufs", "explicit"];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    Simple,
    List,
}

impl Work {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Simple => "simple query",
            Self::List => "100 songs x 8 fields",
        }
    }

    /// What the other's CPU must be at least, as a multiple of ours.
    pub(crate) fn goal(self, kind: Kind) -> f64 {
        match (self, kind) {
            (Self::Simple, Kind::Mercurius) => 1.5,
            (Self::Simple, Kind::Apollo | Kind::Yoga) => 3.0,
            _ => 1.0,
        }
    }

    /// The next request's body.
    pub(crate) fn request(self, chance: &mut Seeded, cursors: &[String]) -> String {
        let number = chance.next_u64() % DOCUMENTS;
        let (query, variables) = match self {
            Self::Simple => {
                let query = format!(
                    "query Simple($zone: Boolean!) {{ venue {{ n{number}: name timeZone @include(if: $zone) }} }}"
                );
                (query, json!({ "zone": chance.next_u64().is_multiple_of(2) }))
            }
            Self::List => {
                let query = format!(
                    "query List($first: Int, $after: String) {{ songs(first: $first, after: $after) {{ \
                     nodes {{ {} }} pageInfo {{ endCursor hasNextPage }} }} }}",
                    fields(number)
                );
                // Only cursors with a whole page behind them, so that every answer holds as much.
                let at = chance.next_u64() as usize % (cursors.len() - PAGE);
                (query, json!({ "first": PAGE, "after": cursors[at] }))
            }
        };
        json!({ "query": query, "variables": variables }).to_string()
    }

    /// Whether this looks like the whole answer: it was compared in full before, see [`all_say_the_same`].
    pub(crate) fn is_answer(self, body: &[u8]) -> bool {
        let least = match self {
            Self::Simple => 30,
            Self::List => PAGE * FIELDS * 8,
        };
        body.starts_with(b"{\"data\":{") && body.len() >= least
    }
}

/// Eight of the fields, one of them under another name.
fn fields(number: u64) -> String {
    let mut chance = Seeded::new(number);
    let mut fields: Vec<&str> = SONG.to_vec();
    while fields.len() > FIELDS {
        fields.swap_remove(chance.next_u64() as usize % fields.len());
    }
    format!("a{number}: {}", fields.join(" "))
}

/// Each server's cursors of the whole catalogue, in order.
pub(crate) async fn cursors(servers: &[Server]) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for server in servers {
        let query = "query($after: String) { songs(first: 100, after: $after) \
                     { edges { cursor } pageInfo { hasNextPage endCursor } } }";
        let mut connection = Connection::open(server).await;
        let (mut cursors, mut after) = (Vec::new(), Value::Null);
        loop {
            let body = json!({ "query": query, "variables": { "after": after } }).to_string();
            let answer: Value = serde_json::from_slice(connection.ask(&body).await).unwrap();
            let songs = &answer["data"]["songs"];
            let edges = songs["edges"].as_array().unwrap();
            cursors.extend(edges.iter().map(|edge| edge["cursor"].as_str().unwrap().to_owned()));
            if songs["pageInfo"]["hasNextPage"] != true {
                break;
            }
            after = songs["pageInfo"]["endCursor"].clone();
        }
        all.push(cursors);
    }
    all
}

/// Every server answers every document as ours does, cursors aside.
pub(crate) async fn all_say_the_same(servers: &[Server], cursors: &[Vec<String>]) {
    let ours = &servers[0];
    for (server, cursors_of) in servers.iter().zip(cursors).skip(1) {
        let (mut left, mut right) = (Connection::open(ours).await, Connection::open(server).await);
        for work in [Work::Simple, Work::List] {
            for seed in 0..DOCUMENTS {
                let [expected, got] =
                    [(&mut left, &cursors[0]), (&mut right, cursors_of)].map(|(connection, cursors)| {
                        let body = work.request(&mut Seeded::new(seed), cursors);
                        async move { without_cursors(connection.ask(&body).await) }
                    });
                assert_eq!(expected.await, got.await, "{} differs from ours", server.kind.name());
            }
        }
    }
}

fn without_cursors(body: &[u8]) -> Value {
    let mut answer: Value = serde_json::from_slice(body).unwrap();
    if let Some(cursor) = answer.pointer_mut("/data/songs/pageInfo/endCursor") {
        *cursor = Value::Null;
    }
    answer
}
