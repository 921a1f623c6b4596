//! Somebody who votes without end, whatever becomes of the hub meanwhile.

use std::time::Duration;

use roomtone_schema::VoteId;
use roomtone_schema::id::Id as _;
use serde_json::{Value, json};
use tokio::sync::mpsc::Sender;

use crate::{TestVenue, new_key};

/// A guest's request, apart from the hub that may be gone before it answers.
#[derive(Debug, Clone)]
pub struct Voter {
    http: reqwest::Client,
    url: String,
    token: String,
    song: String,
}

impl Voter {
    /// So many guests of a venue, each with a song of their own.
    pub async fn check_in(venue: &TestVenue, guests: usize) -> Vec<Self> {
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).build().expect("a client of HTTP");
        let mut voters = Vec::new();
        for number in 0..guests {
            let guest = venue.check_in(&format!("guest {number}")).await;
            let (song, _) = guest.songs().await.swap_remove(number);
            let token = guest.token().expect("they are checked in").to_owned();
            voters.push(Self { http: http.clone(), url: venue.url("/graphql"), token, song });
        }
        voters
    }

    /// Likes and dislikes the song in turn, with a pause after each, and tells what was acknowledged, until the hub is gone
    /// or nobody listens.
    pub async fn votes(self, pause: Duration, tell: Sender<VoteId>) {
        for value in ["LIKE", "DISLIKE"].iter().cycle() {
            let Some(answer) = self.vote(value).await else { return };
            // A disk that is busy with others may let a vote run into its time limit: that one was not acknowledged.
            let Some(id) = answer["data"]["vote"]["vote"]["id"].as_str() else {
                eprintln!("a vote was refused: {answer}");
                continue;
            };
            if tell.send(VoteId::from_global(id).expect("a vote has an id")).await.is_err() {
                return;
            }
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
    }

    async fn vote(&self, value: &str) -> Option<Value> {
        let query = "mutation($input: VoteInput!) { vote(input: $input) { vote { id } userErrors { code message } } }";
        let input = json!({ "songId": self.song, "value": value, "idempotencyKey": new_key() });
        let request = self.http.post(&self.url).bearer_auth(&self.token);
        let answer =
            request.json(&json!({ "query": query, "variables": { "input": input } })).send().await.ok()?;
        answer.json().await.ok()
    }
}
