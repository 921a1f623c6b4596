//! Things that play: a dumb terminal with the older plan's two endpoints, and a player that speaks GraphQL.

use serde_json::{Value, json};

use crate::{Answer, Guest};

/// A terminal: asks for a song, plays it, says so.
#[derive(Debug)]
pub struct TestTerminal {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl TestTerminal {
    pub(crate) fn new(url: String, token: String) -> Self {
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).build().expect("a client");
        Self { http, url, token }
    }

    /// `GET /api/player/next-song`: the status and the body.
    pub async fn ask_next_song(&self) -> (u16, Value) {
        let request = self.http.get(format!("{}/api/player/next-song", self.url)).bearer_auth(&self.token);
        let answer = request.send().await.expect("the hub answers");
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("a body");
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// The current song; panics where there is none.
    pub async fn next_song(&self) -> Value {
        let (status, song) = self.ask_next_song().await;
        assert_eq!(status, 200, "no song: {song}");
        song
    }

    /// `POST /api/player/status`: the HTTP status.
    pub async fn report(&self, status: &Value) -> u16 {
        let request = self.http.post(format!("{}/api/player/status", self.url)).bearer_auth(&self.token);
        let request = request.header("content-type", "application/json").body(status.to_string());
        request.send().await.expect("the hub answers").status().as_u16()
    }

    /// Plays one song to its end, without the waiting: asks, fetches the file, reports begin and end.
    pub async fn plays_one(&self) -> Value {
        let song = self.next_song().await;
        let id = song["song_id"].clone();
        assert_eq!(self.report(&json!({ "song_id": id, "status": "active", "position": 0 })).await / 100, 2);
        let file = self.fetch(song["url"].as_str().expect("an address")).await;
        assert!(!file.is_empty(), "an empty file for {song}");
        let end =
            json!({ "song_id": id, "status": "active", "position": song["duration"], "ended": "finished" });
        assert_eq!(self.report(&end).await / 100, 2);
        song
    }

    /// The bytes behind a song's address, fetched without a header, as mpv does.
    pub async fn fetch(&self, url: &str) -> Vec<u8> {
        let answer = self.http.get(url).send().await.expect("the hub answers");
        assert!(answer.status().is_success(), "{url} answers {}", answer.status());
        answer.bytes().await.expect("the whole file").to_vec()
    }
}

/// A player: claims songs, reports what it really played.
#[derive(Debug)]
pub struct TestPlayer {
    line: Guest,
}

impl TestPlayer {
    pub(crate) fn new(url: String, token: &str) -> Self {
        let ws_url = url.replacen("http", "ws", 1);
        let mut line = Guest::new(url, ws_url);
        line.use_token(token);
        Self { line }
    }

    /// A player with this token at the hub of this address (`http://...`).
    pub fn at(url: &str, token: &str) -> Self {
        Self::new(url.to_owned(), token)
    }

    /// Claims the next song with its look-ahead plan.
    pub async fn claim(&self) -> Value {
        let select = "pick { id sha256 bytes mediaUrl crossfadeMs explanation { similarity } song { id title durationMs } } plan { song { id title durationMs } }";
        let answer = self.line.mutate("claimNextSong", "ClaimNextSongInput", json!({}), select).await;
        let claim = answer.data()["claimNextSong"].clone();
        assert!(claim["pick"].is_object(), "no song: {claim:#}");
        claim
    }

    /// Reports a fact of playback.
    pub async fn report(&self, input: Value) -> Answer {
        self.line.mutate("reportPlayback", "ReportPlaybackInput", input, "player { status name }").await
    }

    /// Claims a song, plays it to its end without the waiting, and returns its title.
    pub async fn plays_one(&self) -> String {
        let claim = self.claim().await;
        let pick = &claim["pick"];
        for ended in [Value::Null, json!("FINISHED")] {
            let input = json!({ "status": "ACTIVE", "pickId": pick["id"], "ended": ended });
            assert_eq!(self.report(input).await.data()["reportPlayback"]["userErrors"], json!([]));
        }
        pick["song"]["title"].as_str().expect("a title").to_owned()
    }
}
