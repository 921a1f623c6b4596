//! What a hub tells of its rooms: kept without a page for guests, shown to the venue's people and to nobody else, and told
//! of at once to whoever looks.

#![expect(clippy::unwrap_used, reason = "the stage is part of the tests")]

use std::time::Duration;

use roomtone_cloud::bus::{Bus, Changes, Topic};
use roomtone_cloud::store::{hubs, rooms};
use roomtone_schema::{AXES, SongId, UnixMillis, UserId, VenueId, ZoneId};
use roomtone_sync::store::CloudStore as _;
use roomtone_sync::wire::{Hello, NowTold, RoomTold, VibeTold};
use serde_json::json;
use uuid::Uuid;

use crate::postgres::run;
use crate::sync::{BEHIND, NOON, Stage};

const SONGS: [SongId; 4] = [song(1), song(2), song(3), song(4)];

const fn song(number: u128) -> SongId {
    SongId(Uuid::from_u128(number))
}

/// A hello of a room that plays the first song; of the next ones listeners are shown as many as `shown`.
fn hello(stage: &Stage, shown: usize) -> Hello {
    let steady = NOON.0 - BEHIND;
    let room = RoomTold {
        zone: ZoneId(Uuid::from_u128(77)),
        now: Some(NowTold {
            song: SONGS[0],
            started_at: UnixMillis(steady - 10_000),
            position_ms: 10_000,
            skip_votes: 1,
            skip_votes_needed: 2,
        }),
        next: SONGS[1..][..shown].to_vec(),
        ahead: SONGS[1..].to_vec(),
        vibe: VibeTold { axes: [0.5; AXES], consensus: 1.0, listeners: 2, source: "listeners".to_owned() },
        needs_screen_code: false,
        hours: None,
    };
    Hello { rooms: vec![room], guests_cut_off: true, ..stage.hello() }
}

async fn set() -> Stage {
    let mut stage = Stage::set().await;
    run(&mut stage.eyes, "insert into public.zones (venue_id, name) select id, 'main' from public.venues")
        .await;
    assert_eq!(count_doors(&mut stage).await, 0, "no page is open");
    stage
}

async fn count_doors(stage: &mut Stage) -> i64 {
    let doors = sqlx::query_scalar("select count(*) from private.guest_doors");
    doors.fetch_one(&mut stage.eyes).await.unwrap()
}

async fn seen_by(stage: &Stage, user: UserId) -> Vec<rooms::Room> {
    let mut work = stage.test.open().as_user(user).await.unwrap();
    rooms::of_venues(&mut work, &[stage.venue], NOON).await.unwrap()
}

async fn owner(stage: &mut Stage) -> UserId {
    let id = sqlx::query_scalar("select user_id from public.venue_members where venue_id = $1 limit 1")
        .bind(stage.venue.0)
        .fetch_one(&mut stage.eyes)
        .await
        .unwrap();
    UserId(id)
}

#[tokio::test]
async fn a_room_is_shown_to_its_venues_people_with_what_listeners_are_not_shown() {
    let mut stage = set().await;
    stage.store.hello(&stage.hub, hello(&stage, 0), NOON).await.unwrap();
    let owner = owner(&mut stage).await;
    let [room] = seen_by(&stage, owner).await.try_into().unwrap();
    let heard = room.heard().unwrap();
    // The hub's clock is behind by a year: what is shown goes by the cloud's.
    assert_eq!((heard.song, heard.started_at), (SONGS[0], NOON - Duration::from_secs(10)));
    assert_eq!((heard.position_ms, heard.as_of), (10_000, NOON));
    assert_eq!((room.next(), room.told.next.len(), room.told.listeners), (SONGS[1..].to_vec(), 0, 2));

    let foreign = stage.test.user("other@example.com", Some("manager")).await;
    stage.test.venue(foreign).await;
    assert!(seen_by(&stage, foreign).await.is_empty(), "another house");
    // Not even the page of this house may read what the licence hides.
    let work = stage.test.open();
    let mut work = work.as_guest(Some(VenueId(stage.venue.0))).await.unwrap();
    let hidden = sqlx::query("select ahead from private.rooms_told").fetch_all(&mut *work).await;
    let code = hidden.unwrap_err().as_database_error().and_then(|error| error.code().map(Into::into));
    assert_eq!(code, Some("42501".to_owned()));
}

#[tokio::test]
async fn a_hub_of_before_shows_staff_what_listeners_see_and_says_nothing_of_guests() {
    let mut stage = set().await;
    let mut before = hello(&stage, 2);
    before.rooms[0].ahead.clear();
    before.guests_cut_off = false;
    stage.store.hello(&stage.hub, before, NOON).await.unwrap();
    let owner = owner(&mut stage).await;
    assert_eq!(seen_by(&stage, owner).await[0].next(), SONGS[1..3].to_vec());
    let hub = hubs::find(&mut stage.eyes, &[stage.hub.id]).await.unwrap().remove(0);
    assert!(!hub.guests_cut_off);
    stage.store.hello(&stage.hub, hello(&stage, 2), NOON).await.unwrap();
    let hub = hubs::find(&mut stage.eyes, &[stage.hub.id]).await.unwrap().remove(0);
    let at = |seconds: i64| chrono::DateTime::from_timestamp_millis(NOON.0 + seconds * 1_000).unwrap();
    assert!(hub.is_cut_off(at(60)));
    assert!(!hub.is_cut_off(at(3_600)), "a hub that is not heard from says nothing any more");
}

/// Whether somebody who looks has been told since.
fn is_told(changes: &mut Changes) -> bool {
    futures_util::FutureExt::now_or_never(changes.next()).is_some()
}

#[tokio::test]
async fn whoever_looks_at_a_room_is_told_of_another_song_at_once_and_of_nothing_new_never() {
    let mut stage = set().await;
    let bus = Bus::local();
    stage.store = stage.store.clone().telling(bus.clone());
    let mut changes = bus.subscribe([Topic::Room(stage.venue)]);
    stage.store.hello(&stage.hub, hello(&stage, 2), NOON).await.unwrap();
    assert!(is_told(&mut changes));
    let mut same = hello(&stage, 2);
    same.rooms[0].now.as_mut().unwrap().position_ms += 30_000;
    stage.store.hello(&stage.hub, same, NOON + Duration::from_secs(30)).await.unwrap();
    assert!(!is_told(&mut changes), "how far it is goes on by itself");
    let mut wants = hello(&stage, 2);
    wants.rooms[0].vibe.listeners = 3;
    stage.store.hello(&stage.hub, wants, NOON + Duration::from_mins(1)).await.unwrap();
    assert!(is_told(&mut changes));
    stage.push(&[("vote_cast", json!({ "odd": true }))]).await;
    assert!(!is_told(&mut changes));
    stage.push(&[("play_started", json!({ "odd": true }))]).await;
    assert!(is_told(&mut changes));
}
