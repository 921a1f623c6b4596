//! How fast a hub's facts are taken in: beside COPY, beside one insert per row, and beside the same facts again.
//!
//! All sides write votes into the same table of the same server in one run, taking turns, with the disk's own flush at
//! each commit. No vote is sent twice but where that is what is measured. COPY goes as the owner: Postgres has no COPY
//! under row policies, so the yardstick is spared what ours pays for.

#![expect(clippy::unwrap_used, reason = "a benchmark ends where it fails")]
#![expect(clippy::print_stdout, reason = "its table is what a benchmark is for")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use roomtone_cloud::database::Database;
use roomtone_cloud::dev::postgres::Private;
use roomtone_cloud::ingest::{self, Batch, Item};
use roomtone_cloud::store::facts;
use roomtone_schema::id::Id;
use roomtone_schema::vote::{Hlc, Vote, VoteValue};
use roomtone_schema::{BootId, HubId, ListenerId, SessionId, SongId, UnixMillis, VenueId, VoteId};
use roomtone_sync::clocks::Moment;
use sqlx::PgConnection;
use tempfile::TempDir;
use uuid::Uuid;

#[path = "../tests/support/postgres.rs"]
mod postgres;

use postgres::{Postgres, TestDatabase, Version, connect, programs};

/// How often the sides take turns; figures are the medians of the turns.
const TURNS: usize = 7;

/// What a hub sends at once.
const BATCH: usize = 500;

/// Batches of one side in a turn.
const BATCHES: usize = 16;

/// The venues that they come from.
const VENUES: usize = 40;

/// From Postgres's first day to that of Unix, in microseconds.
const EPOCH: i64 = 946_684_800_000_000;

/// Votes per second, one number of each turn.
#[derive(Default)]
struct Turns {
    copied: Vec<f64>,
    unnested: Vec<f64>,
    single: Vec<f64>,
    fresh: Vec<f64>,
    replayed: Vec<f64>,
    repeated: Vec<f64>,
}

/// A hub, and how far it has pushed.
struct Pusher {
    hub: HubId,
    venue: VenueId,
    seq: i64,
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        for version in [Version::V16, Version::V18] {
            measure(version).await;
        }
    });
}

/// Beside the build, not in the system's temporary folder: that may be memory. But where the server may get at it.
fn place() -> PathBuf {
    let build = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let is_closed = |folder: &Path| {
        std::fs::metadata(folder).is_ok_and(|folder| folder.permissions().mode() & 0o001 == 0)
    };
    if !rustix::process::geteuid().is_root() || !build.ancestors().any(is_closed) {
        return build;
    }
    let elsewhere = std::env::temp_dir();
    println!("nobody may enter {}: Postgres stores in {}", build.display(), elsewhere.display());
    elsewhere
}

async fn measure(version: Version) {
    let bin = programs(version).expect("tests/run installs Postgres");
    let beside = std::env::args().nth(1).filter(|argument| !argument.starts_with('-'));
    let dir = TempDir::new_in(beside.map_or_else(place, PathBuf::from)).unwrap();
    // As root the server runs as somebody else, who has to get at its folder.
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let server = Postgres::on(Private::start(&dir.path().join("pg"), &bin).await.unwrap()).await;
    let test = server.database().await;
    let mut pushers = pushers(&test).await;
    let (database, mut owner) = (test.open(), connect(&test.migrator_url).await);
    let mut turns = Turns::default();
    for turn in 0..=TURNS {
        let mut round = Turns::default();
        take_a_turn(&mut round, &database, &mut owner, &mut pushers).await;
        // The first is for caches and plans.
        if turn > 0 {
            turns.add(round);
        }
    }
    report(version, turns);
}

impl Turns {
    fn add(&mut self, round: Self) {
        self.copied.extend(round.copied);
        self.unnested.extend(round.unnested);
        self.single.extend(round.single);
        self.fresh.extend(round.fresh);
        self.replayed.extend(round.replayed);
        self.repeated.extend(round.repeated);
    }
}

async fn pushers(test: &TestDatabase) -> Vec<Pusher> {
    let owner = test.user("owner@example.com", None).await;
    let mut pushers = Vec::new();
    for _ in 0..VENUES {
        let venue = test.venue(owner).await;
        let hub: Uuid =
            sqlx::query_scalar("insert into public.hubs (venue_id, name) values ($1, 'Hub') returning id")
                .bind(venue.0)
                .fetch_one(&mut test.superuser().await)
                .await
                .unwrap();
        pushers.push(Pusher { hub: HubId(hub), venue, seq: 0 });
    }
    pushers
}

async fn take_a_turn(
    turns: &mut Turns,
    database: &Database,
    owner: &mut PgConnection,
    pushers: &mut [Pusher],
) {
    let someone = |n: usize| (n * 7 + 3) % VENUES;
    let sets: Vec<_> = (0..BATCHES).map(|n| (someone(n), votes())).collect();
    let began = Instant::now();
    for (n, votes) in &sets {
        copy(owner, pushers[*n].venue, votes).await;
    }
    turns.copied.push(rate(began));

    let sets: Vec<_> = (0..BATCHES).map(|n| (someone(n), votes())).collect();
    let began = Instant::now();
    for (n, votes) in &sets {
        unnest(database, &pushers[*n], votes).await;
    }
    turns.unnested.push(rate(began));
    let began = Instant::now();
    for (n, votes) in &sets {
        unnest(database, &pushers[*n], votes).await;
    }
    turns.repeated.push(rate(began));

    let sets: Vec<_> = (0..BATCHES).map(|n| (someone(n), votes())).collect();
    let began = Instant::now();
    for (n, votes) in &sets {
        one_by_one(database, &pushers[*n], votes).await;
    }
    turns.single.push(rate(began));

    let sets: Vec<_> = (0..BATCHES).map(|n| (someone(n), batch(&mut pushers[someone(n)]))).collect();
    for side in [&mut turns.fresh, &mut turns.replayed] {
        let began = Instant::now();
        for (n, batch) in &sets {
            let verdict =
                ingest::apply(database, pushers[*n].hub, pushers[*n].venue, batch, now()).await.unwrap();
            assert!(verdict.kept_apart.is_empty());
        }
        side.push(rate(began));
    }
}

/// Votes of people who never voted before, spread over the last hour.
fn votes() -> Vec<Vote> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    let vote = |_| {
        let mut random = [0; 10];
        getrandom::fill(&mut random).unwrap();
        let at = UnixMillis(now - i64::from(u16::from_be_bytes([random[0], random[1]])) * 50);
        Vote {
            id: VoteId::mint(at, random),
            listener: ListenerId::mint(at, random),
            session: SessionId::mint(at, random),
            song: SongId::from_uuid(Uuid::from_u128(u128::from(random[2]))),
            value: if random[3] % 3 == 0 { VoteValue::Dislike } else { VoteValue::Like },
            hlc: Hlc(0),
            cast_at: at,
        }
    };
    (0..BATCH).map(vote).collect()
}

/// No vote is younger than this.
fn now() -> UnixMillis {
    UnixMillis(i64::from(u32::MAX) * 1_000)
}

fn moment(vote: &Vote) -> Moment {
    Moment { boot: BootId(Uuid::from_u128(1)), mono_ms: 0, hlc: vote.cast_at.0.cast_unsigned() << 16 }
}

fn batch(pusher: &mut Pusher) -> Batch {
    let items = votes().into_iter().map(|vote| {
        pusher.seq += 1;
        Item {
            seq: pusher.seq,
            kind: "vote_cast".to_owned(),
            payload: serde_json::to_vec(&vote).unwrap(),
            moment: moment(&vote),
        }
    });
    Batch { epoch: 1, items: items.collect() }
}

async fn unnest(database: &Database, pusher: &Pusher, votes: &[Vote]) {
    let mut work = database.as_hub(pusher.hub, pusher.venue).await.unwrap();
    let votes: Vec<_> =
        votes.iter().map(|vote| facts::KeptVote { vote: *vote, is_profiles: false }).collect();
    facts::add_votes(&mut work, pusher.venue, &votes).await.unwrap();
    work.commit().await.unwrap();
}

async fn one_by_one(database: &Database, pusher: &Pusher, votes: &[Vote]) {
    let mut work = database.as_hub(pusher.hub, pusher.venue).await.unwrap();
    for vote in votes {
        sqlx::query(
            "insert into public.votes (venue_id, id, song_id, session_id, guest_id, vote_value, vote_time)
             values ($1, $2, $3, $4, $5, $6, $7) on conflict (venue_id, id) do nothing",
        )
        .bind(pusher.venue.0)
        .bind(vote.id.0)
        .bind(vote.song.0)
        .bind(vote.session.0)
        .bind(vote.listener.0)
        .bind(1_i32)
        .bind(chrono::DateTime::from_timestamp_millis(vote.cast_at.0))
        .execute(&mut *work)
        .await
        .unwrap();
    }
    work.commit().await.unwrap();
}

/// Binary COPY of the same columns into the same table, one transaction per batch.
async fn copy(owner: &mut PgConnection, venue: VenueId, votes: &[Vote]) {
    let mut bytes = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    for vote in votes {
        bytes.extend(7_i16.to_be_bytes());
        for id in [venue.0, vote.id.0, vote.song.0, vote.session.0, vote.listener.0] {
            bytes.extend(16_i32.to_be_bytes());
            bytes.extend(id.as_bytes());
        }
        bytes.extend(4_i32.to_be_bytes());
        bytes.extend(1_i32.to_be_bytes());
        bytes.extend(8_i32.to_be_bytes());
        bytes.extend((vote.cast_at.0 * 1000 - EPOCH).to_be_bytes());
    }
    bytes.extend((-1_i16).to_be_bytes());
    let columns = "copy public.votes (venue_id, id, song_id, session_id, guest_id, vote_value, vote_time)
                   from stdin (format binary)";
    let mut copy = owner.copy_in_raw(columns).await.unwrap();
    copy.send(bytes).await.unwrap();
    assert_eq!(copy.finish().await.unwrap(), votes.len() as u64);
}

fn rate(began: Instant) -> f64 {
    (BATCH * BATCHES) as f64 / began.elapsed().as_secs_f64()
}

fn report(version: Version, turns: Turns) {
    let [copied, unnested, single] = [turns.copied, turns.unnested, turns.single].map(median);
    let [fresh, replayed, repeated] = [turns.fresh, turns.replayed, turns.repeated].map(median);
    let line = |what: &str, ours: f64, yardstick: f64, goal: Option<f64>| {
        let ratio = ours / yardstick;
        let (goal, verdict) = match goal {
            Some(goal) => (format!(">= {goal}"), if ratio >= goal { "ok" } else { "MISSED" }),
            None => ("-".to_owned(), "ok"),
        };
        println!(
            "BENCH | 12 | {version:?}: {what} | {ours:.0} /s | {yardstick:.0} /s | {ratio:.2} | {goal} | {verdict}"
        );
    };
    line("votes by UNNEST under policies / binary COPY without", unnested, copied, Some(0.6));
    line("votes by UNNEST / by single inserts in one transaction", unnested, single, Some(3.0));
    line("a batch that was taken / a fresh one", replayed, fresh, Some(3.0));
    line("whole batches: JSON, hashes, guests, votes / binary COPY", fresh, copied, None);
    line("the same votes by UNNEST again / fresh ones", repeated, unnested, None);
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
