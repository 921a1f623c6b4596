//! Weeks of facts: made ahead, found by an id's own time, counted, and dropped.

use roomtone_cloud::database::Database;
use roomtone_cloud::upkeep::{self, Kept, Retention};
use roomtone_schema::{UnixMillis, VenueId};
use rstest::rstest;
use sqlx::{AssertSqlSafe, PgConnection, Row as _};
use uuid::Uuid;

use crate::postgres::{Postgres, TestDatabase, Version, run};

const DAY: i64 = 86_400_000;

struct Stage {
    database: Database,
    test: TestDatabase,
    venue: VenueId,
    eyes: PgConnection,
    now: UnixMillis,
}

impl Stage {
    async fn set(version: Version) -> Self {
        let test = Postgres::start(version).database().await;
        let owner = test.user("owner@example.com", None).await;
        let venue = test.venue(owner).await;
        let mut eyes = test.superuser().await;
        let now: i64 = sqlx::query_scalar("select (extract(epoch from now()) * 1000)::bigint")
            .fetch_one(&mut eyes)
            .await
            .expect("the time");
        Self { database: test.open(), test, venue, eyes, now: UnixMillis(now) }
    }

    async fn tend(&self, days_later: i64) -> Option<Kept> {
        let now = UnixMillis(self.now.0 + days_later * DAY);
        upkeep::tend(&self.database, now, Retention::default()).await.expect("upkeep")
    }

    /// Makes everybody forget that upkeep was done just now.
    async fn hours_pass(&mut self) {
        run(&mut self.eyes, "update private.upkeep set done_to = done_to - interval '2 hours' where true")
            .await;
    }

    /// A fact of each kind at this time of UTC.
    async fn facts_at(&mut self, at: &str) {
        let venue = self.venue;
        run(
            &mut self.eyes,
            &format!(
                "insert into public.sessions (id, venue_id, guest_id, checked_in_at, expires_at)
                 values (private.uuid7('{at}'), '{venue}', gen_random_uuid(), '{at}', '{at}'::timestamptz + interval '1 hour');
                 insert into public.votes (id, venue_id, song_id, guest_id, vote_value, vote_time)
                 select private.uuid7('{at}'), '{venue}', '{SONG}', guest, value, '{at}'::timestamptz + value * interval '1 second'
                 from (values ('{GUEST}'::uuid, 1), ('{GUEST}'::uuid, -1), (gen_random_uuid(), 1)) v (guest, value);
                 insert into public.songs_playing (id, venue_id, song_id, played_at, heard_ms, tier)
                 select private.uuid7('{at}'), '{venue}', '{SONG}', '{at}', 90000, tier from unnest(array['hub', 'plan', 'cache']) tier"
            ),
        )
        .await;
    }

    async fn lines(&mut self, sql: &str) -> Vec<String> {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_all(&mut self.eyes).await.expect("the rows")
    }
}

const SONG: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);
const GUEST: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0002);

#[rstest]
#[tokio::test]
async fn days_are_counted_in_the_venues_own_time_and_kept(
    #[values(Version::V16, Version::V18)] version: Version,
) {
    let mut stage = Stage::set(version).await;
    run(&mut stage.eyes, "update public.venues set timezone = 'Asia/Tokyo' where true").await;
    // Ten at night in London is tomorrow in Tokyo.
    let yesterday: String = stage.lines("select (current_date - 1)::text").await.remove(0);
    stage.facts_at(&format!("{yesterday} 22:00+00")).await;
    let kept = stage.tend(0).await.expect("nobody else is at it");
    assert_eq!((kept.counted, kept.dropped, kept.strays.as_slice()), (1, 0, [].as_slice()));
    let day = "select concat_ws(' ', day = current_date, plays, songs, listeners, likes, dislikes, plan_seconds, cache_seconds)
               from public.venue_daily";
    // Who voted twice voted as they did last.
    let expected = ["t 3 1 1 2 0 90 90"];
    assert_eq!(stage.lines(day).await, expected);
    let song = "select concat_ws(' ', plays, heard_ms, likes, dislikes) from public.venue_song_daily";
    assert_eq!(stage.lines(song).await, ["3 270000 2 0"]);
    // Just done: not again. Later: nothing new. Then a hub comes back from long ago.
    assert_eq!(stage.tend(0).await, None);
    stage.hours_pass().await;
    run(
        &mut stage.eyes,
        "update public.votes set received_at = received_at - interval '1 day' where true;
        update public.sessions set received_at = received_at - interval '1 day' where true;
        update public.songs_playing set received_at = received_at - interval '1 day' where true",
    )
    .await;
    assert_eq!(stage.tend(0).await.map(|kept| kept.counted), Some(0));
    stage.hours_pass().await;
    let long_ago: String = stage.lines("select (current_date - 30)::text").await.remove(0);
    stage.facts_at(&format!("{long_ago} 01:00+00")).await;
    assert_eq!(stage.tend(0).await.map(|kept| kept.counted), Some(1));
    assert_eq!(stage.lines("select count(*)::text from public.venue_daily").await, ["2"]);
    // Two years later the facts are gone and the days are there.
    stage.hours_pass().await;
    let kept = stage.tend(730).await.expect("nobody else is at it");
    assert!(kept.dropped >= 6, "{kept:?}");
    assert_eq!(stage.lines("select id::text from public.votes").await, Vec::<String>::new());
    assert_eq!(stage.lines(&format!("{day} where day = current_date")).await, expected);
    assert_eq!(stage.lines("select count(*)::text from public.venue_song_daily").await, ["2"]);
}

#[tokio::test]
async fn each_kind_is_kept_for_its_own_time() {
    let mut stage = Stage::set(Version::V18).await;
    let today: String = stage.lines("select current_date::text").await.remove(0);
    stage.facts_at(&format!("{today} 12:00+00")).await;
    for (days, left) in [
        (0, "1 3 3"),
        (80, "1 3 3"),
        (100, "0 3 3"),
        (170, "0 3 3"),
        (190, "0 0 3"),
        (390, "0 0 3"),
        (410, "0 0 0"),
    ] {
        stage.hours_pass().await;
        let _ = stage.tend(days).await;
        let sql = "select concat_ws(' ', (select count(*) from public.sessions), (select count(*) from public.votes),
                     (select count(*) from public.songs_playing))";
        assert_eq!(stage.lines(sql).await, [left], "after {days} days");
    }
}

#[tokio::test]
async fn facts_without_a_week_are_an_alarm_and_move_when_there_is_one() {
    let mut stage = Stage::set(Version::V16).await;
    stage.facts_at("2099-01-01").await;
    stage.facts_at("1970-01-03").await;
    let next_month: String = stage.lines("select (current_date + 40)::text").await.remove(0);
    stage.facts_at(&next_month).await;
    let strays =
        |kept: Option<Kept>| kept.map(|kept| kept.strays.iter().map(|stray| stray.rows).collect::<Vec<_>>());
    assert_eq!(upkeep::stray_facts(&stage.database).await.unwrap(), 3 + 9 + 9);
    // In alphabetical order: sessions, songs_playing, votes.
    assert_eq!(strays(stage.tend(0).await), Some(vec![3, 9, 9]));
    stage.hours_pass().await;
    assert_eq!(strays(stage.tend(20).await), Some(vec![2, 6, 6]));
    let lost = stage.lines("select count(*)::text from public.votes").await;
    assert_eq!(lost, ["9"], "moved, not lost");
    let found = stage
        .lines("select tableoid::regclass::text from public.sessions where checked_in_at between '1980-01-01' and '2098-01-01'")
        .await;
    assert!(found[0].starts_with("partitions.sessions_2"), "{found:?}");
}

#[tokio::test]
async fn weeks_are_made_ahead_and_only_once() {
    let stage = Stage::set(Version::V18).await;
    let kept = stage.tend(0).await.expect("nobody else is at it");
    assert!(
        kept.made > 0 && kept.made <= 3 * 5,
        "the four weeks before the ones of the migrations: {kept:?}"
    );
    let mut stage = stage;
    stage.hours_pass().await;
    assert_eq!(stage.tend(0).await.map(|kept| kept.made), Some(0));
    stage.hours_pass().await;
    assert_eq!(stage.tend(7).await.map(|kept| kept.made), Some(3));
}

/// What lies outside every week goes by when it was received, each kind after its own time.
#[tokio::test]
async fn facts_without_a_week_are_forgotten_too() {
    let mut stage = Stage::set(Version::V18).await;
    stage.facts_at("2099-01-01").await;
    for (days, left) in [(80, 1 + 3 + 3), (100, 3 + 3), (190, 3), (410, 0)] {
        stage.hours_pass().await;
        let _ = stage.tend(days).await;
        assert_eq!(upkeep::stray_facts(&stage.database).await.unwrap(), left, "after {days} days");
    }
}

/// Several replicas at the same moment: one does it, and none fails.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn two_maintainers_at_once_are_one(#[values(Version::V16, Version::V18)] version: Version) {
    let mut stage = Stage::set(version).await;
    let today: String = stage.lines("select current_date::text").await.remove(0);
    stage.facts_at(&format!("{today} 12:00+00")).await;
    let rounds = (0..6).map(|_| {
        let database = stage.test.open();
        let now = stage.now;
        async move { upkeep::tend(&database, now, Retention::default()).await }
    });
    let mut done = 0;
    for round in futures_util::future::join_all(rounds).await {
        done += usize::from(round.expect("upkeep").is_some());
    }
    assert_eq!(done, 1, "one does it, the others see that it is done");
    assert_eq!(stage.lines("select plays::text from public.venue_daily").await, ["3"]);
}

/// Making the same weeks from two connections without the lock of upkeep: the second waits and finds them made.
#[tokio::test(flavor = "multi_thread")]
async fn weeks_are_made_once_by_many() {
    let stage = Stage::set(Version::V18).await;
    let makers = (0..6).map(|_| {
        let database = stage.test.open();
        async move {
            let mut work = database.as_service().await.expect("a connection");
            let made: i32 =
                sqlx::query_scalar("select private.ensure_partitions('votes', '2090-06-05', '2090-07-03')")
                    .fetch_one(&mut *work)
                    .await
                    .expect("the weeks");
            work.commit().await.expect("kept");
            made
        }
    });
    let made: i32 = futures_util::future::join_all(makers).await.into_iter().sum();
    assert_eq!(made, 4);
}

/// A bound on the id is a bound on the time: other weeks are not even opened.
#[rstest]
#[tokio::test]
async fn other_weeks_are_not_read(#[values(Version::V16, Version::V18)] version: Version) {
    let mut stage = Stage::set(version).await;
    let scans = async |conn: &mut PgConnection, bounds: &str| -> usize {
        let sql =
            format!("explain select count(*) from public.votes where venue_id = gen_random_uuid() {bounds}");
        let plan = sqlx::query(AssertSqlSafe(sql)).fetch_all(conn).await.expect("a plan");
        plan.iter().filter(|line| line.get::<String, _>(0).contains(" on votes_")).count()
    };
    let every = scans(&mut stage.eyes, "").await;
    assert!(every >= 6, "{every}");
    let week = "and id >= private.uuid7_floor(current_date::timestamptz) and id < private.uuid7_floor(current_date + interval '1 day')";
    let some = scans(&mut stage.eyes, week).await;
    assert!((1..=2).contains(&some), "{some} of {every}");
}

/// Behind somebody's long report: nothing is dropped, nobody is kept waiting, and it is done when they are gone.
#[tokio::test]
async fn a_long_report_puts_dropping_off() {
    let mut stage = Stage::set(Version::V18).await;
    let today: String = stage.lines("select current_date::text").await.remove(0);
    stage.facts_at(&format!("{today} 12:00+00")).await;
    let mut reader = stage.test.superuser().await;
    run(&mut reader, "begin; select count(*) from public.votes").await;
    let later = UnixMillis(stage.now.0 + 800 * DAY);
    let error = upkeep::tend(&stage.database, later, Retention::default()).await.unwrap_err();
    assert!(format!("{error:#}").contains("lock timeout"), "{error:#}");
    assert_eq!(
        stage.lines("select plays::text from public.venue_daily").await,
        ["3"],
        "the days are counted all the same"
    );
    run(&mut reader, "commit").await;
    stage.hours_pass().await;
    assert!(stage.tend(800).await.expect("nobody else is at it").dropped > 0);
}
