//! Taking in what hubs tell: once, whole, and never in somebody else's name.

use roomtone_cloud::database::Database;
use roomtone_cloud::ingest::{self, Batch, Item, Outcome, Refused};
use roomtone_schema::id::Id;
use roomtone_schema::{BootId, HubId, PlayId, SessionId, SongId, UnixMillis, VenueId, VoteId};
use roomtone_sync::clocks::Moment;
use rstest::rstest;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::postgres::{Postgres, TestDatabase, Version, run};

/// When it all happens: an hour of an evening not long ago.
fn evening() -> UnixMillis {
    UnixMillis(1_796_000_000_000)
}

fn id<T: Id>(n: u8) -> T {
    T::mint(evening(), [n; 10])
}

fn session(n: u8, status: &str) -> Value {
    json!({ "id": id::<SessionId>(n), "listener": Uuid::from_u128(n.into()), "device": Uuid::from_u128(n.into()),
            "zone": Uuid::from_u128(1), "display_name": null, "status": status, "checked_in_at": evening().0,
            "last_seen_at": evening().0 + 60_000, "expires_at": evening().0 + 3_600_000 })
}

fn vote(n: u8, value: &str) -> Value {
    json!({ "id": id::<VoteId>(n), "listener": Uuid::from_u128(n.into()), "session": id::<SessionId>(n),
            "song": id::<SongId>(1), "value": value, "hlc": 1, "cast_at": evening().0 })
}

fn play(n: u8, ended: Option<&str>) -> Value {
    json!({ "id": id::<PlayId>(n), "player": Uuid::from_u128(1), "zone": Uuid::from_u128(1), "song": id::<SongId>(1),
            "pick": Uuid::from_u128(9), "started_at": evening().0, "ended_at": ended.map(|_| evening().0 + 240_000),
            "ended": ended, "heard_ms": ended.map(|_| 240_000), "tier": "plan" })
}

fn moment() -> Moment {
    Moment { boot: BootId(Uuid::from_u128(5)), mono_ms: 0, hlc: evening().0.cast_unsigned() << 16 }
}

fn batch(first: i64, facts: &[(&str, Value)]) -> Batch {
    let items = facts.iter().enumerate().map(|(at, (kind, payload))| Item {
        seq: first + at as i64,
        kind: (*kind).to_owned(),
        payload: payload.to_string().into_bytes(),
        moment: moment(),
    });
    Batch { epoch: 1, items: items.collect() }
}

/// A hub with its venue, and the eyes of the superuser.
struct Stage {
    database: Database,
    hub: HubId,
    venue: VenueId,
    eyes: PgConnection,
    test: TestDatabase,
}

impl Stage {
    async fn set(version: Version) -> Self {
        let test = Postgres::start(version).database().await;
        let owner = test.user("owner@example.com", None).await;
        let venue = test.venue(owner).await;
        let hub = add_hub(&test, venue).await;
        Self { database: test.open(), hub, venue, eyes: test.superuser().await, test }
    }

    async fn push(&self, batch: &Batch) -> Result<ingest::Verdict, Refused> {
        ingest::apply(&self.database, self.hub, self.venue, batch, evening()).await
    }

    async fn count(&mut self, from: &'static str) -> i64 {
        sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) from {from}")))
            .fetch_one(&mut self.eyes)
            .await
            .expect("the database answers")
    }
}

async fn add_hub(test: &TestDatabase, venue: VenueId) -> HubId {
    let hub = sqlx::query_scalar("insert into public.hubs (venue_id, name) values ($1, 'Hub') returning id")
        .bind(venue.0)
        .fetch_one(&mut test.superuser().await)
        .await
        .expect("the database answers");
    HubId(hub)
}

fn an_evening() -> Batch {
    let pick = json!({ "id": Uuid::from_u128(9), "zone": Uuid::from_u128(1), "song": id::<SongId>(1), "seed": 3,
                       "terms": { "similarity": 0.75, "penalty": 0.25 }, "decided_at": evening().0 });
    batch(
        1,
        &[
            ("session_started", session(1, "active")),
            ("vote_cast", vote(1, "like")),
            ("vote_cast", vote(2, "dislike")),
            ("pick_made", pick),
            ("play_started", play(1, None)),
            ("play_ended", play(1, Some("finished"))),
            ("play_started", play(2, None)),
            ("session_ended", session(1, "ended")),
        ],
    )
}

#[rstest]
#[tokio::test]
async fn an_evening_is_taken_once(#[values(Version::V16, Version::V18)] version: Version) {
    let mut stage = Stage::set(version).await;
    for time in 0..3 {
        let verdict = stage.push(&an_evening()).await.unwrap();
        assert_eq!((verdict.ack, verdict.kept_apart), (8, vec![]), "time {time}");
    }
    assert_eq!(stage.count("public.votes").await, 2);
    assert_eq!(stage.count("public.guests").await, 1);
    assert_eq!(stage.count("public.sessions where status = 'ended' and ended_at is not null").await, 1);
    assert_eq!(
        stage
            .count(
                "public.songs_playing where ended = 'finished' and heard_ms = 240000 and tier = 'plan'
                     and similarity = 0.75 and penalty = 0.25"
            )
            .await,
        1
    );
    assert_eq!(stage.count("public.songs_playing where ended is null").await, 1);
    // A hub that was restored sends the same facts under other numbers.
    let mut again = an_evening();
    again.items.iter_mut().for_each(|item| item.seq += 8);
    assert_eq!(stage.push(&again).await.unwrap().ack, 16);
    assert_eq!(stage.count("public.votes").await + stage.count("public.songs_playing").await, 4);
    // The end of a play that was told of earlier.
    let ended =
        batch(17, &[("play_ended", play(2, Some("skipped"))), ("play_ended", play(1, Some("failed")))]);
    assert_eq!(stage.push(&ended).await.unwrap().ack, 18);
    assert_eq!(stage.count("public.songs_playing where ended = 'skipped'").await, 1);
    assert_eq!(
        stage.count("public.songs_playing where ended = 'finished'").await,
        1,
        "what has ended stays so"
    );
}

#[tokio::test]
async fn numbers_are_kept_strictly() {
    let mut stage = Stage::set(Version::V18).await;
    let facts = |first| batch(first, &[("vote_cast", vote(1, "like")), ("vote_cast", vote(2, "like"))]);
    assert!(matches!(stage.push(&facts(2)).await, Err(Refused::Gap { ack: 0 })));
    stage.push(&facts(1)).await.unwrap();
    assert!(matches!(stage.push(&facts(4)).await, Err(Refused::Gap { ack: 2 })));
    // Half of it known, and the known half as it was.
    let overlap = batch(2, &[("vote_cast", vote(2, "like")), ("vote_cast", vote(3, "like"))]);
    assert_eq!(stage.push(&overlap).await.unwrap().ack, 3);
    // The same number, another content: nothing of the batch is taken.
    let fork = batch(3, &[("vote_cast", vote(3, "dislike")), ("vote_cast", vote(4, "like"))]);
    assert!(matches!(stage.push(&fork).await, Err(Refused::Fork { seq: 3 })));
    let mut hole = facts(4);
    hole.items[1].seq = 6;
    assert!(matches!(stage.push(&hole).await, Err(Refused::Malformed(_))));
    assert!(matches!(stage.push(&Batch { epoch: 1, items: vec![] }).await, Err(Refused::Malformed(_))));
    let mut elder = facts(4);
    elder.epoch = 2;
    assert!(matches!(stage.push(&elder).await, Err(Refused::Epoch { theirs: 2, ours: 1 })));
    assert_eq!(stage.count("public.votes").await, 3);
    assert_eq!(stage.count("private.sync_received").await, 3);
}

#[tokio::test]
async fn a_bad_fact_holds_up_nobody() {
    let mut stage = Stage::set(Version::V16).await;
    let mut backwards = session(2, "active");
    backwards["expires_at"] = json!(evening().0 - 1);
    let mut endless = vote(5, "like");
    endless["cast_at"] = json!(i64::MAX);
    let mut nameless = json!({ "id": Uuid::from_u128(7), "name": "a\u{0}b", "zone": Uuid::from_u128(1), "status": "idle",
        "volume": 1.0, "silence_ms": 0, "created_at": evening().0 });
    nameless["tag"] = Value::Null;
    let verdict = stage
        .push(&batch(
            1,
            &[
                ("vote_cast", vote(1, "like")),
                ("session_started", backwards),
                ("vote_cast", json!({ "id": "no" })),
                ("vote_cast", endless),
                ("player_added", nameless),
                ("song_painted", json!({ "colour": "blue" })),
                ("play_started", play(1, None)),
            ],
        ))
        .await
        .unwrap();
    assert_eq!(verdict.ack, 7);
    let apart: Vec<_> = verdict.kept_apart.iter().map(|fact| (fact.seq, fact.outcome)).collect();
    let expected = [
        (2, Outcome::Rejected),
        (3, Outcome::Rejected),
        (4, Outcome::Rejected),
        (5, Outcome::Rejected),
        (6, Outcome::Parked),
    ];
    assert_eq!(apart, expected, "{verdict:?}");
    assert_eq!(stage.count("public.votes").await, 1);
    assert_eq!(stage.count("public.songs_playing").await, 1);
    assert_eq!(stage.count("public.sync_quarantine where outcome = 'rejected' and error <> ''").await, 4);
    assert_eq!(stage.count("public.sync_quarantine where payload ->> 'colour' = 'blue'").await, 1);
}

/// What a fact refers to may come yet: it is parked, and the others are applied.
#[tokio::test]
async fn a_fact_of_something_that_is_not_there_is_parked() {
    let mut stage = Stage::set(Version::V18).await;
    // Somebody whose account is not known here.
    run(
        &mut stage.eyes,
        "create function public.refer() returns trigger language plpgsql as $$
         begin new.user_id := gen_random_uuid(); return new; end $$;
         create trigger refer before insert on public.sessions for each row execute function public.refer()",
    )
    .await;
    let facts = batch(1, &[("session_started", session(1, "active")), ("vote_cast", vote(1, "like"))]);
    let verdict = stage.push(&facts).await.unwrap();
    let apart: Vec<_> = verdict.kept_apart.iter().map(|fact| (fact.seq, fact.outcome)).collect();
    assert_eq!(apart, [(1, Outcome::Parked)], "{verdict:?}");
    assert_eq!(stage.count("public.votes").await, 1);
    assert_eq!(stage.count("public.sync_quarantine where outcome = 'parked' and error <> ''").await, 1);
}

/// The venue comes from the credential, whatever the facts say, and rows of others stay as they are.
#[tokio::test]
async fn a_hub_speaks_for_its_own_venue_alone() {
    let mut stage = Stage::set(Version::V18).await;
    let other = stage.test.user("other@example.com", None).await;
    let theirs = stage.test.venue(other).await;
    let player = |name: &str| {
        json!({ "id": Uuid::from_u128(7), "name": name, "tag": null, "zone": Uuid::from_u128(1), "status": "idle",
            "current_song": null, "last_seen_at": null, "volume": 1.0, "silence_ms": 0, "created_at": evening().0 })
    };
    let their_hub = add_hub(&stage.test, theirs).await;
    let added = batch(1, &[("player_added", player("Theirs"))]);
    ingest::apply(&stage.database, their_hub, theirs, &added, evening()).await.unwrap();
    let mut smuggled = vote(1, "like");
    smuggled["venue_id"] = json!(theirs);
    let ours = batch(
        1,
        &[
            ("vote_cast", smuggled),
            ("player_changed", player("Ours now")),
            ("player_removed", player("Ours now")),
        ],
    );
    let verdict = stage.push(&ours).await.unwrap();
    let apart: Vec<_> = verdict.kept_apart.iter().map(|fact| (fact.seq, fact.outcome)).collect();
    assert_eq!(apart, [(2, Outcome::Rejected), (3, Outcome::Rejected)], "{verdict:?}");
    assert_eq!(stage.count("public.players where name = 'Theirs' and revoked_at is null").await, 1);
    let venue: Uuid =
        sqlx::query_scalar("select venue_id from public.votes").fetch_one(&mut stage.eyes).await.unwrap();
    assert_eq!(venue, stage.venue.0);
}

/// What a mistake of this program must not lead to: the policies themselves know which hub is where, and which is none.
#[tokio::test]
async fn papers_that_do_not_fit_are_worth_nothing() {
    let mut stage = Stage::set(Version::V18).await;
    let facts = batch(1, &[("vote_cast", vote(9, "like"))]);
    let other = stage.test.user("other@example.com", None).await;
    let theirs = stage.test.venue(other).await;
    let forged = ingest::apply(&stage.database, stage.hub, theirs, &facts, evening()).await;
    assert!(matches!(forged, Err(Refused::Database(_))), "{forged:?}");
    run(&mut stage.eyes, "update public.hubs set revoked_at = now() where revoked_at is null").await;
    let revoked = stage.push(&facts).await;
    assert!(matches!(revoked, Err(Refused::Database(_))), "{revoked:?}");
    assert_eq!(stage.count("public.votes").await + stage.count("private.sync_received").await, 0);
}

/// When a venue last played a song: the newest play counts, in whatever order they come.
#[tokio::test]
async fn late_plays_do_not_turn_back_the_time() {
    let mut stage = Stage::set(Version::V18).await;
    sqlx::query(
        "insert into public.songs (id, organisation_id, title, file_url, object_key, content_sha256, content_bytes, content_type)
         select $1, organisation_id, 'Song', 's3://a/b', 'b', sha256('b'), 1, 'audio/flac' from public.venues where id = $2",
    )
    .bind(id::<SongId>(1).0)
    .bind(stage.venue.0)
    .execute(&mut stage.eyes)
    .await
    .unwrap();
    run(&mut stage.eyes, "insert into public.venue_songs (venue_id, song_id) select v.id, s.id from public.venues v, public.songs s").await;
    let mut later = play(2, None);
    later["started_at"] = json!(evening().0 + 1_000_000);
    stage.push(&batch(1, &[("play_started", later)])).await.unwrap();
    stage.push(&batch(2, &[("play_started", play(1, None))])).await.unwrap();
    let last: (f64, f64) = sqlx::query_as(
        "select extract(epoch from v.last_played_at)::float8, extract(epoch from s.last_played)::float8
         from public.venue_songs v join public.songs s on s.id = v.song_id",
    )
    .fetch_one(&mut stage.eyes)
    .await
    .unwrap();
    let expected = (evening().0 + 1_000_000) as f64 / 1000.0;
    assert!((last.0 - expected).abs() < 0.001 && (last.1 - expected).abs() < 0.001, "{last:?}");
}

/// However a hub cuts its facts into batches, and whatever it sends twice: the same rows.
#[tokio::test]
async fn any_way_of_cutting_leads_to_the_same_rows() {
    let mut stage = Stage::set(Version::V18).await;
    let other = stage.test.user("other@example.com", None).await;
    let theirs = stage.test.venue(other).await;
    let their_hub = add_hub(&stage.test, theirs).await;
    let mut facts = Vec::new();
    for n in 1..=20_u8 {
        facts.push(("session_started", session(n, "active")));
        facts.push(("vote_cast", vote(n, if n % 3 == 0 { "dislike" } else { "like" })));
        facts.push(("play_started", play(n, None)));
        if n % 2 == 0 {
            facts.push(("play_ended", play(n, Some("finished"))));
            facts.push(("session_ended", session(n, "ended")));
        }
    }
    let whole = batch(1, &facts);
    ingest::apply(&stage.database, their_hub, theirs, &whole, evening()).await.unwrap();
    // Each begins where the last ended, or earlier.
    let mut ends = 0;
    for (back, length) in [(0, 1), (1, 7), (3, 3), (0, 20), (20, 31), (5, 6), (31, 60), (2, 100), (100, 100)]
    {
        let first = usize::saturating_sub(ends, back);
        let last = whole.items.len().min(first + length);
        let part = Batch { epoch: 1, items: whole.items[first..last].to_vec() };
        let verdict = stage.push(&part).await.unwrap();
        ends = ends.max(last);
        assert_eq!((verdict.ack, verdict.kept_apart), (ends as i64, vec![]), "{back} back, {length} long");
    }
    assert_eq!(ends, whole.items.len());
    for (table, columns) in [
        ("sessions", "id, status, guest_id, ended_at"),
        ("votes", "id, vote_value, guest_id, vote_time"),
        ("songs_playing", "id, ended, heard_ms, ended_at, tier"),
    ] {
        let unlike = format!(
            "(select {columns} from public.{table} where venue_id = '{}' except select {columns} from public.{table} where venue_id = '{theirs}') t",
            stage.venue
        );
        let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) from {unlike}")))
            .fetch_one(&mut stage.eyes)
            .await
            .unwrap();
        assert_eq!(count, 0, "{table}");
    }
    assert_eq!(stage.count("public.votes").await, 40);
}

/// A hub that was answered too late sends again while its first try is under way.
#[tokio::test]
async fn the_same_batch_twice_at_once_is_taken_once() {
    let mut stage = Stage::set(Version::V16).await;
    let evening = an_evening();
    let tries = (0..8).map(|_| {
        ingest::apply(&stage.database, stage.hub, stage.venue, &evening, UnixMillis(1_796_000_000_000))
    });
    for verdict in futures_util::future::join_all(tries).await {
        assert_eq!(verdict.unwrap().ack, 8);
    }
    assert_eq!(stage.count("public.votes").await, 2);
    assert_eq!(stage.count("private.sync_received").await, 8);
}

/// Hubs of one organisation play the same songs at the same time: they wait for each other, and none for ever.
#[tokio::test]
async fn hubs_that_play_the_same_songs_do_not_block_each_other() {
    let mut stage = Stage::set(Version::V18).await;
    run(
        &mut stage.eyes,
        "insert into public.songs (id, organisation_id, title, file_url, object_key, content_sha256, content_bytes, content_type)
         select ('00000000-0000-7000-8000-0000000000' || lpad(n::text, 2, '0'))::uuid, o.id, 'Song', 's3://a/b', 'b',
           sha256(n::text::bytea), 1, 'audio/flac' from public.organisations o, generate_series(10, 40) n",
    )
    .await;
    let mut hubs = vec![(stage.hub, stage.venue)];
    for n in 0..3 {
        let venue: Uuid = sqlx::query_scalar(
            "insert into public.venues (organisation_id, slug, name) select id, 'other-' || $1, 'Other' from public.organisations returning id",
        )
        .bind(n.to_string())
        .fetch_one(&mut stage.eyes)
        .await
        .unwrap();
        hubs.push((add_hub(&stage.test, VenueId(venue)).await, VenueId(venue)));
    }
    run(&mut stage.eyes, "insert into public.venue_songs (venue_id, song_id) select v.id, s.id from public.venues v, public.songs s").await;
    let evening_of = |hub: usize, round: u8| {
        let facts = (0..30_u8).map(|n| {
            // Each hub in another order.
            let song = 10 + (usize::from(n) * (2 * hub + 1) + usize::from(round)) % 31;
            let mut begun = play(round * 30 + n, None);
            begun["id"] = json!(id::<PlayId>(hub as u8 * 60 + round * 30 + n));
            begun["song"] = json!(format!("00000000-0000-7000-8000-0000000000{song}"));
            begun["started_at"] = json!(evening().0 + i64::from(round) * 1_000_000 + i64::from(n) * 1000);
            ("play_started", begun)
        });
        batch(1 + i64::from(round) * 30, &facts.collect::<Vec<_>>())
    };
    for round in 0..2 {
        let pushes = hubs.iter().enumerate().map(|(n, (hub, venue))| {
            let (database, batch) = (stage.database.clone(), evening_of(n, round));
            async move { ingest::apply(&database, *hub, *venue, &batch, evening()).await }
        });
        for verdict in futures_util::future::join_all(pushes).await {
            assert_eq!(verdict.unwrap().kept_apart, vec![]);
        }
    }
    assert_eq!(stage.count("public.songs_playing").await, 240);
}
