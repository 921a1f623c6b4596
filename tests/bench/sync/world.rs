//! The built cloud in a process of its own, with its Postgres and its media store, and hubs that it knows.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use roomtone_cloud::dev::postgres::Private;
use roomtone_hub::cloud_link::SqliteStore;
use roomtone_hub::hub::{Hub, HubOptions};
use roomtone_hub::limits::LimitSettings;
use roomtone_schema::{Clock, HubId, SystemClock, VenueId};
use roomtone_sync::credential::SigningKey;
use roomtone_sync::driver::{LinkReport, LinkSettings, Wakes, run_over};
use roomtone_sync::engine::{Settings, Status};
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::line::{Counted, Meter};
use crate::process::Process;

/// Nothing that is measured takes this long.
const PATIENCE: Duration = Duration::from_mins(5);

/// The cloud, and its database.
pub(crate) struct World {
    pub(crate) cloud: Process,
    pub(crate) url: String,
    pub(crate) conn: PgConnection,
    pub(crate) venue: VenueId,
    /// Gone with this, after the cloud.
    _folder: TempDir,
}

impl World {
    /// Starts it, or says why there is none.
    pub(crate) async fn start() -> Option<Self> {
        let Some(binary) = std::env::var_os("CLOUD_UNDER_TEST") else {
            println!("CLOUD_UNDER_TEST names no built cloud: `tests/bench/run sync` builds one");
            return None;
        };
        let folder = tempfile::Builder::new().prefix("roomtone-bench-").tempdir().unwrap();
        open_to_all(folder.path());
        let mut command = Command::new(binary);
        command.args(["dev", "--listen", "127.0.0.1:0", "--data"]).arg(folder.path());
        let mut cloud = Process::start(command);
        let url = cloud.hear("The trial cloud is at").trim_end_matches('/').to_owned();
        let address = Private::address(&folder.path().join("cluster"), "postgres", "roomtone");
        let mut conn = PgConnection::connect(&address).await.unwrap();
        sqlx::raw_sql("set search_path = public, extensions").execute(&mut conn).await.unwrap();
        let venue = sqlx::query_scalar(
            "with o as (insert into public.organisations (name) values ('Bench') returning id)
             insert into public.venues (organisation_id, slug, name) select id, 'bench', 'Bench' from o returning id",
        )
        .fetch_one(&mut conn)
        .await
        .unwrap();
        Some(Self { cloud, url, conn, venue: VenueId(venue), _folder: folder })
    }

    /// How long the longest chunk of the snapshots is.
    pub(crate) async fn longest_chunk(&mut self) -> i64 {
        let sql = "select max((chunk->>'bytes')::bigint) from private.snapshots, jsonb_array_elements(chunks) chunk";
        sqlx::query_scalar(sql).fetch_one(&mut self.conn).await.unwrap()
    }

    /// Makes hubs of the venue known, with these keys.
    pub(crate) async fn enrol(&mut self, keys: &[SigningKey]) -> Vec<HubId> {
        let public: Vec<Vec<u8>> = keys.iter().map(|key| key.public().to_vec()).collect();
        let hubs: Vec<Uuid> = sqlx::query_scalar(
            "insert into public.hubs (venue_id, name, public_key, enrolled_at)
             select $1, 'hub ' || number, key, now() from unnest($2::bytea[]) with ordinality t (key, number)
             returning id",
        )
        .bind(self.venue.0)
        .bind(public)
        .fetch_all(&mut self.conn)
        .await
        .unwrap();
        hubs.into_iter().map(HubId).collect()
    }
}

/// A hub with an empty database, and the link that it will have.
pub(crate) struct Box {
    pub(crate) hub: Hub,
    pub(crate) meter: Meter,
    settings: LinkSettings,
    _folder: TempDir,
}

/// A link that is up.
pub(crate) struct Linked {
    reports: watch::Receiver<Option<LinkReport>>,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Box {
    pub(crate) async fn open(world: &mut World, seed: u8) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let options = HubOptions {
            data: folder.path().to_owned(),
            venue_name: String::from("Bench"),
            time_zone: String::from("UTC"),
            zones: Vec::new(),
            licence: roomtone_schema::licence::Licence::default(),
            limits: LimitSettings::default(),
        };
        let hub = Hub::open(options, clock).await.unwrap();
        let key = SigningKey::from_seed(&[seed; 32]).unwrap();
        let id = world.enrol(std::slice::from_ref(&key)).await[0];
        let settings = LinkSettings { cloud: world.url.clone(), hub: id, key: Arc::new(key) };
        Self { hub, meter: Meter::default(), settings, _folder: folder }
    }

    /// Brings the link up.
    pub(crate) fn link(&self) -> Linked {
        self.link_with(Settings::new(Uuid::from_u128(7), 7))
    }

    /// The same, with another way of going about it.
    pub(crate) fn link_with(&self, engine: Settings) -> Linked {
        let store = Arc::new(SqliteStore::new(&self.hub, self.settings.hub));
        let (told, reports) = watch::channel(None);
        let (stop, settings) = (CancellationToken::new(), self.settings.clone());
        let (stopped, connect) = (stop.clone(), Counted(self.meter.clone()));
        let task = tokio::spawn(async move {
            let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
            let report = move |report| drop(told.send_replace(Some(report)));
            run_over(connect, engine, store, settings, clock, report, Wakes::default(), stopped).await
        });
        Linked { reports, stop, task }
    }
}

impl Linked {
    /// Waits until nothing is left to do on either side.
    pub(crate) async fn settled(&mut self) {
        let settled = self.reports.wait_for(|report| {
            report.as_ref().is_some_and(|report| {
                report.state == Status::Synced && report.scopes.len() == 2 && report.pending == 0
            })
        });
        tokio::time::timeout(PATIENCE, settled).await.expect("hub and cloud agree in time").unwrap();
    }

    pub(crate) async fn down(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

fn open_to_all(folder: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
}
