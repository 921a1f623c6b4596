//! A room that closes and opens again, listened to: what is silent on purpose is no silence.

use std::time::Duration;

use roomtone_schema::{Clock as _, SystemClock};
use roomtone_tests::{TestVenue, eventually_within};
use serde_json::{Value, json};

use super::{SOME_SECONDS, SONG_S, hears, playing, plays, venue};

/// Longer than any pause between two songs, and than what counts as silence.
const CLOSED_S: f64 = 6.0;

const DAYS: [&str; 7] = ["thu", "fri", "sat", "sun", "mon", "tue", "wed"];

#[tokio::test]
async fn a_room_that_closes_plays_its_song_out_is_quiet_and_plays_again_when_it_opens() {
    let mut venue = venue(8);
    let player = playing(&venue, "bar").await;
    hears(&player, 1).await;
    let manager = Manager::of(&venue).await;

    // Open on a day that is far off, whatever time it is now: the epoch was a Thursday.
    let today = SystemClock::new().wall().0 / 86_400_000;
    let another = DAYS[usize::try_from(today + 3).expect("after 1970") % 7];
    manager
        .keeps(json!({ "hours": [{ "days": [another], "from": "10:00", "to": "11:00" }], "dayparts": [] }))
        .await;
    let song_out = Duration::from_secs(u64::from(SONG_S)) + SOME_SECONDS;
    eventually_within(song_out, "the last song ends", async || player.title().is_none()).await;
    let ended = player.recording().seconds();
    eventually_within(SOME_SECONDS, "it stays closed for a while", async || {
        ended + CLOSED_S < player.recording().seconds()
    })
    .await;
    assert!(!player.recording().sounds_at_its_end(CLOSED_S - 1.0), "nothing is heard");
    let status = player.status().expect("it runs");
    assert_eq!((&status["silence_ms"], &status["silent_now"]), (&json!(0), &json!(false)), "{status}");
    assert_eq!(venue.health().await["players"]["silent"], 0);

    manager.keeps(json!({ "hours": [], "dayparts": [] })).await;
    plays(&player).await;
    let gaps = player.recording().gaps(1.0);
    let [gap] = gaps.as_slice() else { panic!("one time of quiet: {gaps:?}") };
    assert!(CLOSED_S - 1.0 < gap.seconds(), "{gap:?}");
    assert_eq!(player.status().expect("it runs")["silence_ms"], 0, "it was meant");
    venue.close();
}

/// Whoever runs the venue, on the hub's own machine.
struct Manager {
    http: reqwest::Client,
    address: String,
    token: String,
    zone: Value,
}

impl Manager {
    async fn of(venue: &TestVenue) -> Self {
        let said = venue.run::<&str>("manager token", []).succeeded().stdout;
        let token = said.split_whitespace().max_by_key(|word| word.len()).expect("a token").to_owned();
        let zones = venue.passer_by().ask("{ venue { zones { id } } }", json!({})).await;
        let zone = zones.data()["venue"]["zones"][0]["id"].clone();
        Self { http: reqwest::Client::new(), address: venue.url("/api/manage/week"), token, zone }
    }

    async fn keeps(&self, week: Value) {
        let asked = json!({ "zone": self.zone, "schedule": week }).to_string();
        let answer = self.http.post(&self.address).bearer_auth(&self.token).body(asked).send().await;
        let answer = answer.expect("the hub answers");
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap_or_default());
    }
}
