//! The catalogue, written down for the other servers as ours tells it.

use std::path::Path;

use serde_json::{Value, json};

use crate::client::Connection;
use crate::server::Server;
use crate::work::SONG;

/// Reads the venue and all songs through the API and writes them to a file.
pub(crate) async fn write_down(ours: &Server, file: &Path) {
    let query = format!(
        "query($after: String) {{ venue {{ name timeZone }} songs(first: 100, after: $after) \
         {{ nodes {{ {} }} pageInfo {{ hasNextPage endCursor }} }} }}",
        SONG.join(" ")
    );
    let mut connection = Connection::open(ours).await;
    let (mut songs, mut after) = (Vec::new(), Value::Null);
    let venue = loop {
        let body = json!({ "query": query, "variables": { "after": after } }).to_string();
        let mut answer: Value = serde_json::from_slice(connection.ask(&body).await).unwrap();
        let page = &mut answer["data"]["songs"];
        songs.append(page["nodes"].as_array_mut().unwrap());
        if page["pageInfo"]["hasNextPage"] != true {
            break answer["data"]["venue"].take();
        }
        after = page["pageInfo"]["endCursor"].take();
    };
    std::fs::write(file, json!({ "venue": venue, "songs": songs }).to_string()).unwrap();
}
