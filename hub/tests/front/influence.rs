//! Nobody moves the room by more than their share, however often they ask and however many they say they are.

use roomtone_hub::limits::LimitSettings;
use roomtone_schema::venue::ZoneSettings;
use roomtone_server::front::FrontSettings;
use serde_json::{Value, json};

use crate::venue::{Answer, Venue, global, key};

/// People in the room, whoever is up to something among them.
const PRESENT: usize = 10;

/// What somebody does who wants the room for themselves.
const OFTEN: usize = 1_000;

/// Songs in all directions; the room likes the first, whoever is up to something the opposite.
const SONGS: u8 = 17;

/// A room of ten at fairness 0, nine of whom like the same song, without any limit on how often one may do something: what
/// bounds an influence here is what it weighs.
struct Crowd {
    venue: Venue,
    songs: Vec<String>,
    /// The phone that has said nothing yet: its cookie and its session's token.
    cookie: String,
    token: String,
}

impl Crowd {
    async fn gather() -> Self {
        let limits = LimitSettings {
            votes_per_minute: 1_000,
            device_check_ins_burst: 10_000,
            device_check_in_every_s: 0,
            ..LimitSettings::default()
        };
        let plain = ZoneSettings { fairness: 0.0, ..ZoneSettings::default() };
        let zones = vec![("main".to_owned(), plain)];
        let venue = Venue::with_zones_like(FrontSettings::default(), limits, zones).await;
        let mut songs = Vec::new();
        for number in 0..SONGS {
            songs.push(global(venue.add_song(number).await));
        }
        venue.hub.settle().await;
        for _ in 1..PRESENT {
            let token = venue.check_in().await;
            assert_eq!(like(&venue, &token, &songs[0]).await, json!([]));
        }
        let (cookie, token) = check_in(&venue, None).await;
        let cookie = cookie.unwrap();
        Self { venue, songs, cookie, token }
    }

    /// The five numbers of the room's vibe.
    async fn vibe(&self) -> Vec<f64> {
        self.venue.hub.settle().await;
        let told = self.venue.ask(None, "{ vibe { activeListeners axes { value } } }", Value::Null).await;
        let vibe = &told["data"]["vibe"];
        assert_eq!(vibe["activeListeners"], PRESENT, "one phone is one listener: {vibe:#}");
        let axes = vibe["axes"].as_array().unwrap();
        axes.iter().map(|axis| axis["value"].as_f64().unwrap()).collect()
    }

    /// Songs that point away from what the room likes.
    fn against(&self) -> impl Iterator<Item = &String> {
        // Song n points to the angle n: these lie nearly opposite to 0.
        [3, 9, 16].map(|number: usize| &self.songs[number]).into_iter().cycle()
    }
}

/// A check-in from the phone with this cookie; the cookie it is given, where it had none, and the token.
async fn check_in(venue: &Venue, cookie: Option<&str>) -> (Option<String>, String) {
    let header = cookie.map(|cookie| format!("cookie: {cookie}\r\n")).unwrap_or_default();
    let input = json!({ "venueCode": venue.code(), "idempotencyKey": key() });
    let query = "mutation($input: CheckInInput!) { checkIn(input: $input) { token userErrors { message } } }";
    let body = json!({ "query": query, "variables": { "input": input } }).to_string();
    let answer: Answer = venue.post(&header, &body).await;
    let told = answer.json();
    let token = told["data"]["checkIn"]["token"].as_str().unwrap_or_else(|| panic!("not let in: {told:#}"));
    (answer.cookie().map(str::to_owned), token.to_owned())
}

async fn like(venue: &Venue, token: &str, song: &str) -> Value {
    let input = json!({ "songId": song, "value": "LIKE" });
    venue.mutate(Some(token), "vote", "VoteInput", input, "vote { id }").await["userErrors"].clone()
}

fn moved(before: &[f64], after: &[f64]) -> f64 {
    before.iter().zip(after).map(|(before, after)| (after - before).powi(2)).sum::<f64>().sqrt()
}

/// More than half of what one may, so that it is known to have counted, and no more than one may.
fn assert_one_share(moved: f64) {
    let share = 1.0 / PRESENT as f64;
    assert!((share / 2.0..=share + 1e-9).contains(&moved), "the vibe moved by {moved}, one share is {share}");
}

#[tokio::test]
async fn one_phone_with_a_thousand_requests_moves_the_vibe_by_its_share() {
    let crowd = Crowd::gather().await;
    let before = crowd.vibe().await;
    for song in crowd.against().take(OFTEN) {
        assert_eq!(like(&crowd.venue, &crowd.token, song).await, json!([]), "every request is taken");
    }
    assert_one_share(moved(&before, &crowd.vibe().await));
}

#[tokio::test]
async fn a_thousand_sessions_of_one_phone_move_the_vibe_by_its_share() {
    let crowd = Crowd::gather().await;
    let before = crowd.vibe().await;
    for (song, number) in crowd.against().zip(0..OFTEN) {
        let (cookie, token) = check_in(&crowd.venue, Some(&crowd.cookie)).await;
        assert_eq!(cookie, None, "the hub knows this phone");
        if number % 10 == 0 || OFTEN - number <= 5 {
            assert_eq!(like(&crowd.venue, &token, song).await, json!([]));
        }
    }
    assert_one_share(moved(&before, &crowd.vibe().await));
}
