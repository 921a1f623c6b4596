//! The people who ask, and a venue in which everything that can be asked for is there.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use roomtone_hub::limits::LimitSettings;
use roomtone_hub::store::{dead_letters, link};
use roomtone_hub::view::PlayerCommandKind;
use roomtone_schema::id::Id as _;
use roomtone_schema::{PlayerId, UnixMillis};
use roomtone_server::front::FrontSettings;
use roomtone_sync::wire::{Apart, Outcome};
use serde_json::{Value, json};

use super::ask::Ask;
use crate::venue::{Socket, Venue, global, key};

/// Who asks: nobody; listeners in the main zone and on the terrace; a player; a manager; a listener whose time ran out;
/// one who checked out; and whoever holds a player's or a manager's token that was replaced.
pub(crate) const WHO: [&str; 9] =
    ["anonymous", "guest", "elsewhere", "player", "manager", "expired", "revoked", "ex-player", "ex-manager"];

/// How long an order may take to reach a player before it is given again.
const ORDER_TAKES: Duration = Duration::from_millis(500);

/// A listener, and what nobody else may learn of them.
struct Person {
    token: String,
    name: String,
    /// By what it is: listener, session, vote.
    ids: BTreeMap<&'static str, String>,
}

pub(crate) struct Scene {
    pub(crate) venue: Venue,
    pub(crate) song: String,
    people: BTreeMap<&'static str, Person>,
    tokens: BTreeMap<&'static str, String>,
    player: PlayerId,
    came: AtomicU32,
}

impl Scene {
    pub(crate) async fn set() -> Self {
        let limits = LimitSettings { new_devices_burst: 1_000, ..LimitSettings::default() };
        let venue = Venue::with_zones(FrontSettings::default(), limits, &["main", "terrace"]).await;
        let song = global(venue.add_song(0).await);
        for number in 1..4 {
            venue.add_song(number).await;
        }
        venue.hub.settle().await;
        let added = venue.hub.add_player("bar".to_owned(), None, None).await.unwrap();
        let mut scene = Self {
            venue,
            song,
            people: BTreeMap::new(),
            tokens: BTreeMap::from([("player", added.token)]),
            player: added.player.id,
            came: AtomicU32::new(0),
        };
        scene.fill().await;
        scene
    }

    async fn fill(&mut self) {
        // The day before had songs of its own: some were not heard for long.
        for _ in 0..3 {
            self.plays().await;
        }
        self.comes("expired", "main").await;
        // Long enough that their day counts.
        for _ in 0..5 {
            self.plays().await;
        }
        self.venue.clock.advance(Duration::from_hours(25));
        self.venue.hub.tick().await.unwrap();
        for (who, zone) in
            [("guest", "main"), ("elsewhere", "terrace"), ("revoked", "main"), ("silent", "main")]
        {
            self.comes(who, zone).await;
        }
        let token = Some(self.people["revoked"].token.as_str());
        let out =
            self.venue.mutate(token, "checkOut", "CheckOutInput", json!({}), "session { status }").await;
        assert_eq!(out["session"]["status"], "ENDED");
        let renewed = self.venue.hub.renew_player_token("bar").await.unwrap();
        if let Some(replaced) = self.tokens.insert("player", renewed.token) {
            self.tokens.insert("ex-player", replaced);
        }
        for token in ["ex-manager", "manager"] {
            let minted = self.venue.hub.mint_manager_token().await.unwrap();
            self.tokens.insert(token, minted);
        }
        self.plays().await;
        self.venue.hub.settle().await;
    }

    /// The player takes the next song.
    async fn plays(&self) {
        let token = Some(self.tokens["player"].as_str());
        let claim =
            self.venue.mutate(token, "claimNextSong", "ClaimNextSongInput", json!({}), "pick { id }").await;
        assert!(claim["pick"]["id"].is_string(), "{claim}");
    }

    /// Somebody checks in and likes a song.
    async fn comes(&mut self, who: &'static str, zone: &str) {
        let (token, name) = self.check_in(who, zone).await;
        let like = json!({ "songId": self.song, "value": "LIKE" });
        self.venue.mutate(Some(&token), "vote", "VoteInput", like, "vote { id }").await;
        let me = "{ me { id session { id } votes(first: 1) { nodes { id } } } }";
        let me = self.venue.ask(Some(&token), me, Value::Null).await["data"]["me"].clone();
        let id = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{me}")).to_owned();
        let ids = BTreeMap::from([
            ("listener", id(&me["id"])),
            ("session", id(&me["session"]["id"])),
            ("vote", id(&me["votes"]["nodes"][0]["id"])),
        ]);
        self.people.insert(who, Person { token, name, ids });
    }

    async fn check_in(&self, who: &str, zone: &str) -> (String, String) {
        let name = format!("{who} no. {}", self.came.fetch_add(1, Ordering::Relaxed));
        let input = json!({ "venueCode": self.venue.code(), "zoneId": self.zone(zone), "displayName": name });
        let answer = self.venue.mutate(None, "checkIn", "CheckInInput", input, "token").await;
        (answer["token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned(), name)
    }

    pub(crate) fn zone(&self, name: &str) -> String {
        let zones = self.venue.hub.zones();
        zones.iter().find(|zone| zone.name == name).unwrap().id.to_global()
    }

    /// Everything that is one listener's alone, as (whose, what, id).
    pub(crate) fn private_ids(&self) -> Vec<(&'static str, &'static str, String)> {
        let of = |(whose, person): (&&'static str, &Person)| {
            let whose = *whose;
            person.ids.iter().map(|(what, id)| (whose, *what, id.clone())).collect::<Vec<_>>()
        };
        self.people.iter().flat_map(of).collect()
    }

    /// The token that somebody shows.
    pub(crate) async fn token(&self, who: &str) -> Option<String> {
        let known = self.people.get(who).map(|person| &person.token);
        known.or_else(|| self.tokens.get(who)).cloned()
    }

    /// Who changes something is somebody new each time, where they are a listener.
    async fn fresh_token(&self, who: &str) -> Option<String> {
        match who {
            "guest" => Some(self.check_in(who, "main").await.0),
            "elsewhere" => Some(self.check_in(who, "terrace").await.0),
            _ => self.token(who).await,
        }
    }

    /// All answers to a question: one, or the first of a subscription.
    pub(crate) async fn ask(&self, who: &str, ask: &Ask) -> Vec<Value> {
        let document = ask.document.replace("$KEY", &key()).replace("$CODE", &self.venue.code());
        let document = document.replace("$SONG", &self.song).replace("$PLAYER", &self.player.to_global());
        let document = document.replace("$LETTER", &self.rejected().await);
        if ask.subscribes {
            return self.subscribe(who, &document).await;
        }
        let token = if ask.changes { self.fresh_token(who).await } else { self.token(who).await };
        vec![self.venue.ask(token.as_deref(), &document, Value::Null).await]
    }

    /// The cloud has rejected the first fact; what a manager has decided about it before is forgotten.
    async fn rejected(&self) -> String {
        let store = self.venue.hub.store();
        let put = |tx: &roomtone_hub::store::Tx<'_>| {
            let (_, facts) = link::facts_after(tx, 0, 1, usize::MAX)?;
            let reason = "not a song".to_owned();
            let apart = Apart { seq: 1, outcome: Outcome::Rejected, reason };
            let told: Vec<_> = facts.into_iter().map(|fact| (apart.clone(), fact)).collect();
            link::acknowledge(tx, 0, &told, UnixMillis(0))
        };
        store.write(put).await.unwrap();
        let letters = store.read(|conn| dead_letters::newest(conn, 1)).await.unwrap();
        letters[0].id.to_global()
    }

    async fn subscribe(&self, who: &str, document: &str) -> Vec<Value> {
        let mut socket = self.venue.socket().await;
        let token = self.token(who).await;
        let payload = token.map_or(json!({}), |token| json!({ "authorization": format!("Bearer {token}") }));
        socket.say(json!({ "type": "connection_init", "payload": payload })).await;
        if let Err(code) = socket.said().await {
            return vec![json!({ "closed": code })];
        }
        socket.subscribe("1", document).await;
        if who == "player" && document.contains("playerCommands") {
            return self.orders(&mut socket).await;
        }
        vec![told(socket.said().await)]
    }

    /// What holds, and then one order of each kind that says more than its name.
    async fn orders(&self, socket: &mut Socket) -> Vec<Value> {
        let mut heard = Vec::new();
        while heard.len() < 4 {
            // The socket may not listen yet: then they are given again.
            self.venue.hub.command(self.player, PlayerCommandKind::Volume, Some(0.5)).await.unwrap();
            self.venue.hub.command(self.player, PlayerCommandKind::Skip, None).await.unwrap();
            while let Ok(message) = tokio::time::timeout(ORDER_TAKES, socket.said()).await {
                heard.push(told(message));
                if heard.len() >= 4 {
                    break;
                }
            }
        }
        heard
    }

    /// Panics where an answer holds what belongs to somebody else.
    pub(crate) fn assert_tells_nothing_of_others(&self, who: &str, ask: &Ask, answer: &Value) {
        let text = answer.to_string();
        for (whose, person) in self.people.iter().filter(|(whose, _)| **whose != who) {
            let secrets = person.ids.values().chain([&person.name, &person.token]);
            for secret in secrets {
                assert!(!text.contains(secret), "{}: {who} learns {secret} of {whose}:\n{text}", ask.line);
            }
        }
    }
}

/// What a socket said, in the form of an answer over HTTP.
fn told(message: Result<Value, u16>) -> Value {
    match message {
        Ok(message) if message["type"] == "next" => message["payload"].clone(),
        Ok(message) if message["type"] == "error" => json!({ "errors": message["payload"] }),
        Ok(message) => panic!("{message}"),
        Err(code) => json!({ "closed": code }),
    }
}
