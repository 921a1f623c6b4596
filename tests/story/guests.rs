//! Guests whose phones do not reach the hub: they come by the cloud's page, and count in the room like everybody else.

use std::time::{Duration, Instant};

use roomtone_tests::{Guest, Line, TestCloud, TestVenue, eventually_within};
use serde_json::{Value, json};

use crate::evening::own_songs_are_ready;
use crate::ledger::HubLedger;
use crate::pair::{AFTER_FAULTS, IN_STEP, Pair};

/// Songs of the hub.
const SONGS: u32 = 5;

/// What is told over a line that works is there within this on any machine; how long it took is printed.
const SOON: Duration = Duration::from_mins(1);

/// Opens the page of the venue and says its code.
async fn opened(cloud: &TestCloud, venue: &str) -> String {
    let input = json!({ "venueId": venue });
    let done = cloud.mutate("openGuestPage", "OpenGuestPageInput", input, "venue { guestCode }").await;
    done["venue"]["guestCode"].as_str().expect("a code").to_owned()
}

fn page(cloud: &TestCloud, slug: &str) -> String {
    format!("http://127.0.0.1:{}/v/{slug}", cloud.port())
}

async fn people(guest: &Guest) -> Value {
    guest.vibe().await["activeListeners"].clone()
}

async fn axes(guest: &Guest) -> Vec<f64> {
    let vibe = guest.vibe().await;
    vibe["axes"].as_array().unwrap().iter().map(|axis| axis["value"].as_f64().unwrap()).collect()
}

/// Until the page knows the room: a hub tells what it shows with its next hello.
async fn room_is_told(outside: &Guest) {
    eventually_within(IN_STEP, "the cloud has heard of the room", async || {
        let answer = outside.ask("{ vibe { source } syncStatus { state } }", json!({})).await;
        answer.data()["syncStatus"]["state"] == "SYNCED" && answer.data()["vibe"]["source"] != "NONE"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_does_not_reach_the_hub_counts_in_its_room_all_the_same() {
    let test = "who_does_not_reach_the_hub_counts_in_its_room_all_the_same";
    let Some(mut pair) = Pair::open(test, SONGS).await else { return };
    let ana = pair.venue.check_in("ana").await;
    let (liked, _) = ana.songs().await.remove(0);
    ana.likes(&liked).await;
    pair.enrol().await;
    pair.in_step(&ana).await;
    own_songs_are_ready(&pair, SONGS as usize).await;

    let mut bo = Guest::at(&page(&pair.cloud, "resonance"));
    assert_eq!(bo.get("").await.status().as_u16(), 404, "a page that nobody has opened shows nothing");
    let code = opened(&pair.cloud, &pair.at_cloud).await;
    assert!(bo.get("").await.text().await.unwrap().contains("id=\"check-in\""));
    room_is_told(&bo).await;

    let refused = bo.try_check_in(json!({ "venueCode": "AAAAAAAAAA" })).await;
    assert_eq!(refused.refusal().0, "FORBIDDEN");
    let begun = Instant::now();
    bo.check_in(&code, "bo").await;
    eventually_within(SOON, "the hub counts one more", async || people(&ana).await == 2).await;
    println!("a check-in at the cloud counts at the hub after {:?}", begun.elapsed());

    let mut known: Vec<_> = bo.songs().await;
    let mut here = ana.songs().await;
    known.sort();
    here.sort();
    assert_eq!(known, here, "the page knows the room's songs, and no others");
    let before = axes(&ana).await;
    let begun = Instant::now();
    assert_eq!(bo.vote(&liked, "DISLIKE").await.data()["vote"]["vote"]["value"], "DISLIKE");
    eventually_within(SOON, "the vote moves the vibe", async || axes(&ana).await != before).await;
    println!("a vote at the cloud moves the hub's vibe after {:?}", begun.elapsed());
    assert_eq!(bo.votes().await, [(liked.clone(), "DISLIKE".to_owned())]);

    // The line is silent: what is said meanwhile is kept, and the page says that the room is not heard.
    pair.line.becomes(Line::Silent);
    let (other, _) = here.into_iter().find(|(song, _)| *song != liked).unwrap();
    bo.likes(&other).await;
    bo.likes(&other).await;
    let mut cleo = Guest::at(&page(&pair.cloud, "resonance"));
    cleo.check_in(&code, "cleo").await;
    eventually_within(IN_STEP, "the page says that the room is not heard", async || {
        let answer = bo.ask("{ syncStatus { state lastError lastPulledAt } }", json!({})).await;
        let status = answer.data()["syncStatus"].clone();
        status["state"] == "OFFLINE" && status["lastPulledAt"].is_string()
    })
    .await;
    assert_eq!(people(&ana).await, 2);
    pair.line.becomes(Line::Good);
    eventually_within(IN_STEP, "what was said meanwhile arrives", async || people(&ana).await == 3).await;

    // Once each, here and there, also after the hub was started anew.
    pair.venue = pair.venue.restart();
    let mut ana = ana;
    ana = again(&pair, &ana).await;
    pair.in_step(&ana).await;
    let counted = pair.told_exactly_once().await;
    assert_eq!(counted.0, 3, "ana's like, bo's dislike, bo's like");
    assert_eq!(HubLedger::of(&pair.venue).sessions().len(), 3);
    assert_eq!(people(&ana).await, 3);
    let left = bo.mutate("checkOut", "CheckOutInput", json!({}), "session { status }").await;
    assert_eq!(left.data()["checkOut"]["session"]["status"], "ENDED");
    eventually_within(SOON, "who left is gone", async || people(&ana).await == 2).await;
    assert_eq!(bo.vote(&liked, "LIKE").await.refusal().0, "EXPIRED");
    pair.venue.close_apart_from(&AFTER_FAULTS);
    pair.cloud.stop(&[]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_does_not_reach_the_hub_skips_with_the_room() {
    let test = "who_does_not_reach_the_hub_skips_with_the_room";
    // So long that the first one plays until it is skipped, on any machine.
    let Some(mut pair) = Pair::open_with(test, || TestVenue::with_songs_of(2, 3 * 60)).await else { return };
    let ana = pair.venue.check_in("ana").await;
    pair.enrol().await;
    pair.in_step(&ana).await;
    own_songs_are_ready(&pair, 2).await;
    let code = opened(&pair.cloud, &pair.at_cloud).await;
    let mut bo = Guest::at(&page(&pair.cloud, "resonance"));
    room_is_told(&bo).await;
    bo.check_in(&code, "bo").await;
    assert_eq!(skip(&bo).await.refusal().0, "NOT_FOUND", "silence cannot be skipped");

    let (before, (liked, _)) = (axes(&bo).await, ana.songs().await.remove(0));
    let begun = Instant::now();
    ana.likes(&liked).await;
    eventually_within(SOON, "the page shows what the room wants by now", async || axes(&bo).await != before)
        .await;
    println!("a vote in the room moves the vibe on the cloud's page after {:?}", begun.elapsed());

    let bar = pair.venue.player("bar");
    let first = bar.claim().await["pick"]["song"]["id"].clone();
    let plays = "subscription { nowPlaying { song { id } skipVotes skipVotesNeeded } }";
    let (mut here, mut there) = (ana.subscribe(plays).await, bo.subscribe(plays).await);
    let needed = |now: &Value| now["nowPlaying"]["skipVotesNeeded"] == 2;
    there.until(IN_STEP, "the page knows how many it takes", needed).await;

    // One wish, however often it is said: it counts in the room, and the page says so.
    let begun = Instant::now();
    for _ in 0..2 {
        assert_eq!(skip(&bo).await.data()["voteToSkip"]["userErrors"], json!([]));
    }
    let one = |now: &Value| now["nowPlaying"]["skipVotes"] == 1;
    let (now, _) = here.until(SOON, "the wish counts in the room", one).await;
    println!("a wish to skip at the cloud counts at the hub after {:?}", begun.elapsed());
    assert_eq!(now["nowPlaying"]["song"]["id"], first, "one phone has skipped the song");
    there.until(SOON, "the page says that it counts", one).await;
    println!("and the page says so after {:?}", begun.elapsed());
    assert_eq!(skip(&ana).await.data()["voteToSkip"]["userErrors"], json!([]));
    // Nobody has claimed another one: it is there by the skip alone.
    let other = |now: &Value| {
        let song = &now["nowPlaying"]["song"]["id"];
        song.is_string() && *song != first
    };
    here.until(SOON, "the two of them have skipped it", other).await;
    there.until(SOON, "the page shows the next one", other).await;
    pair.venue.close_apart_from(&AFTER_FAULTS);
    pair.cloud.stop(&[]);
}

async fn skip(guest: &Guest) -> roomtone_tests::Answer {
    guest.mutate("voteToSkip", "VoteToSkipInput", json!({}), "nowPlaying { skipVotes }").await
}

/// The same phone at a hub that was started anew, on another port.
async fn again(pair: &Pair, before: &Guest) -> Guest {
    let mut guest = pair.venue.passer_by();
    guest.use_token(before.token().unwrap());
    guest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_guest_of_one_house_is_nobody_in_another() {
    let test = "a_guest_of_one_house_is_nobody_in_another";
    let Some(mut pair) = Pair::open(test, SONGS).await else { return };
    let ana = pair.venue.check_in("ana").await;
    pair.enrol().await;
    pair.in_step(&ana).await;
    own_songs_are_ready(&pair, SONGS as usize).await;
    let other_venue = pair.cloud.venue("Elsewhere", "elsewhere").await;
    let code = opened(&pair.cloud, &pair.at_cloud).await;
    let their_code = opened(&pair.cloud, &other_venue).await;
    let mut bo = Guest::at(&page(&pair.cloud, "resonance"));
    room_is_told(&bo).await;
    bo.check_in(&code, "bo").await;
    let mut there = Guest::at(&page(&pair.cloud, "elsewhere"));
    there.use_token(bo.token().unwrap());
    let me = "{ venue { name } me { id } songs(first: 9) { totalCount } nowPlaying { song { id } } }";
    let seen = there.ask(me, json!({})).await;
    assert_eq!(seen.data()["venue"]["name"], "Elsewhere");
    assert_eq!(seen.data()["me"], Value::Null, "a token of another house is nobody's");
    assert_eq!(seen.data()["songs"]["totalCount"], 0, "songs that only the other house plays are not told");
    let (song, _) = bo.songs().await.remove(0);
    assert_eq!(there.vote(&song, "LIKE").await.refusal().0, "NOT_CHECKED_IN");
    let node = format!("{{ node(id: \"{song}\") {{ id }} }}");
    assert_eq!(there.ask(&node, json!({})).await.data()["node"], Value::Null);
    for (guest, wrong) in [(&mut there, &code), (&mut bo, &their_code)] {
        let refused = guest.try_check_in(json!({ "venueCode": wrong })).await;
        assert_eq!(refused.refusal().0, "FORBIDDEN", "a code opens its own house");
    }
    let unheard = there.try_check_in(json!({ "venueCode": their_code })).await;
    assert_eq!(unheard.refusal().0, "CONFLICT", "a house without a hub takes nobody in");
    // Closed again: nothing is shown, and who was in has left.
    let input = json!({ "venueId": pair.at_cloud });
    pair.cloud.mutate("closeGuestPage", "CloseGuestPageInput", input, "venue { guestCode }").await;
    eventually_within(SOON, "the page is closed", async || bo.get("").await.status().as_u16() == 404).await;
    eventually_within(SOON, "who came by it has left", async || people(&ana).await == 1).await;
    pair.venue.close_apart_from(&AFTER_FAULTS);
    pair.cloud.stop(&[]);
}
