//! Guests who come by a venue's page: what the database lets them do, by whatever clock.

use std::time::Duration;

use roomtone_cloud::database::Database;
use roomtone_cloud::store::guests::{self, Arrival, Ballot, Seen, Skip};
use roomtone_schema::{UnixMillis, VenueId};
use roomtone_sync::store::CloudStore as _;
use roomtone_sync::wire::{Cursor, GuestSession, GuestSkip, GuestVote, PullAsk, Scope, decode_noun};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use crate::postgres::{Postgres, TestDatabase, Version, run};
use crate::sync::hub;
use crate::tenants::settle;

const NOON: UnixMillis = UnixMillis(1_795_348_800_000);
const CODE: &str = "ABCDEFGH01";

fn id(tenant: u128, number: u128) -> Uuid {
    Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0000 | (tenant << 16) | number)
}

fn after(seconds: u64) -> UnixMillis {
    NOON + Duration::from_secs(seconds)
}

/// Two tenants whose rooms were told of, and nobody there yet.
struct Stage {
    database: Database,
    test: TestDatabase,
    eyes: PgConnection,
    limits: Value,
    next: u128,
}

impl Stage {
    async fn set() -> Self {
        let test = Postgres::start(Version::V18).database().await;
        let mut eyes = settle(&test).await;
        run(&mut eyes, "delete from private.guest_keys where true; delete from private.guest_skips where true; delete from private.guest_votes where true; delete from private.guest_sessions where true; delete from private.guest_devices where true; delete from private.guest_limits where true").await;
        let limits = json!({
            "votes_per_minute": 3, "new_devices_burst": 2, "new_device_every_s": 10, "code_guesses_burst": 2,
            "code_guess_every_s": 6, "device_check_ins_burst": 4, "device_check_in_every_s": 10, "sessions_per_device": 2,
            "sessions": 3, "session_hours": 12, "idle_minutes": 180, "sign_every_s": 300,
        });
        Self { database: test.open(), test, eyes, limits, next: 1 }
    }

    fn drawn(&mut self) -> Uuid {
        self.next += 1;
        Uuid::from_u128(0x00aa_0000_0000_7000_8000_0000_0000_0000 | self.next)
    }

    /// Somebody at the door, with a cookie of that name and a token of that name.
    fn arrival(&mut self, phone: &str, token: &str) -> Arrival {
        let hash = |text: &str| {
            let mut bytes = [7; 32];
            bytes[..text.len()].copy_from_slice(text.as_bytes());
            bytes
        };
        Arrival {
            key: self.drawn(),
            ids: [self.drawn(), self.drawn(), self.drawn()],
            code: CODE.to_owned(),
            zone: None,
            name: Some("Ada".to_owned()),
            cookie: Some(hash(phone)),
            new_cookie: hash(phone),
            token: hash(token),
            address: "192.0.2.1".to_owned(),
        }
    }

    /// One question in the name of a guest of a venue.
    async fn asks(
        &self,
        venue: Uuid,
        ask: impl AsyncFnOnce(&mut PgConnection, &Value) -> Result<Seen, sqlx::Error>,
    ) -> Seen {
        let mut work = self.database.as_guest(Some(VenueId(venue))).await.expect("the database answers");
        let seen = ask(&mut work, &self.limits).await.expect("the database answers");
        work.commit().await.expect("the database answers");
        seen
    }

    async fn arrives(&self, venue: Uuid, arrival: &Arrival, now: UnixMillis) -> Seen {
        self.asks(venue, async |work, limits| guests::arrive(work, arrival, limits, now).await).await
    }

    async fn shows(&self, venue: Uuid, token: &[u8; 32], now: UnixMillis) -> Seen {
        self.asks(venue, async |work, limits| guests::by_token(work, token, limits, now).await).await
    }

    async fn votes(
        &mut self,
        venue: Uuid,
        token: &[u8; 32],
        (song, value): (Uuid, i32),
        key: Option<Uuid>,
        now: UnixMillis,
    ) -> Seen {
        let ballot = Ballot { key: key.unwrap_or_else(|| self.drawn()), vote: self.drawn(), song, value };
        self.asks(venue, async |work, limits| guests::vote(work, token, ballot, limits, now).await).await
    }

    /// Wishes to skip a song that plays since noon and so many seconds; none where nothing can be skipped.
    async fn skips(
        &mut self,
        venue: Uuid,
        token: &[u8; 32],
        (song, since): (impl Into<Option<Uuid>>, u64),
        key: Option<Uuid>,
        now: UnixMillis,
    ) -> Seen {
        let key = key.unwrap_or_else(|| self.drawn());
        let skip = Skip { key, vote: self.drawn(), song: song.into(), since: after(since) };
        self.asks(venue, async |work, limits| guests::skip(work, token, skip, limits, now).await).await
    }

    async fn count(&mut self, from: &str) -> i64 {
        let sql = format!("select count(*) from {from}");
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut self.eyes).await.expect("the database answers")
    }
}

#[tokio::test]
async fn a_repeated_check_in_is_the_same_one_with_another_secret() {
    let mut stage = Stage::set().await;
    let venue = id(1, 0x20);
    let first = stage.arrival("phone", "one");
    let seen = stage.arrives(venue, &first, NOON).await;
    assert_eq!((seen.outcome.as_str(), seen.new_cookie), ("in", true));
    let again = Arrival { token: stage.arrival("phone", "two").token, ..first.clone() };
    let repeated = stage.arrives(venue, &again, after(1)).await;
    assert_eq!((repeated.outcome.as_str(), repeated.new_cookie), ("in", false));
    assert_eq!(repeated.presence.id, seen.presence.id);
    assert_eq!(
        stage.shows(venue, &first.token, after(2)).await.outcome,
        "nobody",
        "the secret before is void"
    );
    assert_eq!(stage.shows(venue, &again.token, after(2)).await.outcome, "here");
    assert_eq!(stage.count("private.guest_sessions").await, 1);
    // Long after it has run out the key is used up.
    assert_eq!(stage.arrives(venue, &again, after(60 * 60 * 13)).await.outcome, "key_used");
}

#[tokio::test]
async fn all_presences_of_a_phone_are_one_listener_and_the_oldest_make_room() {
    let mut stage = Stage::set().await;
    let venue = id(1, 0x20);
    let mut listeners = Vec::new();
    let mut tokens = Vec::new();
    for (at, token) in ["one", "two", "three"].into_iter().enumerate() {
        let arrival = stage.arrival("phone", token);
        let seen = stage.arrives(venue, &arrival, after(at as u64)).await;
        listeners.push(seen.presence.listener_id);
        tokens.push(arrival.token);
    }
    listeners.dedup();
    assert_eq!(listeners.len(), 1);
    let mut outcomes = Vec::new();
    for token in &tokens {
        outcomes.push(stage.shows(venue, token, after(5)).await.outcome);
    }
    assert_eq!(outcomes, ["gone", "here", "here"]);
}

#[tokio::test]
async fn new_phones_wrong_codes_and_full_rooms_are_bounded_and_softly() {
    let mut stage = Stage::set().await;
    let venue = id(1, 0x20);
    let mut outcomes = Vec::new();
    for phone in ["a", "b", "c"] {
        let arrival = stage.arrival(phone, phone);
        let seen = stage.arrives(venue, &arrival, NOON).await;
        outcomes.push((seen.outcome, seen.retry_s));
    }
    assert_eq!(outcomes, [("in".to_owned(), 0), ("in".to_owned(), 0), ("too_often".to_owned(), 10)]);
    let third = stage.arrival("c", "c");
    assert_eq!(stage.arrives(venue, &third, after(10)).await.outcome, "in");
    let fourth = stage.arrival("d", "d");
    assert_eq!(stage.arrives(venue, &fourth, after(60)).await.outcome, "full");
    // Who has fallen silent takes no room.
    assert_eq!(stage.arrives(venue, &fourth, after(60 * 181)).await.outcome, "in");
    let mut outcomes = Vec::new();
    for _ in 0..3 {
        let wrong = Arrival { code: "ABCDEFGH02".to_owned(), ..stage.arrival("e", "e") };
        outcomes.push(stage.arrives(venue, &wrong, after(60 * 181)).await.outcome);
    }
    assert_eq!(
        outcomes,
        ["wrong_code", "wrong_code", "too_often"],
        "the code of another house is a wrong one"
    );
    let kept: Vec<String> =
        sqlx::query_scalar("select what from private.guest_limits").fetch_all(&mut stage.eyes).await.unwrap();
    assert!(kept.iter().all(|what| !what.contains("192.0.2.1")), "no address is kept: {kept:?}");
}

#[tokio::test]
async fn a_vote_counts_once_and_the_last_word_counts() {
    let mut stage = Stage::set().await;
    let (venue, song) = (id(1, 0x20), id(1, 0x50));
    let arrival = stage.arrival("phone", "one");
    stage.arrives(venue, &arrival, NOON).await;
    let key = stage.drawn();
    let first = stage.votes(venue, &arrival.token, (song, 1), Some(key), after(1)).await;
    let repeated = stage.votes(venue, &arrival.token, (song, -1), Some(key), after(2)).await;
    assert_eq!(repeated.outcome, first.outcome, "a repeated key is the first vote");
    let same = stage.votes(venue, &arrival.token, (song, 1), None, after(3)).await;
    assert_eq!(same.outcome, first.outcome, "the same again is nothing new");
    let other = stage.votes(venue, &arrival.token, (song, -1), None, after(4)).await;
    assert_ne!(other.outcome, first.outcome);
    assert_eq!(other.votes[0]["value"], -1);
    assert_eq!(
        (stage.count("private.guest_votes").await, stage.count("private.guest_votes where counts").await),
        (2, 1)
    );
    stage.votes(venue, &arrival.token, (song, 1), None, after(5)).await;
    assert_eq!(stage.votes(venue, &arrival.token, (song, -1), None, after(6)).await.outcome, "too_often");
    assert!(
        stage.votes(venue, &arrival.token, (song, -1), None, after(62)).await.outcome.starts_with("voted")
    );
    let foreign = stage.votes(venue, &arrival.token, (id(2, 0x50), 1), None, after(200)).await;
    assert_eq!(foreign.outcome, "unknown_song");
    assert_eq!(
        stage.votes(venue, &arrival.token, (song, 1), None, after(60 * 60 * 13)).await.outcome,
        "gone"
    );
}

#[tokio::test]
async fn a_wish_to_skip_counts_once_for_each_time_that_a_song_plays() {
    let mut stage = Stage::set().await;
    let (venue, song) = (id(1, 0x20), id(1, 0x50));
    let arrival = stage.arrival("phone", "one");
    stage.arrives(venue, &arrival, NOON).await;
    let token = &arrival.token;
    let key = stage.drawn();
    let mut outcomes = Vec::new();
    for (since, key, now) in
        [(0, Some(key), 1), (0, Some(key), 2), (0, None, 3), (100, None, 101), (200, None, 201)]
    {
        outcomes.push(stage.skips(venue, token, (song, since), key, after(now)).await.outcome);
    }
    assert_eq!(outcomes, ["skipped"; 5]);
    assert_eq!(stage.count("private.guest_skips").await, 3, "the first play has one, and each later one");
    // A key is of one intent.
    let vote = stage.votes(venue, token, (song, 1), Some(key), after(202)).await;
    assert_eq!(vote.outcome, "key_used");
    stage.votes(venue, token, (song, 1), Some(Uuid::from_u128(77)), after(203)).await;
    let skip = stage.skips(venue, token, (song, 200), Some(Uuid::from_u128(77)), after(204)).await;
    assert_eq!(skip.outcome, "key_used");
    // As many a minute as votes.
    stage.skips(venue, token, (song, 205), None, after(205)).await;
    stage.skips(venue, token, (song, 206), None, after(206)).await;
    let often = stage.skips(venue, token, (song, 207), None, after(207)).await;
    assert_eq!((often.outcome.as_str(), often.retry_s), ("too_often", 54));
    assert_eq!(stage.skips(id(2, 0x20), token, (song, 0), None, after(208)).await.outcome, "nobody");
    // Where nothing can be skipped a repeated key is its first result all the same, and a new one is none.
    let mut answers = Vec::new();
    for key in [key, Uuid::from_u128(78)] {
        answers.push(stage.skips(venue, token, (None, 209), Some(key), after(209)).await.outcome);
    }
    assert_eq!(answers, ["skipped", "not_now"]);
    let gone = stage.skips(venue, token, (song, 300), None, after(60 * 60 * 13)).await;
    assert_eq!(gone.outcome, "gone");
    run(&mut stage.eyes, "select private.sweep_guests('2026-11-25')").await;
    assert_eq!(stage.count("private.guest_skips").await, 0, "a wish is of the moment");
}

#[tokio::test]
async fn a_token_opens_its_own_house_and_no_other() {
    let mut stage = Stage::set().await;
    let arrival = stage.arrival("phone", "one");
    stage.arrives(id(1, 0x20), &arrival, NOON).await;
    let other = id(2, 0x20);
    assert_eq!(stage.shows(other, &arrival.token, after(1)).await.outcome, "nobody");
    let vote = stage.votes(other, &arrival.token, (id(2, 0x50), 1), None, after(1)).await;
    assert_eq!(vote.outcome, "nobody");
    let second = stage.arrival("phone", "two");
    assert_eq!(stage.arrives(other, &second, after(1)).await.outcome, "wrong_code");
    let mut work = stage.database.as_guest(Some(VenueId(id(1, 0x20)))).await.unwrap();
    let songs = guests::songs(&mut work, VenueId(other)).await.unwrap();
    assert!(songs.is_empty(), "a guest of one house asks for another's songs");
    assert!(guests::place(&mut work, VenueId(other), NOON).await.unwrap().is_none());
    drop(work);
    // A closed house lets nobody in, and nobody stays.
    run(&mut stage.eyes, "delete from private.guest_doors where code = 'ABCDEFGH01'").await;
    assert_eq!(stage.shows(id(1, 0x20), &arrival.token, after(2)).await.outcome, "nobody");
    let third = stage.arrival("b", "b");
    assert_eq!(stage.arrives(id(1, 0x20), &third, after(2)).await.outcome, "closed");
    let mut work = stage.database.as_guest(None).await.unwrap();
    assert_eq!(guests::page(&mut work, "venue-1").await.unwrap(), None);
    assert_eq!(guests::page(&mut work, "venue-2").await.unwrap(), Some(VenueId(other)));
}

#[tokio::test]
async fn the_house_says_who_needs_the_screen_and_one_that_was_never_heard_lets_nobody_in() {
    let mut stage = Stage::set().await;
    let venue = id(1, 0x20);
    run(&mut stage.eyes, "update private.rooms_told set told = '{\"needs_screen_code\": true}' where true")
        .await;
    let arrival = stage.arrival("phone", "one");
    assert_eq!(stage.arrives(venue, &arrival, NOON).await.outcome, "screen_code");
    run(&mut stage.eyes, "delete from private.rooms_told where true").await;
    assert_eq!(stage.arrives(venue, &arrival, NOON).await.outcome, "not_heard");
}

#[tokio::test]
async fn what_guests_did_comes_down_to_their_own_hub_and_to_no_other() {
    let mut stage = Stage::set().await;
    let (venue, song) = (id(1, 0x20), id(1, 0x50));
    let arrival = stage.arrival("phone", "one");
    let seen = stage.arrives(venue, &arrival, NOON).await;
    stage.votes(venue, &arrival.token, (song, 1), None, after(1)).await;
    stage.skips(venue, &arrival.token, (song, 0), None, after(2)).await;
    let store = roomtone_cloud::hub_store::PgStore::new(stage.test.open(), &[]);
    let mut told = Vec::new();
    for tenant in [1, 2] {
        let venue = VenueId(id(tenant, 0x20));
        let known = hub(&stage.test, &store, venue, &format!("New {tenant}")).await;
        let ask = PullAsk { scope: Scope::Venue(venue), from: Cursor::default(), limit: 5_000 };
        let rows = store.pull(&known, ask).await.unwrap().rows;
        told.push(
            rows.into_iter()
                .filter(|row| row.kind.starts_with("guest_") && row.body.is_some())
                .collect::<Vec<_>>(),
        );
    }
    assert!(told[1].is_empty());
    let [session, vote, skip] = told[0].as_slice() else { panic!("{:?}", told[0]) };
    let session: GuestSession = decode_noun(session.body.as_ref().unwrap()).unwrap();
    assert_eq!((session.zone.as_str(), session.checked_in_at), ("Room", NOON));
    let noun: GuestVote = decode_noun(vote.body.as_ref().unwrap()).unwrap();
    assert_eq!(
        (noun.song.0, noun.cast_at, Some(noun.listener.0)),
        (song, after(1), seen.presence.listener_id)
    );
    let skip: GuestSkip = decode_noun(skip.body.as_ref().unwrap()).unwrap();
    assert_eq!((skip.song.0, skip.cast_at, Some(skip.session.0)), (song, after(2), seen.presence.id));
    // A sign of life is told every few minutes, and not at every look.
    let head = "private.feed where kind = 'guest_session'";
    let before = stage.count(head).await;
    stage.shows(venue, &arrival.token, after(60)).await;
    assert_eq!(stage.count(head).await, before);
    stage.shows(venue, &arrival.token, after(301)).await;
    assert_eq!(stage.count(head).await, before + 1);
}
