//! Postgres as hubs use it: hello, push, pull, digests and rows.

#![expect(clippy::unwrap_used, reason = "the stage is part of the tests")]

use roomtone_cloud::hub_store::PgStore;
use roomtone_cloud::ingest;
use roomtone_schema::fairness::Fairness;
use roomtone_schema::id::Id;
use roomtone_schema::replay::Figures;
use roomtone_schema::vote::{Hlc, Vote, VoteValue};
use roomtone_schema::{
    BootId, HubId, ListenerId, PlayerId, SessionId, SongId, UnixMillis, UserId, VenueId, VoteId, ZoneId,
};
use roomtone_sync::credential::{SigningKey, Ticket};
use roomtone_sync::store::{CloudStore as _, KnownHub};
use roomtone_sync::wire::{
    CatalogueSong, Cursor, Fact, Facts, FaresTold, Hello, Kind, Outcome, PlayerNews, PlayerTold, ProblemCode,
    PullAsk, Push, PushAnswer, RowsAsk, Scope, Stamp, Standing, TasteNews, VenueSong, VolumeOrder, ZoneTold,
    decode_noun,
};
use roomtone_sync::{chain, digest};
use serde_bytes::ByteArray;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::postgres::{Postgres, TestDatabase, Version, run};

/// The cloud's time.
pub(crate) const NOON: UnixMillis = UnixMillis(1_796_000_000_000);
/// The hub's clocks are that much behind.
pub(crate) const BEHIND: i64 = 400 * 86_400_000;

/// A hub that is enrolled at a venue.
pub(crate) struct Stage {
    pub(crate) store: PgStore,
    pub(crate) hub: KnownHub,
    pub(crate) venue: VenueId,
    pub(crate) test: TestDatabase,
    pub(crate) eyes: PgConnection,
    link: [u8; 32],
    seq: i64,
}

fn key() -> SigningKey {
    SigningKey::from_seed(&[7; 32]).unwrap()
}

fn id<T: Id>(n: u8) -> T {
    T::mint(NOON, [n; 10])
}

/// How a zone's people fare, as a hub tells it.
fn fares() -> FaresTold {
    let now = Fairness { mean: 0.5, worst: 0.25, longest_drought: 2 };
    let day = Figures { visits: 9, songs: 120, fares: now };
    FaresTold { people: 3, now: Some(now), days: vec![(20_787, day)] }
}

pub(crate) async fn hub(test: &TestDatabase, store: &PgStore, venue: VenueId, name: &str) -> KnownHub {
    let hub: Uuid = sqlx::query_scalar(
        "insert into public.hubs (venue_id, name, public_key, enrolled_at) values ($1, $2, sha256(convert_to($2, 'UTF8')), now()) returning id",
    )
    .bind(venue.0)
    .bind(name)
    .fetch_one(&mut test.superuser().await)
    .await
    .unwrap();
    store.hub(HubId(hub)).await.unwrap().expect("it is enrolled")
}

impl Stage {
    pub(crate) async fn set() -> Self {
        Self::on(Version::V18).await
    }

    pub(crate) async fn on(version: Version) -> Self {
        let test = Postgres::start(version).database().await;
        let venue = test.venue(test.user("owner@example.com", None).await).await;
        let store = PgStore::new(test.open(), &[key().public()]);
        let hub = hub(&test, &store, venue, "Hub").await;
        let eyes = test.superuser().await;
        Self { store, hub, venue, test, eyes, link: chain::BEGINNING, seq: 0 }
    }

    pub(crate) fn hello(&self) -> Hello {
        Hello {
            epoch: 1,
            instance: Uuid::from_u128(1),
            predecessor: None,
            moved: false,
            last_seq: self.seq,
            acked: self.seq,
            oldest: 1,
            acked_chain: Some(ByteArray::new(self.link)),
            forked: false,
            now: Stamp { boot: BootId(Uuid::from_u128(9)), mono_ms: 1_000_000, wall_ms: 0 },
            steady_ms: NOON.0 - BEHIND,
            software: "test 1".to_owned(),
            pending: 0,
            zones: vec![ZoneTold {
                id: ZoneId(Uuid::from_u128(77)),
                name: "main".to_owned(),
                fares: Some(fares()),
            }],
            players: vec![],
            rooms: vec![],
            guests_cut_off: false,
        }
    }

    pub(crate) async fn push(&mut self, facts: &[(&str, Value)]) -> PushAnswer {
        let push = push_of(self.seq + 1, self.link, facts);
        let answer = self.store.push(&self.hub, push.clone(), NOON).await.unwrap();
        self.link = chain::link_behind(&self.link, &push.facts.into_facts().unwrap());
        self.seq = answer.ack;
        answer
    }

    async fn pull(&self, scope: Scope, from: Cursor) -> roomtone_sync::wire::Page {
        self.store.pull(&self.hub, PullAsk { scope, from, limit: 5_000 }).await.unwrap()
    }

    async fn count(&mut self, from: &str) -> i64 {
        sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) from {from}")))
            .fetch_one(&mut self.eyes)
            .await
            .unwrap()
    }
}

fn fact(kind: &str, payload: &Value) -> Fact {
    let hlc = (NOON.0 - BEHIND).cast_unsigned() << 16;
    let payload = payload.to_string().into_bytes();
    Fact {
        kind: kind.to_owned(),
        payload,
        hlc,
        boot: BootId(Uuid::from_u128(9)),
        mono_ms: 1_000_000,
        wall_ms: 0,
    }
}

fn push_of(first_seq: i64, before: [u8; 32], facts: &[(&str, Value)]) -> Push {
    let facts: Vec<Fact> = facts.iter().map(|(kind, payload)| fact(kind, payload)).collect();
    let facts = Facts::of(&facts).unwrap();
    Push { epoch: 1, instance: Uuid::from_u128(1), first_seq, before: ByteArray::new(before), facts }
}

fn vote(n: u8, listener: Uuid, song: SongId, value: VoteValue) -> Value {
    json!(Vote {
        id: id::<VoteId>(n),
        listener: ListenerId(listener),
        session: id::<SessionId>(1),
        song,
        value,
        hlc: Hlc(1),
        cast_at: UnixMillis(NOON.0 - BEHIND),
    })
}

fn song(n: u8, bytes: u8) -> Value {
    json!({ "id": id::<SongId>(n), "status": "ready", "created_at": NOON.0 - BEHIND, "facts": {
        "title": "A song", "artist": null, "album": null, "isrc": "no isrc", "label": null, "explicit": "unknown", "kind": null,
        "duration_ms": 240_000, "bpm": 120.4, "pulse_clarity": 0.5, "key": null, "key_strength": 0.1, "loudness_lufs": -14.0,
        "true_peak_dbtp": -1.0, "cue_in_ms": 0, "cue_out_ms": 240_000, "embedding": [0.1, -0.7, 0.3, 0.2, 0.9],
        "embedding_version": 1, "sha256": format!("{bytes:02x}").repeat(32), "bytes": 1234, "content_type": "audio/flac" } })
}

#[tokio::test]
async fn a_hub_is_welcome_and_its_double_is_not() {
    let mut stage = Stage::set().await;
    assert_eq!(stage.store.hub(HubId(Uuid::from_u128(3))).await.unwrap(), None);
    let early =
        stage.store.push(&stage.hub, push_of(1, chain::BEGINNING, &[("pick_made", json!({}))]), NOON).await;
    assert_eq!(early.unwrap_err().code, ProblemCode::Epoch, "before the first hello");
    let answer = stage.store.hello(&stage.hub, stage.hello(), NOON).await.unwrap();
    assert_eq!((answer.standing, answer.epoch, answer.ack), (Standing::Welcome, 1, 0));
    assert_eq!(answer.ticket_keys, [ByteArray::new(key().public())]);
    let double = Hello { instance: Uuid::from_u128(2), ..stage.hello() };
    assert_eq!(stage.store.hello(&stage.hub, double, NOON).await.unwrap().standing, Standing::Fenced);
    assert_eq!(stage.count("public.sync_state where news = 'duplicate' and rival is not null").await, 1);
    let theirs =
        Push { instance: Uuid::from_u128(2), ..push_of(1, chain::BEGINNING, &[("pick_made", json!({}))]) };
    assert_eq!(stage.store.push(&stage.hub, theirs, NOON).await.unwrap_err().code, ProblemCode::Fenced);
    run(&mut stage.eyes, "update public.hubs set revoked_at = now() where true").await;
    let gone = stage.store.hello(&stage.hub, stage.hello(), NOON).await.unwrap_err();
    assert_eq!(gone.code, ProblemCode::Revoked);
}

#[tokio::test]
async fn facts_are_taken_once_and_dated_by_our_clock() {
    let mut stage = Stage::set().await;
    stage.store.hello(&stage.hub, stage.hello(), NOON).await.unwrap();
    let guest = Uuid::from_u128(50);
    let votes = [("vote_cast", vote(1, guest, id(1), VoteValue::Like)), ("vote_cast", json!({ "id": 3 }))];
    let first = stage.push(&votes).await;
    assert_eq!((first.ack, first.apart.len(), first.apart[0].outcome), (2, 1, Outcome::Rejected));
    // Its answer was lost: the same again, with what is kept apart.
    let again = stage.store.push(&stage.hub, push_of(1, chain::BEGINNING, &votes), NOON).await.unwrap();
    assert_eq!(again, first);
    assert_eq!(stage.count("public.votes").await, 1);
    let at: chrono::DateTime<chrono::Utc> =
        sqlx::query_scalar("select vote_time from public.votes").fetch_one(&mut stage.eyes).await.unwrap();
    assert_eq!(at.timestamp_millis(), NOON.0, "400 days are mended");
    let other = [("vote_cast", vote(2, guest, id(1), VoteValue::Like)), votes[1].clone()];
    let fork = stage.store.push(&stage.hub, push_of(1, chain::BEGINNING, &other), NOON).await.unwrap_err();
    assert_eq!(fork.code, ProblemCode::Fork);
    let unchained = stage.store.push(&stage.hub, push_of(3, [9; 32], &other), NOON).await.unwrap_err();
    assert_eq!(unchained.code, ProblemCode::Fork);
    let gap = stage.store.push(&stage.hub, push_of(5, stage.link, &other), NOON).await.unwrap_err();
    assert_eq!((gap.code, gap.ack), (ProblemCode::Gap, Some(2)));
    // A hub that was put back to an earlier state, and cannot show what it shares with us: all is told again.
    let back = Hello { last_seq: 1, acked: 1, acked_chain: None, ..stage.hello() };
    let answer = stage.store.hello(&stage.hub, back, NOON).await.unwrap();
    assert_eq!((answer.epoch, answer.ack), (2, 0));
}

#[tokio::test]
async fn a_hubs_songs_join_the_catalogue_and_come_down() {
    let mut stage = Stage::set().await;
    stage.store.hello(&stage.hub, stage.hello(), NOON).await.unwrap();
    assert_eq!(stage.push(&[("song_added", song(1, 1))]).await.apart, []);
    // The same bytes under another id, which a vote names.
    let guest = Uuid::from_u128(50);
    let more = [("song_added", song(2, 1)), ("vote_cast", vote(1, guest, id(2), VoteValue::Like))];
    assert_eq!(stage.push(&more).await.apart, []);
    assert_eq!(
        stage
            .count("public.songs where status = 'draft' and not stored and isrc is null and bpm = 120")
            .await,
        1
    );
    let voted: Uuid =
        sqlx::query_scalar("select song_id from public.votes").fetch_one(&mut stage.eyes).await.unwrap();
    assert_eq!(voted, id::<SongId>(1).0);
    let page = stage.pull(stage.hub.scopes()[0], Cursor::default()).await;
    assert_eq!((page.changes, page.head, page.rows.len()), (1, 1, 1));
    let down: CatalogueSong = decode_noun(page.rows[0].body.as_ref().unwrap()).unwrap();
    assert_eq!(down.embedding, Some([0.1, -0.7, 0.3, 0.2, 0.9]), "bit for bit");
    let venue = stage.pull(stage.hub.scopes()[1], Cursor::default()).await;
    assert_eq!(venue.rows.iter().filter(|row| row.kind == Kind::VenueSong.word()).count(), 1);
    stage.push(&[("song_withdrawn", json!({ "song": id::<SongId>(2), "at": 1 }))]).await;
    let next = stage.pull(stage.hub.scopes()[1], venue.to).await;
    let off: VenueSong = decode_noun(next.rows[0].body.as_ref().unwrap()).unwrap();
    assert_eq!((next.rows.len(), off.enabled), (1, false));
    assert_eq!(stage.count("public.songs where status = 'withdrawn'").await, 0);
}

#[tokio::test]
async fn a_feed_is_read_from_where_one_was_and_from_nowhere_else() {
    let mut stage = Stage::set().await;
    stage.store.hello(&stage.hub, stage.hello(), NOON).await.unwrap();
    let songs: Vec<_> = (1..=9).map(|n| ("song_added", song(n, n))).collect();
    stage.push(&songs).await;
    let scope = stage.hub.scopes()[0];
    let all = stage.pull(scope, Cursor::default()).await;
    assert_eq!((all.rows.len(), all.to.seq), (9, 9));
    run(&mut stage.eyes, "update public.songs set last_played = now() where true").await;
    assert_eq!(stage.pull(scope, all.to).await.rows, [], "when it was played is no change");
    run(&mut stage.eyes, "update public.songs set title = 'Another' where true; delete from public.songs where id in (select id from public.songs limit 1)").await;
    let next = stage.pull(scope, all.to).await;
    assert_eq!((next.rows.len(), next.changes), (9, 9), "one change of each");
    assert_eq!(next.rows.iter().filter(|row| row.body.is_none()).count(), 1);
    for from in [Cursor { seq: 9, tag: 1 }, Cursor { seq: 900, tag: 1 }] {
        let refused = stage.store.pull(&stage.hub, PullAsk { scope, from, limit: 10 }).await.unwrap_err();
        assert_eq!(refused.code, ProblemCode::Diverged, "{from:?}");
    }
    let foreign = Scope::Venue(VenueId(Uuid::from_u128(4)));
    let refused = stage.store.pull(&stage.hub, PullAsk { scope: foreign, from: all.to, limit: 10 }).await;
    assert_eq!(refused.unwrap_err().code, ProblemCode::NotFound);
    // What everything adds up to, and the rows by where they are kept.
    let sums = stage.store.digest(&stage.hub, scope).await.unwrap();
    let ask = RowsAsk { scope, kinds: vec![], buckets: vec![], after: None, limit: 5 };
    let first = stage.store.rows(&stage.hub, ask.clone()).await.unwrap();
    let after = first.rows.last().map(|row| (row.kind.clone(), row.pk));
    let second = stage.store.rows(&stage.hub, RowsAsk { after, ..ask.clone() }).await.unwrap();
    assert_eq!((first.rows.len(), first.more, second.rows.len(), second.more), (5, true, 3, false));
    let rows: Vec<_> = first.rows.iter().chain(&second.rows).collect();
    let expected = digest::of_rows(rows.iter().map(|row| (row.kind.as_str(), row.pk, row.seq)));
    assert_eq!(sums.buckets.iter().map(|sum| **sum).collect::<Vec<_>>(), expected);
    assert_eq!((sums.at, first.at), (next.to, next.to));
    let bucket = digest::bucket_of(rows[0].pk);
    let some = stage.store.rows(&stage.hub, RowsAsk { buckets: vec![bucket], ..ask }).await.unwrap();
    assert!(
        some.rows.iter().any(|row| row == rows[0])
            && some.rows.iter().all(|row| digest::bucket_of(row.pk) == bucket)
    );
    run(&mut stage.eyes, "update private.feed set at = now() - interval '100 days' where seq < 12").await;
    run(&mut stage.eyes, "select private.trim_feed(now() - interval '90 days')").await;
    let behind = stage.store.pull(&stage.hub, PullAsk { scope, from: all.to, limit: 10 }).await.unwrap_err();
    assert_eq!(behind.code, ProblemCode::Diverged);
    assert_eq!(stage.pull(scope, next.to).await.rows, []);
}

#[tokio::test]
async fn somebody_known_at_two_venues_has_one_taste() {
    let mut stage = Stage::set().await;
    let person = stage.test.user("listener@example.com", None).await;
    stage.store.hello(&stage.hub, stage.hello(), NOON).await.unwrap();
    let cast = vote(1, person.0, id(1), VoteValue::Like);
    let early =
        stage.push(&[("song_added", song(1, 1)), ("song_added", song(2, 2)), ("vote_cast", cast)]).await;
    assert_eq!(
        (early.apart.len(), early.apart[0].outcome),
        (1, Outcome::Parked),
        "nobody signs in by a hub's word"
    );
    let signed_in = |venue, by: &SigningKey| {
        let ticket = Ticket::new(Uuid::from_u128(1), person.0, venue, None, NOON).sign(by);
        json!({ "session": id::<SessionId>(1), "listener": person.0, "guest": Uuid::from_u128(60), "ticket": ticket, "at": NOON.0 - BEHIND })
    };
    let forged = signed_in(stage.venue, &SigningKey::from_seed(&[8; 32]).unwrap());
    assert_eq!(stage.push(&[("listener_signed_in", forged)]).await.apart[0].outcome, Outcome::Rejected);
    let foreign = signed_in(VenueId(Uuid::from_u128(4)), &key());
    assert_eq!(stage.push(&[("listener_signed_in", foreign)]).await.apart[0].outcome, Outcome::Rejected);
    let guest = Uuid::from_u128(60);
    let real = [
        ("vote_cast", vote(2, guest, id(2), VoteValue::Dislike)),
        ("listener_signed_in", signed_in(stage.venue, &key())),
        ("votes_claimed", json!({ "guest": guest, "listener": person.0 })),
    ];
    assert_eq!(stage.push(&real).await.apart, []);
    assert_eq!(
        stage.count("public.sync_quarantine where outcome = 'parked'").await,
        0,
        "what waited was applied"
    );
    let page = stage.pull(stage.hub.scopes()[1], Cursor::default()).await;
    let row = page.rows.iter().rfind(|row| row.kind == Kind::Taste.word()).expect("their taste");
    let taste: TasteNews = decode_noun(row.body.as_ref().unwrap()).unwrap();
    assert_eq!((taste.n_like, taste.n_dislike, taste.folded.len()), (1, 1, 1));
    assert_eq!(taste.sum_like, taste.sum_dislike, "the two songs sound alike");
    assert_eq!(stage.count("public.votes where user_id is not null and guest_id is null").await, 2);
    assert_eq!(
        stage.count("public.guests where claimed_by is not null").await,
        1,
        "whom the guest turned out to be"
    );
    let moved = stage.store.heads_since(0).await.unwrap();
    assert!(moved.0.iter().any(|head| head.scope == stage.hub.scopes()[1] && head.seq == page.head));
    assert_eq!(ingest::retry_all(&stage.test.open(), &[key().public()], NOON).await.unwrap(), 0);
}

#[tokio::test]
async fn a_cloud_that_was_restored_is_told_again_and_its_feed_is_another() {
    let mut stage = Stage::set().await;
    stage.store.hello(&stage.hub, stage.hello(), NOON).await.unwrap();
    stage.push(&[("song_added", song(1, 1)), ("song_added", song(2, 2))]).await;
    let scope = stage.hub.scopes()[0];
    let at = stage.pull(scope, Cursor::default()).await.to;
    // The backup is of before the push.
    run(
        &mut stage.eyes,
        "delete from private.sync_received where true; delete from private.feed where scope like 'catalogue:%';
         delete from private.feed_rows where scope like 'catalogue:%'; update private.feed_heads set head = 0 where scope like 'catalogue:%';
         delete from public.sync_state where true",
    )
    .await;
    let answer = stage.store.hello(&stage.hub, stage.hello(), NOON).await.unwrap();
    assert_eq!(
        (answer.standing, answer.epoch, answer.ack),
        (Standing::Welcome, 1, 0),
        "it sends all of it again"
    );
    assert_eq!(stage.count("public.sync_state where news = 'cloud_restored'").await, 1);
    run(&mut stage.eyes, "update public.songs set title = 'Otherwise' where true").await;
    assert_eq!(stage.pull(scope, Cursor::default()).await.to.seq, at.seq, "the same number");
    let refused = stage.store.pull(&stage.hub, PullAsk { scope, from: at, limit: 1 }).await.unwrap_err();
    assert_eq!(refused.code, ProblemCode::Diverged, "and another tag");
}

#[tokio::test]
async fn what_a_hub_tells_of_how_people_fare_is_its_zones_latest_state() {
    let mut stage = Stage::set().await;
    stage.store.hello(&stage.hub, stage.hello(), NOON).await.unwrap();
    assert_eq!(stage.count("public.zone_fairness").await, 0, "a zone that the cloud does not know");
    run(&mut stage.eyes, "insert into public.zones (venue_id, name) select id, 'main' from public.venues")
        .await;
    let told = |people| FaresTold { people, ..fares() };
    for people in [3, 4] {
        let mut hello = stage.hello();
        hello.zones[0].fares = Some(told(people));
        stage.store.hello(&stage.hub, hello, NOON).await.unwrap();
    }
    // A hub of before that tells nothing takes nothing away.
    let mut silent = stage.hello();
    silent.zones[0].fares = None;
    stage.store.hello(&stage.hub, silent, NOON).await.unwrap();
    let kept = roomtone_cloud::store::fares::of_venues(&mut stage.eyes, &[stage.venue]).await.unwrap();
    let kept: Vec<_> = kept.iter().map(roomtone_cloud::store::fares::Fares::read).collect();
    assert_eq!(kept, [Some(told(4))]);
}

#[tokio::test]
async fn what_hubs_tell_of_players_does_not_come_back_to_them() {
    let mut stage = Stage::set().await;
    run(&mut stage.eyes, "insert into public.zones (venue_id, name) select id, 'main' from public.venues")
        .await;
    stage.store.hello(&stage.hub, stage.hello(), NOON).await.unwrap();
    let at = stage.pull(stage.hub.scopes()[1], Cursor::default()).await.to;
    let player = json!({ "id": Uuid::from_u128(80), "name": "Bar", "tag": null, "zone": Uuid::from_u128(77), "status": "idle",
        "current_song": null, "last_seen_at": null, "volume": 1.0, "silence_ms": 0, "created_at": NOON.0 - BEHIND });
    assert_eq!(stage.push(&[("player_added", player)]).await.apart, []);
    assert_eq!(
        stage.count("public.players p join public.zones z on z.id = p.zone_id where z.name = 'main'").await,
        1
    );
    assert_eq!(stage.pull(stage.hub.scopes()[1], at).await.rows, []);
    run(&mut stage.eyes, "update public.players set name = 'Window' where true").await;
    let page = stage.pull(stage.hub.scopes()[1], at).await;
    assert_eq!((page.rows.len(), page.rows[0].kind.as_str()), (1, "player"));
}

#[tokio::test]
async fn what_a_manager_wants_of_a_volume_stands_until_the_hub_has_followed_it() {
    let mut stage = Stage::set().await;
    stage.store.hello(&stage.hub, stage.hello(), NOON).await.unwrap();
    let player = Uuid::from_u128(80);
    let added = json!({ "id": player, "name": "Bar", "tag": null, "zone": Uuid::from_u128(77), "status": "idle",
        "current_song": null, "last_seen_at": null, "volume": 1.0, "silence_ms": 0, "created_at": NOON.0 - BEHIND });
    assert_eq!(stage.push(&[("player_added", added)]).await.apart, []);
    let scope = stage.hub.scopes()[1];
    let at = stage.pull(scope, Cursor::default()).await.to;
    let owner: Uuid = sqlx::query_scalar("select user_id from public.venue_members where role = 'owner'")
        .fetch_one(&mut stage.eyes)
        .await
        .unwrap();
    let turn = async |stage: &mut Stage, percent: i16| {
        let mut work = stage.test.open().as_user(UserId(owner)).await.unwrap();
        let turned = roomtone_cloud::store::players::turn(&mut work, PlayerId(player), percent).await;
        if turned.is_ok() {
            work.commit().await.unwrap();
        }
        turned
    };
    let tell = async |stage: &mut Stage, volume: Option<VolumeOrder>| {
        let told = PlayerTold {
            id: PlayerId(player),
            status: "idle".to_owned(),
            tier: None,
            song: None,
            last_seen_at: None,
            silence_ms: 0,
            volume,
        };
        let hello = Hello { players: vec![told], ..stage.hello() };
        stage.store.hello(&stage.hub, hello, NOON).await.unwrap();
    };
    let shown = async |stage: &mut Stage| -> Option<i16> {
        sqlx::query_scalar("select volume_percent from public.players")
            .fetch_one(&mut stage.eyes)
            .await
            .unwrap()
    };
    // A hub of before that tells nothing would not follow either.
    tell(&mut stage, None).await;
    assert!(turn(&mut stage, 40).await.is_err());
    tell(&mut stage, Some(VolumeOrder { percent: 80, number: 0 })).await;
    assert_eq!(shown(&mut stage).await, Some(80));
    assert_eq!(stage.pull(scope, at).await.rows, [], "what a hub tells does not come back to it");

    turn(&mut stage, 40).await.unwrap();
    let rows = stage.pull(scope, at).await.rows;
    let news: PlayerNews = decode_noun(rows[0].body.as_ref().unwrap()).unwrap();
    let order = news.volume.expect("an order comes down");
    assert_eq!(order.percent, 40);
    // What it had said before it heard of it, and then.
    tell(&mut stage, Some(VolumeOrder { percent: 80, number: 0 })).await;
    assert_eq!(shown(&mut stage).await, Some(40));
    tell(&mut stage, Some(order)).await;
    tell(&mut stage, Some(VolumeOrder { percent: 55, ..order })).await;
    assert_eq!(shown(&mut stage).await, Some(55), "somebody turned it at the hub");
    turn(&mut stage, 40).await.unwrap();
    let page = stage.pull(scope, at).await;
    let news: PlayerNews = decode_noun(page.rows[0].body.as_ref().unwrap()).unwrap();
    assert!(news.volume.is_some_and(|again| order.number < again.number), "the same again is another order");
    assert_eq!(shown(&mut stage).await, Some(40));
}
