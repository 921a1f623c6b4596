//! Ten thousand hubs that wait for something new: what that costs the cloud.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use roomtone_schema::{Clock, HubId, SystemClock};
use roomtone_sync::credential::SigningKey;
use roomtone_sync::transport::{Address, Client};

use crate::line::Counted;
use crate::most;
use crate::world::World;

/// For how long they are watched.
const WATCHED: Duration = Duration::from_mins(1);

/// A server process of Postgres tells what it has asked only when it has been idle for ten seconds (`PGSTAT_IDLE_INTERVAL`):
/// what was asked before is counted by then.
const TOLD: Duration = Duration::from_secs(15);

/// So many connect at once.
const AT_ONCE: usize = 64;

pub(crate) async fn measure(world: &mut World, many: usize) {
    raise_limit(many);
    let (alone, _) = watch(world).await;
    let keys: Vec<SigningKey> = (0..many).map(key).collect();
    let hubs = world.enrol(&keys).await;
    let address = Address::parse(&world.url).unwrap();
    let mut waiting = Vec::with_capacity(many);
    for (keys, hubs) in keys_and_hubs(keys, &hubs) {
        let opening: FuturesUnordered<_> =
            keys.into_iter().zip(hubs).map(|(key, hub)| open(key, hub, address.clone())).collect();
        waiting.extend(opening.collect::<Vec<_>>().await);
    }
    let (asked, cores) = watch(world).await;
    drop(waiting);
    most("-", &format!("{many} idle hubs: cores of the cloud"), cores, 1.0, "cores");
    // The cloud looks at the heads once a second for all of them together, and upkeep looks after itself: what remains of
    // that beside what was asked without any hub is noise.
    let more = (asked - alone).max(0) as f64 / many as f64;
    let what =
        format!("{many} idle hubs: questions to Postgres for each in a minute, beside a cloud without hubs");
    most("-", &what, more, 0.005, "");
}

/// How many questions were asked in a while, and how many cores that took.
async fn watch(world: &mut World) -> (i64, f64) {
    tokio::time::sleep(TOLD).await;
    let (questions, cpu) = (asked(world).await, world.cloud.cpu_seconds());
    tokio::time::sleep(WATCHED).await;
    let cores = (world.cloud.cpu_seconds() - cpu) / WATCHED.as_secs_f64();
    (asked(world).await - questions, cores)
}

async fn open(
    key: SigningKey,
    hub: HubId,
    address: Address,
) -> (Client<Counted>, roomtone_sync::transport::Live) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let client = Client::new(Counted::default(), address, hub, Arc::new(key), clock);
    let live = client.live("/v1/sync/live?catalogue=0&venue=0").await.unwrap();
    (client, live)
}

fn keys_and_hubs(
    keys: Vec<SigningKey>,
    hubs: &[HubId],
) -> impl Iterator<Item = (Vec<SigningKey>, Vec<HubId>)> {
    let mut keys = keys.into_iter();
    hubs.chunks(AT_ONCE).map(move |hubs| (keys.by_ref().take(hubs.len()).collect(), hubs.to_vec()))
}

fn key(number: usize) -> SigningKey {
    let mut seed = [0xa5; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    SigningKey::from_seed(&seed).unwrap()
}

/// How many transactions the database has seen.
async fn asked(world: &mut World) -> i64 {
    let sql = "select xact_commit + xact_rollback from pg_stat_database where datname = current_database()";
    sqlx::query_scalar(sql).fetch_one(&mut world.conn).await.unwrap()
}

/// A connection is an open file.
fn raise_limit(many: usize) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = (many as u64 + 1_000).max(limit.current.unwrap_or(u64::MAX));
    let _as_far_as_allowed =
        setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum });
}
