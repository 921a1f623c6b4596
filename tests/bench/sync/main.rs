//! How fast a hub and its cloud come to agree, beside `PouchDB`, in one run on one machine.
//!
//! The cloud is the built program with its own Postgres and media store; the hub's database, engine and line are the
//! product's own, in this process. What goes over the line is counted with all that HTTP says around it.
#![expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]
#![expect(clippy::unwrap_used, reason = "a benchmark ends where it fails")]

mod catalogue;
mod idle;
mod line;
mod pouch;
#[path = "../fanout/process.rs"]
mod process;
mod world;

use std::time::Instant;

use roomtone_hub::store::outbox::{self, FactKind};
use roomtone_schema::{FactId, SongId, UnixMillis};
use roomtone_sync::engine::Settings;

use catalogue::Lots;
use pouch::Way;
use process::Process;
use world::{Box as HubBox, World};

/// How much of everything.
#[derive(Debug, Clone, Copy)]
struct Size {
    songs: usize,
    votes: usize,
    changes: usize,
    documents: usize,
    idle: usize,
}

const FULL: Size = Size { songs: 100_000, votes: 70_000, changes: 5_000, documents: 20_000, idle: 10_000 };
const SHORT: Size = Size { songs: 12_000, votes: 1_200, changes: 60, documents: 200, idle: 50 };

fn main() {
    // `cargo bench` says so; anybody else only wants to know that it runs.
    let is_short = std::env::args().all(|argument| argument != "--bench");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure(if is_short { SHORT } else { FULL }));
}

async fn measure(size: Size) {
    let Some(mut world) = World::start().await else { return };
    let mut lots = Lots::new(1);
    let (conn, venue) = (&mut world.conn, world.venue);
    let songs = catalogue::stock(conn, venue, size.songs, &mut lots).await;

    let pulled = pouch::replicate(
        Way::Pull,
        (0..size.documents).map(|number| pouch::document(&number, catalogue::song_document(&mut lots))),
    );
    first_hub(&mut world, size).await;
    let hub = HubBox::open(&mut world, 1).await;
    let mut linked = bootstrap(&hub, size, pulled.map(pouch::Measured::rate)).await;
    cut_off(&mut world, &hub, size).await;

    let votes =
        catalogue::votes(&songs, size.votes + size.documents, UnixMillis(1_790_000_000_000), &mut lots);
    let (week, others) = votes.split_at(size.votes);
    let documents = others.iter().map(|vote| pouch::document(&vote.id, catalogue::vote_document(vote)));
    let pushed = pouch::replicate(Way::Push, documents);
    linked.down().await;

    tell(&hub, week).await;
    let meter = hub.meter.read();
    let began = Instant::now();
    linked = hub.link();
    linked.settled().await;
    let rate = week.len() as f64 / began.elapsed().as_secs_f64();
    let bytes = (hub.meter.read().0 - meter.0) as f64 / week.len() as f64;
    row(
        "10",
        "votes pushed, applied and acknowledged",
        rate,
        "/s",
        pushed.map(pouch::Measured::rate),
        Some(3.0),
    );
    most("10", "bytes on the wire for a vote", bytes, 40.0, "B");
    linked.down().await;

    week_offline(&mut world, &hub, &songs, size, &mut lots).await;
    damage(&hub, &songs).await;
    idle::measure(&mut world, size.idle).await;
}

/// The first hub of a catalogue that nobody has asked for before: it waits while the snapshot is made, which is made when a
/// hub is enrolled, and so before most of them ask.
async fn first_hub(world: &mut World, size: Size) {
    let hub = HubBox::open(world, 2).await;
    let began = Instant::now();
    let mut linked = hub.link();
    linked.settled().await;
    let took = began.elapsed().as_secs_f64() * 100_000.0 / size.songs as f64;
    println!(
        "BENCH | 11 | the same for the first hub, its snapshot unmade | {took:.2} s | - | - | - | reported"
    );
    linked.down().await;
}

/// A line that is cut in the middle of it: what is sent again, beside what came without a cut.
async fn cut_off(world: &mut World, whole: &HubBox, size: Size) {
    let hub = HubBox::open(world, 3).await;
    let full = whole.meter.read().1;
    hub.meter.cut_after(full / 2);
    let mut linked = hub.link();
    linked.settled().await;
    assert_eq!(hub.hub.songs().len(), size.songs, "the hub has the whole catalogue");
    assert!(hub.meter.is_cut(), "the line was cut");
    let again = hub.meter.read().1.saturating_sub(full) as f64 / 1e3;
    let chunk = world.longest_chunk().await as f64 / 1e3;
    most("11", "sent again after a cut in mid-catalogue (a chunk)", again, chunk, "KB");
    linked.down().await;
}

/// An empty hub takes the whole catalogue, and ranks it.
async fn bootstrap(hub: &HubBox, size: Size, theirs: Option<f64>) -> world::Linked {
    let began = Instant::now();
    let mut linked = hub.link();
    linked.settled().await;
    let took = began.elapsed().as_secs_f64();
    let songs = hub.hub.songs().len();
    assert_eq!(songs, size.songs, "the hub has the whole catalogue");
    let megabytes = hub.meter.read().1 as f64 / 1e6;
    // A row for the song, and one for that the venue plays it.
    row("11", "rows pulled and applied by an empty hub", 2.0 * songs as f64 / took, "/s", theirs, Some(10.0));
    let per_100k = 100_000.0 / songs as f64;
    most("11", "a hub from nothing to 100k songs", took * per_100k, 5.0, "s");
    most("11", "the same, on the wire", megabytes * per_100k, 15.0, "MB");
    linked
}

/// Seven days without the cloud: facts on one side, changes on the other.
async fn week_offline(world: &mut World, hub: &HubBox, songs: &[SongId], size: Size, lots: &mut Lots) {
    let votes = catalogue::votes(songs, size.votes, UnixMillis(1_791_000_000_000), lots);
    tell(hub, &votes).await;
    let changed: Vec<uuid::Uuid> = songs.iter().take(size.changes).map(|song| song.0).collect();
    sqlx::query("update public.songs set title = title || ' (live)' where id = any ($1)")
        .bind(&changed)
        .execute(&mut world.conn)
        .await
        .unwrap();
    let began = Instant::now();
    let mut linked = hub.link();
    linked.settled().await;
    let what = format!("seven days offline: {} facts up, {} changes down", votes.len(), changed.len());
    most("10", &what, began.elapsed().as_secs_f64(), 15.0, "s");
    let live = hub.hub.songs().iter().filter(|song| song.facts.title.ends_with("(live)")).count();
    assert_eq!(live, changed.len(), "every change has come down");
    let here: i64 =
        sqlx::query_scalar("select count(*) from public.votes").fetch_one(&mut world.conn).await.unwrap();
    assert_eq!(here, 2 * size.votes as i64, "no vote is lost, and none is doubled");
    linked.down().await;
}

/// One row that is not what was applied: found, and fetched again.
async fn damage(hub: &HubBox, songs: &[SongId]) {
    let song = songs[songs.len() / 2];
    hub.hub
        .store()
        .write(move |tx| {
            tx.execute("update songs set title = 'rotten' where id = ?1", [song.0.as_bytes().as_slice()])?;
            Ok(())
        })
        .await
        .unwrap();
    let before = hub.meter.read();
    // All rows at once: at a venue the round takes hours, and what it costs on the line is the same.
    let engine = Settings::new(uuid::Uuid::from_u128(7), 7);
    let every = std::time::Duration::from_secs(1);
    let mut linked = hub.link_with(Settings { scrub_every: every, scrub: 1_000_000, ..engine });
    let is_rotten = || {
        let store = hub.hub.store().clone();
        async move {
            let found = store.read(move |conn| {
                let sql = "select title from songs where id = ?1";
                conn.query_row(sql, [song.0.as_bytes().as_slice()], |row| row.get::<_, String>(0))
            });
            found.await.unwrap() == "rotten"
        }
    };
    let began = Instant::now();
    while is_rotten().await {
        assert!(began.elapsed().as_secs() < 300, "the row is mended");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    linked.settled().await;
    let after = hub.meter.read();
    let kilobytes = (after.0 - before.0 + after.1 - before.1) as f64 / 1e3;
    most("-", "one damaged row found and mended, on the wire", kilobytes, 64.0, "KB");
    linked.down().await;
}

/// Writes votes into the hub's outbox, as its use cases do.
async fn tell(hub: &HubBox, votes: &[roomtone_schema::vote::Vote]) {
    for some in votes.chunks(1_000) {
        let some = some.to_vec();
        let write = hub.hub.store().write(move |tx| {
            some.iter().try_for_each(|vote| {
                let op = FactId(vote.id.0);
                outbox::push(tx, FactKind::VoteCast, op, vote.cast_at, vote).map(drop)
            })
        });
        write.await.unwrap();
    }
}

/// A line of the table: ours must be at least so many times the yardstick's.
fn row(goal: &str, what: &str, ours: f64, unit: &str, theirs: Option<f64>, least: Option<f64>) {
    let Some(theirs) = theirs else {
        println!("BENCH | {goal} | {what} | {ours:.0} {unit} | - | - | - | reported");
        return;
    };
    let ratio = ours / theirs;
    let (wanted, verdict) = match least {
        Some(least) => (format!(">= {least}"), if ratio >= least { "ok" } else { "MISSED" }),
        None => (String::from("-"), "reported"),
    };
    println!(
        "BENCH | {goal} | {what} | {ours:.0} {unit} | PouchDB {theirs:.0} {unit} | {ratio:.1} | {wanted} | {verdict}"
    );
}

/// A line of the table: a bound of its own.
fn most(goal: &str, what: &str, ours: f64, most: f64, unit: &str) {
    let verdict = if ours <= most { "ok" } else { "MISSED" };
    println!(
        "BENCH | {goal} | {what} | {ours:.2} {unit} | {most} {unit} | {:.2} | <= 1 | {verdict}",
        ours / most
    );
}

// Of what the benchmarks share, this one has no use for these.
const _: () = {
    let _ = (Process::tell, Process::resident_kib);
};
