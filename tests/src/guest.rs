//! A guest's phone, as the hub sees it: GraphQL over HTTP and WebSocket, one device cookie, one session token.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::Subscription;

/// A key for one intent, sent again when its answer was lost.
pub fn new_key() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let high = (since.as_nanos() as u64) ^ (u64::from(std::process::id()) << 40);
    let low = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{:08x}-{:04x}-7000-8000-{:012x}", high as u32, (high >> 32) & 0xffff, low)
}

/// Someone with a phone.
#[derive(Debug)]
pub struct Guest {
    http: reqwest::Client,
    url: String,
    ws_url: String,
    token: Option<String>,
}

/// What a GraphQL request came back with.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The whole body.
    pub body: Value,
}

impl Answer {
    /// The data; panics where there are errors.
    pub fn data(&self) -> &Value {
        assert!(self.body.get("errors").is_none(), "GraphQL errors: {:#}", self.body);
        &self.body["data"]
    }

    /// The one user error of a mutation, as (code, message); panics where it was not refused in words.
    pub fn refusal(&self) -> (&str, &str) {
        let payload = self.data().as_object().and_then(|data| data.values().next()).expect("a payload");
        let error = &payload["userErrors"][0];
        (
            error["code"].as_str().unwrap_or_else(|| panic!("not refused: {payload:#}")),
            error["message"].as_str().expect("text"),
        )
    }
}

impl Guest {
    pub(crate) fn new(url: String, ws_url: String) -> Self {
        // Where no program was started before, nobody has said whose cryptography there is, which the client wants to know.
        let _said_before = rustls::crypto::ring::default_provider().install_default();
        // A connection for each request: one kept over a restart of the hub would break the next request.
        let http = reqwest::Client::builder()
            .cookie_store(true)
            .pool_max_idle_per_host(0)
            .build()
            .expect("a client");
        Self { http, url, ws_url, token: None }
    }

    /// Somebody at the hub of this address (`http://...`).
    pub fn at(url: &str) -> Self {
        Self::new(url.to_owned(), url.replacen("http", "ws", 1))
    }

    /// The session's token.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Goes on with a token that was handed out earlier.
    pub fn use_token(&mut self, token: &str) {
        self.token = Some(token.to_owned());
    }

    /// Sends one operation.
    pub async fn ask(&self, query: &str, variables: Value) -> Answer {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let mut request =
            self.http.post(format!("{}/graphql", self.url)).header("content-type", "application/json");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let answer = request.body(body).send().await.expect("the hub answers");
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("a body");
        let body = serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON ({status}): {text}"));
        Answer { status, body }
    }

    /// Sends a mutation whose input is `input` and a fresh key.
    pub async fn mutate(&self, name: &str, input_type: &str, mut input: Value, select: &str) -> Answer {
        if input.get("idempotencyKey").is_none() {
            input["idempotencyKey"] = json!(new_key());
        }
        let query = format!(
            "mutation($input: {input_type}!) {{ {name}(input: $input) {{ {select} userErrors {{ code message field }} }} }}"
        );
        self.ask(&query, json!({ "input": input })).await
    }

    /// Tries to check in; keeps the token where it worked.
    pub async fn try_check_in(&mut self, input: Value) -> Answer {
        let answer = self
            .mutate(
                "checkIn",
                "CheckInInput",
                input,
                "token session { id status expiresAt } vibe { consensus }",
            )
            .await;
        if let Some(token) = answer.body["data"]["checkIn"]["token"].as_str() {
            self.token = Some(token.to_owned());
        }
        answer
    }

    /// Checks in with the room's code.
    pub async fn check_in(&mut self, code: &str, name: &str) {
        let answer = self.try_check_in(json!({ "venueCode": code, "displayName": name })).await;
        assert!(self.token.is_some(), "{name} could not check in: {:#}", answer.body);
    }

    /// Casts a vote: `LIKE` or `DISLIKE`.
    pub async fn vote(&self, song: &str, value: &str) -> Answer {
        let input = json!({ "songId": song, "value": value });
        self.mutate("vote", "VoteInput", input, "vote { id value song { id } } taste { name value }").await
    }

    /// Likes a song; panics where the hub does not record it.
    pub async fn likes(&self, song: &str) {
        let answer = self.vote(song, "LIKE").await;
        assert_eq!(answer.data()["vote"]["vote"]["value"], "LIKE", "the like was refused: {:#}", answer.body);
    }

    /// The effective votes as (song id, value), oldest first.
    pub async fn votes(&self) -> Vec<(String, String)> {
        let answer =
            self.ask("{ me { votes(first: 100) { nodes { value song { id } } } } }", json!({})).await;
        let nodes = answer.data()["me"]["votes"]["nodes"].as_array().expect("votes").clone();
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        nodes.iter().map(|vote| (text(&vote["song"]["id"]), text(&vote["value"]))).collect()
    }

    /// All songs as (id, title).
    pub async fn songs(&self) -> Vec<(String, String)> {
        let mut songs = Vec::new();
        let mut after = Value::Null;
        loop {
            let query = "query($after: String) { songs(first: 100, after: $after) { nodes { id title } pageInfo { hasNextPage endCursor } } }";
            let answer = self.ask(query, json!({ "after": after })).await;
            let page = answer.data()["songs"].clone();
            for song in page["nodes"].as_array().expect("songs") {
                songs.push((
                    song["id"].as_str().expect("text").to_owned(),
                    song["title"].as_str().expect("text").to_owned(),
                ));
            }
            if page["pageInfo"]["hasNextPage"] != true {
                return songs;
            }
            after = page["pageInfo"]["endCursor"].clone();
        }
    }

    /// The vibe's axes in the order the hub gives them, and its consensus.
    pub async fn vibe(&self) -> Value {
        self.ask("{ vibe { axes { name value } consensus activeListeners source } }", json!({})).await.data()
            ["vibe"]
            .clone()
    }

    /// The titles of what comes next.
    pub async fn up_next(&self) -> Vec<String> {
        let answer = self.ask("{ upNext(first: 10) { song { title } } }", json!({})).await;
        let list = answer.data()["upNext"].as_array().expect("a list").clone();
        list.iter().map(|next| next["song"]["title"].as_str().expect("text").to_owned()).collect()
    }

    /// Opens a subscription on a socket of its own.
    pub async fn subscribe(&self, query: &str) -> Subscription {
        Subscription::open(&format!("{}/graphql", self.ws_url), self.token.as_deref(), query).await
    }

    /// A plain GET from this phone.
    pub async fn get(&self, path: &str) -> reqwest::Response {
        self.http.get(format!("{}{path}", self.url)).send().await.expect("the hub answers")
    }
}
