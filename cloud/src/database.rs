//! Postgres: one pool, and every unit of work one transaction in somebody's name.
//!
//! The login that the pool uses can do nothing by itself (it does not inherit). A transaction takes the role and the
//! claims of whoever asked, for itself alone (`set local`), as Supabase's own server library does: what a row policy
//! or a grant forbids them, no mistake of ours gives them. That also means that a pooler which hands statements of one
//! transaction to several connections would break it; [`crate::doctor`] refuses one at the start.

use std::str::FromStr;
use std::time::Duration;

use roomtone_schema::{HubId, UserId, VenueId};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{PgConnection, Postgres, Transaction};

/// One unit of work; nothing of it is kept unless it is committed.
pub type Work = Transaction<'static, Postgres>;

/// How the database is used.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// Connections of this replica. All replicas together should stay below 60 % of what the server allows.
    pub connections: u32,
    /// For how long a request waits for one of them.
    pub acquire_time: Duration,
    /// For how long one statement may run.
    pub statement_time: Duration,
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self { connections: 10, acquire_time: Duration::from_secs(5), statement_time: Duration::from_secs(8) }
    }
}

/// The database. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Database {
    pool: PgPool,
}

impl Database {
    /// Connects lazily: that the server can be reached, and is what it should be, is for [`crate::doctor`] to say.
    ///
    /// # Errors
    /// Where `url` is no address of a Postgres.
    pub fn open(url: &str, settings: &DatabaseSettings) -> Result<Self, sqlx::Error> {
        let statement_time = settings.statement_time.as_millis().to_string();
        let options = PgConnectOptions::from_str(url)?.application_name("roomtone-cloud");
        let pool = PgPoolOptions::new()
            .max_connections(settings.connections)
            .acquire_timeout(settings.acquire_time)
            // Said, and not asked for with the connection: poolers in session mode take no settings there.
            .after_connect(move |connection, _| {
                let statement_time = statement_time.clone();
                Box::pin(async move { prepare(connection, &statement_time).await })
            })
            .connect_lazy_with(options);
        Ok(Self { pool })
    }

    /// The connections themselves: for what must stay on one of them (`listen`, advisory locks) and for checks.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// A unit of work of somebody with an account, who may do what the policies let them.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn as_user(&self, user: UserId) -> Result<Work, sqlx::Error> {
        let claims = serde_json::json!({ "sub": user.0, "role": "authenticated" }).to_string();
        let mut work = self.pool.begin().await?;
        sqlx::query(
            "select set_config('request.jwt.claims', $1, true), set_config('role', 'authenticated', true)",
        )
        .bind(claims)
        .execute(&mut *work)
        .await?;
        Ok(work)
    }

    /// A unit of work of a hub, whose venue comes from its credential and from nowhere else.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn as_hub(&self, hub: HubId, venue: VenueId) -> Result<Work, sqlx::Error> {
        let mut work = self.pool.begin().await?;
        become_hub(&mut work, hub, venue).await?;
        Ok(work)
    }

    /// The same to read only, where all statements see the database as the first one does.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn as_hub_in_one_snapshot(&self, hub: HubId, venue: VenueId) -> Result<Work, sqlx::Error> {
        let mut work = self.pool.begin_with("begin isolation level repeatable read read only").await?;
        become_hub(&mut work, hub, venue).await?;
        Ok(work)
    }

    /// A unit of work of a guest of one venue, or of nobody's yet: such a one can only ask which venue an address names. The
    /// venue comes from that address and from nowhere else.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn as_guest(&self, venue: Option<VenueId>) -> Result<Work, sqlx::Error> {
        let mut work = self.pool.begin().await?;
        sqlx::query(
            "select set_config('roomtone.guest_venue', $1, true), set_config('role', 'roomtone_guest', true)",
        )
        .bind(venue.map(|venue| venue.to_string()).unwrap_or_default())
        .execute(&mut *work)
        .await?;
        Ok(work)
    }

    /// A unit of the cloud's own work: partitions, analysis, exports, roll-ups.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn as_service(&self) -> Result<Work, sqlx::Error> {
        let mut work = self.pool.begin().await?;
        sqlx::query("select set_config('role', 'roomtone_cloud', true)").execute(&mut *work).await?;
        Ok(work)
    }
}

/// `vector` stands in `extensions`, and sqlx looks types up by the path.
async fn prepare(connection: &mut PgConnection, statement_time: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "select set_config('search_path', 'public,extensions', false), set_config('statement_timeout', $1, false)",
    )
    .bind(statement_time)
    .execute(connection)
    .await
    .map(drop)
}

async fn become_hub(work: &mut PgConnection, hub: HubId, venue: VenueId) -> Result<(), sqlx::Error> {
    sqlx::query(
        "select set_config('roomtone.hub_id', $1, true), set_config('roomtone.venue_id', $2, true),
                set_config('role', 'roomtone_hub', true)",
    )
    .bind(hub.to_string())
    .bind(venue.to_string())
    .execute(work)
    .await
    .map(drop)
}
